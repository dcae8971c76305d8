"""Which of many patterns are parts of others."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from motifdb.kernels.contiguous import build_text
from motifdb.kernels.suffixes import Suffixes


def begins_next(
    text: NDArray[np.int8], starts: NDArray[np.int64], lengths: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Whether each pattern begins the one after it; of distinct patterns in lexicographic order, whether it begins any.

    Parameters
    ----------
    text : int8, shape (n,)
    starts, lengths : int64, shape (n_patterns,); pattern k is ``text[starts[k] : starts[k] + lengths[k]]``
    """
    begins: NDArray[np.bool_] = _begins_next(text.view(np.uint8), starts, lengths)
    return begins


@numba.njit(cache=True, nogil=True)
def _begins_next(text, starts, lengths):  # type: ignore[no-untyped-def]
    n = starts.size
    begins = np.zeros(n, dtype=np.bool_)
    for k in range(n - 1):
        m = lengths[k]
        if lengths[k + 1] <= m:
            continue
        i = 0
        differs = False
        while not differs and i < m:
            end = min(m, i + 1024)
            these = text[starts[k] + i : starts[k] + end]
            those = text[starts[k + 1] + i : starts[k + 1] + end]
            bits = np.uint8(0)
            for j in range(
                these.size
            ):  # without a way out and in bytes, so that the processor takes many at once
                bits = np.uint8(bits | np.uint8(these[j] ^ those[j]))
            differs = bits != 0
            i = end
        begins[k] = not differs
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
