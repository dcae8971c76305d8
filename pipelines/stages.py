"""The stages: table in, table out, pure, and checked at both ends.

    pitch --quantise--> contours --mine_recordings--> motifs + occurrences + coverage

A stage knows nothing of where its rows come from (a loop on a laptop, a task on a cluster) or go. Each works
recording by recording, so rows of many recordings may come in one table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Set
from functools import wraps
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from motifdb.config import ContourConfig, MiningConfig
from motifdb.ids import phrase_id
from motifdb.pipelines.arrays import flat, lists
from motifdb.pipelines.motif_rows import NO_LIMITS, Limits, PhraseColumns, mine_scope
from motifdb.pipelines.records import PitchTrack
from motifdb.schemas import CONTOURS, COVERAGE, MOTIFS, OCCURRENCES, PITCH, TableSpec

FRAMES_PER_BLOCK = 65_536
"""Most frames in one row of `pitch`: 17 minutes at a hop of 16 ms, 768 KiB."""

CONTOUR_VERSION = 1
MINING_VERSION = 2
"""Stage versions: raised when the same parameters give other results, so that ids of analyses differ. Version 2 of mining takes q from
p given that a pattern occurs, and has one with gaps."""


def stage(
    reads: TableSpec, writes: tuple[TableSpec, ...]
) -> Callable[[Callable[..., tuple[pa.Table, ...]]], Callable[..., tuple[pa.Table, ...]]]:
    """Check what a stage reads and what it writes; a mismatch names table, column and types."""

    def wrap(function: Callable[..., tuple[pa.Table, ...]]) -> Callable[..., tuple[pa.Table, ...]]:
        name = function.__name__

        @wraps(function)
        def checked(table: pa.Table, **parameters: Any) -> tuple[pa.Table, ...]:
            out = function(reads.checked(table, where=f"{name} reads"), **parameters)
            return tuple(spec.checked(t, where=f"{name} writes") for spec, t in zip(writes, out, strict=True))

        return checked

    return wrap


def pitch_rows(recording_id: str, analysis_id: str, track: PitchTrack) -> pa.Table:
    """One recording's f0 as rows of `pitch`, at most `FRAMES_PER_BLOCK` frames each; an empty track has one row."""
    n_frames = len(track.f0_hz)
    starts = np.arange(0, max(n_frames, 1), FRAMES_PER_BLOCK)
    n_blocks = len(starts)
    offsets = np.append(starts, n_frames).astype(np.int32)
    confidence_offsets = offsets if len(track.confidence) else np.zeros(n_blocks + 1, np.int32)
    return pa.table(
        [
            pa.array([recording_id] * n_blocks, pa.string()),
            pa.array([analysis_id] * n_blocks, pa.string()),
            pa.array(np.arange(n_blocks, dtype=np.int32)),
            pa.array(np.full(n_blocks, track.hop_s)),
            pa.array(track.start_s + starts * track.hop_s),
            lists(offsets, np.ascontiguousarray(track.f0_hz, np.float32)),
            lists(confidence_offsets, np.ascontiguousarray(track.confidence, np.float32)),
        ],
        schema=PITCH.schema,
    )


def pitch_tracks(pitch: pa.Table) -> Iterator[tuple[str, str, PitchTrack]]:
    """(recording_id, analysis_id, track) of every recording in rows of `pitch`, blocks joined in order."""
    pitch = pitch.sort_by(
        [("recording_id", "ascending"), ("analysis_id", "ascending"), ("block", "ascending")]
    ).combine_chunks()
    for first, last in _runs(pitch, ("recording_id", "analysis_id")):
        rows = pitch.slice(first, last - first)
        f0_hz = flat(rows.column("f0_hz"), np.float32)
        confidence = flat(rows.column("confidence"), np.float32)
        yield (
            rows.column("recording_id")[0].as_py(),
            rows.column("analysis_id")[0].as_py(),
            PitchTrack(f0_hz, confidence, rows.column("hop_s")[0].as_py(), rows.column("start_s")[0].as_py()),
        )


def rows_of_recordings(
    batches: Iterable[pa.RecordBatch], wanted: Set[str] | None = None
) -> Iterator[tuple[str, pa.Table]]:
    """(recording_id, its rows) from one scan: the rows of a recording were written, and so lie, together.

    Recordings not in `wanted` are passed over; None wants all.
    """
    held: list[pa.RecordBatch] = []
    current: str | None = None
    for batch in batches:
        for first, last in _runs(pa.Table.from_batches([batch]), ("recording_id",)):
            recording_id = batch.column("recording_id")[first].as_py()
            if recording_id != current:
                if held:
                    yield str(current), pa.Table.from_batches(held)
                held, current = [], recording_id
            if wanted is None or recording_id in wanted:
                held.append(batch.slice(first, last - first))
    if held:
        yield str(current), pa.Table.from_batches(held)


def recordings_of(batches: Iterable[pa.RecordBatch]) -> Iterator[PhraseColumns]:
    """Each recording's phrases from one scan of `contours` of one analysis."""
    for _, rows in rows_of_recordings(batches):
        yield PhraseColumns.of(rows.sort_by("phrase").combine_chunks())


@stage(reads=PITCH, writes=(CONTOURS, COVERAGE))
def quantise(pitch: pa.Table, *, config: ContourConfig, analysis_id: str) -> tuple[pa.Table, ...]:
    """Phrases of contour symbols from f0, and what was done for which recording.

    Parameters
    ----------
    pitch : rows of `pitch` of one analysis, all blocks of each recording in it
    config : the quantiser and its parameters
    analysis_id : of the contour analysis
    """
    from motifdb.kernels.contour import contours

    made, done = [], []
    for recording_id, _, track in pitch_tracks(pitch):
        phrases = contours(track.f0_hz, track.confidence, track.hop_s, track.start_s, config)
        n_phrases = len(phrases.symbol_offsets) - 1
        done.append(coverage_row(analysis_id, recording_id, n_phrases))
        if not n_phrases:
            continue
        first = phrases.segment_offsets[:-1]
        last = phrases.segment_offsets[1:] - 1
        made.append(
            pa.table(
                [
                    pa.array([phrase_id(analysis_id, recording_id, i) for i in range(n_phrases)]),
                    pa.array([recording_id] * n_phrases),
                    pa.array([analysis_id] * n_phrases),
                    pa.array(np.arange(n_phrases, dtype=np.int32)),
                    pa.array(phrases.segment_start_s[first]),
                    pa.array(phrases.segment_end_s[last]),
                    lists(phrases.symbol_offsets, phrases.symbols),
                    lists(phrases.segment_offsets, phrases.segment_start_s),
                    lists(phrases.segment_offsets, phrases.segment_end_s),
                    lists(phrases.segment_offsets, phrases.segment_cents),
                ],
                schema=CONTOURS.schema,
            )
        )
    return _joined(CONTOURS, made), COVERAGE.table(done)


@stage(reads=CONTOURS, writes=(MOTIFS, OCCURRENCES, COVERAGE))
def mine_recordings(
    contours: pa.Table,
    *,
    config: MiningConfig,
    vocabulary: str,
    analysis_id: str,
    limits: Limits = NO_LIMITS,
) -> tuple[pa.Table, ...]:
    """Motifs of each recording on its own, where they sound, and what was tested.

    Parameters
    ----------
    contours : rows of `contours` of one analysis, all phrases of each recording in it
    config : what counts as a motif
    vocabulary : `ContourConfig.vocabulary` of the contour analysis; part of pattern ids
    analysis_id : of the mining analysis
    limits : what one recording may take
    """
    contours = _in_order(contours)
    motifs, occurrences, done = [], [], []
    for first, last in _runs(contours, ("recording_id",)):
        phrases = PhraseColumns.of(contours.slice(first, last - first))
        found = mine_scope(phrases, phrases.recording_id, config, vocabulary, analysis_id, limits)
        motifs.append(found[0])
        occurrences.append(found[1])
        done.append(coverage_row(analysis_id, phrases.recording_id, found[0].num_rows) | found[2])
    return _joined(MOTIFS, motifs), _joined(OCCURRENCES, occurrences), COVERAGE.table(done)


@stage(reads=CONTOURS, writes=(MOTIFS, OCCURRENCES, COVERAGE))
def mine_together(
    contours: pa.Table,
    *,
    scope_key: str,
    input_hash: str,
    config: MiningConfig,
    vocabulary: str,
    analysis_id: str,
    limits: Limits,
) -> tuple[pa.Table, ...]:
    """Motifs of several recordings as one, where they sound, and what was tested.

    Parameters
    ----------
    contours : rows of `contours` of one analysis, all phrases of all recordings of the scope
    scope_key : which one of the scope's: a label's value, or ``"all"``
    input_hash : of the recordings in it
    config, vocabulary, analysis_id, limits : as in `mine_recordings`
    """
    phrases = PhraseColumns.of(_in_order(contours))
    motifs, occurrences, said = mine_scope(phrases, scope_key, config, vocabulary, analysis_id, limits)
    done = coverage_row(analysis_id, scope_key, motifs.num_rows) | said | {"input_hash": input_hash}
    return motifs, occurrences, COVERAGE.table([done])


def _in_order(contours: pa.Table) -> pa.Table:
    return contours.sort_by([("recording_id", "ascending"), ("phrase", "ascending")]).combine_chunks()


def coverage_row(analysis_id: str, scope_key: str, n_rows: int = 0) -> dict[str, object]:
    """What an analysis has done with a recording (or key of a wider scope): made so many rows, or found nothing.

    The commit is written in when it is made.
    """
    return {
        "analysis_id": analysis_id,
        "scope_key": scope_key,
        "input_hash": scope_key,
        "state": "done" if n_rows else "empty",
        "n_rows": n_rows,
        "commit": 0,
    }


def _joined(spec: TableSpec, tables: list[pa.Table]) -> pa.Table:
    return pa.concat_tables(tables) if tables else spec.empty()


def _runs(table: pa.Table, keys: tuple[str, ...]) -> Iterator[tuple[int, int]]:
    """(first, last + 1) of each run of equal keys in a sorted table."""
    if not table.num_rows:
        return
    change = np.zeros(table.num_rows - 1, bool)
    for key in keys:
        column = table.column(key).combine_chunks()
        change |= pc.not_equal(column[1:], column[:-1]).to_numpy(zero_copy_only=False)
    edges = np.concatenate([[0], np.flatnonzero(change) + 1, [table.num_rows]])
    yield from pairwise(edges.tolist())
