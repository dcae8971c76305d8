"""Recipes: everything that decides what a network learns, apart from the data and the seed.

A `Recipe` names the network, what it hears, how it is augmented and how it is trained. It round-trips through JSON (the
`config` of a run) and TOML (`motifdb train my.toml`); single values are set by dotted name (`front_end.hop_samples=320`).

Where the numbers come from
---------------------------
- ``sid-2020``: batch 64, Adam at 1e-3, patience 2 as printed (sid-2020, section on training). The paper says at most 20
  epochs and then reports a model that needed 27; the authors' code allows 40, and so do we (``max_epochs=20`` is the
  printed word). What early stopping watched is not said; here it is the loss on the part `valid` of the split.
- ``style-2021``: batch 20 and about 40 epochs as printed (style-2021, section on training); no rule for stopping is given,
  so none is applied (``patience=0``) and the epoch with the least validation loss is kept.
- ``...-compact`` and ``...-small`` are ours: networks and clip lengths that a processor trains in minutes.
- ``damp-2018``: Adam at 1e-4, batches of 32, L2 of 1e-6 on all weights, a look at valid every 50 epochs, patience 300, and an
  improvement is a loss below 0.995 of the best one, all as printed (damp-2018, section on training). How many epochs there are
  at most is not said; 1000 here.
- ``...-robust`` are ours, for sources that were not trained on: level and tilt of each clip's mean spectrum removed, mean and
  deviation pooled, weight decay, label smoothing, and few epochs without early stopping.
"""

from __future__ import annotations

import dataclasses
import math
import tomllib
import types
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Self, TypeVar

import tomli_w

from motifdb.errors import NotFoundError, UsageError, nearest
from motifdb.training.inputs.augment import AugmentConfig
from motifdb.training.inputs.front_end_config import FRONT_ENDS, KINDS, FrontEndConfig
from motifdb.training.inputs.waveform import WaveformConfig

T = TypeVar("T")


@dataclass(frozen=True)
class Recipe:
    """How a network is made and trained.

    Attributes
    ----------
    name : of the recipe
    model, model_options : network (`motifdb.training.models.MODELS`) and what differs from its defaults
    front_end : what it hears
    augment : masks over its features, in training only
    enlarged : style-2021's fixed set in the place of `augment`: originals and masked copies, made once, of ``"frequency"``,
        ``"time"``, ``"both"`` or ``"mixed"`` masks (`motifdb.training.inputs.augment.static_plan`); ``"none"``: masks anew at each step
    waveform : random gain, colour and noise of its samples, in training only
    learning_rate : of Adam, > 0
    batch_size : clips in a step, over all workers together
    max_epochs : at most so many passes over the part train
    patience : stop after so many epochs in a row without an improvement of the validation loss; 0: never stop early
    look_every : epochs between looks at the part valid; the best weights are those of the best look
    improvement : a look improves where its loss is below this share of the least one; 1: any smaller loss
    clip_norm : gradients longer than this are shortened to it; 0: never
    weight_decay : decoupled from the gradient, as in AdamW; 0: plain Adam
    l2 : penalty on the sum of squared weights of kernels (tensors of two dimensions or more), through its gradient; 0: none
    label_smoothing : share of the target that is spread over all classes, 0 to 1
    class_weights : ``"none"``, or ``"balanced"``: a clip counts inversely to how frequent its class is in train
    precision : ``"auto"`` (bfloat16 where a GPU has it), ``"float32"`` or ``"bfloat16"``
    max_s : of a longer clip the first so many seconds are used; None: all of it
    bucketed : whether clips of like length share a batch, which saves padding
    compile : whether `torch.compile` is used on the network
    channels_last : whether convolutions keep their channels innermost in memory
    """

    name: str
    model: str
    model_options: dict[str, Any] = field(default_factory=dict)
    front_end: FrontEndConfig = field(default_factory=FrontEndConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    enlarged: Literal["none", "frequency", "time", "both", "mixed"] = "none"
    waveform: WaveformConfig = field(default_factory=WaveformConfig)
    learning_rate: float = 1e-3
    batch_size: int = 64
    max_epochs: int = 40
    patience: int = 2
    clip_norm: float = 5.0
    weight_decay: float = 0.0
    label_smoothing: float = 0.0
    class_weights: Literal["none", "balanced"] = "none"
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    max_s: float | None = None
    bucketed: bool = True
    compile: bool = False
    channels_last: bool = False
    l2: float = 0.0
    look_every: int = 1
    improvement: float = 1.0

    def __post_init__(self) -> None:
        for name in ("learning_rate", "batch_size", "max_epochs", "look_every"):
            _require(name, getattr(self, name), "more than 0", is_fine=getattr(self, name) > 0)
        for name in ("patience", "clip_norm", "weight_decay", "l2"):
            _require(name, getattr(self, name), "0 or more", is_fine=getattr(self, name) >= 0)
        _require("label_smoothing", self.label_smoothing, "0 to 1", is_fine=0 <= self.label_smoothing <= 1)
        _require("improvement", self.improvement, "more than 0, at most 1", is_fine=0 < self.improvement <= 1)
        if self.l2 and self.weight_decay:
            raise UsageError("recipe: l2 and weight_decay both shorten weights; take one of them")
        if self.max_s is not None:
            _require("max_s", self.max_s, "more than 0 s, or none", is_fine=self.max_s > 0)

    def to_dict(self) -> dict[str, Any]:
        """As plain values: what JSON holds. `from_dict` is the inverse.

        Parameters that came later are left out at their default, so that runs stored before have the ids they had.
        """
        plain: dict[str, Any] = _plain(dataclasses.asdict(self))
        for name in _LATER:
            if plain[name] == Recipe.__dataclass_fields__[name].default:
                del plain[name]
        return plain

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], *, where: str = "recipe") -> Self:
        """Read what `to_dict` gives; what is left out takes its default.

        Raises
        ------
        UsageError, NotFoundError
            for a value of another type or out of range, or a parameter that does not exist (with the nearest).
        """
        return _typed(cls, values, where)

    def to_toml(self) -> str:
        """As TOML; None is written as ``"none"``.

        >>> Recipe.from_toml(RECIPES["sid-2020"].to_toml()) == RECIPES["sid-2020"]
        True
        """
        return tomli_w.dumps(_none_as_text(self.to_dict()))

    @classmethod
    def from_toml(cls, text: str, *, where: str = "recipe") -> Self:
        """Read what `to_toml` writes; see `from_dict`."""
        try:
            values = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise UsageError(f"{where} is no TOML: {error}") from None
        return cls.from_dict(values, where=where)

    def assign(self, values: Mapping[str, Any]) -> Self:
        """The recipe with single parameters replaced, by dotted name; its name then says which.

        >>> find_recipe("sid-2020").assign({"front_end.hop_samples": 320}).name
        'sid-2020+front_end.hop_samples=320'

        Raises
        ------
        UsageError, NotFoundError
            as `from_dict`.
        """
        plain = _plain(dataclasses.asdict(self))
        if (kind := values.get("front_end.kind")) in KINDS:  # its rate, window and hop come along
            plain["front_end"] = dataclasses.asdict(self.front_end.of_kind(kind)) | {
                "kind": self.front_end.kind
            }
        changed = []
        for key, value in values.items():
            *parts, last = key.split(".")
            at = plain
            for part in parts:
                inner = at.get(part)
                if not isinstance(inner, dict):
                    raise NotFoundError(
                        f"a recipe has no parameter {key!r}; {nearest(key, _names(_plain(dataclasses.asdict(self))))}"
                    )
                at = inner
            if last not in at and parts != ["model_options"]:
                raise NotFoundError(
                    f"a recipe has no parameter {key!r}; {nearest(key, _names(_plain(dataclasses.asdict(self))))}"
                )
            if key != "name" and at.get(last) != value:
                changed.append(f"{key}={value}")
            at[last] = value
        made = type(self).from_dict(plain)
        return (
            made if "name" in values or not changed else replace(made, name="+".join([self.name, *changed]))
        )


_LATER = ("l2", "look_every", "improvement")


def find_recipe(name: str, others: Iterable[str] = ()) -> Recipe:
    """A recipe by name, or from a TOML file where `name` ends in ``.toml``.

    Parameters
    ----------
    others : names that whoever asks knows beside, for the error's text

    Raises
    ------
    NotFoundError
        for a name that is none, with the nearest and the list.
    UsageError
        for a file that is no recipe.
    """
    if name.endswith(".toml"):
        try:
            text = Path(name).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"{name} cannot be read as a recipe: {error}") from None
        return Recipe.from_toml(text, where=name)
    if name not in RECIPES:
        known = sorted({*RECIPES, *others})
        said = nearest(name, known)
        listed = "" if said.startswith("choose") else f" (recipes: {', '.join(known)})"
        raise NotFoundError(f"there is no recipe {name!r}; {said}{listed}")
    return RECIPES[name]


# -- plain values and back ---------------------------------------------------------------------------------


def _typed(cls: type[T], values: Any, where: str) -> T:
    """A dataclass from plain values, each checked against its annotation."""
    if not isinstance(values, Mapping):
        raise UsageError(f"{where} must be a table of parameters, got {values!r}")
    hints = typing.get_type_hints(cls)
    made: dict[str, Any] = {}
    for key, value in values.items():
        if key not in hints:
            raise NotFoundError(f"{where} has no parameter {key!r}; {nearest(key, hints)}")
        made[key] = _value(hints[key], value, f"{where}: {key}")
    fields = dataclasses.fields(cls)  # type: ignore[arg-type]
    needed = [f.name for f in fields if f.default is f.default_factory is dataclasses.MISSING]
    for name in needed:
        if name not in made:
            raise UsageError(f"{where} lacks {name}")
    return cls(**made)


def _value(hint: Any, value: Any, where: str) -> Any:
    origin, choices = typing.get_origin(hint), typing.get_args(hint)
    if dataclasses.is_dataclass(hint):
        return _typed(typing.cast(type[Any], hint), value, where)
    if origin in (types.UnionType, typing.Union):
        if type(None) in choices and (value is None or value == "none"):
            return None
        return _value(next(c for c in choices if c is not type(None)), value, where)
    if origin is Literal:
        if value not in choices:
            raise UsageError(f"{where} must be one of {', '.join(map(str, choices))}; got {value!r}")
        return value
    if origin is tuple:
        if not isinstance(value, list | tuple):
            raise UsageError(f"{where} must be a list, got {value!r}")
        return tuple(_value(choices[0], v, where) for v in value)
    if origin is dict:
        if not isinstance(value, Mapping):
            raise UsageError(f"{where} must be a table, got {value!r}")
        return _plain(dict(value))
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if not isinstance(value, hint) or (hint is int and isinstance(value, bool)):
        raise UsageError(f"{where} must be {_KINDS.get(hint, hint.__name__)}, got {value!r}")
    if isinstance(value, float) and not math.isfinite(value):
        raise UsageError(f"{where} must be a finite number, got {value}")
    return value


_KINDS = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {k: _plain(v) for k, v in value.items()}
    return [_plain(v) for v in value] if isinstance(value, list | tuple) else value


def _none_as_text(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _none_as_text(v) for k, v in value.items()}
    return "none" if value is None else value


def _names(plain: Mapping[str, Any]) -> list[str]:
    """Dotted names of every parameter."""
    return [
        name
        for key, value in plain.items()
        for name in ([f"{key}.{inner}" for inner in _names(value)] if isinstance(value, dict) else [key])
    ]


def _require(name: str, value: Any, expected: str, *, is_fine: bool) -> None:
    if not is_fine:
        raise UsageError(f"recipe: {name} must be {expected}, got {value}")


# -- the recipes -------------------------------------------------------------------------------------------

_COLUMNS_20_MS = FrontEndConfig(hop_samples=320)
_NO_TILT = replace(_COLUMNS_20_MS, remove_cosines=2)
_ROBUST: dict[str, Any] = {
    "max_epochs": 6,  # a part of the training sources cannot say when to stop for other sources
    "patience": 0,
    "weight_decay": 1e-2,
    "label_smoothing": 0.1,
}

_SID = Recipe("sid-2020", "residual-blstm")
_STYLE = Recipe("style-2021", "res-lstm", batch_size=20, patience=0)
_COMPACT = replace(_SID, name="sid-2020-compact", model="residual-blstm-compact", max_s=0.65)
_SMALL = Recipe(
    "sid-2020-small", "residual-blstm-small", front_end=_COLUMNS_20_MS, max_s=1.28, max_epochs=8, patience=2
)

_DAMP = Recipe(
    "damp-2018",
    "damp-cnn",
    front_end=FRONT_ENDS["damp-mel"],
    learning_rate=1e-4,
    batch_size=32,
    max_epochs=1000,
    patience=300,
    look_every=50,
    improvement=0.995,
    l2=1e-6,
)
_DAMP_SMALL = Recipe(
    "damp-2018-small",
    "damp-cnn-small",
    front_end=replace(FRONT_ENDS["damp-mel"], standardise=True),
    batch_size=32,
    max_epochs=20,
    patience=5,
)

RECIPES: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        _SID,
        _COMPACT,
        _SMALL,
        replace(
            _COMPACT,
            name="sid-2020-compact-robust",
            front_end=FrontEndConfig(remove_cosines=2),
            model_options={"pooling": "mean-std"},
            **_ROBUST,
        ),
        replace(
            _SMALL,
            name="sid-2020-small-robust",
            model_options={"pooling": "mean-std"},
            front_end=_NO_TILT,
            **_ROBUST,
        ),
        replace(_SMALL, name="tdnn-robust", model="tdnn", front_end=_NO_TILT, **_ROBUST),
        _STYLE,
        replace(_STYLE, name="style-2021-compact", model="res-lstm-compact", max_s=2.0),
        _DAMP,
        _DAMP_SMALL,
    )
}
"""Recipes by name."""
