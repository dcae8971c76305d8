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
def count_distinct(order, lcp, sequence_at, sequence_end, min_length, max_length):  # type: ignore[no-untyped-def]
    """Number of distinct patterns of min_length to max_length symbols that occur at least once."""
    total = 0
    for i in range(sequence_end.size, order.size):
        longest = min(sequence_end[sequence_at[order[i]]] - order[i], max_length)
        known = max(lcp[i], min_length - 1)  # shorter ones were counted at the suffix before
        if longest > known:
            total += longest - known
    return total


@numba.njit(cache=True, nogil=True)
def _left_extended(text, order, lcp, n_seq, depth, node_of, count):  # type: ignore[no-untyped-def]
    """Nodes P for which some node xP has the same count; xP's children are found again one symbol further on."""
    n = order.size
    is_extended = np.zeros(depth.size, dtype=np.bool_)
    place = np.zeros(257, dtype=np.int64)
    for p in range(n):
        place[int(text[p]) + 1] += 1
    for c in range(256):
        place[c + 1] += place[c]
    stack = np.empty(depth.size + 1, dtype=np.int32)
    top = -1
    for i in range(n):
        shared = lcp[i]
        while top >= 0 and depth[stack[top]] > shared:
            top -= 1
        if shared > 0 and (top < 0 or depth[stack[top]] < shared):
            top += 1
            stack[top] = node_of[i]
        p = order[i]
        if p == 0:
            continue
        x = int(text[p - 1])
        k = place[x]  # where the suffix one symbol longer stands
        place[x] += 1
        if x == 0 or k <= n_seq or lcp[k] < 2:
            continue
        v = node_of[k]
        a = 0
        b = top
        while a < b:
            mid = (a + b) >> 1
            if depth[stack[mid]] < lcp[k] - 1:
                a = mid + 1
            else:
                b = mid
        u = stack[a]
        if count[v] == count[u]:
            is_extended[u] = True
    return is_extended


@numba.njit(cache=True, nogil=True)
def select(text, order, lcp, sequence_at, sequence_end, tree, links, wanted):  # type: ignore[no-untyped-def]
    """Patterns asked for, in lexicographic order (a prefix first).

    Parameters
    ----------
    tree, links : what `repeat_tree` returns
    wanted : Wanted

    Returns
    -------
    n : the number of patterns; nothing is filled in where it is more than max_patterns
    low, high, length, n_sequences, n_groups : int32, shape (n,), interval of the suffix array and counts
    """
    lowest, highest, depth, parent_depth, count_s, count_g, left = tree
    best_s, best_g, next_at, first_at, node_of = links
    unit, least, closure, min_length, max_length, max_patterns = wanted
    n_seq = sequence_end.size
    is_closed = np.ones(depth.size, dtype=np.bool_)
    if closure == BY_OCCURRENCES:
        for v in range(depth.size):
            is_closed[v] = left[v] <= 0
    elif closure != ALL:
        count = count_s if closure == BY_SEQUENCES else count_g
        best = best_s if closure == BY_SEQUENCES else best_g
        is_extended = _left_extended(text, order, lcp, n_seq, depth, node_of, count)
        for v in range(depth.size):
            # with a count of 1, an xP that occurs once is as frequent as P without being a node
            is_closed[v] = not is_extended[v] and best[v] < count[v] and (count[v] > 1 or left[v] < 0)
    for v in range(depth.size):
        support = highest[v] - lowest[v] + 1
        if unit == BY_SEQUENCES:
            support = count_s[v]
        elif unit == BY_GROUPS:
            support = count_g[v]
        if support < least:
            is_closed[v] = False

    out = np.empty((0, 5), dtype=np.int32)
    for is_second in range(2):
        n = 0
        for i in range(n_seq, order.size):
            v = first_at[i]
            while v >= 0:
                if is_closed[v]:
                    shortest = max(min_length, parent_depth[v] + 1 if closure == ALL else depth[v])
                    longest = min(max_length, depth[v])
                    if is_second:
                        for length in range(shortest, longest + 1):
                            out[n, 0] = i
                            out[n, 1] = highest[v]
                            out[n, 2] = length
                            out[n, 3] = count_s[v]
                            out[n, 4] = count_g[v]
                            n += 1
                    else:
                        n += max(0, longest - shortest + 1)
                v = next_at[v]
            if least <= 1:
                p = order[i]
                whole = sequence_end[sequence_at[p]] - p
                shared = max(lcp[i], lcp[i + 1])
                if shared < whole and (closure == ALL or p == 0 or text[p - 1] == 0):
                    shortest = max(min_length, shared + 1 if closure == ALL else whole)
                    longest = min(max_length, whole)
                    if is_second:
                        for length in range(shortest, longest + 1):
                            out[n, 0] = out[n, 1] = i
                            out[n, 2] = length
                            out[n, 3] = out[n, 4] = 1
                            n += 1
                    else:
                        n += max(0, longest - shortest + 1)
        if n > max_patterns:
            return n, out
        if not is_second:
            out = np.empty((n, 5), dtype=np.int32)
    return n, out


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
def count_apart_by_walking(found, longest_at, shorter):  # type: ignore[no-untyped-def]
    """Non-overlapping occurrences, greedy left to right: looks at every occurrence once."""
    apart = np.zeros(len(found), dtype=np.int64)
    free_from = np.zeros(len(found), dtype=np.int64)
    for p in range(longest_at.size):
        k = longest_at[p]
        while k >= 0:
            if p >= free_from[k]:
                apart[k] += 1
                free_from[k] = p + found[k, 2]
            k = shorter[k]
    return apart


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
            p = np.int64(0)
            while True:
                j = _find(link, np.searchsorted(where, p))
                if j == n:
                    break
                apart[k] += 1
                p = where[j] + found[k, 2]
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
    """Every occurrence by (pattern, position), and the non-overlapping counts on the way."""
    m = len(found)
    at = np.zeros(m + 1, dtype=np.int64)
    for k in range(m):
        at[k + 1] = at[k] + found[k, 1] - found[k, 0] + 1
    pattern = np.empty(at[m], dtype=np.int64)
    sequence = np.empty(at[m], dtype=np.int64)
    first = np.empty(at[m], dtype=np.int64)
    last = np.empty(at[m], dtype=np.int64)
    apart = np.zeros(m, dtype=np.int64)
    free_from = np.zeros(m, dtype=np.int64)
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
            if p >= free_from[k]:
                apart[k] += 1
                free_from[k] = p + found[k, 2]
            k = shorter[k]
    return (pattern, sequence, first, last), apart
