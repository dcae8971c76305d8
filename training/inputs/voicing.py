"""Which frames of a recording are sung, without a pitch tracker: two clusters of loudness and periodicity (siamese-2018).

siamese-2018 clusters the frames by k-means with K = 2 on RMS and the maximum of the normalised autocorrelation, calls the cluster with
the higher centre voiced, and keeps a clip of 256 columns when more than half of its frames are. Left open there, and chosen here:

- lags: those of 60 to 1,000 Hz (lag 0 is always 1); each product is divided by the energies of the two stretches it
  compares, so that a periodic sound has 1 at any lag;
- scope: a recording on its own, both numbers standardised over its frames; "higher" is the sum of the two;
- frames: columns of the damp front ends, 2,048 samples every 512 at 22,050 Hz, and as long elsewhere.

There are always two clusters: of a recording that is sung throughout, the softer part comes out as not voiced.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from motifdb.training.inputs.packed import FULL_SCALE, Packed, united

LOWEST_HZ, HIGHEST_HZ = 60.0, 1000.0
_FRAMES_AT_ONCE = 1024


def frame_lengths(sample_rate_hz: int) -> tuple[int, int]:
    """Samples of a frame and from one to the next.

    >>> frame_lengths(22_050), frame_lengths(16_000)
    ((2048, 512), (1488, 372))
    """
    hop = round(512 * sample_rate_hz / 22_050)
    return 4 * hop, hop


def voiced_frames(samples: NDArray[np.float32], sample_rate_hz: int) -> NDArray[np.bool_]:
    """Which frames of a recording are voiced.

    Parameters
    ----------
    samples : float, full scale 1, of a whole recording

    Returns
    -------
    bool [1 + n_samples // hop]; frame t is centred on sample t x hop, with zeros around the recording. Silence is never voiced.
    """
    return _voiced(frame_measures(samples, sample_rate_hz))


def voiced_share(
    packed: Packed, recording_ids: Sequence[str], rows: NDArray[np.int64] | None = None
) -> NDArray[np.float64]:
    """Which share of each clip's frames is voiced, 0 to 1; siamese-2018 keeps a clip above 0.5.

    The frames of all of a recording's clips are clustered together, those of clips that overlap once.

    Parameters
    ----------
    packed : clips at any rate
    recording_ids : of every clip
    rows : which clips; all where None. The others of a recording do not enter

    Returns
    -------
    float64 [n], in the order of `rows`.
    """
    chosen = np.arange(len(packed)) if rows is None else np.asarray(rows, np.int64)
    names = np.asarray(recording_ids, np.str_)[chosen]
    share = np.zeros(len(chosen))
    pcm = np.asarray(packed.pcm)
    for name in np.unique(names).tolist():
        own = np.flatnonzero(names == name)
        start, length = packed.start[chosen[own]], packed.length[chosen[own]]
        begin, end = united(start, start + length)
        measures = [
            frame_measures(pcm[a:b].astype(np.float32) / np.float32(FULL_SCALE), packed.sample_rate_hz)
            for a, b in zip(begin.tolist(), end.tolist(), strict=True)
        ]
        is_voiced = _voiced(np.concatenate(measures))
        first = np.cumsum([0, *(len(m) for m in measures)])
        _, hop = frame_lengths(packed.sample_rate_hz)
        stretch = np.searchsorted(begin, start, "right") - 1
        low = -(-(start - begin[stretch]) // hop)  # frames whose centres lie in the clip
        high = np.maximum((start + length - 1 - begin[stretch]) // hop, low)
        before = np.concatenate([np.zeros(1), np.cumsum(is_voiced)])
        base = first[stretch]
        high = np.minimum(high, first[stretch + 1] - 1 - base)
        low = np.minimum(low, high)
        share[own] = (before[base + high + 1] - before[base + low]) / (high - low + 1)
    return share


def frame_measures(samples: NDArray[np.float32], sample_rate_hz: int) -> NDArray[np.float64]:
    """RMS and greatest normalised autocorrelation of each frame: float64 [frames, 2]; of silence both are 0."""
    from scipy.fft import irfft, next_fast_len, rfft

    n, hop = frame_lengths(sample_rate_hz)
    lags = np.arange(max(1, int(np.ceil(sample_rate_hz / HIGHEST_HZ))), int(sample_rate_hz / LOWEST_HZ) + 1)
    n_frames = 1 + len(samples) // hop
    padded = np.zeros(n_frames * hop + n, np.float64)
    padded[n // 2 : n // 2 + len(samples)] = samples
    frames = np.lib.stride_tricks.sliding_window_view(padded, n)[: n_frames * hop : hop]
    width = next_fast_len(n + int(lags[-1]), real=True)
    found = np.zeros((n_frames, 2))
    for at in range(0, n_frames, _FRAMES_AT_ONCE):
        some = frames[at : at + _FRAMES_AT_ONCE]
        energy = np.concatenate([np.zeros((len(some), 1)), np.cumsum(some**2, 1)], 1)
        total = energy[:, -1]
        product = irfft(np.abs(rfft(some, width)) ** 2, width)[:, lags]
        # of the first n - lag samples and of the last n - lag
        compared = energy[:, n - lags] * (total[:, None] - energy[:, lags])
        is_there = compared > 1e-12 * total[:, None] ** 2
        ratio = np.divide(product, np.sqrt(compared), out=np.zeros_like(product), where=is_there)
        found[at : at + len(some), 0] = np.sqrt(total / n)
        found[at : at + len(some), 1] = np.clip(ratio.max(1), 0, 1)
    return found


def _voiced(measures: NDArray[np.float64]) -> NDArray[np.bool_]:
    """The cluster with the higher centre, of frames that are not silent."""
    sounds = measures[:, 0] > 0
    deviation = measures.std(0)
    if (deviation < 1e-9).any() or len(measures) < 2:  # all alike: nothing to tell apart
        return sounds
    from sklearn.cluster import KMeans

    scaled = (measures - measures.mean(0)) / deviation
    height = scaled.sum(1)
    ends = scaled[[int(height.argmin()), int(height.argmax())]]
    found = KMeans(2, init=ends, n_init=1, random_state=0).fit(scaled)
    high = int(found.cluster_centers_.sum(1).argmax())
    return np.asarray((found.labels_ == high) & sounds)
