"""Motifs that come back: the kernel against every pair of places, and the cases that the definition names."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from motifdb.kernels.spans import needed, recurs
from tests.reference import spans as plain

places = st.tuples(st.integers(0, 40), st.integers(0, 12)).map(lambda p: (p[0] / 4, (p[0] + p[1]) / 4))
motif_lists = st.lists(st.lists(places, min_size=0, max_size=6), min_size=0, max_size=5)


def fast(motifs: list[list[plain.Place]], rerun: list[list[plain.Place]]) -> list[bool]:
    flat = np.array([p for m in motifs for p in m], np.float64).reshape(-1, 2)
    other = np.array([p for m in rerun for p in m], np.float64).reshape(-1, 2)
    offsets = np.cumsum([0, *map(len, motifs)]).astype(np.int64)
    of = np.repeat(np.arange(len(rerun)), [len(m) for m in rerun]).astype(np.int64)
    arrays = (flat[:, 0].copy(), flat[:, 1].copy(), offsets, other[:, 0].copy(), other[:, 1].copy(), of)
    for array in arrays:
        array.setflags(write=False)
    found: list[bool] = recurs(*arrays).tolist()
    return found


@settings(deadline=None)
@given(motif_lists, motif_lists)
def test_as_every_pair_says(motifs: list[list[plain.Place]], rerun: list[list[plain.Place]]) -> None:
    assert fast(motifs, rerun) == plain.recurs(motifs, rerun)


@settings(deadline=None)
@given(st.lists(st.lists(places, min_size=2, max_size=5, unique=True), min_size=1, max_size=5))
def test_a_rerun_that_finds_the_same_confirms_all(motifs: list[list[plain.Place]]) -> None:
    assert all(fast(motifs, motifs))


def test_half_a_place_is_enough_and_less_is_not() -> None:
    motif = [[(0.0, 2.0), (10.0, 12.0), (20.0, 22.0)]]
    assert fast(motif, [[(1.0, 3.0), (11.0, 13.0)]]) == [True]
    assert fast(motif, [[(1.01, 3.0), (11.01, 13.0)]]) == [False]


def test_it_must_come_back_as_one_motif() -> None:
    motif = [[(0.0, 2.0), (10.0, 12.0), (20.0, 22.0)]]
    assert fast(motif, [[(0.0, 2.0)], [(10.0, 12.0)], [(20.0, 22.0)]]) == [False]
    assert fast(motif, [[(0.0, 2.0)], [(10.0, 12.0), (20.0, 22.0)]]) == [True]


def test_one_long_stretch_over_all_places_confirms_nothing() -> None:
    motif = [[(0.0, 2.0), (3.0, 5.0), (6.0, 8.0)]]
    assert fast(motif, [[(0.0, 9.0), (50.0, 59.0)]]) == [False]


def test_a_motif_of_one_place_needs_that_one() -> None:
    assert needed(1) == 1
    assert fast([[(0.0, 2.0)]], [[(0.5, 2.5)]]) == [True]
