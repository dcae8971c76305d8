"""The views over frames, phrases, recordings and motifs say what plain code finds in the stored rows."""

from __future__ import annotations

import json
import math
import statistics
from collections import Counter
from pathlib import Path

import pytest

from motifdb.catalog.store import open_snapshot
from motifdb.query.sql import Session
from motifdb.schemas import TABLES
from tests.query.conftest import make_database
from tests.query.example import CONTOUR_ID, HOP_S, MINING_ID, PITCH_ID, RECORDING, example_rows

ROWS = example_rows()


def test_a_frame_is_a_row(session: Session) -> None:
    answer = session.table("select * from pitch_frames order by recording_id, analysis_id, frame").to_pylist()
    expected = []
    for block in sorted(ROWS["pitch"], key=lambda p: (p["recording_id"], p["block"])):
        for i, hz in enumerate(block["f0_hz"]):
            expected.append({
                "recording_id": block["recording_id"], "analysis_id": PITCH_ID, "frame": 65_536 * block["block"] + i,
                "time_s": pytest.approx(block["start_s"] + i * HOP_S), "f0_hz": hz,
                "cents": pytest.approx(1200 * math.log2(hz / 440)) if hz else None,
                "confidence": pytest.approx(block["confidence"][i]) if block["confidence"] else None,
            })  # fmt: skip
    assert len(expected) > 1000
    assert answer == expected


def test_a_phrase_has_its_compass_and_its_labels(session: Session) -> None:
    answer = {r["phrase_id"]: r for r in session.table("select * from phrases").to_pylist()}
    assert len(answer) == len(ROWS["contours"])
    for c in ROWS["contours"]:
        row, cents = answer[c["phrase_id"]], c["segment_cents"]
        assert (row["n_symbols"], row["symbols"]) == (len(c["symbols"]), c["symbols"])
        assert row["duration_s"] == pytest.approx(c["end_s"] - c["start_s"])
        assert (row["first_cents"], row["last_cents"]) == (cents[0], cents[-1])
        assert (row["lowest_cents"], row["highest_cents"]) == (min(cents), max(cents))
        assert row["analysis_id"] == CONTOUR_ID
    by_recording = {r["recording_id"]: (r["singer"], r["style"]) for r in answer.values()}
    assert by_recording[RECORDING["amina"]] == ("Amina", "hijaz")
    assert by_recording[RECORDING["bela"]] == (None, "rast"), "its files disagree about the singer alone"


def test_a_recording_is_one_row_however_many_files_hold_it(session: Session) -> None:
    answer = {r["recording_id"]: r for r in session.table("select * from recording_facts").to_pylist()}
    assert set(answer) == set(RECORDING.values())
    bela = answer[RECORDING["bela"]]
    assert (bela["files"], bela["path"], bela["singer"], bela["title"]) == (2, "bela.pitch", None, "Two")
    assert answer[RECORDING["silence"]]["singer"] is None


def test_log_odds_of_a_label_against_the_rest(session: Session) -> None:
    """Over recordings, with halves added: by hand for one pattern, by plain counts for all."""
    answer = session.table("select * from motif_by_label where label = 'style'").to_pylist()
    style_of = {RECORDING["amina"]: "hijaz", RECORDING["bela"]: "rast", RECORDING["chitra"]: "rast"}
    held: dict[tuple[str, str], Counter[str]] = {}
    sung: dict[tuple[str, str], Counter[str]] = {}
    for count in ROWS["pattern_counts"]:
        key, style = (count["analysis_id"], count["pattern_id"]), style_of[count["recording_id"]]
        held.setdefault(key, Counter())[style] += 1
        sung.setdefault(key, Counter())[style] += count["occurrences"]
    sizes = Counter(style_of.values())
    assert len(answer) == sum(map(len, held.values())) > 20
    for row in answer:
        key, style = (row["analysis_id"], row["pattern_id"]), row["value"]
        k, n = held[key][style], sizes[style]
        j, m = held[key].total() - k, sizes.total() - n
        assert (row["recordings"], row["label_recordings"]) == (k, n)
        assert (row["rest_recordings"], row["rest_label_recordings"]) == (j, m)
        odds = math.log((k + 0.5) / (n - k + 0.5)) - math.log((j + 0.5) / (m - j + 0.5))
        assert row["log_odds"] == pytest.approx(odds, abs=1e-12)
        assert row["occurrence_share"] == pytest.approx(sung[key][style] / sung[key].total())
    by_hand = {round(r["log_odds"], 9) for r in answer if r["contour"] == "+2 -2" and r["value"] == "rast"}
    assert by_hand == {round(math.log(1.5 / 1.5) - math.log(0.5 / 1.5), 9)}, "in 1 of 2, against 0 of 1"


def test_a_label_of_one_value_has_no_rest(session: Session) -> None:
    cities = session.table(
        "select distinct value, log_odds, rest_label_recordings from motif_by_label where label = 'city'"
    )
    assert cities.to_pylist() == [{"value": "Urfa", "log_odds": None, "rest_label_recordings": 0}]


def test_a_recording_that_was_not_analysed_is_no_part_of_the_rest(tmp_path: Path) -> None:
    rows = example_rows()
    rows["coverage"] = [
        c for c in rows["coverage"] if (c["analysis_id"], c["scope_key"]) != (CONTOUR_ID, RECORDING["chitra"])
    ]
    for table, key in (("pattern_counts", "recording_id"), ("motifs", "scope_key")):
        rows[table] = [r for r in rows[table] if r[key] != RECORDING["chitra"]]
    tables = {name: TABLES[name].table(made) for name, made in rows.items()}
    session = Session(open_snapshot(make_database(tmp_path / "x.motifdb", tables)))
    answer = session.table(
        "select distinct value, label_recordings, rest_label_recordings from motif_by_label where label = 'style' order by 1"
    )
    session.close()
    assert answer.to_pylist() == [
        {"value": "hijaz", "label_recordings": 1, "rest_label_recordings": 1},
        {"value": "rast", "label_recordings": 1, "rest_label_recordings": 1},
    ]


@pytest.mark.parametrize(
    ("conflicts", "who"), [("leave-out", ["amina", "chitra"]), ("each", ["amina", "bela", "chitra"])]
)
def test_a_recording_that_a_scope_leaves_out_is_no_part_of_a_share(
    tmp_path: Path, conflicts: str, who: list[str]
) -> None:
    """bela's files contradict each other about the singer, so patterns mined by singer are not counted there."""
    rows = example_rows()
    mining_id = MINING_ID["gap 0"]
    for row in rows["analyses"]:
        if row["analysis_id"] == mining_id:
            row["parameters"] = json.dumps({"scope": "singer", "conflicts": conflicts})
    there = [RECORDING[name] for name in who]
    rows["pattern_counts"] = [r for r in rows["pattern_counts"] if r["recording_id"] in there]
    tables = {name: TABLES[name].table(made) for name, made in rows.items()}
    session = Session(open_snapshot(make_database(tmp_path / "x.motifdb", tables)))
    mined = session.table(f"select * from mined_recordings where analysis_id = '{mining_id}'").to_pylist()
    shares = session.table(
        f"select value, label_recordings, recordings from motif_by_label where analysis_id = '{mining_id}' and label = 'style'"
    ).to_pylist()
    session.close()
    assert sorted(r["recording_id"] for r in mined) == sorted(there)
    sizes = {"hijaz": 1, "rast": len(who) - 1}
    assert {r["value"] for r in shares} == set(sizes)
    for row in shares:
        assert row["recordings"] <= row["label_recordings"] == sizes[row["value"]]


def test_durations_and_surprise_of_a_pattern(session: Session) -> None:
    answer = session.table(
        f"select * from motif_stats where analysis_id = '{MINING_ID['gap 0']}' order by contour"
    ).to_pylist()
    assert len(answer) > 5
    for row in answer:
        mine = [
            m for m in ROWS["motifs"]
            if (m["analysis_id"], m["pattern_id"]) == (row["analysis_id"], row["pattern_id"])
        ]  # fmt: skip
        assert row["motifs"] == len(mine)
        assert row["duration_min_s"] == min(m["duration_min_s"] for m in mine)
        assert row["duration_max_s"] == max(m["duration_max_s"] for m in mine)
        assert row["duration_median_s"] == pytest.approx(
            statistics.median(m["duration_median_s"] for m in mine)
        )
        assert row["surprise_median_bits"] == pytest.approx(
            statistics.median(m["surprise_bits"] for m in mine)
        )
        assert row["best_surprise_bits"] == max(m["surprise_bits"] for m in mine)
