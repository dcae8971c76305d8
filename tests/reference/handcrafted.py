"""Hand-crafted features the obvious way: one frame and one bin at a time."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from tests.reference.frontends import cosine_transform, hann, hertz_of_mel, mel_of_hertz


def vector(samples: list[float], rate_hz: int, n: int) -> NDArray[np.float64]:
    """Means and deviations over the frames of n samples, n / 4 apart."""
    samples = samples + [0.0] * max(0, n - len(samples))
    rows, before = [], None
    for begin in range(0, len(samples) - n + 1, n // 4):
        magnitude = np.abs(np.fft.rfft(np.array(samples[begin : begin + n]) * hann(n))).tolist()
        rows.append(frame(magnitude, before or magnitude, rate_hz))
        before = magnitude
    columns = list(zip(*rows, strict=True))
    means = [math.fsum(c) / len(c) for c in columns]
    deviations = [
        math.sqrt(math.fsum((v - m) ** 2 for v in c) / len(c)) for c, m in zip(columns, means, strict=True)
    ]
    return np.array(means + deviations)


def frame(magnitude: list[float], before: list[float], rate_hz: int) -> list[float]:
    """Chroma, MFCC, centroid, roll-off, flux of one frame."""
    n_bins = len(magnitude)
    hertz = [k * rate_hz / (2 * (n_bins - 1)) for k in range(n_bins)]
    chroma = [0.0] * 12
    for m, hz in zip(magnitude, hertz, strict=True):
        if 55 <= hz <= 5000:
            chroma[round(69 + 12 * math.log2(hz / 440)) % 12] += m**2
    loudest = max(chroma)
    chroma = [c / loudest if loudest else 0.0 for c in chroma]
    top = mel_of_hertz(rate_hz / 2)
    edges = [hertz_of_mel(top * i / 41) for i in range(42)]
    bands = []
    for low, middle, high in zip(edges, edges[1:], edges[2:], strict=False):
        weights = [max(0.0, min((hz - low) / (middle - low), (high - hz) / (high - middle))) for hz in hertz]
        bands.append(math.fsum(w * m**2 for w, m in zip(weights, magnitude, strict=True)))
    decibels = np.array([[10 * math.log10(max(b, 1e-10))] for b in bands])
    mfcc = cosine_transform(decibels, 13)[:, 0].tolist()
    total = math.fsum(magnitude)
    if not total:
        return [*chroma, *mfcc, 0.0, 0.0, 0.0]
    centroid = math.fsum(hz * m for hz, m in zip(hertz, magnitude, strict=True)) / total
    reached, roll_off = 0.0, 0.0
    for hz, m in zip(hertz, magnitude, strict=True):
        reached += m
        if reached >= 0.85 * total:
            roll_off = hz
            break
    ago = math.fsum(before)
    flux = math.sqrt(
        math.fsum((m / total - (b / ago if ago else 0)) ** 2 for m, b in zip(magnitude, before, strict=True))
    )
    return [*chroma, *mfcc, centroid, roll_off, flux]
