"""Pictures of vectors: points in a plane, once for each way of naming them. Arrays in, one image file out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from motifdb.errors import UsageError
from motifdb.plots import canvas

MARKERS = ("o", "^", "s", "D", "v", "P", "X", "*")
"""Beside a colour; with the seven colours 56 names are told apart."""

_MOST_NAMED = 24


def plot_points(
    points: NDArray[np.floating[Any]],
    labels: Mapping[str, Sequence[str]],
    path: str | Path,
    *,
    title: str = "",
) -> None:
    """Draw points beside each other, in each panel coloured and shaped by one label.

    Parameters
    ----------
    points : float, shape (n, 2)
    labels : by what the panel is called, n values
    path : image file to write

    Raises
    ------
    UsageError
        for an unknown suffix, no label, or labels of another length.
    """
    from matplotlib.figure import Figure

    target = canvas.check_suffix(path)
    if not labels:
        raise UsageError(f"there is nothing to colour the points of {target} by; name a label")
    for name, values in labels.items():
        if len(values) != len(points):
            raise UsageError(f"{len(points)} points and {len(values)} values of {name} do not fit together")
    figure = Figure(figsize=(5.4 * len(labels), 5.8), dpi=130, layout="constrained")
    for at, (name, values) in enumerate(labels.items()):
        axis = figure.add_subplot(1, len(labels), at + 1)
        _panel(axis, points, values)
        axis.set_title(canvas.plain(f"by {name}"), fontsize=10, color=canvas.INK, loc="left")
    canvas.save(figure, target, title)


def style(i: int) -> tuple[str, str]:
    """Colour and shape of the i-th name: shapes change with every colour, and colours come again with other shapes.

    >>> len({style(i) for i in range(56)}), style(0)[0] == style(7)[0]
    (56, True)
    """
    again, colour = divmod(i, len(canvas.COLOURS))
    return canvas.COLOURS[colour], MARKERS[(colour + again) % len(MARKERS)]


def _panel(axis: Any, points: NDArray[np.floating[Any]], values: Sequence[str]) -> None:
    names = sorted(set(values))
    given = np.asarray(values, dtype=np.str_)
    for i, name in enumerate(names):
        own, (colour, marker) = points[given == name], style(i)
        axis.scatter(
            own[:, 0],
            own[:, 1],
            s=26,
            marker=marker,
            color=colour,
            alpha=0.85,
            linewidths=0,
            label=canvas.plain(name) if len(names) <= _MOST_NAMED else None,
        )
    axis.set_xticks([])
    axis.set_yticks([])
    axis.spines[["top", "right", "left", "bottom"]].set_color("#D6D6D6")
    axis.set_aspect("equal", adjustable="datalim")
    if len(names) <= _MOST_NAMED:
        axis.legend(
            loc="upper center",
            bbox_to_anchor=(0.5, -0.01),
            frameon=False,
            fontsize=7,
            ncols=4,
            handletextpad=0.1,
        )
    else:
        axis.set_xlabel(f"{len(names)} values", fontsize=8, color=canvas.SOFT)
