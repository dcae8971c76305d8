"""l3-2019's picture: how accuracy grows with the pairs of sound and picture that towers have seen."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from motifdb.training.experiments.l3 import L3Report


def draw_l3(report: L3Report, target: Path) -> None:
    """Accuracy against pairs seen, a line for each encoder.

    Raises
    ------
    UsageError
        for an unknown suffix, or where no towers were trained.
    """
    from motifdb.errors import UsageError
    from motifdb.plots import canvas

    target = canvas.check_suffix(target)
    curves = [one for one in report.towers.towers if one.curve] if report.towers is not None else []
    if not curves:
        raise UsageError(
            "there is nothing to draw: no towers were trained; leave out --model and --weights, or give --videos"
        )
    figure, (axis,) = canvas.stacked([4.0])
    for i, one in enumerate(curves):
        pairs, accuracy = zip(*one.curve, strict=True)
        axis.plot(
            pairs, accuracy, color=canvas.COLOURS[i % len(canvas.COLOURS)], linewidth=1.5, marker="o", markersize=3,
            label=one.name,
        )  # fmt: skip
    axis.axhline(0.5, color=canvas.SOFT, linewidth=0.9, linestyle=(0, (4, 4)))
    axis.set_xscale("log")
    axis.set_xlabel("pairs seen")
    axis.set_ylabel("accuracy on held-out videos (valid)")
    axis.set_ylim(0.4, 1.02)
    axis.grid(color="#DDDDDD", linewidth=0.6)
    canvas.legend(axis)
    canvas.save(figure, target, "Does the sound belong to the picture?")
