"""Search by symbols: phrases whose stored contour holds a pattern, exactly or but for a few edits.

The distance of a place is the edit distance of its symbols to the pattern: each symbol changed, put in or left out
costs 1, as `contour_distance` in SQL counts. Exact places come first; equally near ones by how close their length is to the
pattern's, then by recording_id and time. Of places that share a symbol the nearest is kept.
Symbols are classes of steps, so transposition and tempo play no part; what a symbol means is up to the analysis of contours.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

import numpy as np

from motifdb.errors import NotFoundError, UsageError
from motifdb.query.search.answer import paths_of

if TYPE_CHECKING:
    import pyarrow as pa

    from motifdb.catalog.snapshot import Snapshot

LONGEST = 64
"""Symbols of a pattern."""

_CONTOUR = re.compile(r"([+-]\d{1,3})(\s+[+-]\d{1,3})*")


def is_contour(text: str) -> bool:
    """Whether a text is a contour such as ``+1 -2 +1``.

    >>> is_contour("+1 -2"), is_contour("3f2a")
    (True, False)
    """
    return _CONTOUR.fullmatch(text.strip()) is not None


def contour_rows(
    snapshot: Snapshot,
    text: str,
    *,
    n: int = 10,
    max_distance: int | None = None,
    recordings: Collection[str] | None = None,
    analysis: str | None = None,
    once: bool = False,
) -> list[dict[str, Any]]:
    """The n nearest places to a contour, as rows of `motifdb.query.table_functions.PLACE_COLUMNS`.

    Parameters
    ----------
    text : symbols, such as ``+1 -2 +1``
    max_distance : edits; None is one for every three symbols
    recordings : ids of the recordings to search; None is all
    analysis : name or beginning of the id of an analysis of contours; None is the newest
    once : at most one place of each recording

    Raises
    ------
    UsageError, NotFoundError
        for a text that is no contour, a distance that leaves nothing of it, or where there are no contours.
    """
    from motifdb.kernels.contour_match import matches

    pattern = _pattern(text)
    most = pattern.size // 3 if max_distance is None else int(max_distance)
    if not 0 <= most < pattern.size:
        raise UsageError(
            f"a contour of {pattern.size} symbols can be searched within 0 to {pattern.size - 1} edits, not {most}"
        )
    if n < 1:
        raise UsageError(f"at least one place must be wanted, got n = {n}")
    phrases = _phrases(snapshot, analysis, recordings)
    symbols = phrases.column("symbols").combine_chunks()
    offset = np.asarray(symbols.offsets, np.int64)
    flat = np.asarray(symbols.flatten(), np.int8)
    phrase, first, last, edits = matches(pattern, flat, offset - offset[0], most)
    ids = phrases.column("recording_id").combine_chunks().dictionary_encode()
    rank_of_id = np.argsort(np.argsort(np.array(ids.dictionary.to_pylist(), object)))
    recording = rank_of_id[ids.indices.to_numpy()][phrase] if phrase.size else phrase
    start_s = phrases.column("start_s").to_numpy()[phrase]
    off_length = np.abs(last - first + 1 - pattern.size)
    order = np.lexsort((last, first, phrase, start_s, recording, off_length, edits))
    chosen: list[int] = []
    taken: dict[int, list[tuple[int, int]]] = {}
    for i in order.tolist():
        key = int(recording[i]) if once else int(phrase[i])
        spans = taken.setdefault(key, [])
        if spans and (once or any(a <= last[i] and first[i] <= b for a, b in spans)):
            continue
        spans.append((int(first[i]), int(last[i])))
        chosen.append(i)
        if len(chosen) == n:
            break
    return [
        {"rank": rank, **row}
        for rank, row in enumerate(_rows(snapshot, phrases, phrase, first, last, edits, chosen), 1)
    ]


def _pattern(text: str) -> np.ndarray[Any, np.dtype[np.int8]]:
    if not is_contour(text):
        raise UsageError(f"{text!r} is no contour; write symbols with their signs, such as '+1 -2 +1'")
    values = [int(symbol) for symbol in text.split()]
    if any(abs(v) > 127 or v == 0 for v in values):
        raise UsageError(f"{text!r} is no contour: symbols go from +1 to +127 and from -1 to -127")
    if len(values) > LONGEST:
        raise UsageError(f"this contour has {len(values)} symbols; at most {LONGEST} can be searched")
    return np.array(values, np.int8)


def _phrases(snapshot: Snapshot, analysis: str | None, recordings: Collection[str] | None) -> pa.Table:
    id_ = contour_analysis(snapshot, analysis)
    where = f"analysis_id = '{id_}'"
    if recordings is not None:
        known = set(snapshot.table("recordings", ["recording_id"]).column(0).to_pylist())
        if missing := sorted(set(recordings) - known):
            raise NotFoundError(f"there is no recording {missing[0]!r} in {snapshot.path}")
        where += " and recording_id in (" + ", ".join(f"'{r}'" for r in sorted(recordings) or [""]) + ")"
    columns = ["recording_id", "start_s", "symbols", "segment_start_s", "segment_end_s"]
    return snapshot.table("contours", columns, where)


def contour_analysis(snapshot: Snapshot, wanted: str | None) -> str:
    """Id of an analysis of contours, by its name or the beginning of its id; None is the newest.

    Raises
    ------
    NotFoundError
        where there is none.
    """
    rows = [
        r
        for r in snapshot.table("analyses", ["analysis_id", "kind", "name", "created_at"]).to_pylist()
        if r["kind"] == "contour"
    ]
    if not rows:
        raise NotFoundError(f"{snapshot.path}: there are no contours; `motifdb ingest` makes them")
    if wanted is not None:
        named = [r for r in rows if r["name"] == wanted]
        rows = named or [r for r in rows if wanted and r["analysis_id"].startswith(wanted.lower())]
        if not rows:
            raise NotFoundError(f"there is no analysis of contours {wanted!r} in {snapshot.path}")
    return str(max(rows, key=lambda r: (r["created_at"], r["analysis_id"]))["analysis_id"])


def _rows(
    snapshot: Snapshot,
    phrases: pa.Table,
    phrase: np.ndarray[Any, np.dtype[np.int64]],
    first: np.ndarray[Any, np.dtype[np.int64]],
    last: np.ndarray[Any, np.dtype[np.int64]],
    edits: np.ndarray[Any, np.dtype[np.int64]],
    chosen: list[int],
) -> list[dict[str, Any]]:
    rows = phrases.take(phrase[np.array(chosen, np.int64)]).to_pylist()
    paths = paths_of(snapshot, {row["recording_id"] for row in rows})
    return [
        {
            "path": paths.get(row["recording_id"], row["recording_id"][:8]),
            # a motif's span: from its first symbol's first segment to its last symbol's last
            "start_s": row["segment_start_s"][first[i]],
            "end_s": row["segment_end_s"][last[i] + 1],
            "distance_edits": int(edits[i]),
            "contour": " ".join(f"{s:+d}" for s in row["symbols"][first[i] : last[i] + 1]),
            "recording_id": row["recording_id"],
        }
        for i, row in zip(chosen, rows, strict=True)
    ]
