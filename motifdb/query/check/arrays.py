"""Arrow columns of lists as flat numpy arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray


def flat(column: pa.ChunkedArray, dtype: type[np.generic]) -> NDArray[Any]:
    """The values of a list column, one after the other; a null element becomes 0.

    >>> flat(pa.chunked_array([[[1, 2], [], [3]]]), np.int64).tolist()
    [1, 2, 3]
    """
    parts = [c.flatten().fill_null(0).to_numpy(zero_copy_only=False) for c in column.chunks]
    return np.ascontiguousarray(np.concatenate(parts) if parts else np.empty(0), dtype)


def lengths(column: pa.ChunkedArray) -> NDArray[np.int64]:
    """The number of values in each row of a list column; 0 for a null row."""
    counts: NDArray[np.int64] = pc.list_value_length(column).fill_null(0).to_numpy().astype(np.int64)
    return counts


def starts(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where each row's values begin in the flat array, and at the end their number.

    >>> starts(np.array([2, 0, 1])).tolist()
    [0, 2, 2, 3]
    """
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)


def index_in(values: pa.ChunkedArray, among: pa.ChunkedArray) -> NDArray[np.int64]:
    """Place of each value among others, -1 where it is not.

    >>> index_in(pa.chunked_array([["b", "x"]]), pa.chunked_array([["a", "b"]])).tolist()
    [1, -1]
    """
    found = pc.index_in(values, value_set=among.combine_chunks())
    index: NDArray[np.int64] = found.fill_null(-1).to_numpy().astype(np.int64)
    return index
