"""Banded dynamic time warping between melodies in whole cents, exact, with bounds that prune.

**Conventions.** A melody is an int32 array of whole cents, `REST` where nothing is sung. Two frames cost
``min(|a - b|, cap)`` cents where both are sung, `cap` where one is, and 0 where neither is: a wrong octave, or a
consonant that silences the voice for a frame, costs no more than any other wrong note.

**Distance.** Sakoe and Chiba's symmetric form (1978, section III): a step along one melody counts its cell once, a step along
both counts it twice, so that every path from corner to corner has the total weight ``n + m`` and the distance is
``total / (n + m)``: the mean cost in cents. A path stays where ``|i * m - j * n| <= band * max(n, m)`` for the frames
i of n and j of m, `band` in frames of the longer melody; ends always meet. Totals are whole numbers, so two
implementations agree to the last bit.

**Bound.** Each path enters each row once and each column once, and pays the cell for each entry. So the total is at least
the sum, over rows, of the least cost of the row inside the band, plus the same over columns: LB_Keogh (Keogh and Ratanamahatana,
2005) taken from both sides and added, which the symmetric weights allow.
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

REST = np.int32(-(2**31))
"""Stands where nothing is sung among whole cents."""

FAR = np.int64(2**62)
"""Total of an alignment that was given up or does not exist."""


@numba.njit(cache=True, nogil=True, inline="always")
def frame_cost(a, b, cap):  # type: ignore[no-untyped-def]
    """Cost of two frames in whole cents."""
    if a == REST or b == REST:
        return np.int64(0) if a == b else np.int64(cap)
    return min(abs(np.int64(a) - np.int64(b)), np.int64(cap))


@numba.njit(cache=True, nogil=True)
def band_range(i, n, m, band):  # type: ignore[no-untyped-def]
    """First and last column that row `i` may meet: ``|i * m - j * n| <= band * max(n, m)``, corners always in."""
    reach = band * max(n, m)
    first = max(0, -((reach - i * m) // n))
    last = min(m - 1, (i * m + reach) // n)
    if i == 0:
        first = 0
    if i == n - 1:
        last = m - 1
    return first, last


@numba.njit(cache=True, nogil=True)
def banded_total(x, y, band, cap, limit, above, here):  # type: ignore[no-untyped-def]
    """Least total of a path inside the band, or `FAR` once it must exceed `limit`.

    Parameters
    ----------
    x, y : int32, whole cents; not empty
    band : frames of the longer melody, at least 0
    cap : largest cost of a cell
    limit : greatest total that matters
    above, here : int64, shape (at least len(y) + 1,), work space
    """
    n = x.size
    m = y.size
    for j in range(m + 1):
        above[j] = FAR
        here[j] = FAR
    for i in range(n):
        first, last = band_range(i, n, m, band)
        here[first] = FAR  # the cell left of the band; index j + 1 holds column j
        least = FAR
        for j in range(first, last + 1):
            cost = frame_cost(x[i], y[j], cap)
            if i == 0 and j == 0:
                total = 2 * cost
            else:
                total = min(above[j] + 2 * cost, above[j + 1] + cost, here[j] + cost)
            here[j + 1] = total
            least = min(least, total)
        if least > limit:
            return FAR
        if last + 2 <= m:
            here[last + 2] = FAR  # the next row may look here
        above, here = here, above
    total = above[m]
    return total if total <= limit else FAR


def distance_cents(x: NDArray[np.int32], y: NDArray[np.int32], band: float, cap_cents: int) -> float:
    """Distance of two melodies in cents, as the module's text defines it.

    Parameters
    ----------
    x, y : int32, shape (n,) and (m,), whole cents or `REST`; not empty
    band : share of the longer melody; at least one frame
    cap_cents : largest cost of a frame

    Examples
    --------
    >>> distance_cents(np.array([0, 0, 200], np.int32), np.array([0, 200, 200], np.int32), 0.4, 300)
    0.0
    """
    work = np.empty((2, y.size + 1), dtype=np.int64)
    total = banded_total(x, y, band_frames(max(x.size, y.size), band), cap_cents, FAR, work[0], work[1])
    return float(total) / (x.size + y.size)


def band_frames(n_frames: int, band: float) -> int:
    """The band of a melody of `n_frames`: its share rounded down, at least one frame."""
    return max(1, int(band * n_frames + 1e-9))


@numba.njit(cache=True, nogil=True)
def envelope(cents, reach):  # type: ignore[no-untyped-def]
    """Lowest and highest note within `reach` frames of each frame; lowest above highest where nothing is sung there."""
    low = np.full(cents.size, np.int32(2**31 - 1), dtype=np.int32)
    high = np.full(cents.size, REST, dtype=np.int32)
    for i in range(cents.size):
        for j in range(max(0, i - reach), min(cents.size, i + reach + 1)):
            if cents[j] != REST:
                low[i] = min(low[i], cents[j])
                high[i] = max(high[i], cents[j])
    return low, high


@numba.njit(cache=True, nogil=True, inline="always")
def _entry_bound(a, low, high, has_rest, cap):  # type: ignore[no-untyped-def]
    """Least cost of frame `a` against any frame of an envelope; `low` and `high` in the pitch of `a`."""
    if a == REST:
        return np.int64(0) if has_rest else np.int64(cap)
    if low > high:
        return np.int64(cap)
    return min(max(np.int64(low) - a, a - np.int64(high), np.int64(0)), np.int64(cap))


@numba.njit(cache=True, nogil=True)
def near_rest(cents, reach):  # type: ignore[no-untyped-def]
    """Whether any frame within `reach` frames of each frame is a rest."""
    found = np.zeros(cents.size, dtype=np.bool_)
    last = -reach - 1
    for i in range(cents.size + reach):
        if i < cents.size and cents[i] == REST:
            last = i
        if i >= reach and i - last <= 2 * reach:
            found[i - reach] = True
    return found


@numba.njit(cache=True, nogil=True)
def places_within(query, line, starts, shifts, band, cap, limit, low, high, has_rest, use_bound):  # type: ignore[no-untyped-def]
    """Every start where a stretch as long as the query is within `limit` of it.

    Parameters
    ----------
    query : int32, shape (n,), whole cents or `REST`
    line : int32, whole cents or `REST`
    starts : int64, places to try, each with ``start + n <= len(line)``
    shifts : int64, as many: how much higher the place is taken to be sung than the query
    band : frames, as `band_frames` has it
    cap : largest cost of a frame
    limit : largest total, ``2 n`` times the distance
    low, high, has_rest : `envelope` and `near_rest` of the line with reach `band`
    use_bound : whether to prune; the answer is the same

    Returns
    -------
    indices into `starts` (int64), their totals (int64), and how many alignments were worked out
    """
    n = query.size
    found = np.empty(starts.size, dtype=np.int64)
    totals = np.empty(starts.size, dtype=np.int64)
    above = np.empty(n + 1, dtype=np.int64)
    here = np.empty(n + 1, dtype=np.int64)
    moved = np.empty(n, dtype=np.int32)
    query_low, query_high = envelope(query, band)
    query_rest = near_rest(query, band)
    n_found = 0
    n_aligned = 0
    for k in range(starts.size):
        first = starts[k]
        shift = shifts[k]
        if use_bound:
            bound = np.int64(0)
            for i in range(n):
                a = np.int64(query[i])
                if query[i] != REST:
                    a += shift
                bound += _entry_bound(a, low[first + i], high[first + i], has_rest[first + i], cap)
                b = np.int64(line[first + i])
                if line[first + i] != REST:
                    b -= shift
                bound += _entry_bound(b, query_low[i], query_high[i], query_rest[i], cap)
                if bound > limit:
                    break
            if bound > limit:
                continue
        for i in range(n):
            moved[i] = query[i] if query[i] == REST else np.int32(query[i] + shift)
        n_aligned += 1
        total = banded_total(moved, line[first : first + n], band, cap, limit, above, here)
        if total <= limit:
            found[n_found] = k
            totals[n_found] = total
            n_found += 1
    return found[:n_found], totals[:n_found], n_aligned


@numba.njit(cache=True, nogil=True)
def window_medians(line, starts, n):  # type: ignore[no-untyped-def]
    """Median note, the lower of two, of the `n` frames from each start; `REST` where nothing is sung."""
    out = np.full(starts.size, REST, dtype=np.int32)
    held = np.empty(n, dtype=np.int32)
    for k in range(starts.size):
        n_sung = 0
        for i in range(starts[k], starts[k] + n):
            if line[i] != REST:
                held[n_sung] = line[i]
                n_sung += 1
        if n_sung > 0:
            out[k] = np.sort(held[:n_sung])[(n_sung - 1) // 2]
    return out


@numba.njit(cache=True, nogil=True)
def pick_apart(own, starts, totals, n):  # type: ignore[no-untyped-def]
    """The query's own place, then by total each place that overlaps none taken before; ties by start."""
    kept = np.empty(starts.size + 1, dtype=np.int64)
    kept_totals = np.zeros(starts.size + 1, dtype=np.int64)
    kept[0] = own
    n_kept = 1
    for k in np.argsort(totals, kind="mergesort"):
        is_free = True
        for i in range(n_kept):
            if abs(starts[k] - kept[i]) < n:
                is_free = False
                break
        if is_free:
            kept[n_kept] = starts[k]
            kept_totals[n_kept] = totals[k]
            n_kept += 1
    return kept[:n_kept], kept_totals[:n_kept]
