"""Small rows for the tests of the catalog."""

from __future__ import annotations

import pyarrow as pa

from motifdb.schemas import TABLES


def value(type_: pa.DataType, i: int) -> object:
    """Some value of an Arrow type, different for different `i`."""
    if pa.types.is_string(type_):
        return f"v{i}"
    if pa.types.is_boolean(type_):
        return i % 2 == 0
    if pa.types.is_binary(type_):
        return bytes([i % 256, 0])
    if pa.types.is_integer(type_):
        return i % 100
    if pa.types.is_floating(type_):
        return i / 8
    if pa.types.is_map(type_):
        return [("label", f"v{i}")]
    if pa.types.is_list(type_):
        return [value(type_.value_type, i + j) for j in range(3)]
    if pa.types.is_timestamp(type_):
        return i
    raise AssertionError(type_)


def rows(table: str, ids: range | list[int]) -> pa.Table:
    """One row per number; the first key column tells which."""
    spec = TABLES[table]
    return spec.table([{c.name: value(c.type, i) for c in spec.columns} for i in ids])


def keys(table: pa.Table, name: str) -> list[str]:
    """Sorted values of the first key column of a table called `name`."""
    return sorted(table.column(TABLES[name].key[0]).to_pylist())


def named(table: str, names: list[str]) -> pa.Table:
    """One row per name, which stands in the first key column."""
    made = rows(table, range(len(names)))
    place = made.schema.get_field_index(TABLES[table].key[0])
    return made.set_column(place, made.schema.field(place), pa.array(names, pa.string()))
