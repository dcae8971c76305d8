"""A contour as a small staircase: one step a segment, up and down by the classes of its symbols."""

from __future__ import annotations

from itertools import accumulate

from markupsafe import Markup

from motifdb.browse.svg import element, picture, text


def levels(contour: str) -> list[int]:
    """Height of every segment in step classes, from the lowest, which is 0.

    >>> levels("+1 -2 +1")
    [1, 2, 0, 1]
    """
    heights = list(accumulate((int(s) for s in contour.split()), initial=0))
    lowest = min(heights)
    return [h - lowest for h in heights]


def staircase(contour: str, width: float = 132.0, height: float = 30.0) -> Markup:
    """The staircase of a row of a list."""
    return picture(
        width, height, f"contour {contour}", [_steps(contour, width, height, 2.0, 14.0)], "staircase"
    )


def large_staircase(contour: str) -> Markup:
    """The staircase of a motif's own page, each step named by its symbol."""
    symbols = contour.split()
    step = max(14.0, min(44.0, 720.0 / (len(symbols) + 1)))
    heights = levels(contour)
    unit = min(22.0, 110.0 / max(1, max(heights)))
    width, height = step * (len(symbols) + 1) + 8, unit * max(heights) + 44
    inside = [_steps(contour, width, height - 30, 4.0, step, unit, 22.0)]
    if step >= 22:
        bottom = 22.0 + unit * max(heights)
        for i, symbol in enumerate(symbols):
            higher = max(heights[i], heights[i + 1])
            y = bottom - unit * higher - 6
            inside.append(text(symbol, 4 + step * (i + 1), y, "symbol", text_anchor="middle"))
    return picture(width, height, f"contour {contour}", inside, "staircase large")


def _steps(
    contour: str,
    width: float,
    height: float,
    margin: float,
    most_step: float,
    unit: float | None = None,
    top: float | None = None,
) -> str:
    heights = levels(contour)
    step = min(most_step, (width - 2 * margin) / len(heights))
    rise = unit if unit is not None else min(7.0, (height - 2 * margin - 2) / max(1, max(heights)))
    bottom = (
        top + rise * max(heights) if top is not None else height / 2 + rise * max(heights) / 2
    )  # a flat contour lies in the middle
    path, thin = [], []
    for i, level in enumerate(heights):
        x, y = margin + i * step, bottom - rise * level
        path.append(f"M{x:.1f} {y:.1f}h{step:.1f}")
        if i:
            before = bottom - rise * heights[i - 1]
            thin.append(f"M{x:.1f} {before:.1f}V{y:.1f}")
    return element("path", d="".join(thin), class_="riser") + element("path", d="".join(path), class_="tread")
