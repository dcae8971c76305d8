"""Clips into the rows of a batch, one sample at a time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def gather(
    pcm: NDArray[np.int16], start: list[int], length: list[int], width: int, scale: list[float]
) -> list[list[float]]:
    """Rows of `width` numbers: the clip's samples times its `scale`, then zeros."""
    return [
        [float(pcm[first + j]) * factor if j < n else 0.0 for j in range(width)]
        for first, n, factor in zip(start, length, scale, strict=True)
    ]
