"""Recordings judged by the mean posterior of their clips."""

from __future__ import annotations

import numpy as np
import pytest

from motifdb.training.scores.by_recording import PREFIX, of_recordings, recording_scores
from motifdb.training.scores.runs import Predictions


def said(label: list[int], recording: list[str], part: list[str], first: list[float]) -> Predictions:
    probabilities = np.array([[p, 1 - p] for p in first], np.float32)
    ids = tuple(f"clip {i}" for i in range(len(label)))
    return Predictions(ids, tuple(part), tuple(recording), np.array(label), probabilities, ("a", "b"))


def test_the_mean_posterior_decides() -> None:
    # two clips of r say b faintly, one says a firmly: most clips are wrong, the recording is right
    given = said([0, 0, 0, 1, 1], ["r", "r", "r", "s", "s"], ["test"] * 5, [0.45, 0.45, 0.95, 0.4, 0.3])
    found = of_recordings(given, given.group)
    assert found is not None and found.clip_id == ("r", "s")
    np.testing.assert_allclose(found.probabilities[:, 0], [1.85 / 3, 0.35], rtol=1e-6)
    assert found.predicted.tolist() == [0, 1]
    scores = recording_scores(given, dict(zip(given.clip_id, given.group, strict=True)))
    assert scores["test"][f"{PREFIX}accuracy"].value == 1.0
    assert given.scores(n_bootstrap=0)["test"]["accuracy"].value == pytest.approx(0.6)


def test_parts_are_judged_apart() -> None:
    given = said([0, 0, 0, 1], ["r", "r", "r", "s"], ["valid", "valid", "test", "test"], [0.9, 0.8, 0.1, 0.7])
    found = recording_scores(given, dict(zip(given.clip_id, given.group, strict=True)))
    assert found["valid"][f"{PREFIX}accuracy"].value == 1.0
    assert found["test"][f"{PREFIX}accuracy"].value == 0.0


def test_nothing_is_said_where_it_would_say_nothing() -> None:
    one_each = said([0, 1], ["r", "s"], ["test"] * 2, [0.9, 0.1])
    assert of_recordings(one_each, one_each.group) is None
    of_both = said([0, 1, 1], ["r", "r", "s"], ["test"] * 3, [0.9, 0.1, 0.1])
    assert recording_scores(of_both, dict(zip(of_both.clip_id, of_both.group, strict=True))) == {}
