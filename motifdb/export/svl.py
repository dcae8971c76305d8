"""Layers for Sonic Visualiser, which keeps one layer in an ``.svl`` file: f0, phrases' notes, places of patterns.

| file | layer | a point is |
|---|---|---|
| ``.f0.svl`` | time values | a voiced frame: Hz |
| ``.notes.svl`` | notes | a contour segment: Hz, duration, level 1, its phrase as label |
| ``.motifs.svl`` | regions | a place: the pattern's number (1 the strongest) as height, duration, the pattern's name as label |

Times are frames at the sample rate of the audio, at 44,100 Hz for f0 tracks, so they are rounded to half a frame (11
microseconds). Open the recording first, then the layers, with File > Import Annotation Layer.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from xml.sax.saxutils import quoteattr

from motifdb.export.rows import Recording, hz_of

F0_RATE_HZ = 44_100
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def render(recording: Recording, is_rounded: bool, notes: list[str]) -> dict[str, bytes]:
    """The three layers; one without points where there is nothing."""
    rate = recording.sample_rate_hz or F0_RATE_HZ
    return {
        ".f0.svl": _f0(recording, rate).encode(),
        ".notes.svl": _notes(recording, rate).encode(),
        ".motifs.svl": _places(recording, rate).encode(),
    }


def _f0(recording: Recording, rate: int) -> str:
    curve = recording.curve
    points: list[dict[str, object]] = []
    resolution = 1
    if curve is not None:
        at = curve.is_voiced
        resolution = max(round(curve.hop_s * rate), 1)
        voiced = zip(curve.times_s[at].tolist(), curve.f0_hz[at].tolist(), strict=True)
        points = [{"frame": round(t * rate), "value": f"{hz:.4f}", "label": ""} for t, hz in voiced]
    return _layer(
        recording,
        rate,
        points,
        "timevalues",
        "f0",
        {"resolution": resolution, "units": "Hz"},
        {"plotStyle": 6},
    )


def _notes(recording: Recording, rate: int) -> str:
    points = [
        {
            "frame": round(note.start_s * rate),
            "value": f"{hz_of(note.cents):.4f}",
            "duration": max(round(note.end_s * rate) - round(note.start_s * rate), 1),
            "level": 1,
            "label": f"phrase {number}",
        }
        for number, phrase in enumerate(recording.phrases, 1)
        for note in phrase.notes
    ]
    return _layer(
        recording, rate, points, "notes", "contour segments", {"subtype": "note", "units": "Hz"}, {}
    )


def _places(recording: Recording, rate: int) -> str:
    points = [
        {
            "frame": round(place.start_s * rate),
            "value": number,
            "duration": max(round(place.end_s * rate) - round(place.start_s * rate), 1),
            "label": pattern.label,
        }
        for number, pattern in enumerate(recording.patterns, 1)
        for place in pattern.places
    ]
    points.sort(key=lambda p: (p["frame"], p["value"]))
    name = "families" if any(p.kind == "family" for p in recording.patterns) else "motifs"
    return _layer(recording, rate, points, "regions", name, {"subtype": "region", "units": ""}, {})


def _layer(
    recording: Recording,
    rate: int,
    points: Iterable[Mapping[str, object]],
    type: str,
    name: str,
    model: Mapping[str, object],
    layer: Mapping[str, object],
) -> str:
    """A document with one model and one layer that shows it."""
    listed = list(points)
    dimensions = 2 if type == "timevalues" else 3
    values = [float(str(p["value"])) for p in listed]
    kept = {
        "id": 1,
        "name": name,
        "sampleRate": rate,
        "start": 0,
        "end": round(recording.end_s * rate),
        "type": "sparse",
        "dimensions": dimensions,
        "resolution": 1,
        "notifyOnAdd": "true",
        "dataset": 0,
        "minimum": min(values, default=0.0),
        "maximum": max(values, default=0.0),
    }
    if dimensions == 3:
        kept["valueQuantization"] = 0
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        "<!DOCTYPE sonic-visualiser>",
        "<sv>",
        "  <data>",
        f"    <model{_attributes(kept | dict(model))}/>",
        f'    <dataset id="0" dimensions="{dimensions}">',
        *(f"      <point{_attributes(point)}/>" for point in listed),
        "    </dataset>",
        "  </data>",
        "  <display>",
        f"    <layer{_attributes({'id': 2, 'type': type, 'name': f'{name} of {recording.stem}', 'model': 1} | dict(layer))}/>",
        "  </display>",
        "</sv>",
    ]
    return "\n".join(lines) + "\n"


def _attributes(values: Mapping[str, object]) -> str:
    return "".join(f" {key}={quoteattr(_NOT_XML.sub('', str(value)))}" for key, value in values.items())
