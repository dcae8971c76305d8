"""Laying melodic variants on one clock: dynamic time warping of whole curves onto one of them.

After Sakoe and Chiba, "Dynamic programming algorithm optimization for spoken word recognition", IEEE Trans. ASSP 26 (1978):
steps of one frame in either or both, symmetric weights, and a band around the diagonal. All curves are warped at once,
diagonal by diagonal, for pictures of hundreds; nothing is decided by it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BAND = 0.25
"""How far from the diagonal the path may lead, as a share of the length."""


def warped_places(curves: NDArray[np.float64], onto: NDArray[np.float64]) -> NDArray[np.float64]:
    """Where each point of some curves lies on another.

    Parameters
    ----------
    curves : shape (n_curves, n), cents, no NaN
    onto : shape (n,), cents, no NaN

    Returns
    -------
    float64, shape (n_curves, n): place on `onto`, 0 to n - 1, never falling

    >>> bend = np.array([[0.0, 0.0, 0.0, 1.0, 2.0, 2.0]])
    >>> warped_places(bend, np.array([0.0, 1.0, 2.0, 2.0, 2.0, 2.0]))[0].tolist()
    [0.0, 0.0, 0.0, 1.0, 3.0, 5.0]
    """
    n_curves, n = curves.shape
    total = np.full((n_curves, n + 1, n + 1), np.inf)
    total[:, 0, 0] = 0.0
    reach = max(int(np.ceil(BAND * n)), 1)
    for diagonal in range(2 * n - 1):
        i = np.arange(max(0, diagonal - n + 1), min(n, diagonal + 1))
        i = i[np.abs(2 * i - diagonal) <= reach]
        j = diagonal - i
        if not i.size:
            continue
        cost = np.abs(curves[:, i] - onto[j])
        # a step in both is worth two, so that a straight path is no cheaper than its length
        total[:, i + 1, j + 1] = np.minimum(
            total[:, i, j] + 2 * cost, np.minimum(total[:, i, j + 1], total[:, i + 1, j]) + cost
        )
    return _traced(total)


def _traced(total: NDArray[np.float64]) -> NDArray[np.float64]:
    """Back from the end, all curves at once: for each point of a curve the mean of the places it is laid on."""
    n_curves, n = total.shape[0], total.shape[1] - 1
    rows = np.arange(n_curves)
    i, j = np.full(n_curves, n), np.full(n_curves, n)
    places, counts = np.zeros((n_curves, n)), np.zeros((n_curves, n))
    while np.any(is_open := (i > 0) & (j > 0)):
        own = rows[is_open]
        places[own, i[own] - 1] += j[own] - 1
        counts[own, i[own] - 1] += 1
        before = np.stack(
            [
                total[own, i[own] - 1, j[own] - 1],
                total[own, i[own] - 1, j[own]],
                total[own, i[own], j[own] - 1],
            ]
        )
        step = np.argmin(before, axis=0)
        i[own] -= step != 2
        j[own] -= step != 1
    return np.asarray(places / np.maximum(counts, 1), np.float64)


def filled(curves: NDArray[np.float64]) -> NDArray[np.float64]:
    """Curves without NaN: rests are led over in a straight line, ends held; what is nowhere voiced is 0.

    >>> filled(np.array([[np.nan, 1.0, np.nan, 3.0]])).tolist()
    [[1.0, 1.0, 2.0, 3.0]]
    """
    out = np.zeros_like(curves)
    at = np.arange(curves.shape[1])
    for row, curve in zip(out, curves, strict=True):
        voiced = ~np.isnan(curve)
        if voiced.any():
            row[:] = np.interp(at, at[voiced], curve[voiced])
    return out
