"""Re-read listed occurrences: does each place hold its pattern, and how many of them share no symbol?

A minimal window of a pattern under a gap rule is a span with an embedding in it and none in a proper part of it
(`motifdb.kernels.windows`); at max_gap 0 it is the pattern itself. Nothing of the miners is used here: a list is held
against the symbols directly.
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

UNLIMITED = -1

FITS, OUTSIDE, DIFFERS = 0, 1, 2
"""What `reread` says of a place."""


def reread(
    sequence: NDArray[np.int64],
    first: NDArray[np.int64],
    last: NDArray[np.int64],
    pattern: NDArray[np.int64],
    symbols: NDArray[np.int8],
    offsets: NDArray[np.int64],
    patterns: NDArray[np.int8],
    pattern_offsets: NDArray[np.int64],
    max_gap: NDArray[np.int64],
) -> NDArray[np.int8]:
    """Whether each place is a minimal window of its pattern.

    Parameters
    ----------
    sequence, first, last, pattern : int64, shape (n,): symbols `first` to `last` of a sequence, and the pattern's number
    symbols, offsets : int8 and int64; sequence s is ``symbols[offsets[s] : offsets[s + 1]]``
    patterns, pattern_offsets : int8 and int64, likewise
    max_gap : int64, shape (n_patterns,), symbols that may be skipped, or `UNLIMITED`

    Returns
    -------
    int8, shape (n,): `FITS`, `OUTSIDE` its sequence, or `DIFFERS` from the pattern
    """
    verdict = np.zeros(len(sequence), np.int8)
    _reread(sequence, first, last, pattern, symbols, offsets, patterns, pattern_offsets, max_gap, verdict)
    return verdict


def count_apart(
    pattern: NDArray[np.int64],
    sequence: NDArray[np.int64],
    first: NDArray[np.int64],
    last: NDArray[np.int64],
    n_patterns: int,
) -> NDArray[np.int64]:
    """Greatest number of places of each pattern that share no symbol: greedy by end in each sequence.

    Returns
    -------
    int64, shape (n_patterns,)
    """
    order = np.lexsort((first, last, sequence, pattern))
    apart = np.zeros(n_patterns, np.int64)
    _count_apart(pattern[order], sequence[order], first[order], last[order], apart)
    return apart


@numba.njit(cache=True, nogil=True)
def _embeds(symbols, first, last, pattern, gap):  # type: ignore[no-untyped-def]
    """Whether `pattern` occurs, under the gap rule, inside ``symbols[first : last + 1]``."""
    n = last - first + 1
    m = len(pattern)
    if n < m:
        return False
    is_end = np.empty(n, np.bool_)
    for i in range(n):
        is_end[i] = symbols[first + i] == pattern[0]
    for k in range(1, m):
        newest = -1  # the last place before i where the pattern so far ends
        for i in range(n):
            was_end = is_end[i]
            is_end[i] = (
                newest >= 0
                and symbols[first + i] == pattern[k]
                and (gap == UNLIMITED or i - newest - 1 <= gap)
            )
            if was_end:
                newest = i
    return is_end.any()


@numba.njit(cache=True, nogil=True)
def _reread(sequence, first, last, pattern, symbols, offsets, patterns, bounds, max_gap, verdict):  # type: ignore[no-untyped-def]
    for i in range(len(sequence)):
        begin = offsets[sequence[i]]
        n = offsets[sequence[i] + 1] - begin
        a, b = first[i], last[i]
        if a < 0 or b < a or b >= n:
            verdict[i] = OUTSIDE
            continue
        text = symbols[begin : begin + n]
        word = patterns[bounds[pattern[i]] : bounds[pattern[i] + 1]]
        gap = max_gap[pattern[i]]
        if gap == 0:
            fits = b - a + 1 == len(word)
            if fits:
                for k in range(len(word)):
                    fits = fits and text[a + k] == word[k]
        else:
            fits = _embeds(text, a, b, word, gap)
            if fits and b > a:
                fits = not (_embeds(text, a + 1, b, word, gap) or _embeds(text, a, b - 1, word, gap))
        if not fits:
            verdict[i] = DIFFERS


@numba.njit(cache=True, nogil=True)
def _count_apart(pattern, sequence, first, last, apart):  # type: ignore[no-untyped-def]
    free = 0
    for i in range(len(pattern)):
        if i == 0 or pattern[i] != pattern[i - 1] or sequence[i] != sequence[i - 1]:
            free = 0
        if first[i] >= free:
            apart[pattern[i]] += 1
            free = last[i] + 1
