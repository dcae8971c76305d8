"""Counting the occurrences of contiguous patterns, two ways and by the definition."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from motifdb.kernels import contiguous
from motifdb.kernels.contiguous import ALL, BY_OCCURRENCES, Wanted, build_text
from motifdb.kernels.repeats import closed_repeats, measure, write_patterns
from motifdb.kernels.suffixes import Suffixes
from tests.reference.oracle import flat

sequences_strategy = st.one_of(
    st.lists(st.lists(st.sampled_from([1, 2, 3]), max_size=12), max_size=4),
    st.lists(st.integers(0, 14).map(lambda n: [2] * n), max_size=4),
    st.lists(st.integers(0, 14).map(lambda n: ([1, 2, 1] * n)[:n]), max_size=4),
)


def every_repeat(sequences: list[list[int]]) -> tuple[Suffixes, np.ndarray]:
    """All patterns that occur twice."""
    suffixes = Suffixes.of(*build_text(*flat(sequences)))
    groups = np.zeros(len(sequences), np.int32)
    repeats = closed_repeats(suffixes, groups, 1, BY_OCCURRENCES, 2, ALL)
    support, n_patterns = measure(repeats, Wanted(BY_OCCURRENCES, 2, ALL, 1, 999, 10**6))
    return suffixes, write_patterns(repeats, support, n_patterns, 2, 999)


@settings(max_examples=120, deadline=None)
@given(sequences_strategy)
def test_occurrences_apart(sequences: list[list[int]]) -> None:
    suffixes, found = every_repeat(sequences)
    expected = []
    overlaps = []
    for low, high, length, _, _ in found.tolist():
        places = np.sort(suffixes.order[low : high + 1])
        overlaps.append(bool((np.diff(places) < length).any()))
        n, free_from = 0, 0
        for p in places:
            if p >= free_from:
                n, free_from = n + 1, p + length
        expected.append(n)
    longest_at, shorter = contiguous.owners(found, suffixes.order)
    assert (
        contiguous.count_apart_by_walking(found, longest_at, shorter, 0, len(suffixes.text)).tolist()
        == expected
    )
    assert contiguous.count_apart_by_jumping(found, shorter, suffixes.order).tolist() == expected
    assert not (
        np.array(overlaps, bool)
        & ~contiguous.may_overlap(suffixes.text, suffixes.order, found, 0, len(found))
    ).any()


def test_what_takes_long_to_look_through_may_overlap() -> None:
    """3 1 1 1 ... cannot overlap itself; of a long one that is not looked into to the end."""
    for n, answer in ((50, False), (300, True)):
        suffixes, found = every_repeat([[3, *[1] * n] * 2])
        longest = found[:, 2].argmax()
        assert found[longest, 2] == n + 1
        assert contiguous.may_overlap(suffixes.text, suffixes.order, found, 0, len(found))[longest] == answer


@settings(max_examples=60, deadline=None)
@given(sequences_strategy, st.integers(1, 4), st.integers(0, 4))
def test_distinct_patterns(sequences: list[list[int]], shortest: int, more: int) -> None:
    text, sequence_at, sequence_end = build_text(*flat(sequences))
    suffixes = Suffixes.of(text, sequence_at, sequence_end)
    distinct = {
        tuple(s[a:b])
        for s in sequences
        for a in range(len(s))
        for b in range(a + shortest, min(len(s), a + shortest + more) + 1)
    }
    counted = contiguous.count_distinct(suffixes.lcp, sequence_end, shortest, shortest + more)
    assert counted == len(distinct)
