"""How long work shows itself: one line that moves on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import shutil
import sys
import time
from typing import TYPE_CHECKING, Protocol, TextIO

if TYPE_CHECKING:
    from motifdb.pipelines.survey import Seen

PLAIN_EVERY_S = 10.0
REDRAW_EVERY_S = 0.1


class Progress(Protocol):
    """What a job tells while it works."""

    def start(self, what: str) -> None:
        """A step of unknown length begins."""

    def note(self, what: str) -> None:
        """Something takes a while inside a step."""

    def looked(self, n_files: int) -> None:
        """So many files have been seen."""

    def begin(self, what: str, n_total: int, n_bytes: int, unit: str = "files") -> None:
        """A step over `n_total` recordings (or what `unit` says) begins."""

    def read(self, seen: Seen) -> None:
        """A file has been read."""

    def done(self, n_done: int, n_bytes: int, duration_s: float) -> None:
        """How many of the step's files are done by now, their bytes, and how long they play."""

    def close(self) -> None:
        """Nothing more comes."""


class Quiet:
    """Says nothing."""

    def start(self, what: str) -> None: ...

    def note(self, what: str) -> None: ...

    def looked(self, n_files: int) -> None: ...

    def begin(self, what: str, n_total: int, n_bytes: int, unit: str = "files") -> None: ...

    def read(self, seen: Seen) -> None: ...

    def done(self, n_done: int, n_bytes: int, duration_s: float) -> None: ...

    def close(self) -> None: ...


class Lines(Quiet):
    """Says how far it is, how fast, and how long it will take, on a stream (standard error).

    On a terminal one line is rewritten; elsewhere a line appears every ten seconds.
    """

    def __init__(self, out: TextIO | None = None) -> None:
        self._out = out if out is not None else sys.stderr
        self._is_terminal = self._out.isatty()
        self._shown_s = 0.0
        self._width = 0
        self._reset("", 0, 0)

    def _reset(self, what: str, n_total: int, n_bytes: int) -> None:
        self._what, self._n_total, self._n_bytes_total = what, n_total, n_bytes
        self._n_read = self._n_done = self._n_bytes_done = 0
        self._duration_s = 0.0
        self._started_s = time.monotonic()

    def start(self, what: str) -> None:
        self._reset(what, 0, 0)
        if self._is_terminal:
            self._show(f"{what} ...", force=True)

    def note(self, what: str) -> None:
        self._show(f"{what} ...", force=True)

    def looked(self, n_files: int) -> None:
        self._show(f"{self._what} ... {n_files:,} so far")

    def begin(self, what: str, n_total: int, n_bytes: int, unit: str = "files") -> None:
        self._reset(what, n_total, n_bytes)
        self._show(f"{what}: {n_total:,} {unit}", force=True)

    def read(self, seen: Seen) -> None:
        self._n_read += 1
        self._show(self._line())

    def done(self, n_done: int, n_bytes: int, duration_s: float) -> None:
        self._n_done, self._n_bytes_done, self._duration_s = n_done, n_bytes, duration_s
        self._show(self._line())

    def close(self) -> None:
        if self._is_terminal and self._width:
            self._out.write("\r" + " " * self._width + "\r")
            self._out.flush()
            self._width = 0

    def _line(self) -> str:
        elapsed_s = max(time.monotonic() - self._started_s, 1e-3)
        parts = [f"{self._what}: {self._n_done:,} of {self._n_total:,} done"]
        if self._duration_s:
            hours, per_minute = self._duration_s / 3600, self._duration_s / 3600 / (elapsed_s / 60)
            parts.append(f"{hours:.2f} h of audio, {per_minute:.2f} h/min")
        share = self._n_bytes_done / self._n_bytes_total if self._n_bytes_total else 0.0
        if not share and self._n_total:
            share = self._n_done / self._n_total
        if share > 0.01:
            parts.append(f"{_clock(elapsed_s * (1 - share) / share)} left")
        return ", ".join(parts)

    def _show(self, text: str, *, force: bool = False) -> None:
        now_s = time.monotonic()
        if not force and now_s - self._shown_s < (REDRAW_EVERY_S if self._is_terminal else PLAIN_EVERY_S):
            return
        self._shown_s = now_s
        if self._is_terminal:
            shown = text[
                : max(shutil.get_terminal_size().columns - 1, 10)
            ]  # a full line would wrap and scroll
            self._out.write("\r" + shown.ljust(self._width))
            self._width = len(shown)
        else:
            self._out.write(text + "\n")
        self._out.flush()


def _clock(seconds: float) -> str:
    minutes, s = divmod(round(max(seconds, 0.0)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{s:02d}" if hours else f"{minutes}:{s:02d}"
