"""Convolutions and one vector over all of time: the CNN and ResNeXt of damp-2018, which siamese-2018 embeds with.

A convolution of 10x10 over the picture, blocks of 5x5 convolutions, then *global aggregation*: one step's features are its channels
times its rows, and all steps become one vector of as many numbers, whatever the clip's length. Without it ("none") steps lie side by
side before the first fully connected layer, which then has 200 million numbers and reads one length only.
"""

from __future__ import annotations

import re

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from motifdb.errors import UsageError
from motifdb.training.models.base import Classifier, Entrance, check_choice, classes_after
from motifdb.training.models.masks import column_mask, masked_batch_norm

AGGREGATIONS = ("none", "max", "mean", "attention")
FIRST_KERNEL, KERNEL = 10, 5


def channels_of(text: int | str, *, model: str = "damp") -> tuple[int, ...]:
    """Channels of each block, from damp-2018's way to write them.

    Raises
    ------
    UsageError
        for text that is not so.

    Examples
    --------
    >>> channels_of("32x3,64x3")
    (32, 32, 32, 64, 64, 64)
    >>> channels_of(128)
    (128,)
    """
    found: list[int] = []
    for part in str(text).split(","):
        match = re.fullmatch(r"\s*(\d{1,5})\s*(?:x\s*(\d{1,2})\s*)?", part)
        if match is None or int(match[1]) < 1 or match[2] in ("0", "00"):
            raise UsageError(
                f"{model}: channels={text!r} cannot be read; write the channels of each block, such as 128, or 32x3,64x3"
                " for three blocks of 32 and three of 64"
            )
        found += [int(match[1])] * int(match[2] or 1)
    return tuple(found)


class GlobalAggregation(nn.Module):  # type: ignore[misc]  # torch is untyped to us
    """One vector from all sound steps of a clip (damp-2018, section on global aggregation).

    Parameters
    ----------
    kind : ``"max"`` or ``"mean"`` of each feature, or ``"attention"``: the sum of the steps under weights
        softmax over time of tanh(x w + b), one weight a step: D + 1 numbers. ``"none"``: all steps side by side
    n_in : D, features of a step
    n_steps : steps that ``"none"`` reads
    model : for the error's text
    """

    def __init__(self, kind: str, n_in: int, *, n_steps: int, model: str) -> None:
        super().__init__()
        check_choice(model, "aggregation", kind, AGGREGATIONS)
        self.kind = kind
        self.n_out = n_in * n_steps if kind == "none" else n_in
        if kind == "attention":
            self.score = nn.Linear(n_in, 1)

    def forward(self, x: Tensor, n_steps: Tensor) -> Tensor:
        """[B, T, D] and int64 [B] -> [B, n_out]."""
        if self.kind == "none":
            return x.flatten(1)
        mask = column_mask(n_steps, x.shape[1])[..., None]
        if self.kind == "max":
            return x.masked_fill(~mask, float("-inf")).amax(1)
        if self.kind == "mean":
            wide = x.float().masked_fill(~mask, 0.0)  # many steps are added up in single precision
            return wide.sum(1) / n_steps[:, None]
        score = torch.tanh(self.score(x)).float().masked_fill(~mask, float("-inf"))
        return (x.float().masked_fill(~mask, 0.0) * score.softmax(1)).sum(1)


class _At:
    """Which columns are sound at one depth of the network; None where every column counts."""

    def __init__(self, n_columns: Tensor, n_total: int, *, masked: bool, counts: bool) -> None:
        self.n, self.masked, self.counts = n_columns, masked, counts
        self.mask = column_mask(n_columns, n_total)[:, None, None, :] if masked else None
        self.counted = self.mask if counts else None

    def cut(self, x: Tensor) -> Tensor:
        """Zeros past each clip's end, as a convolution would see them there."""
        return x if self.mask is None else x.masked_fill(~self.mask, 0.0)

    def pooled(self, x: Tensor) -> tuple[Tensor, _At]:
        """The larger of two rows and of two columns; what is left over at a border is pooled alone."""
        if (
            self.mask is not None
        ):  # normalised values lie below zero too: what is past the end must win no maximum
            x = x.masked_fill(~self.mask, float("-inf"))
        x = F.max_pool2d(x, 2, ceil_mode=True)
        n = torch.div(self.n + 1, 2, rounding_mode="floor")
        after = _At(n, x.shape[3], masked=self.masked, counts=self.counts)
        return after.cut(x), after


class _Layer(nn.Module):  # type: ignore[misc]  # torch is untyped to us
    """Convolution of unchanged size, ReLU and batch normalisation, in one order or the other; `other` is added before the ReLU."""

    def __init__(self, n_in: int, n_out: int, kernel: int, *, order: str, groups: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(n_in, n_out, kernel, groups=groups)
        self.norm = nn.BatchNorm2d(n_out)
        self.is_after = order == "after"
        # an even kernel has one column more on its right
        low, high = (kernel - 1) // 2, kernel // 2
        self.border = (low, high, low, high)

    def forward(self, x: Tensor, at: _At, other: Tensor | None = None) -> Tensor:
        x = self.conv(F.pad(x, self.border) if any(self.border) else x)
        if self.is_after:
            x = F.relu(x if other is None else x + other)
            return at.cut(masked_batch_norm(self.norm, x, at.counted))
        x = masked_batch_norm(self.norm, x, at.counted)
        return at.cut(F.relu(x if other is None else x + other))


class PlainBlock(nn.Module):  # type: ignore[misc]  # torch is untyped to us
    """Two 5x5 convolutions."""

    def __init__(self, n_in: int, n_out: int, *, order: str) -> None:
        super().__init__()
        self.first = _Layer(n_in, n_out, KERNEL, order=order)
        self.second = _Layer(n_out, n_out, KERNEL, order=order)

    def forward(self, x: Tensor, at: _At) -> Tensor:
        """[B, n_in, F, T], zero where `at` says it is no sound, to [B, n_out, F, T]."""
        return self.second(self.first(x, at), at)


class ResNextBlock(nn.Module):  # type: ignore[misc]  # torch is untyped to us
    """1x1 convolution to half of the channels, 5x5 in groups, 1x1 back, and the way round them.

    Where channels change the way round is a 1x1 convolution without normalisation: the published counts have it.
    """

    def __init__(self, n_in: int, n_out: int, *, order: str, cardinality: int) -> None:
        super().__init__()
        width = n_out // 2
        self.narrow = _Layer(n_in, width, 1, order=order)
        self.grouped = _Layer(width, width, KERNEL, order=order, groups=cardinality)
        self.wide = _Layer(width, n_out, 1, order=order)
        self.round = nn.Identity() if n_in == n_out else nn.Conv2d(n_in, n_out, 1)

    def forward(self, x: Tensor, at: _At) -> Tensor:
        """[B, n_in, F, T], zero where `at` says it is no sound, to [B, n_out, F, T]."""
        return self.wide(self.grouped(self.narrow(x, at), at), at, self.round(x))


class AggregationNetwork(Classifier):
    """Convolution 10x10, blocks, global aggregation, three fully connected layers, classes (damp-2018, section on networks).

    With 16 outputs in the place of classes it is the encoder of siamese-2018. One pool of 2x2 follows the first convolution; of one
    block alone another follows the block, of more blocks one the second and one the fourth.

    Parameters
    ----------
    n_rows, n_classes : rows of the features (published: 96) and classes to tell apart
    block : ``"plain"`` (two 5x5 convolutions) or ``"resnext"`` (1x1, grouped 5x5, 1x1, and the way round them)
    first : channels of the first convolution
    channels : of each block, such as 128 or ``"32x3,64x3"``, see `channels_of`
    cardinality : groups of the 5x5 convolution of a ResNeXt block
    aggregation : ``"max"``, ``"mean"``, ``"attention"`` or ``"none"``, see `GlobalAggregation`
    columns : that the aggregation ``"none"`` reads (published: 256); without meaning for the others
    fc, n_fc : width and number of the fully connected layers
    dropout : before the classes
    norm : ``"after"`` each ReLU (damp-2018) or ``"before"`` it (siamese-2018)
    batch_norm : ``"valid"`` takes statistics over sound columns; ``"all"`` counts the padding too
    masked : False takes the padding for sound
    """

    def __init__(
        self,
        n_rows: int,
        n_classes: int,
        *,
        name: str = "damp-cnn",
        block: str = "plain",
        first: int = 64,
        channels: int | str = 128,
        cardinality: int = 4,
        aggregation: str = "attention",
        columns: int = 256,
        fc: int = 1024,
        n_fc: int = 3,
        dropout: float = 0.1,
        norm: str = "after",
        batch_norm: str = "valid",
        masked: bool = True,
    ) -> None:
        super().__init__()
        check_choice(name, "block", block, ("plain", "resnext"))
        check_choice(name, "aggregation", aggregation, AGGREGATIONS)
        check_choice(name, "norm", norm, ("after", "before"))
        check_choice(name, "batch_norm", batch_norm, ("valid", "all"))
        widths = channels_of(channels, model=name)
        if block == "resnext" and (odd := [w for w in widths if w % (2 * cardinality)]):
            raise UsageError(
                f"{name}: half of a block's channels is shared among cardinality={cardinality} groups, so {odd[0]} channels cannot"
                f" be; take a multiple of {2 * cardinality}"
            )
        self.name, self.counts = name, batch_norm == "valid"
        fixed = columns if aggregation == "none" else None
        self.entrance = Entrance(name, n_rows, masked=masked, fixed_columns=fixed)
        self.stem = _Layer(1, first, FIRST_KERNEL, order=norm)
        blocks: list[nn.Module] = []
        for n_in, n_out in zip((first, *widths), widths, strict=False):
            if block == "plain":
                blocks.append(PlainBlock(n_in, n_out, order=norm))
            else:
                blocks.append(ResNextBlock(n_in, n_out, order=norm, cardinality=cardinality))
        self.blocks = nn.ModuleList(blocks)
        self.pooled_after = {1} if len(widths) == 1 else {2, 4}
        rows, steps = n_rows, columns
        for _ in range(1 + sum(at <= len(widths) for at in self.pooled_after)):
            rows, steps = -(-rows // 2), -(-steps // 2)
        self.aggregation = GlobalAggregation(aggregation, widths[-1] * rows, n_steps=steps, model=name)
        layers: list[nn.Module] = []
        for i in range(n_fc):
            layers += [nn.Linear(fc if i else self.aggregation.n_out, fc), nn.ReLU()]
        self.fc = nn.Sequential(*layers)
        _, self.classes = classes_after(fc, n_classes, fc=None, dropout=dropout)

    def embed(self, features: Tensor, n_columns: Tensor) -> Tensor:
        """What the last fully connected layer says, after its ReLU: [B, fc]."""
        x, n_columns = self.entrance(features, n_columns)
        at = _At(n_columns, x.shape[3], masked=self.entrance.masked, counts=self.counts)
        x, at = at.pooled(self.stem(x, at))
        for number, block in enumerate(self.blocks, 1):
            x = block(x, at)
            if number in self.pooled_after:
                x, at = at.pooled(x)
        steps = x.permute(0, 3, 1, 2).flatten(2)  # [B, T, channels x rows]
        return self.fc(self.aggregation(steps, at.n))
