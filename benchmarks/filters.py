"""Ask generated statements of a motif database and of native DuckDB tables with the same rows, and count the answers that differ.

    python benchmarks/filters.py [--questions 20000] [--seed 0]

Rows and statements are those of tests/query/filters.py: NaN, NULL, lists and maps, extreme integers, instants; every kind of
predicate, nested, with LIMIT, ORDER BY, DISTINCT, GROUP BY and subqueries. Each thousand has its own random database.
Every statement is asked twice: of the stored tables, and of disposable copies of them (`motifdb.query.cache`). Differences are
printed with their statement, and end it with status 1.
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from motifdb.catalog.store import open_snapshot
from motifdb.query.cache import build, keys
from motifdb.query.sql import Session
from tests.query.filters import NAMES, compared, random_database, random_question

CHUNK = 1000


def ask(seed: int, n: int) -> dict[str, tuple[int, float, list[str]]]:
    """Ask `n` statements of one random database: by side, rows found, CPU seconds, and what differs."""
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["MOTIFDB_CACHE"] = str(Path(folder) / "cache")
        keys.LEAST_ROWS = 0
        path = Path(folder) / "random.motifdb"
        native = random_database(path, rng)
        snapshot = open_snapshot(path)
        build.build(snapshot, NAMES)
        questions = [random_question(rng) for _ in range(n)]
        start_s = time.process_time()
        n_rows = sum(len(native.sql(q.text).fetchall()) for q in questions)
        found: dict[str, tuple[int, float, list[str]]] = {
            "native tables": (n_rows, time.process_time() - start_s, [])
        }
        for side, copies in (("stored tables", False), ("copies", True)):
            session = Session(snapshot, threads=1, copies=copies)
            spent_s, unlike = 0.0, []
            for question in questions:
                said, cpu_s = compared(session, native, question)
                spent_s += cpu_s
                if said:
                    unlike.append(f"{question.text}\n    {said}")
            found[side] = (n_rows, spent_s, unlike)
            session.close()
    return found


def main() -> None:
    """Ask, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--questions", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    sizes = [min(CHUNK, given.questions - at) for at in range(0, given.questions, CHUNK)]
    seeds = [given.seed + i for i in range(len(sizes))]
    with ProcessPoolExecutor(len(os.sched_getaffinity(0)), mp_context=get_context("spawn")) as pool:
        chunks = list(pool.map(ask, seeds, sizes))
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}\n")
    print("| asked of | statements | rows in the answers | answers that differ | CPU ms a statement |")
    print("|---|---|---|---|---|")
    for side in chunks[0]:
        rows = sum(chunk[side][0] for chunk in chunks)
        cpu_ms = 1e3 * sum(chunk[side][1] for chunk in chunks) / given.questions
        differ = sum(len(chunk[side][2]) for chunk in chunks)
        shown = "-" if side == "native tables" else str(differ)
        print(f"| {side} | {given.questions:,} | {rows:,} | {shown} | {cpu_ms:.1f} |")
    unlike = [text for chunk in chunks for _, _, texts in chunk.values() for text in texts]
    for text in unlike[:20]:
        print(text)
    sys.exit(bool(unlike))


if __name__ == "__main__":
    main()
