"""The prompt of `motifdb sql`: what is typed, what is answered, what is completed, how it is left."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
from io import StringIO
from pathlib import Path

import pytest
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document
from prompt_toolkit.history import FileHistory, InMemoryHistory
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

from motifdb.query.database import Database
from motifdb.query.prompt import Prompt, SqlCompleter, _history, history_file, is_whole


def typed(example_db: Path, keys: str, parameters: dict[str, object] | None = None) -> str:
    """What the prompt writes when these keys are typed, and Ctrl-D."""
    stream = StringIO()
    with create_pipe_input() as input_, Database(example_db) as database:
        input_.send_text(keys + "\x04")
        Prompt(
            database,
            parameters=parameters,
            stream=stream,
            history=InMemoryHistory(),
            input=input_,
            output=DummyOutput(),
        ).run()
    return stream.getvalue()


def test_answers_and_goes_on(example_db: Path) -> None:
    text = typed(example_db, "select count(*) as n from corpora;\rselect 40 + 2 as answer;\r")
    assert text.splitlines()[2:5] == ["n", "─", "1"]
    assert "42" in text and text.count("(1 row, ") == 2


def test_a_statement_goes_over_lines_until_its_semicolon(example_db: Path) -> None:
    text = typed(example_db, "select name as corpus\rfrom corpora\rwhere name <> ';'\r;\r")
    assert "songs" in text and "(1 row" in text


def test_mistakes_are_sentences_and_it_goes_on(example_db: Path) -> None:
    text = typed(example_db, "select * from motivs;\rdrop table motifs;\rselect 42 as n;\r")
    assert "there is no table 'motivs'; did you mean 'motifs'?" in text
    assert "are allowed, not DROP" in text
    assert "42" in text


def test_commands(example_db: Path) -> None:
    text = typed(
        example_db, ".tables\r.describe corpora\r.format json\rselect 1 as x;\r.tabels\rhelp\r.describe\r"
    )
    assert "motif_by_label" in text
    assert "where the folder stands" in text
    assert '[{"x": 1}]' in text
    assert "there is no command '.tabels'; did you mean '.tables'?" in text
    assert "leave (so does Ctrl-D)" in text
    assert "name a table, a view or a function" in text


@pytest.mark.parametrize("word", [".quit", "quit", "exit", "quit;"])
def test_words_that_leave(example_db: Path, word: str) -> None:
    assert "99" not in typed(example_db, f"{word}\rselect 99;\r")


def test_ctrl_c_gives_up_what_was_typed(example_db: Path) -> None:
    text = typed(example_db, "select wrong\x03select 41 as n;\r")
    assert "41" in text and "wrong" not in text


def test_values_bound_to_parameters(example_db: Path) -> None:
    text = typed(example_db, "select $q || '!' as x;\rselect 5 as n;\r", parameters={"q": "sung"})
    assert "sung!" in text and "5" in text


def completions(text: str) -> list[str]:
    found = SqlCompleter().get_completions(Document(text, len(text)), CompleteEvent())
    return [c.text for c in found]


def test_completes_what_there_is() -> None:
    assert completions("select * from occ") == ["occurrences"]
    assert "motif_stats" in completions("select * from motif_s")
    assert completions("select start_c from occurrences"[:14]) == ["start_cents"]
    assert completions("select best from motif_stats where best_l") == ["best_log10_p"]
    assert completions("select * from occurrences o where o.first") == ["first_symbol"]
    assert completions("select contour_di") == ["contour_distance"]
    assert "where" in completions("select * from motifs whe")
    assert completions("select 'occ") == [], "nothing in a string"
    assert completions(".desc") == [".describe"]
    assert completions(".describe corp") == ["corpora"]


def test_when_a_statement_is_whole() -> None:
    assert is_whole("select 'a;b';\n") and is_whole('select ";";') and is_whole("select 1; /* ; */")
    for text in ("select 1", "select ';", "select 1 /* ;", 'select ";', "select 1 -- ;"):
        assert not is_whole(text), text


def test_history_is_kept_for_the_user_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    path = history_file()
    assert path == tmp_path / "state" / "motifdb" / "sql_history"
    history = _history()
    assert isinstance(history, FileHistory)
    history.append_string("select 1;")
    assert "+select 1;" in path.read_text() and path.stat().st_mode & 0o077 == 0
    path.write_bytes(path.read_bytes() * 60_000)
    _history()
    assert path.stat().st_size < 1 << 20 and path.read_text().startswith("# ")
    monkeypatch.setenv("XDG_STATE_HOME", str(path))
    assert isinstance(_history(), InMemoryHistory), "a folder that cannot be made"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a terminal of this system")
def test_on_a_terminal(example_db: Path, tmp_path: Path) -> None:
    """The whole command in a terminal: a slow statement is stopped by Ctrl-C, the next is answered, Ctrl-D leaves."""
    ours, theirs = pty.openpty()
    environment = {
        **os.environ,
        "XDG_STATE_HOME": str(tmp_path),
        "TERM": "xterm",
        "PROMPT_TOOLKIT_NO_CPR": "1",
    }
    own_terminal = "import fcntl, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0)"
    command = f"{own_terminal}; from motifdb.cli import main; main()"
    child = subprocess.Popen(
        [sys.executable, "-c", command, "sql", "--db", str(example_db)],
        stdin=theirs, stdout=theirs, stderr=theirs, env=environment, start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    seen = ""

    def until(text: str, timeout_s: float = 60) -> None:
        nonlocal seen
        end_s = time.monotonic() + timeout_s
        while text not in seen and time.monotonic() < end_s:
            if select.select([ours], [], [], 0.1)[0]:
                seen += os.read(ours, 65536).decode(errors="replace")
        assert text in seen, seen[-2000:]
        seen = seen[seen.index(text) + len(text) :]

    try:
        until("motifdb>")
        os.write(
            ours, b"select count(*) from range(100000000) a, range(100000) b where a.range + b.range = 7;\r"
        )
        time.sleep(1.0)
        os.write(ours, b"\x03")
        until("stopped")
        os.write(ours, b"select 40 + 2 as answer;\r")
        until("42")
        until("motifdb>")
        os.write(ours, b"\x04")
        assert child.wait(30) == 0
    finally:
        child.kill()
        child.wait()
        os.close(ours)
    assert "40 + 2 as answer" in (tmp_path / "motifdb" / "sql_history").read_text()


def test_no_query_and_no_terminal_is_a_sentence(example_db: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "motifdb.cli", "sql", "--db", str(example_db)],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 2 and "give one query" in done.stderr
