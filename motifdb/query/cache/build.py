"""Make copies: in this process, or in a child of low priority that outlives a short command.

python -m motifdb.query.cache.build DATABASE COMMIT TABLE_OR_VIEW...
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from motifdb.catalog.layout import table_path
from motifdb.errors import MotifdbError
from motifdb.query.cache import shelf
from motifdb.query.cache.folder import cache_folder
from motifdb.query.cache.keys import KEPT_VIEWS, key_of, needs, stored_under, wanted
from motifdb.query.making import Maker
from motifdb.query.relations import relations

if TYPE_CHECKING:
    from motifdb.catalog.store import Snapshot

MEMORY_LIMIT = "2GB"
SPARE_BYTES = 2 << 30
"""What a copy must leave free on its disk."""

_children: list[subprocess.Popen[bytes]] = []


def build(snapshot: Snapshot, names: Sequence[str], *, threads: int = 1) -> list[str]:
    """Make the copies of these tables and views that are not there; the names of those that were made.

    A copy that another process is making, or for which there is no room, is left out. Raises nothing: whatever goes
    wrong, statements go on reading the stored tables.
    """
    folder = cache_folder("sql")
    made: list[str] = []
    if folder is None:
        return made
    # Tables first: views are made from their copies.
    for name in sorted(_first_of_all(names), key=lambda n: (n in KEPT_VIEWS, n)):
        with contextlib.suppress(OSError, MotifdbError, _duckdb_error()):
            if _build_one(snapshot, name, folder, threads):
                made.append(name)
    return made


def start(snapshot: Snapshot, names: Sequence[str]) -> None:
    """Make the copies in a child process that goes on when this one ends."""
    _children[:] = [c for c in _children if c.poll() is None]
    # -P: modules that lie in the folder one stands in are not taken for ours
    command = [sys.executable, "-P", "-m", __name__]
    command += [str(snapshot.path.absolute()), str(snapshot.commit), *names]
    with contextlib.suppress(OSError):
        _children.append(
            subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        )


def _first_of_all(names: Sequence[str]) -> set[str]:
    """The names and, for views, the tables that they are computed from."""
    return set(names).union(*(wanted(n) for name in names for n in needs(name)))


def _duckdb_error() -> type[Exception]:
    import duckdb

    error: type[Exception] = duckdb.Error
    return error


def _build_one(snapshot: Snapshot, name: str, folder: Path, threads: int) -> bool:
    key = key_of(snapshot, name)
    if shelf.find(folder, key) is not None:
        return False
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _alone(folder / f".{key}.lock") as is_mine:
        if not is_mine or shelf.find(folder, key) is not None:
            return False
        n_bytes = 2 * sum(_size(table_path(snapshot.path, t)) for t in stored_under(name))
        shelf.make_room(folder, n_bytes)
        if shutil.disk_usage(folder).free < n_bytes + SPARE_BYTES:
            return False
        with tempfile.TemporaryDirectory(dir=folder, prefix=f".{key}-", ignore_cleanup_errors=True) as place:
            part = Path(place) / "part.duckdb"
            _fill(snapshot, name, key, part, folder, threads)
            with open(part, "rb") as file:
                os.fsync(file.fileno())
            os.replace(part, shelf.path_of(folder, key))
    return True


def _fill(snapshot: Snapshot, name: str, key: str, part: Path, folder: Path, threads: int) -> None:
    """Write a copy's file: rows in the order they are stored in, and the mark that says what it is."""
    import duckdb

    connection = duckdb.connect(
        config={
            "autoload_known_extensions": "false",
            "autoinstall_known_extensions": "false",
            "python_enable_replacements": "false",
            "memory_limit": MEMORY_LIMIT,
            "temp_directory": str(part.parent / "spill"),
            "threads": threads,
        }
    )
    try:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute("set enable_progress_bar = false")
        copies = {}
        for table in frozenset[str]().union(*map(wanted, needs(name))):
            path = shelf.find(folder, key_of(snapshot, table))
            attached = shelf.attach(connection, path, table) if path is not None else None
            if attached is not None:
                copies[table] = attached
        body = Maker(connection, snapshot, copies).body(name)
        quoted = str(part).replace("'", "''")
        connection.execute(f"attach '{quoted}' as target (storage_version 'latest')")
        connection.execute(f"create table target.main.{name} as {body}")
        connection.execute(
            f"create table target.main.{shelf.MARK_TABLE} as select '{key}' as copy_key, '{name}' as relation,"
            f" (select count(*) from target.main.{name}) as n_rows"
        )
        connection.execute("checkpoint target")
        connection.execute("detach target")
    finally:
        connection.close()


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[bool]:
    """Whether no other process holds this lock; it is held until the end and ends with the process."""
    try:
        import fcntl
    except (
        ImportError
    ):  # no such locks on this system: two builders do double work, and the last one's file stays
        yield True
        return
    with open(path, "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield False
            return
        try:
            yield True
        finally:
            with contextlib.suppress(OSError):
                path.unlink()


def _size(folder: Path) -> int:
    return sum(p.stat().st_size for p in folder.rglob("*") if p.is_file()) if folder.is_dir() else 0


def main() -> None:
    """What the child process does."""
    from motifdb.catalog.store import open_snapshot

    with contextlib.suppress(OSError, AttributeError):
        os.nice(10)
    path, commit, *names = sys.argv[1:]
    build(open_snapshot(path, int(commit)), [n for n in names if n in relations()])


if __name__ == "__main__":
    main()
