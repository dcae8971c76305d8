"""Search by sound: what sounds like a motif, a clip, a recording, or a vector that somebody has."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from motifdb.errors import UsageError
from motifdb.query.asking import Asking
from motifdb.query.search.answer import paths_of
from motifdb.query.table_functions import SOUND_COLUMNS
from motifdb.query.vectors.among import allowed_ids
from motifdb.query.vectors.like import Like, like_of, require_text
from motifdb.query.vectors.nearest import nearest
from motifdb.query.vectors.read import find_embeddings

if TYPE_CHECKING:
    from motifdb.catalog.snapshot import Snapshot
    from motifdb.query.database import Result
    from motifdb.query.sql import Parameters, Session


@dataclass(frozen=True)
class Heard:
    """An answer to a search by sound.

    Attributes
    ----------
    table : of `SOUND_COLUMNS`
    words : what was looked for, in which vectors
    note : a sentence about an index that could not be used; None: nothing to say
    is_exact : whether all vectors were compared
    """

    table: pa.Table
    words: str
    note: str | None
    is_exact: bool


class Asked(Asking):
    """A session as what the readers of names need: a snapshot, and SQL."""

    def __init__(self, session: Session) -> None:
        self._session = session

    @property
    def snapshot(self) -> Snapshot:
        """What is asked."""
        return self._session.snapshot

    def sql(self, query: str, parameters: Parameters = None) -> Result:
        """The answer of a statement."""
        from motifdb.query.database import Result

        return Result(self._session.table(query, parameters))


def search_sound(
    session: Session,
    query: str | Like | NDArray[np.floating],
    *,
    n: int = 10,
    analysis: str | None = None,
    condition: str | None = None,
    exact: bool = False,
    own: bool = False,
    max_distance: float | None = None,
) -> Heard:
    """The stored vectors nearest to a query.

    Parameters
    ----------
    query : what `motifdb.query.vectors.like.like_of` takes, what it gives, or a vector
    n : places wanted; there may be fewer
    analysis : of embeddings, by name or the beginning of its id; None: the only one
    condition : SQL that a place must meet, applied before the nearest are taken; see `motifdb.query.vectors.among`
    exact : compare all vectors, whether there is an index or not
    own : keep what the query is made of, which is nearest to it as a rule
    max_distance : places further away are left out; None: none is

    Raises
    ------
    UsageError, NotFoundError
        for a query or a condition that cannot be, in one sentence.
    """
    if max_distance is not None and not 0 <= max_distance < math.inf:
        raise UsageError(f"the distance of a place is 0 or more, got {max_distance:g}")
    snapshot = session.snapshot
    row = find_embeddings(snapshot, analysis)
    if isinstance(query, str):
        like = like_of(Asked(session), row, require_text(query))
    elif isinstance(query, Like):
        like = query
    else:
        like = Like(np.asarray(query, np.float32), (), "a vector")
    if like.vector.ndim != 1:
        raise UsageError(f"one vector is looked for at a time, got an array of shape {like.vector.shape}")
    allowed = None if condition is None else allowed_ids(session, row["analysis_id"], condition)
    found = nearest(
        snapshot,
        row["analysis_id"],
        like.vector,
        n,
        allowed=allowed,
        leave_out=() if own else like.own,
        exact=exact,
    )
    near = found.rows
    if max_distance is not None:
        near = near.filter(pc.less_equal(near.column("distance"), max_distance))
    words = f"like {like.words}, by {row['name']} ({row['analysis_id'][:8]})"
    return Heard(_table(snapshot, near), words, found.note, found.is_exact)


def _table(snapshot: Snapshot, rows: pa.Table) -> pa.Table:
    """Rows of neighbours as an answer."""
    listed = rows.to_pylist()
    paths = paths_of(snapshot, {row["recording_id"] for row in listed})
    contours = _contours(snapshot, listed)
    answer = [
        row
        | {
            "rank": i,
            "distance": round(row["distance"], 9) + 0.0,
            "path": paths.get(row["recording_id"], row["recording_id"][:8]),
            "contour": contours.get(str(row["embedding_id"])),
        }
        for i, row in enumerate(listed, 1)
    ]
    schema = pa.schema([pa.field(c.name, c.type) for c in SOUND_COLUMNS])
    return pa.Table.from_pylist([{c.name: row[c.name] for c in SOUND_COLUMNS} for row in answer], schema)


def _contours(snapshot: Snapshot, rows: list[dict[str, Any]]) -> Mapping[str, str]:
    """By embedding, the contour of the motif that sounds there."""
    motif_of = {row["embedding_id"]: row["motif_id"] for row in rows if row["motif_id"]}
    clip_of = {row["embedding_id"]: row["clip_id"] for row in rows if row["clip_id"]}
    if clip_of:
        where = f"clip_id in ({_listed(clip_of.values())}) and kind in ('motif', 'motif_segment')"
        found = snapshot.table("clips", ["clip_id", "motif_id"], where)
        cut_from = dict(zip(*(c.to_pylist() for c in found.columns), strict=True))
        motif_of |= {id_: cut_from[clip] for id_, clip in clip_of.items() if cut_from.get(clip)}
    if not motif_of:
        return {}
    named = snapshot.table("motifs", ["motif_id", "contour"], f"motif_id in ({_listed(motif_of.values())})")
    contour = dict(zip(*(c.to_pylist() for c in named.columns), strict=True))
    return {id_: contour[motif] for id_, motif in motif_of.items() if motif in contour}


def _listed(ids: Any) -> str:
    return ", ".join(f"'{id_}'" for id_ in sorted(set(ids)))
