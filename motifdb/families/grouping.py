"""From places to families: the strongest seed first, each stretch of melody once, phrases inside phrases.

The strength of a seed is the sum over its places of ``1 - distance / (2 threshold)``, times its noise, times the square root of its
duration, times the square of how surely its places begin and end at phrase boundaries: the mean evidence at their ends
less 0.3 times the greatest mean evidence more than 0.6 s inside. The strongest seed's places become a family. A place of
another seed is lost to that seed, whose strength falls, when it is the same stretch as a place of a family (it shares more
than `max_overlap` of both durations) or straddles its end (it overlaps by more than `slack_s`, and neither contains the other).
What is contained stays: a phrase may hold a shorter one. Where a recording has a clear metre, seeds do not compete at all
whose places begin and end at boundaries less sure than `min_boundary`, by rests alone as by rests and metre together.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from motifdb.families.config import FamiliesConfig
from motifdb.families.melody import Melody
from motifdb.families.places import Places
from motifdb.kernels.boundaries import (
    border_profile,
    clashes,
    metre_frames,
    metrical_evidence,
    rest_evidence,
    running_extreme,
)

_CLEAR_METRE = 0.05
_N_PERIODS = 6
_DECAY = 0.85
_SLACK_S = 0.1
_INSIDE_S = 0.6
_INSIDE_WEIGHT = 0.3


@dataclass(frozen=True)
class Evidence:
    """How surely each border between frames is a boundary of a phrase, 0 to 1.

    Attributes
    ----------
    mixed : float64, shape (n_frames + 1,), by rests and metre
    rests : float64, as long, by rests alone
    is_metrical : bool, shape (n_tracks,), whether the track's metre was heard
    """

    mixed: NDArray[np.float64]
    rests: NDArray[np.float64]
    is_metrical: NDArray[np.bool_]


def boundary_evidence(melody: Melody, config: FamiliesConfig) -> Evidence:
    """How surely each border between frames is a boundary of a phrase, 0 to 1.

    ``(1 - metre)`` parts are rests, `metre` parts rests that come back with the recording's metre; the former alone where a
    recording has no clear metre.
    """
    is_metrical = np.zeros(melody.n_frames.size, dtype=np.bool_)
    mixed = np.zeros(melody.cents.size + 1)
    alone = np.zeros(melody.cents.size + 1)
    slack = round(_SLACK_S / config.frame_s)
    rests = np.column_stack([melody.rest_start, melody.rest_end])
    for track, n in enumerate(melody.n_frames.tolist()):
        first = int(melody.offsets[track])
        own = (rests[:, 0] >= first) & (rests[:, 0] <= first + n)
        evidence = rest_evidence(rests[own] - first, n, config.frame_s)
        alone[first : first + n + 1] = running_extreme(evidence, slack, True)
        period, clearness = metre_frames(melody.cents[first : first + n], config.frame_s)
        if config.metre > 0 and clearness >= _CLEAR_METRE:
            metrical = metrical_evidence(evidence, period, _N_PERIODS, _DECAY, slack)
            evidence = (1 - config.metre) * evidence + config.metre * metrical
            is_metrical[track] = True
        mixed[first : first + n + 1] = running_extreme(evidence, slack, True)
    return Evidence(mixed, alone, is_metrical)


def group(melody: Melody, places: Sequence[Places], config: FamiliesConfig) -> list[Places]:
    """The families' places, strongest first."""
    evidence = boundary_evidence(melody, config)
    found = [
        p for p in places if p.first.size >= config.min_members and _is_phrase(p, melody, evidence, config)
    ]
    weights = [_weights(p, evidence.mixed, config) for p in found]
    kept = [np.ones(p.first.size, dtype=np.bool_) for p in found]
    heap = [(-float(w.sum()), k, 0) for k, w in enumerate(weights)]
    heapq.heapify(heap)
    families: list[Places] = []
    taken_first = taken_end = np.empty(0, dtype=np.int64)
    longest = max((p.n_frames for p in found), default=0)
    slack = config.slack_s / config.frame_s
    while heap:
        strength, k, version = heapq.heappop(heap)
        if strength >= 0:
            break
        place = found[k]
        if version < len(families):  # others have taken places since: weigh again before believing it
            kept[k] &= ~clashes(
                place.first, place.n_frames, taken_first, taken_end, longest, config.max_overlap, slack
            )
            if np.count_nonzero(kept[k]) >= config.min_members:
                heapq.heappush(heap, (-float(weights[k][kept[k]].sum()), k, len(families)))
            continue
        family = Places(
            place.first[kept[k]],
            place.distance_cents[kept[k]],
            place.n_frames,
            place.noise_cents,
            place.threshold_cents,
        )
        families.append(family)
        taken_first = np.concatenate([taken_first, family.first])
        taken_end = np.concatenate([taken_end, family.first + family.n_frames])
        order = np.argsort(taken_first, kind="stable")
        taken_first, taken_end = taken_first[order], taken_end[order]
    return families


def _is_phrase(places: Places, melody: Melody, evidence: Evidence, config: FamiliesConfig) -> bool:
    """Whether a seed's places begin and end surely enough, on the mean; without a metre there is no telling."""
    if not evidence.is_metrical[np.searchsorted(melody.offsets, places.first[0], side="right") - 1]:
        return True
    end = places.first + places.n_frames
    sure = max(0.5 * float(e[places.first].mean() + e[end].mean()) for e in (evidence.mixed, evidence.rests))
    return sure >= config.min_boundary


def _weights(places: Places, evidence: NDArray[np.float64], config: FamiliesConfig) -> NDArray[np.float64]:
    """What each place adds to its seed's strength."""
    profile = border_profile(evidence, places.first, places.n_frames)
    inside = round(_INSIDE_S / config.frame_s)
    within = profile[inside:-inside] if profile.size > 2 * inside else np.zeros(1)
    ends = max(0.0, 0.5 * (profile[0] + profile[-1]) - _INSIDE_WEIGHT * float(within.max()))
    closeness = 1.0 - 0.5 * places.distance_cents / places.threshold_cents
    scale = places.noise_cents * np.sqrt(places.n_frames) * ends**2
    return closeness * scale  # type: ignore[no-any-return]
