"""Search by pitch: the places where a stretch of melody sounds again, in any transposition and over a range of tempi.

**Definition.** The query's voiced time (see `voiced`) is put on a grid of hop h, which gives n frames: h is 50 ms, or 1/40
of a query shorter than 2 s. For each tempo ratio r = 2**(k/4), k a whole number, every recording's voiced time is put on a grid of
hop r h, and every window of n neighbouring frames of it is a *candidate*: a stretch r times as long as the query. Its distance is the mean
difference in cents, per frame of the window, along the best warping path within a band of a twentieth of n (`motifdb.kernels.dtw`
has it exactly), after the mean of each was subtracted. Of candidates that overlap in a recording the nearest is kept;
ties go to the smaller recording_id, then the earlier, then the faster.

The answer is exactly that, though few candidates are looked at: see `motifdb.kernels.dtw_bounds`, and `_Search` for the order.
Uniform scaling before a local warping is how Zhu and Shasha (SIGMOD 2003) search for hummed melodies.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from motifdb.errors import UsageError
from motifdb.kernels.apart import first_apart
from motifdb.kernels.dtw import ABANDONED, MAX_CENTS, MAX_FRAMES, centred, padded
from motifdb.kernels.dtw_bounds import BLOCK, block_bounds, envelope, refine, segment_sums
from motifdb.query.search.voiced import Voiced, based, on_grid, require_recordings, voiced_pitch

if TYPE_CHECKING:
    from motifdb.query.database import Database

HOP_S = 0.05
"""Of the grid that queries of 2 s and more are compared on."""

LEAST_FRAMES = 40
"""Frames of a shorter query."""

SHORTEST_S, LONGEST_S = 0.2, HOP_S * MAX_FRAMES
"""Voiced time of a query."""

BAND = 0.05
"""Of the query's frames: how far a warping path may stray."""

Tempo = bool | tuple[float, float]
"""Whether other tempi count, or the range of ratios that do."""

TEMPI = 4
"""Tempo ratios to the octave: neighbours differ by 19 %."""

TEMPO = (0.7, 1.4)
"""The usual range of tempo ratios, which is 2**(-1/2) to 2**(1/2)."""

_SEEDS = 4
"""Blocks that are tried first for each place wanted."""


@dataclass(frozen=True)
class Place:
    """Where the query sounds.

    Attributes
    ----------
    rank : 1, 2, ...
    start_s, end_s : in the recording
    distance_cents : mean difference in cents, 0 is the same
    transposition_cents : how much higher than the query it sounds
    tempo_ratio : its voiced time over that of the query; 2 is twice as slow
    """

    recording_id: str
    start_s: float
    end_s: float
    distance_cents: float
    transposition_cents: float
    tempo_ratio: float
    rank: int


@dataclass(frozen=True)
class Query:
    """A query on its grid.

    Attributes
    ----------
    cents : float32[n], whole cents
    hop_s : of the grid
    """

    cents: NDArray[np.float32]
    hop_s: float

    @property
    def band(self) -> int:
        """How many frames a path may stray."""
        return max(1, round(BAND * self.cents.size))


@dataclass(frozen=True)
class Hits:
    """Candidates and their costs.

    Attributes
    ----------
    cost : float32, whole cents summed over the frames
    piece : int64, of the voiced pitch
    begin_s, end_s : float64, in the voiced time of the piece
    ratio : int64, k of the tempo ratio 2**(k/4)
    mean : float32, of the window, cents
    """

    cost: NDArray[np.float32]
    piece: NDArray[np.int64]
    begin_s: NDArray[np.float64]
    end_s: NDArray[np.float64]
    ratio: NDArray[np.int64]
    mean: NDArray[np.float32]

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> Hits:
        """Some of them."""
        return Hits(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))

    def sorted(self) -> Hits:
        """By cost, piece (and so recording), begin, ratio."""
        return self.take(np.lexsort((self.ratio, self.begin_s, self.piece, self.cost)))


def joined(parts: list[Hits]) -> Hits:
    """One after the other."""
    return Hits(*(np.concatenate([getattr(p, name) for p in parts]) for name in Hits.__dataclass_fields__))


@dataclass
class Work:
    """What a search did: candidates there are, and those within the coarse bound, the envelope bound, the limit."""

    candidates: int = 0
    within_coarse: int = 0
    within_envelope: int = 0
    within_limit: int = 0


def query_on_grid(cents: NDArray[np.float64] | NDArray[np.float32], hop_s: float) -> Query:
    """A query from its voiced frames.

    Parameters
    ----------
    cents : float[m], over 440 Hz, without NaN; unvoiced frames left out
    hop_s : between frames

    Raises
    ------
    UsageError
        for one that is too short, too long, or holds a NaN.
    """
    values = np.asarray(cents, np.float32)
    if values.ndim != 1 or not np.isfinite(values).all():
        raise UsageError("a query is one finite number of cents for each voiced frame")
    voiced_s = values.size * hop_s
    if not values.size:
        raise UsageError("the query has no voiced frame, so there is no melody to search for")
    if voiced_s < SHORTEST_S - 1e-9:
        raise UsageError(
            f"the query has {voiced_s:.2f} s of pitch; give at least {SHORTEST_S:g} s, as less is no melody"
        )
    if voiced_s >= LONGEST_S + HOP_S:
        raise UsageError(f"the query has {voiced_s:.0f} s of pitch; cut it to {LONGEST_S:.0f} s or less")
    base, base_hop_s = based(np.clip(values, -MAX_CENTS, MAX_CENTS), hop_s)
    base_s = base.size * base_hop_s
    grid_s = HOP_S if base_s >= HOP_S * LEAST_FRAMES - 1e-9 else base_s / LEAST_FRAMES
    return Query(on_grid(base, base_hop_s, grid_s)[:MAX_FRAMES], grid_s)


def tempo_steps(tempo: Tempo) -> list[int]:
    """k of the ratios 2**(k/4) that are tried.

    >>> tempo_steps(True), tempo_steps(False), tempo_steps((1, 2))
    ([-2, -1, 0, 1, 2], [0], [0, 1, 2, 3, 4])
    """
    if tempo is False:
        return [0]
    low, high = TEMPO if tempo is True else tempo
    if not 0.25 <= low <= high <= 4:
        raise UsageError(f"tempo ratios go from 0.25 to 4, the lower first; got {low:g} to {high:g}")
    return list(range(round(TEMPI * np.log2(low)), round(TEMPI * np.log2(high)) + 1))


def search_voiced(
    voiced: Voiced,
    query: Query,
    *,
    n: int = 10,
    tempo: Tempo = True,
    max_distance_cents: float | None = None,
    recordings: Collection[str] | None = None,
    once: bool = False,
    work: Work | None = None,
) -> list[Place]:
    """The n nearest places; parameters as `search_pitch`.

    Parameters
    ----------
    work : counts what was done, where given
    """
    if n < 1:
        raise UsageError(f"at least one place must be wanted, got n = {n}")
    search = _Search(voiced, query, tempo_steps(tempo), n, max_distance_cents, recordings, once)
    hits = search.run()
    if work is not None:
        work.candidates, (work.within_coarse, work.within_envelope, work.within_limit) = (
            search.n_candidates,
            search.counts.tolist(),
        )
    return places(voiced, query, kept(hits, search.owner, once, n), search.owner)


def kept(hits: Hits, owner: NDArray[np.int32], once: bool, n: int, apart_s: float = 0.0) -> Hits:
    """Of overlapping hits the nearest, n of them.

    Parameters
    ----------
    owner : int32, recording of each piece
    once : of each recording the nearest alone
    apart_s : hits of a piece that lie less than this apart count as overlapping
    """
    hits = hits.sorted()
    line = owner[hits.piece].astype(np.int64) if once else hits.piece
    return hits.take(first_apart(line, hits.begin_s, hits.end_s, np.inf if once else apart_s, n))


def places(voiced: Voiced, query: Query, hits: Hits, owner: NDArray[np.int32]) -> list[Place]:
    """Hits in their order, with the times of the recording."""
    own = float(np.floor(query.cents.astype(np.float64).sum() / query.cents.size + 0.5))
    found = []
    for i in range(hits.cost.size):
        piece = int(hits.piece[i])
        slack_s = query.hop_s / 2
        start_s, end_s = voiced.times(piece, float(hits.begin_s[i]), float(hits.end_s[i]), slack_s)
        found.append(
            Place(
                voiced.recording_ids[owner[piece]],
                start_s,
                end_s,
                float(hits.cost[i]) / query.cents.size,
                float(hits.mean[i]) - own,
                2.0 ** (int(hits.ratio[i]) / TEMPI),
                i + 1,
            )
        )
    return found


class _Search:
    """One search: coarse bounds of all blocks, then blocks by their bound until it is beyond the limit.

    The limit is an upper bound of the cost of the n-th place, known from few candidates: n of them that lie so far apart that
    none could overlap two make sure of n places which cost no more, as of all that overlap a candidate one at least as near is
    kept. So it only falls, and whatever is beyond it can be left out.
    """

    def __init__(
        self,
        voiced: Voiced,
        query: Query,
        steps: list[int],
        n: int,
        max_distance_cents: float | None,
        recordings: Collection[str] | None,
        once: bool,
    ) -> None:
        self.voiced, self.n, self.once, self.steps = voiced, n, once, steps
        self.owner = voiced.piece_recording
        self.n_frames, self.band, self.hop_s = query.cents.size, query.band, query.hop_s
        centre = centred(query.cents)
        self.padded = padded(centre, self.band)
        self.lower, self.upper = envelope(centre, self.band)
        self.low, self.high, self.size = segment_sums(self.lower, self.upper)
        self.counts = np.zeros(3, np.int64)
        self.longest_s = 2 ** (max(steps) / TEMPI) * self.n_frames * self.hop_s
        most = (
            float("inf")
            if max_distance_cents is None
            else np.floor(max_distance_cents * self.n_frames + 1e-6)
        )
        self.limit = np.float32(min(most, ABANDONED / 2))
        self.grids = [voiced.grid(self.hop_s * 2 ** (k / TEMPI)) for k in steps]
        wanted = np.ones(len(voiced.recording_ids), bool)
        if recordings is not None:
            wanted = np.isin(voiced.recording_ids, list(recordings))
        blocks = [_blocks(g.offset, self.n_frames, wanted[self.owner]) for g in self.grids]
        self.step = np.repeat(np.arange(len(steps)), [b[0].size for b in blocks])
        self.start = np.concatenate([b[0] for b in blocks])
        self.count = np.concatenate([b[1] for b in blocks])
        self.n_candidates = int(self.count.sum())

    def run(self) -> Hits:
        """Every candidate whose cost is at most the limit; the places are among them."""
        least = np.empty(self.start.size, np.float32)
        place = np.empty(self.start.size, np.int64)
        for k, grid in enumerate(self.grids):
            of = np.flatnonzero(self.step == k)
            a, b = (of[0], of[-1] + 1) if of.size else (0, 0)
            block_bounds(
                self.low, self.high, self.size, self.n_frames, grid.series,
                self.start[a:b], self.count[a:b], least[a:b], place[a:b],
            )  # fmt: skip
        order = np.argsort(least, kind="stable")
        self._seed(order, place)
        hits = [self._none()]
        at, size = 0, 16
        while at < order.size and least[order[at]] <= self.limit:
            chunk = order[at : at + size]
            chunk = chunk[least[chunk] <= self.limit]
            found = self._refined(chunk, self.start[chunk], self.count[chunk])
            hits = [h.take(h.cost <= self.limit) for h in [joined([*hits, found])]]
            self._lower(hits[0])
            at, size = at + size, min(2 * size, 1024)
        return hits[0].take(hits[0].cost <= self.limit)

    def _seed(self, order: NDArray[np.int64], place: NDArray[np.int64]) -> None:
        """A first limit, from the most promising window of the most promising blocks."""
        tried, size = 0, max(_SEEDS * self.n, 16)
        found = [self._none()]
        while tried < order.size:
            chunk = order[tried : tried + size]
            found.append(self._refined(chunk, place[chunk], np.ones(chunk.size, np.int64)))
            if self._lower(joined(found)):
                return
            tried, size = tried + size, 2 * size

    def _lower(self, hits: Hits) -> bool:
        """Lower the limit to what these hits make sure of; whether there were enough of them."""
        apart = kept(hits, self.owner, self.once, self.n, apart_s=self.longest_s)
        if apart.cost.size < self.n:
            return False
        self.limit = min(self.limit, np.float32(apart.cost[-1]))
        return True

    def _refined(self, blocks: NDArray[np.int64], start: NDArray[np.int64], count: NDArray[np.int64]) -> Hits:
        """Candidates within the limit, of windows that belong to these blocks."""
        parts = [self._none()]
        for k in np.unique(self.step[blocks]).tolist():
            mine = self.step[blocks] == k
            of, n_of = start[mine], count[mine]
            room = int(n_of.sum())
            starts, costs = np.empty(room, np.int64), np.empty(room, np.float32)
            n_found = refine(
                self.padded, self.band, self.lower, self.upper, self.low, self.high, self.size,
                self.grids[k].series, of, n_of, self.limit, starts, costs, self.counts,
            )  # fmt: skip
            parts.append(self.hits(k, starts[:n_found], costs[:n_found]))
        return joined(parts)

    def hits(self, step: int, starts: NDArray[np.int64], costs: NDArray[np.float32]) -> Hits:
        """Windows of one tempo ratio, by their place in its series."""
        grid, hop_s = self.grids[step], self.hop_s * 2 ** (self.steps[step] / TEMPI)
        piece = np.searchsorted(grid.offset, starts, "right") - 1
        begin = starts - grid.offset[piece]
        windows = grid.series[starts[:, None] + np.arange(self.n_frames)] if starts.size else np.zeros((0, 1))
        mean = np.floor(windows.sum(axis=1, dtype=np.float64) / self.n_frames + 0.5)
        return Hits(
            costs,
            piece.astype(np.int64),
            np.asarray(begin * hop_s, np.float64),
            np.asarray((begin + self.n_frames) * hop_s, np.float64),
            np.full(starts.size, self.steps[step], np.int64),
            mean.astype(np.float32),
        )

    def _none(self) -> Hits:
        return self.hits(0, np.zeros(0, np.int64), np.zeros(0, np.float32))


def _blocks(
    offset: NDArray[np.int64], n_frames: int, is_wanted: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First window and number of windows of every block: windows of one piece, `BLOCK` at a time."""
    windows = np.where(is_wanted, np.maximum(np.diff(offset) - n_frames + 1, 0), 0)
    n_blocks = -(-windows // BLOCK)
    piece = np.repeat(np.arange(windows.size), n_blocks)
    within = np.arange(piece.size) - np.repeat(np.cumsum(n_blocks) - n_blocks, n_blocks)
    start = offset[:-1][piece] + within * BLOCK
    return start, np.minimum(windows[piece] - within * BLOCK, BLOCK)


def search_pitch(
    database: Database,
    query_cents: NDArray[np.float64],
    hop_s: float,
    *,
    n: int = 10,
    tempo: Tempo = True,
    max_distance_cents: float | None = None,
    recordings: Collection[str] | None = None,
    pitch_analysis: str | None = None,
    once: bool = False,
) -> list[Place]:
    """Where a melody sounds, nearest first.

    Parameters
    ----------
    query_cents : float[m], cents of the query's voiced frames, joined
    hop_s : between them
    n : places wanted; there may be fewer
    tempo : whether slower and faster places count (ratios 0.7 to 1.4), or the range of ratios
    max_distance_cents : places further away are left out
    recordings : ids of the recordings to search; None is all
    pitch_analysis : name or beginning of the id of one pitch analysis; None is each recording's usual one
    once : at most one place of each recording

    Raises
    ------
    UsageError, NotFoundError
        for a query that is too short or too long, or where there is no pitch or no such recording.
    """
    query = query_on_grid(query_cents, hop_s)
    voiced = voiced_pitch(database.snapshot, pitch_analysis)
    require_recordings(voiced, recordings)
    return search_voiced(
        voiced,
        query,
        n=n,
        tempo=tempo,
        max_distance_cents=max_distance_cents,
        recordings=recordings,
        once=once,
    )
