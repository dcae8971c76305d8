"""Clips from where they lie into the rows of a batch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from motifdb.kernels.jit import kernel


@kernel
def gather(
    pcm: NDArray[np.int16],
    start: NDArray[np.int64],
    length: NDArray[np.int64],
    scale: NDArray[np.float32],
    out: NDArray[np.float32],
) -> None:
    """Fill row i of `out` with ``pcm[start[i] : start[i] + length[i]] * scale[i]``, then zeros.

    Compiled for what it does not do: it holds no interpreter lock while another thread feeds a GPU.

    Parameters
    ----------
    pcm : int16, flat
    start, length : int64[B], samples; ``length[i] <= out.shape[1]``
    scale : float32[B]
    out : float32[B, L], overwritten; it need not be cleared before
    """
    for i in range(out.shape[0]):
        first, n, factor = start[i], length[i], scale[i]
        for j in range(n):
            out[i, j] = np.float32(pcm[first + j]) * factor
        for j in range(n, out.shape[1]):
            out[i, j] = np.float32(0)
