"""Spans that do not overlap, the first of them first."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from motifdb.kernels.jit import kernel


@kernel
def first_apart(
    line: NDArray[np.int64],
    begin: NDArray[np.float64],
    end: NDArray[np.float64],
    apart: float,
    n: int,
) -> NDArray[np.int64]:
    """Take spans in their order, of those that overlap on a line the first only, until there are `n`.

    Parameters
    ----------
    line : int64, 0 or more, the line that each lies on
    begin, end : float64
    apart : spans of a line with less than this between them overlap too; infinite: one span of each line
    n : how many

    Returns
    -------
    int64, their indices, ascending.

    Examples
    --------
    >>> first_apart(np.array([0, 0, 0]), np.array([1.0, 2.0, 3.0]), np.array([3.0, 4.0, 5.0]), 0.0, 9).tolist()
    [0, 2]
    """
    chosen = np.empty(min(n, line.size), np.int64)
    before = np.empty(chosen.size, np.int64)  # the one chosen before on the same line
    last = np.full(line.max() + 1 if line.size else 1, -1)
    n_chosen = 0
    for i in range(line.size):
        if n_chosen == n:
            break
        at = last[line[i]]
        while at >= 0:
            other = chosen[at]
            if begin[i] < end[other] + apart - 1e-9 and end[i] > begin[other] - apart + 1e-9:
                break
            at = before[at]
        if at < 0:
            chosen[n_chosen], before[n_chosen] = i, last[line[i]]
            last[line[i]] = n_chosen
            n_chosen += 1
    return chosen[:n_chosen]
