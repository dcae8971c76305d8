"""Sounds that are like a voice in what matters here: no two periods are the same."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def voice(duration_s: float, seed: int, f0_hz: float = 180.0) -> NDArray[np.float32]:
    """Harmonics of a pitch that wanders, each with a level that wanders too, 16 kHz, peak below 0.5."""
    rng = np.random.default_rng(seed)
    n = round(duration_s * 16000)
    knots = max(n // 200, 4)

    def wander(size: float) -> NDArray[np.float64]:
        steps = np.cumsum(rng.normal(0, size, knots))
        line = np.interp(np.arange(n), np.linspace(0, n, knots), steps - steps.mean())
        return np.asarray(line, dtype=np.float64)

    phase = 2 * np.pi * np.cumsum(f0_hz * 2 ** wander(0.02)) / 16000
    sound = sum(np.exp(wander(0.15)) * np.sin(k * phase + rng.uniform(0, 6)) / k for k in range(1, 9))
    sound = np.asarray(sound) + 0.01 * rng.standard_normal(n)
    return np.asarray(0.45 * sound / np.abs(sound).max(), dtype=np.float32)
