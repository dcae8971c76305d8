"""How near groups of melodic variants come to an expert's: the table of docs/families.md.

    python benchmarks/families.py [--corpora DIR] [--hour]

Two Carnatic performances (`sancaras`) are annotated. Each row is scored by `tools/evaluate_motifs.py` beside the corpora.
Pitch is read as `motifdb ingest` reads it, with the hop that the times in the file have. Where frames of 50 ms begin on
it is chance, so families are made five times, leaving out the first 0 to 4 values of pitch; their rows are means, and the last
column has the pair F1 of each. "Chosen on the other" are families under the setting of the grid below that has the best
mean pair F1 on the other performance alone; the grid is small, the form of the algorithm was found while looking at
both (docs/families.md says how often). CPU seconds are of this process, compilation left out. `--hour` adds the time for
an hour of pitch, the three performances over and over, each time a little higher and slower so that nothing repeats
exactly. Prints Markdown.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import platform
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from contours import corpora_root
from numpy.typing import NDArray
from presets import HOP_S, OVERLAP, Performance, load_performances, load_scorer, mined_spans, pair_counts

from motifdb.config import preset
from motifdb.families import FamiliesConfig, Track, find_families
from motifdb.families.grouping import group
from motifdb.families.melody import melody_of
from motifdb.families.places import Places, places_of_seeds
from motifdb.families.seeds import seeds_between_rests
from motifdb.pipelines.inputs.f0 import read_f0
from motifdb.pipelines.inputs.sniff import HEAD_BYTES, sniff

THRESHOLDS = (0.5, 0.55, 0.6, 0.65)
BANDS = (0.02, 0.05, 0.1)
BOUNDARIES = (0.0, 0.75)
SLACKS_S = (0.7, 1.0)
N_PHASES = 5
COLUMNS = ("precision", "recall", "f1", "pair_precision", "pair_recall", "pair_f1", "groups", "occurrences")
PAIR_F1 = COLUMNS.index("pair_f1")

Groups = list[tuple[str, float, float]]


def grid() -> Iterator[FamiliesConfig]:
    """Every setting that is tried on one performance to be applied to the other."""
    for threshold, band, boundary, slack_s in itertools.product(THRESHOLDS, BANDS, BOUNDARIES, SLACKS_S):
        yield FamiliesConfig(threshold=threshold, band=band, min_boundary=boundary, slack_s=slack_s)


def phases(root: Path, performance: Performance) -> list[Track]:
    """The pitch of a performance, as ingest reads it, without its first 0, 1, 2, ... values."""
    path = root / "sancaras" / f"{performance.name}.csv"
    data = path.read_bytes()
    name = path.name.encode()
    track = read_f0(data, sniff(data[:HEAD_BYTES], name), None, name)
    return [
        Track(performance.name, track.hop_s, track.start_s + k * track.hop_s, track.f0_hz[k:])
        for k in range(N_PHASES)
    ]


def families(track: Track, config: FamiliesConfig) -> Groups:
    """Groups as the scorer reads them."""
    found = find_families([track], config)
    return [(str(k), m.start_s, m.end_s) for k, f in enumerate(found) for m in f.members]


def sweep(performance: Performance, tracks: list[Track]) -> dict[FamiliesConfig, float]:
    """Pair F1 of every setting of the grid, the mean over phases."""
    own = [sweep_phase(performance, track) for track in tracks]
    return {config: float(np.mean([scores[config] for scores in own])) for config in own[0]}


def sweep_phase(performance: Performance, track: Track) -> dict[FamiliesConfig, float]:
    """Pair F1 of every setting of the grid on one phase.

    Places come by distance, so those within a smaller threshold are the first of those within the largest: one search
    of a band serves them all.
    """
    melody = melody_of([track], FamiliesConfig())
    seeds = seeds_between_rests(melody, FamiliesConfig())
    found = {}
    for band in BANDS:
        widest = FamiliesConfig(threshold=max(THRESHOLDS), band=band)
        found[band] = list(places_of_seeds(melody, seeds, widest))
    counts: dict[bytes, tuple[int, int, NDArray[np.int64]]] = {}
    scores = {}
    for config in grid():
        places = [_within(p, config) for p in found[config.band]]
        tallies = []
        for family in group(melody, places, config):
            spans_s = np.column_stack([family.first, family.first + family.n_frames]) * config.frame_s
            spans_s += track.start_s
            key = spans_s.tobytes()
            if key not in counts:
                counts[key] = pair_counts(performance, spans_s)
            tallies.append(counts[key])
        scores[config] = _pair_f1(tallies, performance.wanted)
    return scores


def _within(places: Places, config: FamiliesConfig) -> Places:
    threshold_cents = config.threshold * places.noise_cents
    near = places.distance_cents <= threshold_cents
    return replace(
        places,
        first=places.first[near],
        distance_cents=places.distance_cents[near],
        threshold_cents=threshold_cents,
    )


def _pair_f1(tallies: list[tuple[int, int, NDArray[np.int64]]], wanted: int) -> float:
    n_pairs, n_good = sum(t[0] for t in tallies), sum(t[1] for t in tallies)
    if not n_good:
        return 0.0
    precision = n_good / n_pairs
    recall = np.unique(np.concatenate([t[2] for t in tallies])).size / wanted
    return float(2 * precision * recall / (precision + recall))


def exact_motifs(performance: Performance, name: str) -> Groups:
    """Exact contour motifs of a preset, as `motifdb ingest` finds them."""
    config = preset(name)
    groups: Groups = []
    for pattern, spans_s in mined_spans(performance.f0_hz, config.contour):
        median_s = float(np.median(spans_s[:, 1] - spans_s[:, 0]))
        if len(pattern) >= config.mining.min_length and median_s >= config.mining.min_duration_s:
            groups += [(pattern.hex(), float(a), float(b)) for a, b in spans_s]
    return groups


def windows(performance: Performance) -> Groups:
    """A window of 3 s every 3 s, all in one group."""
    n = int(performance.f0_hz.size * HOP_S / 3.0)
    return [("0", 3.0 * k, 3.0 * k + 3.0) for k in range(n)]


def stumpy_motifs(performance: Performance) -> Groups:
    """`stumpy.motifs` on cents every 50 ms, windows of 3 s, not normalised; the radius is the mean distance to the nearest.

    Rests are filled by the last note; at most 60 motifs of 2 to 20 matches.
    """
    import stumpy

    hop = 5
    f0_hz = performance.f0_hz.astype(np.float64)
    cents = np.where(f0_hz > 0, 1200 * np.log2(np.maximum(f0_hz, 1) / 440), np.nan)
    line = np.array([np.nan] * (cents.size // hop))
    for k in range(line.size):
        own = cents[k * hop : (k + 1) * hop]
        line[k] = np.median(own[~np.isnan(own)]) if np.any(~np.isnan(own)) else (line[k - 1] if k else 0.0)
    line = np.nan_to_num(line)
    m = round(3.0 / (hop * HOP_S))
    profile = stumpy.stump(line, m, normalize=False)
    near = profile[:, 0].astype(np.float64)
    _, places = stumpy.motifs(
        line, near, min_neighbors=1, max_distance=float(np.mean(near)), cutoff=np.inf, max_matches=20,
        max_motifs=60, normalize=False,
    )  # fmt: skip
    return [
        (str(k), i * hop * HOP_S, (i + m) * hop * HOP_S)
        for k, row in enumerate(places)
        for i in row.tolist()
        if i >= 0
    ]


def published(root: Path, performance: Performance) -> Groups:
    """The published system's groups."""
    with (root / "sancaras" / "published" / f"{performance.name}.csv").open(
        newline="", encoding="utf-8"
    ) as rows:
        return [(r["group"], float(r["start_s"]), float(r["end_s"])) for r in csv.DictReader(rows)]


def print_row(
    name: str,
    performances: list[Performance],
    scorer: Any,
    make: Callable[[Performance, int], Groups],
    n_phases: int = 1,
) -> None:
    """A row for each performance and one for the mean, each the mean over phases."""
    rows = np.zeros((len(performances), n_phases, len(COLUMNS) + 1))
    for i, performance in enumerate(performances):
        make(performance, 0)  # compiles
        for phase in range(n_phases):
            began = time.process_time()
            found = make(performance, phase)
            spent = time.process_time() - began
            result = scorer.score(performance.annotations, found, OVERLAP)
            rows[i, phase] = [float(result[c]) for c in COLUMNS] + [spent]
    labels = [*(p.name for p in performances), "mean"]
    for label, own in zip(labels, [*rows, rows.mean(axis=0)], strict=True):
        row = own.mean(axis=0)
        shares = " | ".join(f"{v:.3f}" for v in row[:6])
        each = " ".join(f"{v:.3f}"[1:] for v in own[:, PAIR_F1]) if n_phases > 1 else ""
        print(
            f"| {name} | {label} | {shares} | {row[6]:.0f} | {row[7]:.0f} | {row[8]:.1f} | {each} |",
            flush=True,
        )


def print_table(root: Path, performances: list[Performance], scorer: Any) -> None:
    """The table, and what was chosen."""
    tracks = {p.name: phases(root, p) for p in performances}
    scores = {p.name: sweep(p, tracks[p.name]) for p in performances}
    chosen = {}
    for performance in performances:
        other = next(p.name for p in performances if p is not performance)
        chosen[performance.name] = max(scores[other], key=lambda c: scores[other][c])
    print(
        "| system | performance | precision | recall | F1 | pair P | pair R | pair F1 | groups | occurrences | CPU s"
        " | pair F1 by phase |"
    )
    print("|---|---|" + "---|" * 10)
    made = (
        ("families, chosen on the other", lambda p, k: families(tracks[p.name][k], chosen[p.name])),
        ("families, shipped default", lambda p, k: families(tracks[p.name][k], FamiliesConfig())),
    )
    for name, make in made:
        print_row(name, performances, scorer, make, N_PHASES)
    print_row("published system", performances, scorer, lambda p, _: published(root, p))
    print_row("exact motifs, default", performances, scorer, lambda p, _: exact_motifs(p, "default"))
    print_row("exact motifs, style-2021", performances, scorer, lambda p, _: exact_motifs(p, "style-2021"))
    print_row("windows of 3 s", performances, scorer, lambda p, _: windows(p))
    print_row("stumpy, 3 s", performances, scorer, lambda p, _: stumpy_motifs(p))
    print(f"\n{sum(1 for _ in grid())} settings in the grid.")
    for performance in performances:
        c = chosen[performance.name]
        own = scores[performance.name]
        print(
            f"\nFor {performance.name}: threshold {c.threshold:g}, band {c.band:g},"
            f" boundary {c.min_boundary:g}, slack {c.slack_s:g} s; {own[c]:.3f} there, the grid's best on"
            f" itself {max(own.values()):.3f}, its median {np.median(list(own.values())):.3f}."
        )
    best = max(grid(), key=lambda c: sum(s[c] for s in scores.values()))
    print(f"\nBest of the grid on both: {np.mean([s[best] for s in scores.values()]):.3f}, {best}")


def print_hour(root: Path) -> None:
    """CPU seconds for growing scopes of one recording each."""
    paths = sorted((root / "sancaras").glob("*.csv"))
    tracks = [np.loadtxt(p, delimiter=",", skiprows=1)[:, 1] for p in paths if p.name != "manifest.csv"]
    rng = np.random.default_rng(1)
    whole, n = [], 0
    while n < 3600 / HOP_S:
        for f0_hz in tracks:
            slower = np.arange(0, f0_hz.size, rng.uniform(0.8, 1.0)).astype(np.int64)
            whole.append(f0_hz[slower] * 2 ** rng.uniform(-0.5, 0.5))
            n += slower.size
    line = np.concatenate(whole).astype(np.float32)
    print("\n| minutes in one scope | families | CPU s |\n|---|---|---|")
    for minutes in (7.5, 15, 30, 60):
        began = time.process_time()
        found = find_families([Track("hour", HOP_S, 0.0, line[: int(minutes * 60 / HOP_S)])])
        print(f"| {minutes:g} | {len(found)} | {time.process_time() - began:.1f} |", flush=True)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--corpora", type=Path, default=corpora_root())
    parser.add_argument("--hour", action="store_true", help="add the time for an hour of pitch")
    args = parser.parse_args()
    if not (args.corpora / "sancaras" / "annotations").is_dir():
        raise SystemExit(
            f"there is no corpus sancaras in {args.corpora}; name the folder of corpora with --corpora"
        )
    print(f"{platform.machine()}, Python {platform.python_version()}, one core\n", file=sys.stdout)
    scorer = load_scorer(args.corpora)
    print_table(args.corpora, load_performances(args.corpora, scorer), scorer)
    if args.hour:
        print_hour(args.corpora)


if __name__ == "__main__":
    main()
