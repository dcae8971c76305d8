"""How a table is declared: once, with a unit and a meaning for every column."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa


@dataclass(frozen=True)
class Column:
    """One column: Arrow type, unit (``"-"`` where it has none), meaning, and the format version it came with.

    `sql` is False for what stays behind the SQL wall: bytes that no question is about.
    """

    name: str
    type: pa.DataType
    unit: str
    meaning: str
    nullable: bool = False
    since: int = 1
    sql: bool = True


@dataclass(frozen=True)
class TableSpec:
    """One table: what a row is, its key columns, its columns, and the format version it came with.

    `volatile` names the columns that may differ between two runs over the same input (clocks, commit numbers,
    where a folder stands); `motifdb check --fingerprint` leaves them out.
    """

    name: str
    row: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    volatile: tuple[str, ...] = ()
    since: int = 1

    @property
    def schema(self) -> pa.Schema:
        """The Arrow schema, with unit and meaning in each field's metadata."""
        return pa.schema(
            [
                pa.field(c.name, c.type, c.nullable, metadata={"unit": c.unit, "meaning": c.meaning})
                for c in self.columns
            ]
        )

    @property
    def names(self) -> tuple[str, ...]:
        """Column names in order."""
        return tuple(c.name for c in self.columns)

    def column(self, name: str) -> Column:
        """The column called `name`; KeyError where there is none."""
        for c in self.columns:
            if c.name == name:
                return c
        raise KeyError(f"{self.name} has no column {name!r}")

    def empty(self) -> pa.Table:
        """A table of this schema with no rows."""
        return self.schema.empty_table()

    def table(self, rows: Sequence[dict[str, object]]) -> pa.Table:
        """Rows as an Arrow table of this schema."""
        return pa.Table.from_pylist(list(rows), schema=self.schema)

    def checked(self, table: pa.Table, *, where: str) -> pa.Table:
        """`table` with exactly this schema, or a TypeError that names the place, the fact and the expectation.

        Raises
        ------
        TypeError
            where a column is missing, has another type, or holds a null it must not hold.
        """
        arrays = []
        for c in self.columns:
            if c.name not in table.schema.names:
                raise TypeError(f"{where}: {self.name}.{c.name}: expected {c.type}, got nothing")
            array = table.column(c.name)
            if array.type != c.type:
                raise TypeError(f"{where}: {self.name}.{c.name}: expected {c.type}, got {array.type}")
            if not c.nullable and array.null_count:
                raise TypeError(f"{where}: {self.name}.{c.name}: {array.null_count} nulls where none may be")
            arrays.append(array)
        return pa.Table.from_arrays(arrays, schema=self.schema)
