"""Known corpora: how their folders look, and what their files and tables say about each recording."""

from __future__ import annotations

from motifdb.errors import NotFoundError, nearest
from motifdb.pipelines.layouts.base import Layout, LayoutError, Row
from motifdb.pipelines.layouts.environmental import DCASE2013_SCD, ESC50, URBANSOUND8K
from motifdb.pipelines.layouts.flamenco import CANTE100, FLAMENCO_MOTIFS, TONAS
from motifdb.pipelines.layouts.singing import DAMP, DAMP_BALANCED, FOLDER, JINGJU, OTMM, VOCADITO, VOCALSET

__all__ = ["LAYOUTS", "Layout", "LayoutError", "Row", "find_layout", "layout_folder_missing"]

LAYOUTS: dict[str, Layout] = {
    layout.name: layout
    for layout in (
        DAMP,
        DAMP_BALANCED,
        VOCALSET,
        JINGJU,
        TONAS,
        CANTE100,
        OTMM,
        VOCADITO,
        URBANSOUND8K,
        ESC50,
        DCASE2013_SCD,
        FLAMENCO_MOTIFS,
        FOLDER,
    )
}
"""By name."""


def find_layout(name: str) -> Layout:
    """The layout of a corpus.

    Raises
    ------
    NotFoundError
        for a name that is none, with the nearest.
    """
    if name not in LAYOUTS:
        raise NotFoundError(f"no corpus is known as {name!r}; {nearest(name, LAYOUTS)}")
    return LAYOUTS[name]


def layout_folder_missing(*names: str) -> str:
    """What to get and what to put where, for an experiment whose corpora are not in the database: a sentence each, and how to go on.

    >>> print(layout_folder_missing("folder"))
    a folder for each class (your own) goes into a folder as: <class>/<recording>.wav, or manifest.csv with a column path, and one for each label; `motifdb corpora folder` says more; then `motifdb ingest DIR --layout folder`
    """
    sentences = []
    for name in names:
        layout = find_layout(name)
        clips = " --as-clips" if layout.is_clips else ""
        sentences.append(f"{layout.missing()}; then `motifdb ingest DIR --layout {name}{clips}`")
    return ". ".join(sentences)
