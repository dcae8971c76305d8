"""Which of many patterns are parts of others."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from motifdb.kernels.contiguous import build_text
from motifdb.kernels.suffixes import Suffixes


@numba.njit(cache=True, nogil=True)
def begins_next(text, starts, lengths):  # type: ignore[no-untyped-def]
    """Whether each pattern begins the one after it; of distinct patterns in lexicographic order, whether it begins any."""
    n = starts.size
    begins = np.zeros(n, dtype=np.bool_)
    for k in range(n - 1):
        m = lengths[k]
        if lengths[k + 1] <= m:
            continue
        a = starts[k]
        b = starts[k + 1]
        i = 0
        differs = text[a] ^ text[b]
        while differs == 0 and i < m:
            end = min(m, i + 256)
            for j in range(i, end):  # without a way out, so that the processor takes many at once
                differs |= text[a + j] ^ text[b + j]
            i = end
        begins[k] = differs == 0
    return begins


def is_part(patterns: NDArray[np.int8], offsets: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether each of distinct patterns is a contiguous part of another one.

    Parameters
    ----------
    patterns : int8, shape (n,), the patterns one after the other, none empty
    offsets : int64, shape (n_patterns + 1,)

    Notes
    -----
    Linear in n: a pattern is a part of another when the suffix that starts with it, in the suffix array of all patterns,
    has a neighbour that shares all of its symbols.

    Examples
    --------
    >>> is_part(np.array([1, 2, 1, 2, 3, 3], np.int8), np.array([0, 2, 5, 6])).tolist()
    [True, False, True]
    """
    n_patterns = len(offsets) - 1
    if n_patterns == 0:
        return np.zeros(0, np.bool_)
    suffixes = Suffixes.of(*build_text(patterns, offsets))
    rank = np.empty(len(suffixes.order), np.int32)
    rank[suffixes.order] = np.arange(len(suffixes.order), dtype=np.int32)
    own = rank[offsets[:-1] + np.arange(n_patterns)]  # the text has one 0 more per pattern before
    lengths = np.diff(offsets)
    shared: NDArray[np.bool_] = (suffixes.lcp[own] >= lengths) | (suffixes.lcp[own + 1] >= lengths)
    return shared
