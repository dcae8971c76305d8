"""How often does noise pass for a motif? Surrogates of real recordings, mined and judged like recordings.

For every recording of a mining database a Markov chain is fitted (order by BIC) and phrases of the same lengths are
drawn from it. Each surrogate is mined (contiguous, at least 3 occurrences, occurrence-closed), judged by
`motifdb.kernels.significance.assess` with a chain fitted anew on the surrogate itself, and searched for any motif at
q < 0.05. Printed: the share of surrogate recordings and of surrogate databases with a call, with Clopper-Pearson intervals,
and CPU seconds of significance a recording, on the surrogates and on the real recordings.

    python benchmarks/significance.py shared/reference/mining/db/c10            # 200 surrogate databases
    python benchmarks/significance.py shared/reference/mining/db/c10 --quick    # 20
"""

from __future__ import annotations

import argparse
import gzip
import math
import platform
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from motifdb.kernels.markov import fit, sample
from motifdb.kernels.q_values import benjamini_hochberg
from motifdb.kernels.significance import Significance, assess
from motifdb.mining.arrays import mine

Recording = tuple[NDArray[np.int8], NDArray[np.int64]]


def read(stem: Path) -> list[Recording]:
    """Read `<stem>.txt.gz` (SPMF text) and `<stem>.songs.txt.gz`; one entry a recording."""
    with gzip.open(f"{stem}.txt.gz", "rt") as lines:
        phrases = [[int(x) for x in line.split() if int(x) > 0] for line in lines]
    with gzip.open(f"{stem}.songs.txt.gz", "rt") as lines:
        songs = [int(line) for line in lines]
    out = []
    for song in sorted(set(songs)):
        mine_ = [p for p, s in zip(phrases, songs, strict=True) if s == song]
        offsets = np.cumsum([0] + [len(p) for p in mine_]).astype(np.int64)
        out.append((np.array([a for p in mine_ for a in p], np.int8), offsets))
    return out


def judge(
    recording: Recording, max_length: int, given_occurrence: bool = False
) -> tuple[Significance, int, float]:
    """Mine and assess one recording; also the number of tests and the CPU seconds of the assessment."""
    symbols, offsets = recording
    found = mine(symbols, offsets, min_support=3, max_length=max_length, want_occurrences=False)
    assert found.n_distinct is not None
    patterns = found.patterns
    start_s = time.process_time()
    result = assess(
        symbols,
        offsets,
        patterns,
        found.pattern_offsets,
        found.occurrences,
        found.support_sequences,
        max_gap=0,
        support="occurrences",
        n_tested=found.n_distinct,
        given_occurrence=given_occurrence,
    )
    return result, found.n_distinct, time.process_time() - start_s


def interval(n_called: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """Clopper-Pearson interval, by bisection on the binomial tail."""

    def at_least(k: int, p: float) -> float:
        if p in (0.0, 1.0):
            return float(k <= n * p)
        logs = [
            math.lgamma(n + 1)
            - math.lgamma(i + 1)
            - math.lgamma(n - i + 1)
            + i * math.log(p)
            + (n - i) * math.log1p(-p)
            for i in range(k, n + 1)
        ]
        return math.fsum(math.exp(x) for x in logs)

    def solve(k: int, target: float) -> float:
        low, high = 0.0, 1.0
        for _ in range(60):
            middle = (low + high) / 2
            low, high = (middle, high) if at_least(k, middle) < target else (low, middle)
        return low

    tail = (1 - level) / 2
    lower = solve(n_called, tail) if n_called else 0.0
    upper = solve(n_called + 1, 1 - tail) if n_called < n else 1.0
    return lower, upper


def row(name: str, n_called: int, n: int) -> str:
    low, high = interval(n_called, n)
    return (
        f"| {name} | {n_called} of {n} | {100 * n_called / n:.1f} % | {100 * low:.1f} to {100 * high:.1f} % |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("database", type=Path, help="stem of a mining database in SPMF text form")
    parser.add_argument("--databases", type=int, default=200, help="surrogate databases")
    parser.add_argument("--quick", action="store_true", help="20 databases")
    parser.add_argument("--q", type=float, default=0.05)
    parser.add_argument("--max-length", type=int, default=40)
    parser.add_argument("--given-occurrence", action="store_true", help="q from P(count >= c | it occurs)")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    n_databases = 20 if options.quick else options.databases
    recordings = read(options.database)
    chains = [fit(*r) for r in recordings]
    judge(recordings[0], options.max_length)  # compiles

    real = [judge(r, options.max_length, options.given_occurrence) for r in recordings]
    rng = np.random.default_rng(options.seed)
    called_recordings = called_databases = called_pooled = n_motifs = n_changed = 0
    surrogate_cpu_s = 0.0
    for _ in range(n_databases):
        any_called = False
        log_p, n_tested = [], 0
        for chain, (_, offsets) in zip(chains, recordings, strict=True):
            result, m, cpu_s = judge(
                (sample(chain, offsets, rng), offsets), options.max_length, options.given_occurrence
            )
            surrogate_cpu_s += cpu_s
            log_p.append(result.log10_p * math.log(10))
            n_tested += m
            n_motifs += result.log10_p.size
            n_changed += result.null_order != chain.order
            is_called = bool((result.q_value < options.q).any())
            called_recordings += is_called
            any_called |= is_called
        called_databases += any_called
        called_pooled += bool((benjamini_hochberg(np.concatenate(log_p), n_tested) < options.q).any())
    n_surrogates = n_databases * len(recordings)

    print(
        f"{options.database.name}, {platform.machine()}, one core, seed {options.seed}, lengths 1 to {options.max_length}\n"
    )
    print(
        f"| surrogates with a motif at q < {options.q} | called | share | 95 % interval |\n|---|---|---|---|"
    )
    print(row("recordings", called_recordings, n_surrogates))
    print(row("databases, corrected over all their recordings together", called_pooled, n_databases))
    print(
        row(
            f"databases, any of {len(recordings)} recordings corrected each on its own",
            called_databases,
            n_databases,
        )
    )
    print("\n| recordings | motifs each | significance, CPU s each | motifs at q < 0.05 |\n|---|---|---|---|")
    n_real = sum(r.log10_p.size for r, _, _ in real)
    n_significant = sum(int((r.q_value < options.q).sum()) for r, _, _ in real)
    print(
        f"| {len(recordings)} real | {n_real / len(recordings):.0f} | {sum(s for _, _, s in real) / len(recordings):.3f} "
        f"| {n_significant} of {n_real} |"
    )
    print(
        f"| {n_surrogates} surrogates | {n_motifs / n_surrogates:.0f} | {surrogate_cpu_s / n_surrogates:.3f} | |"
    )
    print(f"\nBIC chose another order on {n_changed} of {n_surrogates} surrogates.")


if __name__ == "__main__":
    main()
