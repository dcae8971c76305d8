"""A clip in 56 numbers that nobody learnt: what damp-2018 gives its SVM, and siamese-2018 its nearest neighbours.

Mean and deviation over a clip's frames of 12 chroma, 13 MFCC, spectral centroid, roll-off and flux (damp-2018, section on the
baseline; it names these five and no more). What is left open there:

- frames: 2,048 samples, hop 512, Hann at 22,050 Hz (93 ms), as its other input; elsewhere the power of two nearest in time, at least
  2,048. Only whole frames count; a shorter clip is one frame, filled up with zeros;
- chroma: power of the bins from 55 Hz to 5 kHz summed by nearest pitch class (A at 440 Hz), divided by the frame's greatest;
- MFCC: 40 bands on HTK's mel scale, 10 log10 of power with a floor of 1e-10, orthonormal cosine transform, coefficients 0 to 12;
- roll-off: the frequency below which 85 % of magnitude lies; centroid and flux of magnitude; flux: Euclidean distance to the
  frame before, after each is divided by its sum; one frame has none, so 0.

A silent frame has chroma, centroid, roll-off and flux 0. Everything but the mean of MFCC 0 is the same however loud the clip is, as far as
no band is at the floor.
"""

from __future__ import annotations

import functools
import math

import numpy as np
from numpy.typing import NDArray

from motifdb.training.inputs.packed import FULL_SCALE, Packed

N_CHROMA, N_MFCC, N_BANDS = 12, 13, 40
N_FEATURES = N_CHROMA + N_MFCC + 3
N_NUMBERS = 2 * N_FEATURES
"""Length of a vector: means, then deviations, of chroma (C first), MFCC, centroid and roll-off (Hz), flux."""

ROLL_OFF = 0.85
CHROMA_HZ = (55.0, 5000.0)
FLOOR = 1e-10
_FRAMES_AT_ONCE = 2048


def handcrafted(packed: Packed, rows: NDArray[np.int64] | None = None) -> NDArray[np.float32]:
    """The vectors of clips.

    Parameters
    ----------
    packed : the sound, at any rate; a gain is not used
    rows : which clips; all where None

    Returns
    -------
    float32 [n, 56], not standardised: whoever compares them does that, on what may be known.
    """
    chosen = np.arange(len(packed)) if rows is None else np.asarray(rows, np.int64)
    out = np.zeros((len(chosen), N_NUMBERS), np.float32)
    for i, row in enumerate(chosen.tolist()):
        frames = frame_features(packed.clip(row).astype(np.float64) / FULL_SCALE, packed.sample_rate_hz)
        out[i] = np.concatenate([frames.mean(0), frames.std(0)])
    return out


def frame_samples(sample_rate_hz: int) -> int:
    """Samples of a frame: the power of two nearest to 93 ms, at least 2,048.

    >>> [frame_samples(rate) for rate in (16_000, 22_050, 48_000)]
    [2048, 2048, 4096]
    """
    return int(max(2048, 2 ** round(math.log2(sample_rate_hz * 2048 / 22_050))))


def frame_features(samples: NDArray[np.float64], sample_rate_hz: int) -> NDArray[np.float64]:
    """The 28 features of each frame: float64 [frames, 28]."""
    n = frame_samples(sample_rate_hz)
    hop = n // 4
    if len(samples) < n:
        samples = np.concatenate([samples, np.zeros(n - len(samples))])
    frames = np.lib.stride_tricks.sliding_window_view(samples, n)[::hop]
    parts, before = [], None
    for begin in range(0, len(frames), _FRAMES_AT_ONCE):
        magnitude = np.abs(np.fft.rfft(frames[begin : begin + _FRAMES_AT_ONCE] * _tables(sample_rate_hz)[0]))
        parts.append(_features(magnitude, before, sample_rate_hz))
        before = magnitude[-1:]
    return np.concatenate(parts)


def _features(
    magnitude: NDArray[np.float64], before: NDArray[np.float64] | None, sample_rate_hz: int
) -> NDArray[np.float64]:
    """Features of consecutive frames; `before` is the magnitude of the frame before the first, if there is one."""
    _, hertz, classes, bands, cosines = _tables(sample_rate_hz)
    power = magnitude**2
    chroma = power @ classes.T
    chroma = _ratio(chroma, chroma.max(1, keepdims=True))
    mfcc = 10 * np.log10(np.maximum(power @ bands.T, FLOOR)) @ cosines.T
    total = magnitude.sum(1, keepdims=True)
    shares = _ratio(magnitude, total)
    centroid = shares @ hertz
    reached = np.cumsum(magnitude, 1) >= ROLL_OFF * total
    roll_off = np.where(total[:, 0] > 0, hertz[reached.argmax(1)], 0)
    first = shares[:1] if before is None else _ratio(before, before.sum(1, keepdims=True))
    flux = np.sqrt((np.diff(shares, axis=0, prepend=first) ** 2).sum(1))
    return np.concatenate([chroma, mfcc, np.stack([centroid, roll_off, flux], 1)], 1)


def _ratio(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """a / b, and 0 where b is."""
    return np.divide(a, b, out=np.zeros_like(a), where=b > 0)


Tables = tuple[
    NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]
]


@functools.cache
def _tables(sample_rate_hz: int) -> Tables:
    """Window [n], frequency of bins [bins], pitch classes [12, bins], bands [40, bins], cosines [13, 40]."""
    n = frame_samples(sample_rate_hz)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n) / n)
    hertz = np.arange(n // 2 + 1) * (sample_rate_hz / n)
    low, high = CHROMA_HZ
    is_in = (hertz >= low) & (hertz <= high)
    nearest = np.zeros(len(hertz), np.int64)
    nearest[is_in] = np.round(69 + 12 * np.log2(hertz[is_in] / 440)).astype(np.int64) % 12
    classes = ((nearest == np.arange(12)[:, None]) & is_in).astype(np.float64)
    top = 2595 * np.log10(1 + sample_rate_hz / 2 / 700)
    edges = 700 * (10 ** (np.linspace(0, top, N_BANDS + 2) / 2595) - 1)
    left, middle, right = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    bands = np.maximum(0, np.minimum((hertz - left) / (middle - left), (right - hertz) / (right - middle)))
    k, i = np.arange(N_MFCC)[:, None], np.arange(N_BANDS)
    cosines = np.cos(np.pi / N_BANDS * (i + 0.5) * k) * np.sqrt(2 / N_BANDS)
    cosines[0] *= np.sqrt(0.5)
    return tuple(np.asarray(a, np.float64) for a in (window, hertz, classes, bands, cosines))  # type: ignore[return-value]
