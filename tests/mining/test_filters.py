"""Maximal, insertion-closed, durations and the most surprising, against their definitions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import motifdb
from motifdb.errors import UsageError
from motifdb.kernels.containment import begins_next, is_part
from motifdb.mining import filters
from tests.reference import filters as reference
from tests.reference.databases import trill
from tests.reference.mining import Pattern, count, ref_mine
from tests.reference.oracle import flat

databases = st.one_of(
    st.lists(st.lists(st.sampled_from([-2, 1, 3]), max_size=7), max_size=5),
    st.lists(st.integers(0, 7).map(trill), max_size=4),
    st.lists(st.integers(0, 7).map(lambda n: [2] * n), max_size=4),
    st.lists(st.lists(st.sampled_from([1, 2]), max_size=6), max_size=3).map(lambda s: s + s),
)
gaps = st.sampled_from([0, 0, 1, 2, None, None])


def rows(found: motifdb.MiningResult) -> list[Pattern]:
    return [tuple(p) for p in found.patterns.column("pattern").to_pylist()]


@settings(max_examples=150, deadline=None)
@given(
    sequences=databases,
    labels=st.lists(st.integers(-1, 1), min_size=8, max_size=8),
    max_gap=gaps,
    support=st.sampled_from(["sequences", "recordings", "occurrences"]),
    min_support=st.integers(1, 4),
    min_length=st.integers(1, 3),
    more=st.one_of(st.none(), st.integers(0, 2)),
)
def test_maximal_equals_definition(
    sequences: list[list[int]],
    labels: list[int],
    max_gap: int | None,
    support: str,
    min_support: int,
    min_length: int,
    more: int | None,
) -> None:
    if max_gap != 0 and support == "occurrences":
        support = "sequences"
    groups = labels[: len(sequences)]
    how = {
        "max_gap": max_gap,
        "min_support": min_support,
        "support": support,
        "min_length": min_length,
        "max_length": None if more is None else min_length + more,
    }
    found = motifdb.mine(*flat(sequences), groups, maximal=True, occurrences=True, **how)  # type: ignore[arg-type]
    expected = reference.ref_maximal(sequences, groups, **how)  # type: ignore[arg-type]
    assert rows(found) == expected
    counts = [count(p, sequences, groups, max_gap) for p in expected]
    for name, column in zip(
        ("support_sequences", "support_recordings", "occurrences", "occurrences_nonoverlapping"),
        zip(*(c[:4] for c in counts), strict=True),
        strict=False,
    ):
        assert found.patterns.column(name).to_pylist() == list(column)
    assert found.occurrences is not None
    listed = [tuple(row.values()) for row in found.occurrences.to_pylist()]
    assert listed == [(k, *span) for k, c in enumerate(counts) for span in c.spans]


@settings(max_examples=100, deadline=None)
@given(
    sequences=databases,
    max_gap=st.sampled_from([0, 1, 2]),
    min_support=st.integers(1, 3),
    only_closed=st.booleans(),
    max_length=st.sampled_from([None, 2, 3]),
)
def test_insertion_filter_equals_definition(
    sequences: list[list[int]], max_gap: int, min_support: int, only_closed: bool, max_length: int | None
) -> None:
    closed = "sequences" if only_closed else "none"
    found = motifdb.mine(
        *flat(sequences),
        max_gap=max_gap,
        min_support=min_support,
        closed=closed,  # type: ignore[arg-type]
        post_filter="insertion",
        max_length=max_length,
    )
    every, _ = ref_mine(
        sequences, None, max_gap=max_gap, min_support=min_support, support="sequences", closed=closed
    )
    kept = reference.ref_insertion({p: c.sequences for p, c in every.items()})
    assert rows(found) == [p for p in kept if len(p) <= (max_length or len(p))]


def test_insertion_closure_is_unsound_under_a_gap_limit() -> None:
    """The smallest case of the docstring: ab and acb share no sequence."""
    database = flat([[1, 2], [1, 2], [1, 3, 2], [1, 3, 2]])
    assert rows(motifdb.mine(*database, min_support=2)) == [(1,), (1, 2), (1, 3, 2), (2,)]
    assert rows(motifdb.mine(*database, min_support=2, post_filter="insertion")) == [(1,), (1, 3, 2), (2,)]


@settings(max_examples=100, deadline=None)
@given(st.sets(st.lists(st.sampled_from([-1, 1, 2]), min_size=1, max_size=6).map(tuple), max_size=12))
def test_parts_equal_definition(patterns: set[Pattern]) -> None:
    ordered = sorted(patterns)
    text, offsets = flat([list(p) for p in ordered])
    assert is_part(text, offsets).tolist() == [
        any(q != p and reference.is_part(p, q) for q in ordered) for p in ordered
    ]
    assert begins_next(text, offsets[:-1], np.diff(offsets)).tolist() == [
        any(q != p and q[: len(p)] == p for q in ordered) for p in ordered
    ]


def test_maximal_of_long_repeats_stays_linear() -> None:
    n = 20_000
    constant = motifdb.mine(np.ones(n, np.int8), [0, n], min_support=2, support="occurrences", maximal=True)
    assert constant.patterns.column("length").to_pylist() == [n - 1]
    n = 40_000
    found = motifdb.mine(trill(n), [0, n], min_support=2, support="occurrences", maximal=True)
    # both phases of the trill come twice, the one that starts first a symbol further
    assert found.patterns.column("length").to_pylist() == [n - 2]
    assert found.patterns.column("occurrences").to_pylist() == [2]


@settings(max_examples=80, deadline=None)
@given(data=st.data(), sequences=st.lists(st.lists(st.sampled_from([1, 2]), max_size=6), max_size=4))
def test_durations_equal_definition(data: st.DataObject, sequences: list[list[int]]) -> None:
    max_gap = data.draw(st.sampled_from([0, 1, None]))
    time = st.integers(0, 20).map(float)
    start_s = [data.draw(st.lists(time, min_size=len(s) + 1, max_size=len(s) + 1)) for s in sequences]
    end_s = [[x + data.draw(time) for x in phrase] for phrase in start_s]
    shortest, longest = data.draw(st.sampled_from([(None, None), (5.0, None), (None, 8.0), (5.0, 15.0)]))
    found = motifdb.mine(
        *flat(sequences),
        min_support=2,
        max_gap=max_gap,
        segment_start_s=[x for phrase in start_s for x in phrase],
        segment_end_s=[x for phrase in end_s for x in phrase],
        min_duration_s=shortest,
        max_duration_s=longest,
        occurrences=True,
    )
    every, _ = ref_mine(
        sequences, None, max_gap=max_gap, min_support=2, support="sequences", closed="sequences"
    )
    expected = []
    times: list[tuple[float, float]] = []
    for p, counts in every.items():
        median_s, spans_s = reference.ref_durations(counts.spans, start_s, end_s)
        if (shortest is None or median_s >= shortest) and (longest is None or median_s <= longest):
            expected.append((p, median_s))
            times += spans_s
    assert (
        list(zip(rows(found), found.patterns.column("duration_median_s").to_pylist(), strict=True))
        == expected
    )
    assert found.occurrences is not None
    columns = (found.occurrences.column(name).to_pylist() for name in ("start_s", "end_s"))
    assert list(zip(*columns, strict=True)) == times


@given(st.lists(st.sampled_from([0.0, 1.5, 3.0, float("nan")]), max_size=8), st.integers(1, 9))
def test_the_most_surprising_equal_definition(bits: list[float], k: int) -> None:
    assert filters.most_surprising(np.array(bits), k).tolist() == reference.ref_top(bits, k)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"max_gap": None, "post_filter": "insertion"}, "insertion-closed already"),
        ({"post_filter": "inserted"}, "post_filter cannot be 'inserted'"),
        ({"maximal": True, "post_filter": "insertion"}, "one at a time"),
        ({"maximal": True, "closed": "none"}, "leave out closed='none'"),
        ({"closed": "insertion"}, "post_filter='insertion'"),
        ({"closed": "insertion", "max_gap": None}, "what sequences and recordings mean"),
        ({"min_duration_s": 1.0}, "durations need times"),
    ],
)
def test_what_cannot_be_filtered_is_one_sentence(change: dict[str, object], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence) as error:
        motifdb.mine([1, 2, 1], [0, 3], **({"min_support": 1} | change))  # type: ignore[arg-type]
    assert "\n" not in str(error.value)
