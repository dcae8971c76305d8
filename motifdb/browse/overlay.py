"""Every occurrence of a motif over each other: on one clock, segment by segment, and moved up or down onto the others.

Each is moved so that the median of its distances to the middle of all is 0 (its own median pitch would do only where
every note lasts equally long). Few are told apart by colour; many are thin lines under their median and the band that
holds the middle 80 % of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from markupsafe import Markup, escape

from motifdb.browse.svg import Floats, cents_ticks, element, line, picture, seconds, text, thinned, ticks
from motifdb.plots import PitchCurve
from motifdb.plots.curves import extent
from motifdb.plots.overlay import Aligned, align

MOST_NAMED = 7
_GRID, _ROUNDS = 120, 3
_FINE, _COARSE = 400, 64
_LINK_S = 0.3  # a shorter gap is a consonant: the line leads over it


@dataclass(frozen=True)
class Place:
    """One occurrence to draw.

    Attributes
    ----------
    place : its number in the list of all
    curve : its pitch
    is_listed : whether the page lists it, so that it can be pointed at and is drawn finely
    is_extra : whether it is there for that only, and not one of those spread over all
    """

    place: int
    curve: PitchCurve
    is_listed: bool = False
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


def overlay(places: Sequence[Place], n_all: int, width: float = 960.0) -> Markup:
    """The picture of a motif's occurrences.

    Parameters
    ----------
    places : what to draw; those without a voiced frame are left out
    n_all : occurrences there are, drawn or not
    width : in pixels of the page
    """
    sung = [p for p in places if np.any(p.curve.f0_hz > 0)]
    sung.sort(key=lambda p: p.is_extra)
    spread = [p for p in sung if not p.is_extra]
    if not spread:
        return Markup('<p class="note">No occurrence has a voiced frame: there is no pitch to draw.</p>')
    aligned = _leveled(align([p.curve for p in sung]), len(spread))
    length_s = aligned.length_s
    laid = aligned.on_grid(_GRID)[: len(spread)]
    there = laid[np.isfinite(laid)]
    low, high = extent(there) if there.size else (-100.0, 100.0)
    height = float(np.clip(0.42 * width, 240, 400))
    frame = Frame(66, width - 10, 12, height - 44, 0.0, length_s, low - 60, high + 60)
    is_few = len(spread) <= MOST_NAMED
    inside = _axes(frame, width, height, aligned)
    inside += [_curve(p, aligned, frame, is_few, i) for i, p in enumerate(sung)]
    if not is_few:
        inside += _middle(
            replace(aligned, x_s=aligned.x_s[: len(spread)], cents=aligned.cents[: len(spread)]), frame
        )
    label = (
        f"pitch of {len(spread)} of {n_all} occurrences over each other: seconds from the motif's start,"
        " cents from the middle"
    )
    clip = element(
        "clipPath",
        element(
            "rect", x=frame.left, y=frame.top, width=frame.right - frame.left, height=frame.bottom - frame.top
        ),
        id="overlay-frame",
    )
    drawn = picture(width, height, label, [element("defs", clip), *inside], "figure overlay")
    caption = _caption(spread, n_all, length_s, is_few, bool(aligned.marks_s.size))
    return Markup('<div class="drawing">') + drawn + Markup("</div>") + caption


def _caption(
    spread: Sequence[Place], n_all: int, length_s: float, is_few: bool, is_by_segment: bool
) -> Markup:
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
    how = (
        "each of its segments stretched to the median length"
        if is_by_segment
        else "stretched to the median length"
    )
    return Markup(
        f'<p class="legend">{keys}<span class="key current">the one chosen in the list</span></p>'
        f'<p class="note">{of}, {how} ({length_s:.2f} s in all), and moved up or down onto the others.'
        f"{' Dotted lines part the segments.' if is_by_segment else ''}</p>"
    )


def _leveled(aligned: Aligned, n_spread: int) -> Aligned:
    """Each curve moved onto the middle of the first `n_spread`, whose median is then 0."""
    laid = aligned.on_grid(_GRID)
    moved = np.zeros(len(laid))
    for _ in range(_ROUNDS):
        away = laid + moved[:, None]
        distance = _median(away - _median(away[:n_spread].T)[None, :])
        moved -= np.where(np.isfinite(distance), distance, 0.0)
    level = _median(_median((laid + moved[:, None])[:n_spread].T)[None, :])[0]
    moved -= level if np.isfinite(level) else 0.0
    return replace(aligned, cents=[c + m for c, m in zip(aligned.cents, moved.tolist(), strict=True)])


def _median(rows: Floats) -> Floats:
    """Median of each row without what is no number; NaN for a row of nothing else."""
    there = np.isfinite(rows).any(axis=1)
    found = np.full(rows.shape[0], np.nan)
    if there.any():
        found[there] = np.nanmedian(rows[there], axis=1)
    return found


def _curve(p: Place, aligned: Aligned, frame: Frame, is_few: bool, i: int) -> str:
    times_s = p.curve.times_s
    step_s = float(times_s[-1] - times_s[0]) / max(1, times_s.size - 1)
    cents = linked(aligned.cents[i], int(_LINK_S / max(step_s, 1e-3)))
    x_s, cents = thinned(aligned.x_s[i], cents, _FINE if is_few or p.is_listed else _COARSE)
    few = f"occurrence few k{i % MOST_NAMED}" if is_few else "occurrence"
    return element(
        "path",
        d=line(frame.x(x_s), frame.y(cents)),
        class_="occurrence extra" if p.is_extra else few,
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


def _middle(aligned: Aligned, frame: Frame) -> list[str]:
    """The median and the band around it; where fewer than half are voiced there is no middle."""
    low, middle, high = aligned.middle(_GRID)
    enough = np.isfinite(middle)
    if not enough.any():
        return []
    grid_s = np.linspace(0.0, aligned.length_s, _GRID)
    x = frame.x(grid_s)
    bands = []
    for stretch in np.split(np.flatnonzero(enough), np.flatnonzero(np.diff(np.flatnonzero(enough)) > 1) + 1):
        there = np.r_[x[stretch], x[stretch][::-1]], frame.y(np.r_[low[stretch], high[stretch][::-1]])
        bands.append(line(*there) + "Z")
    clip = "url(#overlay-frame)"
    return [
        element("path", d="".join(bands), class_="band", clip_path=clip),
        element("path", d=line(x, frame.y(middle)), class_="median", clip_path=clip),
    ]


def _axes(frame: Frame, width: float, height: float, aligned: Aligned) -> list[str]:
    inside = []
    for value in cents_ticks(frame.low, frame.high, max(4, int(height // 36))):
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
    for value in aligned.marks_s[1:-1].tolist():
        x = float(frame.x(np.array([value]))[0])
        inside.append(element("path", d=f"M{x:.1f} {frame.top:g}V{frame.bottom:g}", class_="grid mark"))
    times = ticks(0.0, aligned.length_s, max(3, int(width // 110)))
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
    words = "pitch from the middle (cents)" if height > 300 else "pitch (cents)"
    inside.append(text(words, 14, y, "label", text_anchor="middle", transform=f"rotate(-90 14 {y:.0f})"))
    return inside
