"""Suffix array and longest common prefixes against sorting and comparing."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from motifdb.kernels.contiguous import build_text
from motifdb.kernels.suffixes import Suffixes, suffix_array
from tests.reference.oracle import flat


def check(sequences: list[list[int]]) -> None:
    """Every table of the suffixes is what its description says."""
    text, sequence_at, sequence_end = build_text(*flat(sequences))
    suffixes = Suffixes.of(text, sequence_at, sequence_end)
    whole = text.tolist()
    order = sorted(range(len(whole)), key=lambda p: whole[p:])
    assert suffixes.order.tolist() == order
    cut = [whole[p : sequence_end[sequence_at[p]]] for p in order]
    shared = [
        next((d for d, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
        for a, b in itertools.pairwise(cut)
    ]
    assert suffixes.lcp.tolist() == ([0, *shared, 0] if order else [0])
    assert suffixes.left.tolist() == [whole[p - 1] if p else 0 for p in order]
    assert suffixes.sequence.tolist() == [sequence_at[p] for p in order]


@settings(max_examples=150, deadline=None)
@given(
    st.one_of(
        st.lists(st.lists(st.sampled_from([-2, 1, 3]), max_size=12), max_size=5),
        st.lists(st.lists(st.integers(-127, 127), max_size=12), max_size=5),
        st.lists(st.integers(0, 20).map(lambda n: [1] * n), max_size=4),
        st.lists(st.integers(0, 20).map(lambda n: ([1, 2] * n)[:n]), max_size=4),
    )
)
def test_small_texts(sequences: list[list[int]]) -> None:
    check(sequences)


def test_every_symbol_there_is() -> None:
    """255 ranks do not fit beside their type in a byte."""
    every = np.random.default_rng(1).permutation(np.arange(-127, 128)).tolist()
    check([every, every[100:], every[:50], every[::-1]])


@pytest.mark.parametrize("n", [0, 1, 2, 3])
def test_shortest_texts(n: int) -> None:
    assert suffix_array(np.zeros(n, np.uint8)).tolist() == list(range(n))[::-1]
