"""What there is to ask, for people: every table, view and function, and what one of them means.

SQL's own SHOW TABLES and DESCRIBE answer for tables and views alone (`motifdb.query.relations`), as they do elsewhere;
`motifdb tables` and `motifdb describe` know the functions too.
"""

from __future__ import annotations

import pyarrow as pa

from motifdb.errors import NotFoundError
from motifdb.query import relations
from motifdb.query.macros import MACROS, MacroSpec
from motifdb.query.table_functions import FUNCTIONS, TableFunction


def tables() -> pa.Table:
    """Every table, view, table function and function: name, kind, what one row is or what it gives, key columns."""
    known = relations.tables()
    answers = [
        (f"{f.name}({f.parameters[0].name}, ...)", "table function", f.row) for f in FUNCTIONS.values()
    ]
    gives = [(m.signature, "function", m.meaning) for m in MACROS.values()]
    names, kinds, meanings = zip(*answers, *gives, strict=True)
    more = pa.table(
        {"name": list(names), "kind": list(kinds), "one_row_is": list(meanings), "key": [""] * len(names)}
    )
    return pa.concat_tables([known, more.cast(known.schema)])


def describe(name: str) -> pa.Table:
    """A table's or view's columns, or a function's arguments, answer and example.

    Raises
    ------
    NotFoundError
        for a name that is none of them, with the nearest one.

    >>> describe("contour_text").column("meaning").to_pylist()[-1]
    "contour_text([1, -2, 1]) gives '+1 -2 +1'"
    """
    wanted = name.lower().partition("(")[0].strip()
    if wanted in MACROS:
        return _macro(MACROS[wanted])
    if wanted in FUNCTIONS:
        return _table_function(FUNCTIONS[wanted])
    known = [*relations.relations(), *FUNCTIONS, *MACROS]
    if wanted not in known:
        raise NotFoundError(f"there is no table or function {name!r}; {relations.meant(wanted, known)}")
    return relations.describe(wanted)


def _macro(macro: MacroSpec) -> pa.Table:
    rows = [("gives", macro.type, macro.unit, macro.meaning)]
    rows += [(name, "argument", "-", meaning) for name, meaning in macro.parameters]
    rows.append(("example", "", "-", f"{macro.example} gives {macro.shows}"))
    return _parts(rows)


def _table_function(function: TableFunction) -> pa.Table:
    rows = [("call", "", "-", f"{function.signature}: one row is {function.row}")]
    for p in function.parameters:
        rows.append((p.name, "argument", "-", p.meaning))
    for c in function.columns:
        rows.append((c.name, relations.duckdb_type(c.type).lower(), c.unit, c.meaning))
    if function.example:
        rows.append(("example", "", "-", function.example))
    return _parts(rows)


def _parts(rows: list[tuple[str, str, str, str]]) -> pa.Table:
    names, types, units, meanings = zip(*rows, strict=True)
    return pa.table(
        {
            "part": list(names),
            "type": list(types),
            "unit": ["" if unit == "-" else unit for unit in units],
            "meaning": list(meanings),
        }
    )
