"""A tiny database of sounding clips with a split, stored straight through the writer, for everybody's tests."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from motifdb import ids
from motifdb.catalog.store import Changes, Snapshot, create, open_snapshot, open_writer
from motifdb.pipelines.analyses import Analysis
from motifdb.pipelines.stages import coverage_row
from motifdb.schemas import TABLES
from motifdb.training.splits.dividing import SplitConfig, make_split
from motifdb.training.splits.split_job import SplitOptions

RATE_HZ = 16_000
CORPUS_ID = ids.hash_text("corpus", "tones")
FILES = Analysis("files", "clips", None, {"kind": "file"}, 1)
CLASSES = ("asa", "bel", "cem")
FOUR_FOLDS = SplitConfig("kfold", "singer", ("recording",), folds=4)


@dataclass(frozen=True)
class Small:
    """A database, its clips and its split; `pcm` is the sound of each recording."""

    path: Path
    clips_id: str
    split_id: str
    pcm: dict[str, NDArray[np.int16]]

    @property
    def snapshot(self) -> Snapshot:
        return open_snapshot(self.path)


def tone(hz: float, duration_s: float, seed: int) -> NDArray[np.int16]:
    """A harmonic tone with a little noise: its pitch tells its class."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(duration_s * RATE_HZ)) / RATE_HZ
    wave = sum(np.sin(2 * np.pi * hz * k * t + rng.uniform(0, 6)) / k for k in (1, 2, 3))
    return np.round(6000 * np.asarray(wave) + rng.normal(0, 100, len(t))).astype(np.int16)


def make_small(
    folder: Path,
    *,
    n_each: int = 8,
    classes: tuple[str, ...] = CLASSES,
    duration_s: float = 0.4,
    n_copies: int = 0,
    n_works: int = 3,
    split: SplitConfig | None = FOUR_FOLDS,
    name: str = "small.motifdb",
) -> Small:
    """Store tones: `n_each` recordings for each singer, each one file, one clip of kind file, and its audio.

    Files have the labels singer, work (one after the other of `n_works`), style (slow, fast) and take (their number).

    Parameters
    ----------
    duration_s : of the shortest; recording i of a class is longer by i mod 4 times 0.05 s
    n_copies : files that have the bytes of the first recordings once more, in a folder ``copies``
    split : None makes none; then `split_id` is ""
    """
    rows: dict[str, list[dict[str, Any]]] = {
        t: [] for t in ("files", "recordings", "audio", "clips", "coverage")
    }
    pcm: dict[str, NDArray[np.int16]] = {}
    for c, singer in enumerate(classes):
        for i in range(n_each):
            seed = 1000 * c + i
            samples = tone(220.0 * 1.26**c * (1 + 0.01 * (i % 5 - 2)), duration_s + 0.05 * (i % 4), seed)
            recording = ids.content_id(samples.tobytes())
            pcm[recording] = samples
            _add_recording(rows, recording, samples)
            labels = {"singer": singer, "work": f"work {i % n_works}", "style": ("slow", "fast")[i % 2]}
            _add_file(rows, f"{singer}/{i}.wav", recording, samples, labels, str(i))
    for file in rows["files"][:n_copies]:
        labels = {k: file[k] for k in ("singer", "work", "style")}
        _add_file(
            rows, f"copies/{file['path']}", file["recording_id"], pcm[file["recording_id"]], labels, "copy"
        )
    clips_of: dict[str, int] = {}
    for clip in rows["clips"]:
        clips_of[clip["recording_id"]] = clips_of.get(clip["recording_id"], 0) + 1
    rows["coverage"] = [coverage_row(FILES.id, recording, n) for recording, n in clips_of.items()]
    tables = {t: TABLES[t].table(r) for t, r in rows.items()}
    tables["analyses"] = pa.Table.from_pylist(
        [FILES.row() | {"created_at": dt.datetime(2024, 1, 2, 3, 4, 5)}], schema=TABLES["analyses"].schema
    )
    corpus: dict[str, object] = {"corpus_id": CORPUS_ID, "name": "tones", "root_uri": "/somewhere/tones"}
    tables["corpora"] = TABLES["corpora"].table([corpus])
    path = folder / name
    create(path)
    with open_writer(path) as writer:
        writer.commit(Changes(append=tables), token="small", message="store tones")
        split_id = make_split(SplitOptions(split), writer) if split is not None else ""
    return Small(path, FILES.id, split_id, pcm)


def _add_recording(rows: dict[str, list[dict[str, Any]]], recording: str, samples: NDArray[np.int16]) -> None:
    rows["recordings"].append({
        "recording_id": recording, "kind": "audio", "audio_hash": ids.hash_bytes(samples.tobytes()),
        "duration_s": len(samples) / RATE_HZ, "sample_rate_hz": RATE_HZ, "channels": 1, "codec": "pcm_s16le",
        "peak": float(np.abs(samples).max()) / 32768, "clipped_share": 0.0, "warning": None, "tags": [],
    })  # fmt: skip
    block = 30 * RATE_HZ
    for number, start in enumerate(range(0, len(samples), block)):
        rows["audio"].append({
            "recording_id": recording, "block": number, "start_sample": start, "sample_rate_hz": RATE_HZ,
            "pcm": samples[start : start + block].astype("<i2").tobytes(),
        })  # fmt: skip


def _add_file(
    rows: dict[str, list[dict[str, Any]]],
    path: str,
    recording: str,
    samples: NDArray[np.int16],
    labels: dict[str, str],
    take: str,
) -> None:
    rows["files"].append({
        "corpus_id": CORPUS_ID, "path": path, "recording_id": recording, "state": "input",
        "size_bytes": 2 * len(samples) + 44, "mtime_ns": 1, "container": "wav", "title": None, "artist": None,
        **labels, "labels": [("take", take)],
    })  # fmt: skip
    end_s = len(samples) / RATE_HZ
    text = (FILES.id, recording, "file", repr(0.0), repr(end_s), "", CORPUS_ID, path)
    rows["clips"].append({
        "clip_id": ids.hash_text(*text), "analysis_id": FILES.id, "recording_id": recording, "kind": "file",
        "start_s": 0.0, "end_s": end_s, "motif_id": None, "overlaps_motif": None, "corpus_id": CORPUS_ID,
        "path": path,
    })  # fmt: skip
