"""Sets of text positions as bits, laid out so that "which symbols follow, in how many units" is a few straight loops.

What support counts (a unit: a sequence, or a group of them) fills lanes of `N_WORDS` words of 64 bits, so many as it needs. Word k of all
lanes stands together, lanes in *rows*: row r holds the lanes r of all units that have more than r, longest units first. A
row is then a beginning of the row before, and neither of the loops over lanes and rows asks whose lane it looks at: a loop
carries bits into the next word, or joins the lanes of a unit, for all units at once.
"""

from __future__ import annotations

import numba
import numpy as np

N_WORDS = 4
"""Words of a lane; fewer make more rows, more make more empty words in short units."""
MAX_REACH = 16
"""Widest window that is laid out; wider ones would cost more than lists of positions do."""


@numba.njit(cache=True, nogil=True)
def build_padded(text, unit_at, n_zeros):  # type: ignore[no-untyped-def]
    """The text with n_zeros after each sequence in place of one, and the unit of each of its positions."""
    n_sequences = 0
    for p in range(text.size):
        n_sequences += text[p] == 0
    padded = np.zeros(text.size + n_sequences * (n_zeros - 1), dtype=np.uint8)
    units = np.empty(padded.size, dtype=np.int32)
    i = 0
    for p in range(text.size):
        width = n_zeros if text[p] == 0 else 1
        padded[i] = text[p]
        units[i : i + width] = unit_at[p]
        i += width
    return padded, units


@numba.njit(cache=True, nogil=True)
def build_lanes(text, unit_at, n_symbols):  # type: ignore[no-untyped-def]
    """Where each symbol stands.

    Parameters
    ----------
    text : uint8, ranks from 1, zeros after each sequence: as many as a window is wide
    unit_at : int32, same shape, ascending

    Returns
    -------
    bits : uint64, shape (n_symbols, N_WORDS, n_lanes)
    row : int64, shape (n_rows + 1,), first lane of each row, and the number of lanes
    origin : int64, shape (n_lanes,), text position of each lane's first bit
    in_text : int64, shape (n_units,), the first lanes of the units in the text's order
    """
    width = 64 * N_WORDS
    n_units = 0
    first = np.empty(text.size + 1, dtype=np.int64)
    for p in range(text.size):
        if p == 0 or unit_at[p] != unit_at[p - 1]:
            first[n_units] = p
            n_units += 1
    first[n_units] = text.size
    n_each = np.empty(n_units, dtype=np.int64)
    for u in range(n_units):
        n_each[u] = (first[u + 1] - first[u] + width - 1) // width
    order = np.argsort(-n_each, kind="mergesort")
    row = np.zeros((n_each[order[0]] if n_units > 0 else 0) + 1, dtype=np.int64)
    n_left = n_units
    for r in range(row.size - 1):
        while n_each[order[n_left - 1]] <= r:
            n_left -= 1
        row[r + 1] = row[r] + n_left
    bits = np.zeros((n_symbols, N_WORDS, row[-1]), dtype=np.uint64)
    origin = np.empty(row[-1], dtype=np.int64)
    for j in range(n_units):
        u = order[j]
        for r in range(n_each[u]):
            lane = row[r] + j
            origin[lane] = first[u] + r * width
            for p in range(origin[lane], min(origin[lane] + width, first[u + 1])):
                if text[p] != 0:
                    i = p - origin[lane]
                    bits[int(text[p]) - 1, i >> 6, lane] |= np.uint64(1) << np.uint64(i & 63)
    return bits, row, origin, np.argsort(origin[:n_units])


@numba.njit(cache=True, nogil=True)
def meet(one, other, both):  # type: ignore[no-untyped-def]
    """Write the positions in both sets; all uint64, shape (N_WORDS, n_lanes)."""
    for k in range(N_WORDS):
        a, b, out = one[k], other[k], both[k]
        for i in range(out.size):
            out[i] = a[i] & b[i]


@numba.njit(cache=True, nogil=True)
def _shift_in(ends, before, out, reach):  # type: ignore[no-untyped-def]
    """One word of each window: positions 1 to reach after an end, of this word or of the word before."""
    one, top = np.uint64(1), np.uint64(63)
    if reach == 2:  # the gap that matters most in one pass
        two, below = np.uint64(2), np.uint64(62)
        for i in range(out.size):
            x, y = ends[i], before[i]
            out[i] = (x << one) | (x << two) | (y >> top) | (y >> below)
        return
    for i in range(out.size):
        out[i] = (ends[i] << one) | (before[i] >> top)
    for d in range(2, reach + 1):
        up, down = np.uint64(d), np.uint64(64 - d)
        for i in range(out.size):
            out[i] |= (ends[i] << up) | (before[i] >> down)


@numba.njit(cache=True, nogil=True)
def open_windows(ends, row, reach, none, windows):  # type: ignore[no-untyped-def]
    """Write the positions that are 1 to reach after one of `ends`; `none` is zeros, shape (n_lanes,)."""
    for k in range(1, N_WORDS):
        _shift_in(ends[k], ends[k - 1], windows[k], reach)
    n_first = row[1]
    _shift_in(ends[0, :n_first], none[:n_first], windows[0, :n_first], reach)
    for r in range(1, row.size - 1):
        a, b, before = row[r], row[r + 1], row[r - 1]
        _shift_in(ends[0, a:b], ends[N_WORDS - 1, before : before + b - a], windows[0, a:b], reach)


@numba.njit(cache=True, nogil=True)
def count_units(one, other, row, joined):  # type: ignore[no-untyped-def]
    """Units in which the two sets meet; `joined` is room, shape (n_lanes,)."""
    a0, a1, a2, a3 = one[0], one[1], one[2], one[3]
    b0, b1, b2, b3 = other[0], other[1], other[2], other[3]
    for i in range(joined.size):
        joined[i] = (a0[i] & b0[i]) | (a1[i] & b1[i]) | (a2[i] & b2[i]) | (a3[i] & b3[i])
    for r in range(1, row.size - 1):
        begin = row[r]
        for j in range(row[r + 1] - begin):
            joined[j] |= joined[begin + j]
    n = 0
    for j in range(row[1]):
        n += joined[j] != 0
    return n


@numba.njit(cache=True, nogil=True)
def count_positions(these):  # type: ignore[no-untyped-def]
    """Size of a set of positions (bits added up side by side: Warren, Hacker's Delight, section 5-1)."""
    m1, m2, m4 = np.uint64(0x5555555555555555), np.uint64(0x3333333333333333), np.uint64(0x0F0F0F0F0F0F0F0F)
    one, two, four, eight = np.uint64(1), np.uint64(2), np.uint64(4), np.uint64(8)
    n = np.uint64(0)
    for k in range(N_WORDS):
        word = these[k]
        for i in range(word.size):
            x = word[i]
            x = x - ((x >> one) & m1)
            x = (x & m2) + ((x >> two) & m2)
            x = (x + (x >> four)) & m4
            x = x + (x >> eight)
            x = x + (x >> np.uint64(16))
            n += (x + (x >> np.uint64(32))) & np.uint64(0x7F)
    return np.int64(n)


@numba.njit(cache=True, nogil=True)
def list_positions(these, row, origin, in_text, out):  # type: ignore[no-untyped-def]
    """Write a set's text positions, ascending, into int32 `out`; their number."""
    n = 0
    for j in in_text:
        r = 0
        while r < row.size - 1 and j < row[r + 1] - row[r]:
            lane = row[r] + j
            for k in range(N_WORDS):
                x = these[k, lane]
                p = origin[lane] + 64 * k
                while x != 0:
                    if x & np.uint64(0xFF) == 0:
                        x >>= np.uint64(8)
                        p += 8
                        continue
                    if x & np.uint64(1):
                        out[n] = p
                        n += 1
                    x >>= np.uint64(1)
                    p += 1
            r += 1
    return n
