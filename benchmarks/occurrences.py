"""Make a real motifdb database with ten million occurrences, or as many as wanted, from sung lines composed here.

    python benchmarks/occurrences.py big.motifdb [--occurrences 10000000] [--seed 0] [--check]

A *song* is an f0 track of about a quarter of an hour: a walk over the notes of its style's mode, broken into phrases, with figures that
its singer favours. Songs go through the real stages (quantise and mine with the preset style-2021, motifs of two symbols or more,
tested; kept patterns counted in every recording), so every id, count and p is what `motifdb ingest` would store, every table
that an ingest of f0 tracks fills is filled, and `motifdb check` holds (--check runs it). The same arguments give the same rows.
Ten million occurrences are about 1,100 songs; the database takes about a gigabyte on disk. Prints what it made and what that cost.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from motifdb.catalog.store import create, open_snapshot, open_writer
from motifdb.config import Config, preset
from motifdb.ids import content_id, hash_text
from motifdb.pipelines import analyses as an
from motifdb.pipelines.committer import Committer
from motifdb.pipelines.counts import refresh_counts
from motifdb.pipelines.known import Known
from motifdb.pipelines.records import PitchTrack
from motifdb.pipelines.stages import coverage_row, mine_recordings, pitch_rows, quantise
from motifdb.schemas import COVERAGE, FILES, RECORDINGS

HOP_S = 0.02
NOTES = 3000
MODES = {
    "acem": (0, 100, 300, 500, 700, 800, 1000),
    "buselik": (0, 200, 300, 500, 700, 800, 1000),
    "cargah": (0, 200, 400, 500, 700, 900, 1100),
    "hicaz": (0, 100, 400, 500, 700, 900, 1000),
    "huseyni": (0, 150, 300, 500, 700, 850, 1000),
    "rast": (0, 200, 350, 500, 700, 900, 1050),
    "segah": (0, 100, 350, 500, 600, 850, 1050),
    "ussak": (0, 150, 300, 500, 700, 800, 1000),
}
"""Cents over the tonic; a style each."""
N_SINGERS = 60
N_WORKS = 200
N_FIGURES = 4
AT_ONCE = 32
"""Songs that are composed before the next commit is thought of."""


def compose(mode: tuple[int, ...], figures: list[NDArray[np.int64]], rng: np.random.Generator) -> PitchTrack:
    """An f0 track: steps in the mode, half of them in figures that come again, notes of 0.1 to 0.5 s, rests between phrases."""
    scale = np.concatenate([np.array(mode) + octave for octave in (-1200, 0, 1200)])
    degree, notes = 10, list[int]()
    while len(notes) < NOTES:
        steps = figures[int(rng.integers(len(figures)))] if rng.random() < 0.5 else rng.integers(-2, 3, 3)
        for step in steps.tolist():
            degree = int(np.clip(degree + step, 2, len(scale) - 3))
            notes.append(int(scale[degree]))
    lengths = rng.integers(5, 26, len(notes))
    f0_hz = (220.0 * 2.0 ** (np.repeat(np.array(notes, float), lengths) / 1200)).astype(np.float32)
    ends = np.cumsum(lengths)[rng.random(len(notes)) < 1 / 25].tolist()
    parts = []
    for begin, end in zip([0, *ends], [*ends, len(f0_hz)], strict=True):
        parts += [f0_hz[begin:end], np.zeros(int(rng.integers(20, 60)), np.float32)]
    return PitchTrack(np.concatenate(parts), np.empty(0, np.float32), HOP_S)


class Song:
    """One song and its rows, by table."""

    def __init__(self, number: int, seed: int, config: Config, chain: tuple[str, str, str]) -> None:
        rng = np.random.default_rng((seed, number))
        singer = int(rng.integers(N_SINGERS))
        own = np.random.default_rng((seed, singer, 1))
        figures = [own.integers(-2, 3, int(own.integers(3, 7))) for _ in range(N_FIGURES)]
        style = sorted(MODES)[int(rng.integers(len(MODES)))]
        track = compose(MODES[style], figures, rng)
        pitch_id, contour_id, mining_id = chain
        self.id = content_id(track.f0_hz.tobytes())
        pitch = pitch_rows(self.id, pitch_id, track)
        contours, contoured = quantise(pitch, config=config.contour, analysis_id=contour_id)
        motifs, occurrences, mined = mine_recordings(
            contours, config=config.mining, vocabulary=config.contour.vocabulary, analysis_id=mining_id
        )
        self.n_occurrences = occurrences.num_rows
        tracked = COVERAGE.table([coverage_row(pitch_id, self.id, pitch.num_rows)])
        self.rows: dict[str, pa.Table] = {
            "recordings": RECORDINGS.table([_recording(self.id, len(track.f0_hz) * HOP_S)]),
            "pitch": pitch,
            "contours": contours,
            "motifs": motifs,
            "occurrences": occurrences,
            "coverage": pa.concat_tables([tracked, contoured, mined]),
        }
        self.file: dict[str, Any] = {
            "path": f"{style}/{number:05d}.csv", "recording_id": self.id, "state": "input",
            "size_bytes": 12 * len(track.f0_hz), "mtime_ns": number, "container": "f0-csv",
            "singer": f"singer {singer:02d}", "style": style, "title": f"song {number}",
            "work": f"work {int(rng.integers(N_WORKS)):03d}", "artist": None,
            "labels": [("decade", f"{1900 + 10 * int(rng.integers(8))}s")],
        }  # fmt: skip


def _recording(recording_id: str, duration_s: float) -> dict[str, Any]:
    return {
        "recording_id": recording_id, "kind": "f0", "audio_hash": None, "duration_s": duration_s, "sample_rate_hz": None,
        "channels": None, "codec": "f0-csv", "peak": None, "clipped_share": None, "warning": None, "tags": [],
    }  # fmt: skip


def make(path: Path, n_occurrences: int, seed: int = 0) -> int:
    """Make the database at `path`; the number of songs."""
    whole = preset("style-2021")
    config = replace(whole, mining=replace(whole.mining, min_length=2))
    plan = an.make_plan(an.f0_pitch("f0-csv", None), config, "motifs")
    assert plan.contour is not None and plan.mining is not None
    chain = (plan.pitch.id, plan.contour.id, plan.mining.id)
    corpus_id = hash_text("corpus", "songs")
    create(path)
    with open_writer(path) as writer, ThreadPoolExecutor(len(os.sched_getaffinity(0))) as threads:
        committer = Committer(writer, Known.of(writer.snapshot))
        committer.corpus({"corpus_id": corpus_id, "name": "songs", "root_uri": "/songs"})
        committer.analyses([plan.pitch, plan.contour, plan.mining])
        made: list[str] = []
        n_made = 0
        while n_made < n_occurrences:
            numbers = range(len(made), len(made) + AT_ONCE)
            for song in threads.map(lambda n: Song(n, seed, config, chain), numbers):
                if n_made >= n_occurrences:
                    break
                for table, rows in song.rows.items():
                    committer.rows(table, rows)
                committer.rows("files", FILES.table([{"corpus_id": corpus_id, **song.file}]))
                made.append(song.id)
                n_made += song.n_occurrences
            if committer.is_full():
                committer.flush("songs composed and mined")
        committer.flush("songs composed and mined")
        refresh_counts(committer, writer, plan.mining.id, plan.contour.id, config.mining.max_gap, set(made))
    return len(made)


def main() -> None:
    """Make it, say what it is."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("database", type=Path)
    parser.add_argument("--occurrences", type=int, default=10_000_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--check", action="store_true", help="run motifdb check on it")
    given = parser.parse_args()
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    make(given.database, given.occurrences, given.seed)
    wall_s, cpu_s = time.perf_counter() - wall_s, time.process_time() - cpu_s
    snapshot = open_snapshot(given.database)
    size = sum(p.stat().st_size for p in given.database.rglob("*") if p.is_file())
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}\n")
    print("| table | rows |\n|---|---|")
    for name, n_rows in snapshot.record.rows.items():
        if n_rows:
            print(f"| {name} | {n_rows:,} |")
    print(f"\n{size / 1e6:,.0f} MB on disk; made in {wall_s:.0f} s, {cpu_s:.0f} s of CPU.")
    if given.check:
        from motifdb.query.check import check

        wrong = [str(v) for v in check(snapshot)]
        print(f"check: {len(wrong)} violations")
        print("\n".join(wrong[:20]))
        sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
