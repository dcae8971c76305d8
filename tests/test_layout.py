"""The rooms stand at the top, their links stand in motifdb/, and a wheel carries them all."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LINKS = {
    "schemas": "../schemas",
    "pipelines": "../pipelines",
    "training": "../training",
    "cli.py": "../cli.py",
}


@pytest.mark.parametrize("name", LINKS)
def test_the_link_is_a_link(name: str) -> None:
    # Without symlink support a checkout holds text files here, and a wheel would be silently incomplete.
    link = ROOT / "motifdb" / name
    assert link.is_symlink(), f"{link} is no link; check out on a file system with symlinks"
    assert os.readlink(link) == LINKS[name]
    assert link.exists(), f"{link} leads nowhere"


def test_git_tracks_nothing_through_a_link() -> None:
    listed = subprocess.run(["git", "ls-files", "motifdb"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git checkout")
    names = listed.stdout.splitlines()
    assert not [n for n in names if n.startswith(tuple(f"motifdb/{link}/" for link in LINKS))]
    assert {f"motifdb/{link}" for link in LINKS} <= set(names)


def test_the_lock_names_versions_only_and_satisfies_pyproject() -> None:
    pins: dict[str, str] = {}
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        if not line.startswith("#"):
            assert re.fullmatch(r"[a-z0-9-]+==[0-9][a-z0-9.]*", line), (
                f"{line}: a name and a version, nothing else"
            )
            name, version = line.split("==")
            pins[name] = version
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = list(project["dependencies"])
    for extra in project["optional-dependencies"].values():
        wanted += extra
    for requirement in wanted:
        from packaging.requirements import Requirement

        parsed = Requirement(requirement)
        name = parsed.name.lower().replace("_", "-")
        if name != "motifdb":
            assert name in pins, f"{name} is in pyproject.toml and not in constraints.txt"
            assert parsed.specifier.contains(pins[name], prereleases=True), (
                f"{requirement} against {pins[name]}"
            )
            for bound in parsed.specifier:
                # a lower bound is a version that was tested; torch has a range, for CPU and GPU builds
                if bound.operator == ">=" and name not in ("torch", "torchvision"):
                    assert bound.version == pins[name], f"{requirement} is not the tested {pins[name]}"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built from a copy of the checkout, so that building leaves nothing behind here."""
    folder = tmp_path_factory.mktemp("wheel")
    leave = shutil.ignore_patterns(
        ".*", "__pycache__", "*.egg-info", "build", "dist", "demo", "*.motifdb", "tests"
    )
    shutil.copytree(ROOT, folder / "source", symlinks=True, ignore=leave)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, "--wheel-dir", str(folder), str(folder / "source")], check=True, timeout=300)
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_holds_every_module(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        inside = set(archive.namelist())
    for room in ("motifdb", "schemas", "pipelines", "training"):
        for path in (ROOT / room).rglob("*.py"):
            relative = path.relative_to(ROOT).as_posix()
            if path.is_symlink() or any(relative.startswith(f"motifdb/{link}/") for link in LINKS):
                continue
            expected = relative if room == "motifdb" else f"motifdb/{relative}"
            assert expected in inside
    assert {"motifdb/cli.py", "motifdb/py.typed"} <= inside
    assert not [n for n in inside if not n.startswith(("motifdb/", "motifdb-"))], (
        "nothing beside our own package"
    )
    assert any(n.endswith("licenses/LICENSE") for n in inside)


def test_the_wheel_runs_away_from_the_checkout(wheel: Path, tmp_path: Path) -> None:
    """Installed into an empty environment; the dependencies are lent from this one."""
    subprocess.run(
        [sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "venv")], check=True, timeout=120
    )
    python = tmp_path / "venv" / "bin" / "python"
    install = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        str(python),
        "install",
        "--quiet",
        "--no-deps",
        "--no-index",
    ]
    subprocess.run([*install, str(wheel)], check=True, timeout=120)
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    site = Path(
        subprocess.run([str(python), "-c", code], check=True, capture_output=True, text=True).stdout.strip()
    )
    # A path in a .pth file is searched after the environment's own, and .pth files in it are not read: so this
    # checkout, installed here as editable, stays out of sight.
    import numpy

    (site / "lent.pth").write_text(f"{Path(numpy.__file__).parents[1]}\n")
    where = subprocess.run(
        [str(python), "-c", "import motifdb.cli, motifdb.schemas; print(motifdb.cli.__file__)"],
        cwd=tmp_path, check=True, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert Path(where.stdout.strip()).is_relative_to(site)
    for command in (["--help"], ["--version"]):
        ran = subprocess.run(
            [str(tmp_path / "venv" / "bin" / "motifdb"), *command],
            cwd=tmp_path, check=True, capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        assert "motifdb" in ran.stdout
