"""Front ends the obvious way: one window, one band, one column at a time, in double precision."""

from __future__ import annotations

import functools
import math

import numpy as np
from numpy.typing import NDArray

from motifdb.training.inputs.front_end_config import FrontEndConfig


def hertz_of_mel(mel: float) -> float:
    return 700.0 * (math.pow(10.0, mel / 2595.0) - 1.0)


def mel_of_hertz(hertz: float) -> float:
    return 2595.0 * math.log10(1.0 + hertz / 700.0)


@functools.cache
def band_weights(config: FrontEndConfig) -> NDArray[np.float64]:
    """Triangles over the bins, evenly spaced in mel from 0 Hz to half the sample rate, each of height 1: [bands, bins]."""
    top = mel_of_hertz(config.sample_rate_hz / 2)
    edges = [hertz_of_mel(top * i / (config.n_bands + 1)) for i in range(config.n_bands + 2)]
    weights = np.zeros((config.n_bands, config.fft_samples // 2 + 1))
    for band in range(config.n_bands):
        low, middle, high = edges[band : band + 3]
        for k in range(weights.shape[1]):
            hertz = k * config.sample_rate_hz / config.fft_samples
            weights[band, k] = max(0.0, min((hertz - low) / (middle - low), (high - hertz) / (high - middle)))
    return weights


def cosine_transform(rows: NDArray[np.float64], n: int) -> NDArray[np.float64]:
    """The first n coefficients of the orthonormal DCT-II of each column."""
    size = len(rows)
    out = np.zeros((n, rows.shape[1]))
    for k in range(n):
        cosine = [math.cos(math.pi / size * (i + 0.5) * k) for i in range(size)]
        out[k] = math.sqrt((1 if k == 0 else 2) / size) * (cosine @ rows)
    return out


def features(samples: NDArray[np.float64], config: FrontEndConfig) -> NDArray[np.float64]:
    """Rows of one clip before standardisation: [n_rows, columns]."""
    if config.kind == "mel-db":
        rows = mel_decibels(samples, config)
    elif config.kind == "cqt-db":
        rows = constant_q_decibels(samples, config)
    elif config.kind.startswith("l3-"):
        rows = l3_decibels(samples, config)
    else:
        rows = speech_rows(samples, config)
    if config.pad_to is not None:
        rows = rows[:, : config.pad_to]
    if config.remove_mean:
        rows = rows - rows.mean(axis=1, keepdims=True)
    for k in range(0 if config.remove_mean else config.remove_cosines):
        if config.kind == "mfcc":
            rows[k] -= rows[k].mean()
        else:
            cosine = np.array([math.cos(math.pi / len(rows) * (i + 0.5) * k) for i in range(len(rows))])
            cosine /= math.sqrt((cosine**2).sum())
            rows = rows - (cosine @ rows.mean(axis=1)) * cosine[:, None]
    return rows


def hann(n: int) -> NDArray[np.float64]:
    """The periodic window."""
    return np.array([0.5 - 0.5 * math.cos(2 * math.pi * i / n) for i in range(n)])


def windows(samples: NDArray[np.float64], first: list[int], n: int) -> NDArray[np.float64]:
    """Stretches of n samples from each of `first`, with silence around the clip: [stretches, n]."""
    around = np.concatenate([np.zeros(n), samples, np.zeros(n)])
    return np.array([around[n + a : n + a + n] for a in first])


def mel_decibels(samples: NDArray[np.float64], config: FrontEndConfig) -> NDArray[np.float64]:
    """damp-2018: magnitude in bands, squared, in dB of a full-scale sine, cut at -60, plus 60."""
    n, hop = config.window_samples, config.hop_samples
    window = hann(n) * 2 / hann(n).sum()
    first = [t * hop - n // 2 for t in range(1 + len(samples) // hop)]
    magnitude = np.abs(np.fft.rfft(windows(samples, first, n) * window, config.fft_samples)).T
    power = (band_weights(config) @ magnitude) ** 2
    return np.asarray(np.maximum(10 * np.log10(np.maximum(power, 1e-12)), -60) + 60)


def constant_q_decibels(samples: NDArray[np.float64], config: FrontEndConfig) -> NDArray[np.float64]:
    """Inner products with one windowed tone after the other: 24 bins an octave from C2, 34.1 periods each."""
    rows = []
    for k in range(config.n_bands):
        hz = 440.0 * 2 ** ((36 - 69) / 12) * 2 ** (k / 24)
        n = round(config.sample_rate_hz / hz / (2 ** (1 / 24) - 1))
        tone = np.exp(-2j * math.pi * hz / config.sample_rate_hz * (np.arange(n) - n // 2))
        window = hann(n) * 2 / hann(n).sum()
        first = [t * config.hop_samples - n // 2 for t in range(1 + len(samples) // config.hop_samples)]
        power = np.abs(windows(samples, first, n) @ (tone * window)) ** 2
        rows.append(np.maximum(10 * np.log10(np.maximum(power, 1e-12)), -60) + 60)
    return np.array(rows)


def l3_decibels(samples: NDArray[np.float64], config: FrontEndConfig) -> NDArray[np.float64]:
    """l3-2019: decibels of magnitude below the clip's loudest bin; windows that lie in the clip, or one for each begun hop."""
    n, hop, size = config.window_samples, config.hop_samples, len(samples)
    if config.kind == "l3-linear":
        first = list(range(0, max(size - n, 0) + 1, hop))
    else:
        columns = math.ceil(size / hop)
        before = max((columns - 1) * hop + n - size, 0) // 2
        first = [t * hop - before for t in range(columns)]
    power = np.abs(np.fft.rfft(windows(samples, first, n) * hann(n))).T ** 2
    if config.kind != "l3-linear":
        top = mel_of_hertz(config.sample_rate_hz / 2)
        edges = [hertz_of_mel(top * i / (config.n_bands + 1)) for i in range(config.n_bands + 2)]
        widths = np.array([edges[i + 2] - edges[i] for i in range(config.n_bands)])
        power = (band_weights(config) * (2 / widths)[:, None]) @ power
    decibels = 10 * np.log10(np.maximum(np.sqrt(power), 1e-10))
    return np.asarray(np.maximum(decibels - decibels.max(), -80))


def speech_rows(samples: NDArray[np.float64], config: FrontEndConfig) -> NDArray[np.float64]:
    """sid-2020, style-2021: log10 of power in bands or bins, and its cosine transform."""
    n, hop = config.window_samples, config.hop_samples
    around = np.concatenate([np.zeros(n), samples, np.zeros(n)])  # silence before and after
    window = hann(n)
    columns = []
    for t in range(1 + len(samples) // hop):
        begin = n + t * hop - n // 2
        columns.append(np.abs(np.fft.rfft(around[begin : begin + n] * window, config.fft_samples)) ** 2)
    power = np.array(columns).T
    if config.kind != "spectrogram":
        power = band_weights(config) @ power
    rows: NDArray[np.float64] = np.log10(np.maximum(power, config.floor))
    if config.kind == "mfcc":
        rows = cosine_transform(rows, config.n_mfcc)
    return rows
