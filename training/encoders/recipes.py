"""Recipes of encoders that learn from pairs of clips.

Where the numbers come from
---------------------------
- ``siamese-2018``: ResNeXt with 128 channels and one block, attention, 16 numbers; batches of 32 pairs, Adam at 1e-4, dropout 0.1, L2 of 1e-6,
  margin 1, a look at valid every 50 epochs and patience of 1000, as printed. An improvement is a loss below 0.995 of the best (damp-2018; not
  said here). Batch normalisation is before each activation here, and after it in damp-2018. What an epoch of *pairs* is, is not said:
  as many steps as it takes to hear as many clips as the part train has. How many there are at most is not said either; 5000 here.
- ``siamese-2018-small`` is ours: 8 channels, a block of 32, FC-128, columns of 46 ms, 200 steps; minutes on a processor.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from motifdb.errors import NotFoundError, UsageError, nearest
from motifdb.training.fitting.recipes import Recipe
from motifdb.training.inputs.front_end_config import FrontEndConfig

WINDOW_COLUMNS, HOP_COLUMNS = 256, 51
"""What a network reads, and from one chopped sample to the next: "20 % hop size" read as an overlap of 80 %."""
COLUMN_S = 512 / 22_050
WINDOW_S, HOP_S = 5.933, 1.1842
"""The same in seconds, for `motifdb clips --kind window`: half a column less than 256, so that rounding adds none."""


@dataclass(frozen=True)
class SiameseRecipe(Recipe):
    """How an encoder is made and trained on pairs; what a `Recipe` says of batches is said of pairs.

    Attributes
    ----------
    n_dims : numbers in a vector
    margin : squared distance beyond which pairs of different singers cost nothing
    literal : draw "same" pairs as printed, also within a recording
    voiced_only : leave out clips in which no more than half of the frames are voiced
    relative : hear decibels relative to the loudest moment of the recording; only front ends in decibels do
    max_steps : at most so many steps; None: `max_epochs` says
    n_judged : pairs of valid, and of test, that the encoder is judged by
    """

    n_dims: int = 16
    margin: float = 1.0
    literal: bool = False
    voiced_only: bool = True
    relative: bool = True
    max_steps: int | None = None
    n_judged: int = 1000

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("n_dims", "margin", "n_judged"):
            if not getattr(self, name) > 0:
                raise UsageError(f"recipe: {name} must be more than 0, got {getattr(self, name)}")
        if self.max_steps is not None and self.max_steps < 1:
            raise UsageError(f"recipe: max_steps must be 1 or more, or none, got {self.max_steps}")
        without = Recipe.__dataclass_fields__
        for name in ("enlarged", "label_smoothing", "class_weights", "weight_decay"):
            if getattr(self, name) != without[name].default:
                raise UsageError(f"recipe: {name} says nothing of pairs; leave it out")

    def steps(self, n_clips: int) -> tuple[int, int, int]:
        """Steps at most, steps between looks, and looks of patience, where the part train has `n_clips`.

        >>> SiameseRecipe("a", "damp-resnext", max_epochs=10, look_every=5, patience=20, batch_size=32).steps(640)
        (100, 50, 4)
        """
        per_epoch = max(1, -(-n_clips // (2 * self.batch_size)))
        at_most = self.max_epochs * per_epoch
        if self.max_steps is not None:
            at_most = min(at_most, self.max_steps)
        looks = -(-self.patience // self.look_every)
        return at_most, min(self.look_every * per_epoch, at_most), looks


def find_siamese_recipe(name: str) -> SiameseRecipe:
    """A recipe for pairs by name, or from a TOML file where `name` ends in ``.toml``.

    Raises
    ------
    NotFoundError
        for a name that is none, with the nearest.
    UsageError
        for a file that is no such recipe.
    """
    if name.endswith(".toml"):
        try:
            text = Path(name).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"{name} cannot be read as a recipe: {error}") from None
        return SiameseRecipe.from_toml(text, where=name)
    if name not in SIAMESE_RECIPES:
        raise NotFoundError(f"there is no recipe {name!r} for pairs; {nearest(name, SIAMESE_RECIPES)}")
    return SIAMESE_RECIPES[name]


def with_network(recipe: SiameseRecipe, model: str, front_end: str, **model_options: Any) -> SiameseRecipe:
    """The recipe with another network and kind of front end; its name stays, whoever asks names the cell."""
    return replace(
        recipe,
        model=model,
        front_end=recipe.front_end.of_kind(front_end),
        model_options={**recipe.model_options, **model_options},
    )


_PRINTED = SiameseRecipe(
    "siamese-2018",
    "damp-resnext",
    model_options={"first": 128, "channels": 128, "aggregation": "attention", "norm": "before"},
    front_end=FrontEndConfig("mel-db", pad_to=WINDOW_COLUMNS),
    learning_rate=1e-4,
    batch_size=32,
    max_epochs=5000,
    patience=1000,
    look_every=50,
    improvement=0.995,
    l2=1e-6,
    clip_norm=0.0,
)

SIAMESE_RECIPES: dict[str, SiameseRecipe] = {
    recipe.name: recipe
    for recipe in (
        _PRINTED,
        replace(
            _PRINTED,
            name="siamese-2018-small",
            model="damp-resnext-small",
            model_options={"aggregation": "attention", "norm": "before", "columns": 128},
            front_end=FrontEndConfig("mel-db", hop_samples=1024, pad_to=128),
            learning_rate=1e-3,
            max_epochs=60,
            patience=20,
            look_every=2,
            max_steps=200,
            n_judged=300,
        ),
    )
}
"""Recipes for pairs by name."""
