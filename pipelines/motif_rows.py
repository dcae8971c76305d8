"""Motifs of what is mined together: mine its phrases, apply the rule on duration, test, and write them as rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from motifdb.config import MiningConfig
from motifdb.errors import InputError, UsageError
from motifdb.ids import motif_id, pattern_id
from motifdb.pipelines.arrays import flat, lists, or_null
from motifdb.schemas import MOTIFS, OCCURRENCES

if TYPE_CHECKING:
    from motifdb.kernels.significance import Significance
    from motifdb.mining.explore import Pool
    from motifdb.mining.mined import Mined

MOST_PATTERNS = 5_000_000
MOST_OCCURRENCES = 10_000_000
"""Bounds of one recording, or of one key of a wider scope, a gigabyte of work: a drone of an hour must not take the machine with it."""


@dataclass(frozen=True)
class Limits:
    """Bounds of what one scope key may take, and how many threads may work on it; no part of an analysis's id.

    Attributes
    ----------
    max_patterns, max_occurrences : patterns, and places where they sound
    memory_bytes, time_s : of the search; None is no bound
    workers : threads
    pool : where to search with gaps instead, such as a cluster; it stays in the driver's process
    """

    max_patterns: int = MOST_PATTERNS
    max_occurrences: int = MOST_OCCURRENCES
    memory_bytes: int | None = None
    time_s: float | None = None
    workers: int = 1
    pool: Pool | None = None


NO_LIMITS = Limits()
"""The bounds where none were said."""


@dataclass(frozen=True)
class PhraseColumns:
    """Phrases of one or several recordings as flat arrays.

    `symbols[offsets[i]:offsets[i + 1]]` are phrase i's symbols; its segments start at `offsets[i] + i`,
    as a phrase has one segment more than symbols. `recording[i]` is the place of its recording in `recordings`.
    """

    recordings: list[str]
    recording: NDArray[np.int64]
    phrase_ids: list[str]
    symbols: NDArray[np.int8]
    offsets: NDArray[np.int64]
    segment_start_s: NDArray[np.float64]
    segment_end_s: NDArray[np.float64]
    segment_cents: NDArray[np.float64]

    @classmethod
    def of(cls, rows: pa.Table) -> PhraseColumns:
        """From rows of `contours` of one analysis, sorted by recording and phrase."""
        lengths = pc.list_value_length(rows.column("symbols")).to_numpy().astype(np.int64)
        recording = rows.column("recording_id").combine_chunks().dictionary_encode()
        return cls(
            recording.dictionary.to_pylist(),
            recording.indices.to_numpy().astype(np.int64),
            rows.column("phrase_id").to_pylist(),
            flat(rows.column("symbols"), np.int8),
            np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
            flat(rows.column("segment_start_s"), np.float64),
            flat(rows.column("segment_end_s"), np.float64),
            flat(rows.column("segment_cents"), np.float64),
        )

    def __len__(self) -> int:
        return len(self.phrase_ids)

    @property
    def recording_id(self) -> str:
        """The one recording that they are of."""
        (recording,) = self.recordings
        return recording


@dataclass(frozen=True)
class Places:
    """Every occurrence that was mined: its pattern, phrase, symbols, and when it sounds."""

    pattern: NDArray[np.int64]
    phrase: NDArray[np.int64]
    first: NDArray[np.int64]
    last: NDArray[np.int64]
    start_s: NDArray[np.float64]
    end_s: NDArray[np.float64]
    start_cents: NDArray[np.float64]

    @classmethod
    def of(cls, found: Mined, phrases: PhraseColumns) -> Places:
        """From the start of the first symbol's first segment to the end of the last symbol's last one."""
        phrase = found.occurrence_sequence
        # symbol i of a phrase stands between its segments i and i + 1; a phrase has one segment more than symbols
        segment = phrases.offsets[phrase] + phrase
        first, last = segment + found.occurrence_first, segment + found.occurrence_last + 1
        return cls(
            found.occurrence_pattern,
            phrase,
            found.occurrence_first,
            found.occurrence_last,
            phrases.segment_start_s[first],
            phrases.segment_end_s[last],
            phrases.segment_cents[first],
        )


def mine_scope(
    phrases: PhraseColumns,
    scope_key: str,
    config: MiningConfig,
    vocabulary: str,
    analysis_id: str,
    limits: Limits = NO_LIMITS,
) -> tuple[pa.Table, pa.Table, dict[str, object]]:
    """Rows of `motifs` and `occurrences` of what is mined together, and what `coverage` says beyond its keys.

    The rule on duration comes after the count, so that both counts can be told (style-2021, section II.B).

    Raises
    ------
    InputError
        ``too-repetitive`` where not even the tables of the search fit into the limit of memory. Other limits leave out
        what has least support, and ``complete_from`` in what `coverage` says tells where.
    """
    least = config.least_support(len(phrases), len(phrases.recordings))
    found = _mined(phrases, config, least, limits)
    return rows_of(found, phrases, scope_key, config, vocabulary, analysis_id, limits.workers)


def rows_of(
    found: Mined,
    phrases: PhraseColumns,
    scope_key: str,
    config: MiningConfig,
    vocabulary: str,
    analysis_id: str,
    n_threads: int = 1,
) -> tuple[pa.Table, pa.Table, dict[str, object]]:
    """As `mine_scope`, of patterns that were found in another way, each with at least one occurrence listed."""
    from motifdb.mining.filters import durations

    places = Places.of(found, phrases)
    durations_s = durations(places.pattern, places.end_s - places.start_s, found.occurrences)
    longest_s = np.inf if config.max_duration_s is None else config.max_duration_s
    kept = np.flatnonzero((durations_s[1] >= config.min_duration_s) & (durations_s[1] <= longest_s))
    each = [found.pattern(i) for i in kept.tolist()]
    pattern_ids = [pattern_id(vocabulary, p.tobytes(), config.max_gap) for p in each]
    motif_ids = pa.array(
        [motif_id(analysis_id, config.scope, scope_key, p) for p in pattern_ids], pa.string()
    )
    ids = (motif_ids, pattern_ids, analysis_id, scope_key)
    motifs, null_order = _motif_rows(phrases, config, found, kept, each, durations_s, ids, n_threads)
    occurrences = _occurrence_rows(phrases, places, kept, motif_ids)
    said: dict[str, object] = {
        "n_tested": found.n_distinct,
        "null_order": null_order,
        "n_motifs_any_duration": len(found),
        "n_occurrences_any_duration": len(places.pattern),
        "n_occurrences_long_enough": int((places.end_s - places.start_s >= config.min_duration_s).sum()),
    }
    if found.stopped_by is not None:
        said["complete_from"] = found.complete_from
    return motifs, occurrences, said


def _mined(phrases: PhraseColumns, config: MiningConfig, least: int, limits: Limits) -> Mined:
    from motifdb.mining.arrays import mine

    try:
        return mine(
            phrases.symbols,
            phrases.offsets,
            phrases.recording,
            max_gap=config.max_gap,
            min_support=least,
            support=config.support,
            min_length=config.min_length,
            max_length=config.max_length,
            max_patterns=limits.max_patterns,
            max_occurrences=limits.max_occurrences,
            memory_limit_bytes=limits.memory_bytes,
            time_limit_s=limits.time_s,
            workers=limits.workers,
            pool=limits.pool,
        )
    except UsageError as error:  # the options were checked before any work; what is left is a bound of memory
        raise InputError("too-repetitive", f"its motifs cannot be searched for: {error}", "motifs") from None


def _tested(
    phrases: PhraseColumns,
    config: MiningConfig,
    found: Mined,
    kept: NDArray[np.int64],
    each: list[NDArray[np.int8]],
    n_threads: int,
) -> Significance:
    """What the null model, fitted to the phrases of the scope, says of the kept patterns."""
    from motifdb.kernels.significance import assess

    return assess(
        phrases.symbols,
        phrases.offsets,
        np.concatenate(each) if each else np.empty(0, np.int8),
        np.concatenate([[0], np.cumsum(found.lengths[kept])]).astype(np.int64),
        found.occurrences[kept],
        found.support_sequences[kept],
        groups=phrases.recording,
        support_recordings=found.support_groups[kept],
        max_gap=config.max_gap,
        support=config.support,
        max_order=config.max_order,
        n_tested=found.n_distinct,
        min_length=config.min_length,
        max_length=config.max_length,
        n_threads=n_threads,
    )


def _motif_rows(
    phrases: PhraseColumns,
    config: MiningConfig,
    found: Mined,
    kept: NDArray[np.int64],
    each: list[NDArray[np.int8]],
    durations_s: NDArray[np.float64],
    ids: tuple[pa.Array, list[str], str, str],
    n_threads: int,
) -> tuple[pa.Table, int]:
    """Rows of `motifs`, with what the null model says of them, and its order."""
    from motifdb.kernels.significance import METHODS

    tested = _tested(phrases, config, found, kept, each, n_threads)
    lengths = found.lengths[kept]
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    patterns = np.concatenate(each) if each else np.empty(0, np.int8)
    motif_ids, pattern_ids, analysis_id, scope_key = ids
    shortest, median, longest = durations_s[:, kept]
    n = len(kept)
    rows = pa.table(
        [
            motif_ids,
            pa.array(pattern_ids, pa.string()),
            pa.array([analysis_id] * n, pa.string()),
            pa.array([config.scope] * n, pa.string()),
            pa.array([scope_key] * n, pa.string()),
            pa.array([contour_text(p) for p in each], pa.string()),
            lists(offsets, patterns),
            pa.array(lengths.astype(np.int32)),
            pa.array([config.max_gap] * n, pa.int32()),
            pa.array(found.support_sequences[kept]),
            pa.array(found.support_groups[kept]),
            pa.array(found.occurrences[kept]),
            pa.array(found.occurrences_nonoverlapping[kept]),
            pa.array(median),
            pa.array(shortest),
            pa.array(longest),
            or_null(tested.expected_support),
            or_null(tested.expected_occurrences),
            or_null(tested.log10_p),
            or_null(tested.q_value),
            or_null(tested.surprise_bits),
            pa.array([None if METHODS[m] == "none" else METHODS[m] for m in tested.method], pa.string()),
            pa.nulls(n, pa.float64()),
        ],
        schema=MOTIFS.schema,
    )
    return rows, int(tested.null_order)


def _occurrence_rows(
    phrases: PhraseColumns, places: Places, kept: NDArray[np.int64], motif_ids: pa.Array
) -> pa.Table:
    """Rows of `occurrences` of the kept patterns."""
    at = np.flatnonzero(np.isin(places.pattern, kept))
    of_motif = np.searchsorted(kept, places.pattern[at])
    return pa.table(
        [
            motif_ids.take(pa.array(of_motif)),
            pa.array(phrases.phrase_ids, pa.string()).take(pa.array(places.phrase[at])),
            pa.array(phrases.recordings, pa.string()).take(pa.array(phrases.recording[places.phrase[at]])),
            pa.array(places.first[at].astype(np.int32)),
            pa.array(places.last[at].astype(np.int32)),
            pa.array(places.start_s[at]),
            pa.array(places.end_s[at]),
            pa.array(places.start_cents[at]),
        ],
        schema=OCCURRENCES.schema,
    )


def contour_text(pattern: NDArray[np.int8]) -> str:
    """A pattern as people write it.

    >>> contour_text(np.array([1, -2, 1], np.int8))
    '+1 -2 +1'
    """
    return " ".join(f"{s:+d}" for s in pattern.tolist())
