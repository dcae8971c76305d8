"""Where a symbol can be put into a pattern without losing support: the backward checks of BIDE (Wang and Han 2004).

The i-th *maximum* period of a pattern in a sequence is the stretch between the first instance of its first i - 1 symbols and the last
place its i-th can take; the i-th *semi-maximum* period ends where the i-th stands last within the first instance. Both are read
from a pattern's end to its start, sequence by sequence, as masks of the symbols that stood in the period of every unit so far;
empty masks end the check. Entries, rows and tables are those of `motifdb.kernels.instances`.
"""

from __future__ import annotations

import numba
import numpy as np


@numba.njit(cache=True, nogil=True)
def unchanged_depth(row, parent, low, high, m, lowest, pattern, previous):  # type: ignore[no-untyped-def]
    """Depth up to which the semi-maximum periods are those of a prefix with the same sequences; 0 where there is none.

    `lowest` is the depth from which on the prefixes have the same sequences. If the last place of symbol i within the
    first instance is the end of the first i symbols' first instance, all periods up to i are those of that prefix.
    """
    depth = m
    for t in range(low, high):
        i = m
        q = np.int64(row[t])  # one position after the symbol, as rows are
        e = np.int64(parent[t])
        while True:
            i -= 1
            if i < lowest:
                return 0
            q = np.int64(previous[q - 1, pattern[i - 1]])
            if q == row[e]:
                break
            e = np.int64(parent[e])
        depth = min(depth, i)
    return depth


@numba.njit(cache=True, nogil=True)
def find_period(  # type: ignore[no-untyped-def]
    tables, is_semi, row, parent, low, high, known, pattern, m, alive, got
):
    """A symbol that stands in one same period, beyond the first `known`, of every unit.

    Parameters
    ----------
    is_semi : semi-maximum periods; the entries low..high - 1 are the pattern's. Else maximum ones, and the entries are those
        of the pattern without its last symbol, of which some go on to that symbol
    m : symbols of the pattern
    alive, got : uint8, shape (at least m * n_bytes,), to work in

    Returns
    -------
    period (0: before the first symbol) and symbol, -1 and -1 where there is none, and how many periods were looked at
    """
    following, previous, present = tables.following, tables.previous, tables.present
    n_bytes = present.shape[1]
    alive[known * n_bytes : m * n_bytes] = 255
    got[known * n_bytes : m * n_bytes] = 0
    work = 0
    bottom = known  # the lowest period that is not empty yet
    is_alone = is_semi or not tables.is_grouped
    is_held = False
    lowest = m
    for t in range(low, high):
        s = tables.sequence_at[row[t]]
        e = np.int64(t)
        if is_semi:
            q = np.int64(row[t]) - 1
            e = np.int64(parent[t])
        else:
            q = np.int64(previous[tables.sequence_end[s], pattern[m - 1]]) - 1
        if q >= row[e]:
            is_held = True
            i = m - 1
            while True:
                begin = np.int64(row[e])
                for w in range(n_bytes):
                    k = i * n_bytes + w
                    new = alive[k] & ~got[k] & present[begin, w]
                    fits = np.uint8(0)
                    if new:
                        work += 1
                        for j in range(8):
                            if (new >> j) & 1 and following[begin, 8 * w + j] <= q:
                                fits |= np.uint8(1 << j)
                    if is_alone:
                        alive[k] = fits
                        if fits:
                            lowest = i
                    else:
                        got[k] |= fits
                if i == bottom:
                    break
                q = np.int64(previous[q, pattern[i - 1]]) - 1
                e = np.int64(parent[e])
                i -= 1
        if not is_held:
            continue
        if not is_alone:
            if t + 1 < high and tables.unit_of[tables.sequence_at[row[t + 1]]] == tables.unit_of[s]:
                continue
            for k in range(m * n_bytes - 1, bottom * n_bytes - 1, -1):
                alive[k] = got[k]
                got[k] = 0
                if alive[k]:
                    lowest = k // n_bytes
        is_held = False
        bottom = lowest
        lowest = m
        if bottom == m:
            return -1, -1, work
    k = m * n_bytes - 1
    while alive[k] == 0:
        k -= 1
    j = 0
    while not (alive[k] >> j) & 1:
        j += 1
    return k // n_bytes, 8 * (k % n_bytes) + j, work


@numba.njit(cache=True, nogil=True)
def find_period_narrow(  # type: ignore[no-untyped-def]
    following, previous, present, sequence_at, sequence_end, row, parent, low, high, pattern, m, alive
):
    """`find_period` in maximum periods for at most 8 symbols where support counts sequences: a period's mask is one byte."""
    n_symbols = following.shape[1]
    alive[:m] = 255
    work = 0
    bottom = 0
    for t in range(low, high):
        e = np.int64(t)
        begin = np.int64(row[e])
        q = np.int64(previous[sequence_end[sequence_at[begin]], pattern[m - 1]]) - 1
        if q < begin:
            continue
        lowest = m
        i = m - 1
        while True:
            mask = alive[i]
            if mask:
                work += 1
                begin = np.int64(row[e])
                mask &= present[begin, 0]
                for j in range(n_symbols):
                    if (mask >> j) & 1 and following[begin, j] > q:
                        mask &= ~np.uint8(1 << j)
                alive[i] = mask
                if mask:
                    lowest = i
            if i == bottom:
                break
            i -= 1
            q = np.int64(previous[q, pattern[i]]) - 1
            e = np.int64(parent[e])
        bottom = lowest
        if bottom == m:
            return -1, -1, work
    i = m - 1
    while alive[i] == 0:
        i -= 1
    j = 0
    while not (alive[i] >> j) & 1:
        j += 1
    return i, j, work
