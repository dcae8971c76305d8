"""Kill an ingest at a random moment, as a power cut would, and run it again."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path


def command(corpus: Path, db: Path, *options: str) -> list[str]:
    """The ingest of a corpus of `tests.pipelines.small`, committing every two recordings."""
    settings = [
        "--set",
        "contour.min_piece_s=0",
        "--set",
        "mining.min_length=3",
        "--set",
        "mining.min_duration_s=0",
    ]
    settings += ["--set", "contour.epsilon_cents=66", "--set", "contour.median_s=0"]
    where = [str(corpus), "--db", str(db), "--metadata", str(corpus / "manifest.csv")]
    return [sys.executable, "-m", "motifdb.cli", "ingest", *where, *settings, "--commit-every", "2", *options]


def run_to_end(line: Sequence[str]) -> tuple[float, float]:
    """Seconds until work began (the first line of progress) and until the end, of a run that must succeed."""
    start = time.monotonic()
    with subprocess.Popen(
        line, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True
    ) as child:
        assert child.stderr is not None
        first = child.stderr.readline()
        began_s = time.monotonic() - start
        rest = child.stderr.read()
    assert child.returncode == 0, (first + rest).decode()
    return began_s, time.monotonic() - start


def kill_after(line: Sequence[str], delay_s: float) -> bool:
    """Start, wait until work begins and `delay_s` more, kill the whole process group; whether it was still running."""
    with subprocess.Popen(
        line, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True
    ) as child:
        assert child.stderr is not None
        child.stderr.readline()
        time.sleep(delay_s)
        was_running = child.poll() is None
        with contextlib.suppress(ProcessLookupError):  # it had ended, and so had everything it started
            os.killpg(child.pid, signal.SIGKILL)
        child.stderr.close()
    return was_running
