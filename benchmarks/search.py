"""Query by humming: does search find the source of a noisy, transposed, stretched excerpt, and how fast?

    python benchmarks/search.py excerpts [--queries 60] [--plain 3]
    python benchmarks/search.py growth [--hours 1 3 10 30 100] [--queries 8]
    python benchmarks/search.py renditions --work FOLDER

`excerpts`: 5 s of one of the 200 tracks of `otmm_makam`, sung 0.7 to 1.4 times as fast (by an exact resampling of
time, and on top of it a smooth wandering of the tempo of 5 %), transposed by up to 6 semitones up or down (any fraction), with a pitch
that drifts (40 cents, every 0.25 s), jitters (20 cents a frame), jumps an octave (1 % of frames) and drops out (3 %, in stretches of 30 ms).
Beside it, over the same candidates: dynamic time warping without bounds (`every_cost`, compiled too) and stumpy's mass.
`growth`: the tracks tiled to more hours; every copy is cut into stretches of 4 to 12 s in another order, each upside down, backwards or both,
transposed and stretched anew, so that no copy holds the melody of the tracks.
`renditions`: excerpts of one rendering of a work, whose other renderings must be found (`sight_singing`, `cantillation`).
Times are CPU seconds of one thread, compilation and reading left out. Prints Markdown.
"""

from __future__ import annotations

import argparse
import csv
import os
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numba
import numpy as np
from contours import HOP_S, corpora_root, real_tracks
from numpy.typing import NDArray

from motifdb.kernels.dtw import centred, every_cost, padded
from motifdb.query.search.pitch import (
    TEMPI,
    Hits,
    Place,
    Query,
    Work,
    kept,
    places,
    query_on_grid,
    search_voiced,
    tempo_steps,
)
from motifdb.query.search.voiced import Voiced, from_tracks, voiced_cents

EXCERPT_S = 5.0
LEAST_VOICED = 0.7
PLAIN_RENDITIONS = 5
"""Queries of each kind whose whole ranking is held against plain warping; where it is the same, so is every score."""
Track = tuple[str, NDArray[np.float32], float, float]


@dataclass(frozen=True)
class Excerpt:
    """A query and where it is from."""

    query: Query
    source: str
    start_s: float
    end_s: float


def excerpts(tracks: Sequence[Track], n: int, seed: int) -> Iterator[Excerpt]:
    """Sung again: see the top of the module."""
    rng = np.random.default_rng(seed)
    while n:
        name, f0_hz, hop_s, _ = tracks[rng.integers(len(tracks))]
        stretch = float(np.exp(rng.uniform(np.log(0.7), np.log(1.4))))
        n_source, n_sung = round(EXCERPT_S * stretch / hop_s), round(EXCERPT_S / hop_s)
        if f0_hz.size <= n_source:
            continue
        first = int(rng.integers(f0_hz.size - n_source))
        speed = np.repeat(1 + 0.05 * rng.normal(size=11), n_sung // 10)[:n_sung]
        at = np.cumsum(speed) / speed.sum() * (n_source - 1)
        sung = f0_hz[first + at.astype(np.int64)].copy()
        if (sung > 0).mean() < LEAST_VOICED:
            continue
        drift = np.interp(
            np.arange(n_sung) * hop_s, np.arange(0, EXCERPT_S + 0.5, 0.25), rng.normal(0, 40, 22)
        )
        octave = 1200.0 * rng.choice([0, -1, 1], n_sung, p=[0.99, 0.005, 0.005])
        cents = drift + rng.normal(0, 20, n_sung) + octave + rng.uniform(-600, 600)
        sung *= 2 ** (cents / 1200).astype(np.float32)
        dropped = rng.random(n_sung // 10 + 1) < 0.03
        sung[np.repeat(dropped, 10)[:n_sung]] = 0
        n -= 1
        query = query_on_grid(voiced_cents(sung, hop_s), hop_s)
        yield Excerpt(query, name, first * hop_s, (first + n_source) * hop_s)


def plain(voiced: Voiced, query: Query, n: int, *, once: bool = False) -> list[Place]:
    """The same search without bounds: the cost of every candidate, then the nearest."""
    pad, size = padded(centred(query.cents), query.band), query.cents.size
    found = []
    for k in tempo_steps(True):
        hop_s = query.hop_s * 2 ** (k / TEMPI)
        grid = voiced.grid(hop_s)
        for piece in range(grid.offset.size - 1):
            first, windows = (
                int(grid.offset[piece]),
                int(grid.offset[piece + 1] - grid.offset[piece]) - size + 1,
            )
            if windows < 1:
                continue
            costs = np.empty(windows, np.float32)
            every_cost(pad, query.band, grid.series, first, costs)
            begin = np.argsort(costs, kind="stable")[: 200 if not once else 1]
            spans = grid.series[first + begin[:, None] + np.arange(size)]
            mean = np.floor(spans.sum(axis=1, dtype=np.float64) / size + 0.5).astype(np.float32)
            at = np.full(begin.size, piece)
            found.append(
                Hits(costs[begin], at, begin * hop_s, (begin + size) * hop_s, np.full(begin.size, k), mean)
            )
    every = Hits(*(np.concatenate([getattr(h, f) for h in found]) for f in Hits.__dataclass_fields__))
    return places(voiced, query, kept(every, voiced.piece_recording, once, n), voiced.piece_recording)


def by_mass(voiced: Voiced, query: Query) -> list[str]:
    """Recordings by the least z-normalised Euclidean distance of stumpy's mass, over the same candidates."""
    import stumpy

    least = np.full(len(voiced.recording_ids), np.inf)
    for k in tempo_steps(True):
        grid = voiced.grid(query.hop_s * 2 ** (k / TEMPI))
        joined = np.insert(grid.series.astype(np.float64), grid.offset[1:-1], np.nan)
        distances = stumpy.mass(query.cents.astype(np.float64), joined)
        owner = np.repeat(voiced.piece_recording, np.diff(grid.offset) + 1)[: distances.size]
        np.minimum.at(least, owner, distances)
    return [voiced.recording_ids[i] for i in np.argsort(least, kind="stable")]


@numba.njit(cache=True, nogil=True)
def _free_dtw(query, series, shift):  # type: ignore[no-untyped-def]
    """Least mean difference over classic subsequence DTW (steps (1,1), (1,2), (2,1); free ends), one transposition."""
    n, m = query.size, series.size
    a, b, c = np.full(m, np.inf), np.full(m, np.inf), np.full(m, np.inf)
    for i in range(n):
        for j in range(m):
            d = abs(query[i] + shift - series[j])
            if i == 0:
                c[j] = d
                continue
            best = b[j - 1] if j else np.inf
            if j > 1:
                best = min(best, b[j - 2])
            if j and i > 1:
                best = min(best, a[j - 1] + abs(query[i - 1] + shift - series[j]))
            c[j] = best + d
        a, b, c = b, c, a
    return b.min() / n


def by_free_dtw(voiced: Voiced, query: Query) -> list[str]:
    """Recordings by classic subsequence DTW, the least over transpositions of -2400 to 2400 cents by 100."""
    grid = voiced.grid(query.hop_s)
    least = np.full(len(voiced.recording_ids), np.inf)
    for piece in range(grid.offset.size - 1):
        series = grid.series[grid.offset[piece] : grid.offset[piece + 1]]
        if series.size < query.cents.size // 2:
            continue
        owner = voiced.piece_recording[piece]
        least[owner] = min(
            least[owner], min(_free_dtw(query.cents, series, s) for s in np.arange(-2400.0, 2401, 100))
        )
    return [voiced.recording_ids[i] for i in np.argsort(least, kind="stable")]


def timed(work: Callable[[], object]) -> float:
    """CPU seconds."""
    began = time.process_time()
    work()
    return time.process_time() - began


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print Markdown."""
    print("| " + " | ".join(head) + " |\n|" + "---|" * len(head))
    for row in rows:
        print("| " + " | ".join(str(cell) for cell in row) + " |", flush=True)
    print()


def makam_tracks() -> list[Track]:
    """The 200 tracks, named by their number."""
    return [(f"{i:04}", f0_hz, HOP_S, 0.0) for i, f0_hz in enumerate(real_tracks(corpora_root()))]


def run_excerpts(n_queries: int, n_plain: int, n_mass: int, seed: int) -> None:
    """The first table."""
    tracks = makam_tracks()
    voiced = from_tracks(tracks)
    asked = list(excerpts(tracks, n_queries, seed))
    search_voiced(voiced, asked[0].query)
    found, fast_s, mass_s, work = [], [], [], Work()
    ranks: dict[str, list[int]] = {"search": [], "mass": []}
    within = 0
    for a in asked:
        began = time.process_time()
        found.append(search_voiced(voiced, a.query, n=10, work=work))
        fast_s.append(time.process_time() - began)
        names = [p.recording_id for p in found[-1]]
        ranks["search"].append(names.index(a.source) + 1 if a.source in names else 99)
        best = found[-1][0]
        within += best.recording_id == a.source and best.start_s < a.end_s and best.end_s > a.start_s
        if len(mass_s) == n_mass:
            continue
        began = time.process_time()
        by = by_mass(voiced, a.query)
        mass_s.append(time.process_time() - began)
        ranks["mass"].append(by.index(a.source) + 1)
    same, plain_s = 0, []
    for a, places_found in list(zip(asked, found, strict=True))[:n_plain]:
        began = time.process_time()
        slow = plain(voiced, a.query, 10)
        plain_s.append(time.process_time() - began)
        same += slow == places_found
    hours = voiced.hours
    print(f"{len(asked)} excerpts, {hours:.2f} voiced hours, {work.candidates:,} candidates a query\n")
    rows = []
    for name, seconds in (("search", fast_s), (f"mass (first {n_mass})", mass_s)):
        r = np.array(ranks[name.split()[0]])
        rows.append(
            [name, f"{(r == 1).mean():.3f}", f"{(r <= 5).mean():.3f}", f"{np.median(seconds) * 1e3 / hours:.1f}",
             f"{np.quantile(seconds, 0.95) * 1e3 / hours:.1f}"]
        )  # fmt: skip
    if plain_s:
        r = np.array(ranks["search"])[:n_plain]
        rows.insert(1, [f"plain DTW (first {n_plain})", f"{(r == 1).mean():.3f}", f"{(r <= 5).mean():.3f}",
                        f"{np.median(plain_s) * 1e3 / hours:.0f}", f"{max(plain_s) * 1e3 / hours:.0f}"])  # fmt: skip
    table(["", "top-1", "top-5", "ms an hour of f0, median", "p95"], rows)
    print(f"top-1 at the very place: {within / len(asked):.3f}")
    if plain_s:
        ratio = sum(plain_s) / sum(fast_s[:n_plain])
        print(
            f"plain DTW gives the same ten places in {same} of {n_plain} queries and takes {ratio:.0f} times as long\n"
        )


def tiled(tracks: Sequence[Track], hours: float, seed: int) -> Voiced:
    """The tracks, then copies of them as the top of the module says, to so many hours."""
    rng = np.random.default_rng(seed)
    out: list[Track] = []
    total_s, i = 0.0, 0
    while total_s < hours * 3600:
        name, f0_hz, hop_s, _ = tracks[i % len(tracks)]
        thin, hop_s = f0_hz[::3], hop_s * 3
        copy = i // len(tracks)
        if copy:
            cuts = np.cumsum(rng.uniform(4, 12, int(thin.size * hop_s / 4) + 1) / hop_s).astype(np.int64)
            parts = [p for p in np.split(thin, cuts[cuts < thin.size]) if p.size]
            thin = np.concatenate([_other(parts[k], rng) for k in rng.permutation(len(parts))])
        out.append((f"{copy:03}-{name}", thin, hop_s, 0.0))
        total_s += thin.size * hop_s
        i += 1
    return from_tracks(out)


def _other(part: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """A stretch at another tempo and height, and upside down, backwards or both."""
    at = np.arange(0, part.size - 1, rng.uniform(0.8, 1.25)).astype(np.int64)
    voiced = part[at] > 0
    cents = 1200 * np.log2(np.where(voiced, part[at], 220.0) / 220.0)
    how = rng.integers(3)
    cents = (cents if how == 0 else 1200 - cents) + rng.uniform(-300, 300)
    other = np.where(voiced, 220 * 2 ** (cents / 1200), 0).astype(np.float32)
    return other if how == 1 else other[::-1]


def run_growth(hours: Sequence[float], n_queries: int, seed: int) -> None:
    """The table of growth."""
    tracks = makam_tracks()
    rows = []
    for h in hours:
        corpus = tracks[: max(1, round(len(tracks) * h / 10.5))] if h < 10 else tracks
        voiced = tiled(corpus, h, seed)
        asked = list(excerpts(corpus, n_queries, seed))
        search_voiced(voiced, asked[0].query)
        work, seconds, right, candidates, warped = Work(), [], 0, 0, 0
        for a in asked:
            began = time.process_time()
            found = search_voiced(voiced, a.query, n=10, work=work)
            seconds.append(time.process_time() - began)
            right += found[0].recording_id == f"000-{a.source}"
            candidates, warped = candidates + work.candidates, warped + work.within_envelope
        rows.append([f"{h:g}", f"{voiced.hours:.1f}", f"{candidates / n_queries:,.0f}", f"{warped / candidates:.2%}",
                     f"{np.median(seconds) * 1e3:.0f}", f"{np.median(seconds) * 1e3 / voiced.hours:.1f}",
                     f"{right}/{n_queries}"])  # fmt: skip
        del voiced
    table(
        ["hours", "of them voiced", "candidates", "warped", "ms a query, median", "ms an hour", "top-1"], rows
    )


def tracked_folder(name: str, work: Path) -> dict[str, tuple[dict[str, str], Track]]:
    """Rows of a corpus's manifest and the pitch of their files by the default tracker; kept in `work`."""
    from motifdb.config import preset
    from motifdb.pipelines.humming import tracked

    root = corpora_root() / name
    work.mkdir(parents=True, exist_ok=True)
    out = {}
    with open(root / "manifest.csv", newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            held = work / (
                name + "-" + row["path"].replace("/", "-") + f".{preset('default').pitch.tracker}.npz"
            )
            if not held.exists():
                track = tracked(root / row["path"], longest_s=3600)
                np.savez(held, f0_hz=track.f0_hz, hop_s=track.hop_s)
            stored = np.load(held)
            out[row["path"]] = (row, (row["path"], stored["f0_hz"], float(stored["hop_s"]), 0.0))
    return out


def run_renditions(work: Path, seconds: Sequence[float], parts: int) -> None:
    """The second table."""
    rows = []
    sung = tracked_folder("sight_singing", work)
    works = {path: row["work"] for path, (row, _) in sung.items()}
    shared = [p for p in sung if sum(w == works[p] for w in works.values()) > 1]
    rows += _found_again(
        "sight_singing, same work",
        sung,
        shared,
        lambda p: {q for q in works if works[q] == works[p]},
        _none,
        seconds,
        parts,
    )
    chant = tracked_folder("cantillation", work)
    part2 = [p for p in chant if p.startswith("mutaffifin/")]
    singer = {p: chant[p][0]["singer"] for p in chant}
    own = lambda p: {q for q in part2 if singer[q] == singer[p]}  # noqa: E731
    rows += _found_again(
        "cantillation part 2, same reciter, other take", chant, part2[::4], own, _none, seconds, parts
    )
    others = lambda p: set(part2) - own(p)  # noqa: E731
    rows += _found_again(
        "cantillation part 2, other reciters only", chant, part2[::4], others, own, seconds, parts
    )
    table(["", "query", "queries", "method", "top-1", "top-10", "MRR", "of all right"], rows)


def _none(path: str) -> set[str]:
    return set()


def _found_again(
    what: str,
    corpus: dict[str, tuple[dict[str, str], Track]],
    queries: Sequence[str],
    right: Callable[[str], set[str]],
    left_out: Callable[[str], set[str]],
    seconds: Sequence[float],
    parts: int,
) -> list[list[object]]:
    """Excerpts of each recording against all others: at which rank the first right one is."""
    voiced = from_tracks([track for _, track in corpus.values()])
    rows: list[list[object]] = []
    for length_s in seconds:
        ranks: dict[str, list[int]] = {}
        chances = []
        n, differing = 0, 0
        for path in queries:
            _, (_, f0_hz, hop_s, _) = corpus[path]
            cents = voiced_cents(f0_hz, hop_s)
            size = round(length_s / hop_s)
            if cents.size < size:
                continue
            for first in np.linspace(0, cents.size - size, parts).astype(int).tolist():
                query = query_on_grid(cents[first : first + size], hop_s)
                hidden = {path} | left_out(path)
                allowed = [r for r in voiced.recording_ids if r not in hidden]
                wanted = right(path) - hidden
                fast = [
                    p.recording_id
                    for p in search_voiced(voiced, query, n=len(allowed), recordings=allowed, once=True)
                ]
                if n < PLAIN_RENDITIONS:
                    slow = plain(voiced, query, len(voiced.recording_ids), once=True)
                    same = [p.recording_id for p in slow if p.recording_id in set(allowed)]
                    differing += fast != same
                said = {
                    "search": fast,
                    "free subsequence DTW": by_free_dtw(voiced, query),
                    "mass": by_mass(voiced, query),
                }
                for method, names in said.items():
                    names = [r for r in names if r not in hidden]
                    at = next((i for i, r in enumerate(names, 1) if r in wanted), 10**9)
                    ranks.setdefault(method, []).append(at)
                chances.append(len(wanted) / len(allowed))
                n += 1
        for method, found in ranks.items():
            r = np.array(found)
            rows.append(
                [
                    what,
                    f"{length_s:g} s",
                    n,
                    method,
                    f"{(r == 1).mean():.2f}",
                    f"{(r <= 10).mean():.2f}",
                    f"{(1 / r).mean():.2f}",
                    f"{np.mean(chances):.1%}",
                ]
            )
        print(
            f"{what}, {length_s:g} s: search and plain DTW rank differently in {differing} of {min(n, PLAIN_RENDITIONS)} queries",
            flush=True,
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("part", choices=["excerpts", "growth", "renditions"])
    parser.add_argument("--queries", type=int, default=None)
    parser.add_argument("--plain", type=int, default=3, help="queries that plain DTW answers too")
    parser.add_argument("--mass", type=int, default=20, help="queries that mass answers too")
    parser.add_argument("--hours", type=float, nargs="+", default=[1, 3, 10, 30, 100])
    parser.add_argument("--seconds", type=float, nargs="+", default=[5.0])
    parser.add_argument("--parts", type=int, default=1, help="excerpts of each recording")
    parser.add_argument("--work", type=Path, default=Path("search-pitch"), help="keeps tracked pitch")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    print(
        f"{platform.machine()}, {os.cpu_count()} CPUs, Python {platform.python_version()}, numba {numba.__version__}\n"
    )
    if given.part == "excerpts":
        run_excerpts(given.queries or 60, given.plain, given.mass, given.seed)
    elif given.part == "growth":
        run_growth(given.hours, given.queries or 8, given.seed)
    else:
        run_renditions(given.work, given.seconds, given.parts)


if __name__ == "__main__":
    main()
