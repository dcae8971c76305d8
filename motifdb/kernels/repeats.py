"""Repeats of a text cut into sequences: which strings occur twice, in how many sequences and groups, which may be closed.

The repeats are the intervals of the suffix array whose suffixes share a prefix (Abouelhoda, Kurtz and Ohlebusch 2004,
section 4), found by one pass over the longest common prefixes with a stack of the open ones. The pass runs from the last
suffix to the first: an interval is then complete at its lowest suffix, the deepest first, so what is written from the
back of an array stands in lexicographic order, a prefix before what it begins.

Numbers of distinct sequences by counting, at the lowest interval that holds both, each suffix and the next one of the same
sequence (Hui 1992).
"""

from __future__ import annotations

import numba
import numpy as np

from motifdb.kernels.contiguous import ALL, BY_GROUPS, BY_SEQUENCES

LOW, HIGH, DEPTH, ABOVE, N_SEQUENCES, N_GROUPS, EDGE, IS_CANDIDATE = range(8)
"""Columns of a repeat: interval of the suffix array, symbols of its string and of its parent's, counts, its last boundary."""


@numba.njit(cache=True, nogil=True)
def most_repeats(lcp, least):  # type: ignore[no-untyped-def]
    """A bound on what `find_repeats` returns, and the greatest lcp."""
    n = 0
    deepest = np.int32(0)
    for i in range(lcp.size - 1):
        n += lcp[i] != lcp[i + 1] and lcp[i] > 0
        deepest = max(deepest, lcp[i])
    return n + (lcp.size if least <= 1 else 0), deepest


@numba.njit(cache=True, nogil=True)
def find_repeats(suffixes, group_of, n_groups, unit, least, closure):  # type: ignore[no-untyped-def]
    """Strings that occur twice and are not always followed by the same symbol, so far as they may be closed.

    Parameters
    ----------
    suffixes : Suffixes
    group_of : int32, shape (n_sequences,), in 0..n_groups - 1; n_groups 1 makes every group count 1
    unit, least : unit and least number of support
    closure : unit of closure

    Returns
    -------
    repeats : int32, shape (n, 8), in lexicographic order, columns as above; with `least` 1, whole sequences that occur
        once as well. Only candidates can be closed; a closure by sequences or groups needs the others for `drop_extended`.
    linked : int32, shape (n + 1,), for the EDGE of a repeat xP the node of P
    place_of : int32, by node, its row in `repeats`, counted from the back, from 1; 0 where it is none
    """
    order, lcp, left, sequence = suffixes.order, suffixes.lcp, suffixes.left, suffixes.sequence
    sequence_end = suffixes.sequence_end
    n = order.size
    n_seq = sequence_end.size
    by_count = closure in (BY_SEQUENCES, BY_GROUPS)
    prunes = unit == closure or not by_count
    n_most, deepest = most_repeats(lcp, least)
    repeats = np.empty((n_most, 8), dtype=np.int32)
    row = n_most
    linked = np.empty(n + 1 if by_count else 0, dtype=np.int32)
    place_of = np.zeros(n_most + 1, dtype=np.int32)
    n_nodes = 0
    place = np.zeros(257, dtype=np.int64)
    for i in range(n):
        place[np.int64(suffixes.text[i])] += 1
    for c in range(1, 256):
        place[c] += place[c - 1]
    # the open repeats, the shallowest first
    high = np.empty(deepest + 1, dtype=np.int32)
    depth = np.empty(deepest + 1, dtype=np.int32)
    twice_s = np.empty(deepest + 1, dtype=np.int32)  # suffixes of a sequence counted before
    twice_g = np.empty(deepest + 1, dtype=np.int32)
    best_s = np.empty(deepest + 1, dtype=np.int32)  # greatest count among the repeats one symbol longer
    best_g = np.empty(deepest + 1, dtype=np.int32)
    edge = np.empty(deepest + 1, dtype=np.int32)
    node = np.empty(deepest + 1, dtype=np.int32)
    top = -1
    next_s = np.full(n_seq, n, dtype=np.int32)
    next_g = np.full(n_groups, n, dtype=np.int32)
    same_left_to = n - 1  # last suffix of the run of equal symbols before
    for i in range(n - 1, n_seq - 1, -1):  # the first n_seq suffixes are the 0s
        s = sequence[i]
        x = np.int64(left[i])
        if i + 1 < n and left[i + 1] != left[i]:
            same_left_to = i
        if top >= 0:
            j = next_s[s]
            if j <= high[0]:
                twice_s[_deepest(high, top, j)] += 1
            if n_groups > 1:
                g = group_of[s]
                j = next_g[g]
                if j <= high[0]:
                    twice_g[_deepest(high, top, j)] += 1
                next_g[g] = i
        elif n_groups > 1:
            next_g[group_of[s]] = i
        next_s[s] = i
        if by_count:
            k = place[x]  # the suffix one symbol longer stands before k; k is the boundary to the next one
            place[x] = k - 1
            d = lcp[k]
            if d >= 2 and lcp[k + 1] != d:
                linked[k] = node[_of_depth(depth, top, d - 1)]
        shared = lcp[i]
        if least <= 1:
            p = order[i]
            whole = sequence_end[s] - p
            others = max(shared, lcp[i + 1])
            if others < whole and (closure == ALL or x == 0):
                row -= 1
                repeats[row, LOW] = repeats[row, HIGH] = i
                repeats[row, DEPTH] = whole
                repeats[row, ABOVE] = others
                repeats[row, N_SEQUENCES] = repeats[row, N_GROUPS] = repeats[row, IS_CANDIDATE] = 1
        h = np.int32(i)
        dup_s = dup_g = np.int32(0)
        count_s = count_g = np.int32(0)
        while top >= 0 and depth[top] > shared:
            h = high[top]
            dup_s = twice_s[top]
            dup_g = twice_g[top]
            size = np.int32(h - i + 1)
            count_s = size - dup_s
            count_g = size - dup_g if n_groups > 1 else np.int32(1)
            support = count_s if unit == BY_SEQUENCES else count_g if unit == BY_GROUPS else size
            if support >= least or not prunes:
                is_uniform = same_left_to >= h
                may_be = not (is_uniform and x > 0) or closure == ALL
                is_kept = may_be
                if by_count:
                    count = count_s if closure == BY_SEQUENCES else count_g
                    best = best_s[top] if closure == BY_SEQUENCES else best_g[top]
                    is_kept = best < count
                    if count == 1:  # also what occurs once and is no repeat is as frequent
                        is_kept = is_uniform and x == 0 and sequence_end[sequence[h]] - order[h] == depth[top]
                if is_kept:
                    row -= 1
                    place_of[node[top]] = n_most - row
                    repeats[row, LOW] = i
                    repeats[row, HIGH] = h
                    repeats[row, DEPTH] = depth[top]
                    repeats[row, ABOVE] = max(shared, depth[top - 1] if top > 0 else 0)
                    repeats[row, N_SEQUENCES] = count_s
                    repeats[row, N_GROUPS] = count_g
                    repeats[row, EDGE] = edge[top]
                    repeats[row, IS_CANDIDATE] = may_be and support >= least
            top -= 1
            if top >= 0 and depth[top] >= shared:
                twice_s[top] += dup_s
                twice_g[top] += dup_g
                best_s[top] = max(best_s[top], count_s)
                best_g[top] = max(best_g[top], count_g)
        if shared > 0 and (top < 0 or depth[top] < shared):
            top += 1
            high[top] = h
            depth[top] = shared
            twice_s[top] = dup_s
            twice_g[top] = dup_g
            best_s[top] = count_s
            best_g[top] = count_g
            edge[top] = i
            node[top] = n_nodes
            n_nodes += 1
    return repeats[row:], linked, place_of[:n_nodes]


@numba.njit(cache=True, nogil=True)
def _deepest(high, top, j):  # type: ignore[no-untyped-def]
    """The deepest open repeat that holds suffix j; the shallowest one does."""
    a = 0
    while a < 6:  # mostly it is near the root
        if a == top or high[a + 1] < j:
            return a
        a += 1
    b = top + 1
    while b - a > 1:
        mid = (a + b) >> 1
        if high[mid] >= j:
            a = mid
        else:
            b = mid
    return a


@numba.njit(cache=True, nogil=True)
def _of_depth(depth, top, d):  # type: ignore[no-untyped-def]
    """The open repeat of depth d, which there is."""
    if depth[top] == d:
        return top
    a = 0
    b = min(top, d)
    while a < b:
        mid = (a + b) >> 1
        if depth[mid] < d:
            a = mid + 1
        else:
            b = mid
    return a


@numba.njit(cache=True, nogil=True)
def drop_extended(repeats, linked, place_of, by_groups):  # type: ignore[no-untyped-def]
    """A repeat P is no candidate where some xP has the same count: xP is a repeat then, see `motifdb.kernels.contiguous`."""
    n = len(repeats)
    column = N_GROUPS if by_groups else N_SEQUENCES
    for v in range(n):
        if repeats[v, LOW] < repeats[v, HIGH] and repeats[v, DEPTH] >= 2:
            u = n - place_of[linked[repeats[v, EDGE]]]
            if u < n and repeats[u, column] == repeats[v, column]:
                repeats[u, IS_CANDIDATE] = 0


@numba.njit(cache=True, nogil=True)
def measure(repeats, wanted):  # type: ignore[no-untyped-def]
    """What each repeat stands for: its support, and how many patterns (0 where it is not asked for); int64, shape (n,)."""
    n = len(repeats)
    support = np.empty(n, dtype=np.int64)
    n_patterns = np.zeros(n, dtype=np.int64)
    for v in range(n):
        support[v] = repeats[v, HIGH] - repeats[v, LOW] + 1
        if wanted.unit == BY_SEQUENCES:
            support[v] = repeats[v, N_SEQUENCES]
        elif wanted.unit == BY_GROUPS:
            support[v] = repeats[v, N_GROUPS]
        if repeats[v, IS_CANDIDATE]:
            longest = min(wanted.max_length, repeats[v, DEPTH])
            shortest = repeats[v, ABOVE] + 1 if wanted.closure == ALL else repeats[v, DEPTH]
            n_patterns[v] = max(0, longest - max(wanted.min_length, shortest) + 1)
    return support, n_patterns


@numba.njit(cache=True, nogil=True)
def write_patterns(repeats, support, n_patterns, threshold, max_length):  # type: ignore[no-untyped-def]
    """Patterns with enough support, in lexicographic order: (low, high, length, n_sequences, n_groups), int32, shape (n, 5)."""
    n = 0
    for v in range(len(repeats)):
        if support[v] >= threshold:
            n += n_patterns[v]
    found = np.empty((n, 5), dtype=np.int32)
    k = 0
    for v in range(len(repeats)):
        if support[v] >= threshold:
            longest = min(max_length, repeats[v, DEPTH])
            for length in range(longest - n_patterns[v] + 1, longest + 1):
                found[k, 0] = repeats[v, LOW]
                found[k, 1] = repeats[v, HIGH]
                found[k, 2] = length
                found[k, 3] = repeats[v, N_SEQUENCES]
                found[k, 4] = repeats[v, N_GROUPS]
                k += 1
    return found
