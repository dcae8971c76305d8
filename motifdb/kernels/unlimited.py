"""Closed patterns at an unlimited gap, depth first, any subtree of the search by itself.

The search is BIDE (Wang and Han, "BIDE: efficient mining of frequent closed sequences", 2004, section 3) over first
instances (`motifdb.kernels.instances`). A pattern is closed if no symbol can be put in anywhere with equal support: not after
it (forward), and not into its i-th maximum period, the stretch between the first instance of its first i - 1 symbols and the
last place its i-th can take (backward).

What is ours is how few patterns are looked at that closely.

- A *shadow* goes along with a pattern P that is not closed: the first instances of one super-pattern P' that shows it. P'c shows
  the same of Pc unless c follows P and no longer P' in some unit, so one pass over P and P' together settles which
  children are not closed, and where they are grown P' is grown with them. A shadow that fails for a child stays, because
  the child's children have fewer sequences. Most patterns that are not closed are found by the shadow, and those are
  the costly ones for the backward check, which has to read every sequence before it can tell.
- Counting stops as soon as every symbol has missed more units than it may (`instances.grow`): a leaf is known after the
  few shortest sequences, and whether it is closed takes as few, because the backward check stops when all its periods are empty.
- BackScan (section 3.3), which cuts off a pattern if some symbol stands in the i-th *semi*-maximum period (it ends where the i-th
  symbol stands last within the first instance) of every sequence, cuts off next to nothing in real melodies and all there is in trills and
  constants. It only saves work, so it waits until `PATIENCE` patterns in a row were not closed, and then looks at one in 1, 2, 4, ...
  `PATIENCE` patterns until it finds something to cut off; whatever hangs below such a pattern could be cut off as well, and from
  then on is, one by one.

Support may count groups of sequences: an extension keeps a group if it fits one of the group's sequences. BackScan
goes by sequences in any case.
"""

from __future__ import annotations

import numba
import numpy as np

from motifdb.kernels.gapped import COMPLETE, PAUSED, STOPPED, grown
from motifdb.kernels.instances import count_children, cover, grow, grow_narrow, project
from motifdb.kernels.periods import find_period, find_period_narrow, unchanged_depth

PATIENCE = 64
"""Patterns in a row, none of them closed, before BackScan is tried, and the most it leaves out between two tries."""
LONG = 32
"""Symbols from which on BackScan first looks how far back a pattern's periods can have changed at all."""


FULL = -1
"""State of `_walk` where an array is too short."""


@numba.njit(cache=True, nogil=True)
def _longer(array, n):  # type: ignore[no-untyped-def]
    """A longer copy, with zeros behind."""
    longer = np.zeros(n, dtype=array.dtype)
    longer[: array.size] = array
    return longer


@numba.njit(cache=True, nogil=True)
def _forward(frequent, m, left, allowed):  # type: ignore[no-untyped-def]
    """A symbol that follows in every unit, -1 where there is none."""
    for i in range(frequent.shape[1]):
        for j in range(8):
            if (frequent[m, i] >> j) & 1 and left[8 * i + j] == allowed:
                return 8 * i + j
    return -1


@numba.njit(cache=True, nogil=True)
def _pending(pattern, first, m, child, child_support, child_next, child_at):  # type: ignore[no-untyped-def]
    """What is left to search at depths first..m, as `explore` returns it."""
    path = np.empty(m, dtype=np.uint8)
    for d in range(m):
        path[d] = pattern[d] + 1
    at = np.zeros(m - first + 2, dtype=np.int64)
    for d in range(first, m + 1):
        at[d - first + 1] = at[d - first] + child_at[d + 1] - child_next[d]
    children = np.empty(at[-1], dtype=np.uint8)
    supports = np.empty(at[-1], dtype=np.int64)
    for d in range(first, m + 1):
        for i in range(child_next[d], child_at[d + 1]):
            children[at[d - first] + i - child_next[d]] = child[i] + 1
            supports[at[d - first] + i - child_next[d]] = child_support[i]
    return path, at, children, supports


@numba.njit(cache=True, nogil=True)
def _longer_rows(array, n):  # type: ignore[no-untyped-def]
    """A copy with more rows, zeros behind."""
    longer = np.zeros((n, array.shape[1]), dtype=array.dtype)
    longer[: array.shape[0]] = array
    return longer


@numba.njit(cache=True, nogil=True)
def _walk(  # type: ignore[no-untyped-def]
    tables,
    only_closed,
    min_length,
    max_length,
    first,
    least,
    budget,
    most,
    stop,
    patience,
    long_from,
    counters,
    n_each,
    found,
    entries,
    levels,
    masks,
):
    """Go on with the search until it ends or an array is too short; by itself, as nothing is allocated in it."""
    m, n_patterns, work, n_idle, n_left_out, stride, n_visited, n_kept, lowest = counters
    patterns, offsets, supports = found
    row, parent, shadow = entries
    level_at, pattern, child, child_support, child_at, child_next, same_from, is_scanned, has_shadow = levels
    frequent, broken, alive, got, left = masks
    following = tables.following
    n_symbols = following.shape[1]
    is_narrow = tables.present.shape[1] == 1 and not tables.is_grouped
    state = COMPLETE
    while True:
        while m >= first and child_next[m] == child_at[m + 1]:
            m -= 1
        if m < first:
            break
        if stop[0] != 0:
            state = STOPPED
            break
        if work >= budget and n_visited > 0 and stop[1] != 0:
            state = PAUSED
            break
        low, high = level_at[m], level_at[m + 1]
        is_too_short = (
            2 * high - low > row.size
            or m + 4 > level_at.size
            or offsets[n_patterns] + m + 1 > patterns.size
            or n_patterns + 2 > supports.size
            or child_at[m + 1] + n_symbols > child.size
        )
        if is_too_short:
            state = FULL
            break
        n_visited += 1
        c = int(child[child_next[m]])
        support = child_support[child_next[m]]
        child_next[m] += 1
        while lowest < least[0]:
            n_kept -= n_each[lowest] if lowest < n_each.size else 0
            lowest += 1
        minimum = lowest
        if support < minimum:
            continue
        pattern[m] = c
        m += 1
        may_grow = m < max_length
        is_shown = has_shadow[m - 1] and (broken[m - 1, c >> 3] >> (c & 7)) & 1 == 0
        is_closed = not (only_closed and is_shown)
        at, x = np.int64(-1), np.int64(-1)  # where which symbol can be put in
        end = high
        is_leaf = True
        if may_grow or (only_closed and is_closed):
            # at max_length only a symbol that misses no unit matters
            allowed = support - minimum if may_grow else 0
            if is_narrow:
                end, n_read, is_any = grow_narrow(
                    following,
                    tables.present,
                    tables.spread,
                    row,
                    parent,
                    shadow,
                    has_shadow[m - 1],
                    low,
                    high,
                    c,
                    m,
                    frequent,
                    broken,
                    allowed,
                    left,
                )
            else:
                end, n_read, is_any = grow(
                    tables,
                    row,
                    parent,
                    shadow,
                    has_shadow[m - 1],
                    low,
                    high,
                    c,
                    m,
                    frequent,
                    broken,
                    allowed,
                    left,
                )
            is_leaf = not (is_any and may_grow)
            work += n_read
            if only_closed and is_closed:
                x = _forward(frequent, m, left, allowed)
                at = np.int64(m)
                if x < 0 and m >= min_length:
                    if is_narrow:
                        at, x, n_periods = find_period_narrow(
                            following,
                            tables.previous,
                            tables.present,
                            tables.sequence_at,
                            tables.sequence_end,
                            row,
                            parent,
                            low,
                            high,
                            pattern,
                            m,
                            alive,
                        )
                    else:
                        at, x, n_periods = find_period(
                            tables, False, row, parent, low, high, 0, pattern, m, alive, got
                        )
                    work += n_periods
                is_closed = x < 0
        n_idle += 1
        if is_closed and m >= min_length:
            n_idle = 0
            a = offsets[n_patterns]
            for i in range(m):
                patterns[a + i] = pattern[i] + 1
            supports[n_patterns] = support
            n_patterns += 1
            offsets[n_patterns] = a + m
            n_each[support] += 1
            n_kept += 1
            while n_kept > most:
                n_kept -= n_each[lowest]
                lowest += 1
        if is_leaf:
            m -= 1
            continue
        level_at[m + 1] = end
        is_same = m > 1 and end - high == high - low
        same_from[m] = same_from[m - 1] if is_same else m
        is_scanned[m] = False
        n_left_out += 1
        # deep down every level is looked at, because the next one then needs to look at its last period only
        if only_closed and n_idle > patience and (n_left_out >= stride or m > long_from):
            n_left_out = 0
            known = np.int64(0)
            if m > long_from:
                known = unchanged_depth(row, parent, high, end, m, same_from[m], pattern, tables.previous)
                if not is_scanned[known]:
                    known = np.int64(0)
            is_pruned, _, n_periods = find_period(
                tables, True, row, parent, high, end, known, pattern, m, alive, got
            )
            work += n_periods
            if is_pruned >= 0:
                stride = 1
                m -= 1
                continue
            stride = min(2 * stride, patience)
            is_scanned[m] = True
        has_shadow[m] = has_shadow[m - 1]
        if x >= 0:
            cover(tables, row, parent, shadow, high, end, at, x, pattern, m, broken)
            work += (end - high) * (m - at + 1)
            has_shadow[m] = True
        b = child_at[m]
        for j in range(n_symbols):
            if (frequent[m, j >> 3] >> (j & 7)) & 1:
                child[b] = j
                child_support[b] = left[j] + minimum
                b += 1
        child_next[m] = child_at[m]
        child_at[m + 1] = b
    return state, (m, n_patterns, work, n_idle, n_left_out, stride, n_visited, n_kept, lowest)


@numba.njit(cache=True, nogil=True)
def explore(  # type: ignore[no-untyped-def]
    tables,
    only_closed,
    min_length,
    max_length,
    prefix,
    children,
    least,
    budget,
    most,
    stop,
    patience,
    long_from,
):
    """Search the subtrees of some children of a prefix, in lexicographic order (a prefix first).

    Parameters
    ----------
    tables : instances.Tables
    only_closed : False returns every frequent pattern
    min_length, max_length : symbols; closure is judged over patterns of every length
    prefix, children : uint8, ranks from 1, children ascending; the prefix itself is judged elsewhere
    least : int64, shape (1,), least support, at least 1; read again at every node, and may only rise meanwhile
    budget : int, work units (about one per entry looked at) after which to pause where asked to; at least one node is visited
    most : int, patterns to find; where there are more, those of the least support are given up, as if `least` had risen
    stop : uint8, shape (2,); the first not 0 ends the search, the second not 0 pauses it once the budget is used up
    patience, long_from : `PATIENCE` and `LONG`; nothing but the time depends on them

    Returns
    -------
    state : COMPLETE, PAUSED or STOPPED
    part : patterns uint8 one after the other, offsets int64 (n_patterns + 1,), supports int64 (n_patterns,)
    pending : what is left where PAUSED: path uint8 beginning with the prefix, at int64, children uint8, supports int64; the
        children still to visit of ``path[:d]`` are ``children[at[d - len(prefix)] : at[d - len(prefix) + 1]]``
    """
    following = tables.following
    n_symbols = following.shape[1]
    n_bytes = tables.present.shape[1]
    n_sequences = tables.sequence_end.size
    first = prefix.size
    patterns = np.empty(1024, dtype=np.uint8)
    offsets = np.zeros(1024, dtype=np.int64)
    supports = np.empty(1024, dtype=np.int64)
    # level d: the path's first d symbols. Its entries are row[level_at[d] : level_at[d + 1]], its children alike
    row = np.empty(max(1024, n_sequences), dtype=np.uint32)
    parent = np.empty(row.size, dtype=np.uint32)
    n_levels = max(64, first + 4)
    level_at = np.zeros(n_levels, dtype=np.int64)
    pattern = np.zeros(n_levels, dtype=np.uint8)
    child = np.empty(max(256, n_symbols), dtype=np.uint8)
    child_support = np.empty(child.size, dtype=np.int64)
    child_at = np.zeros(n_levels, dtype=np.int64)
    child_next = np.zeros(n_levels, dtype=np.int64)  # the first of them still to visit
    same_from = np.ones(n_levels, dtype=np.int64)  # least level above 0 with the same sequences
    is_scanned = np.zeros(n_levels, dtype=np.bool_)  # whether BackScan looked at it
    has_shadow = np.zeros(n_levels, dtype=np.bool_)
    frequent = np.zeros((n_levels, n_bytes), dtype=np.uint8)  # all frequent children, of this task or not
    broken = np.zeros((n_levels, n_bytes), dtype=np.uint8)  # the children that the shadow does not settle
    alive = np.empty(n_levels * n_bytes, dtype=np.uint8)
    got = np.empty(n_levels * n_bytes, dtype=np.uint8)
    left = np.empty(8 * n_bytes, dtype=np.int64)

    for s in range(n_sequences):
        row[s] = tables.sequence_end[s - 1] + 1 if s > 0 else 0
    level_at[1] = n_sequences
    for d in range(first):
        low, high = level_at[d], level_at[d + 1]
        row = grown(row, 2 * high - low)
        parent = grown(parent, row.size)
        pattern[d] = prefix[d] - 1
        level_at[d + 2] = project(following, row, parent, low, high, int(pattern[d]))
        is_same = d > 0 and level_at[d + 2] - high == high - low
        same_from[d + 1] = same_from[d] if is_same else d + 1
    shadow = np.empty(row.size, dtype=np.uint32)
    m = np.int64(first)
    units = np.zeros(n_symbols, dtype=np.int64)
    count_children(tables, row, level_at[m], level_at[m + 1], units)
    for c in range(n_symbols):
        if units[c] >= least[0]:
            frequent[m, c >> 3] |= np.uint8(1 << (c & 7))
    for i in range(children.size):
        child[i] = children[i] - 1
        child_support[i] = units[int(child[i])]
    child_at[m + 1] = children.size
    # where in the path, patterns found, work done; patterns since the last closed one, patterns that BackScan did not look at
    # since the last one that it did, one in how many it looks at; nodes visited; patterns found and kept, their least support
    zero = np.int64(0)
    counters = (m, zero, np.int64(level_at[m + 1]), np.int64(patience), zero, zero + 1, zero, zero, zero)
    n_each = np.zeros(units.max() + 1 if n_symbols > 0 else 1, dtype=np.int64)  # patterns found by support
    while True:
        state, counters = _walk(
            tables,
            only_closed,
            min_length,
            max_length,
            first,
            least,
            budget,
            most,
            stop,
            patience,
            long_from,
            counters,
            n_each,
            (patterns, offsets, supports),
            (row, parent, shadow),
            (
                level_at,
                pattern,
                child,
                child_support,
                child_at,
                child_next,
                same_from,
                is_scanned,
                has_shadow,
            ),
            (frequent, broken, alive, got, left),
        )
        m, n_patterns = counters[0], counters[1]
        if state != FULL:
            break
        low, high = level_at[m], level_at[m + 1]
        row = grown(row, 2 * high - low)
        parent = grown(parent, row.size)
        shadow = grown(shadow, row.size)
        patterns = grown(patterns, offsets[n_patterns] + m + 1)
        supports = grown(supports, n_patterns + 2)
        offsets = grown(offsets, supports.size)
        child = grown(child, child_at[m + 1] + n_symbols)
        child_support = grown(child_support, child.size)
        if m + 4 > level_at.size:
            n = 2 * level_at.size
            level_at, child_at, child_next = (
                _longer(level_at, n),
                _longer(child_at, n),
                _longer(child_next, n),
            )
            pattern, same_from = _longer(pattern, n), _longer(same_from, n)
            is_scanned, has_shadow = _longer(is_scanned, n), _longer(has_shadow, n)
            frequent, broken = _longer_rows(frequent, n), _longer_rows(broken, n)
            alive, got = np.empty(n * n_bytes, dtype=np.uint8), np.empty(n * n_bytes, dtype=np.uint8)
    part = (patterns[: offsets[n_patterns]], offsets[: n_patterns + 1], supports[:n_patterns])
    if state == PAUSED:
        return PAUSED, part, _pending(pattern, first, m, child, child_support, child_next, child_at)
    return state, part, (patterns[:0], offsets[:1], patterns[:0], supports[:0])
