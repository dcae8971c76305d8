"""Tables and views as views of one DuckDB connection, made when a statement first names them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from motifdb.errors import DatabaseError
from motifdb.query.macros import MACROS
from motifdb.query.relations import duckdb_type, relations
from motifdb.query.views import ViewSpec
from motifdb.schemas import TableSpec

if TYPE_CHECKING:
    import duckdb

    from motifdb.catalog.store import Snapshot
    from motifdb.query.limits import StoredTable
    from motifdb.query.wall import Statement


class Maker:
    """Makes tables, views and macros in a connection, each once.

    Parameters
    ----------
    connection : where
    snapshot : whose tables; None has none
    copies : tables and views that stand in attached databases, and their full names there
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        snapshot: Snapshot | None,
        copies: Mapping[str, str] | None = None,
    ) -> None:
        self._connection = connection
        self._snapshot = snapshot
        self._copies = copies or {}
        self._made: set[str] = set()
        self._scanned: dict[str, StoredTable] = {}

    def prepare(self, statement: Statement) -> None:
        """Make all that a statement names."""
        self.prepare_macros(statement)
        for name in relations() if statement.is_catalog else statement.names:
            self.make(name)
        for stored in self._scanned.values():
            stored.limit = None
        only = self._scanned.get(statement.names[0]) if len(statement.names) == 1 else None
        if only is not None:
            from motifdb.query.limits import most_rows

            only.limit = most_rows(self._connection, statement)

    def prepare_macros(self, statement: Statement) -> None:
        """Make the macros that a statement names, which may stand in arguments of table functions too."""
        for name in sorted(statement.macros - self._made):
            self._connection.execute(MACROS[name].statement)
            self._made.add(name)

    def make(self, name: str) -> None:
        """Create the view `name`, what it needs first."""
        if name in self._made:
            return
        spec = relations()[name]
        self._connection.execute(f"create view {name} as {self.body(name)}")
        self._connection.execute(f"comment on view {name} is {_quoted('one row is ' + spec.row)}")
        for column in spec.columns:
            unit = "" if column.unit == "-" else f" [{column.unit}]"
            self._connection.execute(
                f'comment on column {name}."{column.name}" is {_quoted(column.meaning + unit)}'
            )
        self._made.add(name)

    def body(self, name: str) -> str:
        """SQL that gives the rows of a table or view; what it needs is made."""
        if name in self._copies:
            return f"select * from {self._copies[name]}"
        spec = relations()[name]
        if not isinstance(spec, ViewSpec):
            return self._stored(spec)
        for needed in spec.needs:
            self.make(needed)
        return spec.sql

    def _stored(self, spec: TableSpec) -> str:
        """SQL that reads the stored table; columns and tables an older format lacks come as NULL and empty."""
        from motifdb.query.limits import StoredTable

        if self._snapshot is None:
            raise DatabaseError(f"no database is open, so there is no table {spec.name}")
        present: set[str] = set()
        if spec.name in self._snapshot.versions:
            dataset = self._snapshot.dataset(spec.name)
            present = set(dataset.schema.names)
            self._scanned[spec.name] = StoredTable(dataset)
            self._connection.register(f"_{spec.name}", self._scanned[spec.name])
        columns = ", ".join(
            f'"{c.name}"' if c.name in present else f'cast(null as {duckdb_type(c.type)}) as "{c.name}"'
            for c in spec.columns
        )
        return f"select {columns} " + (f"from _{spec.name}" if present else "where false")


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
