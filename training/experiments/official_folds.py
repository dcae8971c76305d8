"""Folds that a corpus comes with: stored as a split whose test parts are the fold column, never drawn anew.

UrbanSound8K, ESC-50 and DCASE 2013 are compared on divisions that their authors published, because clips of one source recording lie
in one fold. Divided at random the same clips score higher, and no such figure can stand beside a published one. Here each value
of the column tests once; what validates is a tenth of the other clips, whole source files, which only the search sees.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from motifdb.errors import NotFoundError, UsageError, nearest
from motifdb.training.splits.split_config import ONE_EACH, SplitConfig

if TYPE_CHECKING:
    from motifdb.catalog.snapshot import Snapshot
    from motifdb.training.clips.clip_facts import ClipFacts

FOLD = "fold"
CLASSES = ("class", "category", "scene")
SOURCES = ("source_file", "src_file", "source", "fsID")
"""Labels that are taken where none is named, the first that is there."""
VALID_SHARE = 0.1

HOW = (
    "ingest a known corpus with `motifdb ingest DIR --layout urbansound8k` (`motifdb corpora` lists layouts, and what to put where), or"
    " give files a manifest with the columns path, fold, class and source_file (`motifdb ingest DIR --as-clips --metadata manifest.csv`)"
)


@dataclass(frozen=True)
class OfficialFolds:
    """A stored split over the folds that clips came with.

    Attributes
    ----------
    label, fold, source : names of labels: what is learnt, the fold, what validates together (None: the recording)
    names : value of the fold column, by number of the split's fold
    classes : values of the label, ascending
    notes : what was left out, in sentences
    """

    split_id: str
    label: str
    fold: str
    source: str | None
    names: tuple[str, ...]
    classes: tuple[str, ...]
    notes: tuple[str, ...] = ()


def official_config(label: str, fold: str = FOLD, source: str | None = None, seed: int = 0) -> SplitConfig:
    """The division: a fold of the split for each value of the label `fold`.

    Equal contents may be on two sides, and classes may be tested unseen, where the corpus has it so: nothing is moved. The leak report
    says what that amounts to. The seed draws what validates, and nothing else.
    """
    return SplitConfig(
        method="kfold",
        label=label,
        by=(f"label.{fold}",),
        folds=ONE_EACH,
        valid_share=VALID_SHARE,
        valid_by=(f"label.{source}",) if source is not None else ("recording",),
        as_published=True,
        allow_leak=True,
        allow_unseen=True,
        seed=seed,
    )


def official_split(
    path: Path,
    clips: str | None = None,
    *,
    label: str | None = None,
    fold: str = FOLD,
    source: str | None = None,
    seed: int = 0,
) -> OfficialFolds:
    """Store the division of a set of clips into its own folds, unless it is there.

    Parameters
    ----------
    path : the database
    clips : set of clips, by name or beginning of its id; None is the only one
    label, source : None takes the first of `CLASSES`, `SOURCES` that files have

    Raises
    ------
    NotFoundError
        where no file has the fold column, or a class; where there are no clips.
    UsageError
        where all clips are in one fold.
    """
    from motifdb.catalog.snapshot import open_snapshot
    from motifdb.catalog.store import open_writer
    from motifdb.training.clips.clip_facts import facts_of
    from motifdb.training.fitting.train_job import LEASE_WAIT_S
    from motifdb.training.splits.examples import find_clips, split_classes
    from motifdb.training.splits.split_job import SplitOptions, run_split

    snapshot = open_snapshot(path)
    clips_id = find_clips(snapshot, clips)
    facts = facts_of(snapshot, clips_id)
    label, source = _chosen(facts, label, fold, source)
    with open_writer(path, wait_s=LEASE_WAIT_S) as writer:
        made = run_split(SplitOptions(official_config(label, fold, source, seed), clips_id), writer)
    snapshot = open_snapshot(path)
    notes = list(made.split.notes)
    if source is None:
        notes.append("no label says which clips are of one source file, so recordings validate together")
    names = fold_names(snapshot, made.split_id)
    return OfficialFolds(
        made.split_id, label, fold, source, names, split_classes(snapshot, made.split_id), tuple(notes)
    )


def _chosen(facts: ClipFacts, label: str | None, fold: str, source: str | None) -> tuple[str, str | None]:
    """The labels of class and source, once it is known that there are folds."""
    names = facts.label_names
    if fold not in names:
        raise NotFoundError(f"no file has a label {fold!r}, so these clips have no folds of their own; {HOW}")
    folds = {value for value in facts.key(f"label.{fold}") if value is not None}
    if len(folds) < 2:
        raise UsageError(
            f"every clip has {fold} {min(folds, default='-')!r}; a division needs clips of two folds or more. Is a part of the"
            " corpus missing?"
        )
    for wanted in (label, source):
        if wanted is not None and wanted not in names:
            raise NotFoundError(f"no file has a label {wanted!r}; {nearest(wanted, names)}")
    if label is None:
        label = next((name for name in CLASSES if name in names), None)
        if label is None:
            raise NotFoundError(
                f"no file has a label {', '.join(CLASSES[:-1])} or {CLASSES[-1]}; --label says what is learnt (labels here:"
                f" {', '.join(names)})"
            )
    return label, source or next((name for name in SOURCES if name in names), None)


def fold_names(snapshot: Snapshot, split_id: str) -> tuple[str, ...]:
    """The value of the fold column that each fold of an official split tests.

    Raises
    ------
    UsageError
        where a fold tests clips of several values: then the split is another one.
    """
    from motifdb.pipelines.committer import quoted

    where = f"split_id = {quoted(split_id)} and part = 'test'"
    rows = snapshot.table("splits", ["fold", "group_key"], where)
    found: dict[int, set[str]] = {}
    for number, group in zip(*(column.to_pylist() for column in rows.columns), strict=True):
        found.setdefault(number, set()).add(group)
    for number, groups in found.items():
        if len(groups) != 1:
            raise UsageError(
                f"fold {number} of split {split_id[:8]} tests several folds of the corpus: {', '.join(sorted(groups))}"
            )
    return tuple(found[number].pop() for number in sorted(found))
