"""A query from a file: a hummed recording through the default tracker, or a pitch track as it is.

SQL reads no files. Whoever asks reads the file here and binds what it holds: ``db.sql("from hum_search($q)", {"q": hum})``.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from motifdb.errors import InputError, UsageError
from motifdb.pipelines.records import PitchTrack

LONGEST_FILE_S = 120.0
"""Of sound; what is longer is no query, and would be tracked in vain."""


@dataclass(frozen=True)
class Hum:
    """What a query file holds.

    Attributes
    ----------
    cents : float64, cents over 440 Hz of the voiced frames, joined as `motifdb.query.search.voiced` says
    hop_s : between them
    path : of the file
    is_f0 : whether the file was a pitch track
    """

    cents: NDArray[np.float64]
    hop_s: float
    path: Path
    is_f0: bool = False

    @property
    def voiced_s(self) -> float:
        """Seconds of pitch."""
        return self.cents.size * self.hop_s

    def as_parameter(self) -> dict[str, Any]:
        """As a value that SQL takes: a struct of a list and a number."""
        return {"cents": np.round(self.cents, 1).tolist(), "hop_s": self.hop_s}


def bound_files(texts: Iterable[str]) -> dict[str, object]:
    """Parameters of SQL from ``NAME=FILE`` texts: the melody of each file.

    Raises
    ------
    UsageError
        for a text of another form, and as `read_hum`.
    """
    bound: dict[str, object] = {}
    for text in texts:
        name, equals, path = text.partition("=")
        if not (equals and path and name.isidentifier()):
            raise UsageError(f"--bind takes NAME=FILE, such as q=hum.wav, not {text!r}")
        bound[name] = read_hum(path).as_parameter()
    return bound


def read_hum(path: str | Path, tracker: str | None = None, *, hop: Fraction | float | None = None) -> Hum:
    """Read a query from a file of sound or pitch.

    Parameters
    ----------
    path : sound in any format that ingest reads, or a pitch track (times and Hz, or one Hz a line with `hop`)
    tracker : name of the tracker for sound; None is the default preset's
    hop : seconds between frames of a pitch track without times

    Raises
    ------
    UsageError
        for a file that is not there, is neither sound nor pitch, is too long, or has no voiced frame.
    """
    from motifdb.pipelines.inputs.sniff import HEAD_BYTES, sniff

    file = Path(path)
    name = os.fsencode(str(path))
    if file.exists() and not file.is_file() and not file.is_dir():
        raise UsageError(f"{path} is no plain file; save the recording of the melody, or its pitch, first")
    try:
        with open(file, "rb") as opened:
            head = opened.read(HEAD_BYTES)
    except FileNotFoundError:
        raise UsageError(f"there is no file {path}; give a recording of a melody, or its pitch") from None
    except IsADirectoryError:
        raise UsageError(f"{path} is a folder; give one file, a recording of a melody or its pitch") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {(error.strerror or str(error)).lower()}") from None
    sniffed = sniff(head, name)
    if sniffed.problem is not None:
        raise UsageError(sniffed.problem.reason)
    if sniffed.kind != "audio" and not sniffed.is_f0:
        raise UsageError(
            f"{path} is neither sound nor a pitch track; give a recording of a melody, or its pitch"
        )
    try:
        if sniffed.is_f0:
            from motifdb.pipelines.inputs.f0 import read_f0

            track = read_f0(file.read_bytes(), sniffed, hop, name)
        else:
            track = tracked(file, tracker)
    except InputError as error:
        raise UsageError(error.reason) from None
    return _hum(track, file, sniffed.is_f0)


def _hum(track: PitchTrack, file: Path, is_f0: bool) -> Hum:
    from motifdb.query.search.voiced import voiced_cents

    voiced = voiced_cents(track.f0_hz, track.hop_s).astype(np.float64)
    if not voiced.size:
        raise UsageError(f"{file} has no voiced frame, so there is no melody to search for; hum it louder")
    return Hum(voiced, track.hop_s, file, is_f0)


def tracked(file: Path, name: str | None = None, *, longest_s: float = LONGEST_FILE_S) -> PitchTrack:
    """The pitch of a file of sound, by a tracker; None is the default preset's, and what is longer than `longest_s` is refused.

    Raises
    ------
    InputError, UsageError
        for a file that cannot be decoded or is too long for a query.
    """
    from motifdb.config import preset
    from motifdb.pipelines.inputs.decode import shared_decoder
    from motifdb.pipelines.inputs.resample import resampled
    from motifdb.pipelines.trackers import get_tracker

    usual = preset("default").pitch
    tracker = get_tracker(usual.tracker, usual.parameters) if name is None else get_tracker(name, {})
    stream = shared_decoder().open(file, channel="mix")
    blocks = resampled(
        _bounded(iter(stream), stream.sample_rate_hz, file, longest_s),
        stream.sample_rate_hz,
        tracker.sample_rate_hz,
    )
    (track,) = tracker.track([blocks])
    return track


def _bounded(
    blocks: Iterator[NDArray[np.float32]], sample_rate_hz: int, file: Path, longest_s: float
) -> Iterator[NDArray[np.float32]]:
    """The blocks, as long as they last no longer than a query may."""
    n_samples = 0
    for block in blocks:
        n_samples += block.size
        if n_samples > longest_s * sample_rate_hz:
            raise UsageError(f"{file} is longer than {longest_s:.0f} s; cut it to the melody you look for")
        yield block
