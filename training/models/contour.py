"""Small networks over contours: rows are what is known of a melody at each step, not bands of a spectrum.

A contour comes in like any other features, [B, F, T]: rows such as cents above the tonic, whether it is voiced, the interval
to the step before, or one row for each symbol; columns are frames, segments or symbols.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from motifdb.training.models.base import Classifier, Entrance, check_choice, classes_after
from motifdb.training.models.masks import MaskedRecurrent, column_mask, masked_batch_norm
from motifdb.training.models.pooling import MaskedPooling


class ContourGru(Classifier):
    """One convolution over time, a bidirectional GRU, pooling, classes.

    Parameters
    ----------
    n_rows, n_classes : channels of the contour and classes to tell apart
    channels, kernel : of the convolution; `kernel` is odd
    hidden, n_recurrent : of one direction of the GRU, and GRU layers
    pooling : see `MaskedPooling`
    fc : width of a layer before the classes; None: none
    dropout : before the GRU, between its layers and before the classes
    """

    def __init__(
        self,
        n_rows: int,
        n_classes: int,
        *,
        name: str = "contour-gru",
        channels: int = 32,
        kernel: int = 5,
        hidden: int = 64,
        n_recurrent: int = 1,
        pooling: str = "mean",
        fc: int | None = None,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.name = name
        self.entrance = Entrance(name, n_rows, is_picture=False)
        self.block = _ContourBlock(n_rows, channels, kernel, pool=1)
        self.dropout = nn.Dropout(dropout)
        self.recurrent = MaskedRecurrent("gru", channels, hidden, n_layers=n_recurrent, dropout=dropout)
        self.pooling = MaskedPooling(pooling, self.recurrent.n_out, model=name)
        self.fc, self.classes = classes_after(self.pooling.n_out, n_classes, fc=fc, dropout=dropout)

    def embed(self, features: Tensor, n_columns: Tensor) -> Tensor:
        """The vector before the classes, [B, D]."""
        x, n_columns = self.block(*self.entrance(features, n_columns))
        x = self.recurrent(self.dropout(x), n_columns)
        return self.fc(self.pooling(x, n_columns))


class ContourCnn(Classifier):
    """Convolutions over time that halve the steps each, pooling, classes: for contours of thousands of steps.

    With bands of a spectrum as rows it is a small time-delay network, as speaker recognition has them (`tdnn`).

    Parameters
    ----------
    n_rows, n_classes : channels of the contour and classes to tell apart
    channels, kernel : of every convolution; `kernel` is odd
    n_blocks : convolutions, each with batch normalisation, ReLU and the larger of two steps
    pooling : ``"mean-std"``, ``"mean"`` or ``"attentive"``, see `MaskedPooling`
    fc : width of a layer before the classes; None: none
    dropout : before the classes
    """

    def __init__(
        self,
        n_rows: int,
        n_classes: int,
        *,
        name: str = "contour-cnn",
        channels: int = 64,
        kernel: int = 5,
        n_blocks: int = 4,
        pooling: str = "mean-std",
        fc: int | None = None,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        check_choice(name, "pooling", pooling, ("mean-std", "mean", "attentive"))
        self.name = name
        self.entrance = Entrance(name, n_rows, is_picture=False)
        self.blocks = nn.ModuleList(
            _ContourBlock(channels if i else n_rows, channels, kernel, pool=2) for i in range(n_blocks)
        )
        n_out = channels if n_blocks else n_rows
        self.pooling = MaskedPooling(pooling, n_out, model=name)
        self.fc, self.classes = classes_after(self.pooling.n_out, n_classes, fc=fc, dropout=dropout)

    def embed(self, features: Tensor, n_columns: Tensor) -> Tensor:
        """The vector before the classes, [B, D]."""
        x, n_columns = self.entrance(features, n_columns)
        for block in self.blocks:
            x, n_columns = block(x, n_columns)
        return self.fc(self.pooling(x.transpose(1, 2), n_columns))


class _ContourBlock(nn.Module):  # type: ignore[misc]  # torch is untyped to us
    """Convolution over time, batch normalisation over sound steps, ReLU, and the largest of `pool` steps."""

    def __init__(self, n_in: int, n_out: int, kernel: int, *, pool: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(n_in, n_out, kernel, padding=kernel // 2, bias=False)
        self.norm = nn.BatchNorm1d(n_out)
        self.pool = pool

    def forward(self, x: Tensor, n_columns: Tensor) -> tuple[Tensor, Tensor]:
        mask = column_mask(n_columns, x.shape[2])[:, None, :]
        x = F.relu(masked_batch_norm(self.norm, self.conv(x), mask)) * mask
        if self.pool == 1:
            return x, n_columns
        # nothing is below zero here, so the zeros past the end win no maximum
        return F.max_pool1d(x, self.pool, ceil_mode=True), -(-n_columns // self.pool)
