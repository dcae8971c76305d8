"""Loudness and periodicity of frames, one lag at a time."""

from __future__ import annotations

import math


def measures(samples: list[float], rate_hz: int, n: int, hop: int) -> list[tuple[float, float]]:
    """RMS and greatest normalised autocorrelation over the lags of 60 to 1,000 Hz, of frames centred on multiples of `hop`."""
    found = []
    for t in range(1 + len(samples) // hop):
        first = t * hop - n // 2
        x = [samples[i] if 0 <= i < len(samples) else 0.0 for i in range(first, first + n)]
        energy = math.fsum(v * v for v in x)
        best = 0.0
        for lag in range(math.ceil(rate_hz / 1000), int(rate_hz / 60) + 1):
            a, b = x[:-lag], x[lag:]
            compared = math.fsum(v * v for v in a) * math.fsum(v * v for v in b)
            if compared > 1e-12 * energy**2:
                best = max(best, math.fsum(p * q for p, q in zip(a, b, strict=True)) / math.sqrt(compared))
        found.append((math.sqrt(energy / n), min(best, 1.0)))
    return found
