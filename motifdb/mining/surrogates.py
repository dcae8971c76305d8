"""q calibrated on surrogates: how many motifs as surprising as this one does noise of the same habits bring?

The other way of `motifdb.kernels.q_values` to a q where nobody can count the patterns that occur, free of bounds and of
independence between patterns, at the price of mining every surrogate.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from motifdb.errors import UsageError
from motifdb.kernels.markov import MarkovChain, fit, sample
from motifdb.kernels.significance import assess
from motifdb.mining.arrays import Support, mine


@dataclass(frozen=True)
class SurrogateQ:
    """What surrogates say of each motif, in the order of the motifs.

    Attributes
    ----------
    q_value : (n,) float64, NaN where p is
    error : (n,) float64, standard error of q_value from the finite number of surrogates
    n_surrogates : how many were drawn
    n_motifs : (n_surrogates,) int64, motifs mined in each
    """

    q_value: NDArray[np.float64]
    error: NDArray[np.float64]
    n_surrogates: int
    n_motifs: NDArray[np.int64]


def surrogate_q(
    symbols: NDArray[np.int8],
    offsets: NDArray[np.int64],
    groups: NDArray[np.int64] | None,
    log10_p: NDArray[np.float64],
    *,
    max_gap: int | None,
    min_support: int,
    support: Support,
    min_length: int = 1,
    max_length: int | None = None,
    max_order: int = 3,
    n_surrogates: int = 40,
    seed: int = 0,
    chain: MarkovChain | None = None,
    n_threads: int = 1,
    max_patterns: int = 20_000_000,
) -> SurrogateQ:
    """Estimate the false discovery rate among motifs at least as surprising as each.

    Surrogates are drawn from the chain fitted on the scope, phrase lengths and recordings kept, then mined with the same parameters and
    judged by a chain fitted anew on each. q of a motif with p is the smallest, over thresholds t >= p, of
    (1 + S(t)) / n_surrogates / R(t), S(t) being the surrogates' motifs with p' <= t together and R(t) the real ones (at most 1;
    the 1 keeps q above zero: no q is below 1 / (n_surrogates R)).

    Parameters
    ----------
    symbols, offsets, groups : the scope, as for `motifdb.mining.arrays.mine`
    log10_p : (n,) of the motifs mined in it, as `assess` gave them; NaN unknown
    max_gap, min_support, support, min_length, max_length : how they were mined
    max_order : highest order BIC may choose
    n_surrogates : 21 at least, as fewer cannot bring q of one motif alone below 0.05
    seed : of the draws
    chain : what to draw from; None: fitted on the scope
    n_threads : threads of `assess`
    max_patterns : bound on the patterns of one surrogate

    Raises
    ------
    UsageError
        fewer than 21 surrogates, or a surrogate that reached the bound on patterns, as it would count too few.
    """
    if n_surrogates < 21:
        raise UsageError(
            f"{n_surrogates} surrogates cannot bring q of a single motif below 0.05; draw 21 or more"
        )
    drawn_from = fit(symbols, offsets, max_order=max_order) if chain is None else chain
    rng = np.random.default_rng(seed)
    known = np.flatnonzero(~np.isnan(log10_p))
    order = known[np.argsort(log10_p[known], kind="stable")]
    thresholds = log10_p[order]
    counts = np.zeros((n_surrogates, order.size), np.int64)
    n_motifs = np.zeros(n_surrogates, np.int64)
    for k in range(n_surrogates):
        drawn = sample(drawn_from, offsets, rng)
        found = mine(
            drawn,
            offsets,
            groups,
            max_gap=max_gap,
            min_support=min_support,
            support=support,
            min_length=min_length,
            max_length=max_length,
            want_occurrences=False,
            want_counts=False,
            max_patterns=max_patterns,
        )
        if found.complete_from > min_support:
            raise UsageError(
                f"surrogate {k} has more than {max_patterns} patterns; raise min_support or set max_length"
            )
        n_motifs[k] = len(found)
        p = assess(
            drawn,
            offsets,
            found.patterns,
            found.pattern_offsets,
            found.occurrences,
            found.support_sequences,
            groups=groups,
            support_recordings=found.support_groups,
            max_gap=max_gap,
            support=support,
            max_order=max_order,
            n_tested=len(found),  # q is not used
            seed=seed + k,
            n_threads=n_threads,
        ).log10_p
        counts[k] = np.searchsorted(np.sort(p[~np.isnan(p)]), thresholds, side="right")
    q_value, error = np.full(log10_p.size, np.nan), np.full(log10_p.size, np.nan)
    if order.size:
        q_value[order], error[order] = _rates(counts, np.searchsorted(thresholds, thresholds, side="right"))
    return SurrogateQ(q_value, error, n_surrogates, n_motifs)


def _rates(
    counts: NDArray[np.int64], n_real: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """q and its error from counts at rising thresholds: (n_surrogates, n) of noise, (n,) of real motifs."""
    n_surrogates, n = counts.shape
    rate = (1 + counts.sum(axis=0)) / n_surrogates / n_real
    spread = np.sqrt(counts.var(axis=0, ddof=1) / n_surrogates) / n_real
    # the smallest rate at this threshold or a later one, and where that stands
    best = np.empty(n, np.int64)
    at = n - 1
    for i in range(n - 1, -1, -1):
        if rate[i] <= rate[at]:
            at = i
        best[i] = at
    return np.minimum(rate[best], 1.0), spread[best]
