"""`motifdb browse`: a page to search, see and hear motifs."""

from __future__ import annotations

from typing import Annotated

import typer

from motifdb.commands.plot import AudioDir
from motifdb.pipelines.terminal import At, Db


def browse(
    db: Db = None,
    at: At = None,
    port: Annotated[
        int | None,
        typer.Option(
            min=0, max=65535, help="Port of the page; default: 8765, or a free one.", show_default=False
        ),
    ] = None,
    audio: AudioDir = None,
    is_opened: Annotated[
        bool, typer.Option("--open/--no-open", help="Whether a browser is opened at the page.")
    ] = True,
) -> None:
    """Serve a page, to this machine only, to search motifs, see and hear every occurrence, and compare singers.

    It reads and never writes. Without --at it follows the newest commit, and says when there is one.

    Examples:

    \b
        motifdb browse
        motifdb browse --db songs.motifdb --port 9000 --no-open
        motifdb browse --at 3
    """
    import threading
    import webbrowser

    from motifdb.browse.server import browse as serve
    from motifdb.catalog.locate import find_database

    def open_(url: str) -> None:
        # a browser may take its time to say that it has opened
        threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()

    serve(find_database(db), at, port, audio, typer.echo, open_ if is_opened else None)
