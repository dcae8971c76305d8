"""The commands that ask, look, listen and take away, one module each: parse, call, print.

A module here imports nothing heavy when it is imported, so that `motifdb --help` stays quick.
"""

from __future__ import annotations

import typer

from motifdb.commands import (
    browse,
    compare,
    corpora,
    describe,
    export,
    families,
    index,
    play,
    plot,
    search,
    show,
    sql,
    tables,
    top,
    why,
)
from motifdb.commands.contours import ContourCommand

PANEL = "Ask"


def register(app: typer.Typer) -> None:
    """Add every command that asks to the command line."""
    app.command("corpora", rich_help_panel="Make motifs")(corpora.corpora)
    app.command("sql", rich_help_panel=PANEL)(sql.sql)
    app.command("tables", rich_help_panel=PANEL)(tables.tables)
    app.command("describe", rich_help_panel=PANEL)(describe.describe)
    app.command("top", rich_help_panel=PANEL)(top.top)
    app.command("show", cls=ContourCommand, rich_help_panel=PANEL)(show.show)
    app.command("plot", cls=ContourCommand, rich_help_panel=PANEL)(plot.plot)
    app.command("play", cls=ContourCommand, rich_help_panel=PANEL)(play.play)
    app.command("why", cls=ContourCommand, rich_help_panel=PANEL)(why.why)
    app.command("compare", rich_help_panel=PANEL)(compare.compare)
    app.command("export", rich_help_panel=PANEL)(export.export)
    app.command("search", rich_help_panel=PANEL)(search.search)
    app.command("index", rich_help_panel=PANEL)(index.index)
    app.command("browse", rich_help_panel=PANEL)(browse.browse)
    app.command("families", rich_help_panel=PANEL)(families.families)
