"""Re-reading listed occurrences, against the plain definition."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from motifdb.kernels.recheck import DIFFERS, FITS, OUTSIDE, UNLIMITED, count_apart, reread
from tests.query.example import nonoverlapping, windows


def verdict(
    sequence: list[int], pattern: list[int], max_gap: int | None, spans: list[tuple[int, int]]
) -> list[int]:
    first, last = (np.array([s[i] for s in spans], np.int64) for i in (0, 1))
    zero = np.zeros(len(spans), np.int64)
    # a sequence before, so that offsets count
    found: list[int] = reread(
        zero + 1,
        first,
        last,
        zero,
        np.array([9, 9, *sequence], np.int8),
        np.array([0, 2, 2 + len(sequence)], np.int64),
        np.array(pattern, np.int8),
        np.array([0, len(pattern)], np.int64),
        np.array([UNLIMITED if max_gap is None else max_gap], np.int64),
    ).tolist()
    return found


symbols = st.integers(-2, 2).filter(bool)


@settings(deadline=None)  # the first call compiles
@given(
    st.lists(symbols, max_size=12),
    st.lists(symbols, min_size=1, max_size=4),
    st.sampled_from([0, 1, 2, None]),
)
def test_a_place_fits_when_it_is_a_minimal_window(
    sequence: list[int], pattern: list[int], max_gap: int | None
) -> None:
    n = len(sequence)
    spans = [(a, b) for a in range(-1, n + 1) for b in range(-1, n + 1)]
    true = set(windows(sequence, pattern, max_gap))
    for span, found in zip(spans, verdict(sequence, pattern, max_gap, spans), strict=True):
        inside = 0 <= span[0] <= span[1] < n
        assert found == (FITS if span in true else DIFFERS if inside else OUTSIDE)


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.integers(0, 2), st.integers(0, 9), st.integers(0, 4)), max_size=40
    )
)
def test_counts_apart_greedily(places: list[tuple[int, int, int, int]]) -> None:
    pattern, sequence, first, length = (np.array([p[i] for p in places], np.int64) for i in range(4))
    expected = [
        sum(
            nonoverlapping([(a, a + n) for q, s, a, n in places if (q, s) == (p, sequence_)])
            for sequence_ in range(3)
        )
        for p in range(4)
    ]
    assert count_apart(pattern, sequence, first, first + length, 4).tolist() == expected


@pytest.mark.parametrize("n", [0, 1])
def test_empty(n: int) -> None:
    empty = np.empty(0, np.int64)
    assert count_apart(empty, empty, empty, empty, n).tolist() == [0] * n
