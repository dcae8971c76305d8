"""Plain twins of `motifdb.kernels.kmeans`, in whole numbers and fractions."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations

from tests.reference.contour import ref_cents


def ref_histogram(f0_hz: list[float]) -> dict[int, int]:
    """Frames in each whole cent, -6000 to 6000; halves go up."""
    counts: dict[int, int] = {}
    for f in f0_hz:
        cents = ref_cents(f)
        if cents is not None:
            b = min(6000, max(-6000, (cents + Fraction(1, 2)).__floor__()))
            counts[b] = counts.get(b, 0) + 1
    return counts


def ref_cost(values: list[int], weights: list[int]) -> Fraction:
    """Sum of squared distances from the mean."""
    mean = Fraction(sum(v * w for v, w in zip(values, weights, strict=True)), sum(weights))
    return sum((w * (v - mean) ** 2 for v, w in zip(values, weights, strict=True)), Fraction(0))


def ref_total(values: list[int], weights: list[int], starts: list[int]) -> Fraction:
    """Cost of a clustering of sorted values, given where its clusters begin."""
    ends = [*starts[1:], len(values)]
    return sum((ref_cost(values[a:b], weights[a:b]) for a, b in zip(starts, ends, strict=True)), Fraction(0))


def ref_best_cost(values: list[int], weights: list[int], k: int) -> Fraction:
    """Least cost of k clusters: every last cluster of every beginning, O(k n^2) of them."""
    n = len(values)
    cost = {(i, j): ref_cost(values[i:j], weights[i:j]) for i in range(n) for j in range(i + 1, n + 1)}
    best = {j: cost[0, j] for j in range(1, n + 1)}
    for c in range(2, k + 1):
        best = {j: min(best[i] + cost[i, j] for i in range(c - 1, j)) for j in range(c, n + 1)}
    return best[n]


def ref_brute_cost(values: list[int], weights: list[int], k: int) -> Fraction:
    """Least cost over every way to cut the sorted values."""
    return min(ref_total(values, weights, [0, *cuts]) for cuts in combinations(range(1, len(values)), k - 1))
