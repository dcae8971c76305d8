"""Read-only SQL over one snapshot, walled in: a statement sees the database's tables and nothing else.

DuckDB's own switches close files, network, extensions, settings and Python variables to it; `motifdb.query.wall`
closes the rest before a statement runs. Only the tables that a statement names are opened, so that `select 1` loads no
storage library.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, TypeVar

import pyarrow as pa

from motifdb.errors import DatabaseError, MotifdbError, UsageError
from motifdb.query.cache.copies import Copies
from motifdb.query.calls import Answers
from motifdb.query.making import Maker
from motifdb.query.mistakes import first_line, position, translated
from motifdb.query.relations import describe, tables
from motifdb.query.wall import Statement, parse

if TYPE_CHECKING:
    import duckdb

    from motifdb.catalog.store import Snapshot

MEMORY_LIMIT = "2GB"
"""What DuckDB may hold before it spills to the system's temporary folder."""

T = TypeVar("T")
Parameters = Sequence[object] | Mapping[str, object] | None


class Session:
    """One walled DuckDB connection over one snapshot.

    Parameters
    ----------
    snapshot : where the tables are; None gives a session without tables
    memory_limit : as DuckDB writes it, such as ``"2GB"``
    threads : DuckDB's threads; None is one per CPU this process may use
    copies : whether large tables may be read from disposable copies (`motifdb.query.cache`) instead of what is stored
    """

    def __init__(
        self,
        snapshot: Snapshot | None,
        *,
        memory_limit: str = MEMORY_LIMIT,
        threads: int | None = None,
        copies: bool = False,
    ) -> None:
        self._snapshot = snapshot
        self._memory_limit = memory_limit
        self._pool: ThreadPoolExecutor | None = None
        self._open_reader: pa.RecordBatchReader | None = None
        if threads is not None and threads < 1:
            raise UsageError(f"threads must be at least 1, got {threads}")
        self._threads = threads or len(os.sched_getaffinity(0))
        self._copies = Copies.here() if copies else None
        self._spill = tempfile.TemporaryDirectory(prefix="motifdb-sql-", ignore_cleanup_errors=True)
        self._is_answering = False
        self._connection = self._connected()

    def _connected(self) -> duckdb.DuckDBPyConnection:
        """A new connection, behind the wall, with the copies that were found."""
        import duckdb

        try:
            connection = duckdb.connect(
                config={
                    # A copy can be attached only before external access is closed, which is before any statement.
                    "enable_external_access": str(bool(self._copies and self._copies.found)).lower(),
                    "autoload_known_extensions": "false",
                    "autoinstall_known_extensions": "false",
                    "python_enable_replacements": "false",
                    "memory_limit": self._memory_limit,
                    "temp_directory": self._spill.name,
                    "threads": self._threads,
                }
            )
        except duckdb.Error as error:
            self._spill.cleanup()
            raise UsageError(
                f"the memory limit {self._memory_limit!r} cannot be used ({first_line(error)}); write it like '2GB'"
            ) from None
        attached = {} if self._copies is None else self._copies.attach(connection)
        connection.execute("set TimeZone = 'UTC'")
        connection.execute("set enable_progress_bar = false")
        connection.execute("set enable_external_access = false")
        connection.execute("set lock_configuration = true")
        self._maker = Maker(connection, self._snapshot, attached)
        self._answers = Answers(connection)
        return connection

    def _reconnect(self) -> None:
        self._drop_reader()
        self._connection.close()
        self._connection = self._connected()

    @property
    def snapshot(self) -> Snapshot:
        """What is asked.

        Raises
        ------
        DatabaseError
            in a session without tables.
        """
        if self._snapshot is None:
            raise DatabaseError("no database is open, so there is nothing to search")
        return self._snapshot

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
        copies = self._copies
        try:
            return self.reader(query, parameters).read_all()
        except DatabaseError:
            if self._copies is copies:
                raise
            return self.reader(query, parameters).read_all()  # without the copies, one of which was damaged

    def reader(self, query: str, parameters: Parameters = None) -> Answer:
        """The answer of one statement, batch by batch; the next statement ends it."""
        try:
            return self._reader(query, parameters)
        except DatabaseError:
            if not self._distrust():
                raise
            return self._reader(query, parameters)

    def _reader(self, query: str, parameters: Parameters) -> Answer:
        self._drop_reader()
        with self._sentences(query):
            statement = parse(self._connection, query)
        if statement.shows is not None:
            shown = tables() if statement.shows == "tables" else describe(statement.shows)
            return Answer(self, statement, shown.to_reader())
        if (counted := self._counted(statement)) is not None:
            return Answer(self, statement, counted.to_reader())
        with self._sentences(query, statement):
            self._prepare(statement, parameters)
            if statement.is_explain:
                rows = self._interruptible(
                    lambda: self._connection.execute(statement.text, parameters).fetchall()
                )
                plan = pa.table({"plan": pa.array([row[-1] for row in rows], pa.string())})
                return Answer(self, statement, plan.to_reader())
            relation = (
                self._connection.sql(statement.text)
                if parameters is None
                else self._connection.sql(statement.text, params=parameters)
            )
            self._open_reader = self._interruptible(lambda: relation.to_arrow_reader(100_000))
            return Answer(self, statement, self._open_reader)

    def _counted(self, statement: Statement) -> pa.Table | None:
        """The number of rows of a stored table, which a commit says without a look at them."""
        if self._snapshot is None or statement.counts is None or statement.is_explain:
            return None
        (name,) = statement.names
        if name not in self._snapshot.record.rows:
            return None
        return pa.table({statement.counts: pa.array([self._snapshot.record.rows[name]], pa.int64())})

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
            # more than once: DuckDB forgets what comes before the statement has begun to run
            self._connection.interrupt()
            while not wait([future], timeout=0.2).done:
                self._connection.interrupt()
            raise

    def _drop_reader(self) -> None:
        # DuckDB holds one open result per connection: the one before must be ended first.
        if self._open_reader is not None:
            self._open_reader.close()
            self._open_reader = None

    def _prepare(self, statement: Statement, parameters: Parameters) -> None:
        if self._copies is not None and self._snapshot is not None and not self._is_answering:
            self._copies.look(self._snapshot, statement)
            if self._copies.are_new:
                self._reconnect()
        if statement.calls:
            # What a function asks meanwhile goes through this connection: it must stay the one there is.
            self._is_answering = True
            self._maker.prepare_macros(statement)
            try:
                self._answers.prepare(self, statement.calls, parameters)
            finally:
                self._is_answering = False
        self._maker.prepare(statement)

    def _distrust(self) -> bool:
        """Go on without copies, where a statement that read some was broken off; whether there were any."""
        if self._copies is None or not self._copies.attached or self._is_answering:
            return False
        self._copies.forget()
        self._copies = None
        self._reconnect()
        return True

    @contextlib.contextmanager
    def _sentences(self, query: str, statement: Statement | None = None) -> Iterator[None]:
        """Turn what DuckDB raises into one sentence of ours; `statement` once it has passed the wall."""
        import duckdb

        try:
            yield
        except MotifdbError:
            raise
        except duckdb.InterruptException:
            raise KeyboardInterrupt from None
        except (duckdb.Error, RuntimeError, OSError, pa.ArrowException) as error:
            if isinstance(error, RuntimeError) and "interrupt" in str(error).lower():
                raise KeyboardInterrupt from None
            place = position(str(error), query) or self._place(statement)
            names = statement.names if statement is not None else ()
            raise translated(error, place, self._memory_limit, names) from None
        except BaseException as error:
            if type(error).__name__ != "PanicException":  # how Lance meets some damaged files
                raise
            raise DatabaseError(
                "a file of the database is damaged; run motifdb check, which lists it"
            ) from None

    def _place(self, statement: Statement | None) -> str:
        """Where a mistake is: DuckDB names the place when it explains, not when it answers."""
        import duckdb

        # Only what has passed the wall is explained: EXPLAIN before "analyze ..." would run it.
        if statement is None or statement.is_explain:
            return ""
        prefix = "explain "
        try:
            self._connection.execute(prefix + statement.text).fetchall()
        except duckdb.Error as error:
            return position(str(error), prefix + statement.text, n_before=len(prefix))
        return ""


class Answer:
    """An answer that is read batch by batch: `schema`, iteration, `read_all`."""

    def __init__(self, session: Session, statement: Statement, reader: pa.RecordBatchReader) -> None:
        self._session = session
        self._statement = statement
        self._reader = reader
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
            try:
                with self._session._sentences(self._statement.text, self._statement):
                    batch = self._session._interruptible(self._next)
                    if batch is None:
                        return
                    try:
                        batch = batch.cast(self._schema)
                    except pa.ArrowInvalid:
                        raise UsageError(
                            "a whole number in the answer is beyond 64 bits; cast it: sum(x::double)"
                        ) from None
            except DatabaseError:
                self._session._distrust()
                raise
            yield batch

    def _next(self) -> pa.RecordBatch | None:
        try:
            return self._reader.read_next_batch()
        except StopIteration:
            return None

    def read_all(self) -> pa.Table:
        """What is left of the answer as one table."""
        return pa.Table.from_batches(list(self), self.schema)
