"""l3-2019's evaluation of an embedding over a corpus's own folds: runs with predictions, beside what takes no learning of vectors.

For each fold a search (`motifdb.training.experiments.downstream`), stored as a run under the model ``mlp``; the leak report is told
first; majority and logistic regression on log-mel statistics run on the same sides. What is stored is not run again.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from motifdb.errors import UsageError
from motifdb.training.experiments.cells import CellPlan, CellReport, Say, run_cells
from motifdb.training.experiments.downstream import DownstreamConfig, n_mlp_parameters, search
from motifdb.training.experiments.official_folds import OfficialFolds
from motifdb.training.experiments.vector_frames import Frames

if TYPE_CHECKING:
    from motifdb.catalog.snapshot import Snapshot
    from motifdb.pipelines.progress import Progress
    from motifdb.training.embedding.base import Embedder
    from motifdb.training.inputs.packed import Packed
    from motifdb.training.scores.metrics import Score
    from motifdb.training.scores.runs import RunResult
    from motifdb.training.splits.examples import Examples

NAME = "l3-2019"
PROTOCOL = "official folds"
MODEL = "mlp"
IN_MEMORY_BYTES = 1 << 30
"""Vectors of all frames up to so much are held; more lie in a file that goes when they are done with."""
_CLIPS_AT_ONCE = 64
_WINDOWS_AT_ONCE = 512

EmbedderOf = Callable[[], "Embedder"]


@dataclass(frozen=True)
class Wanted:
    """An embedding to judge.

    Attributes
    ----------
    name : what it is called in tables
    config : all that decides its vectors, as `Embedder.config` gives it
    make : loads it, where a fold is still to be run
    choices : design choices that it differs from others by
    n_samples_seen : pairs it was trained on, where that is known
    """

    name: str
    config: Mapping[str, Any]
    make: EmbedderOf
    choices: Mapping[str, str] = field(default_factory=dict)
    n_samples_seen: int | None = None

    @property
    def recipe(self) -> str:
        """What `runs.recipe` holds."""
        return f"{MODEL} on {self.name}"


@dataclass(frozen=True)
class DownstreamOptions:
    """How embeddings are judged."""

    config: DownstreamConfig = field(default_factory=DownstreamConfig)
    seeds: tuple[int, ...] = (0,)
    only_folds: tuple[int, ...] | None = None
    subset: int | None = None
    device: str = "auto"


@dataclass
class DownstreamReport:
    """What was done, and the ids of runs by embedding, fold and seed."""

    run_ids: dict[str, dict[tuple[int, int], str]] = field(default_factory=dict)
    n_run: int = 0
    n_done_before: int = 0
    cells: CellReport = field(default_factory=CellReport)
    notes: list[str] = field(default_factory=list)


def frames_of(
    embedder: Embedder,
    packed: Packed,
    recording_ids: Sequence[str],
    on_clip: Callable[[int], None] | None = None,
) -> Frames:
    """Vectors of the windows of clips, as the embedder cuts them; of one that hears all at once, a vector for each clip.

    Parameters
    ----------
    packed : sound at the embedder's rate
    on_clip : is told how many clips are heard
    """
    from motifdb.training.embedding.base import HearsRelative

    if isinstance(embedder, HearsRelative):
        packed = replace(packed, gain=embedder.gain(packed, recording_ids))
    owners: list[NDArray[np.int64]] = []
    with tempfile.TemporaryFile(prefix="motifdb-frames-") as file:
        for begin in range(0, len(packed), _CLIPS_AT_ONCE):
            rows = np.arange(begin, min(begin + _CLIPS_AT_ONCE, len(packed)))
            vectors, owner = _windows(embedder, packed, rows)
            file.write(np.ascontiguousarray(vectors, np.float32).tobytes())
            owners.append(owner + begin)
            if on_clip is not None:
                on_clip(int(rows[-1]) + 1)
        file.flush()
        owner = np.concatenate([np.zeros(0, np.int64), *owners])
        shape = (len(owner), embedder.n_dims)
        found: NDArray[np.float32] = np.memmap(file, np.float32, "r", shape=shape)
        if found.nbytes <= IN_MEMORY_BYTES:
            found = np.array(found)
    return Frames.of(found, owner, len(packed))


def _windows(
    embedder: Embedder, packed: Packed, rows: NDArray[np.int64]
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    from motifdb.training.embedding.base import checked, windows_of

    frames = getattr(embedder, "frames", None)
    if frames is not None:
        vectors, owner = frames(packed, rows)
        return checked(embedder, vectors, len(owner)), owner
    if embedder.window_s is None:
        return checked(embedder, embedder.embed(packed, rows), len(rows)), np.arange(len(rows))
    window = max(1, round(embedder.window_s * packed.sample_rate_hz))
    hop = max(1, round((embedder.hop_s or embedder.window_s) * packed.sample_rate_hz))
    owner, offset, size = windows_of(packed.length[rows], window, hop)
    taken = packed.take(rows[owner])
    cut = replace(taken, start=taken.start + offset, length=size)
    found = []
    for begin in range(0, len(owner), _WINDOWS_AT_ONCE):
        some = np.arange(begin, min(begin + _WINDOWS_AT_ONCE, len(owner)))
        found.append(checked(embedder, embedder.embed(cut, some), len(some)))
    return np.concatenate(found), owner


def run_downstream(
    path: Path,
    folds: OfficialFolds,
    wanted: Sequence[Wanted],
    options: DownstreamOptions,
    progress: Progress,
    say: Say,
) -> DownstreamReport:
    """Say what leaks, fit baselines, then judge each embedding on each fold; what is stored is left as it is.

    Raises
    ------
    UsageError, NotFoundError, MissingExtraError
        for what cannot be.
    KeyboardInterrupt
        on Ctrl-C; folds that were whole are stored, and the same call goes on.
    """
    from motifdb.catalog.snapshot import open_snapshot
    from motifdb.training.splits.leaks import leak_reports, leak_text

    snapshot = open_snapshot(path)
    leaks = {report.fold: report for report in leak_reports(snapshot, folds.split_id)}
    say(leak_text(list(leaks.values())))
    numbers = [n for n in sorted(leaks) if options.only_folds is None or n in options.only_folds]
    if not numbers:
        asked = ", ".join(map(str, options.only_folds or ()))
        raise UsageError(
            f"there is no fold {asked}; folds count from 0 to {max(leaks)} (the clips' own are {', '.join(folds.names)})"
        )
    report = DownstreamReport()
    plans = [CellPlan(NAME, "baselines", PROTOCOL, folds.split_id, n) for n in numbers]
    report.cells = run_cells(path, plans, folds.label, progress, say, device=options.device)
    for one in wanted:
        ids = {(n, seed): run_id_of(one, folds, n, seed, options) for n in numbers for seed in options.seeds}
        report.run_ids[one.name] = ids
        done = _done(open_snapshot(path), list(ids.values()))
        missing = [key for key, name in ids.items() if name not in done]
        report.n_done_before += len(ids) - len(missing)
        if missing:
            leak_of = {n: leaks[n].to_json() for n in numbers}
            report.notes += _judge(path, folds, one, missing, options, leak_of, progress)
            report.n_run += len(missing)
    report.notes = list(dict.fromkeys(report.notes))
    return report


def _judge(
    path: Path,
    folds: OfficialFolds,
    one: Wanted,
    missing: Sequence[tuple[int, int]],
    options: DownstreamOptions,
    leak_of: Mapping[int, dict[str, Any]],
    progress: Progress,
) -> list[str]:
    """The runs of one embedding that are not there yet, stored as each ends; gives notes on the sound."""
    from motifdb.catalog.snapshot import open_snapshot
    from motifdb.training.fitting.train_job import store
    from motifdb.training.inputs.packed import pack
    from motifdb.training.splits.examples import load_examples

    snapshot = open_snapshot(path)
    embedder = one.make()
    # clips and their order are the same in every fold
    examples = load_examples(snapshot, folds.split_id, missing[0][0])
    progress.start("reading sound")
    packed = pack(snapshot, examples, sample_rate_hz=embedder.sample_rate_hz)
    progress.begin(f"hearing with {one.name}", len(examples), 0, "clips")
    frames = frames_of(embedder, packed, examples.recording_id, lambda n: progress.done(n, 0, 0.0))
    progress.close()
    for at, (number, seed) in enumerate(missing):
        examples = load_examples(snapshot, folds.split_id, number)
        progress.begin(
            f"{one.recipe}, fold {number} ({at + 1} of {len(missing)})",
            options.config.max_epochs,
            0,
            "epochs",
        )
        result = judged_fold(
            one, folds, frames, examples, number, seed, options, leak_of[number],
            lambda epoch, _: progress.done(epoch, 0, 0.0),
        )  # fmt: skip
        store(path, [result], f"{NAME}: {one.recipe}, fold {number}, seed {seed}")
        progress.close()
    note = getattr(packed, "note", "")
    return [note] if note else []


def judged_fold(
    one: Wanted,
    folds: OfficialFolds,
    frames: Frames,
    examples: Examples,
    number: int,
    seed: int,
    options: DownstreamOptions,
    leak: Mapping[str, Any],
    on_epoch: Callable[[int, int], None] | None = None,
) -> RunResult:
    """The search on one fold as a run, not stored. Row i of `frames` is clip i of `examples`."""
    from motifdb.training.experiments.cells import subset_of
    from motifdb.training.scores.metrics import Score
    from motifdb.training.scores.runs import Predictions, RunResult

    began_s, began_cpu_s = time.monotonic(), time.process_time()
    kept = subset_of(examples, options.subset, seed)
    train = kept[examples.part[kept] == "train"]
    valid, test = examples.rows("valid"), examples.rows("test")
    found = search(
        frames,
        examples.label,
        len(examples.classes),
        train,
        valid,
        options.config,
        seed=seed,
        device=options.device,
        on_epoch=on_epoch,
    )
    rows = np.concatenate([valid, test])
    point = found.point
    said = found.probabilities(train).argmax(1) == examples.label[train]
    further: dict[str, dict[str, Score]] = {
        "train": {"accuracy": Score(float(said.mean()))},
        # which of the points was chosen: no part of the configuration, which is known before
        "valid": {"chosen_learning_rate": Score(point.learning_rate), "chosen_l2": Score(point.l2)},
    }
    return RunResult(
        recipe=one.recipe,
        model=MODEL,
        split_id=folds.split_id,
        fold=number,
        seed=seed,
        label=folds.label,
        classes=examples.classes,
        config=run_config_of(one, folds, options),
        leak=leak,
        predictions=Predictions.of(examples, rows, found.probabilities(rows)),
        epochs=point.epochs,
        further=further,
        experiment=NAME,
        cell=f"{one.name} | {PROTOCOL}",
        parameters=n_mlp_parameters(frames.n_dims, len(examples.classes), options.config.hidden),
        best_epoch=point.best_epoch,
        device=options.device,
        wall_s=time.monotonic() - began_s,
        cpu_s=time.process_time() - began_cpu_s,
    )


def run_config_of(one: Wanted, folds: OfficialFolds, options: DownstreamOptions) -> dict[str, Any]:
    """What a run's id is made of, beside split, fold and seed."""
    config = {
        "recipe": one.recipe,
        "label": folds.label,
        "model": MODEL,
        "embedding": dict(one.config),
        "downstream": options.config.to_json(),
    }
    return config if options.subset is None else config | {"train_clips_at_most": options.subset}


def run_id_of(one: Wanted, folds: OfficialFolds, number: int, seed: int, options: DownstreamOptions) -> str:
    """The id of an embedding's run on a fold."""
    from motifdb.training.scores.runs import run_id

    return run_id(run_config_of(one, folds, options), folds.split_id, number, seed)


def _done(snapshot: Snapshot, ids: Sequence[str]) -> set[str]:
    from motifdb.pipelines.committer import in_list

    if not ids:
        return set()
    rows = snapshot.table("runs", ["run_id"], f"{in_list('run_id', list(ids))} and state = 'done'")
    return set(rows.column(0).to_pylist())


# -- what is stored, gathered --------------------------------------------------------------------------------


def accuracy_by_fold(snapshot: Snapshot, ids: Mapping[tuple[int, int], str]) -> dict[int, float]:
    """Accuracy of test by fold, a mean over seeds; folds without a run are not there."""
    from motifdb.training.scores.runs import stored_scores

    found = stored_scores(snapshot, ids.values())
    by_fold: dict[int, list[float]] = {}
    for (number, _), name in ids.items():
        score = found[name].get("test", {}).get("accuracy")
        if score is not None and score.value is not None:
            by_fold.setdefault(number, []).append(score.value)
    return {number: float(np.mean(values)) for number, values in sorted(by_fold.items())}


def pooled_accuracy(
    snapshot: Snapshot, ids: Sequence[str], source_of: Mapping[str, str]
) -> tuple[float, float | None, float | None]:
    """Share of all test clips of some runs that are right, with the interval of a bootstrap over source files.

    Parameters
    ----------
    source_of : by clip_id, what clips of it are drawn together by
    """
    from motifdb.training.scores.metrics import scores
    from motifdb.training.scores.runs import stored_predictions

    truth, said, groups = [], [], []
    for name in ids:
        run = snapshot.table("runs", None, f"run_id = '{name}'").to_pylist()[0]
        own = stored_predictions(snapshot, run)
        at = own.rows("test")
        truth.append(own.label[at])
        said.append(own.probabilities[at])
        groups += [source_of.get(own.clip_id[i], own.clip_id[i]) for i in at.tolist()]
    score = scores(np.concatenate(truth), np.concatenate(said), groups)["accuracy"]
    assert score.value is not None
    return score.value, score.low, score.high
