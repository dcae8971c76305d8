"""TextGrids for Praat, in its long text format, UTF-8: interval tiers over the whole recording.

A tier ``phrases`` holds the phrases with their symbols. An interval tier cannot hold intervals that overlap, and places of
motifs do, those of one motif too: they are dealt out to tiers ``motifs 1``, ``motifs 2``, ... by time, each place to the first
tier that is free there, which takes the fewest tiers there can be (as many as places ever sound at once). No place
is cut or left out; its label names its pattern.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence

from motifdb.export.rows import Recording

_DECIMALS = 9
"""Of seconds; always written out, as not every reader knows exponents."""

Interval = tuple[float, float, str]
"""Start and end in seconds, label."""


def render(recording: Recording, is_rounded: bool, notes: list[str]) -> dict[str, bytes]:
    """The TextGrid."""
    places = [
        (place.start_s, place.end_s, pattern.label)
        for pattern in recording.patterns
        for place in pattern.places
    ]
    what = "families" if any(p.kind == "family" for p in recording.patterns) else "motifs"
    tiers: list[tuple[str, Sequence[Interval]]] = [
        ("phrases", [(p.start_s, p.end_s, p.contour) for p in recording.phrases])
    ]
    dealt = dealt_out(places)
    tiers += [(what if len(dealt) == 1 else f"{what} {i}", tier) for i, tier in enumerate(dealt, 1)]
    return {".TextGrid": _text(recording.end_s, tiers).encode()}


def dealt_out(intervals: Iterable[Interval]) -> list[list[Interval]]:
    """Intervals on as few tiers as there can be, without overlaps on any (greedy by start; the least free tier first).

    >>> dealt_out([(0.0, 2.0, "a"), (1.0, 3.0, "b"), (2.0, 4.0, "c")])
    [[(0.0, 2.0, 'a'), (2.0, 4.0, 'c')], [(1.0, 3.0, 'b')]]
    """
    tiers: list[list[Interval]] = []
    free: list[int] = []
    busy: list[tuple[float, int]] = []
    for interval in sorted(intervals):
        start_s, end_s, _ = interval
        while busy and busy[0][0] <= start_s:
            heapq.heappush(free, heapq.heappop(busy)[1])
        if not free:
            free.append(len(tiers))
            tiers.append([])
        tier = heapq.heappop(free)
        tiers[tier].append(interval)
        heapq.heappush(busy, (end_s, tier))
    return tiers


def _text(end_s: float, tiers: Sequence[tuple[str, Sequence[Interval]]]) -> str:
    end = round(end_s, _DECIMALS) or 1e-3  # Praat takes no TextGrid of no duration
    lines = [
        'File type = "ooTextFile"',
        'Object class = "TextGrid"',
        "",
        "xmin = 0",
        f"xmax = {end:.{_DECIMALS}f}",
        "tiers? <exists>",
        f"size = {len(tiers)}",
        "item []:",
    ]
    for number, (name, intervals) in enumerate(tiers, 1):
        filled = list(_filled(intervals, end))
        lines += [
            f"    item [{number}]:",
            '        class = "IntervalTier"',
            f"        name = {_quoted(name)}",
            "        xmin = 0",
            f"        xmax = {end:.{_DECIMALS}f}",
            f"        intervals: size = {len(filled)}",
        ]
        for i, (start_s, stop_s, label) in enumerate(filled, 1):
            lines += [
                f"        intervals [{i}]:",
                f"            xmin = {start_s:.{_DECIMALS}f}",
                f"            xmax = {stop_s:.{_DECIMALS}f}",
                f"            text = {_quoted(label)}",
            ]
    return "\n".join(lines) + "\n"


def _filled(intervals: Sequence[Interval], end_s: float) -> Iterable[Interval]:
    """The intervals with empty ones between them, so that they cover the tier."""
    at_s = 0.0
    for start_s, stop_s, label in intervals:
        start_s, stop_s = max(round(start_s, _DECIMALS), at_s), round(stop_s, _DECIMALS)
        if stop_s <= start_s:
            continue
        if start_s > at_s:
            yield at_s, start_s, ""
        yield start_s, stop_s, label
        at_s = stop_s
    if at_s < end_s:
        yield at_s, end_s, ""


def _quoted(text: str) -> str:
    return '"' + " ".join(text.splitlines()).replace('"', '""') + '"'
