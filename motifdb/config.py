"""Every parameter of every stage, in one typed object that round-trips through TOML.

A `Config` is what `motifdb ingest` applies: pitch, contour, mining. Its parts are stored, whole, in the table
`analyses`, and analysis ids are hashes of them. The presets carry the parameters of the papers:

- ``style-2021``: epsilon 66 cents, classes [66, 132, 198] closed on the right, at least 3 occurrences in one
  song, 0.5 s (style-2021, sections II.A and II.B). The paper drops each clip that is shorter; here a motif goes
  when its median occurrence is, and keeps its shorter occurrences otherwise.
- ``sid-2020``: exact univariate k-means over all f0 of the corpus, K not given by the paper and so required
  here; classes [70, 112] closed on the left and at least 5 symbols in 3 phrases of one recording, as in the
  authors' published code (sid-2020, section 2). The paper does not say what a phrase is; that code ends one at
  every unvoiced frame and knows no rule on jumps, and so does the preset.
- ``default``: motifs as a listener hears them, phrases of two seconds and more rather than ornaments: of the
  settings that find every motif planted in the demo corpus, the one nearest to an expert's annotations of two
  Carnatic performances (`benchmarks/presets.py`; docs/decisions/006-default-preset.md).
"""

from __future__ import annotations

import dataclasses
import math
import tomllib
import types
import typing
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal, TypeVar

import tomli_w

from motifdb.errors import NotFoundError, UsageError, nearest

T = TypeVar("T")

_LATER = {"is_later": True}
"""Metadata of a parameter that was added after the first version; see `parameters`."""


@dataclass(frozen=True)
class PitchConfig:
    """How audio becomes f0.

    Attributes
    ----------
    tracker : name in the tracker registry, such as ``"yin"``, ``"swift-f0"``, ``"melodia"``
    channel : ``"mix"``, ``"left"``, ``"right"`` or a channel number from 1, as text
    parameters : what differs from the tracker's own defaults, by name
    """

    tracker: str = "yin"
    channel: str = "mix"
    parameters: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        channel = self.channel.strip().lower()  # one name for each channel, so that one choice has one id
        if channel.isascii() and channel.isdigit():
            channel = {1: "left", 2: "right"}.get(int(channel), str(int(channel)))
        object.__setattr__(self, "channel", channel)


@dataclass(frozen=True)
class ContourConfig:
    """How f0 becomes symbols.

    Parameters that the chosen quantiser does not read go back to their defaults: they change no result, so they
    must not make another analysis.

    Attributes
    ----------
    quantiser : ``"epsilon"`` (greedy range-bounded segments) or ``"kmeans"`` (runs inside one exact cluster)
    epsilon_cents : largest range of a segment; quantiser epsilon
    k : number of clusters; quantiser kmeans
    kmeans_scope : ``"recording"`` or ``"corpus"``: whose cents the clusters are fitted to
    centres_cents : fitted centres, ascending; set by the corpus-scope fit, never by hand
    bounds_cents : ascending bounds of the step classes; n bounds give classes 1..n+1
    bounds_closed : ``"right"``: a step equal to a bound is in the lower class; ``"left"``: in the upper
    max_rest_s : an unvoiced gap of at most this is dropped and its sides joined; a longer one ends the phrase
    max_jump_cents : cut where neighbouring voiced frames differ by more; None keeps every jump
    min_piece_s : pieces between two jumps that are shorter are removed
    min_phrase_s : phrases that are shorter are left out
    median_s : width of a median filter over the voiced frames of a phrase, before quantising; 0 is off
    min_confidence : frames below are taken as unvoiced, where the tracker gives a confidence
    """

    quantiser: Literal["epsilon", "kmeans"] = "epsilon"
    epsilon_cents: float = 66.0
    k: int | None = None
    kmeans_scope: Literal["recording", "corpus"] = "corpus"
    centres_cents: tuple[float, ...] | None = None
    bounds_cents: tuple[float, ...] = (66.0, 132.0, 198.0)
    bounds_closed: Literal["left", "right"] = "right"
    max_rest_s: float = 0.3
    max_jump_cents: float | None = 300.0
    min_piece_s: float = 0.05
    min_phrase_s: float = 0.0
    median_s: float = 0.0
    min_confidence: float = 0.0

    def __post_init__(self) -> None:
        _settle_floats(self, "contour")
        _one_of("contour.quantiser", self.quantiser, ("epsilon", "kmeans"))
        _one_of("contour.kmeans_scope", self.kmeans_scope, ("recording", "corpus"))
        _one_of("contour.bounds_closed", self.bounds_closed, ("left", "right"))
        _above("contour.epsilon_cents", self.epsilon_cents, 0, "cents")
        bounds = tuple(float(b) for b in self.bounds_cents)
        if (
            not bounds
            or not all(0 < b < math.inf for b in bounds)
            or list(bounds) != sorted(set(bounds))
            or len(bounds) > 126
        ):
            raise UsageError(
                f"contour.bounds_cents must be 1 to 126 ascending positive cents, got {list(self.bounds_cents)}"
            )
        object.__setattr__(self, "bounds_cents", bounds)
        if self.centres_cents is not None:
            object.__setattr__(self, "centres_cents", tuple(float(c) for c in self.centres_cents))
        if self.k is not None and not 1 <= self.k <= 1000:
            raise UsageError(f"contour.k must be 1 to 1000 clusters, got {self.k}")
        if self.max_jump_cents is not None:
            _above("contour.max_jump_cents", self.max_jump_cents, 0, "cents")
        for name in ("max_rest_s", "min_piece_s", "min_phrase_s", "median_s"):
            _at_least(f"contour.{name}", getattr(self, name), 0, "seconds")
        if not 0 <= self.min_confidence <= 1:
            raise UsageError(f"contour.min_confidence must be 0 to 1, got {self.min_confidence}")
        if self.quantiser == "kmeans":
            object.__setattr__(self, "epsilon_cents", ContourConfig.epsilon_cents)
        else:
            object.__setattr__(self, "kmeans_scope", ContourConfig.kmeans_scope)
            object.__setattr__(self, "centres_cents", None)

    @property
    def vocabulary(self) -> str:
        """What the symbols mean; two contours with one vocabulary can share patterns.

        The step classes are the whole meaning of a symbol, whichever way the segments were found, except
        that segments of another quantiser are other notes: so its name and width are part of it.
        """
        width = (
            _shortest(self.epsilon_cents) if self.quantiser == "epsilon" else f"{self.k}{self.kmeans_scope}"
        )
        bounds = ",".join(_shortest(b) for b in self.bounds_cents)
        return f"{self.quantiser}:{width}:{bounds}:{self.bounds_closed}:{_shortest(self.median_s)}"


@dataclass(frozen=True)
class MiningConfig:
    """Which patterns are motifs.

    Attributes
    ----------
    max_gap : symbols that may be skipped between two matched ones; None is unlimited
    min_support : least count inside one scope, in the unit that `support` says; a float of at most 1 is a share of the
        scope's phrases or recordings, rounded up
    support : ``"occurrences"`` (max_gap 0 only; overlaps counted), ``"sequences"`` (phrases) or ``"recordings"``
    min_length, max_length : symbols
    min_duration_s, max_duration_s : bounds of the duration of a motif's median occurrence
    max_order : highest order of the Markov null model that BIC may choose
    scope : what is mined together: ``"recording"`` (each on its own), ``"corpus"`` (all), or the name of a label
    conflicts : a recording whose files contradict each other about the scope's label is left out (``"leave-out"``) or
        belongs to each value (``"each"``)
    """

    max_gap: int | None = 0
    min_support: int | float = 3
    support: Literal["occurrences", "sequences", "recordings"] = "occurrences"
    min_length: int = 1
    max_length: int | None = None
    min_duration_s: float = 0.0
    max_order: int = 3
    max_duration_s: float | None = field(default=None, metadata=_LATER)
    scope: str = field(default="recording", metadata=_LATER)
    conflicts: Literal["leave-out", "each"] = field(default="leave-out", metadata=_LATER)

    def __post_init__(self) -> None:
        _settle_floats(self, "mining")
        _one_of("mining.support", self.support, ("occurrences", "sequences", "recordings"))
        _one_of("mining.conflicts", self.conflicts, ("leave-out", "each"))
        if self.max_gap is not None and self.max_gap < 0:
            raise UsageError(
                f"mining.max_gap must be 0 or more symbols, or none for unlimited, got {self.max_gap}"
            )
        if self.support == "occurrences" and self.max_gap != 0:
            raise UsageError(
                "mining.support = 'occurrences' is defined for max_gap 0 only; use support = 'sequences' with a gap"
            )
        self._check_support()
        _at_least("mining.min_length", self.min_length, 1, "symbols")
        if self.max_length is not None and self.max_length < self.min_length:
            raise UsageError(
                f"mining.max_length ({self.max_length}) must be at least min_length ({self.min_length})"
            )
        _at_least("mining.min_duration_s", self.min_duration_s, 0, "seconds")
        if self.max_duration_s is not None and not self.max_duration_s >= self.min_duration_s:
            raise UsageError(
                f"mining.max_duration_s must be at least min_duration_s = {self.min_duration_s:g} seconds,"
                f" got {self.max_duration_s:g}"
            )
        if not 0 <= self.max_order <= 3:
            raise UsageError(f"mining.max_order must be 0 to 3, got {self.max_order}")
        if not self.scope:
            raise UsageError("mining.scope must be recording, corpus or the name of a label")
        if self.scope in ("recording", "corpus"):  # they know no contradiction, so this is no other analysis
            object.__setattr__(self, "conflicts", "leave-out")

    def _check_support(self) -> None:
        if self.scope == "recording" and self.support == "recordings":
            raise UsageError(
                "mining.support = 'recordings' needs a scope of several; inside one recording every support would be 1"
            )
        if not isinstance(self.min_support, float):
            _at_least("mining.min_support", self.min_support, 1, "")
            return
        if not 0 < self.min_support <= 1:
            raise UsageError(
                "mining.min_support must be a whole number of at least 1, or a share above 0 and at most 1.0,"
                f" got {self.min_support}"
            )
        if self.support == "occurrences":
            raise UsageError(
                f"mining.min_support = {self.min_support} is a share of phrases or recordings; occurrences have no total,"
                " so use support = 'sequences' or 'recordings', or a whole number"
            )

    @property
    def is_wide(self) -> bool:
        """Whether several recordings are mined together."""
        return self.scope != "recording"

    def least_support(self, n_sequences: int, n_recordings: int) -> int:
        """The least support in a scope of so many phrases and recordings.

        >>> MiningConfig(support="sequences", min_support=0.1).least_support(45, 3), MiningConfig().least_support(45, 3)
        (5, 3)
        """
        if not isinstance(self.min_support, float):
            return self.min_support
        total = n_recordings if self.support == "recordings" else n_sequences
        # the share that was written, not the binary number next to it: 0.07 of 100 is 7, not 8
        return max(1, math.ceil(Fraction(repr(self.min_support)) * total))


@dataclass(frozen=True)
class Config:
    """Pitch, contour and mining parameters together, with the preset's name.

    >>> config = preset("style-2021")
    >>> Config.from_toml(config.to_toml()) == config
    True
    """

    name: str = "default"
    pitch: PitchConfig = field(default_factory=PitchConfig)
    contour: ContourConfig = field(default_factory=ContourConfig)
    mining: MiningConfig = field(default_factory=MiningConfig)

    def to_toml(self) -> str:
        """As TOML; a value that is None is written as ``"none"``."""
        return tomli_w.dumps(_plain(self))

    @classmethod
    def from_toml(cls, text: str, *, where: str = "configuration") -> Config:
        """Read what `to_toml` writes; keys left out take their defaults.

        Raises
        ------
        UsageError
            for text that is no TOML, an unknown key (with the nearest valid one) or a value of another type.
        """
        try:
            values = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise UsageError(f"{where} is no TOML: {error}") from None
        return _typed(cls, values, where)

    @classmethod
    def from_file(cls, path: str | Path) -> Config:
        """Read a TOML file."""
        try:
            text = Path(path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"{path} cannot be read as a configuration: {error}") from None
        return cls.from_toml(text, where=str(path))


def parameters(part: PitchConfig | ContourConfig | MiningConfig) -> dict[str, Any]:
    """One part as plain values, for the JSON in `analyses` and for hashing.

    Parameters that came with a later version are left out while they have their default: what was mined before them
    keeps its id.
    """
    values = dataclasses.asdict(part)
    for f in dataclasses.fields(part):
        if f.metadata.get("is_later") and values[f.name] == f.default:
            del values[f.name]
    return values


def part_from_parameters(cls: type[T], values: dict[str, Any]) -> T:
    """The inverse of `parameters`; unknown names (of a newer version) are left out."""
    names = {f.name for f in dataclasses.fields(cls)}  # type: ignore[arg-type]
    kept = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items() if k in names}
    return cls(**kept)


def preset_names() -> list[str]:
    """Names of the presets."""
    return list(_PRESETS)


def preset(name: str, *, k: int | None = None) -> Config:
    """A preset by name; ``sid-2020`` needs `k`, as the paper gives none.

    Raises
    ------
    NotFoundError
        for an unknown name.
    UsageError
        for ``sid-2020`` without `k`.
    """
    if name not in _PRESETS:
        raise NotFoundError(f"there is no preset {name!r}; {nearest(name, _PRESETS)}")
    config = _PRESETS[name]
    if config.contour.quantiser == "kmeans":
        if k is None:
            raise UsageError(
                f"preset {name} needs --k, the number of pitch clusters: the paper gives none (try 24, and compare)"
            )
        return replace(config, contour=replace(config.contour, k=k))
    return config if k is None else replace(config, contour=replace(config.contour, k=k))


def mining_preset(name: str) -> MiningConfig:
    """The mining parameters of a preset.

    Raises
    ------
    NotFoundError
        for an unknown name.
    """
    if name not in _PRESETS:
        raise NotFoundError(f"there is no preset {name!r}; {nearest(name, _PRESETS)}")
    return _PRESETS[name].mining


def assign(config: Config, values: dict[str, Any]) -> Config:
    """A configuration with single parameters replaced, by dotted name.

    >>> assign(preset("default"), {"contour.epsilon_cents": 80}).contour.epsilon_cents
    80.0

    Raises
    ------
    NotFoundError
        for an unknown name, with the nearest one.
    UsageError
        for a value that cannot be.
    """
    plain = _plain(config)
    for key, value in values.items():
        part, _, name = key.partition(".")
        valid = [f"{p}.{n}" for p in ("pitch", "contour", "mining") for n in plain[p]]
        if part == "pitch" and name.startswith("parameters."):
            plain["pitch"]["parameters"] = {**plain["pitch"]["parameters"], name.partition(".")[2]: value}
            continue
        if key not in valid:
            raise NotFoundError(f"there is no parameter {key!r}; {nearest(key, valid)}")
        plain[part][name] = value
    changed = _typed(Config, plain, "configuration")
    if changed.contour.quantiser == "kmeans" and changed.contour.k is None:
        raise UsageError("quantiser kmeans needs --k, the number of pitch clusters (try 24, and compare)")
    if changed.contour.quantiser != "kmeans" and changed.contour.k is not None:
        raise UsageError(f"--k is for quantiser kmeans; this configuration uses {changed.contour.quantiser}")
    return changed


def _settle_floats(part: ContourConfig | MiningConfig, where: str) -> None:
    """Make 80 and 80.0, 0.0 and -0.0 one value, so that they are one analysis; refuse what JSON cannot hold."""
    hints = typing.get_type_hints(type(part))
    for name, value in vars(part).items():
        if hints[name] in (float, float | None) and value is not None:
            if not math.isfinite(value):
                raise UsageError(f"{where}.{name} must be a finite number, got {value}")
            object.__setattr__(part, name, float(value) + 0.0)


def _shortest(value: float) -> str:
    """The shortest decimal that is this number and no other: two values never share one."""
    return repr(value).removesuffix(".0")


def _one_of(name: str, value: str, valid: tuple[str, ...]) -> None:
    if value not in valid:
        raise UsageError(f"{name} cannot be {value!r}; {nearest(str(value), valid)}")


def _above(name: str, value: float, low: float, unit: str) -> None:
    if not value > low:
        raise UsageError(f"{name} must be more than {low} {unit}".rstrip() + f", got {value}")


def _at_least(name: str, value: float, low: float, unit: str) -> None:
    if not value >= low:
        raise UsageError(f"{name} must be at least {low} {unit}".rstrip() + f", got {value}")


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(v) for v in value]
    return "none" if value is None else value


def _typed(cls: type[T], values: dict[str, Any], where: str) -> T:
    hints = typing.get_type_hints(cls)
    kept: dict[str, Any] = {}
    for name, value in values.items():
        if name not in hints:
            raise UsageError(f"{where}: unknown key {name!r}; {nearest(name, hints)}")
        kept[name] = _value(hints[name], value, f"{where}: {name}")
    return cls(**kept)


def _value(hint: Any, value: Any, where: str) -> Any:
    origin = typing.get_origin(hint)
    if dataclasses.is_dataclass(hint):
        if not isinstance(value, dict):
            raise UsageError(f"{where}: expected a table, got {value!r}")
        return _typed(typing.cast(type, hint), value, where)
    if origin in (types.UnionType, typing.Union):
        options = [a for a in typing.get_args(hint) if a is not types.NoneType]
        if value == "none" and types.NoneType in typing.get_args(hint):
            return None
        if options == [int, float]:  # 3 and 3.0 are not one: a count and a share
            return _value(float if isinstance(value, float) else int, value, where)
        return _value(options[0], value, where)
    if origin is tuple:
        if not isinstance(value, list):
            raise UsageError(f"{where}: expected a list, got {value!r}")
        return tuple(_value(typing.get_args(hint)[0], v, where) for v in value)
    if origin is typing.Literal:
        return value
    if origin is dict:
        return dict(value)
    if hint is float and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, hint) and not (hint is int and isinstance(value, bool)):
        return value
    raise UsageError(f"{where}: expected {hint.__name__}, got {value!r}")


_PRESETS: dict[str, Config] = {
    "default": Config(
        name="default",
        contour=ContourConfig(epsilon_cents=300.0, bounds_cents=(300.0,), median_s=0.3),
        mining=MiningConfig(min_support=3, support="occurrences", min_length=4, min_duration_s=2.0),
    ),
    "style-2021": Config(
        name="style-2021",
        pitch=PitchConfig(tracker="melodia"),
        contour=ContourConfig(),
        mining=MiningConfig(min_support=3, support="occurrences", min_duration_s=0.5),
    ),
    "sid-2020": Config(
        name="sid-2020",
        pitch=PitchConfig(tracker="melodia"),
        contour=ContourConfig(
            quantiser="kmeans",
            kmeans_scope="corpus",
            bounds_cents=(70.0, 112.0),
            bounds_closed="left",
            max_rest_s=0.0,
            max_jump_cents=None,
            min_piece_s=0.0,
        ),
        mining=MiningConfig(min_support=3, support="sequences", min_length=5),
    ),
}
