"""The tables as Parquet files, one each, as they are: columns, types, lists, nulls.

A field's metadata say its unit and meaning, a file's metadata what a row is and which commit it was read at. Columns that
SQL does not show (the bytes of kept sound) are not written. Of one recording, motif or family go the rows about it: what it was
made from and what was made from it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

import motifdb
from motifdb.export.files import replacing
from motifdb.schemas import TABLES, TableSpec

if TYPE_CHECKING:
    from motifdb.catalog.store import Snapshot

ENDING = ".parquet"
BATCH_ROWS = 16_384
_BLOCK_BYTES = 1 << 20


@dataclass(frozen=True)
class Written:
    """A file: its table without what is not written, its rows, size, and SHA-256."""

    spec: TableSpec
    path: Path
    n_rows: int
    size_bytes: int
    sha256: str


@dataclass
class Subset:
    """Which rows belong to some recordings or patterns; None in a field is no restriction.

    Attributes
    ----------
    recordings, motifs, families, clips, runs : ids
    everybody : every recording_id there is, to tell coverage of a recording from that of a wider scope
    """

    recordings: set[str] | None = None
    motifs: set[str] | None = None
    families: set[str] | None = None
    clips: set[str] | None = None
    runs: set[str] | None = None
    patterns: set[str] | None = None
    everybody: frozenset[str] = frozenset()

    def of(self, table: pa.Table, name: str) -> pa.Table:
        """The rows of a table that belong to it."""
        if self.recordings is None:
            return table
        if name == "coverage":
            others = self.everybody - self.recordings
            return table.filter(pc.invert(_among(table, "scope_key", others)))
        keep: pa.Array | None = None
        for column, ids in self._columns(name):
            if ids is not None:
                own = _among(table, column, ids)
                keep = own if keep is None else pc.and_(keep, own)
        return table if keep is None else table.filter(keep)

    def _columns(self, name: str) -> list[tuple[str, set[str] | None]]:
        if name == "audio_links":
            return [("recording_a", self.recordings), ("recording_b", self.recordings)]
        known = {
            "recording_id": self.recordings,
            "motif_id": None if name == "clips" else self.motifs,
            "family_id": self.families,
            "clip_id": self.clips,
            "run_id": self.runs,
            "pattern_id": None if name == "motifs" else self.patterns,
        }
        return [(c, known[c]) for c in TABLES[name].names if c in known]


def _among(table: pa.Table, column: str, ids: set[str] | frozenset[str]) -> pa.Array:
    return pc.is_in(table.column(column), pa.array(sorted(ids), pa.string()))


def subset(snapshot: Snapshot, recordings: list[str], pattern: tuple[str, str] | None) -> Subset:
    """The rows about some recordings, and one pattern where that is given as its key's name and its id."""
    everybody = frozenset(_ids(snapshot, "recordings", "recording_id"))
    found = Subset(set(recordings), everybody=everybody)
    if pattern is None:
        found.motifs = _about(snapshot, found, "occurrences", "motif_id")
        found.families = _about(snapshot, found, "family_members", "family_id")
    else:
        found.motifs = {pattern[1]} if pattern[0] == "motif_id" else set()
        found.families = {pattern[1]} if pattern[0] == "family_id" else set()
    if pattern is not None:
        found.patterns = _about(snapshot, found, "motifs", "pattern_id")
    found.clips = _about(snapshot, found, "clips", "clip_id")
    if pattern is not None and pattern[0] == "motif_id":
        cut = snapshot.table("clips", ["clip_id"], f"motif_id = '{pattern[1]}'").column(0)
        found.clips &= set(cut.to_pylist())
    found.runs = _about(snapshot, found, "predictions", "run_id")
    return found


def _ids(snapshot: Snapshot, table: str, column: str) -> set[str]:
    return set(snapshot.table(table, [column]).column(0).to_pylist())


def _about(snapshot: Snapshot, rows: Subset, table: str, column: str) -> set[str]:
    found: set[str] = set()
    for batch in snapshot.batches(table):
        found |= set(rows.of(pa.Table.from_batches([batch]), table).column(column).to_pylist())
    return found


def open_spec(spec: TableSpec) -> TableSpec:
    """A table without the columns that SQL does not show."""
    return replace(spec, columns=tuple(c for c in spec.columns if c.sql))


def write(
    snapshot: Snapshot,
    folder: Path,
    rows: Subset,
    *,
    has_maps: bool = True,
    told: Callable[[int, int], None] | None = None,
) -> Iterator[Written]:
    """Write every table into a folder that is there; give each as it is whole.

    Parameters
    ----------
    has_maps : False writes a map as the text of a JSON object, for readers that know no maps
    told : called with the number of tables that are done and of all
    """
    for number, spec in enumerate(TABLES.values(), 1):
        shown = open_spec(spec) if has_maps else without_maps(open_spec(spec))
        path = folder / (spec.name + ENDING)
        with replacing(path) as temporary:
            n_rows = _write_one(snapshot, shown, rows, temporary)
            digest, size = _sha256(temporary)
        yield Written(shown, path, n_rows, size, digest)
        if told is not None:
            told(number, len(TABLES))


def _write_one(snapshot: Snapshot, spec: TableSpec, rows: Subset, path: Path) -> int:
    import pyarrow.parquet as pq

    about = {
        "motifdb.table": spec.name,
        "motifdb.row": spec.row,
        "motifdb.key": ",".join(spec.key),
        "motifdb.commit": str(snapshot.commit),
        "motifdb.version": motifdb.__version__,
    }
    schema = spec.schema.with_metadata(about)
    n_rows = 0
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for batch in snapshot.batches(spec.name, spec.names, None, BATCH_ROWS):
            kept = rows.of(pa.Table.from_batches([batch]), spec.name)
            n_rows += kept.num_rows
            if kept.num_rows:
                writer.write_table(_as(kept, schema))
    return n_rows


def without_maps(spec: TableSpec) -> TableSpec:
    """A table with text in the place of maps."""
    return replace(
        spec,
        columns=tuple(
            replace(c, type=pa.string(), meaning=f"{c.meaning}; a JSON object of names and values")
            if pa.types.is_map(c.type)
            else c
            for c in spec.columns
        ),
    )


def _as(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """A table with another schema, in which text may stand for a map."""
    columns = []
    for field in schema:
        column = table.column(field.name)
        if pa.types.is_map(column.type) and pa.types.is_string(field.type):
            texts = [
                None if v is None else json.dumps(dict(v), ensure_ascii=False) for v in column.to_pylist()
            ]
            column = pa.chunked_array([pa.array(texts, pa.string())])
        columns.append(column.cast(field.type))
    return pa.Table.from_arrays(columns, schema=schema)


def _sha256(path: Path) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    with open(path, "rb") as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
            size += len(block)
    return digest.hexdigest(), size
