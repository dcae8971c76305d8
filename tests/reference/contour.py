"""Plain twin of `motifdb.kernels.contour`: one frame, one phrase, one rule at a time, in exact fractions."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from statistics import median

from motifdb.config import ContourConfig

Frame = tuple[int, Fraction]
"""Index in the track, and cents."""


@dataclass
class Segment:
    """A stretch held at one level."""

    frames: list[int]
    cents: Fraction


@dataclass
class Phrase:
    """Segments and the symbols between them."""

    segments: list[Segment]
    symbols: list[int] = field(default_factory=list)


def exact(number: float) -> Fraction:
    """What the shortest decimal of a float says."""
    return Fraction(repr(float(number)))


def ref_cents(f0_hz: float) -> Fraction | None:
    """Cents over 440 Hz, rounded to 0.001; None where the frame is unvoiced."""
    if not math.isfinite(f0_hz) or f0_hz < 2.0**-126:
        return None
    return Fraction(round(1_200_000 * math.log2(f0_hz / 440.0)), 1000)


def ref_phrases(cents: list[Fraction | None], hop_s: float, config: ContourConfig) -> list[list[Frame]]:
    """The kept frames of each phrase, filtered."""
    voiced = [(i, c) for i, c in enumerate(cents) if c is not None]
    phrases: list[list[Frame]] = []
    for k, frame in enumerate(voiced):
        if k == 0 or (frame[0] - voiced[k - 1][0] - 1) * hop_s > config.max_rest_s:
            phrases.append([])
        phrases[-1].append(frame)
    kept = []
    for phrase in phrases:
        pieces = [[phrase[0]]]
        for before, after in pairwise(phrase):
            if config.max_jump_cents is not None and abs(after[1] - before[1]) > exact(config.max_jump_cents):
                pieces.append([])
            pieces[-1].append(after)
        joined = [frame for piece in pieces if len(piece) * hop_s >= config.min_piece_s for frame in piece]
        if joined and (joined[-1][0] - joined[0][0] + 1) * hop_s >= config.min_phrase_s:
            kept.append(_median(joined, hop_s, config.median_s))
    return kept


def _median(frames: list[Frame], hop_s: float, median_s: float) -> list[Frame]:
    half = max(0, round((median_s / hop_s - 1) / 2))
    padded = [frames[0][1]] * half + [c for _, c in frames] + [frames[-1][1]] * half
    return [(i, median(padded[k : k + 2 * half + 1])) for k, (i, _) in enumerate(frames)]


def ref_epsilon(frames: list[Frame], epsilon_cents: float) -> list[Segment]:
    """Greedy segments of range at most epsilon."""
    runs = [[frames[0]]]
    for frame in frames[1:]:
        together = [c for _, c in [*runs[-1], frame]]
        if max(together) - min(together) > exact(epsilon_cents):
            runs.append([])
        runs[-1].append(frame)
    return [
        Segment([i for i, _ in run], (max(c for _, c in run) + min(c for _, c in run)) / 2) for run in runs
    ]


def ref_kmeans_segments(frames: list[Frame], centres_cents: tuple[float, ...]) -> list[Segment]:
    """Maximal runs with one nearest centre."""
    centres = [Fraction(round(c * 1000), 1000) for c in centres_cents]
    segments: list[Segment] = []
    for i, cents in frames:
        nearest = min(centres, key=lambda c: (abs(cents - c), c))
        if not segments or segments[-1].cents != nearest:
            segments.append(Segment([], nearest))
        segments[-1].frames.append(i)
    return segments


def ref_symbol(step_cents: Fraction, bounds_cents: tuple[float, ...], bounds_closed: str) -> int:
    """Direction times class of a step."""
    size = abs(step_cents)
    if bounds_closed == "right":
        above = sum(size > exact(b) for b in bounds_cents)
    else:
        above = sum(size >= exact(b) for b in bounds_cents)
    return (1 + above) if step_cents >= 0 else -(1 + above)


def ref_contours(
    f0_hz: list[float], confidence: list[float], hop_s: float, config: ContourConfig
) -> list[Phrase]:
    """Contours of a track, with frame indices in place of times."""
    cents = [ref_cents(f) for f in f0_hz]
    if confidence and config.min_confidence > 0:
        cents = [
            c if sure >= config.min_confidence else None for c, sure in zip(cents, confidence, strict=True)
        ]
    phrases = []
    for frames in ref_phrases(cents, hop_s, config):
        if config.quantiser == "epsilon":
            segments = ref_epsilon(frames, config.epsilon_cents)
        else:
            segments = ref_kmeans_segments(frames, config.centres_cents or ())
        steps = [b.cents - a.cents for a, b in pairwise(segments)]
        if steps:
            symbols = [ref_symbol(s, config.bounds_cents, config.bounds_closed) for s in steps]
            phrases.append(Phrase(segments, symbols))
    return phrases
