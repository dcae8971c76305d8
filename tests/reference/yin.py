"""YIN said plainly: one frame at a time, every difference written out, in single precision as the kernel."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray


def difference_function(
    signal: NDArray[np.float32], centre: int, hop: int, n_hops: int, n_lags: int
) -> NDArray[np.float32]:
    """Sum over the window around `centre` of (x[j - lag // 2] - x[j + (lag + 1) // 2])^2, hop after hop."""
    total = np.zeros(n_lags, dtype=np.float32)
    for c in range(n_hops):
        of_hop = np.zeros(n_lags, dtype=np.float32)
        for j in range(centre - n_hops * hop // 2 + c * hop, centre - n_hops * hop // 2 + (c + 1) * hop):
            for lag in range(n_lags):
                step = signal[j - lag // 2] - signal[j + (lag + 1) // 2]
                of_hop[lag] += step * step
        total += of_hop
    return total


def cumulative_mean_normalised(difference: NDArray[np.float32]) -> list[float]:
    """d'(lag) = d(lag) / mean of d(1..lag), d'(0) = 1; 1 where the mean is 0."""
    out = [1.0]
    for lag in range(1, difference.size):
        total = sum(float(d) for d in difference[1 : lag + 1])
        out.append(float(difference[lag]) * lag / total if total > 0 else 1.0)
    return out


def pick(
    difference: NDArray[np.float32], min_lag: int, max_lag: int, octave_cost: float
) -> tuple[float, float]:
    """Period and aperiodicity of the dip with the least depth + octave_cost log2(lag), the shortest of equals."""
    normalised = cumulative_mean_normalised(difference)
    dips = []
    for lag in range(min_lag, max_lag + 1):
        left, here, right = normalised[lag - 1 : lag + 2]
        if here < left and here <= right and here < 1:
            depth = here - (left - right) ** 2 / (8 * (left - 2 * here + right))
            before, at, after = (float(d) for d in difference[lag - 1 : lag + 2])
            bend = before - 2 * at + after
            shift = 0.5 * (before - after) / bend if bend > 0 else 0.0
            dips.append((depth + octave_cost * math.log2(lag), lag + min(max(shift, -1.0), 1.0), depth))
    if not dips:
        return 0.0, 1.0
    _, period, depth = min(dips, key=lambda dip: dip[0])
    return period, min(max(depth, 0.0), 1.0)


def yin(
    signal: NDArray[np.float32],
    *,
    n_frames: int,
    hop: int,
    n_hops: int,
    min_lag: int,
    max_lag: int,
    octave_cost: float,
) -> tuple[list[float], list[float], list[float]]:
    """Twin of `motifdb.kernels.yin.yin`."""
    margin = (max_lag + 1) // 2 + 1
    periods, aperiodicities, powers = [], [], []
    for frame in range(n_frames):
        start = margin + frame * hop
        difference = difference_function(signal, start + n_hops * hop // 2, hop, n_hops, max_lag + 2)
        period, aperiodicity = pick(difference, min_lag, max_lag, octave_cost)
        periods.append(period)
        aperiodicities.append(aperiodicity)
        powers.append(float(np.mean(signal[start : start + n_hops * hop].astype(np.float64) ** 2)))
    return periods, aperiodicities, powers
