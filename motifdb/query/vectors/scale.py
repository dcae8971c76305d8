"""Vectors whose numbers have units of their own: each column divided by its deviation before distances are taken."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from motifdb.query.vectors.exact import METRICS
from motifdb.query.vectors.read import matrix_of

STANDARDISED = "standardised"
"""The Euclidean distance of columns over their deviation among all vectors of the analysis."""

DISTANCES: tuple[str, ...] = (*METRICS, STANDARDISED)


def deviations(batches: Iterable[pa.RecordBatch], n_dims: int, name: str) -> NDArray[np.float64]:
    """The deviation of each column over all vectors, 1 where a column does not vary: float64 [n_dims].

    Of the population, from means and squares that are put together block by block in double precision (Chan et al. 1979).
    """
    n, mean, squares = 0, np.zeros(n_dims), np.zeros(n_dims)
    for batch in batches:
        rows = matrix_of(pa.chunked_array([batch.column("vector")]), name).astype(np.float64)
        if not len(rows):
            continue
        own, n_all = rows.mean(0), n + len(rows)
        apart = own - mean
        squares += np.square(rows - own).sum(0) + np.square(apart) * (n * len(rows) / n_all)
        mean, n = mean + apart * (len(rows) / n_all), n_all
    deviation = np.sqrt(squares / max(n, 1))
    return np.where(deviation > 0, deviation, 1.0)


def scaled(matrix: NDArray[np.floating], deviation: NDArray[np.float64]) -> NDArray[np.float32]:
    """Vectors over the deviation of their columns, float32."""
    return np.asarray(matrix / deviation, np.float32)


def scaled_batches(
    batches: Iterable[pa.RecordBatch], deviation: NDArray[np.float64], name: str
) -> Iterator[pa.RecordBatch]:
    """Batches with `scaled` vectors in the place of theirs."""
    for batch in batches:
        made = scaled(matrix_of(pa.chunked_array([batch.column("vector")]), name), deviation)
        lists = pa.FixedSizeListArray.from_arrays(pa.array(made.reshape(-1)), len(deviation))
        at = batch.schema.get_field_index("vector")
        kind = batch.schema.field("vector").type
        yield batch.set_column(at, pa.field("vector", kind), lists.cast(kind))
