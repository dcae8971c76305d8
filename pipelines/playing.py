"""Every place of a motif or a family as a wav file, and one tour of them all."""

from __future__ import annotations

import re
import wave
from collections import Counter
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from motifdb.errors import NotFoundError, UsageError
from motifdb.pipelines.listening import SOURCES, Listener, Sound, at_rate, int16
from motifdb.query.portrait import family_places, motif_places, row_of, spread

if TYPE_CHECKING:
    from motifdb.query.database import Database

TOUR = "tour.wav"
SILENCE_S = 0.5
"""Between two places of a tour."""

FADE_S = 0.01
"""Cut sound begins and ends with a click, unless it fades; inside the context, where there is one."""

_AT_ONCE = 50
"""Places of one recording that are held at a time."""

_LONGEST_NAME = 80


@dataclass
class Played:
    """What was written.

    Attributes
    ----------
    folder : where
    n_places, n_written : places there are, and files written, beside the tour
    tour_s : length of the tour
    sources : places by where their sound comes from, see `motifdb.pipelines.listening.SOURCES`
    notes : why pitch had to be sung, by how many recordings it says that
    silent : why a recording cannot be heard at all, one sentence each
    """

    folder: Path
    n_places: int
    n_written: int = 0
    tour_s: float = 0.0
    sources: Counter[str] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)
    silent: list[str] = field(default_factory=list)

    @property
    def sentences(self) -> list[str]:
        """What a user should know, a line each."""
        counted = (
            f"{self.n_written:,} of {self.n_places:,} places"
            if self.n_written < self.n_places
            else (f"{self.n_places:,} places" if self.n_places != 1 else "1 place")
        )
        out = [f"{counted} and {TOUR} ({self.tour_s:.1f} s) -> {self.folder}"]
        for source, n in sorted(self.sources.items(), reverse=True):
            out.append(f"heard: {SOURCES[source]} ({n:,})")  # type: ignore[index]
        if self.notes:
            first = next(iter(self.notes))
            more = f"; and {len(self.notes) - 1:,} more recordings" if len(self.notes) > 1 else ""
            out.append(f"sung because {first}{more}")
        return out + [f"not heard: {sentence}" for sentence in self.silent[:3]]


def play(
    database: Database,
    kind: str,
    id_: str,
    folder: Path,
    *,
    audio_dir: Path | None = None,
    context_s: float = 0.25,
    limit: int = 200,
) -> Played:
    """Write the places of a motif or a family as sound.

    Files are called by their number in order of path and time, their recording and where they start:
    ``003_soprano-song-1_12.40s.wav``.

    Parameters
    ----------
    kind : motif or family
    folder : to write to; made where it is not there, files of the same names are written over
    audio_dir : folder where the recordings' sound lies, taken first
    context_s : seconds more on either side
    limit : places at most, spread over all there are; 0 is every one

    Raises
    ------
    NotFoundError
        where there is none of this id, or nothing of it can be heard.
    UsageError
        for a negative `context_s` or `limit`, an `audio_dir` that is none, or a folder that cannot be written to.
    """
    if context_s < 0 or limit < 0:
        raise UsageError(f"--context {context_s:g} and --limit {limit} must not be negative")
    row_of(database, "motifs" if kind == "motif" else "families", f"{kind}_id", id_)
    places = motif_places(database, id_) if kind == "motif" else family_places(database, id_)
    played = Played(folder, places.num_rows)
    chosen = spread(places, limit or places.num_rows)
    ear = Listener(database.snapshot, audio_dir=audio_dir)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _write_all(ear, chosen.to_pylist(), played, context_s)
    except OSError as error:
        raise UsageError(f"{folder} cannot be written to: {error.strerror or error}") from None
    if not played.n_written and played.silent:
        raise NotFoundError(played.silent[0])
    return played


def _write_all(ear: Listener, rows: list[dict[str, Any]], played: Played, context_s: float) -> None:
    digits = max(3, len(str(len(rows))))
    number = 0
    with _Tour(played.folder / TOUR) as tour:
        for recording_id, group in groupby(rows, key=lambda row: str(row["recording_id"])):
            own = list(group)
            for begin in range(0, len(own), _AT_ONCE):
                part = own[begin : begin + _AT_ONCE]
                spans = [(row["start_s"], row["end_s"]) for row in part]
                try:
                    sounds = ear.sounds(recording_id, spans, context_s=context_s)
                except NotFoundError as error:
                    played.silent.append(str(error))
                    number += len(own) - begin
                    break
                if sounds[0].note and begin == 0:
                    played.notes[sounds[0].note] += 1
                for row, sound in zip(part, sounds, strict=True):
                    number += 1
                    name = f"{number:0{digits}}_{_plain_name(row['path'])}_{row['start_s']:.2f}s.wav"
                    faded = _faded(sound)
                    _write_wav(played.folder / name, faded, sound.sample_rate_hz)
                    tour.add(faded, sound.sample_rate_hz)
                    played.n_written += 1
                    played.sources[sound.source] += 1
        played.tour_s = tour.duration_s


class _Tour:
    """One wav file that grows place by place, at the rate of the first."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: wave.Wave_write | None = None
        self._rate_hz = 0
        self._n_samples = 0

    @property
    def duration_s(self) -> float:
        return self._n_samples / self._rate_hz if self._rate_hz else 0.0

    def add(self, samples: NDArray[np.float32], rate_hz: int) -> None:
        if self._file is None:
            self._rate_hz = rate_hz
            self._file = wave.open(str(self._path), "wb")  # noqa: SIM115 - closed with the tour
            self._file.setnchannels(1)
            self._file.setsampwidth(2)
            self._file.setframerate(rate_hz)
        else:
            samples = np.concatenate(
                [
                    np.zeros(round(SILENCE_S * self._rate_hz), np.float32),
                    at_rate(samples, rate_hz, self._rate_hz),
                ]
            )
        self._file.writeframes(int16(samples).tobytes())
        self._n_samples += samples.size

    def __enter__(self) -> _Tour:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()


def _write_wav(path: Path, samples: NDArray[np.float32], rate_hz: int) -> None:
    from motifdb.pipelines.listening import wav_bytes

    path.write_bytes(wav_bytes(samples, rate_hz))


def _faded(sound: Sound) -> NDArray[np.float32]:
    samples = sound.samples.copy()
    n = min(round(FADE_S * sound.sample_rate_hz), samples.size // 2)
    if n:
        ramp = (0.5 - 0.5 * np.cos(np.pi * np.arange(n) / n)).astype(np.float32)
        samples[:n] *= ramp
        samples[-n:] *= ramp[::-1]
    return samples


def _plain_name(path: str) -> str:
    """The recording's part of a file name: its own name without folders and suffix, of letters that every disk takes.

    >>> _plain_name("soprano/Song no. 1 (live).flac"), _plain_name("..")
    ('Song-no.-1-live', 'recording')
    """
    name = path.rpartition("/")[2]
    stem = name.rpartition(".")[0] or name
    plain = re.sub(r"[^\w.+-]+", "-", stem).strip("-.")
    return plain[:_LONGEST_NAME] or "recording"
