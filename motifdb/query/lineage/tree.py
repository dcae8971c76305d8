"""A lineage as a tree of what made what, told as indented lines for people and as plain values for programs."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from html import escape
from typing import Any

WIDTH = 100
MOST_SHOWN = 8
"""Things of one kind that lines for people show under one other; the rest is counted."""

_UNITS = {"_s": " s", "_hz": " Hz", "_bytes": " bytes", "_cents": " cents"}


@dataclass(frozen=True)
class Node:
    """One thing in a lineage, over what it was made from.

    Attributes
    ----------
    kind : motif, family, clip, run, encoder, vector, analysis, commit, recording, file, done, metrics or baseline
    id : its key; a commit's number, a file's path
    name : for people
    facts : what else is known, plain values by name; names end in their unit
    parameters : of an analysis or a run, every one
    defaults : what `parameters` would be if nobody had chosen; None where that is not known
    sources : what it was made from
    """

    kind: str
    id: str
    name: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    parameters: Mapping[str, Any] | None = None
    defaults: Mapping[str, Any] | None = None
    sources: Sequence[Node] = ()

    @property
    def chosen(self) -> dict[str, Any]:
        """The parameters that differ from their defaults; all where defaults are not known."""
        values = flat(self.parameters or {})
        if self.defaults is None:
            return values
        plain = flat(self.defaults)
        return {k: v for k, v in values.items() if k not in plain or plain[k] != v}

    def to_json(self) -> dict[str, Any]:
        """As plain values, sources inside."""
        told: dict[str, Any] = {"kind": self.kind, "id": self.id, "name": self.name}
        told |= {k: _plain(v) for k, v in self.facts.items()}
        if self.parameters is not None:
            told |= {"parameters": dict(self.parameters), "chosen": self.chosen}
        if self.sources:
            told["from"] = [source.to_json() for source in self.sources]
        return told


@dataclass(frozen=True, repr=False)
class Lineage:
    """Where one row of a database comes from; `motifdb.query.lineage.lineage` makes it.

    >>> made_by = Node("analysis", "0a1b2c3d", "yin", {"made_by": "motifdb 0.1.0"}, {"hop": 160}, None)
    >>> print(Lineage(Node("recording", "77aa88bb", "a.wav", {"duration_s": 2.5}, sources=(made_by,))))
    recording a.wav (77aa88bb)
    │  duration 2.5 s
    └─ analysis yin (0a1b2c3d)
          made by motifdb 0.1.0
          parameters hop = 160
    """

    root: Node

    def text(self, *, is_whole: bool = False, width: int = WIDTH) -> str:
        """Indented lines for people; with `is_whole` every parameter and every recording."""
        return "\n".join(_Lines(is_whole, width).of(self.root, "", ""))

    def rows(self) -> list[dict[str, Any]]:
        """One row for each thing, top down: depth, kind, id, name, and the rest as JSON."""
        return list(_rows(self.root, 0))

    def to_json(self) -> dict[str, Any]:
        """As plain values: what a thing was made from stands in it under ``from``."""
        return self.root.to_json()

    def __repr__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        return f"<pre>{escape(self.text())}</pre>"


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested parameters by dotted names.

    >>> flat({"a": {"b": 1}, "c": [2]})
    {'a.b': 1, 'c': [2]}
    """
    found: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            found |= flat(value, f"{prefix}{name}.")
        else:
            found[prefix + name] = value
    return found


def _rows(node: Node, depth: int) -> Iterator[dict[str, Any]]:
    told = node.to_json()
    rest = {k: v for k, v in told.items() if k not in ("kind", "id", "name", "from")}
    detail = json.dumps(rest, ensure_ascii=False)
    yield {"depth": depth, "kind": node.kind, "id": node.id, "name": node.name, "detail": detail}
    for source in node.sources:
        yield from _rows(source, depth + 1)


class _Lines:
    """Writes a tree; an analysis that was told already is only named."""

    def __init__(self, is_whole: bool, width: int) -> None:
        self._is_whole = is_whole
        self._width = width
        self._told: set[str] = set()

    def of(self, node: Node, head: str, indent: str) -> Iterator[str]:
        """Lines of a node: its title behind `head`, all else behind `indent`."""
        if node.kind == "analysis" and node.id in self._told:
            yield from self._wrapped(_title(node) + ", as above", head, indent + "   ")
            return
        self._told.add(node.id)
        yield from self._wrapped(_title(node), head, indent + "   ")
        shown, n_left = _shown(node.sources, self._is_whole)
        body = indent + ("│  " if shown else "   ")
        for line in _facts(node, self._is_whole):
            yield from self._wrapped(line, body, body + "  ")
        for i, source in enumerate(shown):
            is_last = i == len(shown) - 1 and not n_left
            fork, rest = ("└─ ", "   ") if is_last else ("├─ ", "│  ")
            yield from self.of(source, indent + fork, indent + rest)
        if n_left:
            yield f"{indent}└─ and {n_left:,} more; --all shows them"

    def _wrapped(self, text: str, head: str, rest: str) -> list[str]:
        return textwrap.wrap(
            text,
            max(self._width, len(rest) + 20),
            initial_indent=head,
            subsequent_indent=rest,
            break_on_hyphens=False,
        )


def _shown(sources: Sequence[Node], is_whole: bool) -> tuple[list[Node], int]:
    """What of the sources is shown, and how many are not."""
    seen: dict[str, int] = {}
    shown = []
    for source in sources:
        seen[source.kind] = seen.get(source.kind, 0) + 1
        if is_whole or seen[source.kind] <= MOST_SHOWN:
            shown.append(source)
    return shown, len(sources) - len(shown)


def _title(node: Node) -> str:
    if node.kind == "commit" and "made_at" in node.facts:
        return f"commit {node.id}: {node.name}, {_value(node.facts['made_at'])}"
    if node.kind in ("file", "commit", "metrics"):
        return f"{node.kind} {node.id}" + (f": {node.name}" if node.name else "")
    return f"{node.kind} {node.name} ({node.id})" if node.name else f"{node.kind} {node.id}"


def _facts(node: Node, is_whole: bool) -> Iterator[str]:
    facts = {} if node.kind == "commit" and "made_at" in node.facts else node.facts  # all in its title
    told = [_fact(k, v) for k, v in facts.items() if v is not None and v != ""]
    line = ""
    for one in told:  # short ones share a line
        if line and len(line) + len(one) > 70:
            yield line
            line = ""
        line = f"{line}, {one}" if line else one
    if line:
        yield line
    if node.parameters is None:
        return
    values = flat(node.parameters) if is_whole else node.chosen
    listed = ", ".join(f"{k} = {_value(v)}" for k, v in values.items())
    n_left = len(flat(node.parameters)) - len(values)
    if listed:
        yield f"parameters {listed}" + (f"; {n_left} more at their defaults" if n_left else "")
    elif n_left:
        yield f"all {n_left} parameters at their defaults"


def _fact(name: str, value: Any) -> str:
    for suffix, unit in _UNITS.items():
        if name.endswith(suffix):
            return f"{name.removesuffix(suffix).replace('_', ' ')} {_value(value)}{unit}"
    return f"{name.replace('_', ' ')} {_value(value)}"


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S} UTC"
    if value is None:
        return "none"
    if isinstance(value, Mapping) and "value" in value:  # a figure with its interval
        if value["value"] is None:
            return "not defined"
        low, high = value.get("low"), value.get("high")
        return f"{value['value']:.3f}" + (f" ({low:.3f} to {high:.3f})" if low is not None else "")
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_value(v) for v in value) + "]"
    return str(value)


def _plain(value: Any) -> Any:
    if not isinstance(value, datetime):
        return value
    return (value if value.tzinfo else value.replace(tzinfo=UTC)).isoformat()
