"""Exact univariate k-means over a histogram of cents, by dynamic programming.

sid-2020 (section 2) clusters all f0 values of its corpus with an exact one-dimensional k-means. In one dimension the
best clusters are stretches of the sorted values, so the best split of the first j values into c clusters is the best
split of the first i into c - 1 plus one cluster i..j (Wang and Song, "Ckmeans.1d.dp", R Journal 3(2), 2011). The best i
never moves left as j grows, which lets a row be filled by halving: O(k n log n) for n distinct values.

A corpus streams through as a histogram: cents are counted in bins of `BIN_CENTS` on a fixed grid, histograms are added
up, and n is at most `N_BINS` however many recordings there are.
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import ArrayLike, NDArray

from motifdb.errors import UsageError
from motifdb.kernels.cents import UNVOICED, millicents_from_hz

BIN_CENTS = 1
"""Width of a bin; bin b holds the cents that round to ``LOWEST_CENTS + b``."""
LOWEST_CENTS = -6000
"""Centre of the first bin over 440 Hz, 13.75 Hz; what is lower counts there."""
HIGHEST_CENTS = 6000
"""Centre of the last bin, 14,080 Hz; what is higher counts there."""
N_BINS = (HIGHEST_CENTS - LOWEST_CENTS) // BIN_CENTS + 1


def cents_histogram(
    f0_hz: ArrayLike, confidence: ArrayLike | None = None, min_confidence: float = 0.0
) -> NDArray[np.int64]:
    """Count the voiced frames of a track in bins of one cent; histograms of several tracks are added up.

    Parameters
    ----------
    f0_hz : float, shape (n_frames,), Hz
    confidence, min_confidence : as in `motifdb.kernels.cents.millicents_from_hz`

    Returns
    -------
    int64, shape (N_BINS,), frames in each bin

    Examples
    --------
    >>> counts = cents_histogram([440.0, 440.0, 0.0, 880.0]) + cents_histogram([440.0])
    >>> [(int(b) + LOWEST_CENTS, int(counts[b])) for b in counts.nonzero()[0]]
    [(0, 3), (1200, 1)]
    """
    return histogram_of_millicents(millicents_from_hz(f0_hz, confidence, min_confidence))


def histogram_of_millicents(millicents: NDArray[np.int32]) -> NDArray[np.int64]:
    """`cents_histogram` of pitches that are thousandths of a cent already; `UNVOICED` is not counted."""
    counts = np.zeros(N_BINS, dtype=np.int64)
    _count(millicents, counts)
    return counts


def fit_kmeans(histogram: NDArray[np.int64], k: int) -> NDArray[np.float64]:
    """Centres of the k clusters with the least sum of squared distances, over a histogram of cents.

    Among equally good clusterings the one whose last boundary lies furthest left is taken, then the last but one, and so
    on: the same histogram gives the same centres everywhere.

    Parameters
    ----------
    histogram : int64, shape (N_BINS,), from `cents_histogram`
    k : 1 or more; with fewer distinct bins than k, each is a cluster of its own

    Returns
    -------
    float64, shape (min(k, n_distinct),), cents over 440 Hz, ascending, rounded to 0.001; empty for an empty histogram

    Raises
    ------
    UsageError
        for a k below 1 or a histogram on another grid.

    Examples
    --------
    >>> fit_kmeans(cents_histogram([440.0, 441.0, 880.0, 882.0]), 2).tolist()
    [2.0, 1202.0]
    """
    if k < 1:
        raise UsageError(f"k must be 1 or more clusters, got {k}")
    if histogram.shape != (N_BINS,):
        raise UsageError(f"a histogram of cents has {N_BINS} bins, got an array of shape {histogram.shape}")
    bins = np.flatnonzero(histogram)
    if bins.size == 0:
        return np.empty(0, dtype=np.float64)
    values = bins * BIN_CENTS + LOWEST_CENTS
    weights = histogram[bins].astype(np.int64)
    starts = cluster_starts(values.astype(np.float64), weights, min(k, bins.size))
    sums = np.add.reduceat(values * weights, starts)
    return np.round(sums / np.add.reduceat(weights, starts), 3)


def cluster_starts(values: NDArray[np.float64], weights: NDArray[np.int64], k: int) -> NDArray[np.int64]:
    """Where the clusters of the exact k-means begin, as indices into the sorted values.

    Parameters
    ----------
    values : float64, shape (n,), ascending, distinct
    weights : int64, shape (n,), more than 0
    k : 1 to n

    Returns
    -------
    int64, shape (k,), ascending, the first 0
    """
    # Sums of squares around the mean of all lose the fewest digits; a cluster's cost is a difference of such sums.
    x = values - np.average(values, weights=weights)
    w0 = np.concatenate(([0.0], np.cumsum(weights.astype(np.float64))))
    w1 = np.concatenate(([0.0], np.cumsum(weights * x)))
    w2 = np.concatenate(([0.0], np.cumsum(weights * x * x)))
    starts: NDArray[np.int64] = _split(w0, w1, w2, k)
    return starts


@numba.njit(cache=True, nogil=True)
def _count(millicents, counts):  # type: ignore[no-untyped-def]
    bin_width = 1000 * BIN_CENTS
    for x in millicents:
        if x != UNVOICED:
            # floor((x + half a bin) / bin): a whole number of thousandths, so half a bin rounds up everywhere
            b = (np.int64(x) + bin_width // 2) // bin_width - LOWEST_CENTS // BIN_CENTS
            counts[min(max(b, 0), counts.size - 1)] += 1


@numba.njit(cache=True, nogil=True, inline="always")
def _cost(w0, w1, w2, i, j):  # type: ignore[no-untyped-def]
    """Sum of squared distances of the values i..j-1 from their mean."""
    s = w1[j] - w1[i]
    cost = (w2[j] - w2[i]) - s * s / (w0[j] - w0[i])
    return max(cost, 0.0)  # rounding may take it below


@numba.njit(cache=True, nogil=True)
def _split(w0, w1, w2, k):  # type: ignore[no-untyped-def]
    n = w0.size - 1
    last_start = np.zeros(
        (k, n + 1), dtype=np.int32
    )  # row c: where the last of c + 1 clusters of the first j begins
    best = np.zeros(n + 1)
    for j in range(1, n + 1):
        best[j] = _cost(w0, w1, w2, 0, j)
    stack = np.empty((64, 4), dtype=np.int64)
    for c in range(1, k):
        row = np.zeros(n + 1)
        depth = 0
        stack[0] = np.array((c + 1, n, c, n - 1))
        depth = 1
        while depth > 0:
            depth -= 1
            j_low, j_high, i_low, i_high = stack[depth]
            j = (j_low + j_high) // 2
            least = np.inf
            where = i_low
            for i in range(i_low, min(i_high, j - 1) + 1):
                total = best[i] + _cost(w0, w1, w2, i, j)
                if total < least:
                    least = total
                    where = i
            row[j] = least
            last_start[c, j] = where
            if j < j_high:
                stack[depth] = np.array((j + 1, j_high, where, i_high))
                depth += 1
            if j > j_low:
                stack[depth] = np.array((j_low, j - 1, i_low, where))
                depth += 1
        best = row
    starts = np.zeros(k, dtype=np.int64)
    end = np.int64(n)
    for c in range(k - 1, 0, -1):
        end = np.int64(last_start[c, end])
        starts[c] = end
    return starts
