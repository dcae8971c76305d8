"""What a caller may give as a melody and as a range of tempi, and how SQL carries them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from motifdb.errors import UsageError


class Melody(Protocol):
    """A stretch of pitch, such as `motifdb.pipelines.humming.read_hum` gives."""

    @property
    def cents(self) -> NDArray[np.float64]:
        """Over 440 Hz, of the voiced frames, joined."""

    @property
    def hop_s(self) -> float:
        """Seconds between them."""


@dataclass(frozen=True)
class Bound:
    """A melody that came as a value of SQL."""

    cents: NDArray[np.float64]
    hop_s: float


def melody_of(value: Any) -> Bound:
    """A melody from a struct of `cents` (a list) and `hop_s`, as SQL carries it.

    Raises
    ------
    UsageError
        for anything else.
    """
    if not isinstance(value, Mapping) or set(value) != {"cents", "hop_s"}:
        raise UsageError(
            'hum_search takes a melody: bind one, as in motifdb sql --bind q=hum.wav "from hum_search($q)"'
        )
    try:
        cents, hop_s = np.asarray(value["cents"], np.float64), float(value["hop_s"])
    except (TypeError, ValueError):
        raise UsageError("the melody of hum_search is a list of cents and the seconds between them") from None
    if not (hop_s > 0 and np.isfinite(hop_s)):
        raise UsageError(f"the frames of a melody are more than 0 s apart, not {hop_s}")
    return Bound(cents, hop_s)


def tempo_of(text: str) -> bool | tuple[float, float]:
    """A range of tempo ratios from a text: ``free``, ``same``, or two numbers.

    Raises
    ------
    UsageError
        for anything else.

    >>> tempo_of("free"), tempo_of("same"), tempo_of("0.5-2")
    (True, False, (0.5, 2.0))
    """
    if text in ("free", "same"):
        return text == "free"
    low, dash, high = text.partition("-")
    try:
        return float(low), float(high if dash else low)
    except ValueError:
        raise UsageError(f"a tempo is free, same, or a range of ratios such as 0.5-2, not {text!r}") from None
