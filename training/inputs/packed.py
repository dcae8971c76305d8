"""The sound of a set of clips, laid end to end, so that a batch is gathered without opening anything.

`pack` reads it from a database: clips that overlap share their samples, so a million clips of one hour of singing take an hour of
sound (115 MB). Small sets are read into memory; larger ones go through a disposable file (`motifdb.training.inputs.packed_cache`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from motifdb.errors import UsageError
from motifdb.query.audio import SAMPLE_RATE_HZ, span_samples
from motifdb.training.inputs.sound_at_rate import SoundReader, sound_reader

if TYPE_CHECKING:
    from motifdb.catalog.store import Snapshot
    from motifdb.training.splits.examples import Examples

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
    gain : float32 [n], what `Batches` multiplies the samples of each clip by; None: nothing
    note : for people: where sound at another rate than the kept one comes from; else empty

    >>> packed = Packed.of([np.array([1, 2, 3], np.int16), np.array([9], np.int16)])
    >>> len(packed), packed.clip(1).tolist(), float(packed.length_s.sum()) == 4 / 16_000
    (2, [9], True)
    """

    pcm: NDArray[np.int16]
    start: NDArray[np.int64]
    length: NDArray[np.int64]
    sample_rate_hz: int = SAMPLE_RATE_HZ
    gain: NDArray[np.float32] | None = None
    note: str = ""

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
        gain = None if self.gain is None else self.gain[rows]
        return replace(self, start=self.start[rows], length=self.length[rows], gain=gain)


@dataclass(frozen=True)
class Stretches:
    """Where the sound of n clips lies: m stretches of recordings that do not overlap, and each clip's place in them.

    Attributes
    ----------
    recording_id : m ids, ascending
    first, last : int64[m], in samples from the start of the recording, `last` not included
    at : int64[m + 1], where each stretch begins when they are laid end to end
    of : int64[n], the stretch of each clip
    start, length : int64[n], where each clip begins when stretches are laid end to end, and its samples
    sample_rate_hz : of all these samples
    """

    recording_id: tuple[str, ...]
    first: NDArray[np.int64]
    last: NDArray[np.int64]
    at: NDArray[np.int64]
    of: NDArray[np.int64]
    start: NDArray[np.int64]
    length: NDArray[np.int64]
    sample_rate_hz: int = SAMPLE_RATE_HZ

    @classmethod
    def of_spans(
        cls,
        recording_ids: Sequence[str],
        start_s: NDArray[np.float64],
        end_s: NDArray[np.float64],
        sample_rate_hz: int = SAMPLE_RATE_HZ,
    ) -> Stretches:
        """Unite the spans that overlap.

        >>> found = Stretches.of_spans(["a", "b", "a"], np.array([0.0, 0, 0.5]), np.array([1.0, 1, 2]))
        >>> found.recording_id, found.last.tolist(), found.start.tolist()
        (('a', 'b'), [32000, 16000], [0, 32000, 8000])
        """
        first, last = span_samples(start_s, end_s, sample_rate_hz)
        if not len(first):
            none = np.zeros(0, np.int64)
            return cls((), none, none, np.zeros(1, np.int64), none, none, none, sample_rate_hz)
        names, code = np.unique(np.asarray(recording_ids, np.str_), return_inverse=True)
        order = np.lexsort((last, first, code))
        code_, first_, last_ = code[order], first[order], last[order]
        # one axis for all recordings, so that the running end of one never reaches into the next
        base = code_ * (int(last.max()) + 1)
        reach = np.maximum.accumulate(base + last_)
        is_new = np.concatenate([[True], (base + first_)[1:] > reach[:-1]])
        stretch = np.cumsum(is_new) - 1
        begins = np.flatnonzero(is_new)
        ends = np.concatenate([begins[1:], [len(order)]]) - 1
        low, high = first_[begins], reach[ends] - base[ends]
        at = np.concatenate([np.zeros(1, np.int64), np.cumsum(high - low)])
        of = np.empty(len(order), np.int64)
        of[order] = stretch
        ids = tuple(names[code_[begins]].tolist())
        return cls(ids, low, high, at, of, at[of] + first - low[of], last - first, sample_rate_hz)

    @property
    def n_samples(self) -> int:
        """Of all stretches together."""
        return int(self.at[-1])

    def read(self, reader: SoundReader, out: NDArray[np.int16]) -> NDArray[np.int64]:
        """Read every stretch into `out`; give how many samples there were of each."""
        return reader.read_into(out, self.recording_id, self.first, self.last, self.at[:-1])

    def packed(self, pcm: NDArray[np.int16], got: NDArray[np.int64], note: str = "") -> Packed:
        """The clips over their sound; those at the end of a recording may be shorter than asked.

        Raises
        ------
        UsageError
            for a clip that begins beyond the end of its recording.
        """
        length = np.minimum(self.length, (self.at[:-1] + got)[self.of] - self.start)
        for row in np.flatnonzero(length < 1).tolist():
            raise UsageError(
                f"clip {row} begins beyond the end of recording {self.recording_id[self.of[row]][:8]};"
                " the clips were cut from other sound than is kept now"
            )
        return Packed(pcm, self.start, length, self.sample_rate_hz, note=note)


def united(start: NDArray[np.int64], end: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The stretches that spans cover, ascending: their starts and ends.

    >>> [a.tolist() for a in united(np.array([5, 0, 1]), np.array([6, 2, 4]))]
    [[0, 5], [4, 6]]
    """
    order = np.argsort(start, kind="stable")
    reach = np.maximum.accumulate(end[order])
    is_new = np.concatenate([[True], start[order][1:] > reach[:-1]])
    first = np.flatnonzero(is_new)
    last = np.concatenate([first[1:], [len(order)]]) - 1
    return start[order][first], reach[last]


def pack(
    snapshot: Snapshot,
    examples: Examples,
    cache: Path | Literal["default"] | None = "default",
    *,
    sample_rate_hz: int = SAMPLE_RATE_HZ,
) -> Packed:
    """The sound of examples; row i is example i.

    Parameters
    ----------
    cache : folder for the packed file; "default" is the user's cache folder, for sets of 64 MB or more only; None reads
        into memory
    sample_rate_hz : at 16,000 the sound that is kept; at another rate (`front_end_config.RATES_HZ`) the recordings' own files,
        decoded and resampled, and where a file is gone the kept sound, resampled; `Packed.note` says which

    Raises
    ------
    NotFoundError
        where a recording's sound is not there, naming the command that keeps it.
    UsageError
        for a rate that sound cannot be had at, or a clip beyond the end of its recording.
    """
    return pack_spans(
        snapshot,
        examples.recording_id,
        examples.start_s,
        examples.end_s,
        cache,
        sample_rate_hz=sample_rate_hz,
    )


def pack_spans(
    snapshot: Snapshot,
    recording_ids: Sequence[str],
    start_s: NDArray[np.float64],
    end_s: NDArray[np.float64],
    cache: Path | Literal["default"] | None = "default",
    *,
    sample_rate_hz: int = SAMPLE_RATE_HZ,
) -> Packed:
    """As `pack`, for spans of recordings: n ids, and their starts and ends in seconds."""
    from motifdb.training.inputs import packed_cache

    wanted = Stretches.of_spans(recording_ids, start_s, end_s, sample_rate_hz)
    reader = sound_reader(snapshot, sample_rate_hz, wanted.recording_id)
    if cache == "default":
        is_large = 2 * wanted.n_samples >= packed_cache.LEAST_BYTES
        cache = packed_cache.default_folder() if is_large else None
    if cache is not None:
        kept = packed_cache.fetch(snapshot, wanted, cache, reader)
        if kept is not None:
            return kept
    pcm = np.zeros(wanted.n_samples, np.int16)
    got = wanted.read(reader, pcm)
    return wanted.packed(pcm, got, reader.note)
