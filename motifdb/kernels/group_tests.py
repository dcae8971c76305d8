"""Do units of one group hold more of something than others? Labels permuted over units, and the exact law of a share.

Two exact questions about values of units (recordings, or singers) of which each has one label:

* the sum of a group's values, against the sums it has when the labels are dealt out anew (Monte Carlo: the count of
  relabellings that give as much or more, and as little or less). The total and the sizes of groups stay, so that the sum
  orders relabellings as the difference of means does. Values are rounded to whole numbers, of which equal sums may
  differ by rounding: sums that do by no more than the number of values count as equal;
* the number of a group's units that hold something, for which the law under relabelling is the hypergeometric one, the
  test of Fisher [1]_: no relabelling has to be drawn.

Relabelling number i of a seed is one thing, whichever tests are asked and in however many calls.

References
----------
.. [1] R. A. Fisher (1935), The logic of inductive inference, J. Royal Statistical Society 98(1).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from motifdb.kernels.jit import kernel

_I8 = NDArray[np.int64]
_I4 = NDArray[np.int32]
_I2 = NDArray[np.int16]
_F8 = NDArray[np.float64]

AT_ONCE = 256
"""Relabellings that are held at a time; their sums fit the first cache."""


@kernel
def _mixed(x: np.uint64) -> np.uint64:
    """One step of splitmix64."""
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@kernel
def _relabel(labels: _I2, seed: int, first: int, out: _I2) -> None:
    """Fill each column of `out`, int16 (n_units, n), with a relabelling: the labels in random order."""
    n_units, n = out.shape
    own = np.empty(n_units, np.int16)
    for i in range(n):
        state = _mixed(_mixed(np.uint64(seed)) ^ np.uint64(first + i))
        own[:] = labels
        for j in range(n_units - 1, 0, -1):
            state = _mixed(state)
            at = np.int64(((state >> np.uint64(32)) * np.uint64(j + 1)) >> np.uint64(32))
            own[j], own[at] = own[at], own[j]
        for j in range(n_units):
            out[j, i] = own[j]


def relabellings(labels: _I2, n: int, *, seed: int = 0, first: int = 0) -> _I2:
    """Labels in random order, `n` times.

    Parameters
    ----------
    labels : int16, shape (n_units,)
    seed, first : which ones: numbers `first` to `first + n - 1` of this seed

    Returns
    -------
    int16, shape (n, n_units)

    Examples
    --------
    >>> found = relabellings(np.array([0, 0, 1], np.int16), 4, seed=1)
    >>> found.shape, sorted(found[0].tolist())
    ((4, 3), [0, 0, 1])
    >>> bool((relabellings(np.array([0, 0, 1], np.int16), 2, seed=1, first=2) == found[2:]).all())
    True
    """
    out = np.empty((len(labels), n), np.int16)
    _relabel(np.ascontiguousarray(labels, np.int16), seed, first, out)
    return np.ascontiguousarray(out.T)


@kernel
def relabelled_sums(
    labels: _I2,
    group: _I2,
    begin: _I8,
    end: _I8,
    unit: _I4,
    value: _I4,
    n: int,
    seed: int,
    first: int,
) -> tuple[_I8, _I8]:
    """Count relabellings in which a group's sum is at least, and at most, the one that is there.

    Parameters
    ----------
    labels : int16, shape (n_units,), the group of each unit
    group : int16, shape (n_tests,), the group that a test is about
    begin, end : int64, shape (n_tests,), where a test's values stand in `unit` and `value`
    unit, value : int32, units that have a value above 0, and the value; the values of one test
        sum to at most 2**30
    n, seed, first : the relabellings, as in `relabellings`

    Returns
    -------
    n_high, n_low : int64, shape (n_tests,)
    """
    n_tests = len(group)
    n_high, n_low = np.zeros(n_tests, np.int64), np.zeros(n_tests, np.int64)
    there = np.zeros(n_tests, np.int32)
    for t in range(n_tests):
        for j in range(begin[t], end[t]):
            if labels[unit[j]] == group[t]:
                there[t] += value[j]
    sums = np.empty(AT_ONCE, np.int32)
    for start in range(0, n, AT_ONCE):
        m = min(AT_ONCE, n - start)
        drawn = np.empty((len(labels), m), np.int16)
        _relabel(labels, seed, first + start, drawn)
        for t in range(n_tests):
            sums[:m] = 0
            for j in range(begin[t], end[t]):
                row, own, v = drawn[unit[j]], group[t], value[j]
                for i in range(m):  # no branch, so that the compiler takes several at a time
                    sums[i] += v * np.int32(row[i] == own)
            high = low = 0
            slack = np.int32(end[t] - begin[t])
            for i in range(m):
                high += sums[i] >= there[t] - slack
                low += sums[i] <= there[t] + slack
            n_high[t] += high
            n_low[t] += low
    return n_high, n_low


@kernel
def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1.0) - math.lgamma(k + 1.0) - math.lgamma(n - k + 1.0)


@kernel
def shared_units(held: _I8, held_all: _I8, n_group: _I8, n_units: int) -> tuple[_F8, _F8]:
    """P(a group has at least, and at most, so many of the units that hold something), labels in random order.

    Parameters
    ----------
    held : int64, shape (n_tests,), units of the group that hold it
    held_all : int64, units of any group that do
    n_group : int64, units of the group
    n_units : units of all groups

    Returns
    -------
    p_high, p_low : float64, shape (n_tests,)

    Examples
    --------
    >>> high, low = shared_units(np.array([3]), np.array([3]), np.array([3]), 6)  # all three, of 20 ways
    >>> round(float(high[0]), 4), round(float(low[0]), 4)
    (0.05, 1.0)
    """
    n = len(held)
    p_high, p_low = np.zeros(n), np.zeros(n)
    for t in range(n):
        k_all, size = held_all[t], n_group[t]
        whole = _log_choose(n_units, size)
        for k in range(max(0, size - (n_units - k_all)), min(k_all, size) + 1):
            p = math.exp(_log_choose(k_all, k) + _log_choose(n_units - k_all, size - k) - whole)
            if k >= held[t]:
                p_high[t] += p
            if k <= held[t]:
                p_low[t] += p
    return np.minimum(p_high, 1.0), np.minimum(p_low, 1.0)


@kernel
def least_p(held_all: _I8, n_group: _I8, n_units: int, is_share: bool) -> _F8:
    """The smallest two-sided p that any labelling could give a test; it does not depend on the labels.

    Parameters
    ----------
    held_all, n_group, n_units : as in `shared_units`
    is_share : whether units that hold it are counted; else their values are summed, of which no two sums need be equal,
        and this is a bound from below

    Returns
    -------
    float64, shape (n_tests,)

    Examples
    --------
    >>> least_p(np.array([1, 3]), np.array([3, 3]), 6, True).round(3).tolist()
    [1.0, 0.1]
    """
    out = np.empty(len(held_all))
    for t in range(len(held_all)):
        k_all, size = held_all[t], n_group[t]
        whole = _log_choose(n_units, size)
        most, least = min(k_all, size), max(0, size - (n_units - k_all))
        high = _log_choose(k_all, most) + _log_choose(n_units - k_all, size - most)
        low = _log_choose(k_all, least) + _log_choose(n_units - k_all, size - least)
        if not is_share:
            # among units that all hold it one labelling can be the only one with its sum
            high = high if k_all <= size else 0.0
            low = low if least == 0 else 0.0
        out[t] = min(1.0, 2.0 * math.exp(min(high, low) - whole))
    return out
