"""What the networks have in common: the door where features come in, and the way out to classes."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the field's name for it

from motifdb.errors import UsageError, nearest
from motifdb.training.models.masks import column_mask


def check_choice(model: str, option: str, value: str, valid: tuple[str, ...]) -> None:
    """Raise UsageError with the nearest valid word when `value` is none of `valid`."""
    if value not in valid:
        raise UsageError(f"{model}: {option}={value!r} is none of its values; {nearest(value, valid)}")


class Entrance(nn.Module):  # type: ignore[misc]  # torch is untyped to us
    """What every network does first: check the shape, mask, pad up to what its layers need.

    Parameters
    ----------
    name : of the network, for the error's text
    n_rows : rows that come in
    min_rows, min_columns : fewer are padded with zeros up to this (zero is the mean of standardised features)
    masked : False takes every column of the batch for sound, the filled ones too, as the papers' systems do
    fixed_columns : the only number of columns that is read; implies ``masked=False``
    is_picture : what comes out has one channel, [B, 1, rows, T]; otherwise rows are channels, [B, rows, T]
    """

    def __init__(
        self,
        name: str,
        n_rows: int,
        *,
        is_picture: bool = True,
        min_rows: int = 1,
        min_columns: int = 1,
        masked: bool = True,
        fixed_columns: int | None = None,
    ) -> None:
        super().__init__()
        self.name, self.n_rows, self.fixed_columns = name, n_rows, fixed_columns
        self.is_picture = is_picture
        self.rows = max(n_rows, min_rows)
        self.min_columns = min_columns
        self.masked = masked and fixed_columns is None
        if fixed_columns is not None and fixed_columns < min_columns:
            raise UsageError(f"{name} needs at least {min_columns} columns, got columns={fixed_columns}")

    def forward(self, features: Tensor, n_columns: Tensor) -> tuple[Tensor, Tensor]:
        """[B, n_rows, T] and int64 [B] -> [B, (1,) rows, max(T, min_columns)] and the columns to look at, int64 [B]."""
        if features.dim() != 3 or features.shape[1] != self.n_rows:
            raise UsageError(
                f"{self.name} was built for {self.n_rows} rows and got features of shape {tuple(features.shape)}; "
                f"build it with n_rows= the rows of the front end"
            )
        n_total = features.shape[2]
        if self.fixed_columns is not None and n_total != self.fixed_columns:
            raise UsageError(
                f"{self.name} reads exactly {self.fixed_columns} columns and got {n_total}; give the front end "
                f"pad_to={self.fixed_columns}, or choose a network that reads any length"
            )
        if not self.masked:
            n_columns = n_columns.new_full(n_columns.shape, n_total)
        # the channel comes before the mask: torch.compile of a length that varies trips over a view that backward keeps
        shape = (-1, 1, 1, n_total) if self.is_picture else (-1, 1, n_total)
        features = features[:, None] if self.is_picture else features
        # masked_fill and not a product: whatever fills the padding, infinite or not a number, is gone
        features = features.masked_fill(~column_mask(n_columns, n_total).view(shape), 0.0)
        short, low = max(self.min_columns - n_total, 0), self.rows - self.n_rows
        if short or low:
            features = F.pad(features, (0, short, 0, low))
        return features, n_columns.clamp(min=self.min_columns)


class Classifier(nn.Module, ABC):  # type: ignore[misc]  # torch is untyped to us
    """A network from features to logits: `embed`, which every network has its own way of, and `classes` after it.

    Attributes
    ----------
    name : as in `motifdb.training.models.MODELS`
    fixed_columns : the only number of columns it reads, or None for any
    min_columns : shorter clips are padded with zeros inside
    """

    name: str
    entrance: Entrance
    classes: nn.Module

    @property
    def fixed_columns(self) -> int | None:
        """The only number of columns it reads, or None for any."""
        return self.entrance.fixed_columns

    @property
    def min_columns(self) -> int:
        """Shorter clips are padded with zeros inside."""
        return self.entrance.min_columns

    @abstractmethod
    def embed(self, features: Tensor, n_columns: Tensor) -> Tensor:
        """The vector of each clip at the layer that the network's paper names, or else the one before the classes.

        Which layer that is, is said by `motifdb.training.models.ModelSpec.embeds`.

        Parameters
        ----------
        features : float32 [B, F, T]
        n_columns : int64 [B], how many columns of each clip are sound

        Returns
        -------
        float32 [B, D]; `classes` takes it to logits
        """

    def forward(self, features: Tensor, n_columns: Tensor) -> Tensor:
        """Features float32 [B, F, T] and sound columns int64 [B] to logits [B, C]."""
        return self.classes(self.embed(features, n_columns))


def classes_after(
    n_in: int, n_classes: int, *, fc: int | None, dropout: float
) -> tuple[nn.Module, nn.Module]:
    """The layer before the classes (ReLU after it; nothing where `fc` is None) and the classes."""
    before = nn.Identity() if fc is None else nn.Sequential(nn.Linear(n_in, fc), nn.ReLU())
    return before, nn.Sequential(nn.Dropout(dropout), nn.Linear(n_in if fc is None else fc, n_classes))
