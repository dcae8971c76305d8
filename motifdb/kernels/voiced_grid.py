"""Averaging pitch onto grids of another hop."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from motifdb.kernels.jit import kernel


def averaged(cents: NDArray[np.float32], factor: int) -> NDArray[np.float32]:
    """Means of `factor` frames each; frames left over at the end are averaged among themselves only where there are no others.

    >>> averaged(np.array([1, 3, 5, 7, 9], np.float32), 2).tolist()
    [2.0, 6.0]
    """
    n = cents.size // factor
    if n == 0:
        return np.asarray(cents.mean(keepdims=True, dtype=np.float64), np.float32)
    return np.asarray(cents[: n * factor].reshape(n, factor).mean(axis=1, dtype=np.float64), np.float32)


def grid_pieces(
    cents: NDArray[np.float32], offset: NDArray[np.int64], frames_per_cell: NDArray[np.float64]
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Means over cells of equal length, rounded to whole cents (halves up), piece by piece.

    Parameters
    ----------
    cents : float32, frames of all pieces
    offset : int64[pieces + 1], where each begins
    frames_per_cell : float64[pieces], above 0; a frame on the border of two cells counts for each by the part that lies in it

    Returns
    -------
    float32 and int64[pieces + 1]: the cells of all pieces, and where each begins. A piece has as many as fit in it whole.

    >>> series, offset = grid_pieces(np.array([0, 10, 20, 7], np.float32), np.array([0, 3, 4]), np.array([1.5, 1.0]))
    >>> series.tolist(), offset.tolist()
    ([3.0, 17.0, 7.0], [0, 2, 3])
    """
    sizes = np.floor(np.diff(offset) / frames_per_cell + 1e-9).astype(np.int64)
    begins = np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)])
    out = np.empty(int(begins[-1]), np.float32)
    _grid(cents, offset, frames_per_cell, begins, out)
    return out, begins


@kernel
def _grid(cents, offset, frames_per_cell, begins, out):  # type: ignore[no-untyped-def]
    for p in range(offset.size - 1):
        first, last, width = offset[p], offset[p + 1], frames_per_cell[p]
        at, part = first, 0.0  # the frame that is being taken, and how much of it was
        for k in range(begins[p + 1] - begins[p]):
            total, need = 0.0, width
            while need > 1e-9 and at < last:
                take = min(1.0 - part, need)
                total += take * cents[at]
                need -= take
                part += take
                if part > 1.0 - 1e-9:
                    at, part = at + 1, 0.0
            out[begins[p] + k] = np.floor(total / (width - need) + 0.5)
