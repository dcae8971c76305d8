"""`motifdb why`: where a row comes from."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from motifdb.pipelines.terminal import At, Db, Format


class TreeFormat(StrEnum):
    """How a tree is written."""

    table = Format.table.value
    json = Format.json.value


def why(
    what: Annotated[
        str,
        typer.Argument(
            metavar="MOTIF|FAMILY|CLIP|VECTOR|RUN|RECORDING",
            help="The beginning of an id, a contour, a file's path, or the name of an analysis, an encoder or a run's recipe.",
        ),
    ],
    is_whole: Annotated[
        bool, typer.Option("--all", help="Every parameter, also those at their defaults; every recording.")
    ] = False,
    db: Db = None,
    at: At = None,
    format_: Annotated[
        TreeFormat, typer.Option("--format", help="Lines for people, or json.")
    ] = TreeFormat.table,
) -> None:
    """Say where a row comes from: its analyses, their parameters and code, commits, recordings, files and bytes.

    Examples:

    \b
        motifdb why '+1 -2 +2 -1'
        motifdb why de7a1ae7 --all
        motifdb why songs/koti_janmani.csv --format json
    """
    import json

    from motifdb.query.database import Database

    with Database(db, at=at) as database:
        found = database.why(what)
    if format_ is TreeFormat.json:
        typer.echo(json.dumps(found.to_json(), indent=1, ensure_ascii=False))
    else:
        typer.echo(found.text(is_whole=is_whole))
