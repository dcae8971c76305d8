"""Warping and its bounds, against the obvious way."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from motifdb.kernels.contour_match import matches
from motifdb.kernels.dtw import ABANDONED, MAX_CENTS, MAX_FRAMES, centred, every_cost, padded
from motifdb.kernels.dtw_bounds import block_bounds, envelope, refine, segment_sums
from motifdb.kernels.voiced_grid import grid_pieces
from tests.reference import search as reference

CENTS = st.integers(-6600, 6600)


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[int], list[int], int]:
    n = draw(st.integers(2, 20))
    query = draw(st.lists(CENTS, min_size=n, max_size=n))
    series = draw(st.lists(CENTS, min_size=n, max_size=n + 12))
    return query, series, draw(st.integers(1, 4))


def _costs(query: list[int], series: list[int], band: int) -> list[float]:
    out = np.empty(len(series) - len(query) + 1, np.float32)
    pad = padded(centred(np.array(query, np.float32)), band)
    every_cost(pad, band, np.array(series, np.float32), 0, out)
    return [float(c) for c in out]


@given(cases())
@settings(max_examples=60)
def test_costs_are_those_of_the_definition(case: tuple[list[int], list[int], int]) -> None:
    query, series, band = case
    n = len(query)
    expected = [reference.cost(query, series[s : s + n], band) for s in range(len(series) - n + 1)]
    assert _costs(query, series, band) == expected


@given(cases(), st.sampled_from([0.0, 0.3, 0.7, 1.0, 2.0]))
@settings(max_examples=60)
def test_bounds_lose_no_window(case: tuple[list[int], list[int], int], share: float) -> None:
    query, series, band = case
    costs = np.array(_costs(query, series, band), np.float32)
    limit = np.float32(np.floor(costs.max() * share))
    centre = centred(np.array(query, np.float32))
    lower, upper = envelope(centre, band)
    low, high, size = segment_sums(lower, upper)
    given_series = np.array(series, np.float32)
    start, count = np.zeros(1, np.int64), np.array([costs.size], np.int64)
    least, place = np.empty(1, np.float32), np.empty(1, np.int64)
    block_bounds(low, high, size, len(query), given_series, start, count, least, place)
    assert least[0] <= costs.min()
    assert 0 <= place[0] < costs.size
    starts, found = np.empty(costs.size, np.int64), np.empty(costs.size, np.float32)
    counts = np.zeros(3, np.int64)
    n = refine(
        padded(centre, band), band, lower, upper, low, high, size, given_series, start, count, limit, starts, found, counts
    )  # fmt: skip
    assert starts[:n].tolist() == np.flatnonzero(costs <= limit).tolist()
    assert found[:n].tolist() == costs[costs <= limit].tolist()
    assert costs.size >= counts[0] >= counts[1] >= counts[2] == n


@given(st.lists(CENTS, min_size=5, max_size=30), st.integers(-2000, 2000))
@settings(max_examples=30)
def test_a_transposition_changes_nothing(query: list[int], shift: int) -> None:
    quiet = [q // 2 for q in query]
    assert _costs(quiet, [q + shift for q in quiet], 2) == [0.0]


def test_sums_stay_exact_at_the_largest() -> None:
    most = int(MAX_CENTS)
    query = [most if i % 2 else -most for i in range(MAX_FRAMES)]
    opposite = [-q for q in query]
    apart = [most] * (MAX_FRAMES - 1) + [-most]
    for window in (opposite, apart):
        (cost,) = _costs(query, window, 1)
        assert cost < ABANDONED
        assert cost == int(cost) < 2**24


@given(st.lists(st.integers(-1000, 1000), min_size=1, max_size=30), st.floats(0.3, 7))
@settings(max_examples=40)
def test_grids_are_means_over_cells(cents: list[int], width: float) -> None:
    series, offset = grid_pieces(
        np.array([7, 7, 7, *cents], np.float32), np.array([0, 3, 3 + len(cents)]), np.array([1.0, width])
    )
    expected = reference.grid(cents, width)
    assert offset.tolist() == [0, 3, 3 + len(expected)]
    assert np.abs(series[3:] - np.array(expected)).max(initial=0) <= 1  # a half may round either way


@given(
    st.lists(st.integers(-2, 2), min_size=1, max_size=6),
    st.lists(st.lists(st.integers(-2, 2), max_size=9), max_size=4),
    st.integers(0, 3),
)
@settings(max_examples=60)
def test_contours_match_as_defined(pattern: list[int], phrases: list[list[int]], most: int) -> None:
    most = min(most, len(pattern) - 1)
    offset = np.cumsum([0, *(len(p) for p in phrases)])
    flat = np.array([s for p in phrases for s in p], np.int8)
    found = matches(np.array(pattern, np.int8), flat, offset.astype(np.int64), most)
    assert list(zip(*(a.tolist() for a in found), strict=True)) == reference.contour_matches(
        pattern, phrases, most
    )
