"""What a search answers with: one table for every kind of query, documented once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from motifdb.query.search.pitch import Place
from motifdb.schemas import Column

if TYPE_CHECKING:
    from motifdb.catalog.snapshot import Snapshot

COLUMNS = (
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
"""Columns of the answer."""


def table(rows: Sequence[dict[str, Any]]) -> pa.Table:
    """Rows as a table of `COLUMNS`; what a row lacks is null."""
    schema = pa.schema([pa.field(c.name, c.type) for c in COLUMNS])
    return pa.Table.from_pylist([{c.name: row.get(c.name) for c in COLUMNS} for row in rows], schema)


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
