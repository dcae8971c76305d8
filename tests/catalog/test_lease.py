"""One writer at a time; the dead are told from the living."""

from __future__ import annotations

import os
import time
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from motifdb.catalog import files, lease
from motifdb.catalog.store import Changes, create, log, open_snapshot, open_writer
from motifdb.errors import BusyError, DatabaseError, UsageError
from tests.catalog import children
from tests.catalog.rows import named


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A new database."""
    create(tmp_path / "songs.motifdb")
    return tmp_path / "songs.motifdb"


def test_a_second_writer_is_told_who_is_at_work_and_what_to_do(path: Path) -> None:
    with open_writer(path):
        with pytest.raises(BusyError) as told:
            open_writer(path)
        sentence = str(told.value)
        assert f"process {os.getpid()} on {os.uname().nodename}, since 20" in sentence
        assert "wait until it ends, or end it if it hangs: its lease lapses 30 s" in sentence
        assert told.value.exit_code == 3
        assert open_snapshot(path).commit == 0, "readers are never busy"
    with open_writer(path) as w:
        assert w.epoch == 2
    assert [r.number for r in log(path)] == [0], "a clean handover leaves no commit"


def test_a_waiting_writer_gets_its_turn(path: Path) -> None:
    child = children.start("append-many", path, "child", 1)
    with open_writer(path, wait_s=60.0) as w:
        time.sleep(0.3)
        w.commit(Changes(append={"files": named("files", ["parent"])}), token="parent", message="")
    _, errors = child.communicate(timeout=60)
    assert child.returncode == 0, errors
    assert open_snapshot(path).count("files") == 2


def test_a_killed_writers_lease_is_taken_over_at_once(path: Path, tmp_path: Path) -> None:
    child = children.start("hold", path, tmp_path / "ready")
    children.wait_for(tmp_path / "ready")
    with pytest.raises(BusyError, match=f"process {child.pid} "):
        open_writer(path)
    child.kill()
    # Not waited for: a dead process that its parent has not yet buried is dead all the same.
    deadline = time.monotonic() + 10
    while True:
        try:
            writer = open_writer(path)
            break
        except BusyError:
            assert time.monotonic() < deadline, "the dead process was taken for a living one"
            time.sleep(0.01)
    with writer:
        assert writer.epoch == 2
        assert writer.snapshot.record.message.startswith(f"take over from process {child.pid} ")
    child.communicate()


def test_a_heartbeat_keeps_a_lease_alive_beyond_its_time(path: Path) -> None:
    with open_writer(path, ttl_s=0.4) as w:
        who = lease.holder(path)
        assert who is not None
        for _ in range(8):
            time.sleep(0.1)
            assert not lease.is_dead(path, who)
        w.commit(Changes(), token="t", message="")


def test_a_lease_without_heartbeat_lapses(path: Path) -> None:
    with open_writer(path) as w:
        who = lease.holder(path)
        assert who is not None and not lease.is_dead(path, who)
        file = path / lease.FOLDER / "0000000001.json"
        os.utime(file, (time.time() - 31, time.time() - 31))
        assert lease.is_dead(path, who)
        with open_writer(path) as other:
            assert other.epoch == 2
            with pytest.raises(BusyError, match="lost its lease"):
                w.commit(Changes(), token="t", message="")


def test_the_dead_are_told_from_the_living(path: Path) -> None:
    here = lease.Holder.here(1, 30.0)
    assert not here.is_gone()
    assert replace(here, pid=4_194_305).is_gone(), "above the greatest pid there can be"
    assert replace(here, pid_start="1").is_gone(), "the pid is another process's by now"
    gone = replace(here, pid=4_194_305)
    for elsewhere in (
        replace(gone, host="elsewhere"),
        replace(gone, boot_id="before"),
        replace(gone, pid_namespace="pid:[1]"),
    ):
        assert not elsewhere.is_gone(), "whose processes we cannot see"
    assert replace(here, pid=4_194_303, pid_start="").is_gone() or os.path.exists("/proc/4194303")


def test_old_leases_are_pruned_and_one_made_again_does_not_count(path: Path) -> None:
    for _ in range(lease.N_KEPT_LEASES + 3):
        lease.acquire(path).release()
    epochs = sorted(int(p.stem) for p in (path / lease.FOLDER).glob("*.json"))
    assert epochs == list(range(4, lease.N_KEPT_LEASES + 4))
    assert len(list((path / lease.FOLDER).iterdir())) == 2 * lease.N_KEPT_LEASES
    (path / lease.FOLDER / "0000000001.json").write_text("{}")
    assert lease.newest_epoch(path) == lease.N_KEPT_LEASES + 3


def test_a_forked_child_does_not_write_through_its_parents_lease(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_writer(path) as w:
        with monkeypatch.context() as m:
            m.setattr(os, "getpid", lambda: -1)
            with pytest.raises(UsageError, match="belongs to process"):
                w.commit(Changes(), token="t", message="")
        w.commit(Changes(), token="t", message="")


def test_a_folder_that_cannot_be_written_is_told_of(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(files, "put_if_absent", refuse)
    with pytest.raises(DatabaseError, match=r"could not be written \(Permission denied\)"):
        open_writer(path)


def test_a_holder_round_trips(path: Path) -> None:
    with open_writer(path, ttl_s=5.0):
        who = lease.holder(path)
    assert who is not None
    assert asdict(who) | {"since": ""} == asdict(lease.Holder.here(1, 5.0)) | {"since": ""}
    assert lease.holder(path) is None
