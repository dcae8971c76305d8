"""`motifdb corpora`: corpora whose folders are known, and what to put where."""

from __future__ import annotations

from typing import Annotated

import typer


def corpora(
    name: Annotated[str | None, typer.Argument(help="One of them.", show_default=False)] = None,
) -> None:
    """List the corpora that `motifdb ingest DIR --layout NAME` knows, or say of one what to get and what to put where.

    Nothing is downloaded.

    Examples:

    \b
        motifdb corpora
        motifdb corpora tonas
    """
    import textwrap

    from motifdb.pipelines.layouts import LAYOUTS, find_layout

    if name is None:
        width = max(map(len, LAYOUTS))
        for layout in LAYOUTS.values():
            typer.echo(f"{layout.name:<{width}}  {layout.title}: {layout.about}")
            typer.echo(f"{'':<{width}}  {layout.access}; {layout.licence}")
        typer.echo("\n`motifdb corpora NAME` says what to put where")
        return
    layout = find_layout(name)
    typer.echo(f"{layout.title}: {layout.about}")
    typer.echo(f"access      {layout.access}\nlicence     {layout.licence}\n\nfolder")
    for line in layout.put:
        typer.echo(f"  {line}")
    typer.echo("\nlabels")
    width = max(map(len, layout.labels))
    for label, meaning in layout.labels.items():
        typer.echo(f"  {label:<{width}}  {meaning}")
    typer.echo(f"\nkeep together when splitting: {', '.join(layout.groups)}")
    if layout.unsure:
        typer.echo("\n" + textwrap.fill(f"not documented: {layout.unsure}", 100))
    clips = " --as-clips" if layout.is_clips else ""
    typer.echo(f"\nnext: motifdb ingest DIR --layout {layout.name}{clips}")
