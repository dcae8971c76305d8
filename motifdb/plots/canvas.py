"""What every picture stands on: colours, axes, a legend, the file."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from motifdb.errors import UsageError

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7F5F00")
"""Told apart by colour-blind readers too (after Okabe and Ito); the eighth thing gets the first colour again."""

INK, SOFT = "#222222", "#8A8A8A"
SUFFIXES = (".png", ".svg", ".pdf")


def legend(axis: Any) -> None:
    """Above the axes: beside them it would narrow them, inside it would hide pitch."""
    _, labels = axis.get_legend_handles_labels()
    if labels:
        n_columns = max(1, min(4, 130 // max(len(label) + 6 for label in labels)))
        axis.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), frameon=False, fontsize=8, ncols=n_columns)


def check_suffix(path: str | Path, suffixes: Sequence[str] = SUFFIXES) -> Path:
    """The path of a picture, refused (UsageError) where its suffix is of no format that can be written."""
    target = Path(path)
    if target.suffix.lower() not in suffixes:
        raise UsageError(f"{target} cannot be written as an image; name it {', '.join(suffixes)}")
    return target


def stacked(heights_in: Sequence[float]) -> tuple[Any, list[Any]]:
    """A figure, and its axes one below the other."""
    # Figure alone, without pyplot: no display, no state that outlives the call.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11.0, sum(heights_in) + 0.7), dpi=130, layout="constrained")
    grid = figure.add_gridspec(len(heights_in), 1, height_ratios=heights_in)
    axes = [figure.add_subplot(grid[row, 0]) for row in range(len(heights_in))]
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
        axis.tick_params(labelsize=8)
    return figure, axes


def save(figure: Any, target: Path, title: str) -> None:
    """Write a figure; UsageError where it cannot be."""
    if title:
        figure.suptitle(plain(title), fontsize=12, color=INK, x=0.01, ha="left")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with warnings.catch_warnings():
            # a title in a script that the font has not is drawn as boxes, which is no reason to complain
            warnings.filterwarnings("ignore", message="Glyph .* missing from font")
            figure.savefig(target)
    except OSError as error:
        raise UsageError(f"{target} cannot be written: {error.strerror or error}") from None


def plain(text: str) -> str:
    r"""A text that matplotlib takes as it stands: a dollar sign would begin a formula.

    >>> plain("cash$ and $more")
    'cash\\$ and \\$more'
    """
    return text.replace("$", r"\$")


def png_bytes(figure: Any, dpi: int = 110) -> bytes:
    """A figure as a PNG, for a notebook."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi)
    return buffer.getvalue()


def svg_text(figure: Any, alt: str) -> str:
    """A figure as an ``<svg>`` element to stand inside a page: text stays text, and `alt` says what is shown."""
    import matplotlib

    buffer = io.StringIO()
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    # a salt of its own, so that two pictures in one page do not share names inside
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": alt}):
        figure.savefig(buffer, format="svg", metadata=nothing)
    text = buffer.getvalue()
    begin = text.index("<svg")
    end = text.index(">", begin)
    return f'{text[begin:end]} role="img" aria-label="{escape(alt, quote=True)}"{text[end:].rstrip()}'
