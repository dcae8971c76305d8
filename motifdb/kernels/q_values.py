"""From p to q: correction for having looked at many patterns.

Two rules, both after Benjamini and Hochberg [1]_:

* m known: q_(i) = min over j >= i of p_(j) m / j, with m = every distinct pattern of admissible length that occurs at least
  once. Patterns are counted because they occur, so p enters as P(count >= c | count >= 1): then the expected number of
  false calls at level a is at most a m, whatever the lengths admitted.
* m unknown (patterns with gaps): weighted tests [2]_. Length L has the share w_L of the error, proportional to 1 / (L (L + 1)), and
  m_L, an upper bound on how many patterns of that length are tested: p m_L / w_L takes the place of p m.
  Where all A**L patterns are fewer than the embeddings the phrases have room for, m_L is A**L and p stays
  as it is (nothing was picked); elsewhere m_L is the number of embeddings, of which every pattern that
  occurs has one, and p enters given that it occurs.

References
----------
.. [1] Y. Benjamini, Y. Hochberg (1995), Controlling the false discovery rate, J. Royal Statistical Society B 57(1).
.. [2] C. R. Genovese, K. Roeder, L. Wasserman (2006), False discovery control with p-value weighting, Biometrika 93(3).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

_I = NDArray[np.int64]
_F = NDArray[np.float64]


def benjamini_hochberg(log_p: _F, n_tested: int) -> _F:
    """Return q-values from natural logarithms of p, of which only the kept ones of `n_tested` tests are given.

    q of the i-th smallest p is the minimum over j >= i of p_j n_tested / j, at most 1. Ranks are counted among the
    given ones, which is right if the others' p are larger and conservative otherwise. NaN stays NaN, ranks last.

    Examples
    --------
    >>> benjamini_hochberg(np.log([0.01, 0.5, 0.001]), 10).round(3).tolist()
    [0.05, 1.0, 0.01]
    """
    return _step_up(log_p + math.log(max(n_tested, 1)))


def _step_up(log_expected: _F) -> _F:
    """q from log expected numbers of false calls were the threshold set at each test."""
    q = np.full(log_expected.size, np.nan)
    known = np.flatnonzero(~np.isnan(log_expected))
    if known.size:
        order = known[np.argsort(log_expected[known], kind="stable")]
        log_q = log_expected[order] - np.log(np.arange(1, order.size + 1))
        log_q = np.minimum.accumulate(log_q[::-1])[::-1]
        q[order] = np.exp(np.minimum(log_q, 0.0))
    return q


def log_n_tested(
    length: int, n_symbols: int, phrase_lengths: _I, times: _I, max_gap: int | None
) -> tuple[float, bool]:
    """Return log of a bound on the patterns of one length that are tested, and whether it counts all that could be.

    Parameters
    ----------
    length : symbols of the pattern
    n_symbols : A, size of the alphabet
    phrase_lengths, times : distinct phrase lengths and how many phrases have each
    max_gap : symbols that may be skipped between two, None any number

    Examples
    --------
    >>> log_n, is_all = log_n_tested(2, 8, np.array([100]), np.array([1]), 1)
    >>> round(math.exp(log_n)), is_all
    (64, True)
    >>> log_n, is_all = log_n_tested(5, 8, np.array([100]), np.array([1]), 1)
    >>> round(math.exp(log_n)), is_all  # 96 places to begin, 2 for each further symbol
    (1536, False)
    """
    log_all = length * math.log(n_symbols)
    fits = phrase_lengths >= length
    if not fits.any():
        return 0.0, True
    sizes, times = phrase_lengths[fits], times[fits]
    if max_gap is None:
        logs = np.array(
            [
                math.lgamma(n + 1) - math.lgamma(length + 1) - math.lgamma(n - length + 1)
                for n in sizes.tolist()
            ]
        )
    else:
        logs = np.log(sizes - length + 1) + (length - 1) * math.log1p(max_gap)
    log_embeddings = float(logs.max() + np.log((times * np.exp(logs - logs.max())).sum()))
    return (log_all, True) if log_all <= log_embeddings else (log_embeddings, False)


def weighted_q(
    log_p: _F,
    log_once: _F,
    pattern_lengths: _I,
    *,
    n_symbols: int,
    phrase_lengths: _I,
    times: _I,
    max_gap: int | None,
    min_length: int = 1,
    max_length: int | None = None,
) -> _F:
    """Return q where nobody has counted the patterns that occur (see the module's text).

    Parameters
    ----------
    log_p : (n,) natural logarithms, NaN unknown
    log_once : (n,) log P(count >= observed | the pattern occurs), NaN unknown
    pattern_lengths : (n,) symbols of each pattern
    n_symbols, phrase_lengths, times, max_gap : see `log_n_tested`
    min_length, max_length : admissible lengths, among which the error is shared out
    """
    longest = math.inf if max_length is None else max_length
    log_all_shares = math.log(1.0 / min_length - 1.0 / (longest + 1.0))
    out = np.full(log_p.size, np.nan)
    for length in np.unique(pattern_lengths).tolist():
        here = pattern_lengths == length
        log_m, is_all = log_n_tested(length, n_symbols, phrase_lengths, times, max_gap)
        log_share = -math.log(length * (length + 1.0)) - log_all_shares
        out[here] = (log_p if is_all else log_once)[here] + log_m - log_share
    return _step_up(out)
