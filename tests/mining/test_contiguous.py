"""Bounds of contiguous mining: what is left out has the lowest supports, and what is there is whole down to one."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest

from motifdb.errors import UsageError
from motifdb.kernels.contiguous import ALL, BY_GROUPS, BY_OCCURRENCES, BY_SEQUENCES, Wanted, build_text
from motifdb.kernels.sequences import Sequences
from motifdb.kernels.suffixes import Suffixes
from motifdb.mining.contiguous import OCCURRENCE_BYTES, PATTERN_BYTES, mine_contiguous, table_bytes
from motifdb.mining.mined import Mined

UNITS = {BY_OCCURRENCES: "occurrences", BY_SEQUENCES: "support_sequences", BY_GROUPS: "support_groups"}
COLUMNS = ["lengths", "support_sequences", "support_groups", "occurrences", "occurrences_nonoverlapping"]
LISTS = ["occurrence_pattern", "occurrence_sequence", "occurrence_first", "occurrence_last"]


def walks(seed: int, n_sequences: int, n_symbols: int) -> Sequences:
    """Melody-like sequences of uneven length, each of the three groups with its own part."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(0, 60, n_sequences)
    symbols = np.cumsum(rng.integers(-1, 2, lengths.sum())) % n_symbols - 2
    return Sequences.of(
        symbols, np.concatenate([[0], np.cumsum(lengths)]), np.sort(rng.integers(0, 3, n_sequences))
    )


def assert_equal(one: Mined, other: Mined) -> None:
    """All arrays are the same, patterns by what they spell."""
    for name in (*COLUMNS, *LISTS, "patterns", "pattern_offsets"):
        assert np.array_equal(getattr(one, name), getattr(other, name)), name
    assert one.n_distinct == other.n_distinct
    assert (one.complete_from, one.stopped_by) == (other.complete_from, other.stopped_by)


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("closure", [*UNITS, ALL])
@pytest.mark.parametrize("bound", ["max_patterns", "max_occurrences", "memory_limit"])
def test_a_bound_raises_the_least_support(unit: int, closure: int, bound: str) -> None:
    database = walks(1, 30, 5)
    wanted = Wanted(unit, 2, closure, 1, 99, 10**9)
    whole = mine_contiguous(database, wanted, 10**9)
    assert (whole.complete_from, whole.stopped_by) == (2, None)
    support = getattr(whole, UNITS[unit])
    amount = {
        "max_patterns": np.ones_like(support),
        "max_occurrences": whole.occurrences,
        "memory_limit": PATTERN_BYTES + OCCURRENCE_BYTES * whole.occurrences,
    }[bound]
    by_support = np.argsort(-support, kind="stable")
    for n_kept in (0, 1, len(whole) // 3, len(whole) - 1):
        limit = int(amount[by_support][:n_kept].sum())
        bounded, max_occurrences, limit_bytes = wanted, 10**9, None
        if bound == "max_patterns":
            bounded = wanted._replace(max_patterns=limit)
        elif bound == "max_occurrences":
            max_occurrences = limit
        else:
            limit += 1  # at 0 it is the tables that do not fit
            limit_bytes = limit + table_bytes(
                Suffixes.of(*build_text(database.symbols, database.offsets)), wanted.min_support
            )
        found = mine_contiguous(database, bounded, max_occurrences, memory_limit_bytes=limit_bytes)
        fitting = min(t for t in range(2, int(support.max()) + 2) if amount[support >= t].sum() <= limit)
        assert (found.complete_from, found.stopped_by) == (fitting, bound)
        from_there = mine_contiguous(database, wanted._replace(min_support=fitting), 10**9)
        assert_equal(found, replace(from_there, stopped_by=bound))


def test_the_tables_have_to_fit() -> None:
    database = walks(2, 30, 5)
    wanted = Wanted(BY_OCCURRENCES, 2, BY_OCCURRENCES, 1, 99, 10**9)
    needed = table_bytes(Suffixes.of(*build_text(database.symbols, database.offsets)), 2)
    for limit in (1, needed // 2, needed):
        with pytest.raises(UsageError, match=r"tables of these sequences alone take .* MB"):
            mine_contiguous(database, wanted, None, memory_limit_bytes=limit)
    assert len(mine_contiguous(database, wanted, None, memory_limit_bytes=needed + 1)) == 0


def test_constants_and_trills_are_cut_to_what_fits() -> None:
    """As many patterns as symbols, and occurrences by the square of them."""
    n = 100_000
    for symbols in (np.ones(n, np.int8), np.tile(np.array([1, -1], np.int8), n // 2)):
        database = Sequences.of(symbols, np.array([0, n]))
        wanted = Wanted(BY_OCCURRENCES, 2, BY_OCCURRENCES, 1, n, 10**9)
        found = mine_contiguous(database, wanted, 1_000_000)
        assert found.stopped_by == "max_occurrences"
        assert len(found) > 0
        assert found.occurrences.min() == found.complete_from
        assert 900_000 - n < len(found.occurrence_pattern) <= 1_000_000


def test_long_constants_take_no_square_of_time() -> None:
    n = 300_000
    wanted = Wanted(BY_OCCURRENCES, 2, BY_OCCURRENCES, 1, n, 10**9)
    start = time.process_time()
    found = mine_contiguous(Sequences.of(np.ones(n, np.int8), np.array([0, n])), wanted, None)
    assert found.occurrences_nonoverlapping.tolist() == [n // length for length in range(1, n)]
    assert time.process_time() - start < 10


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("closure", [*UNITS, ALL])
def test_every_number_of_threads_gives_the_same(unit: int, closure: int) -> None:
    n_found = 0
    for seed, n_sequences, n_symbols in ((1, 40, 5), (2, 7, 1), (3, 1, 3), (4, 30, 60), (5, 0, 1)):
        database = walks(seed, n_sequences, n_symbols)
        for least in (1, 2, 4):
            wanted = Wanted(unit, least, closure, 1, 99, 10**9)
            alone = mine_contiguous(database, wanted, 10**9)
            n_found += len(alone)
            for n_threads in (2, 3, 7):
                found = mine_contiguous(database, wanted, 10**9, n_threads=n_threads)
                assert_equal(found, alone)
                assert np.array_equal(found.starts, alone.starts)
            bounded = wanted._replace(max_patterns=len(alone) // 2)
            assert_equal(
                mine_contiguous(database, bounded, None, n_threads=3),
                mine_contiguous(database, bounded, None),
            )
    assert n_found > 300
