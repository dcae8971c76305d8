"""Reading: one commit's tables, each at exactly the version the commit names.

A snapshot never changes, whatever writers do meanwhile. Opening one reads two small files; Lance is imported when a
table is first read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from motifdb.catalog import commits, lancetables, layout
from motifdb.catalog.commits import CommitRecord
from motifdb.errors import DatabaseError, NotFoundError, UsageError, nearest
from motifdb.schemas import TABLES, TableSpec

if TYPE_CHECKING:
    import lance

BATCH_ROWS = 65_536


class Snapshot:
    """One commit of a database, read-only; `open_snapshot` makes it."""

    def __init__(self, path: Path, record: CommitRecord) -> None:
        self.path = path
        self.record = record
        self._datasets: dict[str, lance.LanceDataset] = {}

    def __repr__(self) -> str:
        return f"Snapshot({str(self.path)!r}, commit={self.commit})"

    @property
    def commit(self) -> int:
        """Number of the commit."""
        return self.record.number

    @property
    def format_version(self) -> int:
        """Format the commit was written in."""
        return self.record.format_version

    @property
    def created_at(self) -> datetime:
        """When the commit was made, with time zone UTC."""
        return self.record.created_at

    @property
    def versions(self) -> Mapping[str, int]:
        """Lance version of each table there is in this commit."""
        return self.record.tables

    def has(self, name: str) -> bool:
        """Whether the commit holds the table; an older format may lack one."""
        return _spec(name).name in self.record.tables

    def missing_columns(self, name: str) -> tuple[str, ...]:
        """Columns of today's schema that this commit's format did not have yet."""
        spec = _spec(name)
        if not self.has(name):
            return spec.names
        if not any(c.since > self.format_version for c in spec.columns):
            return ()
        stored = set(self.dataset(name).schema.names)
        return tuple(n for n in spec.names if n not in stored)

    def dataset(self, name: str) -> lance.LanceDataset:
        """The Lance dataset of a table, at the version this commit names.

        Raises
        ------
        NotFoundError
            where there is no such table, or the commit's format did not have it (`has`).
        DatabaseError
            where the version is gone from disk.
        """
        spec = _spec(name)
        if name not in self._datasets:
            if name not in self.record.tables:
                raise NotFoundError(
                    f"{self.path}: commit {self.commit} is of format {self.format_version}, which had no table"
                    f" {name} (it came with format {spec.since}); `motifdb migrate` adds it"
                )
            try:
                opened = lancetables.open_version(self.path, name, self.record.tables[name])
                opened.schema  # noqa: B018  (a damaged manifest may show only here)
            except (OSError, ValueError) as e:
                raise self._broken(name) from e
            except BaseException as e:
                if type(e).__name__ != "PanicException":  # how Lance meets some damaged manifests
                    raise
                raise self._broken(name) from None
            self._datasets[name] = opened
        return self._datasets[name]

    def table(self, name: str, columns: Sequence[str] | None = None, filter: str | None = None) -> pa.Table:
        """Rows of a table as Arrow.

        Parameters
        ----------
        columns : which, in that order; all where None
        filter : SQL predicate as Lance understands it, such as ``"recording_id = 'a1' and block < 3"``

        Returns
        -------
        Table of the schema that `motifdb.schemas` declares today; what an older format lacks is null, a table it
        lacks is empty.
        """
        schema = _schema(name, columns)
        batches = list(self.batches(name, columns, filter))
        return pa.Table.from_batches(batches, schema=schema)

    def batches(
        self,
        name: str,
        columns: Sequence[str] | None = None,
        filter: str | None = None,
        batch_rows: int = BATCH_ROWS,
    ) -> Iterator[pa.RecordBatch]:
        """As `table`, at most `batch_rows` rows at a time."""
        schema = _schema(name, columns)
        if not self.has(name):
            return
        missing = set(self.missing_columns(name))
        wanted = [n for n in schema.names if n not in missing]
        dataset = self.dataset(name)
        if missing and filter is not None:
            dataset = self._completed(name)
            wanted, missing = list(schema.names), set()
        try:
            for batch in dataset.scanner(
                columns=wanted, filter=filter, batch_size=batch_rows, scan_in_order=True
            ).to_batches():
                yield pa.RecordBatch.from_arrays(
                    [
                        pa.nulls(batch.num_rows, f.type)
                        if f.name in missing
                        else batch.column(f.name).cast(f.type)
                        for f in schema
                    ],
                    schema=schema,
                )
        except (OSError, ValueError) as e:
            raise self._unreadable(name, filter, e) from e

    def count(self, name: str, filter: str | None = None) -> int:
        """Number of rows, of those that match where `filter` is given."""
        if not self.has(name):
            return 0
        if filter is None:
            return self.record.rows[name]
        dataset = self._completed(name) if self.missing_columns(name) else self.dataset(name)
        try:
            return int(dataset.count_rows(filter))
        except (OSError, ValueError) as e:
            raise self._unreadable(name, filter, e) from e

    def _completed(self, name: str) -> lance.LanceDataset:
        """The table of an older format with today's columns, in memory, so that a filter may name them all."""
        import lance

        whole = pa.Table.from_batches(list(self.batches(name)), schema=_schema(name, None))
        return lance.write_dataset(
            whole.replace_schema_metadata(None), f"memory://{name}-{id(self)}", mode="overwrite"
        )

    def _broken(self, name: str) -> DatabaseError:
        return DatabaseError(
            f"{self.path}: a file that commit {self.commit} needs for table {name} is missing or damaged; `motifdb check`"
            " lists every such file (where gc has just collected this commit, open a newer one)"
        )

    def _unreadable(self, name: str, filter: str | None, cause: Exception) -> DatabaseError | UsageError:
        text = str(cause)
        if filter is not None and ("Invalid user input" in text or isinstance(cause, ValueError)):
            reason = text.partition("Invalid user input: ")[2] or text
            reason = reason.split(", /")[0].strip().rstrip(".")
            return UsageError(f"{name}: the filter {filter!r} cannot be used: {reason}")
        return self._broken(name)


def _spec(name: str) -> TableSpec:
    if name not in TABLES:
        raise NotFoundError(f"there is no table {name!r}; {nearest(name, TABLES)}")
    return TABLES[name]


def _schema(name: str, columns: Sequence[str] | None) -> pa.Schema:
    spec = _spec(name)
    if columns is None:
        return spec.schema
    for column in columns:
        if column not in spec.names:
            raise NotFoundError(f"table {name} has no column {column!r}; {nearest(column, spec.names)}")
    return pa.schema([spec.schema.field(c) for c in columns])


def open_snapshot(path: str | Path, at: int | str | None = None) -> Snapshot:
    """Open a database for reading.

    Parameters
    ----------
    at : a commit's number, or a time: the newest commit not later than it. Times are ISO 8601, in UTC unless
        they name a zone; a date without a time means its end. The newest commit where None.

    Raises
    ------
    NotFoundError
        where there is no such database or commit.
    UsageError
        where `at` is neither number nor time.
    DatabaseError
        where the database is broken, too new, or not one.
    """
    root = layout.local_path(path)
    layout.check_database(root)
    head = commits.head(root)
    record = head if at is None else _at(root, head, at)
    layout.check_format(record.format_version, root)
    return Snapshot(root, record)


def _at(root: Path, head: CommitRecord, at: int | str) -> CommitRecord:
    number = _number(at)
    if number is None:
        when = parse_time(str(at))
        number = commits.at_time(root, when)
        if number is None:
            first = commits.read(root, 0).created_at.isoformat(timespec="seconds")
            raise NotFoundError(
                f"{root}: the first commit was made at {first}, after {at}; name a later time"
            )
    if not 0 <= number <= head.number:
        raise NotFoundError(
            f"{root}: there is no commit {number}; choose from {head.oldest_kept} to {head.number}"
        )
    if number < head.oldest_kept:
        raise NotFoundError(
            f"{root}: commit {number} was collected by gc; the oldest that is kept is {head.oldest_kept}"
        )
    return head if number == head.number else commits.read(root, number)


def _number(at: int | str) -> int | None:
    if isinstance(at, int):
        return at
    text = at.strip()
    return int(text) if text.removeprefix("-").isdigit() and text.isascii() else None


def parse_time(text: str) -> datetime:
    """An ISO 8601 time, UTC unless it names a zone; a date alone is its last microsecond.

    >>> parse_time("2026-03-01").isoformat()
    '2026-03-01T23:59:59.999999+00:00'
    >>> parse_time("2026-03-01T12:00+02:00").isoformat()
    '2026-03-01T10:00:00+00:00'

    Raises
    ------
    UsageError
        where it is none.
    """
    try:
        when = datetime.fromisoformat(text.strip())
    except ValueError as e:
        raise UsageError(
            f"{text!r} is neither a commit number nor a time; write 12, 2026-03-01 or 2026-03-01T14:30"
        ) from e
    if when.time() == time.min and not any(c in text for c in "T: "):
        when += timedelta(days=1, microseconds=-1)
    return (when if when.tzinfo else when.replace(tzinfo=UTC)).astimezone(UTC)
