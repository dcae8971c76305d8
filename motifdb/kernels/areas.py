"""Areas under the curve of many draws of groups in one pass each, over clips that are sorted once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from motifdb.kernels.jit import kernel


@kernel
def weighted_areas(
    weights: NDArray[np.int64],
    group: NDArray[np.int64],
    is_class: NDArray[np.bool_],
    is_first: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """Chance that a clip of a class has a higher value than another clip, ties counting half, under weights of groups.

    That is the area under the receiver's curve (Hanley and McNeil 1982): of each clip of the class, the weight of other clips
    below it. Weights are whole numbers, so the sums are exact below 2^53 and do not depend on their order.

    Parameters
    ----------
    weights : int64, shape (n_draws, n_groups), how often each group counts
    group : int64, shape (n,), each clip's group, clips by ascending value
    is_class : bool, shape (n,), whether a clip is of the class
    is_first : bool, shape (n,), whether a clip's value is above the one before

    Returns
    -------
    float64, shape (n_draws,); NaN where a draw has no clip of the class, or no other.
    """
    n_draws = weights.shape[0]
    found = np.empty(n_draws, dtype=np.float64)
    for draw in range(n_draws):
        won = 0.0
        below = 0.0
        own_of_run = 0.0
        others_of_run = 0.0
        n_own = 0.0
        for i in range(group.size):
            if is_first[i]:
                won += own_of_run * (below + 0.5 * others_of_run)
                below += others_of_run
                n_own += own_of_run
                own_of_run = 0.0
                others_of_run = 0.0
            weight = float(weights[draw, group[i]])
            if is_class[i]:
                own_of_run += weight
            else:
                others_of_run += weight
        won += own_of_run * (below + 0.5 * others_of_run)
        below += others_of_run
        n_own += own_of_run
        found[draw] = won / (n_own * below) if n_own > 0.0 and below > 0.0 else np.nan
    return found
