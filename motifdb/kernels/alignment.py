"""Which recordings share sound, and where: from their anchors (see `fingerprint`), without comparing all with all.

1. **Neighbours.** Anchors are sorted along a Z-order curve of their codes. Those in one cell (codes alike to a quarter
   of the anchor's height) meet the few that follow them in that order. Each meeting of two recordings is a *hit*: it
   says by how much one is shifted against the other.
2. **Candidates.** Hits of one pair of recordings that say the same shift are one candidate.
3. **Stretches.** From a hit, along its shift, the anchors of both recordings are merged, both ways. In a copy nearly every
   anchor has its partner, at the same place to a fraction of a sample. Partners count for, lone anchors against, and the
   stretch with the highest sum is what may be shared; it stops growing where the sum falls far below that, as in
   BLAST (Altschul et al., J. Mol. Biol. 215, 1990), so what is not shared costs little however long recordings are.
4. **Evidence.** How many partners are enough depends on how well they agree: `partners_needed`.

The cost is that of sorting, and of hits: at most `most_neighbours` an anchor, so a thousand copies of one sound do not
make a million hits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from motifdb.kernels.jit import kernel

VERSION = 1
"""Counts up when other stretches are found in the same anchors."""

CELL_SHIFT = np.uint64(32)
"""Bits of a key below its cell: the first four bits of each number of a code are the cell."""

CELL_LEVELS = 16
"""Levels of a number of a code that fall into one cell."""

SAME_SAMPLES = 2.5
"""Hits whose shifts differ by less are one candidate; distances to a neighbour that differ by less are equal."""

PARTNER_SAMPLES = 1.5
"""How far partners lie apart at most, after the shift."""

PARTNER_LEVELS = 12.0
"""How much partners' codes differ at most, on average over their eight numbers."""

LONE_WEIGHT = 0.5
"""What a lone anchor counts against one pair of partners."""

FIRST_DROP, DROP = 6.0, 40.0
"""A stretch grows on while its sum is less than this below its best: at first, and once it looks like a copy."""

MOST_SEEDS = 4
"""Hits of a candidate that a stretch is grown from, where they do not lie in one that was."""

NEIGHBOURS = 16
"""Anchors of one cell that follow an anchor and meet it."""

MOST_HITS = 1 << 24
"""Hits in memory at a time, some 60 bytes each while they are sorted; where there are more, pairs of recordings are taken in parts."""

MOST_INDEXED = 1 << 25
"""Anchors that are sorted at a time, 16 bytes each; of long recordings fewer are taken where there are more."""

LONG_ANCHORS = 4096
"""Anchors of a recording that is long (some 12 s), so that a sample of them will do to find it."""

SHIFTS_OF_PAIR = 8
"""Stretches told of one pair of recordings at most."""

_FIELDS = 7
_CHUNK = 1 << 19


@dataclass(frozen=True)
class Stretches:
    """Shared stretches, one a row, sorted by a, b, start_a; places and lengths in samples at 16 kHz.

    `partners` anchors of each side agree, to `distance` samples and `difference` levels on average; `lone` ones of
    either side have none.
    """

    a: NDArray[np.int32]
    b: NDArray[np.int32]
    start_a: NDArray[np.float64]
    start_b: NDArray[np.float64]
    length: NDArray[np.float64]
    partners: NDArray[np.int64]
    lone: NDArray[np.int64]
    distance: NDArray[np.float64]
    difference: NDArray[np.float64]

    def __len__(self) -> int:
        return int(self.a.size)

    @property
    def agreement(self) -> NDArray[np.float64]:
        """Share of the anchors in the stretch that have a partner, 0 to 1."""
        return np.asarray(2 * self.partners / np.maximum(2 * self.partners + self.lone, 1))

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> Stretches:
        """Some of the rows."""
        return Stretches(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))


@dataclass(frozen=True)
class AnchorSets:
    """Anchors of many recordings, one recording after the other.

    Attributes
    ----------
    position : float64, shape (n,), samples at 16 kHz from the start of the recording
    code : int64, shape (n,)
    start : int64, shape (number of recordings + 1,), where the anchors of each recording begin
    n_samples : float64, shape (number of recordings,), how long each is
    """

    position: NDArray[np.float64]
    code: NDArray[np.int64]
    start: NDArray[np.int64]
    n_samples: NDArray[np.float64]

    @property
    def recording(self) -> NDArray[np.int32]:
        """The recording of each anchor."""
        n = self.start.size - 1
        return np.repeat(np.arange(n, dtype=np.int32), np.diff(self.start))


def partners_needed(
    distance: NDArray[np.float64], difference: NDArray[np.float64], least: int
) -> NDArray[np.float64]:
    """How many partners tell a copy from two sounds that are alike, such as two moments of one held vowel.

    Parameters
    ----------
    distance : float64, shape (n,), mean distance of partners in samples
    difference : float64, shape (n,), mean difference of their codes in levels
    least : partners needed where both are as in a copy that was only cut or made louder

    Notes
    -----
    Copies without loss agree to 0.02 samples and 1 level, and there four partners are enough. 300 partners a sample
    and 10 a level beyond that are ours, set on alignments of clips without common sound (`docs/audit.md`).

    >>> partners_needed(np.array([0.01, 0.12]), np.array([0.1, 2.0]), 4).tolist()
    [4.0, 44.0]
    """
    worse = 300 * np.maximum(distance - 0.02, 0) + 10 * np.maximum(difference - 1, 0)
    return np.asarray(least + np.round(worse, 6))


def find_stretches(
    sets: AnchorSets,
    *,
    least_partners: int = 4,
    neighbours: int = NEIGHBOURS,
    most_hits: int = MOST_HITS,
    most_indexed: int = MOST_INDEXED,
    on_part: Callable[[int, int], None] | None = None,
) -> Stretches:
    """What recordings share with each other.

    Parameters
    ----------
    sets : anchors of every recording
    least_partners : see `partners_needed`
    neighbours, most_hits, most_indexed : bounds, see the constants
    on_part : told after each part of the work how many parts are done, and of how many

    Returns
    -------
    Stretches; of one pair of recordings those that do not lie within each other
    """
    recording = sets.recording
    code = np.ascontiguousarray(sets.code, dtype=np.int64).view(np.int8).reshape(-1, 8)
    nothing = np.zeros(0, dtype=np.int64)
    parts = [_accepted(sets, code, recording, nothing, nothing, np.zeros(1, dtype=np.int64), least_partners)]
    for n_done, n_parts, hits in _hits(sets, neighbours, most_hits, most_indexed):
        for x, y, bounds in _votes(sets, recording, hits):
            parts.append(_accepted(sets, code, recording, x, y, bounds, least_partners))
        if on_part is not None:
            on_part(n_done, n_parts)
    names = Stretches.__dataclass_fields__
    return _distinct(Stretches(*(np.concatenate([getattr(p, name) for p in parts]) for name in names)))


def overlap_agreement(
    sets: AnchorSets, a: NDArray[np.int32], b: NDArray[np.int32], shift: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Share of anchors that have a partner where two recordings lie over each other, however their stretches end.

    Parameters
    ----------
    a, b, shift : shape (n,), recordings, and place in b minus place in a, in samples

    Returns
    -------
    float64, shape (n,), 0 to 1; 0 where there are no anchors
    """
    out = np.zeros(a.size)
    code = np.ascontiguousarray(sets.code, dtype=np.int64).view(np.int8).reshape(-1, 8)
    _agree(sets.position, code, sets.start, a, b, shift, out)
    return out


# -- hits and candidates ----------------------------------------------------------------------------------

_Hits = tuple[NDArray[np.int64], NDArray[np.int64]]


def cell_keys(code: NDArray[np.int64], shift: int) -> NDArray[np.uint64]:
    """Where codes lie along a Z-order curve, shifted by some levels against the cells' borders.

    Parameters
    ----------
    code : int64, shape (n,), as `fingerprint.anchors` makes them
    shift : levels that are added to every number first, 0 to 15

    Returns
    -------
    uint64, shape (n,): the highest bit of each of the eight numbers, then the next of each, and so on

    >>> [f"{k:016x}" for k in cell_keys(np.array([0, -1]), 0)]
    ['ff00000000000000', '00ffffffffffffff']
    """
    numbers = np.ascontiguousarray(code, dtype=np.int64).view(np.int8).reshape(-1, 8)
    return _interleaved(np.minimum(numbers.astype(np.int16) + (128 + shift), 255).astype(np.uint8))


def _hits(
    sets: AnchorSets, neighbours: int, most_hits: int, most_indexed: int
) -> Iterator[tuple[int, int, _Hits]]:
    """Pairs of anchors whose recordings may share sound there, the lesser recording's first; all of a pair together."""
    recording = sets.recording
    indexes = [_index(sets, recording, shift, most_indexed) for shift in (0, CELL_LEVELS // 2)]
    none = np.empty(0, dtype=np.int64)
    # one count for both: the indexes are of the same anchors
    total = 2 * _meet(*indexes[0], sets.position, recording, sets.start, neighbours, 0, 1, none, none)
    n_parts = total // most_hits + 1
    for part in range(n_parts):
        parts: list[_Hits] = []
        for key, anchor in indexes:
            given = (key, anchor, sets.position, recording, sets.start, neighbours, part, n_parts)
            n = _meet(*given, none, none)
            x, y = np.empty(n, dtype=np.int64), np.empty(n, dtype=np.int64)
            _meet(*given, x, y)
            parts.append((x, y))
        x, y = (np.concatenate(columns) for columns in zip(*parts, strict=True))
        yield part + 1, n_parts, (x, y)


def _index(
    sets: AnchorSets, recording: NDArray[np.int32], shift: int, most: int
) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Keys in order, and whose they are; of long recordings one cell in so many, the same ones in each."""
    key = cell_keys(sets.code, shift)
    if key.size > most:
        n_of = np.diff(sets.start)
        is_long = (n_of > LONG_ANCHORS)[recording]
        n_long = int(np.count_nonzero(is_long))
        rate = max(2, -(-n_long // max(most - (key.size - n_long), most // 4)))
        mixed = (key >> CELL_SHIFT) * np.uint64(0x9E3779B97F4A7C15) >> CELL_SHIFT
        kept = np.flatnonzero(~is_long | (mixed % np.uint64(rate) == 0))
        key = key[kept]
    else:
        kept = np.arange(key.size)
    order = np.argsort(key, kind="stable")
    return key[order], kept[order]


def _votes(
    sets: AnchorSets, recording: NDArray[np.int32], hits: _Hits
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]]:
    """Hits in order, and where those that say the same begin; one alone is no candidate."""
    x, y = hits
    if not x.size:
        return
    a, b, shift = recording[x], recording[y], sets.position[y] - sets.position[x]
    order = _order(a, b, shift, sets.start.size - 1)
    x, y, a, b, shift = x[order], y[order], a[order], b[order], shift[order]
    is_first = np.ones(a.size, dtype=bool)
    is_first[1:] = (a[1:] != a[:-1]) | (b[1:] != b[:-1]) | (np.diff(shift) > SAME_SAMPLES)
    bounds = np.append(np.flatnonzero(is_first), a.size)
    for i in range(0, bounds.size - 1, _CHUNK):
        yield x, y, bounds[i : i + _CHUNK + 1]


def _order(
    a: NDArray[np.int32], b: NDArray[np.int32], shift: NDArray[np.float64], n: int
) -> NDArray[np.int64]:
    """By pair, then shift: one sort of whole numbers (quarters of a sample) where they fit into 63 bits."""
    least = np.floor(shift.min() * 4)
    width = int(np.ceil(shift.max() * 4) - least) + 1
    if n * n * width < 2**63:
        packed = (a.astype(np.int64) * n + b) * width + (np.floor(shift * 4) - least).astype(np.int64)
        return np.argsort(packed)
    return np.lexsort((shift, b, a))


@kernel
def _interleaved(levels: NDArray[np.uint8]) -> NDArray[np.uint64]:
    out = np.zeros(levels.shape[0], dtype=np.uint64)
    for i in range(out.size):
        key = np.uint64(0)
        for bit in range(7, -1, -1):
            for k in range(8):
                key = (key << np.uint64(1)) | np.uint64((levels[i, k] >> bit) & 1)
        out[i] = key
    return out


@kernel
def _meet(
    key: NDArray[np.uint64],
    anchor: NDArray[np.int64],
    position: NDArray[np.float64],
    recording: NDArray[np.int32],
    start: NDArray[np.int64],
    neighbours: int,
    part: int,
    n_parts: int,
    out_x: NDArray[np.int64],
    out_y: NDArray[np.int64],
) -> int:
    """Fill in pairs of anchors, the one of the lesser recording first; how many, with or without room for them."""
    n = 0
    for i in range(key.size):
        cell = key[i] >> CELL_SHIFT
        x = anchor[i]
        for j in range(i + 1, min(i + 1 + neighbours, key.size)):
            if key[j] >> CELL_SHIFT != cell:
                break
            y = anchor[j]
            a, b = recording[x], recording[y]
            if a == b or (n_parts > 1 and (np.int64(min(a, b)) * 31 + max(a, b)) % n_parts != part):
                continue
            if not _same_neighbour(position, start, x, y, a, b):
                continue
            if n < out_x.size:
                out_x[n], out_y[n] = (x, y) if a < b else (y, x)
            n += 1
    return n


@kernel
def _same_neighbour(
    position: NDArray[np.float64], start: NDArray[np.int64], x: int, y: int, a: int, b: int
) -> bool:
    """Whether the next or the previous anchor lies equally far in both; unknown at ends counts as yes."""
    is_known = False
    if x + 1 < start[a + 1] and y + 1 < start[b + 1]:
        is_known = True
        if abs((position[x + 1] - position[x]) - (position[y + 1] - position[y])) <= SAME_SAMPLES:
            return True
    if x > start[a] and y > start[b]:
        is_known = True
        if abs((position[x] - position[x - 1]) - (position[y] - position[y - 1])) <= SAME_SAMPLES:
            return True
    return not is_known


# -- stretches --------------------------------------------------------------------------------------------


def _accepted(
    sets: AnchorSets,
    code: NDArray[np.int8],
    recording: NDArray[np.int32],
    x: NDArray[np.int64],
    y: NDArray[np.int64],
    bounds: NDArray[np.int64],
    least: int,
) -> Stretches:
    """Candidates whose best stretch has evidence enough."""
    out = np.zeros((bounds.size - 1, _FIELDS))
    _align(sets.position, code, sets.start, sets.n_samples, recording, x, y, bounds, least, out)
    kept = np.flatnonzero((out[:, 3] >= least) & (out[:, 3] >= partners_needed(out[:, 5], out[:, 6], least)))
    first, out = bounds[:-1][kept], out[kept]
    return Stretches(
        recording[x[first]],
        recording[y[first]],
        out[:, 0],
        out[:, 0] + out[:, 2],
        out[:, 1] - out[:, 0],
        out[:, 3].astype(np.int64),
        out[:, 4].astype(np.int64),
        out[:, 5],
        out[:, 6],
    )


def _distinct(found: Stretches) -> Stretches:
    """Of each pair those with the most partners, without any that lies mostly within one with more; in order."""
    order = np.lexsort((found.start_a, -found.partners, found.b, found.a))
    found = found.take(order)
    kept = np.zeros(len(found), dtype=np.bool_)
    _keep_distinct(found.a, found.b, found.start_a, found.start_b, found.length, kept)
    found = found.take(kept)
    return found.take(np.lexsort((found.start_a, found.b, found.a)))


@kernel
def _keep_distinct(
    a: NDArray[np.int32],
    b: NDArray[np.int32],
    start_a: NDArray[np.float64],
    start_b: NDArray[np.float64],
    length: NDArray[np.float64],
    kept: NDArray[np.bool_],
) -> None:
    first = 0
    for i in range(a.size):
        if i and (a[i] != a[i - 1] or b[i] != b[i - 1]):
            first = i
        n, is_new = 0, True
        for j in range(first, i):
            if not kept[j]:
                continue
            n += 1
            in_a = min(start_a[i] + length[i], start_a[j] + length[j]) - max(start_a[i], start_a[j])
            in_b = min(start_b[i] + length[i], start_b[j] + length[j]) - max(start_b[i], start_b[j])
            if n >= SHIFTS_OF_PAIR or 2 * in_a > length[i] or 2 * in_b > length[i]:
                is_new = False
                break
        kept[i] = is_new


@kernel
def _align(
    position: NDArray[np.float64],
    code: NDArray[np.int8],
    start: NDArray[np.int64],
    n_samples: NDArray[np.float64],
    recording: NDArray[np.int32],
    hit_x: NDArray[np.int64],
    hit_y: NDArray[np.int64],
    bounds: NDArray[np.int64],
    least: int,
    out: NDArray[np.float64],
) -> None:
    """The best stretch of each candidate, grown from its hits.

    Fills `out`, float64, shape (m, 7): first and last place in a, shift, partners, lone anchors among them, mean
    distance of partners in samples, mean difference of their codes in levels; no partners where there are too few.
    """
    row = np.zeros(_FIELDS)
    for i in range(bounds.size - 1):
        if bounds[i + 1] - bounds[i] < 2:
            continue
        a, b = recording[hit_x[bounds[i]]], recording[hit_y[bounds[i]]]
        ends = (start[a], start[a + 1], start[b], start[b + 1])
        # from the middle: shifts are in order there, so the median is the likeliest
        n = bounds[i + 1] - bounds[i]
        tried, low, high = 0, np.inf, -np.inf
        for k in range(n):
            at = bounds[i] + (n // 2 + k) % n
            x, y = hit_x[at], hit_y[at]
            if low <= position[x] <= high:
                continue
            if tried == MOST_SEEDS:
                break
            tried += 1
            low, high = min(low, position[x]), max(high, position[x])
            shift = position[y] - position[x]
            shift += _grow(position, code, ends, x, y, shift, SAME_SAMPLES, FIRST_DROP, row)
            # a copy of the worst kind has a third of what it needs by now, or never
            if row[3] < least or 3 * row[3] < 300 * (row[5] - 0.1):
                continue
            for _ in range(2):
                shift += _grow(position, code, ends, x, y, shift, PARTNER_SAMPLES, DROP, row)
            row[2] = shift
            row[0] = max(row[0], 0.0, -shift)
            row[1] = min(row[1], n_samples[a], n_samples[b] - shift)
            low, high = min(low, row[0]), max(high, row[1])
            if row[3] > out[i, 3]:
                out[i] = row


@kernel
def _grow(
    position: NDArray[np.float64],
    code: NDArray[np.int8],
    ends: tuple[int, int, int, int],
    x: int,
    y: int,
    shift: float,
    close: float,
    drop: float,
    row: NDArray[np.float64],
) -> float:
    """Grow a stretch from two anchors, both ways, while its sum is within `drop` of its best; mean signed distance.

    A stretch ends at the first lone anchor beyond its last partners: up to there nothing speaks against it.
    """
    x_first, x_end, y_first, y_end = ends
    row[:] = 0
    signed = 0.0
    for way in (-1, 1):
        i, j = (x, y) if way > 0 else (x - 1, y - 1)
        best, total = 0.0, 0.0
        n, n_lone, total_signed, distances, differences = 0, 0, 0.0, 0.0, 0.0
        kept_n, kept_lone, kept_signed, kept_distances, kept_differences = 0, 0, 0.0, 0.0, 0.0
        end, is_open = np.inf * way, True
        while total >= best - drop:
            has_x, has_y = x_first <= i < x_end, y_first <= j < y_end
            if not has_x and not has_y:
                break
            distance = 0.0
            if has_x and has_y:
                distance = position[j] - position[i] - shift
                if abs(distance) <= close:
                    difference = 0.0
                    for k in range(8):
                        difference += abs(np.int64(code[i, k]) - np.int64(code[j, k])) / 8
                    if difference <= PARTNER_LEVELS:
                        total += 1
                        n += 1
                        total_signed += distance
                        distances += abs(distance)
                        differences += difference
                        if total > best:
                            best = total
                            kept_n, kept_lone, kept_signed = n, n_lone, total_signed
                            kept_distances, kept_differences = distances, differences
                            end, is_open = np.inf * way, True
                        i += way
                        j += way
                        continue
            total -= LONE_WEIGHT
            n_lone += 1
            if has_x and (not has_y or distance * way > 0):
                place = position[i]
                i += way
            else:
                place = position[j] - shift
                j += way
            if is_open:
                end, is_open = place, False
        if way > 0:
            row[1] = end
        else:
            row[0] = end
        row[3] += kept_n
        row[4] += kept_lone
        row[5] += kept_distances
        row[6] += kept_differences
        signed += kept_signed
    if not row[3]:
        return 0.0
    row[5] /= row[3]
    row[6] /= row[3]
    return float(signed / row[3])


@kernel
def _agree(
    position: NDArray[np.float64],
    code: NDArray[np.int8],
    start: NDArray[np.int64],
    a: NDArray[np.int32],
    b: NDArray[np.int32],
    shift: NDArray[np.float64],
    out: NDArray[np.float64],
) -> None:
    for row in range(a.size):
        i, i_end, j, j_end = start[a[row]], start[a[row] + 1], start[b[row]], start[b[row] + 1]
        if i == i_end or j == j_end:
            continue
        low = max(position[i], position[j] - shift[row]) - PARTNER_SAMPLES
        high = min(position[i_end - 1], position[j_end - 1] - shift[row]) + PARTNER_SAMPLES
        i += np.searchsorted(position[i:i_end], low)
        j += np.searchsorted(position[j:j_end], low + shift[row])
        n, n_lone = 0, 0
        while True:
            has_x = i < i_end and position[i] <= high
            has_y = j < j_end and position[j] - shift[row] <= high
            if not has_x and not has_y:
                break
            distance = position[j] - position[i] - shift[row] if has_x and has_y else 0.0
            if has_x and has_y and abs(distance) <= PARTNER_SAMPLES:
                difference = 0.0
                for k in range(8):
                    difference += abs(np.int64(code[i, k]) - np.int64(code[j, k])) / 8
                if difference <= PARTNER_LEVELS:
                    n += 1
                    i += 1
                    j += 1
                    continue
            n_lone += 1
            if has_x and (not has_y or distance > 0):
                i += 1
            else:
                j += 1
        out[row] = 2 * n / max(2 * n + n_lone, 1)
