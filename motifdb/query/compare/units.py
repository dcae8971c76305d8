"""Who is compared: units (recordings, or singers), each with one value of a label.

A label is permuted over units, so units must be what could have had another label. Where every singer has one style, it is
singers: their recordings are alike because they are theirs, and to take them for so many witnesses of a style would call
a singer's habits the style's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from motifdb.errors import NotFoundError, UsageError, nearest

RECORDING = "recording"
LEAST_UNITS = 2
"""Units that a group must have to be compared: of one unit there is no spread."""

Values = Mapping[str, Mapping[str, set[str]]]
"""By label, by recording: the values that its files give."""


@dataclass(frozen=True)
class Units:
    """Who is compared.

    Attributes
    ----------
    by, unit : names of labels; `unit` may be ``"recording"``
    names : of the units, ascending
    groups : values of `by` that units have, ascending
    group : int16, shape (n_units,), index into `groups`
    unit_of : by recording the index of its unit
    tested : indices of the groups that are compared with the rest
    notes : sentences about who was left out, and why
    """

    by: str
    unit: str
    names: list[str]
    groups: list[str]
    group: NDArray[np.int16]
    unit_of: dict[str, int]
    tested: list[int]
    notes: list[str] = field(default_factory=list)

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Units of each group."""
        return np.bincount(self.group, minlength=len(self.groups)).astype(np.int64)


def make_units(
    labels: Values, there: list[str], by: str, a: str | None, b: str | None, unit: str | None
) -> Units:
    """Sort recordings into units and groups.

    Parameters
    ----------
    labels : as `motifdb.query.scopes.label_values` gives them
    there : recordings that have been mined and have phrases
    by : name of the label
    a, b : values of it: each value against the rest, `a` against the rest, or `a` against `b`
    unit : ``"recording"``, the name of a label, or None: singers where each has one value of `by`, else recordings

    Raises
    ------
    NotFoundError
        for a label or a value that is not there.
    UsageError
        for units that have several values, and for too few of them.
    """
    values, notes = _uncontradicted(labels, there, by)
    if a is not None or b is not None:
        values = _only(values, by, a, b)
    chosen, why = _unit(labels, values, by, unit)
    notes += why
    names_of = {r: r for r in values}
    if chosen != RECORDING:
        names_of, left_out = _uncontradicted(labels, list(values), chosen)
        notes += left_out
    given: dict[str, set[str]] = {}
    for recording, name in names_of.items():
        given.setdefault(name, set()).add(values[recording])
    if crossed := sorted(name for name, own in given.items() if len(own) > 1):
        raise UsageError(
            f"labels cannot be permuted over {chosen}s: {crossed[0]!r} has several values of {by}"
            f" ({', '.join(sorted(given[crossed[0]]))}); use --unit recording"
        )
    of_unit = {name: own.pop() for name, own in sorted(given.items())}
    groups = sorted(set(of_unit.values()))
    names = list(of_unit)
    index = {name: i for i, name in enumerate(names)}
    at = {g: i for i, g in enumerate(groups)}
    group = np.array([at[g] for g in of_unit.values()], np.int16)
    units = Units(
        by,
        chosen,
        names,
        groups,
        group,
        {r: index[n] for r, n in names_of.items()},
        _tested(groups, group, chosen, by, a, b, notes),
        notes,
    )
    return units


def _uncontradicted(labels: Values, there: list[str], label: str) -> tuple[dict[str, str], list[str]]:
    """By recording its one value of a label, and sentences about those that have none or several."""
    known = sorted(name for name, own in labels.items() if own)
    if label not in known:
        hint = nearest(label, known) if known else "no file has labels; ingest with --metadata or --pattern"
        raise NotFoundError(f"there is no label {label!r} here; {hint}")
    own = labels[label]
    values = {r: next(iter(own[r])) for r in there if len(own.get(r, ())) == 1}
    n_contradicting = sum(len(own.get(r, ())) > 1 for r in there)
    n_without = len(there) - len(values) - n_contradicting
    notes = []
    if n_without:
        notes.append(f"{_n(n_without, 'recording has', 'recordings have')} no {label} and are left out")
    if n_contradicting:
        notes.append(
            f"{_n(n_contradicting, 'recording is', 'recordings are')} left out, as files contradict each other about the {label}"
        )
    return values, notes


def _only(values: dict[str, str], by: str, a: str | None, b: str | None) -> dict[str, str]:
    """The recordings of A and B, or of A and of all others under one name."""
    there = sorted(set(values.values()))
    for value in (a, b):
        if value is not None and value not in there:
            raise NotFoundError(
                f"no recording that could be compared has the {by} {value!r}; {nearest(value, there)}"
            )
    if a is None or a == b:
        raise UsageError("name two different values to compare, or one, or none for each against the rest")
    if b is not None:
        return {r: v for r, v in values.items() if v in (a, b)}
    return values


def _unit(labels: Values, values: Mapping[str, str], by: str, unit: str | None) -> tuple[str, list[str]]:
    if unit == by:
        raise UsageError(f"--unit {unit}: a {by} has one {by}, so there would be nothing to permute")
    if unit is not None:
        return unit, []
    singers = labels.get("singer", {})
    if by == "singer" or not any(r in singers for r in values):
        return RECORDING, []
    one = {r: next(iter(singers[r])) for r in values if len(singers.get(r, ())) == 1}
    given: dict[str, set[str]] = {}
    for recording, singer in one.items():
        given.setdefault(singer, set()).add(values[recording])
    if len(given) == len(one):
        return RECORDING, []  # nobody sings twice
    if all(len(own) == 1 for own in given.values()) and len(one) == len(values):
        return "singer", [
            f"every singer has one {by}, so labels are permuted over singers (--unit recording permutes them over recordings)"
        ]
    if len(one) < len(values):
        return RECORDING, [
            "not every recording has a singer, so recordings are the units: a singer's habits count as often as there are"
            " recordings of theirs"
        ]
    n = sum(len(own) > 1 for own in given.values())
    return RECORDING, [
        f"{_n(n, 'singer has', 'singers have')} several values of {by}, so recordings are the units: a singer's habits count"
        " as often as there are recordings of theirs"
    ]


def _tested(
    groups: list[str],
    group: NDArray[np.int16],
    unit: str,
    by: str,
    a: str | None,
    b: str | None,
    notes: list[str],
) -> list[int]:
    """Groups to compare with the rest; those of too few units are part of the rest only."""
    sizes = Counter(group.tolist())
    wanted = [i for i, name in enumerate(groups) if a in (None, name)]
    if len(groups) == 2 and a is None:
        wanted = [0]  # the other one would say the same with the other sign
    n_all = len(group)
    for name in (a, b):
        n = sizes[groups.index(name)] if name in groups else 0
        if name is not None and (n < LEAST_UNITS or n_all - n < LEAST_UNITS):
            raise UsageError(
                f"{by} {name!r} has {_n(n, unit, unit + 's')} and the rest {n_all - n}: a comparison over {unit}s needs at"
                f" least {LEAST_UNITS} on each side" + _instead(unit)
            )
    tested = [i for i in wanted if LEAST_UNITS <= sizes[i] <= n_all - LEAST_UNITS]
    if not tested:
        raise UsageError(
            f"no {by} has {LEAST_UNITS} {unit}s with {LEAST_UNITS} others beside them, so there is nothing to compare"
            + _instead(unit)
        )
    if small := len(wanted) - len(tested):
        values = _n(small, f"value of {by} has", f"values of {by} have")
        notes.append(f"{values} fewer than {LEAST_UNITS} {unit}s: part of the rest, not compared")
    return tested


def _instead(unit: str) -> str:
    if unit == RECORDING:
        return ""
    return f"; what is the {unit}'s own cannot be told from it; --unit recording compares all the same"


def _n(n: int, one: str, many: str) -> str:
    return f"{n:,} {one if n == 1 else many}"
