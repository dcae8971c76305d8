"""What a text stands for as a sound: a motif, a clip or a recording, whose stored vectors are averaged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from motifdb.errors import NotFoundError, UsageError
from motifdb.query.meant import Meant, what_is_meant
from motifdb.query.vectors.exact import unit
from motifdb.query.vectors.index import default_metric
from motifdb.query.vectors.read import ROW_COLUMNS, matrix_of

if TYPE_CHECKING:
    from motifdb.query.asking import Asking
    from motifdb.query.database import Database

KINDS = ("motif", "clip", "recording")
"""What can be meant."""

_CUT_FROM_MOTIFS = "('motif', 'motif_segment')"
"""Kinds of clips that sound a motif; random ones only name the motif that they are matched to."""

AT_ONCE = 2_000
"""Clips that are named in one predicate."""


@dataclass(frozen=True)
class Like:
    """A query by sound.

    Attributes
    ----------
    vector : float32 [d]
    own : embedding ids of what it is made of; none for a file
    words : what it is, for people
    """

    vector: NDArray[np.float32]
    own: tuple[str, ...]
    words: str


def like_of(database: Asking, analysis: Mapping[str, Any], text: str) -> Like:
    """The vector of what a text means, in an analysis of embeddings.

    It is the mean of the vectors of its clips or occurrences, each of length 1 first where angles are compared: the direction
    that they have in common.

    Parameters
    ----------
    analysis : its row of `analyses`
    text : a contour or the beginning of a motif's id; the beginning of a clip's id; the path of a recording or the beginning of its id

    Raises
    ------
    NotFoundError
        where there is no such thing, or the analysis has no vector of it.
    UsageError
        where several are meant.
    """
    meant = what_is_meant(cast("Database", database), text, KINDS)
    rows = _rows_of(database, analysis, meant)
    words = f"{meant.kind} {text if meant.kind == 'recording' else meant.id[:8]}"
    if not rows.num_rows:
        raise NotFoundError(_no_vector(analysis, words, meant))
    matrix = matrix_of(rows.column("vector"), str(analysis["name"]))
    own = tuple(rows.column("embedding_id").to_pylist())
    return Like(mean_vector(matrix, default_metric(analysis)), own, words)


def mean_vector(matrix: NDArray[np.float32], metric: str) -> NDArray[np.float32]:
    """The mean of vectors, float32 [d]; of their directions where angles are compared."""
    rows = np.asarray(matrix, np.float64)
    mean: NDArray[np.float64] = (unit(rows) if metric == "cosine" else rows).mean(axis=0)
    return mean.astype(np.float32)


def _rows_of(database: Asking, analysis: Mapping[str, Any], meant: Meant) -> pa.Table:
    """The vectors that stand for a thing."""
    snapshot = database.snapshot
    columns = [*ROW_COLUMNS, "vector"]
    mine = f"analysis_id = '{analysis['analysis_id']}'"
    if meant.kind != "motif":
        return snapshot.table("embeddings", columns, f"{mine} and {meant.kind}_id = '{meant.id}'")
    found = snapshot.table("embeddings", columns, f"{mine} and motif_id = '{meant.id}'")
    if found.num_rows:
        return found
    where = f"motif_id = '{meant.id}' and kind in {_CUT_FROM_MOTIFS}"
    clips = sorted(snapshot.table("clips", ["clip_id"], where).column(0).to_pylist())
    parts = [found]
    for begin in range(0, len(clips), AT_ONCE):
        listed = ", ".join(f"'{id_}'" for id_ in clips[begin : begin + AT_ONCE])
        parts.append(snapshot.table("embeddings", columns, f"{mine} and clip_id in ({listed})"))
    return pa.concat_tables(parts)


def _no_vector(analysis: Mapping[str, Any], words: str, meant: Meant) -> str:
    import json

    target = json.loads(analysis["parameters"]).get("target", "recording")
    fitting = {"motif": "occurrence", "clip": "clip", "recording": "recording"}[meant.kind]
    sentence = f"{analysis['name']} has vectors of {target}s, and none of {words}"
    if target == "recording" and meant.kind != "recording":
        return f"{sentence}; `motifdb embed MODEL --target {fitting}` makes vectors of {fitting}s"
    return f"{sentence}; `motifdb embed` goes on with what is new, where it belongs to what was embedded"


def require_text(text: str) -> str:
    """A text that can mean something.

    Raises
    ------
    UsageError
        where it is empty.
    """
    if not text.strip():
        raise UsageError("an empty text is no query; give a motif, a clip, a recording or a sound file")
    return text.strip()
