"""The nearest vectors by comparing all of them, a block at a time: memory does not grow with their number."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from motifdb.query.vectors.read import ROW_COLUMNS, matrix_of

Metric = Literal["cosine", "euclidean"]
METRICS: tuple[Metric, ...] = ("cosine", "euclidean")

_ROUNDING = 1e-4
"""What a product of unit vectors in float32 may be off by, far beyond what is seen; what is so near to the last place is looked at again."""


def distance(
    query: NDArray[np.floating], vectors: NDArray[np.floating], metric: Metric
) -> NDArray[np.float64]:
    """Distance of each vector from a query, in double precision.

    Parameters
    ----------
    query : [d]
    vectors : [n, d]
    metric : ``"cosine"``: 1 minus the cosine of the angle, 0 to 2, and 1 from or to a vector of zeros; ``"euclidean"``

    Returns
    -------
    float64 [n]
    """
    q, rows = np.asarray(query, np.float64), np.asarray(vectors, np.float64)
    found: NDArray[np.float64]
    if metric == "euclidean":
        found = np.sqrt(np.square(rows - q).sum(axis=1))
    else:
        # a sum for each row, not a matrix product, whose last digits depend on which rows are beside
        found = 1.0 - np.clip((unit(rows) * unit(q[None])).sum(axis=1), -1.0, 1.0)
    return found


def unit(rows: NDArray[np.floating]) -> NDArray[np.floating]:
    """Rows of length 1, in the precision they have; of length 0 where they are zeros."""
    # scaled by their largest number first: the squares of very small or large ones are not numbers
    largest = np.abs(rows).max(axis=1, keepdims=True, initial=0.0)
    scaled = np.divide(rows, largest, out=np.zeros_like(rows), where=largest > 0)
    length = np.sqrt(np.square(scaled).sum(axis=1, keepdims=True))
    made: NDArray[np.floating] = np.divide(scaled, length, out=np.zeros_like(rows), where=length > 0)
    return made


def nearest_of(
    batches: Iterable[pa.RecordBatch],
    queries: NDArray[np.float32],
    n: int,
    *,
    metric: Metric = "cosine",
    allowed: pa.Array | None = None,
    name: str = "these vectors",
) -> pa.Table:
    """The nearest rows of each query; ties go to the smaller embedding_id.

    Parameters
    ----------
    batches : rows with `ROW_COLUMNS` and `vector`
    queries : [q, d]
    n : rows wanted for each query
    allowed : embedding ids that count; None: all
    name : of the analysis, for messages

    Returns
    -------
    Table of ``query`` (int64, row of `queries`), ``distance`` and `ROW_COLUMNS`, by query, then distance.

    Raises
    ------
    DatabaseError
        where the vectors are of several sizes.
    """
    held = _schema().empty_table()
    worst = np.full(len(queries), np.inf)
    for batch in batches:
        if allowed is not None:
            batch = batch.filter(pc.is_in(batch.column("embedding_id"), allowed))
        if not batch.num_rows:
            continue
        matrix = matrix_of(pa.chunked_array([batch.column("vector")]), name)
        found = [held]
        for i, picks in enumerate(_candidates(matrix, queries, n, metric, worst)):
            if picks.size:
                exact = distance(queries[i], matrix[picks], metric)
                found.append(_rows(batch, picks, i, exact))
        held = first_of(pa.concat_tables(found), n)
        number = held.column("query").to_numpy()
        last = np.flatnonzero(np.diff(number, append=-1))
        is_full = np.bincount(number, minlength=len(queries)) == n
        worst[number[last]] = held.column("distance").to_numpy()[last]
        worst[~is_full] = np.inf
    return held


def first_of(found: pa.Table, n: int) -> pa.Table:
    """The first n rows of each query, by distance, then embedding_id."""
    order = [("query", "ascending"), ("distance", "ascending"), ("embedding_id", "ascending")]
    ordered = found.sort_by(order)
    number = ordered.column("query").to_numpy()
    place = np.arange(len(number)) - np.searchsorted(number, number)
    return ordered.filter(pa.array(place < n))


def _candidates(
    matrix: NDArray[np.float32],
    queries: NDArray[np.float32],
    n: int,
    metric: Metric,
    worst: NDArray[np.float64],
) -> list[NDArray[np.int64]]:
    """For each query, the rows of a block that may be among its nearest: more than n only where they are as near."""
    if metric == "cosine":
        score = 1.0 - unit(queries) @ unit(matrix).T
        slack, limit = np.full(len(queries), _ROUNDING), worst
    else:
        # a block is moved so that its mean is the origin, where squares are small and lose little
        middle = matrix.mean(axis=0)
        rows, asked = matrix - middle, queries - middle
        size, sizes = np.square(rows).sum(axis=1), np.square(asked).sum(axis=1)
        score = sizes[:, None] + size[None, :] - 2.0 * (asked @ rows.T)
        slack, limit = _ROUNDING * (sizes + size.max(initial=0.0)), np.square(worst)
    k = min(n, len(matrix)) - 1
    picked = []
    for i, row in enumerate(score):
        reach = min(float(limit[i]), float(np.partition(row, k)[k])) + 2.0 * slack[i]
        picked.append(np.flatnonzero(row <= reach))
    return picked


def _schema() -> pa.Schema:
    from motifdb.schemas import EMBEDDINGS

    about = [pa.field(c, EMBEDDINGS.column(c).type) for c in ROW_COLUMNS]
    return pa.schema([pa.field("query", pa.int64()), pa.field("distance", pa.float64()), *about])


def _rows(
    batch: pa.RecordBatch, picks: NDArray[np.int64], query: int, exact: NDArray[np.float64]
) -> pa.Table:
    """Rows of a block that were picked for a query, with their distances."""
    chosen = pa.Table.from_batches([batch]).select(ROW_COLUMNS).take(pa.array(picks))
    columns = [pa.array(np.full(len(picks), query, np.int64)), pa.array(exact), *chosen.columns]
    return pa.Table.from_arrays(columns, schema=_schema())


def rows_of(table: pa.Table, query: int, exact: NDArray[np.float64]) -> pa.Table:
    """Rows that were found for a query otherwise, in the form of `nearest_of`."""
    n = table.num_rows
    columns = [pa.array(np.full(n, query, np.int64)), pa.array(exact, pa.float64())]
    return pa.Table.from_arrays([*columns, *table.select(ROW_COLUMNS).columns], schema=_schema())
