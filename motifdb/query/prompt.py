"""A prompt for SQL: what `motifdb sql` opens on a terminal when no query is given.

Editing, history, colours and completion are prompt_toolkit's and pygments'; here stand what is completed, when a
statement is whole, and what the commands that begin with a point do.
"""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.filters import Condition
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.lexers import PygmentsLexer

from motifdb.errors import MotifdbError, UsageError, nearest
from motifdb.query.macros import MACROS
from motifdb.query.output import FORMATS, Format, write_result
from motifdb.query.relations import relations
from motifdb.query.table_functions import FUNCTIONS
from motifdb.query.views import VIEWS

if TYPE_CHECKING:
    from prompt_toolkit.input import Input
    from prompt_toolkit.output import Output

    from motifdb.query.database import Database

COMMANDS = {
    ".tables": "every table and view, and what one row of it is",
    ".describe": "NAME: the columns of a table or view, or what a function takes",
    ".format": f"{' | '.join(f for f in FORMATS if f != 'parquet')}: how answers are written from now on",
    ".help": "this list",
    ".quit": "leave (so does Ctrl-D)",
}
_KEYWORDS = [
    "all",
    "and",
    "any",
    "as",
    "asc",
    "between",
    "by",
    "case",
    "cast",
    "count",
    "cross",
    "desc",
    "describe",
    "distinct",
    "else",
    "end",
    "except",
    "exists",
    "explain",
    "false",
    "filter",
    "from",
    "full",
    "group",
    "having",
    "in",
    "inner",
    "intersect",
    "is",
    "join",
    "lateral",
    "left",
    "like",
    "limit",
    "max",
    "median",
    "min",
    "not",
    "null",
    "offset",
    "on",
    "or",
    "order",
    "outer",
    "over",
    "partition",
    "qualify",
    "right",
    "select",
    "sum",
    "summarize",
    "table",
    "then",
    "true",
    "union",
    "unnest",
    "using",
    "values",
    "when",
    "where",
    "window",
    "with",
]
_MOST_HISTORY = 1 << 20
"""Bytes of history that are kept: the newest half of a longer one."""


def history_file() -> Path:
    """Where statements are remembered: in the folder where the system keeps a user's state."""
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home())
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    else:
        base = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    return base / "motifdb" / "sql_history"


def is_whole(text: str) -> bool:
    """Whether a text is a whole statement: it ends with a semicolon that no string or comment holds.

    >>> is_whole("select 1;"), is_whole("select ';"), is_whole("select 1 -- ;"), is_whole("select 1; -- done")
    (True, False, False, True)
    """
    bare = re.sub(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|--[^\n]*|/\*.*?\*/", " ", text, flags=re.DOTALL)
    # what is left of a quote or a comment is one that has not ended
    return bare.rstrip().endswith(";") and not re.search(r"['\"]|/\*", bare)


class SqlCompleter(Completer):
    """Names of tables, views, columns, functions and SQL's own words; columns of the tables that are named come first."""

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterator[Completion]:
        """What the word before the cursor could become."""
        before = document.text_before_cursor
        if document.text.lstrip().startswith("."):
            yield from _of_command(before.lstrip())
            return
        match = re.search(r"(?:(\w+)\.)?(\w*)$", before)
        assert match is not None
        owner, word = match[1], match[2]
        if not owner and not word:
            return
        if _is_in_string(before):
            return
        seen: set[str] = set()
        is_source = re.search(r"\b(from|join|describe|summarize|table)\s+\w*$", before, re.IGNORECASE)
        for name, kind in _sources() if is_source else self._candidates(document.text, owner):
            if name.lower().startswith(word.lower()) and name not in seen:
                seen.add(name)
                yield Completion(name, -len(word), display_meta=kind)

    def _candidates(self, text: str, owner: str | None) -> Iterable[tuple[str, str]]:
        known = relations()
        named = [n for n in re.findall(r"\w+", text.lower()) if n in known]
        if owner:
            # an alias stands behind its table: from motifs m, from motifs as m
            alias = rf"\b(\w+)\s+(?:as\s+)?{re.escape(owner)}\b"
            of = [owner.lower(), *(m.lower() for m in re.findall(alias, text, re.IGNORECASE))]
            for name in of:
                if name in known:
                    return [(c, name) for c in known[name].names]
            return [(c, n) for n in dict.fromkeys(named) for c in known[n].names]
        columns = [(c, n) for n in dict.fromkeys(named) for c in known[n].names]
        functions = [(n, "function") for n in (*FUNCTIONS, *MACROS)]
        others = [] if named else [(c, n) for n, spec in known.items() for c in spec.names]
        return [*columns, *_sources(), *functions, *((k, "") for k in _KEYWORDS), *others]


def _sources() -> list[tuple[str, str]]:
    """What stands behind FROM: tables, views and functions that answer with a table."""
    tables = [(name, "view" if name in VIEWS else "table") for name in relations()]
    return [*tables, *((name, "function") for name in FUNCTIONS)]


def _of_command(before: str) -> Iterator[Completion]:
    command, blank, word = before.partition(" ")
    if not blank:
        names: Iterable[tuple[str, str]] = COMMANDS.items()
        word = command
    elif command == ".describe":
        names = ((n, "") for n in (*relations(), *FUNCTIONS, *MACROS))
    elif command == ".format":
        names = ((f, "") for f in FORMATS if f != "parquet")
    else:
        return
    for name, meaning in names:
        if name.startswith(word):
            yield Completion(name, -len(word), display_meta=meaning)


def _is_in_string(text: str) -> bool:
    return re.sub(r"--[^\n]*|\"[^\"]*\"", "", text).count("'") % 2 == 1


class Prompt:
    """Reads statements, answers them, until its end.

    Parameters
    ----------
    database : what is asked
    format : how answers are written at first
    parameters : values for ``$name``
    stream : where answers and sentences go; None is standard output
    history : None remembers statements in `history_file`
    input, output : of the terminal; None finds them
    """

    def __init__(
        self,
        database: Database,
        *,
        format: Format = "table",
        parameters: Mapping[str, object] | None = None,
        stream: IO[str] | None = None,
        history: History | None = None,
        input: Input | None = None,
        output: Output | None = None,
    ) -> None:
        from pygments.lexers.sql import SqlLexer

        self._database = database
        self._format: Format = format
        self._parameters = dict(parameters or {})
        self._stream = sys.stdout if stream is None else stream
        self._lines: PromptSession[str] = PromptSession(
            lexer=PygmentsLexer(SqlLexer),
            completer=SqlCompleter(),
            complete_while_typing=False,
            history=_history() if history is None else history,
            multiline=True,
            key_bindings=_keys(),
            prompt_continuation=lambda width, number, is_soft: ".".rjust(width - 1) + " ",
            input=input,
            output=output,
        )

    def run(self) -> None:
        """Answer until Ctrl-D or ``.quit``."""
        self._say(
            f"{self._database!r}\nA statement ends with ; and Tab completes. .help lists the commands, Ctrl-D leaves."
        )
        while True:
            try:
                text = self._lines.prompt("motifdb> ").strip()
            except KeyboardInterrupt:
                continue  # what was typed is given up
            except EOFError:
                return
            try:
                if not self._answer(text):
                    return
            except KeyboardInterrupt:
                self._say("stopped")
            except MotifdbError as error:
                self._say(str(error))

    def _answer(self, text: str) -> bool:
        """Do what a line asks; False where it is to leave."""
        word = text.rstrip(";").strip().lower()
        if not word:
            return True
        if word in ("quit", "exit", ".exit", ".quit"):
            return False
        if text.startswith(".") or word == "help":
            self._command(text if text.startswith(".") else ".help")
            return True
        self._statement(text)
        return True

    def _statement(self, text: str) -> None:
        started_s = time.perf_counter()
        used = {n: v for n, v in self._parameters.items() if re.search(rf"\${re.escape(n)}\b", text)}
        answer = self._database.session.reader(text, used or None)
        n_rows = write_result(answer, self._format, self._stream, rest=".format csv or json gives all")
        took_s = time.perf_counter() - started_s
        self._say(f"({n_rows:,} row{'' if n_rows == 1 else 's'}, {took_s:.2f} s)")

    def _command(self, text: str) -> None:
        command, _, rest = text.rstrip("; ").partition(" ")
        rest = rest.strip()
        if command == ".tables":
            self._show(self._database.tables())
        elif command == ".describe":
            if not rest:
                raise UsageError("name a table, a view or a function: .describe motifs")
            self._show(self._database.describe(rest))
        elif command == ".format":
            if rest not in FORMATS or rest == "parquet":
                raise UsageError("write .format table, .format csv or .format json")
            self._format = rest
        elif command == ".help":
            self._say("\n".join(f"{name:10} {meaning}" for name, meaning in COMMANDS.items()))
        else:
            raise UsageError(f"there is no command {command!r}; {nearest(command, COMMANDS)}")

    def _show(self, result: Any) -> None:
        write_result(result.arrow(), "table", self._stream, max_rows=len(result), is_wrapped=True)

    def _say(self, text: str) -> None:
        self._stream.write(text + "\n")
        self._stream.flush()


def _keys() -> KeyBindings:
    """Enter ends what is whole, and goes on to the next line elsewhere."""
    keys = KeyBindings()

    @Condition
    def is_done() -> bool:
        from prompt_toolkit.application import get_app

        text = get_app().current_buffer.text.strip()
        words = ("", "quit", "exit", "help")
        return text.lower() in words or text.startswith(".") or is_whole(text)

    @keys.add("enter", filter=is_done)
    def _(event: KeyPressEvent) -> None:
        event.current_buffer.validate_and_handle()

    return keys


def _history() -> History:
    """The remembered statements; only in memory where the file cannot be written."""
    path = history_file()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "ab") as file:
            size = file.tell()
        os.chmod(path, 0o600)
        if size > _MOST_HISTORY:
            newest = path.read_bytes()[-_MOST_HISTORY // 2 :]
            path.write_bytes(newest[newest.find(b"\n# ") + 1 :])
    except (OSError, RuntimeError):
        return InMemoryHistory()
    return FileHistory(str(path))
