"""Does the motif table carry style? Makam classification from contours alone, motifs against the field's standard.

A makam is told by its scale, its tonic and how the melody moves over it. The standard of the field is a pitch-class histogram over the
tonic. A contour of signed steps knows neither tonic nor scale degree, only how the melody moves: what a bag of closed motifs can
tell is what is left.

**Protocol.** Cross-validation grouped by artist: recordings that share a singer (or a work, where both name it) are never on
two sides. Folds are balanced over makams as far as groups allow; the draw is repeated, and a figure is the mean over draws of the
score of all recordings, each predicted once a draw. Vocabularies of motifs are mined from the training recordings of each fold.
Intervals are bootstraps over groups.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from motifdb.config import ContourConfig, part_from_parameters, preset
from motifdb.errors import NotFoundError, UsageError
from motifdb.linked import islands
from motifdb.training.experiments import contour_features as cf

if TYPE_CHECKING:
    from motifdb.catalog.store import Snapshot
    from motifdb.pipelines.progress import Progress
    from motifdb.pipelines.records import PitchTrack
    from motifdb.training.scores.metrics import Score

Predict = Callable[[NDArray[np.int64], NDArray[np.int64]], NDArray[np.float64]]
"""(train rows, test rows) to probabilities of the test rows, shape (n_test, n_classes)."""

NOTES = ContourConfig(
    quantiser="kmeans",
    k=12,
    kmeans_scope="recording",
    bounds_cents=tuple(float(c) for c in range(50, 1250, 100)),
    median_s=0.1,
)
"""Twelve tones fitted to each recording, steps told in semitones: of the contours tried here, the one that knows most of the scale."""


@dataclass(frozen=True)
class MakamOptions:
    """What is asked.

    Attributes
    ----------
    label : what is learnt
    group_by : labels whose shared values keep recordings on one side
    folds, draws, seed : of the cross-validation
    epochs : of the network; 0 leaves it out
    """

    label: str = "style"
    group_by: tuple[str, ...] = ("singer", "work")
    folds: int = 5
    draws: int = 3
    seed: int = 0
    epochs: int = 0


@dataclass(frozen=True)
class Corpus:
    """Recordings with a label, sorted by id, and what they are told apart by.

    Attributes
    ----------
    label : int64, index into `classes`
    group : names; recordings of one name share an artist or a work, directly or through others
    tonic_hz : 0 where the metadata has none
    """

    recording_id: tuple[str, ...]
    tracks: tuple[PitchTrack, ...]
    label: NDArray[np.int64]
    classes: tuple[str, ...]
    group: tuple[str, ...]
    tonic_hz: NDArray[np.float64]
    stored: ContourConfig | None
    n_without_label: int


@dataclass
class MakamRow:
    """One model's figures: mean over draws, and the bootstrap interval (its bounds averaged over draws likewise)."""

    model: str
    hears: str
    needs_tonic: bool
    scores: dict[str, Score]
    n_features: float | None = None


@dataclass
class MakamReport:
    """The table, and what one must know to read it."""

    rows: list[MakamRow] = field(default_factory=list)
    n_recordings: int = 0
    n_groups: int = 0
    classes: tuple[str, ...] = ()
    notes: list[str] = field(default_factory=list)


def read_corpus(snapshot: Snapshot, options: MakamOptions) -> Corpus:
    """Pitch and labels of every recording that has both.

    Raises
    ------
    NotFoundError
        where no recording has the label or pitch.
    UsageError
        where fewer than two classes have recordings of at least two groups.
    """
    from motifdb.pipelines.stages import pitch_tracks
    from motifdb.query.scopes import label_values

    values = label_values(snapshot.table("files").to_pylist())
    given = {r: min(v) for r, v in values.get(options.label, {}).items() if len(v) == 1}
    if not given:
        raise NotFoundError(
            f"no recording has one value of the label {options.label!r}; `motifdb ingest --metadata` gives labels to files"
        )
    pitch = snapshot.table("pitch")
    if not pitch.num_rows:
        raise NotFoundError("there is no pitch here; `motifdb ingest` makes it from recordings")
    tracks: dict[str, PitchTrack] = {}
    for recording_id, _, track in pitch_tracks(pitch):
        tracks.setdefault(recording_id, track)
    ids = sorted(set(tracks) & set(given))
    classes = tuple(sorted({given[r] for r in ids}))
    if len(classes) < 2:
        raise UsageError(
            f"the label {options.label!r} has {len(classes)} value among recordings with pitch; two are the least"
        )
    tonics = {r: float(min(v)) for r, v in values.get("tonic_hz", {}).items()}
    index = {c: i for i, c in enumerate(classes)}
    shared = [{f"{name} {v}" for name in options.group_by for v in _each(values, name, r)} for r in ids]
    return Corpus(
        tuple(ids),
        tuple(tracks[r] for r in ids),
        np.array([index[given[r]] for r in ids], np.int64),
        classes,
        linked_groups(ids, shared),
        np.array([tonics.get(r, 0.0) for r in ids]),
        _stored_contours(snapshot),
        len(tracks) - len(ids),
    )


def _each(values: Mapping[str, Mapping[str, set[str]]], name: str, recording: str) -> Iterator[str]:
    """Values of a label, those joined by ``"; "`` each on its own."""
    for value in values.get(name, {}).get(recording, ()):
        yield from (part.strip() for part in value.split(";") if part.strip())


def linked_groups(ids: Sequence[str], shared: Sequence[set[str]]) -> tuple[str, ...]:
    """The group of each recording: those that share anything, directly or through others, have one name.

    >>> linked_groups(["a", "b", "c", "d"], [{"x"}, {"x", "y"}, {"y"}, set()])
    ('a', 'a', 'a', 'd')
    """
    first: dict[str, str] = {}
    links = [
        (first.setdefault(s, name), name) for name, named in zip(ids, shared, strict=True) for s in named
    ]
    least = islands(ids, links)
    return tuple(least[name] for name in ids)


def _stored_contours(snapshot: Snapshot) -> ContourConfig | None:
    import json

    rows = snapshot.table("analyses", ["name", "kind", "parameters"], "kind = 'contour'").to_pylist()
    return part_from_parameters(ContourConfig, json.loads(rows[0]["parameters"])) if rows else None


def run_makam(snapshot: Snapshot, options: MakamOptions, progress: Progress) -> MakamReport:
    """Every model on the same folds.

    Raises
    ------
    NotFoundError, UsageError
    """
    corpus = read_corpus(snapshot, options)
    draws = [list(_folds(corpus, options, draw)) for draw in range(options.draws)]
    report = MakamReport(
        n_recordings=len(corpus.recording_id), n_groups=len(set(corpus.group)), classes=corpus.classes
    )
    models = list(_models(corpus, options))
    progress.begin("makam", len(models), 0, "models")
    for at, (model, hears, needs_tonic, predict) in enumerate(models):
        own = draws[:1] if model == "network" else draws
        report.rows.append(
            MakamRow(
                model,
                hears,
                needs_tonic,
                _scored(corpus, own, predict),
                getattr(predict, "n_features", None),
            )
        )
        progress.done(at + 1, 0, 0.0)
    progress.close()
    report.notes = _notes(corpus, options, report)
    return report


def _folds(
    corpus: Corpus, options: MakamOptions, draw: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    from sklearn.model_selection import StratifiedGroupKFold

    if len(set(corpus.group)) < options.folds:
        raise UsageError(
            f"{len(set(corpus.group))} groups cannot fill {options.folds} folds; choose fewer with --folds"
        )
    cut = StratifiedGroupKFold(options.folds, shuffle=True, random_state=options.seed + draw)
    yield from cut.split(np.zeros(len(corpus.label)), corpus.label, corpus.group)


def _scored(
    corpus: Corpus, draws: Sequence[Sequence[tuple[NDArray[np.int64], NDArray[np.int64]]]], predict: Predict
) -> dict[str, Score]:
    from motifdb.training.scores.metrics import scores

    found = []
    for draw in draws:
        probabilities = np.zeros((len(corpus.label), len(corpus.classes)))
        for train, test in draw:
            probabilities[test] = predict(train, test)
        found.append(scores(corpus.label, probabilities, corpus.group))
    return {name: mean_score([each[name] for each in found]) for name in found[0]}


def mean_score(found: Sequence[Score]) -> Score:
    """The mean of figures, and of the bounds of their intervals; None where one is not defined."""
    from motifdb.training.scores.metrics import Score

    def mean(values: list[float | None]) -> float | None:
        there = [v for v in values if v is not None]
        return float(np.mean(there)) if len(there) == len(values) else None

    return Score(mean([f.value for f in found]), mean([f.low for f in found]), mean([f.high for f in found]))


# -- models ----------------------------------------------------------------------------------------------


def _models(corpus: Corpus, options: MakamOptions) -> Iterator[tuple[str, str, bool, Predict]]:
    n_classes = len(corpus.classes)
    f0 = [t.f0_hz.astype(np.float64) for t in corpus.tracks]
    free = np.stack([cf.pitch_class_histogram(x) for x in f0])
    yield "majority", "nothing", False, _majority(corpus.label, n_classes)
    notes = _phrases(corpus, NOTES)
    has_tonic = bool((corpus.tonic_hz > 0).all())
    if has_tonic:
        over = np.stack([cf.pitch_class_histogram(x, t) for x, t in zip(f0, corpus.tonic_hz, strict=True)])
        yield "1-nn", "pitch classes over the tonic", True, _nearest(corpus, cf.bhattacharyya(over, over))
        yield "linear", "pitch classes over the tonic", True, _linear(corpus, np.sqrt(over))
    turned = cf.turned_to_peak(free)
    yield (
        "1-nn",
        "pitch classes, no tonic",
        False,
        _nearest(corpus, cf.bhattacharyya_at_best_turn(free, free)),
    )
    yield "linear", "pitch classes, no tonic", False, _linear(corpus, np.sqrt(turned))
    contours = {"as stored": corpus.stored, "style-2021": preset("style-2021").contour, "12 tones": NOTES}
    for name, config in contours.items():
        if config is not None and not (config.quantiser == "kmeans" and config.kmeans_scope == "corpus"):
            phrases = notes if config is NOTES else _phrases(corpus, config)
            yield "linear", f"bag of motifs, {name}", False, _Bag(corpus, phrases)
    if has_tonic:
        degrees = cf.DegreeBag(notes, corpus.tonic_hz.tolist())
        yield "linear", "motifs at their degree", True, _Degrees(corpus, degrees)
        yield "linear", "pitch classes and motifs", True, _Bag(corpus, notes, beside=np.sqrt(over))
    if options.epochs:
        from motifdb.training.experiments.contour_network import ContourNetwork

        network = ContourNetwork(
            corpus.tracks, corpus.label, n_classes, epochs=options.epochs, seed=options.seed
        )
        yield "network", "contour, no tonic", False, network
        if has_tonic:
            anchored = ContourNetwork(
                corpus.tracks, corpus.label, n_classes, epochs=options.epochs, seed=options.seed,
                tonic_hz=corpus.tonic_hz,
            )  # fmt: skip
            yield "network", "contour over the tonic", True, anchored


def _phrases(corpus: Corpus, config: ContourConfig) -> list[Any]:
    from motifdb.kernels.contour import contours

    return [contours(t.f0_hz, t.confidence, t.hop_s, t.start_s, config) for t in corpus.tracks]


def _majority(label: NDArray[np.int64], n_classes: int) -> Predict:
    def predict(train: NDArray[np.int64], test: NDArray[np.int64]) -> NDArray[np.float64]:
        counts = np.bincount(label[train], minlength=n_classes)
        return np.tile(counts / counts.sum(), (len(test), 1))

    return predict


def _nearest(corpus: Corpus, distance: NDArray[np.float64]) -> Predict:
    """The class of the nearest recording of train; probability falls with the distance to each class's nearest one.

    So the most probable class is 1-NN's, and an AUC can be had.
    """

    def predict(train: NDArray[np.int64], test: NDArray[np.int64]) -> NDArray[np.float64]:
        near = np.full((len(test), len(corpus.classes)), np.inf)
        for at in range(len(corpus.classes)):
            own = train[corpus.label[train] == at]
            if len(own):
                near[:, at] = distance[np.ix_(test, own)].min(axis=1)
        scale = max(float(np.median(near[np.isfinite(near)])), 1e-12)
        weight = np.exp(-(near - near.min(axis=1, keepdims=True)) / scale)
        return np.asarray(weight / weight.sum(axis=1, keepdims=True))

    return predict


def fit_linear(
    features: NDArray[np.float64],
    label: NDArray[np.int64],
    n_classes: int,
    train: NDArray[np.int64],
    test: NDArray[np.int64],
    *,
    c: float,
    is_standardised: bool = True,
) -> NDArray[np.float64]:
    """Logistic regression's probabilities of the test rows, shape (n_test, n_classes); a class that train lacks has 0."""
    from sklearn.linear_model import LogisticRegression

    values = features
    if is_standardised:
        deviation = features[train].std(axis=0)
        values = (features - features[train].mean(axis=0)) / np.where(deviation > 1e-12, deviation, np.inf)
    out = np.zeros((len(test), n_classes))
    there = np.unique(label[train])
    if len(there) == 1:
        out[:, there[0]] = 1.0
        return out
    model = LogisticRegression(C=c, max_iter=500).fit(values[train], label[train])
    out[:, model.classes_] = model.predict_proba(values[test])
    return out


def _linear(corpus: Corpus, features: NDArray[np.float64]) -> Predict:
    def predict(train: NDArray[np.int64], test: NDArray[np.int64]) -> NDArray[np.float64]:
        return fit_linear(features, corpus.label, len(corpus.classes), train, test, c=0.1)

    return predict


class _Bag:
    """A linear model on a bag of motifs, mined from train in each fold, alone or beside other features."""

    C = 30.0  # rows have length 1 and thousands of columns, so the penalty must be light

    def __init__(
        self, corpus: Corpus, phrases: Sequence[Any], beside: NDArray[np.float64] | None = None
    ) -> None:
        self.corpus = corpus
        self.phrases = phrases
        self.beside = beside
        self._sizes: list[int] = []

    @property
    def n_features(self) -> float:
        """Patterns of a vocabulary, mean over folds."""
        return float(np.mean(self._sizes))

    def __call__(self, train: NDArray[np.int64], test: NDArray[np.int64]) -> NDArray[np.float64]:
        bag = cf.MotifBag.mined([self.phrases[i] for i in train])
        self._sizes.append(len(bag))
        features = cf.weighted(bag.rates(self.phrases), train)
        c, is_standardised = self.C, False
        if self.beside is not None:
            # each block with the same total variance, so that thousands of patterns do not drown 159 bins
            blocks = [_scaled(b, train) for b in (self.beside, features)]
            features, c = np.hstack(blocks), self.C
        return fit_linear(
            features, self.corpus.label, len(self.corpus.classes), train, test,
            c=c, is_standardised=is_standardised,
        )  # fmt: skip


class _Degrees:
    def __init__(self, corpus: Corpus, bag: cf.DegreeBag) -> None:
        self.corpus = corpus
        self.bag = bag

    def __call__(self, train: NDArray[np.int64], test: NDArray[np.int64]) -> NDArray[np.float64]:
        rates = self.bag.rates(train)
        self.n_features = float(rates.shape[1])
        features = np.sqrt(rates)  # rows of length 1
        return fit_linear(
            features,
            self.corpus.label,
            len(self.corpus.classes),
            train,
            test,
            c=_Bag.C,
            is_standardised=False,
        )


def _scaled(block: NDArray[np.float64], train: NDArray[np.int64]) -> NDArray[np.float64]:
    centred = block - block[train].mean(axis=0)
    spread = np.sqrt((centred[train] ** 2).sum(axis=1).mean())
    return np.asarray(centred / max(spread, 1e-12))


def _notes(corpus: Corpus, options: MakamOptions, report: MakamReport) -> list[str]:
    """Plain words under the table."""
    f1 = {(r.model, r.hears): r.scores["f1"].value or 0.0 for r in report.rows}
    bags = {hears: v for (model, hears), v in f1.items() if hears.startswith("bag of motifs")}
    best = max(bags, key=lambda name: bags[name])
    notes = [
        f"{report.n_recordings} recordings, {len(corpus.classes)} values of {options.label}, {report.n_groups} groups"
        f" ({' or '.join(options.group_by)} shared); {options.draws} draws of {options.folds} folds."
    ]
    for (model, hears), value in f1.items():
        if (model, hears) == ("1-nn", "pitch classes, no tonic"):
            notes.append(
                f"The motif table carries some {options.label}, little beside pitch: F1 {bags[best]:.2f} ({best}) against"
                f" {value:.2f} of pitch classes without a tonic and {f1['majority', 'nothing']:.2f} of the majority."
                if bags[best] < value
                else f"The motif table carries {options.label}: F1 {bags[best]:.2f} ({best}) against {value:.2f} of pitch"
                " classes without a tonic."
            )
    if ("linear", "pitch classes over the tonic") in f1:
        notes.append(
            f"Where the tonic is known: F1 {f1['linear', 'pitch classes over the tonic']:.2f} of pitch classes,"
            f" {f1['linear', 'pitch classes and motifs']:.2f} with motifs beside them."
        )
    if options.epochs:
        notes.append(f"networks: {options.epochs} epochs, the first draw only")
    if corpus.n_without_label:
        notes.append(
            f"{corpus.n_without_label} recordings have no single value of {options.label} and are left out."
        )
    return notes


def makam_rows(report: MakamReport) -> list[dict[str, Any]]:
    """For people: accuracy and F1 with their intervals, AUC."""
    return [
        {
            "model": row.model,
            "hears": row.hears,
            "tonic": "known" if row.needs_tonic else "-",
            "accuracy": _interval(row.scores["accuracy"]),
            "F1": _interval(row.scores["f1"]),
            "AUC": "-" if row.scores["auc"].value is None else f"{row.scores['auc'].value:.3f}",
        }
        for row in report.rows
    ]


def makam_long(report: MakamReport) -> list[dict[str, Any]]:
    """For programs: a row for each figure."""
    return [
        {
            "model": row.model,
            "hears": row.hears,
            "needs_tonic": row.needs_tonic,
            "metric": metric,
            "value": score.value,
            "low": score.low,
            "high": score.high,
            "n_features": row.n_features,
        }
        for row in report.rows
        for metric, score in row.scores.items()
    ]


def _interval(score: Score) -> str:
    if score.value is None:
        return "-"
    if score.low is None or score.high is None:
        return f"{score.value:.2f}"
    return f"{score.value:.2f} ({score.low:.2f}-{score.high:.2f})"
