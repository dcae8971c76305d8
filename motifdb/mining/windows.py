"""Where patterns occur, between the checked database and the kernel `windows`: minimal windows, counted or listed."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from motifdb.errors import UsageError
from motifdb.kernels import contiguous, windows
from motifdb.kernels.sequences import Sequences
from motifdb.mining.bounds import Watch
from motifdb.mining.explore import Pool, run_all
from motifdb.mining.mined import Lists

_MAX_TABLE = 2**29
_TASKS_EACH = 16
"""Tasks for each worker: patterns differ in how often they occur."""


def locate(
    patterns: NDArray[np.int8],
    pattern_offsets: NDArray[np.int64],
    database: Sequences,
    max_gap: int | None,
    max_occurrences: int | None,
) -> tuple[NDArray[np.int64], Lists]:
    """Minimal windows of patterns in lexicographic order, as `windows.find` returns them.

    `max_occurrences` None counts without listing.

    Raises
    ------
    UsageError
        where there are more than max_occurrences.
    """
    finder = Finder.of(patterns, pattern_offsets, database, max_gap)
    counts, lists, is_complete = finder.find(
        0, len(pattern_offsets) - 1, max_occurrences, np.zeros(1, np.uint8)
    )
    if not is_complete:
        raise UsageError(
            f"the patterns have more than max_occurrences = {max_occurrences} occurrences; "
            "raise min_length, or leave out listing occurrences"
        )
    return counts, lists


@dataclass(frozen=True)
class Finder:
    """Patterns and the text they are looked for in; a piece of work (`motifdb.mining.explore.Work`) in tasks of some patterns."""

    ranks: NDArray[np.uint8]
    offsets: NDArray[np.int64]
    sequence_at: NDArray[np.int32]
    sequence_end: NDArray[np.int32]
    group_of: NDArray[np.int32]
    n_groups: int
    limit: int
    places: windows.Places

    @classmethod
    def of(
        cls,
        patterns: NDArray[np.int8],
        pattern_offsets: NDArray[np.int64],
        database: Sequences,
        max_gap: int | None,
    ) -> Finder:
        """Make the tables; patterns are in lexicographic order."""
        text, sequence_at, sequence_end = contiguous.build_text(database.symbols, database.offsets)
        vocabulary = np.unique(database.symbols)
        rank = np.zeros(256, np.uint8)  # 0: a symbol that the text lacks
        rank[vocabulary.astype(np.int64) + 128] = np.arange(1, len(vocabulary) + 1)
        longest = int(np.diff(database.offsets).max(initial=0))
        limit = windows.UNLIMITED if max_gap is None or max_gap >= longest else max_gap
        if limit == windows.UNLIMITED:
            refuse_table(text, len(vocabulary))
        arrays = [
            rank[patterns.astype(np.int64) + 128],
            pattern_offsets.view(),
            sequence_at,
            sequence_end,
            database.group_of.view(),
        ]
        for array in arrays:  # so that threads and tasks of a cluster run the same compiled code
            array.setflags(write=False)
        places = windows.list_places(text, sequence_at, limit)
        ranks, offsets, sequence_at, sequence_end, group_of = arrays
        return cls(ranks, offsets, sequence_at, sequence_end, group_of, database.n_groups, limit, places)

    def find(
        self, first: int, last: int, max_occurrences: int | None, stop: NDArray[np.uint8]
    ) -> tuple[NDArray[np.int64], Lists, bool]:
        """Windows of the patterns from `first` on and before `last`; pattern numbers count from `first`."""
        at = self.offsets[first : last + 1]
        ranks = self.ranks[at[0] : at[-1]]
        offsets = at - at[0]
        ranks.setflags(write=False)
        counts, lists, is_complete = windows.find(
            ranks,
            offsets,
            windows.shared_prefixes(ranks, offsets),
            self.places,
            self.sequence_at,
            self.sequence_end,
            self.group_of,
            self.n_groups,
            self.limit,
            max_occurrences is not None,
            max_occurrences or 0,
            stop,
        )
        return counts, lists, bool(is_complete)

    def run(
        self, first: int, last: int, is_listing: bool, *, stop: NDArray[np.uint8]
    ) -> tuple[NDArray[np.int64], Lists]:
        """One task: counts, and with `is_listing` all windows, of some of the patterns."""
        counts, lists, _ = self.find(first, last, 2**62 if is_listing else None, stop)
        return counts, lists

    def count(self, pool: Pool, watch: Watch) -> NDArray[np.int64]:
        """Sequences, groups, windows and non-overlapping windows of every pattern; int64, shape (n_patterns, 4)."""
        found = run_all(self, [(*r, False) for r in self._ranges(pool)], pool, watch)
        return np.concatenate([counts for counts, _ in found]) if found else np.empty((0, 4), np.int64)

    def list_all(self, pool: Pool, watch: Watch) -> Lists:
        """Every window of every pattern."""
        ranges = self._ranges(pool)
        found = [lists for _, lists in run_all(self, [(*r, True) for r in ranges], pool, watch)]
        if not found:
            return (np.empty(0, np.int64),) * 4
        each = [(lists[0] + first, *lists[1:]) for (first, _), lists in zip(ranges, found, strict=True)]
        pattern, sequence, begin, end = (np.concatenate(column) for column in zip(*each, strict=True))
        return pattern, sequence, begin, end

    def _ranges(self, pool: Pool) -> list[tuple[int, int]]:
        n = len(self.offsets) - 1
        n_tasks = 1 if pool.n_workers == 1 else min(n, _TASKS_EACH * pool.n_workers)
        bounds = np.linspace(0, n, n_tasks + 1).astype(int).tolist() if n else [0]
        return list(pairwise(bounds))


def refuse_table(text: NDArray[np.uint8], n_symbols: int) -> None:
    """Refuse a text whose table of next positions would take more than 2 GiB.

    Raises
    ------
    UsageError
        where it would.
    """
    if len(text) * n_symbols > _MAX_TABLE:
        raise UsageError(
            f"{len(text)} symbols of {n_symbols} kinds are too many to mine at an unlimited gap at once; "
            "mine parts of the database, or set max_gap"
        )
