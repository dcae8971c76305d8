"""The command line as people meet it: help with examples, answers in every format, errors as one sentence."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from motifdb.catalog.store import open_writer
from motifdb.cli import app, main
from motifdb.schemas import FORMAT_VERSION
from tests.pipelines.killing import command
from tests.pipelines.small import make_f0_corpus, prints, rows

COMMANDS = sorted(info.name or info.callback.__name__ for info in app.registered_commands if info.callback)


class Ran:
    """What a command printed and how it ended."""

    def __init__(self, out: str, err: str, code: int) -> None:
        self.out, self.err, self.code = out, err, code


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> object:
    def call(*words: str | Path) -> Ran:
        monkeypatch.setattr(sys, "argv", ["motifdb", *map(str, words)])
        code = 0
        try:
            main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 0
        out, err = capsys.readouterr()
        return Ran(out, err, code)

    return call


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a corpus and its database, made by the command."""
    folder = tmp_path_factory.mktemp("cli")
    corpus = make_f0_corpus(folder / "songs")
    subprocess.run(command(corpus, folder / "songs.motifdb"), check=True, capture_output=True)
    return folder


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_an_example(name: str, run) -> None:  # type: ignore[no-untyped-def]
    shown = run(name, "--help")
    assert shown.code == 0
    assert "Example" in shown.out and f"motifdb {name}" in shown.out


def test_help_fits_the_terminal_and_names_every_command(run) -> None:  # type: ignore[no-untyped-def]
    shown = run("--help")
    assert all(name in shown.out for name in COMMANDS)
    assert all(len(line) <= 100 for line in shown.out.splitlines())
    assert run("--version").out.startswith("motifdb 0.")


def test_sql_in_every_format(place: Path, run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    db = ("--db", place / "songs.motifdb")
    query = "select length, count(*) as n from motifs group by length order by length"
    assert run("sql", query, *db).out.splitlines()[0].split() == ["length", "[symbols]", "n"]
    lines = run("sql", query, *db, "--format", "csv").out.splitlines()
    assert lines[0] == "length,n"
    answer = json.loads(run("sql", query, *db, "--format", "json").out)
    assert [f"{row['length']},{row['n']}" for row in answer] == lines[1:]
    assert run("sql", query, *db, "--format", "parquet", "-o", tmp_path / "a.parquet").code == 0
    assert pq.read_table(tmp_path / "a.parquet").to_pylist() == answer
    (tmp_path / "q.sql").write_text(query)
    assert run("sql", "-f", tmp_path / "q.sql", *db, "--format", "csv").out.splitlines() == lines


def test_sql_from_standard_input_and_at_a_commit(place: Path, run, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    db = ("--db", place / "songs.motifdb", "--format", "csv")
    monkeypatch.setattr(sys, "stdin", io.StringIO("select count(*) as n from motifs"))
    now = int(run("sql", "-", *db).out.split()[1])
    first = int(run("sql", "select count(*) as n from motifs", *db, "--at", "1").out.split()[1])
    assert 0 < first < now
    assert run("sql", "select count(*) as n from motifs", *db, "--at", "0").out.split() == ["n", "0"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["sql", "selec 1"], "selec"),
        (["sql", "select * from motfs"], "motifs"),
        (["sql", "select contuor from motifs"], "contour"),
        (["sql", "copy motifs to '/tmp/x.csv'"], "SELECT"),
        (["sql", "select * from read_csv('/etc/passwd')"], "read_csv"),
        (["sql"], "one query"),
        (["sql", "-f", "nowhere.sql"], "nowhere.sql"),
        (["sql", "select 1", "--at", "999"], "no commit 999"),
        (["plot", "zzzz"], "no motif"),
        (["top", "--by", "singr"], "singer"),
        (["describe", "motfs"], "motifs"),
        (["relocate", "song", "/"], "songs"),
        (["ingest", "nowhere"], "nowhere"),
        (["ingest", ".", "--tracker", "yinn"], "yin"),
        (["ingest", ".", "--preset", "stile-2021"], "style-2021"),
        (["ingest", ".", "--preset", "sid-2020"], "--k"),
        (["ingest", ".", "--set", "contour.epsilon=3"], "contour.epsilon_cents"),
        (["ingest", ".", "--set", "nonsense"], "KEY=VALUE"),
        (["ingest", ".", "--hop", "fast"], "--hop"),
        (["ingest", ".", "--max-gap", "-1"], "max_gap"),
        (["ingest", ".", "--metadata", "none.csv"], "none.csv"),
        (["ingest", ".", "--pattern", "{singer"], "brace"),
        (["ingest", ".", "--channel", "middle"], "--channel"),
        (["ingest", ".", "--engine", "inline", "--ray-address", "x:1"], "ray-address"),
    ],
)
def test_a_users_mistake_is_one_sentence(place: Path, run, words: list[str], says: str) -> None:  # type: ignore[no-untyped-def]
    before = prints(place / "songs.motifdb")
    shown = run(*words, "--db", place / "songs.motifdb")
    assert shown.code == 2, shown.err
    assert shown.err.startswith("motifdb: ") and says in shown.err
    assert len(shown.err.strip().splitlines()) == 1 and "Traceback" not in shown.err
    assert prints(place / "songs.motifdb") == before


def test_no_database_is_made_for_a_mistake(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    assert run("ingest", tmp_path / "nowhere", "--db", tmp_path / "new.motifdb").code == 2
    assert run("ingest", tmp_path, "--tracker", "x", "--db", tmp_path / "new.motifdb").code == 2
    assert not (tmp_path / "new.motifdb").exists()
    shown = run("status", "--db", tmp_path / "new.motifdb")
    assert shown.code == 2 and "motifdb ingest" in shown.err


def test_a_second_writer_is_told_who_writes(place: Path, run) -> None:  # type: ignore[no-untyped-def]
    with open_writer(place / "songs.motifdb"):
        shown = run("ingest", place / "songs", "--db", place / "songs.motifdb")
    assert shown.code == 3
    assert str(os.getpid()) in shown.err and len(shown.err.strip().splitlines()) == 1


def test_the_database_is_found_and_named(place: Path, run, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.chdir(place)
    assert "songs.motifdb" in run("status").out
    monkeypatch.chdir(place.parent)
    assert run("status").code == 2
    monkeypatch.setenv("MOTIFDB", str(place / "songs.motifdb"))
    assert "songs.motifdb" in run("status").out


def test_care(place: Path, run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    db = ("--db", place / "songs.motifdb")
    assert run("check", *db).out.endswith("checksum\n")
    before = run("check", "--fingerprint", *db).out
    assert before.splitlines()[-1].startswith("all ")
    assert "commit" in run("log", *db).out
    assert "merged, as commit" in run("compact", *db).out
    assert "freed" in run("gc", "--keep-last", "1", *db).out
    assert run("migrate", *db).out.endswith(f"format {FORMAT_VERSION}\n")
    assert run("check", "--fingerprint", *db).out == before
    assert run("check", *db).code == 0
    moved = tmp_path / "moved"
    (place / "songs").rename(moved)
    assert "14 of 14" in run("relocate", "songs", moved, *db).out
    shown = run("ingest", moved, *db, "--metadata", moved / "manifest.csv", "--until", "files")
    assert "14 unchanged" in shown.out and shown.code == 0
    moved.rename(place / "songs")
    assert "14 of 14" in run("relocate", "songs", place / "songs", *db).out


def test_a_broken_database_ends_with_3(place: Path, run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    import shutil

    db = tmp_path / "songs.motifdb"
    shutil.copytree(place / "songs.motifdb", db)
    victim = max((db / "tables/motifs.lance/data").iterdir(), key=lambda p: p.stat().st_size)
    content = bytearray(victim.read_bytes())
    content[len(content) // 2] ^= 1
    victim.write_bytes(content)
    shown = run("check", "--db", db)
    assert shown.code == 3 and victim.name in shown.out


def test_failures_end_with_1(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    make_f0_corpus(tmp_path / "songs", n=2)
    (tmp_path / "songs/empty.wav").touch()
    shown = run("ingest", tmp_path / "songs", "--db", tmp_path / "a.motifdb")
    assert shown.code == 1 and "empty.wav is empty" in shown.out
    assert all(len(line) <= 100 for line in shown.out.splitlines() if str(tmp_path) not in line)
    again = run("ingest", tmp_path / "songs", "--db", tmp_path / "a.motifdb")
    assert again.code == 1 and "empty.wav is empty" in again.out


def test_presets_round_trip(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    assert run("presets").out.split() == ["default", "style-2021", "sid-2020"]
    (tmp_path / "mine.toml").write_text(run("presets", "style-2021").out)
    make_f0_corpus(tmp_path / "songs", n=2)
    shown = run(
        "ingest", tmp_path / "songs", "--config", tmp_path / "mine.toml", "--db", tmp_path / "a.motifdb"
    )
    assert shown.code == 0 and "before the rule of at least 0.5 s" in shown.out
    assert {a["name"] for a in rows(tmp_path / "a.motifdb", "analyses")} == {"f0-csv", "style-2021", "counts"}


def test_control_c_keeps_what_was_committed(tmp_path: Path) -> None:
    corpus = make_f0_corpus(tmp_path / "songs")
    db = tmp_path / "a.motifdb"
    with subprocess.Popen(command(corpus, db), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        assert child.stderr is not None
        child.stderr.readline()
        time.sleep(0.2)
        child.send_signal(signal.SIGINT)
        error = child.stderr.read().decode()
    assert child.returncode in (130, -signal.SIGINT), error  # a shell says 130 either way
    assert "goes on from there" in error
    assert "Traceback" not in error
    subprocess.run(command(corpus, db), check=True, capture_output=True)
    whole = tmp_path / "b.motifdb"
    subprocess.run(command(corpus, whole), check=True, capture_output=True)
    assert prints(db) == prints(whole)


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom motifdb.cli import app\n"
        "print([m for m in ('ray', 'torch', 'lance', 'duckdb', 'numba', 'pyarrow', 'av') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_select_1_loads_no_storage_library(place: Path) -> None:
    code = (
        "import sys, motifdb\nassert motifdb.open(sys.argv[1]).sql('select 1 as x').arrow().to_pylist() == [{'x': 1}]\n"
        "print([m for m in ('ray', 'torch', 'lance', 'numba') if m in sys.modules])"
    )
    line = [sys.executable, "-c", code, str(place / "songs.motifdb")]
    assert subprocess.run(line, capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_a_defect_is_one_sentence_too(run, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    def broken(db: object) -> None:
        raise KeyError("gone")

    monkeypatch.delenv("MOTIFDB_TRACEBACK", raising=False)
    monkeypatch.setattr("motifdb.catalog.locate.find_database", broken)
    shown = run("log")
    assert shown.code == 70 and shown.err.count("\n") == 1 and "KeyError" in shown.err


def test_a_wrapped_interrupt_is_no_defect(run, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    def stopped(db: object) -> None:
        raise SystemError("returned a result with an exception set") from KeyboardInterrupt()

    monkeypatch.setattr("motifdb.catalog.locate.find_database", stopped)
    shown = run("log")
    assert (shown.code, shown.out, shown.err) == (130, "", "")
