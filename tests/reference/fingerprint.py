"""Anchors and shared stretches, the slow and obvious way."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from motifdb.kernels import fingerprint as fp


def anchors(samples: NDArray[np.float32]) -> list[tuple[float, list[int]]]:
    """Place and code of each anchor: every sample is looked at on its own, sums in float64."""
    half = fp.WAVELET.size // 2
    x = {
        i: math.fsum(
            float(w) * float(s) for w, s in zip(fp.WAVELET, samples[i - half : i + half + 1], strict=True)
        )
        for i in range(half, len(samples) - half)
    }
    out = []
    for i in range(fp.MARGIN_SAMPLES, len(samples) - fp.MARGIN_SAMPLES):
        before = [x[j] for j in range(i - fp.PROMINENCE_SAMPLES, i)]
        after = [x[j] for j in range(i + 1, i + fp.PROMINENCE_SAMPLES + 1)]
        if x[i] <= fp.FLOOR or max(before) >= x[i] or max(after) > x[i]:
            continue
        a, b, c = x[i - 1], x[i], x[i + 1]
        shift = 0.5 * (a - c) / (a - 2 * b + c)
        height = b - 0.25 * (a - c) * shift
        out.append((i + shift, [_level(x, i + shift + offset, height) for offset in fp.OFFSETS]))
    return out


def _level(x: dict[int, float], at: float, height: float) -> int:
    """The cubic through two samples whose slopes are those of their neighbours, in levels of the height."""
    j = math.floor(at)
    u = at - j
    slope_1, slope_2 = (x[j + 1] - x[j - 1]) / 2, (x[j + 2] - x[j]) / 2
    value = (
        x[j] * (2 * u**3 - 3 * u**2 + 1)
        + slope_1 * (u**3 - 2 * u**2 + u)
        + x[j + 1] * (3 * u**2 - 2 * u**3)
        + slope_2 * (u**3 - u**2)
    )
    return max(-128, min(127, math.floor(fp.LEVELS * value / height + 0.5)))


def partners(
    one: list[tuple[float, list[int]]],
    other: list[tuple[float, list[int]]],
    shift: float,
    close: float,
    levels: float,
) -> int:
    """How many anchors of one have a partner in the other: each pair is looked at."""
    return sum(
        any(
            abs(q - p - shift) <= close and sum(abs(a - b) for a, b in zip(c, d, strict=True)) / 8 <= levels
            for q, d in other
        )
        for p, c in one
    )
