"""Where given patterns occur: minimal windows at any gap, with counts.

A minimal window of a pattern is a span with an embedding and none in a proper part of it; at max_gap 0 every occurrence is
one. For each position where an embedding ends, the latest begin of an embedding is carried along; the span is a minimal
window if this begin is later than those of all ends before it. Patterns come sorted, so that each one starts from
what it shares with the one before; only depths where a later pattern branches off are kept.
"""

from __future__ import annotations

import numba
import numpy as np

from motifdb.kernels.gapped import grown

UNLIMITED = -1


@numba.njit(cache=True, nogil=True)
def next_table(text, n_symbols):  # type: ignore[no-untyped-def]
    """First position at or after p of each symbol in p's sequence, n where there is none; int32, shape (n + 1, n_symbols)."""
    n = text.size
    table = np.empty((n + 1, n_symbols), dtype=np.int32)
    table[n] = n
    for p in range(n - 1, -1, -1):
        if text[p] == 0:
            table[p] = n
        else:
            for c in range(n_symbols):
                table[p, c] = table[p + 1, c]
            table[p, int(text[p]) - 1] = p
    return table


@numba.njit(cache=True, nogil=True)
def _extend(text, sequence_at, table, max_gap, symbol, ends, begins, n, new_ends, new_begins):  # type: ignore[no-untyped-def]
    """Ends and latest begins of the pattern with one symbol more; their number."""
    m = 0
    if symbol == 0:
        return 0
    if max_gap == UNLIMITED:
        # ends are those of minimal windows only: an end with no later begin than one before it adds nothing
        for i in range(n):
            p = table[ends[i] + 1, symbol - 1]
            if p >= text.size:
                continue
            if m > 0 and new_ends[m - 1] == p:
                m -= 1  # the later begin wins
            new_ends[m] = p
            new_begins[m] = begins[i]
            m += 1
        return m
    reach = max_gap + 1
    oldest = 0
    p = np.int64(-1)
    for i in range(n):
        e = np.int64(ends[i])
        p = max(p, e + 1)
        while p <= e + reach and text[p] != 0:
            if text[p] == symbol:
                while ends[oldest] < p - reach:
                    oldest += 1
                latest = np.int64(-1)
                j = oldest
                while j < n and ends[j] < p:
                    latest = max(latest, np.int64(begins[j]))
                    j += 1
                new_ends[m] = p
                new_begins[m] = latest
                m += 1
            p += 1
    return m


@numba.njit(cache=True, nogil=True)
def find_windows(  # type: ignore[no-untyped-def]
    patterns,
    offsets,
    shared,
    text,
    sequence_at,
    sequence_end,
    group_of,
    n_groups,
    max_gap,
    table,
    listing,
    max_occurrences,
):
    """Count, and list, the minimal windows of each pattern.

    Parameters
    ----------
    patterns, offsets : uint8 ranks (0: a symbol that the text lacks) and int64, sorted lexicographically
    shared : int32, shape (n_patterns + 1,), symbols a pattern shares with the one before; 0 at both ends
    text, sequence_at, sequence_end : as `contiguous.build_text` makes them
    max_gap : number >= 0, or `UNLIMITED`; only then `table` is looked at
    listing : whether to list the windows

    Returns
    -------
    counts : int64, shape (n_patterns, 4), sequences, groups, windows, non-overlapping windows
    pattern, sequence, first, last : int64, shape (n_windows,), sorted by (pattern, sequence, first)
    is_complete : False where there were more than max_occurrences; the lists then end before a pattern's last window
    """
    n_patterns = offsets.size - 1
    counts = np.zeros((n_patterns, 4), dtype=np.int64)
    rows = 1024 if listing else 1
    pattern = np.empty(rows, dtype=np.int64)
    sequence = np.empty(rows, dtype=np.int64)
    first = np.empty(rows, dtype=np.int64)
    last = np.empty(rows, dtype=np.int64)
    n_rows = 0
    # the next pattern that shares less than a pattern does
    smaller = np.full(n_patterns + 1, n_patterns, dtype=np.int32)
    for i in range(n_patterns - 1, -1, -1):
        j = i + 1
        while j < n_patterns and shared[j] >= shared[i]:
            j = smaller[j]
        smaller[i] = j
    longest = 0
    for k in range(n_patterns):
        longest = max(longest, offsets[k + 1] - offsets[k])
    ends = np.empty(text.size, dtype=np.int32)
    begins = np.empty(text.size, dtype=np.int32)
    other_ends = np.empty(text.size, dtype=np.int32)
    other_begins = np.empty(text.size, dtype=np.int32)
    saved_depth = np.empty(longest + 1, dtype=np.int32)
    saved_at = np.zeros(longest + 2, dtype=np.int64)
    saved_ends = np.empty(1024, dtype=np.int32)
    saved_begins = np.empty(1024, dtype=np.int32)
    wanted = np.empty(longest + 1, dtype=np.int32)
    n_saved = 0
    seen_group = np.full(n_groups, -1, dtype=np.int64)
    for k in range(n_patterns):
        depth = np.int64(shared[k])
        while n_saved > 0 and saved_depth[n_saved - 1] > depth:
            n_saved -= 1
        n = np.int64(0)
        if depth > 0:
            a = saved_at[n_saved - 1]
            n = saved_at[n_saved] - a
            ends[:n] = saved_ends[a : a + n]
            begins[:n] = saved_begins[a : a + n]
        n_wanted = 0
        j = k + 1
        while j < n_patterns and shared[j] > depth:
            wanted[n_wanted] = shared[j]
            n_wanted += 1
            j = smaller[j]
        length = offsets[k + 1] - offsets[k]
        while depth < length:
            c = int(patterns[offsets[k] + depth])
            if depth == 0:
                if c > 0:
                    for p in range(text.size):
                        if text[p] == c:
                            ends[n] = p
                            begins[n] = p
                            n += 1
            else:
                n = np.int64(
                    _extend(text, sequence_at, table, max_gap, c, ends, begins, n, other_ends, other_begins)
                )
                ends, other_ends = other_ends, ends
                begins, other_begins = other_begins, begins
            depth += 1
            if n_wanted > 0 and wanted[n_wanted - 1] == depth:
                n_wanted -= 1
                a = saved_at[n_saved]
                saved_ends = grown(saved_ends, a + n)
                saved_begins = grown(saved_begins, a + n)
                saved_ends[a : a + n] = ends[:n]
                saved_begins[a : a + n] = begins[:n]
                saved_depth[n_saved] = depth
                saved_at[n_saved + 1] = a + n
                n_saved += 1
        if listing:
            if n_rows + n > max_occurrences + text.size:
                return counts, (pattern[:n_rows], sequence[:n_rows], first[:n_rows], last[:n_rows]), False
            pattern = grown(pattern, n_rows + n)
            sequence = grown(sequence, n_rows + n)
            first = grown(first, n_rows + n)
            last = grown(last, n_rows + n)
        in_sequence = np.int64(-1)
        latest = np.int64(-1)
        taken = np.int64(-1)
        for i in range(n):
            s = np.int64(sequence_at[ends[i]])
            if s != in_sequence:
                in_sequence = s
                latest = np.int64(-1)
                taken = np.int64(-1)
                counts[k, 0] += 1
                if seen_group[group_of[s]] != k:
                    seen_group[group_of[s]] = k
                    counts[k, 1] += 1
            if begins[i] <= latest:
                continue
            latest = np.int64(begins[i])
            counts[k, 2] += 1
            if latest > taken:
                counts[k, 3] += 1
                taken = np.int64(ends[i])
            if listing:
                origin = sequence_end[s - 1] + 1 if s > 0 else 0
                pattern[n_rows] = k
                sequence[n_rows] = s
                first[n_rows] = begins[i] - origin
                last[n_rows] = ends[i] - origin
                n_rows += 1
        if listing and n_rows > max_occurrences:
            return counts, (pattern[:n_rows], sequence[:n_rows], first[:n_rows], last[:n_rows]), False
    return counts, (pattern[:n_rows], sequence[:n_rows], first[:n_rows], last[:n_rows]), True


@numba.njit(cache=True, nogil=True)
def shared_prefixes(patterns, offsets):  # type: ignore[no-untyped-def]
    """Symbols that each pattern shares with the one before; int32, shape (n_patterns + 1,)."""
    n = offsets.size - 1
    shared = np.zeros(n + 1, dtype=np.int32)
    for k in range(1, n):
        most = min(offsets[k] - offsets[k - 1], offsets[k + 1] - offsets[k])
        d = 0
        while d < most and patterns[offsets[k - 1] + d] == patterns[offsets[k] + d]:
            d += 1
        shared[k] = d
    return shared
