"""`motifdb plot`: a picture of a motif or a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from motifdb.pipelines.terminal import At, Db


def plot(
    what: Annotated[
        str,
        typer.Argument(
            metavar="MOTIF|RUN",
            help="A motif_id, its beginning, or a contour like '+1 -2 +2 -1'; else a run_id, or a recipe's name.",
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="Picture to write: png, svg or pdf; default motif.png or run.png.",
            show_default=False,
        ),
    ] = None,
    db: Db = None,
    at: At = None,
) -> None:
    """Draw a motif (its occurrences' pitch, aligned, and where they sound) or a run (learning curves, confusion matrix).

    Examples:

    \b
        motifdb plot '+1 -2 +2 -1' -o motif.png
        motifdb plot 3f2a -o motif.svg
        motifdb plot residual-blstm-small -o curves.png
    """
    from motifdb.query.database import Database
    from motifdb.training.scores.draw_run import draw

    with Database(db, at=at) as database:
        title, path = draw(database, what, output)
    typer.echo(f"{title} -> {path}")
