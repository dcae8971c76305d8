"""Exact mining of repeated patterns in sequences of small integer symbols.

`mine` is the one entry; what is counted and what is closed under which gap is said there.
"""

from __future__ import annotations

from typing import Literal, get_args

from numpy.typing import ArrayLike

from motifdb.errors import UsageError, nearest
from motifdb.kernels import contiguous
from motifdb.kernels.contiguous import Wanted
from motifdb.kernels.sequences import NO_LIMIT, Sequences
from motifdb.mining.bounds import Bounds, LateError, Watch
from motifdb.mining.contiguous import mine_contiguous
from motifdb.mining.explore import Pool, Threads
from motifdb.mining.gaps import mine_gapped
from motifdb.mining.mined import Mined

Support = Literal["occurrences", "sequences", "recordings"]
Closure = Literal["occurrences", "sequences", "recordings", "none"]

_UNITS = {
    "occurrences": contiguous.BY_OCCURRENCES,
    "sequences": contiguous.BY_SEQUENCES,
    "recordings": contiguous.BY_GROUPS,
    "none": contiguous.ALL,
}


def mine(
    symbols: ArrayLike,
    offsets: ArrayLike,
    groups: ArrayLike | None = None,
    *,
    max_gap: int | None = 0,
    min_support: int,
    support: Support = "occurrences",
    min_length: int = 1,
    max_length: int | None = None,
    closed: Closure | None = None,
    want_occurrences: bool = True,
    want_counts: bool = True,
    max_patterns: int = 20_000_000,
    max_occurrences: int = 50_000_000,
    memory_limit_bytes: int | None = None,
    time_limit_s: float | None = None,
    workers: int = 1,
    pool: Pool | None = None,
) -> Mined:
    """Find the patterns with enough support, closed ones only unless told otherwise.

    A pattern p1..pm occurs at i1 < ... < im of one sequence when the symbols match and at most `max_gap` symbols are skipped
    between neighbours.

    Parameters
    ----------
    symbols : int8, shape (n,), -127..127, the sequences one after the other
    offsets : int64, shape (n_sequences + 1,), ascending from 0 to n; sequence s is ``symbols[offsets[s] : offsets[s + 1]]``
    groups : int64, shape (n_sequences,), recording of each sequence, any numbers; None: all of one recording
    max_gap : number >= 0, or None for unlimited; 0 is contiguous
    min_support : number >= 1, in units of `support`
    support : ``"occurrences"`` (start positions, overlaps counted; max_gap 0 only), ``"sequences"`` or ``"recordings"``
    min_length, max_length : symbols; closure is judged over patterns of every length, then these are applied
    closed : the unit of closure; None takes that of `support`.

        - ``"occurrences"`` (max_gap 0 only): maximal repeats; no Px or xP has as many occurrences.
        - ``"sequences"``, ``"recordings"``: with a gap limit, no Px or xP (one symbol more at an end, same gap rule) has
          equal support; at an unlimited gap, no pattern with a symbol more anywhere.
          With a gap, closure and support have one unit.
        - ``"none"``: every pattern with enough support.
    want_occurrences : whether to list every occurrence
    want_counts : with a gap and without listing, False leaves out what the search does not need: the counts of occurrences
        and the support in the other unit are -1 then
    max_patterns : keep at most so many; with a gap limit frequent ones count, closed or not
    max_occurrences : list at most so many
    memory_limit_bytes : of the tables, and of patterns and occurrences kept; None is no limit
    time_limit_s : wall time of the search; None is no limit

        Where one of these four is reached, patterns of low support are left out: the rest is complete down to
        `Mined.complete_from`, and `Mined.stopped_by` says which bound it was. But for the time, it is the same set on
        every machine and for any number of workers. Contiguous mining looks at the clock between its steps only, and has nothing before
        the last one.
    workers : threads to search in; the result is the same, in the same order, for any number
    pool : where to search instead, such as a cluster

    Returns
    -------
    Mined

    Raises
    ------
    UsageError
        where an argument cannot be, or memory_limit_bytes is less than the tables take.

    Notes
    -----
    Contiguous mining takes linear time and memory in symbols and listed occurrences, whatever the repeats. Under a gap the
    cost follows the number of frequent patterns, which can be exponential: constants and trills at max_gap 1 have
    that many, and reach a bound.

    The end closures under a gap limit are those of Gap-BIDE (Li, Yang, Li and Wang 2012). Unlimited, a pattern
    is closed when no super-sequence has equal support (BIDE, Wang and Han 2004), wherever its further symbols stand.

    Examples
    --------
    >>> found = mine([1, 2, 1, 2, 3, 1, 2], [0, 5, 7], min_support=2)
    >>> [found.pattern(k).tolist() for k in range(len(found))], found.occurrences.tolist()
    ([[1, 2]], [3])
    """
    database = Sequences.of(symbols, offsets, groups)
    unit, closure = _units(support, closed, max_gap)
    if min_support < 1:
        raise UsageError(f"min_support must be 1 or more, got {min_support}")
    if min_length < 1:
        raise UsageError(f"min_length must be 1 or more symbols, got {min_length}")
    longest = NO_LIMIT if max_length is None else min(max_length, NO_LIMIT)
    if longest < min_length:
        raise UsageError(f"max_length must be at least min_length = {min_length}, got {max_length}")
    bounds = Bounds(max_patterns, max_occurrences, memory_limit_bytes, time_limit_s)
    if pool is None:
        if workers < 1:
            raise UsageError(f"workers must be 1 or more, got {workers}")
        pool = Threads(workers)
    wanted = Wanted(unit, min_support, closure, min_length, longest, max_patterns)
    if max_gap == 0:
        most = max_occurrences if want_occurrences else None
        n_threads = pool.n_workers if isinstance(pool, Threads) else 1
        with Watch(time_limit_s) as watch:
            try:
                return mine_contiguous(
                    database,
                    wanted,
                    most,
                    memory_limit_bytes=memory_limit_bytes,
                    n_threads=n_threads,
                    watch=watch,
                )
            except LateError:
                return Mined.nothing(len(database.symbols) + 1, "time_limit")
    return mine_gapped(
        database,
        max_gap,
        wanted,
        bounds,
        pool,
        want_occurrences=want_occurrences,
        want_counts=want_counts or want_occurrences,
    )


def _units(support: str, closed: str | None, max_gap: int | None) -> tuple[int, int]:
    """The units of support and closure as numbers."""
    if max_gap is not None and max_gap < 0:
        raise UsageError(f"max_gap must be 0 or more symbols, or None for unlimited, got {max_gap}")
    if support not in get_args(Support):
        raise UsageError(f"support cannot be counted in {support!r}; {nearest(support, get_args(Support))}")
    closure = support if closed is None else closed
    if closure not in get_args(Closure):
        raise UsageError(f"closed cannot be {closure!r}; {nearest(closure, get_args(Closure))}")
    if max_gap != 0:
        if "occurrences" in (support, closure):
            raise UsageError(
                "occurrences count as support or closure at max_gap = 0 only; with a gap use sequences or recordings"
            )
        if closure not in (support, "none"):
            raise UsageError(
                f"with a gap, closed must be {support!r} as support is, or 'none'; got {closure!r}"
            )
    return _UNITS[support], _UNITS[closure]
