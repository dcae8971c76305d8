"""The miner against the definitions on small input, and against the agreed sets on real input."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from motifdb.errors import UsageError
from motifdb.kernels.mine import Mined, mine
from tests.corpora import needs_reference
from tests.reference.mining import Pattern, ref_mine
from tests.reference.oracle import agreed, as_text, database, flat

UNITS = ("occurrences", "sequences", "recordings")


def patterns_of(found: Mined) -> list[Pattern]:
    return [tuple(found.pattern(k).tolist()) for k in range(len(found))]


def assert_same(sequences: list[list[int]], groups: list[int] | None, **how: Any) -> None:
    """`mine` and the plain twin agree on patterns, order, counts and places."""
    expected, n_distinct = ref_mine(sequences, groups, **how)
    for want_occurrences in (True, False):
        found = mine(*flat(sequences), groups, want_occurrences=want_occurrences, **how)
        assert patterns_of(found) == list(expected)
        counts = zip(
            found.support_sequences,
            found.support_groups,
            found.occurrences,
            found.occurrences_nonoverlapping,
            strict=True,
        )
        assert [tuple(map(int, c)) for c in counts] == [c[:4] for c in expected.values()]
        assert found.n_distinct == (n_distinct if how["max_gap"] == 0 else None)
        places = zip(
            found.occurrence_pattern,
            found.occurrence_sequence,
            found.occurrence_first,
            found.occurrence_last,
            strict=True,
        )
        listed = [(k, *span) for k, c in enumerate(expected.values()) for span in c.spans]
        assert [tuple(map(int, p)) for p in places] == (listed if want_occurrences else [])
        assert found.pattern_offsets.tolist() == np.cumsum([0] + [len(p) for p in expected]).tolist()
        assert found.patterns.tolist() == [x for p in expected for x in p]


def trill(n: int) -> list[int]:
    return list(itertools.islice(itertools.cycle([1, -1]), n))


sequences_strategy = st.one_of(
    st.lists(st.lists(st.sampled_from([-2, 1, 3]), max_size=8), max_size=5),
    st.lists(st.lists(st.sampled_from([-127, 127]), max_size=9), max_size=4),
    st.lists(st.integers(0, 9).map(trill), max_size=4),
    st.lists(st.integers(0, 8).map(lambda n: [2] * n), max_size=4),
    st.lists(st.lists(st.sampled_from([1, 2]), max_size=5), max_size=3).map(lambda s: s + s),
)


@settings(max_examples=150, deadline=None)
@given(
    sequences=sequences_strategy,
    group_labels=st.one_of(st.none(), st.lists(st.integers(-3, 3), min_size=8, max_size=8)),
    support=st.sampled_from(UNITS),
    closed=st.sampled_from((*UNITS, "none")),
    min_support=st.integers(1, 4),
    min_length=st.integers(1, 3),
    more=st.one_of(st.none(), st.integers(0, 3)),
)
def test_contiguous_equals_definition(
    sequences: list[list[int]],
    group_labels: list[int] | None,
    support: str,
    closed: str,
    min_support: int,
    min_length: int,
    more: int | None,
) -> None:
    assert_same(
        sequences,
        None if group_labels is None else group_labels[: len(sequences)],
        max_gap=0,
        min_support=min_support,
        support=support,
        closed=closed,
        min_length=min_length,
        max_length=None if more is None else min_length + more,
    )


def test_sequence_ends_are_extensions() -> None:
    found = mine([1, 2, 1, 2], [0, 2, 4], min_support=2)
    assert patterns_of(found) == [(1, 2)]
    assert found.support_sequences.tolist() == [2]
    assert found.support_groups.tolist() == [1]


def test_order_is_that_of_signed_symbols() -> None:
    found = mine([-2, 1, -2, 1, 3, -2, 3, -2, 1], [0, 9], min_support=1, closed="none", max_length=2)
    assert patterns_of(found) == sorted(patterns_of(found))


@pytest.mark.parametrize("offsets", [[0], [0, 0, 0], []])
def test_nothing_in_nothing_out(offsets: list[int]) -> None:
    if not offsets:
        with pytest.raises(UsageError, match="offsets do not fit"):
            mine([], offsets, min_support=1)
        return
    found = mine([], offsets, min_support=1)
    assert len(found) == 0
    assert found.n_distinct == 0
    assert found.pattern_offsets.tolist() == [0]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"offsets": [0, 2]}, "offsets do not fit"),
        ({"offsets": [1, 3]}, "offsets do not fit"),
        ({"offsets": [0, 2, 1, 3]}, "offsets do not fit"),
        ({"offsets": [[0, 3]]}, "flat"),
        ({"symbols": [1, 128, 1]}, "-127..127"),
        ({"symbols": [1.5, 2.0, 1.0]}, "whole numbers"),
        ({"groups": [1, 2]}, "groups must name"),
        ({"min_support": -1}, "min_support must be 1 or more, got -1"),
        ({"max_gap": -1}, "max_gap must be 0 or more"),
        ({"min_length": 0}, "min_length"),
        ({"max_length": 1, "min_length": 2}, "max_length"),
        ({"support": "sequence"}, "did you mean 'sequences'"),
        ({"closed": "no"}, "closed cannot be 'no'"),
        ({"max_gap": 1}, "max_gap = 0 only"),
        ({"max_gap": 1, "support": "sequences", "closed": "recordings"}, "closed must be 'sequences'"),
        ({"max_patterns": 1, "closed": "none"}, "max_patterns = 1"),
        ({"max_occurrences": 1}, "max_occurrences = 1"),
    ],
)
def test_bad_input_is_one_sentence(change: dict[str, Any], sentence: str) -> None:
    how: dict[str, Any] = {"symbols": [1, 2, 1], "offsets": [0, 3], "min_support": 1} | change
    with pytest.raises(UsageError, match=sentence) as error:
        mine(how.pop("symbols"), how.pop("offsets"), how.pop("groups", None), **how)
    assert "\n" not in str(error.value)


def test_long_repeats_stay_linear() -> None:
    n = 20_000
    found = mine(np.ones(n, np.int8), [0, n], min_support=2, want_occurrences=False)
    assert found.lengths.tolist() == list(range(1, n))
    assert found.occurrences.tolist() == list(range(n, 1, -1))
    assert found.occurrences_nonoverlapping.tolist() == [n // length for length in range(1, n)]
    assert found.n_distinct == n

    n = 100_000
    found = mine(np.array(trill(n), np.int8), [0, n], min_support=2, want_occurrences=False)
    assert len(found) == n // 2 - 1
    assert found.lengths.max() == n - 2
    assert found.n_distinct == 2 * n - 1


@needs_reference("mining")
@pytest.mark.parametrize(
    ("name", "min_support"),
    [
        ("bidepaper", 2),
        ("c1", 2),
        ("c1", 3),
        ("c1", 5),
        ("c10", 2),
        ("c10", 3),
        ("c10", 10),
        ("c10", 40),
        ("b20", 10),
    ]
    + [
        pytest.param(*case, marks=pytest.mark.slow)
        for case in [("b20", 3), ("c100", 2), ("c100", 3), ("c100", 40), ("t200", 2), ("t200", 3)]
    ],
)
def test_contiguous_sets_are_the_agreed_ones(name: str, min_support: int) -> None:
    found = mine(*database(name), min_support=min_support, support="sequences")
    assert as_text(found, with_occurrences=True) == agreed(f"{name}.gap0.sup{min_support}.closed")


@needs_reference("mining")
@pytest.mark.parametrize("name", ["c1", "c10"])
def test_repeats_inside_one_recording_are_the_agreed_ones(name: str) -> None:
    symbols, offsets, groups = database(name)
    assert groups is not None
    lines = []
    for recording in np.unique(groups):
        own = np.flatnonzero(groups == recording)
        begin, end = offsets[own[0]], offsets[own[-1] + 1]
        found = mine(symbols[begin:end], offsets[own[0] : own[-1] + 2] - begin, min_support=3)
        for k in range(len(found)):
            lines.append(
                f"{recording}\t{' '.join(map(str, found.pattern(k)))} #OCC: {found.occurrences[k]}\n"
            )
    assert "".join(lines) == agreed(f"{name}.song3.occ_closed")
