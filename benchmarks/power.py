"""Which planted motifs are called? The power of mining and its q-values on Markov surrogates of real recordings.

For every recording of a mining database a Markov chain is fitted (order by BIC) and phrases of the same lengths are drawn
from it: a surrogate has no motif but by chance. A motif as the chain writes them, which the surrogate has not, is planted
in it a stated number of times, and the surrogate is mined and judged as ingest does (contiguous, at least 3 occurrences,
unless --min-support says otherwise; the chain is fitted anew). Printed: for each length and number of planted
occurrences, the share of motifs called at q < 0.05 with Wilson's 95 % interval, their median information in bits, and
the share of the other calls. The same as a picture.

    python benchmarks/power.py PATH/TO/c10 -o power.png
    python benchmarks/power.py PATH/TO/c10 --quick
"""

from __future__ import annotations

import argparse
import gzip
import os
import platform
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from motifdb.config import MiningConfig
from motifdb.kernels import planting as kernels
from motifdb.kernels.markov import MarkovChain, fit
from motifdb.pipelines.motif_rows import PhraseColumns, contour_text
from motifdb.pipelines.planting import mined, plant, score
from motifdb.pipelines.selftest import surrogate_of
from motifdb.pipelines.selftest_cells import Cell, Trial, cell, curves
from motifdb.plots.shares import plot_recall

PLANTED = (2, 3, 4, 5, 6, 8, 10, 14, 20)
LENGTHS = (4, 6, 8, 12)


def read(stem: Path) -> list[PhraseColumns]:
    """Read `<stem>.txt.gz` (SPMF text) and `<stem>.songs.txt.gz`; one entry a recording, every segment a second long."""
    with gzip.open(f"{stem}.txt.gz", "rt") as lines:
        phrases = [[int(x) for x in line.split() if int(x) > 0] for line in lines]
    with gzip.open(f"{stem}.songs.txt.gz", "rt") as lines:
        songs = [int(line) for line in lines]
    out = []
    for song in sorted(set(songs)):
        own = [p for p, s in zip(phrases, songs, strict=True) if s == song]
        offsets = np.cumsum([0] + [len(p) for p in own]).astype(np.int64)
        start_s = np.arange(int(offsets[-1]) + len(own), dtype=np.float64)
        out.append(
            PhraseColumns(
                [str(song)],
                np.zeros(len(own), np.int64),
                [f"{song}-{i}" for i in range(len(own))],
                np.array([a for p in own for a in p], np.int8),
                offsets,
                start_s,
                start_s + 1.0,
                np.zeros(start_s.size),
            )
        )
    return out


def trial(
    recording: PhraseColumns,
    chain: MarkovChain,
    length: int,
    planted: int,
    config: MiningConfig,
    key: list[int],
) -> Trial | None:
    """Plant one motif in a fresh surrogate; None where there is no room, or no motif that it has not."""
    if kernels.most_places(np.diff(recording.offsets), length) < planted:
        return None
    rng = np.random.default_rng(key)
    surrogate = surrogate_of(recording, chain, rng)
    motif = kernels.draw_motif(chain, length, surrogate.symbols, surrogate.offsets, rng)
    if motif is None:
        return None
    copy, places = plant(surrogate, motif, planted, rng)
    got = score(mined(copy, config), places, ())
    bits = kernels.information_bits(chain, recording.offsets, motif)
    return Trial(length, planted, recording.recordings[0], contour_text(motif), bits, False, got, got)


def row(c: Cell) -> str:
    precision = "-" if c.precision != c.precision else f"{c.precision:.3f}"
    return (
        f"| {c.length} | {c.bits:.1f} | {c.planted} | {c.n} | {c.recall:.2f} |"
        f" {c.recall_low:.2f} to {c.recall_high:.2f} | {c.recall_any_q:.2f} | {precision} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("database", type=Path, help="stem of a mining database in SPMF text form")
    parser.add_argument("--motifs", type=int, default=4, help="motifs for each recording, length and number")
    parser.add_argument("--quick", action="store_true", help="1 motif")
    parser.add_argument("--min-support", type=int, default=2, help="occurrences that make a pattern a motif")
    parser.add_argument("--max-length", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--output", "-o", type=Path, default=Path("power.png"), help="picture")
    options = parser.parse_args()
    recordings = read(options.database)
    chains = [fit(r.symbols, r.offsets) for r in recordings]
    config = MiningConfig(min_support=options.min_support, max_length=options.max_length)
    mined(recordings[0], config)  # compiles
    n_motifs = 1 if options.quick else options.motifs
    tasks = [
        (r, length, planted, k)
        for length in LENGTHS
        for planted in PLANTED
        for r in range(len(recordings))
        for k in range(n_motifs)
    ]
    start_s, start_cpu_s = time.monotonic(), time.process_time()
    with ThreadPoolExecutor(options.workers) as pool:
        made = pool.map(
            lambda t: trial(recordings[t[0]], chains[t[0]], t[1], t[2], config, [options.seed, *t]), tasks
        )
        trials = [t for t in made if t is not None]
    cpu_s, wall_s = time.process_time() - start_cpu_s, time.monotonic() - start_s
    cells = [
        cell(
            length, planted, [t for t in trials if (t.length, t.planted) == (length, planted)], 0, has_q=True
        )
        for length in LENGTHS
        for planted in PLANTED
    ]
    sizes = sorted(r.symbols.size for r in recordings)
    print(
        f"{options.database.name}: surrogates of {len(recordings)} recordings of {sizes[0]} to {sizes[-1]} symbols, at least"
        f" {config.min_support} occurrences, lengths 1 to {config.max_length}, seed {options.seed}; {len(trials)} motifs, {platform.machine()},"
        f" {cpu_s:.0f} CPU s, {wall_s:.0f} s with {options.workers} workers\n"
    )
    print(
        "| symbols | bits | planted | motifs | called at q < 0.05 | 95 % interval | found at any q | right calls |"
    )
    print("|---|---|---|---|---|---|---|---|")
    print("\n".join(row(c) for c in cells))
    title = f"Motifs planted in Markov surrogates of {options.database.name}, at least {config.min_support} occurrences"
    plot_recall(curves(cells), options.output, title=title, what="called at q < 0.05")
    print(f"\n-> {options.output}")


if __name__ == "__main__":
    main()
