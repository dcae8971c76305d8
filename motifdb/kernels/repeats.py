"""Repeats of a text cut into sequences: which strings occur twice, in how many sequences and groups, which may be closed.

The repeats are the intervals of the suffix array whose suffixes share a prefix (Abouelhoda, Kurtz and Ohlebusch 2004,
section 4), found by one pass over the longest common prefixes with a stack of the open ones. The pass runs from the last
suffix to the first: an interval is then complete at its lowest suffix, the deepest first, so what is written from the
back of an array stands in lexicographic order, a prefix before what it begins.

Numbers of distinct sequences by counting, at the lowest interval that holds both, each suffix and the next one of the same
sequence (Hui 1992).
"""

from __future__ import annotations

import itertools
from concurrent.futures import Executor
from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from motifdb.kernels.contiguous import ALL, BY_GROUPS, BY_SEQUENCES
from motifdb.kernels.suffixes import Suffixes, over

LOW, HIGH, DEPTH, ABOVE, N_SEQUENCES, N_GROUPS, EDGE, IS_CANDIDATE = range(8)
"""Columns of a repeat: interval of the suffix array, symbols of its string and of its parent's, counts, its last boundary."""


class Found(NamedTuple):
    """Where `find_repeats` writes; pieces of the suffix array write to parts of their own.

    Attributes
    ----------
    repeats : int32, shape (n, 8), columns as above
    linked : int32, shape (n_suffixes + 1,) or 0, for the EDGE of a repeat xP the node of P
    row_of : int32, shape (n,), by node, its row in `repeats`, -1 where it has none
    """

    repeats: NDArray[np.int32]
    linked: NDArray[np.int32]
    row_of: NDArray[np.int32]


def closed_repeats(
    suffixes: Suffixes,
    group_of: NDArray[np.int32],
    n_groups: int,
    unit: int,
    least: int,
    closure: int,
    pool: Executor | None = None,
    n_pieces: int = 1,
) -> NDArray[np.int32]:
    """Strings that occur twice and are not always followed by the same symbol; candidates are closed and have the support.

    Parameters
    ----------
    suffixes : Suffixes
    group_of : int32, shape (n_sequences,), in 0..n_groups - 1; n_groups 1 makes every group count 1
    unit, least : unit and least number of support
    closure : unit of closure
    pool, n_pieces : the suffix array is taken in about so many pieces, each all that begin with some of the symbols

    Returns
    -------
    int32, shape (n, 8), in lexicographic order, columns as above; with `least` 1, whole sequences that occur once as well
    """
    starts = np.concatenate([[0], np.cumsum(_count_symbols(suffixes.text))])
    cuts = _balanced(np.unique(starts[1:]), n_pieces)
    bounds = [most_repeats(suffixes.lcp[a : b + 1], least) for a, b in itertools.pairwise(cuts)]
    rows = np.concatenate([[0], np.cumsum([n for n, _ in bounds], dtype=np.int64)])
    n_open = max((int(deepest) for _, deepest in bounds), default=0) + 1
    found = Found(
        np.empty((rows[-1], 8), np.int32),
        np.empty(len(suffixes.lcp) if closure in (BY_SEQUENCES, BY_GROUPS) else 0, np.int32),
        np.empty(rows[-1], np.int32),
    )
    before = [_count_symbols(suffixes.left[a:b]) for a, b in itertools.pairwise(cuts)]
    places = starts[1:] - np.cumsum([np.zeros(256, np.int64), *before[::-1]], axis=0)[::-1]

    def find(k: int, _: int) -> int:
        asked = (unit, least, closure)
        piece = (int(cuts[k]), int(cuts[k + 1]), int(rows[k]), int(rows[k + 1]), n_open)
        return int(find_repeats(suffixes, group_of, n_groups, asked, piece, places[k + 1].copy(), found))

    firsts = over(pool, np.arange(len(cuts)), find)
    if len(found.linked):
        for first, last in zip(firsts, rows[1:], strict=True):
            drop_extended(found, closure == BY_GROUPS, first, last)
    if len(firsts) == 1:
        return found.repeats[firsts[0] :]
    return np.concatenate(
        [found.repeats[:0], *(found.repeats[a:b] for a, b in zip(firsts, rows[1:], strict=True))]
    )


def _balanced(cuts: NDArray[np.int64], n_pieces: int) -> NDArray[np.int64]:
    """About n_pieces of the pieces between the cuts, joined to about equal size."""
    wanted = np.linspace(cuts[0], cuts[-1], n_pieces + 1)
    nearest = np.abs(cuts[:, None] - wanted).argmin(axis=0)
    chosen: NDArray[np.int64] = cuts[np.unique(nearest)]
    return chosen


@numba.njit(cache=True, nogil=True)
def _count_symbols(symbols):  # type: ignore[no-untyped-def]
    n_each = np.zeros(256, dtype=np.int64)
    for x in symbols:
        n_each[x] += 1
    return n_each


@numba.njit(cache=True, nogil=True)
def most_repeats(lcp, least):  # type: ignore[no-untyped-def]
    """A bound on the repeats of suffixes whose shared prefixes these are, and the longest of these."""
    n = 0
    deepest = np.int32(0)
    for i in range(lcp.size - 1):
        n += lcp[i] != lcp[i + 1] and lcp[i] > 0
        deepest = max(deepest, lcp[i])
    return n + (lcp.size if least <= 1 else 0), deepest


@numba.njit(cache=True, nogil=True)
def find_repeats(suffixes, group_of, n_groups, asked, piece, place, found):  # type: ignore[no-untyped-def]
    """Repeats of a piece of the suffix array, so far as they may be closed; the first row that is written.

    Parameters
    ----------
    suffixes, group_of, n_groups : as above
    asked : unit, least and closure, as above
    piece : first and last + 1 suffix, between which nothing is shared with others; first and last + 1 row; longest shared prefix + 1
    place : int64, shape (256,), where the last suffix stands that begins with a symbol and goes on with one of the piece, + 1
    found : Found; rows are written from the last one back
    """
    order, lcp, left, sequence = suffixes.order, suffixes.lcp, suffixes.left, suffixes.sequence
    sequence_end = suffixes.sequence_end
    unit, least, closure = asked
    begin, end, n_nodes, row, n_open = piece
    repeats, linked, row_of = found
    n = order.size
    by_count = closure in (BY_SEQUENCES, BY_GROUPS)
    prunes = unit == closure or not by_count
    # the open repeats, the shallowest first
    high = np.empty(n_open, dtype=np.int32)
    depth = np.empty(n_open, dtype=np.int32)
    twice_s = np.empty(n_open, dtype=np.int32)  # suffixes of a sequence counted before
    twice_g = np.empty(n_open, dtype=np.int32)
    best_s = np.empty(n_open, dtype=np.int32)  # greatest count among the repeats one symbol longer
    best_g = np.empty(n_open, dtype=np.int32)
    edge = np.empty(n_open, dtype=np.int32)
    node = np.empty(n_open, dtype=np.int32)
    top = -1
    next_s = np.full(sequence_end.size, n, dtype=np.int32)
    next_g = np.full(n_groups, n, dtype=np.int32)
    same_left_to = end - 1  # last suffix of the run of equal symbols before
    for i in range(end - 1, begin - 1, -1):
        s = sequence[i]
        x = np.int64(left[i])
        if i + 1 < end and left[i + 1] != left[i]:
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
                    row_of[node[top]] = row
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
            row_of[n_nodes] = -1
            n_nodes += 1
    return row


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
def drop_extended(found, by_groups, first, last):  # type: ignore[no-untyped-def]
    """A repeat P is no candidate where some xP has the same count: xP is a repeat then, see `motifdb.kernels.contiguous`."""
    repeats = found.repeats
    column = N_GROUPS if by_groups else N_SEQUENCES
    for v in range(first, last):
        if repeats[v, LOW] < repeats[v, HIGH] and repeats[v, DEPTH] >= 2:
            u = found.row_of[found.linked[repeats[v, EDGE]]]
            if u >= 0 and repeats[u, column] == repeats[v, column]:
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
