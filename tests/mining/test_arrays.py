"""The miner against the definitions on small input, and against the agreed sets on real input."""

from __future__ import annotations

import gzip
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from motifdb.errors import UsageError
from motifdb.kernels import unlimited
from motifdb.mining.arrays import mine
from motifdb.mining.mined import Mined
from tests.corpora import needs_reference, reference_root
from tests.reference.databases import adversarial, trill
from tests.reference.mining import Pattern, ref_mine
from tests.reference.oracle import agreed, as_text, database, flat

LIGHT = [
    ("bidepaper", 1, 2),
    ("bidepaper", 2, 2),
    ("bidepaper", None, 2),
    ("c1", 1, 10),
    ("c1", 2, 20),
    ("c1", None, 40),
]
LIGHT += [("c10", 1, 20), ("c10", 2, 40), ("c10", None, 66)]
HEAVY = [
    ("c1", None, 36),
    ("c10", None, 62),
    ("b20", 1, 40),
    ("b20", None, 160),
    ("b20", None, 165),
    ("c100", 1, 200),
]
HEAVY += [
    ("c100", 2, 400),
    ("c100", None, 740),
    ("c100", None, 760),
    ("c100", None, 770),
    ("t200", None, 1550),
]
HEAVY += [("t200", None, 1580)]
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


@settings(max_examples=120, deadline=None)
@given(
    sequences=adversarial,
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


@settings(max_examples=150, deadline=None)
@given(
    sequences=st.one_of(
        st.lists(st.lists(st.sampled_from([-2, 1, 3]), max_size=7), max_size=5),
        st.lists(st.integers(0, 7).map(trill), max_size=4),
        st.lists(st.integers(0, 7).map(lambda n: [2] * n), max_size=4),
        st.lists(st.lists(st.sampled_from([1, 2]), max_size=5), max_size=3).map(lambda s: s + s),
    ),
    group_labels=st.one_of(st.none(), st.lists(st.integers(-3, 3), min_size=8, max_size=8)),
    max_gap=st.sampled_from([1, 2, 4, 9, None, None]),
    support=st.sampled_from(["sequences", "recordings"]),
    only_closed=st.booleans(),
    min_support=st.integers(1, 4),
    min_length=st.integers(1, 3),
    more=st.one_of(st.none(), st.integers(0, 3)),
)
def test_gapped_equals_definition(
    sequences: list[list[int]],
    group_labels: list[int] | None,
    max_gap: int | None,
    support: str,
    only_closed: bool,
    min_support: int,
    min_length: int,
    more: int | None,
) -> None:
    assert_same(
        sequences,
        None if group_labels is None else group_labels[: len(sequences)],
        max_gap=max_gap,
        min_support=min_support,
        support=support,
        closed=support if only_closed else "none",
        min_length=min_length,
        max_length=None if more is None else min_length + more,
    )


def test_the_cut_of_backscan_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(7)
    for _ in range(150):
        step = rng.integers(1, 4)
        sequences = [np.tile(rng.integers(1, 3, step), 9)[: rng.integers(0, 16)].tolist() for _ in range(4)]
        how: dict[str, Any] = {
            "max_gap": None,
            "min_support": int(rng.integers(1, 4)),
            "support": "sequences",
        }
        results = []
        for long_from in (1, 1000):
            monkeypatch.setattr(unlimited, "LONG", long_from)
            found = mine(*flat(sequences), **how)
            results.append((patterns_of(found), found.support_sequences.tolist()))
        assert results[0] == results[1]


@pytest.mark.parametrize("n_symbols", [63, 64, 65, 255])
@pytest.mark.parametrize("max_gap", [0, None])
def test_wide_alphabets(n_symbols: int, max_gap: int | None) -> None:
    """Every int8 in use: ranks up to 255, masks of several words."""
    every = np.random.default_rng(n_symbols).permutation(np.arange(-127, 128))[:n_symbols].tolist()
    sequences = [every, every, every[:-1], every[1:], every[::-1]]
    found = mine(*flat(sequences), max_gap=max_gap, min_support=3, support="sequences")
    expected: dict[Pattern, int] = {(x,): 5 for x in every[1:-1]}
    expected |= {(every[0],): 4, (every[-1],): 4}
    expected |= {tuple(every[1:-1]): 4, tuple(every[:-1]): 3, tuple(every[1:]): 3}
    assert dict(zip(patterns_of(found), found.support_sequences.tolist(), strict=True)) == expected


def test_wide_alphabet_under_a_gap() -> None:
    every = np.random.default_rng(1).permutation(np.arange(-127, 128)).tolist()
    triples = [every[i : i + 3] for i in range(0, 60, 3)]
    assert_same(
        [*triples[5:], *triples, every[200:203]],
        None,
        max_gap=1,
        min_support=2,
        support="sequences",
        closed="sequences",
    )
    found = mine(*flat([[x] for x in every]), max_gap=1, min_support=1, support="sequences")
    assert patterns_of(found) == [(x,) for x in range(-127, 128)]


def test_counts_can_be_left_out() -> None:
    database_ = flat([[1, 2, 1], [1, 1], [2, 1]])
    for max_gap in (1, None):
        for support, other in (("sequences", "support_groups"), ("recordings", "support_sequences")):
            how: dict[str, Any] = {"max_gap": max_gap, "min_support": 2, "support": support}
            whole = mine(*database_, [4, 5, 6], **how)
            bare = mine(*database_, [4, 5, 6], want_occurrences=False, want_counts=False, **how)
            own = "support_sequences" if support == "sequences" else "support_groups"
            assert patterns_of(bare) == patterns_of(whole)
            assert getattr(bare, own).tolist() == getattr(whole, own).tolist()
            assert set(getattr(bare, other).tolist()) == {-1}
            assert set(bare.occurrences.tolist()) == {-1}


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
        ({"groups": [1, 2]}, "groups must be one"),
        ({"min_support": -1}, "min_support must be 1 or more, got -1"),
        ({"max_gap": -1}, "max_gap must be 0 or more"),
        ({"min_length": 0}, "min_length"),
        ({"max_length": 1, "min_length": 2}, "max_length"),
        ({"support": "sequence"}, "did you mean 'sequences'"),
        ({"closed": "no"}, "closed cannot be 'no'"),
        ({"max_gap": 1}, "max_gap = 0 only"),
        ({"max_gap": 1, "support": "sequences", "closed": "recordings"}, "closed must be 'sequences'"),
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

    assert mine(
        np.ones(n, np.int8), [0, n], max_gap=None, min_support=1, support="sequences"
    ).lengths.tolist() == [n]

    n = 100_000
    found = mine(np.array(trill(n), np.int8), [0, n], min_support=2, want_occurrences=False)
    assert len(found) == n // 2 - 1
    assert found.lengths.max() == n - 2
    assert found.n_distinct == 2 * n - 1
    with pytest.raises(UsageError, match="too many to write out"):
        _ = found.patterns
    found = mine(np.array(trill(n), np.int8), [0, n], min_support=2, max_occurrences=1000)
    assert (len(found), found.stopped_by) == (0, "max_occurrences")


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


@needs_reference("mining")
def test_small_cases_are_the_agreed_ones() -> None:
    with gzip.open(reference_root() / "mining" / "expected" / "small_cases.json.gz", "rt") as text:
        cases = json.load(text)
    assert len(cases) == 232
    for case in cases:
        ids = sorted({x for s in case["sequences"] for x in s})
        sequences = [[ids.index(x) - 2 for x in s] for s in case["sequences"]]  # some ids are no int8
        for gap, expected in case["closed"].items():
            found = mine(
                *flat(sequences),
                max_gap=None if gap == "inf" else int(gap),
                min_support=case["min_support"],
                support="sequences",
            )
            got = [
                [[ids[x + 2] for x in p], int(n)]
                for p, n in zip(patterns_of(found), found.support_sequences, strict=True)
            ]
            assert got == expected, (case["name"], gap)


@needs_reference("mining")
@pytest.mark.parametrize(
    ("name", "gap", "min_support"),
    [*LIGHT, *(pytest.param(*case, marks=pytest.mark.slow) for case in HEAVY)],
)
def test_gapped_sets_are_the_agreed_ones(name: str, gap: int | None, min_support: int) -> None:
    found = mine(
        *database(name),
        max_gap=gap,
        min_support=min_support,
        support="sequences",
        want_occurrences=False,
        want_counts=False,
    )
    file = f"{name}.gap{'inf' if gap is None else gap}.sup{min_support}.closed"
    assert as_text(found, with_occurrences=False) == agreed(file)
