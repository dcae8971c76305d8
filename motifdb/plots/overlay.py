"""The places of a motif or a family laid over each other: one transposition and one clock for all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from motifdb.errors import UsageError
from motifdb.plots import canvas
from motifdb.plots.curves import PitchCurve, extent, link
from motifdb.plots.recording import draw_rows, draw_symbols, rows_of
from motifdb.plots.warping import filled, warped_places

_MOST_NAMED = len(canvas.COLOURS)
_GRID = 200
_WARP_POINTS = 120
_POINTS = 400
"""A curve of more points than an axis has columns is thinned, so that pages stay small."""


@dataclass(frozen=True)
class Aligned:
    """Curves on one clock and at one level.

    Attributes
    ----------
    x_s : per curve its times on the common clock, seconds
    cents : per curve its pitch from the common level, NaN where unvoiced
    length_s : of the common clock
    marks_s : float64, shape (n_segments + 1,): where the segments meet on the clock; empty where they are not aligned
    ends_s : float64, shape (n_segments,): where each ends, which is before the next begins where there is a gap
    levels_cents : float64, shape (n_segments,): median level of each segment; empty likewise
    """

    x_s: list[NDArray[np.float64]]
    cents: list[NDArray[np.float64]]
    length_s: float
    marks_s: NDArray[np.float64]
    ends_s: NDArray[np.float64]
    levels_cents: NDArray[np.float64]

    def on_grid(self, n: int = _GRID) -> NDArray[np.float64]:
        """Shape (n_curves, n): every curve's pitch at n times of the clock, evenly spaced; NaN where unvoiced."""
        grid_s = np.linspace(0.0, self.length_s, n)
        out = np.full((len(self.x_s), n), np.nan)
        for row, x_s, cents in zip(out, self.x_s, self.cents, strict=True):
            row[:] = cents[np.clip(np.searchsorted(x_s, grid_s), 0, x_s.size - 1)]
        return out

    def middle(self, n: int = _GRID) -> NDArray[np.float64]:
        """Shape (3, n): the 10th percentile, median and 90th of the curves; NaN where fewer than half are voiced."""
        laid = self.on_grid(n)
        out = np.full((3, n), np.nan)
        enough = np.mean(~np.isnan(laid), axis=0) >= 0.5
        if enough.any():
            out[:, enough] = np.nanpercentile(laid[:, enough], (10, 50, 90), axis=0)
        return out


def align(
    curves: Sequence[PitchCurve],
    *,
    transpositions: Sequence[float] | None = None,
    face: int | None = None,
) -> Aligned:
    """Lay curves over each other: each at its own median pitch, stretched to the median duration.

    Where all have the same number of segments, the segments are laid over each other: each is stretched to its own
    median duration. With `face`, each is laid on that curve by dynamic time warping; with `transpositions` too, pitch is
    taken from that curve's median, moved by what is known.

    Parameters
    ----------
    curves : each with a voiced frame
    transpositions : cents that each is sung above `face`
    face : index of the curve whose clock all others take, and with `transpositions` its pitch
    """
    if transpositions is not None and face is not None:
        zero = float(np.nanmedian(curves[face].cents)) - float(transpositions[face])
        levels = [zero + float(t) for t in transpositions]
    else:
        levels = [float(np.nanmedian(c.cents)) for c in curves]
    cents = [c.cents - level for c, level in zip(curves, levels, strict=True)]
    nothing = np.zeros(0)
    n_segments = {len(c.segments) if c.segments is not None else 0 for c in curves}
    if len(n_segments) == 1 and n_segments != {0}:
        segments = [c.segments for c in curves if c.segments is not None]
        anchors = np.stack([np.r_[s.start_s, s.end_s[-1]] - s.start_s[0] for s in segments])
        anchors = np.maximum.accumulate(anchors, axis=1)
        # Medians of lengths, so that one held note moves no other segment.
        marks_s = np.r_[0.0, np.cumsum(np.median(np.diff(anchors, axis=1), axis=0))]
        x_s = [
            np.interp(c.times_s - s.start_s[0], own, marks_s)
            for c, s, own in zip(curves, segments, anchors, strict=True)
        ]
        own_levels = np.stack([s.cents - level for s, level in zip(segments, levels, strict=True)])
        length_s = max(float(marks_s[-1]), 1e-3)
        lasting_s = np.median(np.stack([s.end_s - s.start_s for s in segments]), axis=0)
        ends_s = np.minimum(marks_s[:-1] + lasting_s, marks_s[1:])
        return Aligned(x_s, cents, length_s, marks_s, ends_s, np.median(own_levels, axis=0))
    durations_s = np.array([c.times_s[-1] - c.times_s[0] for c in curves])
    length_s = max(float(np.median(durations_s)) if face is None else float(durations_s[face]), 1e-3)
    x_s = [
        (c.times_s - c.times_s[0]) / max(d, 1e-9) * length_s for c, d in zip(curves, durations_s, strict=True)
    ]
    aligned = Aligned(x_s, cents, length_s, nothing, nothing, nothing)
    return aligned if face is None or len(curves) < 2 else _warped(aligned, face)


def _warped(aligned: Aligned, face: int) -> Aligned:
    """Every curve on the clock of one of them."""
    grid = filled(aligned.on_grid(_WARP_POINTS))
    places = warped_places(grid, grid[face])
    grid_s = np.linspace(0.0, aligned.length_s, _WARP_POINTS)
    on_face_s = places * (aligned.length_s / (_WARP_POINTS - 1))
    x_s = [x if i == face else np.interp(x, grid_s, on_face_s[i]) for i, x in enumerate(aligned.x_s)]
    return replace(aligned, x_s=x_s)


def plot_motif(
    occurrences: Sequence[PitchCurve],
    path: str | Path,
    *,
    title: str = "",
    recording: PitchCurve | None = None,
    spans: Sequence[tuple[float, float]] = (),
    symbols: Sequence[int] = (),
    n_all: int | None = None,
) -> None:
    """Lay a motif's occurrences over each other, and mark where they sound in one recording.

    Each occurrence is moved to its own median pitch and stretched to the median duration, so that transposed and
    slower ones lie on each other; where all have as many segments, segment by segment. Up to seven are coloured and
    named; more are thin lines under their median and the band that holds the middle 80 % of them.

    Parameters
    ----------
    occurrences : at least one curve with a voiced frame; where each begins is its first time
    path : image file to write
    title : over the whole
    recording : drawn below, where given
    spans : start and end in seconds of the occurrences in `recording`
    symbols : the motif's, written where its segments meet
    n_all : how many occurrences there are, where not all are given

    Raises
    ------
    UsageError
        for an unknown suffix, or occurrences without a voiced frame.
    """
    target = canvas.check_suffix(path)
    figure = motif_figure(
        occurrences, recording=recording, spans=spans, symbols=symbols, n_all=n_all, what=str(target)
    )
    canvas.save(figure, target, title)


def motif_figure(
    occurrences: Sequence[PitchCurve],
    *,
    recording: PitchCurve | None = None,
    spans: Sequence[tuple[float, float]] = (),
    symbols: Sequence[int] = (),
    n_all: int | None = None,
    what: str = "the picture",
) -> Any:
    """The figure of `plot_motif`, for `canvas.save` or `canvas.svg_text`."""
    sung = [o for o in occurrences if np.any(o.f0_hz > 0)]
    if not sung:
        raise UsageError(f"there is nothing to plot in {what}: no occurrence has a voiced frame")
    figure, below = _begin(sung, align(sung), recording, symbols=symbols, n_all=n_all)
    _finish(below, recording, spans)
    return figure


def plot_family(
    members: Sequence[PitchCurve],
    face: int,
    path: str | Path,
    *,
    transpositions: Sequence[float] | None = None,
    title: str = "",
    recording: PitchCurve | None = None,
    spans: Sequence[tuple[float, float]] = (),
    n_all: int | None = None,
) -> None:
    """Lay a family's members over its exemplar, and mark where they sound in one recording.

    Parameters
    ----------
    members : one curve each, laid on the exemplar by dynamic time warping
    face : index of the exemplar, the thick line
    path : image file to write
    transpositions : cents that each is sung above the exemplar, taken off; None moves each to its own median pitch
    title, recording, spans, n_all : as for `plot_motif`

    Raises
    ------
    UsageError
        for an unknown suffix, or members without a voiced frame.
    """
    target = canvas.check_suffix(path)
    figure = family_figure(
        members,
        face,
        transpositions=transpositions,
        recording=recording,
        spans=spans,
        n_all=n_all,
        what=str(target),
    )
    canvas.save(figure, target, title)


def family_figure(
    members: Sequence[PitchCurve],
    face: int,
    *,
    transpositions: Sequence[float] | None = None,
    recording: PitchCurve | None = None,
    spans: Sequence[tuple[float, float]] = (),
    n_all: int | None = None,
    what: str = "the picture",
) -> Any:
    """The figure of `plot_family`, for `canvas.save` or `canvas.svg_text`."""
    kept = [i for i, m in enumerate(members) if np.any(m.f0_hz > 0)]
    if not kept:
        raise UsageError(f"there is nothing to plot in {what}: no member has a voiced frame")
    sung = [members[i] for i in kept]
    own_face = kept.index(face) if face in kept else None
    moved = [transpositions[i] for i in kept] if transpositions is not None and own_face is not None else None
    aligned = align(sung, transpositions=moved, face=own_face)
    figure, below = _begin(sung, aligned, recording, face=own_face, n_all=n_all, noun="members")
    _finish(below, recording, spans)
    return figure


def _begin(
    sung: Sequence[PitchCurve],
    aligned: Aligned,
    recording: PitchCurve | None,
    *,
    symbols: Sequence[int] = (),
    face: int | None = None,
    n_all: int | None = None,
    noun: str = "occurrences",
) -> tuple[Any, Sequence[Any]]:
    """The figure with its overlay, and the axes left for the recording."""
    rows = rows_of(recording) if recording is not None else []
    figure, axes = canvas.stacked([3.6] + [1.35] * len(rows))
    axis = axes[0]
    few = len(sung) <= _MOST_NAMED
    for i, (curve, x_s, cents) in enumerate(zip(sung, aligned.x_s, aligned.cents, strict=True)):
        if i == face:
            continue
        step = max(1, x_s.size // _POINTS)
        axis.plot(
            x_s[::step],
            cents[::step],
            color=canvas.COLOURS[i] if few else canvas.SOFT,
            linewidth=1.4 if few else 0.7,
            alpha=0.85 if few else max(0.08, min(0.5, 12 / len(sung))),
            label=curve.label if few and curve.label else None,
        )
        if few:
            link(axis, curve.times_s, x_s, cents, canvas.COLOURS[i])
    if not few:
        _band(axis, aligned, n_all or len(sung), noun)
    if face is not None:
        label = f"exemplar, {sung[face].label}" if sung[face].label else "exemplar"
        axis.plot(aligned.x_s[face], aligned.cents[face], color=canvas.INK, linewidth=2.4, label=label)
    _segments(axis, aligned, symbols)
    _frame(axis, aligned, is_of_face=face is not None, noun=noun[:-1])
    return figure, axes[1:]


def _finish(axes: Sequence[Any], recording: PitchCurve | None, spans: Sequence[tuple[float, float]]) -> None:
    if recording is not None:
        own = f"where it sounds in {recording.label}" if recording.label else "where it sounds"
        draw_rows(axes, rows_of(recording), recording, {own: list(spans)})


def _band(axis: Any, aligned: Aligned, n_all: int, noun: str) -> None:
    n = len(aligned.x_s)
    low, middle, high = aligned.middle()
    x_s = np.linspace(0.0, aligned.length_s, _GRID)
    axis.fill_between(x_s, low, high, color=canvas.COLOURS[0], alpha=0.18, linewidth=0, label="middle 80 %")
    counted = f"{n:,}" if n == n_all else f"{n:,} of {n_all:,}"
    axis.plot(x_s, middle, color=canvas.COLOURS[0], linewidth=2.2, label=f"median of {counted} {noun}")


def _segments(axis: Any, aligned: Aligned, symbols: Sequence[int]) -> None:
    """The median level of each segment, and the symbol of each step where two segments meet."""
    if not aligned.marks_s.size:
        return
    starts = aligned.marks_s[:-1]
    axis.hlines(
        aligned.levels_cents,
        starts,
        aligned.ends_s,
        color=canvas.INK,
        linewidth=3.0,
        alpha=0.55,
        label="segments",
    )
    if len(symbols) != len(starts) - 1:
        return
    for at in starts[1:]:
        axis.axvline(at, color="#CCCCCC", linewidth=0.6, zorder=0)
    size = 10 if len(symbols) <= 16 else 7
    draw_symbols(axis, starts[1:].tolist(), symbols, apart=aligned.length_s / 45, size=size, n_levels=4)


def _frame(axis: Any, aligned: Aligned, *, is_of_face: bool, noun: str) -> None:
    limits = _limits(aligned)
    if limits is not None:
        low_cents, high_cents = limits
        # room above for the symbols
        head = 0.14 * (high_cents - low_cents) if aligned.marks_s.size else 0.0
        axis.set_ylim(low_cents - 80, high_cents + 80 + head)
    axis.set_xlim(0, aligned.length_s)
    if is_of_face:
        axis.set_xlabel(
            "time from the start of the exemplar, the others laid on it by time warping (seconds)"
        )
        axis.set_ylabel("pitch from the exemplar's\nmedian (cents)")
    else:
        how = "each segment stretched to its" if aligned.marks_s.size else f"each {noun} stretched to the"
        axis.set_xlabel(
            f"time from the start, {how} median length; {aligned.length_s:.2f} s in all (seconds)"
        )
        axis.set_ylabel(f"pitch from the {noun}'s\nmedian (cents)")
    axis.grid(axis="y", color="#DDDDDD", linewidth=0.6)
    canvas.legend(axis)


def _limits(aligned: Aligned) -> tuple[float, float] | None:
    """Lowest and highest cents to show; of many curves what most of them sing, however far a tracker slips in some."""
    if len(aligned.x_s) <= _MOST_NAMED:
        laid = aligned.on_grid()
        inner = laid[~np.isnan(laid)]
        return extent(inner) if inner.size else None
    low, _, high = aligned.middle()
    if np.isnan(low).all():
        return None
    bottom, top = (float(v) for v in (np.nanpercentile(low, 10), np.nanpercentile(high, 90)))
    reach = max(0.5 * (top - bottom), 150.0)
    return bottom - reach, top + reach
