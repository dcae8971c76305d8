"""Plain twin of `motifdb.kernels.overlaps`: every pair of spans."""

from __future__ import annotations

Span = tuple[int, float, float]


def most_shared(
    spans: list[Span], others: list[tuple[int, float, float, float]]
) -> list[tuple[float, float, int]]:
    """(share, mutual, best) of each span; an other is (key, start_s, end_s, whole_s), in the order they are numbered."""
    found = []
    for key, start_s, end_s in spans:
        options = []
        for j, (other_key, a, b, whole_s) in enumerate(others):
            shared_s = min(end_s, b) - max(start_s, a)
            if other_key == key and shared_s > 0 and end_s > start_s:
                share, mutual = shared_s / (end_s - start_s), shared_s / max(end_s - start_s, whole_s)
                options.append((share, mutual, -j))
        best = max(options, default=(0.0, 0.0, 1))
        found.append((best[0], max((o[1] for o in options), default=0.0), -best[2]))
    return found
