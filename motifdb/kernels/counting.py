"""How often given patterns occur in recordings: one automaton for all patterns, one pass over each recording.

The automaton is that of Aho and Corasick (1975): a state is a prefix of some pattern, its link the longest other suffix of it
that is a state too. Following the links only from pattern to pattern, the occurrences of one sequence are counted once at
the longest pattern that ends at each position and handed down at the end, so that a text and patterns
that repeat themselves cost no more than the different patterns found.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import ArrayLike, NDArray

from motifdb.errors import UsageError
from motifdb.kernels.gap_mining import Lists, locate
from motifdb.kernels.gapped import grown
from motifdb.kernels.sequences import Sequences, checked_lists


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
            self._automaton = Automaton(*_build(self._patterns, self._offsets))
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
        group, number, occurrences, phrases = _count(
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
            lists, is_complete = _locate(
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


def count_patterns(
    patterns: ArrayLike,
    pattern_offsets: ArrayLike,
    symbols: ArrayLike,
    offsets: ArrayLike,
    groups: ArrayLike | None = None,
    *,
    max_gap: int | None = 0,
) -> PatternCounts:
    """`PatternCounter` for one call."""
    return PatternCounter(patterns, pattern_offsets, max_gap=max_gap).count(symbols, offsets, groups)


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


@numba.njit(cache=True, nogil=True)
def _place(keys, key):  # type: ignore[no-untyped-def]
    """Where the key is in the hash table, or the empty place it belongs to."""
    mask = keys.size - 1
    h = key * 0x5BD1E5  # keys have at most 39 bits
    i = (h ^ (h >> 29)) & mask
    while keys[i] != -1 and keys[i] != key:
        i = (i + 1) & mask
    return i


@numba.njit(cache=True, nogil=True)
def _build(patterns, offsets):  # type: ignore[no-untyped-def]
    n_patterns = offsets.size - 1
    size = 16
    while size < 2 * patterns.size:
        size *= 2
    keys = np.full(size, -1, dtype=np.int64)
    targets = np.empty(size, dtype=np.int32)
    parent = np.zeros(patterns.size + 1, dtype=np.int32)
    symbol = np.zeros(patterns.size + 1, dtype=np.int8)
    depth = np.zeros(patterns.size + 1, dtype=np.int32)
    end = np.empty(n_patterns, dtype=np.int32)
    n = 1
    for k in range(n_patterns):
        state = np.int64(0)
        for i in range(offsets[k], offsets[k + 1]):
            key = state * 256 + np.int64(patterns[i]) + 128
            place = _place(keys, key)
            if keys[place] == -1:
                keys[place] = key
                targets[place] = n
                parent[n] = state
                symbol[n] = patterns[i]
                depth[n] = depth[state] + 1
                n += 1
            state = np.int64(targets[place])
        end[k] = state
    # states by depth, by counting
    at = np.zeros(depth[:n].max() + 2, dtype=np.int64)
    for v in range(n):
        at[depth[v] + 1] += 1
    for d in range(at.size - 1):
        at[d + 1] += at[d]
    order = np.empty(n, dtype=np.int32)
    for v in range(n):
        order[at[depth[v]]] = v
        at[depth[v]] += 1
    is_pattern = np.zeros(n, dtype=np.bool_)
    for k in range(n_patterns):
        is_pattern[end[k]] = True
    link = np.zeros(n, dtype=np.int32)
    found_at = np.full(n, -1, dtype=np.int32)
    shorter = np.empty(n_patterns, dtype=np.int32)
    n_different = 0
    for i in range(1, n):
        v = order[i]
        if depth[v] > 1:
            link[v] = _step(keys, targets, link, np.int64(link[parent[v]]), symbol[v])
        found_at[v] = found_at[link[v]]
        if is_pattern[v]:
            shorter[n_different] = found_at[v]
            found_at[v] = n_different
            n_different += 1
    number = np.empty(n_patterns, dtype=np.int32)
    for k in range(n_patterns):
        number[k] = found_at[end[k]]
    return keys, targets, link, found_at, shorter[:n_different].copy(), number


@numba.njit(cache=True, nogil=True)
def _step(keys, targets, link, state, symbol):  # type: ignore[no-untyped-def]
    """The state after one more symbol."""
    while True:
        place = _place(keys, state * 256 + np.int64(symbol) + 128)
        if keys[place] != -1:
            return np.int64(targets[place])
        if state == 0:
            return np.int64(0)
        state = np.int64(link[state])


@numba.njit(cache=True, nogil=True)
def _count(  # type: ignore[no-untyped-def]
    keys, targets, link, found_at, shorter, symbols, offsets, group_of, order, counts, numbers
):
    """Rows (group, number, occurrences, sequences) for the different patterns found; `order` puts groups together."""
    here = counts[0]  # in the sequence at hand
    total = counts[1]  # in the group at hand
    phrases = counts[2]
    touched = numbers[0]
    in_group = numbers[1]
    n_in_group = 0
    out = np.empty(1024, dtype=np.int64)
    n_out = 0
    for o in range(order.size):
        s = order[o]
        n_touched = 0
        state = np.int64(0)
        for i in range(offsets[s], offsets[s + 1]):
            state = _step(keys, targets, link, state, symbols[i])
            k = found_at[state]
            if k >= 0:
                if here[k] == 0:
                    touched[n_touched] = k
                    n_touched += 1
                here[k] += 1
        # a pattern found brings the shorter ones it ends with; `here` marks those that are in the list
        for j in range(n_touched):
            k = shorter[touched[j]]
            while k >= 0 and here[k] == 0:
                here[k] = -1
                touched[n_touched] = k
                n_touched += 1
                k = shorter[k]
        found = np.sort(touched[:n_touched])
        for j in range(n_touched):
            if here[found[j]] < 0:
                here[found[j]] = 0
        for j in range(n_touched - 1, -1, -1):
            k = found[j]
            if shorter[k] >= 0:
                here[shorter[k]] += here[k]
            if phrases[k] == 0:
                in_group[n_in_group] = k
                n_in_group += 1
            phrases[k] += 1
            total[k] += here[k]
            here[k] = 0
        if o + 1 == order.size or group_of[order[o + 1]] != group_of[s]:
            out = grown(out, n_out + 4 * n_in_group)
            for j in range(n_in_group):
                k = in_group[j]
                out[n_out] = group_of[s]
                out[n_out + 1] = k
                out[n_out + 2] = total[k]
                out[n_out + 3] = phrases[k]
                n_out += 4
                total[k] = 0
                phrases[k] = 0
            n_in_group = 0
    rows = out[:n_out].reshape((n_out // 4, 4))
    return rows[:, 0].copy(), rows[:, 1].copy(), rows[:, 2].copy(), rows[:, 3].copy()


@numba.njit(cache=True, nogil=True)
def _locate(  # type: ignore[no-untyped-def]
    keys, targets, link, found_at, shorter, number, lengths, symbols, offsets, max_occurrences
):
    """(pattern, sequence, first, last) of every occurrence, and whether these are all."""
    # given patterns by their number: first_of[number], then next_of[pattern]
    first_of = np.full(shorter.size, -1, dtype=np.int32)
    next_of = np.empty(number.size, dtype=np.int32)
    for g in range(number.size - 1, -1, -1):
        next_of[g] = first_of[number[g]]
        first_of[number[g]] = g
    pattern = np.empty(1024, dtype=np.int64)
    sequence = np.empty(1024, dtype=np.int64)
    first = np.empty(1024, dtype=np.int64)
    last = np.empty(1024, dtype=np.int64)
    n = 0
    for s in range(offsets.size - 1):
        state = np.int64(0)
        for i in range(offsets[s], offsets[s + 1]):
            state = _step(keys, targets, link, state, symbols[i])
            k = found_at[state]
            while k >= 0:
                g = first_of[k]
                while g >= 0:
                    if n == max_occurrences:
                        return (pattern[:n], sequence[:n], first[:n], last[:n]), False
                    pattern = grown(pattern, n + 1)
                    sequence = grown(sequence, n + 1)
                    first = grown(first, n + 1)
                    last = grown(last, n + 1)
                    pattern[n] = g
                    sequence[n] = s
                    first[n] = i - offsets[s] - lengths[g] + 1
                    last[n] = i - offsets[s]
                    n += 1
                    g = next_of[g]
                k = shorter[k]
    return (pattern[:n], sequence[:n], first[:n], last[:n]), True
