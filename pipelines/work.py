"""A unit of work: some recordings, taken as far along the data's way as was asked; what the engines map.

Everything a unit needs travels in it, and everything it makes comes back as table rows: a worker touches
neither the database nor the folder of recordings, so it may sit on another machine.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from motifdb.config import Config
from motifdb.errors import InputError, MotifdbError
from motifdb.pipelines.keeper import NOTHING, SAMPLE_RATE_HZ, Keeper, Keeps, KeptRows
from motifdb.pipelines.motif_rows import NO_LIMITS, Limits
from motifdb.pipelines.records import AudioFacts, PitchTrack
from motifdb.pipelines.stages import coverage_row, mine_recordings, mine_together, pitch_rows, quantise
from motifdb.schemas import COVERAGE, RECORDINGS

if TYPE_CHECKING:
    from motifdb.pipelines.inputs.sniff import Sniffed
    from motifdb.pipelines.trackers import Tracker


@dataclass(frozen=True)
class Chain:
    """The analyses that a recording goes through; a later one is None where work stops before it."""

    pitch_id: str
    contour_id: str | None
    mining_id: str | None
    config: Config


@dataclass(frozen=True)
class Item:
    """One recording to work on, or, where mining is over several, the rows of all of one key.

    Exactly one of `content` (bytes, or the path of a file too long to hold), `pitch` (rows) and `contours`
    (rows) is where its work starts; `keeps` says what is kept of its sound on the way. In a scope wider than a
    recording, `recording_id` is the scope's key, and `input_hash` says which recordings are in it.
    """

    recording_id: str
    chain: Chain
    content: bytes | Path | None = None
    sniffed: Sniffed | None = None
    hop: Fraction | None = None
    name: bytes = b"the file"
    pitch: pa.Table | None = None
    contours: pa.Table | None = None
    size_bytes: int = 0
    input_hash: str | None = None
    keeps: Keeps = NOTHING

    @property
    def is_local(self) -> bool:
        """Whether its content stays where it is, so that only the driver can work on it."""
        return isinstance(self.content, Path)


@dataclass(frozen=True)
class Unit:
    """Recordings that travel together, so that a task takes long enough to be worth its message."""

    items: tuple[Item, ...]
    until: str
    limits: Limits = NO_LIMITS

    @property
    def size_bytes(self) -> int:
        return sum(i.size_bytes for i in self.items)


@dataclass(frozen=True)
class Failure:
    """Why a recording cannot be used now: the columns of `failures` that work can know."""

    stage: str
    kind: str
    reason: str
    analysis_id: str | None = None


@dataclass
class UnitResult:
    """Rows by table, and per recording what went wrong (None: nothing) and how long it plays."""

    rows: dict[str, list[pa.Table]] = field(default_factory=dict)
    outcomes: dict[str, Failure | None] = field(default_factory=dict)
    duration_s: float = 0.0
    recordings: list[dict[str, object]] = field(default_factory=list)
    kept: KeptRows = field(default_factory=KeptRows)

    def add(self, table: str, rows: pa.Table) -> None:
        """Add rows to a table."""
        if rows.num_rows:
            self.rows.setdefault(table, []).append(rows)

    def closed(self) -> UnitResult:
        """With `recordings` and `kept` among the rows, and one piece for each table: pieces of one row are what costs."""
        if self.recordings:
            self.add("recordings", RECORDINGS.table(self.recordings))
        for table, rows in self.kept.tables():
            self.add(table, rows)
        self.recordings, self.kept = [], KeptRows()
        for table, parts in self.rows.items():
            whole = pa.concat_tables(parts)
            self.rows[table] = [whole.combine_chunks() if whole.nbytes < _COMBINED_BYTES else whole]
        return self


STAGES = ("files", "pitch", "contours", "motifs")
"""How far `--until` goes, in order."""


_COMBINED_BYTES = 32 << 20


def run_unit(unit: Unit) -> UnitResult:
    """Take every recording of a unit as far as `unit.until`; one that fails does not touch the others."""
    result = UnitResult()
    tracked: list[tuple[Item, pa.Table]] = []
    quantised: list[tuple[Item, pa.Table]] = []
    for item in unit.items:
        try:
            if item.contours is not None:
                quantised.append((item, item.contours))
                result.outcomes[item.recording_id] = None
                continue
            pitch = item.pitch if item.pitch is not None else _from_content(item, unit, result)
            if pitch is not None:
                tracked.append((item, pitch))
            result.outcomes[item.recording_id] = None
        except Exception as error:
            result.outcomes[item.recording_id] = _failure(error, item)
    if STAGES.index(unit.until) >= STAGES.index("contours"):
        for item, pitch in tracked:
            if item.chain.contour_id is not None:
                _guard(
                    result,
                    item,
                    "contours",
                    lambda i=item, p=pitch: quantised.append((i, _quantise(i, p, unit, result))),
                )
    if STAGES.index(unit.until) >= STAGES.index("motifs"):
        for item, contours in quantised:
            if item.chain.mining_id is not None and result.outcomes[item.recording_id] is None:
                _guard(result, item, "motifs", lambda i=item, c=contours: _mine(i, c, unit, result))
    return result.closed()


def _from_content(item: Item, unit: Unit, result: UnitResult) -> pa.Table | None:
    """Decode (and track, unless work stops at files) one recording; its rows go to `result`."""
    assert item.sniffed is not None and item.content is not None
    wants_pitch = unit.until != "files"
    keeper: Keeper | None = None
    if item.sniffed.kind == "audio":
        track, facts, keeper = _decode(item, wants_pitch)
        duration_s, row = facts.duration_s, _audio_row(item.recording_id, facts)
    else:
        from motifdb.pipelines.inputs.f0 import read_f0

        assert isinstance(item.content, bytes)
        track = read_f0(item.content, item.sniffed, item.hop, item.name)
        duration_s = len(track.f0_hz) * track.hop_s
        row = _f0_row(item.recording_id, item.sniffed.container, duration_s)
    pitch, done = None, None
    if wants_pitch and track is not None:
        pitch = pitch_rows(item.recording_id, item.chain.pitch_id, track)
        done = pitch_coverage(item.chain.pitch_id, item.recording_id, track, pitch.num_rows)
    if keeper is not None:
        keeper.finish(result.kept)
    result.recordings.append(row)  # from here on nothing fails: a recording's rows come whole or not at all
    result.duration_s += duration_s
    if pitch is not None and done is not None:
        result.add("pitch", pitch)
        result.add("coverage", done)
    return pitch


def pitch_coverage(analysis_id: str, recording_id: str, track: PitchTrack, n_rows: int) -> pa.Table:
    """The coverage row of a recording that has been tracked; ``empty`` where no frame is voiced."""
    state = "done" if (track.f0_hz > 0).any() else "empty"
    row = coverage_row(analysis_id, recording_id) | {"state": state, "n_rows": n_rows}
    return COVERAGE.table([row])


def _decode(item: Item, wants_pitch: bool) -> tuple[PitchTrack | None, AudioFacts, Keeper | None]:
    """Decode one audio file in the decoder's process, once: the tracker and the keeper hear the blocks as they come."""
    from motifdb.pipelines.inputs.decode import shared_decoder
    from motifdb.pipelines.inputs.resample import resampled

    assert item.content is not None
    pitch = item.chain.config.pitch
    track, keeper = None, None
    stream = shared_decoder().open(item.content, channel=pitch.channel, name=item.name)
    tracker = _tracker(pitch.tracker, tuple(sorted(pitch.parameters.items()))) if wants_pitch else None
    blocks = iter(stream)
    if item.keeps and tracker is not None and tracker.sample_rate_hz == SAMPLE_RATE_HZ:
        keeper = Keeper(item.recording_id, item.keeps, SAMPLE_RATE_HZ)
        blocks = keeper.passing(resampled(blocks, stream.sample_rate_hz, SAMPLE_RATE_HZ))
    else:
        if item.keeps:
            keeper = Keeper(item.recording_id, item.keeps, stream.sample_rate_hz)
            blocks = keeper.passing(blocks)
        if tracker is not None:
            blocks = resampled(blocks, stream.sample_rate_hz, tracker.sample_rate_hz)
    if tracker is not None:
        (track,) = tracker.track([blocks])
    for _ in blocks:  # what the tracker left, or all of it without one: the facts are of the whole
        pass
    return track, stream.facts, keeper


def _quantise(item: Item, pitch: pa.Table, unit: Unit, result: UnitResult) -> pa.Table:
    contours, done = quantise(pitch, config=item.chain.config.contour, analysis_id=item.chain.contour_id)
    result.add("contours", contours)
    result.add("coverage", done)
    return contours


def _mine(item: Item, contours: pa.Table, unit: Unit, result: UnitResult) -> None:
    chain = item.chain
    assert chain.mining_id is not None
    if not contours.num_rows:
        row = coverage_row(chain.mining_id, item.recording_id)
        row |= {"input_hash": item.input_hash or item.recording_id}
        result.add("coverage", COVERAGE.table([row]))
        return
    parameters: dict[str, Any] = {
        "config": chain.config.mining,
        "vocabulary": chain.config.contour.vocabulary,
        "analysis_id": chain.mining_id,
        "limits": unit.limits,
    }
    if chain.config.mining.is_wide:
        parameters |= {"scope_key": item.recording_id, "input_hash": item.input_hash}
        motifs, occurrences, done = mine_together(contours, **parameters)
    else:
        motifs, occurrences, done = mine_recordings(contours, **parameters)
    result.add("motifs", motifs)
    result.add("occurrences", occurrences)
    result.add("coverage", done)


def _guard(result: UnitResult, item: Item, stage: str, step: Any) -> None:
    try:
        step()
    except Exception as error:
        result.outcomes[item.recording_id] = _failure(error, item, stage)


def _failure(error: Exception, item: Item, stage: str = "pitch") -> Failure:
    """What `failures` says of an exception; one of ours has its sentence, another is named for what it is."""
    ids = {"pitch": item.chain.pitch_id, "contours": item.chain.contour_id, "motifs": item.chain.mining_id}
    if isinstance(error, InputError):
        return Failure(error.stage, error.kind, error.reason, ids.get(error.stage))
    if isinstance(error, MotifdbError):
        raise error  # a missing extra or a bad option concerns the run, not this file
    text = " ".join(str(error).split())[:200]
    return Failure(
        stage, "internal", f"stage {stage} stopped with {type(error).__name__}: {text}", ids[stage]
    )


def _audio_row(recording_id: str, facts: AudioFacts) -> dict[str, object]:
    return {
        "recording_id": recording_id,
        "kind": "audio",
        "audio_hash": facts.audio_hash,
        "duration_s": facts.duration_s,
        "sample_rate_hz": facts.sample_rate_hz,
        "channels": facts.channels,
        "codec": facts.codec,
        "peak": facts.peak,
        "clipped_share": facts.clipped_share,
        "warning": facts.warning,
        "tags": sorted(facts.tags.items()),
    }


def _f0_row(recording_id: str, container: str, duration_s: float) -> dict[str, object]:
    return {
        "recording_id": recording_id,
        "kind": "f0",
        "duration_s": duration_s,
        "codec": container,
        "tags": [],
    }


@lru_cache(maxsize=4)
def _tracker(name: str, parameters: tuple[tuple[str, Any], ...]) -> Tracker:
    """This process's tracker; loading a model costs more than a short recording."""
    from motifdb.pipelines.trackers import get_tracker

    return get_tracker(name, dict(parameters))
