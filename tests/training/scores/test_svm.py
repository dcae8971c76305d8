"""The support vector machine: it learns what a line cannot, answers as scikit-learn's does, and leaves test alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from motifdb.errors import UsageError
from motifdb.training.scores.svm import CS, svm
from motifdb.training.splits.examples import Examples

pytest.importorskip("sklearn", reason="scikit-learn is not installed; pip install 'motifdb[train]'")


def rings(n: int = 240, n_classes: int = 2) -> tuple[Examples, np.ndarray]:
    """Classes as rings around one another, which no line divides."""
    rng = np.random.default_rng(0)
    label = np.arange(n) % n_classes
    angle, radius = rng.uniform(0, 2 * np.pi, n), 1.0 + 2.0 * label + rng.normal(0, 0.15, n)
    vectors = np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1).astype(np.float32)
    part = np.array(["train", "train", "valid", "test"])[(np.arange(n) // n_classes) % 4]
    ids = tuple(f"{i:04}" for i in range(n))
    group = tuple(f"g{i // n_classes // 4}" for i in range(n))
    classes = tuple("abc"[:n_classes])
    return Examples(ids, ids, np.zeros(n), np.ones(n), label, classes, group, part), vectors


@pytest.mark.parametrize("n_classes", [2, 3])
def test_rings_are_learnt(n_classes: int) -> None:
    from sklearn.svm import SVC

    examples, vectors = rings(n_classes=n_classes)
    result, known = svm(examples, vectors)
    rows, train = result.rows, examples.rows("train")
    assert [str(examples.part[i]) for i in rows] == ["valid"] * 60 + ["test"] * 60
    np.testing.assert_allclose(result.probabilities.sum(1), 1, rtol=1e-5)
    assert (result.probabilities.argmax(1) == examples.label[rows]).mean() > 0.95
    assert known.shape == (len(train), n_classes) and (known.argmax(1) == examples.label[train]).mean() > 0.95
    # the answer is that of the library's machine with the same C
    mean, deviation = vectors[train].mean(0, dtype=float), vectors[train].std(0, dtype=float)
    scaled = (vectors - mean) / deviation
    plain = SVC(C=result.settings["C"]).fit(scaled[train], examples.label[train])
    assert (plain.predict(scaled[rows]) == result.probabilities.argmax(1)).all()
    assert result.settings["C"] in CS


def test_posteriors_are_sure_where_it_is_right() -> None:
    examples, vectors = rings()
    result, _ = svm(examples, vectors)
    test = result.probabilities[60:]
    truth = examples.label[result.rows[60:]]
    loss = -np.log(test[np.arange(60), truth]).mean()
    assert loss < 0.3 < np.log(2)


def test_without_valid_groups_of_train_choose_and_test_is_never_looked_at() -> None:
    examples, vectors = rings()
    examples = replace(examples, part=np.where(examples.part == "valid", "train", examples.part))
    result, _ = svm(examples, vectors)
    assert (
        len(result.rows) == 60
        and (result.probabilities.argmax(1) == examples.label[result.rows]).mean() > 0.9
    )
    others = examples.label.copy()
    others[examples.rows("test")] = 1 - others[examples.rows("test")]
    again, _ = svm(replace(examples, label=others), vectors)
    np.testing.assert_array_equal(again.probabilities, result.probabilities)


def test_at_most_so_many_clips_are_fitted() -> None:
    examples, vectors = rings()
    result, _ = svm(examples, vectors, most=20)
    assert result.settings["clips_at_most"] == 20
    assert result.parameters is not None and result.parameters <= 20 * 3 + 1


def test_sentences() -> None:
    examples, vectors = rings()
    with pytest.raises(UsageError, match="240 clips need a vector each, got 239"):
        svm(examples, vectors[1:])
    with pytest.raises(UsageError, match="needs two classes in train"):
        svm(replace(examples, label=np.zeros(240, np.int64)), vectors)
