"""How good predictions are: figures of a part, and how far they would move with other groups of clips.

**Conventions.** The predicted class is the one with the highest probability, the first of equals. *Macro* is the plain
mean over classes, and the classes are those that the part has: a class without a test clip has no recall and no AUC, and
counting its zero would say something about the split, not about the model (`over="all"` counts every class of the split,
as scikit-learn does with `labels=` all of them and `zero_division=0`; the AUC is then undefined where one is missing).
A class that is there and never predicted has precision 0. F1 is the mean of the classes' F1; sid-2020 has none,
and the F1 that style-2021 prints in Tables I and II is 2PR/(P+R) of its printed macro columns, which is the further figure
``f1_of_means``. AUC is one class against the rest on the probabilities, macro (both papers leave the averaging open).

A figure that is not defined is None, never a number: everything where there is no clip; AUC, precision and F1 where the
part has one class (precision would be 1 whatever the model says); loss where a true class was given probability 0.

**Intervals.** Clips of one group (an island of shared audio, a recording, a source) are not independent, so groups are
resampled, not clips: the 2.5 and 97.5 % quantiles over draws of as many groups as there are, with replacement (the
cluster bootstrap; Efron and Tibshirani 1993, chapters 8 and 13). With one group there is no interval; with a handful it is
too narrow, and the spread over folds says more. Probabilities are rounded to float32, as they are stored, before
anything is computed, so that figures recomputed from a database are equal.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from motifdb.errors import UsageError, nearest

METRICS = ("accuracy", "balanced_accuracy", "auc", "precision", "recall", "f1", "f1_of_means", "loss")
"""Every figure, in the order of tables."""

N_BOOTSTRAP = 1000
LEVELS = (0.025, 0.975)
OVER = ("present", "all")

_AT_ONCE = 1 << 22  # weights of draws held at a time, 32 MB

Ranked = tuple[NDArray[np.int64], NDArray[np.bool_], NDArray[np.bool_]]


@dataclass(frozen=True)
class Score:
    """A figure with the interval that a bootstrap over groups gives it; None what is not defined."""

    value: float | None
    low: float | None = None
    high: float | None = None

    def __str__(self) -> str:
        if self.value is None:
            return "not defined"
        if self.low is None or self.high is None:
            return f"{self.value:.3f}"
        return f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f})"


def scores(
    truth: NDArray[np.integer[Any]],
    probabilities: NDArray[np.floating[Any]],
    groups: Sequence[str],
    *,
    n_bootstrap: int = N_BOOTSTRAP,
    seed: int = 0,
    over: str = "present",
) -> dict[str, Score]:
    """Every figure of `METRICS`, with its interval.

    Parameters
    ----------
    truth : integer, shape (n,), index of each clip's class
    probabilities : shape (n, n_classes)
    groups : n names; clips of one name are drawn together
    n_bootstrap : draws; 0 leaves the intervals out
    seed : of the draws
    over : classes that macro figures are the mean over: "present" (those of `truth`) or "all"

    Examples
    --------
    >>> found = scores(np.array([0, 0, 1, 1]), np.array([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8], [0.3, 0.7]]), "abcd", n_bootstrap=0)
    >>> found["accuracy"], found["auc"].value
    (Score(value=0.75, low=None, high=None), 1.0)
    """
    tally = Tally.of(truth, probabilities, groups, over=over)
    point = tally.figures(np.ones((1, tally.n_groups), dtype=np.int64))
    spread = sampled(tally, n_bootstrap, seed) if n_bootstrap and tally.n_groups > 1 else None
    found = {}
    for name in METRICS:
        value = _defined(point[name][0])
        low, high = (None, None) if spread is None or value is None else interval(spread[name])
        found[name] = Score(value, low, high)
    return found


def interval(draws: NDArray[np.float64]) -> tuple[float | None, float | None]:
    """The 95 % percentile interval of draws; those where the figure is not defined are left out."""
    sound = draws[~np.isnan(draws)]
    if sound.size == 0:
        return None, None
    low, high = np.quantile(sound, LEVELS)
    return float(low), float(high)


def confusion(
    truth: NDArray[np.integer[Any]], predicted: NDArray[np.integer[Any]], n_classes: int
) -> NDArray[np.int64]:
    """How many clips of each class (rows) were given each class (columns).

    >>> confusion(np.array([0, 1, 1]), np.array([0, 0, 1]), 2).tolist()
    [[1, 0], [1, 1]]
    """
    counts = np.bincount(truth * n_classes + predicted, minlength=n_classes * n_classes)
    return counts.reshape(n_classes, n_classes).astype(np.int64)


def predicted_classes(probabilities: NDArray[np.floating[Any]]) -> NDArray[np.int64]:
    """The class with the highest probability as stored (float32), the first of equals; int64, shape (n,)."""
    stored = np.asarray(probabilities, dtype=np.float32)
    if stored.shape[0] == 0:
        return np.zeros(0, dtype=np.int64)
    return np.asarray(stored.argmax(axis=1), dtype=np.int64)


def group_draws(n_groups: int, n_draws: int, seed: int, most: int) -> Iterator[NDArray[np.int64]]:
    """How often each group is drawn: int64, shape (some draws, n_groups), at most `most` draws at a time.

    Drawn in one order from one generator, so that the draws do not depend on `most`.
    """
    rng = np.random.default_rng(seed)
    for first in range(0, n_draws, most):
        n = min(most, n_draws - first)
        # Counting drawn numbers costs a tenth of multinomial draws.
        drawn = rng.integers(0, n_groups, size=(n, n_groups)) + n_groups * np.arange(n)[:, None]
        yield np.bincount(drawn.ravel(), minlength=n * n_groups).reshape(n, n_groups).astype(np.int64)


@dataclass(frozen=True)
class Tally:
    """What the figures of any weighting of groups follow from, without the clips once more.

    Attributes
    ----------
    names : of the groups, ascending
    counts : float64, shape (n_groups, 3 * n_classes), by group and class: clips, clips predicted so, clips right
    loss : float64, shape (n_groups,), summed -ln of the true class's probability; infinite where that is 0
    ranked : for each class with clips and other clips: group of each clip by ascending probability of the class,
        whether it is of the class, whether its probability is above the one before
    over : see `scores`
    """

    names: tuple[str, ...]
    counts: NDArray[np.float64]
    loss: NDArray[np.float64]
    ranked: tuple[Ranked | None, ...]
    n_classes: int
    over: str

    @property
    def n_groups(self) -> int:
        """Groups there are."""
        return len(self.names)

    @classmethod
    def of(
        cls,
        truth: NDArray[np.integer[Any]],
        probabilities: NDArray[np.floating[Any]],
        groups: Sequence[str],
        *,
        over: str = "present",
    ) -> Tally:
        """Count and rank the predictions of a part.

        Raises
        ------
        UsageError
            for an unknown `over`, lists of different lengths, or probabilities that are no numbers.
        """
        if over not in OVER:
            raise UsageError(f"macro figures cannot be over {over!r}; {nearest(over, OVER)}")
        given = np.asarray(probabilities, dtype=np.float32)
        truth = np.asarray(truth, dtype=np.int64)
        if given.ndim != 2 or not given.shape[0] == truth.size == len(groups):
            raise UsageError(
                f"{truth.size} classes, {len(groups)} groups and probabilities of shape {given.shape} do not fit together"
            )
        if not np.isfinite(given).all():
            where = int(np.flatnonzero(~np.isfinite(given).all(axis=1))[0])
            raise UsageError(f"the probabilities of clip {where} are no numbers; there is nothing to score")
        n_classes = given.shape[1]
        names = sorted(set(groups))
        numbers = {name: i for i, name in enumerate(names)}
        group = np.array([numbers[g] for g in groups], dtype=np.int64)
        said = predicted_classes(given)
        is_right = said == truth
        cells = (group * n_classes + truth, group * n_classes + said, (group * n_classes + truth)[is_right])
        counts = np.concatenate(
            [np.bincount(c, minlength=len(names) * n_classes).reshape(-1, n_classes) for c in cells], axis=1
        ).astype(np.float64)
        with np.errstate(divide="ignore"):
            lost = -np.log(given[np.arange(truth.size), truth].astype(np.float64))
        loss = np.bincount(group, weights=lost, minlength=len(names)).astype(np.float64)
        ranked = tuple(_ranked(given[:, c], truth == c, group) for c in range(n_classes))
        return cls(tuple(names), counts, loss, ranked, n_classes, over)

    def figures(self, weights: NDArray[np.int64]) -> dict[str, NDArray[np.float64]]:
        """Every figure under weights of the groups.

        Parameters
        ----------
        weights : int64, shape (n_draws, n_groups), how often each group counts

        Returns
        -------
        By name of `METRICS` float64, shape (n_draws,), NaN where not defined.
        """
        true, said, hit = np.split(weights @ self.counts, 3, axis=1)
        n = true.sum(axis=1)
        is_there = true > 0
        has_two = is_there.sum(axis=1) > 1
        with np.errstate(divide="ignore", invalid="ignore"):
            accuracy = hit.sum(axis=1) / n
            recall = np.where(is_there, hit / true, 0.0)
            precision = np.where(said > 0, hit / said, 0.0)
            f1 = np.where(true + said > 0, 2 * hit / (true + said), 0.0)
            loss = np.where(weights > 0, weights * self.loss, 0.0).sum(axis=1) / n
        chosen = is_there if self.over == "present" else np.ones_like(is_there)
        p, r = _mean_over(precision, chosen, has_two), _mean_over(recall, chosen, n > 0)
        with np.errstate(divide="ignore", invalid="ignore"):
            of_means = np.where(p + r > 0, 2 * p * r / (p + r), np.where(np.isnan(p + r), np.nan, 0.0))
        return {
            "accuracy": accuracy,
            "balanced_accuracy": _mean_over(recall, is_there, n > 0),
            "auc": self._auc(weights, chosen, has_two),
            "precision": p,
            "recall": r,
            "f1": _mean_over(f1, chosen, has_two),
            "f1_of_means": of_means,
            "loss": np.where(np.isfinite(loss), loss, np.nan),
        }

    def _auc(
        self, weights: NDArray[np.int64], chosen: NDArray[np.bool_], is_defined: NDArray[np.bool_]
    ) -> NDArray[np.float64]:
        """Macro area under the curve, one class against the rest."""
        from motifdb.kernels.areas import weighted_areas

        values = np.full(chosen.shape, np.nan)
        for c, ranks in enumerate(self.ranked):
            if ranks is not None:
                values[:, c] = weighted_areas(weights, *ranks)
        return _mean_over(values, chosen, is_defined)


def sampled(tally: Tally, n_draws: int, seed: int) -> dict[str, NDArray[np.float64]]:
    """Every figure in each of `n_draws` draws of groups; float64, shape (n_draws,), NaN where not defined."""
    most = max(1, _AT_ONCE // max(tally.n_groups, 1))
    parts = [tally.figures(w) for w in group_draws(tally.n_groups, n_draws, seed, most)]
    return {name: np.concatenate([part[name] for part in parts]) for name in METRICS}


def calibration_error(
    truth: NDArray[np.integer[Any]], probabilities: NDArray[np.floating[Any]], n_bins: int = 15
) -> float | None:
    """Expected calibration error: how far the stated probability of the predicted class is from how often it is right.

    The mean over bins of equal width, weighted by clips, of |accuracy - mean probability| (Guo et al. 2017, with their 15
    bins); None without a clip.

    >>> round(calibration_error(np.array([0, 1]), np.array([[0.8, 0.2], [0.8, 0.2]])), 3)
    0.3
    """
    given = np.asarray(probabilities, dtype=np.float32)
    if given.shape[0] == 0:
        return None
    said = predicted_classes(given)
    sure = given.max(axis=1).astype(np.float64)
    at = np.clip(np.ceil(sure * n_bins).astype(np.int64) - 1, 0, n_bins - 1)
    gap = np.bincount(at, weights=(said == truth) - sure, minlength=n_bins)
    return float(np.abs(gap).sum() / given.shape[0])


def _ranked(
    value: NDArray[np.float32], is_class: NDArray[np.bool_], group: NDArray[np.int64]
) -> Ranked | None:
    if not is_class.any() or is_class.all():
        return None
    order = np.argsort(value, kind="stable")
    ascending = value[order]
    return group[order], is_class[order], np.r_[True, ascending[1:] > ascending[:-1]]


def _mean_over(
    values: NDArray[np.float64], chosen: NDArray[np.bool_], is_defined: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Mean of each row over the chosen classes; NaN where not defined."""
    count = chosen.sum(axis=1)
    total = np.where(chosen, values, 0.0).sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(is_defined & (count > 0), total / count, np.nan)


def _defined(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
