"""What the papers say in prose, put to the test on the divisions of the ladder that do not leak.

Each claim of `motifdb.training.experiments.published.CLAIMS` gets rows: from baselines that are cheap to fit (corpus size, fused features),
from predictions that are stored (short clips), from networks that have been trained on the same sides (epochs to best, train-test
gap, parameters). A claim with nothing to stand on says what to run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from motifdb.training.experiments import protocols as pr
from motifdb.training.experiments.cells import Say, read_fold, subset_of, taken
from motifdb.training.experiments.ladder import LadderOptions, run_ladder
from motifdb.training.experiments.measured import Measured, gather, spread
from motifdb.training.experiments.published import CLAIMS
from motifdb.training.scores.baselines import BASELINES

if TYPE_CHECKING:
    from motifdb.catalog.store import Snapshot
    from motifdb.pipelines.progress import Progress
    from motifdb.training.fitting.train_job import Fold
    from motifdb.training.inputs.packed import Packed
    from motifdb.training.scores.runs import RunResult
    from motifdb.training.splits.examples import Examples

NAME = "prose-claims"
COLUMNS = (pr.ISLAND, pr.SOURCE)
SHARES = (0.25, 0.5)
FUSED = "logistic on log-mel and MFCC"
BOUND_S = 0.5


@dataclass
class ProseReport:
    """Rows of (claim, what, then one text for each column)."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def run_prose(options: LadderOptions, path: Path, progress: Progress, say: Say) -> ProseReport:
    """Fit what is missing and gather; splits and baselines are those of the ladder.

    Raises
    ------
    UsageError, NotFoundError
        as the ladder.
    """
    from motifdb.catalog.snapshot import open_snapshot

    columns = tuple(c for c in COLUMNS if c in options.rungs) or COLUMNS
    ladder = run_ladder(replace(options, rungs=columns), path, progress, say)
    splits = {name: _split_of(ladder.measured, name, open_snapshot(path)) for name in columns}
    _fit(path, splits, progress)
    snapshot = open_snapshot(path)
    found = gather(snapshot, splits, options.label)
    networks = [m for m in ladder.measured if m.model not in BASELINES]
    report = ProseReport(
        notes=[f"{c.name}: {c.source} {'say' if ' and ' in c.source else 'says'} {c.says}" for c in CLAIMS]
    )
    report.rows += _size_rows(found, columns)
    report.rows += _fused_rows(found, columns)
    report.rows += _short_rows(snapshot, found, networks, columns)
    report.rows += _network_rows(networks, columns)
    return report


def _split_of(measured: Sequence[Measured], protocol: str, snapshot: Snapshot) -> str:
    run = next(m.run_id for m in measured if m.protocol == protocol and m.model == "logistic")
    row = snapshot.table("runs", ["split_id"], f"run_id = '{run}'").to_pylist()[0]
    return str(row["split_id"])


# -- fitting -------------------------------------------------------------------------------------------------


def _fit(path: Path, splits: Mapping[str, str], progress: Progress) -> None:
    from motifdb.catalog.snapshot import open_snapshot
    from motifdb.pipelines.committer import quoted
    from motifdb.training.fitting.train_job import store
    from motifdb.training.splits.examples import split_folds

    snapshot = open_snapshot(path)
    todo = [
        (name, split_id, fold)
        for name, split_id in splits.items()
        for fold in split_folds(snapshot, split_id)
    ]
    progress.begin("corpus size and fused features", len(todo), 0, "folds")
    for at, (name, split_id, number) in enumerate(todo):
        where = f"split_id = {quoted(split_id)} and fold = {number} and state = 'done'"
        there = set(snapshot.table("runs", ["recipe"], where).column(0).to_pylist())
        lacking = [r for r in (*(_share_name(s) for s in SHARES), FUSED) if r not in there]
        if lacking:
            fold = read_fold(path, split_id, number)
            store(path, _runs(fold, lacking, f"{NAME}/{name}"), f"{NAME}: {name}, fold {number}")
        progress.done(at + 1, 0, 0.0)
    progress.close()


def _share_name(share: float) -> str:
    return f"logistic on {share:g} of train"


def _runs(fold: Fold, lacking: Sequence[str], cell: str) -> list[RunResult]:
    from motifdb.training.scores.baselines import baseline_runs, baselines
    from motifdb.training.scores.statistics import log_mel_statistics

    statistics = log_mel_statistics(fold.packed)
    runs: list[RunResult] = []
    for name in lacking:
        examples, values = fold.examples, statistics
        if name == FUSED:
            values = np.hstack([statistics, mfcc_statistics(fold.packed)])
        else:
            share = next(s for s in SHARES if _share_name(s) == name)
            n = round(share * len(examples.rows("train")))
            rows = subset_of(_by_recording(examples), n, fold.fold)
            examples, values = taken(examples, rows), statistics[rows]
        fitted = baselines(examples, None, names=("logistic",), statistics=values)
        made = baseline_runs(
            fitted,
            examples,
            split_id=fold.split_id,
            fold=fold.fold,
            label=fold.label,
            leak=fold.leak.to_json(),
            experiment=NAME,
            cell=cell,
        )
        runs += [replace(run, recipe=name, config={**run.config, "recipe": name}) for run in made]
    return runs


def _by_recording(examples: Examples) -> Examples:
    """Drawn by recording: a source split has two or three groups a class, of which no quarter can be drawn."""
    return replace(examples, group=examples.recording_id)


def mfcc_statistics(packed: Packed) -> NDArray[np.float32]:
    """Mean and deviation of 40 MFCC over a clip's columns: float32, shape (n, 80)."""
    import torch

    from motifdb.training.inputs.frontends import FrontEnd, FrontEndConfig
    from motifdb.training.inputs.packed import FULL_SCALE

    front_end = FrontEnd(FrontEndConfig(kind="mfcc", sample_rate_hz=packed.sample_rate_hz, standardise=False))
    order = np.argsort(packed.length, kind="stable")
    out: NDArray[np.float32] | None = None
    for first in range(0, len(order), 64):
        rows = order[first : first + 64]
        lengths = torch.from_numpy(packed.length[rows])
        samples = torch.zeros(len(rows), int(lengths.max()))
        for at, row in enumerate(rows.tolist()):
            samples[at, : int(lengths[at])] = torch.from_numpy(
                packed.clip(row).astype(np.float32) / FULL_SCALE
            )
        with torch.no_grad():
            features, n_columns = front_end(samples, lengths)
            valid = (torch.arange(features.shape[-1]) < n_columns[:, None])[:, None].float()
            n = n_columns[:, None].float()
            mean = (features * valid).sum(-1) / n
            deviation = (((features - mean[..., None]) * valid).square().sum(-1) / n).sqrt()
        values = torch.cat([mean, deviation], dim=1).numpy()
        if out is None:
            out = np.zeros((len(packed), values.shape[1]), np.float32)
        out[rows] = values
    return out if out is not None else np.zeros((0, 80), np.float32)


# -- rows ----------------------------------------------------------------------------------------------------


def _row(claim: str, what: str, texts: Mapping[str, str]) -> dict[str, Any]:
    return {"claim": claim, "what": what, **texts}


def _two(own: Sequence[Measured]) -> str:
    """Accuracy and F1."""
    if not own:
        return "-"
    return f"{spread(own, 'accuracy').text()}  F1 {spread(own, 'f1').text().split(' ')[0]}"


def _size_rows(found: Sequence[Measured], columns: Sequence[str]) -> list[dict[str, Any]]:
    rows = []
    for name in (*(_share_name(s) for s in SHARES), "logistic"):
        shown = name if name != "logistic" else "logistic on all of train"
        texts = {c: _two([m for m in found if (m.protocol, m.model) == (c, name)]) for c in columns}
        rows.append(_row("corpus size", shown, texts))
    return rows


def _fused_rows(found: Sequence[Measured], columns: Sequence[str]) -> list[dict[str, Any]]:
    texts = {c: _two([m for m in found if (m.protocol, m.model) == (c, FUSED)]) for c in columns}
    return [_row("fused features", FUSED, texts)]


def _short_rows(
    snapshot: Snapshot, found: Sequence[Measured], networks: Sequence[Measured], columns: Sequence[str]
) -> list[dict[str, Any]]:
    """Clips under half a second, and the others, of the same runs."""
    rows = []
    every = [m for m in found if m.model in ("majority", "logistic")] + list(networks)
    for model in dict.fromkeys(m.model for m in every):
        texts: dict[bool, dict[str, str]] = {True: {}, False: {}}
        for column in columns:
            own = [m for m in every if (m.protocol, m.model) == (column, model)]
            for is_short in (True, False):
                texts[is_short][column] = _by_length(snapshot, own, is_short)
        for is_short, named in ((True, f"under {BOUND_S} s"), (False, f"from {BOUND_S} s")):
            rows.append(_row("short clips", f"{model}, clips {named}", texts[is_short]))
    return rows


def _by_length(snapshot: Snapshot, own: Sequence[Measured], is_short: bool) -> str:
    """Accuracy and F1 over the test clips of one side of the bound, mean over folds."""
    from motifdb.pipelines.committer import in_list
    from motifdb.training.scores.metrics import scores
    from motifdb.training.scores.runs import stored_predictions

    found: dict[str, list[float]] = {"accuracy": [], "f1": []}
    for m in own:
        run = snapshot.table("runs", None, in_list("run_id", [m.run_id])).to_pylist()[0]
        said = stored_predictions(snapshot, run)
        length = _lengths(snapshot, run["split_id"])
        rows = [i for i in said.rows("test").tolist() if (length[said.clip_id[i]] < BOUND_S) == is_short]
        if not rows:
            continue
        figures = scores(
            said.label[rows], said.probabilities[rows], [said.group[i] for i in rows], n_bootstrap=0
        )
        for name, values in found.items():
            if (value := figures[name].value) is not None:
                values.append(value)
    if not found["accuracy"]:
        return "-"
    accuracy, f1 = (f"{np.mean(found[n]):.3f}".lstrip("0") if found[n] else "-" for n in ("accuracy", "f1"))
    return f"{accuracy}  F1 {f1}"


def _lengths(snapshot: Snapshot, split_id: str) -> dict[str, float]:
    from motifdb.pipelines.committer import quoted
    from motifdb.training.splits.examples import split_row

    where = f"analysis_id = {quoted(split_row(snapshot, split_id)['parent_id'])}"
    rows = snapshot.table("clips", ["clip_id", "start_s", "end_s"], where)
    ids, start, end = (rows.column(i) for i in range(3))
    return dict(zip(ids.to_pylist(), (end.to_numpy() - start.to_numpy()).tolist(), strict=True))


def _network_rows(networks: Sequence[Measured], columns: Sequence[str]) -> list[dict[str, Any]]:
    """Epochs to best, gap and size of every network that has run on these sides."""
    rows = []
    for model in dict.fromkeys(m.model for m in networks):
        own = {c: [m for m in networks if (m.protocol, m.model) == (c, model)] for c in columns}
        best = {c: _mean_text([m.best_epoch for m in found], ".1f") for c, found in own.items()}
        gap = {c: _mean_text([_gap(m) for m in found], "+.3f") for c, found in own.items()}
        n_parameters = next((m.parameters for m in networks if m.model == model), None)
        rows.append(_row("epochs to best", model, best))
        rows.append(_row("train-test gap", f"{model}, accuracy of train less test", gap))
        rows.append(
            _row("parameters", model, dict.fromkeys(columns, f"{n_parameters:,}" if n_parameters else "-"))
        )
    if not networks:
        why = "not run: no network (--recipe sid-2020-small)"
        for claim in ("epochs to best", "train-test gap", "parameters"):
            rows.append(_row(claim, why, dict.fromkeys(columns, "-")))
    with_weights = [m for m in networks if "weights" in m.model]
    if not with_weights:
        why = "not run: no weights given (a recipe of resnet-50 with model_options.weights)"
        rows.append(_row("ImageNet weights", why, dict.fromkeys(columns, "-")))
    return rows


def _gap(m: Measured) -> float | None:
    train = m.train_scores.get("accuracy")
    test = m.value("accuracy")
    return None if train is None or train.value is None or test is None else train.value - test


def _mean_text(values: Sequence[float | int | None], form: str) -> str:
    there = [v for v in values if v is not None]
    return format(float(np.mean(there)), form) if there else "-"
