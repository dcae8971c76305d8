"""Every occurrence of a motif over each other: moved to its own median pitch, stretched to the median duration.

So transposed and slower ones lie on each other, as in `motifdb plot`. Few are told apart by colour; many are thin lines
under their median and the band that holds the middle 80 % of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup, escape

from motifdb.browse.svg import Floats, element, line, picture, seconds, text, thinned, ticks
from motifdb.plots import PitchCurve

MOST_NAMED = 7
_GRID = 120
_LINK_S = 0.3  # a shorter gap is a consonant: the line leads over it


@dataclass(frozen=True)
class Place:
    """One occurrence to draw: its number in the list, its pitch, and whether it is there only to be pointed at."""

    place: int
    curve: PitchCurve
    is_extra: bool = False


@dataclass(frozen=True)
class Frame:
    """The box that is drawn in, and how seconds and cents lie in it."""

    left: float
    right: float
    top: float
    bottom: float
    start_s: float
    end_s: float
    low: float
    high: float

    def x(self, times_s: Floats) -> Floats:
        """Pixels from the left."""
        return self.left + (times_s - self.start_s) / (self.end_s - self.start_s) * (self.right - self.left)

    def y(self, cents: Floats) -> Floats:
        """Pixels from the top."""
        return self.bottom - (cents - self.low) / (self.high - self.low) * (self.bottom - self.top)


def extent(cents: Floats) -> tuple[float, float]:
    """Lowest and highest pitch to show: a tracker's slips far outside of what is sung are cut off."""
    low, high = np.percentile(cents, (3, 97))
    reach = 0.6 * max(float(high - low), 200.0)
    return max(float(cents.min()), float(low) - reach), min(float(cents.max()), float(high) + reach)


def overlay(places: Sequence[Place], n_all: int, width: float = 960.0) -> Markup:
    """The picture of a motif's occurrences.

    Parameters
    ----------
    places : what to draw; those without a voiced frame are left out
    n_all : occurrences there are, drawn or not
    width : in pixels of the page
    """
    sung = [p for p in places if np.any(p.curve.f0_hz > 0)]
    spread = [p for p in sung if not p.is_extra]
    if not spread:
        return Markup('<p class="note">No occurrence has a voiced frame: there is no pitch to draw.</p>')
    laid = {p.place: _aligned(p.curve) for p in sung}
    length_s = max(float(np.median([_duration_s(p.curve) for p in spread])), 1e-3)
    grid = np.linspace(0.0, 1.0, _GRID)
    on_grid = np.stack([_on_grid(*laid[p.place], grid) for p in spread])
    low, high = extent(on_grid[np.isfinite(on_grid)]) if np.isfinite(on_grid).any() else (-100.0, 100.0)
    height = float(np.clip(0.42 * width, 240, 400))
    frame = Frame(58, width - 10, 12, height - 44, 0.0, length_s, low - 60, high + 60)
    is_few = len(spread) <= MOST_NAMED
    inside = _axes(frame, width, height, length_s)
    curves = [_curve(p, laid[p.place], frame, length_s, is_few, i) for i, p in enumerate(sung)]
    inside += curves if is_few else [*curves, *_middle(on_grid, grid, frame, length_s)]
    label = (
        f"pitch of {len(spread)} of {n_all} occurrences over each other: seconds from the motif's start,"
        " cents from each occurrence's median"
    )
    clip = element(
        "clipPath",
        element(
            "rect", x=frame.left, y=frame.top, width=frame.right - frame.left, height=frame.bottom - frame.top
        ),
        id="overlay-frame",
    )
    drawn = picture(width, height, label, [element("defs", clip), *inside], "figure overlay")
    return (
        Markup('<div class="drawing">') + drawn + Markup("</div>") + _caption(spread, n_all, length_s, is_few)
    )


def _caption(spread: Sequence[Place], n_all: int, length_s: float, is_few: bool) -> Markup:
    of = (
        f"{len(spread):,} of {n_all:,} occurrences"
        if len(spread) < n_all
        else f"{n_all:,} occurrence{'s' * (n_all != 1)}"
    )
    if is_few:
        keys = "".join(
            f'<span class="key k{i % MOST_NAMED}">{p.place + 1}: {escape(p.curve.label)}</span> '
            for i, p in enumerate(spread)
        )
    else:
        keys = '<span class="key median">median</span> <span class="key band">middle 80 %</span> <span class="key thin">each occurrence</span> '
    return Markup(
        f'<p class="legend">{keys}<span class="key current">the one chosen in the list</span></p>'
        f'<p class="note">{of}, each moved to its own median pitch and stretched to the median length of'
        f" {length_s:.2f} s.</p>"
    )


def _duration_s(curve: PitchCurve) -> float:
    return float(curve.times_s[-1] - curve.times_s[0])


def _aligned(curve: PitchCurve) -> tuple[Floats, Floats]:
    """Share of the duration, and cents from the median, of every frame."""
    cents = curve.cents
    share = (curve.times_s - curve.times_s[0]) / max(_duration_s(curve), 1e-9)
    return share, cents - float(np.nanmedian(cents))


def _on_grid(share: Floats, cents: Floats, grid: Floats) -> Floats:
    index = np.clip(np.searchsorted(share, grid), 0, share.size - 1)
    return np.asarray(cents[index], np.float64)


def _curve(p: Place, laid: tuple[Floats, Floats], frame: Frame, length_s: float, is_few: bool, i: int) -> str:
    share, cents = laid
    step_s = _duration_s(p.curve) / max(1, share.size - 1)
    share, cents = thinned(share, linked(cents, int(_LINK_S / max(step_s, 1e-3))), 160 if is_few else 64)
    class_ = (
        "occurrence extra" if p.is_extra else f"occurrence few k{i % MOST_NAMED}" if is_few else "occurrence"
    )
    return element(
        "path",
        d=line(frame.x(share * length_s), frame.y(cents)),
        class_=class_,
        data_place=p.place,
        clip_path="url(#overlay-frame)",
    )


def linked(cents: Floats, most: int) -> Floats:
    """Gaps of at most `most` frames between voiced ones are led over."""
    voiced = np.flatnonzero(np.isfinite(cents))
    if voiced.size < 2 or most < 1:
        return cents
    filled = np.interp(np.arange(cents.size), voiced, cents[voiced])
    before = np.searchsorted(voiced, np.arange(cents.size), "right") - 1
    inside = (before >= 0) & (before < voiced.size - 1)
    gap = np.full(cents.size, np.iinfo(np.int64).max)
    gap[inside] = voiced[before[inside] + 1] - voiced[before[inside]] - 1
    return np.where(np.isfinite(cents) | (gap <= most), filled, np.nan)


def _middle(on_grid: Floats, grid: Floats, frame: Frame, length_s: float) -> list[str]:
    """The median and the band around it; where fewer than half are voiced there is no middle."""
    enough = np.mean(np.isfinite(on_grid), axis=0) >= 0.5
    if not enough.any():
        return []
    low, middle, high = (np.full(grid.size, np.nan) for _ in range(3))
    low[enough], middle[enough], high[enough] = np.nanpercentile(on_grid[:, enough], (10, 50, 90), axis=0)
    x = frame.x(grid * length_s)
    bands = []
    for stretch in np.split(np.flatnonzero(enough), np.flatnonzero(np.diff(np.flatnonzero(enough)) > 1) + 1):
        there = np.r_[x[stretch], x[stretch][::-1]], frame.y(np.r_[low[stretch], high[stretch][::-1]])
        bands.append(line(*there) + "Z")
    clip = "url(#overlay-frame)"
    return [
        element("path", d="".join(bands), class_="band", clip_path=clip),
        element("path", d=line(x, frame.y(middle)), class_="median", clip_path=clip),
    ]


def _axes(frame: Frame, width: float, height: float, length_s: float) -> list[str]:
    inside = []
    for value in ticks(frame.low, frame.high, 7):
        y = float(frame.y(np.array([value]))[0])
        inside.append(
            element(
                "path",
                d=f"M{frame.left:g} {y:.1f}H{frame.right:g}",
                class_="grid zero" if value == 0 else "grid",
            )
        )
        inside.append(
            text(f"{value:+.0f}" if value else "0", frame.left - 6, y + 4, "tick", text_anchor="end")
        )
    times = ticks(0.0, length_s, max(3, int(width // 110)))
    for value in times:
        x = float(frame.x(np.array([value]))[0])
        inside.append(element("path", d=f"M{x:.1f} {frame.bottom:g}v5", class_="axis"))
        step = times[1] - times[0] if len(times) > 1 else 0.1
        inside.append(text(seconds(value, step), x, frame.bottom + 18, "tick", text_anchor="middle"))
    middle = (frame.left + frame.right) / 2
    inside.append(
        element("path", d=f"M{frame.left:g} {frame.top:g}V{frame.bottom:g}H{frame.right:g}", class_="axis")
    )
    inside.append(
        text("time from the motif's start (seconds)", middle, height - 6, "label", text_anchor="middle")
    )
    y = (frame.top + frame.bottom) / 2
    words = "pitch from own median (cents)" if height > 300 else "pitch (cents)"
    inside.append(text(words, 14, y, "label", text_anchor="middle", transform=f"rotate(-90 14 {y:.0f})"))
    return inside
