"""Cells of an experiment with encoders: a network on the pairs of a fold with a seed, trained once however often it is asked for.

A cell whose encoder is in the database is done; one that was stopped goes on from its checkpoint. Cells run one after the other here: each
is stored before the next begins.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from motifdb.errors import UsageError

if TYPE_CHECKING:
    from motifdb.pipelines.progress import Progress
    from motifdb.training.encoders.pair_data import PairData
    from motifdb.training.encoders.recipes import SiameseRecipe
    from motifdb.training.experiments.answer import Asked

Say = Callable[[str], None]

HOUR_S = 3600.0
CPU_FLOP_PER_S = 8e9
"""What one core of a laptop-class processor does in convolutions, forward and backward: within a factor of two elsewhere."""


@dataclass(frozen=True, eq=False)
class EncoderPlan:
    """One cell before it is run; `cell` is its name within the experiment, such as ``mel/attention``."""

    cell: str
    recipe: SiameseRecipe
    split_id: str
    fold: int
    seed: int = 0


@dataclass
class EncoderCells:
    """What a call found and did.

    Attributes
    ----------
    rows : by plan, the row of `encoders` of those that did not fail
    heard : what must be known of the clips: voicing, who validates, where their sound comes from
    """

    rows: dict[EncoderPlan, dict[str, Any]] = field(default_factory=dict)
    n_done_before: int = 0
    n_run: int = 0
    cpu_s: float = 0.0
    failed: list[str] = field(default_factory=list)
    heard: list[str] = field(default_factory=list)

    def notes(self) -> list[str]:
        """What was done, for people."""
        said = []
        if self.n_run:
            said.append(
                f"{self.n_run} encoders trained ({self.cpu_s:.0f} s of processor time), {self.n_done_before} were there before"
            )
        return [*self.heard, *said, *(f"failed: {line}" for line in self.failed)]


class Folds:
    """The pairs of each fold that is asked for, read once."""

    def __init__(self, path: Path, sample_rate_hz: int, *, voicing: bool, kept: int = 1) -> None:
        self._path, self._rate, self._voicing = path, sample_rate_hz, voicing
        self._kept, self._most = dict[tuple[str, int], "PairData"](), kept

    def of(self, split_id: str, fold: int) -> PairData:
        """Clips, sound and voicing of a fold."""
        from motifdb.catalog.snapshot import open_snapshot
        from motifdb.training.encoders.pair_data import read_pair_data

        if (split_id, fold) not in self._kept:
            while len(self._kept) >= self._most:
                self._kept.pop(next(iter(self._kept)))
            self._kept[split_id, fold] = read_pair_data(
                open_snapshot(self._path), split_id, fold, self._rate, voicing=self._voicing
            )
        return self._kept[split_id, fold]


def run_encoders(
    path: Path,
    plans: Sequence[EncoderPlan],
    folds: Folds,
    progress: Progress,
    say: Say,
    *,
    device: str = "auto",
    is_long_fine: bool = False,
    on_fold: Callable[[PairData, Mapping[EncoderPlan, dict[str, Any]]], None] | None = None,
) -> EncoderCells:
    """Train what is not there, fold by fold.

    Parameters
    ----------
    on_fold : is told each fold's data and its encoders, once all of them are there

    Raises
    ------
    UsageError
        for work of more than an hour on this processor that was not asked for with --long; where no pairs can be drawn.
    KeyboardInterrupt
        on Ctrl-C; the same call goes on.
    """
    from motifdb.catalog.snapshot import open_snapshot
    from motifdb.training.encoders.siamese import siamese_id
    from motifdb.training.encoders.store import stored_encoder
    from motifdb.training.encoders.train_job import unwatched

    cells = EncoderCells()
    is_first = True
    for key in dict.fromkeys((plan.split_id, plan.fold) for plan in plans):
        progress.start("reading sound")
        data = folds.of(*key)
        own = [plan for plan in plans if (plan.split_id, plan.fold) == key]
        first = own[0].recipe
        said = [*data.notes, *data.sampler(first, 0).notes, *unwatched(data, first), data.packed.note]
        cells.heard += [text for text in said if text and text not in cells.heard]
        snapshot = open_snapshot(path)
        for plan in own:
            row = stored_encoder(snapshot, siamese_id(plan.recipe, data, plan.seed))
            if row is not None and row["state"] == "done":
                cells.rows[plan] = row
                cells.n_done_before += 1
        waiting = [plan for plan in own if plan not in cells.rows]
        if is_first and waiting and not is_long_fine:
            _refuse_long(waiting, data, len(plans) / len(own), device)
        is_first = False
        for plan in waiting:
            _train(path, plan, data, cells, progress, say, device)
        if on_fold is not None:
            on_fold(data, {plan: cells.rows[plan] for plan in own if plan in cells.rows})
    return cells


def _train(
    path: Path,
    plan: EncoderPlan,
    data: PairData,
    cells: EncoderCells,
    progress: Progress,
    say: Say,
    device: str,
) -> None:
    from motifdb.training.encoders.store import store_encoder
    from motifdb.training.encoders.train_job import train_shown

    began_s = time.process_time()
    result = train_shown(plan.recipe, data, path, plan.seed, progress, say, device=device)
    store_encoder(path, result)
    cells.n_run += 1
    cells.cpu_s += time.process_time() - began_s
    if result.state == "failed":
        cells.failed.append(f"{plan.recipe.name}, fold {plan.fold}, seed {plan.seed}: {result.reason}")
        return
    cells.rows[plan] = result.row()


def chosen_cells(names: Sequence[str], patterns: Sequence[str]) -> list[str]:
    """The cells that were asked for, in their order; all where nothing was.

    Raises
    ------
    UsageError
        for a pattern that fits none.
    """
    from fnmatch import fnmatchcase

    from motifdb.errors import nearest

    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise UsageError(f"no cell fits {pattern!r}; {nearest(pattern, names)}")
    return [name for name in names if not patterns or any(fnmatchcase(name, p) for p in patterns)]


def asked_recipe(name: str, base: SiameseRecipe, asked: Asked) -> SiameseRecipe:
    """A cell's recipe under its own name, with what --epochs, --steps and --set change."""
    changes: dict[str, Any] = {}
    if asked.epochs is not None:
        changes["max_epochs"] = asked.epochs
    if asked.steps is not None:
        changes["max_steps"] = asked.steps
    return base.assign(changes | {"name": name}).assign(asked.changes())


# -- what it costs -------------------------------------------------------------------------------------------


def expected_cpu_s(recipe: SiameseRecipe, n_clips: int) -> float:
    """Processor seconds that training takes at most; a GPU needs a small part of it."""
    at_most, _, _ = recipe.steps(n_clips)
    return 3.0 * 2 * recipe.batch_size * flop_of(recipe) * at_most / CPU_FLOP_PER_S


def flop_of(recipe: SiameseRecipe) -> float:
    """Floating-point operations of one clip, forward, counted without doing them."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from motifdb.training.encoders.recipes import WINDOW_COLUMNS
    from motifdb.training.models import build_model

    rows, columns = recipe.front_end.n_rows, recipe.front_end.pad_to or WINDOW_COLUMNS
    with torch.device("meta"):
        model = build_model(recipe.model, n_rows=rows, n_classes=recipe.n_dims, **recipe.model_options).eval()
        with FlopCounterMode(display=False) as counter:
            model(torch.zeros(1, rows, columns), torch.full((1,), columns))
    return float(counter.get_total_flops())


def n_parameters(recipe: SiameseRecipe) -> int:
    """Trained numbers of an encoder, without making them."""
    import torch

    from motifdb.training.models import build_model, count_parameters

    with torch.device("meta"):
        model = build_model(
            recipe.model, n_rows=recipe.front_end.n_rows, n_classes=recipe.n_dims, **recipe.model_options
        )
    return count_parameters(model)


def _refuse_long(waiting: Sequence[EncoderPlan], data: PairData, n_folds: float, device: str) -> None:
    from motifdb.training.fitting.network import choose_device

    if choose_device(device).type == "cuda":
        return
    n_clips = [len(data.rows("train", voiced_only=plan.recipe.voiced_only)) for plan in waiting]
    each_s = [expected_cpu_s(plan.recipe, n) for plan, n in zip(waiting, n_clips, strict=True)]
    total_s = float(np.sum(each_s)) * n_folds
    if total_s <= HOUR_S:
        return
    steps = max(plan.recipe.steps(n)[0] for plan, n in zip(waiting, n_clips, strict=True))
    fits = int(steps * HOUR_S / total_s)
    ways = ["--scale small"] if waiting[0].recipe.front_end.pad_to == 256 else []
    ways += [f"--steps {fits}"] if fits else []
    ways += ["--cells with fewer networks", *(["--fold 0"] if n_folds > 1 else [])]
    raise UsageError(
        f"this is {round(len(waiting) * n_folds)} encoders of {each_s[0] / 60:,.0f} min of processor time or so, {total_s / 3600:,.0f} h at"
        f" most; within an hour fits: {', or '.join(ways)}. --long starts it all the same; stopped, it goes on where it was"
    )
