"""Bounds below the cost of `motifdb.kernels.dtw`, so that most windows need no dynamic time warping at all.

**Envelope.** Frame j of a window meets a query frame at most `band` away, so their difference is at least the distance
of t_j from the interval [lower_j, upper_j] of the query there; the sum over j is at most the cost (LB_Keogh: Keogh and
Ratanamahatana, Knowl. Inf. Syst. 7, 2005).

**Coarse bound.** The sum of those distances over a segment of frames is at least the distance of the segment's sum of t from
the interval [sum of lower, sum of upper] (the envelope transform of Zhu and Shasha, SIGMOD 2003). With running sums that
takes a few steps for a whole segment, and the mean of the window comes from the same sums.

**Search.** Starts are taken in blocks. `block_bounds` gives the least coarse bound of each block; `refine` then visits blocks, and
in them only windows whose coarse bound, then envelope bound, then cost stay within a limit.
All sums are exact (see `dtw`), so no window is lost to rounding.
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from motifdb.kernels.dtw import ABANDONED, cost_of, window_means

SEGMENTS = 16
"""Of the coarse bound; frames left over by the division count for nothing, which keeps it a bound."""

BLOCK = 256
"""Starts in a block."""

_FAST = {"nnan", "ninf", "nsz"}


def envelope(query: NDArray[np.float32], band: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Least and greatest query frame within `band` of each.

    >>> [e.tolist() for e in envelope(np.array([0, 5, -3], np.float32), 1)]
    [[0.0, -3.0, -3.0], [5.0, 5.0, 5.0]]
    """
    edge = np.full(band, np.inf)
    windows = np.lib.stride_tricks.sliding_window_view
    lower = windows(np.concatenate([edge, query, edge]), 2 * band + 1).min(axis=1)
    upper = windows(np.concatenate([-edge, query, -edge]), 2 * band + 1).max(axis=1)
    return lower.astype(np.float32), upper.astype(np.float32)


def segment_sums(
    lower: NDArray[np.float32], upper: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32], int]:
    """Sums of both envelopes over each segment, and the frames of a segment."""
    size = lower.size // SEGMENTS
    if size == 0:
        size, n = 1, lower.size
    else:
        n = SEGMENTS
    low, high = (e[: n * size].reshape(n, size).sum(axis=1, dtype=np.float64) for e in (lower, upper))
    return low.astype(np.float32), high.astype(np.float32), size


@numba.njit(cache=True, nogil=True, fastmath=_FAST)
def _coarse(low, high, size, n, series, start, count, means, run, sums, out):  # type: ignore[no-untyped-def]
    """Coarse bounds of `count` windows from `start` on; `means`, `run` and `sums` are filled on the way."""
    window_means(series, start, n, run, means[:count])
    for s in range(count + (low.size - 1) * size):
        sums[s] = run[s + size] - run[s]
    length = np.float32(size)
    for s in range(count):
        out[s] = np.float32(0)
    for k in range(low.size):
        below, above = low[k], high[k]
        part = sums[k * size : k * size + count]
        for s in range(count):
            x = part[s] - length * means[s]
            out[s] += max(max(x - above, below - x), np.float32(0))


@numba.njit(cache=True, nogil=True)
def block_bounds(low, high, size, n, series, block_start, block_count, least, place):  # type: ignore[no-untyped-def]
    """The least coarse bound of each block of windows, and where it is.

    Parameters
    ----------
    low, high, size : from `segment_sums`
    n : frames of a window
    block_start, block_count : int64[m], first window of each block and how many it has (at most `BLOCK`)
    least : float32[m], the bounds
    place : int64[m], the windows
    """
    means, bounds = np.empty(BLOCK, np.float32), np.empty(BLOCK, np.float32)
    run, sums = np.empty(BLOCK + n, np.float32), np.empty(BLOCK + n, np.float32)
    for b in range(block_start.size):
        count = block_count[b]
        _coarse(low, high, size, n, series, block_start[b], count, means, run, sums, bounds)
        at = 0
        for s in range(1, count):
            if bounds[s] < bounds[at]:
                at = s
        least[b] = bounds[at]
        place[b] = block_start[b] + at


@numba.njit(cache=True, nogil=True)
def _is_beyond(lower, upper, series, start, mean, limit, rest):  # type: ignore[no-untyped-def]
    """Whether LB_Keogh is above the limit; if not, `rest` is what it says of the frames after each.

    It is added up from the end, so that warping, which goes forward, knows what is still to come (Rakthanmanon et al., KDD 2012).
    """
    total = np.float32(0)
    for j in range(lower.size - 1, -1, -1):
        rest[j] = total
        t = series[start + j] - mean
        total += max(max(t - upper[j], lower[j] - t), np.float32(0))
        if total > limit:
            return True
    return False


@numba.njit(cache=True, nogil=True)
def refine(  # type: ignore[no-untyped-def]
    query, band, lower, upper, low, high, size, series, block_start, block_count, limit, starts, costs, counts
):
    """Every window of some blocks whose cost is at most `limit`, with its cost.

    Parameters
    ----------
    query : float32[n + 2 band], from `dtw.padded`
    lower, upper : float32[n], from `envelope`
    low, high, size : from `segment_sums`
    block_start, block_count : int64[m], the blocks
    limit : float32
    starts, costs : int64 and float32, as long as the blocks have windows; filled from the front
    counts : int64[3], added to: windows within the coarse bound, within the envelope bound, and within the limit

    Returns
    -------
    How many were found.
    """
    n = lower.size
    means, bounds = np.empty(BLOCK, np.float32), np.empty(BLOCK, np.float32)
    run, sums = np.empty(BLOCK + n, np.float32), np.empty(BLOCK + n, np.float32)
    row, other = np.empty(2 * band + 3, np.float32), np.empty(2 * band + 3, np.float32)
    rest = np.empty(n, np.float32)
    n_found = 0
    for b in range(block_start.size):
        _coarse(low, high, size, n, series, block_start[b], block_count[b], means, run, sums, bounds)
        for s in range(block_count[b]):
            if bounds[s] > limit:
                continue
            counts[0] += 1
            start = block_start[b] + s
            if _is_beyond(lower, upper, series, start, means[s], limit, rest):
                continue
            counts[1] += 1
            cost = cost_of(query, band, series, start, means[s], limit, rest, row, other)
            if cost < ABANDONED:
                starts[n_found] = start
                costs[n_found] = cost
                n_found += 1
    counts[2] += n_found
    return n_found
