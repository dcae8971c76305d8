"""How often given patterns occur in recordings: one automaton for all patterns, one pass over each recording.

The automaton is that of Aho and Corasick (1975): a state is a prefix of some pattern, its link the longest other suffix of it
that is a state too. Following the links only from pattern to pattern, the occurrences of one sequence are counted once at
the longest pattern that ends at each position and handed down at the end, so that a text and patterns
that repeat themselves cost no more than the different patterns found.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from motifdb.errors import UsageError
from motifdb.kernels.automaton import build_automaton, count_runs, locate_runs
from motifdb.kernels.sequences import Sequences, checked_lists
from motifdb.mining.mined import Lists
from motifdb.mining.windows import locate


@dataclass(frozen=True)
class PatternCounts:
    """Rows for patterns that occur, sorted by (recording, pattern); all int64, shape (n_rows,).

    Attributes
    ----------
    recording : the number that `groups` gave
    pattern : index of the pattern
    occurrences : overlaps counted; at a gap above 0, minimal windows
    phrases : sequences of the recording in which it occurs
    """

    recording: NDArray[np.int64]
    pattern: NDArray[np.int64]
    occurrences: NDArray[np.int64]
    phrases: NDArray[np.int64]


@dataclass(frozen=True)
class Automaton:
    """What `PatternCounter` keeps; states are numbered as they were made, 0 is the empty prefix.

    Attributes
    ----------
    keys, targets : hash table of the transitions, ``state * 256 + symbol + 128`` to state; -1 is an empty place
    link : int32, shape (n_states,), state of the longest proper suffix
    found_at : int32, shape (n_states,), longest pattern that is a suffix of the state, -1 if none; numbered by length
    shorter : int32, shape (n_different,), the next shorter pattern that is a suffix of the pattern, or -1
    number : int32, shape (n_patterns,), the number of each given pattern among the different ones
    """

    keys: NDArray[np.int64]
    targets: NDArray[np.int32]
    link: NDArray[np.int32]
    found_at: NDArray[np.int32]
    shorter: NDArray[np.int32]
    number: NDArray[np.int32]


class PatternCounter:
    """A fixed set of patterns, built once, to be counted in any number of recordings.

    Parameters
    ----------
    patterns : int8, shape (n,), the patterns one after the other, none empty; equal ones are counted each
    pattern_offsets : int64, shape (n_patterns + 1,)
    max_gap : symbols that may be skipped between two matched ones; None is unlimited

    Notes
    -----
    Building takes time and memory (about 40 bytes) per symbol of the patterns, counting takes time per symbol of the
    recording and per different pattern found in each of its sequences. With a gap, each pattern is followed through
    the recording on its own, from what it shares with the one before: a simpler and slower method.

    Examples
    --------
    >>> counter = PatternCounter([1, 2, 2], [0, 2, 3])
    >>> counts = counter.count([1, 2, 1, 2, 2], [0, 4, 5])
    >>> counts.pattern.tolist(), counts.occurrences.tolist(), counts.phrases.tolist()
    ([0, 1], [2, 3], [1, 2])
    """

    def __init__(self, patterns: ArrayLike, pattern_offsets: ArrayLike, *, max_gap: int | None = 0) -> None:
        if max_gap is not None and max_gap < 0:
            raise UsageError(f"max_gap must be 0 or more symbols, or None for unlimited, got {max_gap}")
        self._patterns, self._offsets = checked_lists("patterns", patterns, pattern_offsets)
        lengths = np.diff(self._offsets)
        if np.any(lengths == 0):
            raise UsageError(f"pattern {int(np.argmin(lengths))} is empty; a pattern has at least one symbol")
        self._max_gap = max_gap
        if max_gap == 0:
            self._automaton = Automaton(*build_automaton(self._patterns, self._offsets))
            number = self._automaton.number
            self._given = np.argsort(number, kind="stable")
            self._first_given = np.searchsorted(
                number[self._given], np.arange(len(self._automaton.shorter) + 1)
            )
        else:
            each = [
                self._patterns[a:b].tolist() for a, b in zip(self._offsets, self._offsets[1:], strict=False)
            ]
            self._order = np.array(sorted(range(len(each)), key=each.__getitem__), np.int64)

    def __len__(self) -> int:
        return len(self._offsets) - 1

    def count(self, symbols: ArrayLike, offsets: ArrayLike, groups: ArrayLike | None = None) -> PatternCounts:
        """Count in sequences; `groups` says the recording of each (None: all of recording 0).

        Raises
        ------
        UsageError
            where the arrays do not fit (see `Sequences.of`).
        """
        database = Sequences.of(symbols, offsets, groups)
        if self._max_gap != 0:
            return _tally(database, *self._located(database)[:2])
        order = np.argsort(database.group_of, kind="stable")
        n = len(self._automaton.shorter)
        group, number, occurrences, phrases = count_runs(
            self._automaton.keys,
            self._automaton.targets,
            self._automaton.link,
            self._automaton.found_at,
            self._automaton.shorter,
            database.symbols,
            database.offsets,
            database.group_of,
            order,
            np.zeros((3, n), np.int64),  # made here: of pages that are not written to, the system makes none
            np.empty((2, n), np.int32),
        )
        # from different patterns to the given ones, of which several may be equal
        begin = self._first_given[number]
        n_each = self._first_given[number + 1] - begin
        row = np.repeat(np.arange(len(number)), n_each)
        within = np.arange(len(row)) - np.repeat(np.cumsum(n_each) - n_each, n_each)
        pattern = self._given[begin[row] + within]
        sort = np.lexsort((pattern, group[row]))
        row = row[sort]
        return PatternCounts(database.group_labels[group[row]], pattern[sort], occurrences[row], phrases[row])

    def locate(self, symbols: ArrayLike, offsets: ArrayLike, *, max_occurrences: int = 50_000_000) -> Lists:
        """Every occurrence: pattern, sequence, first and last symbol inside it, sorted in this order.

        Raises
        ------
        UsageError
            where the arrays do not fit, or there are more than max_occurrences.
        """
        return self._located(Sequences.of(symbols, offsets), max_occurrences)

    def _located(self, database: Sequences, max_occurrences: int = 50_000_000) -> Lists:
        if self._max_gap == 0:
            a = self._automaton
            lists, is_complete = locate_runs(
                a.keys, a.targets, a.link, a.found_at, a.shorter, a.number, np.diff(self._offsets),
                database.symbols, database.offsets, max_occurrences,
            )  # fmt: skip
            if not is_complete:
                raise UsageError(
                    f"the patterns occur more than max_occurrences = {max_occurrences} times; ask for fewer"
                )
        else:
            lengths = np.diff(self._offsets)[self._order]
            bounds = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
            where = np.repeat(self._offsets[:-1][self._order] - bounds[:-1], lengths) + np.arange(bounds[-1])
            _, (row, *places) = locate(
                self._patterns[where], bounds, database, self._max_gap, max_occurrences
            )
            lists = (self._order[row], *places)
        pattern, sequence, first, last = lists
        sort = np.lexsort((first, sequence, pattern))
        return pattern[sort], sequence[sort], first[sort], last[sort]


def _tally(database: Sequences, pattern: NDArray[np.int64], sequence: NDArray[np.int64]) -> PatternCounts:
    """Counts by recording from listed occurrences that are sorted by (pattern, sequence)."""
    group = database.group_of[sequence].astype(np.int64)
    is_new_phrase = np.ones(len(pattern), np.int64)
    is_new_phrase[1:] = (pattern[1:] != pattern[:-1]) | (sequence[1:] != sequence[:-1])
    n = int(pattern.max(initial=0)) + 1
    keys, row = np.unique(group * n + pattern, return_inverse=True)
    occurrences = np.bincount(row, minlength=len(keys))
    phrases = np.bincount(row, weights=is_new_phrase, minlength=len(keys)).astype(np.int64)
    return PatternCounts(database.group_labels[keys // n], keys % n, occurrences, phrases)
