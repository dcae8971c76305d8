"""The papers' tables as grids: every cell under the published division, by island, and by held-out source.

A grid is the printed table's cells (model, set of clips, front end, mask) times three protocols, folds and seeds. Cells whose
clips are not in the database are named and left out. Networks are the papers' (`scale` paper), or smaller ones of the same kind that
a processor trains in minutes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any

from motifdb.errors import NotFoundError, UsageError, nearest
from motifdb.training.experiments import protocols as pr
from motifdb.training.experiments.cells import (
    CellPlan,
    CellReport,
    Say,
    expected_cpu_s,
    missing_cells,
    run_cells,
)
from motifdb.training.experiments.measured import Measured, gather
from motifdb.training.experiments.published import TABLES, Cell, PublishedTable

if TYPE_CHECKING:
    from motifdb.catalog.store import Snapshot
    from motifdb.pipelines.progress import Progress
    from motifdb.training.fitting.recipes import Recipe

COLUMNS = (pr.RANDOM, pr.ISLAND, pr.SOURCE)
"""Ours: as published, and leak-free in two ways."""

HOUR_S = 3600.0

SCALES: dict[str, dict[str, str | None]] = {
    "paper": {},
    "compact": {
        "crnn": "crnn-choi",
        "residual-blstm": "residual-blstm-compact",
        "res-lstm": "res-lstm-compact",
        "resnet-50": None,
        "densenet-161": None,
    },
    "small": {
        "crnn": "crnn-choi",
        "residual-blstm": "residual-blstm-small",
        "res-lstm": "residual-blstm-small",
        "resnet-50": None,
        "densenet-161": None,
    },
}
"""Which network stands in for which; None: there is no smaller one, so the cell is left out."""


@dataclass(frozen=True)
class GridOptions:
    """What is asked; see `motifdb experiment --help`.

    Attributes
    ----------
    table : name of a published table
    clips : sets of clips by name or beginning of an id; nothing takes the newest of each kind
    cells : patterns of cells to run, such as ``*/motif/log-mel``
    scale : ``paper``, ``compact`` or ``small``
    subset : clips to train on at most
    epochs : at most so many; None is the recipe's
    only_folds : folds to run; None is all
    is_long_fine : whether a grid that takes more than an hour of this processor may start
    """

    table: str
    clips: tuple[str, ...] = ()
    label: str | None = None
    island: str | None = None
    source: str | None = None
    cells: tuple[str, ...] = ()
    columns: tuple[str, ...] = COLUMNS
    scale: str = "paper"
    subset: int | None = None
    epochs: int | None = None
    seeds: tuple[int, ...] = (0,)
    draws: int = 3
    folds: int = 5
    only_folds: tuple[int, ...] | None = None
    seed: int = 0
    set: tuple[tuple[str, Any], ...] = ()
    device: str = "auto"
    engine: str = "inline"
    workers: int | None = None
    ray_address: str | None = None
    is_long_fine: bool = False


@dataclass
class GridReport:
    """A published table with ours beside it.

    Attributes
    ----------
    models : by published model, the network that stood in for it
    measured : by cell and column, its runs
    baselines : by set of clips and column
    not_run : by cell, why
    """

    table: PublishedTable
    columns: tuple[str, ...]
    scale: str
    label: str
    models: dict[str, str]
    measured: dict[tuple[str, str], list[Measured]] = field(default_factory=dict)
    baselines: dict[tuple[str, str], list[Measured]] = field(default_factory=dict)
    not_run: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    cells: CellReport = field(default_factory=CellReport)


@dataclass(frozen=True)
class Planned:
    """Cells to run, each beside the published cell (None: baselines), its set of clips and its column.

    `expected_s` is the processor seconds of the networks that are not done yet, at most; `n_networks` is how many these are.
    """

    plans: tuple[tuple[CellPlan, Cell | None, str, str], ...]
    expected_s: float
    n_networks: int


def run_grid(options: GridOptions, path: Path, progress: Progress, say: Say) -> GridReport:
    """Divide, say what it costs, run what is missing, gather.

    Raises
    ------
    UsageError
        for a grid that would take this processor more than an hour and was not asked for with --long: the message says
        what fits.
    NotFoundError
        where no set of clips of the table is in the database.
    """
    from motifdb.catalog.snapshot import open_snapshot

    if options.table not in TABLES:
        raise NotFoundError(f"there is no table {options.table!r}; {nearest(options.table, TABLES)}")
    if options.scale not in SCALES:
        raise UsageError(f"there is no scale {options.scale!r}; {nearest(options.scale, SCALES)}")
    table = TABLES[options.table]
    label = options.label or table.label
    chosen = _chosen(table, options.cells)
    report = GridReport(table, options.columns, options.scale, label, {})
    progress.start("dividing clips")
    splits = _splits(options, path, label, sorted({c.clips for c in chosen}), report)
    if options.only_folds is not None:
        report.notes.append(f"folds {', '.join(map(str, options.only_folds))} only, of every column")
    planned = _plan(options, path, table, chosen, splits, report, label)
    on_gpu = _has_gpu(options.device)
    if planned.expected_s > HOUR_S and not on_gpu and not options.is_long_fine:
        raise UsageError(too_long(planned, options))
    if planned.expected_s and not on_gpu:
        say(f"networks take about {_time(planned.expected_s)} of processor time at most")
    report.cells = run_cells(
        path,
        [plan for plan, *_ in planned.plans],
        label,
        progress,
        say,
        device=options.device,
        engine=options.engine,
        workers=options.workers,
        ray_address=options.ray_address,
    )
    _gather(open_snapshot(path), planned, label, report)
    return report


def _chosen(table: PublishedTable, patterns: Sequence[str]) -> list[Cell]:
    if not patterns:
        return list(table.cells)
    found = [c for c in table.cells if any(fnmatch(c.name, p) for p in patterns)]
    if not found:
        raise NotFoundError(
            f"no cell of {table.name} is like {', '.join(patterns)}; cells have names such as {table.cells[0].name}"
        )
    return found


def _splits(
    options: GridOptions, path: Path, label: str, kinds: Sequence[str], report: GridReport
) -> dict[str, dict[str, str]]:
    """By set of clips and column, the id of the split; sets that are not there are noted."""
    from motifdb.catalog.snapshot import open_snapshot
    from motifdb.training.clips.clip_facts import facts_of
    from motifdb.training.splits.examples import find_clips

    snapshot = open_snapshot(path)
    there = pr.clips_by_kind(snapshot)
    named = [find_clips(snapshot, text) for text in options.clips]
    found: dict[str, dict[str, str]] = {}
    for kind in kinds:
        own = [a for a in there.get(kind, []) if not named or a in named]
        if not own and kind == "motif":
            own = [a for a in there.get("file", []) if not named or a in named]
            if own:
                report.notes.append("files that came ready cut stand for motif clips")
        if not own:
            for cell in report.table.cells:
                if cell.clips == kind:
                    report.not_run[cell.name] = f"no clips of kind {kind} here (motifdb clips --kind {kind})"
            continue
        keys = pr.choose_keys(facts_of(snapshot, own[0]), label, options.island, options.source)
        shape: dict[str, Any] = {"draws": options.draws, "folds": options.folds, "seed": options.seed}
        every = pr.protocols(label, keys, **shape, valid_share=0.1)
        made = pr.make_splits(path, own[0], [every[name] for name in options.columns])
        found[kind] = {name: split_id for name, (split_id, _) in made.items()}
        report.notes += [*keys.notes, *(n for _, ns in made.values() for n in ns)]
    report.notes = list(dict.fromkeys(report.notes))
    if not found:
        raise NotFoundError(
            "there are no clips for this table; `motifdb clips --kind motif` cuts them from mined recordings,"
            " `motifdb ingest DIR --as-clips` takes files as clips"
        )
    return found


def recipe_of(cell: Cell, table: PublishedTable, options: GridOptions) -> Recipe | None:
    """The recipe of a cell at a scale; None where the scale has no network for it."""
    from motifdb.training.fitting.recipes import RECIPES

    model = SCALES[options.scale].get(cell.model, cell.model)
    if model is None:
        return None
    base = RECIPES["sid-2020" if table.name.startswith("sid") else "style-2021"]
    if options.scale != "paper":
        small = RECIPES["sid-2020-small" if options.scale == "small" else "sid-2020-compact"]
        base = replace(
            base,
            max_s=small.max_s,
            front_end=small.front_end,
            max_epochs=small.max_epochs,
            patience=small.patience,
        )
    recipe = replace(
        base,
        name=f"{table.name}:{model}" + ("" if options.scale == "paper" else f" ({options.scale})"),
        model=model,
        model_options={},
        front_end=replace(base.front_end, kind=cell.front_end),  # type: ignore[arg-type]
        augment=replace(base.augment, policy=cell.policy),  # type: ignore[arg-type]
    )
    if options.epochs is not None:
        recipe = replace(recipe, max_epochs=options.epochs)
    if options.set:
        recipe = recipe.assign(dict(options.set))
    return recipe


def _plan(
    options: GridOptions,
    path: Path,
    table: PublishedTable,
    chosen: Sequence[Cell],
    splits: dict[str, dict[str, str]],
    report: GridReport,
    label: str,
) -> Planned:
    from motifdb.catalog.snapshot import open_snapshot
    from motifdb.training.splits.examples import load_examples, split_folds

    snapshot = open_snapshot(path)
    plans: list[tuple[CellPlan, Cell | None, str, str]] = []
    costs: list[tuple[CellPlan, float]] = []
    for kind, columns in splits.items():
        for column, split_id in columns.items():
            folds = [
                f
                for f in split_folds(snapshot, split_id)
                if options.only_folds is None or f in options.only_folds
            ]
            if not folds:
                raise UsageError(f"{column} has no fold of {options.only_folds}; folds count from 0")
            examples = load_examples(snapshot, split_id, folds[0])
            n_train = min(len(examples.rows("train")), options.subset or len(examples))
            mean_s = float((examples.end_s - examples.start_s).mean())
            for fold in folds:
                plan = CellPlan(table.name, f"baselines/{kind}", column, split_id, fold)
                plans.append((plan, None, kind, column))
            for cell in chosen:
                if cell.clips != kind:
                    continue
                recipe = recipe_of(cell, table, options)
                if recipe is None:
                    report.not_run[cell.name] = f"no {options.scale} network stands for {cell.model}"
                    continue
                report.models[cell.model] = recipe.model
                for seed in options.seeds:
                    for fold in folds:
                        plan = CellPlan(
                            table.name, cell.name, column, split_id, fold, seed, recipe, options.subset
                        )
                        plans.append((plan, cell, kind, column))
                        costs.append((plan, expected_cpu_s(recipe, n_train, mean_s)))
    for cell in table.cells:
        if cell not in chosen:
            report.not_run.setdefault(cell.name, "not asked for")
    missing = {id(p) for p in missing_cells(snapshot, [p for p, _ in costs], label)}
    waiting = [cost for plan, cost in costs if id(plan) in missing]
    return Planned(tuple(plans), sum(waiting), len(waiting))


def too_long(planned: Planned, options: GridOptions) -> str:
    """How long a grid would take, and which smaller one ends within an hour."""
    per_cell_s = planned.expected_s / planned.n_networks
    n_fit = int(HOUR_S / max(per_cell_s, 1e-9))
    ways = []
    if options.scale == "paper":
        ways.append("--scale small (networks of 0.3 M, minutes each)")
    if options.only_folds is None:
        ways.append("--fold 0")
    if n_fit >= 1:
        ways.append(f"--cells of at most {n_fit} runs ('residual-blstm/motif/log-mel')")
    share = HOUR_S / planned.expected_s
    ways.append(f"--epochs and --subset that together are {share:.2g} of this work")
    return (
        f"this grid is {planned.n_networks} runs of about {_time(per_cell_s)} of processor time each, {_time(planned.expected_s)} at most;"
        f" within an hour fits: {', or '.join(ways)}. --long starts it all the same; a stopped grid goes on where it was"
    )


def _time(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:,.0f} h"


def _has_gpu(device: str) -> bool:
    from motifdb.training.fitting.network import choose_device

    return bool(choose_device(device).type == "cuda")


def _gather(snapshot: Snapshot, planned: Planned, label: str, report: GridReport) -> None:
    by_split: dict[str, list[Measured]] = {}
    for plan, *_ in planned.plans:
        if plan.split_id not in by_split:
            by_split[plan.split_id] = gather(snapshot, {plan.protocol: plan.split_id}, label)
    runs = {m.run_id: m for found in by_split.values() for m in found}
    for plan, cell, kind, column in planned.plans:
        if cell is None:
            own = [m for m in by_split[plan.split_id] if m.fold == plan.fold and m.model in _SHOWN]
            report.baselines.setdefault((kind, column), []).extend(own)
        elif (found := runs.get(plan.run_id(label))) is not None:
            report.measured.setdefault((cell.name, column), []).append(found)


_SHOWN = ("majority", "look-up", "logistic", "1-nn")
