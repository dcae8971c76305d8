"""The parameters of a run, from what was said on its command line."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from motifdb.config import Config, assign, parameters, preset
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
    given = dict(_assignment(a) for a in assignments)
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


def _named(config: Config, base: Config) -> Config:
    """The configuration under a name that tells what differs from the preset it came from."""
    changed = [
        name
        for part in ("contour", "mining")
        for name, value in parameters(getattr(config, part)).items()
        if value != parameters(getattr(base, part))[name] and name != "support"
    ]
    return replace(config, name="+".join([base.name, *changed])) if changed else config


def _max_gap(value: Any) -> int | str:
    if value == "none":
        return "none"
    if not str(value).strip().lstrip("-").isdigit():
        raise UsageError(f"max_gap must be 0, 1, 2, ... or none, got {value!r}")
    return int(value)


def _assignment(text: str) -> tuple[str, Any]:
    key, separator, value = text.partition("=")
    if not separator:
        raise UsageError(f"--set takes KEY=VALUE, such as contour.epsilon_cents=80; got {text!r}")
    try:
        return key.strip(), tomllib.loads(f"x = {value}")["x"]
    except tomllib.TOMLDecodeError:
        return key.strip(), value.strip()
