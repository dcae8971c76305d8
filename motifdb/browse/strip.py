"""A stretch of a recording: its pitch over time, and below it a lane for each motif or family that sounds there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup, escape

from motifdb.browse.overlay import Frame, linked
from motifdb.browse.svg import element, line, picture, seconds, text, thinned, ticks
from motifdb.plots import PitchCurve, note_name
from motifdb.plots.curves import extent, note_ticks

LANE = 15.0
MOST_BARS = 3000
_LINK_S = 0.3  # a shorter gap is a consonant: a thin line leads over it


@dataclass(frozen=True)
class Lane:
    """What has a lane of its own.

    Attributes
    ----------
    label : what the legend and a bar's tooltip say
    href : page that a bar leads to; empty leads nowhere
    spans : start and end of each bar, seconds
    colour : number of a colour of the style sheet; None is grey
    """

    label: str
    href: str
    spans: Sequence[tuple[float, float]]
    colour: int | None


def window(
    duration_s: float, start_s: float | None, end_s: float | None, at_s: float | None
) -> tuple[float, float]:
    """The stretch to show: the one asked for, else 20 s around a time, else the first minute.

    >>> window(200.0, None, None, None), window(200.0, None, None, 100.0), window(30.0, 10.0, 500.0, None)
    ((0.0, 60.0), (93.0, 113.0), (10.0, 30.0))
    """
    whole = max(duration_s, 0.5)
    if start_s is None and end_s is None and at_s is not None:
        start_s, end_s = at_s - 7.0, at_s + 13.0
    start = min(max(0.0, start_s or 0.0), whole - 0.2)
    end = min(whole, end_s if end_s is not None else start + 60.0)
    return start, max(end, start + 0.2)


def moved(duration_s: float, start_s: float, end_s: float) -> dict[str, tuple[float, float]]:
    """Where each move leads: in and out around the middle, back and on by half of what is seen."""
    whole, span = max(duration_s, 0.5), end_s - start_s
    middle = (start_s + end_s) / 2
    moves = {}
    if span > 1.0:
        moves["in"] = (middle - span / 4, middle + span / 4)
    if span < whole - 1e-6:
        width = min(2 * span, whole)
        start = min(max(0.0, middle - width / 2), whole - width)
        moves["out"] = (start, start + width)
    if start_s > 1e-6:
        start = max(0.0, start_s - span / 2)
        moves["back"] = (start, start + span)
    if end_s < whole - 1e-6:
        start = min(whole - span, start_s + span / 2)
        moves["on"] = (start, start + span)
    return moves


def strip(
    curve: PitchCurve, start_s: float, end_s: float, lanes: Sequence[Lane], width: float = 960.0
) -> Markup:
    """The picture of a stretch of a recording.

    Parameters
    ----------
    curve : the whole recording's pitch
    start_s, end_s : the stretch
    lanes : from top to bottom
    width : in pixels of the page
    """
    voiced = curve.cents[np.isfinite(curve.cents)]
    low, high = extent(voiced) if voiced.size else (-1200.0, 0.0)
    plot_height = float(np.clip(0.3 * width, 180, 300))
    bottom = 12 + plot_height
    height = bottom + LANE * len(lanes) + 44
    frame = Frame(52, width - 10, 12, bottom, start_s, end_s, low - 80, high + 80)
    inside = [*_axes(frame, bottom + LANE * len(lanes), width), *_pitch(curve, frame, width)]
    for i, lane in enumerate(lanes):
        inside += _bars(lane, frame, bottom + LANE * i + 3)
    label = f"pitch from {start_s:.1f} s to {end_s:.1f} s, with {sum(len(x.spans) for x in lanes)} places of motifs"
    clip = element(
        "clipPath",
        element("rect", x=frame.left, y=frame.top, width=frame.right - frame.left, height=bottom - frame.top),
        id="strip-frame",
    )
    keys = "".join(
        f'<span class="key {"grey" if x.colour is None else f"k{x.colour}"}">'
        + (f'<a href="{escape(x.href)}">{escape(x.label)}</a>' if x.href else str(escape(x.label)))
        + "</span> "
        for x in lanes
    )
    drawn = picture(width, height, label, [element("defs", clip), *inside], "figure strip")
    return Markup('<div class="drawing">') + drawn + Markup(f'</div><p class="legend">{keys}</p>')


def _pitch(curve: PitchCurve, frame: Frame, width: float) -> list[str]:
    first, last = np.searchsorted(curve.times_s, (frame.start_s, frame.end_s))
    times_s, cents = curve.times_s[max(0, first - 1) : last + 1], curve.cents[max(0, first - 1) : last + 1]
    if not np.isfinite(cents).any():
        middle = (frame.left + frame.right) / 2
        return [
            text("no voiced frame here", middle, (frame.top + frame.bottom) / 2, "tick", text_anchor="middle")
        ]
    hop_s = float(times_s[1] - times_s[0]) if times_s.size > 1 else 0.01
    bridged = linked(cents, int(_LINK_S / max(hop_s, 1e-3)))
    clip = "url(#strip-frame)"
    paths = []
    for values, class_ in ((bridged, "link"), (cents, "pitch")):
        t, c = thinned(times_s, values, int(3 * width))
        paths.append(element("path", d=line(frame.x(t), frame.y(c)), class_=class_, clip_path=clip))
    return paths


def _bars(lane: Lane, frame: Frame, top: float) -> list[str]:
    drawn = []
    for start_s, end_s in lane.spans:
        x, end = frame.x(np.clip(np.array([start_s, end_s]), frame.start_s, frame.end_s))
        title = element("title", str(escape(f"{lane.label}, {start_s:.2f} to {end_s:.2f} s")))
        bar = element(
            "rect",
            title,
            x=float(x),
            y=top,
            width=max(2.0, float(end - x) - 0.5),
            height=LANE - 5,
            rx=2,
            class_="bar" if lane.colour is None else f"bar k{lane.colour}",
        )
        drawn.append(element("a", bar, href=lane.href, tabindex=-1) if lane.href else bar)
    return drawn


def _axes(frame: Frame, bottom: float, width: float) -> list[str]:
    inside = []
    for value in note_ticks(frame.low, frame.high, 7):
        y = float(frame.y(np.array([value]))[0])
        inside.append(element("path", d=f"M{frame.left:g} {y:.1f}H{frame.right:g}", class_="grid"))
        inside.append(text(note_name(value), frame.left - 6, y + 4, "tick", text_anchor="end"))
    times = ticks(frame.start_s, frame.end_s, max(3, int(width // 110)))
    step = times[1] - times[0] if len(times) > 1 else 0.1
    for value in times:
        x = float(frame.x(np.array([value]))[0])
        inside.append(element("path", d=f"M{x:.1f} {frame.top:g}V{bottom + 5:g}", class_="grid"))
        inside.append(text(seconds(value, step), x, bottom + 18, "tick", text_anchor="middle"))
    left, right = frame.left, frame.right
    inside.append(element("path", d=f"M{left:g} {frame.top:g}V{bottom:g}H{right:g}", class_="axis"))
    words = (
        "time in the recording (seconds)" if frame.end_s <= 60 else "time in the recording (minutes:seconds)"
    )
    inside.append(text(words, (left + right) / 2, bottom + 36, "label", text_anchor="middle"))
    y = (frame.top + frame.bottom) / 2
    inside.append(
        text("pitch (note)", 14, y, "label", text_anchor="middle", transform=f"rotate(-90 14 {y:.0f})")
    )
    return inside
