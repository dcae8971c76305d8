"""Labels permuted over units: against every sum by hand, and against every labelling there is."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from motifdb.kernels.group_tests import least_p, relabelled_sums, relabellings, shared_units
from tests.reference import group_tests as plain

held_values = st.dictionaries(st.integers(0, 8), st.integers(1, 1 << 20), max_size=9)


@settings(max_examples=30)
@given(
    st.lists(st.integers(0, 2), min_size=9, max_size=9),
    st.lists(st.tuples(st.integers(0, 2), held_values), min_size=1, max_size=4),
    st.integers(0, 1 << 40),
    st.integers(1, 300),
)
def test_as_every_sum_by_hand(
    labels: list[int], tests: list[tuple[int, dict[int, int]]], seed: int, n: int
) -> None:
    entries = [sorted(values.items()) for _, values in tests]
    ends = np.cumsum([len(e) for e in entries])
    flat = [x for e in entries for x in e]
    own = np.array(labels, np.int16)
    high, low = relabelled_sums(
        own,
        np.array([g for g, _ in tests], np.int16),
        ends - [len(e) for e in entries],
        ends,
        np.array([u for u, _ in flat], np.int32),
        np.array([v for _, v in flat], np.int32),
        n,
        seed,
        7,
    )
    drawn = relabellings(own, n, seed=seed, first=7).tolist()
    expected = [plain.reached(drawn, labels, g, values) for g, values in tests]
    assert list(zip(high.tolist(), low.tolist(), strict=True)) == expected


def test_every_labelling_comes_as_often() -> None:
    """Of 4 units in two groups of 2 there are 6 labellings; 6,000 draws of a fixed seed hold about 1,000 of each."""
    drawn = Counter(map(tuple, relabellings(np.array([0, 1, 1, 0], np.int16), 6000, seed=3).tolist()))
    assert len(drawn) == 6
    assert sum((n - 1000) ** 2 / 1000 for n in drawn.values()) < 15.1, "chi-square with 5 degrees, p = 0.01"


def test_parts_of_one_seed_are_its_whole() -> None:
    labels = np.array([0, 0, 1, 2, 2], np.int16)
    whole = relabellings(labels, 40, seed=9)
    parts = np.concatenate([relabellings(labels, 15, seed=9), relabellings(labels, 25, seed=9, first=15)])
    assert (whole == parts).all()
    assert not (relabellings(labels, 40, seed=10) == whole).all()


@settings(max_examples=60)
@given(
    st.integers(2, 9).flatmap(lambda n: st.tuples(st.just(n), st.integers(1, n - 1), st.integers(0, n))),
    st.data(),
)
def test_shares_as_every_group_says(sizes: tuple[int, int, int], data: st.DataObject) -> None:
    n_units, n_group, held_all = sizes
    least = max(0, n_group - (n_units - held_all))
    held = data.draw(st.integers(least, min(held_all, n_group)))
    high, low = shared_units(np.array([held]), np.array([held_all]), np.array([n_group]), n_units)
    expected = plain.every_share(held, held_all, n_group, n_units)
    assert (high[0], low[0]) == pytest.approx([float(p) for p in expected], abs=1e-12)


@pytest.mark.parametrize("n_group", [2, 3, 5])
@pytest.mark.parametrize("held_all", [1, 2, 4, 7])
def test_no_labelling_gives_a_smaller_p(n_group: int, held_all: int) -> None:
    n_units = 7
    values = [float(2**i) for i in range(held_all)] + [0.0] * (n_units - held_all)
    groups = plain.every_group(values, n_group)
    sums = [sum(own) for own in groups]
    smallest = min(sums.count(max(sums)), sums.count(min(sums))) / len(sums)
    found = least_p(np.array([held_all]), np.array([n_group]), n_units, False)[0]
    assert found == pytest.approx(min(1.0, 2 * smallest))
    shares = [sum(v > 0 for v in own) for own in groups]
    smallest = min(shares.count(max(shares)), shares.count(min(shares))) / len(shares)
    assert least_p(np.array([held_all]), np.array([n_group]), n_units, True)[0] == pytest.approx(
        min(1.0, 2 * smallest)
    )
