"""What is beside every run, under the same split: how far one comes without learning, by memory, and by a line.

- ``majority``: the commonest class of train, whatever the clip. Its probabilities are the classes' shares in train.
- ``look-up``: the label that an identical clip (same content, same span) has in train, of several the commonest; where there is
  none, the majority. Its score above majority is what exact copies alone are worth.
- ``logistic``: logistic regression on the standardised mean and deviation of the log-mel (`motifdb.training.scores.statistics`), C = 0.1,
  no weights of classes. On held-out sources this is the figure that a network has to beat.
- ``1-nn``: the class of the nearest clip of train on the same vectors (Euclid). Where train holds overlapping copies it finds them.

Nothing here looks at the part valid but to predict it, so baselines and networks learn from the same clips.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from motifdb.errors import UsageError, nearest
from motifdb.training.extras import need
from motifdb.training.inputs.packed import Packed
from motifdb.training.scores.by_recording import recording_scores, recordings_of
from motifdb.training.scores.runs import Predictions, RunResult

if TYPE_CHECKING:
    from motifdb.training.splits.examples import Examples

BASELINES = ("majority", "look-up", "logistic", "1-nn")
"""Every baseline, in the order of tables."""

OF_SOUND = ("logistic", "1-nn")
"""Those that hear anything; the others know labels and ids only."""

C = 0.1
MAX_ITERATIONS = 1000
_PRIOR = 1e-3  # of a clip, in the look-up: equal counts are decided by which class is commoner in train


@dataclass(frozen=True, eq=False)
class BaselineResult:
    """A baseline on one fold.

    Attributes
    ----------
    name : of `BASELINES`
    rows : int64, rows of the examples that are predicted: those of valid, then test
    probabilities : float32, shape (n_rows, n_classes)
    parameters : trained numbers; None where nothing is trained
    settings : what was chosen, for the configuration of a run
    """

    name: str
    rows: NDArray[np.int64]
    probabilities: NDArray[np.float32]
    parameters: int | None
    settings: dict[str, Any]
    wall_s: float
    cpu_s: float


def baselines(
    examples: Examples,
    packed: Packed | None,
    *,
    names: Sequence[str] = BASELINES,
    statistics: NDArray[np.float32] | None = None,
    content: Sequence[object] | None = None,
    seed: int = 0,
) -> list[BaselineResult]:
    """Fit every baseline on train and predict valid and test.

    Parameters
    ----------
    examples : one fold
    packed : sound of every row; None where `statistics` are given or no baseline in `names` hears
    names : which
    statistics : float, shape (n_rows, n_features), in the place of the log-mel's mean and deviation
    content : what the look-up compares, one a row; default recording and span
    seed : of the fit (nothing is drawn by the solvers in use)

    Raises
    ------
    UsageError
        for an unknown name, an empty part train, or one class in it where a baseline has to tell classes apart.
    MissingExtraError
        where scikit-learn is not installed.
    """
    for name in names:
        if name not in BASELINES:
            raise UsageError(f"there is no baseline {name!r}; {nearest(name, BASELINES)}")
    train = np.asarray(examples.rows("train"))
    if train.size == 0:
        raise UsageError("the part train has no clip, so nothing can be learnt; choose another split")
    rows = np.concatenate([examples.rows("valid"), examples.rows("test")]).astype(np.int64)
    prepare_s = (time.perf_counter(), time.process_time())
    if statistics is None and set(names) & set(OF_SOUND):
        from motifdb.training.scores.statistics import log_mel_statistics

        assert packed is not None
        statistics = log_mel_statistics(packed)
    prepare_s = (time.perf_counter() - prepare_s[0], time.process_time() - prepare_s[1])
    found = []
    for name in names:
        started = time.perf_counter(), time.process_time()
        parameters = None
        settings: dict[str, Any] = {}
        if name == "majority":
            probabilities = np.tile(_shares(examples, train), (rows.size, 1))
        elif name == "look-up":
            probabilities = _look_up(examples, train, rows, content)
        else:
            assert statistics is not None
            learn = _logistic if name == "logistic" else _nearest_neighbour
            probabilities, parameters = learn(examples, train, rows, statistics, seed)
            settings = {"C": C} if name == "logistic" else {"neighbours": 1}
        spent = [b - a for a, b in zip(started, (time.perf_counter(), time.process_time()), strict=True)]
        if name in OF_SOUND:
            spent = [own + shared for own, shared in zip(spent, prepare_s, strict=True)]
        found.append(
            BaselineResult(name, rows, probabilities.astype(np.float32), parameters, settings, *spent)
        )
    return found


def baseline_runs(
    results: Sequence[BaselineResult],
    examples: Examples,
    *,
    split_id: str,
    fold: int,
    label: str,
    leak: dict[str, Any],
    front_end: str | None = "log-mel",
    experiment: str | None = None,
    cell: str | None = None,
    settings: dict[str, Any] | None = None,
) -> list[RunResult]:
    """Baselines as runs, ready to be stored beside the network's.

    Parameters
    ----------
    front_end : what the ones that hear stand on; with `settings`, further parameters of it, part of the id
    """
    runs = []
    for result in results:
        heard = front_end if result.name in OF_SOUND else None
        config = {"recipe": result.name, "label": label, "model": result.name, "front_end": heard}
        config |= result.settings | ((settings or {}) if heard else {})
        predictions = Predictions.of(examples, result.rows, result.probabilities)
        runs.append(
            RunResult(
                recipe=result.name,
                model=result.name,
                split_id=split_id,
                fold=fold,
                seed=0,
                label=label,
                classes=tuple(examples.classes),
                config=config,
                leak=leak,
                front_end=heard,
                predictions=predictions,
                further=recording_scores(predictions, recordings_of(examples)),
                experiment=experiment,
                cell=cell,
                parameters=result.parameters,
                wall_s=result.wall_s,
                cpu_s=result.cpu_s,
            )
        )
    return runs


def _shares(examples: Examples, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """Share of each class among some rows."""
    counts = np.bincount(np.asarray(examples.label)[rows], minlength=len(examples.classes))
    return np.asarray(counts / counts.sum(), dtype=np.float64)


def _look_up(
    examples: Examples,
    train: NDArray[np.int64],
    rows: NDArray[np.int64],
    content: Sequence[object] | None,
) -> NDArray[np.float64]:
    keys = content
    if keys is None:
        spans = zip(examples.start_s, examples.end_s, strict=True)
        keys = [(r, float(s), float(e)) for r, (s, e) in zip(examples.recording_id, spans, strict=True)]
    shares = _shares(examples, train)
    seen: dict[object, NDArray[np.float64]] = {}
    for row in train:
        counts = seen.setdefault(keys[row], _PRIOR * shares)
        counts[int(examples.label[row])] += 1.0
    found = (
        np.stack([seen.get(keys[row], shares) for row in rows]) if rows.size else np.zeros((0, shares.size))
    )
    return np.asarray(found / found.sum(axis=1, keepdims=True), dtype=np.float64)


def _logistic(
    examples: Examples,
    train: NDArray[np.int64],
    rows: NDArray[np.int64],
    statistics: NDArray[np.float32],
    seed: int,
) -> tuple[NDArray[np.float64], int]:
    linear = _sklearn("linear_model").LogisticRegression(C=C, max_iter=MAX_ITERATIONS, random_state=seed)
    features = _standardised(statistics, train)
    label = np.asarray(examples.label)[train]
    probabilities = np.zeros((rows.size, len(examples.classes)))
    if np.unique(label).size == 1:  # a line needs two sides; with one class there is nothing to learn
        probabilities[:, int(label[0])] = 1.0
        return probabilities, 0
    with _one_thread():
        linear.fit(features[train], label)
        if rows.size:
            # A class of the split that train lacks cannot be predicted: probability 0.
            probabilities[:, linear.classes_] = linear.predict_proba(features[rows])
    return probabilities, int(linear.coef_.size + linear.intercept_.size)


def _nearest_neighbour(
    examples: Examples,
    train: NDArray[np.int64],
    rows: NDArray[np.int64],
    statistics: NDArray[np.float32],
    seed: int,
) -> tuple[NDArray[np.float64], None]:
    features = _standardised(statistics, train)
    probabilities = np.zeros((rows.size, len(examples.classes)))
    if rows.size:
        with _one_thread():
            nearest_at = _sklearn("metrics").pairwise_distances_argmin(features[rows], features[train])
        probabilities[np.arange(rows.size), np.asarray(examples.label)[train][nearest_at]] = 1.0
    return probabilities, None


def _standardised(statistics: NDArray[np.float32], train: NDArray[np.int64]) -> NDArray[np.float64]:
    """Each column by its mean and deviation over train; one that never varies there becomes 0."""
    values = np.asarray(statistics, dtype=np.float64)
    mean, deviation = values[train].mean(axis=0), values[train].std(axis=0)
    return np.asarray((values - mean) / np.where(deviation > 0, deviation, np.inf), dtype=np.float64)


def _one_thread() -> AbstractContextManager[Any]:
    """Products this small cost ten times the processor time on two threads, which mostly wait for each other."""
    pools = importlib.import_module("threadpoolctl")  # comes with scikit-learn
    limited: AbstractContextManager[Any] = pools.threadpool_limits(limits=1)
    return limited


def _sklearn(module: str) -> Any:
    need("sklearn")
    return importlib.import_module(f"sklearn.{module}")
