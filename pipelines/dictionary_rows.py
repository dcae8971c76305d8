"""Look for a dictionary's patterns in all recordings of its class, and write what is found as rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from motifdb.config import MiningConfig
from motifdb.ids import motif_id
from motifdb.pipelines.arrays import lists, or_null
from motifdb.pipelines.motif_rows import PhraseColumns, contour_text
from motifdb.schemas import MOTIFS, OCCURRENCES

if TYPE_CHECKING:
    from motifdb.kernels.significance import Significance
    from motifdb.mining.counting import PatternCounter


@dataclass(frozen=True)
class Scope:
    """The phrases of several recordings, one after the other; as `PhraseColumns`, with a recording for each phrase."""

    recording_ids: list[str]
    recording_of: NDArray[np.int64]
    phrase_ids: list[str]
    symbols: NDArray[np.int8]
    offsets: NDArray[np.int64]
    segment_start_s: NDArray[np.float64]
    segment_end_s: NDArray[np.float64]
    segment_cents: NDArray[np.float64]

    @classmethod
    def of(cls, each: list[PhraseColumns]) -> Scope:
        """Join recordings, in order of their ids."""
        each = sorted(each, key=lambda p: p.recording_id)
        n_phrases = [len(p.phrase_ids) for p in each]
        lengths = [np.diff(p.offsets) for p in each]
        joined = {
            name: np.concatenate([np.empty(0, kind), *(getattr(p, name) for p in each)])
            for name, kind in (
                ("symbols", np.int8),
                ("segment_start_s", np.float64),
                ("segment_end_s", np.float64),
                ("segment_cents", np.float64),
            )
        }
        return cls(
            recording_ids=[p.recording_id for p in each],
            recording_of=np.repeat(np.arange(len(each)), n_phrases),
            phrase_ids=[name for p in each for name in p.phrase_ids],
            offsets=np.cumsum(np.concatenate([np.zeros(1, np.int64), *lengths])),
            **joined,
        )


@dataclass(frozen=True)
class Vocabulary:
    """Patterns in order of their ids: pattern i is ``symbols[offsets[i] : offsets[i + 1]]``."""

    ids: list[str]
    symbols: NDArray[np.int8]
    offsets: NDArray[np.int64]
    _built: list[PatternCounter] = field(default_factory=list, compare=False, repr=False)

    @classmethod
    def of(cls, patterns: dict[str, bytes]) -> Vocabulary:
        """From symbols by pattern_id."""
        ids = sorted(patterns)
        offsets = np.cumsum([0, *(len(patterns[i]) for i in ids)]).astype(np.int64)
        return cls(ids, np.frombuffer(b"".join(patterns[i] for i in ids), np.int8), offsets)

    def counter(self, max_gap: int | None) -> PatternCounter | None:
        """What counts and finds the patterns, built once; None where there are none."""
        from motifdb.mining.counting import PatternCounter

        if not self.ids:
            return None
        if not self._built:
            self._built.append(PatternCounter(self.symbols, self.offsets, max_gap=max_gap))
        return self._built[0]

    def take(self, which: NDArray[np.int64]) -> Vocabulary:
        """Some of the patterns."""
        each = [self.symbols[self.offsets[i] : self.offsets[i + 1]] for i in which.tolist()]
        offsets = np.cumsum([0, *(len(p) for p in each)]).astype(np.int64)
        symbols = np.concatenate([np.empty(0, np.int8), *each])
        return Vocabulary([self.ids[i] for i in which.tolist()], symbols, offsets)


@dataclass(frozen=True)
class _Places:
    """Where patterns sound, sorted by pattern, phrase and first symbol."""

    pattern: NDArray[np.int64]
    phrase: NDArray[np.int64]
    first: NDArray[np.int64]
    last: NDArray[np.int64]
    start_s: NDArray[np.float64]
    end_s: NDArray[np.float64]
    start_cents: NDArray[np.float64]

    def kept(self, which: NDArray[np.bool_]) -> _Places:
        return _Places(*(getattr(self, name)[which] for name in self.__dataclass_fields__))


def rematch(
    scope: Scope,
    vocabulary: Vocabulary,
    mining: MiningConfig,
    key: tuple[str, str, str],
    *,
    matches: Literal["all", "first"] = "all",
    min_clip_s: float = 0.0,
) -> tuple[pa.Table, pa.Table, dict[str, object]]:
    """Rows of `motifs` and `occurrences` of one dictionary, and what `coverage` says beyond its keys.

    Parameters
    ----------
    vocabulary : the union of the patterns that the class's recordings keep
    mining : how these were mined: the gap, the lengths, the unit of support, the order of the null model
    key : analysis_id, scope (the label) and scope_key (its value)
    matches : all places of a pattern, or the first in each phrase
    min_clip_s : places that are shorter are left out (the released code drops clips under 0.15 s)

    Notes
    -----
    p is that of the count that is stored: of occurrences or phrases as in mining; with ``matches="first"`` of phrases.
    With a least duration it is NaN, as the null model writes symbols and no durations.
    """
    every = _find(scope, vocabulary, mining.max_gap)
    places = every
    if matches == "first":
        is_first = np.ones(len(every.pattern), bool)
        is_first[1:] = (np.diff(every.pattern) != 0) | (np.diff(every.phrase) != 0)
        places = every.kept(is_first)
    is_long = places.end_s - places.start_s >= min_clip_s
    n_before = len(places.pattern)
    places = places.kept(is_long)
    present = np.unique(places.pattern)
    kept = vocabulary.take(present)
    places = _Places(np.searchsorted(present, places.pattern), *(getattr(places, f) for f in _PLACE_FIELDS))
    names = [motif_id(*key, pattern) for pattern in kept.ids]
    motifs, said = _motif_rows(
        scope, kept, places, mining, key, names, is_tested=not min_clip_s, by_phrase=matches == "first"
    )
    said |= {
        "n_motifs_any_duration": len(vocabulary.ids),
        "n_occurrences_any_duration": n_before,
        "n_occurrences_long_enough": len(places.pattern),
    }
    return motifs, _occurrence_rows(scope, places, names), said


_PLACE_FIELDS = ("phrase", "first", "last", "start_s", "end_s", "start_cents")


def _find(scope: Scope, vocabulary: Vocabulary, max_gap: int | None) -> _Places:
    counter = vocabulary.counter(max_gap)
    none = np.empty(0, np.int64)
    pattern, phrase, first, last = (
        counter.locate(scope.symbols, scope.offsets) if counter is not None else (none,) * 4
    )
    # symbol i of a phrase stands between its segments i and i + 1; a phrase has one segment more than symbols
    segment = scope.offsets[phrase] + phrase
    return _Places(
        pattern,
        phrase,
        first,
        last,
        scope.segment_start_s[segment + first],
        scope.segment_end_s[segment + last + 1],
        scope.segment_cents[segment + first],
    )


def _motif_rows(
    scope: Scope,
    kept: Vocabulary,
    places: _Places,
    mining: MiningConfig,
    key: tuple[str, str, str],
    names: list[str],
    *,
    is_tested: bool,
    by_phrase: bool,
) -> tuple[pa.Table, dict[str, object]]:
    from motifdb.kernels.recheck import count_apart
    from motifdb.kernels.significance import METHODS

    n = len(names)
    occurrences = np.bincount(places.pattern, minlength=n)
    in_phrases = _distinct(places.pattern, places.phrase, n)
    in_recordings = _distinct(places.pattern, scope.recording_of[places.phrase], n)
    duration_s = places.end_s - places.start_s
    by_duration = duration_s[np.lexsort((duration_s, places.pattern))]
    begin = np.cumsum(occurrences) - occurrences
    tested, n_tested = None, None
    if is_tested:
        tested, n_tested = _tested(scope, kept, mining, occurrences, in_phrases, by_phrase=by_phrase)
    unknown = np.full(n, np.nan)
    method = [] if tested is None else [METHODS[m] for m in tested.method]
    analysis, label, value = key
    rows = pa.table(
        [
            pa.array(names, pa.string()),
            pa.array(kept.ids, pa.string()),
            pa.array([analysis] * n, pa.string()),
            pa.array([label] * n, pa.string()),
            pa.array([value] * n, pa.string()),
            pa.array(
                [contour_text(kept.symbols[kept.offsets[i] : kept.offsets[i + 1]]) for i in range(n)],
                pa.string(),
            ),
            lists(kept.offsets, kept.symbols),
            pa.array(np.diff(kept.offsets).astype(np.int32)),
            pa.array([mining.max_gap] * n, pa.int32()),
            pa.array(in_phrases),
            pa.array(in_recordings),
            pa.array(occurrences),
            pa.array(count_apart(places.pattern, places.phrase, places.first, places.last, n)),
            pa.array(by_duration[begin + (occurrences - 1) // 2]),
            pa.array(by_duration[begin]),
            pa.array(by_duration[begin + occurrences - 1]),
            or_null(unknown if tested is None else tested.expected_support),
            or_null(unknown if tested is None else tested.expected_occurrences),
            or_null(unknown if tested is None else tested.log10_p),
            or_null(unknown if tested is None or n_tested is None else tested.q_value),
            or_null(unknown if tested is None else tested.surprise_bits),
            pa.array([None if m == "none" else m for m in method] or [None] * n, pa.string()),
            pa.nulls(n, pa.float64()),
        ],
        schema=MOTIFS.schema,
    )
    null_order = None if tested is None else int(tested.null_order)
    return rows, {"n_tested": n_tested, "null_order": null_order}


def _tested(
    scope: Scope,
    kept: Vocabulary,
    mining: MiningConfig,
    occurrences: NDArray[np.int64],
    in_phrases: NDArray[np.int64],
    *,
    by_phrase: bool,
) -> tuple[Significance | None, int | None]:
    """What the null model of the class's phrases says, and how many patterns occur in them at all."""
    from motifdb.kernels.significance import assess
    from motifdb.mining.arrays import mine

    if not len(scope.symbols):
        return None, None
    n_distinct = None
    if mining.max_gap == 0:  # a support that none has: only the number of different patterns is wanted
        n_distinct = mine(
            scope.symbols,
            scope.offsets,
            min_support=len(scope.symbols) + 1,
            min_length=mining.min_length,
            max_length=mining.max_length,
            want_occurrences=False,
        ).n_distinct
    tested = assess(
        scope.symbols,
        scope.offsets,
        kept.symbols,
        kept.offsets,
        occurrences,
        in_phrases,
        max_gap=mining.max_gap,
        support="sequences" if by_phrase or mining.support != "occurrences" else "occurrences",
        max_order=mining.max_order,
        n_tested=n_distinct if n_distinct is not None else len(kept.ids),
    )
    return tested, n_distinct


def _occurrence_rows(scope: Scope, places: _Places, names: list[str]) -> pa.Table:
    recording = pa.array(scope.recording_of[places.phrase])
    return pa.table(
        [
            pa.array(names, pa.string()).take(pa.array(places.pattern)),
            pa.array(scope.phrase_ids, pa.string()).take(pa.array(places.phrase)),
            pa.array(scope.recording_ids, pa.string()).take(recording),
            pa.array(places.first.astype(np.int32)),
            pa.array(places.last.astype(np.int32)),
            pa.array(places.start_s),
            pa.array(places.end_s),
            pa.array(places.start_cents),
        ],
        schema=OCCURRENCES.schema,
    )


def _distinct(pattern: NDArray[np.int64], thing: NDArray[np.int64], n_patterns: int) -> NDArray[np.int64]:
    """Of how many different things each pattern has a place."""
    n = int(thing.max(initial=0)) + 1
    return np.bincount(np.unique(pattern * n + thing) // n, minlength=n_patterns)
