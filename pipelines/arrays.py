"""Between Arrow's list columns and the flat arrays that kernels take."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray


def lists(offsets: NDArray[Any], values: NDArray[Any]) -> pa.ListArray:
    """A list column over flat values; offsets are those of the values, from 0."""
    return pa.ListArray.from_arrays(pa.array(np.asarray(offsets, np.int32)), pa.array(values))


def flat(column: pa.ChunkedArray, dtype: type[np.generic]) -> NDArray[Any]:
    """The values of a list column one after the other."""
    parts = [chunk.flatten().to_numpy(zero_copy_only=False) for chunk in column.chunks]
    return np.ascontiguousarray(np.concatenate(parts) if parts else np.empty(0), dtype)


def or_null(values: NDArray[np.float64]) -> pa.Array:
    """NaN, a kernel's word for unknown, becomes null."""
    return pa.array(values, pa.float64(), mask=np.isnan(values))
