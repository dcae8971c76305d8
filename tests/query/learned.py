"""The tables of learning over three short sung recordings, two of which share sound; every row made by plain code."""

from __future__ import annotations

import datetime as dt
from typing import Any

from motifdb import ids
from motifdb.schemas import TABLES

Rows = dict[str, list[dict[str, Any]]]

RATE_HZ = 16_000
BLOCK = 30 * RATE_HZ
DURATION_S = {"dilek": 31.0, "elif": 2.0, "fatma": 3.0}
CORPUS_ID = ids.hash_text("corpus", "sung")
RECORDING = {name: ids.content_id(name.encode()) for name in DURATION_S}
FIRST, SECOND = sorted((RECORDING["dilek"], RECORDING["elif"]))
FINGERPRINT_ID = ids.analysis_id("fingerprint", 1, {}, None)
AUDIT = {"inputs_hash": ids.set_hash(RECORDING.values())}
AUDIT_ID = ids.analysis_id("audit", 1, AUDIT, FINGERPRINT_ID)
CLIPS_ID = ids.analysis_id("clips", 1, {"kind": "file"}, None)
SPLIT_ID = ids.analysis_id("split", 1, {"seed": 0}, CLIPS_ID)
CLASSES = ["alto", "bass"]
RUN_ID = ids.hash_text("a run")
CHECKPOINT = f"models/{RUN_ID}"


def learned_rows() -> Rows:
    """Every table's rows; the caller may change them."""
    rows: Rows = {name: [] for name in TABLES}
    rows["corpora"] = [{"corpus_id": CORPUS_ID, "name": "sung", "root_uri": "/somewhere/sung"}]
    for name in RECORDING:
        _add_sound(rows, name)
    _add_analyses(rows)
    rows["audio_links"] = [{
        "analysis_id": AUDIT_ID, "recording_a": FIRST, "recording_b": SECOND, "kind": "overlap", "start_a_s": 0.5,
        "start_b_s": 1.0, "shared_s": 0.9, "agreement": 0.98,
    }]  # fmt: skip
    rows["islands"] = [
        {"analysis_id": AUDIT_ID, "recording_id": r, "island": FIRST if r in (FIRST, SECOND) else r}
        for r in RECORDING.values()
    ]
    _add_run(rows)
    return rows


def _add_sound(rows: Rows, name: str) -> None:
    recording, n_samples = RECORDING[name], round(DURATION_S[name] * RATE_HZ)
    path = f"{name}.flac"
    rows["files"].append({
        "corpus_id": CORPUS_ID, "path": path, "recording_id": recording, "state": "input", "size_bytes": 1, "mtime_ns": 1,
        "container": "flac", "singer": None, "style": None, "title": None, "work": None, "artist": None,
        "labels": [("voice", "bass" if name == "fatma" else "alto")],
    })  # fmt: skip
    rows["recordings"].append({
        "recording_id": recording, "kind": "audio", "audio_hash": ids.hash_text(name), "duration_s": DURATION_S[name],
        "sample_rate_hz": RATE_HZ, "channels": 1, "codec": "flac", "peak": 0.5, "clipped_share": 0.0, "warning": None,
        "tags": [],
    })  # fmt: skip
    starts = range(0, n_samples, BLOCK)
    for block, start in enumerate(starts):
        n_here = min(BLOCK, n_samples - start)
        rows["audio"].append({
            "recording_id": recording, "block": block, "start_sample": start, "sample_rate_hz": RATE_HZ,
            "pcm": bytes(2 * n_here),
        })  # fmt: skip
        rows["fingerprints"].append({
            "recording_id": recording, "analysis_id": FINGERPRINT_ID, "block": block,
            "position_samples": [start + 10.5, start + 90.25], "code": [3, -4],
        })  # fmt: skip
    clip = clip_id(name)
    rows["clips"].append({
        "clip_id": clip, "analysis_id": CLIPS_ID, "recording_id": recording, "kind": "file", "start_s": 0.0,
        "end_s": DURATION_S[name], "motif_id": None, "overlaps_motif": None, "corpus_id": CORPUS_ID, "path": path,
    })  # fmt: skip
    rows["splits"].append({
        "split_id": SPLIT_ID, "fold": 0, "clip_id": clip, "part": "test" if name == "fatma" else "train",
        "label": "bass" if name == "fatma" else "alto", "group_key": clip,
    })  # fmt: skip
    rows["coverage"] += [_coverage(FINGERPRINT_ID, recording, len(starts)), _coverage(CLIPS_ID, recording, 1)]


def clip_id(name: str) -> str:
    """The id of a recording's clip."""
    return ids.hash_text(
        CLIPS_ID, RECORDING[name], "file", "0.0", repr(DURATION_S[name]), "", CORPUS_ID, f"{name}.flac"
    )


def _coverage(analysis: str, key: str, n_rows: int) -> dict[str, Any]:
    empty = dict.fromkeys(TABLES["coverage"].names)
    said = {"analysis_id": analysis, "scope_key": key, "input_hash": key, "state": "done", "n_rows": n_rows}
    return empty | said | {"commit": 1}


def _add_analyses(rows: Rows) -> None:
    made = [
        (FINGERPRINT_ID, "fingerprint", None, {}, None),
        (AUDIT_ID, "audit", FINGERPRINT_ID, AUDIT, AUDIT["inputs_hash"]),
        (CLIPS_ID, "clips", None, {"kind": "file"}, None),
        (SPLIT_ID, "split", CLIPS_ID, {"seed": 0}, None),
    ]
    for analysis, kind, parent, parameters, inputs in made:
        rows["analyses"].append({
            "analysis_id": analysis, "name": kind, "kind": kind, "parent_id": parent,
            "parameters": ids.canonical_json(parameters), "stage_version": 1, "inputs_hash": inputs,
            "n_inputs": 3 if inputs else None, "code_version": "0.1.0", "created_at": dt.datetime(2024, 1, 2),
        })  # fmt: skip
    rows["coverage"] += [_coverage(AUDIT_ID, "all", 1), _coverage(SPLIT_ID, "all", 3)]


def _add_run(rows: Rows) -> None:
    rows["runs"] = [{
        "run_id": RUN_ID, "experiment": None, "cell": None, "recipe": "tiny", "model": "logistic", "front_end": "log-mel",
        "split_id": SPLIT_ID, "fold": 0, "seed": 0, "label": "voice", "classes": CLASSES, "config": "{}", "state": "done",
        "reason": None, "leak": "{}", "parameters": 4, "epochs": 1, "best_epoch": 1, "checkpoint": CHECKPOINT,
        "device": "cpu", "wall_s": 0.1, "cpu_s": 0.1, "code_version": "0.1.0", "created_at": dt.datetime(2024, 1, 2),
    }]  # fmt: skip
    rows["epochs"] = [{
        "run_id": RUN_ID, "epoch": 1, "train_loss": 0.5, "train_accuracy": 1.0, "valid_loss": None,
        "valid_accuracy": None, "learning_rate": 0.001, "clips": 2, "wall_s": 0.1, "wait_s": 0.0,
    }]  # fmt: skip
    rows["metrics"] = [
        {"run_id": RUN_ID, "part": "test", "metric": "accuracy", "value": 1.0, "low": 1.0, "high": 1.0},
        {"run_id": RUN_ID, "part": "test", "metric": "auc", "value": None, "low": None, "high": None},
    ]
    rows["predictions"] = [{
        "run_id": RUN_ID, "clip_id": clip_id("fatma"), "part": "test", "label": "bass", "predicted": "bass",
        "probabilities": [0.25, 0.75],
    }]  # fmt: skip
