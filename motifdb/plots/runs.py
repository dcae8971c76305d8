"""Pictures of runs: learning curves, confusion, experiments beside published figures, the ladder of leaks. Arrays in, one image file out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from motifdb.errors import UsageError
from motifdb.plots import canvas

_MOST_NUMBERED = 12  # classes whose cells of a confusion matrix can still hold a number
_MOST_NAMED = 40
_GREYS = ("#444444", "#7D7D7D", "#B0B0B0", "#D6D6D6")


@dataclass(frozen=True)
class LearningCurve:
    """One run's epochs; NaN where a run had no part valid.

    Attributes
    ----------
    epoch : shape (n,), 1, 2, ...
    train_loss, valid_loss : float64, shape (n,), nat
    train_accuracy, valid_accuracy : float64, shape (n,), 0 to 1
    best_epoch : whose weights were kept; None unknown
    label : what the legend calls it
    """

    epoch: NDArray[Any]
    train_loss: NDArray[np.float64]
    valid_loss: NDArray[np.float64]
    train_accuracy: NDArray[np.float64]
    valid_accuracy: NDArray[np.float64]
    best_epoch: int | None = None
    label: str = ""

    def __post_init__(self) -> None:
        shapes = {
            a.shape
            for a in (
                self.epoch,
                self.train_loss,
                self.valid_loss,
                self.train_accuracy,
                self.valid_accuracy,
            )
        }
        if len(shapes) != 1 or len(next(iter(shapes))) != 1:
            raise ValueError(f"a learning curve is five lists of one length, got {sorted(shapes)}")


@dataclass(frozen=True)
class Series:
    """One figure of every row of a table, or of every step of a ladder; NaN what is not known.

    Attributes
    ----------
    label : what the legend calls it
    value, low, high : float64, shape (n,); the interval is not drawn where it is NaN
    """

    label: str
    value: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]

    @classmethod
    def of(
        cls,
        label: str,
        value: Sequence[float | None],
        low: Sequence[float | None] | None = None,
        high: Sequence[float | None] | None = None,
    ) -> Series:
        """From lists, None for what is not known."""
        unknown: list[float | None] = [None] * len(value)
        arrays = [
            np.array([np.nan if v is None else v for v in given], dtype=np.float64)
            for given in (value, low if low is not None else unknown, high if high is not None else unknown)
        ]
        return cls(label, *arrays)

    @property
    def reach(self) -> NDArray[np.float64]:
        """Shape (2, n): how far the interval goes below and above, 0 where there is none."""
        return np.nan_to_num(np.stack([self.value - self.low, self.high - self.value])).clip(0.0)


def plot_run(
    curves: Sequence[LearningCurve],
    confusion: NDArray[Any] | None,
    classes: Sequence[str],
    path: str | Path,
    *,
    title: str = "",
) -> None:
    """Draw learning curves (loss, accuracy) and the confusion matrix of the part test beside them.

    Parameters
    ----------
    curves : one a run (a seed, a fold); none for baselines. Up to seven are coloured
    confusion : integer, shape (n_classes, n_classes), clips by class (rows) and predicted class (columns); None leaves it out
    classes : names of the classes
    path : image file to write
    title : over the whole

    Raises
    ------
    UsageError
        for an unknown suffix, or where there is nothing to draw.
    """
    from matplotlib.figure import Figure

    target = canvas.check_suffix(path)
    drawn = [c for c in curves if c.epoch.size]
    if not drawn and confusion is None:
        raise UsageError(f"there is nothing to plot in {target}: the run has no epochs and no predictions")
    side = 4.6 + 0.16 * max(0, len(classes) - 5)
    widths = ([6.4] if drawn else []) + ([side + 0.9] if confusion is not None else [])
    height = max(4.8, side if confusion is not None else 0.0)
    figure = Figure(figsize=(sum(widths), height), dpi=130, layout="constrained")
    grid = figure.add_gridspec(2, len(widths), width_ratios=widths)
    if drawn:
        loss, accuracy = figure.add_subplot(grid[0, 0]), figure.add_subplot(grid[1, 0])
        _curves(loss, drawn, "loss", "cross-entropy (nat)")
        _curves(accuracy, drawn, "accuracy", "accuracy (share of clips)")
        accuracy.set_ylim(0, 1.02)
        accuracy.set_xlabel("epoch (number)")
        canvas.legend(loss)
    if confusion is not None:
        _confusion(figure, figure.add_subplot(grid[:, -1]), np.asarray(confusion), classes)
    canvas.save(figure, target, title)


def _curves(axis: Any, curves: Sequence[LearningCurve], what: str, y_label: str) -> None:
    few = len(curves) <= len(canvas.COLOURS)
    for i, curve in enumerate(curves):
        colour = canvas.COLOURS[i] if few else canvas.SOFT
        width, alpha = (1.5, 1.0) if few else (0.8, 0.6)
        name = curve.label if few and len(curves) > 1 else ""
        train, valid = getattr(curve, f"train_{what}"), getattr(curve, f"valid_{what}")
        # A curve of one epoch is a point, which a line would not show.
        marker = "o" if curve.epoch.size == 1 else None
        style = {"color": colour, "linewidth": width, "alpha": alpha, "marker": marker, "markersize": 4}
        label = f"{name} train".strip() if few or i == 0 else None
        axis.plot(curve.epoch, train, linestyle=(0, (2, 2)), label=label, **style)
        looked = ~np.isnan(valid)  # a run may look at valid every few epochs only
        if looked.any():
            label = f"{name} valid".strip() if few or i == 0 else None
            style["marker"] = "o" if looked.sum() == 1 else None
            axis.plot(curve.epoch[looked], valid[looked], label=label, **style)
        if curve.best_epoch is not None and few:
            at = np.flatnonzero(curve.epoch == curve.best_epoch)
            shown = valid if not np.isnan(valid).all() else train
            label = "epoch that was kept" if i == 0 else None
            axis.plot(
                curve.epoch[at],
                shown[at],
                "o",
                color=colour,
                markersize=6,
                markeredgecolor="white",
                label=label,
            )
    axis.spines[["top", "right"]].set_visible(False)
    axis.tick_params(labelsize=8)
    last = max(int(c.epoch.max()) for c in curves)
    axis.set_xlim(0.5, last + 0.5)
    axis.xaxis.get_major_locator().set_params(integer=True)
    axis.set_ylabel(y_label)
    axis.grid(axis="y", color="#DDDDDD", linewidth=0.6)


def _confusion(figure: Any, axis: Any, counts: NDArray[Any], classes: Sequence[str]) -> None:
    true = counts.sum(axis=1, keepdims=True)
    share = np.where(true > 0, counts / np.maximum(true, 1), np.nan)
    image = axis.imshow(share, cmap="Blues", vmin=0.0, vmax=1.0)
    axis.set_facecolor("#EEEEEE")
    if len(classes) <= _MOST_NUMBERED:
        size = 9 if len(classes) <= 8 else 7
        for i in range(len(classes)):
            for j in range(len(classes)):
                if counts[i, j]:
                    ink = "white" if share[i, j] > 0.55 else canvas.INK
                    axis.text(j, i, f"{counts[i, j]:,}", ha="center", va="center", fontsize=size, color=ink)
    ticks = list(range(len(classes))) if len(classes) <= _MOST_NAMED else []
    names = [_short(classes[i]) for i in ticks]
    axis.set_xticks(ticks, names, rotation=45, ha="right", rotation_mode="anchor")
    axis.set_yticks(ticks, [f"{n} ({int(true[i, 0]):,})" for i, n in zip(ticks, names, strict=True)])
    axis.tick_params(labelsize=8, length=0)
    axis.spines[:].set_visible(False)
    axis.set_xlabel("predicted class")
    axis.set_ylabel("class of the clip (clips of test)")
    bar = figure.colorbar(image, ax=axis, shrink=0.75, pad=0.02)
    bar.set_label("share of the class's clips", fontsize=8)
    bar.ax.tick_params(labelsize=8)
    bar.outline.set_visible(False)


def plot_table(
    rows: Sequence[str],
    series: Sequence[Series],
    path: str | Path,
    *,
    x_label: str = "accuracy",
    chance: float | None = None,
    chance_label: str = "majority class",
    title: str = "",
) -> None:
    """Draw a table as points: one line a row, one colour a series (published, ours as published, ours without leaks).

    Parameters
    ----------
    rows : what each row is, such as "CRNN, motifs, mel"
    series : one value a row each; up to seven
    path : image file to write
    x_label : name of the figure that is drawn
    chance : what a trivial answer scores, a dashed line; None draws none
    chance_label : what that answer is
    title : over the whole

    Raises
    ------
    UsageError
        for an unknown suffix, or no value at all.
    """
    target = canvas.check_suffix(path)
    if not rows or all(np.isnan(s.value).all() for s in series):
        raise UsageError(f"there is nothing to plot in {target}: no cell of the table has a figure")
    figure, (axis,) = canvas.stacked([0.9 + 0.34 * len(rows)])
    y = np.arange(len(rows), dtype=np.float64)
    values = np.stack([s.value for s in series])
    for i in y.astype(int):
        known = values[:, i][~np.isnan(values[:, i])]
        if known.size:
            axis.plot([known.min(), known.max()], [i, i], color="#D5D5D5", linewidth=3.0, zorder=1)
    markers = "oDsv^Pd"
    apart = 0.5 / max(len(series), 2)
    for k, one in enumerate(series):
        offset = (k - (len(series) - 1) / 2) * apart
        colour = canvas.COLOURS[k % len(canvas.COLOURS)]
        axis.errorbar(
            one.value,
            y + offset,
            xerr=one.reach,
            linestyle="none",
            marker=markers[k % len(markers)],
            markersize=5.5,
            color=colour,
            elinewidth=1.0,
            label=one.label,
            zorder=3,
        )
    if chance is not None:
        axis.axvline(
            chance, color=canvas.SOFT, linewidth=0.9, linestyle=(0, (4, 4)), label=chance_label, zorder=0
        )
    axis.set_yticks(y, list(rows))
    axis.set_ylim(len(rows) - 0.4, -0.6)
    axis.set_xlim(*_share_limits(values, chance))
    axis.set_xlabel(x_label)
    axis.grid(axis="x", color="#DDDDDD", linewidth=0.6)
    canvas.legend(axis)
    canvas.save(figure, target, title)


def plot_ladder(
    steps: Sequence[str],
    series: Sequence[Series],
    path: str | Path,
    *,
    leaks: Sequence[Series] = (),
    published: float | None = None,
    y_label: str = "accuracy on test",
    title: str = "",
) -> None:
    """Draw how a figure falls from step to step as leaks are taken out, and below what leaks at each step.

    Parameters
    ----------
    steps : what each step is, from the leakiest to the cleanest
    series : one a model; values by step, with interval or spread
    path : image file to write
    leaks : one a kind of leak; shares of the clips of test, by step
    published : a figure of a paper, as a dashed line; None draws none
    y_label : name of the figure
    title : over the whole

    Raises
    ------
    UsageError
        for an unknown suffix, or no value at all.
    """
    target = canvas.check_suffix(path)
    if not steps or all(np.isnan(s.value).all() for s in series):
        raise UsageError(f"there is nothing to plot in {target}: no step of the ladder has a figure")
    figure, axes = canvas.stacked([3.8, 1.7] if leaks else [4.2])
    x = np.arange(len(steps), dtype=np.float64)
    apart = min(0.06, 0.4 / max(len(series), 1))
    for k, one in enumerate(series):
        axes[0].errorbar(
            x + (k - (len(series) - 1) / 2) * apart,
            one.value,
            one.reach,
            color=canvas.COLOURS[k % len(canvas.COLOURS)],
            marker="o",
            markersize=4.5,
            linewidth=1.6,
            elinewidth=0.9,
            capsize=2.5,
            label=one.label,
        )
    if published is not None:
        axes[0].axhline(
            published,
            color=canvas.SOFT,
            linewidth=0.9,
            linestyle=(0, (4, 4)),
            label=f"published {published:.3f}",
        )
    axes[0].set_ylim(0, 1.02)
    axes[0].set_ylabel(y_label)
    axes[0].grid(axis="y", color="#DDDDDD", linewidth=0.6)
    canvas.legend(axes[0])
    width = 0.7 / max(len(leaks), 1)
    for k, one in enumerate(leaks):
        at = x + (k - (len(leaks) - 1) / 2) * width
        colour = _GREYS[k % len(_GREYS)]  # the colours above mean models
        axes[1].bar(at, np.nan_to_num(one.value), width=0.92 * width, color=colour, label=one.label)
        for place, value in zip(at, one.value, strict=True):
            text = "?" if np.isnan(value) else f"{100 * value:.0f} %"
            axes[1].text(place, 0.03 + np.nan_to_num(value), text, ha="center", fontsize=7, color=canvas.INK)
    if leaks:
        axes[1].set_ylim(0, 1.18)
        axes[1].set_yticks([0.0, 0.5, 1.0])
        axes[1].set_ylabel("share of the clips\nof test")
        canvas.legend(axes[1])
        axes[0].set_xticks(x, [""] * len(steps))
    for axis in axes:
        axis.set_xlim(-0.5, len(steps) - 0.5)
    axes[-1].set_xticks(x, list(steps))
    axes[-1].set_xlabel("how test was kept apart from train")
    canvas.save(figure, target, title)


def _share_limits(values: NDArray[np.float64], chance: float | None) -> tuple[float, float]:
    """Left and right end of an axis of shares: 0 is shown unless everything lies far from it."""
    least = float(np.nanmin(values)) if chance is None else min(float(np.nanmin(values)), chance)
    left = 0.0 if least < 0.4 else np.floor(10 * least - 0.5) / 10
    return float(left), max(1.0, float(np.nanmax(values))) + 0.01


def _short(name: str) -> str:
    return name if len(name) <= 18 else name[:17] + "…"
