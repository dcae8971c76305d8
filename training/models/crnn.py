"""Convolutions, then gated recurrent units over time: the CRNN of sid-2020 and style-2021, and the one they cite."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from motifdb.errors import UsageError
from motifdb.training.models.base import Classifier, Entrance, check_choice, classes_after
from motifdb.training.models.masks import MaskedRecurrent, column_mask, columns_after, masked_batch_norm
from motifdb.training.models.pooling import POOLINGS, MaskedPooling

_STRIDES = (2, 1, 1, 1)  # of convolution and pool in each block of the released network
_POOLS = (2, 3, 4, 4)  # Choi et al. 2017, rows and columns alike


def _least(strides: tuple[int, ...]) -> int:
    """Rows or columns that leave one after convolutions and pools of 3 without padding."""
    n = 1
    for stride in reversed(strides):
        n = ((n - 1) * stride + 3 - 1) * stride + 3  # back through the pool, then through the convolution
    return n


class Crnn(Classifier):
    """CRNN in the configuration of sid-2020's released code, with a head for clips of any length.

    Four blocks of [convolution 3x3 without padding, batch normalisation, ELU, max-pool 3x3, dropout], convolution and pool
    of the first at stride 2; GRU layers over time on frequency x channel. As nothing is padded, every column that is
    kept has seen the clip only, and those that have not are left out.

    Parameters
    ----------
    n_rows, n_classes : rows of the features and classes to tell apart; fewer than 55 rows are padded with zeros to 55
    head : ``"flatten"`` (released: all time steps side by side, so one length only), ``"mean"`` over time, or one of the
        other poolings, see `MaskedPooling`
    columns : that the head ``"flatten"`` reads (released: 426); without meaning for the others
    channels, hidden, n_recurrent : of the convolutions, of the GRU, and GRU layers
    dropout : in each block
    batch_norm : ``"valid"`` takes statistics over columns that saw the clip only; ``"all"`` over every column
    conv_bias : biases in convolutions, as the framework has them by default
    masked : False takes the padding for sound, as the papers' systems do
    pad_rows_to : rows of zeros are added up to this (papers: 128 for every feature); None adds what the layers need
    """

    def __init__(
        self,
        n_rows: int,
        n_classes: int,
        *,
        name: str = "crnn",
        head: str = "mean",
        columns: int = 426,
        channels: int = 128,
        hidden: int = 256,
        n_recurrent: int = 2,
        dropout: float = 0.1,
        batch_norm: str = "valid",
        conv_bias: bool = True,
        masked: bool = True,
        pad_rows_to: int | None = None,
    ) -> None:
        super().__init__()
        check_choice(name, "head", head, ("flatten", *POOLINGS))
        check_choice(name, "batch_norm", batch_norm, ("valid", "all"))
        self.name, self.head, self.batch_norm = name, head, batch_norm
        least, fixed = _least(_STRIDES), columns if head == "flatten" else None
        min_rows = max(least, pad_rows_to or 0)
        self.entrance = Entrance(
            name, n_rows, min_rows=min_rows, min_columns=least, masked=masked, fixed_columns=fixed
        )
        self.convs = nn.ModuleList(
            nn.Conv2d(channels if i else 1, channels, 3, stride=stride, bias=conv_bias)
            for i, stride in enumerate(_STRIDES)
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(channels) for _ in _STRIDES)
        self.dropout = nn.Dropout(dropout)
        rows, steps = _after_blocks(self.entrance.rows), _after_blocks(columns) if fixed else 0
        self.recurrent = MaskedRecurrent(
            "gru", channels * rows, hidden, n_layers=n_recurrent, bidirectional=False
        )
        kind = "mean" if fixed else head
        self.pooling = MaskedPooling(kind, hidden, model=name, bidirectional=False)
        self.classes = nn.Linear(hidden * steps if fixed else self.pooling.n_out, n_classes)

    def embed(self, features: Tensor, n_columns: Tensor) -> Tensor:
        """The vector before the classes, [B, D]."""
        features, n_columns = self.entrance(features, n_columns)
        x = features
        for conv, norm, stride in zip(self.convs, self.norms, _STRIDES, strict=True):
            x = conv(x)
            n_columns = columns_after(n_columns, 3, stride)
            counted = None
            if self.batch_norm == "valid" and self.entrance.masked:
                counted = column_mask(n_columns, x.shape[3])[:, None, None, :]
            x = F.max_pool2d(F.elu(masked_batch_norm(norm, x, counted)), 3, stride)
            n_columns = columns_after(n_columns, 3, stride)
            x = self.dropout(x)
        x = self.recurrent(x, n_columns)
        return x.flatten(1) if self.head == "flatten" else self.pooling(x, n_columns)


def _after_blocks(n: int) -> int:
    """Rows or columns after the four blocks: 128 leave 19, 426 leave 93."""
    for stride in _STRIDES:
        n = (n - 3) // stride + 1
        n = (n - 3) // stride + 1
    return n


class ChoiCrnn(Classifier):
    """The CRNN of Choi et al. 2017 in the sizes of its authors' public model (96 bands, 1366 columns, 50 tags).

    Normalised rows, four convolutions 3x3 of 64, 128, 128 and 128 channels, each with batch normalisation, ELU, a
    max-pool of 2, 3, 4 and 4 both ways and dropout, then two GRU of 32 whose last state is classified.

    Parameters
    ----------
    n_rows, n_classes : rows of the features and classes to tell apart
    pool_border : ``"keep"`` pools what is left at the border, so that every row counts and clips may be short;
        ``"drop"`` leaves it out: of 128 rows only 96 then reach the GRU, and clips are padded to 96 columns
    channels : of the first convolution; the others have twice as many
    hidden, n_recurrent : of the GRU, and GRU layers
    dropout, last_dropout : after each block, and before the classes
    pooling : ``"last"`` as published, or another, see `MaskedPooling`
    batch_norm, masked : see `Crnn`
    """

    def __init__(
        self,
        n_rows: int,
        n_classes: int,
        *,
        name: str = "crnn-choi",
        pool_border: str = "keep",
        channels: int = 64,
        hidden: int = 32,
        n_recurrent: int = 2,
        dropout: float = 0.1,
        last_dropout: float = 0.3,
        pooling: str = "last",
        batch_norm: str = "valid",
        masked: bool = True,
    ) -> None:
        super().__init__()
        check_choice(name, "pool_border", pool_border, ("keep", "drop"))
        check_choice(name, "batch_norm", batch_norm, ("valid", "all"))
        self.name, self.batch_norm = name, batch_norm
        self.keeps_border = pool_border == "keep"
        least = 1
        for pool in _POOLS:
            least *= 1 if self.keeps_border else pool
        if n_rows < least and not self.keeps_border:
            raise UsageError(f"{name} with pool_border='drop' needs at least {least} rows, got {n_rows}")
        self.entrance = Entrance(name, n_rows, min_columns=least, masked=masked, is_picture=False)
        self.rows_norm = nn.BatchNorm1d(n_rows)
        widths = [1, channels, 2 * channels, 2 * channels, 2 * channels]
        self.convs = nn.ModuleList(nn.Conv2d(n_in, n_out, 3, padding=1) for n_in, n_out in pairwise(widths))
        self.norms = nn.ModuleList(nn.BatchNorm2d(width) for width in widths[1:])
        self.dropout = nn.Dropout(dropout)
        rows = n_rows
        for pool in _POOLS:
            rows = -(-rows // pool) if self.keeps_border else rows // pool
        self.recurrent = MaskedRecurrent(
            "gru", widths[-1] * rows, hidden, n_layers=n_recurrent, bidirectional=False
        )
        self.pooling = MaskedPooling(pooling, hidden, model=name, bidirectional=False)
        _, self.classes = classes_after(self.pooling.n_out, n_classes, fc=None, dropout=last_dropout)

    def embed(self, features: Tensor, n_columns: Tensor) -> Tensor:
        """The vector before the classes, [B, D]."""
        features, n_columns = self.entrance(features, n_columns)
        mask = column_mask(n_columns, features.shape[2])[:, None, None, :]
        counts = self.batch_norm == "valid" and self.entrance.masked
        x = masked_batch_norm(self.rows_norm, features, mask[:, 0] if counts else None)[:, None]
        for conv, norm, pool in zip(self.convs, self.norms, _POOLS, strict=True):
            x = conv(x.masked_fill(~mask, 0.0))
            x = F.elu(masked_batch_norm(norm, x, mask if counts else None))
            # ELU goes below zero: what is past the end must not win the maximum of a pool that the end cuts
            x = F.max_pool2d(x.masked_fill(~mask, float("-inf")), pool, ceil_mode=self.keeps_border)
            n_columns = -(-n_columns // pool) if self.keeps_border else n_columns // pool
            mask = column_mask(n_columns, x.shape[3])[:, None, None, :]
            x = self.dropout(x.masked_fill(~mask, 0.0))
        return self.pooling(self.recurrent(x, n_columns), n_columns)
