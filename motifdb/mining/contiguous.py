"""Contiguous mining (max_gap 0): from checked sequences to counted patterns, by suffix array and repeats."""

from __future__ import annotations

from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial

import numpy as np
from numpy.typing import NDArray

from motifdb.kernels import contiguous
from motifdb.kernels.contiguous import Wanted
from motifdb.kernels.repeats import HIGH, LOW, closed_repeats, measure, most_repeats, write_patterns
from motifdb.kernels.sequences import Sequences
from motifdb.kernels.suffixes import Suffixes, over
from motifdb.mining.bounds import Bounds, Watch
from motifdb.mining.mined import Mined

_WALK = 16
"""Occurrences per symbol up to which looking at each one is the faster way to count non-overlapping ones."""


_PIECES = 4
"""Of the suffix array a thread, so that uneven ones even out."""
_TABLE_BYTES = 32
"""Of a text and its suffixes, while they are sorted and after, a symbol."""
_REPEAT_BYTES = 60
"""Of a repeat that may be closed: its row, its node, what it stands for."""
_OPEN_BYTES = 32
"""Of a repeat that is open while others inside it are found."""
PATTERN_BYTES = 120
"""Of a pattern that is returned: interval and counts, and what counting its non-overlapping occurrences takes."""
OCCURRENCE_BYTES = 32


def mine_contiguous(
    database: Sequences,
    wanted: Wanted,
    max_occurrences: int | None,
    *,
    memory_limit_bytes: int | None = None,
    n_threads: int = 1,
    watch: Watch | None = None,
) -> Mined:
    """Contiguous patterns with their counts, and their occurrences where max_occurrences is a number.

    Where there are more patterns than ``wanted.max_patterns``, more occurrences to list than max_occurrences, or more
    bytes than memory_limit_bytes, the least support is raised to the smallest at which all bounds hold, and the set is
    complete down to it. The result is the same for every number of threads; sorting the suffixes is the work of one.

    Raises
    ------
    UsageError
        where memory_limit_bytes is too small for the tables of these sequences.
    LateError
        where the watch has rung between two steps.
    """
    watch = watch or Watch()
    bounds = Bounds(memory_limit_bytes=memory_limit_bytes)
    n = len(database.symbols) + len(database.offsets) - 1
    bounds.left_for_patterns(_TABLE_BYTES * n)
    with ExitStack() as stack:
        pool = stack.enter_context(ThreadPoolExecutor(n_threads, "motifdb-mining")) if n_threads > 1 else None
        text, sequence_at, sequence_end = contiguous.build_text(database.symbols, database.offsets)
        suffixes = Suffixes.of(text, sequence_at, sequence_end, pool, n_threads)
        watch.check()
        n_bytes = bounds.left_for_patterns(table_bytes(suffixes, wanted.min_support))
        repeats = closed_repeats(
            suffixes,
            database.group_of,
            database.n_groups,
            wanted.unit,
            wanted.min_support,
            wanted.closure,
            pool,
            1 if pool is None else _PIECES * n_threads,
        )
        watch.check()
        support, n_patterns = measure(repeats, wanted)
        n_listed = n_patterns * (repeats[:, HIGH] - repeats[:, LOW] + 1)
        if max_occurrences is None:
            n_listed[:] = 0
        threshold, stopped_by = _threshold(
            wanted.min_support,
            support,
            {
                "max_patterns": (n_patterns, wanted.max_patterns),
                "max_occurrences": (n_listed, max_occurrences),
                "memory_limit": (PATTERN_BYTES * n_patterns + OCCURRENCE_BYTES * n_listed, n_bytes),
            },
        )
        found = write_patterns(repeats, support, n_patterns, threshold, wanted.max_length)
        occurrences = found[:, 1].astype(np.int64) - found[:, 0] + 1
        lists = (np.empty(0, np.int64),) * 4
        if max_occurrences is not None:
            lists = contiguous.list_occurrences(
                found, *contiguous.owners(found, suffixes.order), suffixes.sequence_at, suffixes.sequence_end
            )
        watch.check()
        apart = _count_apart(suffixes, found, occurrences, pool, n_threads)
    places = suffixes.order[found[:, 0]]
    lengths, n_sequences, n_groups = (found[:, c].astype(np.int64) for c in (2, 3, 4))
    return Mined(
        database.symbols,
        places.astype(np.int64) - suffixes.sequence_at[places],  # the text has one 0 more per sequence before
        lengths,
        n_sequences,
        n_groups,
        occurrences,
        apart,
        *lists,
        contiguous.count_distinct(suffixes.lcp, suffixes.sequence_end, wanted.min_length, wanted.max_length),
        threshold,
        stopped_by,
    )


def table_bytes(suffixes: Suffixes, min_support: int) -> int:
    """Bytes that mining these suffixes takes at most, the patterns left out."""
    n_repeats, n_open = most_repeats(suffixes.lcp, min_support)
    return _TABLE_BYTES * len(suffixes.text) + _REPEAT_BYTES * int(n_repeats) + _OPEN_BYTES * int(n_open)


def _threshold(
    least: int, support: NDArray[np.int64], bounds: dict[str, tuple[NDArray[np.int64], int | None]]
) -> tuple[int, str | None]:
    """Smallest support from which on every amount adds up to its limit at most, and the first bound that needs it."""
    threshold, stopped_by = least, None
    for name, (amounts, limit) in bounds.items():
        if limit is not None and int(amounts.sum()) > limit:
            is_any = amounts > 0
            supports, place = np.unique(support[is_any], return_inverse=True)
            each = np.zeros(len(supports), np.int64)
            np.add.at(each, place, amounts[is_any])
            above = np.cumsum(each[::-1])[::-1]
            fitting = int(supports[np.flatnonzero(above > limit)[-1]]) + 1
            if fitting > threshold:
                threshold, stopped_by = fitting, name
    return threshold, stopped_by


def _count_apart(
    suffixes: Suffixes,
    found: NDArray[np.int32],
    occurrences: NDArray[np.int64],
    pool: Executor | None,
    n_pieces: int,
) -> NDArray[np.int64]:
    """Non-overlapping occurrences of each pattern."""
    apart = occurrences.copy()
    text, order = suffixes.text, suffixes.order
    cuts = np.linspace(0, len(found), n_pieces + 1).astype(np.int64)
    overlap = np.concatenate(over(pool, cuts, partial(contiguous.may_overlap, text, order, found)))
    own = found[overlap]
    longest_at, shorter = contiguous.owners(own, order)
    if occurrences[overlap].sum() <= _WALK * len(order):
        ends = np.concatenate([[0], suffixes.sequence_end + 1])  # no occurrence goes on behind one
        cuts = ends[np.linspace(0, len(ends) - 1, n_pieces + 1).astype(np.int64)]
        walk = partial(contiguous.count_apart_by_walking, own, longest_at, shorter)
        apart[overlap] = sum(over(pool, cuts, walk))
    else:
        apart[overlap] = contiguous.count_apart_by_jumping(own, shorter, order)
    return apart
