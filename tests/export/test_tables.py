"""Parquet files as pyarrow reads them, and their Croissant description as mlcroissant does."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from motifdb.errors import UsageError
from motifdb.export import Wanted, export
from motifdb.query.database import Database
from motifdb.schemas import TABLES
from tests.export.corpus import FAMILY
from tests.query.example import RECORDING

Rows = dict[str, list[dict[str, Any]]]


def ids(folder: Path, table: str, column: str) -> list[str]:
    return sorted(pq.read_table(folder / f"{table}.parquet").column(column).to_pylist())


def test_every_table_comes_back_but_for_what_sql_does_not_show(database: Database, tmp_path: Path) -> None:
    done = export(database, "parquet", out=tmp_path / "p")
    assert {p.name for p in done.paths} == {f"{name}.parquet" for name in TABLES}
    for name, spec in TABLES.items():
        read = pq.read_table(tmp_path / "p" / f"{name}.parquet")
        shown = [c.name for c in spec.columns if c.sql]
        assert read.equals(database.snapshot.table(name, shown)), name
        assert read.schema.field(0).metadata[b"meaning"].decode() == spec.columns[0].meaning
    assert "pcm" not in pq.read_schema(tmp_path / "p" / "audio.parquet").names
    assert done.summary().startswith(f"{len(TABLES)} files, ")


def test_of_a_recording_go_the_rows_about_it(database: Database, tmp_path: Path, rows: Rows) -> None:
    export(database, "parquet", Wanted(recording=RECORDING["amina"]), tmp_path)
    amina = RECORDING["amina"]
    for name in (
        "files",
        "recordings",
        "pitch",
        "contours",
        "occurrences",
        "pattern_counts",
        "family_members",
    ):
        true = [r for r in rows[name] if r["recording_id"] == amina]
        assert len(ids(tmp_path, name, "recording_id")) == len(true) > 0, name
    sounding = {o["motif_id"] for o in rows["occurrences"] if o["recording_id"] == amina}
    assert ids(tmp_path, "motifs", "motif_id") == sorted(sounding)
    keys = set(ids(tmp_path, "coverage", "scope_key"))
    assert amina in keys and RECORDING["bela"] not in keys and "all" in keys
    assert ids(tmp_path, "clips", "clip_id") == ids(tmp_path, "runs", "run_id") == []


def test_of_a_motif_and_a_family_go_theirs(database: Database, tmp_path: Path, rows: Rows) -> None:
    motif = next(m for m in rows["motifs"] if m["scope_key"] == RECORDING["bela"])
    export(database, "parquet", Wanted(motif=motif["motif_id"]), tmp_path / "m")
    assert ids(tmp_path / "m", "motifs", "motif_id") == [motif["motif_id"]]
    assert set(ids(tmp_path / "m", "occurrences", "motif_id")) == {motif["motif_id"]}
    assert set(ids(tmp_path / "m", "pattern_counts", "pattern_id")) == {motif["pattern_id"]}
    assert ids(tmp_path / "m", "families", "family_id") == []
    export(database, "parquet", Wanted(family=FAMILY), tmp_path / "f")
    assert ids(tmp_path / "f", "families", "family_id") == [FAMILY]
    assert ids(tmp_path / "f", "occurrences", "motif_id") == []


def test_clips_bring_their_splits_and_runs(database: Database, tmp_path: Path, rows: Rows) -> None:
    export(database, "parquet", Wanted(recording="fatma"), tmp_path)
    (clip,) = ids(tmp_path, "clips", "clip_id")
    assert ids(tmp_path, "splits", "clip_id") == ids(tmp_path, "predictions", "clip_id") == [clip]
    assert ids(tmp_path, "metrics", "run_id") == [r["run_id"] for r in rows["metrics"]]


def test_tables_are_whole(database: Database, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="as they are"):
        export(database, "parquet", Wanted(analysis="gap 0"), tmp_path)
    (tmp_path / "file").write_text("x")
    with pytest.raises(UsageError, match="name a folder"):
        export(database, "parquet", out=tmp_path / "file")


def test_mlcroissant_reads_the_records(database: Database, tmp_path: Path, rows: Rows) -> None:
    mlcroissant = pytest.importorskip("mlcroissant")
    export(database, "croissant", Wanted(recording=RECORDING["amina"]), tmp_path)
    told = json.loads((tmp_path / "croissant.json").read_bytes())
    for file in told["distribution"]:
        content = (tmp_path / file["contentUrl"]).read_bytes()
        assert file["sha256"] == hashlib.sha256(content).hexdigest()
        assert file["contentSize"] == f"{len(content)} B"
    dataset = mlcroissant.Dataset(str(tmp_path / "croissant.json"))
    assert not dataset.metadata.issues.errors
    assert {r.id for r in dataset.metadata.record_sets} == set(TABLES)
    true = {c["phrase_id"]: c for c in rows["contours"] if c["recording_id"] == RECORDING["amina"]}
    read = list(dataset.records("contours"))
    assert len(read) == len(true)
    for record in read:
        row = true[record["contours/phrase_id"].decode()]
        assert list(record["contours/symbols"]) == row["symbols"]
        assert list(record["contours/segment_cents"]) == row["segment_cents"]
        assert record["contours/start_s"] == row["start_s"]
    (file,) = dataset.records("files")
    assert json.loads(file["files/labels"]) == {"city": "Urfa", "decade": "1950s"}
    assert file["files/path"].decode() == 'Ağıt & <"yas">: one.pitch' and file["files/work"] is None
    described = {f.id: f.description for r in dataset.metadata.record_sets for f in r.fields}
    assert described["contours/start_s"] == f"{TABLES['contours'].column('start_s').meaning} (in s)"
