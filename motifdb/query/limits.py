"""LIMIT down to the stored files, which DuckDB does not take there itself.

DuckDB hands column selection and filters to an Arrow scan, but reads on after a LIMIT is met, as far as the storage reads
ahead: ten rows of ten million cost a hundred megabytes. Where a statement is nothing but columns of one table and a LIMIT,
the first rows are all it needs, and the scan is told so; with a condition the first rows that pass, if the plan says
that the scan itself applies all of it.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pyarrow.dataset as pds

if TYPE_CHECKING:
    import duckdb
    import lance
    import pyarrow as pa

    from motifdb.query.wall import Statement


class StoredTable(pds.Dataset):  # type: ignore[misc]
    """A stored table as DuckDB scans it; `limit` rows at most while that is set."""

    def __init__(self, stored: lance.LanceDataset) -> None:
        self._stored = stored
        self.limit: int | None = None

    @property
    def schema(self) -> pa.Schema:
        """Arrow schema of the table."""
        return self._stored.schema

    def scanner(self, columns: list[str] | None = None, filter: Any = None, **options: Any) -> Any:
        """A scan of some columns of the rows that pass a filter, in stored order."""
        if self.limit is not None:
            options["limit"] = self.limit
        return self._stored.scanner(columns=columns, filter=filter, **options)


_PASSES_ON = {"LIMIT", "STREAMING_LIMIT", "PROJECTION", "PYTHON_ARROW_SCAN"}
"""Steps of a plan that leave it to the scan which rows there are."""


def most_rows(connection: duckdb.DuckDBPyConnection, statement: Statement) -> int | None:
    """How many rows a scan of the statement's one table must give at most; None is all."""
    if statement.first_rows is None or not statement.is_filtered:
        return statement.first_rows
    import duckdb

    try:
        rows = connection.execute(f"explain (format json) {statement.text}").fetchall()
    except duckdb.Error:  # a mistake, told when it is run; or parameters, whose values the plan would need
        return None
    steps = list(json.loads(rows[0][1]))
    while steps:
        step = steps.pop()
        if step["name"].strip() not in _PASSES_ON:
            return None
        steps += step["children"]
    return statement.first_rows
