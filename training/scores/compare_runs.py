"""`motifdb compare-runs A B`: is one better, or would other groups of clips have said otherwise?

A paired bootstrap over groups: groups are drawn with replacement, both sides are scored on the same draw, and the interval
is that of the difference. Of several seeds the mean is compared, of several folds the mean over folds. One draw goes
through all folds, so that a group that is tested in two of them (held-out folds reuse groups) is drawn in both or in
neither. The interval is about other groups of the same kind; what another seed would do is the spread beside it.

McNemar's test is not made: it takes clips for independent, and clips of one group are not. The counts that it would stand
on (clips that only one of the two has right) are given.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from motifdb.errors import UsageError
from motifdb.pipelines.committer import in_list
from motifdb.training.scores.metrics import METRICS, Tally, group_draws, interval
from motifdb.training.scores.runs import Predictions, runs_meant, split_names, stored_predictions

if TYPE_CHECKING:
    from motifdb.catalog.snapshot import Snapshot

N_DRAWS = 2000
COMPARED = tuple(m for m in METRICS if m != "loss")
_AT_ONCE = 200  # draws whose weights of clips are held at a time


@dataclass(frozen=True)
class Difference:
    """One figure of A and B and what lies between them; None where not defined.

    Attributes
    ----------
    a, b : means over folds of means over seeds
    a_deviation, b_deviation : standard deviation over seeds of the mean over folds; None for one seed
    low, high : 95 % interval of a - b; None for one group
    p_value : two-sided, the share of draws on the other side of 0; None for one group
    """

    metric: str
    a: float | None
    b: float | None
    a_deviation: float | None
    b_deviation: float | None
    difference: float | None
    low: float | None
    high: float | None
    p_value: float | None


@dataclass(frozen=True)
class Comparison:
    """What `compare_runs` found.

    Attributes
    ----------
    a, b : rows of `runs`
    differences : one for each figure
    by_fold : the same of each fold on its own, by number of A's fold
    n_clips, n_groups : of test, over all folds
    splits : names of splits by id
    only_a, only_b : clips (a mean over pairs of seeds, summed over folds) that only one has right; None where clips differ
    """

    a: tuple[dict[str, Any], ...]
    b: tuple[dict[str, Any], ...]
    differences: tuple[Difference, ...]
    by_fold: dict[int, tuple[Difference, ...]]
    n_clips: int
    n_groups: int
    only_a: float | None
    only_b: float | None
    splits: dict[str, str]

    def lines(self) -> list[str]:
        """What was compared, for people."""
        head = [f"{side}: {_described(runs, self.splits)}" for side, runs in (("A", self.a), ("B", self.b))]
        folds = len(self.by_fold)
        head.append(
            f"test: {self.n_clips:,} clips in {self.n_groups:,} groups, {folds} fold{'s' * (folds != 1)};"
            " difference is A - B, its interval from draws of groups"
        )
        if self.only_a is not None and self.only_b is not None:
            head.append(f"only A is right about {self.only_a:,.0f} clips, only B about {self.only_b:,.0f}")
        if self.n_groups == 1:
            head.append("with one group there is no interval")
        elif self.n_groups < 10:
            head.append(
                f"{self.n_groups} groups are few: the interval is too narrow, look at each fold (--by-fold)"
            )
        return head


def compare_runs(
    snapshot: Snapshot,
    a: str,
    b: str,
    *,
    split: str | None = None,
    by_groups: bool = False,
    n_draws: int = N_DRAWS,
    seed: int = 0,
) -> Comparison:
    """Compare two runs, or all runs of two recipes in a split.

    Parameters
    ----------
    a, b : as `motifdb.training.scores.runs.runs_meant` takes them
    split : name or beginning of the id of a split, for names of recipes; None is that of A's newest run
    by_groups : allow test clips that differ where their groups are the same, as motif clips and random clips of
        the same recordings
    n_draws, seed : of the bootstrap

    Raises
    ------
    NotFoundError, UsageError
        for runs that are not there, failed, or were not tested on the same clips.
    """
    a_runs = runs_meant(snapshot, a, split)
    b_runs = _partner_runs(snapshot, b, split, a_runs)
    first, second = (_by_fold(snapshot, runs) for runs in (a_runs, b_runs))
    is_one_split = a_runs[0]["split_id"] == b_runs[0]["split_id"]
    pairs = _paired(first, second, is_one_split, by_groups)
    names = sorted({g for fold, _ in pairs for g in _tested(first[fold][0]).group})
    index = {name: i for i, name in enumerate(names)}
    tallies = [
        (
            [_tally(p, is_one_split or by_groups, first[f][0]) for p in first[f]],
            [_tally(p, is_one_split or by_groups, first[f][0]) for p in second[g]],
        )
        for f, g in pairs
    ]
    columns = [np.array([index[n] for n in ours[0].names], dtype=np.int64) for ours, _ in tallies]
    one = np.ones((1, len(names)), dtype=np.int64)
    point = [_figures(pair, one[:, at]) for pair, at in zip(tallies, columns, strict=True)]
    drawn: list[list[tuple[Figures, Figures]]] = [[] for _ in pairs]
    for weights in group_draws(len(names), n_draws, seed, _AT_ONCE):
        for into, pair, at in zip(drawn, tallies, columns, strict=True):
            into.append(_figures(pair, weights[:, at]))
    spread = [tuple(_joined([part[side] for part in parts]) for side in (0, 1)) for parts in drawn]
    by_fold = {
        fold: tuple(_difference(m, [point[i]], [spread[i]], len(columns[i])) for m in COMPARED)
        for i, (fold, _) in enumerate(pairs)
    }
    only_a, only_b = _only_one_right(first, second, pairs) if not by_groups else (None, None)
    return Comparison(
        tuple(a_runs),
        tuple(b_runs),
        tuple(_difference(m, point, spread, len(names)) for m in COMPARED),
        by_fold,
        sum(len(_tested(first[fold][0])) for fold, _ in pairs),
        len(names),
        only_a,
        only_b,
        split_names(snapshot),
    )


def differences_table(found: Comparison, *, by_fold: bool = False) -> pa.Table:
    """One row a figure, over all folds; `by_fold` gives each fold its rows as well."""
    blocks: list[tuple[str, Sequence[Difference]]] = [("all", found.differences)]
    if by_fold:
        blocks += [(str(fold), own) for fold, own in sorted(found.by_fold.items())]
    rows = [
        {
            "fold": name,
            "metric": d.metric,
            "a": d.a,
            "a_deviation": d.a_deviation,
            "b": d.b,
            "b_deviation": d.b_deviation,
            "difference": d.difference,
            "low": d.low,
            "high": d.high,
            "p_value": d.p_value,
        }
        for name, own in blocks
        for d in own
    ]
    numbers = ("a", "a_deviation", "b", "b_deviation", "difference", "low", "high", "p_value")
    schema = pa.schema(
        [("fold", pa.string()), ("metric", pa.string()), *((n, pa.float64()) for n in numbers)]
    )
    table = pa.Table.from_pylist(rows, schema=schema)
    return table if by_fold else table.drop_columns("fold")


Figures = dict[str, NDArray[np.float64]]
"""By metric float64, shape (n_seeds, n_draws)."""


def _partner_runs(
    snapshot: Snapshot, text: str, split: str | None, partner: Sequence[dict[str, Any]]
) -> list[dict[str, Any]]:
    """The runs of B: a recipe's in the split of A where it has any there and none was named."""
    if split is None:
        own = str(partner[0]["split_id"])
        names = snapshot.table("runs", ["recipe", "cell"], in_list("split_id", [own]))
        if text.strip() in {name for column in names.columns for name in column.to_pylist()}:
            split = own
    found = runs_meant(snapshot, text, split)
    if len(partner) == 1 and len(found) > 1:  # a recipe beside one run: its runs on the same fold
        found = [row for row in found if row["fold"] == partner[0]["fold"]] or found
    return found


def _by_fold(snapshot: Snapshot, runs: Sequence[dict[str, Any]]) -> dict[int, list[Predictions]]:
    found: dict[int, list[Predictions]] = {}
    for run in runs:
        found.setdefault(int(run["fold"]), []).append(stored_predictions(snapshot, run))
    return found


def _tested(predictions: Predictions) -> Predictions:
    """Of predictions the part test."""
    return predictions.take(predictions.rows("test"))


def _paired(
    first: dict[int, list[Predictions]],
    second: dict[int, list[Predictions]],
    is_one_split: bool,
    by_groups: bool,
) -> list[tuple[int, int]]:
    """Folds of A and B that were tested on the same clips (or groups).

    Raises
    ------
    UsageError
        where a fold has no partner, or clips or classes differ.
    """
    if is_one_split and set(first) != set(second):
        raise UsageError(
            f"A has runs on the folds {_list(first)}, B on {_list(second)}; compare runs of the same folds, one pair"
            " at a time by their ids"
        )

    def tested_on(predictions: Predictions) -> frozenset[tuple[str, ...]]:
        own = _tested(predictions)
        if by_groups:
            return frozenset((g,) for g in own.group)
        names = [own.classes[i] for i in own.label.tolist()]
        return frozenset(zip(own.clip_id, names, strict=True))

    theirs = {g: tested_on(runs[0]) for g, runs in second.items()}
    pairs = []
    for f, runs in sorted(first.items()):
        ours = tested_on(runs[0])
        found = [g for g in ([f] if is_one_split else sorted(theirs)) if theirs[g] == ours]
        if not found or not ours:
            what = "groups" if by_groups else "clips with the same labels"
            raise UsageError(
                f"fold {f} of A was not tested on the same {what} as "
                + (f"fold {f} of B" if is_one_split else "any fold of B")
                + ", so the two cannot be paired"
                + ("" if by_groups else "; where their groups are the same, --by-groups compares by these")
            )
        if runs[0].classes != second[found[0]][0].classes:
            raise UsageError("A and B tell different classes apart, so their figures cannot be compared")
        pairs.append((f, found[0]))
    if len({g for _, g in pairs}) != len(second):
        raise UsageError("B has runs on folds that A has none on; compare runs of the same folds")
    return pairs


def _tally(predictions: Predictions, own_groups: bool, partner: Predictions) -> Tally:
    """Tally of the part test; of two splits with the same clips, under the groups of the first."""
    own = _tested(predictions)
    groups: Sequence[str] = own.group
    if not own_groups:
        theirs = dict(zip(partner.clip_id, partner.group, strict=True))
        groups = [theirs[clip] for clip in own.clip_id]
    return Tally.of(own.label, own.probabilities, groups)


def _figures(pair: tuple[list[Tally], list[Tally]], weights: NDArray[np.int64]) -> tuple[Figures, Figures]:
    a, b = ([tally.figures(weights) for tally in side] for side in pair)
    return (
        {m: np.stack([f[m] for f in a]) for m in COMPARED},
        {m: np.stack([f[m] for f in b]) for m in COMPARED},
    )


def _joined(parts: Sequence[Figures]) -> Figures:
    return {m: np.concatenate([p[m] for p in parts], axis=1) for m in COMPARED}


def _difference(
    metric: str,
    point: Sequence[tuple[Figures, Figures]],
    spread: Sequence[tuple[Figures, ...]],
    n_groups: int,
) -> Difference:
    """Of some folds; a fold in whose draw nothing was drawn is left out of that draw's mean.

    One group has no interval and no p-value: every draw of it is itself.
    """
    sides, deviations = [], []
    for side in (0, 1):
        of_fold = [p[side][metric][:, 0] for p in point]
        sides.append(float(np.mean([values.mean() for values in of_fold])))
        n_seeds = {values.size for values in of_fold}
        of_seed = np.mean(of_fold, axis=0) if len(n_seeds) == 1 else np.zeros(1)
        deviations.append(float(of_seed.std(ddof=1)) if of_seed.size > 1 else None)
    a, b = (None if np.isnan(value) else value for value in sides)
    difference = a - b if a is not None and b is not None else None
    low = high = p_value = None
    if difference is not None and n_groups > 1:
        draws = _mean_defined(
            np.stack([s[0][metric].mean(axis=0) - s[1][metric].mean(axis=0) for s in spread])
        )
        draws = np.round(draws, 12)  # what differs in the last digits only is equal
        low, high = interval(draws)
        sound = draws[~np.isnan(draws)]
        if sound.size:
            # One is added so that no finite number of draws claims that something is impossible.
            rare = min((sound <= 0).sum(), (sound >= 0).sum())
            p_value = float(min(1.0, 2 * (rare + 1) / (sound.size + 1)))
    a_deviation, b_deviation = (
        d if value is not None and d is not None and not np.isnan(d) else None
        for d, value in zip(deviations, (a, b), strict=True)
    )
    return Difference(metric, a, b, a_deviation, b_deviation, difference, low, high, p_value)


def _mean_defined(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean of each column over what is defined in it; NaN where nothing is."""
    is_there = ~np.isnan(values)
    count = is_there.sum(axis=0)
    with np.errstate(invalid="ignore"):
        mean = np.where(is_there, values, 0.0).sum(axis=0) / count
    return np.asarray(np.where(count > 0, mean, np.nan), dtype=np.float64)


def _only_one_right(
    first: dict[int, list[Predictions]],
    second: dict[int, list[Predictions]],
    pairs: Sequence[tuple[int, int]],
) -> tuple[float, float]:
    only_a = only_b = 0.0
    for f, g in pairs:
        a, b = (
            np.mean([(own.predicted == own.label).astype(float) for own in map(_tested, side)], axis=0)
            for side in (first[f], second[g])
        )
        only_a += float((a * (1 - b)).sum())
        only_b += float((b * (1 - a)).sum())
    return only_a, only_b


def _described(runs: Sequence[dict[str, Any]], splits: dict[str, str]) -> str:
    first = runs[0]
    where = f"split {splits.get(first['split_id'], '')!r} ({first['split_id'][:8]})"
    if len(runs) == 1:
        return f"run {first['run_id'][:8]} ({first['recipe']}), {where}, fold {first['fold']}, seed {first['seed']}"
    folds, seeds = (_list(row[name] for row in runs) for name in ("fold", "seed"))
    return f"{len(runs)} runs of {first['recipe']}, {where}, folds {folds}, seeds {seeds}"


def _list(numbers: Any) -> str:
    return ", ".join(str(n) for n in sorted(set(numbers)))
