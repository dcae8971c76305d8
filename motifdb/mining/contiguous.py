"""Contiguous mining (max_gap 0): from checked sequences to counted patterns, by suffix array and tree of repeats."""

from __future__ import annotations

import numpy as np

from motifdb.errors import UsageError
from motifdb.kernels import contiguous
from motifdb.kernels.contiguous import Wanted
from motifdb.kernels.repeats import lcp_array, repeat_tree, suffix_array
from motifdb.kernels.sequences import Sequences
from motifdb.mining.gaps import Lists, too_many
from motifdb.mining.mined import Mined

_WALK = 16
"""Occurrences per symbol up to which looking at each one is the faster way to count non-overlapping ones."""


def mine_contiguous(database: Sequences, wanted: Wanted, max_occurrences: int | None) -> Mined:
    text, sequence_at, sequence_end = contiguous.build_text(database.symbols, database.offsets)
    order = suffix_array(text)
    lcp = lcp_array(text, order)
    tree, links = repeat_tree(
        text, order, lcp, sequence_at, sequence_end, database.group_of, database.n_groups
    )
    n_patterns, found = contiguous.select(text, order, lcp, sequence_at, sequence_end, tree, links, wanted)
    if n_patterns > wanted.max_patterns:
        raise too_many(wanted.max_patterns)
    occurrences = found[:, 1].astype(np.int64) - found[:, 0] + 1
    longest_at, shorter = contiguous.owners(found, order)
    n_occurrences = int(occurrences.sum())
    lists: Lists = (np.empty(0, np.int64),) * 4
    if max_occurrences is not None:
        if n_occurrences > max_occurrences:
            raise UsageError(
                f"the patterns have {n_occurrences} occurrences, more than max_occurrences = {max_occurrences}; "
                "raise min_length, or leave out listing occurrences"
            )
        lists, apart = contiguous.list_occurrences(found, longest_at, shorter, sequence_at, sequence_end)
    elif n_occurrences <= _WALK * len(text):
        apart = contiguous.count_apart_by_walking(found, longest_at, shorter)
    else:
        apart = contiguous.count_apart_by_jumping(found, shorter, order)
    places = order[found[:, 0]]
    lengths, n_sequences, n_groups = (found[:, c].astype(np.int64) for c in (2, 3, 4))
    return Mined(
        database.symbols,
        places.astype(np.int64) - sequence_at[places],  # the text has one 0 more per sequence before
        lengths,
        n_sequences,
        n_groups,
        occurrences,
        apart,
        *lists,
        contiguous.count_distinct(
            order, lcp, sequence_at, sequence_end, wanted.min_length, wanted.max_length
        ),
    )
