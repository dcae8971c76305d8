"""Serving the page on loopback until somebody stops it."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from motifdb.browse.app import make_app
from motifdb.browse.reading import Reading
from motifdb.errors import UsageError

if TYPE_CHECKING:
    import uvicorn

HOST, PORT = "127.0.0.1", 8765


def listening(port: int | None) -> socket.socket:
    """A socket on loopback: at a port that is named; else at the usual one, or any that is free.

    Raises
    ------
    UsageError
        where the port cannot be had.
    """
    for wanted in (port,) if port is not None else (PORT, 0):
        made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            made.bind((HOST, wanted))
            return made
        except (OSError, OverflowError) as error:
            made.close()
            if port is None and wanted:
                continue
            taken = isinstance(error, OSError) and error.errno == errno.EADDRINUSE
            why = "another program listens there" if taken else str(error)
            raise UsageError(
                f"port {wanted} cannot be used ({why}); leave --port out for a free one"
            ) from None
    raise AssertionError("the last port either binds or is refused")


def server(
    reading: Reading, audio_dir: Path | None = None, on_start: Callable[[], None] | None = None
) -> uvicorn.Server:
    """A server for the page; ``run(sockets=[...])`` serves until its ``should_exit`` is set."""
    import uvicorn

    class Announcing(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if on_start is not None:
                on_start()

    config = uvicorn.Config(
        make_app(reading, audio_dir),
        log_level="warning",
        access_log=False,
        server_header=False,
        lifespan="off",
        timeout_graceful_shutdown=2,
    )
    return Announcing(config)


def browse(
    path: Path,
    at: str | None,
    port: int | None,
    audio_dir: Path | None,
    say: Callable[[str], None],
    open_: Callable[[str], object] | None,
) -> None:
    """Serve the page over a database until Ctrl-C.

    Parameters
    ----------
    path, at : as for `Reading`
    port : None takes the usual one, or any that is free
    audio_dir : as for `make_app`
    say : told where the page is
    open_ : called with the page's address once it is served

    Raises
    ------
    MotifdbError
        where the database cannot be opened, the port not be had, or `audio_dir` is no folder.
    """
    if audio_dir is not None and not audio_dir.is_dir():
        raise UsageError(
            f"--audio {audio_dir}: there is no such folder; name the one that holds the recordings"
        )
    reading = Reading(path, at)
    try:
        with listening(port) as bound:
            url = f"http://{HOST}:{bound.getsockname()[1]}/"

            def started() -> None:
                say(f"{path.name}, commit {reading.commit}: {url}  (Ctrl-C ends it)")
                if open_ is not None:
                    open_(url)

            server(reading, audio_dir, started).run(sockets=[bound])
    finally:
        reading.close()
