"""What `motifdb evaluate` says: a stored run's figures once more from its predictions, and whether they are those stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from motifdb.training.scores.metrics import METRICS, Score, calibration_error, confusion
from motifdb.training.scores.runs import Predictions, leak_of, split_names, stored_predictions, stored_scores
from motifdb.training.splits.leaks import KINDS

if TYPE_CHECKING:
    from motifdb.catalog.snapshot import Snapshot

TOLERANCE = 1e-9
"""Sums in another order, on another processor, differ in the last digits; anything more is another figure."""


@dataclass(frozen=True)
class Recomputed:
    """A figure of one part, from the predictions and as stored; `stored` is None where none is."""

    part: str
    metric: str
    score: Score
    stored: Score | None

    @property
    def is_equal(self) -> bool:
        """Whether value and interval are those stored."""
        if self.stored is None:
            return False
        pairs = ((getattr(self.score, n), getattr(self.stored, n)) for n in ("value", "low", "high"))
        return all(a == b or (a is not None and b is not None and abs(a - b) <= TOLERANCE) for a, b in pairs)


@dataclass(frozen=True, eq=False)
class Evaluation:
    """A run evaluated.

    Attributes
    ----------
    run : its row of `runs`
    split : name of its split
    predictions : as stored
    figures : of every part that has predictions
    """

    run: dict[str, Any]
    split: str
    predictions: Predictions
    figures: tuple[Recomputed, ...]

    @property
    def differing(self) -> list[Recomputed]:
        """Figures that are not those stored, or not stored at all."""
        return [f for f in self.figures if not f.is_equal]

    def value(self, metric: str, part: str = "test") -> float | None:
        """One figure; None where it is not defined or there is no such part."""
        return next((f.score.value for f in self.figures if (f.part, f.metric) == (part, metric)), None)

    def confusion(self, part: str = "test") -> NDArray[np.int64]:
        """Clips by class (rows) and predicted class (columns)."""
        at = self.predictions.rows(part)
        classes = self.predictions.classes
        return confusion(self.predictions.label[at], self.predictions.predicted[at], len(classes))

    def calibration(self, part: str = "test") -> float | None:
        """Expected calibration error."""
        at = self.predictions.rows(part)
        return calibration_error(self.predictions.label[at], self.predictions.probabilities[at])

    def notes(self) -> list[str]:
        """What is not defined, and why, in sentences."""
        return [note for part in ("test", "valid") if (note := self._undefined(part)) is not None]

    def _undefined(self, part: str) -> str | None:
        names = [f.metric for f in self.figures if f.part == part and f.score.value is None]
        if not names:
            return None
        classes, at = self.predictions.classes, self.predictions.rows(part)
        there = sorted(set(self.predictions.label[at].tolist()))
        if len(there) == 1:
            why = f"every clip of {part} is of the class {classes[there[0]]!r}"
        else:
            why = "a true class was given probability 0"
        return f"not defined on {part}: {', '.join(names)} ({why})"


def evaluate_run(snapshot: Snapshot, run: dict[str, Any]) -> Evaluation:
    """Every figure of a run from its stored predictions, beside what is stored.

    Parameters
    ----------
    run : its row of `runs` (`motifdb.training.scores.runs.find_run`)

    Raises
    ------
    UsageError
        where the run failed, or its predictions or its split are not there.
    """
    predictions = stored_predictions(snapshot, run)
    stored = stored_scores(snapshot, [run["run_id"]])[run["run_id"]]
    figures = [
        Recomputed(part, metric, score, stored.get(part, {}).get(metric))
        for part, of_part in sorted(predictions.scores().items())
        for metric, score in of_part.items()
    ]
    return Evaluation(run, split_names(snapshot).get(run["split_id"], ""), predictions, tuple(figures))


def figures_table(evaluations: Sequence[Evaluation]) -> pa.Table:
    """One row a figure: run, part, metric, value, interval, what is stored, whether it is equal."""
    rows = [
        {
            "run": e.run["run_id"][:8],
            "recipe": e.run["recipe"],
            "fold": e.run["fold"],
            "seed": e.run["seed"],
            "part": f.part,
            "metric": f.metric,
            "value": f.score.value,
            "low": f.score.low,
            "high": f.score.high,
            "stored": f.stored.value if f.stored else None,
            "is_equal": f.is_equal,
        }
        for e in evaluations
        for f in e.figures
    ]
    names = {
        "run": pa.string(),
        "recipe": pa.string(),
        "fold": pa.int32(),
        "seed": pa.int64(),
        "part": pa.string(),
        "metric": pa.string(),
        **dict.fromkeys(("value", "low", "high", "stored"), pa.float64()),
        "is_equal": pa.bool_(),
    }
    return pa.Table.from_pylist(rows, schema=pa.schema(list(names.items())))


def mean_table(evaluations: Sequence[Evaluation], part: str = "test") -> pa.Table:
    """One row a figure: mean and standard deviation over runs, least and most; undefined ones are left out and counted."""
    rows = []
    for metric in METRICS:
        values = [e.value(metric, part) for e in evaluations]
        sound = np.array([v for v in values if v is not None])
        has = sound.size > 0
        rows.append(
            {
                "metric": metric,
                "mean": float(sound.mean()) if has else None,
                "deviation": float(sound.std(ddof=1)) if sound.size > 1 else None,
                "least": float(sound.min()) if has else None,
                "most": float(sound.max()) if has else None,
                "runs": int(sound.size),
            }
        )
    schema = [("metric", pa.string())]
    schema += [(n, pa.float64()) for n in ("mean", "deviation", "least", "most")]
    return pa.Table.from_pylist(rows, schema=pa.schema([*schema, ("runs", pa.int64())]))


def classes_table(evaluations: Sequence[Evaluation], part: str = "test") -> pa.Table:
    """One row a class: clips, recall, precision and F1 over all runs together; null where not defined."""
    total = sum((e.confusion(part) for e in evaluations[1:]), evaluations[0].confusion(part))
    rows = []
    for i, name in enumerate(evaluations[0].predictions.classes):
        hit, true, said = int(total[i, i]), int(total[i].sum()), int(total[:, i].sum())
        rows.append(
            {
                "class": name,
                "clips": true,
                "predicted": said,
                "recall": hit / true if true else None,
                "precision": hit / said if said else None,
                "f1": 2 * hit / (true + said) if true else None,
            }
        )
    schema = [("class", pa.string()), ("clips", pa.int64()), ("predicted", pa.int64())]
    return pa.Table.from_pylist(
        rows, schema=pa.schema([*schema, *((n, pa.float64()) for n in ("recall", "precision", "f1"))])
    )


def confusion_table(evaluations: Sequence[Evaluation], part: str = "test") -> pa.Table:
    """One row a class, one column a predicted class: clips, over all runs together."""
    total = sum((e.confusion(part) for e in evaluations[1:]), evaluations[0].confusion(part))
    classes = list(evaluations[0].predictions.classes)
    columns = {"class": pa.array(classes, pa.string())}
    # Two columns of one name cannot be told apart; a class may be called "class".
    columns |= {f"as {name}": pa.array(total[:, i].tolist(), pa.int64()) for i, name in enumerate(classes)}
    return pa.table(columns)


def heading(evaluations: Sequence[Evaluation]) -> list[str]:
    """What was evaluated, what leaks in it, and what is not defined, in lines."""
    run = evaluations[0].run
    folds = sorted({e.run["fold"] for e in evaluations})
    seeds = sorted({e.run["seed"] for e in evaluations})
    called = f"run {run['run_id'][:8]}" if len(evaluations) == 1 else f"{len(evaluations)} runs"
    heard = f" on {run['front_end']}" if run["front_end"] else ""
    model = f" ({run['model']}{heard})" if heard or run["model"] != run["recipe"] else ""
    lines = [
        f"{called}: {run['recipe']}{model} learns {run['label']}",
        f"  split {evaluations[0].split!r} ({run['split_id'][:8]}), fold {_list(folds)}, seed {_list(seeds)}",
    ]
    told: dict[str, list[int]] = {}
    for e in evaluations:
        for line in (leak_line(e.run), *e.notes()):
            of = told.setdefault(line, [])
            if e.run["fold"] not in of:
                of.append(e.run["fold"])
    every = len(folds)
    return lines + [
        f"  {line}" if len(of) == every else f"  fold {_list(of)}: {line}" for line, of in told.items()
    ]


def _list(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers))


def leak_line(run: dict[str, Any]) -> str:
    """What the stored leak report says, in one line."""
    report = leak_of(run)
    leaks = {kind: float(entry.get("share", 0.0)) for kind, entry in dict(report.get("leaks", {})).items()}
    if not leaks:
        return "leaks: nothing is known about this fold"
    unaudited = (
        "" if report.get("audit_id") else " (copies are known by their bytes only: no audit was stored)"
    )
    order = [kind for kind in KINDS if kind in leaks] + [kind for kind in leaks if kind not in KINDS]
    told = [f"{kind} {100 * leaks[kind]:.1f} %" for kind in order if leaks[kind] > 0]
    if told:
        return f"LEAKS, of the clips of test: {', '.join(told)}{unaudited}"
    return f"leaks: no clip of test shares content, sound or recording with train{unaudited}"
