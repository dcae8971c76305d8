"""The search at an unlimited gap as tasks, against the definition and against itself cut into pieces."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from motifdb.kernels import contiguous, unlimited
from motifdb.kernels.gapped import COMPLETE, PAUSED, STOPPED
from motifdb.kernels.instances import Tables, prepare
from tests.reference.mining import Pattern, ref_mine
from tests.reference.oracle import flat

NO_LIMIT = 2**31 - 1
Task = tuple[NDArray[np.uint8], NDArray[np.uint8]]
Part = tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64]]


def tables_of(sequences: list[list[int]], units: list[int] | None) -> Tables:
    """Tables of sequences whose symbols are 1.. without a hole, so that they are ranks."""
    text, sequence_at, sequence_end = contiguous.build_text(*flat(sequences))
    return prepare(text, sequence_at, sequence_end, None if units is None else np.array(units, np.int32))


def frozen(values: list[int]) -> NDArray[np.uint8]:
    array = np.array(values, np.uint8)
    array.setflags(write=False)
    return array


def whole(tables: Tables) -> Task:
    return frozen([]), frozen(list(range(1, tables.following.shape[1] + 1)))


def search(
    tables: Tables,
    min_support: int,
    *,
    task: Task | None = None,
    only_closed: bool = True,
    min_length: int = 1,
    max_length: int = NO_LIMIT,
    budget: int = 2**62,
    patience: int = unlimited.PATIENCE,
    long_from: int = unlimited.LONG,
) -> tuple[int, Part, tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.uint8], NDArray[np.int64]]]:
    prefix, children = whole(tables) if task is None else task
    least, stop = np.array([min_support]), np.array([0, 1], np.uint8)
    return unlimited.explore(  # type: ignore[no-any-return]
        tables,
        only_closed,
        min_length,
        max_length,
        prefix,
        children,
        least,
        budget,
        2**62,
        stop,
        patience,
        long_from,
    )


def spelled(part: Part) -> list[tuple[Pattern, int]]:
    patterns, offsets, supports = (x.tolist() for x in part)
    return [(tuple(patterns[offsets[k] : offsets[k + 1]]), supports[k]) for k in range(len(supports))]


def in_pieces(tables: Tables, min_support: int, budget: int, **how: Any) -> list[tuple[Pattern, int]]:
    """What is found by tasks of one budget, each level of what is pending a task of its own."""
    found = []
    tasks = [whole(tables)]
    while tasks:
        state, part, (path, at, children, _) = search(
            tables, min_support, task=tasks[-1], budget=budget, **how
        )
        prefix, _ = tasks.pop()
        found += spelled(part)
        if state == PAUSED:
            assert at[0] == 0
            assert at[-1] == len(children)
            assert path[: len(prefix)].tolist() == prefix.tolist()
            levels = range(len(prefix), len(path) + 1)
            for i, d in enumerate(levels):
                if at[i] < at[i + 1]:
                    tasks.append((frozen(path[:d].tolist()), frozen(children[at[i] : at[i + 1]].tolist())))
        else:
            assert state == COMPLETE
    return found


def ranked(sequences: list[list[int]]) -> list[list[int]]:
    symbols = sorted({x for s in sequences for x in s})
    return [[symbols.index(x) + 1 for x in s] for s in sequences]


def trill(n: int) -> list[int]:
    return list(itertools.islice(itertools.cycle([1, 2]), n))


small = st.one_of(
    st.lists(st.lists(st.sampled_from([1, 2, 3]), max_size=7), max_size=5),
    st.lists(st.integers(0, 7).map(trill), max_size=4),
    st.lists(st.integers(0, 7).map(lambda n: [1] * n), max_size=4),
    st.lists(st.lists(st.sampled_from([1, 2]), max_size=6), max_size=3).map(lambda s: s + s),
).map(ranked)


def check(
    sequences: list[list[int]],
    units: list[int] | None,
    min_support: int,
    only_closed: bool,
    min_length: int,
    more: int | None,
    budget: int,
    patience: int,
    long_from: int,
) -> None:
    """The search, whole and in pieces, finds what the definition says."""
    max_length = NO_LIMIT if more is None else min_length + more
    support = "sequences" if units is None else "recordings"
    expected, _ = ref_mine(
        sequences,
        units,
        max_gap=None,
        min_support=min_support,
        support=support,
        closed=support if only_closed else "none",
        min_length=min_length,
        max_length=max_length,
    )
    wanted = [(p, c.sequences if units is None else c.groups) for p, c in expected.items()]
    tables = tables_of(sequences, units)
    how: dict[str, Any] = {"only_closed": only_closed, "min_length": min_length, "max_length": max_length}
    how |= {"patience": patience, "long_from": long_from}
    state, part, _ = search(tables, min_support, **how)
    assert state == COMPLETE
    assert spelled(part) == wanted
    assert in_pieces(tables, min_support, budget, **how) == wanted


@settings(max_examples=150, deadline=None)
@given(
    sequences=small,
    labels=st.one_of(st.none(), st.lists(st.integers(0, 3), min_size=8, max_size=8)),
    min_support=st.integers(1, 4),
    only_closed=st.booleans(),
    min_length=st.integers(1, 3),
    more=st.one_of(st.none(), st.integers(0, 3)),
    budget=st.sampled_from([1, 7, 1000]),
    patience=st.sampled_from([0, 3, 64]),
    long_from=st.sampled_from([1, 32]),
)
def test_equals_definition_however_it_is_cut(
    sequences: list[list[int]],
    labels: list[int] | None,
    min_support: int,
    only_closed: bool,
    min_length: int,
    more: int | None,
    budget: int,
    patience: int,
    long_from: int,
) -> None:
    units = None if labels is None else sorted(labels[: len(sequences)])
    check(sequences, units, min_support, only_closed, min_length, more, budget, patience, long_from)


def test_a_task_searches_its_children_only() -> None:
    tables = tables_of([[1, 2, 1, 3], [1, 2, 3], [2, 1, 3], [3, 2, 1]], None)
    everything = spelled(search(tables, 1, only_closed=False)[1])
    for prefix in [[], [1], [1, 2], [2, 1]]:
        for children in [[1], [2, 3], [1, 3], [1, 2, 3]]:
            state, part, pending = search(
                tables, 1, only_closed=False, task=(frozen(prefix), frozen(children))
            )
            assert state == COMPLETE
            assert len(pending[2]) == 0
            n = len(prefix)
            assert spelled(part) == [
                (p, k) for p, k in everything if list(p[:n]) == prefix and len(p) > n and p[n] in children
            ]


def test_stops_when_told_and_obeys_a_raised_support() -> None:
    tables = tables_of([[1, 2, 1, 3], [1, 2, 3], [2, 1, 3]], None)
    prefix, children = whole(tables)
    told = (unlimited.PATIENCE, unlimited.LONG)
    how = (tables, True, 1, NO_LIMIT, prefix, children)
    state, part, _ = unlimited.explore(*how, np.array([1]), 2**62, 2**62, np.ones(2, np.uint8), *told)
    assert state == STOPPED
    assert spelled(part) == []
    # what is pending was frequent when it was left; the support has risen since
    state, _, (path, at, rest, _) = search(tables, 1, budget=1)
    assert state == PAUSED
    for i, d in enumerate(range(len(path) + 1)):
        task = (frozen(path[:d].tolist()), frozen(rest[at[i] : at[i + 1]].tolist()))
        assert all(k == 3 for _, k in spelled(search(tables, 3, task=task)[1]))


def test_an_empty_database_has_no_patterns() -> None:
    empty: list[list[list[int]]] = [[], [[]], [[], []]]
    for sequences in empty:
        state, part, _ = search(tables_of(sequences, None), 1)
        assert state == COMPLETE
        assert spelled(part) == []


@pytest.mark.parametrize("units", [None, [0, 0, 1, 1, 2, 3]])
def test_masks_of_several_bytes(units: list[int] | None) -> None:
    """The general path finds what the one for at most 8 symbols does, with the symbols spread over bytes."""
    names = [1, 9, 26, 40]
    few = [[int(x) for x in np.random.default_rng(s).integers(1, 5, 9 + s)] for s in range(6)]
    rare = [x for x in range(1, 41) if x not in names]  # one sequence only
    wide = tables_of([*([names[x - 1] for x in s] for s in few), rare], units and [*units, 9])
    for min_support in (2, 3):
        for budget in (20, 2**62):
            narrow = in_pieces(tables_of(few, units), min_support, budget)
            expected = [(tuple(names[x - 1] for x in p), k) for p, k in narrow]
            assert in_pieces(wide, min_support, budget) == expected
            assert len(expected) > 20


@pytest.mark.parametrize("kind", [trill, lambda n: [1] * n])
def test_long_repeats_neither_explode_nor_overflow(kind: Callable[[int], list[int]]) -> None:
    n = 100_000
    state, (patterns, offsets, supports), _ = search(tables_of([kind(n)], None), 1)
    assert state == COMPLETE
    assert offsets.tolist() == [0, n]
    assert supports.tolist() == [1]
    assert patterns.tolist() == kind(n)
    lengths = [3, 40, 1000, 1001, n]
    state, part, _ = search(tables_of([kind(k) for k in lengths], None), 1)
    assert state == COMPLETE
    assert spelled(part) == [(tuple(kind(k)), 5 - i) for i, k in enumerate(lengths)]


def test_without_compiling() -> None:
    """The same source, run as plain Python, agrees with the definition."""
    script = (
        "import tests.kernels.test_unlimited as t\n"
        "import itertools\n"
        "for s in ([[1, 2, 1, 3], [2, 1, 3], [1, 3, 2, 2]], [t.trill(9), t.trill(6), [1, 1, 1]]):\n"
        "    for units, closed in itertools.product((None, [0, 0, 1]), (True, False)):\n"
        "        t.check(s, units, 1, closed, 1, None, 7, 0, 1)\n"
        "        t.check(s, units, 2, closed, 2, 1, 7, 64, 32)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "NUMBA_DISABLE_JIT": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
