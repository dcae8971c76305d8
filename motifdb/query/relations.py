"""What SQL may name: the tables and views, what their columns mean, how DuckDB calls their types."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pyarrow as pa

from motifdb.errors import NotFoundError, nearest
from motifdb.query.macros import MACROS
from motifdb.query.table_functions import FUNCTIONS
from motifdb.query.views import VIEWS, ViewSpec
from motifdb.schemas import TABLES, TableSpec

_OPEN = {
    name: replace(spec, columns=tuple(c for c in spec.columns if c.sql)) for name, spec in TABLES.items()
}


def relations() -> dict[str, TableSpec | ViewSpec]:
    """Every table, but for its columns behind the SQL wall, then every view, by name."""
    return {**_OPEN, **VIEWS}


def tables() -> pa.Table:
    """Every table and view: name, what one row is, key columns."""
    rows = relations()
    return pa.table(
        {
            "name": list(rows),
            "kind": ["view" if isinstance(s, ViewSpec) else "table" for s in rows.values()],
            "one_row_is": [s.row for s in rows.values()],
            "key": [", ".join(s.key) if isinstance(s, TableSpec) else "" for s in rows.values()],
        }
    )


def describe(name: str) -> pa.Table:
    """The columns of a table or view: name, SQL type, unit, meaning, whether it may be NULL.

    >>> describe("occurrences").column("unit").to_pylist()[-3:]
    ['s', 's', 'cents']
    """
    spec = relation(name)
    return pa.table(
        {
            "column": [c.name for c in spec.columns],
            "type": [duckdb_type(c.type).lower() for c in spec.columns],
            "unit": ["" if c.unit == "-" else c.unit for c in spec.columns],
            "null": ["yes" if c.nullable else "" for c in spec.columns],
            "meaning": [c.meaning for c in spec.columns],
        }
    )


def relation(name: str) -> TableSpec | ViewSpec:
    """The table or view called `name`; NotFoundError with the nearest one where there is none."""
    known = relations()
    if name.lower() not in known:
        if name.lower() in MACROS or name.lower() in FUNCTIONS:
            raise NotFoundError(
                f"{name.lower()} is a function, no table; `motifdb describe {name.lower()}` explains it"
            )
        raise NotFoundError(f"there is no table {name!r}; {meant(name, known)}")
    return known[name.lower()]


def meant(name: str, known: Iterable[str]) -> str:
    """Which of many names was probably meant, or where they are listed.

    >>> meant("motif", relations()), meant("xyzzy", relations())
    ("did you mean 'motifs'?", '`motifdb tables` lists what there is')
    """
    hint = nearest(name.lower(), known)
    return hint if hint.startswith("did you mean") else "`motifdb tables` lists what there is"


def duckdb_type(type_: pa.DataType) -> str:
    """How DuckDB names an Arrow type of the schemas.

    >>> duckdb_type(pa.map_(pa.string(), pa.list_(pa.int8())))
    'MAP(VARCHAR, TINYINT[])'
    """
    if pa.types.is_list(type_):
        return duckdb_type(type_.value_type) + "[]"
    if pa.types.is_map(type_):
        return f"MAP({duckdb_type(type_.key_type)}, {duckdb_type(type_.item_type)})"
    return _DUCKDB_TYPES[str(type_)]


_DUCKDB_TYPES = {
    "string": "VARCHAR",
    "bool": "BOOLEAN",
    "int8": "TINYINT",
    "int16": "SMALLINT",
    "int32": "INTEGER",
    "int64": "BIGINT",
    "float": "FLOAT",
    "double": "DOUBLE",
    "timestamp[us]": "TIMESTAMP",
}
