"""One recording's motifs: mine its phrases, apply the rule on duration, test, and write them as rows."""

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
    from motifdb.mining.mined import Mined

MOST_PATTERNS = 5_000_000
MOST_OCCURRENCES = 10_000_000
"""Bounds of one recording, a gigabyte of work: a drone of an hour must not take the machine with it."""


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
            flat(rows.column("symbols"), np.int8),
            np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
            flat(rows.column("segment_start_s"), np.float64),
            flat(rows.column("segment_end_s"), np.float64),
            flat(rows.column("segment_cents"), np.float64),
        )


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


def mine_recording(
    phrases: PhraseColumns, config: MiningConfig, vocabulary: str, analysis_id: str
) -> tuple[pa.Table, pa.Table, dict[str, object]]:
    """Rows of `motifs` and `occurrences`, and what `coverage` says beyond its keys.

    The rule on duration comes after the count, so that both counts can be told (style-2021, section II.B).

    Raises
    ------
    InputError
        ``too-repetitive`` where there are more patterns or places than `MOST_PATTERNS` and `MOST_OCCURRENCES`.
    """
    found = _mined(phrases, config)
    places = Places.of(found, phrases)
    durations_s = _durations(places, found.occurrences)
    kept = np.flatnonzero(durations_s[1] >= config.min_duration_s)
    each = [found.pattern(i) for i in kept.tolist()]
    pattern_ids = [pattern_id(vocabulary, p.tobytes(), config.max_gap) for p in each]
    motif_ids = pa.array(
        [motif_id(analysis_id, "recording", phrases.recording_id, p) for p in pattern_ids], pa.string()
    )
    motifs, null_order = _motif_rows(
        phrases, config, found, kept, each, durations_s, (motif_ids, pattern_ids, analysis_id)
    )
    occurrences = _occurrence_rows(phrases, places, kept, motif_ids)
    said: dict[str, object] = {
        "n_tested": found.n_distinct,
        "null_order": null_order,
        "n_motifs_any_duration": len(found),
        "n_occurrences_any_duration": len(places.pattern),
        "n_occurrences_long_enough": int((places.end_s - places.start_s >= config.min_duration_s).sum()),
    }
    return motifs, occurrences, said


def _mined(phrases: PhraseColumns, config: MiningConfig) -> Mined:
    from motifdb.mining.arrays import mine

    try:
        return mine(
            phrases.symbols,
            phrases.offsets,
            None,
            max_gap=config.max_gap,
            min_support=config.min_support,
            support=config.support,
            min_length=config.min_length,
            max_length=config.max_length,
            max_patterns=MOST_PATTERNS,
            max_occurrences=MOST_OCCURRENCES,
        )
    except UsageError as error:  # the options were checked before any work; what is left is a bound
        reason = f"it repeats itself too much to list its motifs ({str(error).split(';')[0]}); set mining.max_length"
        raise InputError("too-repetitive", reason, "motifs") from None


def _motif_rows(
    phrases: PhraseColumns,
    config: MiningConfig,
    found: Mined,
    kept: NDArray[np.int64],
    each: list[NDArray[np.int8]],
    durations_s: NDArray[np.float64],
    ids: tuple[pa.Array, list[str], str],
) -> tuple[pa.Table, int]:
    """Rows of `motifs`, with what the null model says of them, and its order."""
    from motifdb.kernels.significance import METHODS, assess

    lengths = found.lengths[kept]
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    patterns = np.concatenate(each) if each else np.empty(0, np.int8)
    tested = assess(
        phrases.symbols,
        phrases.offsets,
        patterns,
        offsets,
        found.occurrences[kept],
        found.support_sequences[kept],
        max_gap=config.max_gap,
        support=config.support,
        max_order=config.max_order,
        n_tested=found.n_distinct if found.n_distinct is not None else len(found),
    )
    # with a gap nobody has counted every pattern that occurs, and q over the frequent ones alone would be false
    q_value = tested.q_value if found.n_distinct is not None else np.full(len(kept), np.nan)
    motif_ids, pattern_ids, analysis_id = ids
    shortest, median, longest = durations_s[:, kept]
    n = len(kept)
    rows = pa.table(
        [
            motif_ids,
            pa.array(pattern_ids, pa.string()),
            pa.array([analysis_id] * n, pa.string()),
            pa.array(["recording"] * n, pa.string()),
            pa.array([phrases.recording_id] * n, pa.string()),
            pa.array([contour_text(p) for p in each], pa.string()),
            lists(offsets, patterns),
            pa.array(lengths.astype(np.int32)),
            pa.array([config.max_gap] * n, pa.int32()),
            pa.array(found.support_sequences[kept]),
            pa.array(np.ones(n, np.int64)),
            pa.array(found.occurrences[kept]),
            pa.array(found.occurrences_nonoverlapping[kept]),
            pa.array(median),
            pa.array(shortest),
            pa.array(longest),
            or_null(tested.expected_support),
            or_null(tested.expected_occurrences),
            or_null(tested.log10_p),
            or_null(q_value),
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
            pa.array([phrases.recording_id] * len(at), pa.string()),
            pa.array(places.first[at].astype(np.int32)),
            pa.array(places.last[at].astype(np.int32)),
            pa.array(places.start_s[at]),
            pa.array(places.end_s[at]),
            pa.array(places.start_cents[at]),
        ],
        schema=OCCURRENCES.schema,
    )


def _durations(places: Places, n_each: NDArray[np.int64]) -> NDArray[np.float64]:
    """Shortest, median (the lower of two middle ones) and longest occurrence, shape (3, n_patterns)."""
    duration_s = places.end_s - places.start_s
    ordered = duration_s[np.lexsort((duration_s, places.pattern))]
    starts = np.cumsum(n_each) - n_each
    return np.stack([ordered[starts], ordered[starts + (n_each - 1) // 2], ordered[starts + n_each - 1]])


def contour_text(pattern: NDArray[np.int8]) -> str:
    """A pattern as people write it.

    >>> contour_text(np.array([1, -2, 1], np.int8))
    '+1 -2 +1'
    """
    return " ".join(f"{s:+d}" for s in pattern.tolist())
