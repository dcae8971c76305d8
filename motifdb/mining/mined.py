"""What mining returns inside the house: flat arrays, patterns as pieces of a text."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from motifdb.errors import UsageError
from motifdb.kernels import contiguous

Lists = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]
"""Occurrences: pattern, sequence, first and last symbol."""

_MAX_SPELLED = 2**31


@dataclass(frozen=True)
class Mined:
    """Patterns in lexicographic order of their symbols (-2 before 1; a prefix before what it begins), and their counts.

    Pattern k is ``text[starts[k] : starts[k] + lengths[k]]``; `patterns` and `pattern_offsets` are the same as flat arrays,
    made on first use, because the patterns of a text that repeats itself are longer than the text by a square.

    Attributes
    ----------
    text : int8
    starts, lengths : int64, shape (n_patterns,)
    support_sequences : int64, shape (n_patterns,), sequences in which it occurs at least once
    support_groups : int64, shape (n_patterns,), recordings in which it does
    occurrences : int64, shape (n_patterns,); at a gap above 0, minimal windows
    occurrences_nonoverlapping : int64, shape (n_patterns,), greedy from the left (by end)
    occurrence_pattern, occurrence_sequence, occurrence_first, occurrence_last : int64, shape (n_occurrences,),
        sorted by (pattern, sequence, first); first and last are symbol indices inside the sequence; empty unless asked for
    n_distinct : patterns of admissible length that occur at least once, closed or not; None at a gap above 0
    complete_from : every pattern with at least this support is here; above min_support only where a bound was reached
    stopped_by : ``"max_patterns"``, ``"max_occurrences"``, ``"memory_limit"``, ``"time_limit"``: the bound that left out the
        patterns of lower support; None where none did
    """

    text: NDArray[np.int8]
    starts: NDArray[np.int64]
    lengths: NDArray[np.int64]
    support_sequences: NDArray[np.int64]
    support_groups: NDArray[np.int64]
    occurrences: NDArray[np.int64]
    occurrences_nonoverlapping: NDArray[np.int64]
    occurrence_pattern: NDArray[np.int64]
    occurrence_sequence: NDArray[np.int64]
    occurrence_first: NDArray[np.int64]
    occurrence_last: NDArray[np.int64]
    n_distinct: int | None
    complete_from: int = 0
    stopped_by: str | None = None

    @classmethod
    def nothing(cls, complete_from: int, stopped_by: str) -> Mined:
        """What there is where a bound was reached before anything was complete."""
        none = np.empty(0, np.int64)
        return cls(
            np.empty(0, np.int8),
            *(none,) * 10,
            n_distinct=None,
            complete_from=complete_from,
            stopped_by=stopped_by,
        )

    def __len__(self) -> int:
        return len(self.starts)

    @cached_property
    def pattern_offsets(self) -> NDArray[np.int64]:
        """int64, shape (n_patterns + 1,); pattern k is ``patterns[pattern_offsets[k] : pattern_offsets[k + 1]]``."""
        return np.concatenate([np.zeros(1, np.int64), np.cumsum(self.lengths)])

    @cached_property
    def patterns(self) -> NDArray[np.int8]:
        """int8, shape (total length,), the patterns one after the other.

        Raises
        ------
        UsageError
            where they take more than 2 GiB.
        """
        total = int(self.pattern_offsets[-1])
        if total > _MAX_SPELLED:
            raise UsageError(
                f"the patterns have {total} symbols, too many to write out; take them one by one, or set max_length"
            )
        symbols: NDArray[np.int8] = contiguous.spell(self.text, self.starts, self.pattern_offsets)
        return symbols

    def pattern(self, k: int) -> NDArray[np.int8]:
        """Symbols of pattern k."""
        start = int(self.starts[k])
        symbols: NDArray[np.int8] = self.text[start : start + int(self.lengths[k])]
        return symbols
