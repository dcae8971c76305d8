"""Quantisers: a phrase's frames become segments, each a stretch held at one level.

Levels are counted in half thousandths of a cent (`half_millicents`): the midpoint of two whole thousandths is a whole
number of them, so that the distance of two levels meets the bounds of the step classes without rounding.

**Registry.** `QUANTISERS` maps a name, `ContourConfig.quantiser`, to a function ``(phrases, config) -> Segments``.

- ``epsilon`` (style-2021, section II.A, after the rectilinear approximation of Diaz-Banez and Mesa 2001): greedy from
  the left, a segment takes frames while max - min of its cents stays <= `epsilon_cents`; its level is the midpoint
  of max and min. Neighbouring levels always differ: if a segment [a, b] were followed by one of the same
  midpoint that begins outside [b - epsilon, a + epsilon], the second would have to be wider than epsilon.
- ``kmeans`` (sid-2020, section 2): each frame belongs to the nearest of `centres_cents` (the lower of two that are
  equally near); a segment is a maximal run inside one cluster, whose centre is its level. The levels of neighbouring
  segments are two centres, which differ.

So a step of 0 cents, which a class would have to be found for, cannot happen.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

from motifdb.config import ContourConfig
from motifdb.errors import UsageError
from motifdb.kernels.phrases import VoicedPhrases, whole_ceil, whole_floor


@dataclass(frozen=True)
class Segments:
    """Segments of all phrases, one after the other.

    Attributes
    ----------
    first : int64, shape (n_segments,), index of the segment's first frame among the kept ones
    half_millicents : int64, shape (n_segments,), its level over 440 Hz
    offsets : int64, shape (n_phrases + 1,); phrase p has the segments ``offsets[p]:offsets[p + 1]``, at least one
    """

    first: NDArray[np.int64]
    half_millicents: NDArray[np.int64]
    offsets: NDArray[np.int64]


Quantiser = Callable[[VoicedPhrases, ContourConfig], Segments]


def epsilon_segments(phrases: VoicedPhrases, config: ContourConfig) -> Segments:
    """Greedy segments of range at most `config.epsilon_cents`; level = midpoint of the range."""
    return Segments(*_epsilon(phrases.millicents, phrases.offsets, whole_floor(config.epsilon_cents, 1000)))


def kmeans_segments(phrases: VoicedPhrases, config: ContourConfig) -> Segments:
    """Maximal runs inside one cluster of `config.centres_cents`; level = the centre, to the thousandth of a cent.

    Raises
    ------
    UsageError
        where there are no centres, or centres that do not ascend by at least 0.001 cents.
    """
    if not config.centres_cents:
        raise UsageError(
            "the quantiser kmeans needs contour.centres_cents; fit them with motifdb.kernels.kmeans"
        )
    centres = np.array([round(c * 1000) for c in config.centres_cents], dtype=np.int64)
    if np.any(np.diff(centres) <= 0):
        raise UsageError(
            f"contour.centres_cents must ascend by 0.001 or more, got {[float(c) for c in config.centres_cents]}"
        )
    return Segments(*_kmeans(phrases.millicents, phrases.offsets, centres))


QUANTISERS: dict[str, Quantiser] = {"epsilon": epsilon_segments, "kmeans": kmeans_segments}
"""Every quantiser by the name `ContourConfig.quantiser` calls it."""


def class_limits(bounds_cents: tuple[float, ...], bounds_closed: str) -> NDArray[np.int64]:
    """The greatest distance of each step class but the last, in half thousandths of a cent.

    A distance d is in class ``1 + (number of limits below d)``. Closed on the right, a distance equal to a bound is
    in the lower class; closed on the left, in the upper.

    Examples
    --------
    >>> class_limits((66.0,), "right").tolist(), class_limits((66.0,), "left").tolist()
    ([132000], [131999])
    """
    if bounds_closed == "right":
        limits = [whole_floor(b, 2000) for b in bounds_cents]
    else:
        limits = [whole_ceil(b, 2000) - 1 for b in bounds_cents]
    return np.array(limits, dtype=np.int64)


@numba.njit(cache=True, nogil=True)
def _epsilon(millicents, phrase_offsets, epsilon):  # type: ignore[no-untyped-def]
    first = np.empty(millicents.size, dtype=np.int64)
    level = np.empty(millicents.size, dtype=np.int64)
    offsets = np.empty(phrase_offsets.size, dtype=np.int64)
    offsets[0] = 0
    n = 0
    for p in range(phrase_offsets.size - 1):
        i = phrase_offsets[p]
        low = high = np.int64(millicents[i])
        first[n] = i
        for i in range(phrase_offsets[p] + 1, phrase_offsets[p + 1]):
            x = np.int64(millicents[i])
            low_with = min(low, x)
            high_with = max(high, x)
            if high_with - low_with > epsilon:
                level[n] = low + high
                n += 1
                first[n] = i
                low_with = high_with = x
            low = low_with
            high = high_with
        level[n] = low + high
        n += 1
        offsets[p + 1] = n
    return first[:n], level[:n], offsets


@numba.njit(cache=True, nogil=True)
def _kmeans(millicents, phrase_offsets, centres):  # type: ignore[no-untyped-def]
    first = np.empty(millicents.size, dtype=np.int64)
    level = np.empty(millicents.size, dtype=np.int64)
    offsets = np.empty(phrase_offsets.size, dtype=np.int64)
    offsets[0] = 0
    # cluster c holds the whole numbers x with tops[c - 1] < x <= tops[c]; >> 1 is the floor of the midpoint
    tops = np.empty(centres.size, dtype=np.int64)
    for c in range(centres.size - 1):
        tops[c] = (centres[c] + centres[c + 1]) >> 1
    tops[-1] = np.int64(2**62)
    n = 0
    for p in range(phrase_offsets.size - 1):
        above = np.int64(0)
        top = np.int64(-1)  # no x lies in (0, -1], so a phrase's first frame begins a segment
        for i in range(phrase_offsets[p], phrase_offsets[p + 1]):
            x = np.int64(millicents[i])
            if x > top or x <= above:
                cluster = np.searchsorted(tops, x)
                top = tops[cluster]
                above = tops[cluster - 1] if cluster > 0 else -np.int64(2**62)
                first[n] = i
                level[n] = 2 * centres[cluster]
                n += 1
        offsets[p + 1] = n
    return first[:n], level[:n], offsets
