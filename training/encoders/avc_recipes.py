"""Recipes of encoders that learn from videos whether sound and picture belong together.

Where the numbers come from
---------------------------
- ``l3-2019``: mel256, 48 kHz, towers of 64 to 512 channels, batches of 64, Adam at 1e-5, L2 of 1e-5, 4096 batches an epoch and 300 epochs, as
  printed (1e-4 is the default of the released code, 1e-5 what its job files set). Pairs are drawn as in `SamplingConfig`'s defaults. That is 78.6
  million pairs: `max_steps` is the budget of a run that cannot have as many. `front_end.kind` makes it linear or mel128.
- ``l3-2019-tiny`` is ours, for the generated corpus and a processor: sound at 16 kHz in 32 bands, pictures of 32 pixels, towers of four blocks of one
  convolution, 8 to 64 channels (with three, the last maps do not reach over all bands, and the largest value of a map says little of pitch).
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path

from motifdb.errors import NotFoundError, UsageError, nearest
from motifdb.training.fitting.recipes import Recipe
from motifdb.training.inputs.front_end_config import FrontEndConfig
from motifdb.training.videos.sample import SamplingConfig


@dataclass(frozen=True)
class TowerConfig:
    """The two towers and what joins them (`motifdb.training.models.l3`).

    Attributes
    ----------
    channels : of each block of either tower
    n_convolutions : in each block
    hidden : of the layer that joins them
    is_input_normalised : batch normalisation of the spectrogram; the original L3 had none
    is_released_vision : ReLU before normalisation once in the vision tower, as in the released weights
    momentum : of batch normalisation, the share of a new batch
    """

    channels: tuple[int, ...] = (64, 128, 256, 512)
    n_convolutions: int = 2
    hidden: int = 128
    is_input_normalised: bool = True
    is_released_vision: bool = False
    momentum: float = 0.01


@dataclass(frozen=True)
class AvcRecipe(Recipe):
    """How towers are made and trained on pairs of sound and picture; what a `Recipe` says of clips is said of pairs.

    Attributes
    ----------
    towers, sampling : networks, and how pairs are drawn
    steps_per_epoch : steps between two looks at valid, times `look_every`
    max_steps : the budget: at most so many steps; None: `max_epochs` says
    n_judged : pairs of valid, and of test, that it is judged by
    grid : cells of the embedding, along rows and columns; 4 and 3 give 6144 numbers, 1 and 1 give 512
    """

    model: str = "l3"
    towers: TowerConfig = field(default_factory=TowerConfig)
    sampling: SamplingConfig = field(default_factory=SamplingConfig)
    steps_per_epoch: int = 4096
    max_steps: int | None = None
    n_judged: int = 1000
    grid: tuple[int, ...] = (4, 3)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.model != "l3":
            raise UsageError(
                f"recipe: sound and pictures of videos are learnt by the model l3, not {self.model!r}"
            )
        for name in ("steps_per_epoch", "n_judged"):
            if getattr(self, name) < 1:
                raise UsageError(f"recipe: {name} must be 1 or more, got {getattr(self, name)}")
        if self.max_steps is not None and self.max_steps < 1:
            raise UsageError(f"recipe: max_steps must be 1 or more, or none, got {self.max_steps}")
        if len(self.grid) != 2 or min(self.grid) < 1:
            raise UsageError(f"recipe: grid must be two numbers of 1 or more, got {list(self.grid)}")
        if self.front_end.sample_rate_hz != self.sampling.sample_rate_hz:
            raise UsageError(
                f"recipe: the front end hears {self.front_end.sample_rate_hz:,} Hz and sampling.sample_rate_hz is"
                f" {self.sampling.sample_rate_hz:,}; make them the same"
            )
        if self.front_end.standardise or self.front_end.pad_to is not None:
            raise UsageError(
                "recipe: the tower normalises what comes in, and every sound is a second long: leave front_end.standardise"
                " off and front_end.pad_to out"
            )
        for own in fields(Recipe):
            if own.name in _MEANINGLESS and getattr(self, own.name) != _default(own.name):
                raise UsageError(f"recipe: {own.name} says nothing of videos; leave it out")

    def steps(self) -> tuple[int, int, int]:
        """Steps at most, steps between looks, and looks of patience.

        >>> AVC_RECIPES["l3-2019"].steps()
        (1228800, 4096, 0)
        """
        look_every = self.look_every * self.steps_per_epoch
        at_most = self.max_epochs * self.steps_per_epoch
        if self.max_steps is not None:
            at_most = min(at_most, self.max_steps)
        return at_most, min(look_every, at_most), -(-self.patience // self.look_every)


_MEANINGLESS = (
    "model_options",
    "augment",
    "enlarged",
    "waveform",
    "weight_decay",
    "label_smoothing",
    "class_weights",
    "max_s",
    "bucketed",
)


def _default(name: str) -> object:
    return getattr(Recipe("", ""), name)


def find_avc_recipe(name: str) -> AvcRecipe:
    """A recipe for videos by name, or from a TOML file where `name` ends in ``.toml``.

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
        return AvcRecipe.from_toml(text, where=name)
    if name not in AVC_RECIPES:
        raise NotFoundError(f"there is no recipe {name!r} for videos; {nearest(name, AVC_RECIPES)}")
    return AVC_RECIPES[name]


_PRINTED = AvcRecipe(
    "l3-2019",
    front_end=FrontEndConfig("l3-mel256"),
    learning_rate=1e-5,
    batch_size=64,
    max_epochs=300,
    patience=0,
    clip_norm=0.0,
    l2=1e-5,
    channels_last=True,
    n_judged=2048,
)

_TINY = AvcRecipe(
    "l3-2019-tiny",
    front_end=FrontEndConfig("log-mel", n_bands=32, hop_samples=400, standardise=False),
    towers=TowerConfig(channels=(8, 16, 32, 64), n_convolutions=1, hidden=64, momentum=0.1),
    sampling=SamplingConfig(sample_rate_hz=16_000, shorter_side=36, crop=32),
    learning_rate=2e-3,
    batch_size=32,
    steps_per_epoch=50,
    max_epochs=16,
    patience=0,
    clip_norm=5.0,
    l2=1e-5,
    n_judged=400,
)

AVC_RECIPES: dict[str, AvcRecipe] = {recipe.name: recipe for recipe in (_PRINTED, _TINY)}
"""Recipes for videos by name."""
