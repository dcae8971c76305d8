"""Exports as files: names, folders, what is in the way, what is left when something fails."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from motifdb.errors import UsageError
from motifdb.export import FORMATS, Wanted, export
from motifdb.export.files import put, replacing
from motifdb.query.database import Database
from tests.query.example import RECORDING

MINED = Wanted(analysis="gap 0")
AMINA = Wanted(recording=RECORDING["amina"], analysis="gap 0")
PER_RECORDING = [name for name, f in FORMATS.items() if f.suffixes and name != "csv"]


@pytest.mark.parametrize("format", PER_RECORDING)
def test_every_recording_makes_its_files(database: Database, tmp_path: Path, format: str) -> None:
    seen: list[tuple[int, int]] = []
    done = export(database, format, MINED, tmp_path / "out", told=lambda n, of: seen.append((n, of)))
    suffixes = FORMATS[format].suffixes
    assert len(done.paths) == 7 * len(suffixes) == len(set(done.paths))
    assert {p.name for p in (tmp_path / "out").iterdir()} == {p.name for p in done.paths}, (
        "nothing half-made is left"
    )
    assert {p.name for p in done.paths if p.name.startswith("Ağıt")} == {
        f"Ağıt & _yas_ one{s}" for s in suffixes
    }
    assert done.n_recordings == 7 and done.n_places > 50 and seen[-1] == (7, 7)
    with pytest.raises(UsageError, match="--force"):
        export(database, format, MINED, tmp_path / "out")
    assert len(export(database, format, MINED, tmp_path / "out", is_forced=True).paths) == len(done.paths)


def test_one_recording_is_the_file_that_is_named(database: Database, tmp_path: Path) -> None:
    named = export(database, "midi", AMINA, tmp_path / "deep" / "no_ending")
    assert named.out == tmp_path / "deep" / "no_ending" and named.out.is_file()
    inside = export(database, "midi", AMINA, tmp_path)
    assert inside.out == tmp_path / "Ağıt & _yas_ one.mid" and inside.out.is_file()
    layers = export(database, "svl", AMINA, tmp_path / "layers")
    assert layers.out == tmp_path / "layers" and len(layers.paths) == 3
    with pytest.raises(UsageError, match="name a folder"):
        export(database, "svl", AMINA, tmp_path / "a.svl")
    with pytest.raises(UsageError, match="name a folder"):
        export(database, "midi", MINED, tmp_path / "a.mid")


def test_without_a_name_one_is_made_here(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert export(database, "textgrid", AMINA).out == Path("Ağıt & _yas_ one.TextGrid")
    assert export(database, "textgrid", MINED).out == Path("songs-textgrid")
    out = io.StringIO()
    assert export(database, "csv", AMINA, stream=out).out is None
    assert len(out.getvalue().splitlines()) > 10


def test_a_table_is_one_file(database: Database, tmp_path: Path) -> None:
    done = export(database, "csv", MINED, tmp_path / "places.csv")
    assert done.out == tmp_path / "places.csv"
    assert len((tmp_path / "places.csv").read_text().splitlines()) == done.n_places + 1
    with pytest.raises(UsageError, match=r"places\.csv is there already"):
        export(database, "csv", MINED, tmp_path / "places.csv")


def test_a_format_that_there_is_not_is_said(database: Database) -> None:
    with pytest.raises(UsageError, match="did you mean 'jams'"):
        export(database, "jam")


def test_what_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    put(path, b"old")
    with pytest.raises(RuntimeError), replacing(path) as temporary:
        temporary.write_bytes(b"half")
        raise RuntimeError("stopped")
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]
    with pytest.raises(UsageError, match="cannot be written"):
        put(tmp_path / "missing" / "a.txt", b"x")
    with pytest.raises(UsageError, match="is a folder"):
        (tmp_path / "dir").mkdir()
        from motifdb.export.files import require_free

        require_free([tmp_path / "dir"], is_forced=True)
