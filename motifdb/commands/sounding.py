"""`motifdb search --like X --by sound`, the part that does it: vectors of sound, and a file through the same model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from motifdb.pipelines.terminal import Format, write

if TYPE_CHECKING:
    from motifdb.query.database import Database
    from motifdb.query.vectors.like import Like

SHORT_ID = 8


def refuse(options: Mapping[str, object], why: str) -> None:
    """Refuse options that do not go with the others.

    Raises
    ------
    UsageError
        for the first that is given.
    """
    from motifdb.errors import UsageError

    for name, value in options.items():
        if value is not None and value is not False:
            raise UsageError(f"{name} {why}")


def find_alike(
    database: Database,
    text: str,
    format_: Format,
    output: Path | None,
    *,
    n: int,
    model: str | None,
    where: str | None,
    recordings: Sequence[str] | None,
    max_distance: float | None,
    exact: bool,
    own: bool,
    weights: Path | None,
) -> None:
    """Print what sounds like a motif, a clip, a recording or a file."""
    from motifdb.query.vectors.search import search_sound

    heard = search_sound(
        database.session,
        _query(database, text, model, weights),
        n=n,
        analysis=model,
        condition=_condition(where, recordings),
        exact=exact,
        own=own,
        max_distance=max_distance,
    )
    if heard.note is not None:
        typer.echo(f"motifdb: {heard.note}", err=True)
    table = heard.table
    if format_ is Format.table and output is None:
        typer.echo(heard.words)
        table = _for_people(table)
    write(table, format_, output)


def _condition(where: str | None, recordings: Sequence[str] | None) -> str | None:
    """What a place must meet, with the recordings that were named."""
    if recordings is None:
        return where
    listed = ", ".join(f"'{id_}'" for id_ in sorted(set(recordings)))
    mine = f"recording_id in ({listed})"
    return mine if where is None else f"({where}\n) and {mine}"


def _query(database: Database, text: str, model: str | None, weights: Path | None) -> str | Like:
    """A text of the database as it is; a file as its vector.

    What is in the database comes first: a file of the same name is named by a path such as ./hum.wav.
    """
    from motifdb.errors import NotFoundError, UsageError
    from motifdb.query.meant import what_is_meant
    from motifdb.query.vectors.like import KINDS, Like
    from motifdb.query.vectors.read import find_embeddings

    is_path = Path(text).is_file()
    if is_path:
        try:
            what_is_meant(database, text, KINDS)
        except (NotFoundError, UsageError):
            pass
        else:
            is_path = False
    if not is_path:
        if weights is not None:
            raise UsageError(f"--weights is for a file, and {text!r} is none; leave it out")
        if Path(text).suffix and not Path(text).exists() and ("/" in text or "\\" in text):
            return _named(database, text)
        return text
    from motifdb.training.embedding.of_file import file_vector

    row = find_embeddings(database.snapshot, model)
    return Like(file_vector(database.snapshot, row, Path(text), weights=weights), (), f"the file {text}")


def _named(database: Database, text: str) -> str:
    """A text that looks like a path, where the database knows it."""
    from motifdb.errors import NotFoundError
    from motifdb.query.meant import what_is_meant

    try:
        what_is_meant(database, text, ("recording",))
    except NotFoundError as error:
        raise NotFoundError(f"{error}; there is no file {text} either") from None
    return text


def _for_people(table: Any) -> Any:
    """The columns that say something, with short ids and numbers."""
    import pyarrow as pa
    import pyarrow.compute as pc

    shown = {}
    for name in ("rank", "path", "start_s", "end_s", "distance", "contour", "motif_id", "clip_id"):
        column = table.column(name)
        if column.null_count and column.null_count == len(column):
            continue
        if pa.types.is_floating(column.type):
            column = pc.round(column, 4 if name == "distance" else 2)
        if name.endswith("_id"):
            name, column = name.removesuffix("_id"), pc.utf8_slice_codeunits(column, 0, SHORT_ID)
        shown[name] = column
    return pa.table(shown)
