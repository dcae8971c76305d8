"""`motifdb sql`: a question to the tables."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from motifdb.pipelines.terminal import At, Db, Format, Out, OutFormat, write


def sql(
    query: Annotated[
        str | None, typer.Argument(help="One SELECT; - reads it from standard input.", show_default=False)
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--file", "-f", help="Read the query from a file.", show_default=False)
    ] = None,
    bind: Annotated[
        list[str] | None,
        typer.Option(
            help="NAME=FILE: the melody of a file, sound or f0, for $NAME in hum_search.", show_default=False
        ),
    ] = None,
    db: Db = None,
    at: At = None,
    format_: OutFormat = Format.table,
    output: Out = None,
) -> None:
    """Ask the tables a question in SQL. Statements can only read, and only this database.

    Without a query it opens a prompt, on a terminal.

    Examples:

    \b
        motifdb sql "select contour, occurrences from motifs order by log10_p limit 10"
        motifdb sql -f question.sql --format csv
        echo "select count(*) from motifs" | motifdb sql -
        motifdb sql "select * from motif_stats" --at 3 --format parquet -o motifs.parquet
        motifdb sql --bind q=hum.wav "select path, start_s from hum_search($q)"
        motifdb sql --db songs.motifdb          # a prompt, with history and completion
    """
    from motifdb.errors import UsageError
    from motifdb.query.database import Database

    if query is None and file is None and output is None and sys.stdin.isatty() and sys.stdout.isatty():
        from motifdb.query.prompt import Prompt

        with Database(db, at=at) as database:
            Prompt(database, format=format_.value, parameters=_bound(bind)).run()
        return
    if (query is None) == (file is None):
        raise UsageError("give one query: as text, as - for standard input, or as a file with -f")
    text = _query_text(query, file)
    with Database(db, at=at) as database:
        write(database.sql(text, _bound(bind)).arrow(), format_, output)


def _bound(texts: list[str] | None) -> dict[str, object] | None:
    if not texts:
        return None
    from motifdb.pipelines.humming import bound_files

    return bound_files(texts)


def _query_text(query: str | None, file: Path | None) -> str:
    from motifdb.errors import UsageError

    if query == "-":
        return sys.stdin.read()
    if query is not None:
        return query
    assert file is not None
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise UsageError(f"the query file {file} is no text in UTF-8; save it as such") from None
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise UsageError(f"the query file {file} cannot be read: {why}; give one that is there") from None
