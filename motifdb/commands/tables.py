"""`motifdb tables`: what there is to ask."""

from __future__ import annotations

from motifdb.pipelines.terminal import At, Db, Format, write


def tables(db: Db = None, at: At = None) -> None:
    """List the tables and views with what a row is, and the functions that SQL may call.

    Example:

    \b
        motifdb tables
    """
    from motifdb.query.database import Database

    with Database(db, at=at) as database:
        write(database.tables().arrow(), Format.table, None, is_wrapped=True)
