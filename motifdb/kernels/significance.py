"""How surprising is a motif? A p-value and a q-value for every mined pattern of one scope.

Null model: the Markov chain of order 0..3 chosen by BIC on the same sequences, phrase lengths kept
(`motifdb.kernels.markov`). Under it the number of occurrences, or of phrases that hold the pattern, has a law; p is
the chance of a count at least as large as the one observed.

Which tail is used
------------------
exact
    Contiguous patterns: generating function of the count from the chain-and-pattern automaton, inverted on a
    circle through the saddle point (`pattern_law`, `count_tail`), relative error about 1e-8. Support in sequences:
    Poisson-binomial law of the exact chances of a hit in each phrase; under a gap limit the chances come
    from the automaton of live prefixes (`gap_law`) where its states stay within bounds.
compound-poisson
    Contiguous patterns whose automaton would cost too much, provided they are rare (see `is_rare`).
simulation
    Gapped patterns whose automaton is too large: `gap_law.N_DRAWS` surrogates, p = (1 + b) / (1 + n).
bound
    Where a contiguous pattern's own law costs too much, an upper bound on p, which can only be too large: the
    p of its first 64 symbols if it is longer, Chernoff's inequality if the law is too wide to be inverted (long trills).
none
    None applies; p is NaN, which counts as not significant.

q follows Benjamini and Hochberg [1]_ with m = every distinct pattern of admissible length that occurs at least once,
*not* the number of mined patterns: those were picked because they are frequent. Occurring is itself a (milder) choice:
where long patterns are not admitted, many patterns that could have occurred did not and are missing from m. With
`given_occurrence` p enters q as P(count >= c | count >= 1), which makes up for it exactly.

References
----------
.. [1] Y. Benjamini, Y. Hochberg (1995), Controlling the false discovery rate, J. Royal Statistical Society B 57(1).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from motifdb.errors import UsageError
from motifdb.kernels import gap_law, pattern_law
from motifdb.kernels.count_tail import geometric_poisson_log_tail, poisson_binomial_log_tail
from motifdb.kernels.jit import kernel
from motifdb.kernels.markov import MarkovChain, check_sequences, fit, recode
from motifdb.kernels.pattern_law import (
    BOUND,
    CHEAP_WORK,
    COMPOUND_POISSON,
    EXACT,
    LONGEST,
    MOST_WORK,
    NONE,
    exact_log_tail,
    hit_logs,
    log_expected,
    overlap_chance,
    prefix_logs,
)

METHODS: tuple[str, ...] = ("exact", "compound-poisson", "simulation", "none", "bound")
_LOG10 = math.log(10.0)
_REACH = 20  # symbols over which a chain is taken to forget, in the test for rareness
_KEPT_ROWS = 1 << 22  # cells of the table of context marginals

Support = Literal["occurrences", "sequences"]


@dataclass(frozen=True)
class Significance:
    """What the null model says of each pattern; arrays in the order of the patterns.

    Attributes
    ----------
    null_order : order of the Markov chain
    expected_support : expected number of sequences that hold the pattern (NaN unknown)
    expected_occurrences : expected number of occurrences, overlaps counted (NaN for gapped patterns)
    log10_p : log10 of P(count >= observed); NaN unknown
    method : int8 index into `METHODS`
    q_value : Benjamini-Hochberg; NaN where p is
    surprise_bits : -log2 p
    """

    null_order: int
    expected_support: NDArray[np.float64]
    expected_occurrences: NDArray[np.float64]
    log10_p: NDArray[np.float64]
    method: NDArray[np.int8]
    q_value: NDArray[np.float64]
    surprise_bits: NDArray[np.float64]

    @property
    def method_names(self) -> list[str]:
        """The method of each pattern in words."""
        return [METHODS[code] for code in self.method]


@kernel
def is_rare(log_mean: float, count: int, length: int, n_positions: int) -> bool:
    """Whether the compound Poisson law may stand in for the exact one.

    Two things it neglects must be small: that an occurrence takes room (mean) and that many observed
    occurrences get in each other's way or reach (count squared); both in units of the positions there are.
    """
    reach = (length + _REACH) / max(n_positions, 1)
    return math.exp(log_mean) * reach <= 0.01 and count * count * reach <= 0.1


@kernel
def _log_any(log_hit: NDArray[np.float64], log_miss: NDArray[np.float64], times: NDArray[np.int64]) -> float:
    """Log chance that at least one phrase holds the pattern."""
    top = log_hit.max()
    if top == -np.inf:
        return 0.0
    log_mean = top + math.log((times * np.exp(log_hit - top)).sum())
    if log_mean < -18.0:  # then the mean is the chance, to rounding
        return float(log_mean)
    missed = 0.0
    for i in range(times.size):
        missed += times[i] * log_miss[i]
    return float(math.log(-math.expm1(missed)))


@kernel
def _assess_contiguous(
    codes: NDArray[np.int64],
    pattern_offsets: NDArray[np.int64],
    observed: NDArray[np.int64],
    by_sequence: bool,
    k: int,
    law: NDArray[np.float64],
    stacked: NDArray[np.float64],
    starts: NDArray[np.int64],
    lengths: NDArray[np.int64],
    times: NDArray[np.int64],
    rows: NDArray[np.float64],
) -> tuple[
    NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.int8]
]:
    """Expected support, expected occurrences, log P(occurs at all), log p, method of every pattern, each for itself."""
    n = pattern_offsets.size - 1
    support, mean, log_p = np.full(n, np.nan), np.zeros(n), np.full(n, np.nan)
    log_any = np.zeros(n)  # 0, chance 1, where unknown
    method = np.full(n, NONE, np.int8)
    n_filled = (law > 0.0).sum()
    for i in range(n):
        w = codes[pattern_offsets[i] : pattern_offsets[i + 1]]
        c = observed[i]
        log_q = prefix_logs(w, k, law, stacked, starts)
        log_mean = log_expected(w, k, law, stacked, starts, log_q, lengths, times, rows)
        mean[i] = math.exp(log_mean)
        n_extra = max(w.size - k, 0) * law.shape[1]
        n_steps = w.size + 2 * _REACH
        log_hit, log_miss, known = hit_logs(w, k, law, stacked, starts, log_q, lengths, MOST_WORK)
        if known:
            support[i] = (times * np.exp(log_hit)).sum()
            log_any[i] = _log_any(log_hit, log_miss, times)
        if c <= 0:
            log_p[i], method[i] = 0.0, EXACT
            continue
        if log_mean == -np.inf:
            continue
        n_positions = (times * np.maximum(lengths - w.size + 1, 0)).sum()
        if by_sequence:
            if known:
                log_p[i], method[i] = poisson_binomial_log_tail(log_hit, log_miss, times, c), EXACT
        elif mean[i] > n_positions * (1.0 - 1e-12) and c <= n_positions:
            log_p[i], method[i] = 0.0, EXACT  # the chain can write nothing else
        else:
            whole = w.size
            if whole > LONGEST:  # w occurs no more often than its beginning does
                w = w[:LONGEST]
                log_q = prefix_logs(w, k, law, stacked, starts)
                log_mean = log_expected(w, k, law, stacked, starts, log_q, lengths, times, rows)
                n_extra = (LONGEST - k) * law.shape[1]
                n_steps = LONGEST + 2 * _REACH
            overlap = overlap_chance(w, k, law)
            costly = (n_filled + n_extra) * n_steps * 34.0 > CHEAP_WORK
            if costly and w.size > k and is_rare(log_mean, c, w.size, n_positions):
                log_p[i], method[i] = geometric_poisson_log_tail(log_mean, overlap, c), COMPOUND_POISSON
            else:
                log_p[i], method[i] = exact_log_tail(
                    w, k, law, stacked, starts, log_q, lengths, times, log_mean, overlap, c, MOST_WORK
                )
            if w.size < whole:
                method[i] = BOUND
        if np.isnan(log_p[i]) or log_p[i] == -np.inf:
            log_p[i], method[i] = np.nan, NONE
    return support, mean, log_any, log_p, method


def benjamini_hochberg(log_p: NDArray[np.float64], n_tested: int) -> NDArray[np.float64]:
    """Return q-values from natural logarithms of p, of which only the kept ones of `n_tested` tests are given.

    q of the i-th smallest p is the minimum over j >= i of p_j n_tested / j, at most 1. Ranks are counted among the
    given ones, which is right if the others' p are larger and conservative otherwise. NaN stays NaN, ranks last.

    Examples
    --------
    >>> benjamini_hochberg(np.log([0.01, 0.5, 0.001]), 10).round(3).tolist()
    [0.05, 1.0, 0.01]
    """
    q = np.full(log_p.size, np.nan)
    known = np.flatnonzero(~np.isnan(log_p))
    if known.size:
        order = known[np.argsort(log_p[known], kind="stable")]
        log_q = log_p[order] + math.log(n_tested) - np.log(np.arange(1, order.size + 1))
        log_q = np.minimum.accumulate(log_q[::-1])[::-1]
        q[order] = np.exp(np.minimum(log_q, 0.0))
    return q


def _check(
    patterns: NDArray[np.int8],
    pattern_offsets: NDArray[np.int64],
    occurrences: NDArray[np.int64],
    support_sequences: NDArray[np.int64],
    n_tested: int,
    max_gap: int | None,
    support: str,
) -> None:
    check_sequences(patterns, pattern_offsets)
    n = pattern_offsets.size - 1
    if (np.diff(pattern_offsets) < 1).any():
        raise UsageError("a pattern has no symbol; remove it before asking for its significance")
    if occurrences.shape != (n,) or support_sequences.shape != (n,):
        raise UsageError(
            f"{n} patterns need {n} occurrences and supports, got {occurrences.size} and {support_sequences.size}"
        )
    if n_tested < n:
        raise UsageError(
            f"n_tested counts every pattern that occurs and cannot be {n_tested} where {n} patterns are given"
        )
    if support not in ("occurrences", "sequences"):
        raise UsageError(f"support must be 'occurrences' or 'sequences', got {support!r}")
    if max_gap is not None and max_gap < 0:
        raise UsageError(f"max_gap must be 0 or more, or None for no limit; got {max_gap}")
    if max_gap != 0 and support == "occurrences":
        raise UsageError(
            "occurrences are counted for contiguous patterns only; use support='sequences' with a gap"
        )


def assess(
    symbols: NDArray[np.int8],
    offsets: NDArray[np.int64],
    patterns: NDArray[np.int8],
    pattern_offsets: NDArray[np.int64],
    occurrences: NDArray[np.int64],
    support_sequences: NDArray[np.int64],
    *,
    max_gap: int | None,
    support: Support,
    max_order: int = 3,
    n_tested: int,
    seed: int = 0,
    chain: MarkovChain | None = None,
    given_occurrence: bool = False,
) -> Significance:
    """Give every pattern its expectation, p, q and surprise under a Markov chain fitted on the same sequences.

    Parameters
    ----------
    symbols : (n,) int8, all sequences of the scope joined
    offsets : (n_sequences + 1,) int64, rising from 0 to n
    patterns, pattern_offsets : the mined patterns in the same form
    occurrences : (n_patterns,) int64, occurrences observed, overlaps counted
    support_sequences : (n_patterns,) int64, sequences that hold the pattern
    max_gap : 0 contiguous, g >= 1 at most g symbols between, None no limit
    support : which of the two counts is tested; occurrences with max_gap 0 only
    max_order : highest order BIC may choose
    n_tested : m of the correction, every distinct pattern of admissible length that occurs at least once
    seed : of the simulation, where one is needed
    chain : a null model fitted elsewhere, over the same alphabet or a larger one
    given_occurrence : divide p by the chance that the pattern occurs at all before it enters q (not in `log10_p`).
        `n_tested` counts patterns because they occur; only with this is q safe whatever the longest admissible length.
        Contiguous patterns only.

    Raises
    ------
    UsageError
        arrays that do not fit together, a symbol in a pattern that no sequence has, support by occurrences with a gap.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> x = rng.integers(1, 9, 400).astype(np.int8)
    >>> for at in (30, 130, 230, 330):
    ...     x[at : at + 6] = [1, 5, 1, 8, 2, 3]
    >>> one = lambda v: np.array([v], np.int64)
    >>> s = assess(x, np.array([0, 400]), x[30:36].copy(), np.array([0, 6]), one(4), one(1),
    ...            max_gap=0, support="occurrences", n_tested=2300)
    >>> s.null_order, s.method_names, bool(s.q_value[0] < 1e-6)
    (0, ['exact'], True)
    """
    check_sequences(symbols, offsets)
    _check(patterns, pattern_offsets, occurrences, support_sequences, n_tested, max_gap, support)
    if given_occurrence and max_gap != 0:
        raise UsageError("given_occurrence is for contiguous patterns; leave it out or set max_gap to 0")
    if chain is None:
        chain = fit(symbols, offsets, max_order=max_order)
    codes = recode(patterns, chain.alphabet)
    if (codes < 0).any():
        raise UsageError(
            f"a pattern has symbol {patterns[codes < 0][0]}, which no sequence has; mine these sequences again"
        )
    n = pattern_offsets.size - 1
    if n == 0:
        none = np.empty(0)
        return Significance(chain.order, none, none, none, np.empty(0, np.int8), none, none)
    lengths, times = np.unique(np.diff(offsets), return_counts=True)
    lengths, times = lengths.astype(np.int64), times.astype(np.int64)
    k, law, stacked, starts = pattern_law.chain_arrays(chain)
    if max_gap == 0:
        rows = pattern_law.occupancy(
            k, law, stacked, starts, int(lengths[-1]), max(64, _KEPT_ROWS // law.shape[0])
        )
        observed = occurrences if support == "occurrences" else support_sequences
        expected_support, expected, log_any, log_p, method = _assess_contiguous(
            codes,
            pattern_offsets,
            observed,
            support == "sequences",
            k,
            law,
            stacked,
            starts,
            lengths,
            times,
            rows,
        )
    else:
        expected, log_any = np.full(n, np.nan), np.zeros(n)
        expected_support, log_p, method = gap_law.assess_gapped(
            codes, pattern_offsets, support_sequences, max_gap, chain, offsets, lengths, times, seed
        )
    return Significance(
        null_order=chain.order,
        expected_support=expected_support,
        expected_occurrences=expected,
        log10_p=log_p / _LOG10,
        method=method,
        q_value=benjamini_hochberg(np.minimum(log_p - log_any, 0.0) if given_occurrence else log_p, n_tested),
        surprise_bits=-log_p / math.log(2.0) + 0.0,
    )
