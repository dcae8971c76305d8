"""damp-2018's Table 1: networks with and without global aggregation tell singers apart, beside a support vector machine.

Windows of 256 columns, divided in two ways: one recording of each singer tests (as printed), and whole songs test. Every cell is a
stored run (`motifdb.training.experiments.cells`); figures are of clips and of recordings, the mean over folds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING

from motifdb.errors import NotFoundError, UsageError, nearest
from motifdb.training.experiments import damp_published as pub
from motifdb.training.experiments.answer import Answer, Asked
from motifdb.training.experiments.cells import (
    CellPlan,
    Say,
    expected_cpu_s,
    missing_cells,
    run_cells,
)
from motifdb.training.experiments.damp_tables import (
    BASELINE_ROWS,
    Table,
    draw,
    fold_rows,
    long_rows,
    notes_of,
    table_rows,
)
from motifdb.training.experiments.measured import Measured, gather
from motifdb.training.experiments.vector_rows import default_rows, run_rows
from motifdb.training.scores.baselines import BASELINES

if TYPE_CHECKING:
    from motifdb.catalog.store import Snapshot
    from motifdb.pipelines.progress import Progress
    from motifdb.training.clips.clip_options import ClipOptions
    from motifdb.training.fitting.recipes import Recipe
    from motifdb.training.splits.dividing import SplitConfig

NAME = "damp-2018-table1"
BY_RECORDING, BY_SONG = "by recording", "by song"
COLUMNS = (BY_RECORDING, BY_SONG)
MOST_FOLDS = 10
HOUR_S = 3600.0

RATE_HZ, HOP_SAMPLES, N_COLUMNS = 22_050, 512, 256
WINDOW_S = 5.933
"""A little more than 255 hops and less than 256, so that centred columns are 256 (damp-2018: 5.94 s)."""

SCALES = {"paper": ("damp-2018", "", 51), "small": ("damp-2018-small", "-small", 205)}
"""Recipe, what is put behind a network's name, and columns from window to window: both readings of "20 % hop size"."""


def answer(path: Path, asked: Asked, say: Say) -> Answer:
    """Run the experiment; see `motifdb experiment --help`.

    Raises
    ------
    UsageError, NotFoundError
        for what cannot be; also for a grid that would take this processor more than an hour and was not asked for with --long.
    """
    from motifdb.pipelines.progress import Lines

    table = run_table(path, asked, Lines(), say)
    return Answer(
        fold_rows(table) if asked.is_by_fold else table_rows(table),
        long_rows(table),
        notes_of(table),
        len(table.report.failed),
        lambda target: draw(table, target),
    )


def run_table(path: Path, asked: Asked, progress: Progress, say: Say) -> Table:
    """Cut windows, divide them, run what is missing, gather."""
    from motifdb.catalog.snapshot import open_snapshot

    if asked.scale not in SCALES:
        raise UsageError(f"there is no scale {asked.scale!r} of {NAME}; {nearest(asked.scale, SCALES)}")
    label = asked.label or "singer"
    table = Table(_chosen(asked.cells), _columns(asked.rungs), asked.scale, label)
    clips = _clips(path, asked, progress, say)
    splits = _divide(path, clips, asked, table)
    rows = default_rows(asked.speaker_weights, asked.device)
    plans, expected_s, n_networks = _plan(open_snapshot(path), splits, asked, table)
    if expected_s and not _has_gpu(asked.device):
        if expected_s > HOUR_S and not asked.is_long_fine:
            raise UsageError(_too_long(expected_s, n_networks, asked))
        say(f"networks take about {_time(expected_s)} of processor time at most")
    table.report = run_cells(
        path,
        [plan for plan, _ in plans],
        label,
        progress,
        say,
        device=asked.device,
        engine=asked.engine,
        workers=asked.workers,
        ray_address=asked.ray_address,
    )
    folds = {column: _folds(open_snapshot(path), split_id, asked) for column, split_id in splits.items()}
    own = run_rows(path, rows, folds, splits, label, NAME, progress)
    table.report.n_run += own.n_run
    table.report.n_done_before += own.n_done_before
    table.report.cpu_s += own.cpu_s
    _gather(open_snapshot(path), plans, splits, folds, own.run_ids, table)
    return table


# -- clips and folds -----------------------------------------------------------------------------------------


def window_options(scale: str) -> ClipOptions:
    """The windows of a scale: 256 columns, moved by 51 (paper) or 205 (small)."""
    from motifdb.training.clips.clip_options import ClipOptions

    hop_s = round(SCALES[scale][2] * HOP_SAMPLES / RATE_HZ, 4)
    return ClipOptions(kind="window", window_s=WINDOW_S, hop_s=hop_s, engine="inline")


def _clips(path: Path, asked: Asked, progress: Progress, say: Say) -> str:
    from motifdb.catalog.snapshot import open_snapshot
    from motifdb.catalog.store import open_writer
    from motifdb.training.clips.clip_job import cut_clips
    from motifdb.training.fitting.train_job import LEASE_WAIT_S
    from motifdb.training.splits.examples import find_clips

    if len(asked.clips) > 1:
        raise UsageError(f"{NAME} takes one set of clips, got {', '.join(asked.clips)}")
    if asked.clips:
        return find_clips(open_snapshot(path), asked.clips[0])
    progress.start("cutting windows")
    with open_writer(path, wait_s=LEASE_WAIT_S) as writer:
        cut = cut_clips(window_options(asked.scale), writer, progress)
    if cut.n_new:
        say(
            f"cut {cut.size.n_clips:,} windows of {N_COLUMNS} columns from {cut.size.n_recordings:,} recordings"
        )
    return cut.analysis_id


def _columns(names: Sequence[str]) -> tuple[str, ...]:
    found = []
    for text in names:
        own = [c for c in COLUMNS if text.lower() in c]
        if len(own) != 1:
            raise NotFoundError(f"there is no division {text!r} of {NAME}; {nearest(text, COLUMNS)}")
        found += own
    return tuple(c for c in COLUMNS if c in found) or COLUMNS


def _chosen(patterns: Sequence[str]) -> tuple[pub.Cell, ...]:
    if not patterns:
        return tuple(c for c in pub.CELLS if c.published is not None)
    found = tuple(c for c in pub.CELLS if any(fnmatch(c.name, p) for p in patterns))
    if not found:
        raise NotFoundError(
            f"no cell of {NAME} is like {', '.join(patterns)}; cells are NETWORK/AGGREGATION/INPUT, such as"
            f" {pub.CELLS[0].name} (networks {', '.join(pub.NETWORKS)}; {', '.join(pub.AGGREGATIONS)}; mel, cqt)"
        )
    return found


def divisions(label: str, song: str, n_recordings: dict[str, int], n_songs: int) -> dict[str, SplitConfig]:
    """Both divisions, by name.

    As printed: fold i tests one recording of each singer, and of the other nine one drawn at random validates.

    Parameters
    ----------
    n_recordings : of each singer
    n_songs : in all
    """
    from motifdb.training.splits.dividing import ONE_EACH, SplitConfig

    most = max(n_recordings.values())
    recording = SplitConfig(
        method="held-out",
        label=label,
        by=("recording",),
        folds=MOST_FOLDS if most > MOST_FOLDS else None,
        valid_share=1 / (MOST_FOLDS - 1),
        merge_shared=True,
        drop_rare=True,
    )
    whole = replace(
        recording,
        method="kfold",
        by=(f"label.{song}",),
        folds=ONE_EACH if n_songs <= MOST_FOLDS else MOST_FOLDS,
    )
    return {BY_RECORDING: recording, BY_SONG: whole}


def _divide(path: Path, clips: str, asked: Asked, table: Table) -> dict[str, str]:
    """By column the id of its split; a division that cannot be is noted, unless none can."""
    from motifdb.catalog.snapshot import open_snapshot
    from motifdb.catalog.store import open_writer
    from motifdb.training.clips.clip_facts import facts_of
    from motifdb.training.fitting.train_job import LEASE_WAIT_S
    from motifdb.training.splits.split_job import SplitOptions, run_split

    facts = facts_of(open_snapshot(path), clips)
    singer = facts.key(table.label)
    n_recordings = _recordings_of(singer, facts.recording_id, table.label)
    song = asked.source or "work"
    songs = set(facts.key(f"label.{song}")) - {None} if song in facts.label_names else set()
    configs = divisions(table.label, song, n_recordings, len(songs))
    found: dict[str, str] = {}
    refused = ""
    for column in table.columns:
        if column == BY_SONG and len(songs) < 2:
            refused = f"{BY_SONG}: fewer than two values of the label {song} (--source-label names another), so no song can be held out"
            table.notes.append(refused)
            continue
        try:
            with open_writer(path, wait_s=LEASE_WAIT_S) as writer:
                made = run_split(SplitOptions(configs[column], clips), writer)
        except UsageError as error:
            refused = f"{column}: {error}"
            table.notes.append(refused)
            continue
        found[column] = made.split_id
        table.notes += [f"{column}: {note}" for note in made.split.notes]
    if not found:
        raise UsageError(refused)
    table.columns = tuple(c for c in table.columns if c in found)
    if asked.only_folds is not None:
        table.notes.append(f"folds {', '.join(map(str, asked.only_folds))} only, of every division")
    return found


def _recordings_of(singer: Sequence[str | None], recording: Sequence[str], label: str) -> dict[str, int]:
    own: dict[str, set[str]] = {}
    for name, one in zip(singer, recording, strict=True):
        if name is not None:
            own.setdefault(name, set()).add(one)
    several = [name for name, ids in own.items() if len(ids) > 1]
    if len(several) < 2:
        alone = ", ".join(sorted(set(own) - set(several))[:5]) or "none"
        raise UsageError(
            f"{NAME} holds out one recording of each {label}, so at least two of them need two recordings or more; with one"
            f" recording here: {alone}"
        )
    return {name: len(own[name]) for name in several}


# -- cells ---------------------------------------------------------------------------------------------------


def recipe_of(cell: pub.Cell, asked: Asked) -> Recipe:
    """The recipe of a cell at the scale that is asked for."""
    from motifdb.training.fitting.recipes import RECIPES
    from motifdb.training.inputs.front_end_config import FRONT_ENDS

    base_name, behind, _ = SCALES[asked.scale]
    base = RECIPES[base_name]
    options = dict(cell.options)
    if behind:
        options.pop("first", None)  # the small networks have widths of their own
    wanted = FRONT_ENDS[pub.INPUTS[cell.input]]
    front_end = replace(wanted, standardise=base.front_end.standardise)
    if cell.aggregation == "none":
        front_end = replace(front_end, pad_to=N_COLUMNS)
    recipe = replace(
        base,
        name=f"{NAME}:{cell.name}" + (f" ({asked.scale})" if behind else ""),
        model=f"{pub.NETWORKS[cell.network][0]}{behind}",
        model_options=options,
        front_end=front_end,
    )
    if asked.epochs is not None:
        recipe = replace(recipe, max_epochs=asked.epochs)
    changes = asked.changes()
    return recipe.assign(changes) if changes else recipe


Planned = list[tuple[CellPlan, str]]


def _plan(
    snapshot: Snapshot, splits: dict[str, str], asked: Asked, table: Table
) -> tuple[Planned, float, int]:
    """Cells to run, each with its name; processor seconds of the networks that are missing at most, and how many these are."""
    from motifdb.training.fitting.train_job import require_model
    from motifdb.training.splits.examples import load_examples

    recipes = {cell.name: recipe_of(cell, asked) for cell in table.cells}
    for recipe in recipes.values():
        require_model(recipe)
    plans: Planned = []
    costs: list[tuple[CellPlan, float]] = []
    for column, split_id in splits.items():
        folds = _folds(snapshot, split_id, asked)
        examples = load_examples(snapshot, split_id, folds[0])
        table.n_classes[column] = len(examples.classes)
        n_train = min(len(examples.rows("train")), asked.subset or len(examples))
        mean_s = float((examples.end_s - examples.start_s).mean())
        plans += [(CellPlan(NAME, "baselines", column, split_id, fold), "baselines") for fold in folds]
        for name, recipe in recipes.items():
            for seed in asked.seeds:
                for fold in folds:
                    plan = CellPlan(NAME, name, column, split_id, fold, seed, recipe, asked.subset)
                    plans.append((plan, name))
                    costs.append((plan, expected_cpu_s(recipe, n_train, mean_s)))
    missing = {id(p) for p in missing_cells(snapshot, [p for p, _ in costs], table.label)}
    waiting = [cost for plan, cost in costs if id(plan) in missing]
    return plans, sum(waiting), len(waiting)


def _folds(snapshot: Snapshot, split_id: str, asked: Asked) -> list[int]:
    from motifdb.training.splits.examples import split_folds

    there = split_folds(snapshot, split_id)
    found = [f for f in there if asked.only_folds is None or f in asked.only_folds]
    if not found:
        wanted = ", ".join(map(str, asked.only_folds or ()))
        raise UsageError(f"no division has fold {wanted}; folds count from 0 to {max(there)}")
    return found


def _has_gpu(device: str) -> bool:
    from motifdb.training.fitting.network import choose_device

    return bool(choose_device(device).type == "cuda")


def _time(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 90 * 60 else f"{seconds / 3600:,.0f} h"


def _too_long(expected_s: float, n: int, asked: Asked) -> str:
    ways = []
    if asked.scale == "paper":
        ways.append("--scale small (networks of 0.1 M, minutes each)")
    if asked.only_folds is None:
        ways.append("--fold 0")
    ways.append("--cells 'cnn/*/mel'")
    if len(_columns(asked.rungs)) > 1:
        ways.append("--rungs song")
    ways.append("--epochs and --subset")
    return (
        f"this grid is {n} runs of about {_time(expected_s / n)} of processor time each, {_time(expected_s)} at most; less are"
        f" {', '.join(ways)}. --long starts it all the same; a stopped grid goes on where it was"
    )


# -- what was found ------------------------------------------------------------------------------------------


def _gather(
    snapshot: Snapshot,
    plans: Planned,
    splits: dict[str, str],
    folds: dict[str, list[int]],
    of_vectors: set[str],
    table: Table,
) -> None:
    runs: dict[str, Measured] = {}
    for column, split_id in splits.items():
        for m in gather(snapshot, {column: split_id}, table.label):
            runs[m.run_id] = m
            # rows over vectors by id: there may be runs of another speaker model
            is_row = m.run_id in of_vectors or (m.model in BASELINES and m.model in BASELINE_ROWS)
            if is_row and m.fold in folds[column]:
                table.measured.setdefault((m.model, column), []).append(m)
    for plan, name in plans:
        if plan.recipe is not None and (found := runs.get(plan.run_id(table.label))) is not None:
            table.measured.setdefault((name, plan.protocol), []).append(found)
