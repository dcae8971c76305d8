"""Vectors of the windows of clips, clip by clip, and what they are standardised by."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from motifdb.errors import UsageError

CHUNK = 4096
"""Frames that are held as float64, or heard without learning, at a time."""


@dataclass(frozen=True, eq=False)
class Frames:
    """Vectors of the windows of n clips, clip by clip.

    Attributes
    ----------
    vectors : float32 [m, n_dims], an array or a memory map; nobody writes to it
    first : int64 [n + 1], where the frames of each clip begin; every clip has one or more
    """

    vectors: NDArray[np.float32]
    first: NDArray[np.int64]

    @classmethod
    def of(cls, vectors: NDArray[np.float32], owner: NDArray[np.int64], n_clips: int) -> Frames:
        """Frames with the clip of each, ascending.

        Raises
        ------
        UsageError
            where a clip has no frame, or a number is none.
        """
        counts = np.bincount(owner, minlength=n_clips)
        if len(counts) != n_clips or len(owner) != len(vectors) or (np.diff(owner) < 0).any():
            raise ValueError("frames must be in the order of their clips")
        if (counts == 0).any():
            raise UsageError(
                f"{int((counts == 0).sum()):,} clips have no vector; a model must give each clip one or more"
            )
        for begin in range(0, len(vectors), CHUNK):
            if not np.isfinite(vectors[begin : begin + CHUNK]).all():
                raise UsageError("some vectors hold numbers that are none (infinite, or not a number)")
        return cls(vectors, np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)]).astype(np.int64))

    def __len__(self) -> int:
        return len(self.first) - 1

    @property
    def n_dims(self) -> int:
        """Numbers in a vector."""
        return int(self.vectors.shape[1])

    def rows_of(self, clips: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Frames of some clips, and the place in `clips` that each belongs to.

        >>> Frames(np.zeros((5, 2), np.float32), np.array([0, 2, 3, 5])).rows_of(np.array([2, 0]))
        (array([3, 4, 0, 1]), array([0, 0, 1, 1]))
        """
        clips = np.asarray(clips, np.int64)
        n = np.diff(self.first)[clips]
        owner = np.repeat(np.arange(len(clips)), n)
        place = np.arange(len(owner)) - np.repeat(np.cumsum(n) - n, n)
        return self.first[clips][owner] + place, owner


@dataclass(frozen=True)
class Scaling:
    """Mean and deviation (of the population) of each dimension; one that never varies becomes 0."""

    mean: NDArray[np.float32]
    deviation: NDArray[np.float32]

    @classmethod
    def of(cls, vectors: NDArray[np.float32], rows: NDArray[np.int64]) -> Scaling:
        """Over some rows, in one pass after another, so that a memory map is never held whole."""
        total = np.zeros(vectors.shape[1])
        for some in _chunks(rows):
            total += vectors[some].sum(0, dtype=np.float64)
        mean = total / len(rows)
        squares = np.zeros(vectors.shape[1])
        for some in _chunks(rows):
            squares += np.square(vectors[some].astype(np.float64) - mean).sum(0)
        deviation = np.sqrt(squares / len(rows))
        # a constant has rounding for its deviation, and standardised rounding is noise of unit size
        is_still = deviation <= 1e-7 * np.abs(mean)
        return cls(mean.astype(np.float32), np.where(is_still, np.inf, deviation).astype(np.float32))


def _chunks(rows: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    for begin in range(0, len(rows), CHUNK):
        yield rows[begin : begin + CHUNK]
