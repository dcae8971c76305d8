"""Runs: what a model said about the clips it was not trained on, with what it was and how good that is.

A run is a model on one fold of a split with one seed; a baseline is a run as well. Its id is a hash of configuration, split,
fold and seed, so the same run stored twice takes the place of the first. Figures are computed from the predictions that are
stored, never handed in beside them: `motifdb evaluate` can compute every one again.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

import motifdb
from motifdb.errors import NotFoundError, UsageError, nearest
from motifdb.ids import canonical_json, hash_text
from motifdb.pipelines.committer import Committer, in_list
from motifdb.schemas import EPOCHS, METRICS, PREDICTIONS, RUNS
from motifdb.training.scores.metrics import Score, predicted_classes, scores

if TYPE_CHECKING:
    from motifdb.catalog.snapshot import Snapshot
    from motifdb.training.splits.examples import Examples

RUN_TABLES = ("runs", "epochs", "metrics", "predictions")
TESTED = ("valid", "test")
_LEAST_PREFIX = 4


@dataclass(frozen=True, eq=False)
class Predictions:
    """What a run says about clips; entry i of everything is one clip.

    Attributes
    ----------
    clip_id, part, group : of each clip; the part is valid or test
    label : int64, shape (n,), index into `classes`
    probabilities : float32, shape (n, n_classes)
    classes : values of the label
    """

    clip_id: tuple[str, ...]
    part: tuple[str, ...]
    group: tuple[str, ...]
    label: NDArray[np.int64]
    probabilities: NDArray[np.float32]
    classes: tuple[str, ...]

    @classmethod
    def of(cls, examples: Examples, rows: NDArray[np.int64], probabilities: NDArray[Any]) -> Predictions:
        """Predictions for some rows of `examples`, kept in the order of clip ids.

        Raises
        ------
        UsageError
            where a row is of the training part, or the probabilities are not of these rows and classes.
        """
        given = np.asarray(probabilities, dtype=np.float32)
        if given.shape != (len(rows), len(examples.classes)):
            raise UsageError(
                f"{len(rows)} clips and {len(examples.classes)} classes need probabilities of that shape, got {given.shape}"
            )
        order = sorted(range(len(rows)), key=lambda i: examples.clip_id[int(rows[i])])
        at = [int(rows[i]) for i in order]
        part = tuple(str(examples.part[row]) for row in at)
        if set(part) - set(TESTED):
            raise UsageError(
                "predictions are stored for the parts valid and test only, not for clips trained on"
            )
        return cls(
            tuple(examples.clip_id[row] for row in at),
            part,
            tuple(examples.group[row] for row in at),
            np.asarray(examples.label, np.int64)[at],
            given[order],
            tuple(examples.classes),
        )

    def __len__(self) -> int:
        return len(self.clip_id)

    @property
    def predicted(self) -> NDArray[np.int64]:
        """The class with the highest probability, the first of equals."""
        return predicted_classes(self.probabilities)

    def take(self, at: NDArray[np.int64]) -> Predictions:
        """Some entries only."""
        clip_id, part, group = (
            tuple(of[i] for i in at.tolist()) for of in (self.clip_id, self.part, self.group)
        )
        return Predictions(clip_id, part, group, self.label[at], self.probabilities[at], self.classes)

    def rows(self, part: str) -> NDArray[np.int64]:
        """Which entries are of a part."""
        return np.flatnonzero(np.array([p == part for p in self.part], dtype=bool)).astype(np.int64)

    def scores(self, **options: Any) -> dict[str, dict[str, Score]]:
        """By part and name the figures of `motifdb.training.scores.metrics.scores`, which takes `options`."""
        found = {}
        for part in TESTED:
            at = self.rows(part)
            if at.size:
                groups = [self.group[i] for i in at]
                found[part] = scores(self.label[at], self.probabilities[at], groups, **options)
        return found

    def table(self, run_id: str) -> pa.Table:
        """As rows of `predictions`."""
        names = np.array(self.classes, dtype=object)
        flat = pa.array(self.probabilities.ravel(), pa.float32())
        ends = np.arange(len(self) + 1, dtype=np.int32) * len(self.classes)
        columns = {
            "run_id": pa.array([run_id] * len(self), pa.string()),
            "clip_id": pa.array(self.clip_id, pa.string()),
            "part": pa.array(self.part, pa.string()),
            "label": pa.array(names[self.label].tolist(), pa.string()),
            "predicted": pa.array(names[self.predicted].tolist(), pa.string()),
            "probabilities": pa.ListArray.from_arrays(pa.array(ends, pa.int32()), flat),
        }
        schema = PREDICTIONS.schema
        return pa.Table.from_arrays([columns[f.name].cast(f.type) for f in schema], schema=schema)


@dataclass(frozen=True, eq=False)
class RunResult:
    """A run before it is stored.

    Attributes
    ----------
    config : every parameter, with at least the keys ``recipe`` and ``label``; its JSON is part of the id
    leak : the leak report of the fold, as JSON can hold it
    predictions : of the parts valid and test; None where the run failed
    epochs : rows of the table `epochs` without run_id; empty for baselines
    further : by part and name, figures that do not follow from predictions (the training part's, say)
    checkpoint : folder inside the database's folder
    """

    recipe: str
    model: str
    split_id: str
    fold: int
    seed: int
    label: str
    classes: tuple[str, ...]
    config: Mapping[str, Any]
    leak: Mapping[str, Any]
    front_end: str | None = None
    predictions: Predictions | None = None
    epochs: Sequence[Mapping[str, Any]] = ()
    further: Mapping[str, Mapping[str, Score]] = field(default_factory=dict)
    state: str = "done"
    reason: str | None = None
    experiment: str | None = None
    cell: str | None = None
    parameters: int | None = None
    best_epoch: int | None = None
    checkpoint: str | None = None
    device: str = "cpu"
    wall_s: float = 0.0
    cpu_s: float = 0.0

    def __post_init__(self) -> None:
        for name in ("recipe", "label"):
            if name not in self.config:
                raise ValueError(f"the configuration of a run names its {name}")
        if self.state not in ("done", "failed") or (self.state == "done") == (self.predictions is None):
            raise ValueError("a run is done and has predictions, or failed and has none")

    @cached_property
    def run_id(self) -> str:
        """See `run_id`."""
        return run_id(self.config, self.split_id, self.fold, self.seed)

    @cached_property
    def metrics(self) -> dict[str, dict[str, Score]]:
        """By part and name, every figure."""
        found = {part: dict(of_part) for part, of_part in self.further.items()}
        for part, own in (self.predictions.scores() if self.predictions else {}).items():
            found.setdefault(part, {}).update(own)
        return found

    def row(self) -> dict[str, Any]:
        """The row of `runs`, stamped with this moment and this code."""
        return {
            "run_id": self.run_id,
            "experiment": self.experiment,
            "cell": self.cell,
            "recipe": self.recipe,
            "model": self.model,
            "front_end": self.front_end,
            "split_id": self.split_id,
            "fold": self.fold,
            "seed": self.seed,
            "label": self.label,
            "classes": list(self.classes),
            "config": canonical_json(dict(self.config)),
            "state": self.state,
            "reason": self.reason,
            "leak": canonical_json(dict(self.leak)),
            "parameters": self.parameters,
            "epochs": len(self.epochs) or None,
            "best_epoch": self.best_epoch,
            "checkpoint": self.checkpoint,
            "device": self.device,
            "wall_s": self.wall_s,
            "cpu_s": self.cpu_s,
            "code_version": motifdb.__version__,
            "created_at": datetime.now(UTC).replace(tzinfo=None),
        }


def run_id(config: Mapping[str, Any], split_id: str, fold: int, seed: int) -> str:
    """Id of a run: configuration (recipe and label in it), split, fold and seed."""
    return hash_text(canonical_json(dict(config)), split_id, str(fold), str(seed))


def store_run(committer: Committer, *results: RunResult) -> list[str]:
    """Hand runs to the next commit, in the place of those with the same id; give their ids.

    The caller commits (`Committer.flush`), so that a run and its baselines can go together.
    """
    ids = [result.run_id for result in results]
    for table in RUN_TABLES if ids else ():
        committer.replace_rows(table, in_list("run_id", ids))
    for result in results:
        name = {"run_id": result.run_id}
        committer.rows("runs", RUNS.table([result.row()]))
        committer.rows("epochs", EPOCHS.table([{**row, **name} for row in result.epochs]))
        figures: list[dict[str, object]] = [
            {**name, "part": part, "metric": metric, "value": s.value, "low": s.low, "high": s.high}
            for part, of_part in sorted(result.metrics.items())
            for metric, s in of_part.items()
        ]
        committer.rows("metrics", METRICS.table(figures))
        if result.predictions is not None:
            committer.rows("predictions", result.predictions.table(result.run_id))
    return ids


# -- what is stored ------------------------------------------------------------------------------------------


def runs_meant(snapshot: Snapshot, text: str, split: str | None = None) -> list[dict[str, Any]]:
    """The runs that a text means: one by its id or the beginning of it, or all of a recipe (or cell) in one split.

    Parameters
    ----------
    text : a run_id, at least 4 digits of its beginning, the name of a recipe or baseline, or a cell of an experiment
    split : a split's name, or the beginning of its id; None takes the split of the newest run of the recipe

    Returns
    -------
    Rows of `runs`, sorted by fold, seed and id; of a recipe those that failed only where all did.

    Raises
    ------
    NotFoundError
        where there is none, with the nearest name.
    UsageError
        where the beginning fits several ids, or a recipe's runs in the split are of several configurations.
    """
    rows = snapshot.table("runs").to_pylist()
    wanted = text.strip()
    if split is not None:
        named = {key for key, name in split_names(snapshot).items() if name == split}
        rows = [row for row in rows if row["split_id"] in named or row["split_id"].startswith(split.lower())]
    if not rows:
        where = f" of split {split!r}" if split is not None else ""
        raise NotFoundError(f"there is no run{where} here; `motifdb train` or `motifdb experiment` makes one")
    own = [row for row in rows if wanted and wanted in (row["recipe"], row["cell"])]
    own = [row for row in own if row["state"] == "done"] or own
    if own:
        newest = max(own, key=lambda r: (r["created_at"], r["run_id"]))
        own = [row for row in own if row["split_id"] == newest["split_id"]]
        configs = sorted({row["config"] for row in own})
        if len(configs) > 1:
            raise UsageError(
                f"the runs of {wanted!r} in split {newest['split_id'][:8]} are of {len(configs)} configurations;"
                f" name one run: {', '.join(_called(row) for row in _sorted(own)[:6])}"
            )
        return _sorted(own)
    found = (
        [row for row in rows if row["run_id"].startswith(wanted.lower())]
        if len(wanted) >= _LEAST_PREFIX
        else []
    )
    if len(found) > 1:
        raise UsageError(f"several runs begin with {wanted!r}; give more of the id")
    if not found:
        raise NotFoundError(f"there is no run {wanted!r}; {_hint(wanted, rows)}")
    return found


def find_run(snapshot: Snapshot, text: str, split: str | None = None) -> dict[str, Any]:
    """The one run that a text means; its row of `runs`.

    Raises
    ------
    NotFoundError, UsageError
        as `runs_meant`; UsageError also where a recipe has several runs.
    """
    found = runs_meant(snapshot, text, split)
    if len(found) > 1:
        some = ", ".join(_called(row) for row in found[:6])
        raise UsageError(f"{text!r} has {len(found)} runs here; name one by its id: {some}")
    return found[0]


def split_names(snapshot: Snapshot) -> dict[str, str]:
    """Name of every split by its id."""
    rows = snapshot.table("analyses", ["analysis_id", "name"], "kind = 'split'")
    return dict(zip(*(column.to_pylist() for column in rows.columns), strict=True))


def stored_run(snapshot: Snapshot, wanted: str) -> dict[str, Any] | None:
    """The row of a run by its whole id; None where it is not there, as an experiment that goes on asks."""
    rows = snapshot.table("runs", None, in_list("run_id", [wanted])).to_pylist()
    return rows[0] if rows else None


def stored_scores(snapshot: Snapshot, ids: Iterable[str]) -> dict[str, dict[str, dict[str, Score]]]:
    """By run, part and name the figures that are stored; runs without any have an empty entry."""
    found: dict[str, dict[str, dict[str, Score]]] = {name: {} for name in ids}
    if found:
        for row in snapshot.table("metrics", None, in_list("run_id", found)).to_pylist():
            score = Score(row["value"], row["low"], row["high"])
            found[row["run_id"]].setdefault(row["part"], {})[row["metric"]] = score
    return found


def stored_predictions(snapshot: Snapshot, run: Mapping[str, Any]) -> Predictions:
    """The predictions of a run, sorted by clip_id, with the groups of its split.

    Parameters
    ----------
    run : its row of `runs`

    Raises
    ------
    UsageError
        where the run failed, or its predictions or its split's rows are missing.
    """
    called = f"run {run['run_id'][:8]} ({run['recipe']})"
    if run["state"] != "done":
        raise UsageError(f"{called} failed, so there is nothing to evaluate: {run['reason'] or 'no reason'}")
    rows = snapshot.table("predictions", None, in_list("run_id", [run["run_id"]])).sort_by("clip_id")
    if rows.num_rows == 0:
        raise UsageError(f"{called} has no predictions; train it again")
    where = f"{in_list('split_id', [run['split_id']])} and fold = {int(run['fold'])}"
    split = snapshot.table("splits", ["clip_id", "group_key"], where)
    group = dict(zip(*(column.to_pylist() for column in split.columns), strict=True))
    clips = rows.column("clip_id").to_pylist()
    if missing := [clip for clip in clips if clip not in group]:
        raise UsageError(
            f"{called} has predictions for {len(missing)} clips that fold {run['fold']} of split {run['split_id'][:8]} lacks;"
            " make the split again with `motifdb split`, or train again"
        )
    classes = tuple(run["classes"])
    numbers = {name: i for i, name in enumerate(classes)}
    flat = rows.column("probabilities").combine_chunks().flatten().to_numpy(zero_copy_only=False)
    if flat.size != len(clips) * len(classes):
        raise UsageError(
            f"the probabilities of {called} are not of its {len(classes)} classes; run `motifdb check`"
        )
    return Predictions(
        tuple(clips),
        tuple(rows.column("part").to_pylist()),
        tuple(group[clip] for clip in clips),
        np.array([numbers[name] for name in rows.column("label").to_pylist()], dtype=np.int64),
        np.asarray(flat, np.float32).reshape(len(clips), len(classes)),
        classes,
    )


def _hint(wanted: str, rows: list[dict[str, Any]]) -> str:
    """The nearest name or id; where none is near, the recipes alone, as ids tell nobody anything."""
    names = {str(row[key]) for row in rows for key in ("recipe", "cell") if row[key] is not None}
    near = nearest(wanted, names | {row["run_id"][: max(len(wanted), 8)] for row in rows})
    if not near.startswith("choose"):
        return near
    some = ", ".join(sorted({row["recipe"] for row in rows})[:8])
    return f"there are runs of {some}; `motifdb sql 'select run_id, recipe, fold, seed from runs'` lists them"


def _sorted(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda r: (r["fold"], r["seed"], r["run_id"]))


def _called(row: Mapping[str, Any]) -> str:
    return f"{row['run_id'][:8]} (fold {row['fold']}, seed {row['seed']})"


def leak_of(run: Mapping[str, Any]) -> dict[str, Any]:
    """The stored leak report of a run."""
    return dict(json.loads(run["leak"]))
