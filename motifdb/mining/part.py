"""Mine one database, whole or a recording's: code its symbols, search, narrow, time, judge."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from motifdb.errors import UsageError
from motifdb.kernels import contiguous
from motifdb.kernels.sequences import Sequences
from motifdb.mining import arrays, filters
from motifdb.mining.alphabet import Coded, encode
from motifdb.mining.bounds import fits_from
from motifdb.mining.explore import Pool
from motifdb.mining.mined import Mined
from motifdb.mining.question import Question, absolute
from motifdb.mining.windows import locate

_MOST_SPELLED = 2**31 - 1


@dataclass(frozen=True)
class Part:
    """What was found in one database.

    Attributes
    ----------
    coded : its sequences as they were searched
    patterns, offsets : int8 codes, and int64 offsets, in lexicographic order
    counts : int64, shape (4, n_patterns): sequences, recordings, occurrences, non-overlapping ones
    lists : pattern, sequence, start, end of each listed occurrence
    times_s : float64, shape (2, n_occurrences), its start and end; None without segment times
    median_s : float64, shape (n_patterns,); None without segment times
    tested : float64, shape (3, n_patterns): surprise_bits, log10_p, q_value, NaN unknown; None unless asked for
    n_distinct, complete_from, stopped_by : as in `MiningResult`
    """

    coded: Coded
    patterns: NDArray[np.int8]
    offsets: NDArray[np.int64]
    counts: NDArray[np.int64]
    lists: tuple[NDArray[np.int64], ...]
    times_s: NDArray[np.float64] | None
    median_s: NDArray[np.float64] | None
    tested: NDArray[np.float64] | None
    n_distinct: int | None
    complete_from: int
    stopped_by: str | None

    def narrowed(self, rows: NDArray[np.int64]) -> Part:
        """Some of the patterns; `rows` ascends."""
        n = self.counts.shape[1]
        if len(rows) == n:
            return self
        starts, lengths = self.offsets[rows], np.diff(self.offsets)[rows]
        offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
        at, new_row = _occurrences_of(self.lists[0], rows, n)
        return replace(
            self,
            patterns=contiguous.spell(self.patterns, starts, offsets),
            offsets=offsets,
            counts=self.counts[:, rows],
            lists=(new_row, *(column[at] for column in self.lists[1:])),
            times_s=None if self.times_s is None else self.times_s[:, at],
            median_s=None if self.median_s is None else self.median_s[rows],
            tested=None if self.tested is None else self.tested[:, rows],
        )


def mine_part(
    symbols: NDArray[Any],
    offsets: NDArray[np.int64],
    group_of: NDArray[np.int64],
    times_s: NDArray[np.float64] | None,
    question: Question,
    time_limit_s: float | None,
    workers: int,
    pool: Pool | None = None,
) -> Part:
    """Answer the question on one database of checked arrays; `times_s` is the segments' start and end, shape (2, n_segments)."""
    n_units = len(offsets) - 1 if question.support == "sequences" else len(np.unique(group_of))
    least = absolute(question.min_support, n_units)
    coded = encode(
        symbols,
        offsets,
        group_of,
        max_gap=question.max_gap,
        min_support=least,
        support=question.support,
        closed=question.closed,
    )
    if question.significance and not coded.is_whole:
        raise UsageError("significance needs at most 255 kinds of symbols; leave out significance and top_k")
    found = _search(coded, group_of, question, least, time_limit_s, workers, pool)
    part = _within_bounds(found, coded, group_of, question, least)
    if coded.positions is not None:
        part = _put_back(part, offsets)
    if times_s is not None:
        part = _timed(part, offsets, times_s, question)
    return _judged(part, group_of, question, workers) if question.significance else part


def _search(
    coded: Coded,
    group_of: NDArray[np.int64],
    question: Question,
    least: int,
    time_limit_s: float | None,
    workers: int,
    pool: Pool | None,
) -> Mined:
    """The set to answer from: that of the question, or, where a filter follows, one that is complete for it."""
    closed, max_length = question.closed, question.max_length
    if question.has_filter:
        closed = question.support if question.maximal else closed
        if question.maximal and question.max_gap != 0 and max_length is not None:
            # a frequent super-pattern has parts that are one symbol longer than P and frequent too
            closed, max_length = "none", max_length + 1
        else:
            max_length = None  # the super-pattern can be of any length
    return arrays.mine(
        coded.symbols,
        coded.offsets,
        group_of,
        max_gap=question.max_gap,
        min_support=least,
        support=question.support,
        min_length=question.min_length,
        max_length=max_length,
        closed=closed,
        want_occurrences=not question.has_filter and (question.occurrences or question.has_times),
        want_counts=question.has_counts and not question.has_filter,
        max_patterns=question.max_patterns,
        max_occurrences=question.max_occurrences,
        memory_limit_bytes=question.memory_limit,
        time_limit_s=time_limit_s,
        workers=workers,
        pool=pool,
    )


def _within_bounds(
    found: Mined, coded: Coded, group_of: NDArray[np.int64], question: Question, least: int
) -> Part:
    """The patterns that the question keeps, written out, located, and not more of them than it allows.

    Where they are more, the threshold is raised and the filter asked anew: maximal is maximal at `complete_from`.
    """
    support = {
        "sequences": found.support_sequences,
        "recordings": found.support_groups,
        "occurrences": found.occurrences,
    }[question.support]
    database = Sequences.of(coded.symbols, coded.offsets, group_of)
    complete_from, stopped_by = max(found.complete_from, least), found.stopped_by
    while True:
        rows = np.flatnonzero(support >= complete_from)
        if question.has_filter:
            rows = _filtered(found, support, rows, question)
        n_symbols = np.bincount(support[rows], weights=found.lengths[rows])
        fitting = fits_from(n_symbols, min(_MOST_SPELLED, question.memory_limit or _MOST_SPELLED))
        if fitting > complete_from:
            complete_from, stopped_by = fitting, "memory_limit"
            continue
        part = _written_out(found, rows, coded, question)
        if not question.has_filter:
            break
        # counting and listing were left until the filter had thinned out the patterns
        if question.has_counts and question.max_gap != 0:
            by_pattern, _ = locate(part.patterns, part.offsets, database, question.max_gap, None)
            part = replace(part, counts=np.ascontiguousarray(by_pattern.T))
        if not (question.occurrences or question.has_times):
            break
        n_occurrences = np.bincount(support[rows], weights=part.counts[2])
        fitting = fits_from(n_occurrences, question.max_occurrences)
        if fitting <= complete_from:
            most = int(part.counts[2].sum())
            _, lists = locate(part.patterns, part.offsets, database, question.max_gap, most)
            part = replace(part, lists=lists)
            break
        complete_from, stopped_by = fitting, "max_occurrences"
    return replace(part, complete_from=complete_from, stopped_by=stopped_by)


def _filtered(
    found: Mined, support: NDArray[np.int64], rows: NDArray[np.int64], question: Question
) -> NDArray[np.int64]:
    if question.maximal:
        kept = filters.maximal(found, question.max_gap, rows)
    else:
        kept = filters.insertion_closed(found, support, rows)
    return kept if question.max_length is None else kept[found.lengths[kept] <= question.max_length]


def _written_out(found: Mined, rows: NDArray[np.int64], coded: Coded, question: Question) -> Part:
    """The patterns of `rows` with what is known of their counts and occurrences."""
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(found.lengths[rows])])
    patterns = contiguous.spell(found.text, found.starts[rows], offsets)
    counts = np.stack(
        [found.support_sequences, found.support_groups, found.occurrences, found.occurrences_nonoverlapping]
    )[:, rows]
    at, new_row = _occurrences_of(found.occurrence_pattern, rows, len(found))
    lists = new_row, found.occurrence_sequence[at], found.occurrence_first[at], found.occurrence_last[at]
    n_distinct = found.n_distinct if coded.is_whole else None
    if n_distinct is not None and question.has_filter and question.max_length is not None:
        n_distinct = arrays.mine(  # the search admitted longer ones too
            coded.symbols,
            coded.offsets,
            min_support=max(1, len(coded.symbols)) + 1,
            min_length=question.min_length,
            max_length=question.max_length,
            want_occurrences=False,
        ).n_distinct
    return Part(coded, patterns, offsets, counts, lists, None, None, None, n_distinct, 0, None)


def _occurrences_of(
    pattern: NDArray[np.int64], rows: NDArray[np.int64], n: int
) -> tuple[NDArray[np.int64] | slice, NDArray[np.int64]]:
    """Which occurrences belong to patterns of `rows` out of n, and the place of each one's pattern in `rows`."""
    if len(rows) == n:
        return slice(None), pattern
    new_row = np.full(n, -1)
    new_row[rows] = np.arange(len(rows))
    at = np.flatnonzero(new_row[pattern] >= 0)
    return at, new_row[pattern[at]]


def _put_back(part: Part, offsets: NDArray[np.int64]) -> Part:
    """Occurrences by the places of symbols in the sequences as they came, where some symbols were left out."""
    pattern, sequence, start, end = part.lists
    assert part.coded.positions is not None
    coded_at, given_at = part.coded.offsets[sequence], offsets[sequence]
    start = part.coded.positions[coded_at + start] - given_at
    end = part.coded.positions[coded_at + end] - given_at
    return replace(part, lists=(pattern, sequence, start, end))


def _timed(part: Part, offsets: NDArray[np.int64], times_s: NDArray[np.float64], question: Question) -> Part:
    """The times of occurrences; patterns of admissible duration only."""
    pattern, sequence, start, end = part.lists
    # symbol i stands between segments i and i + 1 of its sequence, which has one segment more than symbols
    segment = offsets[sequence] + sequence
    spans_s = np.stack([times_s[0, segment + start], times_s[1, segment + end + 1]])
    median_s = filters.durations(pattern, spans_s[1] - spans_s[0], part.counts[2])[1]
    part = replace(part, times_s=spans_s, median_s=median_s)
    shortest = -np.inf if question.min_duration_s is None else question.min_duration_s
    longest = np.inf if question.max_duration_s is None else question.max_duration_s
    return part.narrowed(np.flatnonzero((shortest <= median_s) & (median_s <= longest)))


def _judged(part: Part, group_of: NDArray[np.int64], question: Question, workers: int) -> Part:
    """What the null model of these sequences says; the most surprising patterns only, where so asked."""
    from motifdb.kernels.significance import assess

    if part.counts.shape[1] == 0:
        return replace(part, tested=np.empty((3, 0)))
    n_sequences, n_recordings, n_occurrences, _ = np.ascontiguousarray(part.counts)
    tested = assess(
        part.coded.symbols,
        part.coded.offsets,
        part.patterns,
        part.offsets,
        n_occurrences,
        n_sequences,
        groups=group_of,
        support_recordings=n_recordings,
        max_gap=question.max_gap,
        support=question.support,
        n_tested=part.n_distinct,
        min_length=question.min_length,
        max_length=question.max_length,
        n_threads=workers,
    )
    part = replace(part, tested=np.stack([tested.surprise_bits, tested.log10_p, tested.q_value]))
    if question.top_k is None:
        return part
    return part.narrowed(filters.most_surprising(tested.surprise_bits, question.top_k))
