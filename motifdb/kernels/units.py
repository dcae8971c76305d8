"""What a support counts: phrases or recordings, and the chance that each of them holds a pattern.

Under the null model a phrase of given length holds a pattern with a chance that depends on the length alone, so phrases of one
length are alike. A recording holds it unless every one of its phrases misses it: log chance of a miss =
sum over its phrases of theirs. Recordings with equally many phrases of each length are alike and counted together.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from motifdb.kernels.jit import kernel

SMALL = (
    -18.0
)  # log chance below which chances of rare events may be added, the relative error being about exp(SMALL)

_I = NDArray[np.int64]
_F = NDArray[np.float64]


class Units(NamedTuple):
    """Kinds of units, kind u being ``times[u]`` units of equal phrases.

    Attributes
    ----------
    offsets : (n_kinds + 1,) int64
    length : (offsets[-1],) int64, index into the distinct phrase lengths
    phrases : (offsets[-1],) int64, how many phrases of that length one unit has
    times : (n_kinds,) int64
    """

    offsets: _I
    length: _I
    phrases: _I
    times: _I


def by_recording(sequence_lengths: _I, lengths: _I, groups: _I) -> Units:
    """Recordings as units, those with equal phrase lengths as one kind, in the order in which they are first met.

    Parameters
    ----------
    sequence_lengths : (n_sequences,) int64
    lengths : distinct values of these, ascending
    groups : (n_sequences,) int64, recording of each sequence
    """
    place = np.searchsorted(lengths, sequence_lengths)
    pairs, n_phrases = np.unique(np.stack([groups, place]), axis=1, return_counts=True)
    bounds = np.flatnonzero(np.diff(pairs[0], prepend=pairs[0, :1] - 1, append=pairs[0, -1:] + 1))
    kinds: dict[bytes, int] = {}
    times: list[int] = []
    kept: list[slice] = []
    for a, b in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
        key = pairs[1, a:b].tobytes() + n_phrases[a:b].tobytes()
        if key not in kinds:
            kinds[key] = len(times)
            times.append(0)
            kept.append(slice(a, b))
        times[kinds[key]] += 1
    sizes = np.array([s.stop - s.start for s in kept], np.int64)
    where = np.concatenate([np.arange(s.start, s.stop) for s in kept])
    return Units(
        np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)]),
        pairs[1, where].astype(np.int64),
        n_phrases[where].astype(np.int64),
        np.array(times, np.int64),
    )


def by_phrase(times: _I) -> Units:
    """Phrases as units; `times` are how many have each distinct length."""
    n = times.size
    return Units(np.arange(n + 1), np.arange(n), np.ones(n, np.int64), times)


@kernel
def unit_logs(
    log_hit: _F, log_miss: _F, offsets: _I, length: _I, phrases: _I, out_hit: _F, out_miss: _F
) -> None:
    """Write the log chance that a unit of each kind holds the pattern, and that it does not.

    Parameters
    ----------
    log_hit, log_miss : the same for a phrase of each distinct length; both, as either may be too near 1 to give the other
    offsets, length, phrases : see `Units`
    """
    top = log_hit.max()
    if top == -np.inf:
        out_hit[:], out_miss[:] = -np.inf, 0.0
        return
    scaled = np.exp(log_hit - top)
    for u in range(offsets.size - 1):
        mean, missed = 0.0, 0.0
        for i in range(offsets[u], offsets[u + 1]):
            mean += phrases[i] * scaled[length[i]]
            missed += phrases[i] * log_miss[length[i]]
        out_miss[u] = missed
        if mean <= 0.0:
            out_hit[u] = -np.inf
        elif top + math.log(mean) < SMALL:
            out_hit[u] = top + math.log(mean)
        else:
            out_hit[u] = math.log(-math.expm1(missed)) if missed < 0.0 else -np.inf


@kernel
def log_any(log_hit: _F, log_miss: _F, times: _I) -> float:
    """Return log chance that at least one phrase of the scope holds the pattern; 0 where no phrase can."""
    n = times.size
    hit, miss = np.empty(1), np.empty(1)
    unit_logs(log_hit, log_miss, np.array([0, n]), np.arange(n), times, hit, miss)
    return float(hit[0]) if hit[0] > -np.inf else 0.0
