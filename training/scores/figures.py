"""Figures of vectors: a value, how far it would move with other groups, what a guess scores; and where they are stored.

**Intervals.** Vectors of one group (a singer, a recording, a source) are not independent, so groups are drawn, not
vectors: the 2.5 and 97.5 % quantiles over draws of as many groups as there are, with replacement (the cluster bootstrap;
Efron and Tibshirani 1993, chapters 8 and 13). Questions are weighted, neighbours stay who they were: the interval says
how far the mean moves with who is asked, not with who else is in the corpus.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from motifdb.errors import NotFoundError, UsageError
from motifdb.training.scores.metrics import N_BOOTSTRAP, group_draws, interval

if TYPE_CHECKING:
    from motifdb.catalog.snapshot import Snapshot

_AT_ONCE = 1 << 22


@dataclass(frozen=True)
class Figure:
    """A row of `embedding_metrics` but for its analysis.

    Attributes
    ----------
    protocol : what was asked of which vectors, such as ``singer, leave one out``
    metric : knn_1, eer, map, ...
    value, low, high, chance : the figure, its interval, what a guess scores; None where not defined
    n : questions it is a mean of
    about : labels, groups, pairs and seed it was computed with, as plain values
    """

    protocol: str
    metric: str
    value: float | None
    low: float | None = None
    high: float | None = None
    chance: float | None = None
    n: int = 0
    about: dict[str, Any] = field(default_factory=dict, compare=False)

    def __str__(self) -> str:
        """Such as ``.531 (.417 to .640)``, a dash where it is not defined.

        >>> str(Figure("singer", "knn_1", 0.5312, 0.25, 1.0)), str(Figure("singer", "knn_7", None))
        ('.531 (.250 to 1.000)', '-')
        """
        if self.value is None:
            return "-"
        if self.low is None or self.high is None:
            return _short(self.value)
        return f"{_short(self.value)} ({_short(self.low)} to {_short(self.high)})"


def _short(value: float) -> str:
    text = f"{value:.3f}"
    return text[1:] if text.startswith("0.") else text


def group_numbers(group: Sequence[str]) -> NDArray[np.int64]:
    """The number of each one's group, from 0, names ascending."""
    return np.unique(np.asarray(group, np.str_), return_inverse=True)[1].astype(np.int64)


def bootstrap_mean(
    values: NDArray[np.float64],
    group: NDArray[np.int64],
    *,
    n_bootstrap: int = N_BOOTSTRAP,
    seed: int = 0,
) -> tuple[float | None, float | None]:
    """The 95 % interval of a mean under draws of groups; None with fewer than two groups.

    Parameters
    ----------
    values : float64 [n]
    group : int64 [n], from 0
    """
    _, own = np.unique(group, return_inverse=True)
    n_groups = int(own.max()) + 1 if own.size else 0
    if n_groups < 2 or not n_bootstrap:
        return None, None
    total, count = np.bincount(own, weights=values), np.bincount(own).astype(np.float64)
    means = [
        (drawn @ total) / (drawn @ count)
        for drawn in group_draws(n_groups, n_bootstrap, seed, max(1, _AT_ONCE // n_groups))
    ]
    return interval(np.concatenate(means))


def checked_vectors(vectors: NDArray[Any], **others: Sequence[Any]) -> NDArray[np.float64]:
    """Vectors as float64 [n, d].

    Parameters
    ----------
    others : lists that must have one entry for each vector, by what they are called

    Raises
    ------
    UsageError
        for another shape, numbers that are none, or lists of another length.
    """
    found = np.asarray(vectors, np.float64)
    if found.ndim != 2 or not found.shape[1]:
        raise UsageError(f"vectors are an array of shape (n, d), got {found.shape}")
    for name, values in others.items():
        if len(values) != len(found):
            raise UsageError(f"{len(found)} vectors and {len(values)} of {name} do not fit together")
    if not np.isfinite(found).all():
        bad = int(np.flatnonzero(~np.isfinite(found).all(1))[0])
        raise UsageError(
            f"vector {bad + 1} of {len(found)} holds what is no number; there is nothing to score"
        )
    return found


def store_figures(path: str | Path, analysis_id: str, figures: Iterable[Figure]) -> int:
    """Write figures of an embeddings analysis to `embedding_metrics`; those of the same protocol and metric are replaced.

    Returns
    -------
    How many rows were written; 0 where all were there with the same values.

    Raises
    ------
    NotFoundError
        where there is no such analysis.
    UsageError
        where two figures have one name.
    """
    from motifdb.catalog.store import Changes, open_writer
    from motifdb.ids import set_hash
    from motifdb.pipelines.committer import in_list, quoted
    from motifdb.schemas import TABLES

    rows = [
        asdict(f) | {"analysis_id": analysis_id, "about": json.dumps(f.about, sort_keys=True)}
        for f in figures
    ]
    keys = {(row["protocol"], row["metric"]) for row in rows}
    if len(keys) < len(rows):
        raise UsageError("two figures have the same protocol and metric; one would hide the other")
    with open_writer(path) as writer:
        where = f"analysis_id = {quoted(analysis_id)}"
        snapshot = writer.snapshot
        if not snapshot.table("analyses", ["analysis_id"], f"kind = 'embeddings' and {where}").num_rows:
            raise NotFoundError(
                f"there are no vectors {analysis_id[:8]!r} here to keep figures of; `motifdb embed` makes some"
            )
        there = {
            (r["protocol"], r["metric"]): r
            for r in snapshot.table("embedding_metrics", None, where).to_pylist()
        }
        fresh = [row for row in rows if there.get((row["protocol"], row["metric"])) != row]
        if not fresh:
            return 0
        old = [key for row in fresh if (key := (row["protocol"], row["metric"])) in there]
        delete = {}
        if old:
            pairs = " or ".join(f"({in_list('protocol', [p])} and {in_list('metric', [m])})" for p, m in old)
            delete["embedding_metrics"] = f"{where} and ({pairs})"
        token = f"figures:{analysis_id}:{snapshot.commit}:" + set_hash(
            json.dumps(row, sort_keys=True) for row in fresh
        )
        changes = Changes(
            append={"embedding_metrics": TABLES["embedding_metrics"].table(fresh)}, delete=delete
        )
        writer.commit(changes, token=token, message=f"figures of vectors {analysis_id[:8]}")
    return len(fresh)


def stored_figures(snapshot: Snapshot, analysis_id: str) -> list[Figure]:
    """The figures of an embeddings analysis, by protocol and metric."""
    from motifdb.pipelines.committer import quoted

    rows = snapshot.table("embedding_metrics", None, f"analysis_id = {quoted(analysis_id)}").to_pylist()
    rows.sort(key=lambda r: (r["protocol"], r["metric"]))
    return [
        Figure(**{k: v for k, v in row.items() if k != "analysis_id"} | {"about": json.loads(row["about"])})
        for row in rows
    ]
