"""The files themselves: find one, believe it or not, touch it, make room."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb

SUFFIX = ".duckdb"
MARK_TABLE = "motifdb_copy"
"""In every file: one row that says which copy it is and how many rows it has."""

_OURS = re.compile(r"(?P<copy>[0-9a-f]{20}\.duckdb)|\.[0-9a-f]{20}(\.lock|-\w+)")
"""Names of copies, and of a builder's lock and working folder: nothing else in the folder is ours to remove."""

MOST_BYTES = 20 << 30
MAX_AGE_S = 30 * 24 * 3600.0
"""What all copies may take, and how long one stays that nobody reads; checked whenever another is made."""


def path_of(folder: Path, key: str) -> Path:
    """Where the copy with that key lies, or would."""
    return folder / f"{key}{SUFFIX}"


def find(folder: Path, key: str) -> Path | None:
    """The file of a copy, if it is there and nobody else put it there."""
    path = path_of(folder, key)
    try:
        found = path.stat()
    except OSError:
        return None
    return path if not hasattr(os, "geteuid") or found.st_uid == os.geteuid() else None


def attach(connection: duckdb.DuckDBPyConnection, path: Path, name: str) -> str | None:
    """Attach a copy read-only; the full name of its table, or None where it is not what its name says."""
    import duckdb

    alias = f"_copy_{name}"
    try:
        connection.execute(f"attach {_literal(path)} as {alias} (read_only)")
        row = connection.execute(
            f"select copy_key, relation, n_rows, (select count(*) from {alias}.main.{name})"
            f" from {alias}.main.{MARK_TABLE}"
        ).fetchall()
    except (duckdb.Error, RuntimeError, OSError):
        row = []
    if [r[:2] for r in row] == [(path.stem, name)] and row[0][2] == row[0][3]:
        with contextlib.suppress(OSError):
            os.utime(path)  # so that it is known to be in use
        return f"{alias}.main.{name}"
    with contextlib.suppress(duckdb.Error):
        connection.execute(f"detach {alias}")
    forget([path])
    return None


def forget(paths: Iterable[Path]) -> None:
    """Remove copies; whoever reads one goes on reading it."""
    for path in paths:
        with contextlib.suppress(OSError):
            path.unlink()
        with contextlib.suppress(OSError):
            path.with_name(path.name + ".wal").unlink()


def make_room(folder: Path, n_bytes: int, most_bytes: int = MOST_BYTES) -> None:
    """Remove copies that nobody read for a month, then those read longest ago, until `n_bytes` more fit."""
    now = time.time()
    aged: list[tuple[float, int, Path]] = []
    for path in folder.iterdir() if folder.is_dir() else ():
        ours = _OURS.fullmatch(path.name)
        if ours is None:
            continue
        with contextlib.suppress(OSError):
            found = path.stat()
            if ours["copy"]:
                aged.append((found.st_mtime, found.st_size, path))
            elif now - found.st_mtime > 24 * 3600:
                # parts and locks of a builder that was killed
                shutil.rmtree(path) if path.is_dir() else path.unlink()
    aged.sort()
    total = sum(size for _, size, _ in aged)
    for modified, size, path in aged:
        if now - modified > MAX_AGE_S or total + n_bytes > most_bytes:
            forget([path])
            total -= size


def _literal(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"
