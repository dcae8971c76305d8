"""What an export is about: recordings, patterns, places, notes, as the tables have them."""

from __future__ import annotations

from typing import Any

import pytest

from motifdb.errors import NotFoundError, UsageError
from motifdb.export.gather import Source, Wanted
from motifdb.export.rows import Recording
from motifdb.query.database import Database
from tests.export.corpus import FAMILY, MINED, WIDE
from tests.query.example import RECORDING

Rows = dict[str, list[dict[str, Any]]]


def test_every_place_of_an_analysis_is_gathered_once_in_time(database: Database, rows: Rows) -> None:
    source = Source(database, Wanted(analysis="gap 0"))
    found = {
        (r.id, p.id, place.start_s, place.end_s, tuple(n.cents for n in place.notes))
        for r in source.recordings()
        for p in r.patterns
        for place in p.places
    }
    phrases = {c["phrase_id"]: c for c in rows["contours"]}
    mined = {m["motif_id"] for m in rows["motifs"] if m["analysis_id"] == MINED}
    true = {
        (
            o["recording_id"],
            o["motif_id"],
            o["start_s"],
            o["end_s"],
            tuple(phrases[o["phrase_id"]]["segment_cents"][o["first_symbol"] : o["last_symbol"] + 2]),
        )
        for o in rows["occurrences"]
        if o["motif_id"] in mined
    }
    assert found == true and len(found) > 50


def test_the_strongest_come_first_and_may_be_all_that_is_wanted(database: Database, amina: Recording) -> None:
    strengths = [(p.facts["log10_p"], -p.facts["length"], p.id) for p in amina.patterns]
    assert strengths == sorted(strengths) and len(strengths) > 3
    (few,) = Source(
        database, Wanted(recording=RECORDING["amina"], analysis="gap 0", strongest=3)
    ).recordings()
    assert [p.id for p in few.patterns] == [p.id for p in amina.patterns[:3]]
    with pytest.raises(UsageError, match="at least 1"):
        Source(database, Wanted(strongest=0))


def test_pitch_is_joined_over_blocks_and_labels_are_all_values(
    database: Database, amina: Recording, rows: Rows
) -> None:
    blocks = [p for p in rows["pitch"] if p["recording_id"] == RECORDING["amina"]]
    assert amina.curve is not None and len(blocks) == 2
    assert amina.curve.f0_hz.tolist() == blocks[0]["f0_hz"] + blocks[1]["f0_hz"]
    assert amina.curve.times_s[100] == pytest.approx(1.0)
    (bela,) = Source(database, Wanted(recording=RECORDING["bela"][:10], analysis="gap 0")).recordings()
    assert bela.labels["singer"] == ("Bela", "Bella") and len(bela.paths) == 2


def test_a_motif_is_of_the_recordings_where_it_sounds(database: Database, rows: Rows) -> None:
    motif = next(m for m in rows["motifs"] if m["occurrences"] > 3)
    source = Source(database, Wanted(motif=motif["motif_id"][:12]))
    (recording,) = source.recordings()
    assert recording.id == motif["scope_key"] and [p.id for p in recording.patterns] == [motif["motif_id"]]
    assert recording.n_places == motif["occurrences"]
    with pytest.raises(NotFoundError, match="does not sound in"):
        Source(database, Wanted(motif=motif["motif_id"], recording="silence"))


def test_a_contour_is_the_strongest_motif_that_has_it_there(database: Database, rows: Rows) -> None:
    """In the recording and of the analysis that are wanted, not the strongest of all."""
    sounding = {o["motif_id"] for o in rows["occurrences"]}
    name_of = {a["analysis_id"]: a["name"] for a in rows["analyses"]}
    own = [m for m in rows["motifs"] if m["scope"] == "recording" and m["motif_id"] in sounding]
    contours = [m["contour"] for m in own]
    shared = [m for m in own if contours.count(m["contour"]) > 1]
    assert len({m["analysis_id"] for m in shared}) > 1 and len({m["scope_key"] for m in shared}) > 1
    for motif in shared:
        wanted = Wanted(
            recording=motif["scope_key"], motif=motif["contour"], analysis=name_of[motif["analysis_id"]]
        )
        (recording,) = Source(database, wanted).recordings()
        assert [p.id for p in recording.patterns] == [motif["motif_id"]]
    with pytest.raises(NotFoundError, match="is no motif of 'gap 1'; leave out --analysis"):
        other = next(m for m in own if name_of[m["analysis_id"]] == "gap 0")
        Source(database, Wanted(motif=other["motif_id"], analysis="gap 1"))
    for nothing in (Wanted(motif=""), Wanted(family="")):
        with pytest.raises(NotFoundError, match="there is no"):
            Source(database, nothing)


def test_a_motif_over_several_recordings_is_in_each(database: Database, rows: Rows) -> None:
    for wanted in (Wanted(analysis="wide"), Wanted(motif=WIDE)):
        found = {r.id: r for r in Source(database, wanted).recordings() if r.patterns}
        assert set(found) == {RECORDING["amina"], RECORDING["bela"]}
        for id_, recording in found.items():
            true = sorted(
                o["start_s"] for o in rows["occurrences"] if (o["motif_id"], o["recording_id"]) == (WIDE, id_)
            )
            assert [p.id for p in recording.patterns] == [WIDE]
            assert [place.start_s for place in recording.patterns[0].places] == true


def test_a_family_has_the_segments_inside_its_members(database: Database, rows: Rows) -> None:
    (recording,) = Source(database, Wanted(family=FAMILY[:6])).recordings()
    (family,) = recording.patterns
    members = sorted((m["start_s"], m["end_s"]) for m in rows["family_members"])
    assert [(p.start_s, p.end_s) for p in family.places] == members
    own = [c for c in rows["contours"] if c["recording_id"] == RECORDING["amina"]]
    whole = next(p for p in family.places if p.start_s == own[0]["start_s"])
    assert [n.cents for n in whole.notes] == own[0]["segment_cents"]
    rest = next(p for p in family.places if p.start_s not in [c["start_s"] for c in own])
    assert [round(n.cents) for n in rest.notes] == [-1200], "no segment lies there: the median of 220 Hz"


def test_several_analyses_are_not_mixed(database: Database) -> None:
    with pytest.raises(UsageError, match=r"several analyses.*--analysis"):
        Source(database, Wanted()).require_clear()
    with pytest.raises(NotFoundError, match="did you mean 'gap"):
        Source(database, Wanted(analysis="gap 3")).require_clear()
    assert len(Source(database, Wanted(analysis="gap 1")).recording_ids) == 7


def test_what_is_not_there_is_said(database: Database) -> None:
    with pytest.raises(NotFoundError, match="silence"):
        Source(database, Wanted(recording="silense"))
    with pytest.raises(NotFoundError, match="motif"):
        Source(database, Wanted(motif="+9 +9"))
    with pytest.raises(NotFoundError, match="family"):
        Source(database, Wanted(family="ffff"))
    with pytest.raises(UsageError, match="motifs or of families"):
        Source(database, Wanted(motif="+1", of="families"))


def test_names_of_files_differ_also_without_case(database: Database) -> None:
    names = Source(database, Wanted(analysis="gap 0")).names
    assert len({name.casefold() for name in names.values()}) == len(names) == 7
    assert names[RECORDING["bela"]].startswith("same-") and names[RECORDING["chitra"]].startswith("Same-")
    assert names[RECORDING["amina"]] == "Ağıt & __yas__ one".replace("__yas__", "_yas_")
