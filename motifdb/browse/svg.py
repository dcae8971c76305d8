"""SVG as text: elements, numbers, lines through pitch, ticks. Colours are the style sheet's, light or dark."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
from markupsafe import Markup, escape
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def element(name: str, inside: str = "", **attributes: object) -> str:
    """One element; `class_` is class, other underscores are hyphens. `inside` must be escaped already.

    >>> element("text", "a", x=1.25, class_="tick", text_anchor="end")
    '<text x="1.2" class="tick" text-anchor="end">a</text>'
    """
    text = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{_value(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    return f"<{name}{text}>{inside}</{name}>" if inside else f"<{name}{text}/>"


def _value(value: object) -> str:
    if isinstance(value, float | np.floating):
        return f"{float(value):.1f}".removesuffix(".0")
    return str(escape(value))


def text(words: str, x: float, y: float, class_: str, **attributes: object) -> str:
    """A line of text; its words are escaped."""
    return element("text", str(escape(words)), x=x, y=y, class_=class_, **attributes)


def picture(width: float, height: float, label: str, inside: Iterable[str], class_: str = "figure") -> Markup:
    """A whole picture, read out as `label`."""
    body = "".join(inside)
    return Markup(
        f'<svg xmlns="http://www.w3.org/2000/svg" class="{escape(class_)}" role="img" aria-label="{escape(label)}"'
        f' viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}">{body}</svg>'
    )


def line(x: Floats, y: Floats) -> str:
    """The path through points, broken where y is not a number.

    >>> line(np.array([0.0, 1.0, 2.0, 3.0, 4.0]), np.array([5.0, 6.0, np.nan, 7.0, 8.0]))
    'M0 5L1 6M3 7L4 8'
    """
    there = np.isfinite(y)
    starts = there & ~np.r_[False, there[:-1]]
    points = []
    for first, xi, yi in zip(starts[there].tolist(), x[there].tolist(), y[there].tolist(), strict=True):
        points.append(f"{'M' if first else 'L'}{_short(xi)} {_short(yi)}")
    return "".join(points)


def _short(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def thinned(times_s: Floats, values: Floats, most: int) -> tuple[Floats, Floats]:
    """At most about `most` of the points, evenly spaced; gaps that are left out close."""
    step = max(1, math.ceil(times_s.size / max(1, most)))
    return times_s[::step], values[::step]


def ticks(low: float, high: float, most: int) -> list[float]:
    """Round numbers inside a range, at most `most`: steps of 1, 2 or 5 times a power of ten.

    >>> ticks(0.0, 1.13, 6)
    [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    >>> ticks(-430.0, 260.0, 5)
    [-400.0, -200.0, 0.0, 200.0]
    """
    span = max(high - low, 1e-9)
    power = 10.0 ** math.floor(math.log10(span / max(1, most)))
    step = next((s * power for s in (1, 2, 5, 10, 20) if span / (s * power) <= most), 50 * power)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [round(i * step, 6) + 0.0 for i in range(first, last + 1)]


def cents_ticks(low: float, high: float, most: int) -> list[float]:
    """Whole semitones inside a range, at most `most`, evenly spaced around 0.

    >>> cents_ticks(-760.0, 640.0, 8)
    [-600.0, -400.0, -200.0, 0.0, 200.0, 400.0, 600.0]
    """
    step = next((s for s in (50, 100, 200, 300, 400, 600, 1200) if (high - low) / s <= most), 2400)
    return [float(i * step) for i in range(math.ceil(low / step), math.floor(high / step) + 1)]


def seconds(value: float, step: float) -> str:
    """A tick's time: seconds, from a minute on minutes and seconds.

    >>> seconds(0.2, 0.2), seconds(75.0, 5.0), seconds(3675.5, 0.5)
    ('0.2', '1:15', '1:01:15.5')
    """
    digits = max(0, math.ceil(-math.log10(step) - 1e-9)) if step > 0 else 0
    if value < 60:
        return f"{value:.{digits}f}"
    minutes, rest = divmod(round(value, digits), 60)
    tail = f"{rest:0{3 + digits if digits else 2}.{digits}f}"
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours}:{minutes:02d}:{tail}" if hours else f"{minutes}:{tail}"
