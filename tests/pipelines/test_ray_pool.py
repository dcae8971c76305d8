"""Mining on a Ray cluster: the same result as in this process, and a clean stop."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from motifdb.mining.arrays import mine
from motifdb.pipelines.ray_cluster import ray_cluster
from motifdb.pipelines.ray_pool import RayPool
from tests.mining.test_workers import same, walk


@pytest.fixture(scope="module")
def n_workers() -> Iterator[int]:
    """A cluster of two, started once."""
    with ray_cluster(2) as n:
        assert n == 2
        yield n


@pytest.mark.parametrize(("max_gap", "least"), [(1, 8), (None, 18)])
def test_tasks_on_a_cluster_find_the_same(n_workers: int, max_gap: int | None, least: int) -> None:
    symbols, offsets = walk(24, 40, 4)
    here = mine(symbols, offsets, max_gap=max_gap, min_support=least, support="sequences")
    pool = RayPool(n_workers, 100_000)  # small tasks, so that there are several
    there = mine(symbols, offsets, max_gap=max_gap, min_support=least, support="sequences", pool=pool)
    late = mine(
        symbols,
        offsets,
        max_gap=max_gap,
        min_support=1,
        support="sequences",
        want_counts=False,
        want_occurrences=False,
        time_limit_s=1.0,
        pool=pool,
    )
    assert same(here, there)
    assert late.stopped_by == "time_limit" and late.complete_from > 1
