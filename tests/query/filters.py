"""Random rows of the declared tables, random statements over them, and whether two engines answer alike.

The rows hold what trips storage up: NaN, infinities, both zeros, NULL, empty and odd texts, empty lists, NaN and NULL in
lists, maps, extreme integers, instants. The statements name every kind of predicate, alone and nested, in WHERE, with
ORDER BY, LIMIT, OFFSET, DISTINCT, GROUP BY, joins and subqueries; none of them can fail for its values.
"""

from __future__ import annotations

import datetime as dt
import math
import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from motifdb.catalog.store import Changes, create, open_writer
from motifdb.errors import MotifdbError
from motifdb.query.sql import Session
from motifdb.schemas import TABLES, Column, TableSpec

if TYPE_CHECKING:
    import duckdb

NAMES = ("motifs", "files", "analyses", "clips", "pitch", "epochs")
"""Tables of every type that is open to SQL: texts, integers, doubles, floats, bools, instants, lists, maps."""

_TEXTS = (
    "",
    "a",
    "A",
    "ab",
    "b",
    "it's",
    "100%",
    "a_b",
    "é",
    "ğ",
    "日本",
    "+1 -2",
    "+1 -2 +1",
    " a",
    "NaN",
    "null",
)
_FLOATS = (math.nan, math.inf, -math.inf, 0.0, -0.0, 0.1, -0.5, 1.0, 1.5, 2.0, 3.0, 1e-300, 1e300)
_TIMES = (*(dt.datetime(2024, 1, d, 3, 4, 5, d) for d in range(1, 6)), dt.datetime(1969, 12, 31))
_KEYS = ("city", "decade", "k'")
_SIZES = {pa.int8(): 7, pa.int16(): 15, pa.int32(): 31, pa.int64(): 63}

Rows = list[dict[str, Any]]


def random_table(spec: TableSpec, n: int, rng: random.Random, first: int = 0) -> pa.Table:
    """`n` rows whose first key column counts from `first`, so that it is unique; the rest is drawn from small pools."""
    rows = []
    for i in range(n):
        row = {c.name: _value(c.type, rng, c.nullable) for c in spec.columns}
        row[spec.key[-1] if spec.name == "files" else spec.key[0]] = f"id {first + i:05d}"
        rows.append(row)
    return spec.table(rows)


def _value(type_: pa.DataType, rng: random.Random, is_nullable: bool) -> Any:
    if is_nullable and rng.random() < 0.25:
        return None
    if pa.types.is_string(type_):
        return rng.choice(_TEXTS)
    if pa.types.is_boolean(type_):
        return rng.random() < 0.5
    if pa.types.is_integer(type_):
        bound = 2 ** _SIZES[type_]
        return rng.choice([-bound, bound - 1]) if rng.random() < 0.05 else rng.randint(-3, 3)
    if pa.types.is_float64(type_):
        return rng.choice(_FLOATS)
    if pa.types.is_floating(type_):
        return rng.choice([f for f in _FLOATS if not 1e100 < abs(f) < math.inf])
    if pa.types.is_timestamp(type_):
        return rng.choice(_TIMES)
    if pa.types.is_list(type_):
        return [_value(type_.value_type, rng, True) for _ in range(rng.choice([0, 1, 1, 2, 3, 9]))]
    assert pa.types.is_map(type_), type_
    keys = rng.sample(_KEYS, rng.randint(0, len(_KEYS)))
    return [(key, _value(type_.item_type, rng, True)) for key in keys]


def literal(value: Any) -> str:
    """A value as SQL."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return f"({value})" if value > -(2**63) else "(-9223372036854775807 - 1)"
    if isinstance(value, float):
        return f"'{value}'::double" if not math.isfinite(value) or value == 0 else f"({value!r}::double)"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    if isinstance(value, dt.datetime):
        return f"timestamp '{value.isoformat(sep=' ')}'"
    return "[" + ", ".join(map(literal, value)) + "]"


@dataclass(frozen=True)
class Question:
    """One statement; `is_ordered` where its rows come in one order only, `whole` is it without LIMIT where any rows would do."""

    text: str
    is_ordered: bool = False
    whole: str | None = None


def random_question(rng: random.Random) -> Question:
    """A statement over one of the tables, with a random filter."""
    spec = TABLES[rng.choice(NAMES)]
    columns = [c for c in spec.columns if c.sql]
    where = predicate(columns, rng, rng.choice([1, 1, 2, 3]))
    chosen = ", ".join(c.name for c in rng.sample(columns, rng.randint(1, min(4, len(columns)))))
    if rng.random() < 0.2:
        chosen = "*"
    plain = f"select {chosen} from {spec.name} where {where}"
    key = spec.key[-1] if spec.name == "files" else spec.key[0]
    column = rng.choice([c for c in columns if not pa.types.is_nested(c.type)])
    limit = f"limit {rng.choice([0, 1, 3, 10, 1000])}" + rng.choice(["", "", " offset 2"])
    shape = rng.randrange(9)
    if shape == 0:
        return Question(f"select count(*) as n from {spec.name} where {where}")
    if shape == 1:
        way = rng.choice(["asc", "desc"]) + rng.choice(["", " nulls first", " nulls last"])
        return Question(f"{plain} order by {column.name} {way}, {key} {limit}", is_ordered=True)
    if shape == 2:
        return Question(f"{plain} {limit}", whole=plain)
    if shape == 3:
        return Question(f"select distinct {column.name} from {spec.name} where {where}")
    if shape == 4:
        return Question(
            f"select {column.name}, count(*) as n, min({key}) as least, max({key}) as most from {spec.name}"
            f" where {where} group by {column.name}"
        )
    if shape == 5:
        other = TABLES[rng.choice([n for n in NAMES if n != spec.name])]
        their = other.key[-1] if other.name == "files" else other.key[0]
        inner = predicate([c for c in other.columns if c.sql], rng, 1)
        negated = rng.choice(["", "not "])
        return Question(f"{plain} and {key} {negated}in (select {their} from {other.name} where {inner})")
    if shape == 6:
        first = f"select {chosen} from {spec.name}"
        return Question(f"{first} {limit}", whole=first)
    if shape == 7:
        outer = predicate([column], rng, 1)
        return Question(
            f"select count(*) as n from (select {column.name} from {spec.name} where {where}) where {outer}"
        )
    return Question(plain)


def predicate(columns: list[Column], rng: random.Random, depth: int) -> str:
    """A condition on some columns; every type has its own."""
    if depth > 1:
        parts = [predicate(columns, rng, depth - 1) for _ in range(rng.randint(2, 3))]
        joined = rng.choice([" and ", " or "]).join(f"({p})" for p in parts)
        return f"not ({joined})" if rng.random() < 0.2 else joined
    column = rng.choice(columns)
    made = _for_any(column, rng) if rng.random() < 0.2 else _MAKERS[_kind(column.type)](column, columns, rng)
    return f"not ({made})" if rng.random() < 0.1 else made


def _kind(type_: pa.DataType) -> str:
    tests: dict[str, Callable[[pa.DataType], bool]] = {
        "bool": pa.types.is_boolean, "list": pa.types.is_list, "map": pa.types.is_map, "text": pa.types.is_string,
        "float": pa.types.is_floating,
    }  # fmt: skip
    return next((kind for kind, is_kind in tests.items() if is_kind(type_)), "number")


def _for_any(column: Column, rng: random.Random) -> str:
    return f"{column.name} is {rng.choice(['', 'not '])}null"


def _ordered(column: Column, columns: list[Column], rng: random.Random) -> str:
    """What integers, doubles, texts and instants share."""

    def draw() -> str:
        return literal(_value(column.type, rng, False))

    name = column.name
    shape = rng.randrange(8)
    if shape <= 2:
        sides = [name, draw()] if rng.random() < 0.8 else [draw(), name]
        return f" {rng.choice(['=', '<>', '<', '<=', '>', '>='])} ".join(sides)
    if shape == 3:
        return f"{name} {rng.choice(['', 'not '])}between {draw()} and {draw()}"
    if shape == 4:
        values = [draw() for _ in range(rng.randint(1, 5))] + (["null"] if rng.random() < 0.2 else [])
        return f"{name} {rng.choice(['', 'not '])}in ({', '.join(values)})"
    if shape == 5:
        return f"{name} is {rng.choice(['', 'not '])}distinct from {rng.choice([draw(), 'null'])}"
    if shape == 6:
        alike = rng.choice([c for c in columns if c.type == column.type])
        return f"{name} {rng.choice(['=', '<', '>='])} {alike.name}"
    return f"coalesce({name}, {draw()}) {rng.choice(['=', '<'])} {draw()}"


def _number(column: Column, columns: list[Column], rng: random.Random) -> str:
    if pa.types.is_timestamp(column.type) or rng.random() < 0.8:
        return _ordered(column, columns, rng)
    return rng.choice(
        [f"{column.name} % 3 = {rng.randint(0, 2)}", f"{column.name} / 2 > {rng.randint(-1, 1)}"]
    )


def _float(column: Column, columns: list[Column], rng: random.Random) -> str:
    if rng.random() < 0.8:
        return _ordered(column, columns, rng)
    name = column.name
    return rng.choice(
        [f"isnan({name})", f"isfinite({name})", f"isinf({name})", f"{name} * 2 > 1", f"abs({name}) <= 1"]
    )


def _text(column: Column, columns: list[Column], rng: random.Random) -> str:
    if rng.random() < 0.5:
        return _ordered(column, columns, rng)
    name, part = column.name, literal(rng.choice(_TEXTS))
    pattern = rng.choice(["a%", "%a", "%_b%", "_", "%", "", "+1%", "%'%", "100\\%", "É", "日%"])
    return rng.choice(
        [
            f"{name} {rng.choice(['', 'not '])}{rng.choice(['like', 'ilike'])} {literal(pattern)}",
            f"{name} like {literal(pattern)} escape '\\'",
            f"starts_with({name}, {part})",
            f"contains({name}, {part})",
            f"lower({name}) = {part}",
            f"length({name}) {rng.choice(['<', '>='])} {rng.randint(0, 4)}",
            f"regexp_matches({name}, '^[a-c]+$')",
            f"{name} || 'x' = {literal(rng.choice(_TEXTS) + 'x')}",
        ]
    )


def _bool(column: Column, columns: list[Column], rng: random.Random) -> str:
    name = column.name
    return rng.choice(
        [name, f"not {name}", f"{name} = true", f"{name} <> true", f"{name} is false", f"{name} in (false)"]
    )


def _list(column: Column, columns: list[Column], rng: random.Random) -> str:
    name, item = column.name, literal(_value(column.type.value_type, rng, False))
    whole = literal(_value(column.type, rng, False))
    return rng.choice(
        [
            f"len({name}) {rng.choice(['=', '<', '>='])} {rng.randint(0, 3)}",
            f"list_contains({name}, {item})",
            f"{item} = any({name})",
            f"{name}[1] {rng.choice(['=', '<'])} {item}",
            f"{name}[-1] is null",
            f"{name} {rng.choice(['=', '<>'])} {whole}",
            f"{name} is distinct from {whole}",
            f"list_max({name}) > {item}",
            f"len(list_filter({name}, lambda x: x = {item})) > 0",
        ]
    )


def _map(column: Column, columns: list[Column], rng: random.Random) -> str:
    at, text = f"{column.name}[{literal(rng.choice(_KEYS))}]", literal(rng.choice(_TEXTS))
    return rng.choice(
        [
            f"{at} = {text}",
            f"{at} is null",
            f"cardinality({column.name}) > 1",
            f"{at} in ({text}, 'a')",
            f"{at} like 'a%'",
        ]
    )


_MAKERS: dict[str, Callable[[Column, list[Column], random.Random], str]] = {
    "number": _number, "float": _float, "text": _text, "bool": _bool, "list": _list, "map": _map,
}  # fmt: skip


def difference(question: Question, found: pa.Table, native: pa.Table, whole: pa.Table | None) -> str:
    """How an answer differs from the native table's; empty where it does not.

    A LIMIT without ORDER BY may give any rows: then as many are expected, each of them among the `whole` answer.
    """
    if found.schema.names != native.schema.names:
        return f"columns {found.schema.names}, natively {native.schema.names}"
    if found.num_rows != native.num_rows:
        return f"{found.num_rows} rows, natively {native.num_rows}"
    mine, theirs = _plain(found), _plain(native)
    if question.whole is not None:
        assert whole is not None
        extra = Counter(mine) - Counter(_plain(whole))
        return f"rows that are not there natively, such as {next(iter(extra))}" if extra else ""
    if not question.is_ordered:
        mine, theirs = sorted(mine), sorted(theirs)
    unlike = [(a, b) for a, b in zip(mine, theirs, strict=True) if a != b]
    return f"{unlike[0][0]}, natively {unlike[0][1]}" if unlike else ""


def _plain(table: pa.Table) -> list[str]:
    """Rows as texts: NaN is like NaN, and one zero like the other, as SQL has it."""
    return [repr([_even(v) for v in row.values()]) for row in table.to_pylist()]


def _even(value: Any) -> Any:
    if isinstance(value, float):
        return value + 0.0
    if isinstance(value, list | tuple):
        return [_even(v) for v in value]
    return value


def random_database(path: Path, rng: random.Random, rows: int = 200) -> duckdb.DuckDBPyConnection:
    """A database of random rows, made by three commits and a deletion, and native DuckDB tables of the same rows."""
    import duckdb

    create(path)
    native = duckdb.connect(config={"threads": 1})
    for commit in range(3):
        made = {name: random_table(TABLES[name], rows, rng, rows * commit) for name in NAMES}
        with open_writer(path) as writer:
            writer.commit(Changes(append=made), token=str(commit), message="random rows")
        for name, table in made.items():
            native.register("_made", table)
            native.execute(
                f"insert into {name} from _made" if commit else f"create table {name} as from _made"
            )
    gone = {"motifs": "length = 2", "files": "state = 'a'"}
    with open_writer(path) as writer:
        writer.commit(Changes(delete=gone), token="gone", message="forget some")
    for name, where in gone.items():
        native.execute(f"delete from {name} where {where}")
    return native


def compared(session: Session, native: duckdb.DuckDBPyConnection, question: Question) -> tuple[str, float]:
    """How a session's answer differs from the native tables' (empty where it does not), and the session's CPU seconds."""
    start_s = time.process_time()
    try:
        found = session.table(question.text)
    except MotifdbError as error:
        return f"refused: {error}", 0.0
    spent_s = time.process_time() - start_s
    whole = native.sql(question.whole).to_arrow_table() if question.whole is not None else None
    return difference(question, found, native.sql(question.text).to_arrow_table(), whole), spent_s
