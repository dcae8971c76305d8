"""`motifdb compare-runs`: is one run better than another?"""

from __future__ import annotations

from typing import Annotated

import typer

from motifdb.pipelines.terminal import At, Db, Format, Out, OutFormat, write


def compare_runs(
    a: Annotated[
        str, typer.Argument(help="A run_id, its beginning, or a recipe: all its runs in one split.")
    ],
    b: Annotated[str, typer.Argument(help="Likewise; tested on the same clips.")],
    split: Annotated[
        str | None,
        typer.Option(
            help="Name of a split, or the beginning of its id; default: that of A's newest run.",
            show_default=False,
        ),
    ] = None,
    by_fold: Annotated[bool, typer.Option("--by-fold", help="Each fold on its own as well.")] = False,
    by_groups: Annotated[
        bool,
        typer.Option(
            "--by-groups", help="The test clips may differ where their groups (recordings, say) are the same."
        ),
    ] = False,
    draws: Annotated[int, typer.Option(min=100, help="Draws of the bootstrap.")] = 2000,
    seed: Annotated[int, typer.Option(min=0, help="Of the draws.")] = 0,
    db: Db = None,
    at: At = None,
    format_: OutFormat = Format.table,
    output: Out = None,
) -> None:
    """Compare two runs, or two recipes over folds and seeds: a paired bootstrap over groups of the difference.

    Examples:

    \b
        motifdb compare-runs 3f2a 91bc
        motifdb compare-runs sid-2020-small logistic --by-fold
        motifdb compare-runs 3f2a 77d0 --by-groups      motif clips against random clips of the same recordings
    """
    from motifdb.query.database import Database
    from motifdb.training.scores import compare_runs as comparing

    with Database(db, at=at) as database:
        found = comparing.compare_runs(
            database.snapshot, a, b, split=split, by_groups=by_groups, n_draws=draws, seed=seed
        )
    if format_ is Format.table and output is None:
        typer.echo("\n".join(found.lines()) + "\n")
    write(comparing.differences_table(found, by_fold=by_fold), format_, output)
