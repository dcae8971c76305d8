"""Mining by the definitions alone: every pattern of a tiny database is written out and looked up everywhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

Pattern = tuple[int, ...]


class Counts(NamedTuple):
    """What `mine` says of one pattern; spans are (sequence, first, last)."""

    sequences: int
    groups: int
    occurrences: int
    apart: int
    spans: tuple[tuple[int, int, int], ...]


def embeddings(pattern: Pattern, sequence: Sequence[int], max_gap: int | None) -> list[tuple[int, int]]:
    """(first, last) of every way to embed the pattern; equal pairs once."""
    reached = {(i, i) for i, x in enumerate(sequence) if x == pattern[0]}
    for symbol in pattern[1:]:
        reached = {
            (first, i)
            for first, last in reached
            for i in range(
                last + 1, len(sequence) if max_gap is None else min(len(sequence), last + max_gap + 2)
            )
            if sequence[i] == symbol
        }
    return sorted(reached)


def windows(pattern: Pattern, sequence: Sequence[int], max_gap: int | None) -> list[tuple[int, int]]:
    """Embeddings' spans with no other in a proper part of them; contiguous occurrences are all of these."""
    spans = embeddings(pattern, sequence, max_gap)
    return [(a, b) for a, b in spans if not any((c, d) != (a, b) and a <= c and d <= b for c, d in spans)]


def count(
    pattern: Pattern, database: Sequence[Sequence[int]], groups: Sequence[int], max_gap: int | None
) -> Counts:
    spans = [(s, a, b) for s, sequence in enumerate(database) for a, b in windows(pattern, sequence, max_gap)]
    apart, free = 0, (-1, -1)
    for s, a, b in sorted(spans, key=lambda x: (x[0], x[2])):
        if (s, a) > free:
            apart, free = apart + 1, (s, b)
    return Counts(
        len({s for s, _, _ in spans}),
        len({groups[s] for s, _, _ in spans}),
        len(spans),
        apart,
        tuple(sorted(spans)),
    )


def occurring(database: Sequence[Sequence[int]], max_gap: int | None) -> set[Pattern]:
    """Every pattern that occurs at least once."""
    found: set[Pattern] = set()
    for sequence in database:
        n = len(sequence)
        if max_gap == 0:
            found |= {tuple(sequence[i:j]) for i in range(n) for j in range(i + 1, n + 1)}
            continue
        by_end: list[set[Pattern]] = [{(x,)} for x in sequence]
        for j in range(n):
            for i in range(0 if max_gap is None else max(0, j - max_gap - 1), j):
                by_end[j] |= {(*p, sequence[j]) for p in by_end[i]}
        found = found.union(*by_end)
    return found


def extensions(pattern: Pattern, alphabet: Sequence[int], max_gap: int | None) -> Iterator[Pattern]:
    """One symbol more: at an end, or anywhere where the gap is unlimited."""
    for x in alphabet:
        for i in range(len(pattern) + 1) if max_gap is None else (0, len(pattern)):
            yield (*pattern[:i], x, *pattern[i:])


def ref_mine(
    database: Sequence[Sequence[int]],
    groups: Sequence[int] | None,
    *,
    max_gap: int | None,
    min_support: int,
    support: str,
    closed: str,
    min_length: int = 1,
    max_length: int | None = None,
) -> tuple[dict[Pattern, Counts], int]:
    """Patterns with enough support and their counts, in order; and how many of admissible length occur at all."""
    of = groups if groups is not None else [0] * len(database)
    units: dict[str, Callable[[Counts], int]] = {
        "occurrences": lambda c: c.occurrences,
        "sequences": lambda c: c.sequences,
        "recordings": lambda c: c.groups,
    }
    every = {p: count(p, database, of, max_gap) for p in occurring(database, max_gap)}
    alphabet = sorted({x for sequence in database for x in sequence})
    kept = {}
    n_distinct = 0
    for p in sorted(every):
        if len(p) < min_length or (max_length is not None and len(p) > max_length):
            continue
        n_distinct += 1
        if units[support](every[p]) < min_support:
            continue
        if closed != "none":
            weigh = units[closed]
            if any(
                q in every and weigh(every[q]) == weigh(every[p]) for q in extensions(p, alphabet, max_gap)
            ):
                continue
        kept[p] = every[p]
    return kept, n_distinct
