"""Embeddings beside each other on the same folds: means over design choices, and signed-rank tests.

A *design choice* (front end, content, size) is judged by the mean over all combinations of the others, as l3-2019 does, and only
combinations that were run with every value count, so that no value is favoured by what it was combined with. Differences are paired by
fold and combination; Wilcoxon's signed-rank test is two-sided. With n pairs no p below 2^(1-n) can come out: five folds never
reach 0.05, and the tables say so rather than "not significant".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.05


@dataclass(frozen=True)
class Judged:
    """An embedding's accuracy on each fold.

    Attributes
    ----------
    choices : by design choice, what this embedding has
    by_fold : accuracy by fold, a mean over seeds
    """

    name: str
    by_fold: Mapping[int, float]
    choices: Mapping[str, str] = field(default_factory=dict)

    @property
    def mean(self) -> float:
        """Over folds."""
        return float(np.mean(list(self.by_fold.values())))


@dataclass(frozen=True)
class Comparison:
    """Two things on the same pairs of folds (and combinations).

    Attributes
    ----------
    difference : mean of first less second
    p : of the signed-rank test, two-sided; 1 where nothing differs
    least_p : the least that so many pairs can give
    """

    first: str
    second: str
    n_pairs: int
    difference: float
    p: float
    least_p: float

    @property
    def text(self) -> str:
        """Such as ``p = 0.002, 10 pairs``."""
        s = "s" * (self.n_pairs != 1)
        if self.least_p > LEVEL:
            return f"p = {self.p:.3f}, {self.n_pairs} pair{s} (never below {self.least_p:.3g})"
        return f"p = {self.p:.2g}, {self.n_pairs} pair{s}"


@dataclass(frozen=True)
class ChoiceMean:
    """The mean accuracy of one value of a design choice over the combinations of the others."""

    choice: str
    value: str
    mean: float
    n_combinations: int


def signed_rank(first: str, second: str, a: Sequence[float], b: Sequence[float]) -> Comparison:
    """Compare paired figures.

    >>> signed_rank("x", "y", [0.9, 0.8, 0.7], [0.8, 0.6, 0.4]).text
    'p = 0.250, 3 pairs (never below 0.25)'
    """
    values: NDArray[np.float64] = np.asarray(a, np.float64) - np.asarray(b, np.float64)
    if not len(values):
        return Comparison(first, second, 0, 0.0, 1.0, 1.0)
    # shares of clips: what differs by rounding alone does not differ
    n_different = int((np.abs(values) > 1e-12).sum())
    p = 1.0
    if n_different:
        from scipy.stats import wilcoxon

        p = float(wilcoxon(np.where(np.abs(values) > 1e-12, values, 0.0), zero_method="wilcox").pvalue)
    return Comparison(first, second, len(values), float(values.mean()), p, min(1.0, 2.0 ** (1 - len(values))))


def compare_all(judged: Sequence[Judged]) -> list[Comparison]:
    """Every two embeddings on the folds that both have, better ones first."""
    order = sorted(judged, key=lambda j: (-j.mean, j.name))
    found = []
    for a, b in combinations(order, 2):
        folds = sorted(set(a.by_fold) & set(b.by_fold))
        if folds:
            found.append(
                signed_rank(a.name, b.name, [a.by_fold[f] for f in folds], [b.by_fold[f] for f in folds])
            )
    return found


def choice_means(judged: Sequence[Judged]) -> tuple[list[ChoiceMean], list[Comparison]]:
    """What each design choice is worth: means over the other choices, and tests between its values.

    Choices that only some embeddings have, or that never vary, say nothing and are left out.
    """
    named = [j for j in judged if j.choices]
    names = sorted({name for j in named for name in j.choices})
    named = [j for j in named if set(j.choices) == set(names)]
    means: list[ChoiceMean] = []
    tests: list[Comparison] = []
    for name in names:
        by_rest: dict[tuple[str, ...], dict[str, Judged]] = {}
        for j in named:
            rest = tuple(j.choices[other] for other in names if other != name)
            by_rest.setdefault(rest, {})[j.choices[name]] = j
        values = sorted({j.choices[name] for j in named})
        whole = [found for found in by_rest.values() if set(found) == set(values)]
        if len(values) < 2 or not whole:
            continue
        for value in values:
            figures = [found[value].mean for found in whole]
            means.append(ChoiceMean(name, value, float(np.mean(figures)), len(whole)))
        for a, b in combinations(values, 2):
            pairs = [
                (found[a].by_fold[fold], found[b].by_fold[fold])
                for found in whole
                for fold in sorted(set(found[a].by_fold) & set(found[b].by_fold))
            ]
            tests.append(
                signed_rank(f"{name} {a}", f"{name} {b}", [x for x, _ in pairs], [y for _, y in pairs])
            )
    return means, tests
