"""Plain twins of the SQL functions over contours and notes."""

from __future__ import annotations

import math
from collections.abc import Sequence

NOTES = ["C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B"]


def edit_distance(a: Sequence[object], b: Sequence[object]) -> int:
    """Levenshtein's distance, by the table of all prefixes."""
    table = [[max(i, j) for j in range(len(b) + 1)] for i in range(len(a) + 1)]
    for i in range(1, len(a) + 1):
        for j in range(1, len(b) + 1):
            table[i][j] = min(
                table[i - 1][j] + 1, table[i][j - 1] + 1, table[i - 1][j - 1] + (a[i - 1] != b[j - 1])
            )
    return table[-1][-1]


def note_name(cents: float) -> str:
    """The nearest note and the deviation from it, found by walking up or down from A4."""
    semitone = math.floor((cents + 50) / 100)
    place, octave = 9, 4
    for _ in range(abs(semitone)):
        place += 1 if semitone > 0 else -1
        if place == 12:
            place, octave = 0, octave + 1
        if place == -1:
            place, octave = 11, octave - 1
    off = cents - 100 * semitone
    return f"{NOTES[place]}{octave} {int(math.copysign(math.floor(abs(off) + 0.5), off)):+d}"
