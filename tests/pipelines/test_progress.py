"""What long work says: one moving line on a terminal, plain lines elsewhere, with rate and time left."""

from __future__ import annotations

import io

import pytest

from motifdb.pipelines.progress import Lines


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that stands still until its one number is changed."""
    now = [100.0]
    monkeypatch.setattr("motifdb.pipelines.progress.time.monotonic", lambda: now[0])
    return now


def test_plain_lines_come_every_ten_seconds(clock: list[float]) -> None:
    out = io.StringIO()
    lines = Lines(out)
    lines.begin("ingesting", 100, 1000)
    for i in range(1, 61):
        clock[0] += 1
        lines.done(i, 10 * i, 36.0 * i)
    lines.close()
    shown = out.getvalue().splitlines()
    assert shown[0] == "ingesting: 100 files"
    assert len(shown) == 7
    assert shown[-1] == "ingesting: 60 of 100 done, 0.60 h of audio, 0.60 h/min, 0:40 left"


def test_a_terminal_has_one_line_that_is_wiped_at_the_end(clock: list[float]) -> None:
    out = Terminal()
    lines = Lines(out)
    lines.begin("ingesting", 10, 0)
    for i in range(1, 11):
        clock[0] += 1
        lines.done(i, 0, 3600.0 * i)
    lines.close()
    text = out.getvalue()
    assert "\n" not in text and text.endswith("\r")
    assert all(len(part) < 100 for part in text.split("\r"))
    assert "10 of 10 done, 10.00 h of audio, 60.00 h/min, 0:00 left" in text


def test_a_narrow_terminal_gets_a_narrow_line(clock: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    out = Terminal()
    lines = Lines(out)
    lines.begin("ingesting", 10, 0)
    clock[0] += 5
    lines.done(5, 0, 3600.0)
    assert all(len(part) < 40 for part in out.getvalue().split("\r"))
