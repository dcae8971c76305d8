"""What DuckDB and the storage raise, as one sentence with the nearest name or the position."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from motifdb.errors import DatabaseError, MotifdbError, NotFoundError, UsageError, nearest
from motifdb.query.macros import MACROS
from motifdb.query.relations import meant, relations


def first_line(error: BaseException) -> str:
    line = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return re.sub(r"^[A-Z][A-Za-z ]* Error: ", "", line).rstrip(".!")


def translated(error: Exception, place: str, memory_limit: str, names: Sequence[str]) -> MotifdbError:
    """One sentence for what DuckDB or the storage raised, with the nearest name or the position."""
    import duckdb

    text = str(error)
    line = first_line(error)
    if isinstance(error, duckdb.OutOfMemoryException):
        return UsageError(
            f"the statement needs more than the memory limit of {memory_limit}; raise the limit, or ask for fewer rows or columns"
        )
    if match := re.search(r"(Scalar|Aggregate|Table|Macro)? ?Function with name (\S+) does not exist", line):
        return NotFoundError(f"there is no function {match[2]!r}{place}{_nearest_function(match[2], text)}")
    if (match := re.search(r"Macro (\w+)\(\) does not support the supplied arguments", line)) and match[
        1
    ] in MACROS:
        return UsageError(f"{match[1]} takes other arguments{place}: {MACROS[match[1]].signature}")
    if match := re.search(r"Could not convert string 'no contour: (.*)' to INT64", line):
        return UsageError(
            f"{match[1]!r} is no contour; write one as text like '+1 -2', or as a list of symbols"
        )
    if match := re.search(r"Table with name (\S+) does not exist", line):
        return NotFoundError(f"there is no table {match[1]!r}{place}; {meant(match[1], relations())}")
    if column := _missing_column(line):
        known = {c.name for name in names for c in relations()[name].columns}
        known |= set(
            re.findall(r'"(?:[^".]+\.)?([^"]+)"', text.partition("Candidate bindings:")[2].split("LINE")[0])
        )
        return NotFoundError(f"there is no column {column!r}{place}{_nearest_column(column, known)}")
    if isinstance(error, duckdb.PermissionException):
        return UsageError(
            "this is not allowed: SQL sees the tables of this database, no files, network or settings"
        )
    if match := re.search(r"stream registered as '_(\w+)'", text):
        return DatabaseError(
            f"a file of table {match[1]} is missing or damaged; run motifdb check, which lists every such file"
        )
    broken = (
        duckdb.IOException,
        duckdb.FatalException,
        duckdb.InternalException,
        duckdb.SerializationException,
    )
    if not isinstance(error, duckdb.Error) or isinstance(error, broken) or "Corrupt database" in line:
        return DatabaseError(
            f"the statement was broken off ({line}); where no disk is full, run motifdb check"
        )
    if match := re.search(r"Values were not provided for the following .*parameters: (.*)", line):
        unbound = ", ".join("$" + name.strip() for name in match[1].split(","))
        return UsageError(f"no value is bound to {unbound}; bind a file's melody with --bind NAME=FILE")
    if match := re.search(r"count mismatch.*Expected (\d+), got (\d+)", line):
        return UsageError(
            f"{match[2]} values are bound, but the statement names {match[1]} of them; write each as $NAME in it"
        )
    if "expression depth" in line:
        return UsageError("the statement is nested too deeply to be answered; take it apart")
    return UsageError(f"{line}{place}")


def _nearest_function(name: str, text: str) -> str:
    """What was probably meant: one of motifdb's own functions, else what DuckDB suggests."""
    own = nearest(name.lower(), MACROS)
    if own.startswith("did you mean"):
        return f"; {own}"
    meant = re.search(r'Did you mean "([^"]+)"', text)
    return f"; did you mean {meant[1]!r}?" if meant else ""


def _nearest_column(name: str, known: Collection[str]) -> str:
    """What was probably meant: a column of what the statement reads, else the tables that have one of that name."""
    if not known:
        return ""
    hint = nearest(name, known)
    elsewhere = [r for r, spec in relations().items() if name.lower() in spec.names]
    if elsewhere and not hint.startswith("did you mean"):
        return f"; {', '.join(elsewhere)} {'has' if len(elsewhere) == 1 else 'have'} one of that name"
    return f"; {hint}"


def _missing_column(line: str) -> str | None:
    for pattern in (
        r'Referenced column "([^"]+)" not found',
        r'does not have a column named "([^"]+)"',
        r'Column "([^"]+)" (?:in|not found)',
    ):
        if match := re.search(pattern, line):
            return match[1]
    return None


def position(text: str, query: str, n_before: int = 0) -> str:
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
