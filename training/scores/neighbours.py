"""What vectors are near to: k nearest neighbours, left one out, and whole rankings.

siamese-2018 judges its embedding by how often the nearest performances share the singer, and how often they share the
song; an embedding of voices should raise the first and lower the second. Both are here beside the same vote among random
neighbours. A question is a vector whose label some other vector that may be its neighbour has too: a singer with one
recording can never be found again, and is no question, but stays as a neighbour of others.

**Open in the paper, chosen here.** The distance: Euclidean, the space that the contrastive loss shapes (``cosine``, and
``standardised`` for vectors whose columns have units of their own, such as the hand-crafted ones, by the columns' deviation
over the vectors that are compared). Ties in the vote: the class of the nearest of them. k: 1, 3, 5, 7 (the paper's are in
a figure only; with four works a singer has three neighbours, so a vote of 7 cannot be unanimous). Equal distances: the
one that comes first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from motifdb.errors import UsageError, nearest
from motifdb.training.scores.figures import Figure, bootstrap_mean, checked_vectors, group_numbers
from motifdb.training.scores.metrics import N_BOOTSTRAP

DISTANCES = ("euclidean", "cosine", "standardised")

Mask = Callable[[NDArray[np.int64]], NDArray[np.bool_]]
"""For some rows, bool [len(rows), n]: which of all vectors."""

_BLOCK = 1 << 22  # distances held at a time, 32 MB
_RANDOM_QUESTIONS = 20_000


def prepared(vectors: NDArray[np.float64], distance: str = "euclidean") -> NDArray[np.float64]:
    """Vectors whose Euclidean distances order as the distance that is asked for.

    Raises
    ------
    UsageError
        for an unknown distance.
    """
    if distance not in DISTANCES:
        raise UsageError(f"there is no distance {distance!r}; {nearest(distance, DISTANCES)}")
    if distance == "cosine":
        length = np.linalg.norm(vectors, axis=1, keepdims=True)
        return np.asarray(vectors / np.where(length > 0, length, 1.0))
    if distance == "standardised":
        deviation = vectors.std(0)
        return np.asarray((vectors - vectors.mean(0)) / np.where(deviation > 0, deviation, 1.0))
    return vectors


def distance_blocks(
    vectors: NDArray[np.float64], rows: NDArray[np.int64]
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float64]]]:
    """Squared Euclidean distances from some rows to all vectors, as (rows, float64 [len(rows), n]), in order."""
    norm = np.einsum("ij,ij->i", vectors, vectors)
    step = max(1, _BLOCK // max(1, len(vectors)))
    for first in range(0, len(rows), step):
        some = rows[first : first + step]
        found = norm[some, None] + norm[None, :] - 2.0 * (vectors[some] @ vectors.T)
        yield some, np.maximum(found, 0.0)


def knn_scores(
    vectors: NDArray[Any],
    label: Sequence[str | None],
    group: Sequence[str],
    *,
    ks: Sequence[int] = (1, 3, 5, 7),
    exclude: Sequence[Any] | NDArray[Any] | None = None,
    seed: int = 0,
    protocol: str = "leave one out",
    distance: str = "euclidean",
    n_bootstrap: int = N_BOOTSTRAP,
) -> list[Figure]:
    """How often the majority of the k nearest other vectors has the same label.

    Parameters
    ----------
    vectors : float [n, d]
    label : n values; where None, a vector is left out
    group : n names that the interval's bootstrap draws
    exclude : n keys; vectors with the same one are no neighbours (the recording, or the work: "other works only")
    seed : of the bootstrap and of the random neighbours of `chance`

    Returns
    -------
    A figure ``knn_k`` for each k; undefined where no question has k neighbours. ``chance`` is the same vote among random
    neighbours: exact for k = 1, else the mean of at least 20,000 votes.

    Raises
    ------
    UsageError
        where lists do not fit, or no label is shared by two vectors that may be neighbours.
    """
    if not ks or min(ks) < 1:
        raise UsageError(f"the numbers of neighbours must be 1 or more, got {list(ks)}")
    asked = _Question.of(vectors, label, group, exclude, distance)
    most = min(max(ks), max(1, len(asked.code) - 1))
    hits: dict[int, list[NDArray[np.float64]]] = {k: [] for k in ks}
    for rows, distances in distance_blocks(asked.vectors, asked.rows):
        distances[~asked.may_be(rows)] = np.inf
        order = np.argsort(distances, axis=1, kind="stable")[:, :most]
        there = np.isfinite(np.take_along_axis(distances, order, axis=1))
        said = _votes(np.where(there, asked.code[order], -1), ks)
        for k in ks:
            hits[k].append((said[k] == asked.code[rows]).astype(np.float64))
    n_neighbours = asked.n_candidates
    chance = _chance(asked, ks, most, seed)
    about = asked.about | {"distance": distance, "seed": seed, "n_bootstrap": n_bootstrap}
    figures = []
    for k in ks:
        if n_neighbours.max() < k:
            figures.append(Figure(protocol, f"knn_{k}", None, n=0, about=about))
            continue
        right = np.concatenate(hits[k])
        low, high = bootstrap_mean(right, asked.group[asked.rows], n_bootstrap=n_bootstrap, seed=seed)
        figures.append(
            Figure(protocol, f"knn_{k}", float(right.mean()), low, high, chance[k], len(right), about)
        )
    return figures


def map_scores(
    vectors: NDArray[Any],
    label: Sequence[str | None],
    group: Sequence[str],
    *,
    exclude: Sequence[Any] | NDArray[Any] | None = None,
    seed: int = 0,
    protocol: str = "retrieval",
    distance: str = "euclidean",
    n_bootstrap: int = N_BOOTSTRAP,
) -> list[Figure]:
    """How high others with the same label stand when all others are ranked: ``map``, ``auc`` and ``first``.

    Parameters and errors as `knn_scores`; what the figures are, as `ranking_scores`.
    """
    asked = _Question.of(vectors, label, group, exclude, distance)
    return ranking_scores(
        asked.vectors,
        lambda rows: asked.may_be(rows) & (asked.code[rows, None] == asked.code[None, :]),
        asked.may_be,
        asked.group,
        rows=asked.rows,
        seed=seed,
        protocol=protocol,
        n_bootstrap=n_bootstrap,
        about=asked.about | {"distance": distance},
    )


def ranking_scores(
    vectors: NDArray[np.float64],
    relevant: Mask,
    candidate: Mask,
    group: NDArray[np.int64],
    *,
    rows: NDArray[np.int64] | None = None,
    seed: int = 0,
    protocol: str = "retrieval",
    n_bootstrap: int = N_BOOTSTRAP,
    about: dict[str, Any] | None = None,
) -> list[Figure]:
    """How high relevant vectors stand among candidates, for every question that has some of both kinds.

    Parameters
    ----------
    vectors : float64 [n, d], as `prepared` gives them
    relevant, candidate : what is looked for, and what is ranked (with it); a question itself is never ranked
    group : int64 [n], what the bootstrap draws
    rows : who asks; None: all

    Returns
    -------
    ``map``, the mean of average precision (the mean of precision at the rank of each relevant one); ``auc``, the chance
    that a relevant one is nearer than another candidate, equal ones half; ``first``, how often the nearest is relevant. Each
    with its exact expectation under a random order as ``chance``.

    Raises
    ------
    UsageError
        where nobody has both a relevant and another candidate.
    """
    rows = np.arange(len(vectors)) if rows is None else np.asarray(rows, np.int64)
    names = ("map", "auc", "first")
    value: dict[str, list[NDArray[np.float64]]] = {name: [] for name in names}
    guess: dict[str, list[NDArray[np.float64]]] = {name: [] for name in names}
    who: list[NDArray[np.int64]] = []
    for some, distances in distance_blocks(vectors, rows):
        is_ranked, is_relevant = candidate(some).copy(), relevant(some).copy()
        for mask in (is_ranked, is_relevant):
            mask[np.arange(len(some)), some] = False
        is_ranked |= is_relevant
        n, n_right = is_ranked.sum(1), is_relevant.sum(1)
        has_both = (n_right > 0) & (n > n_right)
        if not has_both.any():
            continue
        n, n_right = n[has_both], n_right[has_both]
        distances = np.where(is_ranked, distances, np.inf)[has_both]
        for name, found in _ranked(distances, is_relevant[has_both], n, n_right).items():
            value[name].append(found)
        guess["map"].append(random_precision(n, n_right))
        guess["auc"].append(np.full(len(n), 0.5))
        guess["first"].append(n_right / n)
        who.append(some[has_both])
    if not who:
        raise UsageError(
            f"{protocol}: nobody has both what is looked for and something else to choose from; labels that several"
            " recordings share are needed"
        )
    own = group[np.concatenate(who)]
    figures = []
    for name in names:
        found = np.concatenate(value[name])
        low, high = bootstrap_mean(found, own, n_bootstrap=n_bootstrap, seed=seed)
        chance = float(np.concatenate(guess[name]).mean())
        told = (about or {}) | {
            "seed": seed,
            "n_bootstrap": n_bootstrap,
            "n_groups": len(np.unique(own)),
        }
        figures.append(Figure(protocol, name, float(found.mean()), low, high, chance, len(found), told))
    return figures


def random_precision(n: NDArray[np.int64], n_right: NDArray[np.int64]) -> NDArray[np.float64]:
    """Average precision that a random order of n with `n_right` relevant ones has in the mean.

    Rank i is relevant with probability R/n, another given one before it as well with (R-1)/(n-1); summed over ranks, with
    the n-th harmonic number H: (H + (n - H) (R - 1) / (n - 1)) / n.

    >>> random_precision(np.array([2, 3]), np.array([1, 3])).tolist()
    [0.75, 1.0]
    """
    harmonic = np.concatenate([[0.0], np.cumsum(1.0 / np.arange(1, int(n.max()) + 1))])[n]
    return np.asarray((harmonic + (n - harmonic) * (n_right - 1) / np.maximum(n - 1, 1)) / n)


def _ranked(
    distances: NDArray[np.float64],
    is_relevant: NDArray[np.bool_],
    n: NDArray[np.int64],
    n_right: NDArray[np.int64],
) -> dict[str, NDArray[np.float64]]:
    """The three figures of each row; those that are not ranked are infinitely far."""
    from scipy.stats import rankdata

    order = np.argsort(distances, axis=1, kind="stable")
    hit = np.take_along_axis(is_relevant, order, axis=1)
    precision = np.cumsum(hit, axis=1) / np.arange(1, hit.shape[1] + 1)
    rank = rankdata(distances, axis=1)
    below = (rank * is_relevant).sum(1) - n_right * (n_right + 1) / 2
    return {
        "map": (precision * hit).sum(1) / n_right,
        "auc": 1.0 - below / (n_right * (n - n_right)),
        "first": hit[:, 0].astype(np.float64),
    }


class _Question:
    """Labelled vectors, and which of them ask."""

    def __init__(
        self,
        vectors: NDArray[np.float64],
        code: NDArray[np.int64],
        group: NDArray[np.int64],
        key: NDArray[np.int64],
        about: dict[str, Any],
    ) -> None:
        self.vectors, self.code, self.group, self.key, self.about = vectors, code, group, key, about
        n = len(code)
        both = np.unique(np.stack([code, key]), axis=1, return_inverse=True)[1].reshape(n)
        self.n_candidates = n - np.bincount(key)[key]
        self.n_relevant = np.bincount(code)[code] - np.bincount(both)[both]
        self.rows = np.flatnonzero(self.n_relevant > 0)

    @classmethod
    def of(
        cls,
        vectors: NDArray[Any],
        label: Sequence[str | None],
        group: Sequence[str],
        exclude: Sequence[Any] | NDArray[Any] | None,
        distance: str,
    ) -> _Question:
        lists: dict[str, Sequence[Any]] = {"labels": label, "groups": group}
        if exclude is not None:
            lists["exclude"] = list(exclude)
        given = checked_vectors(vectors, **lists)
        known = np.array([i for i, value in enumerate(label) if value is not None], np.int64)
        if len(known) < 2:
            raise UsageError(f"{len(known)} vectors have a label; neighbours need two at least")
        code = group_numbers([str(label[int(i)]) for i in known])
        own = [str(group[int(i)]) for i in known]
        key = (
            np.arange(len(known))
            if exclude is None
            else group_numbers([str(lists["exclude"][int(i)]) for i in known])
        )
        found = cls(prepared(given[known], distance), code, group_numbers(own), key, {})
        if not len(found.rows):
            raise UsageError(
                "no two vectors that may be neighbours share a label; a singer (or whatever is asked for) needs two"
                " recordings at least"
            )
        asking = np.unique(code[found.rows])
        found.about = {
            "n_labels": int(code.max()) + 1,
            "n_labels_asked": len(asking),
            "n_alone": len(known) - len(found.rows),
            "n_unlabelled": len(given) - len(known),
            "n_groups": len(set(own)),
        }
        return found

    def may_be(self, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which vectors may be neighbours of some."""
        return np.not_equal(self.key[rows, None], self.key[None, :])


def _votes(neighbours: NDArray[np.int64], ks: Sequence[int]) -> dict[int, NDArray[np.int64]]:
    """The class that the first k of each row vote for, the nearest class of equals; -1 are none."""
    found = {}
    for k in ks:
        first = neighbours[:, :k]
        support = (first[:, :, None] == first[:, None, :]).sum(2)
        support[first < 0] = 0
        # argmax gives the first of equal support, which is the nearest
        found[k] = np.take_along_axis(first, support.argmax(1)[:, None], axis=1)[:, 0]
    return found


def _chance(asked: _Question, ks: Sequence[int], most: int, seed: int) -> dict[int, float]:
    """How often a vote among random neighbours is right."""
    rows = asked.rows
    chance = {1: float((asked.n_relevant[rows] / asked.n_candidates[rows]).mean())}
    more = [k for k in ks if k > 1]
    if not more:
        return chance
    rng = np.random.default_rng([seed, 1])
    hits = dict.fromkeys(more, 0)
    rows = np.tile(rows, max(1, -(-_RANDOM_QUESTIONS // len(rows))))
    step = max(1, _BLOCK // len(asked.code))
    for first in range(0, len(rows), step):
        some = rows[first : first + step]
        far = rng.random((len(some), len(asked.code)))
        far[~asked.may_be(some)] = np.inf
        near = np.argpartition(far, most - 1, axis=1)[:, :most]
        distance = np.take_along_axis(far, near, axis=1)
        order = np.argsort(distance, axis=1)
        there = np.isfinite(np.take_along_axis(distance, order, axis=1))
        near = np.take_along_axis(near, order, axis=1)
        said = _votes(np.where(there, asked.code[near], -1), more)
        for k in more:
            hits[k] += int((said[k] == asked.code[some]).sum())
    return chance | {k: hits[k] / len(rows) for k in more}
