"""`motifdb describe`: what a table's columns mean."""

from __future__ import annotations

from typing import Annotated

import typer

from motifdb.pipelines.terminal import At, Db, Format, write


def describe(
    table: Annotated[str, typer.Argument(help="A table or view.")], db: Db = None, at: At = None
) -> None:
    """Say what the columns of a table mean, with types and units.

    Example:

    \b
        motifdb describe motifs
    """
    from motifdb.query.database import Database

    with Database(db, at=at) as database:
        write(database.describe(table).arrow(), Format.table, None, is_wrapped=True)
