"""`motifdb index`: make search by sound quick over many vectors."""

from __future__ import annotations

from typing import Annotated

import typer

from motifdb.pipelines.terminal import Db


def index(
    name: Annotated[
        str | None,
        typer.Argument(
            help="The vectors: their name, their model or the beginning of their id; default: the only ones.",
            show_default=False,
        ),
    ] = None,
    db: Db = None,
) -> None:
    """Build the index that `search --like` goes through: from some ten thousand vectors on it is quicker than to compare all.

    It is derived from the table `embeddings`: where vectors were added since, or it is damaged, it is not used, and this
    command makes it anew.

    Examples:

    \b
        motifdb index
        motifdb index log-mel-stats
    """
    from motifdb.catalog.locate import find_database
    from motifdb.catalog.store import open_snapshot
    from motifdb.query.vectors.index import build_index

    made = build_index(open_snapshot(find_database(db)), name, on_step=lambda words: typer.echo(words))
    typer.echo(
        f"{made.header['name']}: {made.n_vectors:,} vectors in {made.header['n_partitions']:,} partitions,"
        f" {made.n_bytes / 1e6:,.1f} MB, {made.header['built_s']:.1f} s"
    )
