"""Families as an analysis: what is stored, what is new, what is stale, what goes; stopping and going on."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from motifdb.catalog.store import create, open_snapshot, open_writer
from motifdb.cli import app
from motifdb.errors import NotFoundError, UsageError
from motifdb.families import FamiliesConfig, find_families
from motifdb.pipelines import families_work
from motifdb.pipelines.families import FamiliesReport, make_families
from motifdb.pipelines.families_options import FamiliesOptions
from motifdb.pipelines.progress import Quiet
from motifdb.query.status import status
from tests.pipelines.small import prints, rows, run, violations, write_f0

TUNES = np.array([[0, 2, 4, 5, 4], [7, 5, 9, 7, 5], [4, 0, -3, 0, 2]]) * 100.0
TUNE_S, REST_S = 2.5, 0.4


def sing(seed: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Three tunes of 2.5 s, sung two or three times each in an order of its own, a few cents off, rests between them."""
    rng = np.random.default_rng(seed)
    parts = []
    for tune in rng.permutation(np.repeat(np.arange(3), (3, 2, 2))):
        cents = np.repeat(TUNES[tune], 50) + 15 * np.sin(np.arange(250) / rng.uniform(8, 12))
        parts += [220.0 * 2 ** (cents / 1200), np.zeros(40)]
    return np.concatenate(parts)


def order_of(seed: int) -> list[int]:
    """Which tune is sung when."""
    tunes: list[int] = np.random.default_rng(seed).permutation(np.repeat(np.arange(3), (3, 2, 2))).tolist()
    return tunes


def write_songs(folder: Path, singers: str) -> None:
    lines = ["path,singer"]
    for i, singer in enumerate(singers):
        write_f0(folder / f"{i}.csv", sing(i))
        lines.append(f"{i}.csv,{singer}")
    (folder / "manifest.csv").write_text("\n".join(lines) + "\n")


def make(db: Path, **options: Any) -> FamiliesReport:
    options.setdefault("workers", 1)
    with open_writer(db, wait_s=10) as writer:
        return make_families(FamiliesOptions(**options), writer, Quiet())


@pytest.fixture(scope="module")
def songs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three tracks of two singers, with families of each recording."""
    folder = tmp_path_factory.mktemp("families")
    write_songs(folder / "songs", "aab")
    run(folder / "songs.motifdb", folder / "songs", metadata=folder / "songs" / "manifest.csv")
    shutil.copytree(folder / "songs.motifdb", folder / "without.motifdb")
    make(folder / "songs.motifdb")
    return folder


@pytest.fixture
def here(songs: Path, tmp_path: Path) -> Path:
    """A copy that a test may change: `songs`, `songs.motifdb` and `without.motifdb`."""
    shutil.copytree(songs, tmp_path / "copy")
    return tmp_path / "copy"


def by_path(db: Path) -> dict[str, str]:
    return {row["path"]: row["recording_id"] for row in rows(db, "files") if row["recording_id"]}


def families_prints(db: Path) -> dict[str, str]:
    own = prints(db)
    return {name: own[name] for name in ("families", "family_members", "coverage")}


# -- what is stored ---------------------------------------------------------------------------------------


def test_what_is_sung_twice_is_a_family(songs: Path) -> None:
    db = songs / "songs.motifdb"
    assert violations(db) == []
    members = rows(db, "family_members")
    for i in range(3):
        recording = by_path(db)[f"{i}.csv"]
        starts_s = np.arange(7) * (TUNE_S + REST_S)
        of_tune = np.array(order_of(i))
        joined: set[tuple[int, int]] = set()
        for family in [f for f in rows(db, "families") if f["scope_key"] == recording]:
            own = [m["start_s"] for m in members if m["family_id"] == family["family_id"]]
            sung = [int(np.abs(starts_s - s).argmin()) for s in own]
            assert len(set(of_tune[sung])) == 1, "one melody in a family"
            joined |= set(combinations(sorted(sung), 2))
        same = {(a, b) for a, b in combinations(range(7), 2) if of_tune[a] == of_tune[b]}
        assert same <= joined


def test_threads_and_a_stop_change_nothing(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = families_prints(here / "songs.motifdb")
    shutil.copytree(here / "without.motifdb", here / "stopped.motifdb")
    report = make(here / "without.motifdb", workers=2)
    assert (report.made[0].n_made, report.engine, report.workers) == (3, "inline", 2)
    assert families_prints(here / "without.motifdb") == expected

    found: list[int] = []

    def until_third(*args: Any, **words: Any) -> Any:
        found.append(1)
        if len(found) == 3:
            raise KeyboardInterrupt
        return original(*args, **words)

    original = find_families
    monkeypatch.setattr(families_work, "find_families", until_third)
    with pytest.raises(KeyboardInterrupt):
        make(here / "stopped.motifdb")
    assert violations(here / "stopped.motifdb") == []
    assert len({f["scope_key"] for f in rows(here / "stopped.motifdb", "families")}) == 2
    monkeypatch.setattr(families_work, "find_families", original)
    assert make(here / "stopped.motifdb").made[0].n_made == 1
    assert families_prints(here / "stopped.motifdb") == expected


def test_new_recordings_only_and_what_goes(tmp_path: Path) -> None:
    db, folder = tmp_path / "songs.motifdb", tmp_path / "songs"
    write_songs(folder, "abb")
    run(db, folder, metadata=folder / "manifest.csv")
    assert make(db).made[0].n_made == 3
    assert make(db).made[0].n_made == 0
    make(db, scope="singer")
    write_songs(folder, "abba")
    run(db, folder, metadata=folder / "manifest.csv")
    assert "1 recording waits for it; run families again" in str(status(open_snapshot(db)))
    assert make(db).made[0].n_made == 1
    stale = make(db, scope="singer")
    assert stale.made[0].stale == "stale: 1 recording newer; --refresh makes a successor"
    assert stale.made[0].n_made == 0
    assert make(db, scope="singer", refresh=True).made[0].n_made == 2
    gone = by_path(db)["2.csv"]
    of_a = [f for f in rows(db, "families") if (f["scope"], f["scope_key"]) == ("singer", "a")]
    assert of_a
    (folder / "2.csv").unlink()
    write_songs_manifest(folder)
    run(db, folder, metadata=folder / "manifest.csv", prune=True)
    assert gone not in {m["recording_id"] for m in rows(db, "family_members")}
    left = [f for f in rows(db, "families") if f["scope"] == "singer"]
    assert {f["scope_key"] for f in left} == {"a"}, "those of b were found in a recording that went"
    assert {f["family_id"] for f in of_a} == {f["family_id"] for f in left}
    assert violations(db) == []


def write_songs_manifest(folder: Path) -> None:
    """A manifest of the files that are there."""
    lines = (folder / "manifest.csv").read_text().splitlines()
    kept = [line for line in lines[1:] if (folder / line.split(",")[0]).exists()]
    (folder / "manifest.csv").write_text("\n".join([lines[0], *kept]) + "\n")


def test_a_track_that_cannot_be_searched_stops_no_other(here: Path) -> None:
    """A pitch every 40 ms is too coarse for frames of 30 ms."""
    db = here / "songs.motifdb"
    coarse = here / "songs" / "coarse.csv"
    coarse.write_text("time_s,f0_hz\n" + "".join(f"{i * 0.04:.2f},220\n" for i in range(200)))
    run(db, here / "songs", metadata=here / "songs" / "manifest.csv")
    fine = FamiliesConfig(frame_s=0.03)
    two = (by_path(db)["0.csv"], by_path(db)["coarse.csv"])
    made = make(db, config=fine, recordings=two).made[0]
    assert made.n_made == 2
    assert list(made.failed) == [by_path(db)["coarse.csv"]]
    assert "0.04 s" in next(iter(made.failed.values()))
    again = make(db, config=fine, recordings=two).made[0]
    assert (again.n_made, list(again.failed)) == (0, list(made.failed))
    assert make(db, config=fine, recordings=two, retry_failed=True).made[0].n_made == 1
    assert violations(db) == []


def test_families_grow_from_motifs(here: Path) -> None:
    db = here / "songs.motifdb"
    made = make(db, source="motifs", config=FamiliesConfig(threshold_cents=40.0, min_duration_s=0.5)).made[0]
    assert made.n_made == 3
    (analysis,) = [a for a in rows(db, "analyses") if a["analysis_id"] == made.analysis.id]
    assert analysis["parent_id"] in {a["analysis_id"] for a in rows(db, "analyses") if a["kind"] == "mining"}
    assert analysis["name"] == "families+motifs+min_duration_s=0.5+threshold_cents=40"
    assert any(f["analysis_id"] == made.analysis.id for f in rows(db, "families"))
    assert violations(db) == []


def test_other_defaults_under_the_same_name_are_told_apart(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where an older version made `families` with defaults of its own."""
    db = here / "songs.motifdb"
    other = FamiliesConfig(min_members=3)
    monkeypatch.setattr(FamiliesOptions, "own_name", lambda self: "families")
    made = make(db, config=other, recordings=(by_path(db)["0.csv"],)).made[0]
    assert made.analysis.name == f"families {made.analysis.id[:6]}"
    assert make(db, config=other, recordings=(by_path(db)["0.csv"],)).made[0].n_made == 0


# -- the command ------------------------------------------------------------------------------------------


def test_one_recordings_families_as_groups_of_spans(here: Path) -> None:
    runner = CliRunner()
    words = ["families", "--db", str(here / "without.motifdb"), "--recording", "2", "--format", "csv"]
    made = runner.invoke(app, [*words, "-q"])
    assert made.exit_code == 0, made.output
    lines = made.output.splitlines()
    assert lines[0] == "group,start_s,end_s"
    starts_s = [float(line.split(",")[1]) for line in lines[1:]]
    assert starts_s == sorted(starts_s)
    assert lines[1].startswith("1,")
    assert {f["scope_key"] for f in rows(here / "without.motifdb", "families")} == {
        by_path(here / "without.motifdb")["2.csv"]
    }
    stored = runner.invoke(app, ["families", "--db", str(here / "songs.motifdb"), *words[3:], "-q"])
    assert stored.output == made.output, "what is stored is what would be made"
    told = runner.invoke(app, ["families", "--db", str(here / "songs.motifdb"), "-n", "2"])
    assert "3 recordings; all were searched before" in told.output


@pytest.mark.parametrize(
    ("words", "error", "text"),
    [
        (["--recording", "zz"], NotFoundError, "no recording 'zz'"),
        (["--scope", "singr"], NotFoundError, "did you mean 'singer'"),
        (["--set", "bnad=0.1"], UsageError, "did you mean 'band'"),
        (["--of", "nothing"], NotFoundError, "no pitch analysis 'nothing'"),
        (["--threshold", "-1"], UsageError, "must be more than 0"),
        (["--min-members", "5", "--name", "families"], UsageError, "is taken"),
        (["--recording", "1", "--scope", "nowhere"], NotFoundError, "nowhere"),
        (["--config", "not there.toml"], UsageError, "cannot be read"),
    ],
)
def test_mistakes_are_said_in_a_sentence(
    songs: Path, words: list[str], error: type[Exception], text: str
) -> None:
    told = CliRunner().invoke(app, ["families", "--db", str(songs / "songs.motifdb"), *words])
    assert isinstance(told.exception, error), (told.output, told.exception)
    assert text in str(told.exception)


@pytest.mark.parametrize(("source", "text"), [("pitch", "holds no pitch yet"), ("motifs", "holds no motifs")])
def test_an_empty_database_has_no_families(tmp_path: Path, source: str, text: str) -> None:
    create(tmp_path / "empty.motifdb")
    with pytest.raises(NotFoundError, match=text):
        make(tmp_path / "empty.motifdb", source=source)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda o: replace(o, source="words"), "pitch or motifs"),
        (lambda o: replace(o, conflicts="any"), "leave-out or each"),
        (lambda o: replace(o, engine="steam"), "auto, inline or ray"),
    ],
    ids=["source", "conflicts", "engine"],
)
def test_options_that_cannot_be(change: Callable[[FamiliesOptions], FamiliesOptions], text: str) -> None:
    with pytest.raises(UsageError, match=text):
        change(FamiliesOptions()).check()
