"""Formats of plain text: Audacity's labels, csv, MIREX's patterns; read back as their readers do."""

from __future__ import annotations

import csv
import io
import random
from pathlib import Path

import pytest

from motifdb.export import audacity, csv_table, mirex
from motifdb.export.gather import Source, Wanted
from motifdb.export.rows import Note, Pattern, Place, Recording
from motifdb.query.database import Database
from tests.export.corpus import FAMILY


def spans(recording: Recording) -> list[tuple[float, float, str]]:
    return sorted(
        (p.start_s, p.end_s, pattern.label) for pattern in recording.patterns for p in pattern.places
    )


def test_audacity_reads_every_place_in_time(amina: Recording, silence: Recording) -> None:
    text = audacity.render(amina, False, [])[".labels.txt"].decode()
    read = [line.split("\t") for line in text.splitlines()]
    assert all(len(fields) == 3 for fields in read)
    found = [(float(a), float(b), label) for a, b, label in read]
    true = spans(amina)
    assert [f[2] for f in sorted(found)] == [t[2] for t in true]
    assert [f[:2] for f in sorted(found)] == [pytest.approx(t[:2], abs=1e-6) for t in true]
    assert [f[0] for f in found] == sorted(f[0] for f in found)
    assert audacity.render(silence, False, []) == {".labels.txt": b""}


def test_a_label_is_one_line(amina: Recording) -> None:
    odd = Pattern("family", "ab" * 10, "one\ttwo\nthree", {}, (Place(0.0, 1.0),))
    made = Recording("r", "r", ("r",), "f0", 2.0, None, {}, "", "", None, (), (odd,))
    assert audacity.render(made, False, [])[".labels.txt"] == b"0.000000\t1.000000\tone two three\n"


def test_csv_has_a_line_for_each_place(database: Database) -> None:
    source = Source(database, Wanted(analysis="gap 0"))
    out = io.StringIO(newline="")
    csv_table.write(source.recordings(), "motifs", out)
    read = list(csv.DictReader(io.StringIO(out.getvalue(), newline="")))
    recordings = list(source.recordings())
    assert len(read) == sum(r.n_places for r in recordings) > 50
    true = [
        (r.id, r.paths[0], r.label("singer"), p.id, p.name, f"{i}")
        for r in recordings
        for p in r.patterns
        for i in range(1, len(p.places) + 1)
    ]
    columns = ("recording_id", "path", "singer", "motif_id", "contour", "place")
    assert [tuple(d[c] for c in columns) for d in read] == true
    starts = [place.start_s for r in recordings for p in r.patterns for place in p.places]
    assert [float(d["start_s"]) for d in read] == pytest.approx(starts, abs=1e-6)
    assert any("\t" in d["singer"] for d in read), "an odd label comes back whole"


def test_csv_of_families_has_their_distances(database: Database) -> None:
    out = io.StringIO(newline="")
    csv_table.write(Source(database, Wanted(family=FAMILY)).recordings(), "families", out)
    read = list(csv.DictReader(io.StringIO(out.getvalue(), newline="")))
    assert [float(d["distance_cents"]) for d in read] == [0.0, 30.0, 60.0]
    assert {d["family_id"] for d in read} == {FAMILY}


def patterns(n: int, seed: int) -> list[Pattern]:
    rng = random.Random(seed)
    made = []
    for i in range(n):
        places = []
        for j in range(3):
            at = 10.0 * i + 3.0 * j
            notes = [Note(at + 0.2 * k, at + 0.2 * k + 0.2, 100.0 * rng.randint(-5, 5)) for k in range(4)]
            places.append(Place(notes[0].start_s, notes[-1].end_s, tuple(notes)))
        made.append(Pattern("motif", f"{i:020x}", f"+{i}", {}, tuple(places)))
    return made


def test_mir_eval_scores_our_patterns(amina: Recording, silence: Recording, tmp_path: Path) -> None:
    mir_eval = pytest.importorskip("mir_eval")
    pytest.importorskip("mir_eval.pattern")
    path = tmp_path / "p.txt"
    path.write_bytes(mirex.render(amina, False, [])[".patterns.txt"])
    read = mir_eval.io.load_patterns(str(path))
    true = [
        [[(round(n.start_s, 5), 69 + n.cents / 100) for n in place.notes] for place in pattern.places]
        for pattern in amina.patterns
    ]
    assert [[len(o) for o in p] for p in read] == [[len(o) for o in p] for p in true]
    assert [n for p in read for o in p for n in o] == [
        (pytest.approx(t, abs=1e-5), pytest.approx(m, abs=1e-4)) for p in true for o in p for t, m in o
    ]
    path.write_bytes(mirex.render(silence, False, [])[".patterns.txt"])
    assert mir_eval.io.load_patterns(str(path)) == []


def test_mir_eval_knows_what_was_found_and_what_was_not(tmp_path: Path) -> None:
    mir_eval = pytest.importorskip("mir_eval")
    pytest.importorskip("mir_eval.pattern")
    whole = Recording("r", "r", ("r",), "f0", 99.0, None, {}, "", "", None, (), patterns(4, 7))
    read = []
    for n in (4, 2):
        part = Recording("r", "r", ("r",), "f0", 99.0, None, {}, "", "", None, (), whole.patterns[:n])
        path = tmp_path / f"{n}.txt"
        path.write_bytes(mirex.render(part, True, [])[".patterns.txt"])
        read.append(mir_eval.io.load_patterns(str(path)))
    assert mir_eval.pattern.occurrence_FPR(read[0], read[0])[0] == 1.0
    f, precision, recall = mir_eval.pattern.establishment_FPR(read[0], read[1])
    assert precision == 1.0 and recall < 1.0 and f < 1.0, "half of the patterns are missing"
    assert mir_eval.pattern.standard_FPR(read[0], read[1]) == (pytest.approx(2 / 3), 1.0, 0.5)
