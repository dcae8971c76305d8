"""The oracles are tried themselves: each must pass the miner and report miners that are wrong on purpose.

A wrong miner has one fault of the kind that published programs have had. Which oracle reports which is the
table in `docs/mining.md`, which is held against what happens here.
"""

from __future__ import annotations

import gzip
import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import motifdb
from tests.corpora import needs_reference, reference_root
from tests.reference.mining import Pattern, embeddings, ref_mine
from tests.reference.oracle import agreed, database, flat

Sequences = list[list[int]]
Counts = dict[Pattern, tuple[int, int]]
"""Support in sequences and occurrences of each pattern."""
Miner = Callable[[Sequences, int | None, int], Counts]


def mined(sequences: Sequences, max_gap: int | None, min_support: int, **how: str) -> Counts:
    symbols = [x for s in sequences for x in s]
    offsets = flat([[0] * len(s) for s in sequences])[1]
    found = motifdb.mine(symbols, offsets, min_support=min_support, max_gap=max_gap, **how)  # type: ignore[arg-type]
    columns = (found.patterns.column(c).to_pylist() for c in ("pattern", "support_sequences", "occurrences"))
    return {tuple(p): (n, occurrences) for p, n, occurrences in zip(*columns, strict=True)}


def right(sequences: Sequences, max_gap: int | None, min_support: int) -> Counts:
    return mined(sequences, max_gap, min_support)


# -- miners with one fault each ----------------------------------------------------------------------------


def gap_off_by_one(sequences: Sequences, max_gap: int | None, min_support: int) -> Counts:
    """Skips one symbol more than allowed; takes unlimited for the longest sequence less two."""
    longest = max((len(s) for s in sequences), default=0)
    return mined(sequences, max(0, longest - 3) if max_gap is None else max_gap + 1, min_support)


def closed_on_one_side(sequences: Sequences, max_gap: int | None, min_support: int) -> Counts:
    """Looks for equal support behind a pattern only, as the published gapbide.py does at gap 0."""
    every = mined(sequences, max_gap, min_support, closed="none")
    extended = {p[:-1] for p, n in every.items() if every.get(p[:-1], (0,))[0] == n[0]}
    return {p: n for p, n in every.items() if p not in extended}


def support_counted_twice(sequences: Sequences, max_gap: int | None, min_support: int) -> Counts:
    """Counts a sequence as often as the pattern occurs in it."""
    return {p: (n, n) for p, (_, n) in mined(sequences, max_gap, min_support).items()}


def prune_counts_twice(sequences: Sequences, max_gap: int | None, min_support: int) -> Counts:
    """Cuts where a symbol stands as often before the instances as there are instances, as gapbide.py does.

    Right would be: before each instance. Two places before one instance can make up for none before another.
    """
    every = mined(sequences, max_gap, min_support, closed="none")

    @cache
    def is_cut(p: Pattern) -> bool:
        if len(p) > 2:  # to spare time; those that go on from a cut one are cut all the same
            return is_cut(p[:2])
        before: Counter[int] = Counter()
        n_instances = 0
        for sequence in sequences:
            for begin, _ in embeddings(p, sequence, max_gap):
                n_instances += 1
                before.update(sequence[0 if max_gap is None else max(0, begin - max_gap - 1) : begin])
        return n_instances in before.values() or (len(p) > 1 and is_cut(p[:-1]))

    return {p: n for p, n in mined(sequences, max_gap, min_support).items() if p in every and not is_cut(p)}


def last_sequence_dropped(sequences: Sequences, max_gap: int | None, min_support: int) -> Counts:
    """Ends at the last separator instead of the end of the text."""
    return mined(sequences[:-1], max_gap, min_support)


def reads_into_the_next_sequence(sequences: Sequences, max_gap: int | None, min_support: int) -> Counts:
    """Takes the first symbol of the next sequence for the end of this one."""
    joined = [s + n[:1] for s, n in zip(sequences, [*sequences[1:], []], strict=True)]
    return mined(joined, max_gap, min_support)


def insertion_closed_at_any_gap(sequences: Sequences, max_gap: int | None, min_support: int) -> Counts:
    """Removes a pattern for a super-sequence of equal support, whatever the gap."""
    if max_gap is None:
        return right(sequences, max_gap, min_support)
    return mined(sequences, max_gap, min_support, post_filter="insertion")


def end_closed_without_a_limit(sequences: Sequences, max_gap: int | None, min_support: int) -> Counts:
    """Tries symbols at the ends only where the gap is unlimited."""
    if max_gap is not None:
        return right(sequences, max_gap, min_support)
    every = mined(sequences, max_gap, min_support, closed="none")
    extended = {q for p, n in every.items() for q in (p[1:], p[:-1]) if every.get(q, (0,))[0] == n[0]}
    return {p: n for p, n in every.items() if p not in extended}


def overlaps_not_counted(sequences: Sequences, max_gap: int | None, min_support: int) -> Counts:
    """Gives non-overlapping occurrences for all."""
    symbols = [x for s in sequences for x in s]
    found = motifdb.mine(
        symbols, flat([[0] * len(s) for s in sequences])[1], min_support=min_support, max_gap=max_gap
    )
    names = ("pattern", "support_sequences", "occurrences_nonoverlapping")
    columns = (found.patterns.column(c).to_pylist() for c in names)
    return {tuple(p): (n, occurrences) for p, n, occurrences in zip(*columns, strict=True)}


WRONG: tuple[Miner, ...] = (
    gap_off_by_one,
    closed_on_one_side,
    support_counted_twice,
    prune_counts_twice,
    last_sequence_dropped,
    reads_into_the_next_sequence,
    insertion_closed_at_any_gap,
    end_closed_without_a_limit,
    overlaps_not_counted,
)


# -- oracles: does the miner agree with them? --------------------------------------------------------------


def tiny_databases() -> Iterator[Sequences]:
    """Random ones over two and three symbols; trills, constants and duplicates among them."""
    rng = np.random.default_rng(11)
    for _ in range(25):
        yield [rng.integers(1, rng.integers(3, 5), rng.integers(0, 7)).tolist() for _ in range(4)]
    yield [[1, 2] * 3, [2, 1] * 2, [1, 2] * 3]
    yield [[1] * 5, [1] * 3, []]
    yield [[1, 2], [1, 2], [1, 3, 2], [1, 3, 2]]
    yield [[1, 2], [1, 2, 2, 2, 1]]


def brute_force(miner: Miner) -> bool:
    for sequences in tiny_databases():
        for max_gap in (0, 1, 2, None):
            for min_support in (1, 2):
                expected, _ = ref_mine(
                    sequences,
                    None,
                    max_gap=max_gap,
                    min_support=min_support,
                    support="sequences",
                    closed="sequences",
                )
                counts = {p: (c.sequences, c.occurrences) for p, c in expected.items()}
                if miner(sequences, max_gap, min_support) != counts:
                    return False
    return True


def small_cases(miner: Miner) -> bool:
    with gzip.open(reference_root() / "mining" / "expected" / "small_cases.json.gz", "rt") as text:
        cases = json.load(text)
    for case in cases:
        for gap, expected in case["closed"].items():
            found = miner(case["sequences"], None if gap == "inf" else int(gap), case["min_support"])
            if {p: n for p, (n, _) in found.items()} != {tuple(p): n for p, n in expected}:
                return False
    return True


def agreed_sets(miner: Miner) -> bool:
    for name, gap, min_support in (
        ("bidepaper", 0, 2), ("bidepaper", 1, 2), ("bidepaper", 2, 2), ("bidepaper", None, 2), ("c1", 0, 5), ("c1", 1, 10),
    ):  # fmt: skip
        symbols, offsets, _ = database(name)
        sequences = [s.tolist() for s in np.split(symbols, offsets[1:-1])]
        lines = []
        for p, (n, occurrences) in sorted(miner(sequences, gap, min_support).items()):
            end = f" #OCC: {occurrences}" if gap == 0 else ""
            lines.append(f"{' '.join(map(str, p))} #SUP: {n}{end}\n")
        if "".join(lines) != agreed(f"{name}.gap{'inf' if gap is None else gap}.sup{min_support}.closed"):
            return False
    return True


def n_grams(miner: Miner) -> bool:
    """Contiguous patterns by a dictionary of every n-gram: other code than the twin, and longer sequences."""
    rng = np.random.default_rng(5)
    for _ in range(4):
        sequences = [rng.integers(1, 4, 40).tolist() for _ in range(12)]
        occurrences: Counter[Pattern] = Counter()
        holders: defaultdict[Pattern, set[int]] = defaultdict(set)
        for s, sequence in enumerate(sequences):
            for n in range(1, len(sequence) + 1):
                for i in range(len(sequence) - n + 1):
                    p = tuple(sequence[i : i + n])
                    occurrences[p] += 1
                    holders[p].add(s)
        whole = {q for p in holders for q in (p[1:], p[:-1]) if len(holders.get(q, ())) == len(holders[p])}
        expected = {p: (len(h), occurrences[p]) for p, h in holders.items() if len(h) >= 2 and p not in whole}
        if miner(sequences, 0, 2) != expected:
            return False
    return True


def paper(miner: Miner) -> bool:
    """The example of Wang and Han (2004): CAABC, ABCB, CABC, ABBCA at support 2."""
    sequences = [["_ABC".index(x) for x in s] for s in ("CAABC", "ABCB", "CABC", "ABBCA")]
    found = {"".join("_ABC"[x] for x in p): n for p, (n, _) in miner(sequences, None, 2).items()}
    return found == {"AA": 2, "ABB": 2, "ABC": 4, "CA": 3, "CABC": 2, "CB": 3}


ORACLES = {
    "brute force": brute_force,
    "small cases": small_cases,
    "agreed sets": agreed_sets,
    "n-grams": n_grams,
    "BIDE paper": paper,
}
PAGE = Path(__file__).resolve().parents[2] / "docs" / "mining.md"
needs = {"small cases", "agreed sets"}


def table() -> dict[str, dict[str, bool]]:
    """Which oracle reports which wrong miner, as the page says."""
    lines = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("|")]
    begin = next(i for i, line in enumerate(lines) if line.startswith("| wrong miner"))
    names = [cell.strip() for cell in lines[begin].strip("|").split("|")][2:]
    said = {}
    for line in lines[begin + 2 :]:
        if not (match := re.match(r"\| `(\w+)` \|", line)):
            break
        cells = [cell.strip() for cell in line.strip("|").split("|")][2:]
        said[match[1]] = {name: cell == "reported" for name, cell in zip(names, cells, strict=True)}
    return said


def test_the_page_names_every_wrong_miner_and_oracle() -> None:
    said = table()
    assert list(said) == [miner.__name__ for miner in WRONG]
    assert all(list(row) == list(ORACLES) for row in said.values())
    assert all(any(row.values()) for row in said.values())
    assert all(any(row[name] for row in said.values()) for name in ORACLES)


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=needs_reference("mining")) if name in needs else name for name in ORACLES],
)
def test_an_oracle_passes_the_miner_and_reports_wrong_ones(name: str) -> None:
    oracle = ORACLES[name]
    assert oracle(right)
    reported = {miner.__name__: not oracle(miner) for miner in WRONG}
    assert reported == {wrong: row[name] for wrong, row in table().items()}
