"""Pairs of clips the slow way: every partner that a clip may have, listed."""

from __future__ import annotations

from collections.abc import Sequence


def partners(
    clip: int, singer: Sequence[object], recording: Sequence[object], *, same: bool, literal: bool
) -> set[int]:
    """The clips that may be paired with one, as a "same" pair or as one of different singers."""
    found = set()
    for other in range(len(singer)):
        if other == clip or (singer[other] == singer[clip]) != same:
            continue
        if same and not literal and recording[other] == recording[clip]:
            continue
        found.add(other)
    return found
