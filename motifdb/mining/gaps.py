"""Mining with gaps, between the checked database and the kernels `gapped`, `unlimited` and `windows`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from motifdb.errors import UsageError
from motifdb.kernels import contiguous, gapped, unlimited, windows
from motifdb.kernels.contiguous import Wanted
from motifdb.kernels.sequences import Sequences

_MAX_TABLE = 2**29

Patterns = tuple[NDArray[np.int8], NDArray[np.int64], NDArray[np.int64]]
"""Patterns one after the other, their offsets, their supports; in lexicographic order."""

Lists = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]
"""Occurrences: pattern, sequence, first and last symbol."""


def grow_limited(database: Sequences, max_gap: int, wanted: Wanted) -> Patterns:
    """Patterns at a gap of at least 1, closed at their ends."""
    by_group = wanted.unit == contiguous.BY_GROUPS
    if by_group:  # what is counted has to stand together
        database = database.reordered(np.argsort(database.group_of, kind="stable"))
    text, sequence_at, _ = contiguous.build_text(database.symbols, database.offsets)
    only_closed = wanted.closure != contiguous.ALL
    state, nodes, level = gapped.grow_levels(
        text,
        database.group_of[sequence_at] if by_group else sequence_at,
        max_gap,
        wanted.min_support,
        wanted.max_length,
        only_closed,
        wanted.max_patterns,
        gapped.MAX_POSITIONS,
    )
    if state == gapped.TOO_MANY_PATTERNS:
        raise too_many(wanted.max_patterns)
    if state == gapped.TOO_MANY_POSITIONS:
        raise UsageError(
            f"the patterns of {len(level)} symbols end at more than {gapped.MAX_POSITIONS} positions; "
            "raise min_support, or lower max_gap or max_length"
        )
    parent, child, symbol, support, is_kept = nodes
    if not only_closed:
        is_kept[1:] = True
    is_kept[: level[min(wanted.min_length, len(level) - 1)]] = False
    ranks, offsets, kept = gapped.spell(parent, child, symbol, is_kept)
    return _vocabulary(database)[ranks], offsets, support[kept].astype(np.int64)


def grow_unlimited(database: Sequences, wanted: Wanted) -> Patterns:
    """Patterns at an unlimited gap, closed under insertion anywhere."""
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
    n_symbols = int(text.max(initial=0))
    state, ranks, offsets, support = unlimited.search(
        text,
        sequence_at,
        sequence_end,
        frequent.group_of,
        next_table(text, n_symbols),
        unlimited.previous_table(text, n_symbols),
        wanted,
        unlimited.LONG,
    )
    if state == gapped.TOO_MANY_PATTERNS:
        raise too_many(wanted.max_patterns)
    return _vocabulary(frequent)[ranks], offsets, support


def locate(
    patterns: NDArray[np.int8],
    pattern_offsets: NDArray[np.int64],
    database: Sequences,
    max_gap: int | None,
    max_occurrences: int | None,
) -> tuple[NDArray[np.int64], Lists]:
    """Minimal windows of patterns in lexicographic order, as `windows.find_windows` returns them.

    `max_occurrences` None counts without listing.

    Raises
    ------
    UsageError
        where there are more than max_occurrences.
    """
    text, sequence_at, sequence_end = contiguous.build_text(database.symbols, database.offsets)
    rank = np.zeros(256, np.uint8)  # 0: a symbol that the text lacks
    vocabulary = _vocabulary(database)[1:].astype(np.int64)
    rank[vocabulary + 128] = np.arange(1, len(vocabulary) + 1)
    longest = int(np.diff(database.offsets).max(initial=0))
    limit = windows.UNLIMITED if max_gap is None or max_gap >= longest else max_gap
    counts, lists, is_complete = windows.find_windows(
        rank[patterns.astype(np.int64) + 128],
        pattern_offsets,
        windows.shared_prefixes(patterns, pattern_offsets),
        text,
        sequence_at,
        sequence_end,
        database.group_of,
        database.n_groups,
        limit,
        next_table(text, len(vocabulary)) if limit == windows.UNLIMITED else np.empty((0, 0), np.int32),
        max_occurrences is not None,
        max_occurrences or 0,
    )
    if not is_complete:
        raise UsageError(
            f"the patterns have more than max_occurrences = {max_occurrences} occurrences; "
            "raise min_length, or leave out listing occurrences"
        )
    return counts, lists


def next_table(text: NDArray[np.uint8], n_symbols: int) -> NDArray[np.int32]:
    """`windows.next_table`, refused where it would take more than 2 GiB."""
    if len(text) * n_symbols > _MAX_TABLE:
        raise UsageError(
            f"{len(text)} symbols of {n_symbols} kinds are too many to mine at an unlimited gap at once; "
            "mine parts of the database, or set max_gap"
        )
    table: NDArray[np.int32] = windows.next_table(text, n_symbols)
    return table


def too_many(max_patterns: int) -> UsageError:
    """There are more patterns than asked for."""
    return UsageError(
        f"there are more than max_patterns = {max_patterns} patterns; raise min_support or max_patterns"
    )


def _vocabulary(database: Sequences) -> NDArray[np.int8]:
    """Symbol of each rank of `contiguous.build_text`; rank 0 is none."""
    return np.concatenate([np.zeros(1, np.int8), np.unique(database.symbols)])
