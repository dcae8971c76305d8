"""What is asked of an experiment, and what it answers with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from motifdb.errors import NotFoundError, UsageError, nearest
from motifdb.training.experiments import protocols as pr

if TYPE_CHECKING:
    from motifdb.training.fitting.recipes import Recipe


@dataclass(frozen=True)
class Asked:
    """What the command line said; each experiment takes what is its own."""

    clips: tuple[str, ...] = ()
    analysis: str | None = None
    label: str | None = None
    island: str | None = None
    source: str | None = None
    recipes: tuple[str, ...] = ()
    cells: tuple[str, ...] = ()
    scale: str = "paper"
    subset: int | None = None
    epochs: int | None = None
    seeds: tuple[int, ...] = (0,)
    only_folds: tuple[int, ...] | None = None
    rungs: tuple[str, ...] = ()
    set: tuple[str, ...] = ()
    device: str = "auto"
    engine: str = "inline"
    workers: int | None = None
    ray_address: str | None = None
    is_long_fine: bool = False
    is_by_fold: bool = False
    models: tuple[str, ...] = ()
    steps: int | None = None
    videos: Path | None = None
    weights: Path | None = None
    speaker_weights: Path | None = None

    def found_recipes(self) -> tuple[Recipe, ...]:
        """The recipes that were named, with what --epochs and --set change.

        Raises
        ------
        NotFoundError, UsageError
        """
        from motifdb.training.fitting.recipes import find_recipe
        from motifdb.training.fitting.train_job import require_model

        found = []
        for name in self.recipes:
            changes = self.changes()
            if self.epochs is not None:
                changes["max_epochs"] = self.epochs
            recipe = find_recipe(name).assign(changes)
            require_model(recipe)
            found.append(recipe)
        return tuple(found)

    def changes(self) -> dict[str, Any]:
        """--set, read."""
        from motifdb.pipelines.settings import assignment

        return dict(assignment(text) for text in self.set)

    def rung_names(self, default: tuple[str, ...]) -> tuple[str, ...]:
        """Rungs by a name or a part of it.

        Raises
        ------
        NotFoundError
        """
        known = (*pr.RUNGS, pr.NAMES)
        found = []
        for text in self.rungs:
            own = [r for r in known if r == text] or [r for r in known if text.lower() in r]
            if len(own) != 1:
                raise NotFoundError(f"there is no rung {text!r}; {nearest(text, known)}")
            found += own
        return tuple(r for r in known if r in found) if found else default


@dataclass
class Answer:
    """A table for people, its long form for programs, what must be known to read it, and how to draw it."""

    rows: Sequence[dict[str, Any]]
    long: Sequence[dict[str, Any]]
    notes: Sequence[str]
    n_failed: int = 0
    picture: Callable[[Path], None] | None = field(default=None, repr=False)

    def draw(self, path: Path) -> None:
        """Write a picture.

        Raises
        ------
        UsageError
            for an experiment that has none.
        """
        if self.picture is None:
            raise UsageError("this experiment has no picture; name a csv, json or Markdown file with -o")
        self.picture(path)
