"""Tails of counts, in logarithms: what is the chance of seeing at least c?

Exact tails come from the probability generating function G(z) = E[z**N]. On the circle |z| = r it is the Fourier
transform of the tilted law p_n r**n / G(r). With r at the saddle point (the tilted mean is c) the tail has its
weight where the tilted law has, so it keeps its relative precision however small it is [1]_. Q points on the
circle give the tilted law modulo Q; the tail is summed over Q / 2 values of n from c on, and taken only when Q / 2
points tell the same within `AGREEMENT`. The error of Q points is then about the square of that.

References
----------
.. [1] H. E. Daniels (1987), Tail probability approximations, International Statistical Review 55(1) (the tilting);
       J. Abate, W. Whitt (1992), Numerical inversion of probability generating functions, Oper. Res. Letters 12(4).
.. [2] G. Nuel (2008), Cumulative distribution function of a geometric Poisson distribution, J. Stat. Comput. Simul. 78(3).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from motifdb.kernels.jit import kernel

MAX_POINTS = 4096  # a law that needs more points on the circle has a deviation over about 300
AGREEMENT = 1e-4


@kernel
def first_n_points(sigma: float, below_mean: float) -> int:
    """Points on the circle to begin with: a multiple of 8 of which half spans 7 deviations, 32 at least."""
    wanted = min(14.0 * sigma + 8.0 + 2.0 * below_mean, 2.0 * MAX_POINTS)
    return max(32, 8 * math.ceil(wanted / 8.0))


@kernel
def _window(
    log_abs: NDArray[np.float64], phase: NDArray[np.float64], stride: int, c: int, log_r: float
) -> float:
    """Sum the tilted law: over n in [c, c + W), weighted by r**(c - n); for log_r = 0 over n in [c - W, c).

    `log_abs` and `phase` are log(G(z_q) / G(r)) at z_q = r exp(2 pi i q / Q), q = 0..Q/2; every `stride`-th is used.
    """
    n_points = 2 * (log_abs.size - 1) // stride
    upper = log_r > 0.0
    width = n_points // 2
    if not upper:
        width = min(width, c)
    if width <= 0:
        return 0.0
    total = 0.0
    for q in range(n_points // 2 + 1):
        size = log_abs[q * stride]
        if size < -80.0:
            continue
        theta = 2.0 * math.pi * q / n_points
        step = complex(math.cos(theta), -math.sin(theta)) * math.exp(-log_r)
        if not upper:
            step = step.conjugate()
        if abs(step - 1.0) < 1e-2:
            series = complex(0.0, 0.0)
            for _ in range(width):
                series = series * step + 1.0
        else:
            series = (1.0 - step**width) / (1.0 - step)
        if not upper:
            series *= step
        angle = phase[q * stride] - 2.0 * math.pi * ((q * c) % n_points) / n_points
        value = math.exp(size) * (series * complex(math.cos(angle), math.sin(angle))).real
        total += value if q == 0 or q == n_points // 2 else 2.0 * value
    return total / n_points


@kernel
def log_tail(
    log_abs: NDArray[np.float64], phase: NDArray[np.float64], c: int, log_r: float, log_g: float
) -> tuple[float, bool]:
    """Return log P(N >= c), and whether Q and Q / 2 points agree.

    Parameters
    ----------
    log_abs, phase : (Q/2 + 1,) log modulus and argument of G(z_q) / G(r)
    c : count, >= 1
    log_r : log of the radius; 0 (then 1 - P(N < c) is taken) or above
    log_g : log G(r)
    """
    fine = _window(log_abs, phase, 1, c, log_r)
    coarse = _window(log_abs, phase, 2, c, log_r)
    if log_r == 0.0:
        fine, coarse = 1.0 - fine, 1.0 - coarse
    # far below 1 the tilted tail would be rounding: the radius is then too far from the saddle
    agree = fine > 1e-6 and abs(fine - coarse) <= AGREEMENT * fine
    if not agree:
        return np.nan, False
    return min(0.0, math.log(fine) + log_g - c * log_r), True


@kernel
def poisson_binomial_log_tail(
    log_hit: NDArray[np.float64], log_miss: NDArray[np.float64], times: NDArray[np.int64], c: int
) -> tuple[float, bool]:
    """Return log P(N >= c), N the number of phrases hit, and whether it is exact, not a bound.

    `times[i]` phrases are hit with chance exp(log_hit[i]). Both logarithms are given because either chance may be too
    close to 1 to be had from the other. Where the law would need more than MAX_POINTS points, Chernoff's
    inequality P(N >= c) <= G(r) r**-c stands in, which errs towards larger p.
    """
    if c <= 0:
        return 0.0, True
    mean = 0.0
    possible = 0
    for i in range(times.size):
        mean += times[i] * math.exp(log_hit[i])
        if log_hit[i] > -np.inf:
            possible += times[i]
    if c > possible:
        return -np.inf, True
    s = 0.0
    low, high = 0.0, np.inf
    k1, k2 = _tilted_moments(log_hit, log_miss, times, s)
    if c > mean:
        s = 1.0
        for _ in range(200):
            k1, k2 = _tilted_moments(log_hit, log_miss, times, s)
            if abs(k1 - c) <= 0.25 * max(1.0, math.sqrt(k2)) * (1.0 if c < possible else 0.4):
                break
            if k1 > c:
                high = s
            else:
                low = s
            s = _next_saddle(s, k1, k2, c, low, high)
    top = np.maximum(log_miss, log_hit + s)
    miss, hit = np.exp(log_miss - top), np.exp(log_hit + s - top)
    whole = miss + hit
    log_g = (times * (top + np.log(whole))).sum()
    n_points = first_n_points(math.sqrt(k2), max(0.0, mean - c))
    while n_points <= MAX_POINTS:
        log_abs, phase = _hits_on_circle(miss / whole, hit / whole, times, n_points)
        value, agree = log_tail(log_abs, phase, c, s, log_g)
        if agree:
            return value, True
        n_points *= 2
    return min(0.0, log_g - c * s), False


@kernel
def _hits_on_circle(
    miss: NDArray[np.float64], hit: NDArray[np.float64], times: NDArray[np.int64], n_points: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return log modulus and argument of the product of (miss + hit z)**times at half a circle of points z."""
    half = n_points // 2
    log_abs, phase = np.empty(half + 1), np.empty(half + 1)
    for q in range(half + 1):
        theta = 2.0 * math.pi * q / n_points
        z_re, z_im = math.cos(theta), math.sin(theta)
        re, im = 1.0, 0.0
        for i in range(times.size):
            # no factor is above 1, and a product that underflows is one that would not be counted
            x, y = miss[i] + hit[i] * z_re, hit[i] * z_im
            n = times[i]
            while n > 0:
                if n & 1:
                    re, im = re * x - im * y, re * y + im * x
                n >>= 1
                if n > 0:
                    x, y = x * x - y * y, 2.0 * x * y
            if re * re + im * im < 1e-100:
                break
        size = math.hypot(re, im)
        log_abs[q] = math.log(size) if size > 0.0 else -1e6
        phase[q] = math.atan2(im, re)
    return log_abs, phase


@kernel
def _tilted_moments(
    log_hit: NDArray[np.float64], log_miss: NDArray[np.float64], times: NDArray[np.int64], s: float
) -> tuple[float, float]:
    """Mean and variance of the number of hits when each odds is multiplied by exp(s)."""
    k1 = 0.0
    k2 = 0.0
    for i in range(times.size):
        odds = log_hit[i] + s - log_miss[i]
        p = 1.0 / (1.0 + math.exp(-odds)) if odds > -700.0 else 0.0
        k1 += times[i] * p
        k2 += times[i] * p * (1.0 - p)
    return k1, k2


@kernel
def _next_saddle(s: float, k1: float, k2: float, c: int, low: float, high: float) -> float:
    """Newton's step for log K'(s) = log c, kept inside the bracket."""
    step = 20.0 if k1 < c else -20.0
    if k1 > 0.0 and k2 > 0.0:
        step = (math.log(c) - math.log(k1)) * k1 / k2
    new = s + max(-20.0, min(20.0, step))
    if new <= low or new >= high:
        new = 0.5 * (low + high) if high < np.inf else s + 20.0
    return new


@kernel
def geometric_poisson_log_tail(log_mean: float, overlap: float, c: int) -> float:
    """Return log P(N >= c) of a Poisson number of clumps of geometric size (Polya-Aeppli law).

    Parameters
    ----------
    log_mean : log E[N]
    overlap : chance that an occurrence is followed by an overlapping one, 0 <= overlap < 1
    c : count, >= 1
    """
    log_clumps = log_mean + math.log1p(-overlap)
    clumps = math.exp(log_clumps)
    log_a = math.log(overlap) if overlap > 0.0 else -np.inf
    log_b = math.log1p(-overlap)
    total = -np.inf
    n = c
    while True:
        # P(N = n), summed over the number j of clumps
        term = -np.inf
        for j in range(n if overlap == 0.0 else 1, n + 1):
            x = j * log_clumps - clumps - math.lgamma(j + 1.0) + j * log_b
            if n > j:
                x += (n - j) * log_a + math.lgamma(n + 0.0) - math.lgamma(j + 0.0) - math.lgamma(n - j + 1.0)
            term = _log_add(term, x)
        new = _log_add(total, term)
        if n > clumps / (1.0 - overlap) and term < new - 32.0:
            return min(0.0, new)
        total = new
        n += 1


@kernel
def _log_add(x: float, y: float) -> float:
    """log(exp(x) + exp(y))."""
    if x < y:
        x, y = y, x
    return x if y == -np.inf else x + math.log1p(math.exp(y - x))
