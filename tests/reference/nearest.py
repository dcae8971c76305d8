"""The nearest vectors, by the definition."""

from __future__ import annotations

import math
from collections.abc import Sequence


def distance(a: Sequence[float], b: Sequence[float], metric: str) -> float:
    """1 minus the cosine of the angle between two vectors (1 where one is of zeros), or the length of their difference."""
    if metric == "euclidean":
        return math.dist(a, b)
    lengths = math.hypot(*a) * math.hypot(*b)
    return 1.0 if lengths == 0 else 1.0 - math.fsum(x * y for x, y in zip(a, b, strict=True)) / lengths


def nearest(
    query: Sequence[float], vectors: dict[str, Sequence[float]], n: int, metric: str
) -> list[tuple[float, str]]:
    """(distance, name) of the n nearest; of equals the smaller name first."""
    return sorted((distance(query, v, metric), name) for name, v in vectors.items())[:n]
