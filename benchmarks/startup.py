"""How long the commands take that people wait for: help, a query, an ingest with nothing new.

    python benchmarks/startup.py [--files N] [--runs N]

Each command is a process of its own; the median of several runs. The unchanged folder holds N f0 tracks of a
second each, ingested once with --until files. Prints Markdown.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

MOTIFDB = [sys.executable, "-m", "motifdb.cli"]


def median_s(command: list[str], runs: int) -> float:
    """Median wall seconds of a command that must succeed."""
    walls = []
    for _ in range(runs):
        start = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        walls.append(time.perf_counter() - start)
    return statistics.median(walls)


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder, db = Path(temporary) / "tracks", Path(temporary) / "a.motifdb"
        folder.mkdir()
        for i in range(arguments.files):
            lines = "".join(f"{f * 0.02:.2f},{200 + (i * 7 + f) % 97}\n" for f in range(50))
            (folder / f"{i:06d}.csv").write_text("time_s,f0_hz\n" + lines)
        ingest = [*MOTIFDB, "ingest", str(folder), "--db", str(db)]
        start = time.perf_counter()
        subprocess.run(ingest, check=True, capture_output=True)
        first_s = time.perf_counter() - start
        rows = [
            ("motifdb --help", median_s([*MOTIFDB, "--help"], arguments.runs), "0.4"),
            (
                'motifdb sql "select 1"',
                median_s([*MOTIFDB, "sql", "select 1", "--db", str(db)], arguments.runs),
                "1",
            ),
            (f"motifdb ingest, {arguments.files:,} files, first time", first_s, ""),
            ("the same again, nothing new", median_s(ingest, arguments.runs), "5"),
        ]
    print(
        f"# Start-up\n\n{platform.machine()}, {len(os.sched_getaffinity(0))} cores, Python {platform.python_version()}\n"
    )
    print("| command | median s | target s |")
    print("|---|---|---|")
    for name, seconds, target in rows:
        print(f"| `{name}` | {seconds:.2f} | {target} |")


if __name__ == "__main__":
    main()
