"""What is exported: a recording with its pitch, phrases and patterns, as plain typed values.

**Conventions.** Times are seconds from the start of the recording. Pitch is cents over 440 Hz as in the tables; `midi_of`
gives fractional MIDI numbers, 69 for 440 Hz. A pattern is a motif or a family; a place is where it sounds; its notes are
the contour segments there. Patterns are numbered from 1, the strongest first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

A4_HZ = 440.0
A4_MIDI = 69.0


class Note(NamedTuple):
    """A contour segment: when it sounds, and its level in cents over 440 Hz."""

    start_s: float
    end_s: float
    cents: float


@dataclass(frozen=True)
class Phrase:
    """A phrase: its symbols, and its notes, one more than those."""

    id: str
    start_s: float
    end_s: float
    symbols: tuple[int, ...]
    notes: tuple[Note, ...]

    @property
    def contour(self) -> str:
        """The symbols as text."""
        return " ".join(f"{s:+d}" for s in self.symbols)


class Place(NamedTuple):
    """Where a pattern sounds; `facts` are columns of its row that not every pattern has."""

    start_s: float
    end_s: float
    notes: tuple[Note, ...] = ()
    facts: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class Pattern:
    """A motif or a family in one recording.

    Attributes
    ----------
    kind : motif or family
    id : motif_id or family_id
    name : the contour of a motif; ``family`` and the beginning of the id
    facts : columns of its row
    places : where it sounds in this recording, by time; at least one
    """

    kind: str
    id: str
    name: str
    facts: Mapping[str, Any]
    places: tuple[Place, ...]

    @property
    def label(self) -> str:
        """Name and the beginning of the id: one line that tells it from every other."""
        return f"{self.name} ({self.id[:8]})" if self.kind == "motif" else self.name


@dataclass(frozen=True, eq=False)
class Curve:
    """Fundamental frequency: float64 times, float32 Hz (0 unvoiced), float32 confidence (empty where there is none)."""

    tracker: str
    hop_s: float
    times_s: NDArray[np.float64]
    f0_hz: NDArray[np.float32]
    confidence: NDArray[np.float32]

    @property
    def is_voiced(self) -> NDArray[np.bool_]:
        """Of each frame."""
        return np.asarray(self.f0_hz > 0, np.bool_)


@dataclass(frozen=True, eq=False)
class Recording:
    """A recording and what was found in it.

    Attributes
    ----------
    stem : a name for its files, different for every recording of an export
    paths : of the files that hold it, sorted
    labels : by name every value that its files give
    curve : None where a format has no use for it, or there is none
    """

    id: str
    stem: str
    paths: tuple[str, ...]
    kind: str
    duration_s: float
    sample_rate_hz: int | None
    labels: Mapping[str, tuple[str, ...]]
    corpus: str
    source: str
    curve: Curve | None = None
    phrases: Sequence[Phrase] = ()
    patterns: Sequence[Pattern] = ()

    @property
    def end_s(self) -> float:
        """The end of the recording, or of what was found in it where that is later by rounding."""
        ends = [p.end_s for p in self.phrases[-1:]]
        ends += [place.end_s for pattern in self.patterns for place in pattern.places]
        if self.curve is not None and len(self.curve.times_s):
            ends.append(float(self.curve.times_s[-1]) + self.curve.hop_s)
        return max([self.duration_s, *ends])

    @property
    def n_places(self) -> int:
        """Places of all patterns."""
        return sum(len(pattern.places) for pattern in self.patterns)

    def label(self, name: str) -> str:
        """The values of a label as one text."""
        return " | ".join(self.labels.get(name, ()))


def midi_of(cents: float, *, is_rounded: bool = False) -> float:
    """MIDI number of cents over 440 Hz, to 0.01 of a cent, or to the semitone.

    >>> midi_of(-30.0), midi_of(-30.0, is_rounded=True)
    (68.7, 69.0)
    """
    midi = A4_MIDI + cents / 100
    return float(round(midi)) if is_rounded else round(midi, 4)


def hz_of(cents: float) -> float:
    """Hz of cents over 440 Hz."""
    return float(A4_HZ * 2 ** (cents / 1200))


def median_cents(f0_hz: NDArray[np.float32]) -> float | None:
    """Median of the voiced frames in cents over 440 Hz; None where no frame is voiced."""
    voiced = f0_hz[f0_hz > 0]
    return float(1200 * np.log2(np.median(voiced) / A4_HZ)) if len(voiced) else None
