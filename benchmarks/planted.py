"""How many planted motifs of the demo corpus are found, by tracker, preset and noise.

    python benchmarks/planted.py [--seeds 3]

Prints recall and precision as `motifdb.pipelines.demo_corpus.score_planted` defines them; docs/planted.md holds
the table.
"""

from __future__ import annotations

import argparse
import platform
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import soundfile

from motifdb.config import preset
from motifdb.pipelines.demo_corpus import DemoTruth, PlantedScore, Span, make_demo_corpus, score_planted
from motifdb.pipelines.inputs.resample import resampled
from motifdb.pipelines.records import PitchTrack
from motifdb.pipelines.stages import mine_recordings, pitch_rows, quantise
from motifdb.pipelines.trackers import get_tracker

PRESETS = ("default", "style-2021")
TRACKERS = ("truth", "swift-f0", "yin", "melodia")
NOISES = (1.0, 2.0, 4.0)


def track(corpus: DemoTruth, path: str, name: str) -> PitchTrack:
    """Pitch of one song; ``"truth"`` is what was sung."""
    if name == "truth":
        rows = np.loadtxt(corpus.folder / "f0" / f"{Path(path).stem}.f0.csv", delimiter=",", skiprows=1)
        return PitchTrack(rows[:, 1].astype(np.float32), np.zeros(0, np.float32), 0.01)
    tracker = get_tracker(name)
    sound, rate_hz = soundfile.read(corpus.folder / path, dtype="float32", always_2d=True)
    (found,) = tracker.track([resampled(iter([sound.mean(axis=1)]), rate_hz, tracker.sample_rate_hz)])
    return found


def score(corpus: DemoTruth, pitch: pa.Table, name: str) -> PlantedScore:
    """Recall and precision under a preset's quantiser and mining parameters."""
    config = preset(name)
    contours, _ = quantise(pitch, config=config.contour, analysis_id="contours")
    _, occurrences, _ = mine_recordings(
        contours, config=config.mining, vocabulary=config.contour.vocabulary, analysis_id="mining"
    )
    found: dict[str, list[Span]] = {}
    for row in occurrences.select(["motif_id", "recording_id", "start_s", "end_s"]).to_pylist():
        found.setdefault(row["motif_id"], []).append(Span(row["recording_id"], row["start_s"], row["end_s"]))
    return score_planted(corpus.renditions, found)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=3, help="corpora per noise, seeds 1, 2, ...")
    seeds = range(1, parser.parse_args().seeds + 1)
    print(
        f"python benchmarks/planted.py --seeds {len(seeds)}; {platform.machine()}, Python {platform.python_version()}"
    )
    scores: dict[tuple[float, str, str], list[PlantedScore]] = {}
    n_songs, duration_s, started = 0, 0.0, time.perf_counter()
    for noise in NOISES:
        for seed in seeds:
            with tempfile.TemporaryDirectory() as folder:
                corpus = make_demo_corpus(folder, seed=seed, noise=noise)
                n_songs, duration_s = len(corpus.paths), corpus.duration_s
                for tracker in TRACKERS:
                    rows = pa.concat_tables(
                        [pitch_rows(p, tracker, track(corpus, p, tracker)) for p in corpus.paths]
                    )
                    for name in PRESETS:
                        scores.setdefault((noise, tracker, name), []).append(score(corpus, rows, name))
    wall_s = time.perf_counter() - started
    print(
        f"{n_songs} songs, about {duration_s / 60:.1f} min each corpus; mean over seeds; {wall_s:.0f} s in all\n"
    )
    print("| noise | pitch | " + " | ".join(f"{n}: recall | precision" for n in PRESETS) + " |")
    print("|---|---|" + "---|---|" * len(PRESETS))
    for noise in NOISES:
        for tracker in TRACKERS:
            cells = [np.nanmean(scores[noise, tracker, n], axis=0) for n in PRESETS]
            print(f"| {noise:g} | {tracker} | " + " | ".join(f"{r:.3f} | {p:.3f}" for r, p in cells) + " |")


if __name__ == "__main__":
    main()
