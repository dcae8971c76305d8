"""The example of tests/query and the learnt one in one database, with odd names and with families; made of plain rows."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pyarrow as pa

from motifdb import ids
from motifdb.schemas import TABLES
from tests.query.example import MINING_ID, PITCH_ID, RECORDING, example_rows
from tests.query.learned import learned_rows

PATHS = {
    "amina.pitch": 'Ağıt & <"yas">: one.pitch',
    "bela.pitch": "x/same.pitch",
    "copy of bela.pitch": "z/copy.pitch",
    "chitra.pitch": "y/Same.pitch",
}
"""Names that XML, TextGrid and file systems stumble over, and two that differ in case alone."""

FAMILIES_ID = ids.analysis_id("families", 1, {"scope": "recording"}, PITCH_ID)
FAMILY = ids.hash_text("a family")
MINED = MINING_ID["gap 0"]
WIDE_ID = ids.analysis_id("mining", 1, {"scope": "corpus"}, MINED)
WIDE = ids.hash_text("a motif over all recordings")


def corpus_rows() -> dict[str, list[dict[str, Any]]]:
    """Every table's rows."""
    rows, learned = example_rows(), learned_rows()
    for name in TABLES:
        rows[name] += learned[name]
    for row in rows["files"]:
        row["path"] = PATHS.get(row["path"], row["path"])
        if row["path"] == PATHS["amina.pitch"]:
            row["singer"] = "Āmina <tab>\tx"
    _add_wide_motif(rows)
    _add_family(rows)
    return rows


def _add_wide_motif(rows: dict[str, list[dict[str, Any]]]) -> None:
    """A motif over all recordings, where the motifs of two recordings with the same pattern sound."""
    same = [m for m in rows["motifs"] if m["analysis_id"] == MINED and m["contour"] == "+1 -2 +1"]
    assert {m["scope_key"] for m in same} == {RECORDING["amina"], RECORDING["bela"]}
    of_mining = next(a for a in rows["analyses"] if a["analysis_id"] == MINED)
    parameters = json.loads(of_mining["parameters"]) | {"scope": "corpus", "inputs_hash": "ab"}
    rows["analyses"].append(
        of_mining
        | {"analysis_id": WIDE_ID, "name": "wide", "parameters": ids.canonical_json(parameters)}
        | {"inputs_hash": "ab", "n_inputs": 4}
    )
    rows["motifs"].append(
        same[0] | {"motif_id": WIDE, "analysis_id": WIDE_ID, "scope": "corpus", "scope_key": "all"}
    )
    own = {m["motif_id"] for m in same}
    rows["occurrences"] += [o | {"motif_id": WIDE} for o in rows["occurrences"] if o["motif_id"] in own]


def _add_family(rows: dict[str, list[dict[str, Any]]]) -> None:
    """One family of three members in two phrases and, where there are no segments, a rest."""
    amina = [c for c in rows["contours"] if c["recording_id"] == RECORDING["amina"]]
    spans = [(c["start_s"], c["end_s"]) for c in amina[:2]] + [
        (amina[0]["end_s"] + 0.1, amina[0]["end_s"] + 0.4)
    ]
    rows["analyses"].append(
        rows["analyses"][0]
        | {"analysis_id": FAMILIES_ID, "name": "families", "kind": "families", "parent_id": PITCH_ID}
        | {"parameters": '{"scope":"recording"}', "created_at": dt.datetime(2024, 1, 3)}
    )
    rows["families"].append({
        "family_id": FAMILY, "analysis_id": FAMILIES_ID, "scope": "recording", "scope_key": RECORDING["amina"], "size": 3,
        "recordings": 1, "exemplar": 0, "duration_median_s": 0.4, "distance_median_cents": 30.0, "threshold_cents": 80.0,
    })  # fmt: skip
    rows["family_members"] += [
        {
            "family_id": FAMILY, "member": i, "recording_id": RECORDING["amina"], "start_s": start_s, "end_s": end_s,
            "distance_cents": 30.0 * i, "transposition_cents": 0.0, "tempo_ratio": 1.0,
        }
        for i, (start_s, end_s) in enumerate(sorted(spans))
    ]  # fmt: skip


def corpus_tables() -> dict[str, pa.Table]:
    """Every table, of the declared schema."""
    return {name: TABLES[name].table(rows) for name, rows in corpus_rows().items()}
