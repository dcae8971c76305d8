"""One flipped byte anywhere under a snapshot is found; so is a file or a record that is gone."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from motifdb.catalog import commits, lancetables
from motifdb.catalog.checksums import verify_all, verify_files, verify_log
from motifdb.catalog.store import Changes, create, gc, open_snapshot, open_writer
from motifdb.schemas import TABLES
from tests.catalog.rows import rows


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with data files and deletion files."""
    path = tmp_path_factory.mktemp("checksums") / "songs.motifdb"
    create(path)
    with open_writer(path) as w:
        w.commit(Changes(append={t: rows(t, range(4)) for t in ("files", "pitch")}), token="1", message="")
        w.commit(Changes(delete={"files": "path = 'v1'"}), token="2", message="")
    return path


@pytest.fixture
def path(template: Path, tmp_path: Path) -> Path:
    """A copy that may be damaged."""
    return Path(shutil.copytree(template, tmp_path / "songs.motifdb"))


def test_a_sound_database_has_nothing_to_report(path: Path) -> None:
    assert [*verify_files(open_snapshot(path)), *verify_all(path), *verify_log(path)] == []
    assert list(verify_files(open_snapshot(path, at=1))) == []


def test_every_byte_counts(path: Path) -> None:
    """In each file the head needs, flip one byte: exactly that file is reported."""
    snapshot = open_snapshot(path)
    needed = {n for t in TABLES for n in lancetables.referenced_files(snapshot.dataset(t), t)}
    assert {"data", "_deletions", "_versions"} == {Path(n).parent.name for n in needed}
    for i, name in enumerate(sorted(needed)):
        file = path / name
        content = bytearray(file.read_bytes())
        place = (37 * i) % len(content)
        content[place] ^= 1
        file.write_bytes(content)
        assert list(verify_files(open_snapshot(path))) == [
            f"{name}: the file's bytes differ from those that were committed"
        ]
        assert list(verify_all(path)) == list(verify_files(open_snapshot(path)))
        content[place] ^= 1
        file.write_bytes(content)
    assert list(verify_all(path)) == []


def test_every_kept_commit_is_verified(path: Path) -> None:
    """Files that only a commit in the middle reads, and manifests of the oldest kept one."""
    with open_writer(path) as w:
        w.commit(
            Changes(append={"files": rows("files", [9])}, delete={"files": "true"}), token="3", message=""
        )
        w.commit(Changes(delete={"files": "true"}), token="4", message="")
        gc(w, keep_last=4)
    assert list(verify_all(path)) == []
    assert open_snapshot(path).record.oldest_kept == 1
    names = (
        set(commits.read(path, 1).files) | set(commits.read(path, 2).files) | set(commits.read(path, 3).files)
    )
    for name in sorted(names):
        content = (path / name).read_bytes()
        (path / name).write_bytes(content[::-1])
        assert [s.split(":")[0] for s in verify_all(path)] == [name]
        (path / name).write_bytes(content)


def test_missing_shortened_and_unknown_files_are_reported(path: Path) -> None:
    (data,) = [n for n in open_snapshot(path).record.files if "_deletions" in n]
    file = path / data
    content = file.read_bytes()
    file.write_bytes(content[:-1])
    assert list(verify_all(path)) == [
        f"{data}: the file has {len(content) - 1} bytes where {len(content)} were committed"
    ]
    assert list(verify_files(open_snapshot(path, at=1))) == [], "the earlier commit does not read that file"
    file.unlink()
    assert list(verify_files(open_snapshot(path))) == [
        f"{data}: the file is missing or cannot be read (No such file or directory)"
    ]
    file.write_bytes(content)
    record = commits.read(path, 2)
    forgetful = commits.CommitRecord(
        **{**vars(record), "files": {k: v for k, v in record.files.items() if k != data}}
    )
    commits.path_of(path, 2).write_bytes(forgetful.to_bytes())
    assert list(verify_all(path)) == [f"{data}: no commit holds a checksum of this file"]


def test_a_record_that_was_changed_lost_or_swapped_is_reported(path: Path) -> None:
    file = commits.path_of(path, 1)
    content = json.loads(file.read_text())
    content["rows"]["files"] = 5
    file.write_text(json.dumps(content))
    (sentence,) = verify_log(path)
    assert "0000000001.json: this commit record is damaged" in sentence
    record = commits.CommitRecord.from_bytes(commits.path_of(path, 2).read_bytes(), where="")
    forged = commits.CommitRecord(**{**vars(record), "number": 1, "parent": commits.read(path, 0).hash})
    file.write_bytes(forged.to_bytes())
    assert any("is not the child of commit 1" in s for s in verify_log(path))
    file.unlink()
    (sentence,) = verify_log(path)
    assert "this commit record is missing" in sentence
