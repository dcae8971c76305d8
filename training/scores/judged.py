"""Stored vectors, judged: whose neighbours share a label, and whether pairs of one value are nearer than pairs of two."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from motifdb.errors import NotFoundError, UsageError, nearest
from motifdb.query.views.spec import STANDARD_LABELS

if TYPE_CHECKING:
    from motifdb.query.database import Database
    from motifdb.query.vectors.read import Vectors
    from motifdb.training.scores.figures import Figure

RECORDING = "recording"
"""The key of each vector's own recording."""

PAIR_SEED = 2018
"""Of the fixed lists of pairs."""

MOST = 20_000
"""Vectors beyond which comparing all with all takes many minutes."""


@dataclass(frozen=True)
class Question:
    """What is asked of vectors.

    Attributes
    ----------
    labels : what neighbours may share, one set of figures each
    other : key whose equals are no neighbours and no pair: ``recording``, or a label such as ``work``; ``none``: all may be; None: each
        vector's own recording, where vectors are of clips or occurrences
    group : what the bootstrap draws; None: values of the label
    ks : numbers of neighbours
    n_pairs : in the fixed list of pairs, at most
    distance : ``euclidean``, ``standardised``, ``cosine``; None: what suits the model
    """

    labels: tuple[str, ...] = ("singer",)
    other: str | None = None
    group: str | None = None
    ks: tuple[int, ...] = (1, 3, 5, 7)
    n_pairs: int = 2000
    distance: str | None = None


@dataclass(frozen=True, eq=False)
class Judged:
    """Figures of the vectors of one analysis.

    Attributes
    ----------
    values : by label, the value of each vector; None where it has none
    notes : what could not be asked, sentences
    """

    vectors: Vectors
    values: dict[str, list[str | None]]
    distance: str
    figures: list[Figure]
    notes: list[str]


def usual_distance(parameters: dict[str, Any]) -> str:
    """The distance that the model of an analysis of vectors names, else the angle (layers of classifiers, speaker models).

    >>> usual_distance({"model": "hand-crafted", "metric": "standardised"}), usual_distance({"model": "speaker"})
    ('standardised', 'cosine')
    """
    return str(parameters.get("metric", "cosine"))


def judge(database: Database, analysis: str | None, question: Question) -> Judged:
    """Ask the vectors of an analysis; nothing is stored.

    Raises
    ------
    NotFoundError
        for an analysis or a label that is not there, with the nearest.
    UsageError
        where nothing can be asked: no label is shared by two vectors that may be neighbours, or there are too many vectors.
    """
    from motifdb.query.vectors.read import vectors_of
    from motifdb.training.scores.neighbours import knn_scores, map_scores

    vectors = vectors_of(database.snapshot, analysis)
    if len(vectors) > MOST:
        raise UsageError(
            f"{vectors.name!r} has {len(vectors):,} vectors, and at most {MOST:,} are compared with each other; embed fewer,"
            " with --where or --limit"
        )
    other = question.other
    if other is None and vectors.target != RECORDING:
        other = RECORDING
    other = None if other == "none" else other
    names = dict.fromkeys([*question.labels, *(n for n in (other, question.group) if n is not None)])
    values = {name: values_of(database, vectors, name) for name in names}
    exclude = None if other is None else _keys(values[other])
    distance = question.distance or usual_distance(vectors.parameters)
    figures: list[Figure] = []
    notes: list[str] = []
    for label in question.labels:
        own = values[label]
        group = _keys(own if question.group is None else values[question.group])
        protocol = f"{label}, leave one out" + ("" if other is None else f", other {other}s only")
        options: dict[str, Any] = {"protocol": protocol, "distance": distance}
        asked: list[Callable[[], list[Figure]]] = [
            partial(knn_scores, vectors.matrix, own, group, ks=question.ks, exclude=exclude, **options),
            partial(map_scores, vectors.matrix, own, group, exclude=exclude, **options),
        ]
        if question.n_pairs:
            asked.append(partial(_told, vectors.matrix, own, group, question.n_pairs, exclude, options))
        for ask in asked:
            try:
                found = ask()
            except UsageError as error:
                notes.append(f"{label}: {error}")
                continue
            for figure in found:
                figure.about.update({"label": label, "other": other, "group": question.group or label})
            figures += found
    if not figures:
        raise UsageError(notes[0])
    return Judged(vectors, {name: values[name] for name in question.labels}, distance, figures, notes)


def _told(
    matrix: NDArray[np.float32],
    own: list[str | None],
    group: list[str],
    n_pairs: int,
    exclude: list[str] | None,
    options: dict[str, Any],
) -> list[Figure]:
    """How well pairs of one value are told from pairs of two."""
    from motifdb.training.scores.verification import eer_scores, pair_list

    return eer_scores(matrix, pair_list(own, n_pairs, PAIR_SEED, exclude), group, **options)


def values_of(database: Database, vectors: Vectors, name: str) -> list[str | None]:
    """A label's value for each vector: of the clip's file where it is one, else of the recording; None where files disagree.

    Raises
    ------
    NotFoundError
        for a label that no file has.
    """
    if name == RECORDING:
        ids: list[str | None] = vectors.rows.column("recording_id").to_pylist()
        return ids
    if name not in STANDARD_LABELS:
        known = database.sql("select distinct unnest(map_keys(labels)) as name from files order by 1").arrow()
        there = [str(n) for n in known.column(0).to_pylist()]
        if name not in there:
            raise NotFoundError(
                f"no file has a label {name!r}; {nearest(name, [*STANDARD_LABELS, RECORDING, *there])}"
            )
    value = name if name in STANDARD_LABELS else "labels[$name]"
    query = f"""
        with own as (
            select recording_id, case when count(distinct {value}) = 1 then any_value({value}) end as value
            from files where recording_id is not null group by 1
        )
        select case when c.path is not null then f.value else own.value end as value
        from embeddings e left join own on own.recording_id = e.recording_id left join clips c on c.clip_id = e.clip_id
             left join (select corpus_id, path, {value} as value from files) f on f.corpus_id = c.corpus_id and f.path = c.path
        where e.analysis_id = $id order by e.embedding_id
    """
    bound = {"id": vectors.analysis_id} | ({} if name in STANDARD_LABELS else {"name": name})
    found: list[str | None] = database.sql(query, bound).arrow().column(0).to_pylist()
    return found


def _keys(values: Sequence[str | None]) -> list[str]:
    """Names for what has a value, and one of its own for each that has none."""
    return [f"={v}" if v is not None else f"?{i}" for i, v in enumerate(values)]


def drawn(judged: Judged, path: Any) -> None:
    """Draw the vectors by t-SNE, a panel for each label.

    Raises
    ------
    UsageError, MissingExtraError
    """
    from motifdb.training.scores.draw_vectors import MOST as MOST_DRAWN
    from motifdb.training.scores.draw_vectors import draw_tsne

    n = len(judged.vectors)
    rows = np.arange(n)
    if n > MOST_DRAWN:  # a picture of more is a cloud, and takes minutes
        rows = np.sort(np.random.default_rng(0).choice(n, MOST_DRAWN, replace=False))
    labels = {name: [values[i] or "none" for i in rows.tolist()] for name, values in judged.values.items()}
    draw_tsne(judged.vectors.matrix[rows], labels, path, title=judged.vectors.name, distance=judged.distance)
