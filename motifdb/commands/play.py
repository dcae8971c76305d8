"""`motifdb play`: every place of a motif or a family as sound."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from motifdb.commands.plot import AudioDir
from motifdb.pipelines.terminal import At, Db


def play(
    what: Annotated[
        str,
        typer.Argument(
            metavar="MOTIF|FAMILY",
            help="An id or its beginning; a contour like '+1 -2 +2 -1'.",
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="DIR",
            help="Folder to write to; default: motif-ID or family-ID here.",
            show_default=False,
        ),
    ] = None,
    audio: AudioDir = None,
    context: Annotated[float, typer.Option(help="Seconds more on either side.")] = 0.25,
    limit: Annotated[
        int,
        typer.Option("--limit", "-n", help="Places at most, spread over all there are; 0 writes every one."),
    ] = 200,
    db: Db = None,
    at: At = None,
) -> None:
    """Write each place where a motif (or a family) sounds as a wav, and tour.wav with all of them in a row.

    The sound is what the database keeps, else the recording's own file; where there is neither, the stored pitch is
    sung by a synthesiser, and that is said.

    Examples:

    \b
        motifdb play '+1 -2 +2 -1'
        motifdb play 3f2a -o listen/ --context 1
        motifdb play 3f2a --audio /data/songs
    """
    from motifdb.pipelines.playing import play as run
    from motifdb.query.database import Database
    from motifdb.query.meant import what_is_meant

    with Database(db, at=at) as database:
        meant = what_is_meant(database, what, ("motif", "family"))
        folder = output or Path(f"{meant.kind}-{meant.id[:8]}")
        played = run(database, meant.kind, meant.id, folder, audio_dir=audio, context_s=context, limit=limit)
    for sentence in played.sentences:
        typer.echo(sentence)
