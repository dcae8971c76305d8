"""A snapshot is one commit, exactly, whatever came later; what is not there is told in a sentence."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from motifdb.catalog import commits, layout
from motifdb.catalog.snapshot import parse_time
from motifdb.catalog.store import Changes, create, log, open_snapshot, open_writer
from motifdb.errors import DatabaseError, NotFoundError, UsageError
from motifdb.schemas import FORMAT_VERSION, TABLES
from tests.catalog.rows import keys, named, rows


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with four commits after the empty one; no test here writes to it."""
    path = tmp_path_factory.mktemp("snapshot") / "songs.motifdb"
    create(path)
    with open_writer(path) as w:
        w.commit(Changes(append={"files": rows("files", range(4))}), token="1", message="four files")
        w.commit(Changes(append={"pitch": rows("pitch", range(3))}), token="2", message="three blocks")
        w.commit(Changes(delete={"files": "path = 'v1'"}), token="3", message="delete one")
        w.commit(
            Changes(append={"files": named("files", ["x"])}, delete={"pitch": "true"}),
            token="4",
            message="both",
        )
    return path


EXPECTED_FILES = [[], [*"0123"], [*"0123"], [*"023"], [*"023", "x"]]


def test_every_commit_opens_exactly(path: Path) -> None:
    for number, n_pitch in enumerate([0, 0, 3, 3, 0]):
        expected = [f"v{i}" if i != "x" else i for i in EXPECTED_FILES[number]]
        for at in (number, str(number)):
            snapshot = open_snapshot(path, at=at)
            assert snapshot.commit == number
            assert keys(snapshot.table("files"), "files") == expected
            assert (snapshot.count("files"), snapshot.count("pitch")) == (len(expected), n_pitch)
    assert open_snapshot(path).commit == 4


def test_a_time_means_the_newest_commit_not_later(path: Path) -> None:
    for record in log(path):
        assert open_snapshot(path, at=record.created_at.isoformat()).commit == record.number
        later = (record.created_at + timedelta(microseconds=1)).isoformat()
        assert open_snapshot(path, at=later).commit == record.number
    first = commits.read(path, 0).created_at
    assert open_snapshot(path, at=first.date().isoformat()).commit == 4, "a date means its end"
    with pytest.raises(NotFoundError, match=r"the first commit was made at .* name a later time"):
        open_snapshot(path, at="1999-12-31T23:00")


def test_what_is_not_there_is_told_in_a_sentence(path: Path, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no commit 5; choose from 0 to 4"):
        open_snapshot(path, at=5)
    with pytest.raises(NotFoundError, match="no commit -1"):
        open_snapshot(path, at="-1")
    with pytest.raises(UsageError, match="'yesterday' is neither a commit number nor a time; write 12, 2026"):
        open_snapshot(path, at="yesterday")
    with pytest.raises(NotFoundError, match="there is no such database"):
        open_snapshot(tmp_path / "none.motifdb")
    with pytest.raises(DatabaseError, match="this is no motifdb database"):
        open_snapshot(tmp_path)
    with pytest.raises(UsageError, match="object stores are not supported"):
        open_snapshot("s3://bucket/songs.motifdb")
    snapshot = open_snapshot(path)
    with pytest.raises(NotFoundError, match="no table 'file'; did you mean 'files'"):
        snapshot.table("file")
    with pytest.raises(NotFoundError, match="table files has no column 'pth'; did you mean 'path'"):
        snapshot.table("files", ["pth"])
    with pytest.raises(
        UsageError, match=r"files: the filter 'nosuch = 1' cannot be used: .*No field named nosuch"
    ):
        snapshot.table("files", filter="nosuch = 1")
    with pytest.raises(UsageError, match="cannot be used"):
        snapshot.count("files", filter="path ==== 1")


def test_tables_have_todays_schema_with_unit_and_meaning(path: Path) -> None:
    snapshot = open_snapshot(path)
    for name, spec in TABLES.items():
        table = snapshot.table(name)
        assert table.schema.equals(spec.schema, check_metadata=True)
        assert spec.checked(table, where="test") is not None
    some = snapshot.table("files", ["labels", "path"], filter="path > 'v0'")
    assert some.column_names == ["labels", "path"]
    assert some["path"].to_pylist() == ["v2", "v3"]
    assert snapshot.count("files", "path > 'v0'") == 2


def test_batches_are_bounded_and_in_order(path: Path) -> None:
    snapshot = open_snapshot(path)
    batches = list(snapshot.batches("files", ["path"], batch_rows=2))
    assert all(b.num_rows <= 2 for b in batches)
    assert pa.Table.from_batches(batches).equals(snapshot.table("files", ["path"]))
    assert list(snapshot.batches("motifs")) == []


def test_a_snapshot_stays_while_a_writer_goes_on(tmp_path: Path) -> None:
    create(tmp_path / "a.motifdb")
    with open_writer(tmp_path / "a.motifdb") as w:
        w.commit(Changes(append={"files": named("files", ["a"])}), token="a", message="")
        before = open_snapshot(w.path)
        w.commit(
            Changes(append={"files": named("files", ["b"])}, delete={"files": "true"}), token="b", message=""
        )
        assert keys(before.table("files"), "files") == ["a"]
        assert keys(w.snapshot.table("files"), "files") == ["b"]


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2026-03-01T12:00", "2026-03-01T12:00:00+00:00"),
        ("2026-03-01 12:00:01.5", "2026-03-01T12:00:01.500000+00:00"),
        ("2026-03-01T00:00", "2026-03-01T00:00:00+00:00"),
        ("2026-03-01T12:00Z", "2026-03-01T12:00:00+00:00"),
        ("2026-03-01T12:00-03:30", "2026-03-01T15:30:00+00:00"),
    ],
)
def test_times_are_utc_unless_they_say_otherwise(text: str, utc: str) -> None:
    assert parse_time(text).isoformat() == utc


def test_creating_is_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.motifdb"
    with monkeypatch.context() as m:

        def full(*_: object) -> None:
            raise OSError(28, "No space left on device")

        m.setattr(commits, "put", full)
        with pytest.raises(DatabaseError, match="could not be made: No space left on device"):
            create(path)
    assert list(tmp_path.iterdir()) == []
    path.mkdir()  # an empty folder is no obstacle
    create(path)
    assert layout.check_database(path) == FORMAT_VERSION
    with pytest.raises(UsageError, match="there is a database already"):
        create(path)
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.txt").touch()
    with pytest.raises(UsageError, match="something else stands there"):
        create(tmp_path / "notes")
    with pytest.raises(UsageError, match="no such folder"):
        create(tmp_path / "no" / "a.motifdb")


def test_a_damaged_record_or_marker_is_told_of(tmp_path: Path) -> None:
    path = tmp_path / "a.motifdb"
    create(path)
    record = commits.path_of(path, 0)
    content = record.read_text()
    for damaged in (content.replace('"epoch": 0', '"epoch": 1'), content[:-5], "[]", ""):
        record.write_text(damaged)
        with pytest.raises(DatabaseError, match="this commit record is damaged"):
            open_snapshot(path)
    record.write_text(content)
    assert open_snapshot(path).commit == 0
    record.rename(commits.path_of(path, 3))
    with pytest.raises(DatabaseError, match="holds the record of commit 0, not 3"):
        open_snapshot(path)
    commits.path_of(path, 3).unlink()
    with pytest.raises(DatabaseError, match="the database has no commits"):
        open_snapshot(path)
    (path / layout.MARKER).write_text("{}")
    with pytest.raises(DatabaseError, match="marker file is damaged"):
        open_snapshot(path)


def test_opening_a_snapshot_imports_no_lance(path: Path) -> None:
    code = (
        "import sys; from motifdb.catalog.store import open_snapshot; s = open_snapshot(sys.argv[1]); "
        "assert s.count('files') == 4; print([m for m in ('lance', 'duckdb', 'ray', 'numba') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
