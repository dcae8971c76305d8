"""Answers as text or files: a table for people, csv, json and parquet for programs.

**Conventions.** In csv an empty field is NULL and an empty string is quoted (``""``); lists and maps are written as
JSON. In json NaN and infinities, which JSON has not, are null; the whole is one array, one object per line. Times are
ISO 8601 in UTC. A table for people fits its width: long values end in ``…``, and so do columns that do not fit.
"""

from __future__ import annotations

import datetime as dt
import decimal
import io
import itertools
import json
import math
import os
import shutil
import sys
import textwrap
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal, Protocol, get_args

import pyarrow as pa

from motifdb.errors import UsageError, nearest
from motifdb.query.relations import relations

Format = Literal["table", "csv", "json", "parquet"]
FORMATS: tuple[Format, ...] = get_args(Format)
WIDTH = 100
"""Columns of text that a table takes at most."""

_MIN_CELL = 10
_MAX_ROWS = 100
_TALL_ROWS = 5
"""So few rows are shown one column per line where the columns do not fit side by side."""


@dataclass(frozen=True)
class _Look:
    """How a table for people is laid out; `write_result` says what each means."""

    max_rows: int
    width: int
    is_color: bool
    is_wrapped: bool
    rest: str


class Batches(Protocol):
    """What can be written: a `pyarrow.Table`, a reader, or an answer of `motifdb.query.sql`."""

    @property
    def schema(self) -> pa.Schema: ...

    def __iter__(self) -> Iterator[Any]: ...


def write_result(
    answer: pa.Table | Batches,
    format: Format | str = "table",
    out: IO[str] | IO[bytes] | str | Path | None = None,
    *,
    max_rows: int | None = None,
    width: int | None = None,
    is_color: bool | None = None,
    is_wrapped: bool = False,
    rest: str = "--format csv, json or parquet gives all",
) -> int:
    """Write an answer, batch by batch; give the number of its rows.

    Parameters
    ----------
    answer : a `pyarrow.Table`, or anything with a schema that iterates over record batches
    format : ``"table"``, ``"csv"``, ``"json"`` or ``"parquet"``
    out : a path, an open file, or None for standard output
    max_rows : rows that a table shows; None is 100; the rest is counted. Other formats write every row
    width : columns of text that a table takes; None is the terminal's width, at most 100
    is_color : whether a table's header is bold; None asks the terminal and ``NO_COLOR``
    is_wrapped : whether a table's long texts go on in further lines instead of ending in ``…``
    rest : how to see the rows that a table leaves out

    Raises
    ------
    UsageError
        for an unknown format, parquet to a terminal, or a path that cannot be written.
    """
    if format not in FORMATS:
        raise UsageError(f"the format {format!r} is unknown; {nearest(str(format), FORMATS)}")
    most = _MAX_ROWS if max_rows is None else max_rows
    if isinstance(out, str | Path):
        try:
            with open(out, "wb") as stream:
                return _write(answer, format, stream, _Look(most, width or WIDTH, False, is_wrapped, rest))
        except OSError as error:
            raise UsageError(f"{out} cannot be written: {error.strerror or error}") from None
    stream_out = sys.stdout if out is None else out
    is_terminal = bool(getattr(stream_out, "isatty", lambda: False)())
    if format == "parquet" and is_terminal:
        raise UsageError("parquet is no text for a terminal; name a file with -o, or pipe it into a program")
    if width is None:
        width = min(WIDTH, shutil.get_terminal_size((WIDTH, 24)).columns) if is_terminal else WIDTH
    if is_color is None:
        is_color = is_terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    try:
        look = _Look(most, max(width, 20), is_color, is_wrapped, rest)
        n_rows = _write(answer, format, stream_out, look)
        stream_out.flush()
        return n_rows
    except BrokenPipeError:
        # The reader has seen enough (`| head`): leave quietly, and keep Python from complaining at exit.
        if stream_out is sys.stdout:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _write(answer: pa.Table | Batches, format: str, stream: IO[Any], look: _Look) -> int:
    batches = answer.to_batches() if isinstance(answer, pa.Table) else answer
    if format == "parquet":
        return _write_parquet(answer.schema, batches, _binary(stream))
    if format == "csv":
        return _write_csv(answer.schema, batches, _binary(stream))
    if isinstance(stream, io.TextIOBase) or "b" not in getattr(stream, "mode", "b"):
        return _write_text(answer.schema, batches, format, stream, look)
    sink = io.TextIOWrapper(stream, encoding="utf-8", write_through=True)
    try:
        return _write_text(answer.schema, batches, format, sink, look)
    finally:
        sink.detach()


def _write_text(
    schema: pa.Schema, batches: Iterable[pa.RecordBatch], format: str, stream: IO[str], look: _Look
) -> int:
    if format == "json":
        return _write_json(schema, batches, stream)
    return _write_table(schema, batches, stream, look)


def _binary(stream: IO[Any]) -> IO[bytes]:
    """The byte stream under a text stream; a text buffer without one takes decoded text."""
    if isinstance(stream, io.TextIOBase):
        stream.flush()
        buffer = getattr(stream, "buffer", None)
        return buffer if buffer is not None else _Decoded(stream)
    return stream


class _Decoded(io.RawIOBase):
    """Bytes into a text buffer such as `io.StringIO`."""

    def __init__(self, text: io.TextIOBase) -> None:
        self._text = text

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._text.write(bytes(data).decode())
        return len(data)


def _write_parquet(schema: pa.Schema, batches: Iterable[pa.RecordBatch], stream: IO[bytes]) -> int:
    from pyarrow import parquet

    n_rows = 0
    with parquet.ParquetWriter(stream, schema, compression="zstd") as writer:
        for batch in batches:
            writer.write_batch(batch)
            n_rows += batch.num_rows
    return n_rows


def _write_csv(schema: pa.Schema, batches: Iterable[pa.RecordBatch], stream: IO[bytes]) -> int:
    """Flat columns are written by Arrow; what it has no csv form for is turned into text first."""
    from pyarrow import csv

    flat = pa.schema([f if _is_flat(f.type) else pa.field(f.name, pa.string()) for f in schema])
    n_rows = 0
    stream.write((",".join(_csv_field(name) for name in schema.names) + "\n").encode())
    options = csv.WriteOptions(include_header=False, quoting_style="needed")
    for batch in batches:
        columns = [
            column
            if _is_flat(f.type)
            else pa.array([_text_of(v, f.type) for v in column.to_pylist()], pa.string())
            for column, f in zip(batch.columns, schema, strict=True)
        ]
        # Arrow closes what it writes to, so it writes to memory, a batch at a time.
        sink = pa.BufferOutputStream()
        csv.write_csv(pa.RecordBatch.from_arrays(columns, schema=flat), sink, options)
        stream.write(sink.getvalue())
        n_rows += batch.num_rows
    return n_rows


def _csv_field(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if any(c in text for c in ',"\r\n') or not text else text


def _is_flat(type_: pa.DataType) -> bool:
    t = pa.types
    return bool(t.is_string(type_) or t.is_integer(type_) or t.is_floating(type_) or t.is_boolean(type_))


def _text_of(value: object, type_: pa.DataType) -> str | None:
    if value is None:
        return None
    plain = _plain(value, type_)
    return plain if isinstance(plain, str) else json.dumps(plain, ensure_ascii=False, allow_nan=False)


def _write_json(schema: pa.Schema, batches: Iterable[pa.RecordBatch], stream: IO[str]) -> int:
    n_rows = 0
    names = [json.dumps(n, ensure_ascii=False) for n in schema.names]
    for batch in batches:
        columns = [
            [json.dumps(_plain(v, f.type), ensure_ascii=False, allow_nan=False) for v in column.to_pylist()]
            for column, f in zip(batch.columns, schema, strict=True)
        ]
        for values in zip(*columns, strict=True):
            line = ", ".join(f"{n}: {v}" for n, v in zip(names, values, strict=True))
            stream.write(("[{" if n_rows == 0 else ",\n {") + line + "}")
            n_rows += 1
    stream.write("]\n" if n_rows else "[]\n")
    return n_rows


def _plain(value: Any, type_: pa.DataType) -> Any:
    """A value as JSON has it."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if pa.types.is_map(type_):
        return {str(_plain(k, type_.key_type)): _plain(v, type_.item_type) for k, v in value}
    if isinstance(value, dict):
        return {f.name: _plain(value[f.name], f.type) for f in type_}
    if isinstance(value, list | tuple) and pa.types.is_nested(type_):
        return [_plain(v, type_.value_type) for v in value]
    if isinstance(value, decimal.Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, dt.datetime):
        return (value.astimezone(dt.UTC).replace(tzinfo=None) if value.tzinfo else value).isoformat() + "Z"
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.hex()
    return str(value)


def _write_table(schema: pa.Schema, batches: Iterable[pa.RecordBatch], stream: IO[str], look: _Look) -> int:
    """Header, rule, rows; the columns are as wide as the shown rows need and the width allows."""
    shown: list[pa.RecordBatch] = []
    n_rows = 0
    for batch in batches:
        if n_rows < look.max_rows:
            shown.append(batch.slice(0, look.max_rows - n_rows))
        n_rows += batch.num_rows
    table = pa.Table.from_batches(shown, schema)
    if len(schema) == 1 and schema.names == ["plan"]:
        for text in table.column(0).to_pylist():
            stream.write(f"{text}\n")
        return n_rows
    cells = [[cell_text(v, f.type) for v in table.column(i).to_pylist()] for i, f in enumerate(schema)]
    headers = [_header(f.name) for f in schema]
    wanted = [max(map(_wide, [h, *c])) for h, c in zip(headers, cells, strict=True)]
    widths, n_left_out = fit(wanted, look.width)
    bold, normal = ("\x1b[1m", "\x1b[0m") if look.is_color else ("", "")
    if n_left_out and 0 < n_rows <= _TALL_ROWS:
        name_width = max(map(_wide, headers))
        for number, row in enumerate(zip(*cells, strict=True)):
            stream.write("\n" if number else "")
            for header, cell in zip(headers, row, strict=True):
                shown_cell = _pad(cell, max(look.width - name_width - 2, 10), False).rstrip()
                stream.write(f"{bold}{_pad(header, name_width, False)}{normal}  {shown_cell}".rstrip() + "\n")
        return n_rows
    right = [_is_number(f.type) for f in schema]
    more = "  …" if n_left_out else ""

    def line(values: Sequence[str]) -> str:
        return ("  ".join(map(_pad, values, widths, right)) + more).rstrip()

    stream.write(bold + line(headers) + normal + "\n")
    stream.write("  ".join("─" * w for w in widths) + "\n")
    for row in zip(*cells, strict=True):
        for part in _wrapped(row, widths) if look.is_wrapped else [row]:
            stream.write(line(part) + "\n")
    stream.write(_footer(schema, n_rows, table.num_rows, n_left_out, look.rest))
    return n_rows


def _wrapped(row: Sequence[str], widths: Sequence[int]) -> Iterator[tuple[str, ...]]:
    """The lines of a row whose long texts go on below."""
    columns = [textwrap.wrap(cell, w) or [""] for cell, w in zip(row, widths, strict=False)]
    return itertools.zip_longest(*columns, fillvalue="")


def _footer(schema: pa.Schema, n_rows: int, n_shown: int, n_left_out: int, rest: str) -> str:
    notes = []
    if n_rows > n_shown:
        notes.append(f"{n_rows:,} rows, the first {n_shown:,} shown; {rest}")
    elif n_rows == 0:
        notes.append("no rows")
    if n_left_out:
        names = ", ".join(schema.names[-n_left_out:])
        text = f"{n_left_out} more column{'s' if n_left_out > 1 else ''}: {names}"
        notes.append(text if len(text) <= WIDTH - 4 else text[: WIDTH - 5] + "…")
    return "".join(f"({note})\n" for note in notes)


def fit(wanted: Sequence[int], width: int) -> tuple[list[int], int]:
    """Column widths that fit, and how many columns at the end are left out.

    The widest shrink first, none below 10; where that is not enough, the last columns go.

    >>> fit([10, 80], 60)
    ([10, 48], 0)
    >>> fit([30, 40, 50], 60)
    ([19, 19, 18], 0)
    >>> fit([12] * 20, 44)
    ([12, 12, 12], 17)
    """
    for n_columns in range(len(wanted), 0, -1):
        n_left_out = len(wanted) - n_columns
        room = width - 2 * (n_columns - 1) - (3 if n_left_out else 0)
        widths = [*wanted[:n_columns]]
        if sum(min(w, _MIN_CELL) for w in widths) > room and n_columns > 1:
            continue
        while sum(widths) > room and max(widths) > 1:
            # Shrinking one column at a time keeps the narrow ones whole.
            widths[len(widths) - 1 - widths[::-1].index(max(widths))] -= 1
        return widths, n_left_out
    return [], 0


_UNITS: dict[str, str] = {
    c.name: c.unit for spec in reversed(relations().values()) for c in spec.columns if c.unit != "-"
}


def _header(name: str) -> str:
    """A column's name with its unit, where it is known and the name does not say it.

    >>> _header("length"), _header("start_s"), _header("n")
    ('length [symbols]', 'start_s', 'n')
    """
    unit = _UNITS.get(name)
    if unit is None or name.endswith((f"_{unit.lower()}", f"_{unit.lower()}s")):
        return name
    return f"{name} [{unit}]"


def _is_number(type_: pa.DataType) -> bool:
    return bool(pa.types.is_integer(type_) or pa.types.is_floating(type_) or pa.types.is_decimal(type_))


def cell_text(value: Any, type_: pa.DataType) -> str:
    """A value for people: one line, NULL as nothing, numbers as `_number` has them."""
    if value is None:
        return ""
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dt.datetime):
        return str(_plain(value, type_))[:19].replace("T", " ")
    if isinstance(value, str):
        return _one_line(value)
    plain = _plain(value, type_)
    if isinstance(plain, list):
        head = itertools.islice(zip(value, itertools.repeat(type_.value_type)), 40)
        return "[" + ", ".join(cell_text(v, t) for v, t in head) + (", …" if len(plain) > 40 else "") + "]"
    if isinstance(plain, dict):
        return _one_line(", ".join(f"{k}={v}" for k, v in plain.items()))
    return _one_line(str(plain))


def _number(value: float) -> str:
    """Three decimals, below 1 three significant digits: milliseconds, thousandths of a cent, small p.

    >>> _number(1.23456), _number(5.0), _number(0.0123456), _number(5.19286e-07), _number(2.5e7)
    ('1.235', '5', '0.0123', '5.19e-07', '25,000,000')
    """
    if not math.isfinite(value) or abs(value) < 1:
        return f"{value:.3g}"
    return f"{value:.3f}".rstrip("0").rstrip(".") if abs(value) < 1e6 else f"{value:,.0f}"


def _one_line(text: str) -> str:
    """Control characters would break the table (and can drive a terminal): they are shown escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _wide(text: str) -> int:
    """Terminal columns that a text takes: wide East Asian characters two, combining marks none."""
    if text.isascii():
        return len(text)
    return sum(0 if unicodedata.combining(c) else 1 + (unicodedata.east_asian_width(c) in "WF") for c in text)


def _pad(text: str, width: int, is_right: bool) -> str:
    if _wide(text) > width:
        while _wide(text) > width - 1:
            text = text[:-1]
        text += "…"
    gap = " " * (width - _wide(text))
    return gap + text if is_right else text + gap
