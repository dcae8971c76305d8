"""The pitch of a snapshot as search reads it: voiced time only, cut into pieces at long rests, on grids of any hop.

**Voiced time.** Gaps of at most `BRIDGED_S`, such as consonants, are bridged by a straight line in cents, so that they keep
their time. Longer gaps are left out and what remains is joined, so that a breath more or less changes nothing; a rest longer than
`LONGEST_REST_S` ends a piece, and nothing is found across it.

**Grid.** Frame k of a grid of hop h is the mean of the cents over the voiced time from k h to (k + 1) h of its piece, rounded to whole
cents. The last frame that is not full is left out.

All of it is disposable: made from the table `pitch` on the first search, held as long as the snapshot.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from motifdb.errors import NotFoundError, UsageError
from motifdb.kernels.cents import UNVOICED, millicents_from_hz
from motifdb.kernels.dtw import MAX_CENTS
from motifdb.kernels.voiced_grid import averaged, grid_pieces

if TYPE_CHECKING:
    from motifdb.catalog.snapshot import Snapshot

BRIDGED_S = 0.2
"""A longer gap is left out of time."""

LONGEST_REST_S = 3.0
"""A longer rest ends a piece."""

BASE_HOP_S = 0.01
"""Frames closer than this are averaged in twos, threes, ... as far as they stay within it; it bounds what is held."""

_HELD_BYTES = 256 << 20
"""Of grids that are kept for the next search; those of 150 hours at the five usual tempi."""


@dataclass(frozen=True)
class Grid:
    """Whole cents of every piece at one hop, one piece after the other.

    Attributes
    ----------
    series : float32
    offset : int64[pieces + 1], where each piece begins
    """

    series: NDArray[np.float32]
    offset: NDArray[np.int64]


@dataclass
class Voiced:
    """The voiced pitch of many recordings.

    Attributes
    ----------
    recording_ids : sorted
    cents : float32, voiced frames at the base hop, one piece after the other
    offset : int64[pieces + 1], where each piece begins among them
    piece_recording : int32[pieces]
    piece_hop_s : float64[pieces], base hop
    piece_runs : where the frames of each piece lie in its recording
    """

    recording_ids: list[str]
    cents: NDArray[np.float32]
    offset: NDArray[np.int64]
    piece_recording: NDArray[np.int32]
    piece_hop_s: NDArray[np.float64]
    piece_runs: list[Runs]
    _grids: dict[float, Grid] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def hours(self) -> float:
        """Voiced hours."""
        return float((np.diff(self.offset) * self.piece_hop_s).sum() / 3600)

    def grid(self, hop_s: float) -> Grid:
        """Every piece on a grid of this hop; kept for the next search."""
        with self._lock:
            if hop_s not in self._grids:
                series, offset = grid_pieces(self.cents, self.offset, hop_s / self.piece_hop_s)
                while self._grids and sum(g.series.nbytes for g in self._grids.values()) > _HELD_BYTES:
                    del self._grids[next(iter(self._grids))]
                self._grids[hop_s] = Grid(series, offset)
            return self._grids[hop_s]

    def times(self, piece: int, begin_s: float, end_s: float, slack_s: float = 0.0) -> tuple[float, float]:
        """Start and end in the recording, in seconds, of a stretch of a piece's voiced time.

        Where it begins or ends with no more than `slack_s` beyond a gap, that is left out: on a grid nobody knows better.
        """
        return self.piece_runs[piece].span(begin_s, end_s, slack_s)

    def between(self, recording_id: str, start_s: float, end_s: float) -> tuple[NDArray[np.float32], float]:
        """The voiced cents of a stretch of a recording, joined, and the time between them; empty where it is not there."""
        at = bisect_left(self.recording_ids, recording_id)
        if at == len(self.recording_ids) or self.recording_ids[at] != recording_id:
            return np.zeros(0, np.float32), BASE_HOP_S
        parts, hop_s = [], BASE_HOP_S
        for piece in np.flatnonzero(self.piece_recording == at).tolist():
            hop_s = float(self.piece_hop_s[piece])
            begin, end = (self.piece_runs[piece].voiced_before(t) for t in (start_s, end_s))
            a, b = (self.offset[piece] + round(s / hop_s) for s in (begin, end))
            parts.append(self.cents[a : min(b, int(self.offset[piece + 1]))])
        return np.concatenate(parts) if parts else np.zeros(0, np.float32), hop_s


@dataclass(frozen=True)
class Runs:
    """Where the voiced frames of a piece lie: runs of frames without a gap.

    Attributes
    ----------
    first : int64[runs], how many voiced frames of the piece come before the run
    time_s : float64[runs], time of its first frame
    hop_s : between frames
    n_frames : voiced frames of the piece
    """

    first: NDArray[np.int64]
    time_s: NDArray[np.float64]
    hop_s: float
    n_frames: int

    def span(self, begin_s: float, end_s: float, slack_s: float) -> tuple[float, float]:
        """From the start of the first voiced frame to the end of the last one in a stretch of voiced time."""
        a = min(int(begin_s / self.hop_s + 1e-6), self.n_frames - 1)
        b = min(max(int(np.ceil(end_s / self.hop_s - 1e-6)) - 1, a), self.n_frames - 1)
        slack = int(slack_s / self.hop_s + 1e-6)
        after = int(self.first[np.searchsorted(self.first, a + slack, "right") - 1])
        before = int(self.first[np.searchsorted(self.first, b, "right") - 1])
        a = after if a < after <= b else a
        b = before - 1 if b - before < slack and before - 1 > a else b
        return self._time(a), self._time(b) + self.hop_s

    def voiced_before(self, time_s: float) -> float:
        """Seconds of voice in the piece before a time."""
        run = int(np.searchsorted(self.time_s, time_s, "right")) - 1
        if run < 0:
            return 0.0
        end = int(self.first[run + 1]) if run + 1 < self.first.size else self.n_frames
        frames = (time_s - float(self.time_s[run])) / self.hop_s
        return float(min(self.first[run] + frames, end)) * self.hop_s

    def _time(self, frame: int) -> float:
        run = int(np.searchsorted(self.first, frame, "right")) - 1
        return float(self.time_s[run] + (frame - self.first[run]) * self.hop_s)


def voiced_cents(f0_hz: NDArray[np.float32], hop_s: float) -> NDArray[np.float32]:
    """Cents over 440 Hz in voiced time: short gaps bridged, long ones left out, clipped to the range of search.

    >>> voiced_cents(np.array([440, 0, 880, *[0] * 30, 440], np.float32), 0.01).tolist()
    [0.0, 600.0, 1200.0, 0.0]
    """
    return _voiced(f0_hz, hop_s)[1]


def _voiced(f0_hz: NDArray[np.float32], hop_s: float) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Frames of voiced time, and their cents."""
    millicents = millicents_from_hz(f0_hz)
    frames = np.flatnonzero(millicents != UNVOICED)
    cents = np.clip(millicents[frames] / 1000.0, -MAX_CENTS, MAX_CENTS).astype(np.float32)
    steps = np.diff(frames)
    is_bridged = (steps > 1) & ((steps - 1) * hop_s <= BRIDGED_S + 1e-9)
    if not is_bridged.any():
        return frames, cents
    change = np.zeros(millicents.size + 1, np.int8)
    change[frames[:-1][is_bridged] + 1] += 1
    change[frames[1:][is_bridged]] -= 1
    every = np.flatnonzero((millicents != UNVOICED) | (np.cumsum(change[:-1]) > 0))
    return every, np.interp(every, frames, cents).astype(np.float32)


def on_grid(cents: NDArray[np.float32], hop_s: float, grid_hop_s: float) -> NDArray[np.float32]:
    """One piece on a grid: see the top of the module."""
    base, base_hop_s = based(cents, hop_s)
    series, _ = grid_pieces(base, np.array([0, base.size], np.int64), np.array([grid_hop_s / base_hop_s]))
    return series


def based(cents: NDArray[np.float32], hop_s: float) -> tuple[NDArray[np.float32], float]:
    """Frames no closer than they are held, and the time between them: see `BASE_HOP_S`."""
    factor = max(int(BASE_HOP_S / hop_s + 1e-6), 1)
    return (cents, hop_s) if factor == 1 else (averaged(cents, factor), hop_s * factor)


@dataclass
class _Builder:
    """Collects pieces, recording by recording."""

    cents: list[NDArray[np.float32]] = field(default_factory=list)
    recording: list[int] = field(default_factory=list)
    hop_s: list[float] = field(default_factory=list)
    runs: list[Runs] = field(default_factory=list)

    def add(self, recording: int, f0_hz: NDArray[np.float32], hop_s: float, start_s: float) -> None:
        frames, cents = _voiced(f0_hz, hop_s)
        if not frames.size:
            return
        steps = np.diff(frames)
        run_first = np.concatenate([[0], np.flatnonzero(steps > 1) + 1])
        cuts = np.flatnonzero((steps - 1) * hop_s > LONGEST_REST_S) + 1
        for a, b in zip([0, *cuts], [*cuts, frames.size], strict=True):
            first = run_first[(run_first >= a) & (run_first < b)] if cuts.size else run_first
            base, base_hop_s = based(cents[a:b], hop_s)
            self.cents.append(base)
            self.recording.append(recording)
            self.hop_s.append(base_hop_s)
            self.runs.append(Runs(first - a, start_s + frames[first] * hop_s, hop_s, int(b - a)))

    def done(self, recording_ids: list[str]) -> Voiced:
        sizes = np.array([c.size for c in self.cents], np.int64)
        return Voiced(
            recording_ids,
            np.concatenate(self.cents) if self.cents else np.zeros(0, np.float32),
            np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)]),
            np.array(self.recording, np.int32),
            np.array(self.hop_s, np.float64),
            self.runs,
        )


def from_tracks(tracks: Sequence[tuple[str, NDArray[np.float32], float, float]]) -> Voiced:
    """Of tracks given as recording_id, f0 in Hz, hop and start in seconds; by recording_id."""
    builder = _Builder()
    ordered = sorted(tracks, key=lambda t: t[0])
    for i, (_, f0_hz, hop_s, start_s) in enumerate(ordered):
        builder.add(i, f0_hz, hop_s, start_s)
    return builder.done([t[0] for t in ordered])


_held: WeakKeyDictionary[Snapshot, dict[str | None, Voiced]] = WeakKeyDictionary()
_held_lock = threading.Lock()


def voiced_pitch(snapshot: Snapshot, pitch_analysis: str | None = None) -> Voiced:
    """The voiced pitch of every recording: of one pitch analysis, or of each recording's usual one.

    The usual one is the newest that contours were made of, else the newest that is no reference.

    Raises
    ------
    UsageError, NotFoundError
        where no pitch is stored, or no such analysis.
    """
    with _held_lock:
        of_snapshot = _held.setdefault(snapshot, {})
        if pitch_analysis not in of_snapshot:
            of_snapshot[pitch_analysis] = _read(snapshot, pitch_analysis)
        return of_snapshot[pitch_analysis]


def require_recordings(voiced: Voiced, recordings: Collection[str] | None) -> None:
    """Raise `NotFoundError` for a recording that cannot be searched."""
    missing = sorted(set(recordings or ()) - set(voiced.recording_ids))
    if missing:
        raise NotFoundError(f"no pitch of recording {missing[0][:8]} is stored, so it cannot be searched")


def _read(snapshot: Snapshot, pitch_analysis: str | None) -> Voiced:
    order = _analyses(snapshot, pitch_analysis)
    quoted = ", ".join(f"'{id_}'" for id_ in order)
    columns = ["recording_id", "analysis_id", "block", "hop_s", "start_s"]
    index = snapshot.table("pitch", columns, f"analysis_id in ({quoted})")
    if not index.num_rows:
        raise NotFoundError(f"{snapshot.path}: no pitch is stored; `motifdb ingest` tracks it")
    chosen: dict[str, str] = {}
    rank = {id_: i for i, id_ in enumerate(order)}
    pairs = set(
        zip(index.column("recording_id").to_pylist(), index.column("analysis_id").to_pylist(), strict=True)
    )
    for recording, analysis in pairs:
        if recording not in chosen or rank[analysis] > rank[chosen[recording]]:
            chosen[recording] = analysis
    parts: dict[str, list[tuple[int, float, float, NDArray[np.float32]]]] = {}
    for batch in snapshot.batches("pitch", [*columns, "f0_hz"], f"analysis_id in ({quoted})", batch_rows=64):
        for i in range(batch.num_rows):
            recording = batch.column(0)[i].as_py()
            if chosen[recording] != batch.column(1)[i].as_py():
                continue
            f0_hz = batch.column(5)[i].values.to_numpy(zero_copy_only=False).astype(np.float32, copy=False)
            block, hop_s, start_s = (batch.column(c)[i].as_py() for c in (2, 3, 4))
            parts.setdefault(recording, []).append((block, hop_s, start_s, f0_hz))
    builder = _Builder()
    recording_ids = sorted(parts)
    for i, recording in enumerate(recording_ids):
        blocks = sorted(parts.pop(recording), key=lambda block: block[0])
        builder.add(i, np.concatenate([b[3] for b in blocks]), blocks[0][1], blocks[0][2])
    voiced = builder.done(recording_ids)
    if not voiced.cents.size:
        raise UsageError(
            f"{snapshot.path}: no frame of the stored pitch is voiced, so there is nothing to search"
        )
    return voiced


def _analyses(snapshot: Snapshot, wanted: str | None) -> list[str]:
    """Ids of pitch analyses, the usual one last."""
    rows = snapshot.table("analyses", ["analysis_id", "kind", "name", "parent_id", "created_at"]).to_pylist()
    has_contours = {r["parent_id"] for r in rows if r["kind"] == "contour"}
    found = [r for r in rows if r["kind"] == "pitch"]
    if wanted is not None:
        found = [r for r in found if r["analysis_id"].startswith(wanted.lower()) or r["name"] == wanted]
        if not found:
            raise NotFoundError(f"there is no pitch analysis {wanted!r} in {snapshot.path}")
    elif not found:
        raise NotFoundError(f"{snapshot.path}: no pitch is stored; `motifdb ingest` tracks it")
    found.sort(
        key=lambda r: (
            r["analysis_id"] in has_contours,
            r["name"] != "reference",
            r["created_at"],
            r["analysis_id"],
        )
    )
    return [r["analysis_id"] for r in found]
