"""The residual recurrent networks: Residual-BLSTM (sid-2020) and ResLSTM (style-2021)."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from motifdb.training.models.masks import (
    MaskedRecurrent,
    Picture,
    check_choice,
    column_mask,
    columns_after,
    masked_batch_norm,
)
from motifdb.training.models.pooling import MaskedPooling


class ResidualBlock(nn.Module):  # type: ignore[misc]  # torch is untyped to us
    """Two convolutions 3x3 with batch normalisation, and the way round them; ReLU after the first and after the sum."""

    def __init__(self, channels: int, *, conv_bias: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=conv_bias)
        self.norm1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=conv_bias)
        self.norm2 = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor, mask: Tensor, counted: Tensor | None) -> Tensor:
        """x [B, C, F, T] is zero past each clip's end, and so is what comes out."""
        inner = F.relu(masked_batch_norm(self.norm1, self.conv1(x), counted)) * mask
        inner = masked_batch_norm(self.norm2, self.conv2(inner), counted)
        return F.relu(inner + x) * mask


class ResidualRecurrent(nn.Module):  # type: ignore[misc]  # torch is untyped to us
    """Convolution 3x3, residual blocks, bidirectional LSTM over time, pooling over time, FC, classes.

    Parameters
    ----------
    n_rows, n_classes : rows of the features and classes to tell apart
    channels : of every convolution (sid-2020 does not say; its released code has 128)
    n_blocks : residual blocks of two convolutions (released code: 2)
    hidden : of one direction of the LSTM (released code: 1000)
    n_recurrent : stacked LSTM layers (sid-2020: 1, style-2021: 2)
    stem_stride : of the first convolution, both ways (sid-2020: 2, style-2021: 1)
    stem_padding : of the first convolution; 0 as the released sizes show (128 rows become 63), 1 keeps the border
    frequency_pool : rows of the picture of which the largest is kept before the LSTM; 1 keeps all
    pool_after : ``"blocks"``, or ``"stem"``: the blocks then see 1 / frequency_pool of the rows and cost as much less
    pooling : see `MaskedPooling`; "outputs concatenated" fits ``"mean"`` and ``"last"``
    fc : width of the layer before the classes (sid-2020: 1024), ReLU after it; None leaves it out (style-2021)
    dropout : before the classes and between LSTM layers (papers: none named)
    batch_norm : ``"valid"`` takes statistics over sound columns; ``"all"`` counts the padding too, as a plain layer does
    conv_bias : biases in convolutions; batch normalisation makes them idle
    """

    fixed_columns: int | None = None

    def __init__(
        self,
        n_rows: int,
        n_classes: int,
        *,
        name: str = "residual-blstm",
        channels: int = 128,
        n_blocks: int = 2,
        hidden: int = 1000,
        n_recurrent: int = 1,
        stem_stride: int = 2,
        stem_padding: int = 0,
        frequency_pool: int = 1,
        pool_after: str = "blocks",
        pooling: str = "mean",
        fc: int | None = 1024,
        dropout: float = 0.0,
        batch_norm: str = "valid",
        conv_bias: bool = False,
    ) -> None:
        super().__init__()
        check_choice(name, "pool_after", pool_after, ("blocks", "stem"))
        check_choice(name, "batch_norm", batch_norm, ("valid", "all"))
        self.name, self.batch_norm = name, batch_norm
        self.stem_stride, self.stem_padding = stem_stride, stem_padding
        self.frequency_pool, self.pool_after = frequency_pool, pool_after
        min_rows = max(1, 3 + stem_stride * (frequency_pool - 1) - 2 * stem_padding)
        self.min_columns = max(1, 3 - 2 * stem_padding)
        self.picture = Picture(n_rows, min_rows=min_rows, min_columns=self.min_columns)
        self.stem = nn.Conv2d(1, channels, 3, stride=stem_stride, padding=stem_padding, bias=conv_bias)
        self.stem_norm = nn.BatchNorm2d(channels)
        self.blocks = nn.ModuleList(ResidualBlock(channels, conv_bias=conv_bias) for _ in range(n_blocks))
        rows = ((self.picture.rows + 2 * stem_padding - 3) // stem_stride + 1) // frequency_pool
        self.recurrent = MaskedRecurrent(
            "lstm", channels * rows, hidden, n_layers=n_recurrent, dropout=dropout
        )
        self.pooling = MaskedPooling(pooling, self.recurrent.n_out, model=name)
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Identity() if fc is None else nn.Sequential(nn.Linear(self.pooling.n_out, fc), nn.ReLU())
        self.classes = nn.Linear(self.pooling.n_out if fc is None else fc, n_classes)

    def embed(self, features: Tensor, n_columns: Tensor) -> Tensor:
        """The vector before the classes, [B, D]."""
        x, n_columns = self.picture(features, n_columns)
        x = self.stem(x)
        n_columns = columns_after(n_columns, 3, self.stem_stride, self.stem_padding)
        mask = column_mask(n_columns, x.shape[3])[:, None, None, :]
        counted = mask if self.batch_norm == "valid" else None
        x = F.relu(masked_batch_norm(self.stem_norm, x, counted)) * mask
        if self.pool_after == "stem":
            x = self._pool_rows(x)
        for block in self.blocks:
            x = block(x, mask, counted)
        if self.pool_after == "blocks":
            x = self._pool_rows(x)
        x = x.permute(0, 3, 1, 2).flatten(2)  # [B, T, C * F]
        return self.fc(self.pooling(self.recurrent(x, n_columns), n_columns))

    def forward(self, features: Tensor, n_columns: Tensor) -> Tensor:
        """float32 [B, F, T] and int64 [B] -> logits [B, C]."""
        return self.classes(self.dropout(self.embed(features, n_columns)))

    def _pool_rows(self, x: Tensor) -> Tensor:
        return F.max_pool2d(x, (self.frequency_pool, 1)) if self.frequency_pool > 1 else x
