"""The baseline of damp-2018: a support vector machine on a hand-crafted vector of each clip.

Kernel and C are not said there. Here: a radial kernel of scikit-learn's scaled width, and the C with the most right answers on the part
valid (on a quarter of train's groups where there is no such part). Its decision values become posteriors through a softmax whose
temperature is fitted on the same clips, so that the class with the highest posterior is the machine's own answer (votes among pairs of
classes; of equal votes the one with the larger margins).
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from motifdb.errors import UsageError
from motifdb.training.scores.baselines import BaselineResult, _one_thread, _sklearn, _standardised

if TYPE_CHECKING:
    from motifdb.training.splits.examples import Examples

CS = (0.1, 1.0, 10.0, 100.0)
MOST = 10_000
"""Clips that are fitted at most: the solver's time grows with their square, and clips of one recording are much alike."""


def svm(
    examples: Examples, vectors: NDArray[np.floating[Any]], *, seed: int = 0, most: int = MOST
) -> tuple[BaselineResult, NDArray[np.float32]]:
    """Fit on train, choose C on valid, answer valid and test.

    Parameters
    ----------
    vectors : float, shape (n_rows, n_features), a row for each example
    most : clips of train that are fitted at most, drawn by `seed`

    Returns
    -------
    The result under the name ``svm``, and float32 (n_train, n_classes), what it says about the whole part train.

    Raises
    ------
    UsageError
        for vectors of other clips, or fewer than two classes in train.
    MissingExtraError
        where scikit-learn is not installed.
    """
    began = time.perf_counter(), time.process_time()
    if len(vectors) != len(examples):
        raise UsageError(f"{len(examples)} clips need a vector each, got {len(vectors)}")
    train, label = examples.rows("train"), np.asarray(examples.label)
    if np.unique(label[train]).size < 2:
        raise UsageError("a support vector machine needs two classes in train; choose another split")
    rng = np.random.default_rng([seed, 46])
    fitted = train if len(train) <= most else np.sort(rng.permutation(train)[:most])
    features = _standardised(np.asarray(vectors, np.float32), train)
    inner, held = fitted, examples.rows("valid")
    if not len(held):
        inner, held = _inner(examples, fitted, rng)
    with _one_thread():
        tried = [_machine(C).fit(features[inner], label[inner]) for C in CS]
        right = [float((m.predict(features[held]) == label[held]).mean()) for m in tried]
        at = int(np.argmax(right))  # of equals the smallest, which is the smoothest
        temperature = _temperature(_values(tried[at], features[held], len(examples.classes)), label[held])
        same = inner is fitted
        machine = tried[at] if same else _machine(CS[at]).fit(features[fitted], label[fitted])
        rows = np.concatenate([examples.rows("valid"), examples.rows("test")]).astype(np.int64)
        said, known = (
            _softmax(_values(machine, features[some], len(examples.classes)) * temperature)
            for some in (rows, train)
        )
    settings = {"kernel": "rbf", "gamma": "scale", "Cs": list(CS), "C": CS[at], "clips_at_most": most}
    n_numbers = int(machine.dual_coef_.size + machine.support_vectors_.size + machine.intercept_.size)
    spent = time.perf_counter() - began[0], time.process_time() - began[1]
    return BaselineResult("svm", rows, said, n_numbers, settings, *spent), known


def _machine(C: float) -> Any:
    return _sklearn("svm").SVC(C=C, kernel="rbf", gamma="scale", decision_function_shape="ovr")


def _inner(
    examples: Examples, rows: NDArray[np.int64], rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Train's clips in two: a quarter of the groups to choose by, and the rest."""
    groups = np.array([examples.group[i] for i in rows.tolist()])
    names = rng.permutation(np.unique(groups))
    is_held = np.isin(groups, names[: max(1, len(names) // 4)])
    label = np.asarray(examples.label)[rows]
    if len(names) < 2 or np.unique(label[~is_held]).size < 2:
        return rows, rows
    return rows[~is_held], rows[is_held]


def _values(machine: Any, features: NDArray[np.float64], n_classes: int) -> NDArray[np.float64]:
    """Decision values [n, n_classes], the greatest the machine's answer; a class that train lacks is never it."""
    out = np.full((len(features), n_classes), -np.inf)
    if not len(features):
        return out
    values = machine.decision_function(features)
    if values.ndim == 1:  # two classes: one value, above zero for the second
        values = np.stack([-values, values], 1)
    out[:, machine.classes_] = values
    return out


def _softmax(values: NDArray[np.float64]) -> NDArray[np.float32]:
    if not values.size:
        return values.astype(np.float32)
    raised = np.exp(values - values.max(1, keepdims=True))
    return np.asarray(raised / raised.sum(1, keepdims=True), np.float32)


def _temperature(values: NDArray[np.float64], label: NDArray[np.int64]) -> float:
    """The factor on decision values with the least mean cross-entropy, between 0.05 and 20."""
    from scipy.optimize import minimize_scalar

    def loss(log_factor: float) -> float:
        said = _softmax(values * np.exp(log_factor)).astype(np.float64)
        return float(-np.log(np.maximum(said[np.arange(len(label)), label], 1e-12)).mean())

    found = minimize_scalar(loss, bounds=(np.log(0.05), np.log(20.0)), method="bounded")
    return float(np.exp(found.x))
