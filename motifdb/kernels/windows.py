"""Where given patterns occur: minimal windows at any gap, with counts.

A minimal window of a pattern is a span with an embedding and none in a proper part of it; at max_gap 0 every occurrence is
one. For each position where an embedding ends, the latest begin of an embedding is carried along; the span is a minimal
window if this begin is later than those of all ends before it. Patterns come sorted, so that each one starts from
what it shares with the one before; only depths where a later pattern branches off are kept.
"""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from motifdb.kernels.gapped import grown

UNLIMITED = -1
_MAX_FOLLOW = 2**27
"""Entries of the table of followers (4 bytes each) under a gap limit; without it they are looked for."""


class Places(NamedTuple):
    """Where each symbol stands, made by `list_places`; a symbol's occurrences stand together, by rank, then by position.

    Attributes
    ----------
    at : int64, shape (n_symbols + 2,); occurrences of rank c are those from ``at[c]`` on and before ``at[c + 1]``
    place : int32, shape (n,), text position of each occurrence
    far : int64, shape (n,), its position were sequences too far from each other for any window; empty where gaps have no limit
    follow : int32, the next occurrence of c in the sequence (and within the gap) after the i-th of d, -1 where there is none, at
        ``at[d] * n_symbols + (c - 1) * (at[d + 1] - at[d]) + i``; empty where it would be too large under a gap limit
    """

    at: NDArray[np.int64]
    place: NDArray[np.int32]
    far: NDArray[np.int64]
    follow: NDArray[np.int32]


def list_places(text: NDArray[np.uint8], sequence_at: NDArray[np.int32], max_gap: int) -> Places:
    """List each symbol's occurrences, and what follows them, for `find`; arguments as there, arrays read-only."""
    n_symbols = int(text.max(initial=0))
    is_limited = max_gap != UNLIMITED
    arrays = Places(
        *_list_places(
            text,
            sequence_at,
            n_symbols,
            max_gap + 1 if is_limited else 0,
            not is_limited or text.size * n_symbols <= _MAX_FOLLOW,
        )
    )
    for array in arrays:
        array.setflags(write=False)
    return arrays


@numba.njit(cache=True, nogil=True)
def _list_places(text, sequence_at, n_symbols, reach, wants_follow):  # type: ignore[no-untyped-def]
    at = np.zeros(n_symbols + 2, dtype=np.int64)
    for x in text:
        if x != 0:
            at[int(x) + 1] += 1
    for c in range(n_symbols):
        at[c + 2] += at[c + 1]
    n = at[-1]
    place = np.empty(n, dtype=np.int32)
    far = np.empty(n if reach > 0 else 0, dtype=np.int64)
    follow = np.empty(n * n_symbols if wants_follow else 0, dtype=np.int32)
    upcoming = np.full(n_symbols + 1, -1, dtype=np.int32)
    free = at[1:].copy()
    for p in range(text.size - 1, -1, -1):
        d = int(text[p])
        if d == 0:
            upcoming[:] = -1
            continue
        free[d] -= 1
        i = free[d]
        place[i] = p
        if reach > 0:
            far[i] = p + np.int64(reach) * sequence_at[p]
        if wants_follow:
            width = at[d + 1] - at[d]
            for c in range(n_symbols):
                j = upcoming[c + 1]
                if reach > 0 and j >= 0 and place[j] > p + reach:
                    j = np.int32(-1)
                follow[at[d] * n_symbols + c * width + i - at[d]] = j
        upcoming[d] = i
    return at, place, far, follow


@numba.njit(cache=True, nogil=True)
def _later(far, i, j, end):  # type: ignore[no-untyped-def]
    """First of the occurrences from j on and before `end` that stands after occurrence i; it is looked for in growing steps."""
    step = np.int64(1)
    while j + step < end and far[j + step] <= far[i]:
        j += step
        step *= 2
    while step > 0:
        if j + step <= end and far[j + step - 1] <= far[i]:
            j += step
        step //= 2
    return j


@numba.njit(cache=True, nogil=True)
def _followers(places, d, c):  # type: ignore[no-untyped-def]
    """The next c after each d."""
    a, width = places.at[d], places.at[d + 1] - places.at[d]
    base = a * (places.at.size - 2) + (c - 1) * width
    return places.follow[base : base + width]


@numba.njit(cache=True, nogil=True)
def _follow_limited(places, reach, d, c, ends, begins, first, n, new_ends, new_begins, near):  # type: ignore[no-untyped-def]
    """Ends of the pattern with c behind it, each with its latest begin; their number. See `_follow_unlimited`.

    `near` is room for two rows: first the ends are sieved for those with a c in reach, without a branch.
    """
    at, far = places.at, places.far
    last = at[c + 1]
    n_near = np.int64(0)
    if places.follow.size > 0:
        follow = _followers(places, d, c)
        for i in range(first, first + n):
            j = follow[np.uint32(ends[i]) - np.uint32(at[d])]
            near[0, n_near] = i - first
            near[1, n_near] = j
            n_near += j >= 0
    else:
        k = at[c]
        for i in range(first, first + n):
            k = _later(far, ends[i], k, last)
            near[0, n_near] = i - first
            near[1, n_near] = k
            n_near += k < last and far[k] <= far[ends[i]] + reach
    done = at[c]  # behind the last c that was reached
    m = np.int64(0)
    for t in range(n_near):
        i = first + near[0, t]
        k = np.int64(near[1, t])
        farthest = far[ends[i]] + reach
        b = begins[i]
        # those that an end before reached already are the newest ones: windows begin and end in the same order
        while k < done and far[k] <= farthest:
            new_begins[m - (done - k)] = max(new_begins[m - (done - k)], b)
            k += 1
        while k < last and far[k] <= farthest:
            new_ends[m] = k
            new_begins[m] = b
            m += 1
            k += 1
            done = k
    return m


@numba.njit(cache=True, nogil=True)
def _follow_unlimited(places, d, c, ends, begins, first, n, new_ends, new_begins):  # type: ignore[no-untyped-def]
    """Minimal windows of the pattern with c behind it: of those that end at the same c the one that begins last.

    `ends` are occurrences of d, the pattern's last symbol, `begins` text positions, both those from `first` on, n > 0 of
    them. Every window is written, and stays where the next one ends elsewhere: a branch would be guessed wrong too often.
    (So are unsigned indices there for speed: signed ones could count from an array's end.)
    """
    follow = _followers(places, d, c)
    origin = np.uint32(places.at[d])
    m = np.int64(0)
    j = follow[np.uint32(ends[first]) - origin]
    for i in range(first, first + n - 1):
        following = follow[np.uint32(ends[i + 1]) - origin]
        new_ends[m] = j
        new_begins[m] = begins[i]
        m += (j != following) & (j >= 0)
        j = following
    new_ends[m] = j
    new_begins[m] = begins[first + n - 1]
    return m + (j >= 0)


@numba.njit(cache=True, nogil=True)
def _next_smaller(shared):  # type: ignore[no-untyped-def]
    """For each pattern the next one that shares less with its predecessor."""
    n = shared.size - 1
    smaller = np.full(n + 1, n, dtype=np.int32)
    for i in range(n - 1, -1, -1):
        j = i + 1
        while j < n and shared[j] >= shared[i]:
            j = smaller[j]
        smaller[i] = j
    return smaller


@numba.njit(cache=True, nogil=True)
def _keep_minimal(ends, begins, n, new_ends, new_begins):  # type: ignore[no-untyped-def]
    """The ends that begin later than all before; their number."""
    m = np.int64(0)
    latest = np.int32(-1)
    for i in range(n):
        b = begins[i]
        new_ends[m] = ends[i]
        new_begins[m] = b
        m += b > latest
        latest = max(latest, b)
    return m


@numba.njit(cache=True, nogil=True)
def _count(place, ends, begins, n, k, sequence_at, sequence_end, group_of, seen_group, counts):  # type: ignore[no-untyped-def]
    """Count the k-th pattern's sequences, groups, windows and non-overlapping windows."""
    n_sequences = n_groups = n_apart = np.int64(0)
    taken = border = np.int32(-1)  # ends of the newest window taken, and of the newest sequence
    for i in range(n):
        b = begins[i]
        last = place[np.uint32(ends[i])]
        is_apart = b > taken
        n_apart += is_apart
        taken = last if is_apart else taken
        if b > border:
            s = sequence_at[b]
            border = sequence_end[s]
            n_sequences += 1
            n_groups += seen_group[group_of[s]] != k
            seen_group[group_of[s]] = k
    counts[0] = n_sequences
    counts[1] = n_groups
    counts[2] = n
    counts[3] = n_apart


@numba.njit(cache=True, nogil=True)
def find(  # type: ignore[no-untyped-def]
    patterns,
    offsets,
    shared,
    places,
    sequence_at,
    sequence_end,
    group_of,
    n_groups,
    max_gap,
    listing,
    max_occurrences,
    stop,
):
    """Count, and list, the minimal windows of each pattern.

    Parameters
    ----------
    patterns, offsets : uint8 ranks (0: a symbol that the text lacks) and int64, sorted lexicographically
    shared : int32, shape (n_patterns + 1,), symbols a pattern shares with the one before; 0 at both ends
    places : `Places` of the text for this gap
    sequence_at, sequence_end : int32, as `contiguous.build_text` makes them
    group_of : int32, shape (n_sequences,), in 0..n_groups - 1
    max_gap : number >= 0, or `UNLIMITED`
    listing : whether to list the windows
    stop : uint8, shape (1,); not 0: return before the next pattern

    Returns
    -------
    counts : int64, shape (n_patterns, 4), sequences, groups, windows, non-overlapping windows
    pattern, sequence, first, last : int64, shape (n_windows,), sorted by (pattern, sequence, first)
    is_complete : False where there were more than max_occurrences, and where it was stopped
    """
    n_patterns = offsets.size - 1
    counts = np.zeros((n_patterns, 4), dtype=np.int64)
    rows = np.empty((4, 1024 if listing else 1), dtype=np.int64)
    n_rows = np.int64(0)
    smaller = _next_smaller(shared)
    longest = np.int64(0)
    for k in range(n_patterns):
        longest = max(longest, offsets[k + 1] - offsets[k])
    n_most = places.place.size + 1  # one more is written before it is known to be none
    ends = np.empty(n_most, dtype=np.int32)
    begins = np.empty(n_most, dtype=np.int32)
    near = np.empty((2, n_most), dtype=np.int32)
    other_ends = np.empty_like(ends)
    other_begins = np.empty_like(begins)
    # the ends at those depths of the newest pattern where a later one branches off
    saved_depth = np.empty(longest + 1, dtype=np.int32)
    saved_at = np.zeros(longest + 2, dtype=np.int64)
    saved_ends = np.empty(1024, dtype=np.int32)
    saved_begins = np.empty(1024, dtype=np.int32)
    wanted = np.empty(longest + 1, dtype=np.int32)
    n_saved = 0
    seen_group = np.full(n_groups, -1, dtype=np.int64)
    is_complete = True
    for k in range(n_patterns):
        if stop[0] != 0:
            is_complete = False
            break
        depth = np.int64(shared[k])
        while n_saved > 0 and saved_depth[n_saved - 1] > depth:
            n_saved -= 1
        n_wanted = 0
        j = k + 1
        while j < n_patterns and shared[j] > depth:
            wanted[n_wanted] = shared[j]
            n_wanted += 1
            j = smaller[j]
        n = np.int64(0)
        is_saved = bool(depth > 0)
        pattern = patterns[offsets[k] : offsets[k + 1]]
        if is_saved and depth == pattern.size:  # the same pattern again
            a = saved_at[n_saved - 1]
            n = saved_at[n_saved] - a
            ends[:n] = saved_ends[a : a + n]
            begins[:n] = saved_begins[a : a + n]
        while depth < pattern.size:
            c = int(pattern[depth])
            if depth == 0:
                n = places.at[c + 1] - places.at[c]
                for i in range(n):
                    ends[i] = places.at[c] + i
                    begins[i] = places.place[places.at[c] + i]
            else:
                d = int(pattern[depth - 1])
                from_ends, from_begins, a = ends, begins, np.int64(0)
                if is_saved:
                    from_ends, from_begins, a = saved_ends, saved_begins, saved_at[n_saved - 1]
                    n = saved_at[n_saved] - a
                    is_saved = False
                if n > 0 and c > 0:
                    if max_gap == UNLIMITED:
                        n = _follow_unlimited(
                            places, d, c, from_ends, from_begins, a, n, other_ends, other_begins
                        )
                    else:
                        n = _follow_limited(
                            places,
                            max_gap + 1,
                            d,
                            c,
                            from_ends,
                            from_begins,
                            a,
                            n,
                            other_ends,
                            other_begins,
                            near,
                        )
                else:
                    n = np.int64(0)
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
        window_ends, window_begins = ends, begins
        if max_gap != UNLIMITED:
            n = _keep_minimal(ends, begins, n, other_ends, other_begins)
            window_ends, window_begins = other_ends, other_begins
        _count(
            places.place,
            window_ends,
            window_begins,
            n,
            k,
            sequence_at,
            sequence_end,
            group_of,
            seen_group,
            counts[k],
        )
        if listing:
            if n_rows + n > max_occurrences:
                is_complete = False
                break
            if n_rows + n > rows.shape[1]:
                more = np.empty((4, 2 * int(n_rows + n)), dtype=np.int64)
                more[:, :n_rows] = rows[:, :n_rows]
                rows = more
            _write_windows(
                places.place, window_ends, window_begins, n, k, sequence_at, sequence_end, rows, n_rows
            )
            n_rows += n
    lists = (
        rows[0, :n_rows].copy(),
        rows[1, :n_rows].copy(),
        rows[2, :n_rows].copy(),
        rows[3, :n_rows].copy(),
    )
    return counts, lists, is_complete


@numba.njit(cache=True, nogil=True)
def _write_windows(place, ends, begins, n, k, sequence_at, sequence_end, rows, n_rows):  # type: ignore[no-untyped-def]
    """Write (k, sequence, first, last) of the k-th pattern's windows behind the rows."""
    for i in range(n):
        s = sequence_at[begins[i]]
        origin = sequence_end[s - 1] + 1 if s > 0 else 0
        rows[0, n_rows + i] = k
        rows[1, n_rows + i] = s
        rows[2, n_rows + i] = begins[i] - origin
        rows[3, n_rows + i] = place[ends[i]] - origin


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
