"""Counting given patterns against looking each one up everywhere."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from motifdb.errors import UsageError
from motifdb.mining.arrays import mine
from motifdb.mining.counting import PatternCounter, PatternCounts
from tests.corpora import needs_reference
from tests.reference.mining import windows
from tests.reference.oracle import database, flat


def rows_of(counts: PatternCounts) -> list[tuple[int, ...]]:
    columns = (counts.recording, counts.pattern, counts.occurrences, counts.phrases)
    return [tuple(map(int, row)) for row in zip(*columns, strict=True)]


def ref_count(
    patterns: list[list[int]], sequences: list[list[int]], groups: list[int], max_gap: int | None
) -> list[tuple[int, ...]]:
    rows: list[tuple[int, ...]] = []
    for recording in sorted(set(groups)):
        own = [s for s, g in zip(sequences, groups, strict=True) if g == recording]
        for k, pattern in enumerate(patterns):
            each = [len(windows(tuple(pattern), s, max_gap)) for s in own]
            if sum(each):
                rows.append((recording, k, sum(each), sum(n > 0 for n in each)))
    return rows


lists = st.one_of(
    st.lists(st.sampled_from([-2, 1]), max_size=9),
    st.lists(st.sampled_from([-127, 0, 127]), max_size=6),
    st.integers(0, 9).map(lambda n: [1] * n),
    st.integers(0, 9).map(lambda n: ([1, -2] * n)[:n]),
)


@settings(max_examples=200, deadline=None)
@given(
    patterns=st.lists(lists.filter(len), max_size=7),
    sequences=st.lists(lists, max_size=6),
    labels=st.lists(st.integers(-2, 2), min_size=6, max_size=6),
    max_gap=st.sampled_from([0, 0, 1, 3, None]),
)
def test_counts_and_places_equal_definition(
    patterns: list[list[int]], sequences: list[list[int]], labels: list[int], max_gap: int | None
) -> None:
    groups = labels[: len(sequences)]
    counter = PatternCounter(*flat(patterns), max_gap=max_gap)
    assert len(counter) == len(patterns)
    assert rows_of(counter.count(*flat(sequences), groups)) == ref_count(patterns, sequences, groups, max_gap)
    expected = [
        (k, s, first, last)
        for k, pattern in enumerate(patterns)
        for s, sequence in enumerate(sequences)
        for first, last in windows(tuple(pattern), sequence, max_gap)
    ]
    assert [tuple(map(int, row)) for row in zip(*counter.locate(*flat(sequences)), strict=True)] == expected


def test_patterns_that_end_with_each_other_stay_linear() -> None:
    n = 3000
    lengths = np.arange(1, n + 1)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    counts = PatternCounter(np.ones(offsets[-1], np.int8), offsets).count(np.ones(2 * n, np.int8), [0, 2 * n])
    assert counts.occurrences.tolist() == (2 * n - lengths + 1).tolist()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"pattern_offsets": [0, 0, 2]}, "pattern 0 is empty"),
        ({"pattern_offsets": [0, 3]}, "offsets do not fit"),
        ({"offsets": [0, 1]}, "offsets do not fit"),
        ({"max_gap": -1}, "max_gap must be 0 or more"),
        ({"groups": [[0]]}, "groups must be"),
    ],
)
def test_bad_input_is_one_sentence(change: dict[str, Any], sentence: str) -> None:
    patterns: dict[str, Any] = {"patterns": [1, 2], "pattern_offsets": [0, 2], "max_gap": 0}
    searched: dict[str, Any] = {"symbols": [1, 2], "offsets": [0, 2], "groups": None}
    with pytest.raises(UsageError, match=sentence):
        PatternCounter(**{k: change.get(k, v) for k, v in patterns.items()}).count(
            **{k: change.get(k, v) for k, v in searched.items()}
        )


def test_locating_stops_at_the_bound() -> None:
    for max_gap in (0, 1):
        with pytest.raises(UsageError, match="max_occurrences = 3"):
            PatternCounter([1], [0, 1], max_gap=max_gap).locate(
                np.ones(99, np.int8), [0, 99], max_occurrences=3
            )


@needs_reference("mining")
@pytest.mark.parametrize("max_gap", [0, 1])
def test_counter_and_miner_agree_on_real_contours(max_gap: int) -> None:
    symbols, offsets, groups = database("c10")
    found = mine(symbols, offsets, groups, max_gap=max_gap, min_support=20, support="sequences")
    counter = PatternCounter(found.patterns, found.pattern_offsets, max_gap=max_gap)
    counts = counter.count(symbols, offsets, groups)
    n = len(found)
    assert np.array_equal(np.bincount(counts.pattern, counts.occurrences, n), found.occurrences)
    assert np.array_equal(np.bincount(counts.pattern, counts.phrases, n), found.support_sequences)
    assert np.array_equal(np.bincount(counts.pattern, minlength=n), found.support_groups)
    if max_gap == 0:
        for ours, theirs in zip(
            counter.locate(symbols, offsets),
            (
                found.occurrence_pattern,
                found.occurrence_sequence,
                found.occurrence_first,
                found.occurrence_last,
            ),
            strict=True,
        ):
            assert np.array_equal(ours, theirs)


WITHOUT_JIT = """
import numba, numpy as np
assert numba.config.DISABLE_JIT
from motifdb.mining.counting import PatternCounter
from motifdb.mining.arrays import mine
from tests.reference.mining import ref_mine
from tests.reference.oracle import flat
rng = np.random.default_rng(5)
for n in range(6):
    sequences = [rng.choice([-127, 3, 127], 6).tolist() for _ in range(n)] + [[3, -127] * 4, [3] * 5]
    for gap in (0, 1, None):
        for support in ("sequences", "recordings"):
            how = dict(max_gap=gap, min_support=2, support=support, closed=support)
            groups = (np.arange(n + 2) // 2).tolist()
            expected, _ = ref_mine(sequences, groups, **how)
            found = mine(*flat(sequences), groups, **how)
            assert [tuple(found.pattern(k).tolist()) for k in range(len(found))] == list(expected)
            assert found.occurrences_nonoverlapping.tolist() == [c.apart for c in expected.values()]
        counter = PatternCounter(found.patterns, found.pattern_offsets, max_gap=gap)
        counts = counter.count(*flat(sequences), groups)
        assert np.array_equal(np.bincount(counts.pattern, counts.occurrences, len(found)), found.occurrences)
"""


def test_kernels_are_right_without_jit() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error::RuntimeWarning", "-c", WITHOUT_JIT],
        env=os.environ | {"NUMBA_DISABLE_JIT": "1", "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
