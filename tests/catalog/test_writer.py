"""Commits are whole or absent, whoever dies, sleeps or comes between."""

from __future__ import annotations

import os
import signal
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from motifdb.catalog import commits, files, lancetables, writer
from motifdb.catalog.checksums import verify_all, verify_log
from motifdb.catalog.store import Changes, Snapshot, create, log, open_snapshot, open_writer
from motifdb.errors import BusyError, DatabaseError, UsageError
from motifdb.schemas import TABLES
from tests.catalog import children
from tests.catalog.rows import keys, named, rows


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A new database."""
    create(tmp_path / "songs.motifdb")
    return tmp_path / "songs.motifdb"


def sound(path: Path) -> bool:
    """Whether the log and every byte of the kept commits are as they were committed."""
    return list(verify_all(path)) == list(verify_log(path)) == []


def contents(snapshot: Snapshot) -> dict[str, list[str]]:
    """First key column of every table that has rows, read from the files."""
    return {t: keys(snapshot.table(t), t) for t in TABLES if snapshot.count(t)}


def test_a_commit_over_all_tables_reads_back(path: Path) -> None:
    wanted = {t: rows(t, range(5)) for t in TABLES}
    with open_writer(path) as w:
        assert w.commit(Changes(append=wanted), token="a", message="five rows each") == 1
        for t in TABLES:
            assert w.snapshot.table(t).equals(wanted[t])
            assert w.snapshot.count(t) == w.snapshot.dataset(t).count_rows() == 5
    record = log(path)[0]
    assert (record.message, record.epoch, record.delta["files"]) == ("five rows each", 1, (5, 0))
    assert sound(path)


def test_deletes_come_before_appends_in_one_version(path: Path) -> None:
    with open_writer(path) as w:
        w.commit(Changes(append={"files": named("files", ["a", "b", "c"])}), token="1", message="")
        before = w.snapshot.versions["files"]
        w.commit(
            Changes(
                append={"files": named("files", ["a", "d"])}, delete={"files": "corpus_id in ('a', 'b')"}
            ),
            token="2",
            message="",
        )
        assert keys(w.snapshot.table("files"), "files") == ["a", "c", "d"]
        assert w.snapshot.versions["files"] == before + 1
        assert w.snapshot.record.delta == {"files": (2, 2)}
        w.commit(Changes(delete={"files": "true"}), token="3", message="")
        assert w.snapshot.count("files") == w.snapshot.table("files").num_rows == 0
        head = w.snapshot.versions
        w.commit(Changes(delete={"files": "corpus_id = 'none'"}), token="4", message="nothing matches")
        assert w.snapshot.versions == head
    assert sound(path)


def test_deletes_reach_rows_in_many_fragments(path: Path) -> None:
    expected = set()
    with open_writer(path) as w:
        for i in range(12):
            w.commit(
                Changes(append={"files": named("files", [f"{i}", f"{i}-x", "all"])}), token=f"{i}", message=""
            )
            expected |= {f"{i}", f"{i}-x"}
        w.commit(
            Changes(delete={"files": "corpus_id = 'all' or corpus_id like '%-x'"}), token="d", message=""
        )
        assert keys(w.snapshot.table("files"), "files") == sorted(f"{i}" for i in range(12))
        w.commit(Changes(delete={"files": "corpus_id < '5'"}), token="e", message="")
        assert keys(w.snapshot.table("files"), "files") == ["5", "6", "7", "8", "9"]
        assert w.snapshot.count("files") == 5
    assert sound(path)


def test_a_token_is_committed_once(path: Path) -> None:
    change = Changes(append={"files": named("files", ["a"])})
    with open_writer(path) as w:
        first = w.commit(change, token="t", message="")
        assert w.commit(change, token="t", message="") == first
    with open_writer(path) as w:
        assert w.commit(change, token="t", message="") == first
        assert w.find_token("t") == first
        assert w.find_token("u") is None
    assert open_snapshot(path).count("files") == 1


def test_wrong_rows_and_names_are_refused_and_nothing_is_stored(path: Path) -> None:
    good = named("files", ["a"])
    with open_writer(path) as w:
        with pytest.raises(TypeError, match=r"files\.path: expected string, got nothing"):
            w.commit(Changes(append={"files": good.drop_columns(["path"])}), token="1", message="m")
        with pytest.raises(UsageError, match="did you mean 'files'"):
            w.commit(Changes(append={"file": good}), token="2", message="m")
        with pytest.raises(UsageError, match="did you mean 'files'"):
            w.commit(Changes(delete={"file": "true"}), token="3", message="m")
        with pytest.raises(UsageError, match="No field named nosuch"):
            w.commit(
                Changes(append={"recordings": named("recordings", ["r"])}, delete={"files": "nosuch = 1"}),
                token="4",
                message="m",
            )
        assert w.commit(Changes(append={"files": good}), token="5", message="m") == 1
    assert contents(open_snapshot(path)) == {"files": ["a"]}
    with pytest.raises(UsageError, match="closed"):
        w.commit(Changes(), token="6", message="m")


def test_killed_at_any_point_a_commit_is_whole_or_absent(path: Path, tmp_path: Path) -> None:
    with open_writer(path) as w:
        w.commit(
            Changes(append={t: named(t, ["first"]) for t in ("files", "recordings")}),
            token="first",
            message="",
        )
    old = {"files": ["first"], "recordings": ["first"]}
    new = {"files": ["second"], "recordings": ["first", "second"], "motifs": ["second"]}
    folder = tmp_path / "killed"
    folder.mkdir()
    child = children.start("die-at-each", path, folder)
    _, errors = child.communicate(timeout=120)
    assert child.returncode == 0, errors
    points = (folder / "points.txt").read_text().split("\n")
    assert {"before put commits", "after put commits", "tables written", "files settled", "committed"} <= set(
        points
    )
    assert sum(p.startswith("after table") for p in points) == 3
    for i, point in enumerate(points):
        database = folder / f"{i:02d}.motifdb"
        is_committed = i >= points.index("after put commits")
        snapshot = open_snapshot(database)
        assert contents(snapshot) == (new if is_committed else old), point
        with open_writer(database) as w:  # the dead writer's lease is taken over at once
            for t in TABLES:
                head = lancetables.open_version(database, t)
                assert head.count_rows() == w.snapshot.count(t), f"{t} was not reset after a death {point}"
            w.commit(children.replacing("second"), token="second", message="again")
            assert contents(w.snapshot) == new, point
        assert sound(database), point
        tokens = Counter(r.token for r in log(database))
        assert tokens["second"] == 1


def test_four_writers_at_once_lose_nothing(path: Path) -> None:
    n_each = 4
    running = [children.start("append-many", path, name, n_each) for name in "abcd"]
    for child in running:
        _, errors = child.communicate(timeout=240)
        assert child.returncode == 0, errors
    expected = sorted(f"{name}-{i}" for name in "abcd" for i in range(n_each))
    snapshot = open_snapshot(path)
    assert contents(snapshot) == {"files": expected, "recordings": expected}
    assert [r.number for r in log(path)] == list(range(4 * n_each, -1, -1)), "clean handovers need no fence"
    assert sound(path)


@pytest.mark.parametrize(
    "point", ["before table recordings", "after table recordings", "lease verified", "before put commits"]
)
def test_a_writer_paused_past_its_lease_slips_no_row_in(point: str, path: Path, tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    child = children.start("pause-at", path, point, ready, 0.3)
    children.wait_for(ready)
    w = open_writer(path, wait_s=30.0)
    assert "take over from process" in w.snapshot.record.message
    w.commit(Changes(append={t: named(t, ["new-1"]) for t in ("files", "recordings")}), token="1", message="")
    os.kill(child.pid, signal.SIGCONT)
    out, errors = child.communicate(timeout=60)
    assert out.startswith("BusyError") and "lost its lease" in out, out + errors
    if point.startswith("before table"):
        landed = lancetables.open_version(path, "recordings")
        assert keys(landed.to_table(), "recordings") == ["new-1", "stale"], "Lance accepts the stale append"
    w.commit(Changes(append={t: named(t, ["new-2"]) for t in ("files", "recordings")}), token="2", message="")
    assert contents(w.snapshot) == {t: ["new-1", "new-2"] for t in ("files", "recordings")}
    w.close()
    assert contents(open_snapshot(path)) == {t: ["new-1", "new-2"] for t in ("files", "recordings")}
    assert sound(path)


@pytest.mark.parametrize("kind", ["append", "delete", "restore", "compact"])
@pytest.mark.parametrize("point", ["before table files", "after table files", "restored files"])
def test_a_strangers_transaction_at_the_worst_moment_is_undone(
    kind: str, point: str, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_writer(path) as w:
        for name in ("a", "b", "c"):
            w.commit(Changes(append={"files": named("files", [name])}), token=name, message="")
        stale = lancetables.open_version(path, "files")
        n_intrusions = 0

        def intrude(reached: str) -> None:
            nonlocal n_intrusions
            if reached == point and n_intrusions < 2:
                n_intrusions += 1
                intrusion(stale, kind)

        if point == "restored files":
            intrusion(stale, kind)
        monkeypatch.setattr(files, "reached", intrude)
        w.commit(
            Changes(append={"files": named("files", ["d"])}, delete={"files": "corpus_id = 'b'"}),
            token="d",
            message="",
        )
        assert n_intrusions > 0
        assert keys(w.snapshot.table("files"), "files") == ["a", "c", "d"]
        monkeypatch.undo()
        w.commit(Changes(append={"files": named("files", ["e"])}), token="e", message="")
        assert keys(w.snapshot.table("files"), "files") == ["a", "c", "d", "e"]
        assert w.snapshot.count("files") == 4
    assert sound(path)


def intrusion(stale: Any, kind: str) -> None:
    """What a writer that should be dead does through its stale handle."""
    if kind == "append":
        lancetables.change(stale, "files", None, named("files", ["stranger"]), {"motifdb.epoch": "0"})
    elif kind == "delete":
        lancetables.change(stale, "files", "corpus_id = 'a'", None, {})
    elif kind == "restore":
        lancetables.restore(stale, 1, {})
    else:
        lancetables.open_version(Path(stale.uri).parents[1], "files").optimize.compact_files()


def test_a_stranger_that_never_rests_is_told_of(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_writer(path) as w:

        def intrude(reached: str) -> None:
            if reached == "before table files":
                intrusion(lancetables.open_version(path, "files"), "append")

        monkeypatch.setattr(files, "reached", intrude)
        with pytest.raises(DatabaseError, match="because another program writes to it"):
            w.commit(Changes(append={"files": named("files", ["a"])}), token="a", message="")
        monkeypatch.undo()
        w.commit(Changes(append={"files": named("files", ["a"])}), token="a", message="")
        assert contents(w.snapshot) == {"files": ["a"]}


def test_a_commit_number_that_is_taken_means_a_lost_lease(path: Path) -> None:
    with open_writer(path) as w:
        head = commits.head(path)
        taken = {**vars(head), "number": 1, "parent": head.hash, "token": "other"}
        commits.put(path, commits.CommitRecord(**taken))
        with pytest.raises(BusyError, match="lost its lease"):
            w.commit(Changes(append={"files": named("files", ["a"])}), token="a", message="")
    assert open_snapshot(path).count("files") == 0


def test_a_failure_in_the_middle_is_undone_by_the_next_commit(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> pa.Table:
        raise OSError(28, "No space left on device")

    with open_writer(path) as w:
        monkeypatch.setattr(files, "settle", full)
        with pytest.raises(
            DatabaseError, match=r"could not be written \(No space left on device\).*nothing is stored twice"
        ):
            w.commit(Changes(append={"files": named("files", ["a"])}), token="a", message="")
        monkeypatch.undo()
        w.commit(Changes(append={"files": named("files", ["b"])}), token="b", message="")
        assert contents(w.snapshot) == {"files": ["b"]}


def test_a_commit_does_not_name_files_that_are_gone(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lance accepts such fragments; the catalog does not."""

    def lose(reached: str) -> None:
        if reached == "after table files":
            for data in (path / "tables" / "files.lance" / "data").iterdir():
                data.unlink()

    with open_writer(path) as w:
        monkeypatch.setattr(files, "reached", lose)
        with pytest.raises(DatabaseError, match="No such file"):
            w.commit(Changes(append={"files": named("files", ["a"])}), token="a", message="")
        monkeypatch.undo()
        assert open_snapshot(path).commit == 0
        w.commit(Changes(append={"files": named("files", ["a"])}), token="a", message="")
        assert contents(w.snapshot) == {"files": ["a"]}
    assert sound(path)


def test_times_ascend_where_a_clock_was_set_back(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from datetime import UTC, datetime

    class EarlyClock(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
            return datetime(2000, 1, 1, tzinfo=UTC)

    with open_writer(path) as w:
        monkeypatch.setattr(writer, "datetime", EarlyClock)
        for i in range(3):
            w.commit(Changes(), token=f"{i}", message="")
    times = [r.created_at for r in log(path)]
    assert times == sorted(times, reverse=True) and len(set(times)) == 4


def test_threads_of_one_process_may_share_a_writer(path: Path) -> None:
    with open_writer(path) as w:

        def commit(i: int) -> None:
            w.commit(Changes(append={"files": named("files", [f"{i}"])}), token=f"{i}", message="")

        threads = [threading.Thread(target=commit, args=(i,)) for i in range(6)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert contents(w.snapshot) == {"files": [f"{i}" for i in range(6)]}
