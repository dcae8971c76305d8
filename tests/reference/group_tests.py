"""Plain twin of `motifdb.kernels.group_tests`: every sum by hand, every labelling tried."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations


def reached(labels: list[list[int]], there: list[int], group: int, values: dict[int, int]) -> tuple[int, int]:
    """Labellings among some in which a group's sum is at least, and at most, what it is when they are `there`.

    A difference of one for each value is none.
    """

    def total(own: list[int]) -> int:
        return sum(value for unit, value in values.items() if own[unit] == group)

    now, slack = total(there), len(values)
    sums = [total(own) for own in labels]
    return sum(s >= now - slack for s in sums), sum(s <= now + slack for s in sums)


def every_share(held: int, held_all: int, n_group: int, n_units: int) -> tuple[Fraction, Fraction]:
    """P(at least), P(at most) so many of the units that hold something in a group, by trying every group."""
    found = [sum(unit < held_all for unit in chosen) for chosen in combinations(range(n_units), n_group)]
    n = len(found)
    return Fraction(sum(k >= held for k in found), n), Fraction(sum(k <= held for k in found), n)


def every_group(values: list[float], n_group: int) -> list[tuple[float, ...]]:
    """The values of every group of a size."""
    return list(combinations(values, n_group))
