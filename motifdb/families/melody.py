"""Tracks as one line of whole cents with rests, frame by frame, and where its rests are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from motifdb.errors import UsageError
from motifdb.families.config import FamiliesConfig
from motifdb.families.model import Track
from motifdb.kernels.dtw_banded import REST
from motifdb.kernels.melody import frame_medians, rests_between


@dataclass(frozen=True)
class Melody:
    """Every track of a scope, one after the other, with `apart` frames of rest after each.

    Attributes
    ----------
    cents : int32, shape (n_frames,), whole cents over 440 Hz or `REST`
    offsets : int64, shape (n_tracks + 1,), first frame of each track; the last is n_frames
    n_frames : int64, shape (n_tracks,), frames of each track
    start_s : float64, shape (n_tracks,), time of each track's first frame
    rest_start, rest_end : float64, shape (n_rests,), in frames of the line, ascending; the beginning and end of a track
        are rests as well
    frame_s : length of a frame
    """

    cents: NDArray[np.int32]
    offsets: NDArray[np.int64]
    n_frames: NDArray[np.int64]
    start_s: NDArray[np.float64]
    rest_start: NDArray[np.float64]
    rest_end: NDArray[np.float64]
    frame_s: float


def melody_of(tracks: Sequence[Track], config: FamiliesConfig) -> Melody:
    """The tracks of a scope as one line.

    A frame is the median of the voiced values inside it, and a rest where fewer than half are voiced. Gaps of at
    most `max_gap_s` are bridged before; rests are those of the track before that.

    Raises
    ------
    UsageError
        for a hop that is no positive number, or is longer than a frame.
    """
    apart = int(np.ceil(config.max_duration_s / config.frame_s)) + 1
    silence = np.full(apart, REST, dtype=np.int32)
    lines, offsets, sizes, rests = [], [0], [], []
    for track in tracks:
        if not 0 < track.hop_s <= config.frame_s:
            raise UsageError(
                f"{track.recording_id} has a pitch every {track.hop_s:g} s, families need frames of at least that:"
                f" frame_s is {config.frame_s:g} s"
            )
        f0_hz = np.ascontiguousarray(track.f0_hz, dtype=np.float32)
        line = frame_medians(f0_hz, track.hop_s, config.frame_s, config.max_gap_s)
        found = rests_between(f0_hz, track.hop_s, config.min_rest_s) / config.frame_s
        rests.append(found + offsets[-1])
        lines += [line, silence]
        sizes.append(line.size)
        offsets.append(offsets[-1] + line.size + apart)
    edges = np.concatenate(rests) if rests else np.empty((0, 2))
    return Melody(
        np.concatenate(lines) if lines else np.empty(0, dtype=np.int32),
        np.array(offsets, dtype=np.int64),
        np.array(sizes, dtype=np.int64),
        np.array([t.start_s for t in tracks], dtype=np.float64),
        np.ascontiguousarray(edges[:, 0]),
        np.ascontiguousarray(edges[:, 1]),
        config.frame_s,
    )
