"""Plain twin of `motifdb.kernels.spans`: every pair of places, as the definition says it."""

from __future__ import annotations

from collections.abc import Sequence

SLACK_S = 1e-9

Place = tuple[float, float]


def recurs(motifs: Sequence[Sequence[Place]], rerun: Sequence[Sequence[Place]]) -> list[bool]:
    """For each motif, given by its places, whether one motif of the rerun confirms it."""
    return [any(confirms(other, places) for other in rerun) for places in motifs]


def confirms(other: Sequence[Place], places: Sequence[Place]) -> bool:
    n_held = sum(any(holds(j, i) for j in other) for i in places)
    n_holding = sum(any(holds(j, i) for i in places) for j in other)
    return 2 * n_held > len(places) and 2 * n_holding > len(places)


def holds(j: Place, i: Place) -> bool:
    return min(i[1], j[1]) - max(i[0], j[0]) >= (i[1] - i[0]) / 2 - SLACK_S
