"""Child processes for the tests of the catalog: they write, and die or sleep where they are told.

``python -m tests.catalog.children COMMAND ...`` from the root of the checkout.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from motifdb.catalog.store import Changes

ROOT = Path(__file__).parents[2]
DIED = 77


def start(*arguments: object) -> subprocess.Popen[str]:
    """Run this module in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.catalog.children", *map(str, arguments)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for(path: Path, timeout_s: float = 30.0) -> None:
    """Wait until a child has made a file."""
    deadline = time.monotonic() + timeout_s
    while not path.exists():
        assert time.monotonic() < deadline, f"no {path} after {timeout_s} s"
        time.sleep(0.01)


def say(path: str) -> None:
    """Make a file that another process waits for."""
    Path(path).touch()


def append_many(database: str, name: str, n_commits: int) -> None:
    """Commit one row to two tables `n_commits` times, taking the lease anew each time."""
    from motifdb.catalog.store import Changes, open_writer
    from tests.catalog.rows import named

    for i in range(n_commits):
        with open_writer(database, wait_s=120.0) as writer:
            rows = {t: named(t, [f"{name}-{i}"]) for t in ("files", "recordings")}
            writer.commit(Changes(append=rows), token=f"{name}-{i}", message=name)


def hold(database: str, ready: str) -> None:
    """Hold the lease until killed."""
    from motifdb.catalog.store import open_writer

    with open_writer(database):
        say(ready)
        time.sleep(600)


def replacing(name: str) -> Changes:
    """Changes that replace the first row of one table and add one to each of three."""
    from motifdb.catalog.store import Changes
    from tests.catalog.rows import named

    return Changes(
        append={t: named(t, [name]) for t in ("files", "recordings", "motifs")},
        delete={"files": "corpus_id = 'first'"},
    )


def die_at_each(template: str, folder: str) -> None:
    """For each point that a commit reaches, die there (as by kill -9) in a process of its own, on a copy of a database.

    Copies are named by the order of the points; ``points.txt`` lists them. Lance starts its threads at
    first use, so children that are forked before it may use it.
    """
    import shutil

    import lance  # noqa: F401  (once, not in every child)

    points: list[str] = []
    while True:
        copy = Path(folder) / f"{len(points):02d}.motifdb"
        shutil.copytree(template, copy)
        pid = os.fork()
        if pid == 0:
            _die_at(copy, len(points))
        _, status = os.waitpid(pid, 0)
        if os.waitstatus_to_exitcode(status) != DIED:
            assert os.waitstatus_to_exitcode(status) == 0, "the child failed before its point"
            break
        points.append(copy.with_suffix(".point").read_text())
    (Path(folder) / "points.txt").write_text("\n".join(points))


def _die_at(database: Path, n_points_before: int) -> None:
    """Commit, dying at the point after `n_points_before` others; exit with 0 where there are fewer points."""
    import threading

    from motifdb.catalog import files, writer

    writer.N_THREADS = 1
    held = writer.open_writer(database)
    n_left = n_points_before
    lock = threading.Lock()

    def reached(point: str, /) -> None:
        nonlocal n_left
        with lock:
            if n_left == 0:
                database.with_suffix(".point").write_text(point)
                os._exit(DIED)
            n_left -= 1

    files.reached = reached
    held.commit(replacing("second"), token="second", message="second")
    os._exit(0)


def pause_at(database: str, point: str, ready: str, ttl_s: float) -> None:
    """Commit a row to two tables, stopping (as a suspended machine does) at a point of the commit.

    Prints "stored" or the sentence of the error.
    """
    import signal

    from motifdb.catalog import files
    from motifdb.catalog.store import Changes, open_writer
    from motifdb.errors import MotifdbError
    from tests.catalog.rows import named

    writer = open_writer(database, ttl_s=ttl_s)

    def stop(reached: str, /) -> None:
        if reached == point:
            files.reached = lambda _, /: None
            say(ready)
            os.kill(os.getpid(), signal.SIGSTOP)

    files.reached = stop
    try:
        rows = {t: named(t, ["stale"]) for t in ("files", "recordings")}
        writer.commit(Changes(append=rows), token="stale", message="stale")
        print("stored")
    except MotifdbError as e:
        print(f"{type(e).__name__}: {e}")


if __name__ == "__main__":
    command, *rest = sys.argv[1:]
    if command == "append-many":
        append_many(rest[0], rest[1], int(rest[2]))
    elif command == "die-at-each":
        die_at_each(rest[0], rest[1])
    elif command == "hold":
        hold(rest[0], rest[1])
    elif command == "pause-at":
        pause_at(rest[0], rest[1], rest[2], float(rest[3]))
