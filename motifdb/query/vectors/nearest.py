"""The stored vectors nearest to a query: through the analysis's index where there is a good one, else by comparing all."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from motifdb.errors import NotFoundError, UsageError
from motifdb.errors import nearest as nearest_name
from motifdb.query.vectors.exact import Metric, distance, first_of, nearest_of, rows_of
from motifdb.query.vectors.index import (
    PROBES,
    Index,
    default_metric,
    find_index,
    sizes_of,
    vector_batches,
)
from motifdb.query.vectors.read import find_embeddings, matrix_of
from motifdb.query.vectors.scale import DISTANCES, STANDARDISED, deviations, scaled, scaled_batches

if TYPE_CHECKING:
    from motifdb.catalog.snapshot import Snapshot

FILTERED_EXACTLY = 100_000
"""Where a filter leaves so many vectors or fewer, they are compared one by one, which is quicker than to sift an index."""

MOST_SIFTED = 2_000
"""Rows that an index is asked for at most where a filter leaves more than that."""


@dataclass(frozen=True)
class Neighbours:
    """What is near.

    Attributes
    ----------
    rows : table of ``query`` (int64, which of the queries), ``distance`` (float64) and the columns of `embeddings` but the
        vector, by query, then distance, then embedding_id
    metric : what the distances are: cosine, euclidean or standardised
    is_exact : whether all vectors were compared
    note : a sentence about an index that could not be used; None: nothing to say
    """

    rows: pa.Table
    metric: str
    is_exact: bool
    note: str | None = None


def nearest(
    snapshot: Snapshot,
    analysis: str | None,
    queries: NDArray[np.floating],
    n: int = 10,
    *,
    allowed: Collection[str] | None = None,
    leave_out: Collection[str] = (),
    metric: str | None = None,
    exact: bool = False,
    probes: int = PROBES,
) -> Neighbours:
    """The vectors nearest to each query.

    Parameters
    ----------
    analysis : of embeddings, by name or the beginning of its id; None: the only one
    queries : [q, d] or [d]
    n : rows wanted for each query; there are fewer only where fewer are allowed
    allowed : embedding ids that count; None: all. It is applied before the nearest are taken
    leave_out : embedding ids that do not count
    metric : None: what the analysis says, else cosine
    exact : compare all, whether there is an index or not
    probes : partitions of the index that are looked into

    Raises
    ------
    NotFoundError, UsageError
        where there is no such analysis, or it has no vectors; UsageError also for a query of another size, one that is
        not finite, and `n` below 1.
    DatabaseError
        where the stored vectors are of several sizes.
    """
    row = find_embeddings(snapshot, analysis)
    chosen = metric or default_metric(row)
    if chosen not in DISTANCES:
        raise UsageError(f"there is no distance {chosen!r}; {nearest_name(chosen, DISTANCES)}")
    if n < 1:
        raise UsageError(f"the number of places must be 1 or more, got {n}")
    found = find_index(snapshot, row)
    n_dims = sizes_of(snapshot, row["analysis_id"]) if found.index is None else found.index.n_dims
    asked = _fitting(queries, n_dims, row)
    note = None
    if found.trouble is not None:
        note = (
            f"the index of {row['name']} {found.trouble}; the vectors were compared one by one, and"
            f" `motifdb index {row['analysis_id'][:8]}` makes it anew"
        )
    kept = None if allowed is None else pa.array(sorted(set(allowed) - set(leave_out)), pa.string())
    index = found.index
    if index is not None and index.metric != chosen:
        index = None
    name, analysis_id = str(row["name"]), str(row["analysis_id"])
    measured: Metric = "cosine" if chosen == "cosine" else "euclidean"
    deviation = None
    if chosen == STANDARDISED:
        deviation = (
            deviations(vector_batches(snapshot, analysis_id, n_dims), n_dims, name)
            if index is None
            else np.array(index.header["deviation"], np.float64)
        )
        asked = scaled(asked, deviation)
    is_sifted = kept is None or len(kept) > FILTERED_EXACTLY
    if index is not None and not exact and is_sifted:
        try:
            rows = _through(index, asked, n, kept, leave_out, measured, probes)
        except (OSError, ValueError) as error:
            rows = None
            note = (
                f"the index of {row['name']} is damaged ({str(error)[:100]}); the vectors were compared one by one, and"
                f" `motifdb index {row['analysis_id'][:8]}` makes it anew"
            )
        if rows is not None:
            return Neighbours(rows, chosen, False, note)
    n_more = n if kept is not None else n + len(leave_out)
    stored = vector_batches(snapshot, analysis_id, n_dims)
    if deviation is not None:
        stored = scaled_batches(stored, deviation, name)
    near = nearest_of(stored, asked, n_more, metric=measured, allowed=kept, name=name)
    return Neighbours(_without(near, leave_out, n), chosen, True, note)


def _fitting(queries: NDArray[np.floating], n_dims: int, row: Mapping[str, Any]) -> NDArray[np.float32]:
    """Queries as float32 [q, d], where they are of the size of the analysis's vectors."""
    if not n_dims:
        raise NotFoundError(f"{row['name']} has no vectors yet; `motifdb embed` goes on with it")
    asked = np.atleast_2d(np.asarray(queries, np.float32))
    if asked.ndim != 2 or asked.shape[1] != n_dims:
        raise UsageError(
            f"the query is a vector of {asked.shape[-1]:,} numbers and those of {row['name']} have {n_dims:,}; it must come"
            " from the same model"
        )
    if not np.isfinite(asked).all():
        raise UsageError("the query holds numbers that are none (infinite, or not a number)")
    return asked


def _through(
    index: Index,
    queries: NDArray[np.float32],
    n: int,
    kept: pa.Array | None,
    leave_out: Collection[str],
    metric: Metric,
    probes: int,
) -> pa.Table | None:
    """What an index finds; None where it does not find enough, so that all must be compared.

    Distances are computed again from the vectors, in double precision, as an exact search does.
    """
    parts = []
    for i, query in enumerate(queries):
        near = _sifted(index, query, n, kept, leave_out, probes)
        if near is None:
            return None
        exact = distance(query, matrix_of(near.column("vector"), str(index.header["name"])), metric)
        if not np.isfinite(exact).all():
            raise ValueError("it holds numbers that are none")
        parts.append(rows_of(near, i, exact))
    return first_of(pa.concat_tables(parts), n)


def _sifted(
    index: Index,
    query: NDArray[np.float32],
    n: int,
    kept: pa.Array | None,
    leave_out: Collection[str],
    probes: int,
) -> pa.Table | None:
    """At least n rows (all there are, where fewer) that count, from an index; None where it did not give so many."""
    wanted = min(n, index.n_vectors - len(leave_out)) if kept is None else min(n, len(kept))
    share = 1.0 if kept is None else len(kept) / index.n_vectors
    ask = round(n / share) + len(leave_out)
    while True:
        ask = min(ask, index.n_vectors)
        near = index.search(query, ask, probes=probes)
        is_in = pc.invert(pc.is_in(near.column("embedding_id"), pa.array(sorted(leave_out), pa.string())))
        if kept is not None:
            is_in = pc.and_(is_in, pc.is_in(near.column("embedding_id"), kept))
        left = near.filter(is_in)
        if left.num_rows >= wanted:
            return left
        if ask >= min(MOST_SIFTED, index.n_vectors):
            return None
        ask, probes = ask * 4, probes * 2


def _without(near: pa.Table, leave_out: Collection[str], n: int) -> pa.Table:
    if not leave_out:
        return near
    is_out = pc.is_in(near.column("embedding_id"), pa.array(sorted(leave_out), pa.string()))
    return first_of(near.filter(pc.invert(is_out)), n)
