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
from collections.abc import Mapping, Sequence
from xml.sax.saxutils import quoteattr

import numpy as np

from motifdb.export.rows import Recording, hz_of

F0_RATE_HZ = 44_100
_CURVES = 6
"""Sonic Visualiser's plot style of discrete curves, which draws no line across a rest."""
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
    points: list[str] = []
    hz: list[float] = []
    resolution = 1
    if curve is not None:
        at = curve.is_voiced
        resolution = max(round(curve.hop_s * rate), 1)
        frames = np.rint(curve.times_s[at] * rate).astype(np.int64).tolist()
        hz = curve.f0_hz[at].tolist()
        points = [f'<point frame="{t}" value="{f:.4f}" label=""/>' for t, f in zip(frames, hz, strict=True)]
    model = {"resolution": resolution, "units": "Hz"}
    return _layer(recording, rate, points, hz, "timevalues", "f0", model, {"plotStyle": _CURVES})


def _notes(recording: Recording, rate: int) -> str:
    points, hz = [], []
    for number, phrase in enumerate(recording.phrases, 1):
        for note in phrase.notes:
            frame, duration = _span(note.start_s, note.end_s, rate)
            hz.append(hz_of(note.cents))
            value = {"frame": frame, "value": f"{hz[-1]:.4f}", "duration": duration, "level": 1}
            points.append(f"<point{_attributes(value | {'label': f'phrase {number}'})}/>")
    model = {"subtype": "note", "units": "Hz"}
    return _layer(recording, rate, points, hz, "notes", "contour segments", model, {})


def _places(recording: Recording, rate: int) -> str:
    found = sorted(
        (*_span(place.start_s, place.end_s, rate), number, pattern.label)
        for number, pattern in enumerate(recording.patterns, 1)
        for place in pattern.places
    )
    points = [
        f"<point{_attributes({'frame': frame, 'value': number, 'duration': duration, 'label': label})}/>"
        for frame, duration, number, label in found
    ]
    numbers = [float(number) for _, _, number, _ in found]
    name = "families" if any(p.kind == "family" for p in recording.patterns) else "motifs"
    return _layer(recording, rate, points, numbers, "regions", name, {"subtype": "region", "units": ""}, {})


def _span(start_s: float, end_s: float, rate: int) -> tuple[int, int]:
    """First frame, and how many."""
    first = round(start_s * rate)
    return first, max(round(end_s * rate) - first, 1)


def _layer(
    recording: Recording,
    rate: int,
    points: Sequence[str],
    values: Sequence[float],
    type: str,
    name: str,
    model: Mapping[str, object],
    layer: Mapping[str, object],
) -> str:
    """A document with one model, of these points, and one layer that shows it."""
    dimensions = 2 if type == "timevalues" else 3
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
    shown = {"id": 2, "type": type, "name": f"{name} of {recording.stem}", "model": 1}
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        "<!DOCTYPE sonic-visualiser>",
        "<sv>",
        "<data>",
        f"<model{_attributes(kept | dict(model))}/>",
        f'<dataset id="0" dimensions="{dimensions}">',
        *points,
        "</dataset>",
        "</data>",
        "<display>",
        f"<layer{_attributes(shown | dict(layer))}/>",
        "</display>",
        "</sv>",
    ]
    return "\n".join(lines) + "\n"


def _attributes(values: Mapping[str, object]) -> str:
    return "".join(f" {key}={quoteattr(_NOT_XML.sub('', str(value)))}" for key, value in values.items())
