"""The law of the count of one contiguous pattern in phrases drawn from a Markov chain, exactly.

The chain of order k and the pattern's automaton (Knuth, Morris, Pratt) run side by side. While at most k symbols
of the pattern w1..wm are matched, the chain's context says so by itself; beyond, the matched prefix says the context.
So the states are the A**k contexts and m - k longer prefixes: 15 for a pattern of 8 symbols under a chain of order 1
over 8 symbols [1]_. Every phrase starts from the same law, therefore one run of the automaton serves phrases of all
lengths, and once its state vector keeps its direction (residual below `TOLERANCE`) longer phrases follow as powers.

Weights of rare patterns are spread along the prefix (a prefix weighs what it may yet become), so that a
pattern of chance 1e-1000 passes through floating point without loss.

References
----------
.. [1] G. Nuel (2008), Pattern Markov chains: optimal Markov chain embedding through deterministic finite automata,
       Journal of Applied Probability 45(1); M. Lladser, M. Betterton, R. Knight (2008), J. Math. Biology 56.
.. [2] G. Reinert, S. Schbath, M. Waterman (2000), Probabilistic and statistical properties of words: an overview,
       Journal of Computational Biology 7(1/2): expectations, principal periods, compound Poisson.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from motifdb.kernels.jit import kernel
from motifdb.kernels.markov import MarkovChain

TOLERANCE = 1e-12
CHECK_EVERY = 4
# multiply-adds one evaluation may cost: about 0.2 ms below CHEAP, about 20 ms at MOST, one core
CHEAP_WORK = 6.0e5
MOST_WORK = 5.0e7
LONGEST = 64  # symbols of a pattern of which the count's law is computed; longer ones are bounded by their beginning

EXACT, COMPOUND_POISSON, SIMULATION, NONE, BOUND = 0, 1, 2, 3, 4

_I = NDArray[np.int64]
_F = NDArray[np.float64]


def chain_arrays(chain: MarkovChain) -> tuple[int, _F, _F, _I]:
    """Flatten a chain for the kernels: order, law of full contexts, all laws stacked, first row of each."""
    stacked = np.concatenate(chain.laws)
    starts = np.cumsum([0] + [law.shape[0] for law in chain.laws]).astype(np.int64)
    return chain.order, np.ascontiguousarray(chain.laws[-1]), stacked, starts


@kernel
def _log(x: float) -> float:
    return math.log(x) if x > 0.0 else -np.inf


@kernel
def prefix_logs(w: _I, k: int, law: _F, stacked: _F, starts: _I) -> _F:
    """Return (m + 1,) log chances of completing w from each prefix; entry 0 with the start law of lower orders.

    Entries below min(k, m) are only meaningful as a whole: a pattern that starts a phrase.
    """
    m, n = w.size, law.shape[1]
    out = np.zeros(m + 1)
    modulus = n**k
    steps = np.empty(m)
    context = 0
    for i in range(m):
        known = min(i, k)
        steps[i] = _log(stacked[starts[known] + context, w[i]])
        context = context * n + w[i]
        if known == k:
            context %= modulus
    for i in range(m - 1, -1, -1):
        out[i] = out[i + 1] + steps[i]
    return out


@kernel
def _automaton(w: _I, n: int) -> _I:
    """Return (m + 1, n) transitions of the matched-prefix automaton, restarting at the longest border after w."""
    m = w.size
    to = np.zeros((m + 1, n), np.int64)
    to[0, w[0]] = 1
    x = 0
    for j in range(1, m + 1):
        for a in range(n):
            to[j, a] = to[x, a]
        if j < m:
            to[j, w[j]] = j + 1
            x = to[x, w[j]]
    return to


@kernel
def _joint(w: _I, k: int, law: _F, log_q: _F, log_r: float) -> tuple[_I, _F, _F, _I]:
    """Build the states of chain and pattern together.

    Returns
    -------
    to : (S, n) next state
    weight : (S, n) chance of the step, scaled; a step into the full pattern carries the factor r when m > k
    unscale : (S,) factor that turns scaled state values back
    accept : states in which the pattern has just ended
    """
    n_contexts, n = law.shape
    m = w.size
    n_extra = max(m - k, 0)
    size = n_contexts + n_extra
    to = np.zeros((size, n), np.int64)
    weight = np.zeros((size, n))
    unscale = np.ones(size)
    for c in range(n_contexts):
        for a in range(n):
            to[c, a] = (c * n + a) % n_contexts
            weight[c, a] = law[c, a]
    if n_extra == 0:
        code = 0
        for i in range(m):
            code = code * n + w[i]
        n_suffix = n**m
        accept = np.empty(n_contexts // n_suffix, np.int64)
        for i in range(accept.size):
            accept[i] = i * n_suffix + code
        return to, weight, unscale, accept
    dfa = _automaton(w, n)
    code = 0
    for i in range(k):
        code = code * n + w[i]
    scale = np.zeros(m + 1)
    for j in range(k + 1, m):
        scale[j] = max(0.0, log_r + log_q[j])
        unscale[n_contexts + j - k - 1] = math.exp(-scale[j])
    for j in range(k, m + 1):
        state = code if j == k else n_contexts + j - k - 1
        for a in range(n):
            p = law[code, a]
            target = dfa[j, a]
            if target > k:
                gain = log_r if target == m else scale[target]
                to[state, a] = n_contexts + target - k - 1
                weight[state, a] = math.exp(math.log(p) + gain - scale[j]) if p > 0.0 else 0.0
            else:
                to[state, a] = (code * n + a) % n_contexts
                weight[state, a] = p * math.exp(-scale[j])
        if j < m:
            code = (code * n + w[j]) % n_contexts
    return to, weight, unscale, np.array([n_contexts + m - k - 1])


@kernel
def _advance(now: _F, new: _F, to: _I, weight: _F) -> None:
    """One step of the automaton for all columns at once (the inner loop runs in vector registers)."""
    new[:] = 0.0
    n_columns = now.shape[1]
    for s in range(to.shape[0]):
        for a in range(to.shape[1]):
            p = weight[s, a]
            if p != 0.0:
                t = to[s, a]
                for q in range(n_columns):
                    new[t, q] += p * now[s, q]


@kernel
def _turn(state: _F, re: _F, im: _F) -> None:
    """Multiply one state's columns (real and imaginary parts in two halves) by complex numbers."""
    n = re.size
    for q in range(n):
        x, y = state[q], state[n + q]
        state[q] = x * re[q] - y * im[q]
        state[n + q] = x * im[q] + y * re[q]


@kernel
def _totals(now: _F, unscale: _F, out: _F) -> None:
    """Sum over states, scaling undone."""
    out[:] = 0.0
    for s in range(now.shape[0]):
        for q in range(now.shape[1]):
            out[q] += unscale[s] * now[s, q]


@kernel
def _starting(w: _I, k: int, stacked: _F, starts: _I, n: int, length: int, re: _F, im: _F) -> _F:
    """Return (n**length, 2 columns): the first `length` <= k symbols, z per end of w inside them."""
    m = w.size
    code_w = 0
    for i in range(m):
        code_w = code_w * n + w[i]
    columns = 2 * re.size
    now = np.zeros((1, columns))
    now[0, : re.size] = 1.0
    for t in range(length):
        new = np.zeros((now.shape[0] * n, columns))
        for c in range(now.shape[0]):
            for a in range(n):
                p = stacked[starts[t] + c, a]
                for q in range(columns):
                    new[c * n + a, q] = p * now[c, q]
        if t + 1 >= m:
            n_suffix = n**m
            for c in range(code_w, new.shape[0], n_suffix):
                _turn(new[c], re, im)
        now = new
    return now


@kernel
def log_pgf(
    w: _I,
    k: int,
    law: _F,
    stacked: _F,
    starts: _I,
    log_q: _F,
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
    w : (m,) pattern in codes 0..n-1
    k, law, stacked, starts : the chain, see `chain_arrays`
    log_q : see `prefix_logs`
    lengths, times : distinct phrase lengths ascending, phrases of each
    log_r : log of the radius that the weights are scaled for
    re, im : (C,) points
    overlap : chance of an overlapping occurrence, see `overlap_chance`
    budget : multiply-adds that may be spent
    """
    n_contexts, n = law.shape
    m, columns = w.size, re.size
    log_abs, phase = np.zeros(columns), np.zeros(columns)
    total, later = np.zeros(2 * columns), np.zeros(2 * columns)
    at = 0
    r = math.exp(log_r) if m <= k else 1.0
    # where clumps gain weight with each occurrence (z times overlap above 1), what looks settled may still explode
    room = 1.0 - np.hypot(re, im).max() * math.exp(min(log_r, 600.0)) * overlap
    tolerance = TOLERANCE * room if room > 1e-3 else -1.0
    z_re, z_im = re * r, im * r
    while at < lengths.size and lengths[at] < k:  # phrases that end before the first full context
        if lengths[at] >= m:
            short = _starting(w, k, stacked, starts, n, lengths[at], z_re, z_im)
            _totals(short, np.ones(short.shape[0]), total)
            _add_logs(total, 0.0, times[at], log_abs, phase)
        at += 1
    if at == lengths.size:
        return log_abs, phase, True
    to, weight, unscale, accept = _joint(w, k, law, log_q, log_r)
    now = np.zeros((to.shape[0], 2 * columns))
    now[:n_contexts] = _starting(w, k, stacked, starts, n, k, z_re, z_im)
    new = np.zeros_like(now)
    work = 2.0 * columns * (weight != 0.0).sum()
    log_scale = 0.0
    t = k
    spent = 0.0
    while True:
        while at < lengths.size and lengths[at] == t:
            _totals(now, unscale, total)
            _add_logs(total, log_scale, times[at], log_abs, phase)
            at += 1
        if at == lengths.size:
            return log_abs, phase, True
        _advance(now, new, to, weight)
        for s in accept:
            _turn(new[s], z_re, z_im)
        spent += work
        if t % CHECK_EVERY == 0:
            _totals(now, unscale, total)
            _totals(new, unscale, later)
            biggest, growth = 0.0, 0.0
            for q in range(columns):
                size = math.hypot(total[q], total[columns + q])
                if size > biggest:
                    biggest = size
                    growth = math.hypot(later[q], later[columns + q]) / size
            if _settled(now, new, total, later, tolerance * biggest, biggest):
                n_left, n_steps = times[at:].sum(), (times[at:] * (lengths[at:] - t)).sum()
                _extrapolate(total, later, growth, log_scale, n_steps, n_left, log_abs, phase)
                return log_abs, phase, True
            if biggest > 1e60 or biggest < 1e-60:
                new /= biggest
                log_scale += math.log(biggest)
            if spent > budget:
                return log_abs, phase, False
        now, new = new, now
        t += 1


@kernel
def _settled(now: _F, new: _F, total: _F, later: _F, most: float, biggest: float) -> bool:
    """Whether every column is multiplied by a number of its own, leaving at most `most` unexplained."""
    columns = total.size // 2
    for q in range(columns):
        size2 = total[q] ** 2 + total[columns + q] ** 2
        if size2 < (1e-18 * biggest) ** 2:
            lam_re, lam_im = 0.0, 0.0
        else:
            lam_re = (later[q] * total[q] + later[columns + q] * total[columns + q]) / size2
            lam_im = (later[columns + q] * total[q] - later[q] * total[columns + q]) / size2
        residual = 0.0
        for s in range(now.shape[0]):
            x, y = now[s, q], now[s, columns + q]
            residual += abs(new[s, q] - lam_re * x + lam_im * y)
            residual += abs(new[s, columns + q] - lam_re * y - lam_im * x)
            if residual > most:
                return False
    return True


@kernel
def _add_logs(total: _F, log_scale: float, times: int, log_abs: _F, phase: _F) -> None:
    """Multiply `times` phrases into the running logarithm."""
    columns = log_abs.size
    for q in range(columns):
        log_abs[q] += times * (_log(math.hypot(total[q], total[columns + q])) + log_scale)
        phase[q] += times * math.atan2(total[columns + q], total[q])


@kernel
def _extrapolate(
    total: _F, later: _F, growth: float, log_scale: float, n_steps: int, times: int, log_abs: _F, phase: _F
) -> None:
    """Multiply in `times` phrases that are together `n_steps` longer than where the state vector settled."""
    columns = log_abs.size
    for q in range(columns):
        size = math.hypot(total[q], total[columns + q])
        grown = math.hypot(later[q], later[columns + q])
        # a column that has all but vanished has no direction left; it may not outgrow the largest
        rate = min(_log(grown) - _log(size), math.log(growth)) if size > 0.0 and grown > 0.0 else -700.0
        angle = math.atan2(total[columns + q], total[q])
        turn = math.atan2(later[columns + q], later[q]) - angle
        log_abs[q] += times * (_log(size) + log_scale) + n_steps * rate
        phase[q] += times * angle + n_steps * turn


@kernel
def hit_logs(
    w: _I, k: int, law: _F, stacked: _F, starts: _I, log_q: _F, lengths: _I, budget: float
) -> tuple[_F, _F, bool]:
    """Return log chance that a phrase of each length holds w at least once, log chance that it does not, and success.

    Parameters as in `log_pgf`.
    """
    n_contexts, n = law.shape
    m = w.size
    log_hit = np.full(lengths.size, -np.inf)
    log_miss = np.zeros(lengths.size)
    log_r = max(0.0, -log_q[min(k, m)])
    one, zero = np.ones(1), np.zeros(1)
    at = 0
    while at < lengths.size and lengths[at] < max(k, m):
        if lengths[at] >= m:  # then m <= length < k
            miss = _starting(w, k, stacked, starts, n, lengths[at], zero, zero)[:, 0].sum()
            log_miss[at], log_hit[at] = _log(miss), _log(1.0 - miss)
        at += 1
    if at == lengths.size:
        return log_hit, log_miss, True
    to, weight, _, accept = _joint(w, k, law, log_q, log_r)
    if m > k:
        log_in = 0.0
        now = np.zeros((to.shape[0], 2))
        now[:n_contexts] = _starting(w, k, stacked, starts, n, k, one, zero)
        absorbed = 0.0
    else:
        log_in = log_r
        now = _starting(w, k, stacked, starts, n, k, zero, zero)
        absorbed = max(0.0, 1.0 - now[:, 0].sum()) * math.exp(log_r)
    unscale = np.ones(to.shape[0])
    if m > k:
        for j in range(k + 1, m):
            unscale[n_contexts + j - k - 1] = math.exp(-max(0.0, log_r + log_q[j]))
    now = np.ascontiguousarray(now[:, :1])
    new = np.zeros_like(now)
    total, later = np.zeros(1), np.zeros(1)
    work = float((weight != 0.0).sum())
    spent = 0.0
    t = k
    while True:
        while at < lengths.size and lengths[at] == t:
            _totals(now, unscale, total)
            log_hit[at] = min(0.0, _log(absorbed) - log_r)
            log_miss[at] = _log(total[0])
            at += 1
        if at == lengths.size:
            return log_hit, log_miss, True
        _advance(now, new, to, weight)
        inflow = 0.0
        for s in accept:
            inflow += new[s, 0]
            new[s, 0] = 0.0
        inflow *= math.exp(log_in)
        spent += work
        if t % CHECK_EVERY == 0:
            _totals(now, unscale, total)
            _totals(new, unscale, later)
            if total[0] <= 0.0:
                log_miss[at:] = -np.inf
                log_hit[at:] = 0.0
                return log_hit, log_miss, True
            lam = later[0] / total[0]
            residual = 0.0
            for s in range(now.shape[0]):
                residual += abs(new[s, 0] - lam * now[s, 0])
            if residual <= TOLERANCE * total[0] and lam > 0.0:
                rate = inflow / total[0] * math.exp(-log_r)  # chance of a first hit a step
                decay = math.log1p(-rate) if rate < 1.0 else -np.inf
                for i in range(at, lengths.size):
                    n_steps = lengths[i] - t
                    grown = -math.expm1(n_steps * decay) / rate if rate > 0.0 else float(n_steps)
                    log_hit[i] = min(0.0, _log(absorbed + inflow * grown) - log_r)
                    log_miss[i] = math.log(total[0]) + n_steps * decay
                return log_hit, log_miss, True
            if spent > budget:
                return log_hit, log_miss, False
        absorbed += inflow
        now, new = new, now
        t += 1


@kernel
def occupancy(k: int, law: _F, stacked: _F, starts: _I, max_length: int, n_kept: int) -> _F:
    """Return cumulative context marginals: row t sums over positions k..t; a last row holds the later increment.

    Rows end where the marginals have settled within 1e-14, or after `n_kept` (a periodic chain never settles: then
    the increment is the mean over the later half of the rows).
    """
    n_contexts, n = law.shape
    no = np.zeros(1)
    start = _starting(np.full(k + 1, 0), k, stacked, starts, n, k, np.ones(1), no)[:, 0].copy()
    limit = max(k + 1, min(max_length, n_kept))
    rows = np.zeros((limit + 2, n_contexts))
    rows[k] = start
    now, new = start, np.zeros(n_contexts)
    t = k
    while t < limit:
        new = np.zeros(n_contexts)
        for c in range(n_contexts):
            if now[c] > 0.0:
                for a in range(n):
                    new[(c * n + a) % n_contexts] += now[c] * law[c, a]
        change = np.abs(new - now).sum()
        t += 1
        rows[t] = rows[t - 1] + new
        now = new
        if change < 1e-14:
            rows[t + 1] = new
            return rows[: t + 2].copy()
    half = k + (t - k) // 2
    rows[t + 1] = (rows[t] - rows[half]) / max(t - half, 1)
    return rows[: t + 2].copy()


@kernel
def _occupied(rows: _F, code: int, t: int) -> float:
    """Expected number of positions up to t at which the context is `code`."""
    last = rows.shape[0] - 2
    if t <= last:
        return float(rows[t, code])
    return float(rows[last, code] + (t - last) * rows[last + 1, code])


@kernel
def log_expected(
    w: _I, k: int, law: _F, stacked: _F, starts: _I, log_q: _F, lengths: _I, times: _I, rows: _F
) -> float:
    """Return log of the expected number of occurrences of w, the sum over all positions of all phrases."""
    n_contexts, n = law.shape
    m = w.size
    code = 0
    for i in range(min(m, k)):
        code = code * n + w[i]
    total = 0.0
    if m > k:
        for i in range(lengths.size):
            if lengths[i] >= m:
                total += times[i] * _occupied(rows, code, lengths[i] - m + k)
        return float(_log(total) + log_q[k])
    n_suffix = n**m
    early = np.zeros(k + 1)  # expected ends at positions m..t, t < k
    for t in range(m, k):
        start = _starting(np.full(k + 1, 0), k, stacked, starts, n, t, np.ones(1), np.zeros(1))[:, 0]
        early[t] = early[t - 1] + start[code::n_suffix].sum()
    for i in range(lengths.size):
        if lengths[i] >= m:
            total += times[i] * early[min(lengths[i], k - 1)]
            if lengths[i] >= k:
                for c in range(code, n_contexts, n_suffix):
                    total += times[i] * _occupied(rows, c, lengths[i])
    return _log(total)


@kernel
def overlap_chance(w: _I, k: int, law: _F) -> float:
    """Return the chance that an occurrence of w, m > k, is followed by one that overlaps it (principal periods [2]_)."""
    m = w.size
    n_contexts, n = law.shape
    if m <= k:
        return 0.0
    border = np.zeros(m + 1, np.int64)
    border[0] = -1
    j = -1
    for i in range(m):
        while j >= 0 and w[i] != w[j]:
            j = border[j]
        j += 1
        border[i + 1] = j
    smallest = m - border[m]
    # chance of each further symbol of w given the k before it; a period of d <= m - k symbols stays inside w, a
    # longer one needs the contexts across the seam
    chance = 0.0
    j = border[m]
    while j > 0:
        period = m - j
        if period == smallest or period % smallest != 0:
            context = 0
            for i in range(m - k, m):
                context = context * n + w[i]
            log_p = 0.0
            for i in range(j, m):
                log_p += _log(law[context, w[i]])
                context = (context * n + w[i]) % n_contexts
            chance += math.exp(log_p)
        j = border[j]
    return min(chance, 0.999999)
