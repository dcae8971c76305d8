"""Contiguous mining (max_gap 0): from checked sequences to counted patterns, by suffix array and repeats."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from motifdb.errors import UsageError
from motifdb.kernels import contiguous
from motifdb.kernels.contiguous import BY_GROUPS, Wanted
from motifdb.kernels.repeats import drop_extended, find_repeats, measure, write_patterns
from motifdb.kernels.sequences import Sequences
from motifdb.kernels.suffixes import Suffixes
from motifdb.mining.gaps import Lists, too_many
from motifdb.mining.mined import Mined

_WALK = 16
"""Occurrences per symbol up to which looking at each one is the faster way to count non-overlapping ones."""


def mine_contiguous(database: Sequences, wanted: Wanted, max_occurrences: int | None) -> Mined:
    suffixes = Suffixes.of(*contiguous.build_text(database.symbols, database.offsets))
    found = _select(suffixes, database, wanted)
    occurrences = found[:, 1].astype(np.int64) - found[:, 0] + 1
    n_occurrences = int(occurrences.sum())
    lists: Lists = (np.empty(0, np.int64),) * 4
    if max_occurrences is not None:
        if n_occurrences > max_occurrences:
            raise UsageError(
                f"the patterns have {n_occurrences} occurrences, more than max_occurrences = {max_occurrences}; "
                "raise min_length, or leave out listing occurrences"
            )
        lists = contiguous.list_occurrences(
            found, *contiguous.owners(found, suffixes.order), suffixes.sequence_at, suffixes.sequence_end
        )
    places = suffixes.order[found[:, 0]]
    lengths, n_sequences, n_groups = (found[:, c].astype(np.int64) for c in (2, 3, 4))
    return Mined(
        database.symbols,
        places.astype(np.int64) - suffixes.sequence_at[places],  # the text has one 0 more per sequence before
        lengths,
        n_sequences,
        n_groups,
        occurrences,
        _count_apart(suffixes, found, occurrences),
        *lists,
        contiguous.count_distinct(suffixes.lcp, suffixes.sequence_end, wanted.min_length, wanted.max_length),
    )


def _select(suffixes: Suffixes, database: Sequences, wanted: Wanted) -> NDArray[np.int32]:
    repeats, linked, place_of = find_repeats(
        suffixes, database.group_of, database.n_groups, wanted.unit, wanted.min_support, wanted.closure
    )
    if len(linked):
        drop_extended(repeats, linked, place_of, wanted.closure == BY_GROUPS)
    support, n_patterns = measure(repeats, wanted)
    if n_patterns.sum() > wanted.max_patterns:
        raise too_many(wanted.max_patterns)
    found: NDArray[np.int32] = write_patterns(
        repeats, support, n_patterns, wanted.min_support, wanted.max_length
    )
    return found


def _count_apart(
    suffixes: Suffixes, found: NDArray[np.int32], occurrences: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Non-overlapping occurrences of each pattern."""
    apart = occurrences.copy()
    overlap = contiguous.may_overlap(suffixes.text, suffixes.order, found)
    own = found[overlap]
    longest_at, shorter = contiguous.owners(own, suffixes.order)
    if occurrences[overlap].sum() <= _WALK * len(suffixes.order):
        apart[overlap] = contiguous.count_apart_by_walking(own, longest_at, shorter)
    else:
        apart[overlap] = contiguous.count_apart_by_jumping(own, shorter, suffixes.order)
    return apart
