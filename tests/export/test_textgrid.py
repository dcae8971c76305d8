"""TextGrids as praatio reads them."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from motifdb.export.rows import Pattern, Place, Recording
from motifdb.export.textgrid import dealt_out, render

spans = st.lists(
    st.tuples(st.integers(0, 30), st.integers(1, 9)).map(lambda s: (float(s[0]), float(s[0] + s[1]), "x")),
    max_size=25,
)


@given(spans)
def test_tiers_are_as_few_as_places_that_sound_at_once(intervals: list[tuple[float, float, str]]) -> None:
    tiers = dealt_out(intervals)
    assert sorted(i for tier in tiers for i in tier) == sorted(intervals), "none is cut or left out"
    for tier in tiers:
        assert all(a[1] <= b[0] for a, b in pairwise(tier)), "none overlap"
    at_once = [sum(a <= t < b for a, b, _ in intervals) for t in range(40)]
    assert len(tiers) == max(at_once)


def test_praatio_reads_every_place_and_phrase(amina: Recording, silence: Recording, tmp_path: Path) -> None:
    textgrid = pytest.importorskip("praatio.textgrid")
    path = tmp_path / "a.TextGrid"
    path.write_bytes(render(amina, False, [])[".TextGrid"])
    read = textgrid.openTextgrid(str(path), includeEmptyIntervals=False, reportingMode="error")
    places = sorted((p.start_s, p.end_s, a.label) for a in amina.patterns for p in a.places)
    found = sorted(tuple(e) for name in read.tierNames[1:] for e in read.getTier(name).entries)
    assert found == [(pytest.approx(a), pytest.approx(b), label) for a, b, label in places]
    assert [e.label for e in read.getTier("phrases").entries] == [p.contour for p in amina.phrases]
    assert read.maxTimestamp == pytest.approx(amina.end_s) and len(read.tierNames) > 2, "they overlap"

    path.write_bytes(render(silence, False, [])[".TextGrid"])
    assert textgrid.openTextgrid(str(path), includeEmptyIntervals=True).tierNames == ("phrases",)


def test_quotes_and_other_scripts_come_back(tmp_path: Path) -> None:
    textgrid = pytest.importorskip("praatio.textgrid")
    label = 'she said "ağıt" – كورس'
    odd = Pattern("family", "ab" * 10, label + "\nnew", {}, (Place(0.5, 1.0),))
    made = Recording("r", "r", ("r",), "f0", 2.0, None, {}, "", "", None, (), (odd,))
    path = tmp_path / "a.TextGrid"
    path.write_bytes(render(made, False, [])[".TextGrid"])
    read = textgrid.openTextgrid(str(path), includeEmptyIntervals=False)
    (entry,) = read.getTier("families").entries
    assert entry.label.replace('""', '"') == label + " new"


def test_times_are_written_out(tmp_path: Path) -> None:
    textgrid = pytest.importorskip("praatio.textgrid")
    early = Pattern("motif", "ab" * 10, "+1", {}, (Place(1e-12, 3e-5, ()), Place(3e-5 + 1e-13, 1.0, ())))
    made = Recording("r", "r", ("r",), "f0", 1.0, None, {}, "", "", None, (), (early,))
    path = tmp_path / "a.TextGrid"
    path.write_bytes(render(made, False, [])[".TextGrid"])
    read = textgrid.openTextgrid(str(path), includeEmptyIntervals=True)
    assert [e[:2] for e in read.getTier("motifs").entries] == [(0.0, 3e-5), (3e-5, 1.0)], (
        "no exponent, no empty gap"
    )
