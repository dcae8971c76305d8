"""Every place of every pattern as one csv table.

One line for each place, ordered by recording, pattern and time. Text is UTF-8; a field is quoted where it must be; times
are seconds with microseconds; an empty field is unknown.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from typing import IO, Any

from motifdb.export.rows import Pattern, Place, Recording
from motifdb.query.views import STANDARD_LABELS

_COMMON = ("recording_id", "path", *STANDARD_LABELS)
_SPAN = ("place", "start_s", "end_s", "duration_s")
COLUMNS = {
    "motifs": (
        *_COMMON,
        "motif_id",
        "pattern_id",
        "contour",
        "scope",
        "scope_key",
        "log10_p",
        "q_value",
        *_SPAN,
        "start_cents",
        "phrase_id",
    ),
    "families": (
        *_COMMON,
        "family_id",
        "scope",
        "scope_key",
        "size",
        *_SPAN,
        "member",
        "distance_cents",
        "transposition_cents",
        "tempo_ratio",
    ),
}


def write(recordings: Iterable[Recording], of: str, out: IO[str]) -> None:
    """Write the table.

    Parameters
    ----------
    of : motifs or families
    out : opened with ``newline=""``
    """
    writer = csv.DictWriter(out, COLUMNS[of], extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for recording in recordings:
        common = {"recording_id": recording.id, "path": recording.paths[0]}
        common |= {name: recording.label(name) for name in STANDARD_LABELS}
        for pattern in recording.patterns:
            for number, place in enumerate(pattern.places, 1):
                writer.writerow(common | _row(pattern, number, place))


def _row(pattern: Pattern, number: int, place: Place) -> dict[str, Any]:
    span = {
        "place": number,
        "start_s": f"{place.start_s:.6f}",
        "end_s": f"{place.end_s:.6f}",
        "duration_s": f"{place.end_s - place.start_s:.6f}",
    }
    return {**pattern.facts, **place.facts, **span}
