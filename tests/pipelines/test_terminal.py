"""What commands share: no Ctrl-C is lost."""

from __future__ import annotations

import ctypes
import sys
import time
from typing import Any

import pytest

from motifdb.pipelines.terminal import keep_interrupts


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
