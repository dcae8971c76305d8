"""Mining with gaps, between the checked database and the kernels `gapped`, `unlimited` and `windows`.

A search is a `Space` that `explore` cuts into tasks. Its parts are put together and trimmed to what the bounds let stay;
then the minimal windows of the patterns are counted, some patterns to a task.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from motifdb.kernels import contiguous, gapped, instances, unlimited
from motifdb.kernels.contiguous import Wanted
from motifdb.kernels.sequences import Sequences
from motifdb.mining.bounds import Bounds, LateError, Tally, Watch, fits_from
from motifdb.mining.explore import Part, Pool, explore
from motifdb.mining.mined import Lists, Mined
from motifdb.mining.windows import Finder, refuse_table

Patterns = tuple[NDArray[np.int8], NDArray[np.int64], NDArray[np.int64]]
"""Patterns one after the other, their offsets, their supports; in lexicographic order."""

_STEPS = 64
"""Under a time limit the search is run for the strongest patterns, then for more: down to a 64th of all supports, two, four."""
_PATTERN_BYTES = 100
_WINDOW_BYTES = 32
_NODE_BYTES = 32
"""What a returned pattern takes beside its symbols, a listed window, and a frequent pattern while closure is judged."""


def mine_gapped(
    database: Sequences,
    max_gap: int | None,
    wanted: Wanted,
    bounds: Bounds,
    pool: Pool,
    *,
    want_occurrences: bool,
    want_counts: bool,
) -> Mined:
    """Patterns at a gap of at least 1 or an unlimited one, as `arrays.mine` returns them."""
    longest = int(np.diff(database.offsets).max(initial=0))
    if max_gap is not None:
        max_gap = min(max_gap, max(longest, 1))  # a wider one allows nothing more
    space = (
        Unlimited.of(database, wanted)
        if max_gap is None
        else Limited.of(database, max_gap, wanted, pool.n_workers)
    )
    search = _Search(database, max_gap, wanted, bounds, pool, space, want_occurrences, want_counts)
    with Watch(bounds.time_limit_s) as watch:
        if bounds.time_limit_s is None:
            return search.run(wanted.min_support, watch)
        # from the largest support there can be downwards, ever further: what is left behind is complete
        largest = database.n_groups if wanted.unit == contiguous.BY_GROUPS else len(database.offsets) - 1
        best = Mined.nothing(largest + 1, "time_limit")
        step = max(1, largest // _STEPS)
        while True:
            least = max(wanted.min_support, largest - step)
            try:
                best = search.run(least, watch)
            except LateError:
                return replace(best, stopped_by="time_limit")
            if best.stopped_by is not None or least == wanted.min_support:
                return best
            step *= 2


@dataclass(frozen=True)
class _Search:
    """One question, to be run once or with ever wider bounds."""

    database: Sequences
    max_gap: int | None
    wanted: Wanted
    bounds: Bounds
    pool: Pool
    space: Limited | Unlimited
    want_occurrences: bool
    want_counts: bool

    def run(self, least: int, watch: Watch) -> Mined:
        """Search for patterns with at least so much support.

        Raises
        ------
        LateError
            where the watch rang.
        """
        room = self.bounds.left_for_patterns(self.space.n_bytes)
        tally = Tally(least, self.wanted.max_patterns, room, _PATTERN_BYTES)
        parts = explore(self.space, self.space.first, self.pool, tally, watch)
        patterns, offsets, support = self.space.put_together(parts, tally.least)
        del parts
        counts = np.full((len(support), 4), -1, np.int64)
        counts[:, 0 if self.wanted.unit == contiguous.BY_SEQUENCES else 1] = support
        lists: Lists = (np.empty(0, np.int64),) * 4
        if self.want_counts or self.want_occurrences:
            finder = Finder.of(patterns, offsets, self.database, self.max_gap)
            counts = finder.count(self.pool, watch)
        if self.want_occurrences:
            least, bound = self._listable(support, counts[:, 2], room, tally)
            if bound is not None:
                tally.least, tally.stopped_by = least, bound
                patterns, offsets, support, counts = _trimmed(patterns, offsets, support, counts, least)
                finder = Finder.of(patterns, offsets, self.database, self.max_gap)
            lists = finder.list_all(self.pool, watch)
        n_sequences, n_groups, n_windows, n_apart = np.ascontiguousarray(counts.T)
        return Mined(
            patterns,
            offsets[:-1],
            np.diff(offsets),
            n_sequences,
            n_groups,
            n_windows,
            n_apart,
            *lists,
            n_distinct=None,
            complete_from=tally.least,
            stopped_by=tally.stopped_by,
        )

    def _listable(
        self, support: NDArray[np.int64], n_windows: NDArray[np.int64], room: int | None, tally: Tally
    ) -> tuple[int, str | None]:
        """Support from which on the windows can be listed, and the bound that says so."""
        each = np.bincount(support, weights=n_windows).astype(np.int64)
        least = fits_from(each, self.bounds.max_occurrences)
        bound = "max_occurrences"
        if room is not None:
            per_support = np.bincount(support, minlength=len(each)) * _PATTERN_BYTES + each * _WINDOW_BYTES
            by_memory = fits_from(per_support, room)
            if by_memory > least:
                least, bound = by_memory, "memory_limit"
        return (least, bound) if least > tally.least else (tally.least, None)


@dataclass(frozen=True)
class _Tree:
    """What both searches have: tables, the question, and the symbol of each rank."""

    tables: gapped.Database | instances.Tables
    wanted: Wanted
    vocabulary: NDArray[np.int8]

    @property
    def first(self) -> NDArray[np.uint8]:
        """Symbols of the first level."""
        return np.arange(1, len(self.vocabulary), dtype=np.uint8)

    @property
    def n_bytes(self) -> int:
        """Bytes of the tables."""
        return sum(a.nbytes for a in self.tables if isinstance(a, np.ndarray))


@dataclass(frozen=True)
class Limited(_Tree):
    """The tree of frequent patterns at a gap limit; what is closed at its ends is judged when all of it is there."""

    tables: gapped.Database
    max_gap: int

    @classmethod
    def of(cls, database: Sequences, max_gap: int, wanted: Wanted, n_workers: int) -> Limited:
        """Make the tables."""
        by_group = wanted.unit == contiguous.BY_GROUPS
        if by_group:  # what is counted has to stand together
            database = database.reordered(np.argsort(database.group_of, kind="stable"))
        text, sequence_at, _ = contiguous.build_text(database.symbols, database.offsets)
        unit_at = database.group_of[sequence_at] if by_group else sequence_at
        tables = gapped.prepare(text, unit_at, max_gap, wanted.min_support, n_workers)
        return cls(tables, wanted, _vocabulary(database), max_gap)

    def run(
        self,
        prefix: NDArray[np.uint8],
        children: NDArray[np.uint8],
        least: NDArray[np.int64],
        budget: int,
        most: int,
        *,
        stop: NDArray[np.uint8],
    ) -> tuple[int, Part, Any]:
        """One task; see `gapped.explore`."""
        # one symbol more than asked for: it tells which of the longest are closed
        deepest = self.wanted.max_length + (self.wanted.closure != contiguous.ALL)
        found: tuple[int, Part, Any] = gapped.explore(
            self.tables,
            self.max_gap,
            deepest,
            _frozen(prefix),
            _frozen(children),
            _own(least),
            budget,
            most,
            stop,
        )
        return found

    def weigh(self, part: Part) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Support and bytes of each frequent pattern."""
        return part[2].astype(np.int64), part[0].astype(np.int64) + (_NODE_BYTES + _PATTERN_BYTES)

    def put_together(self, parts: list[Part], least: int) -> Patterns:
        """The patterns asked for with a support of at least `least`."""
        # what goes leaves a tree: a prefix has no less support
        stays = [slice(None) if least == self.wanted.min_support else p[2] >= least for p in parts]
        depth, symbol, support = (
            np.concatenate([p[c][s] for p, s in zip(parts, stays, strict=True)]) for c in range(3)
        )
        is_kept = (
            gapped.close_trie(depth, symbol, support)
            if self.wanted.closure != contiguous.ALL
            else np.ones(len(depth), bool)
        )
        is_kept &= (depth >= self.wanted.min_length) & (depth <= self.wanted.max_length)
        ranks, offsets, kept = gapped.spell_preorder(depth, symbol, is_kept)
        return self.vocabulary[ranks], offsets, support[kept].astype(np.int64)


@dataclass(frozen=True)
class Unlimited(_Tree):
    """The tree of frequent patterns at an unlimited gap; closure is judged at each."""

    tables: instances.Tables

    @classmethod
    def of(cls, database: Sequences, wanted: Wanted) -> Unlimited:
        """Make the tables."""
        by_group = wanted.unit == contiguous.BY_GROUPS
        n_sequences = len(database.offsets) - 1
        sequence_of = np.repeat(np.arange(n_sequences), np.diff(database.offsets))
        unit_of = database.group_of if by_group else np.arange(n_sequences, dtype=np.int32)
        # a symbol without enough support is in no pattern and makes none unclosed
        values = database.symbols.astype(np.int64) + 128
        pairs = np.unique(unit_of[sequence_of].astype(np.int64) * 256 + values)
        stays = (np.bincount(pairs % 256, minlength=256) >= wanted.min_support)[values]
        lengths = np.bincount(sequence_of[stays], minlength=n_sequences)
        bounds = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
        # short sequences rule out extensions first, and what is counted has to stand together
        order = np.argsort(database.group_of if by_group else lengths, kind="stable")
        frequent = Sequences(database.symbols[stays], bounds, unit_of, database.group_labels).reordered(order)
        text, sequence_at, sequence_end = contiguous.build_text(frequent.symbols, frequent.offsets)
        refuse_table(text, 2 * int(text.max(initial=0)))
        tables = instances.prepare(text, sequence_at, sequence_end, frequent.group_of if by_group else None)
        return cls(tables, wanted, _vocabulary(frequent))

    def run(
        self,
        prefix: NDArray[np.uint8],
        children: NDArray[np.uint8],
        least: NDArray[np.int64],
        budget: int,
        most: int,
        *,
        stop: NDArray[np.uint8],
    ) -> tuple[int, Part, Any]:
        """One task; see `unlimited.explore`."""
        found: tuple[int, Part, Any] = unlimited.explore(
            self.tables,
            self.wanted.closure != contiguous.ALL,
            self.wanted.min_length,
            self.wanted.max_length,
            _frozen(prefix),
            _frozen(children),
            _own(least),
            budget,
            most,
            stop,
            unlimited.PATIENCE,
            unlimited.LONG,
        )
        return found

    def weigh(self, part: Part) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Support and bytes of each pattern."""
        return part[2], np.diff(part[1]) + _PATTERN_BYTES

    def put_together(self, parts: list[Part], least: int) -> Patterns:
        """The patterns with a support of at least `least`."""
        patterns = np.concatenate([p[0] for p in parts])
        lengths = np.concatenate([np.diff(p[1]) for p in parts])
        support = np.concatenate([p[2] for p in parts])
        offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
        ranks, offsets, support, _ = _trimmed(patterns, offsets, support, support, least)
        return self.vocabulary[ranks], offsets, support


def _trimmed(
    patterns: NDArray[Any],
    offsets: NDArray[np.int64],
    support: NDArray[np.int64],
    counts: NDArray[np.int64],
    least: int,
) -> tuple[NDArray[Any], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Without the patterns of less support."""
    stays = support >= least
    if stays.all():
        return patterns, offsets, support, counts
    lengths = np.diff(offsets)
    left = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths[stays])])
    return patterns[np.repeat(stays, lengths)], left, support[stays], counts[stays]


def _frozen(array: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Read-only, as tasks of a cluster get their arrays: so there is one compiled form for all."""
    array = array.view()
    array.setflags(write=False)
    return array


def _own(array: NDArray[np.int64]) -> NDArray[np.int64]:
    """Writable; a task of a cluster is given a copy that is not, and would be compiled once more."""
    return array if array.flags.writeable else array.copy()


def _vocabulary(database: Sequences) -> NDArray[np.int8]:
    """Symbol of each rank of `contiguous.build_text`; rank 0 is none."""
    return np.concatenate([np.zeros(1, np.int8), np.unique(database.symbols)])
