"""Places in contours that are within some edits of a pattern.

Sellers (J. Algorithms 1(4), 1980): the edit distance to the best substring that ends at each symbol, column by column,
because a match may begin anywhere at no cost. Symbols are units: changing one into any other, putting one in and leaving one out cost 1.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from motifdb.kernels.jit import kernel

Matches = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]


def matches(
    pattern: NDArray[np.int8], symbols: NDArray[np.int8], offset: NDArray[np.int64], most: int
) -> Matches:
    """Substrings within `most` edits, the nearest for each end.

    Of substrings with one end that are equally near the one whose length is nearest to the pattern's is taken, the shorter of two.

    Parameters
    ----------
    pattern : int8[m], m at least 1
    symbols : int8, phrases one after the other
    offset : int64[phrases + 1], where each begins
    most : edits, less than m (within m edits of it is anything)

    Returns
    -------
    phrase, first, last, edits : int64 each; first and last symbol within the phrase, by phrase and last

    >>> p, s = np.array([1, -2], np.int8), np.array([3, 1, -2, 1, 1], np.int8)
    >>> [a.tolist() for a in matches(p, s, np.array([0, 5]), 0)]
    [[0], [1], [2], [0]]
    """
    n = _count(
        pattern, symbols, offset, most, np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.int64)
    )
    phrase, last, edits = (np.empty(n, np.int64) for _ in range(3))
    _count(pattern, symbols, offset, most, phrase, last, edits)
    first = np.empty(n, np.int64)
    _firsts(pattern, symbols, offset, phrase, last, edits, first)
    return phrase, first, last, edits


@kernel
def _count(pattern, symbols, offset, most, phrase, last, edits):  # type: ignore[no-untyped-def]
    """How many ends are within `most` edits; where they are, when there is room."""
    m = pattern.size
    column = np.empty(m + 1, np.int64)
    n = 0
    for p in range(offset.size - 1):
        for i in range(m + 1):
            column[i] = i
        for j in range(offset[p], offset[p + 1]):
            diagonal = column[0]
            for i in range(1, m + 1):
                above = column[i]
                step = diagonal + (0 if pattern[i - 1] == symbols[j] else 1)
                column[i] = min(step, min(above, column[i - 1]) + 1)
                diagonal = above
            if column[m] <= most:
                if n < phrase.size:
                    phrase[n], last[n], edits[n] = p, j - offset[p], column[m]
                n += 1
    return n


@kernel
def _firsts(pattern, symbols, offset, phrase, last, edits, first):  # type: ignore[no-untyped-def]
    """The best beginning of each match: the same columns backwards from its end, with the end fixed."""
    m = pattern.size
    column = np.empty(m + 1, np.int64)
    for k in range(phrase.size):
        for i in range(m + 1):
            column[i] = i
        begin, end = offset[phrase[k]], offset[phrase[k]] + last[k]
        best, nearest = end, 2 * m + edits[k]
        for length in range(1, min(m + edits[k], end - begin + 1) + 1):
            j = end - length + 1
            diagonal = column[0]
            column[0] = length
            for i in range(1, m + 1):
                above = column[i]
                step = diagonal + (0 if pattern[m - i] == symbols[j] else 1)
                column[i] = min(step, min(above, column[i - 1]) + 1)
                diagonal = above
            if column[m] == edits[k] and abs(length - m) < nearest:
                best, nearest = j, abs(length - m)
        first[k] = best - begin
