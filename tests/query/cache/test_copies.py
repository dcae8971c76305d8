"""Copies of large tables: the same answers behind the same wall, whatever happens to the files."""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from motifdb.catalog.store import Changes, Snapshot, open_snapshot, open_writer
from motifdb.errors import DatabaseError, MotifdbError
from motifdb.query.cache import build, copies, keys, shelf
from motifdb.query.cache.folder import cache_folder
from motifdb.query.relations import relations
from motifdb.query.sql import Session
from motifdb.schemas import TABLES
from tests.query.conftest import make_database
from tests.query.example import example_rows, example_tables
from tests.query.test_sql import HOSTILE, SECRET

KEPT = ("motifs", "occurrences", "pattern_counts", "motif_stats", "motif_by_label")
FILLED = {name for name, rows in example_rows().items() if rows}


def odd_tables() -> dict[str, pa.Table]:
    """The example with NaN, NULL and infinity among its numbers."""
    tables = example_tables()
    motifs = tables["motifs"]
    odd = [float("nan"), None, float("inf"), -float("inf"), -0.0, 5e-324]
    values = pa.array([odd[i % len(odd)] for i in range(len(motifs))], pa.float64())
    at = TABLES["motifs"].names.index("expected_support")
    return {**tables, "motifs": motifs.set_column(at, motifs.schema.field(at), values)}


@pytest.fixture(scope="module")
def odd_db(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_database(tmp_path_factory.mktemp("odd") / "songs.motifdb", odd_tables())


@pytest.fixture(scope="module")
def shelved(odd_db: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache folder with a copy of everything."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MOTIFDB_CACHE", str(folder))
        made = build.build(open_snapshot(odd_db), sorted(FILLED | keys.KEPT_VIEWS))
    assert set(made) > set(KEPT)
    return folder


@pytest.fixture
def cache(shelved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """That folder, for the test to spoil; what is missing is made at once, in this process."""
    shutil.copytree(shelved, tmp_path / "cache")
    monkeypatch.setenv("MOTIFDB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(keys, "LEAST_ROWS", 1)
    monkeypatch.setattr(copies, "start", build.build)
    return tmp_path / "cache" / "sql"


@pytest.fixture
def snapshot(odd_db: Path) -> Snapshot:
    return open_snapshot(odd_db)


@pytest.fixture
def session(cache: Path, snapshot: Snapshot) -> Iterator[Session]:
    made = Session(snapshot, copies=True)
    yield made
    made.close()


def files_of(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"*{shelf.SUFFIX}"))


def attached(session: Session) -> set[str]:
    assert session._copies is not None
    return set(session._copies.attached)


def test_every_table_and_view_is_the_same(session: Session, snapshot: Snapshot) -> None:
    plain = Session(snapshot)
    for name in sorted(FILLED | keys.KEPT_VIEWS | {"phrases", "tracks", "clips"}):
        query = f"select * from {name}" + ("" if name in TABLES else " order by all")
        expected, got = plain.table(query), session.table(query)
        assert got.schema == expected.schema
        assert repr(got.to_pylist()) == repr(expected.to_pylist()), f"{name}, by repr because NaN is not NaN"
    plain.close()
    assert attached(session) > set(KEPT)


@pytest.mark.parametrize(
    "query",
    [
        "select contour, expected_support from motifs where expected_support > 1 order by all limit 7",
        "select count(*) filter (isnan(expected_support)) as nan, count(expected_support) as known from motifs",
        "select * from occurrences limit 5",
        "select motif_id, count(*) as n from occurrences group by 1 order by n desc, 1 limit 9 offset 3",
        "select symbols, len(symbols) from contours where list_contains(symbols, 4)",
        "select path, labels['city'] as city from files where labels['city'] is not null order by path",
        "select * from motif_by_label where label = 'singer' order by all limit 20",
        "select count(*) from phrases p join occurrences o using (phrase_id)",
    ],
)
def test_questions_get_the_same_answers(session: Session, snapshot: Snapshot, query: str) -> None:
    plain = Session(snapshot)
    assert repr(session.table(query).to_pylist()) == repr(plain.table(query).to_pylist())
    assert attached(session)
    plain.close()


def test_the_wall_stands(session: Session, tmp_path: Path) -> None:
    secret, out = tmp_path / "secret.csv", tmp_path / "out"
    secret.write_text(SECRET)
    session.table("select count(*) from motifs, occurrences limit 1")
    assert {"motifs", "occurrences"} <= attached(session)
    file = str(session._copies.found["motifs"]) if session._copies is not None else ""
    before = sorted(p.name for p in Path(file).parent.iterdir())
    for statement in [
        *HOSTILE,
        "detach _copy_motifs",
        "drop table _copy_motifs.main.motifs",
        "select * from _copy_motifs.main.motifdb_copy",
        "select * from _copy_motifs.main.motifs",
        "select * from _copy_motifs.motifs",
        f"attach '{file}' as other",
        f"select * from read_text('{file}')",
        f"copy (select 1) to '{file}.wal' (format csv)",
    ]:
        with pytest.raises(MotifdbError) as caught:
            session.table(statement.format(out=out, secret=secret))
        assert SECRET not in str(caught.value) and "\n" not in str(caught.value)
    assert sorted(p.name for p in Path(file).parent.iterdir()) == before and not out.exists()
    assert session.table("select 7 as x").to_pylist() == [{"x": 7}]


def test_statements_see_no_copies(session: Session) -> None:
    session.table("select count(*) from motifs where length > 1")
    assert attached(session)
    assert session.table("select table_name from duckdb_tables()").num_rows == 0
    assert session.table("select count(*) from motifs where length > 1").num_rows == 1


@pytest.mark.parametrize("damage", ["cut", "empty", "text", "flipped", "foreign"])
def test_a_damaged_copy_changes_nothing(cache: Path, snapshot: Snapshot, damage: str) -> None:
    path = shelf.path_of(cache, keys.key_of(snapshot, "occurrences"))
    content = path.read_bytes()
    if damage == "cut":
        path.write_bytes(content[: len(content) // 2])
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "text":
        path.write_bytes(b"not a database " * 1000)
    elif damage == "flipped":  # everything behind the headers, so that it shows only when blocks are read
        path.write_bytes(content[:12288] + bytes(b ^ 255 for b in content[12288:]))
    else:
        shutil.copy(shelf.path_of(cache, keys.key_of(snapshot, "motifs")), path)
    question = "select motif_id, sum(end_s) as s from occurrences group by 1 order by all"
    plain, session = Session(snapshot), Session(snapshot, copies=True)
    assert session.table(question).to_pylist() == plain.table(question).to_pylist()
    session.close()
    again = Session(snapshot, copies=True)
    for _ in range(2):
        assert again.table(question).to_pylist() == plain.table(question).to_pylist()
    assert attached(again) == {"occurrences"}, "made anew"
    again.close()
    plain.close()


def test_damage_that_shows_while_reading(cache: Path, snapshot: Snapshot) -> None:
    """The columns of one block are spoilt: attaching works, the statement that meets it is asked again."""
    path = shelf.path_of(cache, keys.key_of(snapshot, "occurrences"))
    content = bytearray(path.read_bytes())
    plain = Session(snapshot)
    expected = plain.table("select * from occurrences").to_pylist()
    for block in range(12288, len(content), 262144):
        spoilt = content.copy()
        spoilt[block + 64 : block + 4096] = bytes(b ^ 255 for b in spoilt[block + 64 : block + 4096])
        path.write_bytes(spoilt)
        session = Session(snapshot, copies=True)
        assert session.table("select * from occurrences").to_pylist() == expected
        session.close()
        path.write_bytes(spoilt)
        streaming = Session(snapshot, copies=True)
        with contextlib.suppress(DatabaseError):  # it has begun to answer, and cannot begin again
            streaming.reader("select * from occurrences").read_all()
        assert streaming.table("select * from occurrences").to_pylist() == expected
        streaming.close()
    plain.close()


def test_turned_off(monkeypatch: pytest.MonkeyPatch, cache: Path, snapshot: Snapshot) -> None:
    monkeypatch.setenv("MOTIFDB_CACHE", "off")
    assert cache_folder("sql") is None and build.build(snapshot, ["motifs"]) == []
    session = Session(snapshot, copies=True)
    assert session._copies is None and session.table("select count(*) as n from motifs").num_rows == 1
    session.close()


def test_small_tables_are_read_as_they_are(
    monkeypatch: pytest.MonkeyPatch, cache: Path, snapshot: Snapshot
) -> None:
    monkeypatch.setattr(keys, "LEAST_ROWS", 1_000_000)
    session = Session(snapshot, copies=True)
    session.table("select * from motifs")
    assert attached(session) == set()
    session.close()


def test_a_commit_renews_only_what_it_changed(cache: Path, tmp_path: Path, snapshot: Snapshot) -> None:
    path = tmp_path / "grown.motifdb"
    shutil.copytree(snapshot.path, path)
    old = open_snapshot(path)
    assert keys.key_of(old, "motifs") == keys.key_of(snapshot, "motifs"), "a copied database keeps its copies"
    with open_writer(path) as writer:
        new = TABLES["corpora"].table([{"corpus_id": "c2", "name": "more", "root_uri": "/more"}])
        writer.commit(Changes(append={"corpora": new}), token="more", message="more")
    grown = open_snapshot(path)
    changed = {n for n in relations() if keys.key_of(old, n) != keys.key_of(grown, n)}
    assert changed == {n for n in relations() if "corpora" in keys.stored_under(n)}
    session = Session(grown, copies=True)
    assert session.table("select name from corpora order by name").column(0).to_pylist() == ["more", "songs"]
    session.close()


def test_builders_do_not_disturb_each_other(cache: Path, snapshot: Snapshot) -> None:
    for path in files_of(cache):
        path.unlink()
    made: list[list[str]] = []
    builders = [
        threading.Thread(target=lambda: made.append(build.build(snapshot, ["motifs", "motif_stats"])))
        for _ in range(3)
    ]
    for builder in builders:
        builder.start()
    for builder in builders:
        builder.join()
    session = Session(snapshot, copies=True)
    assert session.table("select count(*) as n from motif_stats").num_rows == 1
    assert "motif_stats" in attached(session)
    session.close()
    names = sorted(name for names in made for name in names)
    assert len(names) == len(set(names)), "nothing was made twice"
    assert not [p for p in cache.iterdir() if p.name.startswith(".")], "no part or lock is left"


def test_a_child_process_makes_what_is_missing(
    cache: Path, snapshot: Snapshot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = shelf.path_of(cache, keys.key_of(snapshot, "motifs"))
    path.unlink()
    (tmp_path / "duckdb.py").write_text(
        "raise SystemExit('the folder one stands in is no place for modules')"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(copies, "start", build.start)
    session = Session(snapshot, copies=True)
    first = session.table("select * from motifs")
    assert attached(session) == set(), "the first answer waits for nothing"
    until = time.monotonic() + 60
    while not path.exists() and time.monotonic() < until:
        time.sleep(0.05)
    assert repr(session.table("select * from motifs").to_pylist()) == repr(first.to_pylist())
    assert attached(session) == {"motifs"}
    session.close()


def test_room_is_made(cache: Path) -> None:
    files = files_of(cache)
    now = time.time()
    for age, path in enumerate(files):
        os.utime(path, (now - 100 * age, now - 100 * age))
    os.utime(files[0], (0, now - 40 * 24 * 3600))
    old_part = cache / f".{files[0].stem}-x1_y2z3a"
    old_part.mkdir()
    foreign = [cache / "notes.txt", cache / "songs.duckdb", cache / ".env", cache / ".git" / "HEAD"]
    (cache / ".git").mkdir()
    for path in foreign:
        path.write_text("not ours")
    for path in (old_part, cache / ".git", *foreign):
        os.utime(path, (0, 0))
    total = sum(p.stat().st_size for p in files[1:])
    gone = files[-1].stat().st_size
    shelf.make_room(cache, 1, most_bytes=total)
    left = [*files[1:-1], cache / "songs.duckdb"]
    assert files_of(cache) == left, "the one of a month ago, then the one read longest ago"
    assert not old_part.exists() and all(path.exists() for path in foreign)
    shelf.make_room(cache, 1, most_bytes=total - gone + 1)
    assert files_of(cache) == left


def test_a_full_disk_is_left_alone(cache: Path, snapshot: Snapshot, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in files_of(cache):
        path.unlink()
    monkeypatch.setattr(build, "SPARE_BYTES", 1 << 60)
    session = Session(snapshot, copies=True)
    assert pc.sum(session.table("select occurrences from motifs").column(0)).as_py() > 0
    assert files_of(cache) == []
    session.close()
