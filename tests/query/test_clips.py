"""Clips through the Python door."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

import motifdb
from motifdb.errors import MissingExtraError, NotFoundError, UsageError
from motifdb.query.database import Database
from tests.training.small import make_small


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Database:
    small = make_small(tmp_path_factory.mktemp("clips"), n_each=2, split=None)
    return motifdb.open(str(small.path))


def test_clips_are_rows_and_a_line(database: Database) -> None:
    clips = database.clips()
    assert len(clips) == 6 and len(clips.arrow()) == 6
    ids = clips.arrow().column("clip_id").to_pylist()
    assert ids == sorted(ids)
    # of each singer one of 0.4 s and one of 0.45 s
    assert clips.seconds == pytest.approx(3 * 0.85)
    assert repr(clips) == "<6 file clips of 6 recordings, 0.0 min>"
    assert database.clips("file", "files").arrow().equals(clips.arrow())
    assert database.clips(analysis=clips.analyses[0][:6]).arrow().equals(clips.arrow())


def test_what_is_not_there_names_the_command_that_makes_it(database: Database, tmp_path: Path) -> None:
    with pytest.raises(
        NotFoundError, match=r"no clips of kind motif; `motifdb clips --kind motif` cuts them"
    ):
        database.clips("motif")
    with pytest.raises(UsageError, match="no clips of kind 'motive'; did you mean 'motif'"):
        database.clips("motive")
    with pytest.raises(NotFoundError, match="no analysis of clips 'fils'; did you mean 'files'"):
        database.clips(analysis="fils")
    with pytest.raises(NotFoundError, match="there is no split here; `motifdb split` makes one"):
        pytest.importorskip("torch")
        database.clips().to_torch()
    from motifdb.catalog.store import create

    create(tmp_path / "empty.motifdb")
    empty = motifdb.open(str(tmp_path / "empty.motifdb"))
    with pytest.raises(NotFoundError, match=r"there are no clips; `motifdb clips --kind motif` cuts them"):
        empty.clips()
    with pytest.raises(NotFoundError, match="`motifdb ingest FOLDER --as-clips` makes one of each file"):
        empty.clips("file")


def test_without_torch_it_is_a_sentence(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"torch is not installed; `pip install 'motifdb\[train\]'`"):
        database.clips().to_torch()
