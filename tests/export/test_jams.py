"""JAMS files as the jams library reads and validates them."""

from __future__ import annotations

from pathlib import Path

import pytest

from motifdb.export.jams import render
from motifdb.export.rows import Recording


def test_jams_validates_and_gives_back_what_is_there(
    amina: Recording, silence: Recording, tmp_path: Path
) -> None:
    jams = pytest.importorskip("jams")
    path = tmp_path / "a.jams"
    path.write_bytes(render(amina, False, [])[".jams"])
    read = jams.load(str(path), validate=True, strict=True)
    assert {a.namespace for a in read.annotations} == {
        "pitch_contour", "note_midi", "segment_open", "pattern_jku", "tag_open"
    }  # fmt: skip
    by_name = {a.namespace: a for a in read.annotations}
    assert amina.curve is not None
    frames = by_name["pitch_contour"].data
    assert [f.value["frequency"] for f in frames] == [
        pytest.approx(f, abs=1e-3) for f in amina.curve.f0_hz.tolist()
    ]
    assert [f.value["voiced"] for f in frames] == (amina.curve.f0_hz > 0).tolist()
    assert [f.time for f in frames] == [pytest.approx(t, abs=1e-6) for t in amina.curve.times_s.tolist()]
    assert frames[0].confidence == pytest.approx(0.9)
    notes = [n for p in amina.phrases for n in p.notes]
    assert [(n.time, n.value) for n in by_name["note_midi"].data] == [
        (pytest.approx(n.start_s), pytest.approx(69 + n.cents / 100)) for n in notes
    ]
    assert [p.value for p in by_name["segment_open"].data] == [p.contour for p in amina.phrases]
    found = jams.eval.pattern_to_mireval(by_name["pattern_jku"])
    assert sorted(len(p) for p in found) == sorted(len(p.places) for p in amina.patterns)
    n_notes = sum(len(place.notes) for p in amina.patterns for place in p.places)
    assert len(by_name["pattern_jku"].data) == n_notes
    listed = by_name["pattern_jku"].sandbox.motifdb["patterns"]
    assert [p["facts"]["motif_id"] for p in listed] == [p.id for p in amina.patterns]
    assert "singer:Āmina <tab>\tx" in [t.value for t in by_name["tag_open"].data]
    assert read.file_metadata.title == "One" and read.file_metadata.duration == pytest.approx(amina.end_s)

    path.write_bytes(render(silence, False, [])[".jams"])
    read = jams.load(str(path), validate=True, strict=True)
    assert [a.namespace for a in read.annotations] == ["pitch_contour"], "silent pitch is all there is"
    assert not any(f.value["voiced"] for f in read.annotations[0].data)
