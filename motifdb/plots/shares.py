"""Pictures of shares: which planted motifs are found, which motifs survive small changes. Arrays in, one image file out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from motifdb.errors import UsageError
from motifdb.plots import canvas


@dataclass(frozen=True)
class RecallCurve:
    """Shares of planted motifs that were found, over how often each was planted.

    Attributes
    ----------
    planted : shape (n,), occurrences in a recording, ascending
    recall, low, high : float64, shape (n,), 0 to 1: the share and its interval
    label : what the legend calls it
    """

    planted: NDArray[Any]
    recall: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    label: str

    def __post_init__(self) -> None:
        if not self.planted.shape == self.recall.shape == self.low.shape == self.high.shape:
            raise ValueError("planted, recall, low and high must be lists of one length")


def plot_recall(
    curves: Sequence[RecallCurve], path: str | Path, *, title: str = "", what: str = "found at q < 0.05"
) -> None:
    """Draw which share of planted motifs is found, over how often they were planted; one line a curve.

    Parameters
    ----------
    curves : at least one with a point; lines stand a little apart, so that their intervals can be told apart
    path : image file to write
    title : over the whole
    what : what happened to the share, in the label of its axis

    Raises
    ------
    UsageError
        for an unknown suffix, or curves without a point.
    """
    target = canvas.check_suffix(path)
    drawn = [c for c in curves if c.planted.size]
    if not drawn:
        raise UsageError(f"there is nothing to plot in {target}: no motif was planted")
    figure, (axis,) = canvas.stacked([4.6])
    strengths = sorted({int(n) for c in drawn for n in c.planted})
    gaps = np.diff(strengths)
    apart = 0.5 * float(gaps.min() if gaps.size else 1.0) / len(drawn)
    axis.axhline(0.5, color=canvas.SOFT, linewidth=0.8, linestyle=(0, (4, 4)))
    for i, curve in enumerate(drawn):
        x = curve.planted + (i - (len(drawn) - 1) / 2) * apart
        reach = np.stack([curve.recall - curve.low, curve.high - curve.recall]).clip(0.0)
        colour = canvas.COLOURS[i % len(canvas.COLOURS)]
        axis.errorbar(
            x,
            curve.recall,
            reach,
            color=colour,
            marker="o",
            markersize=4.5,
            linewidth=1.6,
            elinewidth=0.9,
            capsize=2.5,
            label=curve.label,
        )
    axis.set_xticks(strengths)
    axis.set_ylim(-0.03, 1.03)
    axis.set_xlabel("planted occurrences in a recording (number)")
    axis.set_ylabel(f"share of planted motifs\n{what} (95 % interval)")
    axis.grid(axis="y", color="#DDDDDD", linewidth=0.6)
    canvas.legend(axis)
    canvas.save(figure, target, title)


def plot_stability(
    titles: Sequence[str],
    shares: Sequence[float],
    chances: Sequence[float],
    stability: NDArray[np.float64],
    q_value: NDArray[np.float64],
    path: str | Path,
    *,
    title: str = "",
) -> None:
    """Bars of the share that each rerun confirms, and how many motifs have which stability.

    Parameters
    ----------
    titles, shares, chances : per rerun its name, the share of motifs it confirms, and the share that chance would; NaN unknown
    stability : float64, shape (n_motifs,), 0 to 1
    q_value : float64, shape (n_motifs,), NaN unknown; motifs below 0.05 get a colour of their own
    path : image file to write
    title : over the whole

    Raises
    ------
    UsageError
        for an unknown suffix, or no motifs.
    """
    from matplotlib.figure import Figure

    target = canvas.check_suffix(path)
    if not stability.size:
        raise UsageError(f"there is nothing to plot in {target}: no motif has a stability")
    figure = Figure(figsize=(11.0, 4.2), dpi=130, layout="constrained")
    left, right = figure.subplots(1, 2, gridspec_kw={"width_ratios": [1.25, 1]})
    rows = np.arange(len(titles))
    left.barh(rows, shares, color=canvas.COLOURS[0], height=0.62, label="confirmed")
    left.plot(
        chances,
        rows,
        linestyle="none",
        marker="|",
        markersize=22,
        markeredgewidth=2.2,
        color=canvas.COLOURS[1],
        label="by chance: places turned round the recording",
    )
    for row, share in zip(rows.tolist(), shares, strict=True):
        if not np.isnan(share):
            left.text(share + 0.01, row, f"{share:.2f}", va="center", fontsize=8)
    left.set_yticks(rows, list(titles))
    left.invert_yaxis()
    left.set_xlim(0, 1.09)
    left.set_xticks(np.linspace(0, 1, 6))
    left.set_xlabel("share of motifs that the rerun confirms")
    values = np.unique(np.r_[np.round(stability, 6), np.round(np.linspace(0, 1, len(titles) + 1), 6)])
    is_strong = q_value < 0.05
    strong, other = (
        np.array([(np.isclose(stability, v, atol=1e-5) & part).sum() for v in values])
        for part in (is_strong, ~is_strong)
    )
    width = 0.7 * float(np.diff(values).min())
    right.bar(values, strong, width=width, color=canvas.COLOURS[2], label="q < 0.05")
    right.bar(values, other, width=width, bottom=strong, color="#BBBBBB", label="other motifs")
    right.set_xlim(-0.1, 1.1)
    right.set_xticks(values if values.size <= 11 else np.linspace(0, 1, 6))
    right.xaxis.set_major_formatter("{x:.2f}")
    right.set_xlabel("stability (share of reruns that confirm the motif)")
    right.set_ylabel("motifs (number)")
    for axis in (left, right):
        axis.spines[["top", "right"]].set_visible(False)
        axis.tick_params(labelsize=8)
        axis.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), frameon=False, fontsize=8, ncols=2)
    canvas.save(figure, target, title)
