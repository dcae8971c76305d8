"""Which database a command means: the one it names, else ``$MOTIFDB``, else the only ``*.motifdb`` here."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from motifdb.catalog import layout
from motifdb.errors import NotFoundError, UsageError, nearest

VARIABLE = "MOTIFDB"
SUFFIX = ".motifdb"


def databases_in(folder: Path) -> list[Path]:
    """The databases that stand in a folder, by name."""
    return sorted(p for p in folder.glob(f"*{SUFFIX}") if layout.is_database(p))


def find_database(db: str | None) -> Path:
    """The database a command works on.

    Parameters
    ----------
    db : what ``--db`` said; None where it said nothing

    Raises
    ------
    NotFoundError
        where the named one is not there, or none is named and none stands here.
    UsageError
        where none is named and several stand here.
    DatabaseError
        where the named folder is no database.
    """
    named, source = (db, "--db") if db else (os.environ.get(VARIABLE), f"${VARIABLE}")
    if named:
        path = layout.local_path(named)
        if not path.exists():
            beside = [p.name for p in databases_in(path.parent)] if path.parent.is_dir() else []
            hint = (
                nearest(path.name, beside) if beside else "`motifdb ingest PATH --db NAME.motifdb` makes one"
            )
            raise NotFoundError(f"{named}: there is no database of that name ({source}); {hint}")
        layout.check_database(path)
        return path
    here = databases_in(Path())
    if not here:
        raise NotFoundError(
            "there is no *.motifdb in this folder; name a database with --db or $MOTIFDB, or make one with"
            " `motifdb ingest PATH`"
        )
    if len(here) > 1:
        names = ", ".join(p.name for p in here)
        raise UsageError(f"several databases stand here ({names}); choose one with --db")
    return here[0]


def default_database(db: str | None, paths: Sequence[Path]) -> tuple[Path, bool]:
    """The database that an ingest writes to, and whether it is to be made.

    What ``--db`` or ``$MOTIFDB`` names, whether it is there or not; else the only ``*.motifdb`` here; else a new
    one here, called like the first folder that is ingested.

    Raises
    ------
    UsageError
        where none is named and several stand here, or the named one has another suffix.
    DatabaseError
        where the named folder is something else.
    """
    named = db or os.environ.get(VARIABLE)
    if not named:
        here = databases_in(Path())
        if here:
            return find_database(None), False
        first = Path(os.path.abspath(paths[0]))
        named = (first.name if first.is_dir() else first.parent.name or "songs") + SUFFIX
    path = layout.local_path(named)
    if not path.name.endswith(SUFFIX):
        raise UsageError(f"a database's name ends in {SUFFIX}; say --db {path}{SUFFIX}")
    if not path.exists() or (path.is_dir() and not any(path.iterdir())):
        return path, True
    layout.check_database(path)
    return path, False
