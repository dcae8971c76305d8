"""Pairs of clips: half of them of one singer, half of two, drawn so that any step can be drawn again.

siamese-2018 draws "same" pairs at random from chopped samples, so that both may come from one performance: then the song, the
room and the microphone are the same as well, and a network may learn those. So by default both halves of a "same" pair come from
different recordings; ``literal=True`` is the printed way.

A clip is drawn with equal chance; then its partner with equal chance among those that may be it. Clips are sorted by singer and
recording, so that who may not be a partner is one block, and a number among the others is drawn and shifted past it: no draw is
ever thrown away.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from motifdb.errors import UsageError

_BATCH, _FIXED = 0, 1
"""First word of the seeds of the pairs of a step, and of fixed ones."""


@dataclass(frozen=True, eq=False)
class ClipPairs:
    """n pairs of clips.

    Attributes
    ----------
    a, b : int64[n], rows of clips
    same : bool[n], whether both are of one singer
    """

    a: NDArray[np.int64]
    b: NDArray[np.int64]
    same: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.a)


class PairSampler:
    """Draws pairs of some clips.

    Parameters
    ----------
    rows : int64[n], which clips
    singer : of each of them, any text or number
    recording : likewise
    seed : of every draw
    literal : whether both clips of a "same" pair may be of one recording

    Raises
    ------
    UsageError
        where a pair of either kind cannot be drawn: fewer than two singers, or none with two recordings (of one singer,
        two clips where `literal`).

    >>> sampler = PairSampler(np.arange(6), list("aaabbb"), [1, 1, 2, 3, 4, 4])
    >>> pairs = sampler.draw(4, 7)
    >>> pairs.same.tolist()
    [True, True, False, False]
    >>> [("aaabbb"[i] == "aaabbb"[j]) for i, j in zip(pairs.a, pairs.b)]
    [True, True, False, False]
    """

    def __init__(
        self,
        rows: NDArray[np.int64],
        singer: Sequence[object],
        recording: Sequence[object],
        *,
        seed: int = 0,
        literal: bool = False,
    ) -> None:
        who = np.unique(np.asarray(singer), return_inverse=True)[1].astype(np.int64)
        what = np.unique(np.asarray(recording), return_inverse=True)[1].astype(np.int64)
        order = np.lexsort((np.arange(len(rows)), what, who))
        self.seed, self.literal = seed, literal
        self._rows = np.asarray(rows, np.int64)[order]
        who, what = who[order], what[order]
        block = np.arange(len(order)) if literal else _blocks(who, what)
        # of each clip: where its singer's clips begin and end, and those that may not be its partner in a "same" pair
        self._singer_first, self._singer_last = _bounds(who)
        self._own_first, self._own_last = _bounds(block)
        n_partners = (self._singer_last - self._singer_first) - (self._own_last - self._own_first)
        self._anchors = np.flatnonzero(n_partners > 0)
        self.n_singers = len(np.unique(who))
        self.n_singers_alone = self.n_singers - len(np.unique(who[self._anchors]))
        if self.n_singers < 2:
            raise UsageError(
                f"pairs need clips of two singers at least, and there {'is' if self.n_singers == 1 else 'are'}"
                f" {self.n_singers}; name the label of singers with --label, or divide other clips"
            )
        if not len(self._anchors):
            raise UsageError(
                "no singer has two clips, so there is no pair of one singer; cut shorter clips"
                if literal
                else "no singer has two recordings, so no pair of one singer is of different recordings; add recordings, or"
                " take pairs within a recording as printed: --set literal=true"
            )

    @property
    def notes(self) -> list[str]:
        """What must be known of the pairs: singers that no "same" pair is of."""
        if not self.n_singers_alone:
            return []
        has = "clip" if self.literal else "recording"
        return [
            f"{self.n_singers_alone} of {self.n_singers} singers have one {has}: they are in pairs of different singers only"
        ]

    def batch(self, step: int, n: int) -> ClipPairs:
        """The pairs of a step (from 0): the same however often they are drawn."""
        return self._drawn(np.random.default_rng([self.seed, _BATCH, step]), n)

    def draw(self, n: int, number: int = 0) -> ClipPairs:
        """A set of n pairs by its number, apart from those of any step; pairs may come twice."""
        return self._drawn(np.random.default_rng([self.seed, _FIXED, number]), n)

    def _drawn(self, random: np.random.Generator, n: int) -> ClipPairs:
        n_same = n // 2 if n % 2 == 0 else n // 2 + int(random.integers(2))
        a = self._anchors[random.integers(len(self._anchors), size=n_same)]
        b = self._partner(
            random, a, self._own_first[a], self._own_last[a], self._singer_first[a], self._singer_last[a]
        )
        c = random.integers(len(self._rows), size=n - n_same)
        everyone = np.zeros_like(c), np.full_like(c, len(self._rows))
        d = self._partner(random, c, self._singer_first[c], self._singer_last[c], *everyone)
        return ClipPairs(
            self._rows[np.concatenate([a, c])],
            self._rows[np.concatenate([b, d])],
            np.arange(n) < n_same,
        )

    @staticmethod
    def _partner(
        random: np.random.Generator,
        of: NDArray[np.int64],
        not_first: NDArray[np.int64],
        not_last: NDArray[np.int64],
        first: NDArray[np.int64],
        last: NDArray[np.int64],
    ) -> NDArray[np.int64]:
        """A place from `first` to `last`, but not from `not_first` to `not_last`, which lies within; all of one kind of chance."""
        number = (
            random.integers((last - first) - (not_last - not_first)) if len(of) else np.zeros(0, np.int64)
        )
        return skipping(number, not_first, not_last, first)


def skipping(
    number: NDArray[np.int64],
    not_first: NDArray[np.int64],
    not_last: NDArray[np.int64],
    first: NDArray[np.int64],
) -> NDArray[np.int64]:
    """The place that comes ``number``-th (from 0) from `first` on, where those of ``[not_first, not_last)`` do not count.

    >>> n = np.arange(4)
    >>> skipping(n, np.full(4, 12), np.full(4, 15), np.full(4, 10)).tolist()
    [10, 11, 15, 16]
    """
    place = first + number
    return place + np.where(place >= not_first, not_last - not_first, 0)


def fixed_pairs(
    rows: NDArray[np.int64],
    singer: Sequence[object],
    recording: Sequence[object],
    n: int,
    seed: int = 0,
    *,
    literal: bool = False,
) -> ClipPairs:
    """Pairs to judge by: the same n for every network, half of them of one singer; pairs that come twice are drawn again.

    Where a set is so small that it has no n different pairs, fewer come, still one to one.

    Raises
    ------
    UsageError
        as `PairSampler`.
    """
    sampler = PairSampler(rows, singer, recording, seed=seed, literal=literal)
    seen: dict[bool, dict[tuple[int, int], None]] = {True: {}, False: {}}
    for number in range(20):
        drawn = sampler.draw(n, number)
        for a, b, is_same in zip(drawn.a.tolist(), drawn.b.tolist(), drawn.same.tolist(), strict=True):
            seen[is_same].setdefault((min(a, b), max(a, b)))
        if min(len(of) for of in seen.values()) >= (n + 1) // 2:
            break
    each = min(n // 2, *(len(of) for of in seen.values()))
    kept = np.array([*list(seen[True])[:each], *list(seen[False])[:each]], np.int64).reshape(-1, 2)
    return ClipPairs(kept[:, 0], kept[:, 1], np.arange(2 * each) < each)


def _blocks(who: NDArray[np.int64], what: NDArray[np.int64]) -> NDArray[np.int64]:
    """A number for each run of clips of one singer and one recording; both are sorted."""
    is_new = (
        np.concatenate([[True], (np.diff(who) != 0) | (np.diff(what) != 0)])
        if len(who)
        else np.zeros(0, bool)
    )
    return np.cumsum(is_new)


def _bounds(block: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Of each entry of an ascending array, where its run of equals begins, and where it ends."""
    return (
        np.searchsorted(block, block, "left").astype(np.int64),
        np.searchsorted(block, block, "right").astype(np.int64),
    )
