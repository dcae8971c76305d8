"""Mining each recording on its own, by taking its sequences out one recording at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tests.reference.mining import Pattern, ref_mine

Row = tuple[int, Pattern, tuple[int, int, int]]
"""Recording, pattern, (sequences, occurrences, non-overlapping ones)."""


def ref_per_group(
    database: Sequence[Sequence[int]], groups: Sequence[int], **how: Any
) -> tuple[list[Row], list[tuple[int, int, int, int]], int]:
    """Rows by (recording, pattern); occurrences (row, sequence in the whole database, first, last); patterns that occur."""
    rows: list[Row] = []
    places = []
    n_distinct = 0
    for label in sorted(set(groups)):
        own = [s for s, g in enumerate(groups) if g == label]
        found, n = ref_mine([database[s] for s in own], None, **how)
        n_distinct += n
        for p, counts in found.items():
            places += [(len(rows), own[s], first, last) for s, first, last in counts.spans]
            rows.append((label, p, (counts.sequences, counts.occurrences, counts.apart)))
    return rows, places, n_distinct
