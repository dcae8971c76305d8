"""A query from a file, and the commands that read one."""

from __future__ import annotations

import json
import os
import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import motifdb
from motifdb.catalog.store import Changes, create, open_writer
from motifdb.cli import app
from motifdb.errors import MotifdbError, UsageError
from motifdb.pipelines.humming import bound_files, read_hum
from motifdb.query.database import Database
from motifdb.schemas import TABLES
from tests.pipelines.small import HOP_S, melody, write_f0

RATE_HZ = 16_000
runner = CliRunner()


def _write_wav(path: Path, f0_hz: np.ndarray, hop_s: float = HOP_S, level: float = 0.3) -> Path:
    """A sung line: a few harmonics of f0."""
    hz = np.repeat(f0_hz, round(hop_s * RATE_HZ))
    phase = 2 * np.pi * np.cumsum(hz) / RATE_HZ
    sound = sum(np.sin(k * phase) / k for k in (1, 2, 3)) * (hz > 0) * level
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes((sound * 16_000).astype("<i2").tobytes())
    return path


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four recordings, pitch alone."""
    path = tmp_path_factory.mktemp("hum") / "songs.motifdb"
    create(path)
    pitch, files = [], []
    for i in range(4):
        f0_hz = melody(i, 80)
        pitch.append(
            {"recording_id": f"r{i}", "analysis_id": "p", "block": 0, "hop_s": HOP_S, "start_s": 0.0,
             "f0_hz": f0_hz.tolist(), "confidence": []}
        )  # fmt: skip
        files.append({
            "corpus_id": "c", "path": f"song {i}.csv", "recording_id": f"r{i}", "state": "input", "size_bytes": 1,
            "mtime_ns": 1, "container": "f0-csv", "labels": [],
        })  # fmt: skip
    analyses = [
        {"analysis_id": "p", "name": "yin", "kind": "pitch", "parent_id": None, "parameters": "{}", "stage_version": 1,
         "inputs_hash": None, "n_inputs": None, "code_version": "1", "created_at": 0}
    ]  # fmt: skip
    rows = {"pitch": pitch, "files": files, "analyses": analyses}
    tables = {name: TABLES[name].table(r) for name, r in rows.items()}
    with open_writer(path) as writer:
        writer.commit(Changes(append=tables), token="hum", message="pitch")
    return path


@pytest.fixture(scope="module")
def hummed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """4 s of song 2, a fifth higher, as sound."""
    path = tmp_path_factory.mktemp("sound") / "hum.wav"
    return _write_wav(path, melody(2, 80)[200:600] * 1.5)


def test_sound_and_pitch_become_the_same_melody(hummed: Path, tmp_path: Path) -> None:
    write_f0(tmp_path / "q.csv", melody(2, 80)[200:600] * 1.5)
    sound, pitch = read_hum(hummed), read_hum(tmp_path / "q.csv")
    assert pitch.is_f0
    assert not sound.is_f0
    assert pitch.voiced_s == pytest.approx((melody(2, 80)[200:600] > 0).sum() * HOP_S)
    assert sound.voiced_s == pytest.approx(pitch.voiced_s, abs=0.3), (
        "what the tracker misses between notes is bridged"
    )
    assert np.median(sound.cents) == pytest.approx(np.median(pitch.cents), abs=20)


def test_a_hum_finds_its_song_in_python_and_sql(database: Path, hummed: Path) -> None:
    with Database(database) as db:
        hum = motifdb.hum(str(hummed))
        best = db.search(hum, once=True).rows()[0]
        assert best["path"] == "song 2.csv"
        assert best["transposition_cents"] == pytest.approx(-702, abs=15)
        assert best["start_s"] == pytest.approx(2.0, abs=0.3)
        rows = db.sql("select path, rank from hum_search($q, once := true)", {"q": hum}).rows()
        assert rows[0] == {"path": "song 2.csv", "rank": 1}


def test_the_command_prints_ranked_places(database: Path, hummed: Path, tmp_path: Path) -> None:
    done = runner.invoke(
        app, ["search", "--audio", str(hummed), "--db", str(database), "--format", "json", "-n", "3"]
    )
    assert done.exit_code == 0, done.output
    rows = json.loads(done.stdout)
    assert [r["rank"] for r in rows] == [1, 2, 3]
    assert rows[0]["path"] == "song 2.csv"
    np.savetxt(tmp_path / "q.pitch", melody(1, 80)[100:400], fmt="%.3f")
    given = [
        "search",
        "--f0",
        str(tmp_path / "q.pitch"),
        "--hop",
        "10ms",
        "--db",
        str(database),
        "--tempo",
        "same",
    ]
    told = runner.invoke(app, [*given, "--format", "csv", "-n", "1", "--once"])
    assert told.exit_code == 0, told.output
    header, row = told.stdout.splitlines()
    cells = dict(zip(header.split(","), row.replace('"', "").split(","), strict=True))
    assert (cells["path"], cells["tempo_ratio"]) == ("song 1.csv", "1")
    assert float(cells["distance_cents"]) < 5
    shown = runner.invoke(app, given)
    assert "distance_edits" not in shown.stdout, "a table leaves out columns that say nothing"
    bound = runner.invoke(
        app,
        ["sql", "--db", str(database), "--bind", f"q={hummed}", "select path from hum_search($q) limit 1"],
    )
    assert "song 2.csv" in bound.stdout


def _empty(path: Path) -> Path:
    path.write_bytes(b"")
    return path


def _text(path: Path) -> Path:
    path.write_text("la la la\n")
    return path


@pytest.mark.parametrize(
    ("name", "make", "sentence"),
    [
        ("none.wav", lambda p: p, "there is no file"),
        ("folder", lambda p: p.mkdir() or p, "is a folder"),
        ("empty.wav", _empty, "is empty"),
        ("words.txt", _text, "neither sound nor a pitch track"),
        ("words.wav", _text, "holds text"),
        ("silent.wav", lambda p: _write_wav(p, np.zeros(200)), "no voiced frame"),
        ("long.wav", lambda p: _write_wav(p, np.zeros(12_200)), "longer than 120 s"),
    ],
)
def test_files_that_are_no_query(
    name: str, make: Callable[[Path], Path], sentence: str, tmp_path: Path, database: Path
) -> None:
    path = make(tmp_path / name)
    with pytest.raises(UsageError, match=sentence) as caught:
        read_hum(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ([], "give one query"),
        (["--contour", "+1", "--motif", "ab"], "give one query"),
        (["--contour", "up"], "is no contour"),
        (["--motif", "ffff"], "there is no motif"),
        (["--audio", "nowhere.wav"], "there is no file"),
        (["--contour", "+1 -2"], "there are no contours"),
        (["--f0", "HUM"], "give it with --audio"),
        (["--audio", "HUM", "--tempo", "fast"], "a tempo is free, same"),
        (["--audio", "HUM", "-n", "0"], "at least one place"),
        (["--audio", "HUM", "--recording", "song 9.csv"], "did you mean"),
        (["--audio", "HUM", "--analysis", "crepe"], "no pitch analysis 'crepe'"),
    ],
)
def test_the_command_says_what_cannot_be(
    given: list[str], sentence: str, database: Path, hummed: Path
) -> None:
    told = runner.invoke(
        app, ["search", *(str(hummed) if g == "HUM" else g for g in given), "--db", str(database)]
    )
    assert isinstance(told.exception, MotifdbError), told.output
    assert sentence in str(told.exception)


def test_bindings_have_a_name_and_a_file() -> None:
    for text in ("hum.wav", "=hum.wav", "q=", "1q=hum.wav"):
        with pytest.raises(UsageError, match="NAME=FILE"):
            bound_files([text])


def test_a_pipe_is_no_query_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "hum.wav")
    with pytest.raises(UsageError, match="is no plain file"):
        read_hum(tmp_path / "hum.wav")
