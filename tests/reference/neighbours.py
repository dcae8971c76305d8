"""Plain figures of vectors: loops over questions, neighbours, ranks, thresholds and pairs."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

Vector = Sequence[float]


def squared(a: Vector, b: Vector) -> float:
    return sum((x - y) ** 2 for x, y in zip(a, b, strict=True))


def candidates(i: int, label: Sequence[str | None], key: Sequence[object]) -> list[int]:
    """Who may be a neighbour of i."""
    return [j for j in range(len(label)) if j != i and label[j] is not None and key[j] != key[i]]


def questions(label: Sequence[str | None], key: Sequence[object]) -> list[int]:
    """Who can be found again."""
    return [
        i
        for i, own in enumerate(label)
        if own is not None and any(label[j] == own for j in candidates(i, label, key))
    ]


def vote(
    i: int, vectors: Sequence[Vector], label: Sequence[str | None], key: Sequence[object], k: int
) -> str | None:
    """What the k nearest say: the most frequent label, of equals the one with the nearest vector."""
    near = sorted(candidates(i, label, key), key=lambda j: (squared(vectors[i], vectors[j]), j))[:k]
    said = [label[j] for j in near]
    return max(said, key=lambda one: (said.count(one), -said.index(one)))


def knn(vectors: Sequence[Vector], label: Sequence[str | None], key: Sequence[object], k: int) -> list[bool]:
    """For every question, whether the vote is right."""
    return [vote(i, vectors, label, key, k) == label[i] for i in questions(label, key)]


def ranking(distance: Sequence[float], is_relevant: Sequence[bool]) -> tuple[float, float, bool]:
    """Average precision, area under the curve (equal distances half), whether the first is relevant."""
    order = sorted(range(len(distance)), key=lambda j: (distance[j], j))
    n_seen, total = 0, 0.0
    for rank, j in enumerate(order, start=1):
        if is_relevant[j]:
            n_seen += 1
            total += n_seen / rank
    right = [d for d, r in zip(distance, is_relevant, strict=True) if r]
    wrong = [d for d, r in zip(distance, is_relevant, strict=True) if not r]
    area = sum((a < b) + 0.5 * (a == b) for a in right for b in wrong) / (len(right) * len(wrong))
    return total / n_seen, area, is_relevant[order[0]]


def rates(
    distance: Sequence[float], same: Sequence[bool], weight: Sequence[float]
) -> list[tuple[float, float]]:
    """Share of different pairs that are accepted and of same pairs that are refused, at each threshold, from none on."""
    points = []
    total = {s: sum(w for w, own in zip(weight, same, strict=True) if own is s) for s in (True, False)}
    for threshold in [float("-inf"), *sorted(set(distance))]:
        taken = dict.fromkeys((True, False), 0.0)
        for d, s, w in zip(distance, same, weight, strict=True):
            taken[s] += w * (d <= threshold)
        points.append((taken[False] / total[False], 1.0 - taken[True] / total[True]))
    return points


def eer(distance: Sequence[float], same: Sequence[bool], weight: Sequence[float] | None = None) -> float:
    """Where both rates are equal on the line between two thresholds."""
    points = rates(distance, same, [1.0] * len(same) if weight is None else weight)
    for (fa, fr), (fa_next, fr_next) in pairwise(points):
        if fa_next >= fr_next:
            gap, gap_next = fa - fr, fa_next - fr_next
            part = -gap / (gap_next - gap)
            return fa + part * (fa_next - fa)
    raise AssertionError("the last threshold accepts everything")
