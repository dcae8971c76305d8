"""Performances as vectors, and what they are near to: by whom they are sung, and what is sung.

The vector of a performance is the mean of the vectors of its voiced clips (siamese-2018). Every model is asked the same: does the nearest
other performance have the same singer, does it have the same work, and are two performances of one singer nearer than two of different
ones. A vector of voices raises the first and lowers the second against the hand-crafted one.

Where an experiment has several folds, neighbours are looked for inside each fold, since every fold has its own encoder; figures are means
over folds by the number of questions. Their intervals: singers of different folds are different people, so the half-widths of the folds'
intervals are added as independent errors are, in squares.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from motifdb.errors import UsageError

if TYPE_CHECKING:
    from motifdb.catalog.snapshot import Snapshot
    from motifdb.training.embedding.base import Embedder
    from motifdb.training.encoders.pair_data import PairData
    from motifdb.training.inputs.packed import Packed
    from motifdb.training.scores.figures import Figure

KS = (1, 3, 5, 7)
N_PAIRS = 2000
PAIR_SEED = 2018
"""Of the fixed lists of pairs of performances."""

SINGER, WORK, PAIRS = "singer", "work", "pairs of performances"
DISTANCES = {"hand-crafted": "standardised", "log-mel-stats": "standardised", "speaker": "cosine"}
"""By embedding model, the distance that suits it; encoders have learnt the Euclidean one."""


@dataclass(frozen=True, eq=False)
class Performances:
    """The recordings of the part test of a fold.

    Attributes
    ----------
    rows : int64[m], the voiced clips of them, as rows of the fold's examples
    of : int64[m], which performance each is of
    recording_id, singer : n texts, by performance
    work : likewise; None where it is not known
    n_unvoiced : recordings without a voiced clip, which have no vector
    """

    rows: NDArray[np.int64]
    of: NDArray[np.int64]
    recording_id: tuple[str, ...]
    singer: tuple[str, ...]
    work: tuple[str | None, ...]
    n_unvoiced: int = 0

    def __len__(self) -> int:
        return len(self.recording_id)

    @classmethod
    def of_test(
        cls, data: PairData, work: Mapping[str, str | None], *, voiced_only: bool = True
    ) -> Performances:
        """Those of a fold; `work` by recording."""
        rows = data.rows("test", voiced_only=voiced_only)
        names = [data.examples.recording_id[i] for i in rows.tolist()]
        ids, first, of = np.unique(np.array(names, np.str_), return_index=True, return_inverse=True)
        everyone = {data.examples.recording_id[i] for i in data.examples.rows("test").tolist()}
        return cls(
            rows,
            of.astype(np.int64),
            tuple(ids.tolist()),
            tuple(data.examples.classes[i] for i in data.examples.label[rows[first]].tolist()),
            tuple(work.get(name) for name in ids.tolist()),
            len(everyone) - len(ids),
        )

    def mean(self, vectors: NDArray[Any]) -> NDArray[np.float64]:
        """The vectors of performances from those of their clips, in the order of `rows`: float64 [n, d]."""
        total = np.zeros((len(self), vectors.shape[1]))
        np.add.at(total, self.of, vectors.astype(np.float64))
        return total / np.bincount(self.of, minlength=len(self))[:, None]


def works_of(snapshot: Snapshot, split_id: str, label: str = "work") -> dict[str, str | None]:
    """By recording the work it is of; empty where no file has such a label."""
    from motifdb.errors import NotFoundError
    from motifdb.training.clips.clip_facts import facts_of
    from motifdb.training.splits.examples import split_row

    facts = facts_of(snapshot, split_row(snapshot, split_id)["parent_id"])
    try:
        values = facts.label(label)
    except NotFoundError:
        return {}
    return dict(zip(facts.recording_id, values, strict=True))


def why_no_works(performances: Performances) -> str | None:
    """Why neighbours of the same work cannot be asked for; None where they can."""
    known = [w for w in performances.work if w is not None]
    if not known:
        return "no performance of test has a work"
    if len(set(known)) == 1:
        return f"every performance of test is of one work ({known[0]})"
    if max(known.count(w) for w in set(known)) < 2:
        return "no two performances of test are of one work"
    return None


def figures_of(
    vectors: NDArray[np.float64], performances: Performances, *, distance: str = "euclidean", seed: int = 0
) -> list[Figure]:
    """Neighbours by singer and by work, and the equal error rate of pairs; those that cannot be asked are left out.

    The bootstrap draws singers.
    """
    from motifdb.training.scores.neighbours import knn_scores
    from motifdb.training.scores.verification import eer_scores, pair_list

    singer, found = list(performances.singer), []
    options: dict[str, Any] = {"distance": distance, "seed": seed}
    try:
        found += knn_scores(vectors, singer, singer, ks=KS, protocol=SINGER, **options)
        pairs = pair_list(singer, N_PAIRS, PAIR_SEED)
        found += eer_scores(vectors, pairs, singer, protocol=PAIRS, **options)
    except UsageError:
        pass  # no singer has two performances: said by whoever shows the table
    if why_no_works(performances) is None:
        found += knn_scores(vectors, list(performances.work), singer, ks=KS, protocol=WORK, **options)
    return found


def vectors_by(
    embedder: Embedder, sound: Packed, performances: Performances, recording_id: Sequence[str]
) -> NDArray[np.float32]:
    """The vectors of the clips of `performances` by any model, at its own sample rate: float32 [m, d].

    Parameters
    ----------
    sound : of all examples at the model's rate, without gain
    recording_id : of all examples
    """
    from motifdb.training.embedding.base import HearsRelative, averaged

    if isinstance(embedder, HearsRelative):
        sound = replace(sound, gain=embedder.gain(sound, recording_id))
    return averaged(embedder, sound, performances.rows)


def pooled(folds: Sequence[Sequence[Figure]]) -> list[Figure]:
    """Figures of several folds as one of each kind, weighted by questions."""
    kinds: dict[tuple[str, str], list[Figure]] = {}
    for figures in folds:
        for figure in figures:
            if figure.value is not None:
                kinds.setdefault((figure.protocol, figure.metric), []).append(figure)
    return [own[0] if len(own) == 1 else _pooled(own) for own in kinds.values()]


def _pooled(own: Sequence[Figure]) -> Figure:
    n = np.array([f.n for f in own], float)
    share = n / n.sum()
    value = np.array([f.value for f in own], float)
    mean = float(share @ value)
    low = high = None
    if all(f.low is not None and f.high is not None for f in own):
        below = value - np.array([f.low for f in own], float)
        above = np.array([f.high for f in own], float) - value
        low = mean - float(np.sqrt(((share * below) ** 2).sum()))
        high = mean + float(np.sqrt(((share * above) ** 2).sum()))
    chances = [f.chance for f in own]
    chance = None if None in chances else float(share @ np.array(chances, float))
    return replace(
        own[0], value=mean, low=low, high=high, chance=chance, n=int(n.sum()), about={"n_folds": len(own)}
    )
