"""Stored figures of an experiment, gathered: fold by fold, and as mean and spread over folds and seeds."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from motifdb.training.scores.baselines import BASELINES

if TYPE_CHECKING:
    from motifdb.catalog.store import Snapshot
    from motifdb.training.scores.metrics import Score


@dataclass(frozen=True)
class Measured:
    """One run's figures.

    Attributes
    ----------
    protocol : the division, by its name
    model : a baseline's name, or the recipe's
    scores, train_scores : of test, and of train where they are known
    leak : the leak report of the fold
    """

    protocol: str
    cell: str
    model: str
    front_end: str | None
    fold: int
    seed: int
    scores: Mapping[str, Score]
    train_scores: Mapping[str, Score]
    leak: Mapping[str, Any]
    parameters: int | None
    epochs: int | None
    best_epoch: int | None
    cpu_s: float
    run_id: str
    experiment: str | None = None

    def value(self, metric: str) -> float | None:
        """A figure of test, None where it is not defined."""
        found = self.scores.get(metric)
        return None if found is None else found.value


@dataclass(frozen=True)
class Spread:
    """Mean and standard deviation of a figure over folds (of each, the mean over seeds); None where nothing is defined.

    The deviation is that of the folds themselves (divided by n), as the reference figures of this project have it.
    """

    mean: float | None
    deviation: float | None
    n: int

    def text(self, digits: int = 3) -> str:
        """Such as ``.531 ±.129``; a dash where nothing is known."""
        if self.mean is None:
            return "-"
        shown = _short(self.mean, digits)
        return shown if self.deviation is None or self.n < 2 else f"{shown} ±{_short(self.deviation, digits)}"


def _short(value: float, digits: int) -> str:
    text = f"{value:.{digits}f}"
    return text[1:] if text.startswith("0.") else text


def spread(found: Sequence[Measured], metric: str) -> Spread:
    """Of some runs, which are folds and seeds of one model under one protocol.

    >>> spread([], "f1").text()
    '-'
    """
    by_fold: dict[int, list[float]] = {}
    for one in found:
        value = one.value(metric)
        if value is not None:
            by_fold.setdefault(one.fold, []).append(value)
    if not by_fold:
        return Spread(None, None, 0)
    means = [float(np.mean(v)) for v in by_fold.values()]
    return Spread(float(np.mean(means)), float(np.std(means)) if len(means) > 1 else None, len(means))


def gather(
    snapshot: Snapshot, splits: Mapping[str, str], label: str, front_end: str = "log-mel"
) -> list[Measured]:
    """Every done run of some splits: the baselines, and all networks.

    Parameters
    ----------
    splits : protocol to split_id
    front_end : what the baselines heard; networks are taken whatever they hear
    """
    from motifdb.pipelines.committer import in_list
    from motifdb.training.scores.runs import stored_scores

    protocol_of = {split_id: protocol for protocol, split_id in splits.items()}
    if not protocol_of:
        return []
    rows = snapshot.table("runs", None, f"{in_list('split_id', protocol_of)} and state = 'done'").to_pylist()
    rows = [
        row
        for row in rows
        if row["label"] == label and (row["recipe"] not in BASELINES or row["front_end"] in (None, front_end))
    ]
    scores = stored_scores(snapshot, [row["run_id"] for row in rows])
    found = [_measured(row, protocol_of[row["split_id"]], scores[row["run_id"]]) for row in rows]
    return sorted(found, key=lambda m: (m.protocol, m.model, m.cell, m.fold, m.seed))


def _measured(row: Mapping[str, Any], protocol: str, scores: Mapping[str, Mapping[str, Score]]) -> Measured:
    return Measured(
        protocol,
        row["cell"] or "",
        row["recipe"],
        row["front_end"],
        row["fold"],
        row["seed"],
        scores.get("test", {}),
        scores.get("train", {}),
        json.loads(row["leak"]),
        row["parameters"],
        row["epochs"],
        row["best_epoch"],
        row["cpu_s"],
        row["run_id"],
        row["experiment"],
    )


def leak_share(leak: Mapping[str, Any], kind: str) -> float | None:
    """Share of the clips of test that are linked to train in a way; None where the report does not know."""
    found = leak.get("leaks", {}).get(kind)
    return None if found is None else float(found["share"])
