"""Voices in unaccompanied chant: are clips cut at motifs easier to tell than clips cut elsewhere, with sound and with pitch alone?

Two questions on a database of chant that has been mined:

- *voice*: whose voice is it? Grouped by work where every voice sings several works and no two share one; by recording (take) where all
  sing the same work. Nothing of a test recording is in train.
- *style*: torah or haftarah? Every reader has both; one reader is held out at a time.

Each with motif clips, as many random clips of the same lengths, and random clips that touch no motif; heard as mean and
deviation of the log-mel, and as the f0 contour alone, which no microphone or codec colours.

**What else could tell them apart.** A voice's recordings share a microphone, a room and often a codec. The row `file format` names the
voice by codec, channels and sampling rate alone. Where `singer_from` says that a reader was named by a clustering of voices, the label
itself comes from sound, and a score says how far this project agrees with that clustering.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from motifdb.errors import NotFoundError
from motifdb.training.experiments.cells import CellPlan, CellReport, Say, read_fold, run_cells
from motifdb.training.experiments.measured import Measured, gather, spread
from motifdb.training.splits.dividing import ONE_EACH, SplitConfig

if TYPE_CHECKING:
    from motifdb.catalog.store import Snapshot
    from motifdb.pipelines.progress import Progress
    from motifdb.training.fitting.recipes import Recipe
    from motifdb.training.fitting.train_job import Fold
    from motifdb.training.scores.runs import RunResult

NAME = "cantillation"
KINDS = ("motif", "random", "random_disjoint")
CONTOUR, RELATIVE = "f0 contour", "f0 contour, no level"
FORMAT = "look-up of file format"
LEAST_CLIP_S = 0.3
"""Shorter stretches have too little pitch to describe."""


@dataclass(frozen=True)
class ChantOptions:
    """What is asked.

    Attributes
    ----------
    analysis : mining analysis whose motifs are cut; None is the only one
    max_per_motif, limit, min_duration_s : of the motif clips; the others are matched to them
    recipes : networks beside, on the voice question and the style question alike
    """

    analysis: str | None = None
    max_per_motif: int | None = 10
    limit: int | None = 3000
    min_duration_s: float = LEAST_CLIP_S
    recipes: tuple[Recipe, ...] = ()
    seeds: tuple[int, ...] = (0,)
    only_folds: tuple[int, ...] | None = None
    folds: int = 5
    seed: int = 0
    subset: int | None = None
    device: str = "auto"
    engine: str = "inline"
    workers: int | None = None
    ray_address: str | None = None


@dataclass
class ChantReport:
    """Runs by question and kind of clips."""

    questions: list[str] = field(default_factory=list)
    measured: dict[tuple[str, str], list[Measured]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    cells: CellReport = field(default_factory=CellReport)


def run_chant(options: ChantOptions, path: Path, progress: Progress, say: Say) -> ChantReport:
    """Cut the clips, divide them, fit, gather; what is there already stays.

    Raises
    ------
    NotFoundError, UsageError
        where recordings are not mined, or labels are missing.
    """
    from motifdb.catalog.snapshot import open_snapshot

    clips = {kind: _cut(options, path, kind, progress) for kind in KINDS}
    snapshot = open_snapshot(path)
    report = ChantReport()
    report.notes += _facts(snapshot, clips)
    splits: dict[tuple[str, str], str] = {}
    for question, config in _questions(snapshot, clips["motif"], options).items():
        report.questions.append(question)
        cells: list[CellPlan] = []
        for kind, split_id in _divide(path, config, clips).items():
            splits[question, kind] = split_id
            cells += _cells(open_snapshot(path), question, kind, split_id)
        report.cells = added(report.cells, run_cells(path, cells, _label(question), progress, say))
    _fit_contours(path, splits, progress)
    if options.recipes:
        _train(options, path, splits, progress, say, report)
    snapshot = open_snapshot(path)
    for (question, kind), split_id in splits.items():
        report.measured[question, kind] = gather(snapshot, {question: split_id}, _label(question))
    return report


def _cut(options: ChantOptions, path: Path, kind: str, progress: Progress) -> str:
    from motifdb.catalog.store import open_writer
    from motifdb.training.clips.clip_job import ClipOptions, cut_clips

    asked = ClipOptions(
        kind=kind,
        analysis=options.analysis,
        max_per_motif=options.max_per_motif,
        limit=options.limit,
        min_duration_s=options.min_duration_s,
        seed=options.seed,
        engine="inline",
    )
    with open_writer(path, wait_s=600.0) as writer:
        return str(cut_clips(asked, writer, progress, lambda size: None).analysis_id)


def _label(question: str) -> str:
    return "style" if question.startswith("style") else "singer"


def _questions(snapshot: Snapshot, clips: str, options: ChantOptions) -> dict[str, SplitConfig]:
    """What can be asked of this database: the question, and how it is divided."""
    from motifdb.training.clips.clip_facts import facts_of

    facts = facts_of(snapshot, clips)
    for name in ("singer", "work"):
        if name not in facts.label_names:
            raise NotFoundError(
                f"recordings have no label {name}; `motifdb ingest --metadata` gives labels to files"
            )
    voice = facts.key("singer")
    works: dict[str, set[str]] = {}
    for singer, work in zip(voice, facts.key("work"), strict=True):
        if singer is not None and work is not None:
            works.setdefault(singer, set()).add(work)
    base = SplitConfig(method="kfold", folds=options.folds, seed=options.seed, valid_share=0.0)
    if options.recipes:
        base = replace(base, valid_share=0.15)
    by = "work" if min(len(w) for w in works.values()) >= 2 else "recording"
    found = {
        f"voice, by {'work' if by == 'work' else 'take'}": replace(
            base, label="singer", by=(by,), drop_rare=True
        )
    }
    if "style" in facts.label_names:
        styles: dict[str, set[str]] = {}
        for singer, style in zip(voice, facts.key("style"), strict=True):
            if singer is not None and style is not None:
                styles.setdefault(style, set()).add(singer)
        if len(styles) >= 2 and all(len(own) >= 2 for own in styles.values()):
            leave_one_out = replace(base, label="style", by=("singer",), folds=ONE_EACH)
            found["style, by reader"] = replace(leave_one_out, valid_by=("work",) if options.recipes else ())
    return found


def _divide(path: Path, config: SplitConfig, clips: Mapping[str, str]) -> dict[str, str]:
    """A split of each set of clips, with the same recordings on the same sides."""
    from motifdb.catalog.store import open_writer
    from motifdb.training.splits.split_job import SplitOptions, run_split

    found: dict[str, str] = {}
    with open_writer(path, wait_s=600.0) as writer:
        for kind, clips_id in clips.items():
            own = config if not found else replace(config, like=found[KINDS[0]])
            found[kind] = run_split(SplitOptions(own, clips_id), writer).split_id
    return found


def _cells(snapshot: Snapshot, question: str, kind: str, split_id: str) -> list[CellPlan]:
    from motifdb.training.splits.examples import split_folds

    return [
        CellPlan(NAME, f"{question}/{kind}/baselines", question, split_id, fold)
        for fold in split_folds(snapshot, split_id)
    ]


# -- pitch alone, and the file's format ----------------------------------------------------------------------


def clip_contours(
    snapshot: Snapshot,
    recording_ids: Sequence[str],
    start_s: NDArray[np.float64],
    end_s: NDArray[np.float64],
) -> NDArray[np.float32]:
    """What the pitch of spans is like: float32, shape (n, 19), see `contour_features.contour_statistics`.

    Raises
    ------
    NotFoundError
        where a recording has no pitch.
    """
    from motifdb.pipelines.committer import in_list
    from motifdb.pipelines.stages import pitch_tracks
    from motifdb.training.experiments.contour_features import STATISTICS, contour_statistics

    wanted: dict[str, list[int]] = {}
    for row, recording in enumerate(recording_ids):
        wanted.setdefault(recording, []).append(row)
    out = np.zeros((len(recording_ids), len(STATISTICS)), np.float32)
    seen: set[str] = set()
    for recording, _, track in pitch_tracks(snapshot.table("pitch", None, in_list("recording_id", wanted))):
        if recording in seen:  # another tracker's; the first of a recording is taken
            continue
        seen.add(recording)
        f0 = track.f0_hz.astype(np.float64)
        for row in wanted[recording]:
            first, last = (round((t - track.start_s) / track.hop_s) for t in (start_s[row], end_s[row]))
            out[row] = contour_statistics(f0[max(first, 0) : max(last, 1)], track.hop_s)
    if missing := wanted.keys() - seen:
        raise NotFoundError(f"{len(missing)} recordings have no pitch; `motifdb ingest` tracks it")
    return out


def _fit_contours(path: Path, splits: Mapping[tuple[str, str], str], progress: Progress) -> None:
    """Linear model and 1-NN on pitch alone, and the look-up by file format, on every fold that lacks them."""
    from motifdb.catalog.snapshot import open_snapshot
    from motifdb.training.fitting.train_job import store
    from motifdb.training.splits.examples import split_folds

    snapshot = open_snapshot(path)
    progress.begin("pitch alone", len(splits), 0, "splits")
    for at, ((question, kind), split_id) in enumerate(splits.items()):
        statistics: NDArray[np.float32] | None = None
        for number in split_folds(snapshot, split_id):
            lacking = _lacking(snapshot, split_id, number)
            if not lacking:
                continue
            fold = read_fold(path, split_id, number, with_sound=False)
            if statistics is None:
                e = fold.examples
                statistics = clip_contours(snapshot, e.recording_id, e.start_s, e.end_s)
            cell = f"{question}/{kind}/pitch alone | {question}"
            store(
                path, _pitch_runs(snapshot, fold, statistics, lacking, cell), f"{NAME}: {cell}, fold {number}"
            )
        progress.done(at + 1, 0, 0.0)
    progress.close()


def _lacking(snapshot: Snapshot, split_id: str, fold: int) -> set[str]:
    from motifdb.pipelines.committer import quoted

    where = f"split_id = {quoted(split_id)} and fold = {fold} and state = 'done'"
    rows = snapshot.table("runs", ["recipe", "front_end"], where).to_pylist()
    there = {row["front_end"] for row in rows} | {row["recipe"] for row in rows}
    return {CONTOUR, RELATIVE, FORMAT} - there


def _pitch_runs(
    snapshot: Snapshot, fold: Fold, statistics: NDArray[np.float32], lacking: set[str], cell: str
) -> list[RunResult]:
    from motifdb.training.experiments.contour_features import N_LEVELS
    from motifdb.training.scores.baselines import baseline_runs, baselines

    about: dict[str, Any] = {
        "split_id": fold.split_id,
        "fold": fold.fold,
        "label": fold.label,
        "leak": fold.leak.to_json(),
        "experiment": NAME,
        "cell": cell,
    }
    runs: list[RunResult] = []
    for front_end, values in ((CONTOUR, statistics), (RELATIVE, statistics[:, N_LEVELS:])):
        if front_end in lacking:
            fitted = baselines(fold.examples, None, names=("logistic", "1-nn"), statistics=values)
            for run in baseline_runs(fitted, fold.examples, front_end=front_end, **about):
                # a recipe of its own, so that nobody takes it for the baseline on sound
                name = f"{run.recipe} on {front_end}"
                runs.append(replace(run, recipe=name, config={**run.config, "recipe": name}))
    if FORMAT in lacking:
        fitted = baselines(
            fold.examples, None, names=("look-up",), content=_formats(snapshot, fold.examples.recording_id)
        )
        for run in baseline_runs(fitted, fold.examples, **about):
            runs.append(replace(run, recipe=FORMAT, config={**run.config, "recipe": FORMAT}))
    return runs


def _formats(snapshot: Snapshot, recording_ids: Sequence[str]) -> list[object]:
    """Codec, channels and sampling rate of the recording that each clip is of."""
    rows = snapshot.table("recordings", ["recording_id", "codec", "channels", "sample_rate_hz"]).to_pylist()
    found = {row["recording_id"]: (row["codec"], row["channels"], row["sample_rate_hz"]) for row in rows}
    return [found[r] for r in recording_ids]


def _train(
    options: ChantOptions,
    path: Path,
    splits: Mapping[tuple[str, str], str],
    progress: Progress,
    say: Say,
    report: ChantReport,
) -> None:
    from motifdb.catalog.snapshot import open_snapshot
    from motifdb.training.splits.examples import split_folds

    snapshot = open_snapshot(path)
    by_label: dict[str, list[CellPlan]] = {}
    for (question, kind), split_id in splits.items():
        by_label.setdefault(_label(question), []).extend(
            CellPlan(
                NAME,
                f"{question}/{kind}/{recipe.name}",
                question,
                split_id,
                fold,
                seed,
                recipe,
                options.subset,
            )
            for recipe in options.recipes
            for seed in options.seeds
            for fold in split_folds(snapshot, split_id)
            if options.only_folds is None or fold in options.only_folds
        )
    for label, cells in by_label.items():
        done = run_cells(
            path, cells, label, progress, say, device=options.device, engine=options.engine,
            workers=options.workers, ray_address=options.ray_address,
        )  # fmt: skip
        report.cells = added(report.cells, done)


def added(a: CellReport, b: CellReport) -> CellReport:
    """Two calls' reports as one."""
    return CellReport(
        a.n_done_before + b.n_done_before, a.n_run + b.n_run, a.failed + b.failed, a.cpu_s + b.cpu_s
    )


# -- what is shown -------------------------------------------------------------------------------------------


def _facts(snapshot: Snapshot, clips: Mapping[str, str]) -> list[str]:
    """How much there is, and what is uncertain about it."""
    from motifdb.training.clips.clip_facts import facts_of

    notes = []
    per_kind = {kind: facts_of(snapshot, analysis) for kind, analysis in clips.items()}
    sizes = [
        f"{len(facts):,} {kind} ({float((facts.end_s - facts.start_s).mean()):.2f} s)"
        if len(facts)
        else f"no {kind}"
        for kind, facts in per_kind.items()
    ]
    notes.append(f"clips and their mean length: {', '.join(sizes)}")
    notes.append("accuracy, mean ± deviation over folds; gain: motif less random, fold by fold, in points")
    facts = per_kind["motif"]
    recording = dict(zip(facts.recording_id, range(len(facts)), strict=True))
    for name in ("singer", "style", "singer_from"):
        if name in facts.label_names:
            values = facts.key(name)
            counts = Counter(values[row] for row in recording.values())
            listed = ", ".join(f"{value} {n}" for value, n in sorted(counts.items(), key=str)[:8])
            notes.append(f"recordings by {name}: {listed}{', …' if len(counts) > 8 else ''}")
            if name == "singer_from" and any(v and "group" in v for v in counts):
                notes.append(
                    "readers known by voice grouping were named by a clustering of their voices: good labels, not certain ones"
                )
            if name == "style" and len(counts) > 1 and min(counts.values()) < 10:
                notes.append(
                    f"style stands on {min(counts.values())} recordings of the rarer value: too few to claim anything from"
                )
    return notes


_ROWS = (
    ("majority", "majority", None),
    ("file format", FORMAT, None),
    ("logistic", "logistic", "log-mel"),
    ("1-nn", "1-nn", "log-mel"),
    ("logistic", f"logistic on {CONTOUR}", CONTOUR),
    ("1-nn", f"1-nn on {CONTOUR}", CONTOUR),
    ("logistic", f"logistic on {RELATIVE}", RELATIVE),
)


_HEARS = {CONTOUR: "f0", RELATIVE: "f0, no level"}


def chant_rows(report: ChantReport) -> list[dict[str, Any]]:
    """A row for each question and model; accuracy of each set of clips, mean and deviation over folds, and F1 of motifs."""
    rows = []
    for question in report.questions:
        there = {m.model for kind in KINDS for m in report.measured[question, kind]}
        known = {recipe for _, recipe, _ in _ROWS} | {"look-up"}
        networks = [(name, name, "log-mel") for name in sorted(there - known) if " on " not in name]
        for at, (shown, recipe, hears) in enumerate([*_ROWS, *networks]):
            row: dict[str, Any] = {
                "question": question if at == 0 else "",
                "model": shown,
                "hears": _HEARS.get(hears or "-", hears or "-"),
            }
            for kind in KINDS:
                own = _of(report, question, kind, recipe)
                row[kind.replace("random_disjoint", "disjoint")] = spread(own, "accuracy").text()
            row["F1 motif"] = spread(_of(report, question, "motif", recipe), "f1").text()
            row["gain"] = _gain(report, question, recipe)
            rows.append(row)
    return rows


def _of(report: ChantReport, question: str, kind: str, recipe: str) -> list[Measured]:
    return [m for m in report.measured[question, kind] if m.model == recipe]


def _gain(report: ChantReport, question: str, recipe: str) -> str:
    """How much more accurate motif clips are than random ones, fold by fold: mean and deviation in points."""
    random = {(m.fold, m.seed): m.value("accuracy") for m in _of(report, question, "random", recipe)}
    gains = [
        100 * (value - other)
        for m in _of(report, question, "motif", recipe)
        if (value := m.value("accuracy")) is not None and (other := random.get((m.fold, m.seed))) is not None
    ]
    return f"{np.mean(gains):+.1f} ±{np.std(gains):.1f}" if gains else "-"


def chant_long(report: ChantReport) -> list[dict[str, Any]]:
    """A row for each run and figure."""
    return [
        {
            "question": question,
            "clips": kind,
            "model": m.model,
            "hears": m.front_end,
            "fold": m.fold,
            "seed": m.seed,
            "n_train": m.leak.get("train"),
            "n_test": m.leak.get("test"),
            "metric": metric,
            "value": score.value,
            "low": score.low,
            "high": score.high,
            "run_id": m.run_id,
        }
        for (question, kind), found in report.measured.items()
        for m in found
        for metric, score in m.scores.items()
    ]
