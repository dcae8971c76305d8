"""Which spans become training examples: pure drawing, a function of the seed and of each recording alone.

A draw for a recording depends on the seed and the recording's id, and which of a motif's occurrences are taken on
their ids, so the order of recordings, other recordings and a run that was stopped change nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from motifdb.ids import hash_text

Spans = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Starts and ends in seconds, float64[n] each."""

OF_MOTIFS = ("motif", "motif_segment", "random", "random_disjoint")
KINDS = (*OF_MOTIFS, "window")
"""Kinds that are drawn; clips of kind file are made by an ingest."""

SLACK_S = 1e-9
"""Sums of times differ by rounding; a nanosecond is given away."""

POINT_S = 1e-6
"""What every stretch of possible starts has on top: one that is a single moment can be drawn too."""


@dataclass(frozen=True)
class Drawn:
    """Clips of one recording.

    Attributes
    ----------
    start_s, end_s : float64[n]
    source : int64[n], the motif clip that each was made from or matched to; empty for windows
    n_unplaced : motif clips for which no place was found
    """

    start_s: NDArray[np.float64]
    end_s: NDArray[np.float64]
    source: NDArray[np.int64]
    n_unplaced: int = 0


def rank(seed: int, name: str) -> str:
    """A text that orders things at random, the same way every time: the first n of an order are a draw of n."""
    return hash_text("clips", str(seed), name)


def generator(seed: int, recording_id: str, kind: str) -> np.random.Generator:
    """The random numbers of one recording."""
    return np.random.default_rng(int(hash_text(kind, str(seed), recording_id), 16))


def segments(start_s: NDArray[np.float64], length_s: float, duration_s: float) -> Spans:
    """Stretches of one length from each onset, moved left where the recording ends before.

    Parameters
    ----------
    start_s : float64[n], onsets
    length_s : of a stretch; a shorter recording gives all of itself
    duration_s : of the recording

    Examples
    --------
    >>> segments(np.array([0.5, 8.0]), 3.0, 10.0)
    (array([0.5, 7. ]), array([ 3.5, 10. ]))
    """
    first = np.clip(start_s, 0.0, max(duration_s - length_s, 0.0)).astype(np.float64)
    return first, np.minimum(first + length_s, duration_s).astype(np.float64)


def windows(window_s: float, hop_s: float, duration_s: float) -> Spans:
    """Every window of one length that lies in a recording, from its start on.

    >>> windows(1.0, 0.5, 2.2)
    (array([0. , 0.5, 1. ]), array([1. , 1.5, 2. ]))
    """
    n = int(np.floor((duration_s - window_s) / hop_s + SLACK_S)) + 1
    start_s = np.arange(max(n, 0)).astype(np.float64) * hop_s
    return start_s, np.minimum(start_s + window_s, duration_s)


def union(start_s: NDArray[np.float64], end_s: NDArray[np.float64]) -> Spans:
    """The spans joined where they touch, ascending.

    >>> union(np.array([4.0, 0.0, 1.0]), np.array([5.0, 2.0, 3.0]))
    (array([0., 4.]), array([3., 5.]))
    """
    if not len(start_s):
        return start_s, end_s
    order = np.argsort(start_s, kind="stable")
    start_s, end_s = start_s[order], end_s[order]
    reach = np.maximum.accumulate(end_s)
    is_first = np.append(True, start_s[1:] > reach[:-1])
    return start_s[is_first], reach[np.append(is_first[1:], True)]


def overlaps_any(
    start_s: NDArray[np.float64], end_s: NDArray[np.float64], joined: Spans
) -> NDArray[np.bool_]:
    """Whether spans overlap any of disjoint ascending ones, by more than rounding."""
    if not len(joined[0]):
        return np.zeros(len(start_s), bool)
    at = np.searchsorted(joined[0], end_s - SLACK_S, "left") - 1
    return (at >= 0) & (joined[1][np.maximum(at, 0)] > start_s + SLACK_S)


def drawn_like(
    start_s: NDArray[np.float64],
    end_s: NDArray[np.float64],
    voiced: Spans,
    avoided: Spans,
    rng: np.random.Generator,
) -> Drawn:
    """For each span a window of its duration, uniform over the places where it lies in one voiced stretch.

    Parameters
    ----------
    start_s, end_s : float64[n], the spans to match
    voiced : disjoint stretches, ascending
    avoided : disjoint stretches, ascending, that no window may overlap; empty avoids nothing
    rng : one number is taken for each span, placed or not
    """
    durations_s, kind = np.unique(end_s - start_s, return_inverse=True)
    position = rng.random(len(start_s))
    placed = np.zeros(len(start_s))
    is_placed = np.zeros(len(start_s), bool)
    for k, duration_s in enumerate(durations_s.tolist()):
        own = np.flatnonzero(kind == k)
        low, high = _starts(duration_s, voiced, avoided)
        if not len(low):
            continue
        width = high - low + POINT_S
        room = np.cumsum(width)
        target = position[own] * room[-1]
        stretch = np.minimum(np.searchsorted(room, target, "right"), len(room) - 1)
        before = (room - width)[stretch]
        placed[own] = np.minimum(low[stretch] + target - before, high[stretch])
        is_placed[own] = True
    source = np.flatnonzero(is_placed)
    first = placed[source]
    return Drawn(first, first + (end_s - start_s)[source], source, int((~is_placed).sum()))


def _starts(duration_s: float, voiced: Spans, avoided: Spans) -> Spans:
    """Where a window of a duration may start: disjoint stretches, ascending."""
    low, high = voiced[0], voiced[1] - duration_s
    keep = high >= low - SLACK_S
    low, high = low[keep], np.maximum(low, high)[keep]
    if not len(avoided[0]) or not len(low):
        return low, high
    # a start may lie in no (a - duration, b): between forbidden stretches, and inside a voiced one
    shut_low, shut_high = union(avoided[0] - duration_s, avoided[1])
    open_low = np.append(-np.inf, shut_high)
    open_high = np.append(shut_low, np.inf)
    first = np.searchsorted(open_high, low, "left")
    last = np.searchsorted(open_low, high, "right")
    n = np.maximum(last - first, 0)
    voice = np.repeat(np.arange(len(low)), n)
    gap = np.repeat(first, n) + np.arange(n.sum()) - np.repeat(np.cumsum(n) - n, n)
    a, b = np.maximum(low[voice], open_low[gap]), np.minimum(high[voice], open_high[gap])
    keep = b >= a - SLACK_S
    return a[keep], np.maximum(a, b)[keep]
