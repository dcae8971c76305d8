"""Planting by the book: every possible set of places is written out."""

from __future__ import annotations

from itertools import combinations, pairwise


def all_placements(lengths: list[int], n_symbols: int, n: int) -> set[tuple[tuple[int, int], ...]]:
    """Every set of n places (sequence, first) of n_symbols symbols that do not overlap."""
    starts = [(s, i) for s, length in enumerate(lengths) for i in range(length - n_symbols + 1)]
    return {
        places
        for places in combinations(starts, n)
        if all(a[0] != b[0] or b[1] - a[1] >= n_symbols for a, b in pairwise(places))
    }


def occurs(sequences: list[list[int]], motif: list[int]) -> bool:
    """Whether a motif stands somewhere inside a sequence."""
    return any(
        sequence[i : i + len(motif)] == motif
        for sequence in sequences
        for i in range(len(sequence) - len(motif) + 1)
    )


def plant(sequences: list[list[int]], motif: list[int], places: list[tuple[int, int]]) -> list[list[int]]:
    """The sequences with the motif written over them."""
    out = [list(s) for s in sequences]
    for sequence, first in places:
        out[sequence][first : first + len(motif)] = motif
    return out
