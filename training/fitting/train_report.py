"""What `motifdb train` says at the end: figures of the runs, the baselines of the same folds beside them, and who wins."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from motifdb.pipelines.committer import in_list, quoted
from motifdb.training.scores.baselines import BASELINES
from motifdb.training.scores.metrics import Score
from motifdb.training.scores.runs import stored_scores

if TYPE_CHECKING:
    from motifdb.catalog.snapshot import Snapshot

SHOWN = ("accuracy", "balanced_accuracy", "auc", "f1")
JUDGED_BY = "f1"
"""The figure that decides whether a network beats a baseline: macro F1, which a large class cannot carry."""


@dataclass(frozen=True)
class Line:
    """A run in the report."""

    run_id: str
    recipe: str
    is_baseline: bool
    fold: int
    seed: int
    state: str
    reason: str | None
    best_epoch: int | None
    scores: Mapping[str, Mapping[str, Score]]

    def value(self, part: str, metric: str) -> float | None:
        """A figure, if it is there."""
        score = self.scores.get(part, {}).get(metric)
        return score.value if score is not None else None

    @property
    def gap(self) -> float | None:
        """Accuracy on train less accuracy on test."""
        train, test = self.value("train", "accuracy"), self.value("test", "accuracy")
        return train - test if train is not None and test is not None else None


@dataclass(frozen=True)
class TrainReport:
    """Runs of one recipe on folds of a split, and the baselines of these folds."""

    split_id: str
    lines: tuple[Line, ...]
    leak: Mapping[int, Mapping[str, Any]]

    @property
    def n_failed(self) -> int:
        """Runs whose loss was no number."""
        return sum(line.state == "failed" for line in self.lines)

    @property
    def first_run(self) -> str | None:
        """Id of the first of the network's runs that are done."""
        return next((n.run_id for n in self.lines if not n.is_baseline and n.state == "done"), None)

    def table(self) -> pa.Table:
        """A row for each run: numbers, for programs."""
        rows = []
        for line in self.lines:
            row: dict[str, Any] = {
                "run_id": line.run_id,
                "recipe": line.recipe,
                "fold": line.fold,
                "seed": line.seed,
                "state": line.state,
                "best_epoch": line.best_epoch,
            }
            for metric in SHOWN:
                score = line.scores.get("test", {}).get(metric, Score(None))
                row |= {metric: score.value, f"{metric}_low": score.low, f"{metric}_high": score.high}
            rows.append(row | {"train_accuracy": line.value("train", "accuracy"), "gap": line.gap})
        return pa.Table.from_pylist(rows)

    def shown(self) -> pa.Table:
        """The same, for people: with 95 % intervals; the gap is accuracy on train less accuracy on test."""
        columns: dict[str, list[str]] = {"run": [], "recipe": [], "fold": [], "seed": [], "epoch": []}
        columns |= {"accuracy": [], "f1": [], "auc": [], "gap": []}
        for line in self.lines:
            columns["run"].append(line.run_id[:8])
            columns["recipe"].append(line.recipe if line.state == "done" else f"{line.recipe} (failed)")
            columns["fold"].append(str(line.fold))
            columns["seed"].append("" if line.is_baseline else str(line.seed))
            columns["epoch"].append("" if line.best_epoch is None else str(line.best_epoch))
            of_test = line.scores.get("test", {})
            columns["accuracy"].append(_brief(of_test.get("accuracy")))
            columns["f1"].append(_brief(of_test.get("f1")))
            auc = line.value("test", "auc")
            columns["auc"].append("-" if auc is None else f"{auc:.3f}")
            columns["gap"].append("" if line.gap is None else f"{line.gap:+.3f}")
        return pa.table(columns)

    def summary(self) -> list[str]:
        """Means and spreads, the verdict, and the leak line."""
        said = []
        by_name = self._by_name()
        for name, lines in by_name.items():
            if len(lines) > 1:
                said.append(f"{name}: {', '.join(_spread(metric, lines) for metric in ('accuracy', 'f1'))}")
        verdict = self._verdict(by_name)
        return said + ([verdict] if verdict else []) + [self.leak_line()]

    def _by_name(self) -> dict[str, list[Line]]:
        found: dict[str, list[Line]] = {}
        for line in self.lines:
            if line.value("test", JUDGED_BY) is not None:
                found.setdefault(line.recipe, []).append(line)
        return found

    def _verdict(self, by_name: Mapping[str, Sequence[Line]]) -> str | None:
        """Whether the network beats the best baseline, said plainly; over the folds that both have."""
        own = [name for name, lines in by_name.items() if not lines[0].is_baseline]
        if not own:
            return None
        name = own[0]
        folds = {line.fold for line in by_name[name]}
        means = {
            n: _mean(
                [
                    m
                    for m in (line.value("test", JUDGED_BY) for line in lines if line.fold in folds)
                    if m is not None
                ]
            )
            for n, lines in by_name.items()
            if lines[0].is_baseline and folds <= {line.fold for line in lines}
        }
        if not means:
            return None
        best = max(means, key=lambda n: means[n])
        network = _mean(
            [m for m in (line.value("test", JUDGED_BY) for line in by_name[name]) if m is not None]
        )
        what = "macro F1" if len(folds) == 1 else f"mean macro F1 over {len(folds)} folds"
        verb = "beats" if network > means[best] else "does not beat"
        return f"{name} {verb} the best baseline: {what} {network:.3f} against {means[best]:.3f} of {best}"

    def leak_line(self) -> str:
        """What leaked, in a line: the largest share of test clips over the folds, by kind."""
        worst: dict[str, float] = {}
        for report in self.leak.values():
            for kind, share in leaks_of(report).items():
                worst[kind] = max(worst.get(kind, 0.0), share)
        if not self.leak:
            return "leaks: not known for these runs"
        if not worst:
            unknown = any(report.get("audit_id") is None for report in self.leak.values())
            more = "; copies would be known after `motifdb audit`" if unknown else ""
            return f"leaks: no clip of test is known to share sound or a recording with train{more}"
        listed = ", ".join(f"{kind} {share:.1%}" for kind, share in worst.items())
        return f"leaks, as shares of the clips of test: {listed}; scores above say what is known again, not what is learnt"


def report_of(snapshot: Snapshot, split_id: str, folds: Iterable[int], run_ids: Iterable[str]) -> TrainReport:
    """The report of stored runs, with the baselines of the same folds of their split."""
    wanted, numbers = set(run_ids), set(folds)
    rows = snapshot.table("runs", None, in_list("run_id", wanted)).to_pylist() if wanted else []
    labels = {row["label"] for row in rows}
    where = f"split_id = {quoted(split_id)} and {in_list('recipe', BASELINES)}"
    beside = snapshot.table("runs", None, where).to_pylist()
    rows += [
        row
        for row in beside
        if row["fold"] in numbers and (not labels or row["label"] in labels) and row["run_id"] not in wanted
    ]
    figures = stored_scores(snapshot, [row["run_id"] for row in rows])
    order = {name: i for i, name in enumerate(BASELINES)}
    lines = [
        Line(
            row["run_id"],
            row["recipe"],
            row["recipe"] in order,
            row["fold"],
            row["seed"],
            row["state"],
            row["reason"],
            row["best_epoch"],
            figures[row["run_id"]],
        )
        for row in rows
    ]
    lines.sort(key=lambda line: (line.fold, order.get(line.recipe, -1), line.seed, line.run_id))
    leaks = {row["fold"]: json.loads(row["leak"]) for row in rows}
    return TrainReport(split_id, tuple(lines), leaks)


def leaks_of(report: Mapping[str, Any]) -> dict[str, float]:
    """Of a stored leak report, the kinds that leak and the share of test clips each concerns."""
    found = report.get("leaks", {})
    return {kind: float(entry["share"]) for kind, entry in found.items() if entry["share"] > 0}


def _brief(score: Score | None) -> str:
    if score is None or score.value is None:
        return "-"
    if score.low is None or score.high is None:
        return f"{score.value:.3f}"
    return f"{score.value:.3f} [{score.low:.2f} {score.high:.2f}]"


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else float("nan")


def _spread(metric: str, lines: Sequence[Line]) -> str:
    """Mean over folds and seeds, how far folds differ, and how far seeds do inside a fold.

    >>> some = [Line("", "r", False, f, s, "done", None, 1, {"test": {"f1": Score(v)}}) for f, s, v in [(0, 0, .4), (0, 1, .6), (1, 0, .8), (1, 1, 1.)]]
    >>> _spread("f1", some)
    'f1 0.700 (deviation 0.283 over 2 folds, 0.141 over 2 seeds)'
    """
    by_fold: dict[int, list[float]] = {}
    for line in lines:
        value = line.value("test", metric)
        if value is not None:
            by_fold.setdefault(line.fold, []).append(value)
    means = [_mean(values) for values in by_fold.values()]
    parts = [f"{np.std(means, ddof=1):.3f} over {len(means)} folds"] if len(means) > 1 else []
    seeds = [np.std(values, ddof=1) for values in by_fold.values() if len(values) > 1]
    if seeds:
        parts.append(f"{np.mean(seeds):.3f} over {max(map(len, by_fold.values()))} seeds")
    return (
        f"{metric} {_mean(means):.3f} (deviation {', '.join(parts)})"
        if parts
        else f"{metric} {_mean(means):.3f}"
    )
