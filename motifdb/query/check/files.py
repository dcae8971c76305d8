"""Bytes on disk and the log of commits, by the catalog's own word."""

from __future__ import annotations

import re
from collections.abc import Iterator

from motifdb.errors import DatabaseError
from motifdb.query.check.report import Context, Violation
from motifdb.schemas import TABLES


def check_bytes(context: Context) -> Iterator[Violation]:
    """The log, every file's checksum, and the number of rows of each table.

    The newest commit is checked with every older one that is kept; an older snapshot by itself.
    """
    from motifdb.catalog import checksums, commits

    snapshot = context.snapshot
    is_log_whole = True
    for sentence in checksums.verify_log(snapshot.path):
        is_log_whole = False
        yield _of_sentence(sentence, "log")
    is_newest = snapshot.commit == max(commits.numbers(snapshot.path))
    try:
        sentences = (
            checksums.verify_all(snapshot.path)
            if is_newest and is_log_whole
            else checksums.verify_files(snapshot)
        )
        for sentence in sentences:
            violation = _of_sentence(sentence, "checksum")
            context.damaged.add(violation.table)
            yield violation
    except DatabaseError as error:
        if is_log_whole:
            yield Violation("commits", "log", str(snapshot.path), str(error))
    for name in TABLES:
        if name not in snapshot.versions or name in context.damaged:
            continue
        n_rows = snapshot.dataset(name).count_rows()
        if n_rows != snapshot.record.rows[name]:
            text = f"the table has {n_rows} rows, commit {snapshot.commit} says {snapshot.record.rows[name]}"
            yield Violation(name, "rows", f"commit {snapshot.commit}", text)


def _of_sentence(sentence: str, rule: str) -> Violation:
    """A sentence of the catalog begins with the file it is about."""
    where, _, text = sentence.partition(": ")
    match = re.search(r"tables/(\w+)\.lance", where)
    return Violation(match[1] if match else "commits", rule, where, text or sentence)
