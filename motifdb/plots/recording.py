"""A recording's pitch in rows, with its segments and symbols, and lanes for what sounds where."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from motifdb.errors import UsageError
from motifdb.plots import canvas
from motifdb.plots.curves import (
    PitchCurve,
    Segments,
    extent,
    joined_spans,
    link,
    note_name,
    note_ticks,
    symbol_text,
)

_ROW_S, _MOST_ROWS, _POINTS_IN_ROW = 30.0, 6, 6000
_MOST_NAMED = len(canvas.COLOURS)
_MOST_SHADED = 3
_MOST_SYMBOLS = 60
"""Symbols in a row that can still be read."""


def plot_recording(
    recording: PitchCurve,
    spans: Mapping[str, Sequence[tuple[float, float]]],
    path: str | Path,
    *,
    title: str = "",
) -> None:
    """Draw a recording's pitch in rows of at least 30 s, its segments, and where motifs sound in it.

    Parameters
    ----------
    recording : the curve; where it has segments, their levels are drawn, and their symbols where a row has few enough
    spans : start and end in seconds by name of motif; up to seven names get a lane and a colour of their own, the
        others share one grey lane
    path : image file to write
    title : over the whole

    Raises
    ------
    UsageError
        for an unknown suffix, or a recording without a frame.
    """
    target = canvas.check_suffix(path)
    canvas.save(recording_figure(recording, spans, what=str(target)), target, title)


def recording_figure(
    recording: PitchCurve, spans: Mapping[str, Sequence[tuple[float, float]]], *, what: str = "the picture"
) -> Any:
    """The figure of `plot_recording`, for `canvas.save` or `canvas.svg_text`."""
    if recording.times_s.size == 0:
        raise UsageError(f"there is nothing to plot in {what}: the recording has no pitch frame")
    rows = rows_of(recording)
    height_in = 1.6 + 0.08 * min(len(spans), _MOST_NAMED + 1)
    figure, axes = canvas.stacked([height_in * (1.6 if len(rows) == 1 else 1.0)] * len(rows))
    draw_rows(axes, rows, recording, spans)
    return figure


def rows_of(recording: PitchCurve) -> list[tuple[float, float]]:
    """Start and end of each row: of one length, about 30 s or more, six rows at most."""
    if recording.times_s.size == 0:
        return []
    start_s, end_s = (
        float(recording.times_s[0]),
        max(float(recording.times_s[-1]), float(recording.times_s[0]) + 0.1),
    )
    n_rows = int(np.clip(np.round((end_s - start_s) / _ROW_S), 1, _MOST_ROWS))
    edges_s = np.linspace(start_s, end_s, n_rows + 1).tolist()
    return list(pairwise(edges_s))


def draw_rows(
    axes: Sequence[Any],
    rows: Sequence[tuple[float, float]],
    recording: PitchCurve,
    spans: Mapping[str, Sequence[tuple[float, float]]],
) -> None:
    """Draw each row of a recording on its axis."""
    cents = recording.cents
    voiced = cents[~np.isnan(cents)]
    low, high = extent(voiced) if voiced.size else (-1200.0, 0.0)
    low, high = low - 150.0, high + 150.0
    lanes = _lanes(spans)
    lane_cents = 0.07 * (high - low)
    for axis, (start_s, end_s) in zip(axes, rows, strict=True):
        first, last = np.searchsorted(recording.times_s, (start_s, end_s))
        step = max(1, (last - first) // _POINTS_IN_ROW)
        times_s, row_cents = recording.times_s[first:last:step], cents[first:last:step]
        axis.plot(times_s, row_cents, color=canvas.INK, linewidth=0.9)
        link(axis, times_s, times_s, row_cents, canvas.INK)
        if recording.segments is not None:
            _draw_segments(axis, recording.segments, (start_s, end_s))
        for lane, (label, colour, bars) in enumerate(lanes):
            visible = [(s, e) for s, e in bars if e > start_s and s < end_s]
            bottom = low - (lane + 1) * lane_cents
            axis.broken_barh(
                [(s, e - s) for s, e in visible],
                (bottom, 0.75 * lane_cents),
                facecolor=colour,
                edgecolor="white",
                linewidth=0.4,
                label=label,
            )
            for s, e in joined_spans(visible) if len(lanes) <= _MOST_SHADED else ():
                axis.axvspan(s, e, color=colour, alpha=0.12, linewidth=0)
        axis.set_xlim(start_s, end_s)
        axis.set_ylim(low - (len(lanes) + 0.5) * lane_cents, high)
        ticks = note_ticks(low, high)
        axis.set_yticks(ticks, [note_name(t) for t in ticks])
        axis.grid(axis="y", color="#E4E4E4", linewidth=0.6)
        axis.set_ylabel("pitch (note)")
    if not voiced.size:
        axes[0].text(0.5, 0.6, "no voiced frame", transform=axes[0].transAxes, ha="center", color=canvas.SOFT)
    axes[-1].set_xlabel("time in the recording (seconds)")
    canvas.legend(axes[0])


def _draw_segments(axis: Any, segments: Segments, row: tuple[float, float]) -> None:
    """Levels as thick lines under the pitch, symbols at the top where they can be read."""
    start_s, end_s = row
    seen = np.flatnonzero((segments.end_s > start_s) & (segments.start_s < end_s))
    axis.hlines(
        segments.cents[seen],
        segments.start_s[seen],
        segments.end_s[seen],
        color=canvas.COLOURS[4],
        linewidth=3.0,
        alpha=0.6,
        label="segments",
    )
    steps = [int(i) for i in seen[:-1] if segments.symbols[i] != 0]
    if len(steps) > _MOST_SYMBOLS:
        return
    at_s = [(segments.end_s[i] + segments.start_s[i + 1]) / 2 for i in steps]
    size = 6.5 if len(steps) > 40 else 8.0
    symbols = [int(segments.symbols[i]) for i in steps]
    draw_symbols(
        axis, at_s, symbols, apart=(end_s - start_s) / (60 if size > 7 else 75), size=size, n_levels=3
    )


def draw_symbols(
    axis: Any, at: Sequence[float], symbols: Sequence[int], *, apart: float, size: float, n_levels: int
) -> None:
    """Symbols along the top of an axis; one that would touch the one before stands lower, below the last level nowhere.

    Parameters
    ----------
    at : where each stands, ascending
    apart : least distance of two on one level
    """
    free_from = [-np.inf] * n_levels
    for x, symbol in zip(at, symbols, strict=True):
        level = next((i for i, free in enumerate(free_from) if x >= free), None)
        if level is None:
            continue
        free_from[level] = x + apart
        axis.annotate(
            symbol_text(symbol),
            (x, 1.0),
            xycoords=axis.get_xaxis_transform(),
            xytext=(0, -1 - 1.15 * size * level),
            textcoords="offset points",
            ha="center",
            va="top",
            fontsize=size,
            color="#555555",
            annotation_clip=True,
        )


def _lanes(
    spans: Mapping[str, Sequence[tuple[float, float]]],
) -> list[tuple[str, str, list[tuple[float, float]]]]:
    """Label, colour and bars of each lane; what is too much to be told apart shares the last one."""
    names = list(spans)
    lanes = [(n, canvas.COLOURS[i], list(spans[n])) for i, n in enumerate(names[:_MOST_NAMED])]
    rest = names[_MOST_NAMED:]
    if rest:
        lanes.append((f"{len(rest)} further motifs", canvas.SOFT, [bar for n in rest for bar in spans[n]]))
    return lanes
