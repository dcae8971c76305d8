"""Writing: the one place that commits.

**How a commit is made.** Each touched table gets one new Lance version; its files are made durable and hashed; then
the record ``commits/<n+1>.json`` is created put-if-absent. Before that moment nothing is visible, after it everything
is. What a dead writer left beyond the last record is reset by the next one.

**Why a paused writer can do no harm.** Lance rebases a stale append onto the newest version, so a stranger's rows may
land in a table at any time. The writer knows for each table the one version whose content equals the last commit. It
builds on that version only, and accepts the version it made only if its number is the next one: anything between
means a stranger, and the table is reset (Lance's Restore) and written again. At the end a stale writer would have
to create a commit record; a takeover from a writer that is not known to be dead puts a record of its own first,
so that number is gone.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, TypeVar

import pyarrow as pa

from motifdb.catalog import commits, files, lancetables, layout, lease
from motifdb.catalog.commits import CommitRecord
from motifdb.catalog.lancetables import Change
from motifdb.catalog.snapshot import Snapshot
from motifdb.errors import BusyError, DatabaseError, UsageError, nearest
from motifdb.schemas import TABLES

if TYPE_CHECKING:
    import lance

T = TypeVar("T")

MAX_TRIES = 5
N_THREADS = 4


@dataclass
class Changes:
    """What one commit does: per table, rows that match a predicate go, then rows are added.

    `delete` holds SQL predicates as Lance understands them (``"recording_id = 'a1'"``). Rows appended in
    the same commit are never deleted by it.
    """

    append: dict[str, pa.Table] = field(default_factory=dict)
    delete: dict[str, str] = field(default_factory=dict)


class Writer:
    """Holds a database's lease and commits to it; `open_writer` makes it. Use it as a context manager.

    `snapshot` is the newest commit; each commit replaces it.
    """

    def __init__(self, path: Path, held: lease.Lease, head: CommitRecord) -> None:
        self.path = path
        self.snapshot = Snapshot(path, head)
        self._lease = held
        self._base = dict(
            head.tables
        )  # per table the newest version known to hold exactly the last commit's rows
        self._tokens: dict[str, int] | None = None
        self._lock = threading.Lock()
        self._is_closed = False

    def __enter__(self) -> Writer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def epoch(self) -> int:
        """Epoch of the lease; it stands in every record and transaction this writer makes."""
        return self._lease.epoch

    def close(self) -> None:
        """Give the lease back; the writer commits nothing afterwards."""
        if not self._is_closed:
            self._is_closed = True
            self._lease.release()

    def commit(self, changes: Changes, *, token: str, message: str) -> int:
        """Store changes to any number of tables as one commit.

        Parameters
        ----------
        token : made from the commit's inputs. A token that is in the log already is not committed again.
        message : one line for `motifdb log`

        Returns
        -------
        Number of the commit; of the earlier one where the token was known.

        Raises
        ------
        BusyError
            where the lease was lost; nothing is stored.
        DatabaseError
            where a table cannot be written.
        TypeError
            where rows do not have a table's schema.
        """
        with self._lock:
            self._check_usable()
            known = self.find_token(token)
            if known is not None:
                return known
            append = {
                _known(t): TABLES[t].checked(rows, where=f"commit {message!r}")
                for t, rows in changes.append.items()
            }
            touched = [t for t in TABLES if t in {*append, *map(_known, changes.delete)}]

            def write(table: str) -> Change | None:
                return self._write(
                    table,
                    token,
                    lambda dataset: lancetables.change(
                        dataset, table, changes.delete.get(table), append.get(table), self._properties(token)
                    ),
                )

            with _told_in_a_sentence(self.path):
                made = self._for_each(touched, write)
                return self._advance(made, token=token, message=message)

    def find_token(self, token: str) -> int | None:
        """Number of the commit that carries `token`, None where there is none."""
        if self._tokens is None:
            self._tokens = {r.token: r.number for r in commits.newest_first(self.path)}
        return self._tokens.get(token)

    def rewrite(
        self,
        operations: Mapping[str, Callable[[lance.LanceDataset], Change | None]],
        *,
        token: str,
        message: str,
        created: Mapping[str, Change] | None = None,
        format_version: int | None = None,
        oldest_kept: int | None = None,
        skip_empty: bool = False,
    ) -> int | None:
        """Commit other operations than `Changes`: compaction, new columns, or none at all.

        Each operation gets a table at the version the last commit names and says in
        its `Change` how many further versions it vouches for. `created` are tables that no commit has named yet.
        Where no table changed and `skip_empty` is set, nothing is committed and the result is None.
        """
        with self._lock:
            self._check_usable()
            with _told_in_a_sentence(self.path):
                made = self._for_each(list(operations), lambda t: self._write(t, token, operations[t]))
                made = {**made, **(created or {})}
                if skip_empty and not made:
                    return None
                return self._advance(
                    made, token=token, message=message, format_version=format_version, oldest_kept=oldest_kept
                )

    def recover(self) -> list[str]:
        """Reset every table that an interrupted writer left beyond the last commit; return their names."""
        with self._lock:
            tables = [t for t in self._base if t in TABLES]
            reset = self._for_each(
                tables, lambda t: self._clean(t, "recover").version != self._record.tables[t] or None
            )
            return list(reset)

    def verify_lease(self) -> None:
        """BusyError where the lease was lost."""
        self._lease.verify()

    def exclusively(self, work: Callable[[], T]) -> T:
        """Run `work` while this writer holds the lease and writes nothing; the lease is verified first."""
        with self._lock:
            self._check_usable()
            return work()

    @property
    def _record(self) -> CommitRecord:
        return self.snapshot.record

    def _properties(self, token: str) -> dict[str, str]:
        return {"motifdb.epoch": str(self.epoch), "motifdb.token": token}

    def _check_usable(self) -> None:
        if self._is_closed:
            raise UsageError(f"{self.path}: this writer is closed; open another one")
        if self._lease.pid != os.getpid():
            raise UsageError(
                f"{self.path}: this writer belongs to process {self._lease.pid}; open one in this process"
            )
        self._lease.verify()

    def _for_each(self, tables: list[str], work: Callable[[str], T | None]) -> dict[str, T]:
        """Results of `work` that are not None; tables are independent, so a few at once."""
        if len(tables) < 2:
            results = [work(t) for t in tables]
        else:
            with ThreadPoolExecutor(max_workers=N_THREADS) as pool:
                results = list(pool.map(work, tables))
        return {t: r for t, r in zip(tables, results, strict=True) if r is not None}

    def _clean(self, table: str, token: str) -> lance.LanceDataset:
        """The table's newest version, made equal to the last commit where it is not."""
        dataset = lancetables.open_version(self.path, table)
        if dataset.version == self._base[table]:
            return dataset
        dataset = lancetables.restore(dataset, self._record.tables[table], self._properties(token))
        self._base[table] = dataset.version
        files.reached(f"restored {table}")
        return dataset

    def _write(
        self, table: str, token: str, operation: Callable[[lance.LanceDataset], Change | None]
    ) -> Change | None:
        """Apply one operation to a clean table, again where a stranger's transaction came between."""
        cause: Exception | None = None
        for _ in range(MAX_TRIES):
            try:
                dataset = self._clean(table, token)
                base = dataset.version  # some operations move the dataset they are given
                files.reached(f"before table {table}")
                change = operation(dataset)
            except (OSError, ValueError) as e:
                # A conflict with a stranger's transaction is tried again; a full disk or a bad predicate
                # fails again and is told at the end.
                if _is_user_error(e):
                    raise UsageError(f"{table}: {_plain(e)}") from e
                cause = e
            else:
                files.reached(f"after table {table}")
                if change is None or change.version == base + change.n_versions:
                    return change
            self._lease.verify()  # where we are the stale one, stop here
        why = f": {_plain(cause)}" if cause else ", because another program writes to it"
        raise DatabaseError(
            f"{layout.table_path(self.path, table)}: the table could not be written in {MAX_TRIES} tries{why};"
            " nothing of this commit was stored"
        ) from cause

    def _advance(
        self,
        made: Mapping[str, Change],
        *,
        token: str,
        message: str,
        format_version: int | None = None,
        oldest_kept: int | None = None,
    ) -> int:
        """Create the next record over the versions in `made`."""
        parent = self._record
        files.reached("tables written")
        settled = files.settle(self.path, [n for change in made.values() for n in change.files])
        files.reached("files settled")
        rows = dict(parent.rows)
        for table, change in made.items():
            rows[table] = rows.get(table, 0) + change.n_appended - change.n_deleted
        now = datetime.now(UTC)
        record = CommitRecord(
            number=parent.number + 1,
            parent=parent.hash,
            # Times ascend with numbers even where a clock was set back, so `--at TIME` has one answer.
            created_at=max(now, parent.created_at + timedelta(microseconds=1)),
            message=message,
            token=token,
            epoch=self.epoch,
            format_version=parent.format_version if format_version is None else format_version,
            tables={**parent.tables, **{t: c.version for t, c in made.items()}},
            rows=rows,
            delta={t: (c.n_appended, c.n_deleted) for t, c in made.items() if c.n_appended or c.n_deleted},
            files=settled,
            oldest_kept=parent.oldest_kept if oldest_kept is None else oldest_kept,
        )
        self._lease.verify()
        files.reached("lease verified")
        try:
            commits.put(self.path, record)
        except FileExistsError as e:
            raise lease.lost(self.path) from e
        files.reached("committed")
        self.snapshot = Snapshot(self.path, record)
        self._base.update({t: c.version for t, c in made.items()})
        if self._tokens is not None:
            self._tokens[token] = record.number
        return record.number


def _known(table: str) -> str:
    if table not in TABLES:
        raise UsageError(f"there is no table {table!r}; {nearest(table, TABLES)}")
    return table


@contextlib.contextmanager
def _told_in_a_sentence(path: Path) -> Iterator[None]:
    """Turn what the file system refuses into a DatabaseError; a commit that fails may simply be tried again."""
    try:
        yield
    except OSError as e:
        raise DatabaseError(
            f"{path}: the database could not be written ({e.strerror or _plain(e)}); put that right and run the"
            " command again, nothing is stored twice"
        ) from e


def _is_user_error(error: Exception) -> bool:
    return "Invalid user input" in str(error)


def _plain(error: Exception) -> str:
    """Lance's message without the place in its sources."""
    return str(error).partition("Invalid user input: ")[2].split(", /")[0] or str(error).split(", /")[0]


def open_writer(path: str | Path, *, wait_s: float = 0.0, ttl_s: float = lease.TTL_S) -> Writer:
    """Become the writer of a database: take the lease, reset what an interrupted writer left, migrate an older format.

    Parameters
    ----------
    wait_s : how long to wait for another writer to end, in seconds
    ttl_s : how long the lease outlives its last heartbeat, in seconds

    Raises
    ------
    BusyError
        where another writer is alive.
    NotFoundError, DatabaseError
        as `open_snapshot`.
    """
    root = layout.local_path(path)
    layout.check_database(root)
    with _told_in_a_sentence(root):
        held = lease.acquire(root, wait_s=wait_s, ttl_s=ttl_s)
    try:
        head = commits.head(root)
        layout.check_format(head.format_version, root)
        writer = Writer(root, held, head)
        if held.predecessor is not None:
            writer = _fenced(writer, held)
        with _told_in_a_sentence(root):
            writer.recover()
        from motifdb.catalog import migrate

        migrate.migrate(writer)
    except BaseException:
        with contextlib.suppress(OSError):
            held.release()
        raise
    return writer


def _fenced(writer: Writer, held: lease.Lease) -> Writer:
    """Put a record of our epoch, so that the predecessor, should it wake up, finds its number taken.

    The predecessor may put its own whole commit first; then that one counts and the fence goes after it.
    """
    for _ in range(MAX_TRIES):
        try:
            writer.rewrite(
                {},
                token=f"takeover {held.epoch}",
                message=f"take over from {held.predecessor}, which ended without a word",
            )
        except BusyError:
            held.verify()
            writer = Writer(writer.path, held, commits.head(writer.path))
            continue
        return writer
    raise DatabaseError(f"{writer.path}: another writer keeps committing; wait until it ends")
