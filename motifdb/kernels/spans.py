"""Do motifs come back? Places of motifs in a recording, held against the places that another run of mining found.

**Definition.** A place of a motif A is *held* by a place of a rerun's motif B where the two share at least half of A's place in
time. B *confirms* A where the majority of A's places, more than half of them, are held by places of B, and at least as many
places of B hold one. So one long stretch of B that happens to cover A's places does not count: B must come back as A does. A
*recurs* where some one motif of the rerun confirms it.
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

SLACK_S = 1e-9
"""Sums of frame times differ by rounding; a nanosecond of overlap is given away."""


def needed(n_places: int) -> int:
    """How many of a motif's places must come back.

    >>> [needed(n) for n in (1, 2, 3, 4, 5, 9)]
    [1, 2, 2, 3, 3, 5]
    """
    return n_places // 2 + 1


def recurs(
    start_s: NDArray[np.float64],
    end_s: NDArray[np.float64],
    offsets: NDArray[np.int64],
    rerun_start_s: NDArray[np.float64],
    rerun_end_s: NDArray[np.float64],
    rerun_motif: NDArray[np.int64],
) -> NDArray[np.bool_]:
    """Which motifs of a recording some one motif of a rerun confirms.

    Parameters
    ----------
    start_s, end_s : float64, shape (n_places,), s, the places motif after motif
    offsets : int64, shape (n_motifs + 1,), motif a has the places ``offsets[a]`` to ``offsets[a + 1] - 1``
    rerun_start_s, rerun_end_s : float64, shape (n_rerun_places,), s, in any order
    rerun_motif : int64, shape (n_rerun_places,), 0 or more: which motif of the rerun

    Returns
    -------
    bool, shape (n_motifs,)

    Notes
    -----
    A place that shares half of [s, e] with it holds the middle of [s, e]; places are kept in classes of about one length, so
    that those around a middle lie together. The time is that of the pairs that meet there.

    Examples
    --------
    >>> three = np.array([0.0, 10.0, 20.0])
    >>> recurs(three, three + 2, np.array([0, 3]), three[:2] + 0.9, three[:2] + 3.0, np.array([0, 0])).tolist()
    [True]
    >>> recurs(three, three + 2, np.array([0, 3]), three[:2] + 0.9, three[:2] + 3.0, np.array([0, 1])).tolist()
    [False]
    """
    duration_s = rerun_end_s - rerun_start_s
    length_class = np.frexp(np.maximum(duration_s, 1e-3))[1].astype(np.int64)
    order = np.lexsort((rerun_start_s, length_class))
    class_start = np.unique(length_class[order], return_index=True)[1]
    bounds = np.append(class_start, len(order)).astype(np.int64)
    longest = np.maximum.reduceat(duration_s[order], class_start) if len(order) else np.empty(0)
    n_motifs = int(rerun_motif.max()) + 1 if len(rerun_motif) else 0
    found: NDArray[np.bool_] = _recurs(
        np.ascontiguousarray(start_s, np.float64),
        np.ascontiguousarray(end_s, np.float64),
        np.ascontiguousarray(offsets, np.int64),
        rerun_start_s[order],
        rerun_end_s[order],
        rerun_motif[order].astype(np.int64),
        n_motifs,
        bounds,
        longest,
    )
    return found


@numba.njit(cache=True, nogil=True)
def _recurs(start, end, offsets, other_start, other_end, other, n_other, bounds, longest):  # type: ignore[no-untyped-def]
    n_motifs = offsets.size - 1
    found = np.zeros(n_motifs, np.bool_)
    n_held = np.zeros(n_other, np.int64)  # places of the motif at hand that each motif of the rerun holds
    n_holding = np.zeros(n_other, np.int64)  # and its places that do
    last_held = np.full(n_other, -1, np.int64)
    last_holding = np.full(other.size, -1, np.int64)
    touched = np.empty(n_other, np.int64)
    for a in range(n_motifs):
        n_touched = 0
        for i in range(offsets[a], offsets[a + 1]):
            half = (end[i] - start[i]) / 2.0
            middle = start[i] + half
            for c in range(longest.size):
                if longest[c] < half - SLACK_S:
                    continue
                j = bounds[c] + np.searchsorted(
                    other_start[bounds[c] : bounds[c + 1]], middle - longest[c] - SLACK_S
                )
                while j < bounds[c + 1] and other_start[j] <= middle + SLACK_S:
                    shared = min(end[i], other_end[j]) - max(start[i], other_start[j])
                    if shared >= half - SLACK_S:
                        b = other[j]
                        if n_held[b] == 0:
                            touched[n_touched] = b
                            n_touched += 1
                        if last_held[b] != i:
                            last_held[b] = i
                            n_held[b] += 1
                        if last_holding[j] != a:
                            last_holding[j] = a
                            n_holding[b] += 1
                    j += 1
        n = offsets[a + 1] - offsets[a]
        need = n // 2 + 1
        for t in range(n_touched):
            b = touched[t]
            if n > 0 and n_held[b] >= need and n_holding[b] >= need:
                found[a] = True
            n_held[b] = 0
            n_holding[b] = 0
    return found
