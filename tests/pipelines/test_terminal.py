"""What commands share: no Ctrl-C is lost, and text is UTF-8."""

from __future__ import annotations

import ctypes
import io
import sys
import time
from typing import Any

import pytest

from motifdb.pipelines.terminal import keep_interrupts, write_utf8


def test_an_interrupt_inside_a_callback_is_raised_outside_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)
    keep_interrupts()

    def callback() -> None:
        raise KeyboardInterrupt

    ctypes.CFUNCTYPE(None)(callback)()  # what is raised in there cannot come out through C
    with pytest.raises(KeyboardInterrupt):
        time.sleep(10)


def test_other_reports_stay_as_they_were(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", told.append)
    keep_interrupts()

    def callback() -> None:
        raise ValueError("told")

    ctypes.CFUNCTYPE(None)(callback)()
    assert [str(t.exc_value) for t in told] == ["told"]


def test_files_and_pipes_take_utf8_whatever_the_locale_says(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.TextIOWrapper):
        def isatty(self) -> bool:
            return True

    piped, shown = io.BytesIO(), io.BytesIO()
    pipe, terminal = io.TextIOWrapper(piped, "ascii"), Terminal(shown, "latin-1")
    monkeypatch.setattr(sys, "stdout", pipe)
    monkeypatch.setattr(sys, "stderr", terminal)
    write_utf8()
    for stream in (pipe, terminal):
        stream.write("Ārabhi é")
        stream.flush()
    assert piped.getvalue() == "Ārabhi é".encode()
    assert shown.getvalue() == b"\\u0100rabhi \xe9", "a terminal keeps its own encoding"
