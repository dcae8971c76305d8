"""The tests of a comparison, and their p and q."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from motifdb.kernels.group_tests import least_p, relabelled_sums, shared_units
from motifdb.kernels.q_values import benjamini_hochberg
from motifdb.query.compare.counted import Counted
from motifdb.query.compare.units import Units

FIRST_PERMUTATIONS = 1000
MOST_PERMUTATIONS = 10_000_000
ENOUGH_EXCEEDINGS = 20
"""A test that so many relabellings reach in either direction is given no more of them: its p is known well enough."""

SURE = 0.2
"""Share of the level at which q is low enough for a test to be given no more relabellings."""

_SCALE = float(1 << 30)


@dataclass(frozen=True)
class Tests:
    """Pairs of pattern and group that are tested.

    Attributes
    ----------
    pattern : int64, shape (n_tests,), index of the pattern
    group : int16, shape (n_tests,), index of the group
    begin, end : int64, shape (n_tests,), where a test's values stand
    unit : int32, shape (n_values,), units with a value above 0
    values : float64, shape (n_values,), the rate, or 1 where shares are compared
    held, held_all : int64, shape (n_tests,), units of the group, and of all, that hold the pattern
    least_p : float64, shape (n_tests,), smallest p that any labelling could give
    """

    pattern: NDArray[np.int64]
    group: NDArray[np.int16]
    begin: NDArray[np.int64]
    end: NDArray[np.int64]
    unit: NDArray[np.int32]
    values: NDArray[np.float64]
    held: NDArray[np.int64]
    held_all: NDArray[np.int64]
    least_p: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.pattern)

    @classmethod
    def make(
        cls, units: Units, counted: Counted, is_share: bool, at_least: int | None, level: float
    ) -> Tests:
        """Those that are made: which they are does not hang on who has which label, only on how many have it."""
        n_patterns = len(counted.pattern_id)
        tested = np.array(units.tested, np.int16)
        pattern = np.repeat(np.arange(n_patterns), len(tested))
        group = np.tile(tested, n_patterns)
        held_all = np.diff(counted.begin)[pattern]
        least = least_p(held_all, units.sizes[group], len(units.names), is_share)
        kept = least <= level if at_least is None else held_all >= at_least
        pattern, group, held_all, least = pattern[kept], group[kept], held_all[kept], least[kept]
        values = (
            np.ones(len(counted.unit)) if is_share else counted.occurrences / counted.minutes[counted.unit]
        )
        of_group = np.zeros((n_patterns, len(units.groups)), np.int64)
        owner = np.repeat(np.arange(n_patterns), np.diff(counted.begin))
        np.add.at(of_group, (owner, units.group[counted.unit]), 1)
        return cls(
            pattern,
            group,
            counted.begin[pattern],
            counted.begin[pattern + 1],
            counted.unit,
            values,
            of_group[pattern, group],
            held_all,
            least,
        )

    def of(self, some: NDArray[np.int64]) -> Tests:
        """Some of them."""
        return Tests(
            self.pattern[some],
            self.group[some],
            self.begin[some],
            self.end[some],
            self.unit,
            self.values,
            self.held[some],
            self.held_all[some],
            self.least_p[some],
        )

    def means(
        self, units: Units, values: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Mean of a value over the units of each test's group, and over all other units."""
        n = len(self)
        inside, whole = np.zeros(n), np.zeros(n)
        for i in range(n):
            at = slice(self.begin[i], self.end[i])
            own = units.group[self.unit[at]] == self.group[i]
            whole[i] = values[at].sum()
            inside[i] = values[at][own].sum()
        size = units.sizes[self.group]
        return inside / size, (whole - inside) / (len(units.names) - size)


@dataclass(frozen=True)
class Found:
    """p and q of each test, and the most relabellings that one was given (0: p is exact)."""

    p: NDArray[np.float64]
    q: NDArray[np.float64]
    n_permutations: int


def permuted_p(
    tests: Tests, units: Units, is_share: bool, seed: int, permutations: int | None, level: float
) -> Found:
    """Two-sided p of every test (the rarer direction, doubled), and q over all of them."""
    n = len(tests)
    if is_share:
        high, low = shared_units(tests.held, tests.held_all, units.sizes[tests.group], len(units.names))
        p = np.minimum(1.0, 2 * np.minimum(high, low))
        return Found(p, _q(p), 0)
    most = permutations if permutations is not None else enough_permutations(n, level)
    value = _whole_numbers(tests)
    p = np.ones(n)
    n_high, n_low = np.zeros(n, np.int64), np.zeros(n, np.int64)
    left, done = np.arange(n), 0
    while left.size and done < most:
        upto = min(most, max(FIRST_PERMUTATIONS, 10 * done))
        some = tests.of(left)
        more_high, more_low = relabelled_sums(
            units.group, some.group, some.begin, some.end, tests.unit, value, upto - done, seed, done
        )
        n_high[left] += more_high
        n_low[left] += more_low
        done = upto
        rarer = np.minimum(n_high[left], n_low[left])
        # the labels as they are count as one relabelling, so that no p is 0
        p[left] = np.minimum(1.0, 2 * (rarer + 1) / (done + 1))
        q = _q(p)
        left = left[(rarer < ENOUGH_EXCEEDINGS) & (q[left] > SURE * level)]
    return Found(p, _q(p), done)


def enough_permutations(n_tests: int, level: float) -> int:
    """Relabellings with which one single test of so many can be called: a power of ten.

    >>> enough_permutations(100, 0.05), enough_permutations(5000, 0.05)
    (10000, 1000000)
    """
    needed = max(2 / level * n_tests, 1e4)
    return int(min(10 ** math.ceil(math.log10(needed) - 1e-9), MOST_PERMUTATIONS))


def _q(p: NDArray[np.float64]) -> NDArray[np.float64]:
    return benjamini_hochberg(np.log(p), len(p))


def _whole_numbers(tests: Tests) -> NDArray[np.int32]:
    """Values as whole numbers of which each pattern's sum to 2**30, so that equal sums are equal."""
    out = np.zeros(len(tests.values), np.int32)
    for begin, end in set(zip(tests.begin.tolist(), tests.end.tolist(), strict=True)):
        own = tests.values[begin:end]
        out[begin:end] = np.round(own * (_SCALE / own.sum()))
    return out
