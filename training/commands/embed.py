"""The command `motifdb embed`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from motifdb.pipelines.terminal import Db
from motifdb.training.commands.shared import ReportFormat, tell


class TargetName(StrEnum):
    """What gets vectors."""

    recording = "recording"
    clip = "clip"
    occurrence = "occurrence"


def embed(
    model: Annotated[
        str | None,
        typer.Argument(
            help="A model's name, or a stored run's or encoder's name or id; none lists what there is.",
            metavar="MODEL",
            show_default=False,
        ),
    ] = None,
    db: Db = None,
    target: Annotated[
        TargetName | None,
        typer.Option(
            help="What gets vectors: recording; clip (with --clips); occurrence of motifs (with --analysis).",
            show_default=False,
        ),
    ] = None,
    clips: Annotated[
        str | None, typer.Option(help="Clips to embed: name or beginning of an id.", show_default=False)
    ] = None,
    analysis: Annotated[
        str | None,
        typer.Option(help="Mining analysis whose occurrences are embedded.", show_default=False),
    ] = None,
    weights: Annotated[
        Path | None,
        typer.Option(help="File of weights, for models that need one.", show_default=False),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="An option of the model, such as hop_s=0.5.",
            show_default=False,
        ),
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name of these vectors.", show_default=False)] = None,
    where: Annotated[
        str | None,
        typer.Option(
            help="Only recordings for which this SQL holds, on the columns of tracks.", show_default=False
        ),
    ] = None,
    limit: Annotated[
        int | None, typer.Option(help="At most so many recordings in this run.", show_default=False)
    ] = None,
    index: Annotated[bool, typer.Option("--index", help="Build an index for search by sound, too.")] = False,
    again: Annotated[bool, typer.Option("--again", help="Embed anew also what is done.")] = False,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda.")] = "auto",
    format_: Annotated[
        ReportFormat, typer.Option("--format", help="How to write the report.")
    ] = ReportFormat.table,
) -> None:
    """Let a model hear recordings, clips or occurrences of motifs, and store the vectors it gives.

    What is longer than the model's window is cut into windows, whose vectors are averaged. Run again, the command takes
    what is new. Without MODEL it lists the models.

    Examples:

    \b
        motifdb embed
        motifdb embed hand-crafted --clips random
        motifdb embed sid-2020-small --target occurrence
        motifdb embed 2b67f1ae --target recording --where "style = 'buleria'"
        motifdb embed speaker --weights ecapa.onnx --target recording --index
        motifdb embed openl3 --weights openl3.h5 --set hop_s=0.5 --name l3
    """
    import json
    import shlex

    from motifdb.catalog.locate import find_database
    from motifdb.pipelines.progress import Lines
    from motifdb.pipelines.settings import assignment

    if model is None:
        _list(db)
        return
    from motifdb.training.embedding.job import EmbedOptions, embed_database

    options = EmbedOptions(
        model=model,
        target=None if target is None else target.value,
        clips=clips,
        analysis=analysis,
        weights=weights,
        settings=dict(assignment(text) for text in set_ or []),
        name=name,
        where=where,
        limit=limit,
        again=again,
        device=device,
    )
    is_table = format_ is ReportFormat.table
    path = find_database(db)
    try:
        made = embed_database(options, path, Lines(), lambda line: typer.echo(line, err=True))
    except KeyboardInterrupt:
        typer.echo(
            "motifdb: stopped; what was whole is stored, and the same command goes on from there", err=True
        )
        raise typer.Exit(130) from None
    if index:
        made.notes.append(_indexed(path, made.analysis_id))
    if not is_table:
        typer.echo(json.dumps(made.to_json(), indent=1, ensure_ascii=False))
        return
    tell(made.lines())
    at = f"--model {made.analysis_id[:8]} --db {shlex.quote(str(path))}"
    typer.echo(f"next: motifdb search --like FILE --by sound {at}")


def _indexed(path: Path, analysis_id: str) -> str:
    """What came of the index: few vectors need none, and are stored all the same."""
    from motifdb.catalog.snapshot import open_snapshot
    from motifdb.errors import UsageError
    from motifdb.query.vectors.index import build_index

    try:
        made = build_index(open_snapshot(path), analysis_id)
    except UsageError as error:
        return f"no index: {error}"
    return f"index: {made.n_vectors:,} vectors, {made.n_bytes / 1e6:,.1f} MB"


def _list(db: str | None) -> None:
    """Our models, other packages', and those of the database where there is one."""
    from motifdb.catalog.locate import find_database
    from motifdb.catalog.snapshot import open_snapshot
    from motifdb.errors import MotifdbError
    from motifdb.training.embedding.registry import EMBEDDERS, entry_points, stored_names

    for spec in EMBEDDERS.values():
        needs = f"; needs --weights: {spec.weights}" if spec.weights else ""
        tell([f"{spec.name}: {spec.doc}{needs}"])
    for name, entry in sorted(entry_points().items()):
        package = entry.dist.name if entry.dist is not None else entry.value
        tell([f"{name}: offered by {package}"])
    try:
        stored = stored_names(open_snapshot(find_database(db)))
    except MotifdbError:
        if db is not None:
            raise
        return
    if stored:
        tell([f"stored in this database: {', '.join(stored)}"])
