"""Signed-rank tests and means over design choices against what one can count by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from motifdb.training.experiments.comparisons import Judged, choice_means, compare_all, signed_rank


def plain_signed_rank(differences: list[float]) -> float:
    """Two-sided p by counting all signs, for differences of distinct size."""
    ranks = np.argsort(np.argsort(np.abs(differences))) + 1
    n = len(differences)
    observed = sum(r for r, d in zip(ranks, differences, strict=True) if d > 0)
    extreme = min(observed, n * (n + 1) // 2 - observed)
    sums = [sum(r for i, r in enumerate(range(1, n + 1)) if signs >> i & 1) for signs in range(2**n)]
    return float(min(1.0, 2 * sum(s <= extreme for s in sums) / 2**n))


@given(st.lists(st.integers(-60, 60).filter(bool), min_size=2, max_size=8, unique_by=abs))
def test_p_is_that_of_all_ways_to_give_signs(differences: list[int]) -> None:
    values = [d / 100 for d in differences]
    found = signed_rank("a", "b", values, [0.0] * len(values))
    assert found.p == pytest.approx(plain_signed_rank(values))
    assert found.p >= found.least_p - 1e-12 and found.difference == pytest.approx(np.mean(values))


def test_ten_folds_can_tell_and_five_never_can() -> None:
    ten = signed_rank("a", "b", [0.7 + i / 100 for i in range(10)], [0.6 - i / 50 for i in range(10)])
    assert ten.p == pytest.approx(2 / 1024) and ten.text == "p = 0.002, 10 pairs"
    five = signed_rank("a", "b", [0.7, 0.8, 0.9, 0.75, 0.6], [0.1, 0.3, 0.2, 0.0, 0.05])
    assert five.p == pytest.approx(1 / 16) and "never below 0.0625" in five.text
    same = signed_rank("a", "b", [0.5, 0.1 + 0.2], [0.5, 0.3])
    assert same.p == 1.0 and signed_rank("a", "b", [], []).n_pairs == 0


def test_every_two_embeddings_are_compared_on_shared_folds_better_ones_first() -> None:
    a, b, c = Judged("a", {0: 0.5, 1: 0.6}), Judged("b", {0: 0.9, 1: 0.7, 2: 0.1}), Judged("c", {3: 1.0})
    found = compare_all([a, b, c])
    assert [(f.first, f.second, f.n_pairs) for f in found] == [("b", "a", 2)]
    assert found[0].difference == pytest.approx(0.25)


def test_a_choice_is_judged_over_combinations_that_were_run_with_all_of_its_values() -> None:
    figures = {
        ("mel256", "music"): 0.8,
        ("mel256", "env"): 0.9,
        ("linear", "music"): 0.6,
        ("linear", "env"): 0.7,
    }
    judged = [
        Judged("/".join(key), {0: value, 1: value + 0.02}, {"front end": key[0], "content": key[1]})
        for key, value in figures.items()
    ]
    means, tests = choice_means(judged)
    found = {(m.choice, m.value): m.mean for m in means}
    assert found == {
        ("content", "env"): pytest.approx(0.81), ("content", "music"): pytest.approx(0.71),
        ("front end", "linear"): pytest.approx(0.66), ("front end", "mel256"): pytest.approx(0.86),
    }  # fmt: skip
    assert {t.first: (t.n_pairs, round(t.difference, 6)) for t in tests} == {
        "content env": (4, 0.1), "front end linear": (4, -0.2),
    }  # fmt: skip
    # without one cell, its front end's partner and its content's partner have nothing to be paired with
    means, _ = choice_means(judged[:3])
    assert {(m.choice, m.value): m.n_combinations for m in means} == {
        ("content", "env"): 1, ("content", "music"): 1, ("front end", "linear"): 1, ("front end", "mel256"): 1,
    }  # fmt: skip
    assert choice_means([Judged("x", {0: 1.0})]) == ([], [])
