"""Evidence of phrase boundaries in a melody: rests, and rests that come back with the metre.

Borders are counted as frames are: border i lies before frame i, and n frames have n + 1 borders.
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from motifdb.kernels.dtw_banded import REST

_CAP_CENTS = 200
_WHOLE_REST_S = 0.1
_SPREAD_S = 0.1


def rest_evidence(rests: NDArray[np.float64], n_frames: int, frame_s: float) -> NDArray[np.float64]:
    """How surely each border is at a rest: 1 inside a rest of 0.1 s or more, less for shorter, falling off around it.

    Parameters
    ----------
    rests : float64, shape (n_rests, 2), beginning and end in frames
    n_frames : frames of the melody
    frame_s : length of a frame

    Returns
    -------
    float64, shape (n_frames + 1,), 0 to 1: the share of 0.1 s that the rest lasts, times a Gaussian of the distance to
    the rest with a standard deviation of 0.1 s; the largest over all rests
    """
    out = np.zeros(n_frames + 1)
    reach = 6.0 * _SPREAD_S / frame_s
    for start, end in rests:
        strength = min(1.0, (end - start) * frame_s / _WHOLE_REST_S)
        near = np.arange(max(0, int(start - reach)), min(n_frames, int(end + reach)) + 1)
        away_s = np.maximum(0.0, np.maximum(start - near, near - end)) * frame_s
        np.maximum.at(out, near, strength * np.exp(-0.5 * (away_s / _SPREAD_S) ** 2))
    return out


def metre_frames(cents: NDArray[np.int32], frame_s: float) -> tuple[float, float]:
    """The period at which a melody comes back, and how clear it is.

    The cycle is the lag of 4 to 20 s, at most a third of the melody, at which frames differ least from those a lag
    later (mean over pairs of sung frames, 200 cents at most); it is halved until it is at most 4 s.

    Returns
    -------
    period in frames, and clearness: 1 less the least mean difference over the median of all lags; (0, 0) where the melody is too
    short or has no pair of sung frames
    """
    first = round(4.0 / frame_s)
    last = min(round(20.0 / frame_s), cents.size // 3)
    if last <= first:
        return 0.0, 0.0
    means = _lag_means(cents, first, last)
    median = float(np.median(means))
    best = int(np.argmin(means))
    if not 0 < median < np.inf:
        return 0.0, 0.0
    period = float(first + best)
    while period * frame_s > 4.0:
        period /= 2.0
    return period, 1.0 - float(means[best]) / median


@numba.njit(cache=True, nogil=True)
def _lag_means(cents, first, last):  # type: ignore[no-untyped-def]
    means = np.full(last - first + 1, np.inf)
    for lag in range(first, last + 1):
        total = 0
        n_pairs = 0
        for i in range(cents.size - lag):
            if cents[i] != REST and cents[i + lag] != REST:
                total += min(abs(int(cents[i]) - int(cents[i + lag])), _CAP_CENTS)
                n_pairs += 1
        if n_pairs > 0:
            means[lag - first] = total / n_pairs
    return means


@numba.njit(cache=True, nogil=True)
def metrical_evidence(evidence, period, n_periods, decay, slack):  # type: ignore[no-untyped-def]
    """Where in the metre a border lies: 1 where evidence comes back with it most within a period, 0 where least.

    Parameters
    ----------
    evidence : float64, one value a border
    period : borders, more than 1
    n_periods : how many periods to either side are listened to
    decay : weight of a period over that of the one nearer by
    slack : in another period the best border within so many counts

    Returns
    -------
    float64, as long
    """
    n = evidence.size
    widest = running_extreme(evidence, slack, True)
    folded = np.empty(n)
    for i in range(n):
        total = evidence[i]
        weights = 1.0
        for k in range(1, n_periods + 1):
            offset = int(np.round(k * period))
            if i - offset >= 0:
                total += decay**k * widest[i - offset]
                weights += decay**k
            if i + offset < n:
                total += decay**k * widest[i + offset]
                weights += decay**k
        folded[i] = total / weights
    half = int(period / 2)
    high = running_extreme(folded, half, True)
    low = running_extreme(folded, half, False)
    return (folded - low) / np.maximum(high - low, 1e-6)


@numba.njit(cache=True, nogil=True)
def running_extreme(values, reach, is_max):  # type: ignore[no-untyped-def]
    """Largest or smallest of the values within `reach` of each."""
    out = np.empty(values.size)
    for i in range(values.size):
        best = values[i]
        for j in range(max(0, i - reach), min(values.size, i + reach + 1)):
            best = max(best, values[j]) if is_max else min(best, values[j])
        out[i] = best
    return out


@numba.njit(cache=True, nogil=True)
def border_profile(evidence, first, n):  # type: ignore[no-untyped-def]
    """Mean evidence of several stretches of `n` frames at each of their n + 1 borders."""
    out = np.zeros(n + 1)
    for a in first:
        for i in range(n + 1):
            out[i] += evidence[a + i]
    return out / first.size


@numba.njit(cache=True, nogil=True)
def clashes(first, n, taken_first, taken_end, longest, share, slack):  # type: ignore[no-untyped-def]
    """Which stretches cannot stand beside those that are taken.

    Two stretches clash that share more than `share` of both durations; and two that share more than `slack` frames
    unless one contains the other to within `slack`.

    Parameters
    ----------
    first : int64, first frames of stretches of `n` frames
    taken_first, taken_end : int64, ascending by first frame, none longer than `longest`
    """
    out = np.zeros(first.size, dtype=np.bool_)
    for k in range(first.size):
        a = first[k]
        b = a + n
        i = np.searchsorted(taken_first, a - longest)
        while i < taken_first.size and taken_first[i] < b:
            c = taken_first[i]
            d = taken_end[i]
            common = min(b, d) - max(a, c)
            is_same = common > share * n and common > share * (d - c)
            is_inside = a >= c - slack and b <= d + slack
            is_around = c >= a - slack and d <= b + slack
            if is_same or (common > slack and not is_inside and not is_around):
                out[k] = True
                break
            i += 1
    return out
