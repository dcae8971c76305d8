"""Rows of a table for vectors that are given: a machine or a line over them, on the folds that the networks had.

The vectors of all clips are made once for each division; what is fitted is fitted on train alone. So a model may stand here that learnt
from other sound (a speaker model), or from nothing (the hand-crafted vector), but not one that was trained on one of the folds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from motifdb.training.experiments.cells import read_fold

if TYPE_CHECKING:
    from motifdb.pipelines.progress import Progress
    from motifdb.training.embedding.base import Embedder
    from motifdb.training.fitting.train_job import Fold
    from motifdb.training.scores.baselines import BaselineResult
    from motifdb.training.scores.runs import RunResult

Fitted = tuple["BaselineResult", "NDArray[np.float32] | None"]


@dataclass
class RowsReport:
    """What a call did.

    Attributes
    ----------
    run_ids : every run of the rows, made now or before
    cpu_s : processor seconds of those made now
    """

    run_ids: set[str] = field(default_factory=set)
    n_run: int = 0
    n_done_before: int = 0
    cpu_s: float = 0.0


@dataclass(frozen=True)
class VectorRow:
    """One row.

    Attributes
    ----------
    name : of the row, and of the runs' recipe
    embedder : what gives the vectors
    is_machine : a support vector machine with a radial kernel; else logistic regression
    """

    name: str
    embedder: Embedder
    is_machine: bool = False

    def fit(self, fold: Fold, vectors: NDArray[np.float32]) -> Fitted:
        """On train of a fold; gives what is said of valid and test, and of train where that is known."""
        from motifdb.training.scores.baselines import baselines
        from motifdb.training.scores.svm import svm

        if self.is_machine:
            result, known = svm(fold.examples, vectors)
        else:
            (result,) = baselines(fold.examples, None, names=("logistic",), statistics=vectors)
            known = None
        settings = result.settings | {"vectors": self.embedder.config()}
        return replace(result, name=self.name, settings=settings), known


def default_rows(speaker_weights: Path | None, device: str) -> list[VectorRow]:
    """damp-2018's machine on the hand-crafted vector; with weights of a speaker model, a line over its vectors.

    Raises
    ------
    UsageError, NotFoundError, MissingExtraError
        for weights that are not there or no speaker model.
    """
    from motifdb.training.embedding.registry import find_embedder

    rows = [VectorRow("svm", find_embedder("hand-crafted", None), is_machine=True)]
    if speaker_weights is not None:
        speaker = find_embedder("speaker", None, weights=speaker_weights, device=device)
        rows.append(VectorRow("speaker", speaker))
    return rows


def run_rows(
    path: Path,
    rows: Sequence[VectorRow],
    splits: Mapping[str, Sequence[int]],
    columns: Mapping[str, str],
    label: str,
    experiment: str,
    progress: Progress,
) -> RowsReport:
    """Fit and store every row on every fold that has none of it yet.

    Parameters
    ----------
    splits : by column, the folds
    columns : by column, the id of the split
    """
    report = RowsReport()
    for row in rows:
        for column, split_id in columns.items():
            there = {fold: _stored(path, row, split_id, fold, label) for fold in splits[column]}
            found = [run for run in there.values() if run is not None]
            report.run_ids |= set(found)
            report.n_done_before += len(found)
            missing = [fold for fold, run in there.items() if run is None]
            if not missing:
                continue
            progress.start(f"vectors of {row.name}, {column}")
            vectors = _vectors(path, row, split_id, missing[0])
            for number in missing:
                progress.start(f"fitting {row.name}, {column}, fold {number}")
                made = _run(path, row, split_id, number, vectors, f"{row.name} | {column}", experiment)
                report.run_ids.add(made.run_id)
                report.n_run, report.cpu_s = report.n_run + 1, report.cpu_s + made.cpu_s
    return report


def _stored(path: Path, row: VectorRow, split_id: str, fold: int, label: str) -> str | None:
    """The run of the row on this fold with these vectors; None where there is none."""
    import json

    from motifdb.catalog.snapshot import open_snapshot
    from motifdb.pipelines.committer import quoted

    where = (
        f"recipe = {quoted(row.name)} and split_id = {quoted(split_id)} and fold = {fold} and state = 'done'"
    )
    found = open_snapshot(path).table("runs", ["run_id", "label", "config"], where).to_pylist()
    wanted = json.loads(json.dumps(row.embedder.config()))
    own = [r for r in found if r["label"] == label and json.loads(r["config"]).get("vectors") == wanted]
    return min((r["run_id"] for r in own), default=None)


def _vectors(path: Path, row: VectorRow, split_id: str, fold: int) -> NDArray[np.float32]:
    """Of every clip of a split: its folds have the same clips in the same order."""
    from motifdb.catalog.snapshot import open_snapshot
    from motifdb.training.embedding.base import averaged
    from motifdb.training.inputs.packed import pack
    from motifdb.training.splits.examples import load_examples

    snapshot = open_snapshot(path)
    examples = load_examples(snapshot, split_id, fold)
    found: NDArray[np.float32] = averaged(
        row.embedder, pack(snapshot, examples, sample_rate_hz=row.embedder.sample_rate_hz)
    )
    return found


def _run(
    path: Path,
    row: VectorRow,
    split_id: str,
    number: int,
    vectors: NDArray[np.float32],
    cell: str,
    experiment: str,
) -> RunResult:
    """One run, stored."""
    from motifdb.training.fitting.train_job import store
    from motifdb.training.scores.baselines import baseline_runs
    from motifdb.training.scores.metrics import scores

    fold = read_fold(path, split_id, number, with_sound=False)
    result, known = row.fit(fold, vectors)
    (run,) = baseline_runs(
        [result],
        fold.examples,
        split_id=split_id,
        fold=number,
        label=fold.label,
        leak=fold.leak.to_json(),
        experiment=experiment,
        cell=cell,
    )
    further: dict[str, Any] = dict(run.further)
    if known is not None:
        rows = fold.examples.rows("train")
        groups = [fold.examples.group[i] for i in rows.tolist()]
        further["train"] = scores(fold.examples.label[rows], known, groups)
    run = replace(run, front_end=row.embedder.name, further=further)
    store(path, [run], f"{experiment}: {cell}, fold {number}")
    return run
