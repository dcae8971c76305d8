"""Figures against plain loops and scikit-learn, intervals against chance, and what is not defined."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from motifdb.errors import UsageError
from motifdb.training.scores.metrics import (
    METRICS,
    Score,
    Tally,
    calibration_error,
    confusion,
    group_draws,
    predicted_classes,
    sampled,
    scores,
)
from tests.reference.metrics import figures as plain_figures

Predicted = tuple[list[int], NDArray[np.float32], list[str]]


@st.composite
def predicted(draw: st.DrawFn) -> Predicted:
    """Classes, probabilities (coarse, so that many are equal) and groups of a few clips."""
    n_classes, n = draw(st.integers(2, 4)), draw(st.integers(1, 12))
    truth = draw(st.lists(st.integers(0, n_classes - 1), min_size=n, max_size=n))
    rows = st.lists(st.integers(0, 4), min_size=n_classes, max_size=n_classes)
    counts = np.array(draw(st.lists(rows, min_size=n, max_size=n)), dtype=np.float64) + 1e-9
    groups = draw(st.lists(st.sampled_from("abcd"), min_size=n, max_size=n))
    return truth, (counts / counts.sum(axis=1, keepdims=True)).astype(np.float32), groups


@given(predicted(), st.sampled_from(["present", "all"]))
@settings(max_examples=60, deadline=None)
def test_figures_agree_with_reference(clips: Predicted, over: str) -> None:
    truth, probabilities, groups = clips
    ref = plain_figures(truth, probabilities.astype(float).tolist(), over=over)
    comp = scores(np.array(truth), probabilities, groups, n_bootstrap=0, over=over)
    assert list(comp) == list(METRICS)
    for name in METRICS:
        value = comp[name].value
        assert (value is None) == (ref[name] is None), name
        assert value is None or value == pytest.approx(ref[name], abs=1e-9), name


@given(predicted(), st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_figures_of_a_draw_are_those_of_the_clips_repeated(clips: Predicted, seed: int) -> None:
    truth, probabilities, groups = clips
    tally = Tally.of(np.array(truth), probabilities, groups)
    (weights,) = group_draws(tally.n_groups, 3, seed, most=3)
    comp = tally.figures(weights)
    for draw in range(3):
        n_times = dict(zip(tally.names, weights[draw].tolist(), strict=True))
        ref = plain_figures(truth, probabilities.astype(float).tolist(), [n_times[g] for g in groups])
        for name in METRICS:
            value = ref[name]
            assert comp[name][draw] == pytest.approx(
                np.nan if value is None else value, abs=1e-9, nan_ok=True
            )


def test_figures_agree_with_scikit_learn() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(4)
    truth = rng.integers(0, 5, 400)
    given_ = rng.dirichlet(np.ones(5), 400).astype(np.float32)
    given_[np.arange(400), truth] += 0.3
    given_ /= given_.sum(axis=1, keepdims=True)
    said = given_.argmax(axis=1)
    ours = {
        name: s.value
        for name, s in scores(truth, given_, [str(i) for i in range(400)], n_bootstrap=0).items()
    }
    exact = given_.astype(np.float64)
    theirs = {
        "accuracy": metrics.accuracy_score(truth, said),
        "balanced_accuracy": metrics.balanced_accuracy_score(truth, said),
        "auc": metrics.roc_auc_score(truth, exact / exact.sum(axis=1, keepdims=True), multi_class="ovr"),
        "precision": metrics.precision_score(truth, said, average="macro"),
        "recall": metrics.recall_score(truth, said, average="macro"),
        "f1": metrics.f1_score(truth, said, average="macro"),
    }
    assert {name: ours[name] for name in theirs} == pytest.approx(theirs, abs=2e-6)


def test_frozen_figures_with_intervals() -> None:
    truth = np.array([0, 0, 0, 1, 1, 2, 2, 2])
    rows = [[6, 3, 1], [5, 4, 1], [2, 7, 1], [3, 6, 1], [6, 3, 1], [1, 1, 8], [4, 1, 5], [3, 4, 3]]
    found = scores(truth, np.array(rows) / 10, ["a", "a", "b", "c", "d", "e", "e", "f"], seed=3)
    for name, expected in FROZEN.items():
        assert (found[name].value, found[name].low, found[name].high) == pytest.approx(expected, abs=1e-6), (
            name
        )


FROZEN = {
    "accuracy": (5 / 8, 0.166667, 0.909091),
    "balanced_accuracy": ((2 / 3 + 1 / 2 + 2 / 3) / 3, 0.124653, 0.944444),
    "auc": (0.752778, 0.221230, 1.0),
    "precision": ((2 / 3 + 1 / 3 + 1) / 3, 0.081250, 1.0),
    "recall": ((2 / 3 + 1 / 2 + 2 / 3) / 3, 0.124653, 0.944444),
    "f1": ((2 / 3 + 2 / 5 + 4 / 5) / 3, 0.095238, 0.903571),
    "f1_of_means": (0.637681, 0.095238, 0.913415),
    "loss": (0.831059, 0.566764, 1.223603),
}
"""Values from the table of classes by hand; intervals as they came out first."""


def test_what_is_not_defined_is_none() -> None:
    nobody = scores(np.zeros(0, np.int64), np.zeros((0, 3)), [])
    assert set(nobody.values()) == {Score(None)}
    one = scores(np.array([1, 1]), np.array([[0.2, 0.8], [0.6, 0.4]]), ["a", "b"])
    assert [name for name, s in one.items() if s.value is None] == ["auc", "precision", "f1", "f1_of_means"]
    assert one["auc"] == Score(None) and one["accuracy"].value == 0.5
    absent = scores(np.array([0, 1]), np.array([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1]]), ["a", "b"], over="all")
    assert absent["auc"].value is None and absent["f1"].value == pytest.approx(2 / 3)
    sure = scores(np.array([0, 1]), np.array([[1.0, 0.0], [1.0, 0.0]]), ["a", "b"])
    assert sure["loss"] == Score(None), "a true class that was given probability 0"
    alone = scores(np.array([0, 1]), np.array([[0.9, 0.1], [0.4, 0.6]]), ["a", "a"])
    assert alone["accuracy"] == Score(1.0), "one group has no interval"


def test_mistakes_are_refused() -> None:
    half = np.full((2, 2), 0.5)
    with pytest.raises(UsageError, match="do not fit together"):
        scores(np.array([0]), half, ["a"])
    with pytest.raises(UsageError, match="clip 1 are no numbers"):
        scores(np.array([0, 1]), np.array([[0.5, 0.5], [np.nan, 0.5]]), ["a", "b"])
    with pytest.raises(UsageError, match="did you mean 'present'"):
        scores(np.array([0, 1]), half, ["a", "b"], over="presen")


def test_draws_do_not_depend_on_how_many_are_made_at_a_time() -> None:
    whole = np.concatenate(list(group_draws(5, 20, 1, most=20)))
    assert (np.concatenate(list(group_draws(5, 20, 1, most=3))) == whole).all()
    assert whole.shape == (20, 5) and (whole.sum(axis=1) == 5).all()


def test_intervals_cover_the_truth_where_groups_are_many() -> None:
    """Accuracy of clips whose groups are right or wrong together: clips alone would give intervals far too narrow."""
    rng = np.random.default_rng(5)
    n_groups, n_each, share = 30, 6, 0.7
    covered = {"groups": 0, "clips": 0}
    n_trials = 80
    for trial in range(n_trials):
        is_right = np.repeat(rng.random(n_groups) < share, n_each)
        truth = rng.integers(0, 2, is_right.size)
        said = np.where(is_right, truth, 1 - truth)
        names = {
            "groups": [str(i // n_each) for i in range(is_right.size)],
            "clips": [str(i) for i in range(is_right.size)],
        }
        for kind, groups in names.items():
            found: dict[str, Any] = sampled(Tally.of(truth, np.eye(2)[said], groups), 100, trial)
            low, high = np.quantile(found["accuracy"], (0.025, 0.975))
            covered[kind] += int(low <= share <= high)
    assert 0.85 <= covered["groups"] / n_trials <= 0.99
    assert covered["clips"] / n_trials < 0.75


def test_predicted_is_the_first_of_equals_as_stored() -> None:
    nearly = np.array([[0.5, 0.5 + 1e-12], [0.2, 0.8]])
    assert predicted_classes(nearly).tolist() == [0, 1], "float32 holds the first two as equal"
    assert confusion(np.array([0, 1]), predicted_classes(nearly), 3).tolist() == [
        [1, 0, 0],
        [0, 1, 0],
        [0, 0, 0],
    ]


def test_calibration_error() -> None:
    right = np.array([[0.75, 0.25]] * 4)
    assert calibration_error(np.array([0, 0, 0, 1]), right) == pytest.approx(0.0, abs=1e-7)
    assert calibration_error(np.array([1, 1, 1, 1]), right) == pytest.approx(0.75)
    assert calibration_error(np.zeros(0, np.int64), np.zeros((0, 2))) is None
