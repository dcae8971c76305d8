"""A database of every older format opens, reads as today's, and is migrated by the first writer."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from motifdb.catalog import commits, layout
from motifdb.catalog.checksums import verify_all, verify_log
from motifdb.catalog.store import Changes, log, open_snapshot, open_writer
from motifdb.errors import DatabaseError, NotFoundError
from motifdb.schemas import FORMAT_VERSION, TABLES
from tests.catalog.rows import rows

DATA = Path(__file__).parents[1] / "data"
OLD_FORMATS = range(1, FORMAT_VERSION)


def unpack(version: int, folder: Path) -> tuple[Path, dict[str, list[dict[str, Any]]]]:
    """The frozen database of a format, and the rows it held."""
    with zipfile.ZipFile(DATA / f"format-{version}.zip") as archive:
        archive.extractall(folder)
    return folder / f"format-{version}.motifdb", json.loads((folder / "expected.json").read_text())


def agrees(table: pa.Table, expected: list[dict[str, Any]]) -> bool:
    """Whether the columns that were there hold what they held, and the others null."""
    found = json.loads(json.dumps(table.to_pylist(), default=str))
    return len(found) == len(expected) and all(
        new[name] == old.get(name)
        for new, old in zip(found, expected, strict=True)
        for name in table.column_names
    )


@pytest.mark.parametrize("version", OLD_FORMATS)
def test_an_older_format_reads_as_todays(version: int, tmp_path: Path) -> None:
    path, expected = unpack(version, tmp_path)
    snapshot = open_snapshot(path)
    assert snapshot.format_version == version
    for name, spec in TABLES.items():
        table = snapshot.table(name)
        assert table.schema.equals(spec.schema, check_metadata=True)
        assert agrees(table, expected.get(name, []))
        assert snapshot.count(name) == table.num_rows
        assert snapshot.has(name) == (name in expected)
    assert list(verify_all(path)) == []


@pytest.mark.parametrize("version", OLD_FORMATS)
def test_the_first_writer_migrates(version: int, tmp_path: Path) -> None:
    path, expected = unpack(version, tmp_path)
    old_head = open_snapshot(path).commit
    with open_writer(path) as writer:
        assert writer.snapshot.format_version == FORMAT_VERSION
        assert writer.snapshot.commit == old_head + 1
        assert all(writer.snapshot.missing_columns(t) == () for t in TABLES)
        writer.commit(Changes(append={t: rows(t, [7]) for t in TABLES}), token="new", message="new rows")
    snapshot = open_snapshot(path)
    for name in TABLES:
        assert agrees(snapshot.table(name).slice(0, len(expected.get(name, []))), expected.get(name, []))
        assert snapshot.count(name) == len(expected.get(name, [])) + 1
    assert layout.check_database(path) == FORMAT_VERSION
    assert open_snapshot(path, at=old_head).format_version == version
    assert [r.message for r in log(path)][1] == f"migrate from format {version} to {FORMAT_VERSION}"
    assert list(verify_all(path)) == list(verify_log(path)) == []
    with open_writer(path) as writer:
        assert writer.snapshot.commit == old_head + 2, "a migrated database is not migrated again"


def test_a_table_of_a_later_format_is_missed_in_a_sentence(tmp_path: Path) -> None:
    path, _ = unpack(1, tmp_path)
    with pytest.raises(NotFoundError, match="format 1, which had no table pitch_agreement"):
        open_snapshot(path).dataset("pitch_agreement")


def test_a_column_of_a_later_format_is_null_and_may_be_filtered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from motifdb.schemas import Column, TableSpec

    path, _ = unpack(1, tmp_path)
    old = TABLES["corpora"]
    columns = (
        *old.columns,
        Column("owner", pa.string(), "-", "who sang", nullable=True, since=FORMAT_VERSION + 1),
    )
    spec = TableSpec(old.name, old.row, old.key, columns, old.volatile)
    monkeypatch.setitem(TABLES, "corpora", spec)
    for module in ("snapshot", "migrate", "layout", "store"):
        if hasattr(__import__(f"motifdb.catalog.{module}", fromlist=["x"]), "FORMAT_VERSION"):
            monkeypatch.setattr(f"motifdb.catalog.{module}.FORMAT_VERSION", FORMAT_VERSION + 1)
    snapshot = open_snapshot(path)
    assert snapshot.missing_columns("corpora") == ("owner",)
    assert snapshot.table("corpora", ["owner", "name"]).to_pydict() == {
        "owner": [None] * 3,
        "name": ["v0", "v1", "v2"],
    }
    assert snapshot.table("corpora", filter="owner is null and name = 'v1'").num_rows == 1
    assert snapshot.count("corpora", "owner is not null") == 0
    with open_writer(path) as writer:
        writer.commit(
            Changes(
                append={
                    "corpora": spec.table([{"corpus_id": "c", "name": "n", "root_uri": "/", "owner": "me"}])
                }
            ),
            token="t",
            message="m",
        )
        assert writer.snapshot.table("corpora")["owner"].to_pylist() == [None, None, None, "me"]
        assert writer.snapshot.dataset("corpora").count_rows("owner is null") == 3
    assert list(verify_all(path)) == []


def test_columns_that_came_after_their_table_can_be_null() -> None:
    for spec in TABLES.values():
        for column in spec.columns:
            assert column.since == 1 or column.since <= spec.since or column.nullable, (
                spec.name,
                column.name,
            )


@pytest.mark.parametrize("where", ["marker", "record"])
def test_a_newer_format_is_refused_in_a_sentence(where: str, tmp_path: Path) -> None:
    path, _ = unpack(1, tmp_path)
    if where == "marker":
        layout.write_marker(path, FORMAT_VERSION + 1)
    else:
        head = commits.head(path)
        newer = {
            **vars(head),
            "number": head.number + 1,
            "parent": head.hash,
            "format_version": FORMAT_VERSION + 1,
        }
        commits.put(path, commits.CommitRecord(**newer))
    for use in (open_snapshot, open_writer):
        with pytest.raises(DatabaseError, match=f"reads up to {FORMAT_VERSION}; upgrade motifdb"):
            use(path)


def test_a_migration_that_was_killed_is_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class KilledError(Exception):
        pass

    def die(*_: object) -> None:
        raise KilledError

    path, _ = unpack(1, tmp_path)
    with monkeypatch.context() as m:  # the tables are made, the commit is not
        m.setattr("motifdb.catalog.commits.put", die)
        with pytest.raises(KilledError):
            open_writer(path)
    assert layout.table_path(path, "pitch_agreement").exists()
    assert open_snapshot(path).format_version == 1
    with monkeypatch.context() as m:  # the commit is made, the marker is not
        m.setattr("motifdb.catalog.layout.write_marker", die)
        with pytest.raises(KilledError):
            open_writer(path)
    assert open_snapshot(path).format_version == FORMAT_VERSION
    assert layout.check_database(path) == 1
    with open_writer(path):
        assert layout.check_database(path) == FORMAT_VERSION
    assert open_snapshot(path).count("pitch_agreement") == 0
