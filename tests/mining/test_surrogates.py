"""q by surrogates: the rule against a plain twin, what is planted, and what noise brings."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from motifdb.errors import UsageError
from motifdb.kernels.significance import assess
from motifdb.mining.arrays import mine
from motifdb.mining.surrogates import _rates, surrogate_q


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(0, 9), min_size=1, max_size=8),
    st.lists(st.lists(st.integers(0, 9), max_size=6), min_size=2, max_size=5),
)
def test_the_rate_is_the_smallest_of_any_threshold_that_lets_the_motif_in(
    real: list[int], noise: list[list[int]]
) -> None:
    real = sorted(real)
    counts = np.array([[sum(p <= t for p in one) for t in real] for one in noise])
    n_real = np.array([sum(p <= t for p in real) for t in real])
    q, error = _rates(counts, n_real)
    for i, p in enumerate(real):
        rates = [
            (1 + sum(x <= t for one in noise for x in one)) / len(noise) / sum(x <= t for x in real)
            for t in real
            if t >= p
        ]
        assert q[i] == pytest.approx(min(1.0, *rates) if len(rates) > 1 else min(1.0, rates[0]))
    assert (np.diff(q) >= 0).all() and (error >= 0).all()


def test_a_planted_motif_with_gaps_is_called_by_both_rules() -> None:
    rng = np.random.default_rng(3)
    offsets = np.arange(0, 1201, 60)
    x = rng.integers(1, 5, 1200).astype(np.int8)
    planted = [1, 4, 2, 3, 1, 1, 4, 3]
    for start in range(0, 840, 60):
        at = start + 10 + np.cumsum([0, *rng.integers(1, 3, len(planted) - 1)])
        x[at] = planted
    how: dict[str, Any] = {"max_gap": 1, "min_support": 12, "support": "sequences", "min_length": 6}
    found = mine(x, offsets, None, want_occurrences=False, **how)
    result = assess(
        x, offsets, found.patterns, found.pattern_offsets, found.occurrences, found.support_sequences,
        max_gap=1, support="sequences", n_tested=None, min_length=6,
    )  # fmt: skip
    drawn = surrogate_q(x, offsets, None, result.log10_p, **how, n_surrogates=25)
    again = surrogate_q(x, offsets, None, result.log10_p, **how, n_surrogates=25)
    np.testing.assert_array_equal(drawn.q_value, again.q_value)
    patterns = [found.patterns[a:b].tolist() for a, b in itertools.pairwise(found.pattern_offsets.tolist())]
    here = patterns.index(planted)
    assert result.q_value[here] < 1e-3
    assert 0 < drawn.q_value[here] < 0.05 and drawn.error[here] < 0.05
    assert drawn.n_motifs.shape == (25,) and (drawn.q_value <= 1).all()


def test_weighted_q_rarely_calls_noise_with_gaps() -> None:
    rng = np.random.default_rng(6)
    offsets = np.arange(0, 601, 30)
    n_called = 0
    for _ in range(30):
        x = rng.integers(1, 5, 600).astype(np.int8)
        found = mine(x, offsets, None, max_gap=1, min_support=6, support="sequences", want_occurrences=False)
        q = assess(
            x, offsets, found.patterns, found.pattern_offsets, found.occurrences, found.support_sequences,
            max_gap=1, support="sequences", n_tested=None,
        ).q_value  # fmt: skip
        n_called += bool((q < 0.05).any())
    # at a true rate of 5 %, more than 5 of 30 would come once in 300 times
    assert n_called <= 5


def test_too_few_surrogates_are_refused() -> None:
    with pytest.raises(UsageError, match="draw 21 or more"):
        surrogate_q(
            np.ones(3, np.int8), np.array([0, 3]), None, np.zeros(1),
            max_gap=0, min_support=1, support="sequences", n_surrogates=20,
        )  # fmt: skip
