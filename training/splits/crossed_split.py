"""A crossed split of clips: from labels to complete tables, and from tables to sides."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from motifdb.errors import UsageError
from motifdb.training.clips.clip_facts import ClipFacts
from motifdb.training.splits.crossed import Crossing, cross
from motifdb.training.splits.dividing import PARTS, Split, SplitConfig


def crossed_split(config: SplitConfig, facts: ClipFacts) -> Split:
    """Divide clips by two labels, so that both are new to who tests.

    A clip's group is its cell of the table; cells of a singer of one part and a work of another are in no part. Equal
    contents under several cells are left out, since nobody knows whose they are.

    Raises
    ------
    UsageError, NotFoundError
        for labels that there are none of, or that cross nowhere.
    """
    who, what = config.by
    singer, work = facts.key(who), facts.key(what)
    notes: list[str] = []
    n_unknown = sum(a is None or b is None for a, b in zip(singer, work, strict=True))
    if n_unknown:
        notes.append(f"{n_unknown:,} of {len(facts):,} clips have no {who} or no {what}: left out")
    places: dict[str, set[tuple[str, str]]] = {}
    for a, b, content in zip(singer, work, facts.content, strict=True):
        if a is not None and b is not None:
            places.setdefault(content, set()).add((a, b))
    cells = {next(iter(found)) for found in places.values() if len(found) == 1}
    n_torn = sum(len(found) > 1 for found in places.values())
    if n_torn:
        notes.append(
            f"{n_torn:,} content{'s are' if n_torn > 1 else ' is'} under several cells of the table: left out"
        )
    if not cells:
        raise UsageError(f"no clip has both a {who} and a {what}; nothing can be crossed")
    works, singers = (_three(sizes) for sizes in (config.works, config.singers))
    found = cross(cells, works, singers, seed=config.seed, names=(who, what))
    rows, part, seen = [], [], set()
    for i, (a, b, content) in enumerate(zip(singer, work, facts.content, strict=True)):
        if a is None or b is None or len(places[content]) > 1:
            continue
        side = found.singers.get(a, -1)
        if side < 0 or found.works.get(b, -1) != side or (config.unit == "contents" and content in seen):
            continue
        seen.add(content)
        rows.append(i)
        part.append(side)
    n_kept = len({(singer[i], work[i]) for i in rows})
    notes += _told(found, who, what)
    if n_kept < len(cells):
        notes.append(
            f"{n_kept:,} of {len(cells):,} pairs of {who} and {what} are in a table; the others would join two parts"
        )
    if config.label == who:
        notes.append(
            f"every {who} of test is new, so no classifier can name them: such parts are for vectors, judged by neighbours"
        )
    if not found.is_best:
        notes.append("the solver's time ended before it was proved that no better division exists")
    return Split(
        np.array(rows, np.int64),
        tuple(str(facts_label) for facts_label in _labels(config, facts, rows)),
        tuple(f"{singer[i]} + {work[i]}" for i in rows),
        np.array([part], np.int8),
        tuple(notes),
    )


def _labels(config: SplitConfig, facts: ClipFacts, rows: Sequence[int]) -> list[str]:
    """What is learnt, of each clip."""
    values = facts.key(config.label)
    missing = sum(values[i] is None for i in rows)
    if missing:
        raise UsageError(
            f"{missing:,} clips of the tables have no {config.label}; --label takes a label that all have, such as"
            f" {config.by[0]}"
        )
    return [str(values[i]) for i in rows]


def _three(sizes: Sequence[int]) -> tuple[int, int, int] | None:
    return (sizes[0], sizes[1], sizes[2]) if sizes else None


def _told(found: Crossing, who: str, what: str) -> list[str]:
    """A sentence for each part: how large its table is, and its works."""
    lines = []
    for part, (n_singers, n_works) in enumerate(found.sizes()):
        own = [w for w, p in found.works.items() if p == part]
        if own:
            names = ", ".join(own[:6]) + (", …" if len(own) > 6 else "")
            lines.append(f"{PARTS[part]}: {n_singers} of {who} × {n_works} of {what} ({names})")
    return lines
