"""Complete tables by trying every choice of works."""

from __future__ import annotations

from itertools import combinations


def is_possible(cells: set[tuple[str, str]], works: tuple[int, int, int], fewest: int = 2) -> bool:
    """Whether three parts with so many works each have `fewest` singers who sang all of theirs, no singer in two.

    By Hall's theorem singers can be shared out where every few parts together have enough of them.
    """
    sung: dict[str, set[str]] = {}
    for singer, work in cells:
        sung.setdefault(singer, set()).add(work)
    names = sorted({w for _, w in cells})
    for first in combinations(names, works[0]):
        left = [w for w in names if w not in first]
        for second in combinations(left, works[1]):
            for third in combinations([w for w in left if w not in second], works[2]):
                able = [{s for s, own in sung.items() if own >= set(part)} for part in (first, second, third)]
                if all(
                    len(set().union(*some)) >= fewest * n for n in (1, 2, 3) for some in combinations(able, n)
                ):
                    return True
    return False
