"""SwiftF0: a small neural network, MIT licence, exact in a stream.

Nieradzik, "SwiftF0: Fast and Accurate Monophonic Pitch Detection", 2025; package swift-f0 from version 0.3.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from motifdb.pipelines.records import PitchTrack
from motifdb.pipelines.trackers.base import Blocks, Tracker, in_range, rechunk

_HOP_SAMPLES = 256
_PUSH_SAMPLES = 1875 * _HOP_SAMPLES  # 30 s: fixed, so that results do not hang on how the audio was read
_LOWEST_HZ, _HIGHEST_HZ = 46.875, 2093.75


@dataclass(frozen=True)
class SwiftF0Parameters:
    """What changes the track.

    Attributes
    ----------
    min_confidence : frames below are unvoiced; the library calibrates 0.5 as the border
    min_hz, max_hz : search range; the default is the model's own, and nothing lies outside it
    """

    min_confidence: float = 0.5
    min_hz: float = _LOWEST_HZ
    max_hz: float = _HIGHEST_HZ

    def __post_init__(self) -> None:
        in_range("min_confidence", self.min_confidence, 0.0, 1.0)
        in_range("min_hz", self.min_hz, _LOWEST_HZ, _HIGHEST_HZ, "Hz")
        in_range("max_hz", self.max_hz, self.min_hz * 1.05, _HIGHEST_HZ, "Hz")


class SwiftF0Tracker(Tracker):
    """16 kHz in, a frame every 16 ms out; frame i is centred at i x 16 ms.

    The network sees 176 ms to each side, so a frame is final 160 ms later; nothing else is carried.
    The library sets the confidence of frames whose samples all stay below 0.001 to 0.
    """

    name = "swift-f0"
    version = 1
    sample_rate_hz = 16000
    package = "swift-f0"
    module = "swift_f0"
    times_real_time = 80.0
    licence = "MIT"
    streams_exactly = True
    Parameters = SwiftF0Parameters

    def __init__(self, parameters: SwiftF0Parameters | None = None) -> None:
        super().__init__(parameters)
        self._detector: Any = None

    def __getstate__(self) -> dict[str, Any]:
        return {
            **self.__dict__,
            "_detector": None,
        }  # an inference session does not pickle; each worker makes its own

    def _track(self, batch: Sequence[Blocks], device: str) -> Iterator[PitchTrack]:
        for blocks in batch:
            yield self._track_one(blocks)

    def _track_one(self, blocks: Blocks) -> PitchTrack:
        p = self.parameters
        if self._detector is None:
            from swift_f0 import SwiftF0

            # One thread: recordings are what runs in parallel, not the arithmetic of one of them.
            self._detector = SwiftF0(threads=1, spin=False)
        stream = self._detector.stream(p.min_hz, p.max_hz)
        parts = [stream.push(block, self.sample_rate_hz) for block in rechunk(blocks, _PUSH_SAMPLES)]
        parts.append(stream.flush())
        confidence = np.concatenate([part.confidence for part in parts]).astype(np.float32)
        f0_hz = np.concatenate([part.pitch_hz for part in parts]).astype(np.float32)
        f0_hz[~(confidence >= p.min_confidence)] = 0.0
        return PitchTrack(f0_hz, confidence, hop_s=_HOP_SAMPLES / self.sample_rate_hz, start_s=0.0)
