"""How sound comes to a model that gives vectors: some recordings read at a time, each heard on its own.

A model that hears sound relative to its recording's loudest moment, or its voiced windows only, has to know the whole recording:
then all of it is read, and the clips are views into it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from motifdb.errors import NotFoundError, UsageError
from motifdb.training.embedding.base import Embedder, HearsRelative, averaged
from motifdb.training.embedding.targets import Spans
from motifdb.training.inputs.packed import FULL_SCALE, Packed, pack_spans

if TYPE_CHECKING:
    from motifdb.catalog.snapshot import Snapshot

READ_SAMPLES = 16 << 20
"""Recordings are read together up to so much sound (32 MB); a longer one is read alone."""
READ_RECORDINGS = 256
MOST_NOTES = 3
NO_SOUND = "it is an f0 track, which has no sound"
VOICED_SHARE = 0.5
"""A window counts where more than this share of its frames is voiced (siamese-2018)."""


class Hearing:
    """What a model makes of recordings, one after the other.

    Attributes
    ----------
    unheard : by recording that could not be heard, the reason
    notes : what is to be said of the sound, such as where another rate than is kept came from
    """

    def __init__(self, snapshot: Snapshot, embedder: Embedder) -> None:
        self.snapshot, self.embedder = snapshot, embedder
        self.unheard: dict[str, str] = {}
        self.notes: list[str] = []
        # not by isinstance, which looks past what a plug-in's wrapper hands on
        self._relative: HearsRelative | None = None
        if hasattr(embedder, "gain") and getattr(embedder, "is_relative", True):
            self._relative = cast(HearsRelative, embedder)
        self._is_whole = embedder.is_voiced_only or self._relative is not None
        found = snapshot.table("recordings", ["recording_id", "duration_s", "kind"])
        columns = (found.column(i).to_pylist() for i in range(3))
        self._duration_s = {r: float(s) for r, s, kind in zip(*columns, strict=True) if kind == "audio"}

    def each(self, todo: Sequence[Spans]) -> Iterator[tuple[Spans, NDArray[np.float32] | None]]:
        """The vectors of each recording's targets, float32 [n, d], NaN where there is none; None where it cannot be heard."""
        for group in self._groups(todo):
            sounds = self._read(group)
            for spans in group:
                sound = sounds.get(spans.recording_id)
                yield spans, None if sound is None else self._vectors(spans, sound)

    def _groups(self, todo: Sequence[Spans]) -> Iterator[list[Spans]]:
        group: list[Spans] = []
        n_samples = 0
        for spans in todo:
            if spans.recording_id not in self._duration_s:
                self.unheard[spans.recording_id] = NO_SOUND
            # of spans that overlap the sound is read once: never more than the recording
            all_s = self._duration_s.get(spans.recording_id, 0.0)
            own_s = all_s if self._is_whole else min(all_s, float((spans.end_s - spans.start_s).sum()))
            own = int(own_s * self.embedder.sample_rate_hz)
            if group and (n_samples + own > READ_SAMPLES or len(group) >= READ_RECORDINGS):
                yield group
                group, n_samples = [], 0
            group.append(spans)
            n_samples += own
        if group:
            yield group

    def _read(self, group: list[Spans]) -> dict[str, Packed]:
        """The sound of some recordings, by recording; where one cannot be read, the others are read all the same."""
        group = [spans for spans in group if spans.recording_id in self._duration_s]
        if not group:
            return {}
        try:
            return self._read_together(group)
        except (NotFoundError, UsageError) as error:
            if len(group) == 1:
                self.unheard[group[0].recording_id] = str(error)
                return {}
        found: dict[str, Packed] = {}
        half = len(group) // 2
        for part in (group[:half], group[half:]):
            found |= self._read(part)
        return found

    def _read_together(self, group: list[Spans]) -> dict[str, Packed]:
        rate = self.embedder.sample_rate_hz
        if self._is_whole:
            names = [spans.recording_id for spans in group]
            start_s, end_s = np.zeros(len(group)), np.array([self._duration_s[name] for name in names])
            n_each = [1] * len(group)
        else:
            names = [spans.recording_id for spans in group for _ in range(len(spans))]
            start_s = np.concatenate([spans.start_s for spans in group])
            end_s = np.concatenate([spans.end_s for spans in group])
            n_each = [len(spans) for spans in group]
        packed = pack_spans(self.snapshot, names, start_s, end_s, sample_rate_hz=rate)
        if packed.note and packed.note not in self.notes and len(self.notes) < MOST_NOTES:
            self.notes.append(packed.note)
        ends = np.cumsum(n_each).tolist()
        return {
            spans.recording_id: packed.take(np.arange(end - n, end))
            for spans, n, end in zip(group, n_each, ends, strict=True)
        }

    def _vectors(self, spans: Spans, sound: Packed) -> NDArray[np.float32]:
        if not self._is_whole:
            return averaged(self.embedder, sound)
        rate, whole = sound.sample_rate_hz, sound
        first = np.rint(spans.start_s * rate).astype(np.int64)
        last = np.maximum(np.rint(spans.end_s * rate).astype(np.int64), first + 1)
        n_there = int(whole.length[0])
        if (first >= n_there).any():
            raise UsageError(
                f"a clip begins beyond the end of recording {spans.recording_id[:8]}; the clips were cut from other sound than"
                " there is now"
            )
        if self._relative is not None:
            whole = replace(whole, gain=self._relative.gain(whole, [spans.recording_id]))
        cut = whole.take(np.zeros(len(spans), np.int64))
        cut = replace(cut, start=cut.start + first, length=np.minimum(last, n_there) - first)
        if not self.embedder.is_voiced_only:
            return averaged(self.embedder, cut)
        return averaged(self.embedder, cut, is_heard=Voiced(whole, first))


class Voiced:
    """Which windows of the clips of one recording are voiced; its frames are told apart once, over all of it."""

    def __init__(self, whole: Packed, first: NDArray[np.int64]) -> None:
        self._whole, self._first = whole, first
        self._n_voiced: NDArray[np.int64] | None = None

    def __call__(
        self, row: NDArray[np.int64], offset: NDArray[np.int64], size: NDArray[np.int64]
    ) -> NDArray[np.bool_]:
        from motifdb.training.inputs.voicing import frame_lengths, voiced_frames

        rate = self._whole.sample_rate_hz
        if self._n_voiced is None:
            samples = self._whole.clip(0).astype(np.float32) / np.float32(FULL_SCALE)
            self._n_voiced = np.concatenate([[0], np.cumsum(voiced_frames(samples, rate))]).astype(np.int64)
        last = len(self._n_voiced) - 1
        _, hop = frame_lengths(rate)  # frame t is centred on sample t x hop
        begin = self._first[row] + offset
        low = np.minimum(-(-begin // hop), last - 1)
        high = np.clip((begin + size - 1) // hop + 1, low + 1, last)
        share: NDArray[np.float64] = (self._n_voiced[high] - self._n_voiced[low]) / (high - low)
        return share > VOICED_SHARE
