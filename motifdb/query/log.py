"""The commit log as a table for people and programs."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

_SCHEMA = pa.schema(
    [
        ("commit", pa.int64()),
        ("made_at", pa.timestamp("s")),
        ("rows_added", pa.int64()),
        ("rows_removed", pa.int64()),
        ("tables", pa.string()),
        ("message", pa.string()),
    ]
)


def log_table(path: Path, n: int) -> pa.Table:
    """The newest `n` commits, newest first: when (UTC), what changed in which tables, and why."""
    from itertools import islice

    from motifdb.catalog.store import log

    rows = []
    for record in islice(log(path), n):
        rows.append(
            {
                "commit": record.number,
                "made_at": record.created_at.replace(tzinfo=None, microsecond=0),
                "rows_added": sum(added for added, _ in record.delta.values()),
                "rows_removed": sum(removed for _, removed in record.delta.values()),
                "tables": ", ".join(record.delta),
                "message": record.message,
            }
        )
    return pa.Table.from_pylist(rows, schema=_SCHEMA)
