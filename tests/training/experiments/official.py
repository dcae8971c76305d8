"""Small corpora in the layouts of UrbanSound8K, ESC-50 and DCASE 2013, each with a manifest, and a model that hears their tones."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from motifdb.training.inputs.packed import FULL_SCALE, Packed
from tests.pipelines.small import run

RATE_HZ = 16_000
CLASSES = ("dog_bark", "siren", "street_music")


def write_tone(path: Path, number: int, seed: int, duration_s: float = 0.5) -> None:
    """A noisy tone whose octave is the class."""
    import soundfile

    rng = np.random.default_rng(seed)
    t = np.arange(round(duration_s * RATE_HZ)) / RATE_HZ
    hz = 300 * 2.0**number * rng.uniform(0.9, 1.1)
    samples = 0.3 * np.sin(2 * np.pi * hz * t + rng.uniform(0, 6)) + 0.05 * rng.standard_normal(len(t))
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, RATE_HZ, subtype="PCM_16")


def _urbansound8k() -> Iterator[tuple[str, int, str, str]]:
    for fold in (1, 2, 10):
        for number in range(len(CLASSES)):
            for take in range(4):
                source = 100 * fold + 10 * number + take // 2
                yield f"audio/fold{fold}/{source}-{number}-0-{take}.wav", number, str(fold), str(source)


def _esc50() -> Iterator[tuple[str, int, str, str]]:
    for fold in (1, 2):
        for number in range(2):
            for clip in range(3):
                source = 1000 * fold + 10 * number + clip
                yield f"audio/{fold}-{source}-A-{number}.wav", number, str(fold), str(source)


def _dcase2013() -> Iterator[tuple[str, int, str, str]]:
    for side in ("train", "test"):
        for number, name in enumerate(("bus", "park")):
            for take in range(3):
                yield f"{side}/{name}{take:02d}.wav", number, side, f"{side} {name}{take:02d}"


LAYOUTS = {"urbansound8k": _urbansound8k, "esc50": _esc50, "dcase2013": _dcase2013}


def make_corpus(folder: Path, layout: str = "urbansound8k", *, without: tuple[str, ...] = ()) -> Path:
    """A database of files in a layout, each a clip with the labels class, fold and source_file (less those of `without`)."""
    columns = [c for c in ("path", "class", "fold", "source_file", "corpus") if c not in without]
    rows: list[dict[str, str]] = []
    for seed, (path, number, fold, source) in enumerate(LAYOUTS[layout]()):
        write_tone(folder / layout / path, number, seed)
        row = {"path": path, "class": CLASSES[number], "fold": fold, "source_file": source}
        rows.append(row | {"corpus": layout})
    manifest = folder / layout / "manifest.csv"
    with manifest.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    db = folder / f"{layout}.motifdb"
    run(db, folder / layout, as_clips=True, until="files", keep_audio=True, metadata=manifest)
    return db


class Octaves:
    """Log energy of eight bands in windows of 0.2 s: cheap, and enough to tell these classes."""

    name, n_dims, sample_rate_hz = "octaves", 8, RATE_HZ
    window_s, hop_s = 0.2, 0.1
    is_voiced_only = False

    def embed(self, packed: Packed, rows: NDArray[np.int64] | None = None) -> NDArray[np.float32]:
        rows = np.arange(len(packed)) if rows is None else rows
        found = np.zeros((len(rows), 8), np.float32)
        for at, row in enumerate(rows.tolist()):
            power = np.abs(np.fft.rfft(packed.clip(row) / FULL_SCALE, 3200)) ** 2
            found[at] = [np.log(band.mean() + 1e-9) for band in np.split(power[:800], 8)]
        return found

    def config(self) -> dict[str, Any]:
        return {"model": self.name, "version": 1}
