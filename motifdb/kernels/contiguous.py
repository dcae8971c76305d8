"""Contiguous patterns (max_gap 0): which are closed, how often they occur, where.

Everything follows from the tree of repeats (`motifdb.kernels.repeats`), whose nodes are the strings that occur at
least twice and are not always followed by the same symbol; a node's string and the shorter ones down to its parent occur
at the same places. Only whole sequences that occur once are no nodes and can still be closed.

- Occurrence-closed (maximal repeats; Gusfield 1997, section 7.12): not always preceded by the same symbol either.
- Closed by sequences or groups: Px is weighed against P at the node of P. For xP it is enough to look at nodes xP
  that link to P by dropping x: were xP no node, it would be as frequent as some xPy, then also Py as frequent as P,
  and P is not closed already.
"""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np

BY_OCCURRENCES, BY_SEQUENCES, BY_GROUPS, ALL = 0, 1, 2, 3
"""Units of support, and of closure; `ALL` is no closure."""


_MAX_LOOKS = 256
"""Symbols looked at, at most, before a pattern counts as one that may overlap itself."""


class Wanted(NamedTuple):
    """Which patterns to return: units as above, lengths in symbols."""

    unit: int
    min_support: int
    closure: int
    min_length: int
    max_length: int
    max_patterns: int


@numba.njit(cache=True, nogil=True)
def build_text(symbols, offsets):  # type: ignore[no-untyped-def]
    """Ranked text with a 0 after each sequence: (text uint8, sequence_at int32, sequence_end int32).

    Ranks ascend with the symbols, so the order of the suffix array is the order of the signed symbols.
    """
    n_seq = offsets.size - 1
    n = symbols.size + n_seq
    rank = np.zeros(256, dtype=np.uint8)
    for x in symbols:
        rank[int(x) + 128] = 1
    k = 0
    for v in range(256):
        if rank[v]:
            k += 1
            rank[v] = k
    text = np.zeros(n, dtype=np.uint8)
    sequence_at = np.empty(n, dtype=np.int32)
    sequence_end = np.empty(n_seq, dtype=np.int32)
    p = 0
    for s in range(n_seq):
        for i in range(offsets[s], offsets[s + 1]):
            text[p] = rank[int(symbols[i]) + 128]
            sequence_at[p] = s
            p += 1
        sequence_at[p] = s
        sequence_end[s] = p
        p += 1
    return text, sequence_at, sequence_end


@numba.njit(cache=True, nogil=True)
def spell(text, starts, offsets):  # type: ignore[no-untyped-def]
    """Pieces of the text one after the other: piece k starts at ``starts[k]`` and fills ``offsets[k]:offsets[k + 1]``."""
    pieces = np.empty(offsets[-1], dtype=text.dtype)
    for k in range(starts.size):
        for i in range(offsets[k], offsets[k + 1]):
            pieces[i] = text[starts[k] + i - offsets[k]]
    return pieces


@numba.njit(cache=True, nogil=True)
def count_distinct(lcp, sequence_end, min_length, max_length):  # type: ignore[no-untyped-def]
    """Number of distinct patterns of min_length to max_length symbols that occur at least once.

    Those that begin a suffix, less those that begin the suffix before as well.
    """
    total = 0
    start = 0
    for end in sequence_end:
        n = end - start  # suffixes have 1..n symbols
        below = max(0, min(n, max_length) - min_length + 1)
        total += below * (below + 1) // 2 + below * max(0, n - max_length)
        start = end + 1
    for shared in lcp:
        total -= max(0, min(shared, max_length) - min_length + 1)
    return total


@numba.njit(cache=True, nogil=True)
def may_overlap(text, order, found, begin, end):  # type: ignore[no-untyped-def]
    """Whether occurrences of patterns begin..end - 1 may share a symbol; what takes long to say is True.

    Two that do lie in one sequence, and the end of the first is the beginning of the second.
    """
    answer = np.zeros(end - begin, dtype=np.bool_)
    for k in range(begin, end):
        length = np.int64(found[k, 2])
        if length < 2 or found[k, 3] == found[k, 1] - found[k, 0] + 1:
            continue
        p = np.int64(order[found[k, 0]])
        n_looks = 0
        for shift in range(1, length):
            d = 0
            while d < length - shift and n_looks < _MAX_LOOKS and text[p + d] == text[p + shift + d]:
                d += 1
                n_looks += 1
            n_looks += 1
            if d == length - shift or n_looks >= _MAX_LOOKS:
                answer[k - begin] = True
                break
    return answer


@numba.njit(cache=True, nogil=True)
def owners(found, order):  # type: ignore[no-untyped-def]
    """Nesting of the patterns: the longest pattern that starts at each position, and the next shorter of each pattern.

    Returns
    -------
    longest_at : int32, shape (n,), pattern or -1, by text position
    shorter : int32, shape (n_patterns,), the longest pattern that begins this one, or -1
    """
    longest_at = np.full(order.size, -1, dtype=np.int32)
    shorter = np.empty(len(found), dtype=np.int32)
    stack = np.empty(len(found), dtype=np.int32)
    top = -1
    k = 0
    for i in range(order.size):
        while top >= 0 and found[stack[top], 1] < i:
            top -= 1
        while k < len(found) and found[k, 0] == i:
            shorter[k] = stack[top] if top >= 0 else -1
            top += 1
            stack[top] = k
            k += 1
        if top >= 0:
            longest_at[order[i]] = stack[top]
    return longest_at, shorter


@numba.njit(cache=True, nogil=True)
def count_apart_by_walking(found, longest_at, shorter, begin, end):  # type: ignore[no-untyped-def]
    """Non-overlapping occurrences in text[begin:end], greedy left to right: looks at every occurrence once."""
    m = len(found)
    state = np.empty(
        (m, 4), dtype=np.int32
    )  # shorter pattern, length, free from, count: one cache line at each look
    for k in range(m):
        state[k, 0] = shorter[k]
        state[k, 1] = found[k, 2]
        state[k, 2] = state[k, 3] = 0
    for p in range(begin, end):
        k = longest_at[p]
        while k >= 0:
            if p >= state[k, 2]:
                state[k, 2] = p + state[k, 1]
                state[k, 3] += 1
            k = state[k, 0]
    return state[:, 3].astype(np.int64)


@numba.njit(cache=True, nogil=True)
def count_apart_by_jumping(found, shorter, order):  # type: ignore[no-untyped-def]
    """The same in about n log(n) plus the counts themselves, for texts that repeat themselves at every length.

    Patterns are taken along heavy paths of their nesting, shortest first. A path's positions are kept sorted; those that
    a longer pattern no longer has are removed by linking them to the next one (union-find), so that the next occurrence
    at or after a position costs one search.
    """
    m = len(found)
    apart = np.zeros(m, dtype=np.int64)
    heavy = np.full(m, -1, dtype=np.int32)
    for k in range(m):
        parent = shorter[k]
        if parent >= 0:
            h = heavy[parent]
            if h < 0 or found[k, 1] - found[k, 0] > found[h, 1] - found[h, 0]:
                heavy[parent] = k
    place = np.empty(order.size, dtype=np.int32)
    for start in range(m):
        if shorter[start] >= 0 and heavy[shorter[start]] == start:
            continue
        low, high = found[start, 0], found[start, 1]
        where = np.sort(order[low : high + 1])
        n = where.size
        link = np.arange(n + 1)
        for j in range(n):
            place[where[j]] = j
        k = start
        while True:
            j = _find(link, 0)
            while j < n:
                apart[k] += 1
                p = where[j] + np.int64(found[k, 2])
                a = j + 1
                b = min(n, j + np.int64(found[k, 2]))  # places are whole numbers: not behind this one
                if b < n and where[b] == p:
                    a = b
                while a < b:
                    mid = (a + b) >> 1
                    if where[mid] < p:
                        a = mid + 1
                    else:
                        b = mid
                j = _find(link, a)
            h = heavy[k]
            if h < 0:
                break
            for i in range(found[k, 0], found[h, 0]):
                j = place[order[i]]
                link[j] = j + 1
            for i in range(found[h, 1] + 1, found[k, 1] + 1):
                j = place[order[i]]
                link[j] = j + 1
            k = h
    return apart


@numba.njit(cache=True, nogil=True)
def _find(link, j):  # type: ignore[no-untyped-def]
    root = j
    while link[root] != root:
        root = link[root]
    while link[j] != root:
        after = link[j]
        link[j] = root
        j = after
    return root


@numba.njit(cache=True, nogil=True)
def list_occurrences(found, longest_at, shorter, sequence_at, sequence_end):  # type: ignore[no-untyped-def]
    """Every occurrence by (pattern, position): its pattern, sequence, first and last symbol."""
    m = len(found)
    at = np.zeros(m + 1, dtype=np.int64)
    for k in range(m):
        at[k + 1] = at[k] + found[k, 1] - found[k, 0] + 1
    pattern = np.empty(at[m], dtype=np.int64)
    sequence = np.empty(at[m], dtype=np.int64)
    first = np.empty(at[m], dtype=np.int64)
    last = np.empty(at[m], dtype=np.int64)
    for p in range(longest_at.size):
        k = longest_at[p]
        s = sequence_at[p]
        begin = p - (sequence_end[s - 1] + 1 if s > 0 else 0)
        while k >= 0:
            j = at[k]
            at[k] = j + 1
            pattern[j] = k
            sequence[j] = s
            first[j] = begin
            last[j] = begin + found[k, 2] - 1
            k = shorter[k]
    return pattern, sequence, first, last
