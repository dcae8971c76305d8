"""The chance that a phrase from a Markov chain holds a pattern with gaps.

Reading a phrase from the left, all that matters of the past is, for each proper prefix of the pattern, how long ago its
latest embedding ended (an earlier one reaches no further), up to max_gap; without a gap limit only the longest
prefix embedded so far. These states form an automaton; it is run beside the chain's contexts, the full pattern
absorbing. Where it has more than `MAX_KEYS` states, or costs more than `MOST_WORK`, surrogates are drawn instead.
"""

from __future__ import annotations

import math
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from motifdb.kernels.count_tail import poisson_binomial_log_tail
from motifdb.kernels.jit import kernel
from motifdb.kernels.markov import MarkovChain, recode, sample
from motifdb.kernels.pattern_law import BOUND, EXACT, NONE, _log
from motifdb.kernels.units import log_any, unit_logs

MAX_KEYS = 1024
SETTLED = (
    1e-11  # relative change of a state, beyond common decay, below which longer phrases follow by powers
)
MOST_WORK = 2.0e7  # multiply-adds of one pattern, about 20 ms
N_DRAWS = (999, 199)  # surrogates, the first number whose cost fits; neither: p is NaN
SIMULATED_STEPS = 4.0e9  # symbols times pattern symbols that one call may simulate, about 4 s

_I = NDArray[np.int64]
_F = NDArray[np.float64]


class Over(Protocol):
    """Applies a kernel of (bounds, counts) to blocks of patterns, the results joined in order."""

    def __call__(self, work: Any, pattern_offsets: _I, observed: _I) -> tuple[NDArray[Any], ...]:
        """Arrays in the order of the patterns."""


@kernel
def _step(ages: _I, w: _I, a: int, gap: int, out: _I) -> bool:
    """Read symbol a: `ages[j]` is 1 + the symbols read since prefix j + 1 last ended, 0 none live. True: w complete.

    gap < 0 stands for no limit: a live prefix stays live and its age stays 1.
    """
    m = w.size
    for j in range(m - 1):
        if ages[j] == 0 or (gap >= 0 and ages[j] > gap):
            out[j] = 0
        else:
            out[j] = ages[j] + 1 if gap >= 0 else 1
    done = False
    for j in range(m - 1, -1, -1):
        if w[j] == a and (j == 0 or ages[j - 1] > 0):
            if j == m - 1:
                done = True
            else:
                out[j] = 1
    return done


@kernel
def gap_automaton(w: _I, n: int, gap: int) -> tuple[_I, bool]:
    """Return (n_keys, n) transitions between sets of live prefixes, -1 complete, state 0 empty; and success.

    Fails where more than MAX_KEYS states are met.
    """
    m = w.size
    ages = np.zeros((MAX_KEYS, max(m - 1, 1)), np.int64)
    to = np.zeros((MAX_KEYS, n), np.int64)
    table = np.full(4 * MAX_KEYS, -1, np.int64)
    table[0] = 0  # the empty state hashes to 0
    n_keys = 1
    fresh = np.zeros(max(m - 1, 1), np.int64)
    at = 0
    while at < n_keys:
        for a in range(n):
            if _step(ages[at], w, a, gap, fresh):
                to[at, a] = -1
                continue
            slot = 0
            for j in range(m - 1):
                slot = (slot * 1000003 + fresh[j]) % 2147483647
            slot %= table.size
            found = -1
            while table[slot] >= 0:
                if np.array_equal(ages[table[slot]], fresh):
                    found = table[slot]
                    break
                slot = (slot + 1) % table.size
            if found < 0:
                if n_keys == MAX_KEYS:
                    return to[:0], False
                found = n_keys
                table[slot] = n_keys
                ages[n_keys] = fresh
                n_keys += 1
            to[at, a] = found
        at += 1
    return to[:n_keys].copy(), True


@kernel
def _all_settled(now: _F, new: _F, lam: float) -> bool:
    """Whether every state, also the rarest, is multiplied by the same number."""
    for s in range(now.shape[0]):
        for c in range(now.shape[1]):
            if abs(new[s, c] - lam * now[s, c]) > SETTLED * now[s, c]:
                return False
    return True


@kernel
def gapped_hit_logs(
    to: _I, k: int, law: _F, stacked: _F, starts: _I, lengths: _I, budget: float
) -> tuple[_F, _F, bool]:
    """Return log chance of a hit and of none for each length (ascending), and whether the budget sufficed.

    Chances of a hit below 1e-300 come out as -inf.
    """
    n_keys, n = to.shape
    n_contexts = law.shape[0]
    log_hit, log_miss = np.full(lengths.size, -np.inf), np.zeros(lengths.size)
    now = np.zeros((n_keys, 1))
    now[0, 0] = 1.0
    absorbed, spent = 0.0, 0.0
    at, t = 0, 0
    while True:
        while at < lengths.size and lengths[at] == t:
            log_hit[at], log_miss[at] = min(0.0, _log(absorbed)), _log(now.sum())
            at += 1
        if at == lengths.size:
            return log_hit, log_miss, True
        width = now.shape[1]
        new = np.zeros((n_keys, width * n if t < k else n_contexts))
        inflow = 0.0
        for s in range(n_keys):
            for c in range(width):
                mass = now[s, c]
                if mass > 0.0:
                    spent += n
                    for a in range(n):
                        p = mass * (stacked[starts[t] + c, a] if t < k else law[c, a])
                        if to[s, a] < 0:
                            inflow += p
                        else:
                            new[to[s, a], (c * n + a) % new.shape[1]] += p
        if t >= k and t % 4 == 0:
            total, later = now.sum(), new.sum()
            if total <= 1e-290:
                log_hit[at:], log_miss[at:] = 0.0, _log(total)
                return log_hit, log_miss, True
            lam = later / total
            if lam > 0.0 and inflow > 0.0 and _all_settled(now, new, lam):
                rate = inflow / total
                for i in range(at, lengths.size):
                    n_steps = lengths[i] - t
                    decay = math.log1p(-rate)
                    log_hit[i] = min(0.0, _log(absorbed - total * math.expm1(n_steps * decay)))
                    log_miss[i] = math.log(total) + n_steps * decay
                return log_hit, log_miss, True
            if spent > budget:
                return log_hit, log_miss, False
        absorbed += inflow
        now = new
        t += 1


@kernel
def _holds(codes: _I, first: int, end: int, w: _I, gap: int, last: _I) -> bool:
    """Whether ``codes[first:end]`` holds w with at most `gap` symbols between neighbours (gap < 0: any number)."""
    m = w.size
    far = 1 << 60
    last[:m] = -far
    for i in range(first, end):
        for j in range(m - 1, -1, -1):
            if w[j] == codes[i] and (
                j == 0 or (last[j - 1] > -far and (gap < 0 or i - last[j - 1] - 1 <= gap))
            ):
                if j == m - 1:
                    return True
                last[j] = i
    return False


@kernel
def count_units(codes: _I, offsets: _I, unit_of: _I, w: _I, gap: int) -> int:
    """Count units (phrases or recordings, numbered from 0 without a hole) of which a phrase holds w."""
    hit = np.zeros(unit_of.max() + 1, np.bool_)
    last = np.empty(w.size, np.int64)
    for s in range(offsets.size - 1):
        if not hit[unit_of[s]] and _holds(codes, offsets[s], offsets[s + 1], w, gap, last):
            hit[unit_of[s]] = True
    return int(hit.sum())


@kernel
def _simulate(draws: _I, offsets: _I, unit_of: _I, codes: _I, pattern_offsets: _I, gap: int) -> _I:
    """Units hit of each pattern in one surrogate."""
    out = np.empty(pattern_offsets.size - 1, np.int64)
    for i in range(out.size):
        w = codes[pattern_offsets[i] : pattern_offsets[i + 1]]
        out[i] = count_units(draws, offsets, unit_of, w, gap)
    return out


@kernel
def judge_gapped(
    codes: _I,
    pattern_offsets: _I,
    observed: _I,
    gap: int,
    k: int,
    law: _F,
    stacked: _F,
    starts: _I,
    lengths: _I,
    times: _I,
    unit_offsets: _I,
    unit_length: _I,
    unit_phrases: _I,
    unit_times: _I,
) -> tuple[_F, _F, _F, _F, NDArray[np.int8]]:
    """Judge every pattern whose automaton stays within bounds; arguments as in `contiguous_law.judge_contiguous`.

    Returns
    -------
    expected phrases, expected units, log P(occurs at all), log p, method
    """
    n = pattern_offsets.size - 1
    support, in_units, log_p = np.full(n, np.nan), np.full(n, np.nan), np.full(n, np.nan)
    log_once = np.zeros(n)
    method = np.full(n, NONE, np.int8)
    unit_hit, unit_miss = np.empty(unit_times.size), np.empty(unit_times.size)
    for i in range(n):
        to, small = gap_automaton(codes[pattern_offsets[i] : pattern_offsets[i + 1]], law.shape[1], gap)
        if not small:
            continue
        log_hit, log_miss, done = gapped_hit_logs(to, k, law, stacked, starts, lengths, MOST_WORK)
        if not done:
            continue
        support[i] = (times * np.exp(log_hit)).sum()
        log_once[i] = log_any(log_hit, log_miss, times)
        unit_logs(log_hit, log_miss, unit_offsets, unit_length, unit_phrases, unit_hit, unit_miss)
        in_units[i] = (unit_times * np.exp(unit_hit)).sum()
        value, exactly = poisson_binomial_log_tail(unit_hit, unit_miss, unit_times, observed[i])
        if value > -np.inf:
            log_p[i], method[i] = value, EXACT if exactly else BOUND
    return support, in_units, log_once, log_p, method


def simulate_gapped(
    codes: _I,
    pattern_offsets: _I,
    observed: _I,
    max_gap: int | None,
    chain: MarkovChain,
    offsets: _I,
    unit_of: _I,
    seed: int,
    over: Over,
) -> tuple[_F, _F, _F] | None:
    """Judge patterns by surrogates, or None where these would take too long.

    Parameters
    ----------
    unit_of : (n_sequences,) int64, the unit each sequence belongs to
    over : applies a kernel to blocks of patterns, see `motifdb.kernels.significance`

    Returns
    -------
    expected units, log p, log P(count >= observed | count >= 1): each a share of draws that can be counted on, (1 + b) / (1 + n)
    """
    cost = float(offsets[-1]) * float(np.diff(pattern_offsets).sum())
    n_draws = next((n for n in N_DRAWS if n * cost <= SIMULATED_STEPS), 0)
    n = observed.size
    if n == 0 or n_draws == 0:
        return None
    gap = -1 if max_gap is None else max_gap
    rng = np.random.default_rng(seed)
    at_least, once, total = np.zeros(n, np.int64), np.zeros(n, np.int64), np.zeros(n, np.int64)
    for _ in range(n_draws):
        draws = recode(sample(chain, offsets, rng), chain.alphabet)

        def count(bounds: _I, _: _I, draws: _I = draws) -> tuple[_I]:
            return (_simulate(draws, offsets, unit_of, codes, bounds, gap),)

        (counts,) = over(count, pattern_offsets, observed)
        total += counts
        at_least += counts >= observed
        once += counts >= 1
    return total / n_draws, np.log((1 + at_least) / (1 + n_draws)), np.log((1 + at_least) / (1 + once))
