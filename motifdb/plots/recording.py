"""Pictures of motifs and recordings: arrays in, one image file out.

**Conventions**: 0 Hz is unvoiced and breaks the line; pitch axes are note names of the equal-tempered scale with
A4 = 440 Hz, or cents where occurrences are laid over each other; time axes are seconds. The suffix of the file
says its format: png, svg or pdf. matplotlib is imported when a picture is drawn, without any display.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from motifdb.errors import UsageError
from motifdb.plots import canvas

_NAMES = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
_ROW_S, _MOST_ROWS, _POINTS_IN_ROW = 30.0, 6, 6000
_LINK_S = 0.3  # a shorter gap is a consonant: a thin line leads over it
_MOST_NAMED = len(canvas.COLOURS)
_MOST_SHADED = 3


@dataclass(frozen=True)
class PitchCurve:
    """Pitch over time: a whole recording, or the stretch where a motif occurs.

    Attributes
    ----------
    times_s : float64, shape (n_frames,), seconds, ascending
    f0_hz : shape (n_frames,), Hz, 0 where unvoiced
    label : what a legend calls it
    """

    times_s: NDArray[np.float64]
    f0_hz: NDArray[Any]
    label: str = ""

    def __post_init__(self) -> None:
        if self.times_s.shape != self.f0_hz.shape or self.times_s.ndim != 1:
            raise ValueError(
                f"times {self.times_s.shape} and f0 {self.f0_hz.shape} must be lists of one length"
            )

    @property
    def cents(self) -> NDArray[np.float64]:
        """Cents over 440 Hz, NaN where unvoiced."""
        voiced = self.f0_hz > 0
        return np.where(voiced, 1200.0 * np.log2(np.where(voiced, self.f0_hz, 440.0) / 440.0), np.nan)


def plot_motif(
    occurrences: Sequence[PitchCurve],
    path: str | Path,
    *,
    title: str = "",
    recording: PitchCurve | None = None,
    spans: Sequence[tuple[float, float]] = (),
) -> None:
    """Lay a motif's occurrences over each other, and mark where they sound in one recording.

    Each occurrence is moved to its own median pitch and stretched to the median duration, so that transposed and
    slower ones lie on each other. Up to seven are coloured and named; more are thin lines under their median and
    the band that holds the middle 80 % of them.

    Parameters
    ----------
    occurrences : at least one curve with a voiced frame; where each begins is its first time
    path : image file to write
    title : over the whole
    recording : drawn below, where given
    spans : start and end in seconds of the occurrences in `recording`

    Raises
    ------
    UsageError
        for an unknown suffix, or occurrences without a voiced frame.
    """
    target = canvas.check_suffix(path)
    sung = [o for o in occurrences if np.any(o.f0_hz > 0)]
    if not sung:
        raise UsageError(f"there is nothing to plot in {target}: no occurrence has a voiced frame")
    rows = _rows(recording) if recording is not None else []
    figure, axes = canvas.stacked([3.4] + [1.35] * len(rows))
    _overlay(axes[0], sung)
    if recording is not None:
        own = {f"where it sounds in {recording.label}" if recording.label else "where it sounds": list(spans)}
        _draw_recording(axes[1:], rows, recording, own)
    canvas.save(figure, target, title)


def plot_recording(
    recording: PitchCurve,
    spans: Mapping[str, Sequence[tuple[float, float]]],
    path: str | Path,
    *,
    title: str = "",
) -> None:
    """Draw a recording's pitch in rows of at least 30 s, and where motifs sound in it.

    Parameters
    ----------
    recording : the curve
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
    if recording.times_s.size == 0:
        raise UsageError(f"there is nothing to plot in {target}: the recording has no pitch frame")
    rows = _rows(recording)
    figure, axes = canvas.stacked([1.6 + 0.08 * min(len(spans), _MOST_NAMED + 1)] * len(rows))
    _draw_recording(axes, rows, recording, spans)
    canvas.save(figure, target, title)


def _overlay(axis: Any, occurrences: Sequence[PitchCurve]) -> None:
    durations_s = np.array([o.times_s[-1] - o.times_s[0] for o in occurrences])
    length_s = max(float(np.median(durations_s)), 1e-3)
    grid = np.linspace(0.0, 1.0, 200)
    laid = np.stack([_on_grid(o, grid) for o in occurrences])
    few = len(occurrences) <= _MOST_NAMED
    for i, (occurrence, duration_s) in enumerate(zip(occurrences, durations_s, strict=True)):
        share = (occurrence.times_s - occurrence.times_s[0]) / max(duration_s, 1e-9)
        cents = occurrence.cents
        axis.plot(
            share * length_s,
            cents - np.nanmedian(cents),
            color=canvas.COLOURS[i] if few else canvas.SOFT,
            linewidth=1.4 if few else 0.7,
            alpha=0.85 if few else max(0.08, min(0.5, 12 / len(occurrences))),
            label=occurrence.label if few and occurrence.label else None,
        )
        if few:
            _link(axis, occurrence.times_s, share * length_s, cents - np.nanmedian(cents), canvas.COLOURS[i])
    if not few:
        # Where fewer than half are voiced there is no middle to show.
        enough = np.mean(~np.isnan(laid), axis=0) >= 0.5
        low, middle, high = (np.full(grid.size, np.nan) for _ in range(3))
        low[enough], middle[enough], high[enough] = np.nanpercentile(laid[:, enough], (10, 50, 90), axis=0)
        x = grid * length_s
        axis.fill_between(x, low, high, color=canvas.COLOURS[0], alpha=0.18, linewidth=0, label="middle 80 %")
        axis.plot(
            x,
            middle,
            color=canvas.COLOURS[0],
            linewidth=2.2,
            label=f"median of {len(occurrences)} occurrences",
        )
    inner = laid[~np.isnan(laid)]
    if inner.size:
        low_cents, high_cents = _extent(inner)
        axis.set_ylim(low_cents - 80, high_cents + 80)
    axis.set_xlim(0, length_s)
    axis.set_xlabel(
        f"time from the motif's start, stretched to the median length of {length_s:.2f} s (seconds)"
    )
    axis.set_ylabel("pitch from the\noccurrence's median (cents)")
    axis.grid(axis="y", color="#DDDDDD", linewidth=0.6)
    canvas.legend(axis)


def _extent(cents: NDArray[np.float64]) -> tuple[float, float]:
    """Lowest and highest pitch to show: all of it, but for glitches far outside of what is sung.

    A tracker's slips down to its lowest frequency would else press the melody into a line.

    >>> _extent(np.r_[np.linspace(0.0, 1000.0, 101), -4000.0])
    (-641.2, 1000.0)
    """
    low, high = np.percentile(cents, (5, 95))
    reach = 0.75 * max(float(high - low), 200.0)
    return round(max(float(cents.min()), float(low) - reach), 1), round(
        min(float(cents.max()), float(high) + reach), 1
    )


def _on_grid(occurrence: PitchCurve, grid: NDArray[np.float64]) -> NDArray[np.float64]:
    """Cents from the occurrence's median at the frames nearest to these shares of its duration."""
    times_s, cents = occurrence.times_s, occurrence.cents
    wanted_s = times_s[0] + grid * (times_s[-1] - times_s[0])
    index = np.clip(np.searchsorted(times_s, wanted_s), 0, times_s.size - 1)
    level = float(np.nanmedian(cents))
    return np.asarray(cents[index] - level, dtype=np.float64)


def _rows(recording: PitchCurve) -> list[tuple[float, float]]:
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


def _draw_recording(
    axes: Sequence[Any],
    rows: Sequence[tuple[float, float]],
    recording: PitchCurve,
    spans: Mapping[str, Sequence[tuple[float, float]]],
) -> None:
    cents = recording.cents
    voiced = cents[~np.isnan(cents)]
    low, high = _extent(voiced) if voiced.size else (-1200.0, 0.0)
    low, high = low - 150.0, high + 150.0
    lanes = _lanes(spans)
    lane_cents = 0.07 * (high - low)
    for axis, (start_s, end_s) in zip(axes, rows, strict=True):
        first, last = np.searchsorted(recording.times_s, (start_s, end_s))
        step = max(1, (last - first) // _POINTS_IN_ROW)
        times_s, row_cents = recording.times_s[first:last:step], cents[first:last:step]
        axis.plot(times_s, row_cents, color=canvas.INK, linewidth=0.9)
        _link(axis, times_s, times_s, row_cents, canvas.INK)
        for lane, (label, colour, bars) in enumerate(lanes):
            visible = [(s, e - s) for s, e in bars if e > start_s and s < end_s]
            bottom = low - (lane + 1) * lane_cents
            axis.broken_barh(
                visible,
                (bottom, 0.75 * lane_cents),
                facecolor=colour,
                edgecolor="white",
                linewidth=0.4,
                label=label,
            )
            for s, e in _joined(visible) if len(lanes) <= _MOST_SHADED else ():
                axis.axvspan(s, e, color=colour, alpha=0.12, linewidth=0)
        axis.set_xlim(start_s, end_s)
        axis.set_ylim(low - (len(lanes) + 0.5) * lane_cents, high)
        ticks = _note_ticks(low, high)
        axis.set_yticks(ticks, [note_name(t) for t in ticks])
        axis.grid(axis="y", color="#E4E4E4", linewidth=0.6)
        axis.set_ylabel("pitch (note)")
    axes[-1].set_xlabel("time in the recording (seconds)")
    canvas.legend(axes[0])


def _link(
    axis: Any, times_s: NDArray[np.float64], x: NDArray[np.float64], cents: NDArray[np.float64], colour: str
) -> None:
    """Thin lines over the short gaps between voiced frames, so that the eye follows the melody."""
    voiced = np.flatnonzero(~np.isnan(cents))
    before, after = voiced[:-1], voiced[1:]
    short = (after - before > 1) & (times_s[after] - times_s[before] <= _LINK_S)
    ends = np.stack((before[short], after[short]))
    if ends.size:
        axis.plot(x[ends], cents[ends], color=colour, linewidth=0.5, alpha=0.45)


def _joined(bars: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Start and end of what start and length of bars cover together."""
    joined: list[tuple[float, float]] = []
    for start_s, length_s in sorted(bars):
        if joined and start_s <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], start_s + length_s))
        else:
            joined.append((start_s, start_s + length_s))
    return joined


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


def note_name(cents: float) -> str:
    """Nearest note of the equal-tempered scale.

    >>> note_name(0.0), note_name(-900.0), note_name(-951.0)
    ('A4', 'C4', 'B3')
    """
    semitone = round(cents / 100.0) + 69
    return f"{_NAMES[semitone % 12]}{semitone // 12 - 1}"


def _note_ticks(low_cents: float, high_cents: float) -> list[float]:
    """At most six notes inside the range, evenly spaced and on C, D, E, ... where the step allows."""
    low, high = int(np.ceil(low_cents / 100.0)), int(np.floor(high_cents / 100.0))
    step = next((s for s in (1, 2, 3, 4, 6, 12, 24) if (high - low) / s <= 6), 48)
    # 3 semitones over A is C: steps of 12 then fall on C.
    return [100.0 * s for s in range(low, high + 1) if (s - 3) % step == 0]
