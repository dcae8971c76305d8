"""YIN: autocorrelation without a model; our own kernel, exact in a stream (de Cheveigne and Kawahara 2002)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from motifdb.pipelines.records import PitchTrack
from motifdb.pipelines.trackers.base import Blocks, Tracker, in_range, rechunk

_HOP_SAMPLES = 160
_SLAB_FRAMES = 3000  # 30 s at a time; any other length gives the same numbers


@dataclass(frozen=True)
class YinParameters:
    """What changes the track; window, octave cost and aperiodicity were chosen on every other recording of
    `benchmarks/trackers.py`, which reports the others apart.

    Attributes
    ----------
    min_hz, max_hz : range of the pitch that is searched
    window_hops : length of the integration window in hops of 10 ms
    octave_cost : a period an octave longer must be this much less aperiodic to be taken
    max_aperiodicity : frames whose period repeats less well are unvoiced (0 perfectly, 1 not at all)
    min_level_dbfs : frames whose window is quieter (RMS against full scale) are unvoiced
    """

    min_hz: float = 60.0
    max_hz: float = 1300.0
    window_hops: int = 4
    octave_cost: float = 0.1
    max_aperiodicity: float = 0.25
    min_level_dbfs: float = -60.0

    def __post_init__(self) -> None:
        in_range("min_hz", self.min_hz, 20.0, 2000.0, "Hz")
        in_range("max_hz", self.max_hz, 1.1 * self.min_hz, 4000.0, "Hz")
        in_range("window_hops", self.window_hops, 1, 100)
        in_range("octave_cost", self.octave_cost, 0.0, 1.0)
        in_range("max_aperiodicity", self.max_aperiodicity, 0.0, 1.0)
        in_range("min_level_dbfs", self.min_level_dbfs, -200.0, 0.0, "dBFS")


class YinTracker(Tracker):
    """16 kHz in, a frame every 10 ms out; frame i is centred at i x 10 ms. Confidence is 1 - aperiodicity."""

    name = "yin"
    version = 1
    times_real_time = 300.0
    sample_rate_hz = 16000
    streams_exactly = True
    Parameters = YinParameters

    def _track(self, batch: Sequence[Blocks], device: str) -> Iterator[PitchTrack]:
        for blocks in batch:
            yield self._track_one(blocks)

    def _track_one(self, blocks: Blocks) -> PitchTrack:
        p = self.parameters
        parts = list(self._slabs(blocks))
        period = np.concatenate([part[0] for part in parts]) if parts else np.zeros(0)
        aperiodicity = np.concatenate([part[1] for part in parts]) if parts else np.zeros(0)
        power = np.concatenate([part[2] for part in parts]) if parts else np.zeros(0, np.float32)
        is_voiced = (
            (period > 0) & (aperiodicity <= p.max_aperiodicity) & (power >= 10 ** (p.min_level_dbfs / 10))
        )
        f0_hz = np.zeros(period.size, dtype=np.float32)
        f0_hz[is_voiced] = self.sample_rate_hz / period[is_voiced]
        return PitchTrack(
            f0_hz,
            (1.0 - aperiodicity).astype(np.float32),
            hop_s=_HOP_SAMPLES / self.sample_rate_hz,
            start_s=0.0,
        )

    def _slabs(
        self, blocks: Blocks
    ) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float32]]]:
        """The kernel over 30 s at a time, each slab carrying the samples its neighbour's windows also need."""
        from motifdb.kernels.yin import margin_samples, yin

        p = self.parameters
        min_lag = max(2, math.floor(self.sample_rate_hz / p.max_hz))
        max_lag = math.ceil(self.sample_rate_hz / p.min_hz)
        window = p.window_hops * _HOP_SAMPLES
        margin = margin_samples(max_lag)
        n_around = window + 2 * margin - _HOP_SAMPLES  # samples a slab needs beyond its frames' own hops

        def run(
            samples: NDArray[np.float32], n_frames: int
        ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float32]]:
            return yin(
                samples[: n_frames * _HOP_SAMPLES + n_around],
                n_frames=n_frames,
                hop=_HOP_SAMPLES,
                n_hops=p.window_hops,
                min_lag=min_lag,
                max_lag=max_lag,
                octave_cost=p.octave_cost,
            )

        held = np.zeros(window // 2 + margin, dtype=np.float32)  # silence before the first sample
        n_samples = 0
        n_done = 0
        for block in rechunk(blocks, _SLAB_FRAMES * _HOP_SAMPLES):
            n_samples += block.size
            held = np.concatenate([held, block])
            n_ready = max(0, (held.size - n_around) // _HOP_SAMPLES)
            if n_ready:
                yield run(held, n_ready)
                held = held[n_ready * _HOP_SAMPLES :]
                n_done += n_ready
        n_left = -(-n_samples // _HOP_SAMPLES) - n_done
        if n_left > 0:
            yield run(np.pad(held, (0, n_around + _HOP_SAMPLES)), n_left)
