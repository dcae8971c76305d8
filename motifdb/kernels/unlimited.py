"""Closed patterns at an unlimited gap, depth first (BIDE; Wang and Han, "BIDE: efficient mining of frequent closed
sequences", 2004, section 3).

A pattern keeps, for each sequence that holds it, where its first instance ends. It is closed if no symbol can be put in
anywhere with equal support: not after it (forward), and not into its i-th maximum period, the stretch between the first
instance of its first i - 1 symbols and the last place its i-th can take (backward). Where a symbol stands in the i-th
*semi*-maximum period (which ends where the i-th symbol stands last within the first instance) of every sequence, no pattern
that begins like this one is closed (BackScan), which is what keeps trills and constants from exploding.

Support may count groups of sequences: an extension keeps a group if it fits one of the group's sequences.
BackScan goes by sequences in any case.
"""

from __future__ import annotations

import numba
import numpy as np

from motifdb.kernels.contiguous import ALL
from motifdb.kernels.gapped import COMPLETE, TOO_MANY_PATTERNS, grown

LONG = 32
"""Symbols from which on BackScan first looks how far back a pattern's periods can have changed at all."""


@numba.njit(cache=True, nogil=True)
def previous_table(text, n_symbols):  # type: ignore[no-untyped-def]
    """Last position before p of each symbol in p's sequence, -1 where there is none; int32, shape (n, n_symbols)."""
    table = np.full((text.size, n_symbols), -1, dtype=np.int32)
    for p in range(1, text.size):
        c = int(text[p - 1])
        if c != 0:
            for d in range(n_symbols):
                table[p, d] = table[p - 1, d]
            table[p, c - 1] = p - 1
    return table


@numba.njit(cache=True, nogil=True)
def _unchanged_depth(entry_end, entry_parent, level_at, m, lowest, pattern, previous):  # type: ignore[no-untyped-def]
    """Depth up to which the semi-maximum periods are those of a prefix with the same sequences; 0 where there is none.

    `lowest` is the depth from which on the prefixes have the same sequences. If the last place of symbol i within the first instance is the end of the first i symbols' first instance, all
    periods up to i are those of that prefix, where BackScan looked at them already.
    """
    depth = m
    for t in range(level_at[m], level_at[m + 1]):
        i = m
        q = entry_end[t]
        e = entry_parent[t]
        while True:
            i -= 1
            if i < lowest:
                return 0
            q = previous[q, pattern[i - 1]]
            if q == entry_end[e]:
                break
            e = entry_parent[e]
        depth = min(depth, i)
    return depth


@numba.njit(cache=True, nogil=True)
def _fits_a_period(  # type: ignore[no-untyped-def]
    is_semi,
    entry_end,
    entry_parent,
    level_at,
    m,
    known,
    pattern,
    following,
    previous,
    sequence_at,
    sequence_end,
    unit_of,
    alive,
    got,
):
    """Whether some symbol stands in one same period, beyond the first `known`, of every unit."""
    n_words = alive.shape[1]
    k = following.shape[1]
    for i in range(known, m):
        for w in range(n_words):
            alive[i, w] = ~np.uint64(0)
            got[i, w] = np.uint64(0)
    n = following.shape[0] - 1
    last_entry = level_at[m + 1] - 1
    for t in range(level_at[m], level_at[m + 1]):
        s = sequence_at[entry_end[t]]
        q = entry_end[t] if is_semi else previous[sequence_end[s], pattern[m - 1]]
        e = entry_parent[t]
        for i in range(m - 1, known - 1, -1):
            begin = entry_end[e] + 1 if i > 0 else (sequence_end[s - 1] + 1 if s > 0 else 0)
            for w in range(n_words):
                if alive[i, w]:
                    mask = np.uint64(0)
                    for c in range(64 * w, min(k, 64 * w + 64)):
                        if following[begin, c] < q:
                            mask |= np.uint64(1) << np.uint64(c - 64 * w)
                    got[i, w] |= mask
            if i > known:
                q = previous[q, pattern[i - 1]]
                e = entry_parent[e]
        if not is_semi and t < last_entry and unit_of[sequence_at[entry_end[t + 1]]] == unit_of[s]:
            continue
        any_alive = False
        for i in range(known, m):
            for w in range(n_words):
                alive[i, w] &= got[i, w]
                got[i, w] = np.uint64(0)
                if alive[i, w]:
                    any_alive = True
        if not any_alive:
            return False
    return n > 0


@numba.njit(cache=True, nogil=True)
def search(  # type: ignore[no-untyped-def]
    text, sequence_at, sequence_end, unit_of, following, previous, wanted, long_from
):
    """Frequent patterns in lexicographic order (a prefix first), only closed ones if asked.

    Parameters
    ----------
    text : uint8, shape (n,), ranks from 1, a 0 after each sequence
    unit_of : int32, shape (n_sequences,), what support counts, equal ones next to each other
    following, previous : `next_table` and `previous_table`
    wanted : contiguous.Wanted
    long_from : `LONG`; nothing but the time depends on it

    Returns
    -------
    state : COMPLETE or TOO_MANY_PATTERNS
    patterns : uint8
    offsets : int64, shape (n_patterns + 1,)
    supports : int64, shape (n_patterns,)
    """
    n = text.size
    n_symbols = following.shape[1]
    least = wanted.min_support
    min_length = wanted.min_length
    max_length = wanted.max_length
    only_closed = wanted.closure != ALL
    n_words = (n_symbols + 63) // 64
    patterns = np.empty(1024, dtype=np.uint8)
    offsets = np.zeros(1024, dtype=np.int64)
    supports = np.empty(1024, dtype=np.int64)
    n_patterns = 0
    # level d holds one entry per sequence with the first d symbols; level 0 is the position before each sequence
    entry_end = np.empty(max(1024, sequence_end.size), dtype=np.int32)
    entry_parent = np.empty(entry_end.size, dtype=np.int32)
    for s in range(sequence_end.size):
        entry_end[s] = sequence_end[s - 1] if s > 0 else -1
    level_at = np.zeros(64, dtype=np.int64)
    level_at[1] = sequence_end.size
    pattern = np.empty(64, dtype=np.int64)
    child = np.empty(64 * 4, dtype=np.uint8)  # symbols still to follow at each level
    child_at = np.zeros(64, dtype=np.int64)  # begin of a level's list
    child_next = np.zeros(64, dtype=np.int64)
    same_from = np.ones(64, dtype=np.int64)  # least level above 0 with the same sequences
    alive = np.empty((64, n_words), dtype=np.uint64)
    got = np.empty((64, n_words), dtype=np.uint64)
    units = np.empty(n_symbols, dtype=np.int32)
    last_unit = np.empty(n_symbols, dtype=np.int32)
    m = np.int64(0)
    is_new = True
    while m >= 0:
        if is_new:
            support = np.int64(0)
            before = np.int32(-1)
            units[:] = 0
            last_unit[:] = -1
            for t in range(level_at[m], level_at[m + 1]):
                # an entry of level 0 ends on the 0 of the sequence before
                u = unit_of[t if m == 0 else sequence_at[entry_end[t]]]
                if u != before:
                    before = u
                    support += 1
                row = entry_end[t] + 1
                for c in range(n_symbols):
                    if following[row, c] < n and last_unit[c] != u:
                        last_unit[c] = u
                        units[c] += 1
            is_pruned = False
            if m > 0:
                is_closed = True
                if only_closed:
                    known = 0
                    if m > long_from:
                        known = _unchanged_depth(
                            entry_end, entry_parent, level_at, m, same_from[m], pattern, previous
                        )
                    is_pruned = _fits_a_period(
                        True,
                        entry_end,
                        entry_parent,
                        level_at,
                        m,
                        known,
                        pattern,
                        following,
                        previous,
                        sequence_at,
                        sequence_end,
                        unit_of,
                        alive,
                        got,
                    )
                    for c in range(n_symbols):
                        if units[c] == support:
                            is_closed = False
                    if is_closed and not is_pruned and m >= min_length:
                        is_closed = not _fits_a_period(
                            False,
                            entry_end,
                            entry_parent,
                            level_at,
                            m,
                            0,
                            pattern,
                            following,
                            previous,
                            sequence_at,
                            sequence_end,
                            unit_of,
                            alive,
                            got,
                        )
                if is_closed and not is_pruned and m >= min_length:
                    if n_patterns == wanted.max_patterns:
                        return TOO_MANY_PATTERNS, patterns[:0], offsets[:1], supports[:0]
                    a = offsets[n_patterns]
                    patterns = grown(patterns, a + m)
                    offsets = grown(offsets, n_patterns + 2)
                    for i in range(m):
                        patterns[a + i] = pattern[i] + 1
                    supports = grown(supports, n_patterns + 1)
                    supports[n_patterns] = support
                    n_patterns += 1
                    offsets[n_patterns] = a + m
            b = child_at[m]
            child = grown(child, b + n_symbols)
            if not is_pruned and m < max_length:
                for c in range(n_symbols):
                    if units[c] >= least:
                        child[b] = c
                        b += 1
            child_next[m] = child_at[m]
            child_at[m + 1] = b
        if child_next[m] == child_at[m + 1]:
            m -= 1
            is_new = False
            continue
        c = int(child[child_next[m]])
        child_next[m] += 1
        if m + 3 >= level_at.size:
            level_at = grown(level_at, 2 * level_at.size)
            pattern = grown(pattern, level_at.size)
            child_at = grown(child_at, level_at.size)
            child_next = grown(child_next, level_at.size)
            same_from = grown(same_from, level_at.size)
            alive = np.empty((level_at.size, n_words), dtype=np.uint64)
            got = np.empty((level_at.size, n_words), dtype=np.uint64)
        b = level_at[m + 1]
        entry_end = grown(entry_end, b + level_at[m + 1] - level_at[m])
        entry_parent = grown(entry_parent, entry_end.size)
        for t in range(level_at[m], level_at[m + 1]):
            p = following[entry_end[t] + 1, c]
            if p < n:
                entry_end[b] = p
                entry_parent[b] = t
                b += 1
        pattern[m] = c
        m += 1
        level_at[m + 1] = b
        is_same = m > 1 and b - level_at[m] == level_at[m] - level_at[m - 1]
        same_from[m] = same_from[m - 1] if is_same else m
        is_new = True
    return COMPLETE, patterns[: offsets[n_patterns]], offsets[: n_patterns + 1], supports[:n_patterns]
