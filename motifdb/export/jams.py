"""JAMS, the JSON format of annotated music (Humphrey et al., ISMIR 2014): one file for each recording.

| namespace | holds |
|---|---|
| pitch_contour | every frame of f0, with voicing and the tracker's confidence |
| note_midi | the contour segments of the phrases, as fractional MIDI numbers |
| segment_open | the phrases, with their symbols |
| pattern_jku | an observation for each note of each place of each pattern, under pattern_id and occurrence_id from 1 |
| tag_open | the labels, as ``name:value`` |

An annotation's sandbox says which analysis made it; that of pattern_jku lists the patterns with all their figures. A namespace
without observations is left out. pattern_jku demands a morphetic pitch, the height on the staff: it is the sharp spelling of the
nearest semitone, 60 for C4, and says no more than the MIDI number.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np

import motifdb
from motifdb.export.rows import Curve, Recording, midi_of

JAMS_VERSION = "0.3.5"
"""The version of the format that this writes."""

_STAFF_STEP = (0, 0, 1, 1, 2, 3, 3, 4, 4, 5, 5, 6)


def render(recording: Recording, is_rounded: bool, notes: list[str]) -> dict[str, bytes]:
    """The JAMS file."""
    made = [
        _annotation(
            recording,
            "pitch_contour",
            _frames(recording.curve),
            recording.curve.tracker if recording.curve else None,
        ),
        _annotation(recording, "note_midi", _notes(recording, is_rounded)),
        _annotation(recording, "segment_open", _phrases(recording)),
        _annotation(recording, "pattern_jku", _patterns(recording, is_rounded), sandbox=_named(recording)),
        _annotation(recording, "tag_open", _tags(recording)),
    ]
    told = {
        "annotations": [annotation for annotation in made if annotation is not None],
        "file_metadata": _metadata(recording),
        "sandbox": {"motifdb": {"recording_id": recording.id, "paths": list(recording.paths)}},
    }
    return {
        ".jams": (
            json.dumps(told, ensure_ascii=False, allow_nan=False, separators=(",", ":")) + "\n"
        ).encode()
    }


def morphetic(midi: float) -> int:
    """Height on the staff of the nearest semitone spelt with sharps: 60 for C4, 61 for D4, 67 for C5.

    >>> [morphetic(m) for m in (60, 61, 62, 69.2, 72, 59)]
    [60, 60, 61, 65, 67, 59]
    """
    octave, pitch_class = divmod(round(midi), 12)
    return 60 + 7 * (octave - 5) + _STAFF_STEP[pitch_class]


def _annotation(
    recording: Recording,
    namespace: str,
    data: Any,
    tool: str | None = None,
    sandbox: Mapping[str, Any] | None = None,
) -> dict[str, Any] | None:
    if not data:
        return None
    return {
        "annotation_metadata": {
            "annotation_tools": f"motifdb {motifdb.__version__}" + (f", {tool}" if tool else ""),
            "annotation_rules": recording.source,
            "annotator": {},
            "corpus": recording.corpus,
            "curator": {"email": "", "name": ""},
            "data_source": "program",
            "validation": "",
            "version": motifdb.__version__,
        },
        "data": data,
        "duration": recording.end_s,
        "namespace": namespace,
        "sandbox": dict(sandbox or {}),
        "time": 0,
    }


def _metadata(recording: Recording) -> dict[str, Any]:
    return {
        "artist": recording.label("artist") or recording.label("singer"),
        "duration": recording.end_s,
        "identifiers": {"motifdb": recording.id},
        "jams_version": JAMS_VERSION,
        "release": "",
        "title": recording.label("title") or recording.stem,
    }


def _frames(curve: Curve | None) -> dict[str, Any] | None:
    if curve is None or not len(curve.times_s):
        return None
    hz = np.round(curve.f0_hz.astype(np.float64), 4).tolist()
    values = [{"frequency": f, "index": 0, "voiced": f > 0} for f in hz]
    has_confidence = bool(len(curve.confidence)) and bool(np.isfinite(curve.confidence).all())
    confidence = (
        np.round(curve.confidence.astype(np.float64), 4).tolist() if has_confidence else [None] * len(hz)
    )
    times = np.round(np.maximum(curve.times_s, 0.0), 6).tolist()
    return {"confidence": confidence, "duration": [0] * len(hz), "time": times, "value": values}


def _observation(start_s: float, end_s: float, value: Any) -> dict[str, Any]:
    start = round(start_s, 6)
    return {"confidence": None, "duration": round(max(end_s - start, 0.0), 6), "time": start, "value": value}


def _notes(recording: Recording, is_rounded: bool) -> list[dict[str, Any]]:
    return [
        _observation(note.start_s, note.end_s, midi_of(note.cents, is_rounded=is_rounded))
        for phrase in recording.phrases
        for note in phrase.notes
    ]


def _phrases(recording: Recording) -> list[dict[str, Any]]:
    return [_observation(p.start_s, p.end_s, p.contour) for p in recording.phrases]


def _patterns(recording: Recording, is_rounded: bool) -> list[dict[str, Any]]:
    found = []
    for number, pattern in enumerate(recording.patterns, 1):
        for occurrence, place in enumerate(pattern.places, 1):
            for note in place.notes:
                midi = midi_of(note.cents, is_rounded=is_rounded)
                value = {
                    "midi_pitch": midi,
                    "morph_pitch": morphetic(midi),
                    "occurrence_id": occurrence,
                    "pattern_id": number,
                    "staff": 1,
                }
                found.append(_observation(note.start_s, note.end_s, value))
    return found


def _named(recording: Recording) -> dict[str, Any]:
    """The patterns by their numbers, with what pattern_jku has no room for."""
    patterns = [
        {
            "pattern_id": number,
            "kind": pattern.kind,
            "label": pattern.label,
            "facts": {k: _plain(v) for k, v in pattern.facts.items()},
            "places": [{"start_s": p.start_s, "end_s": p.end_s} | dict(p.facts) for p in pattern.places],
        }
        for number, pattern in enumerate(recording.patterns, 1)
    ]
    return {"motifdb": {"patterns": patterns}}


def _tags(recording: Recording) -> Sequence[dict[str, Any]]:
    return [
        _observation(0.0, recording.end_s, f"{name}:{value}")
        for name, values in sorted(recording.labels.items())
        for value in values
    ]


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return None if isinstance(value, float) and not np.isfinite(value) else value
