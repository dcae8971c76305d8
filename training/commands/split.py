"""The command `motifdb split`."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from motifdb.pipelines.terminal import Db, writing
from motifdb.training.commands.shared import ReportFormat


class Method(StrEnum):
    """How clips are divided."""

    random = "random"
    grouped = "grouped"
    kfold = "kfold"
    held_out = "held-out"
    crossed = "crossed"


class UnitName(StrEnum):
    """What is divided."""

    files = "files"
    contents = "contents"


def split(
    db: Db = None,
    clips: Annotated[
        str | None,
        typer.Option(help="Clips to divide: name or beginning of an id.", show_default=False),
    ] = None,
    method: Annotated[
        Method,
        typer.Option(
            help="random clips, grouped draws, kfold (each group tested once), held-out (one group of each class);"
            " crossed is --crossed."
        ),
    ] = Method.kfold,
    label: Annotated[
        str, typer.Option(help="What is learnt: a label; label.NAME where a key has its name.")
    ] = "singer",
    by: Annotated[
        str | None,
        typer.Option(
            help="What travels together: island, recording, content, a label; several joined with +.",
            show_default=False,
        ),
    ] = None,
    unit: Annotated[
        UnitName, typer.Option(help="Every clip, or one clip of each distinct content.")
    ] = UnitName.files,
    folds: Annotated[
        int | None,
        typer.Option(
            help="Folds (kfold: 5, 0 is one per group), or draws (1); held-out: as many as a class has groups.",
            show_default=False,
        ),
    ] = None,
    test: Annotated[float, typer.Option(help="Share of clips that test, in draws.")] = 0.2,
    valid: Annotated[float, typer.Option(help="Share of the others that validate; 0 for none.")] = 0.1,
    valid_by: Annotated[
        str | None,
        typer.Option(help="What travels together between train and valid; as --by.", show_default=False),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of every draw.")] = 0,
    is_plain: Annotated[
        bool, typer.Option("--no-stratify", help="Balance numbers alone, not classes.")
    ] = False,
    merge_shared: Annotated[
        bool, typer.Option("--merge-shared", help="Groups that share sound are one.")
    ] = False,
    as_published: Annotated[
        bool, typer.Option("--as-published", help="Equal contents may be on two sides.")
    ] = False,
    allow_leak: Annotated[
        bool, typer.Option("--allow-leak", help="Divide even where the sides share sound.")
    ] = False,
    allow_unseen: Annotated[
        bool, typer.Option("--allow-unseen", help="Divide even where train lacks a class that is tested.")
    ] = False,
    drop_rare: Annotated[
        bool, typer.Option("--drop-rare", help="Leave out classes with fewer than two groups.")
    ] = False,
    crossed: Annotated[
        tuple[str, str] | None,
        typer.Option(
            help="Two labels, who and what: parts are complete tables of both, nothing of either in two parts.",
            metavar="WHO WHAT",
            show_default=False,
        ),
    ] = None,
    works: Annotated[
        str | None,
        typer.Option(
            help="Crossed: how many of WHAT train, validate, test, as 6/4/4; default: what keeps most.",
            show_default=False,
        ),
    ] = None,
    singers: Annotated[
        str | None,
        typer.Option(
            help="Crossed: how many of WHO, as 46/22/56; default: all, half of those who are free train.",
            show_default=False,
        ),
    ] = None,
    like: Annotated[
        str | None,
        typer.Option(help="Take the sides of the groups of another split.", show_default=False),
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name of the split.", show_default=False)] = None,
    format_: Annotated[
        ReportFormat, typer.Option("--format", help="How to write the leak report.")
    ] = ReportFormat.table,
) -> None:
    """Divide clips into train, validation and test, and say what leaks between them.

    What travels together is never divided: equal contents, or what --by names. A split by a key whose groups share
    sound is refused, with the groups named; run [bold]motifdb audit[/bold] first, so that it is known.

    Examples:

    \b
    motifdb split --by island                            nothing shared
    motifdb split --method random --as-published         as papers do it
    motifdb split --method random --unit contents        no exact copies
    motifdb split --by work --label singer --folds 3
    motifdb split --by singer --label style --folds 0    each singer once
    motifdb split --method held-out --by label.recording --merge-shared
    motifdb split --crossed singer work --works 6/4/4    new in both
    motifdb split --clips random --like "kfold by work of singer, seed 0"
    """
    import json
    import shlex

    from motifdb.catalog.store import find_database
    from motifdb.training.splits.dividing import SplitConfig
    from motifdb.training.splits.leaks import leak_reports, leak_text
    from motifdb.training.splits.split_job import SplitOptions, run_split

    config = SplitConfig(
        method=method.value if crossed is None else "crossed",
        label=label if crossed is None or label != "singer" else crossed[0],
        by=_names(by) if crossed is None else crossed,
        works=_sizes("--works", works),
        singers=_sizes("--singers", singers),
        unit=unit.value,
        folds=folds,
        test_share=test,
        valid_share=valid,
        valid_by=_names(valid_by),
        seed=seed,
        stratified=not is_plain,
        merge_shared=merge_shared,
        as_published=as_published,
        allow_leak=allow_leak,
        allow_unseen=allow_unseen,
        drop_rare=drop_rare,
        like=like,
    )
    config.check()
    path = find_database(db)
    with writing(path) as writer:
        made = run_split(SplitOptions(config, clips, name), writer)
        snapshot = writer.snapshot
    reports = leak_reports(snapshot, made.split_id)
    if format_ is ReportFormat.json:
        typer.echo(
            json.dumps(
                {
                    "split_id": made.split_id,
                    "name": made.name,
                    "is_new": made.is_new,
                    "notes": list(made.split.notes),
                    "folds": [r.to_json() for r in reports],
                },
                indent=1,
            )
        )
        return
    typer.echo("\n".join(made.lines()))
    typer.echo(leak_text(reports))
    where = f"--split {made.split_id[:8]} --db {shlex.quote(str(path))}"
    if crossed is None:
        typer.echo(f"next: motifdb train sid-2020-small {where}")


def _sizes(option: str, text: str | None) -> tuple[int, ...]:
    """``6/4/4`` as three numbers."""
    from motifdb.errors import UsageError

    if text is None:
        return ()
    parts = [part.strip() for part in text.split("/")]
    if len(parts) != 3 or not all(part.isdecimal() for part in parts):
        raise UsageError(f"{option} is how many train, validate and test, such as 6/4/4, got {text!r}")
    return tuple(int(part) for part in parts)


def _names(text: str | None) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split("+") if part.strip()) if text else ()
