"""Dynamic time warping of a query against every window of a pitch track, each window at its own transposition.

**Definition.** Query q and window t both have n frames of whole cents. Of both its own rounded mean is subtracted (`centred`),
so that a transposition changes nothing. A *path* gives each frame j of the window one frame i(j) of the query, with

    i(j) - i(j - 1) in {0, 1, 2}    and    |i(j) - j| <= band,

so locally the window may run at half the speed or stand still, as long as it strays no further than the band (Sakoe and
Chiba, IEEE TASSP 26(1), 1978: asymmetric steps, adjustment window). Both ends are free within the band. The *cost* is the least sum over a path
of |t_j - q_i(j)|, and cost / n the distance: the mean difference in cents over the frames of the window.

**Numbers.** Cents are whole numbers within `MAX_CENTS`, held as float32. For windows of at most `MAX_FRAMES` frames every
sum below is a whole number less than 2**24, which float32 holds exactly: the same cost comes out whatever the order of
adding, and two ways to search agree to the last digit.

Windows are addressed by the place of their first frame in a *series* (frames of all tracks, one after the other).
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

MAX_CENTS = 6600.0
"""Pitch is clipped to 440 Hz -+ 5.5 octaves (9.7 Hz to 19.9 kHz)."""

MAX_FRAMES = 600
"""(6600 * 4) * 600 < 2**24: no sum of differences is rounded."""

ABANDONED = np.float32(1e9)
"""The cost of a window whose cost is above the limit."""

_PAD = np.float32(60_000.0)
"""Stands before and after the query: dearer than any frame of it, so no path ends up there."""

_FAST = {"nnan", "ninf", "nsz"}


def centred(cents: NDArray[np.float32]) -> NDArray[np.float32]:
    """Whole cents less their mean, rounded to a whole number (halves up).

    >>> centred(np.array([100, 200, 400], np.float32)).tolist()
    [-133.0, -33.0, 167.0]
    """
    mean = np.floor(cents.astype(np.float64).sum() / cents.size + 0.5)
    return np.asarray(cents - mean, np.float32)


def padded(query: NDArray[np.float32], band: int) -> NDArray[np.float32]:
    """The query between `band` frames of padding, as `cost_of` takes it."""
    edge = np.full(band, _PAD, np.float32)
    return np.concatenate([edge, query.astype(np.float32), edge])


@numba.njit(cache=True, nogil=True, fastmath=_FAST)  # no NaN here: minima may be vectorised
def cost_of(query, band, series, start, mean, limit, rest, row, other):  # type: ignore[no-untyped-def]
    """Cost of one window, `ABANDONED` as soon as it must be above `limit`.

    Parameters
    ----------
    query : float32[n + 2 band], from `padded`
    series : float32, whole cents
    start : first frame of the window
    mean : of the window, whole cents
    limit : float32
    rest : float32[n], a bound below what the frames after j cost
    row, other : float32[2 band + 3], overwritten

    Notes
    -----
    Cell k of a row stands for query frame i = j + k - band: cells k, k + 1 and k + 2 of the row before are the steps of 2, 1 and 0.
    """
    width = 2 * band + 1
    n = query.size - 2 * band
    row[:] = ABANDONED
    other[:] = ABANDONED
    first = series[start] - mean
    for k in range(width):
        row[k + 1] = abs(first - query[k])
    for j in range(1, n):
        t = series[start + j] - mean
        q = query[j : j + width]
        for k in range(width):
            best = min(min(row[k], row[k + 1]), row[k + 2])
            other[k + 1] = best + abs(t - q[k])
        row, other = other, row
        if j & 3 == 0:
            least = row[1]
            for k in range(2, width + 1):
                least = min(least, row[k])
            if least + rest[j] > limit:
                return ABANDONED
    least = row[1]
    for k in range(2, width + 1):
        least = min(least, row[k])
    return least if least <= limit else ABANDONED


@numba.njit(cache=True, nogil=True)
def window_means(series, start, n, run, out):  # type: ignore[no-untyped-def]
    """Rounded means of the windows of n frames that begin at `start`, `start` + 1, ... and running sums from `start` on.

    Parameters
    ----------
    run : float32, at least out.size + n long, overwritten: run[i] is the sum of the i frames from `start` on
    out : float32, the means

    Notes
    -----
    A quotient of whole numbers by n is no nearer to a half than 1 / 2n, or a half exactly: adding 0.5 rounds as it should.
    """
    run[0] = np.float32(0)
    total = np.float32(0)
    for i in range(out.size + n - 1):
        total += series[start + i]
        run[i + 1] = total
    for s in range(out.size):
        out[s] = np.floor(np.float64(run[s + n] - run[s]) / n + 0.5)


@numba.njit(cache=True, nogil=True)
def every_cost(query, band, series, first, out):  # type: ignore[no-untyped-def]
    """Cost of the windows that start at `first`, `first` + 1, ..., without any bound: plain dynamic time warping.

    Parameters
    ----------
    query : float32[n + 2 band], from `padded`
    out : float32, the costs, one for each window
    """
    n = query.size - 2 * band
    chunk = 256
    means, run = np.empty(chunk, np.float32), np.empty(chunk + n, np.float32)
    row, other = np.empty(2 * band + 3, np.float32), np.empty(2 * band + 3, np.float32)
    rest = np.zeros(n, np.float32)
    for begin in range(0, out.size, chunk):
        count = min(chunk, out.size - begin)
        window_means(series, first + begin, n, run, means[:count])
        for s in range(count):
            out[begin + s] = cost_of(
                query, band, series, first + begin + s, means[s], ABANDONED, rest, row, other
            )
