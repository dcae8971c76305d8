"""The wall around SQL: which statements are questions, and what they may name.

DuckDB itself parses the text and its syntax tree is walked; nothing is guessed from the text. Its own switches (see
`motifdb.query.sql`) close files, network, extensions, settings and Python variables. Closed here is what they leave
open: statements that change something, also inside WITH, and table functions outside `TABLE_FUNCTIONS`
(`enable_logging`, for one, leads DuckDB to write a file).
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from motifdb.errors import UsageError, nearest
from motifdb.query.macros import MACROS
from motifdb.query.relations import relation, relations
from motifdb.query.table_functions import FUNCTIONS

if TYPE_CHECKING:
    import duckdb

TABLE_FUNCTIONS = frozenset(
    {
        *(
            "duckdb_columns",
            "duckdb_functions",
            "duckdb_keywords",
            "duckdb_tables",
            "duckdb_types",
            "duckdb_views",
        ),
        *("generate_series", "json_each", "json_tree", "range", "repeat", "repeat_row", "unnest"),
    }
)
"""Table functions a statement may call: none of them reads or writes outside the session."""

_ALLOWED = "SELECT, DESCRIBE, SHOW TABLES, SUMMARIZE and EXPLAIN"
_WALL = "SQL reads a motif database, it changes nothing"
_QUESTIONS = ("SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE")
_EXPLAIN = re.compile(r"\s*explain\s+(analyze\s+)?(\([\w\s,]*\)\s*)?", re.IGNORECASE)
_COMMENT = re.compile(r"\s*(--[^\n]*(\n|$)|/\*.*?\*/)", re.DOTALL)


@dataclass(frozen=True)
class Call:
    """A call of one of our table functions: its name, its node in the syntax tree, the parameters in its arguments."""

    name: str
    node: dict[str, Any]
    parameters: tuple[str, ...]


@dataclass
class Statement:
    """What the syntax tree of one statement names.

    `names` are the tables it reads, `calls` the table functions of ours and `macros` the other ones, `shows` a name that
    `SHOW x` or `DESCRIBE x` asks about and nothing else, `is_catalog` says that it reads DuckDB's own catalog, so that
    every table has to be there. `first_rows` is how many rows suffice where it is columns of one table and a LIMIT, of those
    that pass its condition where it `is_filtered`;
    `counts` the name of its column where it is nothing but the number of rows of a table.
    """

    text: str
    is_explain: bool = False
    names: list[str] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    macros: set[str] = field(default_factory=set)
    is_catalog: bool = False
    shows: str | None = None
    first_rows: int | None = None
    is_filtered: bool = False
    counts: str | None = None


def parse(connection: duckdb.DuckDBPyConnection, query: str) -> Statement:
    """Parse one statement, refuse it where it is no question, list what it names.

    Raises
    ------
    UsageError, NotFoundError
        for what is refused, and for tables that are not there.
    duckdb.Error
        for mistakes in the text.
    """
    import duckdb

    statements = connection.extract_statements(query)
    if not statements:
        raise UsageError("this text holds no statement; ask something, such as: select * from motifs limit 5")
    if len(statements) > 1:
        raise UsageError(f"one statement at a time: this text holds {len(statements)}; run them one by one")
    kind = statements[0].type
    if kind == duckdb.StatementType.EXPLAIN:
        return _explained(connection, query)
    if kind == duckdb.StatementType.MULTI:
        raise UsageError(
            "PIVOT needs its values written out, as in: pivot motif_by_label on value in ('a', 'b') using sum(motifs)"
        )
    if kind != duckdb.StatementType.SELECT:
        raise UsageError(f"only {_ALLOWED} are allowed, not {kind.name}: {_WALL}")
    rows = connection.execute("select json_serialize_sql(?)", [query]).fetchall()
    tree = json.loads(rows[0][0])
    if tree.get("error"):
        raise UsageError(f"this statement cannot be read: {tree.get('error_message', 'unknown reason')}")
    return _named(query, tree)


def _explained(connection: duckdb.DuckDBPyConnection, query: str) -> Statement:
    """What EXPLAIN explains must itself be allowed: EXPLAIN ANALYZE runs it.

    What is run is the text put together here, not the one that came: no comment around it can make DuckDB read
    another statement than the one that was looked at.
    """
    rest = query
    while match := _COMMENT.match(rest):
        rest = rest[match.end() :]
    match = _EXPLAIN.match(rest)
    if match is None:
        raise UsageError("write EXPLAIN, or EXPLAIN ANALYZE, directly before the SELECT it explains")
    inner = parse(connection, rest[match.end() :])
    return replace(inner, text=match.group() + inner.text, is_explain=True, shows=None)


def _named(text: str, tree: dict[str, Any]) -> Statement:
    """Walk the syntax tree: what it names, and whether each name may be named."""
    found = Statement(text)
    tables_named: list[list[str]] = []
    own: set[str] = set()
    shown: list[str] = []
    stack: list[Any] = [tree["statements"]]
    while stack:
        node = stack.pop()
        if isinstance(node, list):
            stack.extend(node)
            continue
        if not isinstance(node, dict):
            continue
        kind = node.get("type")
        if isinstance(kind, str) and kind.endswith("_NODE") and kind not in _QUESTIONS:
            # such as INSERT_QUERY_NODE: DuckDB takes a writing statement inside WITH
            word = kind.removesuffix("_NODE").removesuffix("_QUERY")
            raise UsageError(f"only {_ALLOWED} are allowed, not {word}: {_WALL}")
        if kind == "BASE_TABLE":
            tables_named.append(node["qualified_name"]["path"])
        elif kind == "TABLE_FUNCTION":
            _allow_function(node["function"], found)
            # it stands where a table does: only its arguments are values
            stack.extend(value for key, value in node.items() if key != "function")
            stack.extend(node["function"].values())
            continue
        elif kind == "FUNCTION":
            _note_function(str(node.get("function_name", "")).lower(), found)
        elif kind == "SHOW_REF" and not node.get("query"):
            shown.append(node["table_name"].strip('"'))
        for cte in (node.get("cte_map") or {}).get("map", []):
            own.add(cte["key"].lower())
        if kind == "RECURSIVE_CTE_NODE" and node.get("cte_name"):
            own.add(str(node["cte_name"]).lower())
        stack.extend(node.values())
    for path in tables_named:
        _allow_table([p.lower() for p in path], own, found)
    for name in shown:
        if name not in ("tables", "__show_tables_expanded"):
            found.names.append(relation(name).name)
        else:
            found.is_catalog = True
    _whole_statement(tree, found)
    found.first_rows = _first_rows(tree["statements"][0]["node"])
    found.is_filtered = bool(tree["statements"][0]["node"].get("where_clause"))
    found.counts = _counts(tree["statements"][0]["node"])
    return found


_WHOLE = ("having", "sample", "qualify", "group_expressions", "group_sets")
"""What else than LIMIT and WHERE may make a plain SELECT read further than its first rows."""


def _first_rows(node: dict[str, Any]) -> int | None:
    """How many rows suffice for a SELECT of columns of a table with a LIMIT, and at most WHERE; None where it is more."""
    if node["type"] != "SELECT_NODE" or any(node.get(part) for part in _WHOLE) or node["cte_map"]["map"]:
        return None
    source, modifiers = node["from_table"], node["modifiers"]
    if node["aggregate_handling"] != "STANDARD_HANDLING" or len(modifiers) != 1:
        return None
    if source["type"] != "BASE_TABLE" or source["sample"] or source["at_clause"]:
        return None
    if not all(map(_is_stored_column, node["select_list"])):
        return None
    if modifiers[0]["type"] != "LIMIT_MODIFIER" or modifiers[0]["limit_type"] != "ROW_COUNT":
        return None
    counts = [modifiers[0][part] for part in ("limit", "offset") if modifiers[0][part]]
    texts = [str((count.get("literal") or {}).get("text", "")) for count in counts]
    return sum(map(int, texts)) if texts and all(text.isdigit() for text in texts) else None


def _counts(node: dict[str, Any]) -> str | None:
    """What a SELECT of count(*) from one table and of nothing else calls its column; None where it is more."""
    if node["type"] != "SELECT_NODE" or any(
        node.get(part) for part in (*_WHOLE, "where_clause", "modifiers")
    ):
        return None
    source, selected = node["from_table"], node["select_list"]
    if source["type"] != "BASE_TABLE" or source["sample"] or source["at_clause"] or node["cte_map"]["map"]:
        return None
    one = selected[0]
    is_count = one.get("class") == "FUNCTION" and one.get("function_name") == "count_star"
    if len(selected) != 1 or not is_count or one.get("filter") or one.get("distinct"):
        return None
    return str(one["alias"] or "count_star()")


def _is_stored_column(selected: dict[str, Any]) -> bool:
    if selected["class"] == "STAR":
        return not (selected["replace_list"] or selected["expr"])
    return bool(selected["class"] == "COLUMN_REF")


def _whole_statement(tree: dict[str, Any], found: Statement) -> None:
    """`SHOW TABLES`, `SHOW x` and `DESCRIBE x` by themselves are answered with units and meanings."""
    node = tree["statements"][0]["node"]
    source = node.get("from_table") or {}
    if source.get("type") != "SHOW_REF" or node.get("where_clause") or node.get("modifiers"):
        return
    if any(e.get("class") != "STAR" for e in node.get("select_list", [])):
        return
    name = source["table_name"].strip('"')
    if name == "tables" and not source.get("query"):
        found.shows = "tables"
    elif not source.get("query") and name in relations():
        found.shows = name
    elif source.get("show_type") == "DESCRIBE":
        inner = source["query"]
        table = inner.get("from_table") or {}
        is_plain = inner.get("type") == "SELECT_NODE" and table.get("type") == "BASE_TABLE"
        if is_plain and [e.get("class") for e in inner["select_list"]] == ["STAR"]:
            name = table["qualified_name"]["path"][-1].lower()
            found.shows = name if name in relations() else None


def _allow_function(node: dict[str, Any], found: Statement) -> None:
    name = str(node.get("function_name", "")).lower()
    if name in FUNCTIONS:
        found.calls.append(_call(name, node))
    elif name in MACROS:
        raise UsageError(f"{name} gives a value, no rows: select {MACROS[name].signature} ...")
    elif name not in TABLE_FUNCTIONS:
        close = nearest(name, FUNCTIONS)
        hint = f"; {close}" if close.startswith("did you mean") else ""
        raise UsageError(
            f"the function {name} is not allowed: SQL sees the tables of this database, no files, network or settings{hint}"
        )
    if name in ("duckdb_columns", "duckdb_tables", "duckdb_views"):
        found.is_catalog = True
    elif name == "duckdb_functions":
        found.macros.update(MACROS)


def _note_function(name: str, found: Statement) -> None:
    if name in MACROS:
        found.macros.add(name)
    elif name in FUNCTIONS:
        raise UsageError(f"{name} gives rows, no value: select * from {FUNCTIONS[name].signature}")


def _call(name: str, node: dict[str, Any]) -> Call:
    """A call whose arguments are known before the statement runs."""
    parameters: list[str] = []
    stack: list[Any] = [node["arguments"]]
    while stack:
        part = stack.pop()
        if isinstance(part, list):
            stack.extend(part)
        elif isinstance(part, dict):
            if part.get("class") in ("COLUMN_REF", "SUBQUERY"):
                raise UsageError(
                    f"the arguments of {name} are constants or bound parameters, no columns; name one by"
                    f" name := value, as in {FUNCTIONS[name].signature}"
                )
            if part.get("class") == "PARAMETER":
                parameters.append(str(part["identifier"]))
            stack.extend(part.values())
    return Call(name, node, tuple(dict.fromkeys(parameters)))


def _allow_table(path: list[str], own: set[str], found: Statement) -> None:
    name = path[-1]
    if len(path) > 1 and path[-2] == "information_schema":
        found.is_catalog = True
    elif name in relations() and path[:-1] in ([], ["main"], ["memory"], ["memory", "main"]):
        found.names.append(name)
    elif not (len(path) == 1 and name in own):
        relation(".".join(path))
