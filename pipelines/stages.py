"""The stages: table in, table out, pure, and checked at both ends.

    pitch --quantise--> contours --mine_recordings--> motifs + occurrences + coverage

A stage knows nothing of where its rows come from (a loop on a laptop, a task on a cluster) or go. Each works
recording by recording, so rows of many recordings may come in one table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Set
from dataclasses import dataclass
from functools import wraps
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from motifdb.config import ContourConfig, MiningConfig
from motifdb.ids import motif_id, pattern_id, phrase_id
from motifdb.pipelines.records import PitchTrack
from motifdb.schemas import CONTOURS, COVERAGE, MOTIFS, OCCURRENCES, PITCH, TableSpec

FRAMES_PER_BLOCK = 65_536
"""Most frames in one row of `pitch`: 17 minutes at a hop of 16 ms, 768 KiB."""

CONTOUR_VERSION = 1
MINING_VERSION = 1
"""Stage versions: raised when the same parameters give other results, so that ids of analyses differ."""

Result = TypeVar("Result")


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
            _lists(offsets, np.ascontiguousarray(track.f0_hz, np.float32)),
            _lists(confidence_offsets, np.ascontiguousarray(track.confidence, np.float32)),
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
        f0_hz = _flat(rows.column("f0_hz"), np.float32)
        confidence = _flat(rows.column("confidence"), np.float32)
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
def quantise(
    pitch: pa.Table, *, config: ContourConfig, analysis_id: str, commit: int = 0
) -> tuple[pa.Table, ...]:
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
        done.append(_coverage(analysis_id, recording_id, commit, n_phrases))
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
                    _lists(phrases.symbol_offsets, phrases.symbols),
                    _lists(phrases.segment_offsets, phrases.segment_start_s),
                    _lists(phrases.segment_offsets, phrases.segment_end_s),
                    _lists(phrases.segment_offsets, phrases.segment_cents),
                ],
                schema=CONTOURS.schema,
            )
        )
    return _joined(CONTOURS, made), COVERAGE.table(done)


@stage(reads=CONTOURS, writes=(MOTIFS, OCCURRENCES, COVERAGE))
def mine_recordings(
    contours: pa.Table, *, config: MiningConfig, vocabulary: str, analysis_id: str, commit: int = 0
) -> tuple[pa.Table, ...]:
    """Motifs of each recording on its own, where they sound, and what was tested.

    Parameters
    ----------
    contours : rows of `contours` of one analysis, all phrases of each recording in it
    config : what counts as a motif
    vocabulary : `ContourConfig.vocabulary` of the contour analysis; part of pattern ids
    analysis_id : of the mining analysis
    """
    contours = contours.sort_by([("recording_id", "ascending"), ("phrase", "ascending")]).combine_chunks()
    motifs, occurrences, done = [], [], []
    for first, last in _runs(contours, ("recording_id",)):
        rows = contours.slice(first, last - first)
        found = _mine_one(PhraseColumns.of(rows), config, vocabulary, analysis_id, commit)
        motifs.append(found[0])
        occurrences.append(found[1])
        done.append(found[2])
    return _joined(MOTIFS, motifs), _joined(OCCURRENCES, occurrences), COVERAGE.table(done)


def empty_coverage(analysis_id: str, recording_id: str, commit: int = 0) -> dict[str, object]:
    """The coverage row of a recording in which there was nothing to find."""
    return _coverage(analysis_id, recording_id, commit, 0)


@dataclass(frozen=True)
class PhraseColumns:
    """One recording's phrases as flat arrays.

    `symbols[offsets[i]:offsets[i + 1]]` are phrase i's symbols; its segments start at `offsets[i] + i`,
    as a phrase has one segment more than symbols.
    """

    recording_id: str
    phrase_ids: list[str]
    symbols: NDArray[np.int8]
    offsets: NDArray[np.int64]
    segment_start_s: NDArray[np.float64]
    segment_end_s: NDArray[np.float64]
    segment_cents: NDArray[np.float64]

    @classmethod
    def of(cls, rows: pa.Table) -> PhraseColumns:
        """From rows of `contours` of one recording, sorted by phrase."""
        lengths = pc.list_value_length(rows.column("symbols")).to_numpy().astype(np.int64)
        return cls(
            rows.column("recording_id")[0].as_py(),
            rows.column("phrase_id").to_pylist(),
            _flat(rows.column("symbols"), np.int8),
            np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
            _flat(rows.column("segment_start_s"), np.float64),
            _flat(rows.column("segment_end_s"), np.float64),
            _flat(rows.column("segment_cents"), np.float64),
        )


def _mine_one(
    phrases: PhraseColumns, config: MiningConfig, vocabulary: str, analysis_id: str, commit: int
) -> tuple[pa.Table, pa.Table, dict[str, object]]:
    """Mine one recording; the rule on duration comes after the count, so both counts can be told."""
    from motifdb.kernels.mine import mine
    from motifdb.kernels.significance import METHODS, assess

    found = mine(
        phrases.symbols,
        phrases.offsets,
        None,
        max_gap=config.max_gap,
        min_support=config.min_support,
        support=config.support,
        min_length=config.min_length,
        max_length=config.max_length,
    )
    first_segment = (
        phrases.offsets[found.occurrence_sequence] + found.occurrence_sequence + found.occurrence_first
    )
    last_segment = (
        phrases.offsets[found.occurrence_sequence] + found.occurrence_sequence + found.occurrence_last + 1
    )
    start_s = phrases.segment_start_s[first_segment]
    end_s = phrases.segment_end_s[last_segment]
    shortest, median, longest = _durations(found.occurrence_pattern, end_s - start_s, found.occurrences)
    kept = np.flatnonzero(median >= config.min_duration_s)
    kept_occurrence = np.isin(found.occurrence_pattern, kept)

    each = [found.pattern(i) for i in kept.tolist()]
    lengths = found.lengths[kept]
    pattern_offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    patterns = np.concatenate(each) if each else np.empty(0, np.int8)
    significance = assess(
        phrases.symbols,
        phrases.offsets,
        patterns,
        pattern_offsets,
        found.occurrences[kept],
        found.support_sequences[kept],
        max_gap=config.max_gap,
        support=config.support,
        max_order=config.max_order,
        n_tested=found.n_distinct if found.n_distinct is not None else len(kept),
    )
    pattern_ids = [pattern_id(vocabulary, p.tobytes(), config.max_gap) for p in each]
    motif_ids = [motif_id(analysis_id, "recording", phrases.recording_id, p) for p in pattern_ids]
    n = len(kept)
    motifs = pa.table(
        [
            pa.array(motif_ids, pa.string()),
            pa.array(pattern_ids, pa.string()),
            pa.array([analysis_id] * n, pa.string()),
            pa.array(["recording"] * n, pa.string()),
            pa.array([phrases.recording_id] * n, pa.string()),
            pa.array([contour_text(p) for p in each], pa.string()),
            _lists(pattern_offsets, patterns),
            pa.array(lengths.astype(np.int32)),
            pa.array([config.max_gap] * n, pa.int32()),
            pa.array(found.support_sequences[kept]),
            pa.array(np.ones(n, np.int64)),
            pa.array(found.occurrences[kept]),
            pa.array(found.occurrences_nonoverlapping[kept]),
            pa.array(median[kept]),
            pa.array(shortest[kept]),
            pa.array(longest[kept]),
            _or_null(significance.expected_support),
            _or_null(significance.expected_occurrences),
            _or_null(significance.log10_p),
            _or_null(significance.q_value),
            _or_null(significance.surprise_bits),
            pa.array(
                [None if METHODS[m] == "none" else METHODS[m] for m in significance.method], pa.string()
            ),
            pa.nulls(n, pa.float64()),
        ],
        schema=MOTIFS.schema,
    )
    place = np.zeros(len(found.occurrences), np.int64)
    place[kept] = np.arange(n)
    of_motif = place[found.occurrence_pattern[kept_occurrence]]
    sequence = found.occurrence_sequence[kept_occurrence]
    occurrences = pa.table(
        [
            pa.array(motif_ids, pa.string()).take(pa.array(of_motif)),
            pa.array(phrases.phrase_ids, pa.string()).take(pa.array(sequence)),
            pa.array([phrases.recording_id] * len(sequence), pa.string()),
            pa.array(found.occurrence_first[kept_occurrence].astype(np.int32)),
            pa.array(found.occurrence_last[kept_occurrence].astype(np.int32)),
            pa.array(start_s[kept_occurrence]),
            pa.array(end_s[kept_occurrence]),
            pa.array(phrases.segment_cents[first_segment[kept_occurrence]]),
        ],
        schema=OCCURRENCES.schema,
    )
    done = _coverage(analysis_id, phrases.recording_id, commit, n) | {
        "n_tested": found.n_distinct,
        "null_order": int(significance.null_order),
        "n_motifs_any_duration": len(found.occurrences),
        "n_occurrences_any_duration": len(found.occurrence_pattern),
    }
    return motifs, occurrences, done


def contour_text(pattern: NDArray[np.int8]) -> str:
    """A pattern as people write it.

    >>> contour_text(np.array([1, -2, 1], np.int8))
    '+1 -2 +1'
    """
    return " ".join(f"{s:+d}" for s in pattern.tolist())


def _durations(
    of_pattern: NDArray[np.int64], duration_s: NDArray[np.float64], n_each: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Shortest, median (the lower of two middle ones) and longest occurrence of each pattern, shape (n_patterns,)."""
    order = np.lexsort((duration_s, of_pattern))
    ordered = duration_s[order]
    starts = np.concatenate([[0], np.cumsum(n_each)[:-1]]).astype(np.int64) if len(n_each) else n_each
    if not len(n_each):
        return (np.empty(0),) * 3
    return ordered[starts], ordered[starts + (n_each - 1) // 2], ordered[starts + n_each - 1]


def _coverage(analysis_id: str, recording_id: str, commit: int, n_rows: int) -> dict[str, object]:
    return {
        "analysis_id": analysis_id,
        "scope_key": recording_id,
        "input_hash": recording_id,
        "state": "done" if n_rows else "empty",
        "n_rows": n_rows,
        "commit": commit,
    }


def _joined(spec: TableSpec, tables: list[pa.Table]) -> pa.Table:
    return pa.concat_tables(tables) if tables else spec.empty()


def _lists(offsets: NDArray[Any], values: NDArray[Any]) -> pa.ListArray:
    """A list column over flat values; offsets are those of the values, from 0."""
    return pa.ListArray.from_arrays(pa.array(np.asarray(offsets, np.int32)), pa.array(values))


def _flat(column: pa.ChunkedArray, dtype: type[np.generic]) -> NDArray[Any]:
    """The values of a list column one after the other."""
    parts = [chunk.flatten().to_numpy(zero_copy_only=False) for chunk in column.chunks]
    return np.ascontiguousarray(np.concatenate(parts) if parts else np.empty(0), dtype)


def _or_null(values: NDArray[np.float64]) -> pa.Array:
    """NaN, a kernel's word for unknown, becomes null."""
    return pa.array(values, pa.float64(), mask=np.isnan(values))


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
