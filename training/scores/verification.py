"""Verification: are two recordings of one voice? On a fixed list of pairs, by the equal error rate.

A pair is accepted where its distance is at most a threshold. The equal error rate is the point at which as many different
pairs are accepted as same ones are refused; between two thresholds both rates are taken to change linearly. 0 is perfect,
0.5 a guess.

**Intervals.** A pair has two groups (singers, recordings), so groups are drawn and a pair counts as often as its two groups
are drawn together: the product for a pair between groups, the number of times its group is drawn for a pair inside one.
That is the bootstrap of vertices of Snijders and Borgatti, "Non-parametric standard errors and tests for network statistics",
Connections 22 (1999), with pairs between copies of one group left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from motifdb.errors import UsageError
from motifdb.training.scores.figures import Figure, checked_vectors, group_numbers
from motifdb.training.scores.metrics import N_BOOTSTRAP, group_draws, interval
from motifdb.training.scores.neighbours import prepared

_ENUMERATED = 2_000_000
"""Pairs up to which all are written out and drawn from; beyond, they are drawn until enough differ."""

_AT_ONCE = 1 << 21


@dataclass(frozen=True)
class Pairs:
    """Pairs of vectors, a < b; the same pairs for the same labels and seed.

    Attributes
    ----------
    a, b : int64 [m], rows of the vectors
    same : bool [m], whether they share the label
    about : how they were drawn, as plain values
    """

    a: NDArray[np.int64]
    b: NDArray[np.int64]
    same: NDArray[np.bool_]
    about: dict[str, Any]

    def __len__(self) -> int:
        return len(self.a)


def pair_list(
    label: Sequence[str | None],
    n: int,
    seed: int = 0,
    exclude: Sequence[Any] | NDArray[Any] | None = None,
) -> Pairs:
    """Draw distinct pairs, half of them with one label, half with two.

    Parameters
    ----------
    label : of each vector; where None, it is in no pair
    n : pairs at most, 2 or more; where fewer with one label exist, all of those and as many others
    exclude : keys; two vectors with the same one are no pair (recording: not two clips of one; work: other works only)

    Raises
    ------
    UsageError
        where no pair with one label, or with two, is to be had.
    """
    if n < 2:
        raise UsageError(f"verification needs 2 pairs or more, got {n}")
    if exclude is not None and len(exclude) != len(label):
        raise UsageError(f"{len(label)} labels and {len(exclude)} keys do not fit together")
    known = np.array([i for i, value in enumerate(label) if value is not None], np.int64)
    code = group_numbers([str(label[int(i)]) for i in known])
    key = None if exclude is None else group_numbers([str(exclude[int(i)]) for i in known])
    half = n // 2
    sides = []
    for is_same, what in (
        (True, "share a label: a singer needs two recordings at least"),
        (False, "have different labels"),
    ):
        rng = np.random.default_rng([seed, int(is_same)])
        found = _drawn(code, key, is_same, half, rng)
        if not len(found):
            raise UsageError(f"no two vectors that may be a pair {what}")
        sides.append(found)
        half = min(half, len(found))
    chosen = np.concatenate([side[:half] for side in sides])
    same = np.repeat([True, False], half)
    about = {"n_asked": n, "n_pairs": len(chosen), "seed": seed, "excludes": exclude is not None}
    return Pairs(known[chosen[:, 0]], known[chosen[:, 1]], same, about)


def _drawn(
    code: NDArray[np.int64], key: NDArray[np.int64] | None, is_same: bool, n: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """int64 [m <= n, 2], distinct pairs in random order, every one that there is as likely as any other."""
    size = np.bincount(code, minlength=1)

    def fits(pairs: NDArray[np.int64]) -> NDArray[np.bool_]:
        a, b = pairs.T
        good: NDArray[np.bool_] = np.equal(code[a] == code[b], is_same)
        if key is not None:
            good &= key[a] != key[b]
        return good

    n_same, n_all = int((size * (size - 1) // 2).sum()), len(code) * (len(code) - 1) // 2
    if (n_same if is_same else n_all) <= _ENUMERATED:
        pools = [np.flatnonzero(code == c) for c in range(len(size))] if is_same else [np.arange(len(code))]
        pairs = np.concatenate(
            [np.zeros((0, 2), np.int64), *(p[np.stack(np.triu_indices(len(p), 1), axis=1)] for p in pools)]
        )
        return np.asarray(rng.permutation(pairs[fits(pairs)])[:n], np.int64)
    order = np.argsort(code, kind="stable")
    first = np.concatenate([[0], np.cumsum(size)])
    # a vector asks as often as its label has partners, so that all pairs of one label are equally likely
    weight = np.cumsum((size - 1)[code]) if is_same else np.arange(1, len(code) + 1)
    found: dict[tuple[int, int], None] = {}
    for _ in range(200):
        a = np.searchsorted(weight, rng.integers(0, int(weight[-1]), 2 * n), side="right")
        b = rng.integers(0, len(code), 2 * n)
        if is_same:
            b = order[first[code[a]] + b % size[code[a]]]
        drawn = np.sort(np.stack([a, b], axis=1), axis=1)
        drawn = drawn[drawn[:, 0] != drawn[:, 1]]
        for x, y in drawn[fits(drawn)].tolist():
            found.setdefault((x, y))
        if len(found) >= n:
            break
    return np.array(list(found)[:n], np.int64).reshape(-1, 2)


def eer(distance: NDArray[np.floating[Any]], same: NDArray[np.bool_]) -> float:
    """The equal error rate of pairs.

    Parameters
    ----------
    distance : [m], finite
    same : bool [m]

    Raises
    ------
    UsageError
        where one of the two kinds of pairs is missing.

    Examples
    --------
    >>> eer(np.array([0.1, 0.4, 0.3, 0.9]), np.array([True, True, False, False]))
    0.5
    """
    if not same.any() or same.all():
        raise UsageError("an equal error rate needs pairs of one label and pairs of two")
    return float(_Ranked.of(distance, same).figures(np.ones((1, len(same))))[0][0])


def eer_scores(
    vectors: NDArray[Any],
    pairs: Pairs,
    group: Sequence[str],
    *,
    protocol: str = "verification",
    distance: str = "euclidean",
    seed: int = 0,
    n_bootstrap: int = N_BOOTSTRAP,
) -> list[Figure]:
    """Equal error rate and area under the ROC curve (``eer``, ``pair_auc``) of a list of pairs; both guess at 0.5.

    Parameters
    ----------
    vectors : float [n, d]
    group : n names that the bootstrap draws
    distance : as `motifdb.training.scores.neighbours.prepared`

    Raises
    ------
    UsageError
        as `eer`, or for lists that do not fit.
    """
    given = prepared(checked_vectors(vectors, groups=group), distance)
    far = ((given[pairs.a] - given[pairs.b]) ** 2).sum(1)
    if not pairs.same.any() or pairs.same.all():
        raise UsageError("an equal error rate needs pairs of one label and pairs of two")
    ranked = _Ranked.of(far, pairs.same)
    point = ranked.figures(np.ones((1, len(pairs))))
    used = np.unique(np.concatenate([pairs.a, pairs.b]))
    own = np.zeros(len(given), np.int64)
    own[used] = group_numbers([str(group[int(i)]) for i in used])
    n_groups = int(own[used].max()) + 1
    bounds: list[tuple[float | None, float | None]] = [(None, None), (None, None)]
    if n_groups > 1 and n_bootstrap:
        a, b = own[pairs.a], own[pairs.b]
        draws: tuple[list[NDArray[np.float64]], list[NDArray[np.float64]]] = ([], [])
        for drawn in group_draws(n_groups, n_bootstrap, seed, max(1, _AT_ONCE // max(n_groups, len(pairs)))):
            weight = np.where(a == b, drawn[:, a], drawn[:, a] * drawn[:, b]).astype(np.float64)
            for kept, found in zip(draws, ranked.figures(weight), strict=True):
                kept.append(found)
        bounds = [interval(np.concatenate(kept)) for kept in draws]
    about = pairs.about | {
        "distance": distance,
        "bootstrap_seed": seed,
        "n_groups": n_groups,
        "n_bootstrap": n_bootstrap,
    }
    return [
        Figure(protocol, name, float(value[0]), low, high, 0.5, len(pairs), about)
        for name, value, (low, high) in zip(("eer", "pair_auc"), point, bounds, strict=True)
    ]


@dataclass(frozen=True)
class _Ranked:
    """Pairs by ascending distance: their order, whether they are same, and where each run of equal distances ends."""

    order: NDArray[np.int64]
    same: NDArray[np.bool_]
    last: NDArray[np.int64]

    @classmethod
    def of(cls, distance: NDArray[np.floating[Any]], same: NDArray[np.bool_]) -> _Ranked:
        order = np.argsort(distance, kind="stable")
        ascending = np.asarray(distance)[order]
        last = np.flatnonzero(np.concatenate([ascending[1:] != ascending[:-1], [True]]))
        return cls(order, same[order], last)

    def figures(self, weight: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Equal error rate and area under weights [draws, m] of the pairs; NaN where a kind of pair has no weight."""
        ordered = weight[:, self.order]
        accepted = []
        for kind in (~self.same, self.same):
            total = np.cumsum(ordered * kind, axis=1)[:, self.last]
            with np.errstate(invalid="ignore", divide="ignore"):
                share = total / total[:, -1:]
            accepted.append(np.concatenate([np.zeros((len(weight), 1)), share], axis=1))
        false, true = accepted
        area = ((false[:, 1:] - false[:, :-1]) * (true[:, 1:] + true[:, :-1]) / 2).sum(1)
        # the first threshold at which as many different pairs are accepted as same ones are refused
        gap = false - (1.0 - true)
        at = np.maximum((gap >= 0).argmax(1), 1)
        rows = np.arange(len(weight))
        before, after = gap[rows, at - 1], gap[rows, at]
        with np.errstate(invalid="ignore", divide="ignore"):
            part = -before / (after - before)
            rate = false[rows, at - 1] + part * (false[rows, at] - false[rows, at - 1])
        is_void = ~(np.isfinite(false[:, -1]) & np.isfinite(true[:, -1]))
        rate[is_void], area[is_void] = np.nan, np.nan
        return rate, area
