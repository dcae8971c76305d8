"""Which contour and mining parameters find what an expert hears: the table the preset `default` is taken from.

    python benchmarks/presets.py [--corpora DIR] [--rows N]

For every quantiser setting of the grids below, the contiguous, occurrence-closed patterns that occur at least 3 times in a
recording are mined from the two annotated Carnatic performances of `sancaras`, once; then every least length and least
median duration is applied to them. A motif is a group, motifs may overlap. The figure is pair F1 as
`tools/evaluate_motifs.py` beside the corpora defines it, averaged over the two performances; that program itself
scores every printed row again, and the run stops where it disagrees. Phrases are cut as in `ContourConfig`.

Two performances are few and the settings are many, so the best of them flatters itself: the last lines say what
the setting chosen on one performance reaches on the other. Planted recall and precision are those of the demo corpus
(`motifdb demo-corpus`, seed 1, true pitch), a check that a setting finds motifs of 5 to 7 sung notes as well. Prints
Markdown.
"""

from __future__ import annotations

import argparse
import csv
import importlib.util
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from contours import corpora_root
from numpy.typing import NDArray

from motifdb.config import ContourConfig, MiningConfig, preset
from motifdb.kernels.contour import contours
from motifdb.mining.arrays import mine
from motifdb.pipelines.demo_corpus import Span, make_demo_corpus, read_truth, score_planted

HOP_S = 0.01
OVERLAP = 0.66
MEDIANS_S = (0.0, 0.1, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5)
COARSE_BOUNDS = (
    (1200.0,),
    (150.0,),
    (250.0,),
    (300.0,),
    (250.0, 450.0),
    (200.0, 400.0),
    (250.0, 400.0, 550.0),
)
EPSILONS = (66.0, 100.0, 150.0, 200.0, 250.0, 300.0)
KS = (5, 6, 7, 8, 9, 10, 12, 16, 24)
LENGTHS = (1, 2, 3, 4, 5, 6, 8, 10)
DURATIONS_S = (0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0)


def contour_grid() -> Iterator[ContourConfig]:
    """Every quantiser setting that is tried."""
    for median_s in MEDIANS_S:
        for epsilon in EPSILONS:
            for bounds in ((66.0, 132.0, 198.0), *COARSE_BOUNDS):
                yield ContourConfig(epsilon_cents=epsilon, bounds_cents=bounds, median_s=median_s)
        for k in KS:
            for bounds in ((70.0, 112.0), *COARSE_BOUNDS):
                yield ContourConfig(
                    quantiser="kmeans", k=k, kmeans_scope="recording", bounds_cents=bounds, median_s=median_s
                )


@dataclass(frozen=True)
class Performance:
    """An annotated performance; `wanted` pairs of annotations bear one label."""

    name: str
    f0_hz: NDArray[np.float32]
    annotations: list[tuple[str, float, float]]
    spans_s: NDArray[np.float64]
    labels: NDArray[np.int64]
    wanted: int


@dataclass(frozen=True)
class Motif:
    """A motif of one performance and what it adds to the pair counts; `joined` holds pairs of annotations as numbers."""

    length: int
    median_s: float
    spans_s: NDArray[np.float64]
    n_pairs: int
    n_good: int
    joined: NDArray[np.int64]


@dataclass(frozen=True)
class Setting:
    """A quantiser with a filter on its motifs, and the pair F1 it reaches on each performance."""

    contour: ContourConfig
    min_length: int
    min_duration_s: float
    pair_f1: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Mean pair F1."""
        return sum(self.pair_f1) / len(self.pair_f1)


def load_scorer(root: Path) -> Any:
    """`evaluate_motifs.py`, from the folder `tools` beside the corpora."""
    path = root.parent / "tools" / "evaluate_motifs.py"
    if not path.is_file():
        raise SystemExit(f"the scorer {path} is missing; it belongs beside the folder of corpora")
    spec = importlib.util.spec_from_file_location("evaluate_motifs", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def load_performances(root: Path, scorer: Any) -> list[Performance]:
    """The performances of sancaras that are annotated."""
    found = []
    for path in sorted((root / "sancaras" / "annotations").glob("*.csv")):
        f0_hz = np.loadtxt(root / "sancaras" / path.name, delimiter=",", skiprows=1)[:, 1].astype(np.float32)
        annotations = scorer.read(path, "label")
        labels = np.unique([a[0] for a in annotations], return_inverse=True)[1]
        sizes = np.bincount(labels)
        wanted = int((sizes * (sizes - 1) // 2).sum())
        spans_s = np.array([a[1:] for a in annotations])
        found.append(Performance(path.stem, f0_hz, annotations, spans_s, labels, wanted))
    return found


def mined_spans(
    f0_hz: NDArray[np.float32], config: ContourConfig
) -> Iterator[tuple[bytes, NDArray[np.float64]]]:
    """Pattern and (start_s, end_s) of each occurrence, of each motif of a track before any filter."""
    phrases = contours(f0_hz, None, HOP_S, 0.0, config)
    mined = mine(phrases.symbols, phrases.symbol_offsets, min_support=MiningConfig().min_support)
    first_segment = phrases.segment_offsets[mined.occurrence_sequence]
    start_s = phrases.segment_start_s[first_segment + mined.occurrence_first]
    end_s = phrases.segment_end_s[first_segment + mined.occurrence_last + 1]
    spans_s = np.column_stack([start_s, end_s])
    ends = np.cumsum(mined.occurrences)
    for k, end in enumerate(ends):
        yield mined.pattern(k).tobytes(), spans_s[end - mined.occurrences[k] : end]


def motifs_of(performance: Performance, config: ContourConfig) -> list[Motif]:
    """Motifs that the shortest duration rule lets pass, each with its pair counts."""
    motifs = []
    for pattern, spans_s in mined_spans(performance.f0_hz, config):
        median_s = float(np.median(spans_s[:, 1] - spans_s[:, 0]))
        if median_s >= min(DURATIONS_S):
            motifs.append(Motif(len(pattern), median_s, spans_s, *pair_counts(performance, spans_s)))
    return motifs


def pair_counts(performance: Performance, spans_s: NDArray[np.float64]) -> tuple[int, int, NDArray[np.int64]]:
    """Pairs of occurrences apart from each other, those of them that match one label, and the annotations joined."""
    start_s, end_s = spans_s[:, :1], spans_s[:, 1:]
    known_start_s, known_end_s = performance.spans_s[:, 0], performance.spans_s[:, 1]
    common_s = np.minimum(end_s, known_end_s) - np.maximum(start_s, known_start_s)
    enough_s = OVERLAP * np.maximum(end_s - start_s, known_end_s - known_start_s)
    is_hit = (common_s > 0) & (common_s >= enough_s)
    # occurrences are in order of time, so that those apart from x are all that start after it ends
    order = np.argsort(spans_s[:, 0], kind="stable")
    starts_s = spans_s[order, 0]
    n_pairs = int((starts_s.size - np.searchsorted(starts_s, spans_s[:, 1], side="left")).sum())
    n_good, joined = 0, []
    hits = [x for x in order if is_hit[x].any()]
    n = performance.labels.size
    for a, x in enumerate(hits):
        for y in hits[a + 1 :]:
            if min(spans_s[x, 1], spans_s[y, 1]) > max(spans_s[x, 0], spans_s[y, 0]):
                continue
            same = [
                min(i, j) * n + max(i, j)
                for i in np.flatnonzero(is_hit[x])
                for j in np.flatnonzero(is_hit[y])
                if i != j and performance.labels[i] == performance.labels[j]
            ]
            n_good += bool(same)
            joined += same
    return n_pairs, n_good, np.unique(np.array(joined, dtype=np.int64))


def pair_f1(performance: Performance, motifs: list[Motif]) -> float:
    """Pair F1 of motifs whose counts are known."""
    n_pairs, n_good = sum(m.n_pairs for m in motifs), sum(m.n_good for m in motifs)
    if n_good == 0:
        return 0.0
    recall = np.unique(np.concatenate([m.joined for m in motifs])).size / performance.wanted
    precision = n_good / n_pairs
    return float(2 * precision * recall / (precision + recall))


def sweep(performances: list[Performance], configs: list[ContourConfig]) -> list[Setting]:
    """Every setting, the best first."""
    settings = []
    for done, config in enumerate(configs, 1):
        mined = [motifs_of(p, config) for p in performances]
        for length in LENGTHS:
            for duration_s in DURATIONS_S:
                kept = [[m for m in ms if m.length >= length and m.median_s >= duration_s] for ms in mined]
                f1 = tuple(pair_f1(p, ms) for p, ms in zip(performances, kept, strict=True))
                settings.append(Setting(config, length, duration_s, f1))
        if done % 100 == 0:
            print(f"{done} of {len(configs)} quantiser settings", file=sys.stderr)
    # among equals the shortest and least filtered first
    return sorted(settings, key=lambda s: (-s.mean, s.min_length, s.min_duration_s))


class Planted:
    """The demo corpus with its true pitch."""

    def __init__(self, folder: Path) -> None:
        truth = make_demo_corpus(folder, seed=1)
        self.truth = read_truth(folder)
        with truth.manifest.open(newline="", encoding="utf-8") as rows:
            self.f0_hz = {
                row["path"]: np.loadtxt(folder / row["f0"], delimiter=",", skiprows=1)[:, 1].astype(
                    np.float32
                )
                for row in csv.DictReader(rows)
            }

    def score(self, setting: Setting) -> tuple[float, float]:
        """Recall and precision of planted motifs."""
        found: dict[str, list[Span]] = {}
        for path, f0_hz in self.f0_hz.items():
            for pattern, spans_s in mined_spans(f0_hz, setting.contour):
                is_long = np.median(spans_s[:, 1] - spans_s[:, 0]) >= setting.min_duration_s
                if is_long and len(pattern) >= setting.min_length:
                    found[f"{path} {pattern.hex()}"] = [Span(path, float(a), float(b)) for a, b in spans_s]
        return tuple(score_planted(self.truth, found))  # type: ignore[return-value]


def verify(setting: Setting, performances: list[Performance], scorer: Any) -> None:
    """Score a setting with the published program; stop where it disagrees."""
    for performance, expected in zip(performances, setting.pair_f1, strict=True):
        found = []
        for pattern, spans_s in mined_spans(performance.f0_hz, setting.contour):
            median_s = np.median(spans_s[:, 1] - spans_s[:, 0])
            if len(pattern) >= setting.min_length and median_s >= setting.min_duration_s:
                found += [(pattern, float(a), float(b)) for a, b in spans_s]
        published = scorer.score(performance.annotations, found, OVERLAP)["pair_f1"]
        if abs(published - expected) > 1e-9:
            raise SystemExit(
                f"{setting} on {performance.name}: {expected} here, {published} by the published program"
            )


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--corpora", type=Path, default=corpora_root())
    parser.add_argument("--rows", type=int, default=12, help="settings printed of each quantiser")
    args = parser.parse_args()
    if not (args.corpora / "sancaras").is_dir():
        raise SystemExit(
            f"there is no corpus sancaras in {args.corpora}; name the folder of corpora with --corpora"
        )
    scorer = load_scorer(args.corpora)
    performances = load_performances(args.corpora, scorer)
    settings = sweep(performances, list(contour_grid()))
    style = preset("style-2021")
    published = next(
        s
        for s in settings
        if (s.contour, s.min_length, s.min_duration_s)
        == (style.contour, style.mining.min_length, style.mining.min_duration_s)
    )
    with tempfile.TemporaryDirectory() as folder:
        planted = Planted(Path(folder))
        for quantiser in ("kmeans", "epsilon"):
            chosen = [s for s in settings if s.contour.quantiser == quantiser]
            print(f"\n**{quantiser}**, {len(chosen)} settings\n")
            rows = distinct(chosen)[: args.rows]
            whole = next(s for s in chosen if planted.score(s)[0] == 1.0)
            print_table([*rows, *([whole] if whole not in rows else [])], performances, planted, scorer)
        print("\n**preset style-2021**\n")
        print_table([published], performances, planted, scorer)
    print("\nIn the first two tables the last row is the best setting that finds every planted motif.")
    for k, performance in enumerate(performances):
        best = max(settings, key=lambda s: s.pair_f1[k])
        others = [p.name for p in performances if p is not performance]
        other = " ".join(
            f"{f:.3f} on {n}"
            for n, f in zip(others, [f for j, f in enumerate(best.pair_f1) if j != k], strict=True)
        )
        print(f"\nBest on {performance.name} alone ({best.pair_f1[k]:.3f}): {described(best)}; {other}.")


def distinct(settings: list[Setting]) -> list[Setting]:
    """One setting, the least filtered, of those that have the same scores with the same quantiser."""
    first: dict[tuple[ContourConfig, tuple[float, ...]], Setting] = {}
    for setting in settings:
        first.setdefault((setting.contour, setting.pair_f1), setting)
    return list(first.values())


def described(setting: Setting) -> str:
    """A setting in words."""
    c = setting.contour
    width = f"epsilon {c.epsilon_cents:g}" if c.quantiser == "epsilon" else f"k {c.k}"
    bounds = ", ".join(f"{b:g}" for b in c.bounds_cents)
    return (
        f"{c.quantiser}, {width}, median {c.median_s:g} s, bounds {bounds}, "
        f"length >= {setting.min_length}, duration >= {setting.min_duration_s:g} s"
    )


def print_table(
    settings: list[Setting], performances: list[Performance], planted: Planted, scorer: Any
) -> None:
    """Settings with their scores, each checked by the published program."""
    names = " | ".join(p.name for p in performances)
    print(f"| setting | mean pair F1 | {names} | planted recall | planted precision |")
    print("|---|---|" + "---|" * len(performances) + "---|---|")
    for s in settings:
        verify(s, performances, scorer)
        scores = " | ".join(f"{f:.3f}" for f in s.pair_f1)
        recall, precision = planted.score(s)
        print(f"| {described(s)} | {s.mean:.3f} | {scores} | {recall:.2f} | {precision:.2f} |")


if __name__ == "__main__":
    main()
