"""How fast f0 becomes contours, on one core, and where the time goes.

    python benchmarks/contours.py [--corpora DIR] [--repeats N]

The tracks are the 200 real ones of `otmm_makam` (or, where the corpus is missing, tracks generated to the same length),
in memory as 32-bit floats. Compilation is left out; each row is the least CPU time of N runs, after one to warm up. The
tracks are taken one after the other, as ingest does, and joined to one of ten hours, whose arrays fit in no cache. Prints
Markdown.
"""

from __future__ import annotations

import argparse
import gzip
import os
import platform
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from motifdb.config import ContourConfig, preset
from motifdb.kernels.cents import millicents_from_hz
from motifdb.kernels.contour import contours
from motifdb.kernels.kmeans import cents_histogram, fit_kmeans
from motifdb.kernels.phrases import cut_phrases
from motifdb.kernels.segments import QUANTISERS

HOP_S = 128 / 44100
_N_GENERATED, _N_FRAMES = 200, 65_000
Tracks = list[NDArray[np.float32]]


def corpora_root() -> Path:
    """`MOTIFDB_CORPORA`, else a folder `shared/data` beside the checkout."""
    named = os.environ.get("MOTIFDB_CORPORA")
    return Path(named) if named else Path(__file__).resolve().parents[2] / "shared" / "data"


def real_tracks(root: Path) -> Tracks:
    """Every track of otmm_makam; none where it is missing."""
    paths = sorted([*root.glob("otmm_makam/*/*.pitch"), *root.glob("otmm_makam/*/*.pitch.gz")])
    texts = (gzip.decompress(p.read_bytes()) if p.suffix == ".gz" else p.read_bytes() for p in paths)
    return [np.array(text.split(), dtype=np.float32) for text in texts]


def generated_tracks(seed: int = 1) -> Tracks:
    """Notes of a quarter of a second with vibrato and rests, f0 to a tenth of Hz as in the corpus."""
    rng = np.random.default_rng(seed)
    seconds = np.arange(_N_FRAMES) * HOP_S
    tracks = []
    for _ in range(_N_GENERATED):
        notes = np.repeat(rng.integers(-20, 5, _N_FRAMES // 86 + 1) * 100.0, 86)[:_N_FRAMES]
        cents = notes + 30 * np.sin(2 * np.pi * 5.5 * seconds) + rng.normal(0, 3, _N_FRAMES)
        f0 = np.round(440 * 2 ** (cents / 1200), 1)
        f0[np.repeat(rng.random(_N_FRAMES // 200 + 1) < 0.07, 200)[:_N_FRAMES]] = 0
        tracks.append(f0.astype(np.float32))
    return tracks


def least_cpu_s(work: Callable[[], Any], n_repeats: int) -> float:
    """Least CPU time of several runs, after one that compiles and warms up."""
    work()
    times = []
    for _ in range(n_repeats):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times)


def stages(tracks: Tracks, config: ContourConfig, n_repeats: int) -> dict[str, float]:
    """CPU seconds of each pass over all tracks, and of the whole."""
    limits: dict[str, Any] = {
        name: getattr(config, name)
        for name in ("max_rest_s", "max_jump_cents", "min_piece_s", "min_phrase_s", "median_s")
    }
    pitches = [millicents_from_hz(f0) for f0 in tracks]
    phrases = [cut_phrases(p, HOP_S, **limits) for p in pitches]
    quantise = QUANTISERS[config.quantiser]
    return {
        "f0 to cents": least_cpu_s(lambda: [millicents_from_hz(f0) for f0 in tracks], n_repeats),
        "cents to phrases": least_cpu_s(
            lambda: [cut_phrases(p, HOP_S, **limits) for p in pitches], n_repeats
        ),
        "phrases to segments": least_cpu_s(lambda: [quantise(p, config) for p in phrases], n_repeats),
        "**f0 to symbols**": least_cpu_s(
            lambda: [contours(f0, None, HOP_S, 0.0, config) for f0 in tracks], n_repeats
        ),
    }


def machine() -> str:
    """Processor, cores, system and load, for the foot of a table."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    model = models[0] if models else platform.processor() or platform.machine()
    return (
        f"Machine: {model}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}; "
        f"load average {os.getloadavg()[0]:.1f}."
    )


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--corpora", type=Path, default=corpora_root())
    parser.add_argument("--repeats", type=int, default=7)
    args = parser.parse_args()
    tracks = real_tracks(args.corpora)
    source = "otmm_makam" if tracks else "generated"
    tracks = tracks or generated_tracks()
    n_frames = sum(f0.size for f0 in tracks)
    print(f"{len(tracks)} {source} tracks, {n_frames:,} frames, {n_frames * HOP_S / 3600:.2f} h\n")
    histogram = sum((cents_histogram(f0) for f0 in tracks), np.zeros(1, dtype=np.int64))
    centres = tuple(fit_kmeans(histogram, 24).tolist())
    fitted = replace(preset("sid-2020", k=24).contour, centres_cents=centres)
    print("| preset | pass | track by track, million frames/s | joined to one track, million frames/s |")
    print("|---|---|---|---|")
    joined = [np.concatenate(tracks)]
    for name, config in (("style-2021", preset("style-2021").contour), ("sid-2020, k = 24", fitted)):
        apart, together = stages(tracks, config, args.repeats), stages(joined, config, args.repeats)
        for stage, cpu_s in apart.items():
            print(
                f"| {name} | {stage} | {n_frames / cpu_s / 1e6:.0f} | {n_frames / together[stage] / 1e6:.0f} |"
            )
    cpu_s = least_cpu_s(lambda: [cents_histogram(f0) for f0 in tracks], args.repeats)
    print(f"\nHistogram of cents: {n_frames / cpu_s / 1e6:.0f} million frames/s.")
    cpu_s = least_cpu_s(lambda: fit_kmeans(histogram, 24), args.repeats)
    print(f"Exact k-means, k = 24, {np.count_nonzero(histogram)} distinct values: {cpu_s * 1e3:.0f} ms.")
    print("\n" + machine())


if __name__ == "__main__":
    main()
