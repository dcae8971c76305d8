"""The plain twin of the source in `motifdb.kernels.synth`: one sine per harmonic."""

from __future__ import annotations

import math
from collections.abc import Sequence


def harmonics(phase: Sequence[float], n_harmonics: int, tilt: float) -> list[float]:
    """Sum over n of n ** -tilt * sin(n * phase)."""
    return [sum(n**-tilt * math.sin(n * p) for n in range(1, n_harmonics + 1)) for p in phase]
