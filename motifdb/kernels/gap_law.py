"""The chance that a phrase from a Markov chain holds a pattern with gaps.

Reading a phrase from the left, all that matters of the past is, for each proper prefix of the pattern, how long ago its
latest embedding ended (an earlier one reaches no further), up to max_gap; without a gap limit only the longest
prefix embedded so far. These states form an automaton; it is run beside the chain's contexts, the full pattern
absorbing. Where it has more than `MAX_KEYS` states, or costs more than `MOST_WORK`, surrogates are drawn instead.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from motifdb.kernels.count_tail import poisson_binomial_log_tail
from motifdb.kernels.jit import kernel
from motifdb.kernels.markov import MarkovChain, recode, sample
from motifdb.kernels.pattern_law import EXACT, NONE, SIMULATION, _log, chain_arrays

MAX_KEYS = 1024
SETTLED = (
    1e-11  # relative change of a state, beyond common decay, below which longer phrases follow by powers
)
MOST_WORK = 2.0e7  # multiply-adds of one pattern, about 20 ms
N_DRAWS = (999, 199)  # surrogates, the first number whose cost fits; neither: p is NaN
SIMULATED_STEPS = 4.0e9  # symbols times pattern symbols that one call may simulate, about 4 s

_I = NDArray[np.int64]
_F = NDArray[np.float64]


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
def count_phrases(codes: _I, offsets: _I, w: _I, gap: int) -> int:
    """Count phrases that hold w with at most `gap` symbols between neighbours (gap < 0: any number)."""
    m = w.size
    n_hit = 0
    last = np.empty(m, np.int64)
    far = 1 << 60
    for s in range(offsets.size - 1):
        last[:] = -far
        for i in range(offsets[s], offsets[s + 1]):
            done = False
            for j in range(m - 1, -1, -1):
                if w[j] == codes[i] and (
                    j == 0 or (last[j - 1] > -far and (gap < 0 or i - last[j - 1] - 1 <= gap))
                ):
                    last[j] = i
                    done = done or j == m - 1
            if done:
                n_hit += 1
                break
    return n_hit


@kernel
def _simulate(draws: _I, offsets: _I, codes: _I, pattern_offsets: _I, chosen: _I, gap: int) -> _I:
    """Phrases hit of each chosen pattern in one surrogate."""
    out = np.empty(chosen.size, np.int64)
    for i in range(chosen.size):
        p = chosen[i]
        out[i] = count_phrases(draws, offsets, codes[pattern_offsets[p] : pattern_offsets[p + 1]], gap)
    return out


@kernel
def _exact(
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
) -> tuple[_F, _F, NDArray[np.int8]]:
    """Expected support and log p of every pattern whose automaton stays within bounds."""
    n = pattern_offsets.size - 1
    expected, log_p = np.full(n, np.nan), np.full(n, np.nan)
    method = np.full(n, NONE, np.int8)
    for i in range(n):
        to, small = gap_automaton(codes[pattern_offsets[i] : pattern_offsets[i + 1]], law.shape[1], gap)
        if not small:
            continue
        log_hit, log_miss, done = gapped_hit_logs(to, k, law, stacked, starts, lengths, MOST_WORK)
        if not done:
            continue
        expected[i] = (times * np.exp(log_hit)).sum()
        value = poisson_binomial_log_tail(log_hit, log_miss, times, observed[i])
        if value > -np.inf:
            log_p[i], method[i] = value, EXACT
    return expected, log_p, method


def assess_gapped(
    codes: _I,
    pattern_offsets: _I,
    observed: _I,
    max_gap: int | None,
    chain: MarkovChain,
    offsets: _I,
    lengths: _I,
    times: _I,
    seed: int,
) -> tuple[_F, _F, NDArray[np.int8]]:
    """Return expected support, log p and method of every gapped pattern (codes of the chain's alphabet).

    `lengths`, `times` are the distinct phrase lengths, ascending, and how many phrases have each.
    """
    gap = -1 if max_gap is None else max_gap
    k, law, stacked, starts = chain_arrays(chain)
    expected, log_p, method = _exact(
        codes, pattern_offsets, observed, gap, k, law, stacked, starts, lengths, times
    )
    left = np.flatnonzero(method == NONE).astype(np.int64)
    cost = float(offsets[-1]) * float(np.diff(pattern_offsets)[left].sum())
    n_draws = next((n for n in N_DRAWS if n * cost <= SIMULATED_STEPS), 0)
    if left.size == 0 or n_draws == 0:
        return expected, log_p, method
    rng = np.random.default_rng(seed)
    at_least = np.zeros(left.size, np.int64)
    total = np.zeros(left.size, np.int64)
    for _ in range(n_draws):
        draws = recode(sample(chain, offsets, rng), chain.alphabet)
        counts = _simulate(draws, offsets, codes, pattern_offsets, left, gap)
        total += counts
        at_least += counts >= observed[left]
    expected[left] = total / n_draws
    log_p[left] = np.log((1 + at_least) / (1 + n_draws))
    method[left] = SIMULATION
    return expected, log_p, method
