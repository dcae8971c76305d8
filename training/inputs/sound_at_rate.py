"""The sound of recordings at a sample rate: what the database keeps at 16 kHz, or at another rate their own files.

What is kept holds nothing above 8 kHz. So for front ends at 22,050 and 48,000 Hz each recording's file is decoded (in the child
process that decodes for an ingest) and resampled, as the ingest did for 16 kHz; where the file is gone or has become another, the
kept sound is resampled, and a sentence says so.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from motifdb.errors import InputError, NotFoundError
from motifdb.query.audio import SAMPLE_RATE_HZ, AudioReader
from motifdb.training.inputs.front_end_config import check_rate

if TYPE_CHECKING:
    from pathlib import Path

    from motifdb.catalog.store import Snapshot

READ_ON_S = 60.0
"""So much more is read after the last stretch of a file: a decoder that reaches the end serves the next file, one that is left is
started anew."""

_MARGIN_S = 0.2
"""So much kept sound around a stretch is resampled with it, so that its edges are as if all of it had been."""


class SoundReader(Protocol):
    """Reads stretches of recordings.

    Attributes
    ----------
    origin : what the sound follows from beside the table `audio`, for keys of caches
    note : for people, after reading: where the sound comes from; may be empty
    """

    @property
    def origin(self) -> str: ...

    @property
    def note(self) -> str: ...

    def read_into(
        self,
        out: NDArray[np.int16],
        recording_ids: Sequence[str],
        first: NDArray[np.int64],
        last: NDArray[np.int64],
        at: NDArray[np.int64],
    ) -> NDArray[np.int64]:
        """Copy samples ``first[i]:last[i]`` of each recording to ``out[at[i]:]``; return how many there were of each."""
        ...


def sound_reader(snapshot: Snapshot, sample_rate_hz: int, recording_ids: Sequence[str]) -> SoundReader:
    """What reads the sound of these recordings at a rate.

    Raises
    ------
    UsageError
        for a rate that sound cannot be had at.
    """
    check_rate(sample_rate_hz)
    if sample_rate_hz == SAMPLE_RATE_HZ:
        return KeptReader(snapshot)
    return FileReader(snapshot, sample_rate_hz, recording_ids)


class KeptReader:
    """Kept sound, at its own rate."""

    origin = note = ""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    def read_into(
        self,
        out: NDArray[np.int16],
        recording_ids: Sequence[str],
        first: NDArray[np.int64],
        last: NDArray[np.int64],
        at: NDArray[np.int64],
    ) -> NDArray[np.int64]:
        """As `AudioReader.read_into`."""
        return AudioReader(self._snapshot).read_into(out, recording_ids, first, last, at)


class FileReader:
    """Recordings' own files at any rate, and kept sound where they are gone.

    Parameters
    ----------
    recording_ids : those that will be read; each file is looked for at once, and the decoding waits for `read_into`
    """

    def __init__(self, snapshot: Snapshot, sample_rate_hz: int, recording_ids: Iterable[str]) -> None:
        from motifdb.pipelines.sound_files import SoundFiles

        self._snapshot, self._rate_hz = snapshot, sample_rate_hz
        self._files = SoundFiles(snapshot)
        names = sorted(set(recording_ids))
        self._files.read_ahead(names)
        self._own = {name: self._files.own(name) for name in names}
        self._read: dict[str, str] = {}

    @property
    def origin(self) -> str:
        """Which recordings are read from their file, and on which channel."""
        return "\n".join(
            f"{name} {self._files.channel(name)}" for name, (path, _) in self._own.items() if path is not None
        )

    @property
    def note(self) -> str:
        """Where the sound came from, one sentence."""
        if not self._read:
            return ""
        why_kept = sorted(reason for reason in self._read.values() if reason)
        n_files = len(self._read) - len(why_kept)
        parts = [f"{_recordings(n_files)} from their own files"] if n_files else []
        if why_kept:
            parts.append(
                f"{_recordings(len(why_kept))} from the sound kept at {SAMPLE_RATE_HZ:,} Hz, which has nothing above"
                f" {SAMPLE_RATE_HZ // 2:,} Hz ({why_kept[0]})"
            )
        return f"sound at {self._rate_hz:,} Hz: {'; '.join(parts)}"

    def read_into(
        self,
        out: NDArray[np.int16],
        recording_ids: Sequence[str],
        first: NDArray[np.int64],
        last: NDArray[np.int64],
        at: NDArray[np.int64],
    ) -> NDArray[np.int64]:
        """As `SoundReader` says.

        Raises
        ------
        NotFoundError
            where a recording has neither its file nor kept sound.
        """
        got = np.zeros(len(recording_ids), np.int64)
        of: dict[str, list[int]] = {}
        for i, name in enumerate(recording_ids):
            of.setdefault(name, []).append(i)
        kept: list[int] = []
        for name, rows in of.items():
            path, why_not = self._own[name]
            if path is not None:
                try:
                    self._from_file(name, path, out, rows, first, last, at, got)
                    self._read[name] = ""
                    continue
                except InputError as error:
                    why_not = error.reason
            self._read[name] = why_not or "its file is gone"
            kept += rows
        if kept:
            self._from_kept(out, recording_ids, np.array(kept), first, last, at, got)
        return got

    def _from_file(
        self,
        name: str,
        path: Path,
        out: NDArray[np.int16],
        rows: list[int],
        first: NDArray[np.int64],
        last: NDArray[np.int64],
        at: NDArray[np.int64],
        got: NDArray[np.int64],
    ) -> None:
        """Decode a recording's file as far as its last stretch; InputError where it cannot be, or is shorter than that."""
        from motifdb.pipelines.inputs.decode import shared_decoder
        from motifdb.pipelines.inputs.resample import resampled
        from motifdb.pipelines.keeper import to_pcm

        stream = shared_decoder().open(path, channel=self._files.channel(name))
        blocks = resampled(stream, stream.sample_rate_hz, self._rate_hz)
        got[rows] = 0
        position, end = 0, int(last[rows].max())
        for block in blocks:
            pcm = to_pcm(block)
            for i in rows:
                a, b = max(int(first[i]), position), min(int(last[i]), position + pcm.size)
                if b > a:
                    to = int(at[i]) + a - int(first[i])
                    out[to : to + b - a] = pcm[a - position : b - position]
                    got[i] += b - a
            position += pcm.size
            if position >= end:
                break
        _read_on(blocks, round(READ_ON_S * self._rate_hz))
        if (got[rows] == 0).any():
            raise InputError("other-sound", f"{path.name} is shorter than recording {name[:8]}")

    def _from_kept(
        self,
        out: NDArray[np.int16],
        recording_ids: Sequence[str],
        rows: NDArray[np.int64],
        first: NDArray[np.int64],
        last: NDArray[np.int64],
        at: NDArray[np.int64],
        got: NDArray[np.int64],
    ) -> None:
        """Resample kept sound: from places that are whole samples at both rates, with a margin."""
        from motifdb.pipelines.inputs.resample import resampled
        from motifdb.pipelines.keeper import to_pcm

        reader = AudioReader(self._snapshot)
        self._require(reader, [recording_ids[i] for i in rows.tolist()])
        shared = math.gcd(self._rate_hz, SAMPLE_RATE_HZ)
        ours, theirs = self._rate_hz // shared, SAMPLE_RATE_HZ // shared
        margin = math.ceil(_MARGIN_S * shared)  # in units of 1 / shared seconds
        low = np.maximum(first[rows] // ours - margin, 0)
        high = -(-last[rows] // ours) + margin
        size = (high - low) * theirs
        begin = np.concatenate([np.zeros(1, np.int64), np.cumsum(size)])
        pcm = np.zeros(int(begin[-1]), np.int16)
        names = [recording_ids[i] for i in rows.tolist()]
        there = reader.read_into(pcm, names, low * theirs, high * theirs, begin[:-1])
        for i, a, n, skip in zip(
            rows.tolist(),
            begin[:-1].tolist(),
            there.tolist(),
            (first[rows] - low * ours).tolist(),
            strict=True,
        ):
            samples = pcm[a : a + n].astype(np.float32) / np.float32(32_768)
            parts = [to_pcm(block) for block in resampled([samples], SAMPLE_RATE_HZ, self._rate_hz)]
            heard = np.concatenate([np.zeros(0, np.int16), *parts])[skip : skip + int(last[i] - first[i])]
            out[int(at[i]) : int(at[i]) + heard.size] = heard
            got[i] = heard.size

    def _require(self, reader: AudioReader, names: Sequence[str]) -> None:
        lacking = [name for name in names if name not in reader]
        if lacking:
            raise NotFoundError(
                f"{self._snapshot.path}: recording {lacking[0][:8]} cannot be heard at {self._rate_hz:,} Hz:"
                f" {self._read[lacking[0]]}, and its sound is not kept either; put the file back, or"
                " `motifdb ingest FOLDER --keep-audio` keeps its sound"
            )


def _recordings(n: int) -> str:
    return f"{n:,} recording" + ("s" if n != 1 else "")


def _read_on(blocks: Iterator[NDArray[np.float32]], n_samples: int) -> None:
    """Read blocks until their end, or so many samples further.

    A file that proves to be cut short there is refused whole, as an ingest would.
    """
    for block in blocks:
        n_samples -= block.size
        if n_samples < 0:
            return
