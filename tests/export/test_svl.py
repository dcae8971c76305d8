"""Sonic Visualiser's layers as XML."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from motifdb.export.rows import Pattern, Place, Recording
from motifdb.export.svl import render


def layer(content: bytes) -> tuple[dict[str, str], list[dict[str, str]], dict[str, str]]:
    root = ET.fromstring(content)
    (model,) = root.findall("data/model")
    (shown,) = root.findall("display/layer")
    (dataset,) = root.findall("data/dataset")
    assert model.get("dataset") == dataset.get("id") and shown.get("model") == model.get("id")
    return dict(model.attrib), [dict(p.attrib) for p in dataset], dict(shown.attrib)


def test_layers_hold_voiced_frames_segments_and_places(amina: Recording) -> None:
    files = render(amina, False, [])
    assert amina.curve is not None
    model, points, shown = layer(files[".f0.svl"])
    voiced = amina.curve.is_voiced
    assert shown["type"] == "timevalues" and model["units"] == "Hz" and model["sampleRate"] == "44100"
    assert [int(p["frame"]) / 44100 for p in points] == [
        pytest.approx(t, abs=0.5 / 44100) for t in amina.curve.times_s[voiced].tolist()
    ]
    assert {float(p["value"]) for p in points} == {220.0}
    model, points, shown = layer(files[".notes.svl"])
    notes = [n for p in amina.phrases for n in p.notes]
    assert shown["type"] == "notes" and model["subtype"] == "note" and len(points) == len(notes)
    assert float(points[0]["value"]) == pytest.approx(440 * 2 ** (notes[0].cents / 1200), abs=1e-3)
    assert int(points[0]["duration"]) / 44100 == pytest.approx(
        notes[0].end_s - notes[0].start_s, abs=1 / 44100
    )
    model, points, shown = layer(files[".motifs.svl"])
    assert shown["type"] == "regions" and len(points) == amina.n_places
    of_first = [int(p["frame"]) / 44100 for p in points if p["value"] == "1"]
    assert of_first == [pytest.approx(p.start_s, abs=1e-4) for p in amina.patterns[0].places]
    assert {p["label"] for p in points} == {p.label for p in amina.patterns}
    assert (model["minimum"], model["maximum"]) == ("1.0", f"{len(amina.patterns)}.0")


def test_nothing_is_an_empty_layer_and_odd_characters_are_escaped(silence: Recording) -> None:
    assert all(layer(content)[1] == [] for content in render(silence, False, []).values())
    odd = Pattern("family", "ab" * 10, "<&\"' \x00\x0b\ud800ğ\n", {}, (Place(0.5, 1.0),))
    made = Recording("r", 'a "b" <c>', ("r",), "audio", 2.0, 8000, {}, "", "", None, (), (odd,))
    model, points, shown = layer(render(made, False, [])[".motifs.svl"])
    assert points[0]["label"].startswith("<&\"' ğ") and shown["name"] == 'families of a "b" <c>'
    assert model["sampleRate"] == "8000" and points[0]["frame"] == "4000"
