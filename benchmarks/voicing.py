"""How well two clusters tell sung frames from others, beside a trivial answer, where people annotated pitch.

    python benchmarks/voicing.py [--corpora DIR]

`motifdb.training.inputs.voicing` (siamese-2018's k-means on loudness and periodicity) over the recordings of `annotated_f0`
(frame reference) and `sight_singing` (notes), as `benchmarks/trackers.py` reads them and judges trackers: recall of voiced frames, share
of the others that come out voiced, share of all frames that are right. Means over recordings with a bootstrap 95 % interval over
recordings. *All voiced* answers yes everywhere. Prints Markdown.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from trackers import load, read_corpus

from motifdb.training.inputs.voicing import frame_lengths, voiced_frames

RATE_HZ = 22_050
N_BOOTSTRAP = 5000


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    shared = Path(__file__).resolve().parents[2] / "shared" / "data"
    parser.add_argument("--corpora", type=Path, default=Path(os.environ.get("MOTIFDB_CORPORA", shared)))
    options = parser.parse_args()
    if not (options.corpora / "annotated_f0").is_dir():
        raise SystemExit(
            f"{options.corpora} holds no annotated_f0; name the folder of corpora with --corpora"
        )
    print("| corpus | answer | recall | false alarm | right |\n|---|---|---|---|---|")
    spent_s = sound_s = 0.0
    for corpus in ("annotated_f0", "sight_singing"):
        figures: dict[str, list[tuple[float, float, float]]] = {"two clusters": [], "all voiced": []}
        items = read_corpus(options.corpora, corpus)
        for item in items:
            samples = load(item, RATE_HZ)
            began_s = time.process_time()
            voiced = voiced_frames(samples, RATE_HZ)
            spent_s += time.process_time() - began_s
            sound_s += len(samples) / RATE_HZ
            hop_s = frame_lengths(RATE_HZ)[1] / RATE_HZ
            at = np.clip(np.round(item.times_s / hop_s).astype(int), 0, len(voiced) - 1)
            truth = np.asarray(item.f0_hz > 0)
            figures["two clusters"].append(judged(voiced[at], truth))
            figures["all voiced"].append(judged(np.ones(len(truth), bool), truth))
        for name, rows in figures.items():
            shown = " | ".join(interval(np.array(column)) for column in zip(*rows, strict=True))
            print(f"| {corpus}, {len(items)} recordings | {name} | {shown} |")
    print(
        f"\n{1000 * spent_s / sound_s:.1f} CPU ms for a second of sound at 22,050 Hz, {sound_s / 60:.1f} min in all"
    )


def judged(said: NDArray[np.bool_], truth: NDArray[np.bool_]) -> tuple[float, float, float]:
    """Recall, false alarm, share of frames that are right; NaN where there are no such frames."""
    recall = said[truth].mean() if truth.any() else np.nan
    alarm = said[~truth].mean() if (~truth).any() else np.nan
    return float(recall), float(alarm), float((said == truth).mean())


def interval(values: NDArray[np.float64]) -> str:
    """Mean and bootstrap interval over recordings that have the figure."""
    there = values[np.isfinite(values)]
    drawn = np.random.default_rng(20).choice(there, (N_BOOTSTRAP, len(there))).mean(1)
    low, high = np.quantile(drawn, [0.025, 0.975])
    return f"{there.mean():.3f} [{low:.3f}, {high:.3f}]"


if __name__ == "__main__":
    main()
