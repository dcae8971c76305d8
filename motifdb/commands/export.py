"""`motifdb export`: take motifs, families, pitch and tables to other programs."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from motifdb.pipelines.terminal import At, Db

MANY = 10
"""Recordings from which on an export says how far it is; notes that are shown."""


class ExportFormat(StrEnum):
    """Formats of other programs."""

    csv = "csv"
    jams = "jams"
    svl = "svl"
    textgrid = "textgrid"
    audacity = "audacity"
    midi = "midi"
    mir_eval = "mir-eval"
    parquet = "parquet"
    croissant = "croissant"


class Of(StrEnum):
    """What the patterns are."""

    motifs = "motifs"
    families = "families"


def export(
    format_: Annotated[
        ExportFormat, typer.Option("--format", help="See docs/export.md.", show_default=False)
    ],
    recording: Annotated[
        str | None,
        typer.Option(help="One recording: path, name or beginning of its id.", show_default=False),
    ] = None,
    motif: Annotated[
        str | None, typer.Option(help="One motif: beginning of its id, or a contour.", show_default=False)
    ] = None,
    family: Annotated[
        str | None, typer.Option(help="One family: beginning of its id.", show_default=False)
    ] = None,
    of: Annotated[Of, typer.Option(help="What patterns are.")] = Of.motifs,
    analysis: Annotated[
        str | None,
        typer.Option(
            help="Of mining or families, by name or beginning of its id; default: the only one.",
            show_default=False,
        ),
    ] = None,
    strongest: Annotated[
        int | None,
        typer.Option(help="At most so many patterns of each recording; default: all.", show_default=False),
    ] = None,
    is_rounded: Annotated[
        bool, typer.Option("--round", help="Pitch of notes to the semitone (jams, midi, mir-eval).")
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="A file, or a folder for several; default: a name made here.",
            show_default=False,
        ),
    ] = None,
    is_forced: Annotated[bool, typer.Option("--force", help="Write over files that are there.")] = False,
    db: Db = None,
    at: At = None,
) -> None:
    """Write motifs, families, pitch or tables in the format of other programs: all, of one recording, or one pattern.

    Examples:

    \b
        motifdb export --format csv -o places.csv
        motifdb export --format jams --recording songs/a.wav -o a.jams
        motifdb export --format textgrid -o praat/
        motifdb export --format midi --motif '+1 -2 +1' -o midi/
        motifdb export --format mir-eval --of families --round -o patterns/
        motifdb export --format croissant -o dataset/
    """
    from motifdb.export import Wanted
    from motifdb.export import export as run_export
    from motifdb.pipelines.progress import Lines
    from motifdb.query.database import Database

    wanted = Wanted(recording, motif, family, of.value, analysis, strongest)
    progress = Lines()
    begun: list[int] = []
    unit = "tables" if format_ in (ExportFormat.parquet, ExportFormat.croissant) else "recordings"

    def told(n_done: int, n_total: int) -> None:
        if n_total < MANY:
            return
        if not begun:
            progress.begin(f"export {format_.value}", n_total, 0, unit)
            begun.append(n_total)
        progress.done(n_done, 0, 0.0)

    with Database(db, at=at) as database:
        try:
            done = run_export(
                database, format_.value, wanted, output, is_forced=is_forced, is_rounded=is_rounded, told=told
            )
        finally:
            progress.close()
    for line in done.notes[:MANY]:
        typer.echo(f"note: {line}", err=True)
    if len(done.notes) > MANY:
        typer.echo(f"note: and {len(done.notes) - MANY:,} more recordings likewise", err=True)
    if done.out is not None:
        typer.echo(done.summary())
