"""First instances of patterns at an unlimited gap: the tables to find them in one load, and the steps from a pattern to a longer one.

A pattern is kept as its *projected database* (Pei et al., "Mining sequential patterns by pattern-growth: the PrefixSpan approach",
2004): for each sequence that holds it the row where the rest of the sequence begins, one position after the end of the pattern's first
instance. Row n stands for "not in this sequence" and every step leads from it to itself, so that nothing branches on it.
Sets of symbols are bit masks of `n_bytes` bytes, symbol c at bit c % 8 of byte c // 8.
"""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

BLOCK = 16
"""Entries between two looks at which symbols can still be frequent; a byte counts at most 255."""


class Tables(NamedTuple):
    """A database made ready, read-only; n positions, symbols 0..n_symbols - 1.

    Attributes
    ----------
    sequence_at : int32, shape (n,), sequence of each position
    sequence_end : int32, shape (n_sequences,), position of the 0 after each sequence
    unit_of : int32, shape (n_sequences,), what support counts, equal ones next to each other
    is_grouped : whether a unit can have several sequences
    following : uint32, shape (n + 1, n_symbols), row after the next place of a symbol at or after a row; n where there is none
    previous : uint32, shape (n, n_symbols), 1 + last place of a symbol before a position; 0 where there is none
    present : uint8, shape (n + 1, n_bytes), symbols at or after a row in its sequence
    spread : uint64, shape (256,), the bits of a byte as eight bytes of 0 or 1
    """

    sequence_at: NDArray[np.int32]
    sequence_end: NDArray[np.int32]
    unit_of: NDArray[np.int32]
    is_grouped: bool
    following: NDArray[np.uint32]
    previous: NDArray[np.uint32]
    present: NDArray[np.uint8]
    spread: NDArray[np.uint64]


def prepare(
    text: NDArray[np.uint8],
    sequence_at: NDArray[np.int32],
    sequence_end: NDArray[np.int32],
    unit_of: NDArray[np.int32] | None = None,
) -> Tables:
    """Tables of a text as `contiguous.build_text` makes it; they take 8 bytes for each position and symbol.

    `unit_of` None counts sequences. The search is fastest with short sequences first: they rule out extensions early.
    """
    units = np.arange(len(sequence_end), dtype=np.int32) if unit_of is None else unit_of
    following, previous, present = _tables(text, int(text.max(initial=0)))
    bits = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1, bitorder="little")
    spread = np.ascontiguousarray(bits).view("<u8").ravel().astype(np.uint64)
    arrays = [sequence_at, sequence_end, units, following, previous, present, spread]
    sequence_at, sequence_end, units, following, previous, present, spread = (a.view() for a in arrays)
    for array in (sequence_at, sequence_end, units, following, previous, present, spread):
        array.setflags(write=False)
    return Tables(sequence_at, sequence_end, units, unit_of is not None, following, previous, present, spread)


@numba.njit(cache=True, nogil=True)
def _tables(text, n_symbols):  # type: ignore[no-untyped-def]
    """`Tables.following`, `Tables.previous` and `Tables.present`."""
    n = text.size
    following = np.empty((n + 1, n_symbols), dtype=np.uint32)
    previous = np.zeros((n, n_symbols), dtype=np.uint32)
    present = np.zeros((n + 1, (n_symbols + 7) // 8), dtype=np.uint8)
    following[n] = n
    for p in range(n - 1, -1, -1):
        if text[p] == 0:
            following[p] = n
            continue
        x = int(text[p]) - 1
        for c in range(n_symbols):
            following[p, c] = following[p + 1, c]
        following[p, x] = p + 1
        for w in range(present.shape[1]):
            present[p, w] = present[p + 1, w]
        present[p, x >> 3] |= np.uint8(1 << (x & 7))
    for p in range(1, n):
        x = int(text[p - 1]) - 1
        if x >= 0:
            for c in range(n_symbols):
                previous[p, c] = previous[p - 1, c]
            previous[p, x] = p
    return following, previous, present


@numba.njit(cache=True, nogil=True)
def count_children(tables, row, low, high, units):  # type: ignore[no-untyped-def]
    """Fill in how many units of the entries low..high - 1 each symbol extends."""
    before = np.full(units.size, -1, dtype=np.int32)
    units[:] = 0
    n = np.int64(tables.following.shape[0] - 1)
    for t in range(low, high):
        r = np.int64(row[t])
        u = tables.unit_of[tables.sequence_at[r]]
        for c in range(tables.following.shape[1]):
            if tables.following[r, c] < n and before[c] != u:
                before[c] = u
                units[c] += 1


@numba.njit(cache=True, nogil=True)
def project(following, row, parent, low, high, c):  # type: ignore[no-untyped-def]
    """Write the entries of the pattern with symbol c more after its own, low..high - 1; where they end."""
    n = np.int64(following.shape[0] - 1)
    b = high
    for t in range(low, high):
        r = following[row[t], c]
        row[b] = r
        parent[b] = t
        b += np.int64(r < n)
    return b


@numba.njit(cache=True, nogil=True)
def _unit(tables, row):  # type: ignore[no-untyped-def]
    return tables.unit_of[tables.sequence_at[row]]


@numba.njit(cache=True, nogil=True)
def _any_left(misses, left, m, frequent):  # type: ignore[no-untyped-def]
    """Take the units missed, eight counts of a byte each, from what is `left`, and the symbols that missed too many from the candidates."""
    is_any = False
    for i in range(misses.size):
        if misses[i]:
            for j in range(8):
                left[8 * i + j] -= np.int64((misses[i] >> np.uint64(8 * j)) & np.uint64(255))
                if left[8 * i + j] < 0:
                    frequent[m, i] &= ~np.uint8(1 << j)
            misses[i] = 0
        is_any |= frequent[m, i] != 0
    return is_any


@numba.njit(cache=True, nogil=True)
def cover(tables, row, parent, shadow, low, high, i, x, pattern, m, broken):  # type: ignore[no-untyped-def]
    """Write beside the entries low..high - 1 of a pattern of m symbols those of the same with x put in after i symbols.

    Fills in `broken` as `grow` does.
    """
    following, present = tables.following, tables.present
    n_bytes = present.shape[1]
    for k in range(n_bytes):
        broken[m, k] = 0
    own = np.zeros(n_bytes, dtype=np.uint8)
    its = np.zeros(n_bytes, dtype=np.uint8)
    is_narrow = n_bytes == 1 and not tables.is_grouped
    for t in range(low, high):
        e = np.int64(t)
        for _ in range(m - i):
            e = np.int64(parent[e])
        w = following[row[e], x]
        for d in range(i, m):
            w = following[w, pattern[d]]
        shadow[t] = w
        if is_narrow:
            broken[m, 0] |= present[row[t], 0] & ~present[w, 0]
            continue
        for k in range(n_bytes):
            own[k] |= present[row[t], k]
            its[k] |= present[w, k]
        if tables.is_grouped and t + 1 < high and _unit(tables, row[t + 1]) == _unit(tables, row[t]):
            continue
        for k in range(n_bytes):
            broken[m, k] |= own[k] & ~its[k]
            own[k] = 0
            its[k] = 0


@numba.njit(cache=True, nogil=True)
def grow_narrow(  # type: ignore[no-untyped-def]
    following,
    present,
    spread,
    row,
    parent,
    shadow,
    has_shadow,
    low,
    high,
    c,
    m,
    frequent,
    broken,
    allowed,
    left,
):
    """`grow` for at most 8 symbols where support counts sequences: the whole mask is one byte."""
    n = np.int64(following.shape[0] - 1)
    live = frequent[m - 1, 0]
    missing = np.uint8(0)
    left[:] = allowed
    b = high
    t = low
    while t < high:
        stop = min(high, t + BLOCK)
        misses = np.uint64(0)
        if has_shadow:
            for u in range(t, stop):
                r = following[row[u], c]
                w = following[shadow[u], c]
                row[b] = r
                parent[b] = u
                shadow[b] = w
                if r < n:
                    b += 1
                    misses += spread[live & ~present[r, 0]]
                    missing |= present[r, 0] & ~present[w, 0]
        else:
            for u in range(t, stop):
                r = following[row[u], c]
                row[b] = r
                parent[b] = u
                if r < n:
                    b += 1
                    misses += spread[live & ~present[r, 0]]
        t = stop
        if misses:
            for j in range(8):
                left[j] -= np.int64((misses >> np.uint64(8 * j)) & np.uint64(255))
                if left[j] < 0:
                    live &= ~np.uint8(1 << j)
            if live == 0:
                break
    frequent[m, 0] = live
    broken[m, 0] = missing
    return b, t - low, live != 0


@numba.njit(cache=True, nogil=True)
def grow(  # type: ignore[no-untyped-def]
    tables, row, parent, shadow, has_shadow, low, high, c, m, frequent, broken, allowed, left
):
    """Write the entries of the pattern with symbol c more and count which symbols extend it further.

    Parameters
    ----------
    row, parent : entries; those of the pattern are low..high - 1, the new ones follow
    shadow : beside each entry the row of a super-pattern, projected along
    candidates : uint8, shape (n_bytes,), symbols to count; on return those that miss at most `allowed` of the units
    left : int64, shape (8 * n_bytes,), filled in for those symbols: `allowed` less the units missed
    broken : uint8, shape (n_bytes,), filled in: symbols that extend the new pattern in a unit where they do not extend
        the super-pattern

    Returns
    -------
    end of the new entries, and how many old ones were looked at: as soon as no candidate remains, it stops halfway
    """
    following, present = tables.following, tables.present
    n = np.int64(following.shape[0] - 1)
    n_bytes = present.shape[1]
    left[:] = allowed
    for i in range(n_bytes):
        frequent[m, i] = frequent[m - 1, i]
        broken[m, i] = 0
    own = np.zeros(n_bytes, dtype=np.uint8)
    its = np.zeros(n_bytes, dtype=np.uint8)
    misses = np.zeros(n_bytes, dtype=np.uint64)
    n_units = 0
    is_held = False
    b = high
    for t in range(low, high):
        r = following[row[t], c]
        if r < n:
            is_held = True
            row[b] = r
            parent[b] = t
            for i in range(n_bytes):
                own[i] |= present[r, i]
            if has_shadow:
                w = following[shadow[t], c]
                shadow[b] = w
                for i in range(n_bytes):
                    its[i] |= present[w, i]
            b += 1
        is_last = t + 1 == high
        if not is_last and tables.is_grouped and _unit(tables, row[t + 1]) == _unit(tables, row[t]):
            continue
        if is_held:
            n_units += 1
            is_held = False
            for i in range(n_bytes):
                misses[i] += tables.spread[frequent[m, i] & ~own[i]]
                broken[m, i] |= own[i] & ~its[i]
                own[i] = 0
                its[i] = 0
        if is_last or n_units == BLOCK:
            n_units = 0
            if not _any_left(misses, left, m, frequent):
                return b, t + 1 - low, False
    return b, high - low, True
