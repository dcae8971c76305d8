"""`motifdb.mine`: thresholds, alphabets, recordings on their own, bounds, significance, and what it refuses."""

from __future__ import annotations

import gzip
import json
from fractions import Fraction
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import motifdb
from motifdb.errors import UsageError
from motifdb.kernels.significance import assess
from motifdb.mining.question import absolute, parse_bytes, threshold
from tests.corpora import needs_reference, reference_root
from tests.mining.test_arrays import LIGHT
from tests.mining.test_filters import databases, rows
from tests.reference.databases import trill
from tests.reference.filters import ref_top
from tests.reference.mining import Pattern, ref_mine
from tests.reference.oracle import agreed, database, flat
from tests.reference.per_group import ref_per_group

COUNTS = ("support_sequences", "support_recordings", "occurrences", "occurrences_nonoverlapping")


def wide(sequences: list[list[int]], ids: list[int]) -> tuple[list[int], list[int]]:
    """Flat sequences with symbol k replaced by ids[k]; plain lists, so that ids of any size fit."""
    return [ids[x] for s in sequences for x in s], [0, *np.cumsum([len(s) for s in sequences]).tolist()]


@settings(max_examples=120, deadline=None)
@given(
    sequences=databases,
    labels=st.lists(st.integers(-1, 1), min_size=8, max_size=8),
    max_gap=st.sampled_from([0, 1, 2, None]),
    support=st.sampled_from(["sequences", "recordings", "occurrences"]),
    closed=st.booleans(),
    min_support=st.integers(1, 4),
    listed=st.booleans(),
)
def test_rows_equal_definition(
    sequences: list[list[int]],
    labels: list[int],
    max_gap: int | None,
    support: str,
    closed: bool,
    min_support: int,
    listed: bool,
) -> None:
    if max_gap != 0 and support == "occurrences":
        support = "recordings"
    how: dict[str, Any] = {"max_gap": max_gap, "min_support": min_support, "support": support}
    how["closed"] = support if closed else "none"
    groups = labels[: len(sequences)]
    found = motifdb.mine(*flat(sequences), groups, occurrences=listed, **how)
    expected, n_distinct = ref_mine(sequences, groups, **how)
    assert rows(found) == list(expected)
    assert found.patterns.column("length").to_pylist() == [len(p) for p in expected]
    for k, name in enumerate(COUNTS):
        assert found.patterns.column(name).to_pylist() == [c[k] for c in expected.values()]
    assert found.n_distinct == (n_distinct if max_gap == 0 else None)
    assert (found.complete_from, found.stopped_by) == (min_support, None)
    if listed:
        assert found.occurrences is not None
        spans = [(k, *span) for k, c in enumerate(expected.values()) for span in c.spans]
        assert [tuple(row.values()) for row in found.occurrences.to_pylist()] == spans
    else:
        assert found.occurrences is None


@settings(max_examples=60, deadline=None)
@given(
    sequences=databases,
    labels=st.lists(st.integers(-1, 1), min_size=8, max_size=8),
    max_gap=st.sampled_from([0, 1, None]),
    support=st.sampled_from(["sequences", "occurrences"]),
    min_support=st.integers(1, 3),
    workers=st.sampled_from([1, 2, 7]),
)
def test_recordings_on_their_own_equal_definition(
    sequences: list[list[int]],
    labels: list[int],
    max_gap: int | None,
    support: str,
    min_support: int,
    workers: int,
) -> None:
    how: dict[str, Any] = {"max_gap": max_gap, "min_support": min_support}
    how["support"] = support if max_gap == 0 else "sequences"
    groups = labels[: len(sequences)]
    found = motifdb.mine(*flat(sequences), groups, per_group=True, occurrences=True, workers=workers, **how)
    expected, places, n_distinct = ref_per_group(sequences, groups, closed=how["support"], **how)
    columns = [found.patterns.column(name).to_pylist() for name in ("group", COUNTS[0], *COUNTS[2:])]
    got = [
        (group, p, tuple(counts))
        for group, p, *counts in zip(columns[0], rows(found), *columns[1:], strict=True)
    ]
    assert got == expected
    assert found.occurrences is not None
    assert [tuple(row.values()) for row in found.occurrences.to_pylist()] == places
    assert found.n_distinct == (n_distinct if max_gap == 0 else None)
    assert set(found.patterns.column("support_recordings").to_pylist()) <= {1}


@pytest.mark.parametrize("size", [1, 3, 7, 49, 97, 1000])
def test_a_quotient_is_its_dividend_again(size: int) -> None:
    for n in range(1, size):
        assert absolute(n / size, size) == n
        assert absolute((n - 0.5) / size, size) == n
        assert absolute(Fraction(n, size), size) == n


def test_shares() -> None:
    for share in (0.2, "20%", "0.2", ".2", Fraction(1, 5), np.float32(0.2), np.float64(0.2)):
        assert [absolute(threshold(share), n) for n in (0, 1, 4, 5, 6, 10, 11)] == [1, 1, 1, 1, 2, 2, 3]
    assert absolute(threshold("100%"), 7) == 7
    assert absolute(threshold(np.int64(3)), 1) == threshold(" 3 ") == 3
    sequences = flat([[1], [1], [], [2, 1], [2]])
    assert rows(motifdb.mine(*sequences, min_support=0.6)) == [(1,)]
    assert rows(motifdb.mine(*sequences, min_support="40%")) == [(1,), (2,)]
    found = motifdb.mine(*sequences, [7, 7, 8, 8, 9], min_support=2 / 3, support="recordings")
    assert (rows(found), found.complete_from) == ([(1,), (2,)], 2)
    # with per_group a share of each recording's own sequences
    found = motifdb.mine(*sequences, [7, 7, 7, 8, 8], min_support=0.6, per_group=True)
    assert list(zip(found.patterns.column("group").to_pylist(), rows(found), strict=True)) == [
        (7, (1,)),
        (8, (2,)),
    ]


@pytest.mark.parametrize("given_", ["2GB", "2 gb", "2000MB", 2_000_000_000])
def test_bytes(given_: int | str) -> None:
    assert parse_bytes(given_) == 2_000_000_000


@settings(max_examples=80, deadline=None)
@given(
    sequences=st.lists(st.lists(st.integers(0, 3), max_size=7), max_size=5),
    n_rare=st.integers(250, 300),
    max_gap=st.sampled_from([0, 1, None]),
    support=st.sampled_from(["sequences", "recordings", "occurrences"]),
    data=st.data(),
)
def test_many_kinds_of_symbols(
    sequences: list[list[int]], n_rare: int, max_gap: int | None, support: str, data: st.DataObject
) -> None:
    """Four symbols of huge ids amid hundreds of rare ones, which no pattern can hold but which take up room."""
    if max_gap != 0 and support == "occurrences":
        support = "recordings"
    ids = [-(10**15), 5, 300, 10**12, *range(10**6, 10**6 + n_rare)]
    rare = iter(range(4, 4 + n_rare))
    mixed: list[list[int]] = []
    for sequence in sequences:
        mixed.append([])
        for x in sequence:
            mixed[-1] += [x] + [next(rare) for _ in range(data.draw(st.integers(0, 2)))]
    mixed.append(list(rare))  # each of them once
    groups = data.draw(st.lists(st.integers(0, 3), min_size=len(mixed), max_size=len(mixed)))
    how: dict[str, Any] = {"max_gap": max_gap, "min_support": 3, "support": support}
    found = motifdb.mine(*wide(mixed, ids), groups, occurrences=True, **how)
    # no pattern of a rare symbol is frequent, so that the twin need not know them apart
    expected = {
        p: c
        for p, c in ref_mine([[min(x, 4) for x in s] for s in mixed[:-1]], groups[:-1], closed="none", **how)[
            0
        ].items()
        if 4 not in p
    }
    weigh = {"sequences": 0, "recordings": 1, "occurrences": 2}[support]
    closed = {
        p: c
        for p, c in expected.items()
        if not any(q != p and d[weigh] == c[weigh] and is_super(p, q, max_gap) for q, d in expected.items())
    }
    assert rows(found) == [tuple(ids[x] for x in p) for p in closed]
    for k, name in enumerate(COUNTS):
        assert found.patterns.column(name).to_pylist() == [c[k] for c in closed.values()]
    assert found.occurrences is not None
    spans = [(k, *span) for k, c in enumerate(closed.values()) for span in c.spans]
    assert [tuple(row.values()) for row in found.occurrences.to_pylist()] == spans
    assert found.n_distinct is None or len({x for s in mixed for x in s}) <= 255


def is_super(p: Pattern, q: Pattern, max_gap: int | None) -> bool:
    """Whether closure by q is closure of p: one end longer, or, unlimited, a super-sequence."""
    if max_gap is not None:
        return q[1:] == p or q[:-1] == p
    rest = iter(q)
    return all(x in rest for x in p)


def test_too_many_kinds_are_refused() -> None:
    every = list(range(1000))
    with pytest.raises(UsageError, match="1000 kinds of symbols have enough support"):
        motifdb.mine(every, [0, 1000], min_support=1)
    with pytest.raises(UsageError, match="too many at max_gap=1: 0 have enough support"):
        motifdb.mine(every, [0, 1000], min_support=2, max_gap=1)
    assert len(motifdb.mine(every, [0, 1000], min_support=2, max_gap=None)) == 0
    assert len(motifdb.mine(every, [0, 1000], min_support=5, support="occurrences")) == 0
    with pytest.raises(UsageError, match="leave out closed, or count support in recordings"):
        motifdb.mine(every, [0, 1000], min_support=5, closed="recordings")
    with pytest.raises(UsageError, match="significance needs at most 255 kinds"):
        motifdb.mine(every, [0, 1000], min_support=5, support="occurrences", top_k=3)


def test_a_wide_alphabet_comes_back_as_it_was() -> None:
    ids = [2**62, -(2**62), 1000]
    found = motifdb.mine(*wide([[0, 1, 2], [0, 1]], ids), min_support=2, occurrences=True)
    assert rows(found) == [(2**62, -(2**62))]
    assert found.patterns.schema.field("pattern").type == pa.list_(pa.int64())
    narrow = motifdb.mine([1, 2], [0, 2], min_support=1)
    assert narrow.patterns.schema.field("pattern").type == pa.list_(pa.int8())


def test_the_most_surprising_of_each_recording() -> None:
    rng = np.random.default_rng(3)
    sequences = [rng.integers(1, 4, 60).tolist() for _ in range(8)]
    groups = [s % 2 for s in range(8)]
    how: dict[str, Any] = {"min_support": 2, "support": "occurrences", "min_length": 2}
    found = motifdb.mine(*flat(sequences), groups, per_group=True, top_k=5, **how)
    expected = []
    for group in (0, 1):
        own = [s for s, g in zip(sequences, groups, strict=True) if g == group]
        every, n_distinct = ref_mine(own, None, max_gap=0, closed="occurrences", **how)
        tested = assess(
            *flat(own),
            *flat([list(p) for p in every]),
            np.array([c.occurrences for c in every.values()]),
            np.array([c.sequences for c in every.values()]),
            max_gap=0,
            support="occurrences",
            n_tested=n_distinct,
        )
        for k in ref_top(tested.surprise_bits.tolist(), 5):
            expected.append(
                (group, list(every)[k], tested.surprise_bits[k], tested.log10_p[k], tested.q_value[k])
            )
    names = ("group", "surprise_bits", "log10_p", "q_value")
    group, *numbers = (found.patterns.column(name).to_pylist() for name in names)
    assert list(zip(group, rows(found), *numbers, strict=True)) == expected
    assert len(expected) == 10


@pytest.mark.parametrize(("max_gap", "support"), [(0, "recordings"), (1, "recordings"), (None, "sequences")])
def test_significance_is_that_of_the_counts(
    max_gap: int | None, support: Literal["sequences", "recordings"]
) -> None:
    sequences = [[1, 2, 3, 1], [1, 3, 2], [2, 1, 3], [3, 1, 2, 1], []]
    groups = np.array([4, 4, 5, 6, 6])
    how: dict[str, Any] = {"max_gap": max_gap, "min_support": 2, "support": support, "min_length": 2}
    found = motifdb.mine(*flat(sequences), groups, significance=True, max_length=3, **how)
    every, n_distinct = ref_mine(sequences, groups.tolist(), closed=support, max_length=3, **how)
    tested = assess(
        *flat(sequences),
        *flat([list(p) for p in every]),
        np.array([c.occurrences for c in every.values()]),
        np.array([c.sequences for c in every.values()]),
        groups=groups,
        support_recordings=np.array([c.groups for c in every.values()]),
        max_gap=max_gap,
        support=support,
        n_tested=n_distinct if max_gap == 0 else None,
        min_length=2,
        max_length=3,
    )
    assert len(found) > 0
    for name in ("surprise_bits", "log10_p", "q_value"):
        assert found.patterns.column(name).to_pylist() == getattr(tested, name).tolist()


def test_columns_are_those_that_were_asked_for() -> None:
    database_ = flat([[1, 2], [1, 2]])
    base = ["pattern", "length", *COUNTS]
    assert motifdb.mine(*database_, min_support=1).patterns.column_names == base
    own = motifdb.mine(*database_, min_support=1, per_group=True, significance=True)
    assert own.patterns.column_names == ["group", *base, "surprise_bits", "log10_p", "q_value"]
    bare = motifdb.mine(*database_, min_support=1, max_gap=1, counts=False)
    assert bare.patterns.column_names == ["pattern", "length", "support_sequences"]
    bare = motifdb.mine(
        *database_, min_support=1, max_gap=1, counts=False, support="recordings", maximal=True
    )
    assert bare.patterns.column_names == ["pattern", "length", "support_recordings"]
    assert motifdb.mine(*database_, min_support=1, counts=False).patterns.column_names == base


@pytest.mark.parametrize("max_gap", [0, 1, None])
@pytest.mark.parametrize("per_group", [False, True])
@pytest.mark.parametrize("offsets", [[0], [0, 0, 0]])
def test_nothing_in_nothing_out(max_gap: int | None, per_group: bool, offsets: list[int]) -> None:
    for min_support in (1, 5, 0.5):
        found = motifdb.mine(
            [],
            offsets,
            min_support=min_support,
            max_gap=max_gap,
            per_group=per_group,
            occurrences=True,
            significance=True,
            segment_start_s=np.zeros(len(offsets) - 1),
            segment_end_s=np.ones(len(offsets) - 1),
        )
        assert len(found) == 0
        assert found.occurrences is not None
        assert (found.occurrences.num_rows, found.stopped_by) == (0, None)
        assert {"duration_median_s", "surprise_bits"} <= set(found.patterns.column_names)
    above = motifdb.mine([1, 2], [0, 2], min_support=9, max_gap=max_gap)
    assert (len(above), above.complete_from) == (0, 9)


def test_it_says_what_it_found_in_a_line() -> None:
    found = motifdb.mine([1, 2, 1, 2], [0, 2, 4], min_support=2, occurrences=True)
    assert repr(found) == "MiningResult(1 patterns, 2 occurrences, complete from support 2)"


def test_more_than_memory_is_cut_at_a_support() -> None:
    n = 5_000
    whole = motifdb.mine(trill(n), [0, n], min_support=2, support="occurrences", max_length=n // 2)
    part = motifdb.mine(
        trill(n), [0, n], min_support=2, support="occurrences", max_length=n // 2, memory_limit="1MB"
    )
    assert part.stopped_by == "memory_limit"
    supports = np.array(whole.patterns.column("occurrences"))
    assert 0 < len(part) < len(whole)
    assert rows(part) == [p for p, n_ in zip(rows(whole), supports, strict=True) if n_ >= part.complete_from]


@pytest.mark.parametrize("maximal", [False, True])
@pytest.mark.parametrize("max_gap", [0, 1, None])
@pytest.mark.parametrize("bound", ["max_patterns", "max_occurrences"])
def test_a_bound_leaves_a_set_that_is_complete_from_a_support(
    bound: str, max_gap: int | None, maximal: bool
) -> None:
    rng = np.random.default_rng(2)
    sequences = flat([rng.integers(1, 4, 12).tolist() for _ in range(9)])
    how: dict[str, Any] = {"max_gap": max_gap, "maximal": maximal, "occurrences": True}
    limit = {"max_patterns": 12, "max_occurrences": 40}[bound]
    part = motifdb.mine(*sequences, min_support=2, **(how | {bound: limit}))
    assert part.stopped_by == bound
    assert part.complete_from > 2
    # maximal ones too are those of a question with the higher threshold
    whole = motifdb.mine(*sequences, min_support=part.complete_from, **how)
    assert rows(part) == rows(whole)
    assert part.occurrences == whole.occurrences
    assert part.occurrences is not None
    assert (part.occurrences.num_rows if bound == "max_occurrences" else len(part)) <= limit


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"offsets": [0, 2]}, "offsets do not fit"),
        ({"offsets": [0, 2, 1, 3]}, "offsets do not fit"),
        ({"offsets": []}, "offsets do not fit"),
        ({"symbols": [[1, 1, 1]]}, "flat"),
        ({"symbols": [1.5, 2.0, 1.0]}, "symbols must be whole numbers"),
        ({"symbols": [True, False, True]}, "symbols must be whole numbers"),
        ({"symbols": np.array([2**63, 1, 1], np.uint64)}, "below 2\\*\\*63"),
        ({"groups": [1, 2]}, "groups must be one"),
        ({"groups": [0.5]}, "groups must be one"),
        ({"min_support": 0}, "min_support must be a whole number of 1 or more; got 0"),
        ({"min_support": -3}, "got -3"),
        ({"min_support": True}, "got True"),
        ({"min_support": 1.0}, "between 0 and 1, got 1.0"),
        ({"min_support": 2.5}, "between 0 and 1, got 2.5"),
        ({"min_support": float("nan")}, "between 0 and 1, got nan"),
        ({"min_support": "many"}, "min_support cannot be 'many'"),
        ({"min_support": "120%"}, "between 0 and 1"),
        ({"min_support": 0.5, "support": "occurrences"}, "of occurrences give a number"),
        ({"max_gap": -1}, "max_gap must be a whole number of 0 or more, or None"),
        ({"max_gap": 0.5}, "max_gap must be a whole number"),
        ({"min_length": 0}, "min_length"),
        ({"max_length": 1, "min_length": 2}, "max_length must be at least min_length = 2"),
        ({"support": "sequence"}, "did you mean 'sequences'"),
        ({"closed": "no"}, "closed cannot be 'no'"),
        ({"max_gap": 1, "support": "occurrences"}, "max_gap = 0 only"),
        ({"max_gap": 1, "closed": "recordings"}, "closed must be 'sequences'"),
        ({"segment_start_s": [0.0] * 4}, "go together"),
        ({"segment_start_s": [0.0] * 3, "segment_end_s": [0.0] * 4}, "one time for each of 4 segments"),
        ({"segment_start_s": [0.0, 1, 2, np.nan], "segment_end_s": [0.0] * 4}, "finite"),
        ({"segment_start_s": ["a"] * 4, "segment_end_s": [0.0] * 4}, "flat array of seconds"),
        ({"min_duration_s": -1.0}, "min_duration_s must be 0 or more seconds"),
        ({"time_limit_s": "soon"}, "time_limit_s must be 0 or more seconds"),
        ({"memory_limit": "much"}, "memory_limit cannot be 'much'"),
        ({"memory_limit": 0}, "memory_limit must be"),
        ({"top_k": 0}, "top_k must be a whole number of 1"),
        ({"workers": 0}, "workers must be"),
        ({"support": "recordings", "per_group": True}, "each recording on its own"),
    ],
)
def test_bad_input_is_one_sentence(change: dict[str, Any], sentence: str) -> None:
    how: dict[str, Any] = {"symbols": [1, 2, 1], "offsets": [0, 3], "min_support": 1} | change
    with pytest.raises(UsageError, match=sentence) as error:
        motifdb.mine(how.pop("symbols"), how.pop("offsets"), how.pop("groups", None), **how)
    assert "\n" not in str(error.value)


@needs_reference("mining")
def test_small_cases_are_the_agreed_ones() -> None:
    """Their ids as they come, sparse ones too."""
    with gzip.open(reference_root() / "mining" / "expected" / "small_cases.json.gz", "rt") as text:
        cases = json.load(text)
    assert len(cases) == 232
    for case in cases:
        symbols = [x for s in case["sequences"] for x in s]
        offsets = [0, *np.cumsum([len(s) for s in case["sequences"]]).tolist()]
        for gap, expected in case["closed"].items():
            found = motifdb.mine(
                symbols, offsets, min_support=case["min_support"], max_gap=None if gap == "inf" else int(gap)
            )
            supports = found.patterns.column("support_sequences").to_pylist()
            got = [[list(p), n] for p, n in zip(rows(found), supports, strict=True)]
            assert got == expected, (case["name"], gap)


@needs_reference("mining")
@pytest.mark.parametrize("name", ["c1", "c10"])
def test_repeats_inside_one_recording_are_the_agreed_ones(name: str) -> None:
    found = motifdb.mine(*database(name), min_support=3, support="occurrences", per_group=True, workers=2)
    columns = (found.patterns.column(c).to_pylist() for c in ("group", "pattern", "occurrences"))
    lines = [f"{g}\t{' '.join(map(str, p))} #OCC: {n}\n" for g, p, n in zip(*columns, strict=True)]
    assert "".join(lines) == agreed(f"{name}.song3.occ_closed")


@needs_reference("mining")
@pytest.mark.parametrize(
    ("name", "gap", "min_support"), [*LIGHT, ("c1", 0, 2), ("c10", 0, 3), ("b20", 0, 10)]
)
def test_agreed_sets(name: str, gap: int | None, min_support: int) -> None:
    symbols, offsets, groups = database(name)
    found = motifdb.mine(symbols, offsets, groups, min_support=min_support, max_gap=gap, counts=gap == 0)
    columns = [found.patterns.column(c).to_pylist() for c in ("pattern", "support_sequences")]
    lines = [f"{' '.join(map(str, p))} #SUP: {n}" for p, n in zip(*columns, strict=True)]
    if gap == 0:
        occurrences = found.patterns.column("occurrences").to_pylist()
        lines = [f"{line} #OCC: {n}" for line, n in zip(lines, occurrences, strict=True)]
    name = f"{name}.gap{'inf' if gap is None else gap}.sup{min_support}.closed"
    assert "".join(line + "\n" for line in lines) == agreed(name)
