"""Picture of a stability measurement: what each rerun confirms, beside chance, and how stable the motifs are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from motifdb.errors import UsageError
from motifdb.plots import COLOURS, _save, check_suffix


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

    target = check_suffix(path)
    if not stability.size:
        raise UsageError(f"there is nothing to plot in {target}: no motif has a stability")
    figure = Figure(figsize=(11.0, 4.2), dpi=130, layout="constrained")
    left, right = figure.subplots(1, 2, gridspec_kw={"width_ratios": [1.25, 1]})
    rows = np.arange(len(titles))
    left.barh(rows, shares, color=COLOURS[0], height=0.62, label="confirmed")
    left.plot(
        chances,
        rows,
        linestyle="none",
        marker="|",
        markersize=22,
        markeredgewidth=2.2,
        color=COLOURS[1],
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
    right.bar(values, strong, width=width, color=COLOURS[2], label="q < 0.05")
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
    _save(figure, target, title)
