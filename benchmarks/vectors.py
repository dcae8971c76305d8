"""Nearest vectors: what does the index find of what comparing all finds, and what does each cost?

    python benchmarks/vectors.py [--sizes 100000 1000000] [--dims 64] [--queries 200] [--db DB --model NAME]

For each size a database is made whose table `embeddings` holds so many vectors, its index is built, and `motifdb.query.vectors.nearest`
is asked with and without it, as `motifdb search --like` does: opened anew each time. Vectors are

* clustered: 2,000 centres, in groups of 20 around 100 others, as motifs are within singers, of sizes that fall with their rank; around each
  the vectors lie within 8 directions of its own (and a little in all), so that, as with learnt ones, dimensions are not independent;
* real, where `--db` names a database with vectors of an analysis: their `--dims` principal components, repeated, with noise of 0.3
  of the distance to the nearest other vector.

Queries are drawn as the vectors are, and none is among them. Recall is the share of the exact ten nearest that are in the index's ten. Latency is wall
time of a query; CPU seconds are of all threads. Each database is searched in a process of its own, whose peak of memory is told.
Prints Markdown.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from motifdb import ids
from motifdb.catalog.store import Changes, create, open_snapshot, open_writer
from motifdb.query.vectors.index import PROBES, build_index, find_index
from motifdb.query.vectors.nearest import nearest
from motifdb.query.vectors.read import find_embeddings, vectors_of
from motifdb.schemas import ANALYSES, EMBEDDINGS

N_GROUPS, N_CENTRES, N_OWN = 100, 2_000, 8
K = 10
ROWS_AT_ONCE = 100_000
VECTORS_OF_A_RECORDING = 100
EXACT_QUERIES = 5
"""Queries that are compared with all one by one, for their latency."""

FILTERS = (0.01, 0.5)
"""Shares of the vectors that a condition leaves."""

Matrix = NDArray[np.float32]


def clustered(n: int, n_dims: int, seed: int) -> Matrix:
    """See the top of the module; the centres are the same for every seed."""
    fixed, rng = np.random.default_rng(0), np.random.default_rng(seed)
    groups = fixed.standard_normal((N_GROUPS, n_dims))
    centres = np.repeat(groups, N_CENTRES // N_GROUPS, axis=0) + 0.5 * fixed.standard_normal(
        (N_CENTRES, n_dims)
    )
    own = fixed.standard_normal((N_CENTRES, N_OWN, n_dims)) * 0.35 / np.sqrt(np.arange(1, N_OWN + 1))[:, None]
    share = 1.0 / np.arange(1, N_CENTRES + 1) ** 0.7
    at = rng.choice(N_CENTRES, n, p=share / share.sum())
    made = np.empty((n, n_dims), np.float32)
    for begin in range(0, n, ROWS_AT_ONCE):
        here = at[begin : begin + ROWS_AT_ONCE]
        weight = rng.standard_normal((len(here), N_OWN))
        noise = 0.05 * rng.standard_normal((len(here), n_dims))
        made[begin : begin + len(here)] = centres[here] + np.einsum("ij,ijk->ik", weight, own[here]) + noise
    return made


def repeated(real: Matrix, n: int, n_dims: int, seed: int) -> Matrix:
    """Real vectors along their principal axes, repeated with noise; see the top of the module."""
    rng = np.random.default_rng(seed)
    moved = real - real.mean(axis=0)
    moved = moved / np.maximum(moved.std(axis=0), 1e-9)
    _, _, axes = np.linalg.svd(moved, full_matrices=False)
    base = (moved @ axes[:n_dims].T).astype(np.float32)
    some = base[rng.choice(len(base), min(len(base), 500), replace=False)]
    apart = np.sqrt(np.maximum(((some[:, None] - some[None]) ** 2).sum(-1), 0)) + 1e9 * np.eye(len(some))
    scale = 0.3 * np.median(apart.min(axis=1)) / np.sqrt(n_dims)
    at = rng.integers(0, len(base), n)
    made: Matrix = base[at] + (scale * rng.standard_normal((n, n_dims))).astype(np.float32)
    return made


def tables(matrix: Matrix, analysis_id: str) -> Iterator[pa.Table]:
    """Rows of `embeddings`, some at a time."""
    n, n_dims = matrix.shape
    for begin in range(0, n, ROWS_AT_ONCE):
        part = matrix[begin : begin + ROWS_AT_ONCE]
        at = range(begin, begin + len(part))
        recording = [ids.hash_text(str(i // VECTORS_OF_A_RECORDING)) for i in at]
        start_s = np.arange(begin, begin + len(part)) % VECTORS_OF_A_RECORDING * 1.0
        offsets = pa.array(np.arange(len(part) + 1, dtype=np.int32) * n_dims)
        columns = {
            "embedding_id": [ids.hash_text(analysis_id, str(i)) for i in at],
            "analysis_id": [analysis_id] * len(part),
            "target": ["clip"] * len(part),
            "recording_id": recording,
            "start_s": start_s,
            "end_s": start_s + 1.0,
            "clip_id": [ids.hash_text("clip", str(i)) for i in at],
            "motif_id": pa.nulls(len(part), pa.string()),
            "vector": pa.ListArray.from_arrays(offsets, pa.array(part.reshape(-1))),
        }
        yield pa.table(
            [
                pa.array(columns[f.name], f.type)
                if not isinstance(columns[f.name], pa.Array)
                else columns[f.name]
                for f in EMBEDDINGS.schema
            ],
            schema=EMBEDDINGS.schema,
        )


def make(path: Path, matrix: Matrix) -> None:
    """A database of these vectors."""
    create(path)
    analysis_id = ids.hash_text("vectors", str(len(matrix)))
    row: dict[str, Any] = {
        "analysis_id": analysis_id, "name": "made", "kind": "embeddings", "parent_id": None,
        "parameters": ids.canonical_json({"model": "made", "target": "clip"}), "stage_version": 1, "inputs_hash": None,
        "n_inputs": None, "code_version": "-", "created_at": datetime(2024, 1, 1),
    }  # fmt: skip
    with open_writer(path) as writer:
        whole = pa.concat_tables(tables(matrix, analysis_id))
        writer.commit(
            Changes(append={"analyses": ANALYSES.table([row]), "embeddings": whole}),
            token="made",
            message="made",
        )


def peak_mb() -> float:
    """The most memory that this process has held, in MB; `getrusage` would count what the parent held too."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return float("nan")


def timed(queries: Matrix, ask: Any) -> tuple[list[list[str]], dict[str, float]]:
    """Each query's answer, and what queries cost."""
    found, wall_ms = [], []
    began_cpu_s = time.process_time()
    for query in queries:
        began_s = time.perf_counter()
        found.append(ask(query).rows.column("embedding_id").to_pylist())
        wall_ms.append(1e3 * (time.perf_counter() - began_s))
    cpu_ms = 1e3 * (time.process_time() - began_cpu_s) / len(queries)
    p50, p95 = np.percentile(wall_ms, [50, 95])
    return found, {"p50_ms": float(p50), "p95_ms": float(p95), "cpu_ms": cpu_ms}


def recall(found: list[list[str]], truth: list[list[str]]) -> float:
    """Mean share of the true ones that were found."""
    return float(np.mean([len(set(a) & set(b)) / len(b) for a, b in zip(found, truth, strict=True)]))


def built(path: Path) -> dict[str, Any]:
    """Build the index; in a process of its own."""
    snapshot = open_snapshot(path)
    began_cpu_s, began_s = time.process_time(), time.perf_counter()
    index = build_index(snapshot)
    return {
        "cpu_s": time.process_time() - began_cpu_s, "wall_s": time.perf_counter() - began_s, "peak_mb": peak_mb(),
        "mb": index.n_bytes / 1e6, "partitions": index.header["n_partitions"], "kind": index.header["kind"],
    }  # fmt: skip


def searched(path: Path, queries: Matrix) -> dict[str, Any]:
    """Ask with the index, and with filters; in a process of its own."""
    snapshot = open_snapshot(path)
    nearest(snapshot, None, queries[0], K)  # libraries are loaded by the first
    found, cost = timed(queries, lambda q: nearest(snapshot, None, q, K))
    answer: dict[str, Any] = {"index": cost, "found": found, "peak_mb": peak_mb()}
    index = find_index(snapshot, find_embeddings(snapshot, None)).index
    assert index is not None
    began_cpu_s, warm = time.process_time(), []
    for query in queries:
        began_s = time.perf_counter()
        index.search(query, K)
        warm.append(1e3 * (time.perf_counter() - began_s))
    cpu_ms = 1e3 * (time.process_time() - began_cpu_s) / len(queries)
    answer["warm"] = {
        "p50_ms": float(np.median(warm)),
        "p95_ms": float(np.percentile(warm, 95)),
        "cpu_ms": cpu_ms,
    }
    for probes in (8, 64):
        some = nearest(snapshot, None, queries, K, probes=probes).rows.column("embedding_id").to_pylist()
        answer[f"probes {probes}"] = [some[i : i + K] for i in range(0, len(some), K)]
    return answer


def compared(path: Path, queries: Matrix) -> dict[str, Any]:
    """Compare all, which is the truth, and with filters; in a process of its own."""
    snapshot = open_snapshot(path)
    names = nearest(snapshot, None, queries, K, exact=True).rows.column("embedding_id").to_pylist()
    some = queries[:EXACT_QUERIES]
    _, cost = timed(some, lambda q: nearest(snapshot, None, q, K, exact=True))
    answer: dict[str, Any] = {
        "exact": cost, "truth": [names[i : i + K] for i in range(0, len(names), K)], "peak_mb": peak_mb(),
    }  # fmt: skip
    every = vectors_of(snapshot).embedding_ids
    rng = np.random.default_rng(1)
    for share in FILTERS:
        allowed = [every[i] for i in rng.choice(len(every), int(share * len(every)), replace=False)]
        truth, _ = timed(some, lambda q, a=allowed: nearest(snapshot, None, q, K, allowed=a, exact=True))
        found, cost = timed(some, lambda q, a=allowed: nearest(snapshot, None, q, K, allowed=a))
        answer[f"filter {share}"] = cost | {"recall": recall(found, truth)}
    return answer


def in_a_process(step: str, path: Path) -> dict[str, Any]:
    """One step, whose memory is its own."""
    command = [sys.executable, __file__, "--step", step, "--path", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def measured(kind: str, matrix: Matrix, queries: Matrix, folder: Path) -> dict[str, Any]:
    """Every figure of one set of vectors."""
    path = folder / "v.motifdb"
    shutil.rmtree(path, ignore_errors=True)
    make(path, matrix)
    np.save(folder / "queries.npy", queries)
    build = in_a_process("build", path)
    truth = in_a_process("exact", path)
    found = in_a_process("index", path)
    return {
        "kind": kind, "n": len(matrix), "dims": matrix.shape[1], "build": build, "exact": truth, "index": found,
        "recall": recall(found["found"], truth["truth"]),
        "recall 8": recall(found["probes 8"], truth["truth"]), "recall 64": recall(found["probes 64"], truth["truth"]),
    }  # fmt: skip


def report(rows: list[dict[str, Any]]) -> None:
    """Markdown."""
    print(
        f"\n| vectors | number | dims | recall@{K} | 8 probes | 64 probes | index p50, p95 (ms) | CPU (ms) | opened: p50 (ms) | exact p50, p95 (ms) | CPU (ms) |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    for r in rows:
        i, w, e = r["index"]["index"], r["index"]["warm"], r["exact"]["exact"]
        print(
            f"| {r['kind']} | {r['n']:,} | {r['dims']} | {r['recall']:.3f} | {r['recall 8']:.3f} | {r['recall 64']:.3f}"
            f" | {i['p50_ms']:.1f}, {i['p95_ms']:.1f} | {i['cpu_ms']:.1f} | {w['p50_ms']:.1f}"
            f" | {e['p50_ms']:.0f}, {e['p95_ms']:.0f} | {e['cpu_ms']:.0f} |"
        )
    print(
        "\n| vectors | number | index built, CPU s (wall s) | memory while built (MB) | on disk (MB) | partitions | memory of index search, exact search (MB) |"
    )
    print("|---|---|---|---|---|---|---|")
    for r in rows:
        b = r["build"]
        print(
            f"| {r['kind']} | {r['n']:,} | {b['cpu_s']:.1f} ({b['wall_s']:.1f}) | {b['peak_mb']:.0f} | {b['mb']:.0f} | {b['partitions']:,}"
            f" | {r['index']['peak_mb']:.0f}, {r['exact']['peak_mb']:.0f} |"
        )
    print("\n| vectors | number | a condition leaves | recall@10 | p50, p95 (ms) | CPU (ms) |")
    print("|---|---|---|---|---|---|")
    for r in rows:
        for share in FILTERS:
            f = r["exact"][f"filter {share}"]
            print(
                f"| {r['kind']} | {r['n']:,} | {share:.0%} | {f['recall']:.3f} | {f['p50_ms']:.0f}, {f['p95_ms']:.0f} | {f['cpu_ms']:.0f} |"
            )


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--dims", type=int, default=64)
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--db", type=Path, help="a database whose vectors are repeated with noise")
    parser.add_argument("--model", help="which of its vectors")
    parser.add_argument("--step", choices=["build", "exact", "index"], help=argparse.SUPPRESS)
    parser.add_argument("--path", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.step:
        queries = np.load(given.path.parent / "queries.npy")
        if given.step == "build":
            answer = built(given.path)
        else:
            answer = (compared if given.step == "exact" else searched)(given.path, queries)
        print(json.dumps(answer))
        return
    began_s = time.process_time() + sum(os.times()[2:4])
    rows = []
    real = None if given.db is None else vectors_of(open_snapshot(given.db), given.model).matrix
    with tempfile.TemporaryDirectory() as name:
        for n in given.sizes:
            rows.append(
                measured(
                    "clustered",
                    clustered(n, given.dims, 1),
                    clustered(given.queries, given.dims, 2),
                    Path(name),
                )
            )
            if real is not None:
                n_dims = min(given.dims, real.shape[1])
                made = repeated(real, n + given.queries, n_dims, 1)
                rows.append(measured(f"real, {len(real):,} repeated", made[:n], made[n:], Path(name)))
    print(
        f"{platform.processor() or platform.machine()}, {os.cpu_count()} CPUs; {PROBES} probes unless another number is told;"
    )
    print(f"{time.process_time() + sum(os.times()[2:4]) - began_s:.0f} CPU s in all")
    report(rows)


if __name__ == "__main__":
    main()
