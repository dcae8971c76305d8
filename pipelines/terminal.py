"""What commands share: options, and how they open a database to write and hand out an answer.

Only Typer is imported here; everything heavy is imported by the command that needs it.
"""

from __future__ import annotations

import io
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

Db = Annotated[
    str | None,
    typer.Option(
        "--db", help="Database folder; default: $MOTIFDB, or the only *.motifdb here.", show_default=False
    ),
]
At = Annotated[
    str | None,
    typer.Option(
        "--at",
        help="A commit's number or a time (2026-03-01T14:30); default: the newest.",
        show_default=False,
    ),
]


class Format(StrEnum):
    """How results are written."""

    table = "table"
    csv = "csv"
    json = "json"
    parquet = "parquet"


class EngineName(StrEnum):
    """Where work runs."""

    auto = "auto"
    inline = "inline"
    ray = "ray"


OutFormat = Annotated[Format, typer.Option("--format", help="How to write the answer.")]
Out = Annotated[
    Path | None,
    typer.Option("--output", "-o", help="Write to this file instead of the terminal.", show_default=False),
]
Picture = Annotated[
    Path | None,
    typer.Option("--output", "-o", help="Picture to write: png, svg or pdf.", show_default=False),
]
OnlyTable = Annotated[bool, typer.Option("--quiet", "-q", help="Only the table and errors.")]


def keep_interrupts() -> None:
    """See that no Ctrl-C is lost: one that lands in a library's callback is raised again outside of it.

    C code that calls Python (a compiler's cache, a ctypes callback) can only report what is raised there, so that a
    command would go on as if nobody had pressed a key.
    """
    report = sys.unraisablehook

    def hook(unraisable: Any) -> None:
        if unraisable.exc_type is not KeyboardInterrupt:
            report(unraisable)
            return
        # later, as the callback is still on the stack
        again = threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT))
        again.daemon = True
        again.start()

    sys.unraisablehook = hook


def write_utf8() -> None:
    """See that files and pipes take UTF-8 wherever this runs; a terminal shows the code of a character that it lacks."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding=None if stream.isatty() else "utf-8", errors="backslashreplace")


@contextmanager
def writing(path: Path) -> Iterator[Any]:
    """A database to write to; Ctrl-C ends the command with a sentence, as what was whole is stored."""
    from motifdb.catalog.store import open_writer

    try:
        with open_writer(path) as writer:
            yield writer
    except KeyboardInterrupt:
        typer.echo(
            "motifdb: stopped; what was whole is stored, and the same command goes on from there", err=True
        )
        if any(thread.name.startswith("motifdb-unit") for thread in threading.enumerate()):
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(130)  # the database is closed; Python would wait for kernels whose result nobody takes
        raise typer.Exit(130) from None


def write(table: Any, format_: Format, output: Path | None, *, is_wrapped: bool = False) -> None:
    from motifdb.query.output import write_result

    write_result(table, format_.value, output, is_wrapped=is_wrapped)
