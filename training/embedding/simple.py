"""Vectors that nothing was learnt for: what a learnt one has to beat."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from motifdb.training.extras import need
from motifdb.training.inputs.packed import Packed


class LogMelStatistics:
    """Mean and deviation of each log-mel band over all of the sound (`motifdb.training.scores.statistics`)."""

    name = "log-mel-stats"
    sample_rate_hz = 16_000
    window_s = hop_s = None
    is_voiced_only = False

    def __init__(self, device: str = "auto") -> None:
        need("torch")
        from motifdb.training.scores.statistics import N_STATISTICS

        self.n_dims: int = N_STATISTICS

    def embed(self, packed: Packed, rows: NDArray[np.int64] | None = None) -> NDArray[np.float32]:
        """See `motifdb.training.embedding.base.Embedder.embed`."""
        from motifdb.training.scores.statistics import log_mel_statistics

        return log_mel_statistics(packed, rows)

    def config(self) -> dict[str, Any]:
        """The name says all."""
        return {"model": self.name, "version": 1, "metric": "standardised"}


class HandCrafted:
    """damp-2018's baseline vector (`motifdb.training.inputs.handcrafted`), over all of the sound."""

    name = "hand-crafted"
    window_s = hop_s = None
    is_voiced_only = False

    def __init__(self, device: str = "auto", sample_rate_hz: int = 16_000) -> None:
        self.sample_rate_hz = int(sample_rate_hz)
        rng = np.random.default_rng(0)
        probe = Packed.of([(1000 * rng.standard_normal(4096)).astype(np.int16)], self.sample_rate_hz)
        self.n_dims = int(self.embed(probe).shape[1])

    def embed(self, packed: Packed, rows: NDArray[np.int64] | None = None) -> NDArray[np.float32]:
        """See `motifdb.training.embedding.base.Embedder.embed`."""
        from motifdb.training.inputs.handcrafted import handcrafted

        found: NDArray[np.float32] = handcrafted(packed, rows)
        return found

    def config(self) -> dict[str, Any]:
        """The name and the rate say all."""
        return {
            "model": self.name,
            "version": 1,
            "sample_rate_hz": self.sample_rate_hz,
            "metric": "standardised",
        }
