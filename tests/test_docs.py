"""The documentation is tested: what it names exists, and what exists is named."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import typer.main

from motifdb import cli
from motifdb.catalog.store import create
from motifdb.config import preset_names
from motifdb.query.database import Database
from motifdb.schemas import TABLES

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS: Mapping[str, Any] = typer.main.get_group(cli.app).commands
SQL = re.findall(r"```sql\n(.*?)```", README, flags=re.DOTALL)


def test_tables_page_is_what_the_declarations_say() -> None:
    ran = subprocess.run(
        [sys.executable, str(ROOT / "docs" / "make_tables.py"), "--check"], capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    anchors = {
        re.sub(r"[^\w\- ]", "", h).strip().lower().replace(" ", "-")
        for h in re.findall(r"^#+ (.*)$", text, re.M)
    }
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        assert "://" not in target, f"{page.name}: {target}: pages stand alone"
        path, _, anchor = target.partition("#")
        assert (page.parent / path).exists(), f"{page.name}: {target}"
        if not path and anchor:
            assert anchor in anchors, f"{page.name}: #{anchor}"


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_commands_and_options_that_pages_name_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    named = re.findall(r"^ {4}motifdb (.+)$", text, re.M) + re.findall(r"`motifdb ([^`]+)`", text)
    for line in named:
        words = line.split("#")[0].split()
        if words[0].startswith("-"):
            continue
        assert words[0] in COMMANDS, f"{page.name}: motifdb {line}"
        options = {o for p in COMMANDS[words[0]].params for o in (*p.opts, *p.secondary_opts)} | {"--help"}
        for word in words[1:]:
            if word.startswith("--"):
                assert word in options, f"{page.name}: motifdb {line}"


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_make_targets_that_pages_name_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"^ {4}make (\S+)", text, re.M) + re.findall(r"`make (\w+)`", text):
        assert target in targets, f"{page.name}: make {target}"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_explained(name: str) -> None:
    command = COMMANDS[name]
    assert command.help and "Example" in command.help and f"motifdb {name}" in command.help
    assert f"`motifdb {name}" in README, f"README's table of commands leaves out {name}"
    for parameter in command.params:
        assert getattr(parameter, "help", None), f"motifdb {name}: {parameter.name} has no help"


def test_readme_names_every_table_and_preset() -> None:
    for name in [*TABLES, *preset_names()]:
        assert f"`{name}`" in README


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("docs") / "songs.motifdb"
    create(path)
    return path


@pytest.mark.parametrize("query", SQL, ids=range(len(SQL)))
def test_queries_in_the_readme_run(empty: Path, query: str) -> None:
    with Database(str(empty)) as database:
        assert database.sql(query).arrow().num_rows == 0


def test_python_in_the_readme_runs(empty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    monkeypatch.chdir(empty.parent)
    names: dict[str, object] = {}
    exec(code, names)
    assert "table" in names


def test_makefile_explains_every_target() -> None:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    phony = re.findall(r"^\.PHONY: (.*)$", text, re.M)[0].split()
    for target in phony:
        assert re.search(rf"^{target}:.*## \w", text, re.M), f"make {target} has no ## comment"
