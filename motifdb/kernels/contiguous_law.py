"""Contiguous patterns of one scope held against the null model, each for itself."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from motifdb.kernels.count_tail import geometric_poisson_log_tail, poisson_binomial_log_tail
from motifdb.kernels.exact_tail import exact_log_tail
from motifdb.kernels.jit import kernel
from motifdb.kernels.pattern_law import (
    BOUND,
    CHEAP_WORK,
    COMPOUND_POISSON,
    EXACT,
    LONGEST,
    MOST_WORK,
    NONE,
    hit_logs,
    log_expected,
    overlap_chance,
    prefix_logs,
)
from motifdb.kernels.units import log_any, unit_logs

REACH = 20  # symbols over which a chain is taken to forget, in the test for rareness
BY_OCCURRENCES, BY_UNITS = 0, 1

_I = NDArray[np.int64]
_F = NDArray[np.float64]


@kernel
def is_rare(log_mean: float, count: int, length: int, n_positions: int) -> bool:
    """Whether the compound Poisson law may stand in for the exact one.

    Two things it neglects must be small: that an occurrence takes room (mean) and that many observed
    occurrences get in each other's way or reach (count squared); both in units of the positions there are.
    """
    reach = (length + REACH) / max(n_positions, 1)
    return math.exp(log_mean) * reach <= 0.01 and count * count * reach <= 0.1


@kernel
def _log_tail_of_occurrences(
    w: _I,
    c: int,
    k: int,
    law: _F,
    stacked: _F,
    starts: _I,
    lengths: _I,
    times: _I,
    rows: _F,
    log_q: _F,
    log_mean: float,
    n_filled: int,
) -> tuple[float, int]:
    """Return log P(at least c occurrences) and the method, whichever applies."""
    n_positions = (times * np.maximum(lengths - w.size + 1, 0)).sum()
    if math.exp(log_mean) > n_positions * (1.0 - 1e-12) and c <= n_positions:
        return 0.0, EXACT  # the chain can write nothing else
    whole = w.size
    if whole > LONGEST:  # w occurs no more often than its beginning does
        w = w[:LONGEST]
        log_q = prefix_logs(w, k, law, stacked, starts)
        log_mean = log_expected(w, k, law, stacked, starts, log_q, lengths, times, rows)
    n_extra = max(w.size - k, 0) * law.shape[1]
    n_steps = w.size + 2 * REACH
    overlap = overlap_chance(w, k, law)
    costly = (n_filled + n_extra) * n_steps * 34.0 > CHEAP_WORK
    if costly and w.size > k and is_rare(log_mean, c, w.size, n_positions):
        value, method = geometric_poisson_log_tail(log_mean, overlap, c), COMPOUND_POISSON
    else:
        value, method = exact_log_tail(
            w, k, law, stacked, starts, log_q, lengths, times, rows, log_mean, overlap, c, MOST_WORK
        )
    return value, BOUND if w.size < whole else method


@kernel
def judge_contiguous(
    codes: _I,
    pattern_offsets: _I,
    observed: _I,
    counted: int,
    k: int,
    law: _F,
    stacked: _F,
    starts: _I,
    lengths: _I,
    times: _I,
    rows: _F,
    unit_offsets: _I,
    unit_length: _I,
    unit_phrases: _I,
    unit_times: _I,
) -> tuple[_F, _F, _F, _F, _F, NDArray[np.int8]]:
    """Judge every pattern ``codes[pattern_offsets[i] : pattern_offsets[i + 1]]`` with count ``observed[i]``.

    Parameters
    ----------
    counted : BY_OCCURRENCES, or BY_UNITS where the count is one of units (`motifdb.kernels.units.Units`)
    k, law, stacked, starts : the chain, see `pattern_law.chain_arrays`
    lengths, times : distinct phrase lengths ascending, phrases of each
    rows : see `pattern_law.occupancy`

    Returns
    -------
    expected phrases, expected units, expected occurrences, log P(occurs at all), log p, method
    """
    n = pattern_offsets.size - 1
    support, in_units, mean = np.full(n, np.nan), np.full(n, np.nan), np.zeros(n)
    log_p, log_once = np.full(n, np.nan), np.zeros(n)  # 0, chance 1, where unknown
    method = np.full(n, NONE, np.int8)
    n_filled = (law > 0.0).sum()
    unit_hit, unit_miss = np.empty(unit_times.size), np.empty(unit_times.size)
    for i in range(n):
        w = codes[pattern_offsets[i] : pattern_offsets[i + 1]]
        c = observed[i]
        log_q = prefix_logs(w, k, law, stacked, starts)
        log_mean = log_expected(w, k, law, stacked, starts, log_q, lengths, times, rows)
        mean[i] = math.exp(log_mean)
        log_hit, log_miss, known = hit_logs(w, k, law, stacked, starts, log_q, lengths, MOST_WORK)
        if known:
            support[i] = (times * np.exp(log_hit)).sum()
            log_once[i] = log_any(log_hit, log_miss, times)
            unit_logs(log_hit, log_miss, unit_offsets, unit_length, unit_phrases, unit_hit, unit_miss)
            in_units[i] = (unit_times * np.exp(unit_hit)).sum()
        if c <= 0:
            log_p[i], method[i] = 0.0, EXACT
            continue
        if log_mean == -np.inf:
            continue
        if counted == BY_OCCURRENCES:
            log_p[i], method[i] = _log_tail_of_occurrences(
                w, c, k, law, stacked, starts, lengths, times, rows, log_q, log_mean, n_filled
            )
        elif known:
            log_p[i], exactly = poisson_binomial_log_tail(unit_hit, unit_miss, unit_times, c)
            method[i] = EXACT if exactly else BOUND
        if np.isnan(log_p[i]) or log_p[i] == -np.inf:
            log_p[i], method[i] = np.nan, NONE
    return support, in_units, mean, log_once, log_p, method
