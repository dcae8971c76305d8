"""A curve as a small ``<svg>`` written by hand: no plotting library is loaded for it, and it is a few kilobytes."""

from __future__ import annotations

from html import escape

import numpy as np
from numpy.typing import NDArray

from motifdb.plots.canvas import COLOURS
from motifdb.plots.curves import extent, note_name
from motifdb.plots.glyphs import resampled

_WIDTH, _HEIGHT = 460, 110
_LEFT, _BOTTOM, _TOP = 46, 18, 6
_POINTS = 400


def spark_svg(
    cents: NDArray[np.float64], span_s: tuple[float, float], *, alt: str, is_notes: bool = False
) -> str:
    """A curve of pitch with its lowest and highest value and its first and last second.

    Parameters
    ----------
    cents : shape (n,), evenly spaced in time; NaN leaves a gap
    span_s : time of the first and the last
    alt : what is shown, for those who do not see it
    is_notes : whether the axis says notes (cents over 440 Hz) instead of cents

    >>> spark_svg(np.array([0.0, 100.0]), (0.0, 1.0), alt="a step").count("<polyline")
    1
    """
    at = resampled(cents, min(_POINTS, max(cents.size, 1)))
    voiced = at[~np.isnan(at)]
    low, high = extent(voiced) if voiced.size else (0.0, 100.0)
    high = max(high, low + 100.0)
    x = _LEFT + (_WIDTH - _LEFT - 4) * np.arange(at.size) / max(at.size - 1, 1)
    y = _TOP + (_HEIGHT - _TOP - _BOTTOM) * (high - np.clip(at, low, high)) / (high - low)
    lines: list[list[str]] = [[]]
    for a, b in zip(x, y, strict=True):
        if np.isnan(b):
            lines.append([])
        else:
            lines[-1].append(f"{a:.1f},{b:.1f}")
    drawn = "".join(
        # one point alone is a line of no length, which round ends make visible
        f'<polyline points="{" ".join(line if len(line) > 1 else line * 2)}"/>'
        for line in lines
        if line
    )
    named = (note_name(high), note_name(low)) if is_notes else (f"{high:+.0f} c", f"{low:+.0f}")
    floor = _HEIGHT - _BOTTOM
    text = "".join(
        f'<text x="{px}" y="{py}" text-anchor="{anchor}">{escape(label)}</text>'
        for px, py, anchor, label in (
            (_LEFT - 4, _TOP + 9, "end", named[0]),
            (_LEFT - 4, floor, "end", named[1]),
            (_LEFT, _HEIGHT - 4, "start", f"{span_s[0]:.1f} s"),
            (_WIDTH - 4, _HEIGHT - 4, "end", f"{span_s[1]:.1f} s"),
        )
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{_HEIGHT}" viewBox="0 0 {_WIDTH} {_HEIGHT}"'
        f' role="img" aria-label="{escape(alt, quote=True)}">'
        f'<path d="M{_LEFT} {_TOP}V{floor}H{_WIDTH - 4}" fill="none" stroke="#999"/>'
        f'<g fill="none" stroke="{COLOURS[0]}" stroke-width="1.6" stroke-linecap="round">{drawn}</g>'
        f'<g font-family="sans-serif" font-size="10" fill="#555">{text}</g></svg>'
    )
