"""The leak ladder: one set of clips, one linear model, and what is left of its score when train and test stop sharing sound.

Rungs and what they keep apart are in `motifdb.training.experiments.protocols`. Baselines on every rung and fold; a network as well where a
recipe is given, which trains on the same rungs with a tenth of the training clips set aside to stop by (the same clips test).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from motifdb.errors import UsageError, nearest
from motifdb.training.experiments import protocols as pr
from motifdb.training.experiments.cells import CellPlan, CellReport, Say, run_cells
from motifdb.training.experiments.measured import Measured, gather, leak_share, spread
from motifdb.training.scores.baselines import BASELINES

if TYPE_CHECKING:
    from motifdb.catalog.store import Snapshot
    from motifdb.pipelines.progress import Progress
    from motifdb.training.fitting.recipes import Recipe

NAME = "leak-ladder"
LEAKS = ("same-content", "half", "same-island")
"""Kinds of links shown in the table: an identical copy in train, half of the clip's sound in a train clip, the same island."""


@dataclass(frozen=True)
class LadderOptions:
    """What is asked.

    Attributes
    ----------
    clips : set of clips, by name or beginning of its id; None is the only one
    island, source : labels that stand for island and source; None takes the best there is (`protocols.choose_keys`)
    rungs : names of protocols
    recipes : networks beside the baselines
    only_folds : folds that networks are trained on; None is all. Baselines always have all
    subset : clips that networks train on at most
    """

    clips: str | None = None
    label: str = "singer"
    island: str | None = None
    source: str | None = None
    rungs: tuple[str, ...] = pr.RUNGS
    draws: int = 3
    folds: int = 5
    seed: int = 0
    recipes: tuple[Recipe, ...] = ()
    seeds: tuple[int, ...] = (0,)
    only_folds: tuple[int, ...] | None = None
    subset: int | None = None
    device: str = "auto"
    engine: str = "inline"
    workers: int | None = None
    ray_address: str | None = None


@dataclass
class LadderReport:
    """The ladder: runs by rung, for tables."""

    label: str
    rungs: tuple[pr.Protocol, ...]
    measured: list[Measured]
    notes: list[str] = field(default_factory=list)
    cells: CellReport = field(default_factory=CellReport)
    classes: tuple[str, ...] = ()

    def of(self, rung: str, model: str) -> list[Measured]:
        """The runs of a model on a rung."""
        return [m for m in self.measured if m.protocol == rung and m.model == model]

    @property
    def models(self) -> list[str]:
        """Baselines in their order, then networks."""
        there = {m.model for m in self.measured}
        return [m for m in BASELINES if m in there] + sorted(there - set(BASELINES))


def run_ladder(options: LadderOptions, path: Path, progress: Progress, say: Say) -> LadderReport:
    """Make the splits that are missing, run the cells that are missing, gather.

    Raises
    ------
    UsageError, NotFoundError
        for what cannot be.
    KeyboardInterrupt
        on Ctrl-C; the same call goes on.
    """
    from motifdb.catalog.snapshot import open_snapshot
    from motifdb.training.clips.clip_facts import facts_of
    from motifdb.training.splits.examples import find_clips, split_classes, split_folds

    known = (*pr.RUNGS, pr.NAMES)
    for rung in options.rungs:
        if rung not in known:
            raise UsageError(f"there is no rung {rung!r}; {nearest(rung, known)}")
    snapshot = open_snapshot(path)
    clips = find_clips(snapshot, options.clips)
    keys = pr.choose_keys(facts_of(snapshot, clips), options.label, options.island, options.source)
    shape: dict[str, Any] = {"draws": options.draws, "folds": options.folds, "seed": options.seed}
    plain = [p for n, p in pr.protocols(options.label, keys, **shape).items() if n in options.rungs]
    with_valid = [
        p
        for n, p in pr.protocols(options.label, keys, **shape, valid_share=0.1).items()
        if n in options.rungs
    ]
    progress.start("dividing clips")
    made = pr.make_splits(path, clips, plain)
    split_ids = {name: [split_id] for name, (split_id, _) in made.items()}
    cells: list[CellPlan] = []
    snapshot = open_snapshot(path)
    for name, (split_id, _) in made.items():
        cells += [
            CellPlan(NAME, "baselines", name, split_id, fold) for fold in split_folds(snapshot, split_id)
        ]
    if options.recipes:
        pr.make_splits(path, clips, with_valid)
        snapshot = open_snapshot(path)
    # networks that have run are shown, also where none is asked for now
    for name, split_id in pr.stored_splits(snapshot, clips, with_valid).items():
        split_ids[name].append(split_id)
        cells += [
            CellPlan(NAME, recipe.name, name, split_id, fold, seed, recipe, options.subset)
            for recipe in named_by_subset(options.recipes, options.subset)
            for seed in options.seeds
            for fold in split_folds(snapshot, split_id)
            if options.only_folds is None or fold in options.only_folds
        ]
    report = run_cells(
        path,
        cells,
        options.label,
        progress,
        say,
        device=options.device,
        engine=options.engine,
        workers=options.workers,
        ray_address=options.ray_address,
    )
    left_out = sorted({note for _, notes in made.values() for note in notes})
    measured = gather_ladder(open_snapshot(path), split_ids, options.label)
    measured = with_newest_audit(open_snapshot(path), measured)
    if any(m.leak.get("audit_id") is None for m in measured):
        left_out.append(
            "leaks are counted without an audit: equal files and overlapping spans only, so shares of sound are too low;"
            " `motifdb audit` finds them all, and the same command shows them then"
        )
    return LadderReport(
        options.label,
        tuple(plain),
        measured,
        [*keys.notes, *left_out],
        report,
        split_classes(snapshot, next(iter(split_ids.values()))[0]),
    )


def named_by_subset(recipes: Sequence[Recipe], subset: int | None) -> list[Recipe]:
    """Recipes whose name says that they train on fewer clips, so that their runs are never averaged with whole ones."""
    return [r if subset is None else replace(r, name=f"{r.name} on {subset} clips") for r in recipes]


def with_newest_audit(snapshot: Snapshot, measured: list[Measured]) -> list[Measured]:
    """Runs with the leaks that are known now: a run stores those known when it ran, and an audit may have come since."""
    from motifdb.training.splits.leaks import leak_reports

    newest: dict[str, dict[int, dict[str, Any]]] = {}
    audits = snapshot.table("analyses", ["analysis_id", "created_at"], "kind = 'audit'").to_pylist()
    if not audits:
        return measured
    audit_id = max(audits, key=lambda row: (row["created_at"], row["analysis_id"]))["analysis_id"]
    found = []
    for m in measured:
        if m.leak.get("audit_id") != audit_id:
            split_id = m.leak["split_id"]
            if split_id not in newest:
                newest[split_id] = {r.fold: r.to_json() for r in leak_reports(snapshot, split_id)}
            m = replace(m, leak=newest[split_id][m.fold])
        found.append(m)
    return found


def gather_ladder(snapshot: Snapshot, split_ids: Mapping[str, Sequence[str]], label: str) -> list[Measured]:
    """Baselines of each rung's first split, networks of all of its splits that the ladder or `motifdb train` made."""
    found: list[Measured] = []
    for at in range(max(len(ids) for ids in split_ids.values())):
        own = {rung: ids[at] for rung, ids in split_ids.items() if at < len(ids)}
        for m in gather(snapshot, own, label):
            is_wanted = at == 0 if m.model in BASELINES else m.experiment in (NAME, None)
            found += [m] * is_wanted
    return found


# -- what is shown -------------------------------------------------------------------------------------------


def ladder_rows(report: LadderReport) -> list[dict[str, Any]]:
    """A row for each rung and model: mean (and deviation) over folds, and what test shares with train."""
    rows: list[dict[str, Any]] = []
    for rung in report.rungs:
        for model in report.models:
            own = report.of(rung.name, model)
            if not own:
                continue
            first = rung.name if model == report.models[0] else ""
            rows.append(
                {
                    "rung": first.replace("distinct contents", "contents").replace(
                        "held-out source", "source"
                    ),
                    "model": model,
                    "folds": len({m.fold for m in own}),
                    "accuracy": spread(own, "accuracy").text(),
                    "auc": spread(own, "auc").text(4 if rung.is_leaky else 3).split(" ")[0],
                    "f1": spread(own, "f1").text(),
                    "bal.": spread(own, "balanced_accuracy").text().split(" ")[0],
                    **{short: _leak_text(own, kind) for short, kind in zip(_SHORT, LEAKS, strict=True)},
                }
            )
    return rows


_SHORT = ("copy %", "half %", "island %")


def _leak_text(own: Sequence[Measured], kind: str) -> str:
    shares = [s for m in own if (s := leak_share(m.leak, kind)) is not None]
    return f"{100 * sum(shares) / len(shares):.1f}" if shares else "-"


def fold_rows(report: LadderReport) -> list[dict[str, Any]]:
    """A row for each run, with every figure: for programs, and for who wants to see each fold."""
    rows = []
    for m in report.measured:
        row: dict[str, Any] = {
            "rung": m.protocol,
            "model": m.model,
            "fold": m.fold,
            "seed": m.seed,
            "n_train": m.leak.get("train"),
            "n_test": m.leak.get("test"),
        }
        for metric in ("accuracy", "balanced_accuracy", "auc", "precision", "recall", "f1"):
            score = m.scores.get(metric)
            row[metric] = score.value if score else None
            if metric in ("accuracy", "f1"):
                row[f"{metric}_low"] = score.low if score else None
                row[f"{metric}_high"] = score.high if score else None
        row |= {kind.replace("-", "_"): leak_share(m.leak, kind) for kind in LEAKS}
        row |= {"parameters": m.parameters, "best_epoch": m.best_epoch, "cpu_s": m.cpu_s, "run_id": m.run_id}
        rows.append(row)
    order = {rung.name: i for i, rung in enumerate(report.rungs)}
    models = {model: i for i, model in enumerate(report.models)}
    return sorted(rows, key=lambda r: (order[r["rung"]], models[r["model"]], r["fold"], r["seed"]))


def verdicts(report: LadderReport) -> list[str]:
    """What the ladder says, in sentences: how far the linear model falls, and whether a network beats it on held-out sources."""
    lines: list[str] = []
    names = [rung.name for rung in report.rungs]
    top, bottom = names[0], names[-1]
    high, low = (spread(report.of(n, "logistic"), "accuracy").mean for n in (top, bottom))
    if high is not None and low is not None and top != bottom:
        lines.append(
            f"Logistic regression: {high:.3f} of {top} right, {low:.3f} of {bottom}: {100 * (high - low):.0f} points of the first"
            " figure are recognition of sound that was trained on, or of its recording."
        )
    for model in report.models:
        if model in BASELINES or pr.SOURCE not in names:
            continue
        own, line = report.of(pr.SOURCE, model), report.of(pr.SOURCE, "logistic")
        shared = sorted({m.fold for m in own} & {m.fold for m in line})
        ours = spread([m for m in own if m.fold in shared], "f1").mean
        theirs = spread([m for m in line if m.fold in shared], "f1").mean
        if ours is None or theirs is None:
            continue
        n = len({m.fold for m in line})
        beats = "beats" if ours > theirs else "does not beat"
        lines.append(
            f"{model} {beats} logistic regression on {pr.SOURCE}: F1 {ours:.3f} against {theirs:.3f} over"
            f" {'all' if len(shared) == n else 'the same'} {len(shared)} of {n} folds."
        )
    return lines
