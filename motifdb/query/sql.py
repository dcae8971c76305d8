"""Read-only SQL over one snapshot, walled in: a statement sees the database's tables and nothing else.

DuckDB's own switches close files, network, extensions, settings and Python variables. Two things they leave
open are closed here, before a statement runs: statements that are no questions (CREATE, INSERT, ...) and table
functions outside `TABLE_FUNCTIONS` (`enable_logging`, for one, leads DuckDB to write a file). For that, DuckDB
itself parses the text, and its syntax tree is walked; nothing is guessed from the text.

Only the tables a statement names are opened, so that `select 1` loads no storage library.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import pyarrow as pa

from motifdb.errors import DatabaseError, MotifdbError, NotFoundError, UsageError, nearest
from motifdb.query.views import VIEWS, ViewSpec
from motifdb.schemas import TABLES, TableSpec

if TYPE_CHECKING:
    from motifdb.catalog.store import Snapshot

MEMORY_LIMIT = "2GB"
"""What DuckDB may hold before it spills to the system's temporary folder."""

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

T = TypeVar("T")
Parameters = Sequence[object] | Mapping[str, object] | None

_ALLOWED = "SELECT, DESCRIBE, SHOW TABLES, SUMMARIZE and EXPLAIN"
_WALL = "SQL reads a motif database, it changes nothing"
_QUESTIONS = ("SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE")
_EXPLAIN = re.compile(r"\s*explain\s+(analyze\s+)?(\([^()]*\)\s*)?", re.IGNORECASE)
_COMMENT = re.compile(r"\s*(--[^\n]*(\n|$)|/\*.*?\*/)", re.DOTALL)


def relations() -> dict[str, TableSpec | ViewSpec]:
    """Every table open to SQL, then every view, by name."""
    return {**{name: spec for name, spec in TABLES.items() if spec.sql}, **VIEWS}


@dataclass
class Statement:
    """What the syntax tree of one statement names.

    `names` are the tables it reads, `shows` a name that `SHOW x` or `DESCRIBE x` asks about and nothing else,
    `is_catalog` says that it reads DuckDB's own catalog, so that every table has to be there.
    """

    text: str
    is_explain: bool = False
    names: list[str] = field(default_factory=list)
    is_catalog: bool = False
    shows: str | None = None


class Session:
    """One walled DuckDB connection over one snapshot.

    Parameters
    ----------
    snapshot : where the tables are; None gives a session without tables
    memory_limit : as DuckDB writes it, such as ``"2GB"``
    threads : DuckDB's threads; None is one per CPU this process may use
    """

    def __init__(
        self, snapshot: Snapshot | None, *, memory_limit: str = MEMORY_LIMIT, threads: int | None = None
    ) -> None:
        import duckdb

        self._snapshot = snapshot
        self._memory_limit = memory_limit
        self._made: set[str] = set()
        self._pool: ThreadPoolExecutor | None = None
        self._open_reader: pa.RecordBatchReader | None = None
        if threads is not None and threads < 1:
            raise UsageError(f"threads must be at least 1, got {threads}")
        self._spill = tempfile.TemporaryDirectory(prefix="motifdb-sql-", ignore_cleanup_errors=True)
        try:
            self._connection = duckdb.connect(
                config={
                    "enable_external_access": "false",
                    "autoload_known_extensions": "false",
                    "autoinstall_known_extensions": "false",
                    "python_enable_replacements": "false",
                    "memory_limit": memory_limit,
                    "temp_directory": self._spill.name,
                    "threads": threads or len(os.sched_getaffinity(0)),
                }
            )
        except duckdb.Error as error:
            self._spill.cleanup()
            raise UsageError(
                f"the memory limit {memory_limit!r} cannot be used ({_first_line(error)}); write it like '2GB'"
            ) from None
        self._connection.execute("set TimeZone = 'UTC'")
        self._connection.execute("set enable_progress_bar = false")
        self._connection.execute("set lock_configuration = true")

    def close(self) -> None:
        """Close the connection and remove what it spilled; closing twice is fine."""
        self._drop_reader()
        if self._pool is not None:
            self._pool.shutdown()
        self._connection.close()
        self._spill.cleanup()

    def interrupt(self) -> None:
        """Stop the statement that is running in another thread."""
        self._connection.interrupt()

    def table(self, query: str, parameters: Parameters = None) -> pa.Table:
        """The whole answer of one statement.

        Raises
        ------
        UsageError
            for a statement that is no question, more than one statement, or a mistake in it, with its position.
        NotFoundError
            for a table or column that is not there, with the nearest one that is.
        DatabaseError
            where the stored data cannot be read.
        """
        return self.reader(query, parameters).read_all()

    def reader(self, query: str, parameters: Parameters = None) -> Answer:
        """The answer of one statement, batch by batch; the next statement ends it."""
        self._drop_reader()
        statement = self._parsed(query)
        if statement.shows is not None:
            shown = tables() if statement.shows == "tables" else describe(statement.shows)
            return Answer(self, query, shown.to_reader())
        with self._sentences(query, statement.names):
            self._prepare(statement)
            if statement.is_explain:
                rows = self._interruptible(lambda: self._connection.execute(query, parameters).fetchall())
                plan = pa.table({"plan": pa.array([row[-1] for row in rows], pa.string())})
                return Answer(self, query, plan.to_reader())
            relation = (
                self._connection.sql(query)
                if parameters is None
                else self._connection.sql(query, params=parameters)
            )
            if relation is None:
                raise UsageError(
                    "this text holds no statement; ask something, such as: select * from motifs limit 5"
                )
            self._open_reader = self._interruptible(lambda: relation.to_arrow_reader(100_000))
            return Answer(self, query, self._open_reader, statement.names)

    def _interruptible(self, work: Callable[[], T]) -> T:
        """Do `work` so that Ctrl-C stops it: Python handles signals only between steps of the main thread.

        So the work is done in another thread, and the main thread waits in Python. It looks up every 0.1 s, because
        other libraries (polars) install handlers after which a signal no longer ends a wait.
        """
        if threading.current_thread() is not threading.main_thread():
            return work()
        if self._pool is None:
            self._pool = ThreadPoolExecutor(1, thread_name_prefix="motifdb-sql")
        future = self._pool.submit(work)
        try:
            while not wait([future], timeout=0.1).done:
                pass
            return future.result()
        except KeyboardInterrupt:
            self._connection.interrupt()
            wait([future])
            raise

    def _drop_reader(self) -> None:
        # DuckDB holds one open result per connection: the one before must be ended first.
        if self._open_reader is not None:
            self._open_reader.close()
            self._open_reader = None

    def _parsed(self, query: str) -> Statement:
        """Parse with DuckDB, refuse what is no question, list what the rest names."""
        import duckdb

        with self._sentences(query):
            statements = self._connection.extract_statements(query)
        if len(statements) != 1:
            if not statements:
                raise UsageError(
                    "this text holds no statement; ask something, such as: select * from motifs limit 5"
                )
            raise UsageError(
                f"one statement at a time: this text holds {len(statements)}; run them one by one"
            )
        kind = statements[0].type
        text = query
        if kind == duckdb.StatementType.EXPLAIN:
            return self._explained(text)
        if kind == duckdb.StatementType.MULTI:
            raise UsageError(
                "PIVOT needs its values written out, as in: pivot motif_by_label on value in ('a', 'b') using sum(motifs)"
            )
        if kind != duckdb.StatementType.SELECT:
            raise UsageError(f"only {_ALLOWED} are allowed, not {kind.name}: {_WALL}")
        with self._sentences(query):
            rows = self._connection.execute("select json_serialize_sql(?)", [text]).fetchall()
        tree = json.loads(rows[0][0])
        if tree.get("error"):
            raise UsageError(f"this statement cannot be read: {tree.get('error_message', 'unknown reason')}")
        return _statement(text, tree)

    def _explained(self, query: str) -> Statement:
        """What EXPLAIN explains must itself be allowed: EXPLAIN ANALYZE runs it."""
        rest = query
        while match := _COMMENT.match(rest):
            rest = rest[match.end() :]
        match = _EXPLAIN.match(rest)
        if match is None:
            raise UsageError("write EXPLAIN, or EXPLAIN ANALYZE, directly before the SELECT it explains")
        inner = self._parsed(rest[match.end() :])
        inner.is_explain = True
        inner.shows = None
        return inner

    def _prepare(self, statement: Statement) -> None:
        for name in statement.names:
            self._make(name)
        if statement.is_catalog:
            for name in relations():
                self._make(name)

    def _make(self, name: str) -> None:
        """Create the view `name`, what it needs first; once."""
        if name in self._made:
            return
        spec = relations()[name]
        if isinstance(spec, ViewSpec):
            for needed in spec.needs:
                self._make(needed)
            body = spec.sql
        else:
            body = self._stored(spec)
        self._connection.execute(f"create view {name} as {body}")
        self._connection.execute(f"comment on view {name} is {_quoted('one row is ' + spec.row)}")
        for column in spec.columns:
            unit = "" if column.unit == "-" else f" [{column.unit}]"
            self._connection.execute(
                f'comment on column {name}."{column.name}" is {_quoted(column.meaning + unit)}'
            )
        self._made.add(name)

    def _stored(self, spec: TableSpec) -> str:
        """SQL that reads the stored table; columns and tables an older format lacks come as NULL and empty."""
        if self._snapshot is None:
            raise DatabaseError(f"no database is open, so there is no table {spec.name}")
        present: set[str] = set()
        if spec.name in self._snapshot.versions:
            dataset = self._snapshot.dataset(spec.name)
            present = set(dataset.schema.names)
            self._connection.register(f"_{spec.name}", dataset)
        columns = ", ".join(
            f'"{c.name}"' if c.name in present else f'cast(null as {_duckdb_type(c.type)}) as "{c.name}"'
            for c in spec.columns
        )
        return f"select {columns} " + (f"from _{spec.name}" if present else "where false")

    @contextlib.contextmanager
    def _sentences(self, query: str, names: Sequence[str] = ()) -> Iterator[None]:
        """Turn what DuckDB raises into one sentence of ours; `names` are the tables the query reads."""
        import duckdb

        try:
            yield
        except MotifdbError:
            raise
        except RuntimeError as error:
            if "interrupt" in str(error).lower():
                raise KeyboardInterrupt from None
            raise _translated(error, "", self._memory_limit, names) from None
        except duckdb.InterruptException:
            raise KeyboardInterrupt from None
        except (duckdb.Error, OSError, pa.ArrowException) as error:
            place = _position(str(error), query) or self._place(query)
            raise _translated(error, place, self._memory_limit, names) from None
        except BaseException as error:
            if type(error).__name__ != "PanicException":  # how Lance meets some damaged files
                raise
            raise DatabaseError(
                "a file of the database is damaged; run motifdb check, which lists it"
            ) from None

    def _place(self, query: str) -> str:
        """Where a mistake is: DuckDB names the place when it explains, not when it answers."""
        import duckdb

        if _EXPLAIN.match(query):
            return ""
        try:
            self._connection.execute(f"explain {query}").fetchall()
        except duckdb.Error as error:
            return _position(str(error), f"explain {query}", n_before=len("explain "))
        return ""


class Answer:
    """An answer that is read batch by batch: `schema`, iteration, `read_all`."""

    def __init__(
        self, session: Session, query: str, reader: pa.RecordBatchReader, names: Sequence[str] = ()
    ) -> None:
        self._session = session
        self._query = query
        self._reader = reader
        self._names = names
        # DuckDB sums integers in 128 bits, which nothing downstream takes gladly: they come as int64.
        self._schema = pa.schema(
            [f.with_type(pa.int64()) if f.type == pa.decimal128(38, 0) else f for f in reader.schema]
        )

    @property
    def schema(self) -> pa.Schema:
        """Arrow schema of the answer."""
        return self._schema

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        while True:
            with self._session._sentences(self._query, self._names):
                batch = self._session._interruptible(self._next)
                if batch is None:
                    return
                try:
                    batch = batch.cast(self._schema)
                except pa.ArrowInvalid:
                    raise UsageError(
                        "a whole number in the answer is beyond 64 bits; cast it: sum(x::double)"
                    ) from None
            yield batch

    def _next(self) -> pa.RecordBatch | None:
        try:
            return self._reader.read_next_batch()
        except StopIteration:
            return None

    def read_all(self) -> pa.Table:
        """What is left of the answer as one table."""
        return pa.Table.from_batches(list(self), self.schema)


def tables() -> pa.Table:
    """Every table and view open to SQL: name, what one row is, key columns."""
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
            "type": [_duckdb_type(c.type).lower() for c in spec.columns],
            "unit": ["" if c.unit == "-" else c.unit for c in spec.columns],
            "null": ["yes" if c.nullable else "" for c in spec.columns],
            "meaning": [c.meaning for c in spec.columns],
        }
    )


def relation(name: str) -> TableSpec | ViewSpec:
    """The table or view called `name`; NotFoundError with the nearest one where there is none."""
    known = relations()
    if name.lower() not in known:
        raise NotFoundError(f"there is no table {name!r}; {nearest(name.lower(), known)}")
    return known[name.lower()]


def _statement(text: str, tree: dict[str, Any]) -> Statement:
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
            _allow_function(str(node["function"].get("function_name", "")).lower(), found)
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
    return found


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


def _allow_function(name: str, found: Statement) -> None:
    if name not in TABLE_FUNCTIONS:
        raise UsageError(
            f"the function {name} is not allowed: SQL sees the tables of this database, no files, network or settings"
        )
    if name in ("duckdb_columns", "duckdb_tables", "duckdb_views"):
        found.is_catalog = True


def _allow_table(path: list[str], own: set[str], found: Statement) -> None:
    name = path[-1]
    if len(path) > 1 and path[-2] == "information_schema":
        found.is_catalog = True
    elif name in relations() and (len(path) == 1 or path[-2] in ("main", "memory")):
        found.names.append(name)
    elif not (len(path) == 1 and name in own):
        relation(".".join(path))


def _duckdb_type(type_: pa.DataType) -> str:
    """How DuckDB names an Arrow type of the schemas.

    >>> _duckdb_type(pa.map_(pa.string(), pa.list_(pa.int8())))
    'MAP(VARCHAR, TINYINT[])'
    """
    if pa.types.is_list(type_):
        return _duckdb_type(type_.value_type) + "[]"
    if pa.types.is_map(type_):
        return f"MAP({_duckdb_type(type_.key_type)}, {_duckdb_type(type_.item_type)})"
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


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _first_line(error: BaseException) -> str:
    line = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return re.sub(r"^[A-Z][A-Za-z ]* Error: ", "", line).rstrip(".!")


def _translated(error: Exception, place: str, memory_limit: str, names: Sequence[str]) -> MotifdbError:
    """One sentence for what DuckDB or the storage raised, with the nearest name or the position."""
    import duckdb

    text = str(error)
    line = _first_line(error)
    if isinstance(error, duckdb.OutOfMemoryException):
        return UsageError(
            f"the statement needs more than the memory limit of {memory_limit}; raise the limit, or ask for fewer rows or columns"
        )
    if match := re.search(r"(Scalar|Aggregate|Table|Macro)? ?Function with name (\S+) does not exist", line):
        meant = re.search(r'Did you mean "([^"]+)"', text)
        hint = f"; did you mean {meant[1]!r}?" if meant else ""
        return NotFoundError(f"there is no function {match[2]!r}{place}{hint}")
    if match := re.search(r"Table with name (\S+) does not exist", line):
        return NotFoundError(
            f"there is no table {match[1]!r}{place}; {nearest(match[1].lower(), relations())}"
        )
    if column := _missing_column(line):
        known = {c.name for name in names for c in relations()[name].columns}
        known |= set(
            re.findall(r'"(?:[^".]+\.)?([^"]+)"', text.partition("Candidate bindings:")[2].split("LINE")[0])
        )
        return NotFoundError(
            f"there is no column {column!r}{place}" + (f"; {nearest(column, known)}" if known else "")
        )
    if isinstance(error, duckdb.PermissionException):
        return UsageError(
            "this is not allowed: SQL sees the tables of this database, no files, network or settings"
        )
    if match := re.search(r"stream registered as '_(\w+)'", text):
        return DatabaseError(
            f"a file of table {match[1]} is missing or damaged; run motifdb check, which lists every such file"
        )
    if not isinstance(error, duckdb.Error) or isinstance(error, duckdb.IOException):
        return DatabaseError(
            f"the statement was broken off ({line}); where no disk is full, run motifdb check"
        )
    if "expression depth" in line:
        return UsageError("the statement is nested too deeply to be answered; take it apart")
    return UsageError(f"{line}{place}")


def _missing_column(line: str) -> str | None:
    for pattern in (
        r'Referenced column "([^"]+)" not found',
        r'does not have a column named "([^"]+)"',
        r'Column "([^"]+)" (?:in|not found)',
    ):
        if match := re.search(pattern, line):
            return match[1]
    return None


def _position(text: str, query: str, n_before: int = 0) -> str:
    """`` (line 1, column 8)`` from DuckDB's caret, which stands under a possibly shortened line.

    `n_before` characters of the query are not the user's.
    """
    match = re.search(r"^LINE (\d+): (.*)\n( *)\^", text, re.MULTILINE)
    if match is None:
        return ""
    number, shown = int(match[1]), match[2]
    column = len(match[3]) - len(f"LINE {number}: ")
    lines = query.splitlines()
    if shown.startswith("...") and number <= len(lines):
        column += lines[number - 1].find(shown[3:].removesuffix("...")) - 3
    column -= n_before if number == 1 else 0
    return f" (line {number}, column {column + 1})"
