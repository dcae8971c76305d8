"""`motifdb top`: the strongest motifs."""

from __future__ import annotations

from typing import Annotated

import typer

from motifdb.pipelines.terminal import At, Db, Format, Out, OutFormat, write


def top(
    by: Annotated[
        str,
        typer.Option(
            help="surprise: all at once; or a label, such as singer, style or work: the strongest of each."
        ),
    ] = "surprise",
    n: Annotated[int, typer.Option("--n", "-n", help="How many (of each).")] = 10,
    analysis: Annotated[
        str | None,
        typer.Option(
            help="A mining analysis, by name or beginning of its id; default: all.", show_default=False
        ),
    ] = None,
    db: Db = None,
    at: At = None,
    format_: OutFormat = Format.table,
    output: Out = None,
) -> None:
    """Show the strongest motifs: those least expected under the null model.

    Examples:

    \b
        motifdb top
        motifdb top --by surprise -n 50
        motifdb top --by singer -n 3
        motifdb top --analysis default+corpus
    """
    from motifdb.query.database import Database
    from motifdb.query.motifs import top_motifs

    with Database(db, at=at) as database:
        write(top_motifs(database, n, by=by, analysis=analysis).arrow(), format_, output, is_wrapped=True)
