"""The command `motifdb neighbours`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from motifdb.pipelines.terminal import Db, Format, Out, OutFormat, write
from motifdb.training.commands.shared import tell

if TYPE_CHECKING:
    import pyarrow as pa

    from motifdb.training.scores.figures import Figure


class Distance(StrEnum):
    """How far apart two vectors are."""

    euclidean = "euclidean"
    standardised = "standardised"
    cosine = "cosine"


def neighbours(
    vectors: Annotated[
        str | None,
        typer.Argument(
            help="Vectors of `motifdb embed`: name, model, or beginning of an id; default: the only ones.",
            metavar="VECTORS",
            show_default=False,
        ),
    ] = None,
    label: Annotated[
        list[str] | None,
        typer.Option(
            help="What neighbours should share; several as several. Default: singer.", show_default=False
        ),
    ] = None,
    other: Annotated[
        str | None,
        typer.Option(
            help="Neighbours have another value of this: recording (the default for clips), a label such as work, or none.",
            show_default=False,
        ),
    ] = None,
    group: Annotated[
        str | None,
        typer.Option(help="Label that intervals draw by; default: --label itself.", show_default=False),
    ] = None,
    k: Annotated[
        list[int] | None, typer.Option("--k", help="Numbers of neighbours. Default: 1, 3, 5, 7.", min=1)
    ] = None,
    pairs: Annotated[int, typer.Option(help="Pairs for the equal error rate; 0: none.", min=0)] = 2000,
    distance: Annotated[
        Distance | None, typer.Option(help="Default: what suits the model.", show_default=False)
    ] = None,
    picture: Annotated[
        Path | None,
        typer.Option(help="Draw them by t-SNE, coloured by each label: png, svg, pdf.", show_default=False),
    ] = None,
    store: Annotated[
        bool, typer.Option("--store/--no-store", help="Keep the figures in embedding_metrics.")
    ] = True,
    db: Db = None,
    format_: OutFormat = Format.table,
    output: Out = None,
) -> None:
    """Say what vectors are worth: how often the nearest share a label, and how well pairs are told, beside chance.

    Each vector is left out of its own vote. Intervals draw groups, not vectors.

    Examples:

    \b
        motifdb neighbours hand-crafted
        motifdb neighbours hand-crafted --label singer --label work --picture who_and_what.png
        motifdb neighbours sid-2020-small --label singer --other source
    """
    from motifdb.catalog.locate import find_database
    from motifdb.query.database import Database
    from motifdb.training.extras import need
    from motifdb.training.scores.figures import store_figures
    from motifdb.training.scores.judged import Question, drawn, judge

    need("sklearn")
    question = Question(
        labels=tuple(dict.fromkeys(label or ["singer"])),
        other=other,
        group=group,
        ks=tuple(dict.fromkeys(k or [1, 3, 5, 7])),
        n_pairs=pairs,
        distance=None if distance is None else distance.value,
    )
    path = find_database(db)
    with Database(path) as database:
        judged = judge(database, vectors, question)
    if picture is not None:
        drawn(judged, picture)
    n_stored = store_figures(path, judged.vectors.analysis_id, judged.figures) if store else 0
    write(_table(judged.figures), format_, output)
    notes = [
        f"{judged.vectors.name}: {len(judged.vectors):,} vectors, {judged.distance} distance",
        *judged.notes,
    ]
    if n_stored:
        notes.append(f"{n_stored} figures are stored in embedding_metrics")
    tell(notes, err=format_ is not Format.table or output is not None)


def _table(figures: list[Figure]) -> pa.Table:
    import pyarrow as pa

    rows = [
        {
            "asked": f.protocol,
            "metric": f.metric,
            "value": f.value,
            "low": f.low,
            "high": f.high,
            "chance": f.chance,
            "n": f.n,
        }
        for f in figures
    ]
    number = pa.float64()
    kinds = {"value": number, "low": number, "high": number, "chance": number}
    schema = pa.schema([("asked", pa.string()), ("metric", pa.string()), *kinds.items(), ("n", pa.int64())])
    return pa.Table.from_pylist(rows, schema=schema)
