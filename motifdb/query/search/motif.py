"""Search by motif: the pitch of its most typical occurrence is the query.

The exemplar is the medoid: of (at most `MOST_COMPARED`, evenly taken) occurrences, each scaled to the same number of frames, the one with the
least sum of distances to the others.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from motifdb.errors import NotFoundError, UsageError
from motifdb.kernels.dtw import centred, every_cost, padded
from motifdb.query.search.pitch import LEAST_FRAMES, LONGEST_S, SHORTEST_S, Query, query_on_grid
from motifdb.query.search.voiced import Voiced, on_grid, voiced_pitch

if TYPE_CHECKING:
    from motifdb.catalog.snapshot import Snapshot

MOST_COMPARED = 48
"""Occurrences that the exemplar is chosen from."""

Span = tuple[str, float, float]
"""recording_id, start and end in seconds."""


def motif_query(snapshot: Snapshot, text: str) -> tuple[Query, Voiced, list[Span]]:
    """The query of a motif, the pitch it was mined from, and where it is known to occur.

    Raises
    ------
    NotFoundError, UsageError
        where there is no such motif, several, or its pitch is too short or too long to search for.
    """
    motif_id, mining_id = _motif(snapshot, text.strip().lower())
    spans, pitch_id = _occurrences(snapshot, motif_id, mining_id)
    voiced = voiced_pitch(snapshot, pitch_id)
    picked = [spans[i] for i in np.linspace(0, len(spans) - 1, min(len(spans), MOST_COMPARED)).astype(int)]
    heard = [voiced.between(*span) for span in picked]
    usable = [h for h in heard if SHORTEST_S <= h[0].size * h[1] <= LONGEST_S]
    if not usable:
        raise UsageError(
            f"no occurrence of motif {motif_id[:8]} has {SHORTEST_S:g} to {LONGEST_S:.0f} s of pitch,"
            " so its melody cannot be searched; give its contour instead"
        )
    cents, hop_s = usable[
        _medoid([on_grid(c, h, c.size * h / LEAST_FRAMES)[:LEAST_FRAMES] for c, h in usable])
    ]
    return query_on_grid(cents, hop_s), voiced, spans


def mark(rows: Sequence[dict[str, Any]], spans: Sequence[Span]) -> None:
    """Say of each row whether half of the place or more is a known occurrence."""
    of_recording: dict[str, list[tuple[float, float]]] = {}
    for recording, start_s, end_s in spans:
        of_recording.setdefault(recording, []).append((start_s, end_s))
    for row in rows:
        length_s = row["end_s"] - row["start_s"]
        row["is_occurrence"] = any(
            min(row["end_s"], end_s) - max(row["start_s"], start_s) >= length_s / 2
            for start_s, end_s in of_recording.get(row["recording_id"], ())
        )


def _motif(snapshot: Snapshot, begin: str) -> tuple[str, str]:
    """Ids of the motif whose id begins so, and of the analysis that found it."""
    found: list[dict[str, Any]] = []
    if re.fullmatch("[0-9a-f]{1,20}", begin):
        where = f"motif_id >= '{begin.ljust(20, '0')}' and motif_id <= '{begin.ljust(20, 'f')}'"
        found = snapshot.table("motifs", ["motif_id", "analysis_id"], where).to_pylist()
    if not found:
        raise NotFoundError(
            f"there is no motif {begin!r}; give the beginning of an id from `motifdb top`, or a contour such as '+1 -2 +1'"
        )
    if len(found) > 1:
        raise UsageError(f"{len(found)} motifs begin with {begin!r}; give more of the id")
    return found[0]["motif_id"], found[0]["analysis_id"]


def _occurrences(snapshot: Snapshot, motif_id: str, mining_id: str) -> tuple[list[Span], str]:
    """Where a motif occurs, and the id of the analysis of pitch that it was found in."""
    columns = ["recording_id", "start_s", "end_s"]
    rows = snapshot.table("occurrences", columns, f"motif_id = '{motif_id}'")
    spans = sorted(zip(*(c.to_pylist() for c in rows.columns), strict=True))
    if not spans:
        raise UsageError(f"no occurrence of motif {motif_id[:8]} is stored; give its contour instead")
    parent = {
        a["analysis_id"]: a["parent_id"]
        for a in snapshot.table("analyses", ["analysis_id", "parent_id"]).to_pylist()
    }
    return spans, parent[parent[mining_id]]


def _medoid(stretches: list[NDArray[np.float32]]) -> int:
    """The one with the least sum of costs as a query of the others; the first of equals."""
    band = max(1, LEAST_FRAMES // 20)
    costs = np.zeros((len(stretches), len(stretches)), np.float32)
    queries = [padded(centred(s), band) for s in stretches]
    for i, query in enumerate(queries):
        for j, other in enumerate(stretches):
            if i != j:
                every_cost(query, band, other, 0, costs[i, j : j + 1])
    return int(costs.sum(axis=1, dtype=np.float64).argmin())
