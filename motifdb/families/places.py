"""Where each seed is sung again: every place within the threshold, then the nearest that do not overlap."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from motifdb.families.config import FamiliesConfig
from motifdb.families.melody import Melody
from motifdb.kernels.dtw_banded import (
    REST,
    band_frames,
    envelope,
    near_rest,
    pick_apart,
    places_within,
    window_medians,
)

_NOISE_PLACES = 500
_LEAST_NOISE_CENTS = 10.0
"""Half a comma: a seed this near to most of its scope, or to one note, is no melody of its own."""


@dataclass(frozen=True)
class Places:
    """Where one seed is sung, itself first, then by distance; no two overlap.

    Attributes
    ----------
    first : int64, shape (n_places,), first frame
    distance_cents : float64, as many
    n_frames : their common length
    noise_cents : the seed's noise
    threshold_cents : the largest distance that was let in
    """

    first: NDArray[np.int64]
    distance_cents: NDArray[np.float64]
    n_frames: int
    noise_cents: float
    threshold_cents: float


def places_of_seeds(melody: Melody, seeds: NDArray[np.int64], config: FamiliesConfig) -> Iterator[Places]:
    """The places of each seed, in the seeds' order.

    A place is as long as its seed. Of places that overlap the nearest stays, the earlier of two as near.
    """
    by_length: dict[int, _Search] = {}
    for first, n_frames in seeds.tolist():
        if n_frames not in by_length:
            by_length[n_frames] = _Search(melody, n_frames, config)
        yield by_length[n_frames].places(first)


class _Search:
    """What all seeds of one length share."""

    def __init__(self, melody: Melody, n_frames: int, config: FamiliesConfig) -> None:
        self.line, self.n, self.config = melody.cents, n_frames, config
        self.band = band_frames(n_frames, config.band)
        self.low, self.high = envelope(self.line, self.band)
        self.has_rest = near_rest(self.line, self.band)
        step = round(config.step_s / config.frame_s)
        starts = [
            np.arange(a, a + size - n_frames + 1, step, dtype=np.int64)
            for a, size in zip(melody.offsets[:-1].tolist(), melody.n_frames.tolist(), strict=True)
        ]
        self.n_sung = np.concatenate(([0], np.cumsum(melody.cents != REST)))
        self.starts = np.concatenate(starts) if starts else np.empty(0, dtype=np.int64)
        self.shifts = np.zeros(self.starts.size, dtype=np.int64)
        self.medians: NDArray[np.int32] | None = None
        if config.max_transposition_cents > 0:
            self.medians = window_medians(self.line, self.starts, n_frames)

    def places(self, first: int) -> Places:
        """Places within the threshold of the stretch that begins at frame `first`, of overlapping ones the nearest."""
        query = self.line[first : first + self.n]
        starts, shifts = self.starts, self.shifts
        if self.medians is not None:
            own = window_medians(self.line, np.array([first]), self.n)[0]
            shifts = self.medians.astype(np.int64) - np.int64(own)
            is_near = np.abs(shifts) <= self.config.max_transposition_cents
            is_near &= (self.medians != REST) & (own != REST)
            starts, shifts = starts[is_near], shifts[is_near]
        noise_cents = self._noise_cents(query, first, starts, shifts)
        threshold_cents = self.config.threshold_cents or self.config.threshold * noise_cents
        is_held = noise_cents < _LEAST_NOISE_CENTS  # everything resembles everything
        if is_held or not self._is_sung(np.array([first]))[0] or _is_one_note(query):
            return Places(np.array([first]), np.zeros(1), self.n, noise_cents, threshold_cents)
        limit = np.int64(threshold_cents * 2 * self.n)
        found, totals, _ = places_within(
            query, self.line, starts, shifts, self.band, self.config.cap_cents, limit,
            self.low, self.high, self.has_rest, True,
        )  # fmt: skip
        sung = self._is_sung(starts[found])
        kept, kept_totals = pick_apart(first, starts[found][sung], totals[sung], self.n)
        return Places(kept, kept_totals / (2.0 * self.n), self.n, noise_cents, threshold_cents)

    def _is_sung(self, starts: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Where at least half of the frames are sung: silences are alike, and variants of nothing."""
        n_sung = self.n_sung[starts + self.n] - self.n_sung[starts]
        return np.asarray(2 * n_sung >= self.n)

    def _noise_cents(
        self, query: NDArray[np.int32], first: int, starts: NDArray[np.int64], shifts: NDArray[np.int64]
    ) -> float:
        """How near the seed comes to places that have nothing to do with it: at most 500, evenly chosen.

        Never less than 0.4 of their median: in a short recording the repeats themselves may reach the quantile.
        """
        is_other = np.flatnonzero(np.abs(starts - first) >= self.n)
        if not is_other.size:
            return 0.0
        chosen = is_other[
            np.unique(np.linspace(0, is_other.size - 1, _NOISE_PLACES).round().astype(np.int64))
        ]
        _, totals, _ = places_within(
            query, self.line, starts[chosen], shifts[chosen], self.band, self.config.cap_cents, np.int64(2**60),
            self.low, self.high, self.has_rest, False,
        )  # fmt: skip
        low, median = np.quantile(totals / (2.0 * self.n), [self.config.noise_quantile, 0.5])
        return float(max(low, 0.4 * median))


def _is_one_note(query: NDArray[np.int32]) -> bool:
    """Whether a stretch stays by its median: then where it rests is all that tells it from another."""
    sung = query[query != REST].astype(np.float64)
    return bool(np.abs(sung - np.median(sung)).mean() < _LEAST_NOISE_CENTS)
