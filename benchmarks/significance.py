"""How often does noise pass for a motif, and how strong must a motif be to be called?

Surrogates of real recordings are drawn from Markov chains (order by BIC), phrase lengths kept, and mined and judged like
recordings: contiguous, closed, judged by `motifdb.kernels.significance.assess` with a chain fitted anew on the surrogate itself.
A scope is the whole database (one chain for all of it) or each recording (its own chain); the count is one of occurrences,
phrases ("sequences") or recordings. For each: how many surrogates have any motif at q < 0.05, with Clopper-Pearson intervals,
for q as it is stored (p given that the pattern occurs) and for q from p as it is. Then the power: a motif of given
length planted a number of times into surrogate recordings, the share called. Last, what judging costs.

    python benchmarks/significance.py shared/reference/mining/db/c10            # 200 surrogate databases
    python benchmarks/significance.py shared/reference/mining/db/c10 --quick    # 20
    python benchmarks/significance.py shared/reference/mining/db/c10 --gap 1    # patterns with gaps as well
"""

from __future__ import annotations

import argparse
import gzip
import itertools
import math
import platform
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from motifdb.kernels.markov import fit, sample
from motifdb.kernels.q_values import benjamini_hochberg
from motifdb.kernels.significance import Support, assess
from motifdb.mining.arrays import mine

Scope = tuple[NDArray[np.int8], NDArray[np.int64], NDArray[np.int64]]
"""Symbols, offsets, recording of each phrase."""

UNITS: dict[str, tuple[Support, int]] = {
    "occurrences": ("occurrences", 3),
    "phrases": ("sequences", 3),
    "recordings": ("recordings", 2),
}
"""What is counted, and the least count."""


def read(stem: Path) -> Scope:
    """Read `<stem>.txt.gz` (SPMF text) and `<stem>.songs.txt.gz`."""
    with gzip.open(f"{stem}.txt.gz", "rt") as lines:
        phrases = [[int(x) for x in line.split() if int(x) > 0] for line in lines]
    with gzip.open(f"{stem}.songs.txt.gz", "rt") as lines:
        songs = np.array([int(line) for line in lines])
    offsets = np.cumsum([0] + [len(p) for p in phrases]).astype(np.int64)
    return np.array([a for p in phrases for a in p], np.int8), offsets, songs


def recordings_of(scope: Scope) -> list[Scope]:
    """Each recording for itself."""
    symbols, offsets, songs = scope
    out = []
    for song in np.unique(songs):
        at = np.flatnonzero(songs == song)
        pieces = [symbols[offsets[i] : offsets[i + 1]] for i in at]
        bounds = np.cumsum([0] + [len(p) for p in pieces]).astype(np.int64)
        out.append((np.concatenate(pieces), bounds, songs[at]))
    return out


@dataclass
class Verdict:
    """One scope judged: q by both rules, p given occurrence, tests, CPU seconds."""

    q: NDArray[np.float64]
    q_plain: NDArray[np.float64]
    log_p_given: NDArray[np.float64]
    n_tested: int
    cpu_s: float


def judge(
    scope: Scope, counted: str, max_length: int | None, max_gap: int | None = 0, least: int = 0
) -> Verdict:
    """Mine and assess one scope."""
    symbols, offsets, songs = scope
    support, usual = UNITS[counted]
    found = mine(
        symbols,
        offsets,
        songs,
        max_gap=max_gap,
        min_support=least or usual,
        support=support,
        max_length=max_length,
        want_occurrences=False,
    )
    start_s = time.process_time()
    result = assess(
        symbols,
        offsets,
        found.patterns,
        found.pattern_offsets,
        found.occurrences,
        found.support_sequences,
        groups=songs,
        support_recordings=found.support_groups,
        max_gap=max_gap,
        support=support,
        n_tested=found.n_distinct,
        max_length=max_length,
    )
    cpu_s = time.process_time() - start_s
    m = found.n_distinct or 0
    plain = benjamini_hochberg(result.log10_p * math.log(10), m) if m else result.q_value
    return Verdict(result.q_value, plain, result.log10_p_given * math.log(10), m, cpu_s)


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


def share(called: list[bool]) -> str:
    """Cells of one share: count, per cent, interval."""
    low, high = interval(sum(called), len(called))
    return f"{sum(called)} of {len(called)}, {100 * sum(called) / len(called):.1f} % [{100 * low:.1f} to {100 * high:.1f}]"


def false_calls(whole: Scope, n_databases: int, max_length: int | None, q: float, seed: int) -> None:
    """Print the table of surrogates with a call."""
    rng = np.random.default_rng(seed)
    parts = recordings_of(whole)
    chain, chains = fit(*whole[:2]), [fit(*p[:2]) for p in parts]
    called: dict[tuple[str, str], list[tuple[bool, bool]]] = {}

    def note(scope: str, counted: str, stored: bool, plain: bool) -> None:
        called.setdefault((scope, counted), []).append((stored, plain))

    for _ in range(n_databases):
        drawn = (sample(chain, whole[1], rng), whole[1], whole[2])
        for counted in UNITS:
            one = judge(drawn, counted, max_length)
            note("the database as one scope", counted, bool((one.q < q).any()), bool((one.q_plain < q).any()))
        each = [(sample(c, p[1], rng), p[1], p[2]) for c, p in zip(chains, parts, strict=True)]
        for counted in ("occurrences", "phrases"):
            verdicts = [judge(one, counted, max_length) for one in each]
            flags = [(bool((v.q < q).any()), bool((v.q_plain < q).any())) for v in verdicts]
            for stored, plain in flags:
                note("each recording", counted, stored, plain)
            note(
                f"any of its {len(parts)} recordings",
                counted,
                any(a for a, _ in flags),
                any(b for _, b in flags),
            )
    print(
        "| surrogates with a motif at q < "
        + f"{q} | counted | q as stored | q from p as it is |\n|---|---|---|---|"
    )
    for (scope, counted), flags in called.items():
        print(f"| {scope} | {counted} | {share([a for a, _ in flags])} | {share([b for _, b in flags])} |")


def power(whole: Scope, n_trials: int, max_length: int | None, q: float, seed: int) -> None:
    """Print the share of planted motifs that are called."""
    rng = np.random.default_rng(seed)
    parts = recordings_of(whole)
    chains = [fit(*p[:2]) for p in parts]
    print("\n| planted | " + " | ".join(f"{n} times" for n in range(3, 11)) + " |\n|---|" + 8 * "---|")
    for length in range(4, 9):
        cells = []
        for times in range(3, 11):
            both = []
            for trial in range(n_trials):
                part, chain = parts[trial % len(parts)], chains[trial % len(parts)]
                symbols = sample(chain, part[1], rng)
                motif = rng.choice(chain.alphabet, length)
                fits = [
                    i
                    for s, e in itertools.pairwise(part[1].tolist())
                    for i in range(s, e - length + 1, length)
                ]
                for at in rng.choice(fits, times, replace=False):
                    symbols[at : at + length] = motif
                both.append(called_in((symbols, *part[1:]), motif, max_length, q))
            cells.append(f"{sum(a for a, _ in both)} / {sum(b for _, b in both)}")
        print(f"| {length} symbols | " + " | ".join(cells) + " |")
    print(f"\nOf {n_trials} each: called with q as stored / with q from p as it is.")


def called_in(scope: Scope, motif: NDArray[np.int8], max_length: int | None, q: float) -> tuple[bool, bool]:
    """Whether the motif, alone, passes under either rule: the first rank's p m < q, which more calls could only help."""
    symbols, offsets, _ = scope
    windows = np.lib.stride_tricks.sliding_window_view(symbols, motif.size)
    starts = np.flatnonzero((windows == motif).all(axis=1))
    phrase = np.searchsorted(offsets, starts, side="right") - 1
    phrase = phrase[starts + motif.size <= offsets[phrase + 1]]
    m = mine(
        symbols, offsets, min_support=symbols.size, max_length=max_length, want_occurrences=False
    ).n_distinct
    assert m is not None
    one = assess(
        symbols,
        offsets,
        motif,
        np.array([0, motif.size]),
        np.array([phrase.size]),
        np.array([np.unique(phrase).size]),
        max_gap=0,
        support="occurrences",
        n_tested=m,
    )
    return bool(one.q_value[0] < q), bool(one.log10_p[0] + math.log10(m) < math.log10(q))


def with_gaps(whole: Scope, max_gap: int, least: int, n_databases: int, q: float, seed: int) -> None:
    """Print the same for patterns with gaps, counted by phrases, where m is not known."""
    rng = np.random.default_rng(seed)
    chain = fit(*whole[:2])
    real = judge(whole, "phrases", None, max_gap, least)
    called = []
    for _ in range(n_databases):
        drawn = (sample(chain, whole[1], rng), whole[1], whole[2])
        called.append(bool((judge(drawn, "phrases", None, max_gap, least).q < q).any()))
    print(
        f"\nmax_gap {max_gap}, at least {least} phrases: surrogate databases with a call {share(called)}; on the real one ",
        end="",
    )
    print(f"{int((real.q < q).sum())} of {real.q.size} motifs, {real.cpu_s:.1f} CPU s.")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("database", type=Path, help="stem of a mining database in SPMF text form")
    parser.add_argument("--databases", type=int, default=200, help="surrogate databases")
    parser.add_argument("--quick", action="store_true", help="20 databases")
    parser.add_argument("--q", type=float, default=0.05)
    parser.add_argument("--max-length", type=int, default=40, help="0: no bound")
    parser.add_argument("--trials", type=int, default=20, help="planted motifs a cell of the table of power")
    parser.add_argument("--gap", type=int, default=0, help="also patterns with this many symbols between")
    parser.add_argument("--gap-support", type=int, default=20, help="least number of phrases of these")
    parser.add_argument("--gap-databases", type=int, default=20, help="surrogate databases for these")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    n_databases = 20 if options.quick else options.databases
    max_length = options.max_length or None
    whole = read(options.database)
    parts = recordings_of(whole)
    for counted in UNITS:
        judge(parts[0], counted, max_length)  # compiles
    print(
        f"{options.database.name}, {platform.machine()}, seed {options.seed}, lengths 1 to {max_length or 'any'}\n"
    )
    print(
        "| real | counted | motifs | at q < 0.05 | with q from p as it is | CPU ms a motif |\n|---|---|---|---|---|---|"
    )
    for name, scopes, units in (
        ("the database", [whole], tuple(UNITS)),
        ("each recording", parts, ("occurrences", "phrases")),
    ):
        for counted in units:
            real = [judge(s, counted, max_length) for s in scopes]
            n = sum(v.q.size for v in real)
            n_stored, n_plain = (
                sum(int((a < options.q).sum()) for a in qs)
                for qs in ([v.q for v in real], [v.q_plain for v in real])
            )
            print(
                f"| {name} | {counted} | {n} | {n_stored} | {n_plain} | {1000 * sum(v.cpu_s for v in real) / max(n, 1):.2f} |"
            )
    print(flush=True)
    false_calls(whole, n_databases, max_length, options.q, options.seed)
    power(whole, options.trials, max_length, options.q, options.seed)
    if options.gap:
        with_gaps(whole, options.gap, options.gap_support, options.gap_databases, options.q, options.seed)


if __name__ == "__main__":
    main()
