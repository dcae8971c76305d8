"""What passes between the stages before it is a table row: plain, picklable records without behaviour."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class PitchTrack:
    """Fundamental frequency over time on a regular grid.

    Attributes
    ----------
    f0_hz : float32, shape (n_frames,), 0 where unvoiced
    confidence : float32, shape (n_frames,), 0 to 1; shape (0,) where the source gives none
    hop_s : time between frames
    start_s : time of the first frame
    """

    f0_hz: NDArray[np.float32]
    confidence: NDArray[np.float32]
    hop_s: float
    start_s: float = 0.0


@dataclass(frozen=True)
class AudioFacts:
    """What decoding found out about an audio file; the columns of `recordings`.

    `warning` is one sentence a reader should know, such as channels that cancel in the mix, else None.
    """

    audio_hash: str
    duration_s: float
    sample_rate_hz: int
    channels: int
    container: str
    codec: str
    peak: float
    clipped_share: float
    warning: str | None = None
    tags: dict[str, str] = field(default_factory=dict)
