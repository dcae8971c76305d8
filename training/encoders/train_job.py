"""The job behind `motifdb train siamese-2018`: encoders for the folds of a split, each stored when it is whole."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from motifdb.errors import NotFoundError

if TYPE_CHECKING:
    from motifdb.pipelines.progress import Progress
    from motifdb.training.encoders.pair_data import PairData
    from motifdb.training.encoders.recipes import SiameseRecipe
    from motifdb.training.encoders.store import EncoderResult

Say = Callable[[str], None]


@dataclass
class EncoderReport:
    """What was trained, or was there: a row for each encoder, with its figures on the part test."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    n_failed: int = 0

    def table(self) -> pa.Table:
        """As a table."""
        return pa.Table.from_pylist(self.rows)

    def summary(self) -> list[str]:
        """How to read it."""
        return [
            "loss_one_point is what a network that maps every clip to one point costs on the same pairs; eer of a guess is 0.5"
        ]


def train_encoders(
    recipe: SiameseRecipe,
    path: Path,
    progress: Progress,
    say: Say,
    *,
    split: str | None = None,
    folds: tuple[int, ...] | None = None,
    seeds: Sequence[int] = (0,),
    device: str = "auto",
    again: bool = False,
    resume: bool = True,
) -> EncoderReport:
    """Train a recipe for pairs on folds of a split, with every seed, and store the encoders.

    Parameters
    ----------
    path : the database
    split : name or beginning of an id; None is the only one
    folds : None is every fold

    Raises
    ------
    UsageError, NotFoundError
        for what cannot be.
    KeyboardInterrupt
        on Ctrl-C, after a checkpoint; the same call goes on.
    """
    from motifdb.catalog.snapshot import open_snapshot
    from motifdb.training.encoders.pair_data import read_pair_data
    from motifdb.training.splits.examples import find_split, split_folds
    from motifdb.training.splits.leaks import leak_reports, leak_text

    snapshot = open_snapshot(path)
    split_id = find_split(snapshot, split)
    there = split_folds(snapshot, split_id)
    for number in folds or ():
        if number not in there:
            raise NotFoundError(
                f"split {split_id[:8]} has no fold {number}; its folds are {min(there)} to {max(there)}"
            )
    chosen = there if folds is None else folds
    say(leak_text([report for report in leak_reports(snapshot, split_id) if report.fold in chosen]))
    report = EncoderReport()
    for fold in chosen:
        progress.start("reading sound")
        data = read_pair_data(
            snapshot, split_id, fold, recipe.front_end.sample_rate_hz, voicing=recipe.voiced_only
        )
        progress.close()
        for line in [*data.notes, *data.sampler(recipe, 0).notes, *unwatched(data, recipe)]:
            say(f"fold {fold}: {line}")
        for seed in seeds:
            _one(recipe, data, path, seed, progress, say, report, device=device, again=again, resume=resume)
    return report


def _one(
    recipe: SiameseRecipe,
    data: PairData,
    path: Path,
    seed: int,
    progress: Progress,
    say: Say,
    report: EncoderReport,
    *,
    device: str,
    again: bool,
    resume: bool,
) -> None:
    from motifdb.catalog.snapshot import open_snapshot
    from motifdb.training.encoders.siamese import siamese_id
    from motifdb.training.encoders.store import store_encoder, stored_encoder, stored_figures

    own_id = siamese_id(recipe, data, seed)
    snapshot = open_snapshot(path)
    row = None if again else stored_encoder(snapshot, own_id)
    called = f"{recipe.name}, fold {data.fold}, seed {seed}"
    if row is not None and row["state"] == "done":
        say(f"encoder {own_id[:8]} ({called}) is there already; --again trains it anew")
        figures = stored_figures(snapshot, [own_id])[own_id]
    else:
        result = train_shown(
            recipe, data, path, seed, progress, say, device=device, resume=resume and not again
        )
        store_encoder(path, result)
        row = result.row()
        figures = {(f.part, f.metric): f for f in result.figures}
        if result.state == "failed":
            report.n_failed += 1
            say(f"encoder {own_id[:8]} failed: {result.reason}")
    loss, eer = figures.get(("test", "loss")), figures.get(("test", "eer"))
    report.rows.append(
        {
            "encoder_id": row["encoder_id"],
            "name": row["name"],
            "fold": row["fold"],
            "seed": row["seed"],
            "state": row["state"],
            "parameters": row["parameters"],
            "steps": row["steps"],
            "best_step": row["best_step"],
            "loss": None if loss is None else loss.value,
            "loss_one_point": None if loss is None else loss.trivial,
            "eer": None if eer is None else eer.value,
            "eer_low": None if eer is None else eer.low,
            "eer_high": None if eer is None else eer.high,
        }
    )


def train_shown(
    recipe: SiameseRecipe,
    data: PairData,
    path: Path,
    seed: int,
    progress: Progress,
    say: Say,
    *,
    device: str = "auto",
    resume: bool = True,
) -> EncoderResult:
    """`train_siamese` that shows itself: steps as progress, looks as lines. Nothing is stored yet."""
    from motifdb.training.encoders.siamese import train_siamese

    called = f"{recipe.name}, fold {data.fold}, seed {seed}"
    is_begun = False

    def step(n_done: int, at_most: int) -> None:
        nonlocal is_begun
        if not is_begun:
            is_begun = True
            progress.begin(f"training {called}", at_most, 0, unit="steps at most")
        progress.done(n_done, 0, 0.0)

    def look(row: dict[str, Any]) -> None:
        valid = "" if row["valid_loss"] is None else f", valid {row['valid_loss']:.4f}"
        point = 0.25 * recipe.margin
        say(
            f"{called}: step {row['step']:,}, loss {row['train_loss']:.4f}{valid} (one point for all: {point:g}),"
            f" {row['wall_s']:.0f} s"
        )

    try:
        return train_siamese(
            recipe, data, path, seed=seed, device=device, resume=resume, on_look=look, on_step=step
        )
    finally:
        progress.close()


def unwatched(data: PairData, recipe: SiameseRecipe) -> list[str]:
    """What cannot be watched or judged, a clause each."""
    found = []
    for part, then in (
        ("valid", "every step is taken and the last weights are kept"),
        ("test", "there are no figures"),
    ):
        pairs, why = data.judged_by(part, recipe)
        if pairs is None:
            found.append(f"{why}; {then}")
    return found
