"""The parameters of a run, from what was said on its command line."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from motifdb.config import Config, MiningConfig, assign, mining_preset, parameters, preset
from motifdb.errors import UsageError


def chosen_config(
    preset_name: str, file: Path | None, assignments: Iterable[str], options: Mapping[str, Any]
) -> Config:
    """A preset or a file, then single parameters, then options, the last word being theirs.

    Parameters
    ----------
    assignments : ``KEY=VALUE`` with a TOML value, such as ``contour.epsilon_cents=80``
    options : parameters by dotted name; None where an option was not given

    Raises
    ------
    UsageError, NotFoundError
        for a preset, parameter or value that cannot be.
    """
    given = dict(assignment(a) for a in assignments)
    given |= {key: value for key, value in options.items() if value is not None}
    if "mining.max_gap" in given:
        given["mining.max_gap"] = _max_gap(given["mining.max_gap"])
        if given["mining.max_gap"] != 0:  # occurrences are defined for contiguous motifs only
            given.setdefault("mining.support", "sequences")
    k = given.get("contour.k")
    base = (
        Config.from_file(file)
        if file is not None
        else preset(preset_name, k=k if isinstance(k, int) else None)
    )
    return _named(assign(base, given), base)


def chosen_mining(
    preset_name: str, file: Path | None, assignments: Iterable[str], options: Mapping[str, Any]
) -> tuple[MiningConfig, str]:
    """Mining parameters as `chosen_config` finds them, and a name that tells what differs from the preset.

    Raises
    ------
    UsageError, NotFoundError
        for a preset, parameter or value that cannot be, or a parameter that is not one of mining.
    """
    whole = (
        Config.from_file(file) if file is not None else Config(preset_name, mining=mining_preset(preset_name))
    )
    base = Config(name=whole.name, mining=whole.mining)
    given = dict(assignment(a) for a in assignments)
    for key in given:
        if not key.startswith("mining."):
            raise UsageError(
                f"mine takes the contours that are there: {key} cannot be set, only parameters of mining"
            )
    given |= {key: value for key, value in options.items() if value is not None}
    if "mining.min_support" in given:
        given["mining.min_support"] = _min_support(given["mining.min_support"])
    if "mining.max_gap" in given:
        given["mining.max_gap"] = _max_gap(given["mining.max_gap"])
        if given["mining.max_gap"] != 0:  # occurrences are defined for contiguous motifs only
            given.setdefault("mining.support", "sequences")
    config = assign(base, given).mining
    return config, _name_of(base.name, base.mining, config)


def _name_of(name: str, base: MiningConfig, config: MiningConfig) -> str:
    """What differs from a preset, in words.

    >>> _name_of("default", MiningConfig(), replace(MiningConfig(), scope="singer", min_support=5))
    'default+singer+min_support=5'
    """
    before = parameters(base)
    parts = [config.scope] if config.scope != base.scope else []
    for key, value in parameters(config).items():
        if key == "scope" or value == before.get(key):
            continue
        if key == "max_gap":
            parts.append("any gap" if value is None else f"gap {value}")
        else:
            parts.append(f"{key}={value}")
    return "+".join([name, *parts])


def _min_support(value: Any) -> int | float:
    """A count, or a share as 0.05 or 5%."""
    text = str(value).strip()
    try:
        if text.endswith("%"):
            return float(Fraction(text[:-1]) / 100)
        return int(text) if text.lstrip("+-").isdigit() else float(text)
    except (ValueError, ZeroDivisionError):
        raise UsageError(
            f"min_support must be a count, or a share such as 0.05 or 5%; got {value!r}"
        ) from None


def _named(config: Config, base: Config) -> Config:
    """The configuration under a name that tells what differs from the preset it came from."""
    changed = [
        name
        for part in ("contour", "mining")
        for name, value in parameters(getattr(config, part)).items()
        if value != parameters(getattr(base, part)).get(name) and name != "support"
    ]
    return replace(config, name="+".join([base.name, *changed])) if changed else config


def _max_gap(value: Any) -> int | str:
    if value == "none":
        return "none"
    if not str(value).strip().lstrip("-").isdigit():
        raise UsageError(f"max_gap must be 0, 1, 2, ... or none, got {value!r}")
    return int(value)


def assignment(text: str) -> tuple[str, Any]:
    """``KEY=VALUE`` of a ``--set``: the key, and the value as TOML has it, or as text.

    >>> assignment("contour.epsilon_cents=80"), assignment("model=crnn")
    (('contour.epsilon_cents', 80), ('model', 'crnn'))

    Raises
    ------
    UsageError
        for a text without ``=``.
    """
    key, separator, value = text.partition("=")
    if not separator:
        raise UsageError(f"--set takes KEY=VALUE, such as contour.epsilon_cents=80; got {text!r}")
    try:
        return key.strip(), tomllib.loads(f"x = {value}")["x"]
    except tomllib.TOMLDecodeError:
        return key.strip(), value.strip()
