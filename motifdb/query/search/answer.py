"""What a search answers with: one table for every kind of query, documented once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from motifdb.query.table_functions import PLACE_COLUMNS

if TYPE_CHECKING:
    from motifdb.catalog.snapshot import Snapshot
    from motifdb.query.search.pitch import Place


def table(rows: Sequence[dict[str, Any]]) -> pa.Table:
    """Rows as a table of `PLACE_COLUMNS`; what a row lacks is null."""
    schema = pa.schema([pa.field(c.name, c.type) for c in PLACE_COLUMNS])
    return pa.Table.from_pylist([{c.name: row.get(c.name) for c in PLACE_COLUMNS} for row in rows], schema)


def of_places(snapshot: Snapshot, found: Sequence[Place]) -> list[dict[str, Any]]:
    """Rows of places found by pitch."""
    paths = paths_of(snapshot, {p.recording_id for p in found})
    return [
        {
            "rank": p.rank,
            "path": paths.get(p.recording_id, p.recording_id[:8]),
            "start_s": round(p.start_s, 6),
            "end_s": round(p.end_s, 6),
            "distance_cents": round(p.distance_cents, 3),
            "transposition_cents": p.transposition_cents,
            "tempo_ratio": round(p.tempo_ratio, 4),
            "recording_id": p.recording_id,
        }
        for p in found
    ]


def paths_of(snapshot: Snapshot, recording_ids: set[str]) -> dict[str, str]:
    """The first path by name of each recording."""
    if not recording_ids:
        return {}
    listed = ", ".join(f"'{id_}'" for id_ in sorted(recording_ids))
    rows = snapshot.table("files", ["recording_id", "path"], f"recording_id in ({listed})").to_pylist()
    paths: dict[str, str] = {}
    for row in rows:
        known = paths.get(row["recording_id"])
        paths[row["recording_id"]] = row["path"] if known is None else min(known, row["path"])
    return paths
