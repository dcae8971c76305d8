"""`motifdb describe`: what a table's columns mean, or what a function gives."""

from __future__ import annotations

from typing import Annotated

import typer

from motifdb.pipelines.terminal import At, Db, Format, write


def describe(
    table: Annotated[str, typer.Argument(help="A table, view or function.")], db: Db = None, at: At = None
) -> None:
    """Say what the columns of a table mean, with types and units, or what a function takes and gives.

    Examples:

    \b
        motifdb describe motifs
        motifdb describe contour_distance
    """
    from motifdb.query.database import Database

    with Database(db, at=at) as database:
        write(database.describe(table).arrow(), Format.table, None, is_wrapped=True)
