"""How a statement's calls of table functions become tables that DuckDB reads.

For each function there are three macros in the connection: `_given_f`, a struct of its arguments, through which DuckDB
itself matches positions, names and defaults; `_key_f`, their text; and `f`, a table macro that reads those rows of the
function's answers whose key the arguments have. So the statement runs as it was written, may call a function several
times, and takes bound parameters.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from motifdb.errors import UsageError
from motifdb.query.table_functions import FUNCTIONS, TableFunction
from motifdb.query.wall import Call

if TYPE_CHECKING:
    import duckdb

    from motifdb.query.sql import Session

_KEY = "_call"
_KEPT = 16
"""Answers of a function that a session keeps: the same search is often asked again in other words."""


class Answers:
    """The answers that one connection holds, by function and key."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self._held: dict[str, dict[str, pa.Table]] = {}

    def prepare(
        self,
        session: Session,
        calls: Sequence[Call],
        parameters: Sequence[object] | Mapping[str, object] | None,
    ) -> None:
        """Answer the calls, so that the statement that makes them can be run.

        Raises
        ------
        UsageError
            for arguments that do not fit the function; and whatever the function itself raises.
        """
        bound: dict[str, object] = {}
        if isinstance(parameters, Mapping):
            bound = dict(parameters)
        elif parameters is not None:
            bound = {str(i): value for i, value in enumerate(parameters, 1)}
        asked: dict[str, set[str]] = {}
        for call in calls:
            function = FUNCTIONS[call.name]
            if call.name not in self._held:
                self._declare(function)
            given, key = self._arguments(function, call, bound)
            held = self._held[call.name]
            if key not in held:
                held[key] = function.answer(session, given).cast(function.schema)
            asked.setdefault(call.name, set()).add(key)
        for name, keys in asked.items():
            self._show(name, keys)

    def _declare(self, function: TableFunction) -> None:
        names = [p.name for p in function.parameters]
        parameters = ", ".join(
            p.name if p.default is None else f"{p.name} := {p.default}" for p in function.parameters
        )
        texts = ", ".join(f"coalesce({name}::varchar, chr(0))" for name in names) or "''"
        packed = ", ".join(f"{name} := {name}" for name in names) or "none := null"
        run = self._connection.execute
        run(f"create macro _given_{function.name}({parameters}) as struct_pack({packed})")
        run(f"create macro _key_{function.name}({parameters}) as md5(concat_ws(chr(31), {texts}))")
        self._held[function.name] = {}
        self._show(function.name, set())
        run(
            f"create macro {function.name}({parameters}) as table select * exclude ({_KEY})"
            f" from _answers_{function.name} where {_KEY} = _key_{function.name}({', '.join(names)})"
        )

    def _show(self, name: str, keys: set[str]) -> None:
        """Register the answers as one table; forget the oldest ones that this statement does not need."""
        held = self._held[name]
        for old in [k for k in held if k not in keys][: max(len(held) - _KEPT, 0)]:
            del held[old]
        schema = FUNCTIONS[name].schema.append(pa.field(_KEY, pa.string()))
        whole = pa.concat_tables(
            [schema.empty_table()]
            + [
                t.append_column(schema.field(_KEY), pa.array([k] * len(t), pa.string()))
                for k, t in held.items()
            ]
        )
        self._connection.register(f"_answers_{name}", whole)

    def _arguments(
        self, function: TableFunction, call: Call, bound: Mapping[str, object]
    ) -> tuple[dict[str, Any], str]:
        """The values of a call's arguments, and the key of its answer."""
        import duckdb

        missing = [name for name in call.parameters if name not in bound]
        if missing:
            raise UsageError(f"{function.name}: no value is bound to the parameter ${missing[0]}")
        if changing := self._changing(call):
            raise UsageError(f"{function.name}: {changing}() gives another value each time; give a constant")
        select = [_renamed(call.node, f"_{part}_{function.name}") for part in ("given", "key")]
        tree = {"error": False, "statements": [{"node": _question(select), "named_param_map": []}]}
        try:
            text = self._connection.execute(
                "select json_deserialize_sql(?::json)", [json.dumps(tree)]
            ).fetchall()
            mine = {name: bound[name] for name in call.parameters}
            run = self._connection.execute
            rows = (run(text[0][0], mine) if mine else run(text[0][0])).fetchall()
        except duckdb.BinderException as error:
            if "does not support the supplied arguments" not in str(error):
                raise
            raise UsageError(f"{function.name} takes other arguments: {function.signature}") from None
        given, key = rows[0]
        return {p.name: given[p.name] for p in function.parameters}, key

    def _changing(self, call: Call) -> str | None:
        """A function in the arguments whose value another statement cannot count on, so that its answer is not found."""
        names: list[str] = []
        stack: list[Any] = [call.node["arguments"]]
        while stack:
            part = stack.pop()
            if isinstance(part, dict):
                names += [str(part["function_name"]).lower()] if part.get("class") == "FUNCTION" else []
                part = list(part.values())
            stack += part if isinstance(part, list) else []
        rows = (
            self._connection.execute(
                "select function_name from duckdb_functions() where list_contains($names, function_name)"
                " and stability <> 'CONSISTENT' order by 1",
                {"names": names},
            ).fetchall()
            if names
            else []
        )
        return str(rows[0][0]) if rows else None


def _renamed(node: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {**node, "function_name": name, "qualified_name": {"path": [name]}, "schema": "", "catalog": ""}


def _question(select: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The tree of a SELECT without FROM, as `json_serialize_sql` writes it."""
    return {
        "type": "SELECT_NODE", "modifiers": [], "cte_map": {"map": []}, "select_list": list(select),
        "from_table": {"type": "EMPTY", "alias": "", "sample": None}, "where_clause": None, "group_expressions": [],
        "group_sets": [], "aggregate_handling": "STANDARD_HANDLING", "having": None, "sample": None, "qualify": None,
    }  # fmt: skip
