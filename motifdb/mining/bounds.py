"""How much a search may take, and what to keep when it would take more: always a set that is complete down to a support."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from motifdb.errors import UsageError


@dataclass(frozen=True)
class Bounds:
    """Limits of one call; None is none.

    Attributes
    ----------
    max_patterns : patterns to return; with a gap limit frequent ones count, closed or not
    max_occurrences : occurrences to list
    memory_limit_bytes : tables of the sequences, and the patterns and occurrences that are kept
    time_limit_s : wall time of the whole call
    """

    max_patterns: int = 20_000_000
    max_occurrences: int = 50_000_000
    memory_limit_bytes: int | None = None
    time_limit_s: float | None = None

    def __post_init__(self) -> None:
        for name in ("max_patterns", "max_occurrences", "memory_limit_bytes", "time_limit_s"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise UsageError(f"{name} must be more than 0, got {value}")

    def left_for_patterns(self, table_bytes: int) -> int | None:
        """Bytes left once the tables of the sequences are there.

        Raises
        ------
        UsageError
            where the tables alone take more than memory_limit_bytes.
        """
        if self.memory_limit_bytes is None:
            return None
        if table_bytes >= self.memory_limit_bytes:
            raise UsageError(
                f"memory_limit is {self.memory_limit_bytes / 1e6:.1f} MB, and the tables of these sequences alone "
                f"take {table_bytes / 1e6:.1f} MB; raise it, or mine parts of the database"
            )
        return self.memory_limit_bytes - table_bytes


class Tally:
    """What was found so far by support, and the support from which on all of it may stay.

    The support only ever rises, and what stays at the end depends on the set of patterns alone, not on the order in
    which they were found: it is the smallest support at or above `least` from which on patterns and bytes keep within the limits.
    """

    def __init__(self, least: int, max_patterns: int, max_bytes: int | None, least_bytes: int = 1) -> None:
        self.least = least
        self.stopped_by: str | None = None
        self._least_bytes = least_bytes  # that any pattern takes
        self._limits = (("max_patterns", max_patterns), ("memory_limit", max_bytes))
        self._n_each = np.zeros(1, np.int64)
        self._bytes_each = np.zeros(1, np.int64)

    @property
    def most(self) -> int:
        """Patterns that no task needs to find more of: above this some bound is reached for certain."""
        limits = [limit for _, limit in self._limits if limit is not None]
        return int(min([limits[0], *(limit // self._least_bytes for limit in limits[1:])]))

    def add(self, supports: NDArray[np.int64], n_bytes: NDArray[np.int64]) -> int:
        """Count in what was found; the support below which nothing is needed any more."""
        if not len(supports):
            return self.least
        longest = max(len(self._n_each), int(supports.max()) + 1)
        self._n_each = _padded(self._n_each, longest) + np.bincount(supports, minlength=longest)
        self._bytes_each = _padded(self._bytes_each, longest) + np.bincount(
            supports, weights=n_bytes, minlength=longest
        ).astype(np.int64)
        for (name, limit), each in zip(self._limits, (self._n_each, self._bytes_each), strict=True):
            from_support = fits_from(each, limit)
            if from_support > self.least:
                self.least, self.stopped_by = from_support, name
        return self.least


def fits_from(each: NDArray[np.int64], limit: int | None) -> int:
    """Smallest support s such that all that has s or more sums up to at most the limit; `each` is indexed by support.

    >>> fits_from(np.array([0, 5, 3, 1]), 4)
    2
    """
    if limit is None:
        return 0
    above = np.cumsum(each[::-1])[::-1]
    over = np.flatnonzero(above > limit)
    return int(over[-1]) + 1 if len(over) else 0


def _padded(array: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    return np.concatenate([array, np.zeros(n - len(array), np.int64)])


class LateError(Exception):
    """The watch rang before the search was over."""


@dataclass
class Watch:
    """Flags that running kernels look at: `stop[0]` when time is up or the search is to end for another reason.

    As a context manager it starts the clock; leaving it sets the flag, so that no kernel runs on behind a Ctrl-C.
    `stop[1]` asks kernels to share their work (`motifdb.mining.explore`).
    """

    time_limit_s: float | None = None
    stop: NDArray[np.uint8] = field(default_factory=lambda: np.zeros(2, np.uint8))
    is_late: bool = False

    def __enter__(self) -> Watch:
        self._timer: threading.Timer | None = None
        if self.time_limit_s is not None:
            self._timer = threading.Timer(self.time_limit_s, self._ring)
            self._timer.daemon = True
            self._timer.start()
        return self

    def _ring(self) -> None:
        self.is_late = True
        self.stop[0] = 1

    def check(self) -> None:
        """Raise `LateError` where it has rung."""
        if self.stop[0]:
            raise LateError

    def __exit__(self, *_: object) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self.stop[0] = 1
