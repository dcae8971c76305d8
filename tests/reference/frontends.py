"""Front ends the obvious way: one window, one band, one column at a time, in double precision."""

from __future__ import annotations

import functools
import math

import numpy as np
from numpy.typing import NDArray

from motifdb.training.inputs.frontends import FrontEndConfig


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
    n, hop = config.window_samples, config.hop_samples
    around = np.concatenate([np.zeros(n), samples, np.zeros(n)])  # silence before and after
    hann = np.array([0.5 - 0.5 * math.cos(2 * math.pi * i / n) for i in range(n)])
    columns = []
    for t in range(1 + len(samples) // hop):
        begin = n + t * hop - n // 2
        columns.append(np.abs(np.fft.rfft(around[begin : begin + n] * hann, config.fft_samples)) ** 2)
    power = np.array(columns).T
    if config.kind != "spectrogram":
        power = band_weights(config) @ power
    rows: NDArray[np.float64] = np.log10(np.maximum(power, config.floor))
    if config.kind == "mfcc":
        rows = cosine_transform(rows, config.n_mfcc)
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
