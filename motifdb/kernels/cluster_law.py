"""The generating function of a pattern's count from when it returns: one number a step where the automaton has A**k states.

Expand z**N = (1 + (z - 1))**N over sets of marked occurrences. With T(d) the chance that the pattern ends d symbols
after it has ended, p_t the chance that it ends at symbol t, v_t what sets contribute whose last occurrence ends at t:

    v_t = (z - 1) (p_t + sum over d of v_(t-d) T(d)),        E[z**N of a phrase of n symbols] = 1 + sum over t <= n of v_t

(the cluster method of Goulden and Jackson [1]_ for a Markov chain). For d < m, T(d) is the chance of the overlap at
period d, else the chain's chance to come from the pattern's end back to its beginning, which turns into the
stationary mu once the chain has forgotten. What lies further back thus enters as mu times its sum. Equal to
`pattern_law.log_pgf`, which serves where the chain forgets too slowly and where the pattern is not longer than the order.

References
----------
.. [1] I. P. Goulden, D. M. Jackson (1979), An inversion theorem for cluster decompositions of sequences with
       distinguished subsequences, J. London Mathematical Society s2-20(3).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from motifdb.kernels.jit import kernel
from motifdb.kernels.pattern_law import TOLERANCE, _add_logs, _extrapolate, _log

FORGOTTEN = (
    1e-12  # relative spread of the chances of return over contexts at which they are taken as stationary
)
LONGEST_MEMORY = 160  # symbols

_I = NDArray[np.int64]
_F = NDArray[np.float64]


@kernel
def returns(w: _I, k: int, law: _F, log_q: _F) -> tuple[_I, _F, int, float, bool]:
    """Return lags d with T(d) > 0, log T(d), the last lag before T(d) is mu, log mu, and whether the chain forgets in time.

    Parameters
    ----------
    w : (m,) pattern in codes, m > k
    k, law : order of the chain, law of full contexts
    log_q : see `pattern_law.prefix_logs`
    """
    m = w.size
    n_contexts, n = law.shape
    lags, logs = np.empty(m + LONGEST_MEMORY, np.int64), np.empty(m + LONGEST_MEMORY)
    n_lags = 0
    border = np.zeros(m + 1, np.int64)
    border[0] = -1
    j = -1
    for i in range(m):
        while j >= 0 and w[i] != w[j]:
            j = border[j]
        j += 1
        border[i + 1] = j
    end = 0
    for i in range(m - k, m):
        end = end * n + w[i]
    j = border[m]
    while j > 0:
        context, log_p = end, 0.0
        for i in range(j, m):
            log_p += _log(law[context, w[i]])
            context = (context * n + w[i]) % n_contexts
        if log_p > -np.inf:
            lags[n_lags], logs[n_lags] = m - j, log_p
            n_lags += 1
        j = border[j]
    code = 0
    for i in range(k):
        code = code * n + w[i]
    chance, before = np.zeros(n_contexts), np.zeros(n_contexts)
    chance[code] = 1.0
    for step in range(LONGEST_MEMORY + k):
        if step >= k:
            low, high = chance.min(), chance.max()
            if high - low <= FORGOTTEN * high:
                return (
                    lags[:n_lags].copy(),
                    logs[:n_lags].copy(),
                    m + step - k - 1,
                    _log(high) + log_q[k],
                    True,
                )
            if chance[end] > 0.0:
                lags[n_lags], logs[n_lags] = m + step - k, math.log(chance[end]) + log_q[k]
                n_lags += 1
        before[:] = chance
        for c in range(n_contexts):
            total = 0.0
            for a in range(n):
                total += law[c, a] * before[(c * n + a) % n_contexts]
            chance[c] = total
    return lags[:0].copy(), logs[:0].copy(), 0, -np.inf, False


@kernel
def _ends_at(rows: _F, code: int, t: int, k: int) -> float:
    """Chance that the context after t symbols is `code`."""
    last = rows.shape[0] - 2
    if t > last:
        return float(rows[last + 1, code])
    return float(rows[t, code] - rows[t - 1, code]) if t > k else float(rows[t, code])


@kernel
def log_pgf_by_returns(
    w: _I,
    k: int,
    n: int,
    rows: _F,
    log_q: _F,
    lags: _I,
    logs: _F,
    reach: int,
    log_mu: float,
    lengths: _I,
    times: _I,
    log_r: float,
    re: _F,
    im: _F,
    overlap: float,
    budget: float,
) -> tuple[_F, _F, bool]:
    """Return log modulus and argument of E[z**N] over all phrases at z = r (re + i im), and whether in budget.

    Parameters
    ----------
    rows : see `pattern_law.occupancy`
    lags, logs, reach, log_mu : see `returns`
    others : as in `pattern_law.log_pgf`
    """
    m, columns = w.size, re.size
    log_abs, phase = np.zeros(columns), np.zeros(columns)
    at = int(np.searchsorted(lengths, m))  # shorter phrases hold nothing: their function is 1
    if at == lengths.size:
        return log_abs, phase, True
    room = 1.0 - np.hypot(re, im).max() * math.exp(min(log_r, 600.0)) * overlap
    tolerance = TOLERANCE * room if room > 1e-3 else -1.0
    code = 0
    for i in range(k):
        code = code * n + w[i]
    # z - 1 = r factor; r goes into the chances, which may be too small to be written without it
    factor_re = re - math.exp(-log_r)
    weights, mu = np.exp(logs + log_r), math.exp(log_mu + log_r)
    log_rest = log_q[k] + log_r
    past = np.zeros((reach + 1, 2 * columns))  # v of the last steps, a ring; real parts, then imaginary ones
    older, now = np.zeros(2 * columns), np.zeros(2 * columns)  # sum of v out of the ring; the step's sum
    total, before = np.zeros(2 * columns), np.zeros(2 * columns)  # E[z**N], scaled
    total[:columns], one = 1.0, 1.0
    log_scale, spent, p_before, n_calm = 0.0, 0.0, 0.0, 0
    work = 2.0 * columns * (lags.size + 8)
    t = m
    while True:
        log_p = _log(_ends_at(rows, code, t - m + k, k)) + log_rest
        p = math.exp(log_p)
        slot = t % (reach + 1)
        older += past[slot]
        for q in range(2 * columns):
            now[q] = mu * older[q]
        now[:columns] += one * p
        for i in range(lags.size):
            if t - lags[i] < m:  # before the first end
                continue
            held, weight = past[(t - lags[i]) % (reach + 1)], weights[i]
            for q in range(2 * columns):
                now[q] += weight * held[q]
        before[:] = total
        biggest = 0.0
        for q in range(columns):
            x, y = now[q], now[columns + q]
            past[slot, q] = x * factor_re[q] - y * im[q]
            past[slot, columns + q] = x * im[q] + y * factor_re[q]
            total[q] += past[slot, q]
            total[columns + q] += past[slot, columns + q]
            biggest = max(biggest, abs(total[q]), abs(total[columns + q]))
        while at < lengths.size and lengths[at] == t:
            _add_logs(total, log_scale, times[at], log_abs, phase)
            at += 1
        if at == lengths.size:
            return log_abs, phase, True
        is_calm = abs(p - p_before) <= TOLERANCE * p and _is_calm(
            past[slot], past[(t - 1) % (reach + 1)], total, before, tolerance * biggest, 1e-18 * biggest
        )
        n_calm = n_calm + 1 if is_calm else 0
        if n_calm > reach:
            growth = 0.0
            for q in range(columns):
                size = math.hypot(before[q], before[columns + q])
                if size > 1e-3 * biggest:
                    growth = max(growth, math.hypot(total[q], total[columns + q]) / size)
            n_left = times[at:].sum()
            n_steps = (times[at:] * (lengths[at:] - t + 1)).sum()
            _extrapolate(before, total, growth, log_scale, n_steps, n_left, log_abs, phase)
            return log_abs, phase, True
        spent += work
        if spent > budget:
            return log_abs, phase, False
        if biggest > 1e60 or biggest < 1e-60:
            past /= biggest
            older /= biggest
            total /= biggest
            one /= biggest
            log_scale += math.log(biggest)
        p_before = p
        t += 1


@kernel
def _is_calm(v: _F, v_before: _F, total: _F, before: _F, most: float, nothing: float) -> bool:
    """Whether the step's contribution is the one before times the common growth, for every column."""
    columns = v.size // 2
    for q in range(columns):
        x, y = before[q], before[columns + q]
        size2 = x * x + y * y
        if size2 < nothing * nothing:
            continue
        a = (total[q] * x + total[columns + q] * y) / size2
        b = (total[columns + q] * x - total[q] * y) / size2
        d_re = v[q] - a * v_before[q] + b * v_before[columns + q]
        d_im = v[columns + q] - a * v_before[columns + q] - b * v_before[q]
        if abs(d_re) + abs(d_im) > most:
            return False
    return True
