"""The commit log: immutable records, one file each, that say which version of every table belongs together.

**Conventions.** Commits are numbered 0, 1, 2, ... without a hole. Record n is the file ``commits/<n>.json``; whoever
creates it first has made commit n, everyone else gets FileExistsError. A record carries its parent's hash and
its own, so a changed, lost or foreign record is noticed. `files` holds size and BLAKE2b of every file that is new
since the parent: the union over the log covers every byte a snapshot reads.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from motifdb.catalog import files
from motifdb.errors import DatabaseError
from motifdb.ids import canonical_json

FOLDER = "commits"


@dataclass(frozen=True)
class CommitRecord:
    """One commit.

    `tables` names one version of each table; `rows` counts each table's rows in it; `delta` counts the rows appended
    and deleted by this commit in each table it touched; `files` maps a path (relative to the database) to size and
    digest. Commits before `oldest_kept` were collected by gc and cannot be opened.
    """

    number: int
    parent: str
    created_at: datetime
    message: str
    token: str
    epoch: int
    format_version: int
    tables: Mapping[str, int]
    rows: Mapping[str, int]
    delta: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    files: Mapping[str, tuple[int, str]] = field(default_factory=dict)
    oldest_kept: int = 0

    @property
    def hash(self) -> str:
        """BLAKE2b of everything else in the record, its parent's hash included; names this state of the database."""
        return _hash(self._content())

    def _content(self) -> dict[str, Any]:
        return {
            "number": self.number,
            "parent": self.parent,
            "created_at": self.created_at.astimezone(UTC).isoformat(timespec="microseconds"),
            "message": self.message,
            "token": self.token,
            "epoch": self.epoch,
            "format_version": self.format_version,
            "oldest_kept": self.oldest_kept,
            "tables": dict(self.tables),
            "rows": dict(self.rows),
            "delta": {t: list(d) for t, d in self.delta.items()},
            "files": {p: list(f) for p, f in self.files.items()},
        }

    def to_bytes(self) -> bytes:
        """The record's file."""
        content = self._content()
        return (json.dumps({**content, "hash": _hash(content)}, indent=1, ensure_ascii=False) + "\n").encode()

    @classmethod
    def from_bytes(cls, raw: bytes, *, where: str) -> CommitRecord:
        """Read a record's file and verify its hash.

        Raises
        ------
        DatabaseError
            where the file is no record, or was changed.
        """
        try:
            content = json.loads(raw)
            stored = content.pop("hash")
            if _hash(content) != stored:
                raise ValueError("hash")
            return cls(
                number=int(content["number"]),
                parent=str(content["parent"]),
                created_at=datetime.fromisoformat(content["created_at"]),
                message=str(content["message"]),
                token=str(content["token"]),
                epoch=int(content["epoch"]),
                format_version=int(content["format_version"]),
                oldest_kept=int(content["oldest_kept"]),
                tables={str(t): int(v) for t, v in content["tables"].items()},
                rows={str(t): int(n) for t, n in content["rows"].items()},
                delta={str(t): (int(a), int(d)) for t, (a, d) in content["delta"].items()},
                files={str(p): (int(size), str(h)) for p, (size, h) in content["files"].items()},
            )
        except (ValueError, KeyError, TypeError, AttributeError) as e:
            raise DatabaseError(
                f"{where}: this commit record is damaged; restore the file from a backup of the database, or open an"
                " earlier commit with --at"
            ) from e


def _hash(content: dict[str, Any]) -> str:
    return hashlib.blake2b(canonical_json(content).encode(), digest_size=files.DIGEST_BYTES).hexdigest()


def path_of(root: Path, number: int) -> Path:
    """The file of commit `number`."""
    return root / FOLDER / f"{number:010d}.json"


def numbers(root: Path) -> list[int]:
    """Every commit number there is, ascending."""
    try:
        with os.scandir(root / FOLDER) as entries:
            return sorted(
                int(e.name[:-5]) for e in entries if e.name.endswith(".json") and e.name[:-5].isdigit()
            )
    except FileNotFoundError:
        return []


def read(root: Path, number: int) -> CommitRecord:
    """Commit `number`.

    Raises
    ------
    DatabaseError
        where the record is damaged, missing, or another commit's.
    """
    path = path_of(root, number)
    try:
        raw = path.read_bytes()
    except FileNotFoundError as e:
        raise DatabaseError(
            f"{path}: this commit record is missing; restore the file from a backup of the database"
        ) from e
    record = CommitRecord.from_bytes(raw, where=str(path))
    if record.number != number:
        raise DatabaseError(
            f"{path}: the file holds the record of commit {record.number}, not {number}; restore it from a backup"
        )
    return record


def head(root: Path) -> CommitRecord:
    """The newest commit.

    Raises
    ------
    DatabaseError
        where there is none.
    """
    found = numbers(root)
    if not found:
        raise DatabaseError(
            f"{root}: the database has no commits; restore its folder {FOLDER}/ from a backup, or make a new database"
        )
    return read(root, found[-1])


def put(root: Path, record: CommitRecord) -> None:
    """Make `record` the commit of its number; FileExistsError where that number is taken."""
    files.put_if_absent(path_of(root, record.number), record.to_bytes())


def newest_first(root: Path) -> Iterator[CommitRecord]:
    """Every record, newest first."""
    for number in reversed(numbers(root)):
        yield read(root, number)


def at_time(root: Path, when: datetime) -> int | None:
    """Number of the newest commit not later than `when`; None where every commit is later.

    Times ascend with numbers (the writer sees to it), so a bisection reads few records.
    """
    found = numbers(root)
    low, high = 0, len(found)
    while low < high:
        middle = (low + high) // 2
        if read(root, found[middle]).created_at <= when:
            low = middle + 1
        else:
            high = middle
    return found[low - 1] if low else None
