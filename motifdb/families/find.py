"""From tracks to families of melodic variants; `docs/families.md` tells the steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from motifdb.families.config import FamiliesConfig
from motifdb.families.grouping import group
from motifdb.families.melody import Melody, melody_of
from motifdb.families.model import Candidate, FoundFamily, Member, Track
from motifdb.families.places import Places, places_of_seeds
from motifdb.families.seeds import seeds_between_rests, seeds_from_candidates
from motifdb.kernels.dtw_banded import REST, band_frames, places_within, window_medians

_JUDGES = 300
"""The exemplar of a larger family is the nearest to so many of its members, evenly chosen."""


def find_families(
    tracks: Sequence[Track],
    config: FamiliesConfig | None = None,
    *,
    candidates: Sequence[Candidate] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[FoundFamily]:
    """Group the melodic variants of a scope.

    Parameters
    ----------
    tracks : the recordings among which variants are sought
    config : every parameter; None takes the defaults
    candidates : grow families from these stretches instead of those between two rests
    progress : called with seeds done and seeds in all, about a hundred times

    Returns
    -------
    list of FoundFamily, strongest first; empty where nothing is sung twice

    Raises
    ------
    UsageError
        for a track whose hop is longer than a frame, or a candidate of no track.
    """
    config = FamiliesConfig() if config is None else config
    melody = melody_of(tracks, config)
    if candidates is None:
        seeds = seeds_between_rests(melody, config)
    else:
        seeds = seeds_from_candidates(melody, candidates, config)
    if not len(seeds):
        return []
    every = max(1, len(seeds) // 100)
    places = []
    for k, found in enumerate(places_of_seeds(melody, seeds, config)):
        places.append(found)
        if progress is not None and (k % every == 0 or k + 1 == len(seeds)):
            progress(k + 1, len(seeds))
    if candidates is not None:  # whoever names stretches has judged their ends
        config = replace(config, min_boundary=0.0)
    return [_found(melody, family, config) for family in group(melody, places, config)]


def _found(melody: Melody, family: Places, config: FamiliesConfig) -> FoundFamily:
    """Members by recording and start, with their distances to the exemplar."""
    first = np.sort(family.first)
    n = family.n_frames
    judges = first[np.unique(np.linspace(0, first.size - 1, _JUDGES).round().astype(np.int64))]
    sums = np.zeros(first.size)
    for judge in judges.tolist():
        sums += _to_one(melody, judge, first, n, config)[0]
    exemplar = int(np.argmin(sums))
    distances, shifts = _to_one(melody, int(first[exemplar]), first, n, config)
    tracks = np.searchsorted(melody.offsets, first, side="right") - 1
    start_s = melody.start_s[tracks] + (first - melody.offsets[tracks]) * melody.frame_s
    members = [
        Member(int(t), float(s), float(s + n * melody.frame_s), float(d), float(shift), 1.0)
        for t, s, d, shift in zip(tracks, start_s, distances, shifts, strict=True)
    ]
    return FoundFamily(tuple(members), exemplar, family.threshold_cents)


def _to_one(
    melody: Melody, one: int, first: NDArray[np.int64], n: int, config: FamiliesConfig
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Distance of each member to one of them, and how much higher it is sung."""
    shifts = np.zeros(first.size, dtype=np.int64)
    if config.max_transposition_cents > 0:
        medians = window_medians(melody.cents, first, n).astype(np.int64)
        own = window_medians(melody.cents, np.array([one]), n)[0]
        shifts = np.where((medians == REST) | (own == REST), 0, medians - own)
    empty = np.empty(0, dtype=np.int32)
    _, totals, _ = places_within(
        melody.cents[one : one + n], melody.cents, first, shifts, band_frames(n, config.band),
        config.cap_cents, np.int64(2**60), empty, empty, np.empty(0, dtype=np.bool_), False,
    )  # fmt: skip
    return totals / (2.0 * n), shifts
