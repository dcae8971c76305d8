"""How much of each of some spans lies inside one of others: what a clip of test shares with a clip of train."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from motifdb.kernels.jit import kernel


@kernel
def most_shared(
    key: NDArray[np.int64],
    start_s: NDArray[np.float64],
    end_s: NDArray[np.float64],
    other_first: NDArray[np.int64],
    other_start_s: NDArray[np.float64],
    other_end_s: NDArray[np.float64],
    other_whole_s: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """For each span the other span of its key that holds most of it.

    Parameters
    ----------
    key : int64[n], which axis a span lies on, 0 to K - 1
    start_s, end_s : float64[n]
    other_first : int64[K + 1], where the others of each key begin
    other_start_s, other_end_s : float64[m], by key, ascending by start within each
    other_whole_s : float64[m], how long the thing is that the other span is (a part) of

    Returns
    -------
    share : float64[n], the most that one other span holds of it, 0 to 1
    mutual : float64[n], the most of shared time / the longer of span and whole other: 1 where they are the same
    best : int64[n], the other with most of it, of those the one with the largest mutual share, then the first; -1
        where none shares anything
    """
    n, m = len(key), len(other_start_s)
    share, mutual = np.zeros(n), np.zeros(n)
    best = np.full(n, -1, np.int64)
    reach = np.empty(m)  # the latest end so far within a key: before it is passed, nothing earlier can matter
    for k in range(len(other_first) - 1):
        latest = -np.inf
        for j in range(other_first[k], other_first[k + 1]):
            latest = max(latest, other_end_s[j])
            reach[j] = latest
    for i in range(n):
        duration_s = end_s[i] - start_s[i]
        low, high = other_first[key[i]], other_first[key[i] + 1]
        j = low + np.searchsorted(other_start_s[low:high], end_s[i]) - 1
        best_mutual = 0.0
        while j >= low and reach[j] > start_s[i]:
            shared_s = min(end_s[i], other_end_s[j]) - max(start_s[i], other_start_s[j])
            if shared_s > 0 and duration_s > 0:
                part = shared_s / duration_s
                both = shared_s / max(duration_s, other_whole_s[j])
                if part > share[i] or (part == share[i] and both >= best_mutual):
                    share[i], best_mutual, best[i] = part, both, j
                mutual[i] = max(mutual[i], both)
            j -= 1
    return share, mutual, best
