"""siamese-2018: is a vector learnt from pairs of clips nearer to who sings than to what is sung?

Encoders on mel and on constant-Q decibels, with attention and without aggregation, against the hand-crafted vector, chance and whatever else is
asked for: nearest performances by singer and by song, verification, loss beside the collapse loss. Every encoder is stored; what is done is
not done again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from motifdb.errors import UsageError
from motifdb.training.experiments.answer import Answer, Asked
from motifdb.training.experiments.encoder_cells import (
    EncoderCells,
    EncoderPlan,
    Folds,
    asked_recipe,
    chosen_cells,
    n_parameters,
    run_encoders,
)
from motifdb.training.experiments.encoder_splits import Divided, divide
from motifdb.training.experiments.performances import (
    DISTANCES,
    Performances,
    figures_of,
    pooled,
    vectors_by,
    why_no_works,
    works_of,
)
from motifdb.training.experiments.siamese_tables import BASELINE, long_rows, summary_rows, verdicts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from motifdb.training.embedding.base import Embedder
    from motifdb.training.encoders.pair_data import PairData
    from motifdb.training.encoders.recipes import SiameseRecipe
    from motifdb.training.experiments.encoder_cells import Say
    from motifdb.training.scores.figures import Figure

NAME = "siamese-2018"

FRONT_ENDS = {"mel": "mel-db", "cqt": "cqt-db"}
AGGREGATIONS = ("attention", "none")

RECIPE_OF = {"paper": "siamese-2018", "small": "siamese-2018-small"}

FEW_POINTS = 30
"""Performances below which a picture shows clips in their place."""


@dataclass
class SiameseReport:
    """What was measured.

    Attributes
    ----------
    figures : by model, by fold (and seed), its figures
    losses : by model, the part test of each of its encoders: loss, its interval, collapse loss
    points : vectors for a picture, and their labels
    """

    divided: Divided
    scale: str
    figures: dict[str, list[list[Figure]]] = field(default_factory=dict)
    losses: dict[str, list[Any]] = field(default_factory=dict)
    parameters: dict[str, int] = field(default_factory=dict)
    steps: dict[str, list[int]] = field(default_factory=dict)
    cells: EncoderCells = field(default_factory=EncoderCells)
    notes: list[str] = field(default_factory=list)
    points: tuple[NDArray[np.float64], dict[str, list[str]], str] | None = None
    without_works: str | None = None

    @property
    def models(self) -> list[str]:
        """Encoders first, then what they are compared with."""
        return list(self.figures)

    def pooled(self, model: str) -> dict[tuple[str, str], Figure]:
        """The figures of a model over its folds."""
        return {(f.protocol, f.metric): f for f in pooled(self.figures[model])}


def answer(path: Path, asked: Asked, say: Say) -> Answer:
    """What `motifdb experiment siamese-2018` answers."""
    report = run_siamese(path, asked, say)
    return Answer(
        summary_rows(report),
        long_rows(report),
        [*verdicts(report), *report.notes, *report.cells.notes()],
        len(report.cells.failed),
        lambda target: _draw(report, target),
    )


def run_siamese(path: Path, asked: Asked, say: Say) -> SiameseReport:
    """Divide, train what is missing, judge.

    Raises
    ------
    UsageError, NotFoundError
        for what cannot be.
    KeyboardInterrupt
        on Ctrl-C; the same call goes on.
    """
    from motifdb.catalog.snapshot import open_snapshot
    from motifdb.pipelines.progress import Lines
    from motifdb.training.encoders.store import load_encoder, stored_figures

    base = scale_recipe(asked)
    names = chosen_cells([f"{f}/{a}" for f in FRONT_ENDS for a in AGGREGATIONS], asked.cells)
    recipes = {name: cell_recipe(name, base, asked) for name in names}
    voiced_only = recipes[names[0]].voiced_only
    compared = _compared(path, asked)
    divided = divide(path, one_set(asked.clips), label=asked.label or "singer", only_folds=asked.only_folds)
    say(divided.notes[-1])
    report = SiameseReport(divided, asked.scale, notes=list(divided.notes[:-1]))
    plans = [
        EncoderPlan(name, recipes[name], divided.split_id, fold, seed)
        for fold in divided.folds
        for name in names
        for seed in asked.seeds
    ]
    works = works_of(open_snapshot(path), divided.split_id)

    def judge(data: PairData, rows: Mapping[EncoderPlan, dict[str, Any]]) -> None:
        performances = Performances.of_test(data, works, voiced_only=voiced_only)
        _say_about(report, data, performances)
        snapshot = open_snapshot(path)
        figures = stored_figures(snapshot, [row["encoder_id"] for row in rows.values()])
        for plan, row in rows.items():
            embedder = load_encoder(row, path, asked.device)
            clips = vectors_by(embedder, data.packed, performances, data.examples.recording_id)
            vectors = performances.mean(clips)
            found = figures_of(vectors, performances)
            report.figures.setdefault(plan.cell, []).append(found)
            report.steps.setdefault(plan.cell, []).append(int(row["best_step"]))
            loss = figures[row["encoder_id"]].get(("test", "loss"))
            if loss is not None:
                report.losses.setdefault(plan.cell, []).append(loss)
            if report.points is None:
                report.points = _points(performances, vectors, clips, f"{plan.recipe.name}, fold {plan.fold}")
        for name, embedder in compared.items():
            sound = sounds(path, data, embedder.sample_rate_hz)
            clips = vectors_by(embedder, sound, performances, data.examples.recording_id)
            vectors, distance = performances.mean(clips), DISTANCES.get(name, "euclidean")
            report.figures.setdefault(name, []).append(figures_of(vectors, performances, distance=distance))

    report.parameters = {name: n_parameters(recipe) for name, recipe in recipes.items()}
    folds = Folds(path, base.front_end.sample_rate_hz, voicing=voiced_only)
    report.cells = run_encoders(
        path, plans, folds, Lines(), say, device=asked.device, is_long_fine=asked.is_long_fine, on_fold=judge
    )
    # encoders before what they are compared with, whichever fold failed
    report.figures = {m: report.figures[m] for m in [*names, *compared] if m in report.figures}
    return report


def scale_recipe(asked: Asked) -> SiameseRecipe:
    """The recipe that cells are made from.

    Raises
    ------
    NotFoundError, UsageError
    """
    from motifdb.errors import nearest
    from motifdb.training.encoders.recipes import find_siamese_recipe

    if asked.engine == "ray":
        raise UsageError("encoders are trained one after the other in this process; leave out --engine ray")
    if len(asked.recipes) > 1:
        raise UsageError(f"this experiment makes its cells from one recipe, got {', '.join(asked.recipes)}")
    if asked.recipes:
        return find_siamese_recipe(asked.recipes[0])
    if asked.scale not in RECIPE_OF:
        raise UsageError(f"there is no scale {asked.scale!r}; {nearest(asked.scale, RECIPE_OF)}")
    return find_siamese_recipe(RECIPE_OF[asked.scale])


def cell_recipe(name: str, base: SiameseRecipe, asked: Asked) -> SiameseRecipe:
    """The recipe of a cell such as ``mel/attention``."""
    from motifdb.training.encoders.recipes import with_network

    front_end, aggregation = name.split("/")
    made = with_network(base, base.model, FRONT_ENDS[front_end], aggregation=aggregation)
    return asked_recipe(f"{base.name} {name}", made, asked)


def _compared(path: Path, asked: Asked) -> dict[str, Embedder]:
    """What encoders are compared with, by name."""
    from motifdb.catalog.snapshot import open_snapshot
    from motifdb.training.embedding.registry import find_embedder

    snapshot = open_snapshot(path)
    found = {BASELINE: find_embedder(BASELINE, None, options={"sample_rate_hz": 22_050})}
    for name in asked.models:
        found[name] = find_embedder(name, snapshot, device=asked.device)
    if asked.speaker_weights is not None:
        found["speaker"] = find_embedder("speaker", None, weights=asked.speaker_weights, device=asked.device)
    return found


def sounds(path: Path, data: PairData, sample_rate_hz: int) -> Any:
    """The sound of a fold's examples at another model's rate."""
    from motifdb.catalog.snapshot import open_snapshot
    from motifdb.training.inputs.packed import pack

    if sample_rate_hz == data.packed.sample_rate_hz:
        return data.packed
    return pack(open_snapshot(path), data.examples, sample_rate_hz=sample_rate_hz)


def _say_about(report: SiameseReport, data: PairData, performances: Performances) -> None:
    """What must be known of a fold to read its figures."""
    singers = list(performances.singer)
    alone = sum(singers.count(s) == 1 for s in set(singers))
    has_works = sorted({w for w in performances.work if w is not None})
    text = (
        f"fold {data.fold}: {len(performances)} performances of {len(set(singers))} singers test"
        + (f", of {len(has_works)} work{'s' * (len(has_works) != 1)}" if has_works else "")
        + (
            f"; {alone} {'has' if alone == 1 else 'have'} one performance and cannot be found again"
            if alone
            else ""
        )
        + (f"; {performances.n_unvoiced} have no voiced clip" if performances.n_unvoiced else "")
    )
    report.notes.append(text)
    report.without_works = why_no_works(performances)


def _points(
    performances: Performances, vectors: NDArray[np.float64], clips: NDArray[np.float32], called: str
) -> tuple[NDArray[np.float64], dict[str, list[str]], str]:
    """Points of a picture: performances, or clips where there are few."""
    of: Sequence[int] = range(len(performances))
    what, chosen = "performances", vectors
    if len(performances) < FEW_POINTS:
        what, of, chosen = "clips", performances.of.tolist(), clips.astype(np.float64)
    if len(chosen) > 2000:
        kept = np.sort(np.random.default_rng(0).permutation(len(chosen))[:2000])
        of, chosen = [of[i] for i in kept.tolist()], chosen[kept]
    labels = {"singer": [performances.singer[i] for i in of]}
    if why_no_works(performances) is None:
        labels["song"] = [performances.work[i] or "unknown" for i in of]
    return chosen, labels, f"{called}: {len(chosen)} {what} of singers it was not trained on"


def _draw(report: SiameseReport, target: Path) -> None:
    from motifdb.training.scores.draw_vectors import draw_tsne

    if report.points is None:
        raise UsageError("no encoder was trained, so there is nothing to draw")
    vectors, labels, title = report.points
    draw_tsne(vectors, labels, target, title=title)


def one_set(clips: tuple[str, ...]) -> str | None:
    """The one set of clips that was named, if any.

    Raises
    ------
    UsageError
        for several.
    """
    if len(clips) > 1:
        raise UsageError(f"this experiment takes one set of clips, got {', '.join(clips)}")
    return clips[0] if clips else None
