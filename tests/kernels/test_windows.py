"""Minimal windows against the definition, at any gap, with and without the table of followers."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from motifdb.kernels import contiguous, windows
from motifdb.kernels.windows import UNLIMITED
from tests.reference.mining import Pattern, count
from tests.reference.oracle import flat


def located(
    patterns: list[Pattern],
    sequences: list[list[int]],
    groups: list[int],
    max_gap: int | None,
    *,
    max_occurrences: int = 2**62,
    has_table: bool = True,
    is_stopped: bool = False,
) -> tuple[NDArray[np.int64], tuple[NDArray[np.int64], ...], bool]:
    """Counts and windows of patterns over the symbols 1, 2, ... (0: one that the text lacks)."""
    symbols, offsets = flat(sequences)
    kinds = np.unique(symbols).tolist()
    text, sequence_at, sequence_end = contiguous.build_text(symbols, offsets)
    limit = UNLIMITED if max_gap is None else max_gap
    ranks = np.array([kinds.index(x) + 1 if x in kinds else 0 for p in patterns for x in p], np.uint8)
    group_of = np.array(groups, np.int32)
    for array in (ranks, sequence_at, sequence_end, group_of):  # as mining passes them: one compiled form
        array.setflags(write=False)
    places = windows.list_places(text, sequence_at, limit)
    if not has_table:
        places = places._replace(follow=places.follow[:0])
    at = np.cumsum([0] + [len(p) for p in patterns])
    arrays = (ranks, at, windows.shared_prefixes(ranks, at))
    stop = np.full(1, is_stopped, np.uint8)
    found: tuple[NDArray[np.int64], tuple[NDArray[np.int64], ...], bool] = windows.find(
        *arrays,
        places,
        sequence_at,
        sequence_end,
        group_of,
        max(groups, default=0) + 1,
        limit,
        True,
        max_occurrences,
        stop,
    )
    return found


def assert_defined(
    patterns: list[Pattern],
    sequences: list[list[int]],
    groups: list[int],
    max_gap: int | None,
    **how: Any,
) -> None:
    counts, lists, is_complete = located(patterns, sequences, groups, max_gap, **how)
    right = [count(p, sequences, groups, max_gap) for p in patterns]
    assert is_complete
    assert counts.tolist() == [[c.sequences, c.groups, c.occurrences, c.apart] for c in right]
    spans = [(k, *span) for k, c in enumerate(right) for span in c.spans]
    assert list(zip(*(x.tolist() for x in lists), strict=True)) == spans


symbols_strategy = st.lists(st.integers(1, 3), max_size=12)
trill_strategy = st.integers(0, 12).map(lambda n: list(itertools.islice(itertools.cycle([1, 2]), n)))
constant_strategy = st.integers(0, 9).map(lambda n: [1] * n)


@settings(max_examples=200, deadline=None)
@given(
    sequences=st.lists(st.one_of(symbols_strategy, trill_strategy, constant_strategy), max_size=6),
    patterns=st.lists(st.lists(st.integers(1, 4), min_size=1, max_size=5).map(tuple), max_size=12),
    groups=st.lists(st.integers(0, 2), min_size=6, max_size=6),
    max_gap=st.sampled_from((None, 0, 1, 2, 3, 20)),
    has_table=st.booleans(),
)
def test_windows_equal_definition(
    sequences: list[list[int]],
    patterns: list[Pattern],
    groups: list[int],
    max_gap: int | None,
    has_table: bool,
) -> None:
    assert_defined(
        sorted(patterns),
        sequences,
        groups[: len(sequences)],
        max_gap,
        has_table=has_table or max_gap is None,
    )


def test_patterns_that_share_much_and_a_wide_alphabet() -> None:
    """Ends are kept where patterns branch off, at several depths, and the same pattern comes twice."""
    rng = np.random.default_rng(3)
    sequences = [rng.integers(1, 5, size=n).tolist() for n in (80, 0, 1, 120, 60)]
    sequences.append(rng.integers(-127, 128, size=300).tolist())
    patterns = [p for n in (1, 2, 3, 4) for p in itertools.product((1, 2, 4), repeat=n)]
    patterns += [(1, 2), (1, 2, 4, 1, 1, 2, 4, 4), (1, 2, 4, 1, 1, 2, 4, 2), tuple(sequences[-1][40:49])]
    for max_gap in (None, 0, 2):
        assert_defined(sorted(patterns), sequences, [0, 0, 1, 1, 0, 1], max_gap)


@pytest.mark.parametrize("max_gap", [None, 0, 1])
def test_long_constants(max_gap: int | None) -> None:
    """Every prefix of a pattern as long as the text, in time that allows it."""
    n = 1500
    counts, _, is_complete = located([(1,) * n, (1,) * (n + 1)], [[1] * n, [1] * (n + 5)], [0, 1], max_gap)
    assert is_complete
    assert counts.tolist() == [[2, 2, 7, 2], [1, 1, 5, 1]]


def test_bounds() -> None:
    patterns: list[Pattern] = [(1,), (1, 2), (2,)]
    sequences = [[1, 2, 1, 2], [2, 1]]
    _, lists, is_complete = located(patterns, sequences, [0, 0], 1, max_occurrences=8)
    assert (is_complete, len(lists[0])) == (True, 8)
    _, lists, is_complete = located(patterns, sequences, [0, 0], 1, max_occurrences=7)
    assert (is_complete, lists[0].tolist()) == (False, [0, 0, 0, 1, 1])
    counts, lists, is_complete = located(patterns, sequences, [0, 0], 1, is_stopped=True)
    assert (is_complete, len(lists[0]), counts.sum()) == (False, 0, 0)
