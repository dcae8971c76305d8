"""compact and gc change what is on disk, never what a kept commit holds."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from motifdb.catalog import commits, lancetables, layout
from motifdb.catalog.checksums import verify_all, verify_log
from motifdb.catalog.maintain import CHECKPOINT_AGE_S
from motifdb.catalog.store import Changes, Writer, compact, create, gc, log, open_snapshot, open_writer
from motifdb.errors import BusyError, DatabaseError, NotFoundError, UsageError
from motifdb.schemas import TABLES
from tests.catalog.rows import named, rows

N_COMMITS = 8


@pytest.fixture
def writer(tmp_path: Path) -> Writer:
    """The writer of a database with many small commits, deletions among them."""
    create(tmp_path / "songs.motifdb")
    w = open_writer(tmp_path / "songs.motifdb")
    for i in range(N_COMMITS):
        w.commit(
            Changes(
                append={t: rows(t, range(10 * i, 10 * i + 10)) for t in ("files", "contours")},
                delete={"files": f"path = 'v{10 * i - 5}'"},
            ),
            token=f"{i}",
            message="",
        )
    return w


def contents(path: Path, commit: int) -> dict[str, list[dict[str, object]]]:
    """Every row of a commit."""
    snapshot = open_snapshot(path, at=commit)
    return {t: snapshot.table(t).to_pylist() for t in TABLES}


def size(path: Path) -> int:
    """Bytes of all tables on disk."""
    return sum(p.stat().st_size for p in (path / layout.TABLES_FOLDER).rglob("*") if p.is_file())


def test_compact_keeps_rows_and_order_and_merges_files(writer: Writer) -> None:
    before = contents(writer.path, N_COMMITS)
    assert compact(writer) == N_COMMITS + 1
    assert contents(writer.path, N_COMMITS + 1) == contents(writer.path, N_COMMITS) == before
    assert len(writer.snapshot.dataset("files").get_fragments()) == 1
    assert writer.snapshot.record.delta == {}
    assert compact(writer) is None, "nothing is left to merge"
    writer.commit(
        Changes(append={"files": named("files", ["new"])}, delete={"files": "path = 'v0'"}),
        token="new",
        message="",
    )
    assert writer.snapshot.count("files") == len(before["files"]) == len(writer.snapshot.table("files"))
    assert list(verify_all(writer.path)) == []


@pytest.mark.parametrize("point", ["before table files", "after table files"])
def test_a_strangers_rows_do_not_come_in_with_a_compaction(
    point: str, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(writer.path, N_COMMITS)
    n_intrusions = 0

    def intrude(reached: str) -> None:
        nonlocal n_intrusions
        if reached == point and n_intrusions == 0:
            n_intrusions += 1
            stale = lancetables.open_version(writer.path, "files")
            lancetables.change(stale, "files", None, named("files", ["stranger"]), {})

    monkeypatch.setattr("motifdb.catalog.files.reached", intrude)
    number = compact(writer)
    assert n_intrusions == 1 and number == N_COMMITS + 1
    assert contents(writer.path, number) == before
    monkeypatch.undo()
    writer.commit(Changes(append={"files": named("files", ["new"])}), token="new", message="")
    assert "stranger" not in writer.snapshot.table("files")["corpus_id"].to_pylist()


def test_gc_keeps_what_is_kept_and_frees_the_rest(writer: Writer) -> None:
    compact(writer)
    writer.commit(Changes(append={"motifs": rows("motifs", range(3))}), token="m", message="")
    head = writer.snapshot.commit
    kept = {n: contents(writer.path, n) for n in (head - 1, head)}
    before = size(writer.path)
    freed = gc(writer, keep_last=2)
    assert (freed.commit, freed.oldest_kept) == (head + 1, head - 1)
    assert freed.n_files > 2 * N_COMMITS and freed.n_bytes > 0
    assert size(writer.path) < before / 2
    for number, rows_then in kept.items():
        assert contents(writer.path, number) == rows_then
    assert contents(writer.path, freed.commit) == kept[head]
    with pytest.raises(
        NotFoundError, match=f"commit 3 was collected by gc; the oldest that is kept is {head - 1}"
    ):
        open_snapshot(writer.path, at=3)
    assert len(log(writer.path)) == head + 2, "the log keeps every record"
    assert list(verify_all(writer.path)) == list(verify_log(writer.path)) == []
    writer.commit(Changes(delete={"files": "true"}), token="d", message="")
    assert writer.snapshot.count("files") == 0 and open_snapshot(writer.path, at=head).count("files") > 0


def test_gc_frees_what_interrupted_writers_left(writer: Writer) -> None:
    writer.close()
    folder = layout.table_path(writer.path, "files")
    stale = lancetables.open_version(writer.path, "files")
    lancetables.change(stale, "files", None, named("files", ["uncommitted"]), {})
    import lance

    lance.fragment.write_fragments(named("files", ["orphan"]), str(folder), mode="append")
    n_before = len(list((folder / "data").iterdir()))
    with open_writer(writer.path) as w:
        freed = gc(w, keep_last=100)
        assert (freed.commit, freed.oldest_kept) == (N_COMMITS, 0), "nothing to collect: no commit"
        assert len(list((folder / "data").iterdir())) == n_before - 2
        assert contents(writer.path, freed.commit) == contents(writer.path, N_COMMITS)
    assert list(verify_all(writer.path)) == []


def test_gc_by_age_keeps_the_young_and_the_last(writer: Writer) -> None:
    middle = commits.read(writer.path, 4).created_at
    freed = gc(writer, keep_last=1, older_than=datetime.now(UTC) - middle)
    assert freed.oldest_kept == 5, "commit 4 is just older than that"
    freed = gc(writer, keep_last=1, older_than=timedelta(days=1))
    assert freed.oldest_kept == 5, "nothing is old enough; what was collected stays so"
    freed = gc(writer, keep_last=3, older_than=timedelta(0))
    assert (freed.commit, freed.oldest_kept) == (N_COMMITS + 2, N_COMMITS - 1)
    with pytest.raises(UsageError, match="at least one commit"):
        gc(writer, keep_last=0)


def test_kept_versions_survive_a_cleanup_by_other_tools(writer: Writer) -> None:
    gc(writer, keep_last=2)
    kept = contents(writer.path, N_COMMITS)
    dataset = lancetables.open_version(writer.path, "files")
    dataset.cleanup_old_versions(older_than=timedelta(0), error_if_tagged_old_versions=False)
    assert contents(writer.path, N_COMMITS) == kept
    assert list(verify_all(writer.path)) == []


def test_gc_that_was_killed_is_finished_by_the_next(writer: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    class KilledError(Exception):
        pass

    def die(*_: object) -> None:
        raise KilledError

    with monkeypatch.context() as m:
        m.setattr("motifdb.catalog.maintain._sweep", die)
        with pytest.raises(KilledError):
            gc(writer, keep_last=1)
    before = size(writer.path)
    with pytest.raises(NotFoundError, match="was collected"):
        open_snapshot(writer.path, at=2)
    gc(writer, keep_last=3)
    assert size(writer.path) < before
    assert open_snapshot(writer.path).record.oldest_kept == N_COMMITS
    assert list(verify_all(writer.path)) == []


def test_gc_removes_nothing_once_its_lease_is_lost(writer: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Paused in the middle of gc, overtaken by a writer that commits: the late gc stops."""
    tag = lancetables.referenced_files
    overtaken = False

    def referenced(*arguments: object) -> object:
        nonlocal overtaken
        if not overtaken:
            overtaken = True
            file = writer.path / "leases" / f"{writer.epoch:010d}.json"
            os.utime(file, (0, 0))
            with open_writer(writer.path) as other:
                other.commit(Changes(append={"files": named("files", ["other"])}), token="other", message="")
        return tag(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(lancetables, "referenced_files", referenced)
    with pytest.raises(BusyError, match="lost its lease"):
        gc(writer, keep_last=1)
    monkeypatch.undo()
    assert open_snapshot(writer.path).count("files", "corpus_id = 'other'") == 1
    assert list(verify_all(writer.path)) == []


def test_gc_refuses_where_a_kept_version_is_missing(writer: Writer) -> None:
    version = open_snapshot(writer.path, at=5).versions["files"]
    (writer.path / lancetables.manifest_name("files", version)).unlink()
    with pytest.raises(DatabaseError, match=rf"versions \[{version}\] that kept commits name are missing"):
        gc(writer, keep_last=6)
    assert open_snapshot(writer.path).count("files") == len(open_snapshot(writer.path).table("files"))


def test_gc_and_create_clear_what_was_left_half_made_long_ago(writer: Writer) -> None:
    folders = [writer.path / f for f in ("commits", "leases", "tables")]
    for folder in folders:
        for name in (".old.tmp", ".young.tmp"):
            (folder / name).touch()
        os.utime(folder / ".old.tmp", (0, 0))
    gc(writer)
    assert [sorted(p.name for p in f.glob(".*")) for f in folders] == [[".young.tmp"]] * 3
    aside = writer.path.with_name(".new.motifdb.1.0.tmp")
    (aside / "commits").mkdir(parents=True)
    os.utime(aside, (0, 0))
    create(writer.path.with_name("new.motifdb"))
    assert not aside.exists()


def test_gc_removes_checkpoints_that_no_run_names_once_they_are_old(tmp_path: Path) -> None:
    path = tmp_path / "songs.motifdb"
    create(path)

    def checkpoint(name: str, age_s: float) -> Path:
        folder = path / layout.MODELS_FOLDER / name
        (folder / "events").mkdir(parents=True)
        for file in (folder / "weights.safetensors", folder / "events" / "curve", folder / "events", folder):
            if not file.exists():
                file.write_bytes(b"12345")
            when = datetime.now(UTC).timestamp() - age_s
            os.utime(file, (when, when))
        return folder

    old_s = 2 * CHECKPOINT_AGE_S
    named, gone, young = checkpoint("named", old_s), checkpoint("gone", old_s), checkpoint("young", 60.0)
    of_old_commit = checkpoint("replaced", old_s)
    with open_writer(path) as writer:
        for number, run in enumerate(("replaced", "named")):
            added = rows("runs", [number]).set_column(
                TABLES["runs"].schema.get_field_index("checkpoint"),
                "checkpoint",
                pa.array([f"{layout.MODELS_FOLDER}/{run}"]),
            )
            deleted = {"runs": "checkpoint is not null"}
            writer.commit(Changes(append={"runs": added}, delete=deleted), token=run, message="")
        freed = gc(writer, keep_last=2)
        assert named.is_dir() and young.is_dir() and not gone.exists()
        assert of_old_commit.is_dir(), "a kept commit names it"
        assert freed.n_bytes >= 10 and freed.n_files >= 2
        gc(writer, keep_last=1)
        assert named.is_dir() and young.is_dir() and not of_old_commit.exists()
