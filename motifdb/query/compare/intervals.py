"""Intervals of what was found: how far the difference may be from what these units show.

A mean of rates is drawn again (percentile bootstrap over units, within the group and within the rest [1]_). The difference of
two shares has Newcombe's interval from Wilson's scores [2]_, since a share of 0 or 1 drawn again is always itself.

References
----------
.. [1] B. Efron, R. J. Tibshirani (1993), An introduction to the bootstrap, chapter 13.
.. [2] R. G. Newcombe (1998), Interval estimation for the difference between independent proportions, Statistics in Medicine 17,
   method 10.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from motifdb.query.compare.permuted import Tests
from motifdb.query.compare.units import Units

_F8 = NDArray[np.float64]
_AT_ONCE = 256
_Z = 1.959963984540054


def mean_differences(tests: Tests, units: Units, n_draws: int, seed: int) -> tuple[_F8, _F8]:
    """95 % percentile intervals of the mean of a group less the mean of the rest."""
    low, high = np.zeros(len(tests)), np.zeros(len(tests))
    for g in sorted(set(tests.group.tolist())):
        own = units.group == g
        weights = _draws(own, n_draws, seed)
        mine = np.flatnonzero(tests.group == g)
        for first in range(0, len(mine), _AT_ONCE):
            some = mine[first : first + _AT_ONCE]
            dense = np.zeros((len(some), len(own)))
            for row, t in enumerate(some.tolist()):
                at = slice(tests.begin[t], tests.end[t])
                dense[row, tests.unit[at]] = tests.values[at]
            drawn = dense @ weights
            low[some], high[some] = np.percentile(drawn, (2.5, 97.5), axis=1)
    return low, high


def _draws(own: NDArray[np.bool_], n_draws: int, seed: int) -> _F8:
    """Weights of units, one column a draw: those of the group sum to 1, those of the rest to -1."""
    weights = np.zeros((len(own), n_draws))
    rng = np.random.default_rng(seed)
    for side, sign in ((own, 1.0), (~own, -1.0)):
        n = int(side.sum())
        weights[side] = sign * rng.multinomial(n, np.full(n, 1 / n), n_draws).T / n
    return weights


def share_differences(tests: Tests, units: Units) -> tuple[_F8, _F8]:
    """95 % score intervals of the share of a group less the share of the rest."""
    size = units.sizes[tests.group]
    rest = len(units.names) - size
    a, a_low, a_high = _wilson(tests.held, size)
    b, b_low, b_high = _wilson(tests.held_all - tests.held, rest)
    low = (a - b) - np.sqrt((a - a_low) ** 2 + (b_high - b) ** 2)
    high = (a - b) + np.sqrt((a_high - a) ** 2 + (b - b_low) ** 2)
    return low, high


def _wilson(k: NDArray[np.int64], n: NDArray[np.int64]) -> tuple[_F8, _F8, _F8]:
    share = k / n
    middle = (share + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
    half = _Z / (1 + _Z**2 / n) * np.sqrt(share * (1 - share) / n + _Z**2 / (4 * n**2))
    return share, middle - half, middle + half
