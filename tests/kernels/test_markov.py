"""The Markov null against its plain twin."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from motifdb.errors import UsageError
from motifdb.kernels.markov import fit, fit_order, sample
from tests.reference import significance as plain

SEQUENCES = st.lists(st.lists(st.sampled_from([-2, 1, 3]), max_size=12), min_size=1, max_size=6).filter(any)


def flat(sequences: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
    symbols = np.array(list(itertools.chain(*sequences)), np.int8)
    return symbols, np.cumsum([0] + [len(s) for s in sequences]).astype(np.int64)


@settings(max_examples=60, deadline=None)
@given(SEQUENCES, st.integers(0, 3))
def test_laws_agree_with_the_twin(sequences: list[list[int]], order: int) -> None:
    symbols, offsets = flat(sequences)
    chain = fit_order(symbols, offsets, order)
    laws = plain.fit_laws(sequences, order)
    alphabet = sorted({a for s in sequences for a in s})
    assert chain.alphabet.tolist() == alphabet
    for t in range(order + 1):
        for row, past in enumerate(itertools.product(alphabet, repeat=t)):
            expected = [plain.chance_of_next(laws[: t + 1], past, a) for a in alphabet]
            np.testing.assert_allclose(chain.laws[t][row], expected, atol=1e-15)


@settings(max_examples=60, deadline=None)
@given(SEQUENCES)
def test_bic_agrees_with_the_twin_and_the_smallest_is_chosen(sequences: list[list[int]]) -> None:
    chain = fit(*flat(sequences))
    expected = np.array([plain.bic(sequences, k, 3) for k in range(4)])
    known = ~np.isnan(chain.bic)
    np.testing.assert_allclose(chain.bic[known], expected[known], atol=1e-9)
    assert known[0] and expected[chain.order] <= expected.min() + 1e-9
    assert chain.n_effective == sum(max(len(s) - 3, 0) for s in sequences)


@pytest.mark.parametrize("order", [0, 1, 2])
def test_bic_finds_the_order_of_a_long_chain(order: int) -> None:
    rng = np.random.default_rng(order)
    x = rng.integers(0, 3, 4000).astype(np.int8)
    for i in range(order, x.size):  # mostly repeat what was `order` symbols ago
        if order and rng.random() < 0.6:
            x[i] = x[i - order]
    assert fit(x, np.array([0, 1500, x.size])).order == order


def test_drawn_phrases_follow_the_chain() -> None:
    rng = np.random.default_rng(5)
    x = rng.choice(np.array([1, 2, 5], np.int8), 3000, p=[0.6, 0.3, 0.1])
    x[1::2] = x[::2]
    chain = fit_order(x, np.array([0, 3000]), 2)
    drawn = sample(chain, np.array([0, 1, 3, 200_003]), np.random.default_rng(1))
    again = fit_order(drawn, np.array([0, 1, 3, 200_003]), 2)
    assert drawn.dtype == np.int8 and drawn.size == 200_003
    for law, other in zip(chain.laws, again.laws, strict=True):
        np.testing.assert_allclose(law, other, atol=0.03)
    assert (sample(chain, np.array([0, 50]), np.random.default_rng(1)) == drawn[:50]).sum() < 51


def test_the_empty_and_the_tiny() -> None:
    assert fit(np.empty(0, np.int8), np.array([0])).n_symbols == 0
    assert fit(np.array([4], np.int8), np.array([0, 1])).order == 0
    constant = fit(np.full(50, 7, np.int8), np.array([0, 50]))
    assert constant.order == 0 and constant.laws[0].tolist() == [[1.0]]


def test_what_cannot_be_is_said() -> None:
    x = np.zeros(3, np.int8)
    with pytest.raises(UsageError, match="offsets must rise"):
        fit(x, np.array([0, 5]))
    with pytest.raises(UsageError, match="int8"):
        fit(x.astype(np.int32), np.array([0, 3]))
    with pytest.raises(UsageError, match="out of reach"):
        fit_order(np.arange(-100, 100, dtype=np.int8), np.array([0, 200]), 3)
    with pytest.raises(UsageError, match="max_order"):
        fit(x, np.array([0, 3]), max_order=-1)
