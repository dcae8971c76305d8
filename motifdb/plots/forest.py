"""Effects and their intervals below each other: what sets groups apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from motifdb.plots.canvas import COLOURS, INK, SOFT, check_suffix, legend, plain, save, stacked

_ROW_IN = 0.24
_LONGEST = 34


@dataclass(frozen=True)
class Effect:
    """One line of the picture: a label, a difference with its interval, and whether it is called."""

    label: str
    group: str
    value: float
    low: float
    high: float
    is_called: bool


def plot_effects(effects: Sequence[Effect], path: str | Path, *, title: str, unit: str) -> None:
    """Draw differences with their intervals, the first on top; a hollow mark is not called.

    Parameters
    ----------
    effects : one a line
    path : png, svg or pdf
    title : above the picture
    unit : what the axis is in

    Raises
    ------
    UsageError
        for a suffix that no picture has, or a file that cannot be written.
    """
    target = check_suffix(path)
    figure, (axis,) = stacked([max(1.2, _ROW_IN * len(effects) + 0.9)])
    groups = list(dict.fromkeys(e.group for e in effects))
    colour = {name: COLOURS[i % len(COLOURS)] for i, name in enumerate(groups)}
    named: set[str] = set()
    for row, effect in enumerate(effects):
        own = colour[effect.group]
        axis.plot([effect.low, effect.high], [row, row], color=own, linewidth=1.6, solid_capstyle="butt")
        axis.plot(
            effect.value,
            row,
            "o",
            color=own,
            markersize=5.5,
            markerfacecolor=own if effect.is_called else "white",
            label=plain(effect.group) if effect.group not in named else None,
        )
        named.add(effect.group)
    axis.axvline(0.0, color=SOFT, linewidth=0.9)
    axis.set_yticks(range(len(effects)), [plain(_short(e.label)) for e in effects])
    axis.set_ylim(len(effects) - 0.4, -0.6)
    axis.grid(axis="x", color="#E6E6E6", linewidth=0.7)
    axis.set_axisbelow(True)
    axis.set_xlabel(plain(unit), fontsize=9, color=INK)
    axis.set_ylabel("motif (contour)", fontsize=9, color=INK)
    if len(groups) <= 12:
        legend(axis)
    save(figure, target, title)


def _short(label: str) -> str:
    return label if len(label) <= _LONGEST else label[: _LONGEST - 1] + "…"
