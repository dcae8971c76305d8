"""The search under a gap limit against the definitions, however it is cut, and on the shapes that break such searches."""

from __future__ import annotations

import gzip
import itertools
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from motifdb.kernels import contiguous, gapped, lanes
from motifdb.kernels.gapped import COMPLETE, PAUSED, STOPPED
from motifdb.kernels.sequences import NO_LIMIT, Sequences
from tests.corpora import needs_reference, reference_root
from tests.reference.databases import adversarial
from tests.reference.mining import Pattern, ref_mine
from tests.reference.oracle import agreed, database, flat

Found = tuple[NDArray[np.int32], NDArray[np.uint8], NDArray[np.int32]]
NONE = np.empty(0, np.uint8)
NONE.setflags(write=False)


def arrange(
    sequences: Sequences, *, max_gap: int, least: int, by_group: bool = False
) -> tuple[gapped.Database, NDArray[np.int8]]:
    """What `explore` reads, and the symbol of each rank."""
    if by_group:
        sequences = sequences.reordered(np.argsort(sequences.group_of, kind="stable"))
    text, sequence_at, _ = contiguous.build_text(sequences.symbols, sequences.offsets)
    unit_at = sequences.group_of[sequence_at] if by_group else sequence_at
    vocabulary = np.concatenate([np.zeros(1, np.int8), np.unique(sequences.symbols)])
    return gapped.prepare(text, unit_at, max_gap, least), vocabulary


def search(
    arranged: gapped.Database, *, max_gap: int, least: int, deepest: int = NO_LIMIT, budget: int = 2**62
) -> Found:
    """All parts of a search whose tasks pause after `budget`, in order."""
    every = np.arange(1, int(arranged.text.max(initial=0)) + 1, dtype=np.uint8)
    every.setflags(write=False)
    parts = []
    tasks = [(NONE, every)]
    while tasks:
        prefix, children = tasks.pop()
        state, part, (path, at, left, left_support) = gapped.explore(
            arranged,
            max_gap,
            deepest,
            prefix,
            children,
            np.array([least], np.int64),
            budget,
            2**62,
            np.array([0, 1], np.uint8),
        )
        parts.append(part)
        assert state in (COMPLETE, PAUSED)
        assert (len(left) > 0) == (state == PAUSED)
        assert len(left) == len(left_support) and (left_support >= least).all()
        assert path[: len(prefix)].tolist() == prefix.tolist()
        for k in range(len(at) - 1):
            if at[k] < at[k + 1]:
                task = (path[: len(prefix) + k].copy(), left[at[k] : at[k + 1]].copy())
                for array in task:  # as the tasks of a cluster come
                    array.setflags(write=False)
                tasks.append(task)
    return tuple(np.concatenate(column) for column in zip(*parts, strict=True))  # type: ignore[return-value]


def mined(
    sequences: list[list[int]],
    groups: list[int] | None,
    *,
    max_gap: int,
    min_support: int,
    support: str = "sequences",
    closed: str = "sequences",
    max_length: int | None = None,
    budget: int = 2**62,
) -> dict[Pattern, int]:
    """Patterns and supports, in the order the kernels give them."""
    checked = Sequences.of(*flat(sequences), groups)
    arranged, vocabulary = arrange(
        checked, max_gap=max_gap, least=min_support, by_group=support == "recordings"
    )
    longest = NO_LIMIT if max_length is None else max_length
    deepest = longest if closed == "none" else longest + 1
    found = search(arranged, max_gap=max_gap, least=min_support, deepest=deepest, budget=budget)
    is_kept = np.ones(len(found[0]), np.bool_) if closed == "none" else gapped.close_trie(*found)
    patterns, offsets, kept = gapped.spell_preorder(found[0], found[1], is_kept & (found[0] <= longest))
    spelled = vocabulary[patterns].tolist()
    spans = itertools.pairwise(offsets)
    return {tuple(spelled[a:b]): int(found[2][k]) for (a, b), k in zip(spans, kept, strict=True)}


def expected(sequences: list[list[int]], groups: list[int] | None, **how: Any) -> dict[Pattern, int]:
    kept, _ = ref_mine(sequences, groups, **how)
    return {p: c.groups if how["support"] == "recordings" else c.sequences for p, c in kept.items()}


@settings(max_examples=120, deadline=None)
@given(
    sequences=adversarial,
    group_labels=st.lists(st.integers(-3, 3), min_size=8, max_size=8),
    support=st.sampled_from(("sequences", "recordings")),
    is_closed=st.booleans(),
    max_gap=st.sampled_from((1, 2, 3, 40)),
    min_support=st.integers(1, 3),
    max_length=st.one_of(st.none(), st.integers(1, 4)),
    budget=st.sampled_from((1, 7, 1000, 2**62)),
)
def test_search_equals_definition(
    sequences: list[list[int]],
    group_labels: list[int],
    support: str,
    is_closed: bool,
    max_gap: int,
    min_support: int,
    max_length: int | None,
    budget: int,
) -> None:
    groups = group_labels[: len(sequences)]
    how: dict[str, Any] = {
        "max_gap": max_gap,
        "min_support": min_support,
        "support": support,
        "closed": support if is_closed else "none",
        "max_length": max_length,
    }
    found = mined(sequences, groups, budget=budget, **how)
    assert list(found.items()) == list(expected(sequences, groups, **how).items())


def plain_lists(sequences: list[list[int]], max_gap: int, least: int, deepest: int) -> dict[Pattern, int]:
    """All frequent patterns in order, by lists of (sequence, end): for databases that are too large for the definition."""
    found: dict[Pattern, int] = {}
    stack: list[tuple[Pattern, set[tuple[int, int]]]] = [((), set())]
    while stack:
        pattern, ends = stack.pop()
        by_symbol: dict[int, set[tuple[int, int]]] = {}
        if not pattern:
            reached = {(s, i) for s, sequence in enumerate(sequences) for i in range(len(sequence))}
        else:
            found[pattern] = len({s for s, _ in ends})
            reached = {(s, j) for s, i in ends for j in range(i + 1, min(i + max_gap + 2, len(sequences[s])))}
        for s, i in reached:
            by_symbol.setdefault(sequences[s][i], set()).add((s, i))
        if len(pattern) < deepest:
            for c in sorted(by_symbol, reverse=True):
                if len({s for s, _ in by_symbol[c]}) >= least:
                    stack.append(((*pattern, c), by_symbol[c]))
    return found


@pytest.mark.parametrize("max_gap", [1, 2, 3, lanes.MAX_REACH - 1, lanes.MAX_REACH])
@pytest.mark.parametrize("n_symbols", [3, 100])
def test_long_sequences_and_wide_alphabets(max_gap: int, n_symbols: int) -> None:
    """Units of many lanes, windows over the edges of words and lanes, sets so sparse that they turn into lists."""
    rng = np.random.default_rng([max_gap, n_symbols])
    lengths = [0, 1, 63, 64, 65, 255, 256, 257, 700, 1, 1030]
    if n_symbols == 100:
        lengths += [9000, 7000, 8000, 10000, 9500] if max_gap == 1 else [2000, 2600]
    sequences = [(rng.integers(n_symbols, size=n) - 50).tolist() for n in lengths]
    least, deepest = (5, 3) if n_symbols == 3 else (3 if max_gap < 5 else 6, 2 if max_gap > 1 else 3)
    how: dict[str, Any] = {"max_gap": max_gap, "min_support": least, "closed": "none", "max_length": deepest}
    right = plain_lists(sequences, max_gap, least, deepest)
    assert len(right) > 30
    assert list(mined(sequences, None, **how).items()) == list(right.items())
    assert list(mined(sequences, None, budget=20_000, **how).items()) == list(right.items())


def test_constants_as_deep_as_they_are_long() -> None:
    constants = [[1] * 3000, [1] * 2500, [1] * 2500 + [2]]
    assert mined(constants, None, max_gap=1, min_support=2) == {(1,) * 2500: 3}
    assert mined(constants, None, max_gap=1, min_support=2, budget=10**5) == {(1,) * 2500: 3}


def test_patterns_beyond_64_symbols() -> None:
    """Fillers of one sequence each leave the common symbols no other way than one by one."""
    common = list(range(80))
    one, other = ([y for x in common for y in (x, filler)] for filler in (-1, -2))
    right = {tuple(common[a:b]): 2 for a in range(80) for b in range(a + 1, 81)}
    found = mined([one, other], None, max_gap=1, min_support=2, closed="none")
    assert list(found.items()) == sorted(right.items())
    assert mined([one, other], None, max_gap=1, min_support=2, budget=1000) == {tuple(common): 2}


def test_support_that_rises_and_stop() -> None:
    sequences = [[1, 2, 1, 3], [1, 2, 3], [2, 1], [1, 2]]
    arranged, _ = arrange(Sequences.of(*flat(sequences)), max_gap=1, least=1)
    every = np.array([1, 2, 3], np.uint8)
    every.setflags(write=False)
    arguments = (arranged, 1, NO_LIMIT, NONE, every)
    no_stop = np.zeros(2, np.uint8)
    state, part, _ = gapped.explore(*arguments, np.array([3], np.int64), 2**62, 2**62, no_stop)
    assert (state, part[0].tolist(), part[1].tolist(), part[2].tolist()) == (
        COMPLETE,
        [1, 2, 1],
        [1, 2, 2],
        [4, 3, 4],
    )
    state, part, _ = gapped.explore(*arguments, np.array([1], np.int64), 2**62, 2**62, np.ones(2, np.uint8))
    assert (state, len(part[0])) == (STOPPED, 0)


@needs_reference("mining")
@pytest.mark.parametrize("budget", [30, 2**62])
def test_small_cases_are_the_agreed_ones(budget: int) -> None:
    with gzip.open(reference_root() / "mining" / "expected" / "small_cases.json.gz", "rt") as text:
        cases = json.load(text)
    for case in cases:
        ids = sorted({x for s in case["sequences"] for x in s})
        sequences = [[ids.index(x) - 2 for x in s] for s in case["sequences"]]  # some ids are no int8
        for gap in (1, 2):
            found = mined(sequences, None, max_gap=gap, min_support=case["min_support"], budget=budget)
            got = [[[ids[x + 2] for x in p], n] for p, n in found.items()]
            assert got == case["closed"][str(gap)], (case["name"], gap)


@needs_reference("mining")
@pytest.mark.parametrize(
    ("name", "gap", "min_support", "budget"),
    [
        ("bidepaper", 1, 2, 1),
        ("bidepaper", 2, 2, 1),
        ("c1", 1, 10, 10**4),
        ("c1", 2, 20, 2**62),
        ("c10", 1, 20, 10**5),
        ("c10", 2, 40, 2**62),
        ("c100", 1, 200, 10**7),
    ],
)
def test_agreed_sets(name: str, gap: int, min_support: int, budget: int) -> None:
    sequences = Sequences.of(*database(name)[:2])
    arranged, vocabulary = arrange(sequences, max_gap=gap, least=min_support)
    found = search(arranged, max_gap=gap, least=min_support, budget=budget)
    patterns, offsets, kept = gapped.spell_preorder(found[0], found[1], gapped.close_trie(*found))
    symbols = vocabulary[patterns].tolist()
    lines = [
        " ".join(map(str, symbols[a:b])) + f" #SUP: {found[2][k]}\n"
        for (a, b), k in zip(itertools.pairwise(offsets), kept, strict=True)
    ]
    assert "".join(lines) == agreed(f"{name}.gap{gap}.sup{min_support}.closed")
