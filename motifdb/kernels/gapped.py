"""Patterns under a gap limit, level by level: the frequent ones, and which are closed at their ends.

A pattern is a node below its prefix (the pattern without its last symbol) and keeps the distinct positions where an
embedding ends. A symbol extends it where it stands at most max_gap + 1 after such an end; the windows' union is walked
once, so that the many embeddings of a trill cost no more than its positions. Each node links to its suffix (without the
first symbol), which the level before holds already: a pattern as frequent as its prefix or its suffix takes away
their closedness, and no embedding's begin is needed.

The closure is that of Gap-BIDE (Li, Yang, Li and Wang 2012, definition by forward and backward extension): no pattern
with one more symbol at an end has equal support. An extension in the middle is no argument under a gap limit, because
leaving out a middle symbol can widen a gap beyond it.
"""

from __future__ import annotations

import numba
import numpy as np

MAX_POSITIONS = 2**28
"""End positions that the patterns of one length may have together (4 bytes each)."""
COMPLETE, TOO_MANY_PATTERNS, TOO_MANY_POSITIONS = 0, 1, 2
PAUSED, STOPPED = 1, 2


@numba.njit(cache=True, nogil=True)
def grown(array, n):  # type: ignore[no-untyped-def]
    """The array, or a longer copy that holds at least n."""
    if n <= array.size:
        return array
    longer = np.empty(max(n, 2 * array.size), dtype=array.dtype)
    longer[: array.size] = array
    return longer


@numba.njit(cache=True, nogil=True)
def grow_levels(text, unit_at, max_gap, least, max_length, only_closed, max_patterns, max_positions):  # type: ignore[no-untyped-def]
    """All patterns whose support is at least `least`, shortest first, then in lexicographic order.

    Parameters
    ----------
    text : uint8, shape (n,), ranks from 1, a 0 after each sequence
    unit_at : int32, shape (n,), what support counts (sequence or group) of each position, ascending
    max_length : patterns of one symbol more are grown too where they tell which are closed
    only_closed : whether closedness matters

    Returns
    -------
    state : COMPLETE or the bound that was reached
    parent, child : int32, shape (n_nodes + 1,); parent is -1 at the root, node 0; the children of v are child[v]:child[v + 1]
    symbol : uint8, shape (n_nodes,)
    support : int32, shape (n_nodes,)
    is_closed : bool, shape (n_nodes,)
    level : int64, first node of each length, and the number of nodes
    """
    n = text.size
    reach = max_gap + 1
    last_level = max_length + 1 if only_closed else max_length
    parent = np.full(1024, -1, dtype=np.int32)
    child = np.zeros(1024, dtype=np.int32)
    link = np.zeros(1024, dtype=np.int32)
    symbol = np.zeros(1024, dtype=np.uint8)
    support = np.zeros(1024, dtype=np.int32)
    is_closed = np.zeros(1024, dtype=np.bool_)
    level = np.zeros(16, dtype=np.int64)
    level[1] = 1
    n_levels = np.int64(1)
    n_nodes = np.int64(1)
    # positions where the nodes of the newest complete level end: those of node v are ends[at[v - begin]:at[v - begin + 1]]
    ends = np.empty(0, dtype=np.int32)
    at = np.zeros(2, dtype=np.int64)
    walked = np.empty(n, dtype=np.int32)
    n_each = np.zeros(256, dtype=np.int64)
    units_each = np.zeros(256, dtype=np.int32)
    last_unit = np.empty(256, dtype=np.int32)
    place = np.empty(256, dtype=np.int64)
    state = COMPLETE
    while state == COMPLETE and n_levels <= last_level and level[n_levels] > level[n_levels - 1]:
        begin = level[n_levels - 1]
        end = level[n_levels]
        new_ends = np.empty(max(1024, ends.size), dtype=np.int32)
        new_at = np.zeros(1024, dtype=np.int64)
        n_positions = np.int64(0)
        for v in range(begin, end):
            n_walked = 0
            if v == 0:
                for i in range(n):
                    if text[i] != 0:
                        walked[n_walked] = i
                        n_walked += 1
            else:
                to_come = np.int64(-1)
                for i in range(at[v - begin], at[v - begin + 1]):
                    e = np.int64(ends[i])
                    to_come = max(to_come, e + 1)
                    while to_come <= e + reach and text[to_come] != 0:
                        walked[n_walked] = to_come
                        n_walked += 1
                        to_come += 1
            last_unit[:] = -1
            n_each[:] = 0
            units_each[:] = 0
            for i in range(n_walked):
                p = walked[i]
                c = int(text[p])
                n_each[c] += 1
                if unit_at[p] != last_unit[c]:
                    last_unit[c] = unit_at[p]
                    units_each[c] += 1
            parent = grown(parent, n_nodes + 257)
            child = grown(child, n_nodes + 257)
            link = grown(link, n_nodes + 257)
            symbol = grown(symbol, n_nodes + 257)
            support = grown(support, n_nodes + 257)
            is_closed = grown(is_closed, n_nodes + 257)
            new_at = grown(new_at, n_nodes - end + 258)
            child[v] = n_nodes
            for c in range(1, 256):
                place[c] = -1
                if units_each[c] < least or n_each[c] == 0:
                    continue
                if v > 0 and units_each[c] == support[v]:
                    is_closed[v] = False
                w = 0
                if v > 0:
                    w = child[link[v]]
                    while symbol[w] != c:
                        w += 1
                    if support[w] == units_each[c]:
                        is_closed[w] = False
                parent[n_nodes] = v
                link[n_nodes] = w
                symbol[n_nodes] = c
                support[n_nodes] = units_each[c]
                is_closed[n_nodes] = True
                place[c] = n_positions
                n_positions += n_each[c]
                new_at[n_nodes - end + 1] = n_positions
                n_nodes += 1
            if n_nodes > max_patterns:
                state = TOO_MANY_PATTERNS
                break
            if n_positions > max_positions:
                state = TOO_MANY_POSITIONS
                break
            new_ends = grown(new_ends, n_positions)
            for i in range(n_walked):
                p = walked[i]
                c = int(text[p])
                if place[c] >= 0:
                    new_ends[place[c]] = p
                    place[c] += 1
        ends = new_ends
        at = new_at
        n_levels += 1
        level = grown(level, n_levels + 1)
        level[n_levels] = n_nodes
    for v in range(level[n_levels - 1], n_nodes + 1):
        child[v] = n_nodes
    if n_levels > max_length + 1:  # the last level was grown to judge the one before
        is_closed[level[max_length + 1] : n_nodes] = False
    nodes = (parent[:n_nodes], child[: n_nodes + 1], symbol[:n_nodes], support[:n_nodes], is_closed[:n_nodes])
    return state, nodes, level[: n_levels + 1]


@numba.njit(cache=True, nogil=True)
def spell(parent, child, symbol, is_kept):  # type: ignore[no-untyped-def]
    """The kept nodes' patterns in lexicographic order (a prefix first).

    Returns
    -------
    patterns : uint8
    offsets : int64, shape (n_patterns + 1,)
    kept : int64, shape (n_patterns,), the nodes
    """
    n_nodes = parent.size
    kept_below = np.zeros(n_nodes, dtype=np.int64)  # and at the node; children come after their parents
    depth = np.zeros(n_nodes, dtype=np.int64)
    for v in range(n_nodes - 1, -1, -1):
        kept_below[v] += is_kept[v]
        if v > 0:
            kept_below[parent[v]] += kept_below[v]
    rank = np.zeros(n_nodes, dtype=np.int64)
    offsets = np.zeros(kept_below[0] + 1, dtype=np.int64)
    for v in range(n_nodes):
        before = rank[v] + is_kept[v]
        for w in range(child[v], child[v + 1]):
            rank[w] = before
            depth[w] = depth[v] + 1
            before += kept_below[w]
        if is_kept[v]:
            offsets[rank[v] + 1] = depth[v]
    for k in range(offsets.size - 1):
        offsets[k + 1] += offsets[k]
    patterns = np.empty(offsets[-1], dtype=np.uint8)
    kept = np.empty(offsets.size - 1, dtype=np.int64)
    for v in range(n_nodes):
        if is_kept[v]:
            kept[rank[v]] = v
            i = offsets[rank[v] + 1] - 1
            w = v
            while w > 0:
                patterns[i] = symbol[w]
                i -= 1
                w = parent[w]
    return patterns, offsets, kept
