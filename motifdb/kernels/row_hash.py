"""Hash many rows at once, column by column, whatever the columns' types: everything is bytes.

Each row has a state of two 64-bit lanes; `mix_column` stirs one column's bytes into every row's state. The sum of
all rows' states is a hash of the table that does not know the order of its rows.

The stirring is the finaliser of SplitMix64 (Steele, Lea and Flood 2014), applied to each word of eight bytes. It
is no defence against somebody who looks for collisions; it tells accidental differences with 128 bits.
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

_MULTIPLIER_1 = np.uint64(0xBF58476D1CE4E5B9)
_MULTIPLIER_2 = np.uint64(0x94D049BB133111EB)
_STEP_A = np.uint64(0x9E3779B97F4A7C15)
_STEP_B = np.uint64(0xD1B54A32D192ED03)
_NULL = np.uint64(0xFFFFFFFFFFFFFFFF)


def mix_column(
    state: NDArray[np.uint64],
    data: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    is_null: NDArray[np.bool_],
    seed: int,
) -> None:
    """Stir one column into the rows' states, in place.

    Parameters
    ----------
    state : uint64, shape (n_rows, 2)
    data : uint8, shape (n_bytes,), the values of all rows
    offsets : int64, shape (n_rows + 1,); row i is ``data[offsets[i] : offsets[i + 1]]``
    is_null : bool, shape (n_rows,); a null's bytes are not looked at
    seed : tells the column from others, 0 to 2**64 - 1

    Raises
    ------
    ValueError
        where the shapes do not fit.
    """
    n_rows = len(state)
    if state.shape != (n_rows, 2) or offsets.shape != (n_rows + 1,) or is_null.shape != (n_rows,):
        raise ValueError(
            f"state, offsets and is_null must have shapes (n, 2), (n + 1,) and (n,), got {state.shape},"
            f" {offsets.shape} and {is_null.shape}"
        )
    if n_rows and (offsets[0] < 0 or offsets[-1] > len(data) or np.any(np.diff(offsets) < 0)):
        raise ValueError(f"offsets must ascend from 0 to at most {len(data)}")
    _mix(state, np.ascontiguousarray(data), offsets, is_null, np.uint64(seed))


@numba.njit(cache=True, nogil=True)
def _stir(x):  # type: ignore[no-untyped-def]
    x = (x ^ (x >> np.uint64(30))) * _MULTIPLIER_1
    x = (x ^ (x >> np.uint64(27))) * _MULTIPLIER_2
    return x ^ (x >> np.uint64(31))


@numba.njit(cache=True, nogil=True)
def _mix(state, data, offsets, is_null, seed):  # type: ignore[no-untyped-def]
    for row in range(len(state)):
        a = _stir(state[row, 0] ^ seed)
        b = _stir(state[row, 1] + seed)
        if is_null[row]:
            length = _NULL
        else:
            first, last = offsets[row], offsets[row + 1]
            length = np.uint64(last - first)
            at = first
            while at < last:
                word = np.uint64(0)
                for k in range(min(8, last - at)):
                    word |= np.uint64(data[at + k]) << np.uint64(8 * k)
                a = _stir((a ^ word) + _STEP_A)
                b = _stir((b + word) ^ _STEP_B)
                at += 8
        state[row, 0] = _stir((a ^ length) + _STEP_B)
        state[row, 1] = _stir((b + length) ^ _STEP_A)
