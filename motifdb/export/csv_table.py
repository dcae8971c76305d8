"""Every place of every pattern as one csv table.

One line for each place, ordered by recording, pattern and time. Text is UTF-8; a field is quoted where it must be; times
are seconds with microseconds; an empty field is unknown.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from typing import IO, Any

from motifdb.export.rows import Pattern, Recording
from motifdb.query.views import STANDARD_LABELS

_RECORDING = ("recording_id", "path", *STANDARD_LABELS)
_SPAN = ("place", "start_s", "end_s", "duration_s")
_PATTERN = {
    "motifs": ("motif_id", "pattern_id", "contour", "scope", "scope_key", "log10_p", "q_value"),
    "families": ("family_id", "scope", "scope_key", "size"),
}
_PLACE = {
    "motifs": ("start_cents", "phrase_id"),
    "families": ("member", "distance_cents", "transposition_cents", "tempo_ratio"),
}
COLUMNS = {of: (*_RECORDING, *_PATTERN[of], *_SPAN, *_PLACE[of]) for of in _PATTERN}


def write(recordings: Iterable[Recording], of: str, out: IO[str]) -> None:
    """Write the table.

    Parameters
    ----------
    of : motifs or families
    out : opened with ``newline=""``
    """
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS[of])
    for recording in recordings:
        whose = (recording.id, recording.paths[0], *(recording.label(name) for name in STANDARD_LABELS))
        for pattern in recording.patterns:
            which = (*whose, *(pattern.facts[name] for name in _PATTERN[of]))
            writer.writerows(_lines(which, pattern, _PLACE[of]))


def _lines(which: tuple[Any, ...], pattern: Pattern, names: tuple[str, ...]) -> Iterator[tuple[Any, ...]]:
    for number, place in enumerate(pattern.places, 1):
        span = (f"{place.start_s:.6f}", f"{place.end_s:.6f}", f"{place.end_s - place.start_s:.6f}")
        yield (*which, number, *span, *(place.facts[name] for name in names))
