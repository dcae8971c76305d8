"""Labels for Audacity: one line for each place, ``start<tab>end<tab>label``, times in seconds.

Audacity's label tracks take overlapping labels, so every place of every pattern is in the one file, by time
(File > Import > Labels).
"""

from __future__ import annotations

import re

from motifdb.export.rows import Recording

_BREAK = re.compile(r"[\t\r\n\v\f\x85\u2028\u2029]+")


def render(recording: Recording, is_rounded: bool, notes: list[str]) -> dict[str, bytes]:
    """The label file."""
    lines = sorted(
        (place.start_s, place.end_s, number, _BREAK.sub(" ", pattern.label))
        for number, pattern in enumerate(recording.patterns, 1)
        for place in pattern.places
    )
    text = "".join(f"{start_s:.6f}\t{end_s:.6f}\t{label}\n" for start_s, end_s, _, label in lines)
    return {".labels.txt": text.encode()}
