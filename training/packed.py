"""The sound of a set of clips, laid end to end, so that a batch is gathered without opening anything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE_HZ = 16_000
FULL_SCALE = 32_768.0
"""What an int16 sample is divided by: the whole range of int16 becomes [-1, 1)."""


@dataclass(frozen=True)
class Packed:
    """Mono int16 sound of n clips.

    Clips may share samples: the clips of one recording may lie in one stretch of `pcm`.

    Attributes
    ----------
    pcm : int16, flat, an array or a memory map; nobody writes to it
    start : int64 [n], where each clip begins in `pcm`, in samples
    length : int64 [n], samples of each clip

    >>> packed = Packed.of([np.array([1, 2, 3], np.int16), np.array([9], np.int16)])
    >>> len(packed), packed.clip(1).tolist(), float(packed.length_s.sum()) == 4 / 16_000
    (2, [9], True)
    """

    pcm: NDArray[np.int16]
    start: NDArray[np.int64]
    length: NDArray[np.int64]
    sample_rate_hz: int = SAMPLE_RATE_HZ

    @classmethod
    def of(cls, clips: Sequence[NDArray[np.int16]], sample_rate_hz: int = SAMPLE_RATE_HZ) -> Packed:
        """Clips that are at hand as arrays."""
        length = np.array([len(clip) for clip in clips], np.int64)
        start = np.concatenate([np.zeros(1, np.int64), np.cumsum(length)])[: len(clips)]
        pcm = np.concatenate([np.zeros(0, np.int16), *(np.asarray(clip, np.int16) for clip in clips)])
        return cls(pcm, start, length, sample_rate_hz)

    def __len__(self) -> int:
        return len(self.start)

    def clip(self, row: int) -> NDArray[np.int16]:
        """The samples of one clip, not copied."""
        first = int(self.start[row])
        return self.pcm[first : first + int(self.length[row])]

    @property
    def length_s(self) -> NDArray[np.float64]:
        """Duration of each clip, in seconds."""
        return self.length / float(self.sample_rate_hz)

    def take(self, rows: NDArray[np.int64]) -> Packed:
        """The clips of `rows`, in that order and as often as they come; the sound is shared, not copied."""
        return Packed(self.pcm, self.start[rows], self.length[rows], self.sample_rate_hz)
