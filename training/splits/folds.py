"""Sides for groups of clips, as alike in their classes as whole groups allow; pure, and a function of the seed.

Groups are placed one after the other, large ones first (those within a factor of 1.4 shuffled), each where it brings the parts' class counts nearest to their shares: the least sum over parts f and classes c of
(n_fc / N_c)^2 / share_f. With equal shares this is the aim of stratified grouped k-fold; groups of one clip make it
plain stratified sampling.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from motifdb.linked import islands


def numbered(keys: Sequence[str]) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """The index of each key among the distinct ones, ascending, and those.

    >>> numbered(["b", "a", "b"])
    (array([1, 0, 1]), ('a', 'b'))
    """
    names = tuple(sorted(set(keys)))
    index = {name: i for i, name in enumerate(names)}
    return np.array([index[k] for k in keys], np.int64), names


def place(
    group: NDArray[np.int64], label: NDArray[np.int64], shares: Sequence[float], rng: np.random.Generator
) -> NDArray[np.int64]:
    """A part for each group.

    Parameters
    ----------
    group : int64[n], the group of each clip, 0 to G - 1, each there
    label : int64[n], the class of each clip, from 0; all 0 balances numbers alone
    shares : what part of all clips each part is to have, all above 0

    Returns
    -------
    int64[G], indices of `shares`.
    """
    n_groups, n_classes, n_parts = int(group.max()) + 1, int(label.max()) + 1, len(shares)
    cells, counts = np.unique(group * n_classes + label, return_counts=True)
    first = np.searchsorted(cells // n_classes, np.arange(n_groups + 1)).tolist()
    # every class counts alike, so a rare one is spread as carefully as a common one
    weight = (1.0 / np.maximum(np.bincount(label, minlength=n_classes), 1) ** 2).tolist()
    cell_class, cell_count = (cells % n_classes).tolist(), counts.tolist()
    size = np.bincount(group, minlength=n_groups)
    order = rng.permutation(n_groups)
    order = order[np.argsort(-np.floor(2 * np.log2(size[order])), kind="stable")]
    inverse = [1.0 / s for s in shares]
    turn = rng.permutation(n_parts).tolist()  # who is first where parts are equally good
    placed = [[0] * n_classes for _ in range(n_parts)]
    total = [0] * n_parts
    part_of = np.empty(n_groups, np.int64)
    for g in order.tolist():
        own = range(first[g], first[g + 1])
        best, best_cost = turn[0], (float("inf"), 0.0)
        for f in turn:
            there = placed[f]
            cost = inverse[f] * sum(
                weight[cell_class[i]] * cell_count[i] * (2 * there[cell_class[i]] + cell_count[i])
                for i in own
            )
            # equally good for the classes: where there is the most room
            if (cost, total[f] * inverse[f]) < best_cost:
                best, best_cost = f, (cost, total[f] * inverse[f])
        for i in own:
            placed[best][cell_class[i]] += cell_count[i]
            total[best] += cell_count[i]
        part_of[g] = best
    return part_of


def give_every_class(
    part_of: NDArray[np.int64],
    group: NDArray[np.int64],
    label: NDArray[np.int64],
    lacking: int,
    giving: int,
    *,
    keeps_some: bool = True,
) -> NDArray[np.int64]:
    """Move a smallest group of each class that a part lacks into it, where the other part keeps some of its classes.

    With whole groups the share of a class may come nearest to what was asked by being 0. A test without a class
    says nothing about it, so one group more is taken.

    Parameters
    ----------
    part_of : int64[G], as `place` gives it
    group, label : int64[n], as there
    lacking, giving : the part to complete, and the part that has too many
    keeps_some : whether the giving part must keep some of each class that it gives of

    Returns
    -------
    int64[G], changed in a copy.
    """
    part_of = part_of.copy()
    n_groups, n_classes = len(part_of), int(label.max()) + 1
    table = np.zeros((n_groups, n_classes), np.int64)
    np.add.at(table, (group, label), 1)
    size = table.sum(1)
    for c in range(n_classes):
        holders = np.flatnonzero(table[:, c])
        if (part_of[holders] == lacking).any():
            continue
        for g in sorted(holders.tolist(), key=lambda g: (size[g], g)):
            stays = part_of == giving
            stays[g] = False
            is_left = (table[stays][:, table[g] > 0].sum(0) > 0).all()
            if part_of[g] == giving and (is_left or not keeps_some):
                part_of[g] = lacking
                break
    return part_of


def united(keys: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    """Components of clips that share any of their keys.

    Parameters
    ----------
    keys : each int64[n], from 0; -1 joins with nobody

    Returns
    -------
    int64[n], components numbered in the order of their first clips.
    """
    links = []
    for column in keys:
        holder: dict[int, int] = {}
        links += [(holder.setdefault(key, i), i) for i, key in enumerate(column.tolist()) if key >= 0]
    least = islands(range(len(keys[0])), links)
    roots = np.fromiter(least.values(), np.int64, len(least))
    return np.unique(roots, return_inverse=True)[1].astype(np.int64)
