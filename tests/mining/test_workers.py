"""The same patterns in the same order on any number of workers, and complete ones within any bound."""

from __future__ import annotations

import dataclasses
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from motifdb.errors import UsageError
from motifdb.mining.arrays import Support, mine
from motifdb.mining.explore import Threads
from motifdb.mining.mined import Mined

GAPS = [1, 2, None]


def walk(
    n_sequences: int, length: int, n_symbols: int, seed: int = 0
) -> tuple[NDArray[np.int8], NDArray[np.int64]]:
    """Sequences of a chain that prefers some symbols after others, of very different lengths."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, 2 * length, n_sequences)
    step = rng.choice(
        n_symbols, int(lengths.sum()), p=np.arange(n_symbols, 0, -1) / sum(range(n_symbols + 1))
    )
    symbols = (np.cumsum(step) % n_symbols + 1).astype(np.int8)
    return symbols, np.concatenate([[0], np.cumsum(lengths)])


def same(one: Mined, other: Mined) -> bool:
    """Whether two results are equal to the last array."""
    return all(
        np.array_equal(getattr(one, f.name), getattr(other, f.name)) for f in dataclasses.fields(Mined)
    )


@pytest.mark.parametrize(
    ("max_gap", "support", "least"),
    [
        (1, "sequences", 8),
        (2, "sequences", 13),
        (None, "sequences", 18),
        (1, "recordings", 7),
        (2, "recordings", 9),
        (None, "recordings", 11),
    ],
)
def test_any_number_of_workers_and_any_cut_give_the_same(
    max_gap: int | None, support: Support, least: int
) -> None:
    symbols, offsets = walk(24, 40, 4)
    groups = np.arange(24) // 2
    results = [
        mine(
            symbols,
            offsets,
            groups,
            max_gap=max_gap,
            min_support=least,
            support=support,
            pool=Threads(n, task_work),
        )
        for n, task_work in ((1, 10**9), (1, 500), (2, 2_000), (7, 30_000))
    ]
    assert len(results[0]) > 300 and len(results[0].occurrence_pattern) > 5_000
    assert all(same(results[0], r) for r in results[1:])


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.lists(st.integers(-2, 1), max_size=12), min_size=1, max_size=8),
    st.sampled_from(GAPS),
    st.integers(1, 3),
    st.integers(1, 60),
    st.booleans(),
)
def test_a_bound_keeps_what_is_frequent_enough_and_all_of_it(
    sequences: list[list[int]], max_gap: int | None, min_support: int, most: int, is_closed: bool
) -> None:
    symbols = np.array([x for s in sequences for x in s], np.int8)
    offsets = np.concatenate([[0], np.cumsum([len(s) for s in sequences])])

    def mined(closed: str, max_patterns: int, n_workers: int) -> Mined:
        return mine(
            symbols,
            offsets,
            max_gap=max_gap,
            min_support=min_support,
            support="sequences",
            closed=closed,  # type: ignore[arg-type]
            max_patterns=max_patterns,
            max_length=5,
            pool=Threads(n_workers, 40),
        )

    closed = "sequences" if is_closed else "none"
    found = mined(closed, most, 2)
    whole = mined(closed, 10**9, 1)
    assert same(found, mined(closed, most, 7))
    stays = whole.support_sequences >= found.complete_from
    kept = [whole.pattern(k).tobytes() for k in np.flatnonzero(stays).tolist()]
    assert [found.pattern(k).tobytes() for k in range(len(found))] == kept
    assert found.support_sequences.tolist() == whole.support_sequences[stays].tolist()
    assert found.occurrences.tolist() == whole.occurrences[stays].tolist()
    if found.stopped_by is None:
        assert found.complete_from == min_support
    else:
        assert found.stopped_by == "max_patterns" and found.complete_from > min_support and len(found) <= most


@pytest.mark.parametrize("max_gap", GAPS)
def test_listing_is_bounded_too(max_gap: int | None) -> None:
    symbols, offsets = walk(12, 20, 3)
    whole = mine(symbols, offsets, max_gap=max_gap, min_support=8, support="sequences")
    most = int(whole.occurrences.sum()) // 2
    found = mine(symbols, offsets, max_gap=max_gap, min_support=8, support="sequences", max_occurrences=most)
    assert found.stopped_by == "max_occurrences"
    assert 0 < len(found.occurrence_pattern) <= most
    assert len(found) == (whole.support_sequences >= found.complete_from).sum()
    one_less = whole.support_sequences >= found.complete_from - 1
    assert whole.occurrences[one_less].sum() > most


@pytest.mark.parametrize(("max_gap", "least"), [(1, 4), (2, 8), (None, 17)])
def test_memory_is_bounded_or_refused(max_gap: int | None, least: int) -> None:
    symbols, offsets = walk(24, 40, 4)
    whole = mine(
        symbols, offsets, max_gap=max_gap, min_support=least, support="sequences", want_occurrences=False
    )
    found = mine(
        symbols,
        offsets,
        max_gap=max_gap,
        min_support=least,
        support="sequences",
        want_occurrences=False,
        memory_limit_bytes=150_000,
    )
    assert found.stopped_by == "memory_limit"
    assert 0 < len(found) < len(whole) and found.complete_from > least
    assert len(found) == (whole.support_sequences >= found.complete_from).sum()
    with pytest.raises(UsageError, match="the tables of these sequences alone"):
        mine(
            symbols, offsets, max_gap=max_gap, min_support=least, support="sequences", memory_limit_bytes=100
        )


@pytest.mark.parametrize("max_gap", GAPS)
def test_a_trill_of_100_000_symbols_stops_at_the_clock_with_a_complete_set(max_gap: int | None) -> None:
    symbols = np.tile(np.array([1, 5], np.int8), 50_000)
    started = time.monotonic()
    found = mine(
        np.tile(symbols, 2),
        [0, 100_000, 200_000],
        max_gap=max_gap,
        min_support=2,
        support="sequences",
        want_occurrences=False,
        want_counts=False,
        time_limit_s=1.0,
    )
    # far from the seconds that one pass takes, and from the ages that all patterns would
    assert time.monotonic() - started < 60
    assert found.stopped_by in ("time_limit", "max_patterns") or found.complete_from == 2
    if len(found):
        assert found.support_sequences.min() >= found.complete_from


def test_contiguous_mining_stops_at_the_clock_too() -> None:
    symbols, offsets = walk(200, 1000, 4)
    found = mine(symbols, offsets, min_support=2, time_limit_s=0.001)
    assert len(found) == 0 and found.stopped_by == "time_limit"
    assert found.complete_from == len(symbols) + 1 and found.n_distinct is None


@pytest.mark.parametrize(("max_gap", "least"), [(0, 3), (1, 8), (None, 17)])
def test_enough_time_changes_nothing(max_gap: int | None, least: int) -> None:
    symbols, offsets = walk(24, 40, 4)
    results = [
        mine(symbols, offsets, max_gap=max_gap, min_support=least, support="sequences", time_limit_s=t)
        for t in (None, 600.0)
    ]
    assert same(*results) and results[0].stopped_by is None


def test_no_worker_is_refused() -> None:
    with pytest.raises(UsageError, match="workers must be 1 or more, got 0"):
        mine([1, 2], [0, 2], min_support=1, workers=0)
