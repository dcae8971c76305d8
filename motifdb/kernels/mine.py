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
from motifdb.kernels.repeats import lcp_array, repeat_tree, suffix_array

Support = Literal["occurrences", "sequences", "recordings"]
Closure = Literal["occurrences", "sequences", "recordings", "none"]

_UNITS = {
    "occurrences": contiguous.BY_OCCURRENCES,
    "sequences": contiguous.BY_SEQUENCES,
    "recordings": contiguous.BY_GROUPS,
    "none": contiguous.ALL,
}
_NO_LIMIT = 2**31 - 1


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
        """int8, shape (total length,), the patterns one after the other."""
        offsets = self.pattern_offsets
        where = np.repeat(self.starts - offsets[:-1], self.lengths)
        return self.text[where + np.arange(offsets[-1])]

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
    max_patterns: int = 50_000_000,
    max_occurrences: int = 500_000_000,
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
        - ``"sequences"``, ``"recordings"``: no Px or xP (one symbol more at an end, same gap rule) has equal support.
        - ``"none"``: every pattern with enough support.
    want_occurrences : whether to list every occurrence; counts are there in any case
    max_patterns, max_occurrences : stop with an error before more than these would be returned

    Returns
    -------
    Mined

    Raises
    ------
    UsageError
        where an argument cannot be, or a bound is reached.

    Notes
    -----
    Contiguous mining takes linear time and memory in symbols and listed occurrences, whatever the repeats.

    Examples
    --------
    >>> found = mine([1, 2, 1, 2, 3, 1, 2], [0, 5, 7], min_support=2)
    >>> [found.pattern(k).tolist() for k in range(len(found))], found.occurrences.tolist()
    ([[1, 2]], [3])
    """
    flat, bounds, group_of, n_groups = _database(symbols, offsets, groups)
    unit, closure = _units(support, closed, max_gap)
    if max_gap != 0:
        raise UsageError(f"only contiguous patterns, max_gap = 0, are mined so far; got {max_gap}")
    longest = _NO_LIMIT if max_length is None else max_length
    if min_support < 1:
        raise UsageError(f"min_support must be 1 or more, got {min_support}")
    if min_length < 1:
        raise UsageError(f"min_length must be 1 or more symbols, got {min_length}")
    if longest < min_length:
        raise UsageError(f"max_length must be at least min_length = {min_length}, got {max_length}")
    how = (unit, min_support, closure, min_length, min(longest, _NO_LIMIT), max_patterns)
    return _mine_contiguous(flat, bounds, group_of, n_groups, how, want_occurrences, max_occurrences)


def _mine_contiguous(
    symbols: NDArray[np.int8],
    offsets: NDArray[np.int64],
    group_of: NDArray[np.int32],
    n_groups: int,
    how: tuple[int, int, int, int, int, int],
    want_occurrences: bool,
    max_occurrences: int,
) -> Mined:
    text, sequence_at, sequence_end = contiguous.build_text(symbols, offsets)
    order = suffix_array(text)
    lcp = lcp_array(text, order)
    n_distinct = contiguous.count_distinct(order, lcp, sequence_at, sequence_end, how[3], how[4])
    tree, links = repeat_tree(text, order, lcp, sequence_at, sequence_end, group_of, n_groups)
    n_patterns, found = contiguous.select(text, order, lcp, sequence_at, sequence_end, tree, links, how)
    if n_patterns > how[5]:
        raise UsageError(
            f"mining found {n_patterns} patterns, more than max_patterns = {how[5]}; raise min_support or max_patterns"
        )
    occurrences = found[:, 1].astype(np.int64) - found[:, 0] + 1
    longest_at, shorter = contiguous.owners(found, order)
    n_occurrences = int(occurrences.sum())
    empty = np.empty(0, np.int64)
    listed = (empty, empty, empty, empty)
    if want_occurrences:
        if n_occurrences > max_occurrences:
            raise UsageError(
                f"the patterns have {n_occurrences} occurrences, more than max_occurrences = {max_occurrences}; "
                "raise min_length, or mine without listing occurrences"
            )
        *lists, apart = contiguous.list_occurrences(found, longest_at, shorter, sequence_at, sequence_end)
        listed = tuple(lists)
    elif n_occurrences <= 16 * len(text):
        apart = contiguous.count_apart_by_walking(found, longest_at, shorter)
    else:
        apart = contiguous.count_apart_by_jumping(found, shorter, order)
    places = order[found[:, 0]]
    starts = places.astype(np.int64) - sequence_at[places]  # the text has one 0 more per sequence before
    lengths, n_sequences, in_groups = (found[:, c].astype(np.int64) for c in (2, 3, 4))
    return Mined(
        symbols,
        starts,
        lengths,
        n_sequences,
        in_groups,
        occurrences,
        apart,
        *listed,
        n_distinct=int(n_distinct),
    )


def _database(
    symbols: ArrayLike, offsets: ArrayLike, groups: ArrayLike | None
) -> tuple[NDArray[np.int8], NDArray[np.int64], NDArray[np.int32], int]:
    """Check the arrays; recordings numbered from 0."""
    given = np.asarray(symbols)
    bounds = np.ascontiguousarray(offsets, dtype=np.int64)
    if given.ndim != 1 or bounds.ndim != 1:
        raise UsageError("symbols and offsets must be flat arrays")
    if given.size and given.dtype.kind not in "iu":
        raise UsageError(f"symbols must be whole numbers from -127 to 127, got {given.dtype}")
    if given.size and (given.min() < -127 or given.max() > 127):
        raise UsageError(f"symbols must lie in -127..127, got {given.min()}..{given.max()}")
    if bounds.size == 0 or bounds[0] != 0 or bounds[-1] != given.size or np.any(bounds[1:] < bounds[:-1]):
        raise UsageError(
            f"offsets do not fit: they must ascend from 0 to the number of symbols, {given.size}"
        )
    n_sequences = bounds.size - 1
    if given.size + n_sequences >= _NO_LIMIT:
        raise UsageError(
            "more than 2 147 483 646 symbols and sequences in one call; mine parts of the database"
        )
    if groups is None:
        group_of, n_groups = np.zeros(n_sequences, np.int32), 1
    else:
        labels = np.asarray(groups)
        if labels.shape != (n_sequences,):
            raise UsageError(
                f"groups must name a recording for each of {n_sequences} sequences, got {labels.size}"
            )
        names, inverse = np.unique(labels, return_inverse=True)
        group_of, n_groups = inverse.astype(np.int32), max(1, len(names))
    return np.ascontiguousarray(given, dtype=np.int8), bounds, group_of, n_groups


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
