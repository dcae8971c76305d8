"""Pitch over time as pictures take it, and the notes and extents of their axes.

**Conventions**: 0 Hz is unvoiced and breaks the line; cents are over A4 = 440 Hz; times are seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_NAMES = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
_LINK_S = 0.3  # a shorter gap is a consonant: a thin line leads over it


@dataclass(frozen=True)
class Segments:
    """Stretches of steady pitch, in order of time.

    Attributes
    ----------
    start_s, end_s : float64, shape (n,), seconds
    cents : float64, shape (n,), level over 440 Hz
    symbols : the step class from each segment to the next; NaN-free, 0 where a phrase ends between them, shape (n - 1,)
    """

    start_s: NDArray[np.float64]
    end_s: NDArray[np.float64]
    cents: NDArray[np.float64]
    symbols: NDArray[np.int64]

    def __post_init__(self) -> None:
        if not self.start_s.shape == self.end_s.shape == self.cents.shape:
            raise ValueError("start, end and cents of segments must be lists of one length")
        if self.symbols.size != max(0, self.start_s.size - 1):
            raise ValueError(f"{self.start_s.size} segments have one symbol less, got {self.symbols.size}")

    def __len__(self) -> int:
        return int(self.start_s.size)


@dataclass(frozen=True)
class PitchCurve:
    """Pitch over time: a whole recording, or the stretch where a motif occurs.

    Attributes
    ----------
    times_s : float64, shape (n_frames,), seconds, ascending
    f0_hz : shape (n_frames,), Hz, 0 where unvoiced
    label : what a legend calls it
    segments : its steady stretches, where they are known
    """

    times_s: NDArray[np.float64]
    f0_hz: NDArray[Any]
    label: str = ""
    segments: Segments | None = None

    def __post_init__(self) -> None:
        if self.times_s.shape != self.f0_hz.shape or self.times_s.ndim != 1:
            raise ValueError(
                f"times {self.times_s.shape} and f0 {self.f0_hz.shape} must be lists of one length"
            )

    @property
    def cents(self) -> NDArray[np.float64]:
        """Cents over 440 Hz, NaN where unvoiced."""
        voiced = self.f0_hz > 0
        return np.where(voiced, 1200.0 * np.log2(np.where(voiced, self.f0_hz, 440.0) / 440.0), np.nan)

    def between(self, start_s: float, end_s: float, label: str = "") -> PitchCurve:
        """The stretch from one time to another, without its segments."""
        first, last = np.searchsorted(self.times_s, (start_s, end_s))
        return PitchCurve(self.times_s[first:last], self.f0_hz[first:last], label)


def note_name(cents: float) -> str:
    """Nearest note of the equal-tempered scale.

    >>> note_name(0.0), note_name(-900.0), note_name(-951.0)
    ('A4', 'C4', 'B3')
    """
    semitone = round(cents / 100.0) + 69
    return f"{_NAMES[semitone % 12]}{semitone // 12 - 1}"


def note_ticks(low_cents: float, high_cents: float, most: int = 6) -> list[float]:
    """At most so many notes inside the range, evenly spaced and on C, D, E, ... where the step allows.

    >>> [note_name(t) for t in note_ticks(-1000.0, 300.0)]
    ['C4', 'Eb4', 'F#4', 'A4', 'C5']
    """
    low, high = int(np.ceil(low_cents / 100.0)), int(np.floor(high_cents / 100.0))
    step = next((s for s in (1, 2, 3, 4, 6, 12, 24) if (high - low) / s <= most), 48)
    # 3 semitones over A is C: steps of 12 then fall on C.
    return [100.0 * s for s in range(low, high + 1) if (s - 3) % step == 0]


def extent(cents: NDArray[np.float64]) -> tuple[float, float]:
    """Lowest and highest pitch to show: all of it, but for glitches far outside of what is sung.

    A tracker's slips down to its lowest frequency would else press the melody into a line.

    >>> extent(np.r_[np.linspace(0.0, 1000.0, 101), -4000.0])
    (-641.2, 1000.0)
    """
    low, high = np.percentile(cents, (5, 95))
    reach = 0.75 * max(float(high - low), 200.0)
    return round(max(float(cents.min()), float(low) - reach), 1), round(
        min(float(cents.max()), float(high) + reach), 1
    )


def link(
    axis: Any, times_s: NDArray[np.float64], x: NDArray[np.float64], cents: NDArray[np.float64], colour: str
) -> None:
    """Thin lines over the short gaps between voiced frames, so that the eye follows the melody."""
    voiced = np.flatnonzero(~np.isnan(cents))
    before, after = voiced[:-1], voiced[1:]
    short = (after - before > 1) & (times_s[after] - times_s[before] <= _LINK_S)
    ends = np.stack((before[short], after[short]))
    if ends.size:
        axis.plot(x[ends], cents[ends], color=colour, linewidth=0.5, alpha=0.45)


def symbol_text(symbol: int) -> str:
    """A step class as contours are written; the minus is a real one, as wide as the plus.

    >>> symbol_text(2), symbol_text(-1)
    ('+2', '−1')
    """
    return f"{symbol:+d}".replace("-", "−")


def joined_spans(spans: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Start and end of what spans cover together.

    >>> joined_spans([(4.0, 5.0), (0.0, 2.0), (1.0, 3.0)])
    [(0.0, 3.0), (4.0, 5.0)]
    """
    joined: list[tuple[float, float]] = []
    for start_s, end_s in sorted(spans):
        if joined and start_s <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end_s))
        else:
            joined.append((start_s, end_s))
    return joined
