"""The span that holds most of another, against every pair."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from motifdb.kernels.overlaps import most_shared
from tests.reference import overlaps as plain

times = st.integers(0, 12).map(lambda t: t / 4)
spans = st.tuples(st.integers(0, 2), times, times).map(lambda s: (s[0], min(s[1:]), max(s[1:])))


@settings(max_examples=40, deadline=None)
@given(st.lists(spans, max_size=8), st.lists(st.tuples(spans, times), max_size=12))
def test_as_every_pair_says(own: list[plain.Span], others: list[tuple[plain.Span, float]]) -> None:
    whole = sorted((k, a, b, b - a + more) for (k, a, b), more in others)
    key, start, end, whole_s = (np.array([o[i] for o in whole], float) for i in range(4))
    share, mutual, best = most_shared(
        np.array([s[0] for s in own], np.int64),
        np.array([s[1] for s in own], float),
        np.array([s[2] for s in own], float),
        np.searchsorted(key, np.arange(4)),
        start,
        end,
        whole_s,
    )
    assert list(zip(share, mutual, best, strict=True)) == plain.most_shared(own, whole)
