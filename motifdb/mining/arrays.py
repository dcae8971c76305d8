"""Exact mining of repeated patterns in sequences of small integer symbols.

`mine` is the one entry; what is counted and what is closed under which gap is said there.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from motifdb.errors import UsageError, nearest
from motifdb.kernels import contiguous
from motifdb.kernels.contiguous import Wanted
from motifdb.kernels.repeats import lcp_array, repeat_tree, suffix_array
from motifdb.kernels.sequences import NO_LIMIT, Sequences
from motifdb.mining.gaps import Lists, grow_limited, grow_unlimited, locate, too_many

Support = Literal["occurrences", "sequences", "recordings"]
Closure = Literal["occurrences", "sequences", "recordings", "none"]

_UNITS = {
    "occurrences": contiguous.BY_OCCURRENCES,
    "sequences": contiguous.BY_SEQUENCES,
    "recordings": contiguous.BY_GROUPS,
    "none": contiguous.ALL,
}
_MAX_SPELLED = 2**31
_WALK = 16
"""Occurrences per symbol up to which looking at each one is the faster way to count non-overlapping ones."""


@dataclass(frozen=True)
class Mined:
    """Patterns in lexicographic order of their symbols (-2 before 1; a prefix before what it begins), and their counts.

    Pattern k is ``text[starts[k] : starts[k] + lengths[k]]``; `patterns` and `pattern_offsets` are the same as flat arrays,
    made on first use, because the patterns of a text that repeats itself are longer than the text by a square.

    Attributes
    ----------
    text : int8
    starts, lengths : int64, shape (n_patterns,)
    support_sequences : int64, shape (n_patterns,), sequences in which it occurs at least once
    support_groups : int64, shape (n_patterns,), recordings in which it does
    occurrences : int64, shape (n_patterns,); at a gap above 0, minimal windows
    occurrences_nonoverlapping : int64, shape (n_patterns,), greedy from the left (by end)
    occurrence_pattern, occurrence_sequence, occurrence_first, occurrence_last : int64, shape (n_occurrences,),
        sorted by (pattern, sequence, first); first and last are symbol indices inside the sequence; empty unless asked for
    n_distinct : patterns of admissible length that occur at least once, closed or not; None at a gap above 0
    """

    text: NDArray[np.int8]
    starts: NDArray[np.int64]
    lengths: NDArray[np.int64]
    support_sequences: NDArray[np.int64]
    support_groups: NDArray[np.int64]
    occurrences: NDArray[np.int64]
    occurrences_nonoverlapping: NDArray[np.int64]
    occurrence_pattern: NDArray[np.int64]
    occurrence_sequence: NDArray[np.int64]
    occurrence_first: NDArray[np.int64]
    occurrence_last: NDArray[np.int64]
    n_distinct: int | None

    def __len__(self) -> int:
        return len(self.starts)

    @cached_property
    def pattern_offsets(self) -> NDArray[np.int64]:
        """int64, shape (n_patterns + 1,); pattern k is ``patterns[pattern_offsets[k] : pattern_offsets[k + 1]]``."""
        return np.concatenate([np.zeros(1, np.int64), np.cumsum(self.lengths)])

    @cached_property
    def patterns(self) -> NDArray[np.int8]:
        """int8, shape (total length,), the patterns one after the other.

        Raises
        ------
        UsageError
            where they take more than 2 GiB.
        """
        total = int(self.pattern_offsets[-1])
        if total > _MAX_SPELLED:
            raise UsageError(
                f"the patterns have {total} symbols, too many to write out; take them one by one, or set max_length"
            )
        symbols: NDArray[np.int8] = contiguous.spell(self.text, self.starts, self.pattern_offsets)
        return symbols

    def pattern(self, k: int) -> NDArray[np.int8]:
        """Symbols of pattern k."""
        start = int(self.starts[k])
        symbols: NDArray[np.int8] = self.text[start : start + int(self.lengths[k])]
        return symbols


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
    max_patterns : stop with an error where there are more; with a gap limit frequent ones count, closed or not
    max_occurrences : stop with an error where there are more to list

    Returns
    -------
    Mined

    Raises
    ------
    UsageError
        where an argument cannot be, or a bound is reached.

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
    wanted = Wanted(unit, min_support, closure, min_length, longest, max_patterns)
    most = max_occurrences if want_occurrences else None
    if max_gap == 0:
        return _mine_contiguous(database, wanted, most)
    return _mine_gapped(database, max_gap, wanted, most, want_counts or want_occurrences)


def _mine_contiguous(database: Sequences, wanted: Wanted, max_occurrences: int | None) -> Mined:
    text, sequence_at, sequence_end = contiguous.build_text(database.symbols, database.offsets)
    order = suffix_array(text)
    lcp = lcp_array(text, order)
    tree, links = repeat_tree(
        text, order, lcp, sequence_at, sequence_end, database.group_of, database.n_groups
    )
    n_patterns, found = contiguous.select(text, order, lcp, sequence_at, sequence_end, tree, links, wanted)
    if n_patterns > wanted.max_patterns:
        raise too_many(wanted.max_patterns)
    occurrences = found[:, 1].astype(np.int64) - found[:, 0] + 1
    longest_at, shorter = contiguous.owners(found, order)
    n_occurrences = int(occurrences.sum())
    lists: Lists = (np.empty(0, np.int64),) * 4
    if max_occurrences is not None:
        if n_occurrences > max_occurrences:
            raise UsageError(
                f"the patterns have {n_occurrences} occurrences, more than max_occurrences = {max_occurrences}; "
                "raise min_length, or leave out listing occurrences"
            )
        lists, apart = contiguous.list_occurrences(found, longest_at, shorter, sequence_at, sequence_end)
    elif n_occurrences <= _WALK * len(text):
        apart = contiguous.count_apart_by_walking(found, longest_at, shorter)
    else:
        apart = contiguous.count_apart_by_jumping(found, shorter, order)
    places = order[found[:, 0]]
    lengths, n_sequences, n_groups = (found[:, c].astype(np.int64) for c in (2, 3, 4))
    return Mined(
        database.symbols,
        places.astype(np.int64) - sequence_at[places],  # the text has one 0 more per sequence before
        lengths,
        n_sequences,
        n_groups,
        occurrences,
        apart,
        *lists,
        contiguous.count_distinct(
            order, lcp, sequence_at, sequence_end, wanted.min_length, wanted.max_length
        ),
    )


def _mine_gapped(
    database: Sequences, max_gap: int | None, wanted: Wanted, max_occurrences: int | None, want_counts: bool
) -> Mined:
    if max_gap is None:
        patterns, bounds, support = grow_unlimited(database, wanted)
    else:
        patterns, bounds, support = grow_limited(database, max_gap, wanted)
    counts = np.full((len(support), 4), -1, np.int64)
    counts[:, 0 if wanted.unit == contiguous.BY_SEQUENCES else 1] = support
    lists: Lists = (np.empty(0, np.int64),) * 4
    if want_counts:
        counts, lists = locate(patterns, bounds, database, max_gap, max_occurrences)
    n_sequences, n_groups, n_windows, n_apart = np.ascontiguousarray(counts.T)
    lengths = np.diff(bounds)
    return Mined(
        patterns, bounds[:-1], lengths, n_sequences, n_groups, n_windows, n_apart, *lists, n_distinct=None
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
