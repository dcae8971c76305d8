"""Every parameter of the search for melodic variants, in one object with one default set."""

from __future__ import annotations

import dataclasses
import math
import tomllib
import typing
from dataclasses import dataclass
from typing import Any

import tomli_w

from motifdb.errors import UsageError, nearest


@dataclass(frozen=True)
class FamiliesConfig:
    """Which stretches of singing are variants of one melody; `docs/families.md` says how each step uses these.

    Attributes
    ----------
    frame_s : the pitch is the median of frames of this length
    max_gap_s : an unvoiced gap of at most this is bridged by a straight line in cents
    min_rest_s : an unvoiced gap of at least this may begin or end a stretch
    min_duration_s, max_duration_s : of a stretch
    max_inner_rest_s : a stretch with a longer rest inside is no seed
    step_s : places are tried at starts this far apart
    band : how far an alignment may leave the straight line, as a share of the longer stretch
    cap_cents : largest cost of a frame; also the cost of a rest against a note
    noise_quantile : a seed's noise is this quantile of its distances to places all over the scope, or 0.4 of their median
        where that is more
    threshold : a variant's distance is at most this share of its seed's noise; see `threshold_cents`
    threshold_cents : the largest distance outright; 0 takes `threshold` times the noise
    max_transposition_cents : variants may be sung higher or lower by up to this; 0 is off
    min_boundary : a stretch whose places begin and end at boundaries less sure than this, with the metre and without, is
        no phrase; only where a recording has a clear metre and `metre` is more than 0, and not for candidates
    metre : how much boundaries are judged by rests that come back with the metre, 0 to 1; the rest by rests alone
    slack_s : ends of stretches that contain each other may differ by this
    min_members : families with fewer are left out
    max_overlap : places that share more than this of both durations are one place; the stronger family has it
    """

    frame_s: float = 0.05
    max_gap_s: float = 0.15
    min_rest_s: float = 0.05
    min_duration_s: float = 2.0
    max_duration_s: float = 6.0
    max_inner_rest_s: float = 1.0
    step_s: float = 0.05
    band: float = 0.02
    cap_cents: int = 200
    noise_quantile: float = 0.03
    threshold: float = 0.6
    threshold_cents: float = 0.0
    max_transposition_cents: float = 0.0
    metre: float = 0.75
    min_boundary: float = 0.75
    slack_s: float = 1.0
    min_members: int = 2
    max_overlap: float = 0.85

    def __post_init__(self) -> None:
        for name, hint in typing.get_type_hints(type(self)).items():
            value = getattr(self, name)
            if hint is float:
                if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
                    raise UsageError(f"families.{name} must be a finite number, got {value!r}")
                object.__setattr__(self, name, float(value) + 0.0)
            elif isinstance(value, bool) or not isinstance(value, int):
                raise UsageError(f"families.{name} must be a whole number, got {value!r}")
        for name in ("frame_s", "step_s", "min_duration_s", "threshold", "cap_cents"):
            if not getattr(self, name) > 0:
                raise UsageError(f"families.{name} must be more than 0, got {getattr(self, name)}")
        for name in (
            "max_gap_s",
            "min_rest_s",
            "max_inner_rest_s",
            "threshold_cents",
            "max_transposition_cents",
            "slack_s",
        ):
            if not getattr(self, name) >= 0:
                raise UsageError(f"families.{name} must be at least 0, got {getattr(self, name)}")
        for name in ("band", "max_overlap", "metre", "min_boundary", "noise_quantile"):
            if not 0 <= getattr(self, name) <= 1:
                raise UsageError(f"families.{name} must be 0 to 1, got {getattr(self, name)}")
        if not self.max_duration_s >= self.min_duration_s:
            raise UsageError(
                f"families.max_duration_s must be at least min_duration_s = {self.min_duration_s:g} seconds,"
                f" got {self.max_duration_s:g}"
            )
        if self.min_duration_s < 2 * self.frame_s or self.step_s < self.frame_s:
            raise UsageError(
                f"families.frame_s = {self.frame_s:g} is too long for min_duration_s = {self.min_duration_s:g} or"
                f" step_s = {self.step_s:g}: a stretch needs two frames, a step one"
            )
        if self.min_members < 2:
            raise UsageError(f"families.min_members must be at least 2, got {self.min_members}")

    def parameters(self) -> dict[str, Any]:
        """As plain values, for the JSON in `analyses` and for hashing."""
        return dataclasses.asdict(self)

    @classmethod
    def from_parameters(cls, values: dict[str, Any]) -> FamiliesConfig:
        """The inverse of `parameters`; names left out take their defaults.

        Raises
        ------
        UsageError
            for an unknown name, with the nearest valid one, or a value that cannot be.
        """
        names = [f.name for f in dataclasses.fields(cls)]
        for name in values:
            if name not in names:
                raise UsageError(f"there is no parameter families.{name}; {nearest(name, names)}")
        return cls(**values)

    def to_toml(self) -> str:
        """As TOML."""
        return tomli_w.dumps(self.parameters())

    @classmethod
    def from_toml(cls, text: str, *, where: str = "configuration") -> FamiliesConfig:
        """Read what `to_toml` writes; keys left out take their defaults.

        Raises
        ------
        UsageError
            for text that is no TOML, an unknown key or a value that cannot be.
        """
        try:
            values = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise UsageError(f"{where} is no TOML: {error}") from None
        return cls.from_parameters(values)
