"""Exact k-means: by hand, by brute force, against the plain O(k n^2) twin, and on real singing."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from motifdb.errors import UsageError
from motifdb.kernels.kmeans import LOWEST_CENTS, N_BINS, cents_histogram, cluster_starts, fit_kmeans
from tests.corpora import needs_corpus
from tests.kernels.test_contour import makam_tracks, read_pitch
from tests.reference.kmeans import ref_best_cost, ref_brute_cost, ref_histogram, ref_total


def histogram_of(counts: dict[int, int]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    histogram = np.zeros(N_BINS, dtype=np.int64)
    for cents, n in counts.items():
        histogram[cents - LOWEST_CENTS] = n
    return histogram


def starts_of(values: list[int], weights: list[int], k: int) -> list[int]:
    starts: list[int] = cluster_starts(np.array(values, float), np.array(weights, np.int64), k).tolist()
    return starts


weighted = st.dictionaries(st.integers(-6000, 6000), st.integers(1, 10**6), min_size=1, max_size=9)
larger = st.dictionaries(st.integers(-300, 300), st.integers(1, 50), min_size=1, max_size=40)


def test_clusters_by_hand() -> None:
    counts = {-10: 1, -9: 1, 0: 1, 1: 3, 500: 1}
    assert fit_kmeans(histogram_of(counts), 3).tolist() == [-9.5, 0.75, 500.0]
    assert fit_kmeans(histogram_of(counts), 1).tolist() == [round(484 / 7, 3)]
    assert fit_kmeans(histogram_of(counts), 5).tolist() == [-10.0, -9.0, 0.0, 1.0, 500.0]


def test_k_is_at_most_the_number_of_distinct_values() -> None:
    assert fit_kmeans(histogram_of({7: 4, 9: 1}), 1000).tolist() == [7.0, 9.0]
    assert fit_kmeans(histogram_of({}), 3).size == 0


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(UsageError, match="1 or more clusters"):
        fit_kmeans(histogram_of({0: 1}), 0)
    with pytest.raises(UsageError, match=f"{N_BINS} bins"):
        fit_kmeans(np.zeros(7, dtype=np.int64), 2)


@settings(deadline=None)
@given(st.lists(st.one_of(st.floats(width=32), st.floats(50, 2000, width=32)), max_size=60))
def test_histograms_equal_the_plain_twin_and_add_up(f0: list[float]) -> None:
    histogram = cents_histogram(f0)
    np.testing.assert_array_equal(histogram, histogram_of(ref_histogram(f0)))
    half = len(f0) // 2
    np.testing.assert_array_equal(histogram, cents_histogram(f0[:half]) + cents_histogram(f0[half:]))


def test_frames_without_confidence_are_not_counted() -> None:
    assert cents_histogram([440.0, 440.0], [0.2, 0.9], 0.5).sum() == 1


@settings(max_examples=200, deadline=None)
@given(weighted, st.integers(1, 5))
def test_cost_is_the_least_of_all_clusterings(counts: dict[int, int], k: int) -> None:
    values, weights = sorted(counts), [counts[v] for v in sorted(counts)]
    k = min(k, len(values))
    starts = starts_of(values, weights, k)
    assert starts[0] == 0
    assert starts == sorted(set(starts))
    least = ref_brute_cost(values, weights, k)
    assert least == ref_best_cost(values, weights, k)
    # float sums of the kernel may prefer a clustering that is worse by their rounding
    assert ref_total(values, weights, starts) <= least + Fraction(sum(weights)) * Fraction(1, 10**6)


@settings(max_examples=40, deadline=None)
@given(larger, st.integers(1, 12))
def test_cost_equals_the_plain_dynamic_programme(counts: dict[int, int], k: int) -> None:
    values, weights = sorted(counts), [counts[v] for v in sorted(counts)]
    k = min(k, len(values))
    least = ref_best_cost(values, weights, k)
    assert math.isclose(
        ref_total(values, weights, starts_of(values, weights, k)), least, rel_tol=1e-9, abs_tol=1e-6
    )


@needs_corpus("otmm_makam")
def test_real_singing_in_24_clusters() -> None:
    """A cent's shift of any boundary makes it no better, and each value is nearest to its own centre."""
    histogram = sum(
        (cents_histogram(read_pitch(path)) for _, path in sorted(makam_tracks().items())[:20]),
        np.zeros(N_BINS, dtype=np.int64),
    )
    centres = fit_kmeans(histogram, 24)
    assert centres.size == 24
    bins = np.flatnonzero(histogram)
    values, weights = (bins + LOWEST_CENTS).tolist(), histogram[bins].tolist()
    starts = starts_of(values, weights, 24)
    midpoints = (centres[:-1] + centres[1:]) / 2
    nearest = np.searchsorted(midpoints, np.array(values))
    clusters = np.searchsorted(np.array(starts), np.arange(len(values)), side="right") - 1
    np.testing.assert_array_equal(nearest, clusters)
    total = ref_total(values, weights, starts)
    for c in range(1, 24):
        for shift in (-1, 1):
            moved = [*starts[:c], starts[c] + shift, *starts[c + 1 :]]
            assert ref_total(values, weights, moved) >= total
