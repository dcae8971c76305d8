"""Functions that SQL calls like tables: ``select * from motif_search('+1 -2 +1')``.

Each is an entry of `FUNCTIONS`. Its arguments are constants or bound parameters, never columns: the answer is computed
once, in Python, before the statement runs, and the statement reads it as a table. A function gets the session it is asked
through, so it reads the snapshot and nothing else; files are read by whoever binds a parameter, never by SQL.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from motifdb.schemas import Column

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


FUNCTIONS: dict[str, TableFunction] = {}
"""Every table function by name."""
