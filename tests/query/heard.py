"""The example database where one recording has a wav file, one has kept sound and no file, and the rest are f0 alone.

A family lies over the first two. What is heard is known: the file is a ramp, the kept sound another.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from motifdb import ids
from motifdb.schemas import TABLES
from tests.query.conftest import make_database
from tests.query.example import PITCH_ID, RECORDING, example_rows

WAV_HZ, KEPT_HZ = 8_000, 16_000
FAMILIES_ID = ids.analysis_id("families", 1, {}, PITCH_ID)
FAMILY_ID = ids.hash_text("family", "of the tests")
MEMBERS = [("amina", 0.5, 1.4, 0.0), ("amina", 2.3, 2.8, 30.0), ("bela", 0.5, 1.2, -200.0)]
"""Recording, start_s, end_s, transposition_cents of each member; the first is the exemplar."""


def ramp(duration_s: float, rate_hz: int, to: float) -> NDArray[np.int16]:
    """int16 from 0 to a share of full scale: each sample says where it lies."""
    return np.linspace(0.0, to * 32_767, round(duration_s * rate_hz)).astype("<i2")


def wav_of(pcm: NDArray[np.int16], rate_hz: int = WAV_HZ) -> bytes:
    """A wav file."""
    buffer = io.BytesIO()
    soundfile.write(buffer, pcm, rate_hz, format="WAV", subtype="PCM_16")
    return buffer.getvalue()


def make_heard(folder: Path) -> Path:
    """``songs.motifdb`` and ``songs/amina.wav`` in a folder; gives the database's path."""
    rows = example_rows()
    duration_s = {r["recording_id"]: r["duration_s"] for r in rows["recordings"]}
    wav = wav_of(ramp(duration_s[RECORDING["amina"]], WAV_HZ, 0.8))
    (folder / "songs").mkdir(parents=True)
    (folder / "songs" / "amina.wav").write_bytes(wav)
    heard_id = ids.content_id(wav)
    rows = {
        name: [_renamed(row, RECORDING["amina"], heard_id) for row in table] for name, table in rows.items()
    }
    rows["corpora"][0]["root_uri"] = str(folder / "songs")
    status = (folder / "songs" / "amina.wav").stat()
    for row in rows["files"]:
        if row["recording_id"] == heard_id:
            row |= {"path": "amina.wav", "size_bytes": status.st_size, "mtime_ns": status.st_mtime_ns}
    sound = {
        "kind": "audio",
        "audio_hash": "a",
        "channels": 1,
        "codec": "pcm_s16le",
        "peak": 0.8,
        "clipped_share": 0.0,
    }
    for row in rows["recordings"]:
        if row["recording_id"] in (heard_id, RECORDING["bela"]):
            row |= sound | {"sample_rate_hz": WAV_HZ}
    rows["audio"] = [
        {"recording_id": RECORDING["bela"], "block": 0, "start_sample": 0, "sample_rate_hz": KEPT_HZ,
         "pcm": ramp(duration_s[RECORDING["bela"]], KEPT_HZ, 0.5).tobytes()}
    ]  # fmt: skip
    for row in rows["coverage"]:
        if row["scope_key"] == RECORDING["silence"]:
            row["state"] = "empty"  # as an ingest writes it, though its unvoiced frames are stored
    _add_family(rows, heard_id)
    _add_vectors(rows, heard_id)
    tables = {name: TABLES[name].table(table) for name, table in rows.items()}
    return make_database(folder / "songs.motifdb", tables)


def _add_family(rows: dict[str, list[dict[str, Any]]], heard_id: str) -> None:
    rows["analyses"].append(
        rows["analyses"][0]
        | {"analysis_id": FAMILIES_ID, "name": "variants", "kind": "families", "parent_id": PITCH_ID}
    )
    rows["families"] = [
        {"family_id": FAMILY_ID, "analysis_id": FAMILIES_ID, "scope": "corpus", "scope_key": "all", "size": len(MEMBERS),
         "recordings": 2, "exemplar": 0, "duration_median_s": 0.7, "distance_median_cents": 40.0, "threshold_cents": 60.0}
    ]  # fmt: skip
    rows["family_members"] = [
        {"family_id": FAMILY_ID, "member": i, "recording_id": heard_id if name == "amina" else RECORDING[name],
         "start_s": start_s, "end_s": end_s, "distance_cents": 40.0 * (i > 0), "transposition_cents": higher,
         "tempo_ratio": (end_s - start_s) / 0.9}
        for i, (name, start_s, end_s, higher) in enumerate(MEMBERS)
    ]  # fmt: skip


def _add_vectors(rows: dict[str, list[dict[str, Any]]], heard_id: str) -> None:
    """A vector of each recording that sounds."""
    parameters = {"model": "hand-crafted", "n_dims": 2, "target": "recording"}
    analysis = ids.analysis_id("embeddings", 1, parameters, None)
    rows["analyses"].append(
        rows["analyses"][0]
        | {
            "analysis_id": analysis,
            "name": "hand-crafted, recordings",
            "kind": "embeddings",
            "parent_id": None,
        }
        | {"parameters": ids.canonical_json(parameters), "inputs_hash": None, "n_inputs": None}
    )
    duration_s = {r["recording_id"]: r["duration_s"] for r in rows["recordings"]}
    for recording in (heard_id, RECORDING["bela"]):
        end_s = duration_s[recording]
        rows["embeddings"].append(
            {"embedding_id": ids.embedding_id(analysis, "recording", recording, 0.0, end_s), "analysis_id": analysis,
             "target": "recording", "recording_id": recording, "start_s": 0.0, "end_s": end_s, "clip_id": None,
             "motif_id": None, "vector": [1.0, float(recording == heard_id)]}
        )  # fmt: skip
        rows["coverage"].append(
            dict.fromkeys(TABLES["coverage"].names)
            | {"analysis_id": analysis, "scope_key": recording, "input_hash": "h", "state": "done", "n_rows": 1,
               "commit": 1}
        )  # fmt: skip


def _renamed(row: dict[str, Any], old: str, new: str) -> dict[str, Any]:
    return {key: new if value == old else value for key, value in row.items()}
