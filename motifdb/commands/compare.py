"""`motifdb compare`: which motifs set a group apart."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from motifdb.pipelines.terminal import At, Db, Format, OutFormat, write

PICTURES = (".png", ".svg", ".pdf")


class Statistic(StrEnum):
    """What of a pattern is compared."""

    rate = "rate"
    share = "share"


def compare(
    by: Annotated[
        str, typer.Option(help="The label whose values are compared: singer, style, work, any other.")
    ],
    a: Annotated[
        str | None,
        typer.Argument(help="A value of it; none: each value against the rest.", show_default=False),
    ] = None,
    b: Annotated[
        str | None, typer.Argument(help="Another; none: all others together.", show_default=False)
    ] = None,
    unit: Annotated[
        str | None,
        typer.Option(
            help="What labels are permuted over: recording, or a label such as singer; default: singer where each has one"
            " value of --by, else recording.",
            show_default=False,
        ),
    ] = None,
    statistic: Annotated[
        Statistic,
        typer.Option(help="Occurrences a minute of phrases, or the share of units that hold the motif."),
    ] = Statistic.rate,
    n: Annotated[int, typer.Option("--n", "-n", min=1, help="Rows to show, the surest first.")] = 20,
    everything: Annotated[bool, typer.Option("--all", help="Every test that was made.")] = False,
    analysis: Annotated[
        str | None,
        typer.Option(
            help="A mining analysis, by name or beginning of its id; default: the only one.",
            show_default=False,
        ),
    ] = None,
    at_least: Annotated[
        int | None,
        typer.Option(
            help="Test patterns that are in so many units; default: as many as p of 0.05 needs.",
            show_default=False,
        ),
    ] = None,
    permutations: Annotated[
        int | None,
        typer.Option(
            help="Most permutations of a test; default: so many that one pattern alone can be called.",
            show_default=False,
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of permutations and intervals.")] = 0,
    db: Db = None,
    at: At = None,
    format_: OutFormat = Format.table,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="Write to this file; png, svg or pdf: draw it.", show_default=False
        ),
    ] = None,
) -> None:
    """Find the motifs that set a group apart: labels permuted over recordings (or singers), q over all patterns tested.

    Examples:

    \b
        motifdb compare --by singer
        motifdb compare --by singer 'Zeki Müren' 'Müzeyyen Senar'
        motifdb compare --by style Hicaz -o hicaz.png
        motifdb compare --by style --statistic share --all --format csv -o style.csv
    """
    from motifdb.query.database import Database

    with Database(db, at=at) as database:
        n_rows = None if everything else n
        found = database.compare(
            by,
            a,
            b,
            unit=unit,
            statistic=statistic.value,
            analysis=analysis,
            at_least=at_least,
            permutations=permutations,
            seed=seed,
            n=n_rows,
        )
    if output is not None and output.suffix.lower() in PICTURES:
        found.plot(output, n)
        typer.echo("\n".join([*found.lines(), f"the surest {min(n, len(found))} -> {output}"]))
        return
    table = found.table if everything else found.table.slice(0, n)
    if format_ is Format.table and output is None:
        typer.echo("\n".join(found.lines()) + "\n")
        table = found.shown(table)
    write(table, format_, output, is_wrapped=True)
