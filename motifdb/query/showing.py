"""A portrait as text for a terminal: a small picture of the contour, what is known, where it sounds."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

import numpy as np

from motifdb.errors import UsageError
from motifdb.plots.curves import extent, note_name, note_ticks
from motifdb.plots.glyphs import curve_lines, lane_line, placed
from motifdb.plots.overlay import align
from motifdb.query.portrait import Portrait

_GUTTER = 8
"""Characters left of a picture: its axis."""

_HEIGHT = 9
_LANE_LABEL = 26
_MOST_PLACES = 8
_MOST_IN_PICTURE = 60
"""Occurrences whose median the small picture shows at most."""


def portrait_text(
    portrait: Portrait, *, width: int = 100, is_unicode: bool = True, is_color: bool = False
) -> str:
    """A portrait in lines of at most `width` characters.

    Parameters
    ----------
    width : 60 or more
    is_unicode : braille and lines; else ASCII alone draws the picture
    is_color : whether the title is bold

    Raises
    ------
    UsageError
        where `width` is too small for a picture.
    """
    if width < 60:
        raise UsageError(f"a picture needs 60 columns of text, got {width}")
    bold, normal = ("\x1b[1m", "\x1b[0m") if is_color else ("", "")
    lines = [bold + cut_text(portrait.title, width) + normal, ""]
    picture = _recording if portrait.kind == "recording" else _overlay
    lines += [*picture(portrait, width, is_unicode), ""]
    name_width = max(len(name) for name, _ in portrait.facts) + 2
    lines += [cut_text(name.ljust(name_width) + value, width) for name, value in portrait.facts]
    lines += ["", *_places(portrait, width)]
    return "\n".join(line.rstrip() for line in lines)


def can_draw(encoding: str | None) -> bool:
    """Whether text of this encoding can hold the picture's braille and lines.

    >>> can_draw("utf-8"), can_draw("ascii"), can_draw(None)
    (True, False, False)
    """
    try:
        "⣿┤│▄".encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def _overlay(portrait: Portrait, width: int, is_unicode: bool) -> list[str]:
    """The median of all occurrences, with the symbols where their segments meet."""
    chosen = np.linspace(0, len(portrait.curves) - 1, min(len(portrait.curves), _MOST_IN_PICTURE)).astype(int)
    kept = sorted({*chosen.tolist(), *([] if portrait.face is None else [portrait.face])})
    kept = [i for i in kept if np.any(portrait.curves[i].f0_hz > 0)]
    if not kept:
        return ["no place has a voiced frame"]
    inner = min(width - _GUTTER, 72)
    sung = [portrait.curves[i] for i in kept]
    aligned = align(sung, face=kept.index(portrait.face) if portrait.face in kept else None)
    middle = aligned.middle(4 * inner)[1]
    voiced = middle[~np.isnan(middle)]
    if not voiced.size:
        return ["the places agree nowhere on what is voiced"]
    # the middle of a picture of nine lines: what is sung for moments only may leave it
    low, high = (float(v) for v in np.percentile(voiced, (3, 97)))
    low, high = low - 0.05 * (high - low), max(high, low + 100.0) + 0.05 * (high - low)
    lines = curve_lines(middle, low, high, inner, _HEIGHT, is_unicode=is_unicode)
    axis = {0: f"{high:+.0f}", _HEIGHT - 1: f"{low:+.0f}"}
    zero = round(high / (high - low) * (_HEIGHT - 1))
    if 1 < zero < _HEIGHT - 2:
        axis[zero] = "0"
    out = _framed(lines, axis, is_unicode)
    if len(aligned.marks_s) == len(portrait.symbols) + 2:
        marks = aligned.marks_s[1:-1] / aligned.length_s
        texts = [(float(m), f"{s:+d}") for m, s in zip(marks, portrait.symbols, strict=True)]
        out.append(" " * _GUTTER + placed(texts, inner))
    ends = [(0.0, "0 s"), (0.5, f"{aligned.length_s / 2:.1f}"), (1.0, f"{aligned.length_s:.1f} s")]
    out.append(" " * _GUTTER + placed(ends, inner))
    what = f"median of {len(sung)}" if len(sung) > 1 else "one place"
    how = "stretched to the median length" if portrait.face is None else "laid on the exemplar's"
    out.append(f"{'cents':>{_GUTTER - 2}}  from the median pitch, {what}; time {how}")
    return out


def _recording(portrait: Portrait, width: int, is_unicode: bool) -> list[str]:
    """The pitch of a whole recording over notes, and lanes for what sounds in it."""
    recording = portrait.recording
    assert recording is not None
    if not recording.times_s.size:
        return ["no pitch frame"]
    inner = max(width - _GUTTER - _LANE_LABEL, 40)
    cents = recording.cents
    voiced = cents[~np.isnan(cents)]
    if not voiced.size:
        return ["no voiced frame"]
    low, high = extent(voiced)
    high = max(high, low + 200.0)
    lines = curve_lines(cents, low, high, inner, _HEIGHT, is_unicode=is_unicode)
    axis = {
        round((high - t) / (high - low) * (_HEIGHT - 1)): note_name(t) for t in note_ticks(low, high, most=4)
    }
    out = _framed(lines, axis, is_unicode)
    start_s, end_s = float(recording.times_s[0]), float(recording.times_s[-1])
    ends = [(0.0, f"{start_s:.0f} s"), (0.5, f"{(start_s + end_s) / 2:.0f}"), (1.0, f"{end_s:.0f} s")]
    out.append(" " * _GUTTER + placed(ends, inner))
    for name, spans in portrait.spans.items():
        lane = lane_line(spans, start_s, end_s, inner, is_unicode=is_unicode)
        times = f"{len(spans)}x"
        out.append(f"{times:>{_GUTTER - 2}}  {lane} " + cut_text(name, width - _GUTTER - inner - 1))
    return out


def _framed(lines: Sequence[str], axis: dict[int, str], is_unicode: bool) -> list[str]:
    """Lines of a picture with the axis at their left."""
    tick, rule = ("┤", "│") if is_unicode else ("+", "|")
    return [
        f"{axis.get(i, ''):>{_GUTTER - 2}} {tick if i in axis else rule}{line}"
        for i, line in enumerate(lines)
    ]


def _places(portrait: Portrait, width: int) -> list[str]:
    if portrait.kind == "recording":
        motifs = portrait.places.slice(0, _MOST_PLACES).to_pylist()
        if not motifs:
            return ["no motif sounds in it"]
        rows = [
            f"  {m['motif_id'][:8]}  {m['times']:>4} times  "
            + ("p unknown     " if m["log10_p"] is None else f"log10 p {m['log10_p']:6.1f}")
            + f"  {m['contour']}"
            for m in motifs
        ]
        return ["strongest motifs", *(cut_text(row, width) for row in rows)]
    shown = portrait.places.slice(0, _MOST_PLACES).to_pylist()
    lines = ["sounds at"]
    for place in shown:
        span = f"{place['start_s']:9.2f} s to {place['end_s']:.2f} s"
        lines.append(cut_text(f"{span:<26}in {place['path']}", width))
    more = portrait.places.num_rows - len(shown)
    if more > 0:
        lines.append(f"  and {more:,} more places")
    return lines


def cut_text(text: str, width: int) -> str:
    """A text in one line of so many terminal columns; control characters, which can drive a terminal, become ``?``.

    >>> cut_text("+1 -2 +1 -2", 8), cut_text("a\\tb", 8)
    ('+1 -2 +…', 'a?b')
    """
    safe = "".join(c if c.isprintable() else "?" for c in text)
    wide = [0 if unicodedata.combining(c) else 1 + (unicodedata.east_asian_width(c) in "WF") for c in safe]
    if sum(wide) <= width:
        return safe
    n, used = 0, 0
    while used + wide[n] <= width - 1:
        used += wide[n]
        n += 1
    return safe[:n] + "…"
