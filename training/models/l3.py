"""l3-2019's networks: an audio tower, a vision tower, and what joins them, with the embedding taken from inside.

A tower is blocks of [3x3 convolution, batch normalisation, ReLU], each block but the last followed by a 2x2 max-pool, the last one
by a max-pool over all that is left (l3-2019, section on the architecture). The embedding is not that vector: it is what the *last
convolution* gives, before its normalisation and ReLU, max-pooled to a grid of 4 x 3 (6144 numbers at 512 channels) or to one cell (512).

Widths, convolutions in a block and size of the input are parameters, so that a network of a few thousand numbers is the same code.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the field's name for it

from motifdb.errors import UsageError

CHANNELS = (64, 128, 256, 512)
"""Of the four blocks of either tower."""

GRID = (4, 3)
"""Cells of the larger embedding: along rows (frequency) and columns (time)."""

BATCH_NORM_EPSILON, BATCH_NORM_MOMENTUM = 1e-3, 0.01
"""Keras's defaults, which the released weights were trained with; torch's momentum is the share of the new batch."""


class Tower(nn.Module):  # type: ignore[misc]  # torch is untyped to us
    """One of the two towers: a picture of one or three channels to a vector.

    Parameters
    ----------
    n_in : channels that come in: 1 (spectrogram) or 3 (colours)
    channels : of each block
    n_convolutions : in each block
    is_input_normalised : batch normalisation of what comes in; the original L3's audio tower has none
    is_relu_first : after the second convolution ReLU and then normalisation, as the released vision tower has it by mistake
    ceil_pools : pools keep a last odd row or column ("same"), as the vision tower's do; the audio tower's drop it
    momentum : of batch normalisation, the share of the new batch
    """

    def __init__(
        self,
        n_in: int,
        *,
        channels: tuple[int, ...] = CHANNELS,
        n_convolutions: int = 2,
        is_input_normalised: bool = True,
        is_relu_first: bool = False,
        ceil_pools: bool = False,
        momentum: float = BATCH_NORM_MOMENTUM,
    ) -> None:
        super().__init__()
        if not channels or min(channels) < 1 or n_convolutions < 1:
            raise UsageError(
                f"a tower needs at least one block, channel and convolution, got {channels} and {n_convolutions}"
            )
        self.n_in, self.channels = n_in, tuple(channels)
        self.is_relu_first, self.ceil_pools = is_relu_first, ceil_pools

        def normalisation(n: int) -> nn.BatchNorm2d:
            return nn.BatchNorm2d(n, eps=BATCH_NORM_EPSILON, momentum=momentum)

        self.input_norm = normalisation(n_in) if is_input_normalised else nn.Identity()
        widths = [n for n in channels for _ in range(n_convolutions)]
        self.convolutions = nn.ModuleList(
            nn.Conv2d(before, after, 3, padding=1)
            for before, after in zip([n_in, *widths[:-1]], widths, strict=True)
        )
        self.norms = nn.ModuleList(normalisation(n) for n in widths)
        self.pool_after = {n_convolutions * block - 1 for block in range(1, len(channels))}
        he_normal(self)

    @property
    def n_dims(self) -> int:
        """Numbers in the vector that `forward` gives and in the smaller embedding."""
        return self.channels[-1]

    def last_convolution(self, picture: Tensor) -> Tensor:
        """What the last convolution gives, before normalisation and ReLU: [B, channels[-1], rows, columns]."""
        x = self.input_norm(picture)
        for i, convolution in enumerate(self.convolutions):
            x = convolution(x)
            if i + 1 < len(self.convolutions):
                x = self._activated(x, i)
            if i in self.pool_after:
                x = F.max_pool2d(x, 2, ceil_mode=self.ceil_pools)
        return x

    def forward(self, picture: Tensor) -> Tensor:
        """Pictures float32 [B, n_in, rows, columns] to vectors [B, channels[-1]]."""
        last = len(self.convolutions) - 1
        return self._activated(self.last_convolution(picture), last).amax((2, 3))

    def embed(self, picture: Tensor, grid: tuple[int, int] = GRID) -> Tensor:
        """The embedding: the last convolution max-pooled to `grid` cells, flattened, [B, rows * columns * channels].

        Channels vary fastest, as in the released embeddings.
        """
        pooled = pool_to_grid(self.last_convolution(picture), grid)
        return pooled.permute(0, 2, 3, 1).flatten(1)

    def _activated(self, x: Tensor, i: int) -> Tensor:
        if self.is_relu_first and i == 1:
            return self.norms[i](F.relu(x))
        return F.relu(self.norms[i](x))


class AudioTower(Tower):
    """The tower that hears: features float32 [B, rows, columns] of a front end of section l3-2019 ("l3-mel256", ...)."""

    def __init__(self, **options: Any) -> None:
        super().__init__(1, **options)

    def last_convolution(self, picture: Tensor) -> Tensor:
        """As `Tower.last_convolution`; the one channel may be left out of the shape."""
        return super().last_convolution(picture[:, None] if picture.dim() == 3 else picture)


class VisionTower(Tower):
    """The tower that sees: colours in [-1, 1], float32 [B, 3, 224, 224] or another size."""

    def __init__(self, **options: Any) -> None:
        super().__init__(3, **{"ceil_pools": True, **options})


class Fusion(nn.Module):  # type: ignore[misc]  # torch is untyped to us
    """What says whether sound and picture belong together: both vectors, a hidden layer with ReLU, two logits."""

    def __init__(self, n_audio: int, n_vision: int, *, hidden: int = 128) -> None:
        super().__init__()
        self.hidden = nn.Linear(n_audio + n_vision, hidden)
        self.answer = nn.Linear(hidden, 2)
        he_normal(self)

    def forward(self, audio: Tensor, vision: Tensor) -> Tensor:
        """[B, n_audio] and [B, n_vision] to logits [B, 2]: of "not together" and of "together"."""
        return self.answer(F.relu(self.hidden(torch.cat([audio, vision], 1))))


def pool_to_grid(maps: Tensor, grid: tuple[int, int]) -> Tensor:
    """Max-pool [B, C, rows, columns] to [B, C, *grid].

    Cells are ceil(rows / grid rows) high and as far apart, filled up evenly on both sides ("same" padding): on the maps of the three
    front ends the pools that l3-2019 prints, (8, 8), (4, 8) and (8, 8), and over the whole map for a grid of 1 x 1.

    Raises
    ------
    UsageError
        for a map with fewer rows or columns than cells, or one that such cells do not cover in that number.
    """
    rows, columns = maps.shape[2:]
    kernel = -(-rows // grid[0]), -(-columns // grid[1])
    if -(-rows // kernel[0]) != grid[0] or -(-columns // kernel[1]) != grid[1]:
        raise UsageError(
            f"a map of {rows} x {columns} cannot be pooled to {grid[0]} x {grid[1]} cells; give a longer or higher input"
        )
    down, right = grid[0] * kernel[0] - rows, grid[1] * kernel[1] - columns
    if down or right:
        padding = (right // 2, right - right // 2, down // 2, down - down // 2)
        maps = F.pad(maps, padding, value=float("-inf"))
    return F.max_pool2d(maps, kernel)


def he_normal(module: nn.Module) -> None:
    """Give every convolution and linear layer weights after He et al. 2015 and no bias."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)
