"""Repeats against their definition: every string of a tiny text is written out, with all its places."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from motifdb.kernels.contiguous import ALL, BY_GROUPS, BY_OCCURRENCES, BY_SEQUENCES, Wanted, build_text
from motifdb.kernels.repeats import DEPTH, HIGH, LOW, closed_repeats, measure, write_patterns
from motifdb.kernels.suffixes import Suffixes
from tests.reference.oracle import flat

String = tuple[int, ...]
sequences_strategy = st.one_of(
    st.lists(st.lists(st.sampled_from([-2, 1, 3]), max_size=9), max_size=5),
    st.lists(st.integers(0, 9).map(lambda n: [2] * n), max_size=5),
    st.lists(st.integers(0, 9).map(lambda n: ([1, -1] * n)[:n]), max_size=5),
    st.lists(st.lists(st.sampled_from([1, 2]), max_size=5), max_size=3).map(lambda s: s * 3),
)


def places_of(sequences: list[list[int]]) -> dict[String, list[tuple[int, int]]]:
    """(sequence, start) of every string."""
    places = defaultdict(list)
    for s, sequence in enumerate(sequences):
        for a in range(len(sequence)):
            for b in range(a + 1, len(sequence) + 1):
                places[tuple(sequence[a:b])].append((s, a))
    return places


def ref_repeats(sequences: list[list[int]], groups: list[int]) -> dict[String, tuple[int, int, int]]:
    """Strings at two places and followed by two things, where each end of a sequence is its own: (places, sequences, groups)."""
    repeats = {}
    for string, places in places_of(sequences).items():
        followers = {(*sequences[s], ("end", s))[a + len(string)] for s, a in places}
        if len(followers) > 1:
            own = {s for s, _ in places}
            repeats[string] = len(places), len(own), len({groups[s] for s in own})
    return repeats


@settings(max_examples=150, deadline=None)
@given(sequences_strategy, st.lists(st.integers(0, 2), min_size=9, max_size=9), st.booleans())
def test_every_repeat_and_its_counts(sequences: list[list[int]], labels: list[int], in_one: bool) -> None:
    groups = np.zeros(len(sequences), np.int32) if in_one else np.array(labels[: len(sequences)], np.int32)
    suffixes = Suffixes.of(*build_text(*flat(sequences)))
    repeats = closed_repeats(suffixes, groups, 1 if in_one else 3, BY_OCCURRENCES, 2, ALL)
    ranks = sorted({x for s in sequences for x in s})
    found = {}
    for row in repeats:
        place = suffixes.order[row[LOW]]
        string = tuple(ranks[r - 1] for r in suffixes.text[place : place + row[DEPTH]])
        found[string] = (int(row[HIGH] - row[LOW] + 1), int(row[4]), int(row[5]))
    expected = ref_repeats(sequences, groups.tolist())
    assert found == expected
    assert list(found) == sorted(expected)


@settings(max_examples=80, deadline=None)
@given(sequences_strategy, st.integers(2, 4), st.sampled_from([BY_SEQUENCES, BY_GROUPS]))
def test_a_closed_one_has_no_equal_with_a_symbol_more(
    sequences: list[list[int]], least: int, unit: int
) -> None:
    groups = np.arange(len(sequences), dtype=np.int32) // 2
    suffixes = Suffixes.of(*build_text(*flat(sequences)))
    repeats = closed_repeats(suffixes, groups, max(1, len(sequences)), unit, least, unit)
    support, n_patterns = measure(repeats, Wanted(unit, least, unit, 1, 99, 99))
    found = write_patterns(repeats, support, n_patterns, least, 99)
    ranks = sorted({x for s in sequences for x in s})
    got = {}
    for low, _, length, n_sequences, n_groups in found.tolist():
        place = suffixes.order[low]
        string = tuple(ranks[r - 1] for r in suffixes.text[place : place + length])
        got[string] = n_groups if unit == BY_GROUPS else n_sequences
    supports = {
        string: len({s // 2 if unit == BY_GROUPS else s for s, _ in places})
        for string, places in places_of(sequences).items()
    }
    assert got == {
        string: n
        for string, n in supports.items()
        if n >= least
        and all(supports.get((x, *string)) != n and supports.get((*string, x)) != n for x in ranks)
    }


def fibonacci(n: int) -> list[int]:
    shorter, longer = [1], [1, 2]
    while len(longer) < n:
        shorter, longer = longer, longer + shorter
    return longer[:n]


@pytest.mark.parametrize("n", [3000, 10000])
def test_words_that_repeat_themselves(n: int) -> None:
    """A Fibonacci word has one repeat for each length that begins it and can be followed by both symbols: few, and deep."""
    suffixes = Suffixes.of(*build_text(np.array(fibonacci(n), np.int8), np.array([0, n])))
    repeats = closed_repeats(suffixes, np.zeros(1, np.int32), 1, BY_OCCURRENCES, 2, BY_OCCURRENCES)
    assert len(repeats) < 60
    assert repeats[:, DEPTH].max() > n // 3

    suffixes = Suffixes.of(*build_text(np.ones(n, np.int8), np.array([0, n])))
    repeats = closed_repeats(suffixes, np.zeros(1, np.int32), 1, BY_OCCURRENCES, 2, BY_OCCURRENCES)
    assert repeats[:, DEPTH].tolist() == list(range(1, n))
    assert (repeats[:, HIGH] - repeats[:, LOW] + 1).tolist() == list(range(n, 1, -1))
