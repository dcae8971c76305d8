"""Where recordings' sound is: the same one by one and read ahead."""

from __future__ import annotations

from pathlib import Path

from motifdb.pipelines.sound_files import SoundFiles
from motifdb.query.database import Database
from tests.query.heard import make_heard


def test_what_is_read_ahead_is_what_is_found_one_by_one(tmp_path: Path) -> None:
    snapshot = Database(make_heard(tmp_path / "heard")).snapshot
    names = snapshot.table("recordings", ["recording_id"]).column(0).to_pylist()
    one, ahead = SoundFiles(snapshot), SoundFiles(snapshot)
    ahead.read_ahead([*names, "unknown"])
    found = [(one.own(name), one.channel(name)) for name in names]
    assert found == [(ahead.own(name), ahead.channel(name)) for name in names]
    assert {bool(path) for (path, _), _ in found} == {True, False}
    assert ahead.own("unknown")[1] == "no file of recording unknown is known any more"
