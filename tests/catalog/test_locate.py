"""Which database a command means."""

from __future__ import annotations

from pathlib import Path

import pytest

from motifdb.catalog.locate import default_database
from motifdb.catalog.store import create, find_database
from motifdb.errors import DatabaseError, NotFoundError, UsageError


def test_the_named_one_then_the_variable_then_the_only_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MOTIFDB", raising=False)
    with pytest.raises(
        NotFoundError, match=r"no \*.motifdb in this folder; name a database with --db or \$MOTIFDB"
    ):
        find_database(None)
    create("songs.motifdb")
    (tmp_path / "empty.motifdb").mkdir()  # a folder of that name is no database yet
    assert find_database(None) == Path("songs.motifdb")
    create("other.motifdb")
    with pytest.raises(UsageError, match=r"several databases stand here \(other.motifdb, songs.motifdb\)"):
        find_database(None)
    monkeypatch.setenv("MOTIFDB", str(tmp_path / "other.motifdb"))
    assert find_database(None) == tmp_path / "other.motifdb"
    assert find_database("songs.motifdb") == Path("songs.motifdb")
    with pytest.raises(NotFoundError, match=r"did you mean 'songs.motifdb'"):
        find_database("song.motifdb")
    with pytest.raises(DatabaseError, match="this is no motifdb database"):
        find_database("empty.motifdb")
    monkeypatch.setenv("MOTIFDB", str(tmp_path / "x" / "none.motifdb"))
    with pytest.raises(NotFoundError, match=r"\(\$MOTIFDB\); `motifdb ingest"):
        find_database(None)


def test_an_ingest_writes_to_what_is_named_or_here_or_makes_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MOTIFDB", raising=False)
    songs = tmp_path / "Songs"
    songs.mkdir()
    (songs / "a.wav").touch()
    assert default_database(None, [songs]) == (Path("Songs.motifdb"), True)
    assert default_database(None, [songs / "a.wav"]) == (Path("Songs.motifdb"), True)
    assert default_database("x/new.motifdb", [songs]) == (Path("x/new.motifdb"), True)
    with pytest.raises(UsageError, match=r"ends in \.motifdb; say --db new\.motifdb"):
        default_database("new", [songs])
    create("old.motifdb")
    assert default_database(None, [songs]) == (Path("old.motifdb"), False)
    assert default_database("old.motifdb", [songs]) == (Path("old.motifdb"), False)
    (tmp_path / "folder.motifdb").mkdir()
    (tmp_path / "folder.motifdb" / "notes.txt").touch()
    with pytest.raises(DatabaseError, match="this is no motifdb database"):
        default_database("folder.motifdb", [songs])
