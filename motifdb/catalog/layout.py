"""What stands where in the folder ``NAME.motifdb``, and the marker file that says it is a database."""

from __future__ import annotations

import json
from pathlib import Path

from motifdb.catalog import files
from motifdb.errors import DatabaseError, NotFoundError, UsageError
from motifdb.schemas import FORMAT_VERSION

MARKER = "motifdb.json"
TABLES_FOLDER = "tables"
MODELS_FOLDER = "models"
"""Checkpoints of runs and encoders, one folder each; the tables `runs` and `encoders` name them."""
INDEXES_FOLDER = "indexes"
"""Indexes over vectors, one folder for each embeddings analysis: derived, and made again where they are gone."""


def table_path(root: Path, table: str) -> Path:
    """The folder of a table's Lance dataset."""
    return root / TABLES_FOLDER / f"{table}.lance"


def marker_bytes(format_version: int) -> bytes:
    """Content of the marker file."""
    return (json.dumps({"database": "motifdb", "format_version": format_version}) + "\n").encode()


def write_marker(root: Path, format_version: int) -> None:
    """Write or replace the marker."""
    files.replace(root / MARKER, marker_bytes(format_version))


def local_path(path: str | Path) -> Path:
    """`path` as a local folder.

    Raises
    ------
    UsageError
        where it is an object-store address.
    """
    if "://" in str(path):
        raise UsageError(f"{path}: a database must stand in a local folder; object stores are not supported")
    return Path(path)


def is_database(path: Path) -> bool:
    """Whether a folder carries the marker."""
    return (path / MARKER).is_file()


def check_format(format_version: int, where: Path) -> None:
    """Refuse what a newer motifdb wrote.

    Raises
    ------
    DatabaseError
        where `format_version` is above ours.
    """
    if format_version > FORMAT_VERSION:
        raise DatabaseError(
            f"{where}: the database has format {format_version}, this motifdb reads up to {FORMAT_VERSION};"
            " upgrade motifdb to open it"
        )


def check_database(root: Path) -> int:
    """The format version in the marker, once it is sure that `root` is a database this code can read.

    Raises
    ------
    NotFoundError
        where nothing is there.
    DatabaseError
        where it is no database, a damaged one, or a newer one.
    """
    if not root.exists():
        raise NotFoundError(f"{root}: there is no such database; `motifdb ingest PATH --db {root}` makes one")
    if not is_database(root):
        raise DatabaseError(
            f"{root}: this is no motifdb database (it has no {MARKER}); name another with --db"
        )
    try:
        version = int(json.loads((root / MARKER).read_bytes())["format_version"])
    except (ValueError, KeyError, TypeError) as e:
        raise DatabaseError(
            f"{root / MARKER}: the marker file is damaged; write"
            f" {marker_bytes(FORMAT_VERSION).decode().strip()!r} into it"
        ) from e
    check_format(version, root)
    return version
