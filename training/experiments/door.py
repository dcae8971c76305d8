"""What `motifdb experiment NAME` can run, and what each answers with."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from motifdb.errors import NotFoundError, UsageError, nearest
from motifdb.training.experiments import protocols as pr
from motifdb.training.experiments.answer import Answer, Asked
from motifdb.training.experiments.cells import CellReport, Say
from motifdb.training.experiments.corpora import corpus_missing
from motifdb.training.experiments.published import SID_2020, SID_2020_CODES, SID_2020_TABLE_1, TABLES

if TYPE_CHECKING:
    from motifdb.training.experiments.grid import GridReport
    from motifdb.training.experiments.ladder import LadderOptions, LadderReport


def run_experiment(name: str, path: Path, asked: Asked, say: Say) -> Answer:
    """Run an experiment on a database.

    Raises
    ------
    NotFoundError
        for a name that is none, or a database without what the experiment needs, with what corpus to put where.
    """
    try:
        return _run(name, path, asked, say)
    except (NotFoundError, UsageError) as error:
        told = corpus_missing(name, path, asked.label)
        if told is None:
            raise
        raise type(error)(f"{error}. Known corpora: {told}") from None


def _run(name: str, path: Path, asked: Asked, say: Say) -> Answer:
    if name in TABLES:
        return _grid(name, path, asked, say)
    if name in _ELSEWHERE:
        module = importlib.import_module(f"motifdb.training.experiments.{_ELSEWHERE[name]}")
        answer: Answer = module.answer(path, asked, say)
        return answer
    if name not in _OTHERS:
        known = [*TABLES, *_OTHERS, *_ELSEWHERE]
        raise NotFoundError(f"there is no experiment {name!r}; {nearest(name, known)}")
    return _OTHERS[name](path, asked, say)


def _progress() -> Any:
    from motifdb.pipelines.progress import Lines

    return Lines()


def _done(report: CellReport) -> list[str]:
    said = []
    if report.n_run:
        said.append(
            f"{report.n_run} cells run ({report.cpu_s:.0f} s of processor time), {report.n_done_before} were done before"
        )
    return [*said, *(f"failed: {line}" for line in report.failed)]


# -- the ladder ----------------------------------------------------------------------------------------------


def _ladder(path: Path, asked: Asked, say: Say) -> Answer:
    from motifdb.training.experiments.ladder import (
        fold_rows,
        ladder_rows,
        run_ladder,
        verdicts,
    )

    report = run_ladder(_ladder_options(asked), path, _progress(), say)
    rows = fold_rows(report) if asked.is_by_fold else ladder_rows(report)
    if asked.is_by_fold:
        rows = [{k: _rounded(v) for k, v in row.items() if k in _FOLD_COLUMNS} for row in rows]
    notes = [*verdicts(report), _HOW_TO_READ, *report.notes, *_done(report.cells)]
    return Answer(
        rows, fold_rows(report), notes, len(report.cells.failed), lambda target: _draw_ladder(report, target)
    )


_FOLD_COLUMNS = (
    "rung",
    "model",
    "fold",
    "seed",
    "n_train",
    "n_test",
    "accuracy",
    "balanced_accuracy",
    "auc",
    "f1",
)

_HOW_TO_READ = (
    "Mean ± deviation over folds; copy, half, island: % of test clips with an identical copy in train, with at least half of their"
    " sound in one train clip, with their island in train."
)


def _rounded(value: Any) -> Any:
    return round(value, 3) if isinstance(value, float) else value


def _one(clips: tuple[str, ...]) -> str | None:
    if len(clips) > 1:
        raise UsageError(f"this experiment takes one set of clips, got {', '.join(clips)}")
    return clips[0] if clips else None


def _draw_ladder(report: LadderReport, target: Path) -> None:
    from motifdb.plots.runs import Series, plot_ladder
    from motifdb.training.experiments.ladder import LEAKS
    from motifdb.training.experiments.measured import leak_share, spread

    names = [rung.name for rung in report.rungs]
    series = []
    for model in report.models:
        found = [spread(report.of(n, model), "accuracy") for n in names]
        low = [None if s.mean is None or s.deviation is None else s.mean - s.deviation for s in found]
        high = [None if s.mean is None or s.deviation is None else s.mean + s.deviation for s in found]
        series.append(Series.of(model, [s.mean for s in found], low, high))
    leaks = []
    for kind in LEAKS:
        shares = []
        for n in names:
            own = [s for m in report.of(n, "logistic") if (s := leak_share(m.leak, kind)) is not None]
            shares.append(sum(own) / len(own) if own else None)
        if any(s is not None for s in shares):
            leaks.append(Series.of(kind, shares))
    # the paper's best figure belongs beside its own singers only
    is_sid = set(report.classes) in (set(SID_2020_TABLE_1), set(SID_2020_CODES))
    best = max(c.figure("accuracy") or 0.0 for c in SID_2020.cells) if is_sid else None
    plot_ladder(names, series[:7], target, leaks=leaks, published=best, title="the leak ladder")


def _ladder_options(asked: Asked) -> LadderOptions:
    from motifdb.training.experiments.ladder import LadderOptions

    return LadderOptions(
        clips=_one(asked.clips),
        label=asked.label or "singer",
        island=asked.island,
        source=asked.source,
        rungs=asked.rung_names(pr.RUNGS),
        recipes=asked.found_recipes(),
        seeds=asked.seeds,
        only_folds=asked.only_folds,
        subset=asked.subset,
        device=asked.device,
        engine=asked.engine,
        workers=asked.workers,
        ray_address=asked.ray_address,
    )


def _prose(path: Path, asked: Asked, say: Say) -> Answer:
    from motifdb.training.experiments.prose import run_prose

    report = run_prose(_ladder_options(asked), path, _progress(), say)
    return Answer(report.rows, report.rows, report.notes)


# -- the papers' tables --------------------------------------------------------------------------------------


def _grid(name: str, path: Path, asked: Asked, say: Say) -> Answer:
    from motifdb.training.experiments.grid import COLUMNS, GridOptions, run_grid
    from motifdb.training.experiments.tables import grid_long, grid_rows

    options = GridOptions(
        table=name,
        clips=asked.clips,
        label=asked.label,
        island=asked.island,
        source=asked.source,
        cells=asked.cells,
        columns=asked.rung_names(COLUMNS),
        scale=asked.scale,
        subset=asked.subset,
        epochs=asked.epochs,
        seeds=asked.seeds,
        only_folds=asked.only_folds,
        set=tuple(asked.changes().items()),
        device=asked.device,
        engine=asked.engine,
        workers=asked.workers,
        ray_address=asked.ray_address,
        is_long_fine=asked.is_long_fine,
    )
    report = run_grid(options, path, _progress(), say)
    return Answer(
        grid_rows(report),
        grid_long(report),
        _grid_notes(report),
        len(report.cells.failed),
        lambda target: _draw_grid(report, target),
    )


def _grid_notes(report: GridReport) -> list[str]:
    notes = [
        f"published: {report.table.source}. Ours: accuracy/AUC, mean over folds and seeds; a column marked leaky tests on sound"
        " that was trained on, as the papers did."
    ]
    if report.scale != "paper":
        stand_ins = ", ".join(f"{b} for {a}" for a, b in report.models.items() if a != b)
        notes.append(f"networks are smaller than printed (scale {report.scale}): {stand_ins}")
    reasons: dict[str, int] = {}
    for why in report.not_run.values():
        reasons[why] = reasons.get(why, 0) + 1
    notes += [f"not run: {n} cells: {why}" for why, n in reasons.items()]
    return [*notes, *report.notes, *report.table.notes, *_done(report.cells)]


def _draw_grid(report: GridReport, target: Path) -> None:
    from motifdb.plots.runs import Series, plot_table
    from motifdb.training.experiments.measured import spread

    cells = [c for c in report.table.cells if c.clips == "motif"] + [
        c
        for c in report.table.cells
        if c.clips != "motif" and any((c.name, k) in report.measured for k in report.columns)
    ]
    series = [Series.of(f"published ({report.table.source})", [c.figure("accuracy") for c in cells])]
    for column in report.columns:
        found = [spread(report.measured.get((c.name, column), []), "accuracy") for c in cells]
        low = [None if s.mean is None or s.deviation is None else s.mean - s.deviation for s in found]
        high = [None if s.mean is None or s.deviation is None else s.mean + s.deviation for s in found]
        series.append(Series.of(f"ours, {column}", [s.mean for s in found], low, high))
    shown = [s for s in series if not all(v != v for v in s.value.tolist())]
    plot_table([c.name for c in cells], shown, target, title=report.table.source)


# -- makam -----------------------------------------------------------------------------------------------------


def _makam(path: Path, asked: Asked, say: Say) -> Answer:
    from motifdb.catalog.snapshot import open_snapshot
    from motifdb.training.experiments.makam import MakamOptions, makam_long, makam_rows, run_makam

    options = MakamOptions(label=asked.label or "style", epochs=asked.epochs or 0)
    report = run_makam(open_snapshot(path), options, _progress())
    return Answer(makam_rows(report), makam_long(report), report.notes)


# -- chant -----------------------------------------------------------------------------------------------------


def _chant(path: Path, asked: Asked, say: Say) -> Answer:
    from motifdb.training.experiments.chant import ChantOptions, chant_long, chant_rows, run_chant

    options = ChantOptions(
        analysis=asked.analysis,
        recipes=asked.found_recipes(),
        seeds=asked.seeds,
        only_folds=asked.only_folds,
        subset=asked.subset,
        device=asked.device,
        engine=asked.engine,
        workers=asked.workers,
        ray_address=asked.ray_address,
    )
    report = run_chant(options, path, _progress(), say)
    return Answer(
        chant_rows(report),
        chant_long(report),
        [*report.notes, *_done(report.cells)],
        len(report.cells.failed),
    )


Runner = Callable[[Path, Asked, Say], Answer]

_OTHERS: dict[str, Runner] = {
    "leak-ladder": _ladder,
    "prose-claims": _prose,
    "cantillation": _chant,
    "makam": _makam,
}

_ELSEWHERE = {
    "damp-2018-table1": "damp_table1",
    "damp-2018-table2": "damp_table2",
    "siamese-2018": "siamese",
    "l3-2019": "l3",
    "same-pattern": "same_pattern",
}
"""Experiments over vectors, by the module here whose function ``answer(path, asked, say)`` runs them."""
