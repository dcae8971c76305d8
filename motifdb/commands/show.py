"""`motifdb show`: a motif, a family or a recording in the terminal."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from motifdb.pipelines.terminal import At, Db


def show(
    what: Annotated[
        str,
        typer.Argument(
            metavar="MOTIF|FAMILY|RECORDING",
            help="An id or its beginning; a contour like '+1 -2 +2 -1'; the path or name of a file.",
        ),
    ],
    ascii_: Annotated[bool, typer.Option("--ascii", help="Draw with ASCII alone.")] = False,
    db: Db = None,
    at: At = None,
) -> None:
    """Show a motif's contour as a small picture with its statistics; so too a family, or a whole recording.

    Examples:

    \b
        motifdb show '+1 -2 +2 -1'
        motifdb show 3f2a
        motifdb show soprano-song-1.flac
    """
    import os
    import shutil

    from motifdb.query.database import Database
    from motifdb.query.meant import what_is_meant
    from motifdb.query.output import WIDTH
    from motifdb.query.portrait import portrait
    from motifdb.query.showing import can_draw, portrait_text

    is_terminal = sys.stdout.isatty()
    is_plain = bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"
    width = min(WIDTH, shutil.get_terminal_size((WIDTH, 24)).columns) if is_terminal else WIDTH
    is_unicode = not ascii_ and os.environ.get("TERM") != "dumb" and can_draw(sys.stdout.encoding)
    with Database(db, at=at) as database:
        meant = what_is_meant(database, what, ("motif", "family", "recording"))
        text = portrait_text(
            portrait(database, meant.kind, meant.id),
            width=max(width, 60),
            is_unicode=is_unicode,
            is_color=is_terminal and not is_plain,
        )
    if is_unicode:
        typer.echo(text)
    else:
        encoding = sys.stdout.encoding or "ascii"
        typer.echo(text.encode(encoding, "replace").decode(encoding))
