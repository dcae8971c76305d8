"""The ten questions of the cookbook to ten million occurrences, through motifdb and beside it over Parquet with plain DuckDB.

    python benchmarks/sql.py big.motifdb [--runs N] [--limit-s S] [--folder FOLDER]

`benchmarks/occurrences.py` makes the database. Every table is also written as one Parquet file (as stored, row groups of 122,880
rows, snappy), and the same statements, with the same definitions of views and functions, run over them in plain DuckDB, as do
single scans (count, group by, look-up). Both have 2 threads; runs of the two alternate. *First* is a fresh process that opens and answers
the one statement, with no copy made yet; *cold* is a fresh process that finds the copies made; *warm* are further runs
in such a process. Files are in the system's page cache everywhere. A statement that takes longer than --limit-s over Parquet is
stopped there. Answers are compared. Prints Markdown, wall and CPU seconds: on a machine that others use, compare the latter.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

THREADS = 2
SCANS = {
    "count(*)": "select count(*) as n from occurrences",
    "sum of a column": "select sum(end_s - start_s) as s from occurrences",
    "group by string": "select motif_id, count(*) as n from occurrences group by 1 order by n desc, 1 limit 5",
    "rows of one motif": "select * from occurrences where motif_id = (select min(motif_id) from motifs) order by all",
    "first ten rows": "select * from occurrences limit 10",
}


def questions() -> dict[str, str]:
    """Every question of docs/cookbook.md and its statement, then the single scans."""
    text = (Path(__file__).resolve().parents[1] / "docs" / "cookbook.md").read_text(encoding="utf-8")
    found = re.findall(r"^## (.*?)$.*?```sql\n(.*?)```", text, re.DOTALL | re.MULTILINE)
    return {**dict(found), **SCANS}


def write_parquet(database: Path, folder: Path) -> None:
    """Every table, but for columns that SQL does not see, as stored, a file each."""
    import pyarrow as pa
    from pyarrow import parquet

    from motifdb.catalog.store import open_snapshot
    from motifdb.query.relations import relations
    from motifdb.schemas import TABLES

    snapshot = open_snapshot(database)
    for name, spec in TABLES.items():
        columns = relations()[name].names
        schema = pa.schema([spec.schema.field(c) for c in columns])
        with parquet.ParquetWriter(folder / f"{name}.parquet", schema) as writer:
            for batch in snapshot.batches(name, columns, batch_rows=122_880):
                writer.write_batch(batch, row_group_size=122_880)


class Plain:
    """Plain DuckDB over the Parquet files, with the views and functions of motifdb by their definitions."""

    def __init__(self, folder: Path, limit_s: float) -> None:
        import duckdb

        from motifdb.query.macros import MACROS
        from motifdb.query.relations import relations
        from motifdb.query.views import ViewSpec

        self._limit_s = limit_s
        self._connection = duckdb.connect(config={"threads": THREADS, "memory_limit": "2GB"})
        for macro in MACROS.values():
            self._connection.execute(macro.statement)
        waiting = dict(relations())
        made: set[str] = set()
        while waiting:
            for name, spec in list(waiting.items()):
                if isinstance(spec, ViewSpec) and not made.issuperset(spec.needs):
                    continue
                body = spec.sql if isinstance(spec, ViewSpec) else f"from '{folder / name}.parquet'"
                self._connection.execute(f"create view {name} as {body}")
                made.add(name)
                del waiting[name]

    def answer(self, statement: str) -> Any:
        """The answer as Arrow; None where it took longer than the limit."""
        import duckdb

        watch = threading.Timer(self._limit_s, self._connection.interrupt)
        watch.start()
        try:
            return self._connection.sql(statement).to_arrow_table()
        except duckdb.InterruptException:
            return None
        finally:
            watch.cancel()


class Ours:
    """motifdb, as its Python door gives it."""

    def __init__(self, database: Path) -> None:
        from motifdb.query.database import Database

        self._database = Database(database, threads=THREADS)

    def answer(self, statement: str) -> Any:
        """The answer as Arrow."""
        return self._database.sql(statement).arrow()


# A child process: answers what it is told to, and says how long each took


def child(kind: str, place: str, names: list[str], runs: int, limit_s: float) -> None:
    """Open, answer each statement `runs` times, print seconds and a digest of each answer; opening counts to the first run."""
    asked = questions()
    started = time.perf_counter(), time.process_time()
    door = Plain(Path(place), limit_s) if kind == "parquet" else Ours(Path(place))
    for name in names:
        for _ in range(runs):
            table = door.answer(asked[name])
            taken = time.perf_counter() - started[0], time.process_time() - started[1]
            digest = None if table is None else _digest(table)
            print(json.dumps([name, *taken, digest]), flush=True)
            if table is None:
                break
            started = time.perf_counter(), time.process_time()
        started = time.perf_counter(), time.process_time()


def _digest(table: Any) -> list[str]:
    """The answer's rows, floats to nine digits: sums in threads differ in the last ones."""
    rows = []
    for row in table.to_pylist():
        rows.append(" ".join(f"{v:.9g}" if isinstance(v, float) else str(v) for v in row.values()))
    return rows[:200]


Timed = dict[str, list[tuple[float, float, Any]]]


def ask(kind: str, place: Path, names: list[str], runs: int, limit_s: float, cache: str) -> Timed:
    """Run a child process; its seconds by statement."""
    command = [
        sys.executable,
        __file__,
        "--child",
        kind,
        str(place),
        json.dumps(names),
        str(runs),
        str(limit_s),
    ]
    out = subprocess.run(
        command, env={**os.environ, "MOTIFDB_CACHE": cache}, capture_output=True, text=True, check=True
    ).stdout
    timed: Timed = {}
    for line in out.splitlines():
        name, wall_s, cpu_s, digest = json.loads(line)
        timed.setdefault(name, []).append((wall_s, cpu_s, digest))
    return timed


def make_copies(database: Path) -> list[tuple[str, float, float, float]]:
    """Make the copies that the statements use; name, wall and CPU seconds and megabytes of each."""
    from motifdb.catalog.store import open_snapshot
    from motifdb.query.cache import keys, shelf
    from motifdb.query.cache.build import build
    from motifdb.query.cache.folder import cache_folder
    from motifdb.query.relations import relations

    snapshot = open_snapshot(database)
    folder = cache_folder("sql")
    assert folder is not None
    words = set(re.findall(r"\w+", " ".join(questions().values())))
    views = keys.KEPT_VIEWS & words
    tables = frozenset[str]().union(*(keys.wanted(n) for n in words & relations().keys() - views))
    tables |= frozenset[str]().union(*(keys.stored_under(v) for v in views))
    rows = []
    for name in [*sorted(tables - views), *sorted(views)]:
        wall_s, cpu_s = time.perf_counter(), time.process_time()
        if build(snapshot, [name], threads=1):
            size = shelf.path_of(folder, keys.key_of(snapshot, name)).stat().st_size
            rows.append((name, time.perf_counter() - wall_s, time.process_time() - cpu_s, size / 1e6))
    return rows


def _p(values: list[float], q: float) -> float:
    return float(np.percentile(values, q))


def _cell(runs: list[tuple[float, float, Any]], i: int) -> str:
    if not runs:
        return "-"
    if any(r[2] is None for r in runs):
        return f"> {max(r[i] for r in runs):.2f}"
    values = [r[i] for r in runs]
    return f"{_p(values, 50):.2f} / {_p(values, 95):.2f}"


def report(database: Path, folder: Path, runs: int, n_cold: int, limit_s: float) -> None:
    """Measure and print."""
    cache = str(folder / "cache")
    os.environ["MOTIFDB_CACHE"] = cache
    started = time.perf_counter(), time.process_time()
    write_parquet(database, folder)
    parquet = time.perf_counter() - started[0], time.process_time() - started[1]
    names = list(questions())
    first: Timed = {}
    cold: dict[str, Timed] = {"ours": {}, "parquet": {}}
    warm: dict[str, Timed] = {"ours": {}, "parquet": {}}
    sides = (("ours", database), ("parquet", folder))
    for name in names:
        first |= ask("ours", database, [name], 1, limit_s, "off")
    built = make_copies(database)
    for name in names:
        for kind, _ in sides:
            cold[kind][name], warm[kind][name] = [], []
        for _ in range(n_cold):
            for kind, place in sides:
                taken = ask(kind, place, [name], runs + 1, limit_s, cache)[name]
                cold[kind][name].append(taken[0])
                warm[kind][name] += taken[1:] or taken
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, Python {platform.python_version()},"
    )
    print(f"{n_cold} cold runs, {runs} warm ones after each; p50 / p95, 2 threads.\n")
    for i, what in ((0, "Wall seconds"), (1, "CPU seconds")):
        print(f"{what}:\n")
        print(
            "| statement | first, no copies | cold | cold Parquet | warm | warm Parquet | cold ratio | warm ratio |"
        )
        print("|---|---|---|---|---|---|---|---|")
        for name in names:
            cells = [first[name], *(t[k][name] for t in (cold, warm) for k in ("ours", "parquet"))]
            ratios = []
            for timed in (cold, warm):
                ours, theirs = ([r[i] for r in timed[k][name]] for k in ("ours", "parquet"))
                sign = "< " if timed["parquet"][name][-1][2] is None else ""
                ratios.append(f"{sign}{_p(ours, 50) / _p(theirs, 50):.2f}")
            print(f"| {name} | {' | '.join(_cell(s, i) for s in cells)} | {' | '.join(ratios)} |")
        print()
    print("| copy | wall s | CPU s | MB |\n|---|---|---|---|")
    for copy in built:
        print(f"| {copy[0]} | {copy[1]:.1f} | {copy[2]:.1f} | {copy[3]:.0f} |")
    size = sum(p.stat().st_size for p in folder.glob("*.parquet")) / 1e6
    print(f"| all as Parquet | {parquet[0]:.1f} | {parquet[1]:.1f} | {size:.0f} |\n")
    different = [
        n for n in names
        if len({json.dumps(r[2]) for r in (*first[n], *cold["ours"][n], *cold["parquet"][n]) if r[2] is not None}) > 1
    ]  # fmt: skip
    print("All answers agree." if not different else f"ANSWERS DIFFER: {', '.join(different)}")
    sys.exit(bool(different))


def main() -> None:
    """Measure, or be the child that is measured."""
    if sys.argv[1:2] == ["--child"]:
        kind, place, names, runs, limit_s = sys.argv[2:]
        child(kind, place, json.loads(names), int(runs), float(limit_s))
        return
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("database", type=Path, nargs="?")
    parser.add_argument(
        "--occurrences", type=int, default=10_000_000, help="of the database that is made where none is given"
    )
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--cold", type=int, default=2)
    parser.add_argument("--limit-s", type=float, default=60.0)
    parser.add_argument("--folder", type=Path, help="for Parquet files and copies; default: a temporary one")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = given.folder or Path(place)
        folder.mkdir(parents=True, exist_ok=True)
        database = given.database
        if database is None:
            from occurrences import make

            database = folder / "big.motifdb"
            make(database, given.occurrences)
        report(database, folder, given.runs, given.cold, given.limit_s)


if __name__ == "__main__":
    main()
