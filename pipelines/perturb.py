"""Small changes that a motif worth its name should survive: of the quantiser, and of the pitch that it reads.

Each is a pure function of its input, the recording's id and a seed, so a rerun gives the same on every machine.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from motifdb.config import ContourConfig, MiningConfig
from motifdb.kernels.contour import contours
from motifdb.pipelines.records import PitchTrack

CHANGE = 0.1
"""By how much epsilon (or the number of clusters) is changed, up and down."""

JOINED_CENTS = 100.0
"""Neighbouring frames that differ by more are two notes or an octave error: nobody sang the pitch in their middle."""


def changed_quantiser(config: ContourConfig, direction: int) -> ContourConfig | None:
    """The quantiser, coarser (1) or finer (-1) by a tenth; None where there is no such one.

    Epsilon is made larger or smaller; the bounds of the step classes stay. Clusters become fewer or more, by one at
    least, and are to be fitted anew.

    >>> changed_quantiser(ContourConfig(epsilon_cents=60.0), 1).epsilon_cents
    66.0
    >>> changed_quantiser(ContourConfig(quantiser="kmeans", k=24), 1).k
    22
    >>> changed_quantiser(ContourConfig(quantiser="kmeans", k=1), 1) is None
    True
    """
    if config.quantiser == "epsilon":
        return replace(config, epsilon_cents=round(config.epsilon_cents * (1 + direction * CHANGE), 6))
    assert config.k is not None
    k = config.k - direction * max(1, round(config.k * CHANGE))
    return replace(config, k=k, centres_cents=None) if 1 <= k <= 1000 else None


def half_frame_later(track: PitchTrack) -> PitchTrack:
    """The track on a grid that lies half a hop later: between two voiced frames within a semitone the mean of their cents.

    Everywhere else it is the later frame, voiced or not, so that voiced stretches keep their lengths. The last frame has
    no later neighbour and goes.
    """
    f0_hz = np.asarray(track.f0_hz, np.float64)
    before, after = f0_hz[:-1], f0_hz[1:]
    is_voiced = (before > 0) & (after > 0)
    a, b = np.where(is_voiced, before, 440.0), np.where(is_voiced, after, 440.0)
    is_near = is_voiced & (np.abs(1200.0 * np.log2(b / a)) <= JOINED_CENTS)
    moved = np.where(is_near, np.sqrt(a * b), after)
    sure = track.confidence
    if len(sure):
        sure = ((sure[:-1] + sure[1:]) / 2).astype(np.float32)
    return PitchTrack(moved.astype(np.float32), sure, track.hop_s, track.start_s + track.hop_s / 2)


def with_noise(track: PitchTrack, recording_id: str, seed: int, sd_cents: float) -> PitchTrack:
    """The track with Gaussian noise in cents on each voiced frame, drawn for each frame on its own."""
    draw = np.random.default_rng([seed, int(recording_id, 16)]).standard_normal(len(track.f0_hz))
    f0_hz = np.asarray(track.f0_hz, np.float64)
    noisy = np.where(f0_hz > 0, f0_hz * np.exp2(sd_cents * draw / 1200.0), f0_hz)
    return replace(track, f0_hz=noisy.astype(np.float32))


def chance_shift(recording_id: str, rerun: str, seed: int) -> float:
    """How far a rerun's places are turned round the recording to see what chance confirms: 0.1 to 0.9 of its length."""
    words = [seed, int(recording_id, 16), *rerun.encode()]
    return float(np.random.default_rng(words).uniform(0.1, 0.9))


def mined_places(
    track: PitchTrack, contour: ContourConfig, mining: MiningConfig
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Start, end and motif number of every place of every motif that a pitch track has, as ingest would find them.

    Raises
    ------
    UsageError
        where the track repeats itself more than mining can list.
    """
    from motifdb.mining.arrays import mine
    from motifdb.pipelines.motif_rows import MOST_OCCURRENCES, MOST_PATTERNS

    phrases = contours(track.f0_hz, track.confidence, track.hop_s, track.start_s, contour)
    n_phrases = phrases.n_phrases
    found = mine(
        phrases.symbols,
        phrases.symbol_offsets,
        None,
        max_gap=mining.max_gap,
        min_support=mining.least_support(n_phrases, 1),
        support=mining.support,
        min_length=mining.min_length,
        max_length=mining.max_length,
        max_patterns=MOST_PATTERNS,
        max_occurrences=MOST_OCCURRENCES,
    )
    # symbol i of a phrase stands between its segments i and i + 1
    segment = phrases.segment_offsets[found.occurrence_sequence]
    start_s = phrases.segment_start_s[segment + found.occurrence_first]
    end_s = phrases.segment_end_s[segment + found.occurrence_last + 1]
    is_kept = _is_kept(found.occurrence_pattern, end_s - start_s, len(found), mining)
    at = np.flatnonzero(is_kept[found.occurrence_pattern])
    number = np.cumsum(is_kept) - 1
    return start_s[at], end_s[at], number[found.occurrence_pattern[at]]


def _is_kept(
    pattern: NDArray[np.int64], duration_s: NDArray[np.float64], n_patterns: int, mining: MiningConfig
) -> NDArray[np.bool_]:
    """Whether the median place of each pattern (the lower of two middle ones) lasts as long as asked."""
    n_each = np.bincount(pattern, minlength=n_patterns)
    ordered = duration_s[np.lexsort((duration_s, pattern))]
    median_s = ordered[np.cumsum(n_each) - n_each + (n_each - 1) // 2]
    longest_s = np.inf if mining.max_duration_s is None else mining.max_duration_s
    kept: NDArray[np.bool_] = (median_s >= mining.min_duration_s) & (median_s <= longest_s)
    return kept
