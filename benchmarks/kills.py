"""Kill an ingest at random moments and compare what it ends with: every fingerprint must be that of a quiet run.

    python benchmarks/kills.py [--inline N] [--ray N] [--seed S]

Each point starts an ingest into a new database, kills its whole process group (SIGKILL) at a random moment of its work,
checks every invariant of what is left, runs the same command again and compares fingerprints. Prints Markdown; ends with
status 1 where one differs.
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.pipelines.killing import command, kill_after, run_to_end
from tests.pipelines.small import make_f0_corpus, prints, violations


def points(
    corpus: Path, folder: Path, engine: str, n: int, rng: random.Random
) -> tuple[int, int, int, float, float]:
    """Points (killed while at work), those with an invariant broken or another fingerprint, seconds of a run and in all."""
    options = ("--engine", engine, "--workers", "2")
    whole = folder / f"{engine}.motifdb"
    run_to_end(command(corpus, folder / "warm.motifdb", *options))
    began_s, ended_s = run_to_end(command(corpus, whole, *options))
    expected = prints(whole)
    n_killed = n_broken = n_different = 0
    start = time.monotonic()
    n_tried = 0
    while n_killed < n and n_tried < 4 * n:
        n_tried += 1
        db = folder / f"{engine}-{n_tried}.motifdb"
        line = command(corpus, db, *options)
        if kill_after(line, rng.uniform(0, 0.9 * (ended_s - began_s))):  # else it was done before: no point
            n_killed += 1
            n_broken += bool(db.exists() and violations(db))
            run_to_end(line)
            n_different += prints(db) != expected or bool(violations(db))
            if n_killed % 10 == 0:
                said = f"{engine}: {n_killed} of {n} points, {n_different} differ"
                print(said, file=sys.stderr, flush=True)
        shutil.rmtree(db, ignore_errors=True)
    shutil.rmtree(folder / "warm.motifdb")
    return n_killed, n_broken, n_different, ended_s - began_s, time.monotonic() - start


def main() -> None:
    """Parse, kill, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--inline", type=int, default=200)
    parser.add_argument("--ray", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    print(
        f"# Kills\n\n{platform.machine()}, {len(os.sched_getaffinity(0))} cores, Python {platform.python_version()}\n"
    )
    print(
        "| engine | points, killed at work | broken after the kill | fingerprint differs | s of a run | s in all |"
    )
    print("|---|---|---|---|---|---|")
    n_wrong = 0
    with tempfile.TemporaryDirectory() as temporary:
        corpus = make_f0_corpus(Path(temporary) / "corpus")
        for engine, n in (("inline", arguments.inline), ("ray", arguments.ray)):
            if n:
                killed, broken, different, run_s, all_s = points(
                    corpus, Path(temporary), engine, n, random.Random(arguments.seed)
                )
                print(
                    f"| {engine} | {killed} | {broken} | {different} | {run_s:.1f} | {all_s:.0f} |",
                    flush=True,
                )
                n_wrong += broken + different
    sys.exit(1 if n_wrong else 0)


if __name__ == "__main__":
    main()
