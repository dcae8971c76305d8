"""From places to families: the strongest seed first, each stretch of melody once.

The strength of a seed is the sum over its places of ``1 - distance / (2 threshold)``, times the share of its places' ends
that lie at a rest. The strongest seed's places become a family; a place of another seed that shares more than `max_overlap` of
both durations with a place of a family is lost to that seed, whose strength falls; and so on.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from motifdb.families.config import FamiliesConfig
from motifdb.families.melody import Melody
from motifdb.families.places import Places


def rest_evidence(melody: Melody, config: FamiliesConfig) -> NDArray[np.float64]:
    """1 for each frame within `edge_s` of a rest, else 0.

    Returns
    -------
    float64, shape (n_frames + 1,); entry i is the border before frame i
    """
    reach = config.edge_s / config.frame_s
    evidence = np.zeros(melody.cents.size + 1)
    for start, end in zip(melody.rest_start, melody.rest_end, strict=True):
        evidence[max(0, int(np.ceil(start - reach - 1e-9))) : int(end + reach + 1e-9) + 1] = 1.0
    return evidence


def group(
    melody: Melody, places: Iterable[Places], threshold_cents: float, config: FamiliesConfig
) -> list[Places]:
    """The families' places, strongest first."""
    evidence = rest_evidence(melody, config)
    found = [p for p in places if p.first.size >= config.min_members]
    weights = [_weights(p, evidence, threshold_cents) for p in found]
    kept = [np.ones(p.first.size, dtype=np.bool_) for p in found]
    heap = [(-float(w.sum()), k, 0) for k, w in enumerate(weights)]
    heapq.heapify(heap)
    families: list[Places] = []
    taken = _Taken(melody.cents.size, config)
    while heap:
        strength, k, version = heapq.heappop(heap)
        place = found[k]
        if version < len(families):  # others have taken places since: weigh again before believing it
            kept[k] &= ~taken.covers(place)
            if np.count_nonzero(kept[k]) >= config.min_members:
                heapq.heappush(heap, (-float(weights[k][kept[k]].sum()), k, len(families)))
            continue
        if strength >= 0:
            break
        family = Places(place.first[kept[k]], place.distance_cents[kept[k]], place.n_frames)
        taken.add(family)
        families.append(family)
    return families


def _weights(places: Places, evidence: NDArray[np.float64], threshold_cents: float) -> NDArray[np.float64]:
    ends = 0.5 * (evidence[places.first].mean() + evidence[places.first + places.n_frames].mean())
    closeness = 1.0 - 0.5 * places.distance_cents / threshold_cents
    return closeness * ends  # type: ignore[no-any-return]


class _Taken:
    """Spans that belong to a family, by first frame."""

    def __init__(self, n_frames: int, config: FamiliesConfig) -> None:
        self.share = config.max_overlap
        self.longest = round(config.max_duration_s / config.frame_s)
        self.first = np.empty(0, dtype=np.int64)
        self.end = np.empty(0, dtype=np.int64)

    def add(self, places: Places) -> None:
        first = np.concatenate([self.first, places.first])
        end = np.concatenate([self.end, places.first + places.n_frames])
        order = np.argsort(first, kind="stable")
        self.first, self.end = first[order], end[order]

    def covers(self, places: Places) -> NDArray[np.bool_]:
        """Which places share more than the allowed part of both durations with a span."""
        out = np.zeros(places.first.size, dtype=np.bool_)
        for k, first in enumerate(places.first.tolist()):
            end = first + places.n_frames
            a, b = np.searchsorted(self.first, [first - self.longest, end])
            common = np.minimum(self.end[a:b], end) - np.maximum(self.first[a:b], first)
            longer = np.maximum(self.end[a:b] - self.first[a:b], places.n_frames)
            out[k] = bool(np.any(common > self.share * longer))
        return out
