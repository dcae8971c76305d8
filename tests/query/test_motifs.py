"""Motifs by name: the strongest, the one that a text means, the picture of one."""

from __future__ import annotations

from pathlib import Path

import pytest

from motifdb.errors import NotFoundError, UsageError
from motifdb.query.database import Database
from motifdb.query.motifs import draw_motif, find_motif, pitch_of, top_motifs
from tests.query.example import MINING_ID, PITCH_ID, RECORDING, example_rows

MOTIFS = example_rows()["motifs"]
NAMES = {id_: name for name, id_ in MINING_ID.items()}


@pytest.fixture
def database(example_db: Path) -> Database:
    return Database(example_db)


def test_the_strongest_come_first_and_say_which_analysis_found_them(database: Database) -> None:
    rows = top_motifs(database, 5).rows()
    strongest = sorted(MOTIFS, key=lambda m: (m["log10_p"], -m["length"], m["motif_id"]))[:5]
    assert [r["motif"] for r in rows] == [m["motif_id"][:8] for m in strongest]
    assert [r["contour"] for r in rows] == [m["contour"] for m in strongest]
    assert [r["analysis"] for r in rows] == [
        f"{m['analysis_id'][:8]} {NAMES[m['analysis_id']]}" for m in strongest
    ]


def test_by_surprise_is_the_plain_order(database: Database) -> None:
    assert top_motifs(database, 7, by="surprise").rows() == top_motifs(database, 7).rows()
    with pytest.raises(NotFoundError, match="did you mean 'surprise'"):
        top_motifs(database, 7, by="suprise")


def test_by_a_label_each_value_has_its_own_and_conflicts_have_none(database: Database) -> None:
    rows = top_motifs(database, 2, by="singer").rows()
    assert [r["label"] for r in rows] == ["Amina", "Amina"], "two files contradict each other about Bela"
    assert {r["path"] for r in rows} <= {"amina.pitch", "chitra.pitch"}
    with pytest.raises(NotFoundError, match="choose from"):
        top_motifs(database, 2, by="xyz")
    with pytest.raises(UsageError, match="at least 1"):
        top_motifs(database, 0)


def test_an_id_its_beginning_and_a_contour_mean_a_motif(database: Database) -> None:
    motif = MOTIFS[0]
    assert find_motif(database, motif["motif_id"])["contour"] == motif["contour"]
    assert find_motif(database, f" {motif['motif_id'][:12].upper()} ")["motif_id"] == motif["motif_id"]
    same = [m for m in MOTIFS if m["contour"] == "+1 -2 +1"]
    assert len(same) > 1, "the contour is a motif of several recordings"
    strongest = min(same, key=lambda m: (m["log10_p"], m["motif_id"]))
    assert find_motif(database, " +1  -2 +1")["motif_id"] == strongest["motif_id"]


@pytest.mark.parametrize("text", ["", "zz", "+9 +9", "%"])
def test_what_means_no_motif_is_said(database: Database, text: str) -> None:
    with pytest.raises(NotFoundError, match="motifdb top"):
        find_motif(database, text)


def test_an_ambiguous_beginning_is_refused(database: Database) -> None:
    first = [m["motif_id"][0] for m in MOTIFS]
    common = next(c for c in first if first.count(c) > 1)
    with pytest.raises(UsageError, match="several motifs"):
        find_motif(database, common)


def test_pitch_is_joined_over_its_blocks(database: Database) -> None:
    blocks = [p["f0_hz"] for p in example_rows()["pitch"] if p["recording_id"] == RECORDING["amina"]]
    curve = pitch_of(database, RECORDING["amina"], PITCH_ID)
    assert len(blocks) == 2 and curve.f0_hz.tolist() == blocks[0] + blocks[1]
    assert curve.times_s[100] == pytest.approx(1.0)


def test_a_picture_is_drawn_and_named(database: Database, tmp_path: Path) -> None:
    motif = next(m for m in MOTIFS if m["scope_key"] == RECORDING["amina"])
    said = draw_motif(database, motif["motif_id"], tmp_path / "motif.png")
    assert said == f"{motif['contour']}   {motif['occurrences']} times in amina.pitch"
    assert (tmp_path / "motif.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(UsageError, match=r"name it \.png, \.svg, \.pdf"):
        draw_motif(database, motif["motif_id"], tmp_path / "motif.gif")
