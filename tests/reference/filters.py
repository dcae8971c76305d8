"""Filters by their definitions: every pattern is held against every other one."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

from tests.reference.mining import Pattern, ref_mine


def is_part(short: Pattern, long: Pattern) -> bool:
    """Whether one pattern stands in the other without a gap."""
    n = len(short)
    return any(long[i : i + n] == short for i in range(len(long) - n + 1))


def is_subsequence(short: Pattern, long: Pattern) -> bool:
    rest = iter(long)
    return all(x in rest for x in short)


def ref_maximal(
    database: Sequence[Sequence[int]],
    groups: Sequence[int] | None,
    *,
    max_gap: int | None,
    min_support: int,
    support: str,
    min_length: int = 1,
    max_length: int | None = None,
) -> list[Pattern]:
    """Frequent patterns without a frequent super-pattern, of admissible length, in order."""
    frequent, _ = ref_mine(
        database, groups, max_gap=max_gap, min_support=min_support, support=support, closed="none"
    )
    holds = is_subsequence if max_gap is None else is_part
    return [
        p
        for p in frequent
        if min_length <= len(p) <= (max_length or len(p))
        and not any(q != p and holds(p, q) for q in frequent)
    ]


def ref_insertion(supports: Mapping[Pattern, int]) -> list[Pattern]:
    """Patterns without a proper super-sequence of equal support among them."""
    return [
        p
        for p, n in supports.items()
        if not any(q != p and supports[q] == n and is_subsequence(p, q) for q in supports)
    ]


def ref_durations(
    spans: Sequence[tuple[int, int, int]],
    start_s: Sequence[Sequence[float]],
    end_s: Sequence[Sequence[float]],
) -> tuple[float, list[tuple[float, float]]]:
    """Median duration and times of occurrences (sequence, first, last); segments are given by sequence."""
    times = [(start_s[s][first], end_s[s][last + 1]) for s, first, last in spans]
    return statistics.median_low(b - a for a, b in times), times


def ref_top(surprise_bits: Sequence[float], k: int) -> list[int]:
    """Rows of the k largest, the first of equal ones, ascending; unknown (NaN) below all."""
    ranking = sorted(
        range(len(surprise_bits)),
        key=lambda i: (-(surprise_bits[i] if surprise_bits[i] == surprise_bits[i] else float("-inf")), i),
    )
    return sorted(ranking[:k])
