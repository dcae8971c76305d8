"""Cells of an experiment: a model on a fold with a seed, each a stored run, done once however often it is asked for.

A cell that is in `runs` is done: what is asked again goes on with the rest. Cells run one after the other here, or as Ray tasks
over a cluster; a fold's sound goes to the tasks through Ray's object store, once for all of its cells. Only this process touches the
database; it stores each cell when it comes back.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from motifdb.training.scores.baselines import BASELINES
from motifdb.training.splits.examples import Examples

if TYPE_CHECKING:
    from motifdb.catalog.store import Snapshot
    from motifdb.pipelines.progress import Progress
    from motifdb.training.fitting.recipes import Recipe
    from motifdb.training.fitting.train_job import Fold
    from motifdb.training.inputs.front_end_config import FrontEndConfig
    from motifdb.training.scores.runs import RunResult

Say = Callable[[str], None]


@dataclass(frozen=True)
class CellPlan:
    """One cell before it is run.

    Attributes
    ----------
    name : of the cell within its experiment, such as ``residual-blstm/motif/log-mel``
    protocol : under which division, such as ``by island``
    recipe : of the network; None for the baselines of the fold, which are made together
    subset : at most so many clips to train on; None is all
    """

    experiment: str
    name: str
    protocol: str
    split_id: str
    fold: int
    seed: int = 0
    recipe: Recipe | None = None
    subset: int | None = None

    @property
    def sound(self) -> tuple[int, str]:
        """Equal for cells that hear the same samples."""
        from motifdb.training.inputs.heard import sound_key

        return sound_key(self.recipe.front_end if self.recipe else None)

    @property
    def cell(self) -> str:
        """What `runs.cell` holds."""
        return f"{self.name} | {self.protocol}"

    def config(self, label: str) -> dict[str, Any]:
        """What a network's run id is made of; a smaller training part makes another run."""
        from motifdb.training.fitting.train_job import run_config

        assert self.recipe is not None
        config = run_config(self.recipe, label)
        return config if self.subset is None else config | {"train_clips_at_most": self.subset}

    def run_id(self, label: str) -> str:
        """The id of a network's run."""
        from motifdb.training.scores.runs import run_id

        return run_id(self.config(label), self.split_id, self.fold, self.seed)


@dataclass
class CellReport:
    """What a call did."""

    n_done_before: int = 0
    n_run: int = 0
    failed: list[str] = field(default_factory=list)
    cpu_s: float = 0.0


def subset_of(examples: Examples, n: int | None, seed: int = 0) -> NDArray[np.int64]:
    """Rows of `examples` with a smaller part train: whole groups, drawn by seed, until there are `n` clips or more.

    The first group drawn of each class always is in, so that no class goes missing; valid and test stay whole.

    Examples
    --------
    >>> n = np.arange(6)
    >>> part = np.array(["train"] * 4 + ["test"] * 2)
    >>> label = np.array([0, 0, 1, 1, 0, 1])
    >>> few = Examples(tuple("abcdef"), tuple("abcdef"), n * 0.0, n * 1.0, label, ("x", "y"), tuple("gghkmm"), part)
    >>> subset_of(few, 3).size
    5
    """
    train = examples.rows("train")
    if n is None or n >= len(train):
        return np.arange(len(examples))
    members: dict[str, list[int]] = {}
    for row in train.tolist():
        members.setdefault(examples.group[row], []).append(row)
    names = sorted(members)
    order = [names[i] for i in np.random.default_rng([seed, 9]).permutation(len(names))]
    first: dict[int, str] = {}
    for name in order:
        first.setdefault(int(examples.label[members[name][0]]), name)
    kept: list[int] = []
    taken = list(dict.fromkeys([*first.values(), *order]))
    for at, name in enumerate(taken):
        if at >= len(first) and len(kept) >= n:
            break
        kept += members[name]
    others = np.flatnonzero(examples.part != "train")
    return np.sort(np.concatenate([np.array(kept, np.int64), others]))


def taken(examples: Examples, rows: NDArray[np.int64]) -> Examples:
    """The examples of some rows, in that order; classes stay those of the split."""
    at = rows.tolist()
    return Examples(
        tuple(examples.clip_id[i] for i in at),
        tuple(examples.recording_id[i] for i in at),
        examples.start_s[rows],
        examples.end_s[rows],
        examples.label[rows],
        examples.classes,
        tuple(examples.group[i] for i in at),
        examples.part[rows],
    )


def missing_cells(snapshot: Snapshot, cells: Sequence[CellPlan], label: str) -> list[CellPlan]:
    """Those that are not done: a network without its run, a fold without one of its baselines."""
    rows = snapshot.table(
        "runs", ["run_id", "split_id", "fold", "recipe", "front_end", "label"], "state = 'done'"
    )
    there = rows.to_pylist()
    ids = {row["run_id"] for row in there}
    fitted: dict[tuple[str, int], set[str]] = {}
    for row in there:
        if row["label"] == label and row["front_end"] in (None, "log-mel"):
            fitted.setdefault((row["split_id"], row["fold"]), set()).add(row["recipe"])
    return [
        cell
        for cell in cells
        if (
            not set(BASELINES) <= fitted.get((cell.split_id, cell.fold), set())
            if cell.recipe is None
            else cell.run_id(label) not in ids
        )
    ]


def run_cells(
    path: Path,
    cells: Sequence[CellPlan],
    label: str,
    progress: Progress,
    say: Say,
    *,
    device: str = "auto",
    engine: str = "inline",
    workers: int | None = None,
    ray_address: str | None = None,
) -> CellReport:
    """Run what is not done yet, and store each cell as it ends.

    Raises
    ------
    UsageError, NotFoundError, MissingExtraError
        for what cannot be.
    KeyboardInterrupt
        on Ctrl-C; what was whole is stored, and the same call goes on.
    """
    from motifdb.catalog.snapshot import open_snapshot
    from motifdb.training.fitting.train_job import store

    snapshot = open_snapshot(path)
    missing = missing_cells(snapshot, cells, label)
    report = CellReport(n_done_before=len(cells) - len(missing))
    # a fold's sound is read once for all that hear alike
    missing.sort(key=lambda c: (c.recipe is not None, c.sound, c.split_id, c.fold))
    on_ray = engine == "ray" or ray_address is not None
    runner = (
        _on_ray(path, missing, device, workers, ray_address)
        if on_ray
        else _inline(path, missing, device, say)
    )
    if missing:
        progress.begin("cells", len(missing), 0, "cells")
    try:
        for cell, results, spent_s in runner:
            store(path, results, f"{cell.experiment}: {cell.cell}, fold {cell.fold}, seed {cell.seed}")
            report.n_run += 1
            report.cpu_s += spent_s
            for result in results:
                if result.state == "failed":
                    report.failed.append(f"{cell.cell}, fold {cell.fold}, seed {cell.seed}: {result.reason}")
            progress.done(report.n_run, 0, 0.0)
    finally:
        progress.close()
    return report


Done = tuple[CellPlan, "list[RunResult]", float]


def _inline(path: Path, cells: Sequence[CellPlan], device: str, say: Say) -> Iterator[Done]:
    key: Any = None
    fold: Any = None
    for cell in cells:
        if (cell.split_id, cell.fold, cell.sound) != key:
            key, fold = (cell.split_id, cell.fold, cell.sound), _fold_of(path, cell)
            if fold.packed.note:
                say(fold.packed.note)
        results, files = run_cell(cell, fold, device, say, home=path)
        _place(path, results, files)
        yield cell, results, sum(r.cpu_s for r in results)


def _fold_of(path: Path, cell: CellPlan) -> Fold:
    front_end = cell.recipe.front_end if cell.recipe else None
    return read_fold(path, cell.split_id, cell.fold, front_end=front_end)


def read_fold(
    path: Path,
    split_id: str,
    fold: int,
    *,
    with_sound: bool = True,
    front_end: FrontEndConfig | None = None,
) -> Fold:
    """A fold of a split with its sound (where it is wanted) and its leak report.

    Parameters
    ----------
    front_end : that will hear the sound, which comes at its rate and with its gain; None: as it is kept
    """
    from motifdb.catalog.snapshot import open_snapshot
    from motifdb.training.fitting.train_job import Fold
    from motifdb.training.inputs.front_end_config import FrontEndConfig
    from motifdb.training.inputs.heard import heard
    from motifdb.training.inputs.packed import Packed
    from motifdb.training.splits.examples import load_examples
    from motifdb.training.splits.leaks import leak_report

    snapshot = open_snapshot(path)
    examples = load_examples(snapshot, split_id, fold)
    packed = heard(snapshot, examples, front_end or FrontEndConfig()) if with_sound else Packed.of([])
    return Fold(split_id, fold, examples, packed, leak_report(snapshot, split_id, fold))


Files = dict[str, bytes]
"""A checkpoint on its way from a worker to the database's folder."""


def run_cell(
    cell: CellPlan, fold: Fold, device: str, say: Say, home: Path | None = None
) -> tuple[list[RunResult], Files]:
    """One cell, trained and judged, not stored.

    Parameters
    ----------
    home : the database where its folder can be written from here, so that a stopped run goes on; else the checkpoint's
        files come back beside the results
    """
    from motifdb.catalog.layout import MODELS_FOLDER
    from motifdb.pipelines.progress import Quiet
    from motifdb.training.fitting.train_job import TrainOptions, train_run
    from motifdb.training.scores.baselines import baseline_runs, baselines

    if cell.recipe is None:
        fitted = baselines(fold.examples, fold.packed)
        runs = baseline_runs(
            fitted,
            fold.examples,
            split_id=fold.split_id,
            fold=fold.fold,
            label=fold.label,
            leak=fold.leak.to_json(),
            experiment=cell.experiment,
            cell=cell.cell,
        )
        return runs, {}
    options = TrainOptions(
        cell.recipe, device=device, baselines=False, experiment=cell.experiment, cell=cell.cell
    )
    if cell.subset is None and home is not None:
        return [train_run(options, home, fold, cell.seed, Quiet(), say)], {}
    rows = subset_of(fold.examples, cell.subset, cell.seed)
    own = replace(fold, examples=taken(fold.examples, rows), packed=fold.packed.take(rows))
    root = Path(tempfile.mkdtemp(prefix="motifdb-cell-"))
    try:
        result = train_run(options, root, own, cell.seed, Quiet(), say)
        made = root / MODELS_FOLDER / result.run_id
        files = (
            {f.name: f.read_bytes() for f in sorted(made.iterdir()) if f.is_file()} if made.is_dir() else {}
        )
    finally:
        shutil.rmtree(root, ignore_errors=True)
    config = cell.config(fold.label)
    name = f"{MODELS_FOLDER}/{cell.run_id(fold.label)}"
    return [replace(result, config=config, checkpoint=name)], files


def _place(path: Path, results: Sequence[RunResult], files: Files) -> None:
    """Put a checkpoint where the run says it is."""
    if files:
        (result,) = results
        target = path / str(result.checkpoint)
        target.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (target / name).write_bytes(content)


def _remote_cell(cell: CellPlan, fold: Fold, device: str) -> tuple[list[RunResult], Files, list[str]]:
    """`run_cell` on a worker, which reaches nothing but what it is handed; its lines come back with the results."""
    lines: list[str] = []
    results, files = run_cell(cell, fold, device, lines.append)
    return results, files, lines


def _on_ray(
    path: Path, cells: Sequence[CellPlan], device: str, workers: int | None, ray_address: str | None
) -> Iterator[Done]:
    """Cells as tasks; at most a few are under way, and a fold is in the object store while it has cells."""
    import ray
    from ray.exceptions import RayTaskError

    from motifdb.pipelines.engine import usable_cores
    from motifdb.pipelines.ray_cluster import ray_cluster

    with ray_cluster(workers or usable_cores(), ray_address) as n:
        gpus = int(ray.cluster_resources().get("GPU", 0)) if device != "cpu" else 0
        task = ray.remote(num_cpus=1, num_gpus=1 if gpus else 0, max_retries=2)(_remote_cell)
        pending: dict[Any, CellPlan] = {}
        key: Any = None
        fold: Any = None
        waiting = list(reversed(cells))
        while waiting or pending:
            while waiting and len(pending) < max(gpus, 1 if gpus else n) + 1:
                cell = waiting.pop()
                if (cell.split_id, cell.fold, cell.sound) != key:
                    key, fold = (cell.split_id, cell.fold, cell.sound), ray.put(_fold_of(path, cell))
                pending[task.remote(cell, fold, device)] = cell
            (ref,), _ = ray.wait(list(pending), num_returns=1)
            cell = pending.pop(ref)
            try:
                results, files, _ = ray.get(ref)
            except RayTaskError as error:
                raise error.as_instanceof_cause() from None
            _place(path, results, files)
            yield cell, results, sum(r.cpu_s for r in results)


# -- what it costs -------------------------------------------------------------------------------------------

CPU_S_PER_STEP = {
    "crnn": 3.1,
    "crnn-released": 3.1,
    "crnn-choi": 4.0,
    "residual-blstm": 108.0,
    "residual-blstm-released": 60.0,
    "residual-blstm-compact": 5.9,
    "residual-blstm-small": 0.6,
    "res-lstm": 120.0,
    "res-lstm-compact": 4.3,
    "resnet-50": 544.0,
    "densenet-161": 1890.0,
    "damp-cnn": 6.0,
    "damp-cnn-deep": 1.8,
    "damp-resnext": 2.3,
    "damp-resnext-deep": 1.5,
    "damp-cnn-small": 0.24,
    "damp-cnn-deep-small": 0.31,
    "damp-resnext-small": 0.31,
    "damp-resnext-deep-small": 0.50,
}
"""Processor seconds of one step on 64 clips of 64 columns and 128 rows, forward, backward, Adam (torch 2.13, one laptop-class
processor): within a factor of two elsewhere. Those of `res-lstm` and `residual-blstm-released` are estimated from their sizes."""


def expected_cpu_s(recipe: Recipe, n_train: int, mean_s: float) -> float:
    """Processor seconds that training takes at most, on clips of `mean_s` seconds; a GPU needs a small part of it."""
    seconds = mean_s if recipe.max_s is None else min(mean_s, recipe.max_s)
    front_end = recipe.front_end
    columns = max(16.0, seconds * front_end.sample_rate_hz / front_end.hop_samples)
    per_clip = CPU_S_PER_STEP.get(recipe.model, 10.0) / 64.0 * columns / 64.0
    return per_clip * n_train * recipe.max_epochs
