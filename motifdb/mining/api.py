"""`motifdb.mine`: the one public function of the miner."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from motifdb.errors import UsageError
from motifdb.kernels.sequences import NO_LIMIT
from motifdb.mining.arrays import Closure, Support
from motifdb.mining.explore import Pool
from motifdb.mining.part import Part, mine_part
from motifdb.mining.question import (
    Question,
    Threshold,
    checked_closure,
    checked_database,
    checked_groups,
    checked_times,
    parse_bytes,
    seconds,
    threshold,
    whole,
)
from motifdb.mining.result import MiningResult, assemble


def mine(
    symbols: ArrayLike,
    offsets: ArrayLike,
    groups: ArrayLike | None = None,
    *,
    min_support: Threshold,
    support: Support = "sequences",
    max_gap: int | None = 0,
    min_length: int = 1,
    max_length: int | None = None,
    segment_start_s: ArrayLike | None = None,
    segment_end_s: ArrayLike | None = None,
    min_duration_s: float | None = None,
    max_duration_s: float | None = None,
    closed: Closure | None = None,
    maximal: bool = False,
    post_filter: Literal["insertion"] | None = None,
    significance: bool = False,
    top_k: int | None = None,
    per_group: bool = False,
    occurrences: bool = False,
    counts: bool = True,
    workers: int = 1,
    max_patterns: int = 20_000_000,
    max_occurrences: int = 50_000_000,
    memory_limit: int | str | None = None,
    time_limit_s: float | None = None,
    pool: Pool | None = None,
) -> MiningResult:
    """Find every pattern that is repeated often enough, exactly.

    A pattern p1..pm *occurs* at positions i1 < ... < im of one sequence when the symbols match and at most `max_gap` symbols are
    skipped between neighbours. Its *support* is the number of sequences, or of recordings, in which it occurs at
    least once, or (max_gap 0) the number of its start positions. P is *closed* when no pattern that contains it is as
    frequent; the closed patterns tell the support of all others. What contains P depends on the gap, see `closed`.

    Parameters
    ----------
    symbols : whole numbers, shape (n,), the sequences one after the other
    offsets : whole numbers, shape (n_sequences + 1,), ascending from 0 to n; sequence s is
        ``symbols[offsets[s] : offsets[s + 1]]`` and may be empty
    groups : whole numbers, shape (n_sequences,), the recording of each sequence; None: all of recording 0
    min_support : number >= 1, in units of `support`; or a share: a float between 0 and 1, a `fractions.Fraction`, or text as
        ``"20%"``. A share means the smallest number of sequences (recordings) that is at least this share of all, empty
        ones included, in exact arithmetic: 0.2 of 5 is 1, and n / size is always n again. Occurrences have no share
    support : ``"sequences"``, ``"recordings"``, or ``"occurrences"`` (max_gap 0 only; overlaps counted)
    max_gap : number >= 0; 0 is contiguous, None unlimited
    min_length, max_length : number of symbols; closed and maximal are judged over patterns of every length first
    segment_start_s, segment_end_s : shape (n + n_sequences,), seconds; a sequence of n symbols lies between n + 1
        segments, those of sequence s begin at ``offsets[s] + s``. An occurrence lasts from the start of
        the segment before its first symbol to the end of the segment after its last one
    min_duration_s, max_duration_s : seconds, both inclusive, for the median duration of a pattern's occurrences (the lower of two
        middle ones); applied after counting, as in style-2021, section II.B
    closed : the unit of closure, by name; None takes that of `support`.

        - ``"occurrences"`` (max_gap 0 only): maximal repeats, no Px or xP (one symbol more at an end) has as many occurrences
          (Gusfield 1997, section 7.12).
        - ``"sequences"``, ``"recordings"`` at max_gap 0, 1, 2, ...: *end-closed*, no Px or xP has as
          many sequences (recordings) at the same gap. These are the forward and backward extensions of Gap-BIDE (Li, Yang, Li and
          Wang 2012, the checks of closedness).
        - ``"sequences"``, ``"recordings"`` at max_gap None: *insertion-closed*, no proper super-sequence, wherever its further
          symbols stand, has as many (BIDE, Wang and Han 2004, section 3, definition of closed sequences).
        - ``"none"``: every frequent pattern.

        At max_gap 1 or more, closure and support have one unit.
    maximal : keep only patterns with no *frequent* super-pattern: at max_gap 0, 1, 2, ... no frequent Px or xP, at max_gap None no
        frequent proper super-sequence. Maximal patterns are closed; their parts' supports cannot be told from them
    post_filter : ``"insertion"`` removes, at a limited gap, the patterns with a proper super-sequence of equal support (symbols
        inserted anywhere). **Unsound**: support is not monotone under insertion when gaps are limited, since a symbol
        taken out of the middle widens a gap. Of {ab, ab, acb, acb} at max_gap 0 it removes ab:2 for acb:2, although the
        two never share a sequence. Offered to compare with programs that close this way
    significance : whether to judge each pattern against a Markov model of the same sequences (`docs/significance.md`)
    top_k : keep the k patterns of highest surprise (of equal ones the first in order); implies `significance`
    per_group : mine each recording on its own, with its own threshold where that is a share, its own Markov model and its own
        top_k; rows gain a column ``group``
    occurrences : whether to list every occurrence; at max_gap 1 or more these are the minimal windows, spans with
        an embedding and none in a proper part
    counts : False leaves out, at max_gap 1 or more, the columns that the search does not need: the counts of occurrences and
        the support in the other unit. Counting can take longer than finding
    workers : threads at a time; the result is the same for every number
    max_patterns, max_occurrences : patterns found and occurrences listed (of each recording with `per_group`)
    memory_limit : bytes, or text as ``"2GB"``, ``"512MiB"``, for what is found
    time_limit_s : seconds of searching. Filters and significance come on top
    pool : where to search at max_gap 1 or more instead of in threads, such as the tasks of a Ray cluster

    Returns
    -------
    MiningResult
        Arrow tables, rows in lexicographic order. On reaching one of the four bounds the patterns of lowest support are left
        out; ``complete_from`` says down to which support the result is complete, ``stopped_by`` which bound it was. An empty
        database, or a threshold above its size, gives no rows and is no error.

    Raises
    ------
    UsageError
        where an argument cannot be: symbols that are no whole numbers; offsets, groups or segment times that do not
        fit; a threshold below 1 or a share outside 0..1; a gap below 0; unknown names; occurrences as a unit under a gap;
        too many kinds of symbols (more than 255 with enough support; with a limited gap rarer ones count too, see
        `motifdb.mining.alphabet`); durations without segment times.

    Examples
    --------
    >>> import motifdb
    >>> found = motifdb.mine([3, 1, 1, 2, 3, 1, 2, 3, 2, 3, 1, 2, 3, 1, 2, 2, 3, 1], [0, 5, 9, 13, 18],
    ...                      min_support=2, max_gap=None)
    >>> for row in found.patterns.to_pylist():  # the example of Wang and Han (2004)
    ...     print(row["pattern"], row["support_sequences"])
    [1, 1] 2
    [1, 2, 2] 2
    [1, 2, 3] 4
    [3, 1] 3
    [3, 1, 2, 3] 2
    [3, 2] 3
    """
    gap = whole("max_gap", max_gap, 0)
    unit, closure = checked_closure(support, closed, gap, maximal, post_filter)
    question = Question(
        min_support=threshold(min_support),
        support=unit,
        max_gap=gap,
        min_length=whole("min_length", min_length, 1) or 1,
        max_length=whole("max_length", max_length, 1),
        closed=closure,
        maximal=bool(maximal),
        post_filter=post_filter,
        min_duration_s=seconds("min_duration_s", min_duration_s),
        max_duration_s=seconds("max_duration_s", max_duration_s),
        significance=bool(significance) or top_k is not None,
        top_k=whole("top_k", top_k, 1),
        occurrences=bool(occurrences),
        counts=bool(counts),
        max_patterns=whole("max_patterns", max_patterns, 1) or NO_LIMIT,
        max_occurrences=whole("max_occurrences", max_occurrences, 1) or NO_LIMIT,
        memory_limit=parse_bytes(memory_limit),
        has_times=segment_start_s is not None or segment_end_s is not None,
    )
    n_workers = whole("workers", workers, 1) or 1
    limit_s = seconds("time_limit_s", time_limit_s)
    given, bounds = checked_database(symbols, offsets)
    n_sequences = len(bounds) - 1
    labels, group_of = checked_groups(groups, n_sequences)
    times_s = checked_times(segment_start_s, segment_end_s, len(given) + n_sequences)
    if not per_group:
        part = mine_part(given, bounds, group_of, times_s, question, limit_s, n_workers, pool)
        return assemble([part], None, [np.arange(n_sequences)], question)
    if unit == "recordings":
        raise UsageError(
            "per_group mines each recording on its own; count support in occurrences or sequences"
        )
    until = None if limit_s is None else time.monotonic() + limit_s
    order = np.argsort(group_of, kind="stable")
    members = np.split(order, np.cumsum(np.bincount(group_of, minlength=len(labels)))[:-1])

    def one(own: NDArray[np.int64]) -> Part:
        own_bounds = np.concatenate([np.zeros(1, np.int64), np.cumsum(np.diff(bounds)[own])])
        return mine_part(
            given[_places(bounds, own)],
            own_bounds,
            np.zeros(len(own), np.int64),
            None if times_s is None else times_s[:, _places(bounds + np.arange(n_sequences + 1), own)],
            question,
            # a recording whose turn comes too late still says that it was stopped
            None if until is None else max(1e-3, until - time.monotonic()),
            n_workers if len(labels) == 1 else 1,
            pool,
        )

    with ThreadPoolExecutor(n_workers if pool is None else 1, "motifdb-recording") as executor:
        parts = list(executor.map(one, members))
    return assemble(parts, labels, members, question)


def _places(bounds: NDArray[np.int64], rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Indices of everything in some rows of a flat list, row after row."""
    lengths = np.diff(bounds)[rows]
    ends = np.cumsum(lengths)
    return np.repeat(bounds[rows] - (ends - lengths), lengths) + np.arange(ends[-1] if len(ends) else 0)
