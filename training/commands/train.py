"""The command `motifdb train`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from motifdb.pipelines.terminal import Db, Format, Out, OutFormat, write
from motifdb.training.commands.shared import fold_numbers, tell


def train(
    recipe: Annotated[
        str,
        typer.Argument(
            help="Name of a recipe (one that is none lists them), or a TOML file with one.", metavar="RECIPE"
        ),
    ],
    db: Db = None,
    split: Annotated[
        str | None,
        typer.Option(help="Name or beginning of the id; default: the only one.", show_default=False),
    ] = None,
    fold: Annotated[str, typer.Option(help="A fold's number, several as 0,2, or all.")] = "0",
    seeds: Annotated[int, typer.Option(help="Train so many times, with seeds 0, 1, ...")] = 1,
    epochs: Annotated[
        int | None, typer.Option(help="At most so many; default: the recipe's.", show_default=False)
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="One parameter, such as front_end.hop_samples=320.",
            show_default=False,
        ),
    ] = None,
    workers: Annotated[
        int, typer.Option(help="Processes that train one network together, by Ray Train; 1 needs no Ray.")
    ] = 1,
    ray_address: Annotated[
        str | None, typer.Option(help="A running Ray cluster.", show_default=False)
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda.")] = "auto",
    resume: Annotated[
        bool,
        typer.Option("--resume/--no-resume", help="Go on with a run that was stopped, or start it anew."),
    ] = True,
    again: Annotated[bool, typer.Option("--again", help="Train anew also what is done.")] = False,
    no_baselines: Annotated[
        bool, typer.Option("--no-baselines", help="Leave out the baselines under the same split.")
    ] = False,
    format_: OutFormat = Format.table,
    output: Out = None,
) -> None:
    """Train a network on a split, with the baselines beside it, and store the runs.

    The leak report comes first. What is trained is a run: its curve, figures, predictions and checkpoint are kept, a run
    that is done is not trained again, and one that was stopped goes on. Curves: tensorboard --logdir DB/models.

    Examples:

    \b
        motifdb train sid-2020-small
        motifdb train sid-2020-small --split "kfold by island" --fold all --seeds 3
        motifdb train sid-2020-small-robust --set waveform.colour_db=12 --epochs 4
        motifdb train sid-2020 --device cuda --set front_end.kind=mfcc
        motifdb train style-2021-compact --workers 2
        motifdb train siamese-2018-small --split crossed       an encoder, on pairs
        motifdb train my.toml --ray-address 10.0.0.5:6379 --workers 8
    """
    import shlex

    from motifdb.catalog.locate import find_database
    from motifdb.errors import UsageError
    from motifdb.pipelines.progress import Lines
    from motifdb.pipelines.settings import assignment
    from motifdb.training.extras import need

    need()
    from motifdb.training.encoders.recipes import SIAMESE_RECIPES
    from motifdb.training.fitting.recipes import find_recipe

    given = dict(assignment(text) for text in set_ or [])
    if epochs is not None:
        given["max_epochs"] = epochs
    if seeds < 1:
        raise UsageError(f"--seeds must be 1 or more, got {seeds}")
    if recipe in SIAMESE_RECIPES:
        if workers > 1 or ray_address is not None:
            raise UsageError("an encoder is trained in this process; leave out --workers and --ray-address")
        _pairs(
            SIAMESE_RECIPES[recipe].assign(given), find_database(db), split, fold_numbers(fold), seeds, device,
            again, resume, format_, output,
        )  # fmt: skip
        return
    chosen = find_recipe(recipe, SIAMESE_RECIPES)
    from motifdb.training.fitting.train_job import TrainOptions, train_database

    options = TrainOptions(
        chosen.assign(given),
        split,
        fold_numbers(fold),
        tuple(range(seeds)),
        workers,
        ray_address,
        device,
        again,
        resume,
        not no_baselines,
    )
    is_table = format_ is Format.table
    path = find_database(db)
    try:
        report = train_database(options, path, Lines(), lambda line: typer.echo(line, err=not is_table))
    except KeyboardInterrupt:
        typer.echo("motifdb: stopped; the same command goes on from the checkpoint", err=True)
        raise typer.Exit(130) from None
    write(report.shown() if is_table else report.table(), format_, output)
    tell(report.summary(), err=not is_table)
    if is_table and report.first_run is not None:
        where = f"{report.first_run[:8]} --db {shlex.quote(str(path))}"
        typer.echo(f"next: motifdb evaluate {where}\n      motifdb predict {where} FILE")
    if report.n_failed:
        raise typer.Exit(1)


def _pairs(
    recipe: Any,
    path: Path,
    split: str | None,
    folds: tuple[int, ...] | None,
    seeds: int,
    device: str,
    again: bool,
    resume: bool,
    format_: Format,
    output: Path | None,
) -> None:
    """An encoder in the place of a classifier: it learns from pairs of clips."""
    import shlex

    from motifdb.pipelines.progress import Lines
    from motifdb.training.encoders.train_job import train_encoders

    is_table = format_ is Format.table
    try:
        report = train_encoders(
            recipe, path, Lines(), lambda line: typer.echo(line, err=not is_table), split=split, folds=folds,
            seeds=range(seeds), device=device, again=again, resume=resume,
        )  # fmt: skip
    except KeyboardInterrupt:
        typer.echo("motifdb: stopped; the same command goes on from the checkpoint", err=True)
        raise typer.Exit(130) from None
    write(report.table(), format_, output)
    tell(report.summary(), err=not is_table)
    done = [str(row["encoder_id"]) for row in report.rows if row["state"] == "done"]
    if is_table and done:
        typer.echo(f"next: motifdb embed {done[0][:8]} --db {shlex.quote(str(path))}")
    if report.n_failed:
        raise typer.Exit(1)
