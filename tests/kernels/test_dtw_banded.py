"""Banded alignment against the plain version, and bounds that prune nothing that belongs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from motifdb.kernels.dtw_banded import (
    FAR,
    REST,
    band_frames,
    banded_total,
    distance_cents,
    envelope,
    near_rest,
    pick_apart,
    places_within,
    window_medians,
)
from motifdb.kernels.melody import frame_medians
from tests.corpora import corpora_root, needs_corpus
from tests.reference import families as plain

frames = st.one_of(st.integers(-300, 300), st.just(int(REST)))
melodies = st.lists(frames, min_size=1, max_size=14)


def total_of(x: list[int], y: list[int], band: int, cap: int, limit: int = int(FAR)) -> int:
    work = np.empty((2, len(y) + 1), dtype=np.int64)
    a, b = np.array(x, dtype=np.int32), np.array(y, dtype=np.int32)
    return int(banded_total(a, b, band, cap, limit, work[0], work[1]))


@settings(max_examples=150, deadline=None)
@given(melodies, melodies, st.integers(1, 5), st.integers(1, 400))
def test_total_agrees_with_the_plain_table(x: list[int], y: list[int], band: int, cap: int) -> None:
    assert total_of(x, y, band, cap) == plain.banded_total(x, y, band, cap)


@settings(max_examples=60, deadline=None)
@given(melodies, melodies, st.integers(0, 3000))
def test_giving_up_early_loses_nothing_within_the_limit(x: list[int], y: list[int], limit: int) -> None:
    whole = plain.banded_total(x, y, 3, 200)
    assert total_of(x, y, 3, 200, limit) == (whole if whole <= limit else FAR)


@settings(max_examples=80, deadline=None)
@given(
    st.lists(frames, min_size=2, max_size=8),
    st.lists(frames, min_size=10, max_size=30),
    st.integers(1, 3),
    st.integers(0, 2500),
    st.integers(-200, 200),
)
def test_pruned_search_agrees_with_the_plain_one(
    query: list[int], line: list[int], band: int, limit: int, shift: int
) -> None:
    starts = list(range(len(line) - len(query) + 1))
    shifts = [shift * (k % 2) for k in starts]
    whole = np.array(line, dtype=np.int32)
    low, high = envelope(whole, band)
    found, totals, n_aligned = places_within(
        np.array(query, dtype=np.int32), whole, np.array(starts), np.array(shifts), band, 200, limit,
        low, high, near_rest(whole, band), True,
    )  # fmt: skip
    expected = plain.places_within(query, line, starts, shifts, band, 200, limit)
    assert list(zip(found.tolist(), totals.tolist(), strict=True)) == expected
    assert n_aligned <= len(starts)


@needs_corpus("sancaras")
def test_bounds_prune_most_of_a_performance_and_change_nothing() -> None:
    path = corpora_root() / "sancaras" / "koti_janmani.csv"
    f0_hz = np.loadtxt(path, delimiter=",", skiprows=1, max_rows=20_000)[:, 1].astype(np.float32)
    line = frame_medians(f0_hz, 0.01, 0.05, 0.15)
    n, band = 60, 6
    query, starts = line[2480 : 2480 + n], np.arange(0, line.size - n + 1, 2)
    shifts = np.zeros(starts.size, dtype=np.int64)
    low, high = envelope(line, band)
    answers = [
        places_within(
            query, line, starts, shifts, band, 200, 60 * 2 * n, low, high, near_rest(line, band), prune
        )
        for prune in (True, False)
    ]
    assert answers[0][0].tolist() == answers[1][0].tolist()
    assert answers[0][1].tolist() == answers[1][1].tolist()
    assert answers[0][0].size >= 2  # itself and a repeat
    assert answers[0][2] < 0.2 * answers[1][2] == 0.2 * starts.size


def test_the_nearest_of_overlapping_places_stay() -> None:
    kept, totals = pick_apart(10, np.array([8, 10, 20, 21, 40]), np.array([5, 0, 7, 3, 7]), 10)
    assert kept.tolist() == [10, 21, 40]
    assert totals.tolist() == [0, 3, 7]


def test_distance_is_a_mean_in_cents() -> None:
    low = np.zeros(20, dtype=np.int32)
    assert distance_cents(low, low + np.int32(50), 0.1, 200) == 50.0
    assert distance_cents(low, np.full(20, REST), 0.1, 200) == 200.0
    assert distance_cents(low, low + np.int32(1200), 0.1, 200) == 200.0


@pytest.mark.parametrize(("n", "frames_wide"), [(4, 1), (60, 6), (69, 6), (70, 7)])
def test_band_is_a_share_of_the_length(n: int, frames_wide: int) -> None:
    assert band_frames(n, 0.1) == frames_wide


def test_window_medians_skip_rests() -> None:
    line = np.array([100, REST, 300, 200, REST, REST, REST], dtype=np.int32)
    assert window_medians(line, np.array([0, 1, 4]), 3).tolist() == [100, 200, REST]
