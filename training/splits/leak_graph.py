"""The leak graph: which clips share sound, or come from recordings that do.

Two clips are linked when their contents are equal, their decoded audio is, their spans overlap in one recording or in
two recordings that share sound (table `audio_links`, made by `motifdb audit`), or their recordings are on one
island, that is, share sound through others. Whatever links a clip of test to one of train may be recognised instead
of learnt.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from motifdb.pipelines.committer import quoted
from motifdb.training.clips.clip_facts import ClipFacts
from motifdb.training.splits.folds import numbered, united

if TYPE_CHECKING:
    from motifdb.catalog.store import Snapshot

MOST_EXAMPLES = 3

NEAR = 0.9
"""Two clips are near copies where what they share is so much of the longer."""
HALF = 0.5
"""A clip of test is as good as heard where one clip of train holds so much of it."""

KINDS = {
    "same-content": "the same bytes are in train",
    "same-audio": "the same decoded audio is, or those",
    "near": "a copy is (at least 0.9 of the longer is shared), or those",
    "half": "one clip of train holds at least half of it",
    "overlap": "some clip of train holds any of it",
    "same-island": "its recording shares sound with one of train, directly or through others",
    "same-recording": "its recording is in train",
}
"""Kinds of leaks and what they say of a clip of test, from the closest on."""
SOUND = ("same-content", "same-audio", "near", "half", "overlap")
"""Kinds that say that the clips themselves share sound."""


@dataclass(frozen=True)
class Joined:
    """How clips of one side are linked to the other side, one entry per clip of the first.

    Attributes
    ----------
    kinds : bool[n] for each of `KINDS`; ``same-island`` is not there without an audit
    share : float64[n], the most of a clip that one clip of the other side holds
    partner : int64[n], that clip's row among all clips; -1 where none shares sound
    """

    kinds: Mapping[str, NDArray[np.bool_]]
    share: NDArray[np.float64]
    partner: NDArray[np.int64]

    @property
    def shares_sound(self) -> NDArray[np.bool_]:
        """Whether the clip itself shares sound with any of the other side."""
        return np.asarray(np.logical_or.reduce([self.kinds[k] for k in SOUND]), bool)


@dataclass(frozen=True)
class Links:
    """Shared stretches between axes: int64[m] and float64[m], each in both directions."""

    source: NDArray[np.int64]
    target: NDArray[np.int64]
    from_s: NDArray[np.float64]
    to_s: NDArray[np.float64]
    shared_s: NDArray[np.float64]


@dataclass(frozen=True)
class LeakGraph:
    """Links between clips, as far as they are known.

    Attributes
    ----------
    facts : the clips
    axis : int64[n], recordings of equal decoded audio have one
    links : shared stretches between axes; none without an audit
    """

    facts: ClipFacts
    axis: NDArray[np.int64]
    links: Links

    @classmethod
    def of(cls, snapshot: Snapshot, facts: ClipFacts) -> LeakGraph:
        """Read what the newest audit, where there is one, says of the clips' recordings."""
        columns = ["recording_a", "recording_b", "start_a_s", "start_b_s", "shared_s", "kind"]
        where = f"analysis_id = {quoted(facts.audit_id or '')}"
        rows = snapshot.table("audio_links", columns, where)
        one, other = rows.column(0).to_pylist(), rows.column(1).to_pylist()
        equal = [k == "same-audio" for k in rows.column(5).to_pylist()]
        axis_of = _axes(
            facts, [pair for pair, e in zip(zip(one, other, strict=True), equal, strict=True) if e]
        )
        axis = np.array([axis_of[r] for r in facts.recording_id], np.int64)
        a = np.array([axis_of.get(r, -1) for r in one], np.int64)
        b = np.array([axis_of.get(r, -1) for r in other], np.int64)
        start_a, start_b, shared = (rows.column(i).to_numpy() for i in (2, 3, 4))
        keep = (a >= 0) & (b >= 0) & (a != b)
        a, b, start_a, start_b, shared = a[keep], b[keep], start_a[keep], start_b[keep], shared[keep]
        return cls(
            facts,
            axis,
            Links(
                np.concatenate([a, b]),
                np.concatenate([b, a]),
                np.concatenate([start_a, start_b]),
                np.concatenate([start_b, start_a]),
                np.concatenate([shared, shared]),
            ),
        )

    @cached_property
    def _codes(self) -> dict[str, NDArray[np.int64]]:
        facts = self.facts
        spans = zip(self.axis.tolist(), facts.start_s.tolist(), facts.end_s.tolist(), strict=True)
        codes = {
            "same-content": numbered(facts.content)[0],
            "same-audio": numbered([f"{a} {s!r}-{e!r}" for a, s, e in spans])[0],
            "same-recording": numbered(facts.recording_id)[0],
        }
        if facts.island_of is not None:
            codes["same-island"] = numbered([facts.island_of.get(r, r) for r in facts.recording_id])[0]
        return codes

    def joined(self, rows: NDArray[np.int64], others: NDArray[np.int64]) -> Joined:
        """How some clips are linked to others.

        Parameters
        ----------
        rows, others : int64, rows of `facts`; no row is in both
        """
        from motifdb.kernels.overlaps import most_shared

        kinds = {name: np.isin(code[rows], code[others]) for name, code in self._codes.items()}
        own = np.unique(self.axis[rows])
        first, start_s, end_s, whole_s, origin = self._projected(others, own)
        share, mutual, best = most_shared(
            np.searchsorted(own, self.axis[rows]),
            self.facts.start_s[rows],
            self.facts.end_s[rows],
            first,
            start_s,
            end_s,
            whole_s,
        )
        kinds["same-audio"] |= kinds["same-content"]
        kinds["near"] = kinds["same-audio"] | (mutual >= NEAR)
        kinds["overlap"] = kinds["same-audio"] | (share > 0)
        kinds["half"] = kinds["same-audio"] | (share >= HALF)
        partner = np.where(best >= 0, origin[best] if len(origin) else -1, -1).astype(np.int64)
        return Joined({k: kinds[k] for k in KINDS if k in kinds}, share, partner)

    def _projected(
        self, others: NDArray[np.int64], own: NDArray[np.int64]
    ) -> tuple[
        NDArray[np.int64],
        NDArray[np.float64],
        NDArray[np.float64],
        NDArray[np.float64],
        NDArray[np.int64],
    ]:
        """The others as spans of the axes `own`, through every link: first of each axis, start, end, whole, row."""
        facts, links = self.facts, self.links
        others = others[np.argsort(self.axis[others], kind="stable")]
        axis = self.axis[others]
        used = np.isin(links.target, own)
        source = links.source[used]
        low, high = np.searchsorted(axis, source, "left"), np.searchsorted(axis, source, "right")
        link = np.repeat(np.flatnonzero(used), high - low)
        offset = np.arange(len(link)) - np.repeat(np.cumsum(high - low) - (high - low), high - low)
        moved = others[np.repeat(low, high - low) + offset]
        shift_s = links.to_s[link] - links.from_s[link]
        stretch_s = links.from_s[link], links.from_s[link] + links.shared_s[link]
        start_s = np.concatenate(
            [facts.start_s[others], np.maximum(facts.start_s[moved], stretch_s[0]) + shift_s]
        )
        end_s = np.concatenate([facts.end_s[others], np.minimum(facts.end_s[moved], stretch_s[1]) + shift_s])
        target = np.concatenate([axis, links.target[link]])
        origin = np.concatenate([others, moved])
        keep = np.isin(target, own) & (end_s > start_s)
        target, start_s, end_s, origin = target[keep], start_s[keep], end_s[keep], origin[keep]
        order = np.lexsort((start_s, target))
        target, start_s, end_s, origin = target[order], start_s[order], end_s[order], origin[order]
        first = np.searchsorted(target, np.append(own, own[-1] + 1 if len(own) else 0))
        return first, start_s, end_s, facts.end_s[origin] - facts.start_s[origin], origin


def _axes(facts: ClipFacts, equal: Sequence[tuple[str, str]]) -> dict[str, int]:
    """A number for each recording of the clips, one for those of equal decoded audio."""
    there = set(facts.recording_id)
    pairs = [(a, b) for a, b in equal if a in there and b in there]
    names = sorted(there)
    index = {name: i for i, name in enumerate(names)}
    audio = numbered([facts.audio_of.get(name, name) for name in names])[0]
    # each pair has a row of its own, so that a recording may be in several
    row = np.array([*range(len(names)), *(index[r] for pair in pairs for r in pair)], np.int64)
    pair = np.repeat(np.arange(len(pairs)), 2)
    part = united([row, np.append(audio, np.full(len(pair), -1)), np.append(np.full(len(names), -1), pair)])
    return {name: int(part[i]) for i, name in enumerate(names)}


def named_examples(
    facts: ClipFacts, rows: NDArray[np.int64], joined: Joined
) -> tuple[tuple[str, str, float], ...]:
    """The first links of those that share most."""
    linked = np.flatnonzero(joined.partner >= 0)
    order = linked[np.argsort(-joined.share[linked], kind="stable")][:MOST_EXAMPLES]
    return tuple(
        (place_of(facts, int(rows[i])), place_of(facts, int(joined.partner[i])), float(joined.share[i]))
        for i in order
    )


def place_of(facts: ClipFacts, row: int) -> str:
    """A clip for people: its file's path, or its recording's and the span."""
    file = facts.file[row]
    if file is not None:
        return file[1]
    return f"{facts.path_of(facts.recording_id[row])} at {facts.start_s[row]:.2f} s"


@dataclass(frozen=True)
class KeyLeaks:
    """What joins the sides of a split although its key should keep them apart.

    Attributes
    ----------
    n_test : clips of test over all folds
    counts : by kind of `SOUND`, clips of test that share sound with train, each counted once, by its closest kind
    groups : pairs of group keys that share sound across sides, with how many clips, most first
    examples : as in `LeakReport`
    """

    n_test: int
    counts: Mapping[str, int]
    groups: tuple[tuple[str, str, int], ...] = ()
    examples: tuple[tuple[str, str, float], ...] = field(default=())

    @property
    def n(self) -> int:
        return sum(self.counts.values())


def key_leaks(
    graph: LeakGraph,
    rows: NDArray[np.int64],
    group: Sequence[str],
    part: NDArray[np.int8],
    test: int,
    *,
    equal_may: bool,
) -> KeyLeaks:
    """Whether test and the rest share sound in any fold.

    Parameters
    ----------
    rows : int64[m], clips of the graph that are in the split
    group : m texts
    part : int8[folds, m]
    test : which value of `part` tests
    equal_may : equal contents may be on two sides, and are not counted
    """
    counts = dict.fromkeys(SOUND, 0)
    pairs: dict[tuple[str, str], int] = {}
    examples: tuple[tuple[str, str, float], ...] = ()
    name = dict(zip(rows.tolist(), group, strict=True))
    n_test = 0
    for sides in part:
        tested = rows[sides == test]
        joined = graph.joined(tested, rows[sides != test])
        n_test += len(tested)
        free = np.zeros(len(tested), bool)
        for kind in SOUND:
            is_new = joined.kinds[kind] & ~free
            free |= joined.kinds[kind]
            if not (equal_may and kind == "same-content"):
                counts[kind] += int(is_new.sum())
        for i in np.flatnonzero(joined.partner >= 0):
            if equal_may and joined.kinds["same-content"][i]:
                continue
            pair = tuple(sorted((name[int(tested[i])], name[int(joined.partner[i])])))
            pairs[pair[0], pair[1]] = pairs.get((pair[0], pair[1]), 0) + 1
        examples = examples or named_examples(graph.facts, tested, joined)
    ordered = sorted(pairs.items(), key=lambda item: (-item[1], item[0]))
    found = tuple((a, b, n) for (a, b), n in ordered)
    return KeyLeaks(n_test, {k: n for k, n in counts.items() if n}, found, examples)
