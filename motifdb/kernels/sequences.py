"""A checked database of symbol sequences, as the miners and counters take it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from motifdb.errors import UsageError

NO_LIMIT = 2**31 - 1


@dataclass(frozen=True)
class Sequences:
    """Sequences of symbols and the group of each; made by `of`, which checks them.

    Attributes
    ----------
    symbols : int8, shape (n,)
    offsets : int64, shape (n_sequences + 1,); sequence s is ``symbols[offsets[s] : offsets[s + 1]]``
    group_of : int32, shape (n_sequences,), in 0..n_groups - 1
    group_labels : the number each group was given
    """

    symbols: NDArray[np.int8]
    offsets: NDArray[np.int64]
    group_of: NDArray[np.int32]
    group_labels: NDArray[np.int64]

    @classmethod
    def of(cls, symbols: ArrayLike, offsets: ArrayLike, groups: ArrayLike | None = None) -> Sequences:
        """Check the arrays; `groups` None puts all sequences into group 0.

        Raises
        ------
        UsageError
            where a symbol is outside -127..127, or offsets or groups do not fit.
        """
        flat, bounds = checked_lists("symbols", symbols, offsets)
        n_sequences = len(bounds) - 1
        if len(flat) + n_sequences >= NO_LIMIT:
            raise UsageError(
                "more than 2 147 483 646 symbols and sequences in one call; take parts of the database"
            )
        if groups is None:
            return cls(flat, bounds, np.zeros(n_sequences, np.int32), np.zeros(1, np.int64))
        labels = np.asarray(groups)
        if labels.shape != (n_sequences,) or (labels.size and labels.dtype.kind not in "iu"):
            raise UsageError(
                f"groups must be one whole number for each of {n_sequences} sequences, "
                f"got {labels.size} of type {labels.dtype}"
            )
        names, inverse = np.unique(labels, return_inverse=True)
        return cls(flat, bounds, inverse.astype(np.int32), names.astype(np.int64))

    @property
    def n_groups(self) -> int:
        """At least 1, so that arrays by group are never empty."""
        return max(1, len(self.group_labels))

    def reordered(self, order: NDArray[np.int64]) -> Sequences:
        """The sequences in another order."""
        lengths = np.diff(self.offsets)[order]
        bounds = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
        where = np.repeat(self.offsets[:-1][order] - bounds[:-1], lengths) + np.arange(bounds[-1])
        return Sequences(self.symbols[where], bounds, self.group_of[order], self.group_labels)


def checked_lists(
    what: str, values: ArrayLike, offsets: ArrayLike
) -> tuple[NDArray[np.int8], NDArray[np.int64]]:
    """Flat int8 values and int64 offsets that fit; `what` names the values in errors."""
    given = np.asarray(values)
    bounds = np.asarray(offsets)
    if given.ndim != 1 or bounds.ndim != 1:
        raise UsageError(f"{what} and their offsets must be flat arrays")
    if given.size and given.dtype.kind not in "iu":
        raise UsageError(f"{what} must be whole numbers from -127 to 127, got {given.dtype}")
    if given.size and (given.min() < -127 or given.max() > 127):
        raise UsageError(f"{what} must lie in -127..127, got {given.min()}..{given.max()}")
    if (
        bounds.size == 0
        or bounds.dtype.kind not in "iu"
        or bounds[0] != 0
        or bounds[-1] != given.size
        or np.any(bounds[1:] < bounds[:-1])
    ):
        raise UsageError(f"offsets do not fit: they must ascend from 0 to the number of {what}, {given.size}")
    return np.ascontiguousarray(given, dtype=np.int8), np.ascontiguousarray(bounds, dtype=np.int64)
