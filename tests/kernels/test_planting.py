"""Planting: places against every possible set of them, motifs that are new, information by hand."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from motifdb.errors import UsageError
from motifdb.kernels import planting
from motifdb.kernels.markov import fit, fit_order
from tests.reference import planting as reference

LENGTHS = st.lists(st.integers(0, 9), min_size=1, max_size=5)


def offsets_of(lengths: list[int]) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)


@settings(deadline=None)  # the first call compiles
@given(LENGTHS, st.integers(1, 4), st.integers(1, 5), st.integers(0, 1000))
def test_places_lie_inside_and_apart(lengths: list[int], n_symbols: int, n: int, seed: int) -> None:
    possible = reference.all_placements(lengths, n_symbols, n)
    assert bool(possible) == (planting.most_places(np.array(lengths), n_symbols) >= n)
    if not possible:
        with pytest.raises(UsageError, match="no room"):
            planting.draw_places(np.array(lengths), n_symbols, n, np.random.default_rng(seed))
        return
    sequence, first = planting.draw_places(np.array(lengths), n_symbols, n, np.random.default_rng(seed))
    assert tuple(zip(sequence.tolist(), first.tolist(), strict=True)) in possible


def test_every_set_of_places_is_equally_likely() -> None:
    lengths, n_draws = [5, 0, 4, 2], 2500
    possible = reference.all_placements(lengths, 2, 3)
    rng = np.random.default_rng(5)
    seen: Counter[tuple[tuple[int, int], ...]] = Counter()
    for _ in range(n_draws):
        places = planting.draw_places(np.array(lengths), 2, 3, rng)
        seen[tuple(zip(*(a.tolist() for a in places), strict=True))] += 1
    assert set(seen) == possible
    expected = n_draws / len(possible)
    chi_square = sum((n - expected) ** 2 / expected for n in seen.values())
    free = len(possible) - 1
    assert chi_square < free + 4 * np.sqrt(2 * free), "four standard deviations above its mean"


@settings(deadline=None)  # the first call compiles
@given(
    st.lists(st.lists(st.integers(1, 2), max_size=8), min_size=1, max_size=4),
    st.lists(st.integers(1, 2), min_size=1, max_size=4),
)
def test_occurs_agrees_with_reference(sequences: list[list[int]], motif: list[int]) -> None:
    symbols = np.array([a for s in sequences for a in s], np.int8)
    found = planting.occurs(symbols, offsets_of([len(s) for s in sequences]), np.array(motif, np.int8))
    assert found == reference.occurs(sequences, motif)


@settings(deadline=None)  # the first call compiles
@given(LENGTHS, st.integers(1, 3), st.integers(1, 4), st.integers(0, 100))
def test_plant_agrees_with_reference(lengths: list[int], n_symbols: int, n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    if planting.most_places(np.array(lengths), n_symbols) < n:
        return
    symbols = rng.integers(1, 4, sum(lengths)).astype(np.int8)
    motif = np.full(n_symbols, 9, np.int8)
    offsets = offsets_of(lengths)
    sequence, first = planting.draw_places(np.array(lengths), n_symbols, n, rng)
    planted = planting.plant(symbols, offsets, motif, sequence, first)
    before = [symbols[a:b].tolist() for a, b in pairwise(offsets.tolist())]
    after = reference.plant(before, motif.tolist(), list(zip(sequence.tolist(), first.tolist(), strict=True)))
    assert planted.tolist() == [a for s in after for a in s]
    assert (planted == 9).sum() == n * n_symbols


def test_drawn_motifs_are_new_and_of_the_chain() -> None:
    rng = np.random.default_rng(1)
    symbols = rng.choice(np.array([-1, 1, 2], np.int8), 300, p=[0.6, 0.3, 0.1])
    offsets = np.array([0, 100, 300])
    chain = fit(symbols, offsets)
    for seed in range(20):
        motif = planting.draw_motif(chain, 6, symbols, offsets, np.random.default_rng(seed))
        assert motif is not None and motif.size == 6 and set(motif.tolist()) <= {-1, 1, 2}
        assert not planting.occurs(symbols, offsets, motif)
    assert planting.draw_motif(chain, 1, symbols, offsets, rng) is None, "every symbol occurs"


def test_information_is_the_sum_of_what_each_symbol_tells() -> None:
    symbols = np.array([1] * 75 + [2] * 25, np.int8)
    offsets = np.array([0, 100])
    chain = fit_order(symbols, offsets, 0)
    bits = planting.information_bits(chain, offsets, np.array([1, 2, 2], np.int8))
    assert bits == pytest.approx(-np.log2(0.75) + 4)
    assert planting.information_bits(chain, np.array([0, 2, 4]), np.array([1, 2, 2], np.int8)) == np.inf


def test_information_counts_how_phrases_begin() -> None:
    """A chain that alternates is at 1 and at 2 half of the time: one bit, whatever the length."""
    symbols = np.tile(np.array([1, 2], np.int8), 50)
    chain = fit_order(symbols, np.array([0, 100]), 1)
    bits = planting.information_bits(chain, np.array([0, 100]), np.tile(np.array([1, 2], np.int8), 4))
    assert bits == pytest.approx(1.0)
