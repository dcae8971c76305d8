"""One door to every kind of search: `search` takes a contour, a motif or a melody and answers with one table."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from motifdb.errors import UsageError
from motifdb.query.search import answer
from motifdb.query.search.contour import contour_rows, is_contour
from motifdb.query.search.melody import Melody
from motifdb.query.search.motif import mark, motif_query
from motifdb.query.search.pitch import Tempo, query_on_grid, search_voiced
from motifdb.query.search.voiced import require_recordings, voiced_pitch

if TYPE_CHECKING:
    from motifdb.catalog.snapshot import Snapshot


def search(
    snapshot: Snapshot,
    query: str | Melody,
    *,
    n: int = 10,
    tempo: Tempo = True,
    max_distance: float | None = None,
    recordings: Collection[str] | None = None,
    analysis: str | None = None,
    once: bool = False,
) -> pa.Table:
    """The nearest places, one a row of `motifdb.query.table_functions.PLACE_COLUMNS`.

    Parameters
    ----------
    query : a contour (``+1 -2 +1``: stored symbols are searched), the beginning of a motif's id (the pitch of its most
        typical occurrence is searched), or a melody
    n : places wanted; there may be fewer
    tempo : whether places sung slower or faster count (ratios 0.7 to 1.4), or a range of ratios; of no effect on a contour
    max_distance : places further away are left out: edits for a contour (one for every three symbols, where None), else cents
    recordings : ids of the recordings to search; None is all
    analysis : the analysis of contours (for a contour) or pitch (for a melody), by name or beginning of its id; None is
        the usual one, and for a motif the pitch it was mined from
    once : at most one place of each recording

    Raises
    ------
    UsageError, NotFoundError
        for a query that cannot be searched for, in one sentence.
    """
    if max_distance is not None and not 0 <= max_distance < math.inf:
        raise UsageError(f"the distance of a place is 0 or more, in cents or edits, got {max_distance:g}")
    if isinstance(query, str) and is_contour(query):
        if max_distance is not None and int(max_distance) != max_distance:
            raise UsageError(f"the distance from a contour is a whole number of edits, got {max_distance:g}")
        most = None if max_distance is None else int(max_distance)
        found = contour_rows(
            snapshot, query, n=n, max_distance=most, recordings=recordings, analysis=analysis, once=once
        )
        return answer.table(found)
    spans = None
    if isinstance(query, str):
        if not query.strip():
            raise UsageError("an empty text is no query; give a contour such as '+1 -2 +1', or a motif's id")
        if analysis is not None:
            raise UsageError("a motif is searched in the pitch it was mined from; leave out the analysis")
        on_grid, voiced, spans = motif_query(snapshot, query)
    else:
        on_grid, voiced = query_on_grid(query.cents, query.hop_s), voiced_pitch(snapshot, analysis)
    require_recordings(voiced, recordings)
    places = search_voiced(
        voiced,
        on_grid,
        n=n,
        tempo=tempo,
        max_distance_cents=max_distance,
        recordings=recordings,
        once=once,
    )
    rows: list[dict[str, Any]] = answer.of_places(snapshot, places)
    if spans is not None:
        mark(rows, spans)
    return answer.table(rows)
