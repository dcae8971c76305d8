"""The residual recurrent networks: Residual-BLSTM (sid-2020) and ResLSTM (style-2021)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from motifdb.training.models.base import Classifier, Entrance, check_choice, classes_after
from motifdb.training.models.masks import MaskedRecurrent, column_mask, columns_after, masked_batch_norm
from motifdb.training.models.pooling import MaskedPooling


class ResidualBlock(nn.Module):  # type: ignore[misc]  # torch is untyped to us
    """Two convolutions with batch normalisation, and the way round them; ReLU after the first and after the sum."""

    def __init__(self, channels: int, *, kernel: int = 3, conv_bias: bool = False) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, kernel, padding=kernel // 2, bias=conv_bias)
        self.norm1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, kernel, padding=kernel // 2, bias=conv_bias)
        self.norm2 = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor, mask: Tensor | None = None, counted: Tensor | None = None) -> Tensor:
        """x [B, C, F, T] is zero past each clip's end, where `mask` is False, and so is what comes out."""
        inner = F.relu(masked_batch_norm(self.norm1, self.conv1(x), counted))
        inner = inner if mask is None else inner * mask
        out = F.relu(masked_batch_norm(self.norm2, self.conv2(inner), counted) + x)
        return out if mask is None else out * mask


class ResidualRecurrent(Classifier):
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
    frequency_pool : neighbouring rows of the picture of which the largest is kept before the LSTM; 1 keeps all
    pool_after : ``"blocks"``, or ``"stem"``: the blocks then see 1 / frequency_pool of the rows and cost as much less
    pooling : ``"mean"``, ``"last"``, ``"mean-std"`` or ``"attentive"``, see `MaskedPooling`; "outputs concatenated"
        (sid-2020) fits the first two
    fc : width of the layer before the classes (sid-2020: 1024), ReLU after it; None leaves it out (style-2021)
    dropout : before the classes and between LSTM layers (papers: none named)
    batch_norm : ``"valid"`` takes statistics over sound columns; ``"all"`` counts the padding too, as a plain layer does
    conv_bias : biases in convolutions; batch normalisation makes them idle
    masked : False takes the padding for sound, as the papers' systems do
    pad_rows_to : rows of zeros are added up to this (papers: 128 for every feature); None adds what the layers need
    """

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
        masked: bool = True,
        pad_rows_to: int | None = None,
    ) -> None:
        super().__init__()
        check_choice(name, "pool_after", pool_after, ("blocks", "stem"))
        check_choice(name, "batch_norm", batch_norm, ("valid", "all"))
        self.name, self.batch_norm = name, batch_norm
        self.stem_stride, self.stem_padding = stem_stride, stem_padding
        self.frequency_pool, self.pool_after = frequency_pool, pool_after
        min_columns = max(1, 3 - 2 * stem_padding)
        min_rows = max(min_columns + stem_stride * (frequency_pool - 1), pad_rows_to or 0)
        self.entrance = Entrance(name, n_rows, min_rows=min_rows, min_columns=min_columns, masked=masked)
        self.stem = nn.Conv2d(1, channels, 3, stride=stem_stride, padding=stem_padding, bias=conv_bias)
        self.stem_norm = nn.BatchNorm2d(channels)
        self.blocks = nn.ModuleList(ResidualBlock(channels, conv_bias=conv_bias) for _ in range(n_blocks))
        rows = ((self.entrance.rows + 2 * stem_padding - 3) // stem_stride + 1) // frequency_pool
        self.recurrent = MaskedRecurrent(
            "lstm", channels * rows, hidden, n_layers=n_recurrent, dropout=dropout
        )
        self.pooling = MaskedPooling(pooling, self.recurrent.n_out, model=name)
        self.fc, self.classes = classes_after(self.pooling.n_out, n_classes, fc=fc, dropout=dropout)

    def embed(self, features: Tensor, n_columns: Tensor) -> Tensor:
        """The vector before the classes, [B, fc]; of the pooling where there is no fc."""
        features, n_columns = self.entrance(features, n_columns)
        x = self.stem(features)
        n_columns = columns_after(n_columns, 3, self.stem_stride, self.stem_padding)
        mask = column_mask(n_columns, x.shape[3])[:, None, None, :] if self.entrance.masked else None
        counted = mask if self.batch_norm == "valid" else None
        x = F.relu(masked_batch_norm(self.stem_norm, x, counted))
        x = x if mask is None else x * mask
        if self.pool_after == "stem":
            x = self._pool_rows(x)
        for block in self.blocks:
            x = block(x, mask, counted)
        if self.pool_after == "blocks":
            x = self._pool_rows(x)
        return self.fc(self.pooling(self.recurrent(x, n_columns), n_columns))

    def _pool_rows(self, x: Tensor) -> Tensor:
        return F.max_pool2d(x, (self.frequency_pool, 1)) if self.frequency_pool > 1 else x


class ReleasedResidualBlstm(Classifier):
    """Residual-BLSTM as sid-2020's released code has it, whatever the text says.

    The convolutions of its blocks are 1x1 (the stride was given where the kernel belongs), and its LSTM runs over the
    128 *channels*: each step is a whole picture of 63 x 108 flattened, the next step the next channel. All outputs are
    flattened before the classes; there is no FC-1024. So it reads one number of columns only, padding and all.

    Parameters
    ----------
    n_rows, n_classes : rows of the features (released: 128) and classes to tell apart
    columns : that it reads (217: the longest published clip at a hop of 200 samples)
    channels, n_blocks, hidden : see `ResidualRecurrent`
    conv_bias : biases in convolutions, as the framework has them by default
    pad_rows_to : see `ResidualRecurrent`
    """

    def __init__(
        self,
        n_rows: int,
        n_classes: int,
        *,
        name: str = "residual-blstm-released",
        columns: int = 217,
        channels: int = 128,
        n_blocks: int = 2,
        hidden: int = 1000,
        conv_bias: bool = True,
        pad_rows_to: int | None = None,
    ) -> None:
        super().__init__()
        self.name = name
        min_rows = max(3, pad_rows_to or 0)
        self.entrance = Entrance(name, n_rows, min_rows=min_rows, min_columns=3, fixed_columns=columns)
        self.stem = nn.Sequential(
            nn.Conv2d(1, channels, 3, stride=2, bias=conv_bias), nn.BatchNorm2d(channels), nn.ReLU()
        )
        self.blocks = nn.Sequential(
            *(ResidualBlock(channels, kernel=1, conv_bias=conv_bias) for _ in range(n_blocks))
        )
        picture = ((self.entrance.rows - 3) // 2 + 1) * ((columns - 3) // 2 + 1)
        self.recurrent = nn.LSTM(picture, hidden, batch_first=True, bidirectional=True)
        self.classes = nn.Linear(channels * 2 * hidden, n_classes)

    def embed(self, features: Tensor, n_columns: Tensor) -> Tensor:
        """All outputs of the LSTM over channels, [B, channels * 2 * hidden]."""
        features, _ = self.entrance(features, n_columns)
        x = self.blocks(self.stem(features))  # [B, C, F, T]
        return torch.flatten(self.recurrent(x.flatten(2))[0], 1)
