"""Search, the obvious way: every window of every piece at every tempo, warped by recursion, then sorted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache


def rounded_mean(values: Sequence[float]) -> int:
    """Mean, rounded to a whole number, halves up."""
    return math.floor((2 * sum(values) + len(values)) / (2 * len(values)))


def cost(query: Sequence[float], window: Sequence[float], band: int) -> float:
    """Least sum of differences over a path, each at its own mean."""
    n = len(query)
    q = [x - rounded_mean(query) for x in query]
    t = [x - rounded_mean(window) for x in window]

    @cache
    def least(j: int, i: int) -> float:
        if not 0 <= i < n or abs(i - j) > band:
            return math.inf
        here = abs(t[j] - q[i])
        return here if j == 0 else here + min(least(j - 1, i - step) for step in (0, 1, 2))

    return min(least(n - 1, i) for i in range(n))


def grid(cents: Sequence[float], frames_per_cell: float) -> list[int]:
    """Means over cells, a frame on a border counting for both by its parts."""
    cells = []
    for k in range(math.floor(len(cents) / frames_per_cell + 1e-9)):
        begin, end = k * frames_per_cell, (k + 1) * frames_per_cell
        parts = [
            (max(0.0, min(end, i + 1) - max(begin, i)), value)
            for i, value in enumerate(cents)
            if i < end and i + 1 > begin
        ]
        cells.append(math.floor(sum(w * v for w, v in parts) / frames_per_cell + 0.5))
    return cells


Found = tuple[float, int, float, int]
"""Cost, piece, begin in seconds of voiced time, k of the tempo ratio."""


def nearest(
    pieces: Sequence[tuple[int, dict[int, Sequence[float]]]],
    query: Sequence[float],
    hop_s: float,
    band: int,
    n: int,
    *,
    once: bool = False,
    tempi: int = 4,
) -> list[Found]:
    """The n nearest windows that do not overlap.

    `pieces` are pairs of recording and, for every k, the piece's series at that tempo.
    """
    size = len(query)
    every: list[Found] = []
    for p, (_, at_tempo) in enumerate(pieces):
        for k, series in at_tempo.items():
            for start in range(len(series) - size + 1):
                every.append(
                    (
                        cost(query, series[start : start + size], band),
                        p,
                        start * (hop_s * 2 ** (k / tempi)),
                        k,
                    )
                )
    chosen: list[Found] = []
    for found in sorted(every, key=lambda f: f):
        if not any(_clash(found, other, pieces, size * hop_s, tempi, once) for other in chosen):
            chosen.append(found)
    return chosen[:n]


def _clash(
    a: Found,
    b: Found,
    pieces: Sequence[tuple[int, dict[int, Sequence[float]]]],
    query_s: float,
    tempi: int,
    once: bool,
) -> bool:
    if once:
        return pieces[a[1]][0] == pieces[b[1]][0]
    a_end, b_end = (x[2] + query_s * 2 ** (x[3] / tempi) for x in (a, b))
    return a[1] == b[1] and a[2] < b_end - 1e-9 and a_end > b[2] + 1e-9


def edits(a: Sequence[int], b: Sequence[int]) -> int:
    """Edit distance by recursion on the ends."""

    @cache
    def of(i: int, j: int) -> int:
        if i == 0 or j == 0:
            return i + j
        return min(of(i - 1, j) + 1, of(i, j - 1) + 1, of(i - 1, j - 1) + (a[i - 1] != b[j - 1]))

    return of(len(a), len(b))


def contour_matches(
    pattern: Sequence[int], phrases: Sequence[Sequence[int]], most: int
) -> list[tuple[int, int, int, int]]:
    """Phrase, first, last and edits: for each end the nearest substring, then by length."""
    out = []
    for p, symbols in enumerate(phrases):
        for last in range(len(symbols)):
            spans = [(edits(pattern, symbols[first : last + 1]), first) for first in range(last + 1)]
            d, _, length = min((d, abs(last + 1 - f - len(pattern)), last + 1 - f) for d, f in spans)
            if d <= most:
                out.append((p, last + 1 - length, last, d))
    return out
