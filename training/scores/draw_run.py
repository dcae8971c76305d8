"""`motifdb plot`: what a text means as a picture; of a stored run its learning curve and confusion matrix."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from motifdb.errors import NotFoundError, UsageError
from motifdb.pipelines.committer import in_list
from motifdb.plots.runs import LearningCurve, plot_run
from motifdb.query.meant import what_is_meant
from motifdb.training.scores.metrics import confusion
from motifdb.training.scores.runs import runs_meant, stored_predictions

if TYPE_CHECKING:
    from motifdb.catalog.snapshot import Snapshot
    from motifdb.query.database import Database

DRAWN = ("motif", "family", "recording")
"""What is drawn but for runs."""


def draw(
    database: Database,
    text: str,
    path: Path | None,
    *,
    between: tuple[float, float] | None = None,
    with_sound: bool = True,
    audio_dir: Path | None = None,
) -> tuple[str, Path]:
    """Draw the motif, family, recording or run that a text means; give one line about it and the picture's path.

    Parameters
    ----------
    path : file to write; None is motif.png, family.png, recording.png or run.png here
    between, with_sound, audio_dir : as `motifdb.query.drawing.draw`

    Raises
    ------
    NotFoundError, UsageError
        where it means none of them or several; as `motifdb.query.drawing.draw` or `draw_run`.
    """
    from motifdb.query.drawing import draw as draw_thing

    try:
        meant = what_is_meant(database, text, DRAWN)
    except NotFoundError as nothing:
        if not database.snapshot.count("runs"):
            raise
        target = path or Path("run.png")
        try:
            return draw_run(database.snapshot, text, target), target
        except NotFoundError as no_run:
            if database.snapshot.count("motifs"):
                raise NotFoundError(f"{nothing}; nor is it a run: {no_run}") from None
            raise no_run from None
    if between is not None and meant.kind != "recording":
        raise UsageError(f"{text!r} is a {meant.kind}; only of a recording can a stretch be drawn")
    target = path or Path(f"{meant.kind}.png")
    title = draw_thing(
        database, meant.kind, meant.id, target, between=between, with_sound=with_sound, audio_dir=audio_dir
    )
    return title, target


def draw_run(snapshot: Snapshot, text: str, path: Path) -> str:
    """Draw the run that a text means, or all runs of a recipe over each other; give one line about it.

    Raises
    ------
    NotFoundError, UsageError
        as `motifdb.training.scores.runs.runs_meant`; UsageError also where a run failed or the picture cannot be written.
    """
    runs = runs_meant(snapshot, text)
    predictions = [stored_predictions(snapshot, run) for run in runs]
    curves = learning_curves(snapshot, runs)
    total: NDArray[np.int64] | None = None
    hits: list[float] = []
    for own in predictions:
        at = own.rows("test")
        if at.size:
            counts = confusion(own.label[at], own.predicted[at], len(own.classes))
            total = counts if total is None else total + counts
            hits.append(float((own.label[at] == own.predicted[at]).mean()))
    first = runs[0]
    folds, seeds = ({row[name] for row in runs} for name in ("fold", "seed"))
    title = f"{first['recipe']} learns {first['label']}"
    title += (
        f", fold {first['fold']}, seed {first['seed']}"
        if len(runs) == 1
        else f", {len(folds)} folds, {len(seeds)} seeds"
    )
    if hits:
        title += f": {'accuracy' if len(hits) == 1 else 'mean accuracy'} {np.mean(hits):.3f} on test"
    plot_run(curves, total, predictions[0].classes, path, title=title)
    return title


def learning_curves(snapshot: Snapshot, runs: Sequence[Mapping[str, Any]]) -> list[LearningCurve]:
    """The stored epochs of some runs, named by what tells them apart."""
    rows = snapshot.table("epochs", None, in_list("run_id", [run["run_id"] for run in runs])).to_pylist()
    folds, seeds = ({run[name] for run in runs} for name in ("fold", "seed"))
    curves = []
    for run in runs:
        own = sorted((r for r in rows if r["run_id"] == run["run_id"]), key=lambda r: int(r["epoch"]))
        if not own:
            continue
        name = [f"fold {run['fold']}"] * (len(folds) > 1) + [f"seed {run['seed']}"] * (len(seeds) > 1)

        def column(key: str, own: list[dict[str, Any]] = own) -> NDArray[np.float64]:
            return np.array([np.nan if row[key] is None else row[key] for row in own], dtype=np.float64)

        curves.append(
            LearningCurve(
                epoch=np.array([row["epoch"] for row in own]),
                train_loss=column("train_loss"),
                valid_loss=column("valid_loss"),
                train_accuracy=column("train_accuracy"),
                valid_accuracy=column("valid_accuracy"),
                best_epoch=run["best_epoch"],
                label=" ".join(name),
            )
        )
    return curves
