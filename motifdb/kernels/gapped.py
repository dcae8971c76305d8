"""Patterns under a gap limit: the frequent ones, depth first, and which of them are closed at their ends.

A pattern is a node below its prefix (the pattern without its last symbol) and keeps the set of positions where an
embedding ends. A symbol extends it where it stands at most max_gap + 1 after such an end; sets make no difference between
the many embeddings of a trill. Dense sets are bits (`motifdb.kernels.lanes`), sparse ones lists. Each node links to its
suffix (without the first symbol): a pattern as frequent as its prefix or its suffix takes away their closedness, and no
embedding's begin is needed.

The closure is that of Gap-BIDE (Li, Yang, Li and Wang 2012, definition by forward and backward extension): no pattern
with one more symbol at an end has equal support. An extension in the middle is no argument under a gap limit, because
leaving out a middle symbol can widen a gap beyond it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from motifdb.kernels.lanes import (
    MAX_REACH,
    N_WORDS,
    build_lanes,
    build_padded,
    count_positions,
    count_units,
    list_positions,
    meet,
    open_windows,
)

COMPLETE, PAUSED, STOPPED = 0, 1, 2
_SPARSE = 100
"""Words of the whole text for each end from which on a list of ends is faster than bits."""
_MAX_KNOWN, _KNOWN_BUDGET, _KNOWN_SHARE, _SHARED_KNOWN_SHARE = 8, 100_000_000, 16, 60
"""Length of the short patterns that are looked up before the search, so that every task knows them; the work they may cost, at
most, and for each position of the text, by one worker and by several."""
_MAX_WORDS, _MAX_ENDS = 2**25, 2**26
"""Room that the path's sets of ends may take (256 MiB each) before the search pauses; tasks start with a short path."""


@numba.njit(cache=True, nogil=True)
def grown(array, n):  # type: ignore[no-untyped-def]
    """The array, or a longer copy that holds at least n."""
    if n <= array.size:
        return array
    longer = np.empty(max(n, 2 * array.size), dtype=array.dtype)
    longer[: array.size] = array
    return longer


class Database(NamedTuple):
    """What `explore` reads, made by `prepare`; read-only.

    Attributes
    ----------
    text : uint8, shape (n,), ranks from 1, zeros after each sequence
    unit_at : int32, shape (n,), what support counts
    bits, row, origin, in_text : as `lanes.build_lanes` makes them; no lanes where windows are too wide for them
    link, kid_at, kid, kid_node : the short frequent patterns, as `explore` keeps them
    """

    text: NDArray[np.uint8]
    unit_at: NDArray[np.int32]
    bits: NDArray[np.uint64]
    row: NDArray[np.int64]
    origin: NDArray[np.int64]
    in_text: NDArray[np.int64]
    link: NDArray[np.int32]
    kid_at: NDArray[np.int64]
    kid: NDArray[np.uint8]
    kid_node: NDArray[np.int32]


def prepare(
    text: NDArray[np.uint8], unit_at: NDArray[np.int32], max_gap: int, least: int, n_workers: int = 1
) -> Database:
    """Arrange a database for searches with this gap and a support of `least` or more.

    Parameters
    ----------
    text, unit_at : ranks from 1 with a 0 after each sequence, and the unit of each position, ascending
    n_workers : of several, none sees what another finds, and more is worth knowing before; nothing but the time depends on it
    """
    share = _KNOWN_SHARE if n_workers == 1 else _SHARED_KNOWN_SHARE
    is_narrow = max_gap + 1 <= MAX_REACH
    padded, units = build_padded(text, unit_at, max_gap + 1 if is_narrow else 1)
    n_symbols = int(text.max(initial=0))
    bits, row, origin, in_text = build_lanes(padded if is_narrow else padded[:0], units, n_symbols)
    every = np.arange(1, n_symbols + 1, dtype=np.uint8)
    link, kid_at = np.full(1, -1, np.int32), np.array([0, n_symbols], np.int64)
    database = _frozen(
        Database(
            padded, units, bits, row, origin, in_text, link, kid_at, every, np.full(n_symbols, -1, np.int32)
        )
    )
    none = np.empty(0, np.uint8)
    none.setflags(write=False)  # as tasks come, so that one compiled form serves both
    for depth in range(1, _MAX_KNOWN + 1):
        state, (depths, symbols, _), _ = explore(
            database,
            max_gap,
            depth,
            none,
            every,
            np.array([least], np.int64),
            min(_KNOWN_BUDGET, share * text.size),
            2**62,
            np.array([0, 1], np.uint8),
        )
        if state != COMPLETE:
            break
        database = _frozen(database._replace(**_known(depths, symbols, depth)))
        if not (depths == depth).any():
            break
    return database


def _frozen(database: Database) -> Database:
    for array in database:
        array.setflags(write=False)
    return database


def _known(depth: NDArray[np.int32], symbol: NDArray[np.uint8], deepest: int) -> dict[str, NDArray[Any]]:
    """The frequent patterns of up to `deepest` symbols as `explore` keeps them: what follows the shorter ones is known."""
    parent, child_at, child, link = suffix_links(depth, symbol)
    n_nodes = len(parent)
    is_counted = np.concatenate([np.zeros(1, np.int32), depth]) < deepest
    number = np.cumsum(is_counted) - 1
    nodes = np.flatnonzero(is_counted)
    is_kid = is_counted[parent[child]] if n_nodes > 1 else np.zeros(0, np.bool_)
    kids = child[is_kid]
    return {
        "link": np.where(nodes > 0, number[link[nodes]], -1).astype(np.int32),
        "kid_at": np.concatenate([np.zeros(1, np.int64), np.cumsum(np.diff(child_at)[nodes])]),
        "kid": symbol[kids - 1],
        "kid_node": np.where(is_counted[kids], number[kids], -1).astype(np.int32),
    }


@numba.njit(cache=True, nogil=True)
def _longest_known(v, c, link, kid_at, kid, kid_node):  # type: ignore[no-untyped-def]
    """The longest known proper suffix of node v's pattern with c behind it."""
    w = np.int64(link[v])
    while w >= 0:
        for j in range(kid_at[w], kid_at[w + 1]):
            if kid[j] == c:
                if kid_node[j] > 0:
                    return np.int64(kid_node[j])
                break
        w = np.int64(link[w])
    return np.int64(0)


@numba.njit(cache=True, nogil=True)
def _extend_list(text, reach, c, ends, begin, end):  # type: ignore[no-untyped-def]
    """Write where c stands in the windows after ends[begin:end] behind those; the index behind the last."""
    to_come = np.int64(0)
    new = end
    for i in range(begin, end):
        e = np.int64(ends[i])
        p = max(to_come, e + 1)
        while p <= e + reach and text[p] != 0:
            if text[p] == c:
                ends[new] = p
                new += 1
            p += 1
        to_come = p
    return new


@numba.njit(cache=True, nogil=True)
def _step(text, bits, row, origin, in_text, reach, c, support, is_last, windows, ends, at, new_ends, none):  # type: ignore[no-untyped-def]
    """Set of the ends of a pattern with c behind it.

    `at` says where the pattern's own set is: (slot, begin, end) for ``windows[slot]``, the places after its ends, or, where
    slot is -1, for ``ends[begin:end]``; begin -1 is the empty pattern. The new set takes its place if `is_last`. Dense sets are
    bits, sparse ones lists.
    """
    slot, begin, end = at
    if slot >= 0:
        meet(windows[slot], bits[c - 1], new_ends)
        n_words = new_ends.size
        # the support says already in most cases that the ends are too many
        if support * _SPARSE >= n_words or count_positions(new_ends) * _SPARSE >= n_words:
            slot += not is_last
            open_windows(new_ends, row, reach, none, windows[slot])
            return slot, 0, 0
        return -1, 0, list_positions(new_ends, row, origin, in_text, ends)
    if begin < 0:
        n = 0
        for p in range(text.size):
            if text[p] == c:
                ends[n] = p
                n += 1
        return -1, 0, n
    new = _extend_list(text, reach, c, ends, begin, end)
    if is_last:
        ends[begin : begin + new - end] = ends[end:new].copy()
        return -1, begin, begin + new - end
    return -1, end, new


@numba.njit(cache=True, nogil=True)
def _count(text, unit_at, bits, row, reach, candidates, windows, ends, at, joined, last_unit, n_units):  # type: ignore[no-untyped-def]
    """Count the units in which each candidate follows a pattern, whose set is where `at` says (see `_step`)."""
    slot, begin, end = at
    if slot >= 0:
        for c in candidates:
            n_units[c] = count_units(windows[slot], bits[int(c) - 1], row, joined)
        return
    last_unit[:] = -1
    n_units[:] = 0
    to_come = np.int64(0)
    for i in range(begin, end):
        e = np.int64(ends[i])
        u = unit_at[e]
        p = max(to_come, e + 1)
        while p <= e + reach and text[p] != 0:
            x = text[p]
            if last_unit[x] != u:
                last_unit[x] = u
                n_units[x] += 1
            p += 1
        to_come = p
    if begin < 0:
        for i in range(text.size):
            x = text[i]
            if x != 0 and last_unit[x] != unit_at[i]:
                last_unit[x] = unit_at[i]
                n_units[x] += 1


@numba.njit(cache=True, nogil=True)
def _find(prefix, tree):  # type: ignore[no-untyped-def]
    """A prefix's node, -1 where it is not known, and its longest known proper suffix, -1 where it is empty."""
    link, kid_at, kid, kid_node = tree
    v = np.int64(0)
    suffix = np.int64(-1)
    for i in range(prefix.size):
        if suffix >= 0:  # as _longest_known, but the prefix has no node of its own
            link[-1] = suffix
            suffix = _longest_known(link.size - 1, prefix[i], link, kid_at, kid, kid_node)
        else:
            suffix = np.int64(0)
        below = np.int64(-1)
        if v >= 0:
            for j in range(kid_at[v], kid_at[v + 1]):
                if kid[j] == prefix[i]:
                    below = np.int64(kid_node[j])
        v = below
    return v, suffix


@numba.njit(cache=True, nogil=True)
def explore(database, max_gap, deepest, prefix, children, least, budget, most, stop):  # type: ignore[no-untyped-def]
    """All frequent patterns below a prefix, depth first: in lexicographic order, what begins like a pattern after it.

    Parameters
    ----------
    database : `Database`
    deepest : length of the longest patterns, number > len(prefix)
    prefix, children : uint8 ranks; the search is for patterns that begin with the prefix and one of `children`, ascending
    least : int64, shape (1,); support below it is out; may rise meanwhile
    budget : work units (about 5 ns each) after which the search pauses where it is asked to, never before the first pattern
    most : patterns to find; where there are more, those of the least support are given up, as if `least` had risen
    stop : uint8, shape (2,); the first not 0: return at once; the second not 0: pause once the budget is used up

    Returns
    -------
    state : COMPLETE, PAUSED or STOPPED
    part : (depth int32, symbol uint8, support int32), one for each pattern: its length, last symbol and support
    pending : (path uint8, at int64, children uint8, supports int64): what is left to visit below ``path[: len(prefix) + k]``
        are ``children[at[k] : at[k + 1]]``, with their supports

    Notes
    -----
    The nodes are kept as a tree with suffix links. Only what follows a pattern's suffix can follow the pattern, so no more is
    counted than follows the longest suffix that was visited before, or is among the short patterns known from the
    start; where nothing does, the pattern is not even looked up. The last of a node's children to be visited
    takes the node's place, so that the depth of constants costs no memory.
    """
    reach = max_gap + 1
    # as locals: an array taken out of a tuple is counted as one more reference, each time
    text, unit_at, bits = database.text, database.unit_at, database.bits
    row, origin, in_text = database.row, database.origin, database.in_text
    n_lanes = row[-1]
    n_known = database.link.size
    # kid_node is a visited kid's node, minus its support before
    link = grown(database.link.copy(), n_known + 1024)
    kid_at = grown(database.kid_at.copy(), n_known + 1025)
    n_kids = kid_at[n_known]
    kid = grown(database.kid.copy(), n_kids + 1024)
    kid_node = grown(database.kid_node.copy(), n_kids + 1024)
    twin, suffix = _find(prefix, (link, kid_at, kid, kid_node))
    link[n_known] = suffix
    # as long as `link` at least, now and when they grow
    depths = np.empty(link.size, dtype=np.int32)
    symbols = np.empty(link.size, dtype=np.uint8)
    supports = np.empty(link.size, dtype=np.int32)
    n_found = np.int64(0)
    # the path below the prefix: nodes, the next kid of each, where its set of ends is (see _step)
    node = np.full(64, n_known, dtype=np.int64)
    next_kid = np.full(64, n_kids, dtype=np.int64)
    slot = np.zeros(64, dtype=np.int64)
    begin = np.zeros(64, dtype=np.int64)
    end = np.zeros(64, dtype=np.int64)
    d = 0
    windows = np.empty((4, N_WORDS, n_lanes), dtype=np.uint64)
    windows[0] = ~np.uint64(0)
    new_ends = np.empty((N_WORDS, n_lanes), dtype=np.uint64)
    joined = np.empty(n_lanes, dtype=np.uint64)
    none = np.zeros(n_lanes, dtype=np.uint64)
    ends = np.empty(max(1024, new_ends.size, text.size if n_lanes == 0 else 0), dtype=np.int32)
    last_unit = np.empty(256, dtype=np.int32)
    n_units = np.zeros(256, dtype=np.int64)
    work = np.int64(0)
    state = COMPLETE
    at = (
        (np.int64(0), np.int64(0), np.int64(0)) if n_lanes > 0 else (np.int64(-1), np.int64(-1), np.int64(-1))
    )
    for c in prefix:
        if stop[0] != 0:
            break
        ends = grown(ends, at[2] + (at[2] - at[1]) * reach)
        at = _step(
            text, bits, row, origin, in_text, reach, int(c), 0, True, windows, ends, at, new_ends, none
        )
        work += 16 + new_ends.size // 8 + 4 * (at[2] - at[1])
    slot[0], begin[0], end[0] = at
    _count(text, unit_at, bits, row, reach, children, windows, ends, at, joined, last_unit, n_units)
    kid = grown(kid, n_kids + 512)
    kid_node = grown(kid_node, n_kids + 512)
    for c in children:
        if n_units[c] >= least[0]:
            kid[n_kids] = c
            kid_node[n_kids] = -n_units[c]
            n_kids += 1
    kid_at[n_known + 1] = n_kids
    n_each = np.zeros(n_units.max() + 1, dtype=np.int64)  # patterns found by support
    n_kept = np.int64(0)  # of at least `lowest`
    lowest = np.int64(0)
    while True:
        while d >= 0 and next_kid[d] == kid_at[node[d] + 1]:
            d -= 1
        if d < 0:
            break
        if stop[0] != 0:
            state = STOPPED
            break
        is_full = (slot[d] + 2) * new_ends.size > _MAX_WORDS or end[d] > _MAX_ENDS
        if n_found > 0 and ((work > budget and stop[1] != 0) or is_full):
            state = PAUSED
            break
        i = next_kid[d]
        next_kid[d] += 1
        s = np.int64(-kid_node[i])
        while lowest < least[0]:
            n_kept -= n_each[lowest] if lowest < n_each.size else 0
            lowest += 1
        if s < lowest:
            continue
        n_each[s] += 1
        n_kept += 1
        while n_kept > most:
            n_kept -= n_each[lowest]
            lowest += 1
        c = int(kid[i])
        v = node[d]
        x = n_known + 1 + n_found
        depth = prefix.size + d + 1
        if (
            x + 2 > link.size
        ):  # rarely, as even to hand an array on takes time; the others are as long at least
            n = 2 * link.size
            link, kid_at = grown(link, n), grown(kid_at, n + 1)
            depths, symbols, supports = grown(depths, n), grown(symbols, n), grown(supports, n)
        if n_kids + 256 > kid.size:
            kid = grown(kid, n_kids + 256)
            kid_node = grown(kid_node, kid.size)
        depths[n_found] = depth
        symbols[n_found] = c
        supports[n_found] = s
        n_found += 1
        work += 16
        kid_node[i] = x
        if d == 0 and twin >= 0:
            for j in range(kid_at[twin], kid_at[twin + 1]):
                if kid[j] == c:
                    kid_node[j] = x
        below = _longest_known(v, c, link, kid_at, kid, kid_node)
        link[x] = below
        kid_at[x + 1] = n_kids
        if depth == deepest or kid_at[below] == kid_at[below + 1]:
            continue
        is_last = next_kid[d] == kid_at[v + 1]
        at = (slot[d], begin[d], end[d])
        if not is_last and slot[d] + 2 > windows.shape[0]:
            more = np.empty((2 * windows.shape[0], N_WORDS, n_lanes), dtype=np.uint64)
            more[: windows.shape[0]] = windows
            windows = more
        if end[d] + (end[d] - begin[d]) * reach > ends.size:
            ends = grown(ends, end[d] + (end[d] - begin[d]) * reach)
        at = _step(text, bits, row, origin, in_text, reach, c, s, is_last, windows, ends, at, new_ends, none)
        candidates = kid[kid_at[below] : kid_at[below + 1]]
        _count(text, unit_at, bits, row, reach, candidates, windows, ends, at, joined, last_unit, n_units)
        if at[0] >= 0:
            work += new_ends.size * (candidates.size + 2) // 16
        else:
            work += 4 * reach * (end[d] - begin[d] + at[2] - at[1])
        for c2 in candidates:
            if n_units[c2] >= lowest:
                kid[n_kids] = c2
                kid_node[n_kids] = -n_units[c2]
                n_kids += 1
        kid_at[x + 1] = n_kids
        if n_kids == kid_at[x]:
            continue
        d += 1
        if d == node.size:
            node, next_kid = grown(node, d + 1), grown(next_kid, d + 1)
            slot, begin, end = grown(slot, d + 1), grown(begin, d + 1), grown(end, d + 1)
        node[d] = x
        next_kid[d] = kid_at[x]
        slot[d], begin[d], end[d] = at
    path = np.empty(prefix.size + max(d, 0), dtype=np.uint8)
    path[: prefix.size] = prefix
    left_at = np.zeros(max(d, 0) + 2, dtype=np.int64)
    for k in range(d + 1):
        left_at[k + 1] = left_at[k] + kid_at[node[k] + 1] - next_kid[k]
        if k > 0:
            path[prefix.size + k - 1] = symbols[node[k] - n_known - 1]
    left = np.empty(left_at[-1], dtype=np.uint8)
    left_support = np.empty(left_at[-1], dtype=np.int64)
    for k in range(d + 1):
        left[left_at[k] : left_at[k + 1]] = kid[next_kid[k] : kid_at[node[k] + 1]]
        left_support[left_at[k] : left_at[k + 1]] = -kid_node[next_kid[k] : kid_at[node[k] + 1]]
    part = (depths[:n_found].copy(), symbols[:n_found].copy(), supports[:n_found].copy())
    return state, part, (path, left_at, left, left_support)


@numba.njit(cache=True, nogil=True)
def suffix_links(depth, symbol):  # type: ignore[no-untyped-def]
    """Link the nodes of a whole search; node i + 1 is its i-th pattern, node 0 the empty one.

    Parameters
    ----------
    depth, symbol : int32 and uint8, shape (n,), as `explore` finds them below the empty prefix

    Returns
    -------
    parent : int32, shape (n + 1,), -1 for node 0
    child_at, child : int64 and int32; the children of v are ``child[child_at[v] : child_at[v + 1]]``
    link : int32, shape (n + 1,), the node of the pattern without its first symbol
    """
    n = depth.size
    parent = np.full(n + 1, -1, dtype=np.int32)
    child_at = np.zeros(n + 2, dtype=np.int64)
    path = np.zeros(64, dtype=np.int32)
    for x in range(1, n + 1):
        d = depth[x - 1]
        path = grown(path, d + 1)
        path[d] = x
        parent[x] = path[d - 1]
        child_at[path[d - 1] + 2] += 1
    for v in range(1, n + 2):
        child_at[v] += child_at[v - 1]
    child = np.empty(n, dtype=np.int32)
    for x in range(1, n + 1):
        v = parent[x]
        child[child_at[v + 1]] = x
        child_at[v + 1] += 1
    link = np.zeros(n + 1, dtype=np.int32)
    for x in range(1, n + 1):
        if parent[x] > 0:
            w = link[parent[x]]
            j = child_at[w]
            while symbol[child[j] - 1] != symbol[x - 1]:
                j += 1
            link[x] = child[j]
    return parent, child_at, child, link


@numba.njit(cache=True, nogil=True)
def close_trie(depth, symbol, support):  # type: ignore[no-untyped-def]
    """Which patterns of a whole search are closed at their ends; bool, shape (n,).

    Parameters
    ----------
    depth, symbol, support : int32, uint8, int32, shape (n,), as `explore` finds them below the empty prefix; patterns of
        the greatest length allowed have to be judged by ones that are longer by one
    """
    parent, _, _, link = suffix_links(depth, symbol)
    is_closed = np.ones(depth.size, dtype=np.bool_)
    for x in range(1, parent.size):
        for shorter in (parent[x], link[x]):
            if shorter > 0 and support[shorter - 1] == support[x - 1]:
                is_closed[shorter - 1] = False
    return is_closed


@numba.njit(cache=True, nogil=True)
def spell_preorder(depth, symbol, is_kept):  # type: ignore[no-untyped-def]
    """The kept ones of a whole search's patterns, in its order.

    Returns
    -------
    patterns : uint8
    offsets : int64, shape (n_kept + 1,)
    kept : int64, shape (n_kept,), their indices
    """
    kept = np.flatnonzero(is_kept)
    offsets = np.zeros(kept.size + 1, dtype=np.int64)
    for k in range(kept.size):
        offsets[k + 1] = offsets[k] + depth[kept[k]]
    patterns = np.empty(offsets[-1], dtype=np.uint8)
    path = np.zeros(64, dtype=np.uint8)
    k = 0
    for i in range(depth.size):
        d = np.int64(depth[i])
        path = grown(path, d)
        path[d - 1] = symbol[i]
        if is_kept[i]:
            patterns[offsets[k] : offsets[k + 1]] = path[:d]
            k += 1
    return patterns, offsets, kept
