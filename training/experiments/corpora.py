"""Which known corpora an experiment is about, and what to say where a database has none of what it needs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Needs:
    """What an experiment cannot do without.

    Attributes
    ----------
    label : that some file must have
    layouts : corpora of `motifdb.pipelines.layouts` that have it, the paper's own first
    """

    label: str
    layouts: tuple[str, ...]


_VOICES = ("damp", "vocalset")

NEEDS: dict[str, Needs] = {
    "damp-2018-table1": Needs("singer", _VOICES),
    "damp-2018-table2": Needs("singer", ("damp-balanced", "vocalset")),
    "siamese-2018": Needs("singer", ("damp-balanced", "vocalset")),
    "l3-2019": Needs("fold", ("urbansound8k", "esc50", "dcase2013-scd")),
    "same-pattern": Needs("singer", ("flamenco-motifs",)),
    "sid-2020-table2": Needs("singer", ("flamenco-motifs",)),
    "leak-ladder": Needs("singer", ("flamenco-motifs",)),
    "prose-claims": Needs("singer", ("flamenco-motifs",)),
    "style-2021-table1": Needs("style", ("tonas", "cante100")),
    "style-2021-table2": Needs("style", ("tonas", "cante100")),
    "makam": Needs("style", ("otmm-makam",)),
    "cantillation": Needs("singer", ("folder",)),
}


def corpus_missing(name: str, path: Path, label: str | None = None) -> str | None:
    """What to put where for an experiment, where no file of the database has the label that it needs; None where one has.

    Parameters
    ----------
    name : of the experiment
    path : the database
    label : what is learnt instead of the experiment's own label
    """
    from motifdb.catalog.snapshot import open_snapshot
    from motifdb.pipelines.layouts import layout_folder_missing
    from motifdb.query.views.spec import STANDARD_LABELS

    needs = NEEDS.get(name)
    if needs is None:
        return None
    wanted = needs.label if label is None else label
    files = open_snapshot(path).table("files", [wanted if wanted in STANDARD_LABELS else "labels"])
    values = files.column(0).to_pylist()
    if wanted not in STANDARD_LABELS:
        values = [dict(v or {}).get(wanted) for v in values]
    return None if any(v is not None for v in values) else layout_folder_missing(*needs.layouts)
