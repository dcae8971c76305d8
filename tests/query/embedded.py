"""Vectors of recordings, clips and occurrences over the example and the learnt tables, an encoder, figures; plain rows."""

from __future__ import annotations

import datetime as dt
from typing import Any

from motifdb import ids
from motifdb.schemas import TABLES
from tests.query.example import MINING_ID, example_rows
from tests.query.learned import CLIPS_ID, SPLIT_ID, Rows, learned_rows

N_DIMS = 3
PARENT = {"recording": None, "clip": CLIPS_ID, "occurrence": MINING_ID["gap 0"]}
CONFIG, DATA = '{"margin":1.0}', '{"clips":3}'
ENCODER_ID = ids.hash_text("siamese", CONFIG, DATA, f"{SPLIT_ID}/0", "7")
ENCODER_FOLDER = f"models/{ENCODER_ID}"
PARAMETERS: dict[str, dict[str, Any]] = {
    target: {"model": "encoder", "encoder_id": ENCODER_ID, "target": target, "n_dims": N_DIMS}
    for target in PARENT
}
EMBEDDINGS_ID = {
    target: ids.analysis_id("embeddings", 1, PARAMETERS[target], PARENT[target]) for target in PARENT
}


def embedded_rows() -> Rows:
    """Every table's rows; the caller may change them."""
    rows, learned = example_rows(), learned_rows()
    for name in TABLES:
        rows[name] += learned[name]
    for target, analysis in EMBEDDINGS_ID.items():
        rows["analyses"].append({
            "analysis_id": analysis, "name": f"tiny of {target}s", "kind": "embeddings", "parent_id": PARENT[target],
            "parameters": ids.canonical_json(PARAMETERS[target]), "stage_version": 1, "inputs_hash": None,
            "n_inputs": None, "code_version": "0.1.0", "created_at": dt.datetime(2024, 1, 4),
        })  # fmt: skip
    for recording in learned["recordings"]:
        _add(rows, "recording", recording["recording_id"], 0.0, recording["duration_s"])
    for clip in learned["clips"]:
        _add(rows, "clip", clip["recording_id"], clip["start_s"], clip["end_s"], clip["clip_id"])
    own = {m["motif_id"] for m in rows["motifs"] if m["analysis_id"] == PARENT["occurrence"]}
    for place in [o for o in rows["occurrences"] if o["motif_id"] in own][:4]:
        _add(rows, "occurrence", place["recording_id"], place["start_s"], place["end_s"], place["motif_id"])
    empty = dict.fromkeys(TABLES["coverage"].names)
    for analysis in EMBEDDINGS_ID.values():
        vectors = [v for v in rows["embeddings"] if v["analysis_id"] == analysis]
        for key in sorted({v["recording_id"] for v in vectors}):
            n = sum(v["recording_id"] == key for v in vectors)
            said = {
                "analysis_id": analysis,
                "scope_key": key,
                "input_hash": "h",
                "state": "done",
                "n_rows": n,
            }
            rows["coverage"].append(empty | said | {"commit": 1})
    _add_encoder(rows)
    rows["embedding_metrics"] = [{
        "analysis_id": EMBEDDINGS_ID["clip"], "protocol": "voice, leave one out", "metric": "knn_1", "value": 0.5,
        "low": 0.25, "high": 0.75, "chance": 0.5, "n": 3, "about": '{"label":"voice"}',
    }]  # fmt: skip
    return rows


def _add(
    rows: Rows, target: str, recording: str, start_s: float, end_s: float, of: str | None = None
) -> None:
    analysis, n = EMBEDDINGS_ID[target], len(rows["embeddings"])
    rows["embeddings"].append({
        "embedding_id": ids.embedding_id(analysis, target, recording, start_s, end_s, of), "analysis_id": analysis,
        "target": target, "recording_id": recording, "start_s": start_s, "end_s": end_s,
        "clip_id": of if target == "clip" else None, "motif_id": of if target == "occurrence" else None,
        "vector": [n + 0.5, -1.0, 0.0],
    })  # fmt: skip


def _add_encoder(rows: Rows) -> None:
    rows["encoders"] = [{
        "encoder_id": ENCODER_ID, "name": "tiny pairs", "kind": "siamese", "recipe": "tiny", "config": CONFIG,
        "split_id": SPLIT_ID, "fold": 0, "data": DATA, "seed": 7, "state": "done", "reason": None, "parameters": 12,
        "n_dims": N_DIMS, "steps": 20, "best_step": 10, "checkpoint": ENCODER_FOLDER, "device": "cpu", "wall_s": 0.1,
        "cpu_s": 0.1, "code_version": "0.1.0", "created_at": dt.datetime(2024, 1, 4),
    }]  # fmt: skip
    rows["encoder_steps"] = [
        {
            "encoder_id": ENCODER_ID, "step": step, "pairs": 8 * step, "train_loss": 0.3, "valid_loss": 0.25,
            "valid_accuracy": None, "wall_s": 0.1, "wait_s": 0.0,
        }
        for step in (10, 20)
    ]  # fmt: skip
    rows["encoder_metrics"] = [{
        "encoder_id": ENCODER_ID, "part": "test", "metric": "loss", "value": 0.2, "low": 0.1, "high": 0.3,
        "trivial": 0.25,
    }]  # fmt: skip
