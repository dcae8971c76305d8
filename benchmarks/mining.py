"""The miner on the reference databases: the sets it returns, how long it takes, and the established programs beside it.

    python benchmarks/mining.py [--reference DIR] [--runs N] [--heavy] [--spmf spmf.jar]

Each row is a process of its own: least CPU time of N runs after one to warm up, compilation (first run less best) and
reading apart, greatest resident memory. A set is the agreed one where the sha256 of its text is. Published figures are
those of the reference's README. With --spmf the SPMF programs run on the same machine in the same call, and so does Seq2Pat
where it is installed; their CPU time is that of the whole process. --heavy adds what takes more than about a second a run.
Prints Markdown; ends with status 1 where a set is not the agreed one.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import importlib
import importlib.util
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from mining_rows import (
    HEAVY,
    LIGHT,
    MUST,
    NOT_SHIPPED,
    PUBLISHED,
    SONGS,
    STRETCH_MB,
    STRETCH_S,
    TEN_MILLION_S,
    Row,
)
from numpy.typing import NDArray

from motifdb.mining.arrays import mine
from motifdb.mining.mined import Mined

Database = tuple[NDArray[np.int8], NDArray[np.int64], NDArray[np.int64]]


# What a child process does


def reference_root() -> Path:
    """`mining` in the folder `reference` beside that of the corpora, `MOTIFDB_CORPORA` or `shared/data` beside the checkout."""
    named = os.environ.get("MOTIFDB_CORPORA")
    corpora = Path(named) if named else Path(__file__).resolve().parents[2] / "shared" / "data"
    return corpora.parent / "reference" / "mining"


def read(folder: Path, name: str) -> Database:
    """Symbols, offsets and the recording of each sequence (one each where the database has none)."""
    with gzip.open(folder / "db" / f"{name}.txt.gz", "rt") as text:
        numbers = np.array(text.read().split(), np.int64)
    is_end = numbers == -2
    symbols = numbers[numbers > 0]
    offsets = np.concatenate([[0], np.cumsum(numbers > 0)[is_end]])
    songs = folder / "db" / f"{name}.songs.txt.gz"
    groups = np.arange(len(offsets) - 1)
    if songs.exists():
        groups = np.array(gzip.decompress(songs.read_bytes()).split(), np.int64)
    return symbols.astype(np.int8), offsets, groups


def tiled(database: Database, copies: int) -> Database:
    """The database several times over, each copy with recordings of its own."""
    symbols, offsets, groups = database
    shift = np.arange(copies)[:, None]
    return (
        np.tile(symbols, copies),
        np.concatenate([[0], (offsets[1:] + shift * len(symbols)).ravel()]),
        (groups + shift * (groups.max() + 1)).ravel(),
    )


def random_database(n_symbols: int, sequence_length: int = 312) -> Database:
    """Uniform over eight symbols, cut into sequences as long as those of t200."""
    symbols = np.random.default_rng(1).integers(1, 9, n_symbols).astype(np.int8)
    offsets = np.append(np.arange(0, n_symbols, sequence_length), n_symbols)
    return symbols, offsets, np.arange(len(offsets) - 1) // 9


def lines(found: Mined, with_occurrences: bool) -> Iterator[str]:
    """The patterns as the agreed sets write them."""
    for k in range(len(found)):
        line = f"{' '.join(map(str, found.pattern(k).tolist()))} #SUP: {found.support_sequences[k]}"
        yield line + (f" #OCC: {found.occurrences[k]}\n" if with_occurrences else "\n")


def song_lines(parts: list[tuple[int, Mined]]) -> Iterator[str]:
    for recording, found in parts:
        for k in range(len(found)):
            symbols = " ".join(map(str, found.pattern(k).tolist()))
            yield f"{recording}\t{symbols} #OCC: {found.occurrences[k]}\n"


def mine_songs(database: Database) -> list[tuple[int, Mined]]:
    """Each recording on its own: what is repeated three times in it."""
    symbols, offsets, groups = database
    parts = []
    for recording in np.unique(groups):
        own = np.flatnonzero(groups == recording)
        begin, end = offsets[own[0]], offsets[own[-1] + 1]
        bounds = offsets[own[0] : own[-1] + 2] - begin
        parts.append((int(recording), mine(symbols[begin:end], bounds, min_support=3)))
    return parts


def measure(task: dict[str, Any]) -> dict[str, Any]:
    """Times in seconds, memory in MB (before: without what mining took), patterns and the sha256 of their text."""
    start = time.process_time()
    if task["db"] == "random":
        database = random_database(task["copies"])
    else:
        database = tiled(read(Path(task["reference"]), task["db"]), task["copies"])
    read_s = time.process_time() - start
    symbols, offsets, groups = database
    before_mb = resident_mb()

    def run() -> Any:
        if task["support"] == SONGS:
            return mine_songs(database)
        how = {"workers": task["workers"]} if task["workers"] > 1 else {}
        return mine(
            symbols,
            offsets,
            groups,
            max_gap=task["gap"],
            min_support=task["support"],
            support="sequences",
            want_occurrences=False,
            want_counts=task["gap"] == 0,
            **how,
        )

    times, walls = [], []
    found: Any = None
    for _ in range(task["runs"] + 1):
        found = None  # one result at a time in memory
        wall, start = time.perf_counter(), time.process_time()
        found = run()
        times.append(time.process_time() - start)
        walls.append(time.perf_counter() - wall)
    peak_mb = resident_mb()
    is_songs = task["support"] == SONGS
    text = song_lines(found) if is_songs else lines(found, task["gap"] == 0)
    sha = hashlib.sha256()
    for line in text if task["hash"] else ():
        sha.update(line.encode())
    return {
        "n_symbols": len(symbols),
        "n": sum(len(part) for _, part in found) if is_songs else len(found),
        "read_s": read_s,
        "jit_s": max(0.0, times[0] - min(times[1:])),
        "cpu_s": min(times[1:]),
        "wall_s": min(walls[1:]),
        "before_mb": before_mb,
        "peak_mb": peak_mb,
        "sha256": sha.hexdigest(),
    }


def resident_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def seq2pat(task: dict[str, Any]) -> int:
    """Patterns Seq2Pat counts: all frequent ones of two symbols or more."""
    library = importlib.import_module("sequential.seq2pat")
    symbols, offsets, _ = read(Path(task["reference"]), task["db"])
    sequences = [s.tolist() for s in np.split(symbols, offsets[1:-1])]
    miner = library.Seq2Pat(sequences=sequences, max_span=None)
    if task["gap"] is not None:
        place = library.Attribute(values=[list(range(1, len(s) + 1)) for s in sequences])
        miner.add_constraint(place.gap() <= task["gap"] + 1)
    return len(miner.get_patterns(min_frequency=task["support"]))


# What starts them and prints


def in_child(arguments: argparse.Namespace, what: str = "measure", **task: Any) -> dict[str, Any]:
    """Measure in a fresh process."""
    task = {"copies": 1, "workers": 1, "runs": arguments.runs, "hash": False, **task}
    task["reference"] = str(arguments.reference)
    done = subprocess.run(
        [sys.executable, __file__, f"--{what}", json.dumps(task)], stdout=subprocess.PIPE, text=True
    )
    if done.returncode:
        sys.exit(f"the process that measures {task} ended with status {done.returncode}")
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def as_gap(gap: int | None) -> str:
    return "inf" if gap is None else str(gap)


def expected_sha(reference: Path, row: Row) -> str:
    """sha256 of the agreed set, whole or its first digits."""
    db, gap, support = row
    if row in NOT_SHIPPED:
        return NOT_SHIPPED[row]
    index = json.loads((reference / "expected" / "index.json").read_text())
    name = f"{db}.song3.occ_closed" if support == SONGS else f"{db}.gap{as_gap(gap)}.sup{support}.closed"
    sha: str = index[f"{name}.txt"]["sha256"]
    return sha


def print_sets(arguments: argparse.Namespace, rows: list[Row]) -> int:
    """The table of agreed sets; how many are not returned as agreed."""
    print("## Agreed sets\n")
    print(
        "| db | gap | least support | patterns | CPU s | compiling s | reading s | peak MB (before mining) "
        "| published CPU s (times ours) | must | stretch | agreed set |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|---|---|")
    n_wrong = 0
    for row in rows:
        db, gap, support = row
        got = in_child(arguments, db=db, gap=gap, support=support, hash=True)
        is_same = got["sha256"].startswith(expected_sha(arguments.reference, row))
        n_wrong += not is_same
        cpu_s = got["cpu_s"]
        published = PUBLISHED.get(row, {})
        peers = ", ".join(f"{name} {s:g} ({s / cpu_s:.0f}x)" for name, s in published.items())
        musts = [
            f"{factor:g}x {name}: {verdict(published[name] / cpu_s >= factor)}"
            for name, factor in MUST.get(row, {}).items()
        ]
        stretch = ""
        if row in STRETCH_S:
            most_mb = STRETCH_MB.get(row)
            fits = cpu_s <= STRETCH_S[row] and (most_mb is None or got["peak_mb"] <= most_mb)
            memory = "" if most_mb is None else f", {most_mb:g} MB"
            stretch = f"{STRETCH_S[row]:g} s{memory}: {verdict(fits)}"
        print(
            f"| {db} | {as_gap(gap)} | {support} | {got['n']:,} | {cpu_s:.4f} | {got['jit_s']:.2f} "
            f"| {got['read_s']:.2f} | {got['peak_mb']:.0f} ({got['before_mb']:.0f}) | {peers} "
            f"| {'; '.join(musts)} | {stretch} | {'yes' if is_same else '**NO**'} |",
            flush=True,
        )
    return n_wrong


def verdict(is_met: bool) -> str:
    return "met" if is_met else "**not met**"


def print_sizes(arguments: argparse.Namespace) -> None:
    print("\n## Size of the database: gap 0, least support 2, all counts\n")
    print("| database | symbols | patterns | CPU s | ns a symbol | peak MB (before mining) | target |")
    print("|---|---|---|---|---|---|---|")
    sizes = [("t200", 1), ("t200", 2), ("t200", 4)] + ([("t200", 9)] if arguments.heavy else [])
    for db, copies in [*sizes, ("t200", 18), ("random", 10_000_000)]:
        got = in_child(arguments, db=db, copies=copies, gap=0, support=2)
        target = f"{TEN_MILLION_S:g} s: {verdict(got['cpu_s'] <= TEN_MILLION_S)}" if copies == 18 else ""
        name = "random, 8 symbols" if db == "random" else f"{db}, {copies} copies" if copies > 1 else db
        print(
            f"| {name} | {got['n_symbols']:,} | {got['n']:,} | {got['cpu_s']:.3f} "
            f"| {1e9 * got['cpu_s'] / got['n_symbols']:.0f} | {got['peak_mb']:.0f} ({got['before_mb']:.0f}) | {target} |",
            flush=True,
        )


def print_workers(arguments: argparse.Namespace) -> None:
    print("\n## Workers\n")
    print("| db | gap | least support | workers | wall s | CPU s | times as fast |")
    print("|---|---|---|---|---|---|---|")
    rows: list[tuple[str, int, int | None, int]] = [("t200", 18, 0, 2), ("c100", 1, None, 740)]
    if arguments.heavy:
        rows += [("b20", 1, 1, 20), ("c100", 1, 2, 400), ("c10", 1, None, 62)]
    for db, copies, gap, support in rows:
        alone_s = None
        for workers in (1, 2):
            got = in_child(arguments, db=db, copies=copies, gap=gap, support=support, workers=workers)
            alone_s = alone_s or got["wall_s"]
            print(
                f"| {db}{f', {copies} copies' if copies > 1 else ''} | {as_gap(gap)} | {support} | {workers} "
                f"| {got['wall_s']:.2f} | {got['cpu_s']:.2f} | {alone_s / got['wall_s']:.2f} |",
                flush=True,
            )


def print_starts(arguments: argparse.Namespace) -> None:
    """A process that mines something small, its kernels in the cache on disk."""
    print("\n## Start of a second process: import and mine c1, kernels compiled before\n")
    print("| gap | least support | wall s | CPU s | target |")
    print("|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "c1.npz"
        symbols, offsets, groups = read(arguments.reference, "c1")
        np.savez(path, symbols=symbols, offsets=offsets, groups=groups)
        for gap, support in ((0, 3), (1, 10), (None, 40)):
            script = (
                "import numpy as np; from motifdb.mining.arrays import mine\n"
                f"mine(**np.load({str(path)!r}), max_gap={gap}, min_support={support}, support='sequences')"
            )
            walls, times = [], []
            for _ in range(arguments.runs + 1):
                start = time.perf_counter()
                _, cpu_s = timed_child(partial(spawn, [sys.executable, "-c", script]))
                walls.append(time.perf_counter() - start)
                times.append(cpu_s)
            wall_s = min(walls[1:])
            print(
                f"| {as_gap(gap)} | {support} | {wall_s:.2f} | {min(times[1:]):.2f} | 1 s: {verdict(wall_s < 1)} |",
                flush=True,
            )


def print_peers(arguments: argparse.Namespace, rows: list[Row]) -> None:
    """SPMF and Seq2Pat on this machine."""
    has_seq2pat = importlib.util.find_spec("sequential") is not None
    if arguments.spmf is None and not has_seq2pat:
        print("\nNeither --spmf nor Seq2Pat: the established programs were not run here.")
        return
    print("\n## Established programs on this machine, process start included\n")
    print("| db | gap | least support | program | patterns | CPU s | ours, CPU s | times ours |")
    print("|---|---|---|---|---|---|---|---|")
    for row in rows:
        db, gap, support = row
        peers = [
            name for name in PUBLISHED.get(row, {}) if name in ("BIDE+", "CloFast", "CM-ClaSP", "CM-SPAM")
        ]
        runs: list[tuple[str, Callable[[], int]]] = [
            (name, partial(run_spmf, arguments, row, name)) for name in peers if arguments.spmf
        ]
        if has_seq2pat and "Seq2Pat" in PUBLISHED.get(row, {}):
            runs.append(("Seq2Pat", partial(run_seq2pat, arguments, row)))
        ours = in_child(arguments, db=db, gap=gap, support=support)["cpu_s"] if runs else 0.0
        for name, run in runs:
            n, cpu_s = timed_child(run)
            print(
                f"| {db} | {as_gap(gap)} | {support} | {name} | {n:,} | {cpu_s:.2f} | {ours:.4f} "
                f"| {cpu_s / ours:.0f} |",
                flush=True,
            )


def spawn(command: list[str]) -> int:
    """Run to the end; 0."""
    return subprocess.run(command, check=True, stdout=subprocess.DEVNULL).returncode


def timed_child(run: Callable[[], int]) -> tuple[int, float]:
    """What it returns, and the CPU seconds of the processes it started."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    n = run()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return n, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def run_seq2pat(arguments: argparse.Namespace, row: Row) -> int:
    """Frequent patterns of two symbols or more."""
    db, gap, support = row
    n: int = in_child(arguments, "seq2pat", db=db, gap=gap, support=support)["n"]
    return n


def run_spmf(arguments: argparse.Namespace, row: Row, algorithm: str) -> int:
    """Patterns an SPMF algorithm writes; CM-SPAM writes all frequent ones."""
    db, gap, support = row
    with tempfile.TemporaryDirectory() as folder:
        path_in, path_out = Path(folder) / "in.txt", Path(folder) / "out.txt"
        path_in.write_bytes(gzip.decompress((arguments.reference / "db" / f"{db}.txt.gz").read_bytes()))
        with path_in.open() as text:
            n_sequences = sum(1 for _ in text)
        share = repr((int(support) - 0.5) / n_sequences)
        gap_arguments = ["1", "100000", "", str(gap + 1)] if gap is not None else []
        java = ["java", "-XX:+UseSerialGC", "-Xmx3g", "-jar", str(arguments.spmf)]
        spawn([*java, "run", algorithm, str(path_in), str(path_out), share, *gap_arguments])
        with path_out.open() as text:
            return sum(1 for _ in text)


def machine() -> str:
    """Processor, cores, system and load."""
    cpuinfo = Path("/proc/cpuinfo")
    models = [
        line
        for line in (cpuinfo.read_text() if cpuinfo.exists() else "").splitlines()
        if "model name" in line
    ]
    model = models[0].partition(":")[2].strip() if models else platform.machine()
    return (
        f"{model}, {len(os.sched_getaffinity(0))} cores, {platform.system()}, Python {platform.python_version()}; "
        f"load average {os.getloadavg()[0]:.1f} at the start."
    )


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--reference", type=Path, default=reference_root())
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--heavy", action="store_true")
    parser.add_argument("--spmf", type=Path)
    for what in ("measure", "seq2pat"):
        parser.add_argument(f"--{what}", type=json.loads, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        print(json.dumps(measure(arguments.measure)))
        return
    if arguments.seq2pat:
        print(json.dumps({"n": seq2pat(arguments.seq2pat)}))
        return
    if not (arguments.reference / "db").is_dir():
        sys.exit(
            f"the mining reference is not at {arguments.reference}; give its folder (db/, expected/) with --reference"
        )
    rows = sorted(
        [*LIGHT, *(HEAVY if arguments.heavy else [])], key=lambda row: 9 if row[1] is None else row[1]
    )
    print(f"# Mining\n\n{machine()}\n")
    n_wrong = print_sets(arguments, rows)
    print_sizes(arguments)
    print_workers(arguments)
    print_starts(arguments)
    print_peers(arguments, rows)
    sys.exit(1 if n_wrong else 0)


if __name__ == "__main__":
    main()
