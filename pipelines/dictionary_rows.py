"""Look for a dictionary's patterns in all recordings of its class, and write what is found as rows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from motifdb.config import MiningConfig
from motifdb.mining.mined import Mined
from motifdb.pipelines.motif_rows import PhraseColumns, rows_of
from motifdb.schemas import MOTIFS, OCCURRENCES

Matches = Literal["all", "first"]

_STATISTICS = (
    "expected_support",
    "expected_occurrences",
    "log10_p",
    "q_value",
    "surprise_bits",
    "p_method",
)


@dataclass(frozen=True)
class Vocabulary:
    """Patterns, in lexicographic order of their symbols: pattern i is ``symbols[offsets[i] : offsets[i + 1]]``."""

    symbols: NDArray[np.int8]
    offsets: NDArray[np.int64]

    @classmethod
    def of(cls, patterns: set[bytes]) -> Vocabulary:
        """From int8 symbols as bytes."""
        each = sorted((np.frombuffer(p, np.int8) for p in patterns), key=lambda p: p.tolist())
        offsets = np.cumsum([0, *(len(p) for p in each)]).astype(np.int64)
        return cls(np.concatenate([np.empty(0, np.int8), *each]), offsets)

    def __len__(self) -> int:
        return len(self.offsets) - 1


def rematch(
    phrases: PhraseColumns,
    vocabulary: Vocabulary,
    config: MiningConfig,
    scope_key: str,
    quantiser: str,
    analysis_id: str,
    *,
    matches: Matches = "all",
    min_clip_s: float = 0.0,
) -> tuple[pa.Table, pa.Table, dict[str, object]]:
    """Rows of `motifs` and `occurrences` of one dictionary, and what `coverage` says beyond its keys.

    Parameters
    ----------
    phrases : of all recordings of the class
    vocabulary : the union of the patterns that these recordings keep
    config : of the dictionary's analysis: its scope, the gap, the lengths, the unit of support, the order of the null model
    quantiser : `ContourConfig.vocabulary`, part of pattern ids
    matches : all places of a pattern, or the first in each phrase
    min_clip_s : places that are shorter are left out (the released code drops clips under 0.15 s)

    Notes
    -----
    p is that of the count that is stored: of occurrences or phrases as in mining; with ``matches="first"`` of phrases.
    With a least duration it is null, as the null model writes symbols and no durations.
    """
    if not len(vocabulary) or not len(phrases):
        return MOTIFS.empty(), OCCURRENCES.empty(), {}
    found = _find(phrases, vocabulary, config, matches=matches, min_clip_s=min_clip_s)
    if not len(found):
        return MOTIFS.empty(), OCCURRENCES.empty(), {}
    if matches == "first" and config.support == "occurrences":
        config = replace(config, support="sequences")
    motifs, occurrences, said = rows_of(found, phrases, scope_key, config, quantiser, analysis_id)
    if min_clip_s:
        for name in _STATISTICS:
            at = MOTIFS.schema.get_field_index(name)
            field = MOTIFS.schema.field(at)
            motifs = motifs.set_column(at, field, pa.nulls(len(motifs), field.type))
        said |= {"n_tested": None, "null_order": None}
    return motifs, occurrences, said


def _find(
    phrases: PhraseColumns,
    vocabulary: Vocabulary,
    config: MiningConfig,
    *,
    matches: Matches,
    min_clip_s: float,
) -> Mined:
    """The patterns that have a place, counted, with their places."""
    from motifdb.kernels.recheck import count_apart
    from motifdb.mining.counting import PatternCounter

    counter = PatternCounter(vocabulary.symbols, vocabulary.offsets, max_gap=config.max_gap)
    pattern, phrase, first, last = counter.locate(phrases.symbols, phrases.offsets)
    is_kept = np.ones(len(pattern), bool)
    if matches == "first":
        is_kept[1:] = (np.diff(pattern) != 0) | (np.diff(phrase) != 0)
    segment = phrases.offsets[phrase] + phrase  # a phrase has one segment more than symbols
    duration_s = phrases.segment_end_s[segment + last + 1] - phrases.segment_start_s[segment + first]
    is_kept &= duration_s >= min_clip_s
    pattern, phrase, first, last = (a[is_kept] for a in (pattern, phrase, first, last))
    present = np.unique(pattern)
    pattern = np.searchsorted(present, pattern)
    n = len(present)
    counts = (
        _distinct(pattern, phrase, n),
        _distinct(pattern, phrases.recording[phrase], n),
        np.bincount(pattern, minlength=n),
        count_apart(pattern, phrase, first, last, n),
    )
    lengths = np.diff(vocabulary.offsets)
    return Mined(
        vocabulary.symbols,
        vocabulary.offsets[:-1][present],
        lengths[present],
        *counts,
        pattern,
        phrase,
        first,
        last,
        n_distinct=_n_distinct(phrases, config),
    )


def _n_distinct(phrases: PhraseColumns, config: MiningConfig) -> int | None:
    """How many patterns of admissible length occur in the phrases at all; None with a gap."""
    from motifdb.mining.arrays import mine

    if config.max_gap != 0:
        return None
    return mine(  # a support that none has: only this number is wanted
        phrases.symbols,
        phrases.offsets,
        min_support=len(phrases.symbols) + 1,
        min_length=config.min_length,
        max_length=config.max_length,
        want_occurrences=False,
    ).n_distinct


def _distinct(pattern: NDArray[np.int64], thing: NDArray[np.int64], n_patterns: int) -> NDArray[np.int64]:
    """Of how many different things each pattern has a place."""
    n = int(thing.max(initial=0)) + 1
    return np.bincount(np.unique(pattern * n + thing) // n, minlength=n_patterns)
