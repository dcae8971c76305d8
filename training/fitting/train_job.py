"""The job behind `motifdb train`: leak report, baselines, network, figures, all stored as runs.

The database is read at one snapshot and its lease taken only to store what is whole, so others may write meanwhile. A
run's id follows from its recipe, label, split, fold and seed: one that is done is not trained again, one that was stopped goes on
from its checkpoint in the folder ``models/<run_id>`` of the database.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from motifdb.catalog.layout import MODELS_FOLDER
from motifdb.errors import NotFoundError, UsageError
from motifdb.training.fitting.curves import Curves
from motifdb.training.fitting.loop import DivergedError, Trained, check_examples, train
from motifdb.training.fitting.network import choose_device
from motifdb.training.fitting.recipes import Recipe
from motifdb.training.fitting.train_report import TrainReport, report_of
from motifdb.training.inputs.heard import heard, sound_key
from motifdb.training.inputs.packed import Packed, pack
from motifdb.training.models import MODELS
from motifdb.training.scores.baselines import BASELINES, baseline_runs, baselines
from motifdb.training.scores.by_recording import recording_scores, recordings_of
from motifdb.training.scores.metrics import scores
from motifdb.training.scores.runs import Predictions, RunResult, run_id, store_run, stored_run
from motifdb.training.splits.examples import Examples, find_split, load_examples, split_folds
from motifdb.training.splits.leaks import LeakReport, leak_report, leak_reports, leak_text

if TYPE_CHECKING:
    from motifdb.catalog.snapshot import Snapshot
    from motifdb.pipelines.progress import Progress

LEASE_WAIT_S = 600.0
"""How long a run that is whole waits for another writer to end."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class TrainOptions:
    """What to train; see `motifdb train --help`.

    Attributes
    ----------
    split : name or beginning of an id; None is the only split
    folds : None is every fold
    again : train anew what is done
    resume : go on from the checkpoint of a run that was stopped
    baselines : whether those that the split has no runs of yet are fitted beside
    experiment, cell : what the runs are part of, if anything
    """

    recipe: Recipe
    split: str | None = None
    folds: tuple[int, ...] | None = None
    seeds: tuple[int, ...] = (0,)
    workers: int = 1
    ray_address: str | None = None
    device: str = "auto"
    again: bool = False
    resume: bool = True
    baselines: bool = True
    experiment: str | None = None
    cell: str | None = None

    @property
    def is_on_ray(self) -> bool:
        """Whether Ray Train runs the loop; one worker without an address needs no Ray."""
        return self.workers > 1 or self.ray_address is not None

    def check(self) -> None:
        """Refuse what cannot be, before anything is read.

        Raises
        ------
        UsageError, NotFoundError, MissingExtraError
            for numbers that cannot be, a network that does not exist or lacks an option, a device that is not here.
        """
        if self.workers < 1:
            raise UsageError(f"--workers must be 1 or more, got {self.workers}")
        if not self.seeds:
            raise UsageError("--seeds must be 1 or more")
        require_model(self.recipe)
        if not self.is_on_ray:
            choose_device(self.device)


@dataclass(frozen=True)
class Fold:
    """A fold of a split with everything that training needs; row i of `packed` is example i."""

    split_id: str
    fold: int
    examples: Examples
    packed: Packed
    leak: LeakReport

    @property
    def label(self) -> str:
        """Name of what is learnt."""
        return self.leak.label


def train_database(options: TrainOptions, path: Path, progress: Progress, say: Say) -> TrainReport:
    """Train a recipe on the folds of a split, with every seed, and store the runs.

    Parameters
    ----------
    path : the database
    say : is told lines for people, the leak report first

    Raises
    ------
    UsageError, NotFoundError, MissingExtraError
        for what cannot be.
    KeyboardInterrupt
        on Ctrl-C, after a checkpoint; the same call goes on.
    """
    from motifdb.catalog.snapshot import open_snapshot

    options.check()
    snapshot = open_snapshot(path)
    split_id = find_split(snapshot, options.split)
    folds = _chosen_folds(snapshot, split_id, options.folds)
    made: list[str] = []
    with ExitStack() as stack:
        if options.is_on_ray:
            from motifdb.pipelines.ray_cluster import ray_cluster

            stack.enter_context(ray_cluster(options.workers, options.ray_address))
        stack.callback(progress.close)
        leaks = (
            [leak_report(snapshot, split_id, folds[0])]
            if len(folds) == 1
            else [report for report in leak_reports(snapshot, split_id) if report.fold in folds]
        )
        say(leak_text(leaks))
        for leak in leaks:
            made += _train_fold(options, path, snapshot, leak, progress, say)
    return report_of(open_snapshot(path), split_id, folds, made)


def _train_fold(
    options: TrainOptions, path: Path, snapshot: Snapshot, leak: LeakReport, progress: Progress, say: Say
) -> list[str]:
    """Every seed of one fold, and its baselines; gives the ids of the network's runs."""
    split_id, number = leak.split_id, leak.fold
    config = run_config(options.recipe, leak.label, options.workers)
    ids = {seed: run_id(config, split_id, number, seed) for seed in options.seeds}
    done = {seed for seed, name in ids.items() if _is_done(snapshot, name)} if not options.again else set()
    for seed in sorted(done):
        say(f"run {ids[seed][:8]} (fold {number}, seed {seed}) is there already; --again trains it anew")
    wants_baselines = options.baselines and not _has_baselines(snapshot, split_id, number, leak.label)
    if len(done) == len(ids) and not wants_baselines:
        return list(ids.values())
    progress.start("reading sound")
    examples = load_examples(snapshot, split_id, number)
    check_examples(examples)
    if not len(examples.rows("test")):  # the files of all of them may have been pruned since
        raise UsageError(f"fold {number} has no clips to test on; `motifdb split` makes another split")
    fold = Fold(split_id, number, examples, heard(snapshot, examples, options.recipe.front_end), leak)
    if fold.packed.note:
        say(fold.packed.note)
    for line in unseen_classes(examples):
        say(line)
    if wants_baselines:
        progress.start("fitting baselines")
        # the same whatever the recipe hears
        is_as_kept = sound_key(options.recipe.front_end) == sound_key(None)
        found = baselines(examples, fold.packed if is_as_kept else pack(snapshot, examples))
        runs = baseline_runs(
            found, examples, split_id=split_id, fold=number, label=fold.label, leak=leak.to_json()
        )
        store(path, runs, f"baselines of split {split_id[:8]}, fold {number}")
    for seed in options.seeds:
        if seed not in done:
            result = train_run(options, path, fold, seed, progress, say)
            store(
                path, [result], f"run {result.run_id[:8]}: {options.recipe.name}, fold {number}, seed {seed}"
            )
            if result.state == "failed":
                say(f"run {result.run_id[:8]} failed: {result.reason}")
    return list(ids.values())


def train_run(
    options: TrainOptions, path: Path, fold: Fold, seed: int, progress: Progress, say: Say
) -> RunResult:
    """One run, trained and judged, not stored yet. A loss that is no number gives a failed run.

    Parameters
    ----------
    path : the database, in whose folder the checkpoint lies
    """
    recipe, examples = options.recipe, fold.examples
    config = run_config(recipe, fold.label, options.workers)
    name = run_id(config, fold.split_id, fold.fold, seed)
    folder = path / MODELS_FOLDER / name
    if not options.resume or (options.again and _is_whole(folder)):
        shutil.rmtree(folder, ignore_errors=True)
    about = {"run_id": name, "split_id": fold.split_id, "fold": fold.fold, "label": fold.label}
    result: dict[str, Any] = {
        "recipe": recipe.name,
        "model": recipe.model,
        "split_id": fold.split_id,
        "fold": fold.fold,
        "seed": seed,
        "label": fold.label,
        "classes": examples.classes,
        "config": config,
        "leak": fold.leak.to_json(),
        "front_end": recipe.front_end.kind,
        "experiment": options.experiment,
        "cell": options.cell,
        "checkpoint": f"{MODELS_FOLDER}/{name}",
    }
    began_s, began_cpu_s = time.monotonic(), time.process_time()
    try:
        with Curves(folder) as curves:
            shown = _Shown(recipe, f"{recipe.name}, fold {fold.fold}, seed {seed}", curves, progress, say)
            trained = _trained(options, fold, seed, folder, about, shown)
    except DivergedError as error:
        spent: dict[str, Any] = {
            "wall_s": time.monotonic() - began_s,
            "cpu_s": time.process_time() - began_cpu_s,
        }
        return RunResult(**result, **spent, state="failed", reason=str(error), device=options.device)
    progress.start("judging")
    rows = np.concatenate([examples.rows("valid"), examples.rows("test")])
    said = Predictions.of(examples, rows, trained.probabilities(fold.packed, rows))
    return RunResult(
        **result,
        predictions=said,
        epochs=trained.epochs,
        further={"train": scores_of_train(trained, fold)} | recording_scores(said, recordings_of(examples)),
        parameters=trained.n_parameters,
        best_epoch=trained.best_epoch,
        device=f"{options.workers} workers, {trained.device}" if options.is_on_ray else trained.device,
        wall_s=trained.wall_s,
        cpu_s=trained.cpu_s,
    )


def _trained(
    options: TrainOptions, fold: Fold, seed: int, folder: Path, about: Mapping[str, Any], shown: _Shown
) -> Trained:
    """The loop, here or on workers."""
    if not options.is_on_ray:
        return train(
            options.recipe,
            fold.examples,
            fold.packed,
            seed=seed,
            folder=folder,
            device=options.device,
            resume=True,
            on_epoch=shown.epoch,
            on_step=shown.step,
            about=about,
        )
    from motifdb.training.fitting.ray_train import train_on_workers

    return train_on_workers(
        options.recipe,
        fold.examples,
        fold.packed,
        workers=options.workers,
        ray_address=options.ray_address,
        seed=seed,
        folder=folder,
        device=options.device,
        resume=True,
        on_epoch=shown.epoch,
        about=about,
    )


def scores_of_train(trained: Trained, fold: Fold) -> dict[str, Any]:
    """Figures on the clips that were trained on, in eval mode: how much of them the network knows by heart."""
    rows = fold.examples.rows("train")
    said = trained.probabilities(fold.packed, rows)
    return scores(fold.examples.label[rows], said, [fold.examples.group[i] for i in rows.tolist()])


def run_config(recipe: Recipe, label: str, workers: int = 1) -> dict[str, Any]:
    """What a run's id is made of beside split, fold and seed.

    Several workers are part of it: batch normalisation sees a share of each batch, so the numbers differ.
    """
    config: dict[str, Any] = {"recipe": recipe.to_dict(), "label": label}
    return config | ({"workers": workers} if workers > 1 else {})


def require_model(recipe: Recipe) -> None:
    """Refuse a recipe whose network does not exist, or lacks one of the options.

    Raises
    ------
    NotFoundError, UsageError
    """
    from motifdb.errors import nearest

    if recipe.model not in MODELS:
        raise NotFoundError(f"no model is called {recipe.model!r}; {nearest(recipe.model, MODELS)}")
    known = MODELS[recipe.model].options()
    for option in recipe.model_options:
        if option not in known:
            raise NotFoundError(f"{recipe.model} has no option {option!r}; {nearest(option, known)}")


def unseen_classes(examples: Examples) -> list[str]:
    """A line for each class that is tested although train has none of it."""
    seen = set(examples.label[examples.rows("train")].tolist())
    tested = examples.label[examples.rows("test")].tolist()
    return [
        f"no clip of class {examples.classes[i]!r} is in train: its {tested.count(i):,} clips of test all count as wrong"
        for i in sorted(set(tested) - seen)
    ]


def store(path: Path, results: list[RunResult], message: str) -> None:
    """Commit runs, waiting for another writer if need be."""
    from motifdb.catalog.store import open_writer
    from motifdb.pipelines.committer import Committer
    from motifdb.pipelines.known import Known

    with open_writer(path, wait_s=LEASE_WAIT_S) as writer:
        committer = Committer(writer, Known.of(writer.snapshot))
        store_run(committer, *results)
        committer.flush(message)


def _chosen_folds(snapshot: Snapshot, split_id: str, wanted: tuple[int, ...] | None) -> tuple[int, ...]:
    there = split_folds(snapshot, split_id)
    if wanted is None:
        return there
    for number in wanted:
        if number not in there:
            raise NotFoundError(
                f"split {split_id[:8]} has no fold {number}; its folds are {min(there)} to {max(there)}"
            )
    return wanted


def _is_done(snapshot: Snapshot, name: str) -> bool:
    row = stored_run(snapshot, name)
    return row is not None and row["state"] == "done"


def _has_baselines(snapshot: Snapshot, split_id: str, fold: int, label: str) -> bool:
    from motifdb.pipelines.committer import quoted

    where = (
        f"split_id = {quoted(split_id)} and fold = {int(fold)} and label = {quoted(label)} and state = 'done'"
    )
    there = set(snapshot.table("runs", ["recipe"], where).column(0).to_pylist())
    return set(BASELINES) <= there


def _is_whole(folder: Path) -> bool:
    """Whether a checkpoint is of a run that has ended, which `--again` does not go on with."""
    from motifdb.training.fitting import checkpoint

    state = folder / checkpoint.STATE
    return not state.exists() or bool(checkpoint.read_header(state).get("is_done"))


@dataclass
class _Shown:
    """How a run shows itself while it is trained."""

    recipe: Recipe
    name: str
    curves: Curves
    progress: Progress
    say: Say
    _begun: bool = field(default=False, init=False)
    _named: bool = field(default=False, init=False)

    def step(self, epoch: int, n_done: int, n_steps: int) -> None:
        if not self._begun:
            self._begun = True
            self.progress.begin(
                f"training {self.name}", self.recipe.max_epochs * n_steps, 0, unit="steps at most"
            )
        self.progress.done((epoch - 1) * n_steps + n_done, 0, 0.0)

    def epoch(self, row: dict[str, Any]) -> None:
        self.curves.add(row)
        self.progress.close()
        if not self._named:
            self._named = True
            n_epochs = self.recipe.max_epochs
            self.say(f"{self.name}: at most {n_epochs} epoch{'s' * (n_epochs != 1)}")
        valid = ""
        if row["valid_loss"] is not None:
            valid = f", valid {row['valid_loss']:.3f} ({row['valid_accuracy']:.3f})"
        left_s = (self.recipe.max_epochs - row["epoch"]) * row["wall_s"]
        waited = row["wait_s"] / row["wall_s"] if row["wall_s"] else 0.0
        self.say(
            f"  epoch {row['epoch']}: loss {row['train_loss']:.3f} (accuracy {row['train_accuracy']:.3f}){valid},"
            f" {row['wall_s']:.0f} s, {waited:.1%} data wait, {left_s / 60:.0f} min left"
        )
