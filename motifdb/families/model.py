"""What goes in and what comes out: tracks, candidates, families."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Track:
    """The pitch of one recording.

    Attributes
    ----------
    recording_id : its name, for messages alone
    hop_s : time between frames
    start_s : time of the first frame
    f0_hz : float32, shape (n_frames,), Hz; 0, negative and NaN are unvoiced
    """

    recording_id: str
    hop_s: float
    start_s: float
    f0_hz: NDArray[np.float32]


class Candidate(NamedTuple):
    """A stretch to look for, such as an occurrence of an exact motif; `recording` is an index into the tracks."""

    recording: int
    start_s: float
    end_s: float


class Member(NamedTuple):
    """A place where a family's melody is sung.

    `distance_cents` is that to the exemplar along the best alignment, after `transposition_cents`, which says how much
    higher than the exemplar it is sung; `tempo_ratio` is its duration over the exemplar's.
    """

    recording: int
    start_s: float
    end_s: float
    distance_cents: float
    transposition_cents: float
    tempo_ratio: float


@dataclass(frozen=True)
class FoundFamily:
    """Variants of one melody, by recording and start.

    Attributes
    ----------
    members : at least two, none overlapping another
    exemplar : index of the member whose distances to the others have the least sum
    threshold_cents : largest distance to the seed the family grew from
    """

    members: tuple[Member, ...]
    exemplar: int
    threshold_cents: float
