"""How surprising is a motif? A p-value and a q-value for every mined pattern of one scope.

Null model: the Markov chain of order 0..3 chosen by BIC on the same sequences, phrase lengths kept
(`motifdb.kernels.markov`). Under it the number of occurrences, or of phrases or recordings that hold the pattern, has a
law; p is the chance of a count at least as large as the one observed.

Which tail is used
------------------
exact
    Contiguous patterns: generating function of the count from the chain-and-pattern automaton, inverted on a
    circle through the saddle point (`pattern_law`, `count_tail`), relative error about 1e-8. Support in sequences or
    recordings: Poisson-binomial law of the exact chances that each of them holds the pattern (`units`); under a gap limit
    these come from the automaton of live prefixes (`gap_law`) where its states stay within bounds.
compound-poisson
    Contiguous patterns whose automaton would cost too much, provided they are rare (see `contiguous_law.is_rare`).
simulation
    Gapped patterns whose automaton is too large: `gap_law.N_DRAWS` surrogates, p = (1 + b) / (1 + n).
bound
    Where a pattern's own law costs too much, an upper bound on p, which can only be too large: the
    p of its first 64 symbols if it is longer, Chernoff's inequality if the law is too wide to be inverted (long trills, or
    supports out of more than about 460,000 phrases).
none
    None applies; p is NaN, which counts as not significant.

For q see `motifdb.kernels.q_values`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from motifdb.errors import UsageError
from motifdb.kernels import contiguous_law, gap_law, pattern_law
from motifdb.kernels.markov import MarkovChain, check_sequences, fit, recode
from motifdb.kernels.pattern_law import NONE, SIMULATION
from motifdb.kernels.q_values import benjamini_hochberg, weighted_q
from motifdb.kernels.units import by_phrase, by_recording

METHODS: tuple[str, ...] = ("exact", "compound-poisson", "simulation", "none", "bound")
_LOG10 = math.log(10.0)
_KEPT_ROWS = 1 << 22  # cells of the table of context marginals
_BLOCK = 128  # patterns that one thread takes at a time

Support = Literal["occurrences", "sequences", "recordings"]

_I = NDArray[np.int64]
_F = NDArray[np.float64]


@dataclass(frozen=True)
class Significance:
    """What the null model says of each pattern; arrays in the order of the patterns.

    Attributes
    ----------
    null_order : order of the Markov chain
    expected_support : expected number of sequences that hold the pattern (NaN unknown)
    expected_recordings : expected number of recordings that hold it (NaN unless support is by recordings)
    expected_occurrences : expected number of occurrences, overlaps counted (NaN for gapped patterns)
    log10_p : log10 of P(count >= observed); NaN unknown
    log10_p_given : log10 of P(count >= observed | the pattern occurs), from which q is made
    method : int8 index into `METHODS`
    q_value : Benjamini-Hochberg; NaN where p is
    surprise_bits : -log2 p
    """

    null_order: int
    expected_support: NDArray[np.float64]
    expected_recordings: NDArray[np.float64]
    expected_occurrences: NDArray[np.float64]
    log10_p: NDArray[np.float64]
    log10_p_given: NDArray[np.float64]
    method: NDArray[np.int8]
    q_value: NDArray[np.float64]
    surprise_bits: NDArray[np.float64]

    @property
    def method_names(self) -> list[str]:
        """The method of each pattern in words."""
        return [METHODS[code] for code in self.method]


class _Law(NamedTuple):
    """What the null model says of the patterns; natural logarithms."""

    support: _F
    in_units: _F
    mean: _F
    log_once: _F
    log_p: _F
    method: NDArray[np.int8]


def _over(n_threads: int) -> gap_law.Over:
    """Give blocks of patterns to threads; blocks do not depend on their number, and no pattern on another."""

    def over(
        work: Callable[[_I, _I], tuple[NDArray[Any], ...]], pattern_offsets: _I, observed: _I
    ) -> tuple[NDArray[Any], ...]:
        firsts = range(0, observed.size, _BLOCK)

        def block(a: int) -> tuple[NDArray[Any], ...]:
            return work(pattern_offsets[a : a + _BLOCK + 1], observed[a : a + _BLOCK])

        if n_threads == 1 or len(firsts) == 1:
            parts = [block(a) for a in firsts]
        else:
            with ThreadPoolExecutor(n_threads) as threads:
                parts = list(threads.map(block, firsts))
        return tuple(np.concatenate(column) for column in zip(*parts, strict=True))

    return over


def _check(
    patterns: NDArray[np.int8],
    pattern_offsets: NDArray[np.int64],
    occurrences: NDArray[np.int64],
    support_sequences: NDArray[np.int64],
    support_recordings: NDArray[np.int64] | None,
    groups: NDArray[np.int64] | None,
    n_sequences: int,
    n_tested: int | None,
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
    if n_tested is None and max_gap == 0:
        raise UsageError("n_tested can be left out with a gap only; give the n_distinct that mining returned")
    if n_tested is not None and n_tested < n:
        raise UsageError(
            f"n_tested counts every pattern that occurs and cannot be {n_tested} where {n} patterns are given"
        )
    if support not in get_args(Support):
        raise UsageError(f"support must be one of {', '.join(get_args(Support))}, got {support!r}")
    if groups is not None and groups.shape != (n_sequences,):
        raise UsageError(f"{n_sequences} sequences need {n_sequences} groups, got {groups.size}")
    if support == "recordings" and (
        groups is None or support_recordings is None or support_recordings.shape != (n,)
    ):
        raise UsageError(
            "support='recordings' needs groups, the recording of each sequence, and support_recordings of each pattern"
        )
    if max_gap is not None and max_gap < 0:
        raise UsageError(f"max_gap must be 0 or more, or None for no limit; got {max_gap}")
    if max_gap != 0 and support == "occurrences":
        raise UsageError(
            "occurrences are counted for contiguous patterns only; use support='sequences' or 'recordings' with a gap"
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
    groups: NDArray[np.int64] | None = None,
    support_recordings: NDArray[np.int64] | None = None,
    max_order: int = 3,
    n_tested: int | None,
    min_length: int = 1,
    max_length: int | None = None,
    seed: int = 0,
    chain: MarkovChain | None = None,
    given_occurrence: bool = True,
    n_threads: int = 1,
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
    support : which of the counts is tested; occurrences with max_gap 0 only
    groups : (n_sequences,) int64, recording of each sequence
    support_recordings : (n_patterns,) int64, recordings that hold the pattern; tested where support is "recordings"
    max_order : highest order BIC may choose
    n_tested : m of the correction, every distinct pattern of admissible length that occurs at least once; None where nobody
        has counted them (with a gap only): q then follows `q_values.weighted_q`
    min_length, max_length : admissible lengths, where n_tested is None
    seed : of the simulation, where one is needed
    chain : a null model fitted elsewhere, over the same alphabet or a larger one
    given_occurrence : whether q is made from P(count >= c | the pattern occurs), as `n_tested` counts patterns because
        they occur; without it noise is called too often (`q_values`). Without `n_tested` the rule sees to it by itself.
    n_threads : threads that share the patterns; the result does not depend on it

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
    _check(
        patterns,
        pattern_offsets,
        occurrences,
        support_sequences,
        support_recordings,
        groups,
        offsets.size - 1,
        n_tested,
        max_gap,
        support,
    )
    if chain is None:
        chain = fit(symbols, offsets, max_order=max_order)
    codes = recode(patterns, chain.alphabet)
    if (codes < 0).any():
        raise UsageError(
            f"a pattern has symbol {patterns[codes < 0][0]}, which no sequence has; mine these sequences again"
        )
    if pattern_offsets.size == 1:
        none = np.empty(0)
        return Significance(chain.order, none, none, none, none, none, np.empty(0, np.int8), none, none)
    observed = {"occurrences": occurrences, "sequences": support_sequences}.get(support, support_recordings)
    assert observed is not None
    lengths, times = (a.astype(np.int64) for a in np.unique(np.diff(offsets), return_counts=True))
    # the unit of the count, or where that is one occurrence, the unit whose expectation is told beside it
    unit_of = np.arange(offsets.size - 1) if groups is None or support != "recordings" else groups
    law = _judge(
        codes, pattern_offsets, observed, support, max_gap, chain, offsets, unit_of, seed, _over(n_threads)
    )
    if n_tested is None:
        q_value = weighted_q(
            law.log_p,
            law.log_once,
            np.diff(pattern_offsets),
            n_symbols=chain.n_symbols,
            phrase_lengths=lengths,
            times=times,
            max_gap=max_gap,
            min_length=min_length,
            max_length=max_length,
        )
    else:
        q_value = benjamini_hochberg(law.log_once if given_occurrence else law.log_p, n_tested)
    return Significance(
        null_order=chain.order,
        expected_support=law.support,
        expected_recordings=law.in_units if support == "recordings" else np.full(law.log_p.size, np.nan),
        expected_occurrences=law.mean,
        log10_p=law.log_p / _LOG10,
        log10_p_given=law.log_once / _LOG10,
        method=law.method,
        q_value=q_value,
        surprise_bits=-law.log_p / math.log(2.0) + 0.0,
    )


def _judge(
    codes: _I,
    pattern_offsets: _I,
    observed: _I,
    support: Support,
    max_gap: int | None,
    chain: MarkovChain,
    offsets: _I,
    unit_of: _I,
    seed: int,
    over: gap_law.Over,
) -> _Law:
    """Hold every pattern against the chain; `unit_of` is the unit of support that each sequence belongs to."""
    lengths, times = (a.astype(np.int64) for a in np.unique(np.diff(offsets), return_counts=True))
    units = by_recording(np.diff(offsets), lengths, unit_of) if support == "recordings" else by_phrase(times)
    k, law, stacked, starts = pattern_law.chain_arrays(chain)
    if max_gap == 0:
        rows = pattern_law.occupancy(
            k, law, stacked, starts, int(lengths[-1]), max(64, _KEPT_ROWS // law.shape[0])
        )
        by = contiguous_law.BY_OCCURRENCES if support == "occurrences" else contiguous_law.BY_UNITS

        def contiguous(bounds: _I, counts: _I) -> tuple[NDArray[Any], ...]:
            return contiguous_law.judge_contiguous(
                codes, bounds, counts, by, k, law, stacked, starts, lengths, times, rows, *units
            )

        support_, in_units, mean, log_any, log_p, method = over(contiguous, pattern_offsets, observed)
        return _Law(support_, in_units, mean, np.minimum(log_p - log_any, 0.0), log_p, method)
    gap = -1 if max_gap is None else max_gap

    def gapped(bounds: _I, counts: _I) -> tuple[NDArray[Any], ...]:
        return gap_law.judge_gapped(
            codes, bounds, counts, gap, k, law, stacked, starts, lengths, times, *units
        )

    support_, in_units, log_any, log_p, method = over(gapped, pattern_offsets, observed)
    log_once = np.minimum(log_p - log_any, 0.0)
    left = np.flatnonzero(method == NONE)
    sizes = np.diff(pattern_offsets)[left]
    bounds = np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)])
    where = np.repeat(pattern_offsets[left] - bounds[:-1], sizes) + np.arange(bounds[-1])
    number = np.unique(unit_of, return_inverse=True)[1].astype(np.int64)
    drawn = gap_law.simulate_gapped(
        codes[where], bounds, observed[left], max_gap, chain, offsets, number, seed, over
    )
    if drawn is not None:
        in_units[left], log_p[left], log_once[left] = drawn
        method[left] = SIMULATION
        if support == "sequences":
            support_[left] = in_units[left]
    return _Law(support_, in_units, np.full(log_p.size, np.nan), log_once, log_p, method)
