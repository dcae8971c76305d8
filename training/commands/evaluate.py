"""`motifdb evaluate`: a stored run's figures once more."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from motifdb.pipelines.terminal import At, Db, Format, Out, OutFormat, write


class Show(StrEnum):
    """Which table is wanted."""

    figures = "figures"
    mean = "mean"
    classes = "classes"
    confusion = "confusion"


def evaluate(
    run: Annotated[
        str, typer.Argument(help="A run_id, its beginning, or a recipe: all its runs in one split.")
    ],
    split: Annotated[
        str | None,
        typer.Option(help="Name of a split, or the beginning of its id, for a recipe.", show_default=False),
    ] = None,
    show: Annotated[
        Show | None,
        typer.Option(help="One table only; default: all of them, in csv, json and parquet the figures."),
    ] = None,
    db: Db = None,
    at: At = None,
    format_: OutFormat = Format.table,
    output: Out = None,
) -> None:
    """Compute a run's figures again from its stored predictions, and say whether they are those stored.

    Figures, recall of each class, confusion matrix and calibration; the leak report of the fold first. Where
    a figure differs from what is stored the command ends with 1.

    Examples:

    \b
        motifdb evaluate 3f2a
        motifdb evaluate logistic --show mean
        motifdb evaluate 3f2a --show confusion --format csv -o confusion.csv
    """
    from motifdb.query.database import Database
    from motifdb.training.scores import evaluate as evaluation
    from motifdb.training.scores.runs import runs_meant

    with Database(db, at=at) as database:
        found = [
            evaluation.evaluate_run(database.snapshot, row)
            for row in runs_meant(database.snapshot, run, split)
        ]
    tables = {
        Show.figures: lambda: evaluation.figures_table(found),
        Show.mean: lambda: evaluation.mean_table(found),
        Show.classes: lambda: evaluation.classes_table(found),
        Show.confusion: lambda: evaluation.confusion_table(found),
    }
    differing = [f for e in found for f in e.differing]
    if show is not None or format_ is not Format.table or output is not None:
        write(tables[show or Show.figures](), format_, output)
    else:
        typer.echo("\n".join(evaluation.heading(found)))
        shown = [Show.figures, Show.classes, Show.confusion]
        for name in [Show.mean, *shown[1:]] if len(found) > 1 else shown:
            typer.echo()
            write(tables[name](), format_, None)
        errors = [error for e in found if (error := e.calibration()) is not None]
        if errors:
            typer.echo(f"\nexpected calibration error on test: {sum(errors) / len(errors):.3f}")
        n = sum(len(e.figures) for e in found)
        if not differing:
            typer.echo(f"all {n} figures are equal to those stored")
    if differing:
        some = ", ".join(f"{f.metric} of {f.part}" for f in differing[:4])
        typer.echo(
            f"motifdb: {len(differing)} figures are not those stored ({some}); another version may have stored them, else"
            " run `motifdb check`",
            err=True,
        )
        raise typer.Exit(1)
