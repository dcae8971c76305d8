"""Patterns in the text format of MIREX's Discovery of Repeated Themes & Sections, which `mir_eval.pattern` scores.

A file is of one recording: ``pattern1``, ``occurrence1``, then a line ``onset, pitch`` for each note, onset in seconds from
the start of the recording, pitch as a MIDI number. MIREX's own onsets are in crotchet beats and its pitches whole; singing has
neither, so pitch is fractional unless it is rounded. The occurrence and establishment scores compare onsets and pitches
exactly, and translated together: give two versions the same rounding. Not part of the format are names and ends of notes.
"""

from __future__ import annotations

from motifdb.export.rows import Recording, midi_of


def render(recording: Recording, is_rounded: bool, notes: list[str]) -> dict[str, bytes]:
    """The patterns file; empty where nothing was found."""
    lines: list[str] = []
    for number, pattern in enumerate(recording.patterns, 1):
        lines.append(f"pattern{number}")
        for occurrence, place in enumerate(pattern.places, 1):
            lines.append(f"occurrence{occurrence}")
            lines += [f"{n.start_s:.5f}, {midi_of(n.cents, is_rounded=is_rounded):.5f}" for n in place.notes]
    return {".patterns.txt": "".join(line + "\n" for line in lines).encode()}
