"""The tail of the number of occurrences, from its generating function on a circle through the saddle point."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from motifdb.kernels import count_tail
from motifdb.kernels.cluster_law import log_pgf_by_returns, returns
from motifdb.kernels.jit import kernel
from motifdb.kernels.pattern_law import BOUND, EXACT, NONE, log_pgf

_I = NDArray[np.int64]
_F = NDArray[np.float64]


@kernel
def _first_saddle(log_mean: float, overlap: float, c: int) -> float:
    """Return log r at which the geometric Poisson law, tilted, has mean c."""
    if overlap <= 0.0:
        return math.log(c) - log_mean
    b = math.exp(log_mean) * (1.0 - overlap) ** 2
    z = 2.0 * c / (2.0 * overlap * c + b + math.sqrt(b * b + 4.0 * overlap * b * c))
    return math.log(z)


@kernel
def exact_log_tail(
    w: _I,
    k: int,
    law: _F,
    stacked: _F,
    starts: _I,
    log_q: _F,
    lengths: _I,
    times: _I,
    rows: _F,
    log_mean: float,
    overlap: float,
    c: int,
    budget: float,
) -> tuple[float, int]:
    """Return log P(N >= c) for the number N of occurrences of w, and by what: EXACT, BOUND or NONE.

    Arguments as in `pattern_law.log_pgf`, `rows` as from `occupancy`, c >= 1.

    BOUND: the law is too wide to be inverted within the budget (long trills), and Chernoff's inequality
    P(N >= c) <= G(r) r**-c is given instead, which errs towards larger p.
    """
    forgets = False
    lags, logs, reach, log_mu = np.empty(0, np.int64), np.empty(0), 0, 0.0
    if w.size > k:
        lags, logs, reach, log_mu, forgets = returns(w, k, law, log_q)
    mean = math.exp(log_mean)
    nudge = 0.05
    ends = np.exp(np.array([-nudge, 0.0, nudge]))
    flat = np.zeros(3)
    trial = max(0.0, _first_saddle(log_mean, overlap, c)) if c > mean else 0.0
    furthest = trial + 150.0
    low, high = 0.0, np.inf
    s, k2, bound = -1.0, 0.0, np.inf  # the best radius so far: that with the smallest bound
    for _ in range(100):
        if forgets:
            value, _, done = log_pgf_by_returns(
                w,
                k,
                law.shape[1],
                rows,
                log_q,
                lags,
                logs,
                reach,
                log_mu,
                lengths,
                times,
                trial,
                ends,
                flat,
                overlap,
                budget,
            )
        else:
            value, _, done = log_pgf(
                w, k, law, stacked, starts, log_q, lengths, times, trial, ends, flat, overlap, budget
            )
        if not done:
            break
        slope = (value[2] - value[0]) / (2.0 * nudge)
        curvature = max((value[2] - 2.0 * value[1] + value[0]) / nudge**2, 1e-9)
        if value[1] - c * trial < bound:
            s, k2, bound = trial, curvature, value[1] - c * trial
        if c <= mean or abs(slope - c) <= 0.25 * max(1.0, math.sqrt(curvature)):
            break
        if slope > c:
            high = trial
        else:
            low = trial
        trial = count_tail._next_saddle(trial, slope, curvature, c, low, high)
        if trial > furthest:
            return np.nan, NONE  # the count is above what phrases of these lengths can hold
        if high - low < 1e-6:
            break
    if s < 0.0:
        return np.nan, NONE
    n_points = count_tail.first_n_points(math.sqrt(k2), max(0.0, mean - c))
    while n_points <= count_tail.MAX_POINTS:
        angle = 2.0 * math.pi * np.arange(n_points // 2 + 1) / n_points
        re, im = np.cos(angle), np.sin(angle)
        if forgets:
            log_abs, phase, done = log_pgf_by_returns(
                w,
                k,
                law.shape[1],
                rows,
                log_q,
                lags,
                logs,
                reach,
                log_mu,
                lengths,
                times,
                s,
                re,
                im,
                overlap,
                budget,
            )
        else:
            log_abs, phase, done = log_pgf(
                w, k, law, stacked, starts, log_q, lengths, times, s, re, im, overlap, budget
            )
        if not done:
            break
        log_g = log_abs[0]
        tail, agree = count_tail.log_tail(log_abs - log_g, phase, c, s, log_g)
        if agree:
            return tail, EXACT
        n_points *= 2
    return min(0.0, bound), BOUND
