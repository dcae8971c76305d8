"""A database of a few hundred vectors around some directions, with the labels, clips and motifs that they belong to."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from motifdb import ids
from motifdb.catalog.store import Changes, create, open_writer
from motifdb.schemas import ANALYSES, COVERAGE, EMBEDDINGS, TABLES
from tests.query.example import MINING_ID, RECORDING, example_rows

Row = dict[str, Any]

N_DIMS = 8
N_CLIPS = 400
NAMES: dict[str, Row] = {
    "made clips": {"model": "made", "target": "clip"},
    "made places": {"model": "made", "target": "occurrence"},
    "made": {"model": "made", "target": "recording", "metric": "euclidean"},
}
EMBEDDINGS_ID = {name: ids.analysis_id("embeddings", 1, p, None) for name, p in NAMES.items()}
CLIPS_ID = ids.analysis_id("clips", 1, {"kind": "motif"}, MINING_ID["gap 0"])
VOICES = ("amina", "bela", "chitra")


def vector_row(
    name: str,
    recording: str,
    start_s: float,
    vector: NDArray[np.floating],
    *,
    clip_id: str | None = None,
    motif_id: str | None = None,
) -> Row:
    """One row of `embeddings`."""
    analysis, target, end_s = EMBEDDINGS_ID[name], NAMES[name]["target"], start_s + 0.5
    made = ids.embedding_id(analysis, target, recording, start_s, end_s, clip_id or motif_id)
    return {
        "embedding_id": made, "analysis_id": analysis, "target": target, "recording_id": recording, "start_s": start_s,
        "end_s": end_s, "clip_id": clip_id, "motif_id": motif_id, "vector": [float(v) for v in vector],
    }  # fmt: skip


def clip_rows(n: int, first: int = 0) -> tuple[list[Row], list[Row]]:
    """Clips of the voices in turn, every third of a motif, and their vectors: the voice's direction and noise."""
    rng = np.random.default_rng(first)
    centres = np.random.default_rng(99).standard_normal((len(VOICES), N_DIMS))
    clips, vectors = [], []
    motif = example_rows()["motifs"][0]["motif_id"]
    for i in range(first, first + n):
        recording, start_s = RECORDING[VOICES[i % len(VOICES)]], i / 10
        is_motif = i % 3 == 0 and i < 30
        clip = ids.hash_text(CLIPS_ID, str(i))
        clips.append({
            "clip_id": clip, "analysis_id": CLIPS_ID, "recording_id": recording, "kind": "motif" if is_motif else "random",
            "start_s": start_s, "end_s": start_s + 0.5, "motif_id": motif, "overlaps_motif": is_motif, "corpus_id": None,
            "path": None,
        })  # fmt: skip
        vector = centres[i % len(VOICES)] + 0.3 * rng.standard_normal(N_DIMS)
        vectors.append(vector_row("made clips", recording, start_s, vector, clip_id=clip))
    return clips, vectors


def coverage_rows(vectors: list[Row]) -> list[Row]:
    """What the analyses of some vectors have done, by recording."""
    empty = dict.fromkeys(TABLES["coverage"].names)
    counted = Counter((row["analysis_id"], row["recording_id"]) for row in vectors)
    return [
        empty | {"analysis_id": analysis, "scope_key": key, "input_hash": key, "state": "done", "n_rows": n, "commit": 1}
        for (analysis, key), n in sorted(counted.items())
    ]  # fmt: skip


def made_rows() -> dict[str, list[Row]]:
    """Every table's rows."""
    rows = example_rows()
    rng = np.random.default_rng(5)
    rows["clips"], rows["embeddings"] = clip_rows(N_CLIPS)
    places = {(row["recording_id"], row["start_s"], row["motif_id"]) for row in rows["occurrences"]}
    for recording, start_s, motif in sorted(places):
        # what a motif sounds like depends on which it is
        centre = np.random.default_rng(int(motif[:6], 16)).standard_normal(N_DIMS)
        vector = centre + 0.1 * rng.standard_normal(N_DIMS)
        rows["embeddings"].append(vector_row("made places", recording, start_s, vector, motif_id=motif))
    for i, voice in enumerate(VOICES):
        vector = np.full(N_DIMS, float(i))
        rows["embeddings"].append(vector_row("made", RECORDING[voice], 0.0, vector))
    rows["coverage"] += coverage_rows(rows["embeddings"])
    for name, part in NAMES.items():
        rows["analyses"].append({
            "analysis_id": EMBEDDINGS_ID[name], "name": name, "kind": "embeddings", "parent_id": None,
            "parameters": ids.canonical_json(part), "stage_version": 1, "inputs_hash": None, "n_inputs": None,
            "code_version": "0.1.0", "created_at": dt.datetime(2024, 1, 2),
        })  # fmt: skip
    return rows


def make_vectors(path: Path) -> Path:
    """The database, as commit 1."""
    create(path)
    tables = {name: TABLES[name].table(rows) for name, rows in made_rows().items() if rows}
    with open_writer(path) as writer:
        writer.commit(Changes(append=tables), token="made", message="add what was made")
    return path


def add_clips(path: Path, n: int) -> None:
    """More clips with vectors, as another commit."""
    clips, vectors = clip_rows(n, N_CLIPS)
    append: dict[str, pa.Table] = {
        "clips": TABLES["clips"].table(clips),
        "embeddings": EMBEDDINGS.table(vectors),
    }
    with open_writer(path) as writer:
        coverage = writer.snapshot.table("coverage").to_pylist()
        more = Counter((row["analysis_id"], row["recording_id"]) for row in vectors)
        for row in coverage:
            row["n_rows"] += more[row["analysis_id"], row["scope_key"]]
        append["coverage"] = COVERAGE.table(coverage)
        writer.commit(
            Changes(append=append, delete={"coverage": "true"}), token="more", message="add more clips"
        )


def add_analysis(path: Path) -> None:
    """A commit that has nothing to do with the vectors that are there."""
    row: Row = {
        "analysis_id": ids.hash_text("another"), "name": "another", "kind": "embeddings", "parent_id": None,
        "parameters": ids.canonical_json({"model": "another", "target": "recording"}), "stage_version": 1,
        "inputs_hash": None, "n_inputs": None, "code_version": "0.1.0", "created_at": dt.datetime(2024, 1, 2),
    }  # fmt: skip
    vector = vector_row("made", RECORDING["amina"], 9.0, np.ones(3)) | {"analysis_id": row["analysis_id"]}
    with open_writer(path) as writer:
        changes = Changes(
            append={"analyses": ANALYSES.table([row]), "embeddings": EMBEDDINGS.table([vector])}
        )
        writer.commit(changes, token="another", message="add another analysis")
