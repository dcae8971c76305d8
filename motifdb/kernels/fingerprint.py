"""Anchors: moments in a sound that any copy of it has too, and what the sound around each is like.

The signal is smoothed with a Ricker wavelet (the second derivative of a Gaussian: a band of about an octave and a half
with no weight at 0 Hz and a short reach), and its prominent maxima are the anchors, about one a period of a voice. An
anchor's place comes from a parabola through three samples; its code is the smoothed waveform at eight moments around
it, relative to the anchor's height. Both are the same wherever a recording starts, whatever its gain, and nearly the
same after a lossy encoder, which keeps this band best. Two copies of one sound so have anchors at the same distances
from each other to a fraction of a sample, which two sounds, even two periods of one held vowel, have not for long.

The idea of matching landmarks by their distances is that of Wang, An industrial-strength audio search algorithm
(ISMIR 2003), which takes peaks of a spectrogram. Peaks of the waveform instead are our choice: clips of 40 ms are too
short for spectral peaks, and a place known to a fraction of a sample tells more than one known to a frame.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from motifdb.kernels.jit import kernel

VERSION = 1
"""Counts up when anchors of the same sound change."""

SAMPLE_RATE_HZ = 16000
"""Sample rate that everything here is meant for."""

CENTRE_HZ = 600.0
"""Frequency at which the wavelet weighs most."""

PROMINENCE_SAMPLES = 24
"""An anchor is the highest sample within this many on both sides: at most 16,000 / 25 anchors a second."""

FLOOR = 2.0**-10
"""Smoothed maxima below this (full scale: 1) are no anchors: there, rounding and encoders make their own."""

LEVELS = 64.0
"""Levels of a code per height of the anchor."""

PLACES = 65536.0
"""Places are told in this many parts of a sample: so few that adding the start of a block to one is exact."""

OFFSETS = np.array([-40.0, -28.0, -18.0, -9.0, 9.0, 18.0, 28.0, 40.0])
"""Moments of the code, in samples from the anchor."""


def _wavelet() -> NDArray[np.float32]:
    """The Ricker wavelet over four deviations, without mean, of gain 1 at its centre frequency."""
    deviation = SAMPLE_RATE_HZ / (np.sqrt(2) * np.pi * CENTRE_HZ)
    n = int(np.ceil(4 * deviation))
    t = np.arange(-n, n + 1)
    wavelet = (1 - (t / deviation) ** 2) * np.exp(-0.5 * (t / deviation) ** 2)
    wavelet -= wavelet.mean()
    wavelet /= np.sum(wavelet * np.cos(2 * np.pi * CENTRE_HZ / SAMPLE_RATE_HZ * t))
    return np.asarray(wavelet, dtype=np.float32)


WAVELET = _wavelet()
"""float32, odd length, symmetric."""

MARGIN_SAMPLES = WAVELET.size // 2 + int(OFFSETS[-1]) + 3
"""Samples that an anchor needs on both sides: wavelet, code, and the neighbours that interpolation reads."""


def anchors(samples: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Anchors of one stretch of sound.

    Parameters
    ----------
    samples : float32, shape (n,), mono at 16 kHz, full scale 1

    Returns
    -------
    position_samples : float64, shape (k,), rising, between `MARGIN_SAMPLES` and n - 1 - `MARGIN_SAMPLES`: what lies
        nearer to an end is not known well enough, so it is left out. They depend on the sound only: of a stretch
        that starts s samples later, they are s less.
    code : int64, shape (k,), eight int8 (the first in the lowest byte): the smoothed waveform at `OFFSETS` from the
        anchor, in 64ths of its height, from -128 to 127

    Examples
    --------
    >>> x = np.sin(2 * np.pi * 200 * np.arange(800) / 16000).astype(np.float32)
    >>> position_samples, code = anchors(x)
    >>> np.diff(position_samples).round(2).tolist()
    [80.0, 80.0, 80.0, 80.0, 80.0, 80.0, 80.0]
    >>> code[:1].view(np.int8)[3:5].tolist()
    [49, 49]
    """
    samples = np.ascontiguousarray(samples, dtype=np.float32)
    if samples.ndim != 1:
        raise ValueError(f"anchors: expected samples of shape (n,), got {samples.shape}")
    if samples.size <= 2 * MARGIN_SAMPLES:
        return np.zeros(0), np.zeros(0, dtype=np.int64)
    most = samples.size // (PROMINENCE_SAMPLES + 1) + 1
    position, code = np.empty(most), np.empty((most, OFFSETS.size), dtype=np.int8)
    smooth = _smoothed(samples, WAVELET)
    half = WAVELET.size // 2
    n = _find(smooth, MARGIN_SAMPLES - half, PROMINENCE_SAMPLES, FLOOR, OFFSETS, LEVELS, position, code)
    return position[:n] + half, code[:n].view(np.int64).reshape(n)


class Fingerprinter:
    """Anchors of a recording that comes in blocks: the same as of the whole, bit for bit.

    >>> x = np.random.default_rng(0).standard_normal(4000).astype(np.float32)
    >>> stream = Fingerprinter()
    >>> parts = [stream.push(x[:1500]), stream.push(x[1500:]), stream.finish()]
    >>> np.array_equal(np.concatenate([p for p, _ in parts]), anchors(x)[0])
    True
    """

    def __init__(self) -> None:
        self._held = np.zeros(0, dtype=np.float32)
        self._start = 0

    def push(self, block: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Take the next samples; the anchors that can be told now, positions from the start of the recording."""
        joined = np.concatenate([self._held, np.asarray(block, dtype=np.float32)])
        position, code = anchors(joined)
        position += self._start
        n_spent = max(joined.size - 2 * MARGIN_SAMPLES, 0)
        self._held = joined[n_spent:]
        self._start += n_spent
        return position, code

    def finish(self) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """After the last block; what is still held lies too near to the end to hold an anchor."""
        self._held = np.zeros(0, dtype=np.float32)
        return np.zeros(0), np.zeros(0, dtype=np.int64)


@kernel
def _smoothed(samples: NDArray[np.float32], wavelet: NDArray[np.float32]) -> NDArray[np.float32]:
    """Correlation with a symmetric wavelet, where it lies inside; each sum in one order, wherever a block starts."""
    half = wavelet.size // 2
    n = samples.size - 2 * half
    out: NDArray[np.float32] = wavelet[half] * samples[half : half + n]
    for k in range(half):
        weight = wavelet[k]
        for i in range(n):
            out[i] += weight * (samples[i + k] + samples[i + 2 * half - k])
    return out


@kernel
def _find(
    x: NDArray[np.float32],
    margin: int,
    prominence: int,
    floor: float,
    offsets: NDArray[np.float64],
    levels: float,
    position: NDArray[np.float64],
    code: NDArray[np.int8],
) -> int:
    """Fill in anchors; how many."""
    n = 0
    for i in range(margin, x.size - margin):
        if not (x[i] > floor and x[i] > x[i - 1] and x[i] >= x[i + 1]):
            continue
        is_highest = True
        for j in range(2, prominence + 1):
            if x[i - j] >= x[i] or x[i + j] > x[i]:
                is_highest = False
                break
        if not is_highest:
            continue
        before, here, after = np.float64(x[i - 1]), np.float64(x[i]), np.float64(x[i + 1])
        shift = 0.5 * (before - after) / (before - 2 * here + after)
        height = here - 0.25 * (before - after) * shift
        shift = np.floor(shift * PLACES + 0.5) / PLACES
        position[n] = i + shift
        for k in range(offsets.size):
            # Catmull-Rom through four neighbours: the band is narrow, so it errs by less than a level
            at = i + shift + offsets[k]
            j = int(np.floor(at))
            u = at - j
            a, b = np.float64(x[j - 1]), np.float64(x[j])
            c, d = np.float64(x[j + 1]), np.float64(x[j + 2])
            value = b + 0.5 * u * (c - a + u * (2 * a - 5 * b + 4 * c - d + u * (3 * (b - c) + d - a)))
            level = np.floor(levels * value / height + 0.5)
            code[n, k] = np.int8(min(max(level, -128.0), 127.0))
        n += 1
    return n
