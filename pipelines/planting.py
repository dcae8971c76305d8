"""A copy of a recording with a motif planted in it: mined and judged as any recording, then scored against what is known.

Nothing here reads or writes a database; `motifdb.pipelines.selftest` and ``benchmarks/power.py`` drive it.

How a planted motif is scored
-----------------------------
meets
    An occurrence meets a place where it holds at least the share `cover` of it (all of it, where symbols are planted;
    half, where pitch is) and is at most twice as long.
found
    Some motif that was mined meets at least half of the places, and at least two. Where pitch is planted, half of its own
    occurrences must lie there too: what sounds everywhere also sounds at the places.
right
    At least half of a motif's occurrences lie, with at least half of themselves, inside places.
known
    A motif that the unplanted recording has too: one of its significant motifs is the same, or one is a part of the other
    and at least half as long.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from motifdb.config import MiningConfig
from motifdb.kernels import planting
from motifdb.pipelines.arrays import flat
from motifdb.pipelines.motif_rows import PhraseColumns, mine_scope

Q = 0.05
"""A motif is significant below this q-value."""

LONGEST_MEET = 2.0
"""An occurrence that is longer than this many times a place is another motif."""


@dataclass(frozen=True)
class Places:
    """Where a motif is planted, in ascending order.

    Attributes
    ----------
    phrase, first : int64, shape (n,), phrase of each place and its first symbol in there
    start, end : float64, shape (n,), the same along the whole recording: symbols, or seconds where pitch was planted
    """

    phrase: NDArray[np.int64]
    first: NDArray[np.int64]
    start: NDArray[np.float64]
    end: NDArray[np.float64]

    def __len__(self) -> int:
        return int(self.start.size)


@dataclass(frozen=True)
class Found:
    """What mining made of a recording.

    Attributes
    ----------
    patterns : symbols of each kept motif, as bytes
    q_value : float64, shape (n_motifs,), NaN where it is unknown
    motif : int64, shape (n_occurrences,), motif of each occurrence
    start, end : float64, shape (n_occurrences,), symbols along the whole recording; end is behind the last one
    start_s, end_s : the same in seconds
    """

    patterns: tuple[bytes, ...]
    q_value: NDArray[np.float64]
    motif: NDArray[np.int64]
    start: NDArray[np.float64]
    end: NDArray[np.float64]
    start_s: NDArray[np.float64]
    end_s: NDArray[np.float64]

    @property
    def is_significant(self) -> NDArray[np.bool_]:
        """bool, shape (n_motifs,): q below `Q`."""
        return self.q_value < Q

    @property
    def significant(self) -> frozenset[bytes]:
        """The significant patterns."""
        return frozenset(p for p, yes in zip(self.patterns, self.is_significant.tolist(), strict=True) if yes)


@dataclass(frozen=True)
class Score:
    """How one planted motif fared.

    Attributes
    ----------
    is_found, is_found_everywhere, is_significant : as the module's text says; everywhere: by one motif at every place
    n_right, n_known, n_false : significant motifs that are right, those of the rest that were known, and the others
    n_motifs, n_judged : motifs that were kept, and those of them that have a q-value
    """

    is_found: bool
    is_found_everywhere: bool
    is_significant: bool
    n_right: int
    n_known: int
    n_false: int
    n_motifs: int = 0
    n_judged: int = 0


def name_of(phrases: PhraseColumns) -> str:
    """Id of the one recording that the phrases are of."""
    (name,) = phrases.recordings
    return name


def plant(
    phrases: PhraseColumns, motif: NDArray[np.int8], n: int, rng: np.random.Generator
) -> tuple[PhraseColumns, Places]:
    """A copy of a recording with a motif written over `n` stretches of symbols, drawn at random.

    Phrases keep their numbers of symbols, and every segment keeps its time, so a planted symbol lasts as long as
    the one that it replaces. Segment levels are left as they are: mining does not read them.
    """
    lengths = np.diff(phrases.offsets)
    phrase, first = planting.draw_places(lengths, motif.size, n, rng)
    return planted_at(phrases, motif, phrase, first)


def planted_at(
    phrases: PhraseColumns, motif: NDArray[np.int8], phrase: NDArray[np.int64], first: NDArray[np.int64]
) -> tuple[PhraseColumns, Places]:
    """A copy of a recording with a motif written over these stretches of symbols."""
    start = (phrases.offsets[phrase] + first).astype(np.float64)
    symbols = planting.plant(phrases.symbols, phrases.offsets, motif, phrase, first)
    return replace(phrases, symbols=symbols), Places(phrase, first, start, start + motif.size)


def durations_s(phrases: PhraseColumns, places: Places, n_symbols: int) -> NDArray[np.float64]:
    """How long the segments at each place last together."""
    segment = phrases.offsets[places.phrase] + places.phrase + places.first
    span: NDArray[np.float64] = phrases.segment_end_s[segment + n_symbols] - phrases.segment_start_s[segment]
    return span


def mined(phrases: PhraseColumns, config: MiningConfig) -> Found:
    """Mine and judge a recording as ingest does.

    Raises
    ------
    InputError
        ``too-repetitive``, as `mine_scope`.
    """
    motifs, occurrences, _ = mine_scope(phrases, name_of(phrases), config, "selftest", "selftest")
    symbols = flat(motifs.column("pattern"), np.int8).tobytes()
    bounds = np.concatenate([[0], np.cumsum(motifs.column("length").to_numpy())]).tolist()
    of_motif = (
        pc.index_in(occurrences.column("motif_id"), motifs.column("motif_id")).to_numpy().astype(np.int64)
    )
    order = {name: i for i, name in enumerate(phrases.phrase_ids)}
    phrase = np.array([order[p] for p in occurrences.column("phrase_id").to_pylist()], np.int64)
    base = phrases.offsets[phrase]
    return Found(
        tuple(symbols[a:b] for a, b in pairwise(bounds)),
        motifs.column("q_value").to_numpy(zero_copy_only=False).astype(np.float64),
        of_motif,
        (base + occurrences.column("first_symbol").to_numpy()).astype(np.float64),
        (base + occurrences.column("last_symbol").to_numpy() + 1).astype(np.float64),
        occurrences.column("start_s").to_numpy(),
        occurrences.column("end_s").to_numpy(),
    )


def score(found: Found, places: Places, known: Iterable[bytes], *, is_sung: bool = False) -> Score:
    """Compare what was mined with what was planted; the rules are in the module's text.

    Parameters
    ----------
    found : of the planted copy
    places : where the motif is, in symbols, or in seconds with `is_sung`
    known : significant patterns of the same recording without planting
    is_sung : whether pitch was planted
    """
    start, end = (found.start_s, found.end_s) if is_sung else (found.start, found.end)
    n_motifs = len(found.patterns)
    n_met = np.zeros(n_motifs, np.int64)
    cover = 0.5 if is_sung else 1.0
    inside = np.zeros(start.size)
    for a, b in zip(places.start, places.end, strict=True):
        shared = np.minimum(end, b) - np.maximum(start, a)
        is_met = (shared >= cover * (b - a) - 1e-9) & (end - start <= LONGEST_MEET * (b - a) + 1e-9)
        n_met += np.bincount(found.motif[is_met], minlength=n_motifs) > 0
        inside += np.maximum(shared, 0.0)
    n_each = np.bincount(found.motif, minlength=n_motifs)
    n_inside = np.bincount(found.motif[2 * inside >= end - start - 1e-9], minlength=n_motifs)
    is_right = 2 * n_inside >= n_each
    finds = n_met >= max(2, (len(places) + 1) // 2)
    if is_sung:
        finds &= is_right
    called = found.is_significant
    others = [found.patterns[i] for i in np.flatnonzero(called & ~is_right).tolist()]
    n_known = n_like(others, known)
    return Score(
        bool(finds.any()),
        bool((finds & (n_met == len(places))).any()),
        bool((finds & called).any()),
        int((called & is_right).sum()),
        n_known,
        len(others) - n_known,
        n_motifs,
        int(np.isfinite(found.q_value).sum()),
    )


def n_like(patterns: Iterable[bytes], known: Iterable[bytes]) -> int:
    """How many patterns are one of `known`, or a part of one at least half as long, or hold one that is.

    >>> n_like([b"ab", b"abcd", b"x"], [b"abc"])
    2
    """
    have = frozenset(known)
    return sum(p in have or any(_is_half(p, k) or _is_half(k, p) for k in have) for p in patterns)


def _is_half(part: bytes, whole: bytes) -> bool:
    """Whether one pattern is a part of the other and at least half as long."""
    return len(part) <= len(whole) <= 2 * len(part) and part in whole
