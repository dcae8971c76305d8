"""Functions that SQL calls like tables: ``select * from motif_search('+1 -2 +1')``.

Each is an entry of `FUNCTIONS`. Its arguments are constants or bound parameters, never columns: the answer is computed
once, in Python, before the statement runs, and the statement reads it as a table. A function gets the session it is asked
through, so it reads the snapshot and nothing else; files are read by whoever binds a parameter, never by SQL.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from motifdb.errors import UsageError
from motifdb.schemas import EMBEDDINGS, Column

if TYPE_CHECKING:
    from motifdb.query.sql import Session

Answering = Callable[["Session", Mapping[str, Any]], pa.Table]


@dataclass(frozen=True)
class Parameter:
    """One parameter: its name, what it means, and the SQL of its default (None: it must be given)."""

    name: str
    meaning: str
    default: str | None = None


@dataclass(frozen=True)
class TableFunction:
    """One function: what a row of its answer is, its parameters, its columns, how it is answered.

    Attributes
    ----------
    parameters : those without default first; SQL gives them by position or, where they have a default, as ``name := value``
    columns : of the answer, which `answer` gives in this order
    answer : called with the session (`Session.snapshot`) and the value of every parameter, as DuckDB hands values to
        Python (str, int, float, list, None, ...); raises `motifdb.errors` with one sentence
    example : a statement that calls it
    """

    name: str
    row: str
    parameters: tuple[Parameter, ...]
    columns: tuple[Column, ...]
    answer: Answering
    example: str = ""

    @property
    def schema(self) -> pa.Schema:
        """Arrow schema of the answer."""
        return pa.schema([pa.field(c.name, c.type) for c in self.columns])

    @property
    def signature(self) -> str:
        """How it is called: ``motif_search(contour, n := 10)``."""
        return f"{self.name}({', '.join(_declared(p) for p in self.parameters)})"


def _declared(parameter: Parameter) -> str:
    return parameter.name if parameter.default is None else f"{parameter.name} := {parameter.default}"


PLACE_COLUMNS = (
    Column("rank", pa.int64(), "-", "1, 2, ...: the nearest first"),
    Column("path", pa.string(), "-", "the recording's first file by name"),
    Column("start_s", pa.float64(), "s", "start of the place in the recording"),
    Column("end_s", pa.float64(), "s", "its end"),
    Column(
        "distance_cents",
        pa.float64(),
        "cents",
        "mean difference along the best warping path; null for a search by symbols",
        nullable=True,
    ),
    Column(
        "distance_edits",
        pa.int64(),
        "symbols",
        "symbols that must be changed, put in or left out; null for a search by pitch",
        nullable=True,
    ),
    Column(
        "transposition_cents",
        pa.float64(),
        "cents",
        "how much higher than the query it sounds; null for a search by symbols",
        nullable=True,
    ),
    Column(
        "tempo_ratio",
        pa.float64(),
        "-",
        "its duration over the query's, rests left out; null for a search by symbols",
        nullable=True,
    ),
    Column("contour", pa.string(), "-", "its symbols; null for a search by pitch", nullable=True),
    Column(
        "is_occurrence",
        pa.bool_(),
        "-",
        "whether the motif that was searched for is known to occur there; null where none was",
        nullable=True,
    ),
    Column("recording_id", pa.string(), "-", "the recording"),
)
"""Columns of a place that was searched for, by pitch or by symbols."""

SOUND_COLUMNS = (
    Column("rank", pa.int64(), "-", "1, 2, ...: the nearest first"),
    Column("path", pa.string(), "-", "the recording's first file by name"),
    EMBEDDINGS.column("start_s"),
    EMBEDDINGS.column("end_s"),
    Column(
        "distance",
        pa.float64(),
        "-",
        "between vectors: 1 minus the cosine of the angle (0 to 2), or the Euclidean one where the analysis says so",
    ),
    Column("contour", pa.string(), "-", "of the motif, where it is a place of one", nullable=True),
    EMBEDDINGS.column("motif_id"),
    EMBEDDINGS.column("clip_id"),
    EMBEDDINGS.column("recording_id"),
    EMBEDDINGS.column("embedding_id"),
)
"""Columns of what was found by sound."""

_SEARCHING = (
    Parameter("n", "places wanted", "10"),
    Parameter(
        "max_distance", "places further away are left out: cents, or edits of a contour; null is all", "null"
    ),
    Parameter("tempo", "'free' (0.7 to 1.4 times as long), 'same', or a range such as '0.5-2'", "'free'"),
    Parameter("once", "at most one place of each recording", "false"),
    Parameter("analysis", "of contours or pitch, by name or beginning of its id; null is the usual", "null"),
)


def _motif_search(session: Session, given: Mapping[str, Any]) -> pa.Table:
    if not isinstance(given["query"], str):
        raise UsageError("motif_search takes a contour such as '+1 -2 +1', or the beginning of a motif's id")
    return _searched(session, given["query"], given)


def _hum_search(session: Session, given: Mapping[str, Any]) -> pa.Table:
    from motifdb.query.search.melody import melody_of

    return _searched(session, melody_of(given["melody"]), given)


def _searched(session: Session, query: Any, given: Mapping[str, Any]) -> pa.Table:
    from motifdb.query.search.api import search
    from motifdb.query.search.melody import tempo_of

    return search(
        session.snapshot,
        query,
        n=10 if given["n"] is None else _fitting(given, "n", (int,), "a whole number"),
        max_distance=None
        if given["max_distance"] is None
        else float(_fitting(given, "max_distance", (int, float, Decimal), "a number")),
        tempo=tempo_of("free" if given["tempo"] is None else str(given["tempo"])),
        once=given["once"] is not None and _fitting(given, "once", (bool,), "true or false"),
        analysis=None if given["analysis"] is None else _fitting(given, "analysis", (str,), "a text"),
    )


def _fitting(given: Mapping[str, Any], name: str, types: tuple[type, ...], what: str) -> Any:
    """The value of a parameter, where it is of a type that it may have."""
    value = given[name]
    if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
        raise UsageError(f"{name} := takes {what}, not {value!r}")
    return value


MOTIF_SEARCH = TableFunction(
    "motif_search",
    "a place where a motif or a contour sounds",
    (
        Parameter("query", "a contour such as '+1 -2 +1', or the beginning of a motif's id"),
        *_SEARCHING,
    ),
    PLACE_COLUMNS,
    _motif_search,
    "select path, start_s, distance_edits from motif_search('+1 -2 +1', n := 5)",
)

HUM_SEARCH = TableFunction(
    "hum_search",
    "a place where a melody sounds",
    (
        Parameter("melody", "a bound parameter: what motifdb sql --bind or motifdb.hum makes of a file"),
        *_SEARCHING,
    ),
    PLACE_COLUMNS,
    _hum_search,
    "select path, start_s, distance_cents from hum_search($q, once := true)",
)


def _sound_search(session: Session, given: Mapping[str, Any]) -> pa.Table:
    from motifdb.query.vectors.search import search_sound

    query: Any = given["query"]
    if isinstance(query, list) and query and all(isinstance(v, (int, float, Decimal)) for v in query):
        import numpy as np

        query = np.asarray([float(v) for v in query], np.float32)
    elif not isinstance(query, str):
        raise UsageError(
            "sound_search takes a motif, a clip or a recording as a text, or a vector: a list of numbers"
        )
    return search_sound(
        session,
        query,
        n=10 if given["n"] is None else _fitting(given, "n", (int,), "a whole number"),
        analysis=None if given["analysis"] is None else _fitting(given, "analysis", (str,), "a text"),
        condition=None if given["among"] is None else _fitting(given, "among", (str,), "a text"),
        exact=given["exact"] is not None and _fitting(given, "exact", (bool,), "true or false"),
        own=given["own"] is not None and _fitting(given, "own", (bool,), "true or false"),
    ).table


SOUND_SEARCH = TableFunction(
    "sound_search",
    "what sounds like a motif, a clip, a recording or a vector",
    (
        Parameter(
            "query",
            "a motif (contour or beginning of its id), a clip (beginning of its id), a recording (path or beginning of its id);"
            " or a vector, as a list of numbers",
        ),
        Parameter("n", "places wanted", "10"),
        Parameter(
            "analysis", "of embeddings, by name or beginning of its id; null is the only one there is", "null"
        ),
        Parameter(
            "among",
            "a condition in SQL that a place must meet, as a text; it is applied before the nearest are taken",
            "null",
        ),
        Parameter("exact", "compare all vectors, whether there is an index or not", "false"),
        Parameter("own", "keep what the query itself is made of", "false"),
    ),
    SOUND_COLUMNS,
    _sound_search,
    "select path, start_s, distance from sound_search('+1 -2 +1', n := 5, among := 'style = ''debla''')",
)

FUNCTIONS: dict[str, TableFunction] = {f.name: f for f in (MOTIF_SEARCH, HUM_SEARCH, SOUND_SEARCH)}
"""Every table function by name."""
