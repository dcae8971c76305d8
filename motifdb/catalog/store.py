"""The front of the catalog: create a database, read a snapshot of it, write to it.

>>> import tempfile
>>> path = Path(tempfile.mkdtemp()) / "songs.motifdb"
>>> create(path)
>>> with open_writer(path) as writer:
...     rows = TABLES["corpora"].table([{"corpus_id": "c1", "name": "songs", "root_uri": "/music"}])
...     writer.commit(Changes(append={"corpora": rows}), token="songs", message="add songs")
1
>>> open_snapshot(path).count("corpora"), open_snapshot(path, at=0).count("corpora")
(1, 0)
"""

from __future__ import annotations

import glob
import os
import secrets
import shutil
from datetime import UTC, datetime
from pathlib import Path

from motifdb.catalog import commits, files, lancetables, layout, lease
from motifdb.catalog.commits import CommitRecord
from motifdb.catalog.locate import find_database
from motifdb.catalog.maintain import compact, gc
from motifdb.catalog.snapshot import Snapshot, open_snapshot
from motifdb.catalog.writer import Changes, Writer, open_writer
from motifdb.errors import DatabaseError, UsageError
from motifdb.schemas import FORMAT_VERSION, TABLES

__all__ = [
    "Changes",
    "CommitRecord",
    "Snapshot",
    "Writer",
    "compact",
    "create",
    "find_database",
    "gc",
    "log",
    "open_snapshot",
    "open_writer",
]


def create(path: str | Path) -> None:
    """Make an empty database: every table, and commit 0.

    It is built beside its final place and renamed, so a database is whole or not there. Tables exist before their
    first append, because first appends that race lose rows.

    Raises
    ------
    UsageError
        where something stands at `path`, or its parent folder does not exist.
    DatabaseError
        where the folder cannot be written.
    """
    root = layout.local_path(path)
    if layout.is_database(root):
        raise UsageError(f"{root}: there is a database already; `motifdb ingest PATH --db {root}` adds to it")
    if root.exists() and not (root.is_dir() and not any(root.iterdir())):
        raise UsageError(f"{root}: something else stands there; choose another name for the database")
    if not root.parent.is_dir():
        raise UsageError(f"{root.parent}: there is no such folder to make the database in; make it first")
    files.clear_leftovers(root.parent, f".{glob.escape(root.name)}.*.tmp")
    building = root.with_name(f".{root.name}.{os.getpid()}.{secrets.token_hex(4)}.tmp")
    try:
        _build(building)
        files.reached("database built")
        try:
            os.rename(building, root)
        except OSError as e:
            if layout.is_database(root):
                raise UsageError(
                    f"{root}: another process has just made this database; run the command again"
                ) from e
            raise
        files.sync_folder(root.parent)
    except OSError as e:
        raise DatabaseError(f"{root}: the database could not be made: {e.strerror or e}") from e
    finally:
        shutil.rmtree(building, ignore_errors=True)


def _build(root: Path) -> None:
    for folder in (commits.FOLDER, lease.FOLDER, layout.TABLES_FOLDER):
        (root / folder).mkdir(parents=True)
    made = {
        name: lancetables.create_at(
            layout.table_path(root, name), spec, {"motifdb.epoch": "0", "motifdb.token": "create"}
        ).version
        for name, spec in TABLES.items()
    }
    record = CommitRecord(
        number=0,
        parent="",
        created_at=datetime.now(UTC),
        message="create the database",
        token="create",
        epoch=0,
        format_version=FORMAT_VERSION,
        tables=made,
        rows=dict.fromkeys(made, 0),
        files=files.settle(root, [lancetables.manifest_name(t, v) for t, v in made.items()]),
    )
    commits.put(root, record)
    layout.write_marker(root, FORMAT_VERSION)


def log(path: str | Path) -> list[CommitRecord]:
    """Every commit, newest first; those before the head's `oldest_kept` were collected and cannot be opened."""
    root = layout.local_path(path)
    layout.check_database(root)
    return list(commits.newest_first(root))
