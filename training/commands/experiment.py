"""The command `motifdb experiment`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from motifdb.pipelines.terminal import Db, EngineName
from motifdb.training.commands.shared import fold_numbers, tell


class TextFormat(StrEnum):
    """How an experiment is written."""

    table = "table"
    markdown = "markdown"
    csv = "csv"
    json = "json"


def experiment(
    name: Annotated[
        str,
        typer.Argument(
            help="leak-ladder, sid-2020-table2, style-2021-table1, style-2021-table2, prose-claims, cantillation,"
            " makam, damp-2018-table1, damp-2018-table2, siamese-2018, l3-2019, same-pattern.",
            metavar="NAME",
        ),
    ],
    db: Db = None,
    clips: Annotated[
        list[str] | None,
        typer.Option(
            help="A set of clips, by name or beginning of its id; several as several.", show_default=False
        ),
    ] = None,
    analysis: Annotated[
        str | None,
        typer.Option(
            help="Mining analysis of the motif clips of chant; default: the only one.", show_default=False
        ),
    ] = None,
    label: Annotated[
        str | None, typer.Option(help="What is learnt; default: the experiment's.", show_default=False)
    ] = None,
    island_label: Annotated[
        str | None,
        typer.Option(
            help="Label that says which clips share sound; default: the audit's islands.", show_default=False
        ),
    ] = None,
    source_label: Annotated[
        str | None,
        typer.Option(
            help="Label of the source; default: the label source, else derived.", show_default=False
        ),
    ] = None,
    recipe: Annotated[
        list[str] | None,
        typer.Option(
            help="A network beside the baselines of a ladder; several as several.", show_default=False
        ),
    ] = None,
    cells: Annotated[
        list[str] | None,
        typer.Option(help="Cells of a grid to run, such as '*/motif/log-mel'.", show_default=False),
    ] = None,
    scale: Annotated[str, typer.Option(help="Networks of a grid: paper, compact, small.")] = "paper",
    subset: Annotated[
        int | None, typer.Option(help="Train networks on so many clips at most.", show_default=False)
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(help="Train networks so many epochs at most.", show_default=False)
    ] = None,
    seeds: Annotated[int, typer.Option(help="Train networks so many times, with seeds 0, 1, ...")] = 1,
    fold: Annotated[
        str, typer.Option(help="Folds that networks train on: a number, several as 0,2, or all.")
    ] = "all",
    rungs: Annotated[
        list[str] | None,
        typer.Option(
            help="Rungs of the ladder, or columns of a grid; several as several.", show_default=False
        ),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(
            help="Vectors to judge: a run, an encoder or a registered model; several as several.",
            show_default=False,
        ),
    ] = None,
    steps: Annotated[
        int | None, typer.Option(help="Train encoders so many steps at most.", show_default=False)
    ] = None,
    videos: Annotated[
        Path | None, typer.Option(help="Folder of videos for l3-2019.", show_default=False)
    ] = None,
    weights: Annotated[
        Path | None, typer.Option(help="OpenL3 weights for l3-2019.", show_default=False)
    ] = None,
    speaker_weights: Annotated[
        Path | None,
        typer.Option(help="A speaker model (ONNX): a further row of every singer table.", show_default=False),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="One parameter of every recipe.", show_default=False),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda.")] = "auto",
    engine: Annotated[
        EngineName, typer.Option(help="Cells in this process, or as Ray tasks.")
    ] = EngineName.inline,
    workers: Annotated[int | None, typer.Option(help="Ray tasks at a time.", show_default=False)] = None,
    ray_address: Annotated[
        str | None, typer.Option(help="A running Ray cluster.", show_default=False)
    ] = None,
    long: Annotated[bool, typer.Option("--long", help="Start a grid that takes hours, too.")] = False,
    folds: Annotated[
        bool, typer.Option("--every-fold", help="A row for each fold, in place of means over folds.")
    ] = False,
    format_: Annotated[
        TextFormat, typer.Option("--format", help="How to write the answer.")
    ] = TextFormat.table,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="Write to this file; png, svg or pdf: a picture of it.", show_default=False
        ),
    ] = None,
) -> None:
    """Run a published experiment: its table, and ours beside it with and without leaks.

    Each cell is a stored run. What is done is not done again, so a stopped experiment goes on where it was. A grid that would
    take hours on this machine says so first, and what fits within one.

    Examples:

    \b
        motifdb experiment leak-ladder
        motifdb experiment leak-ladder --recipe sid-2020-small --fold 0
        motifdb experiment sid-2020-table2 --scale small --fold 0
        motifdb experiment sid-2020-table2 --device cuda --format markdown
        motifdb experiment style-2021-table2 --source-label singer -o t.png
        motifdb experiment cantillation --analysis style-2021
        motifdb experiment makam --epochs 30 --db makam.motifdb
    """
    from motifdb.catalog.locate import find_database
    from motifdb.errors import UsageError
    from motifdb.training.extras import need

    need()
    from motifdb.training.experiments.answer import Asked
    from motifdb.training.experiments.door import run_experiment

    if seeds < 1:
        raise UsageError(f"--seeds must be 1 or more, got {seeds}")
    on_ray = engine is EngineName.ray or ray_address is not None
    asked = Asked(
        clips=tuple(clips or ()),
        analysis=analysis,
        label=label,
        island=island_label,
        source=source_label,
        recipes=tuple(recipe or ()),
        cells=tuple(cells or ()),
        scale=scale,
        subset=subset,
        epochs=epochs,
        seeds=tuple(range(seeds)),
        only_folds=fold_numbers(fold),
        rungs=tuple(rungs or ()),
        set=tuple(set_ or ()),
        device=device,
        engine="ray" if on_ray else "inline",
        workers=workers,
        ray_address=ray_address,
        is_long_fine=long,
        is_by_fold=folds,
        models=tuple(model or ()),
        steps=steps,
        videos=videos,
        weights=weights,
        speaker_weights=speaker_weights,
    )
    try:
        answer = run_experiment(name, find_database(db), asked, lambda line: typer.echo(line, err=True))
    except KeyboardInterrupt:
        typer.echo(
            "motifdb: stopped; what was whole is stored, and the same command goes on from there", err=True
        )
        raise typer.Exit(130) from None
    is_picture = output is not None and output.suffix.lower() in (".png", ".svg", ".pdf")
    if is_picture:
        assert output is not None
        answer.draw(output)
    _write(answer, format_, None if is_picture else output)
    if answer.n_failed:
        raise typer.Exit(1)


def _write(answer: Any, format_: TextFormat, output: Path | None) -> None:
    """The table, and below it (beside it, on stderr, for programs) what one must know to read it."""
    from motifdb.query.output import write_result
    from motifdb.training.experiments import tables

    if format_ is TextFormat.markdown:
        text = "\n".join([tables.markdown(answer.rows), "", *(f"- {line}" for line in answer.notes)])
        if output is None:
            typer.echo(text)
        else:
            output.write_text(text + "\n", encoding="utf-8")
        return
    is_table = format_ is TextFormat.table
    write_result(tables.arrow(answer.rows if is_table else answer.long), format_.value, output)
    tell(answer.notes, err=not is_table or output is not None)
