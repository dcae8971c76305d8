"""A pitch track as medians of longer frames, and its rests."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from motifdb.kernels.cents import UNVOICED, millicents_from_hz
from motifdb.kernels.dtw_banded import REST
from motifdb.kernels.phrases import longest_frames


def frame_medians(
    f0_hz: NDArray[np.float32], hop_s: float, frame_s: float, max_gap_s: float
) -> NDArray[np.int32]:
    """Whole cents over 440 Hz for each frame of `frame_s`, `REST` where fewer than half of its values are voiced.

    Unvoiced gaps between two voiced values that last at most `max_gap_s` are bridged by a straight line in cents first. Of
    an even number of values the median is the lower of the two in the middle; halves of a cent go up.

    Parameters
    ----------
    f0_hz : float32, shape (n,), Hz
    hop_s, frame_s : time between values, length of a frame; at least one value a frame
    max_gap_s : longest gap that is bridged

    Returns
    -------
    int32, shape (floor(n * hop_s / frame_s),); value i lies in frame ``floor(i * hop_s / frame_s + 1e-6)``

    Examples
    --------
    >>> frame_medians(np.array([440, 440, 466.16, 0, 0, 440], dtype=np.float32), 0.01, 0.03, 0).tolist()
    [0, -2147483648]
    """
    millicents = millicents_from_hz(f0_hz)
    if max_gap_s > 0:
        _bridge(millicents, longest_frames(max_gap_s, hop_s))
    n_frames = int(f0_hz.size * hop_s / frame_s + 1e-6)
    return _medians(millicents, hop_s / frame_s, n_frames)  # type: ignore[no-any-return]


def rests_between(f0_hz: NDArray[np.float32], hop_s: float, min_rest_s: float) -> NDArray[np.float64]:
    """Beginning and end of each unvoiced stretch of at least `min_rest_s`, in seconds from the first value.

    The beginning and the end of the track are in a rest whatever lies there; there its length may be 0.

    Returns
    -------
    float64, shape (n_rests, 2), ascending

    Examples
    --------
    >>> rests_between(np.array([0, 220, 220, 0, 0, 220], dtype=np.float32), 0.5, 1.0).tolist()
    [[0.0, 0.5], [1.5, 2.5], [3.0, 3.0]]
    """
    is_voiced = millicents_from_hz(f0_hz) != UNVOICED
    steps = np.diff(np.concatenate(([True], is_voiced, [True])).astype(np.int8))
    first, end = np.flatnonzero(steps == -1), np.flatnonzero(steps == 1)
    is_kept = ((end - first) * hop_s >= min_rest_s - 1e-9) | (first == 0) | (end == is_voiced.size)
    first, end = first[is_kept], end[is_kept]
    if not first.size or first[0] > 0:
        first, end = np.append(0, first), np.append(0, end)
    if end[-1] < is_voiced.size:
        first, end = np.append(first, is_voiced.size), np.append(end, is_voiced.size)
    return np.column_stack([first, end]) * float(hop_s)


@numba.njit(cache=True, nogil=True)
def _bridge(millicents, max_gap):  # type: ignore[no-untyped-def]
    last = -1
    for i in range(millicents.size):
        if millicents[i] == UNVOICED:
            continue
        if last >= 0 and 1 < i - last <= max_gap + 1:
            low = np.float64(millicents[last])
            step = (np.float64(millicents[i]) - low) / (i - last)
            for k in range(last + 1, i):
                millicents[k] = np.int32(round(low + step * (k - last)))
        last = i


@numba.njit(cache=True, nogil=True)
def _medians(millicents, frames_per_value, n_frames):  # type: ignore[no-untyped-def]
    out = np.full(n_frames, REST, dtype=np.int32)
    held = np.empty(int(1.0 / frames_per_value) + 3, dtype=np.int32)
    i = 0
    for f in range(n_frames):
        n_values = 0
        n_voiced = 0
        while i < millicents.size and int(i * frames_per_value + 1e-6) == f:
            n_values += 1
            if millicents[i] != UNVOICED:
                held[n_voiced] = millicents[i]
                n_voiced += 1
            i += 1
        if n_voiced > 0 and 2 * n_voiced >= n_values:
            middle = np.sort(held[:n_voiced])[(n_voiced - 1) // 2]
            out[f] = np.int32(np.floor(middle / 1000.0 + 0.5))
    return out
