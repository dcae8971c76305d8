"""`motifdb plot`: a picture of a motif, a family, a recording or a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from motifdb.pipelines.terminal import At, Db

AudioDir = Annotated[
    Path | None,
    typer.Option(
        "--audio",
        metavar="DIR",
        help="Where the recordings' sound lies; default: the database, then where they were ingested from.",
        show_default=False,
    ),
]


def plot(
    what: Annotated[
        str,
        typer.Argument(
            metavar="MOTIF|FAMILY|RECORDING|RUN",
            help="An id or its beginning; a contour like '+1 -2 +2 -1'; the path or name of a file; a recipe's name.",
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="Picture to write: png, svg, pdf, or html, one page with sound; default motif.png, recording.png, ...",
            show_default=False,
        ),
    ] = None,
    from_s: Annotated[
        float | None, typer.Option("--from", help="Of a recording: first second.", show_default=False)
    ] = None,
    to_s: Annotated[
        float | None, typer.Option("--to", help="Of a recording: last second.", show_default=False)
    ] = None,
    audio: AudioDir = None,
    with_sound: Annotated[bool, typer.Option("--sound/--no-sound", help="Players on an html page.")] = True,
    db: Db = None,
    at: At = None,
) -> None:
    """Draw a motif or family (every place laid over the others), a recording (pitch, segments, symbols, what sounds where) or a run.

    Examples:

    \b
        motifdb plot '+1 -2 +2 -1' -o motif.png
        motifdb plot 3f2a -o motif.html
        motifdb plot soprano-song-1.flac --from 10 --to 40 -o excerpt.svg
        motifdb plot residual-blstm-small -o curves.png
    """
    from motifdb.errors import UsageError
    from motifdb.query.database import Database
    from motifdb.training.scores.draw_run import draw

    between = None
    if from_s is not None or to_s is not None:
        between = (from_s or 0.0, float("inf") if to_s is None else to_s)
        if not 0 <= between[0] < between[1]:
            raise UsageError(
                f"from {between[0]:g} s to {between[1]:g} s there is nothing; give --from before --to"
            )
    with Database(db, at=at) as database:
        title, path = draw(database, what, output, between=between, with_sound=with_sound, audio_dir=audio)
    typer.echo(f"{title} -> {path}")
