"""YIN: from a signal to a period per frame (de Cheveigne and Kawahara, JASA 111(4), 2002, steps 1 to 5).

Step 4 differs from the paper, which takes the first dip below an absolute threshold and, where noise keeps every dip
above, the deepest: often a multiple of the period. Here each octave of lag costs a constant, as in Boersma's
autocorrelation method (IFA Proceedings 17, 1993), which has the same preference for short periods at any noise level.

Two choices make it fast without an FFT. The integration window is a whole number of hops, so the squared
differences of one hop are summed once and shared by every frame that covers it. And both samples of a
difference move apart from the same centre (x[j - lag/2] and x[j + lag/2]), so a frame describes one moment
whatever the period is, and the inner loop runs over lags: each lag's sum is taken in the order of time, on
any machine, which makes blocks of a stream equal to the whole bit for bit.
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray


def margin_samples(max_lag: int) -> int:
    """Samples that `yin` reads on each side beyond the integration window of a frame."""
    return (max_lag + 1) // 2 + 1


def yin(
    signal: NDArray[np.float32],
    *,
    n_frames: int,
    hop: int,
    n_hops: int,
    min_lag: int,
    max_lag: int,
    octave_cost: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float32]]:
    """Period, aperiodicity and power of each frame.

    Parameters
    ----------
    signal : float32, shape ((n_frames - 1 + n_hops) hop + 2 `margin_samples(max_lag)`,); the centre of frame i
        is sample i hop + n_hops hop / 2 + margin
    n_frames : how many frames
    hop : samples between frames
    n_hops : length of the integration window in hops
    min_lag, max_lag : range of the period in samples, 2 <= min_lag < max_lag
    octave_cost : the dip with the least depth + octave_cost log2(lag) is taken, so one an octave lower must be
        this much deeper; 0 takes the deepest

    Returns
    -------
    period : float64, shape (n_frames,), in samples; 0 where there is no dip, as in silence
    aperiodicity : float64, shape (n_frames,), 0 (periodic) to about 1; 1 where there is no dip
    power : float32, shape (n_frames,), mean square over the integration window

    Raises
    ------
    ValueError
        for a signal of another length, or lags out of order.

    Examples
    --------
    >>> x = np.sin(2 * np.pi * np.arange(2000) / 50).astype(np.float32)
    >>> n = 5
    >>> period, aperiodicity, power = yin(
    ...     x[: (n - 1 + 3) * 160 + 2 * margin_samples(200)],
    ...     n_frames=n, hop=160, n_hops=3, min_lag=10, max_lag=200, octave_cost=0.1)
    >>> period.round(2).tolist()
    [50.0, 50.0, 50.0, 50.0, 50.0]
    """
    if not 2 <= min_lag < max_lag:
        raise ValueError(f"yin: expected 2 <= min_lag < max_lag, got {min_lag} and {max_lag}")
    if n_frames < 0 or hop < 1 or n_hops < 1:
        raise ValueError(
            f"yin: expected n_frames >= 0, hop >= 1, n_hops >= 1, got {n_frames}, {hop}, {n_hops}"
        )
    expected = (n_frames - 1 + n_hops) * hop + 2 * margin_samples(max_lag)
    if n_frames and signal.shape != (expected,):
        raise ValueError(f"yin: expected a signal of shape ({expected},), got {signal.shape}")
    signal = np.ascontiguousarray(signal, dtype=np.float32)
    period = np.zeros(n_frames)
    aperiodicity = np.ones(n_frames)
    power = np.zeros(n_frames, dtype=np.float32)
    if n_frames:
        _yin(
            signal,
            signal[::-1].copy(),
            hop,
            n_hops,
            min_lag,
            max_lag,
            octave_cost,
            period,
            aperiodicity,
            power,
        )
    return period, aperiodicity, power


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _hop_difference(signal, mirrored, start, hop, even, odd):  # type: ignore[no-untyped-def]
    """Step 1 and 2 over one hop: even[k] is the sum of (x[j-k] - x[j+k])^2, odd[k] of (x[j-k] - x[j+k+1])^2."""
    even[:] = 0.0
    odd[:] = 0.0
    n = signal.size
    n_half = even.size
    power = np.float32(0.0)
    for j in range(start, start + hop):
        # mirrored[n - 1 - i] is signal[i]: both operands ascend with k, so the loop is plain vector arithmetic
        back = mirrored[n - 1 - j : n - 1 - j + n_half]
        forth = signal[j : j + n_half + 1]
        for k in range(n_half):
            e = back[k] - forth[k]
            o = back[k] - forth[k + 1]
            even[k] += e * e
            odd[k] += o * o
        power += signal[j] * signal[j]
    return power


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _pick(difference, normalised, min_lag, max_lag, octave_cost):  # type: ignore[no-untyped-def]
    """Steps 4 and 5 on one frame: (period, aperiodicity)."""
    best_period = 0.0
    best_depth = 1.0
    best_cost = np.inf
    for lag in range(min_lag, max_lag + 1):
        left, here, right = normalised[lag - 1], normalised[lag], normalised[lag + 1]
        if not (here < left and here <= right and here < 1.0):
            continue
        depth = here - (left - right) ** 2 / (8.0 * (left - 2.0 * here + right))
        cost = depth + octave_cost * np.log2(lag)
        if cost < best_cost:
            best_cost = cost
            best_depth = depth
            # the abscissa is read off the plain difference: normalising bends its dips (paper, step 5)
            before, at, after = (
                np.float64(difference[lag - 1]),
                np.float64(difference[lag]),
                np.float64(difference[lag + 1]),
            )
            bend = before - 2.0 * at + after
            shift = 0.5 * (before - after) / bend if bend > 0.0 else 0.0
            best_period = lag + min(max(shift, -1.0), 1.0)
    return best_period, min(max(best_depth, 0.0), 1.0)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _yin(  # type: ignore[no-untyped-def]
    signal, mirrored, hop, n_hops, min_lag, max_lag, octave_cost, period, aperiodicity, power
):
    n_half = (max_lag + 1) // 2 + 1
    margin = n_half
    even = np.zeros((n_hops, n_half), dtype=np.float32)  # a ring: row c % n_hops holds hop c
    odd = np.zeros((n_hops, n_half), dtype=np.float32)
    hop_power = np.zeros(n_hops, dtype=np.float32)
    difference = np.zeros(2 * n_half, dtype=np.float32)
    normalised = np.ones(2 * n_half)
    for c in range(period.size + n_hops - 1):
        row = c % n_hops
        hop_power[row] = _hop_difference(signal, mirrored, margin + c * hop, hop, even[row], odd[row])
        frame = c - n_hops + 1
        if frame < 0:
            continue
        difference[:] = 0.0
        total_power = np.float32(0.0)
        for i in range(n_hops):
            r = (frame + i) % n_hops
            total_power += hop_power[r]
            for k in range(n_half):
                difference[2 * k] += even[r, k]
                difference[2 * k + 1] += odd[r, k]
        power[frame] = total_power / np.float32(n_hops * hop)
        total = 0.0  # step 3: the cumulative mean
        for lag in range(1, max_lag + 2):
            total += np.float64(difference[lag])
            normalised[lag] = np.float64(difference[lag]) * lag / total if total > 0.0 else 1.0
        period[frame], aperiodicity[frame] = _pick(difference, normalised, min_lag, max_lag, octave_cost)
