"""`motifdb export` and `motifdb why` as people meet them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from motifdb.cli import app
from motifdb.commands.export import ExportFormat
from motifdb.export import FORMATS
from motifdb.query.database import Database
from tests.query.example import RECORDING

RUNNER = CliRunner()


def run(database: Database, *words: str) -> tuple[str, int]:
    done = RUNNER.invoke(app, [*words, "--db", str(database.path)])
    return done.output if done.exception is None else str(done.exception), done.exit_code


def test_the_command_knows_every_format() -> None:
    assert {f.value for f in ExportFormat} == set(FORMATS)


def test_an_export_says_what_it_wrote_and_where(database: Database, tmp_path: Path) -> None:
    words = (
        "export",
        "--format",
        "textgrid",
        "--recording",
        "silence",
        "--analysis",
        "gap 0",
        "-o",
        str(tmp_path),
    )
    out, code = run(database, *words)
    assert (
        code == 0 and out.strip() == f"1 recording, 0 patterns at 0 places -> {tmp_path / 'silence.TextGrid'}"
    )
    out, code = run(database, *words)
    assert code != 0 and "--force" in out
    assert run(database, *words, "--force")[1] == 0


def test_csv_goes_to_the_terminal_and_nothing_else_does(database: Database) -> None:
    out, code = run(
        database, "export", "--format", "csv", "--recording", RECORDING["amina"], "--analysis", "gap 0"
    )
    assert code == 0 and out.startswith("recording_id,path,") and "->" not in out


@pytest.mark.parametrize("words", [("--analysis", "gap 7"), ("--motif", "zz"), ("--recording", "nobody")])
def test_what_is_not_there_is_one_sentence(database: Database, words: tuple[str, ...]) -> None:
    out, code = run(database, "export", "--format", "csv", *words)
    assert code != 0 and "there is no" in out and "\n" not in out.strip()


def test_why_tells_people_and_programs(database: Database) -> None:
    out, code = run(database, "why", "silence")
    assert code == 0 and out.startswith(f"recording silence.pitch ({RECORDING['silence']})")
    told, code = run(database, "why", "silence", "--format", "json")
    assert code == 0 and json.loads(told)["id"] == RECORDING["silence"]
    out, code = run(database, "why", "silense")
    assert code != 0 and "did you mean" in out
