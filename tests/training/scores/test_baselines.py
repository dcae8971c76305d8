"""Baselines: the look-up against brute force, the others where their answer is known, statistics against a plain mean."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from motifdb.errors import UsageError
from motifdb.training.inputs.packed import Packed
from motifdb.training.scores.baselines import BASELINES, BaselineResult, baseline_runs, baselines
from motifdb.training.scores.statistics import log_mel_statistics
from motifdb.training.splits.examples import Examples
from tests.reference.metrics import look_up

CLASSES = ("asa", "bel", "cem")


def examples_of(label: list[int], part: list[str], content: list[str]) -> Examples:
    """Clips of whole recordings."""
    n = len(label)
    return Examples(
        tuple(f"clip{i:04d}" for i in range(n)),
        tuple(content),
        np.zeros(n),
        np.ones(n),
        np.array(label, dtype=np.int64),
        CLASSES,
        tuple(f"group{i}" for i in range(n)),
        np.array(part, dtype=np.str_),
    )


def separated(seed: int, spread: float) -> tuple[Examples, NDArray[np.float32]]:
    """Clips of three classes around three points, four fifths of them in train."""
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 3, 150)
    points = rng.normal(0, 1, (3, 6))[label] + spread * rng.normal(0, 1, (150, 6))
    part = ["test" if i % 5 == 0 else "valid" if i % 5 == 1 else "train" for i in range(150)]
    examples = examples_of(label.tolist(), part, [f"recording{i}" for i in range(150)])
    return examples, points.astype(np.float32)


def accuracy(examples: Examples, result: BaselineResult) -> float:
    return float((result.probabilities.argmax(axis=1) == examples.label[result.rows]).mean())


@given(
    st.lists(
        st.tuples(
            st.integers(0, 2), st.sampled_from(["train", "train", "valid", "test"]), st.sampled_from("uvwxyz")
        ),
        min_size=1,
        max_size=25,
    )
)
@settings(max_examples=60, deadline=None)
def test_look_up_agrees_with_reference(clips: list[tuple[int, str, str]]) -> None:
    clips = [(0, "train", "u"), *clips]
    examples = examples_of(*(list(column) for column in zip(*clips, strict=True)))
    (comp,) = baselines(examples, None, names=("look-up",))
    train = [(content, label) for label, part, content in clips if part == "train"]
    ref = look_up(train, [clips[row][2] for row in comp.rows.tolist()], 3)
    assert comp.probabilities.argmax(axis=1).tolist() == ref
    assert comp.probabilities.sum(axis=1) == pytest.approx(1.0, abs=1e-6)


def test_look_up_takes_spans_of_a_recording_apart() -> None:
    examples = examples_of([0, 0, 1, 1], ["train", "train", "train", "test"], ["u", "u", "u", "u"])
    start_s = np.array([0.0, 1.0, 2.0, 2.0])
    spans = Examples(
        examples.clip_id,
        examples.recording_id,
        start_s,
        start_s + 1,
        examples.label,
        CLASSES,
        examples.group,
        examples.part,
    )
    (found,) = baselines(spans, None, names=("look-up",))
    assert found.probabilities.argmax(axis=1).tolist() == [1]
    (of_content,) = baselines(spans, None, names=("look-up",), content=["u"] * 4)
    assert of_content.probabilities.argmax(axis=1).tolist() == [0], "by recording alone, the commonest wins"


def test_majority_is_the_commonest_of_train_only() -> None:
    examples = examples_of([1, 1, 0, 0, 0, 0], ["train"] * 3 + ["test"] * 3, list("uvwxyz"))
    (found,) = baselines(examples, None, names=("majority",))
    assert found.rows.tolist() == [3, 4, 5]
    assert found.probabilities.tolist() == [pytest.approx([1 / 3, 2 / 3, 0.0], abs=1e-6)] * 3


def test_those_that_hear_tell_what_can_be_told_and_no_more() -> None:
    examples, points = separated(1, spread=0.02)
    results = baselines(examples, None, statistics=points)
    assert [r.name for r in results] == list(BASELINES)
    of = {r.name: r for r in results}
    assert accuracy(examples, of["logistic"]) == accuracy(examples, of["1-nn"]) == 1.0
    assert of["logistic"].parameters == 3 * (6 + 1) and of["1-nn"].parameters is None
    noise = np.random.default_rng(2).normal(0, 1, points.shape).astype(np.float32)
    for result in baselines(examples, None, statistics=noise, names=("logistic", "1-nn")):
        assert accuracy(examples, result) < 0.6, result.name
        assert result.probabilities.sum(axis=1) == pytest.approx(1.0, abs=1e-6)


def test_nearest_is_by_standardised_distance() -> None:
    """A column of large numbers that says nothing must not decide."""
    examples, points = separated(3, spread=0.02)
    loud = np.c_[points, 1e4 * np.random.default_rng(4).normal(0, 1, 150)].astype(np.float32)
    silent = np.c_[points, np.full(150, 7.0)].astype(np.float32)
    (of_loud,) = baselines(examples, None, statistics=loud, names=("1-nn",))
    (of_silent,) = baselines(examples, None, statistics=silent, names=("1-nn",))
    assert accuracy(examples, of_loud) > 0.9
    assert accuracy(examples, of_silent) == 1.0, "a column without deviation is left out, not divided by 0"


def test_a_class_that_train_lacks_gets_no_probability() -> None:
    examples, points = separated(5, spread=0.02)
    part = np.where((examples.label == 2) & (examples.part == "train"), "valid", examples.part)
    fewer = examples_of(examples.label.tolist(), part.tolist(), list(examples.recording_id))
    for result in baselines(fewer, None, statistics=points):
        assert (result.probabilities[:, 2] == 0).all(), result.name
    one = examples_of([1] * 150, examples.part.tolist(), list(examples.recording_id))
    for result in baselines(one, None, statistics=points):
        assert (result.probabilities.argmax(axis=1) == 1).all(), result.name


def test_mistakes_are_refused() -> None:
    examples, points = separated(6, spread=0.02)
    with pytest.raises(UsageError, match="did you mean 'logistic'"):
        baselines(examples, None, names=("logistics",), statistics=points)
    nobody = examples_of([0, 1], ["test", "test"], ["u", "v"])
    with pytest.raises(UsageError, match="the part train has no clip"):
        baselines(nobody, None, names=("majority",))


def test_baselines_are_runs_with_the_same_ids_whenever_they_are_made() -> None:
    examples, points = separated(7, spread=0.5)
    made = []
    for cell in ("one", "two"):
        results = baselines(examples, None, statistics=points)
        made.append(
            baseline_runs(
                results, examples, split_id="s", fold=0, label="singer", leak={"leaks": {}}, cell=cell
            )
        )
    assert [r.run_id for r in made[0]] == [r.run_id for r in made[1]]
    assert len({r.run_id for r in made[0]}) == len(BASELINES)
    assert [r.front_end for r in made[0]] == [None, None, "log-mel", "log-mel"]
    figures = made[0][2].metrics["test"]
    assert figures["accuracy"].value == pytest.approx(
        accuracy_of_part(examples, baselines(examples, None, statistics=points, names=("logistic",))[0])
    )


def accuracy_of_part(examples: Examples, result: BaselineResult) -> float:
    is_test = examples.part[result.rows] == "test"
    right = result.probabilities.argmax(axis=1) == examples.label[result.rows]
    return float(right[is_test].mean())


def test_statistics_are_mean_and_deviation_over_a_clips_own_columns() -> None:
    torch = pytest.importorskip("torch")
    from motifdb.training.inputs.frontends import FrontEnd, FrontEndConfig

    rng = np.random.default_rng(8)
    clips = [rng.normal(0, 2000, n).astype(np.int16) for n in (608, 4000, 1600, 4000)]
    clips.append(clips[1].copy())
    comp = log_mel_statistics(Packed.of(clips))
    assert comp.shape == (5, 256) and comp.dtype == np.float32
    front_end = FrontEnd(FrontEndConfig(standardise=False))
    for clip, vector in zip(clips, comp, strict=True):
        samples = torch.from_numpy(clip.astype(np.float32) / 32768)[None]
        features, _ = front_end(samples, torch.tensor([clip.size]))
        alone = features[0].numpy().astype(np.float64)
        assert vector == pytest.approx(np.r_[alone.mean(axis=1), alone.std(axis=1)], abs=1e-4)
    assert (comp[1] == comp[4]).all(), "equal contents, equal vectors"
    chosen = log_mel_statistics(Packed.of(clips[::-1]), np.array([4, 0]))
    assert (chosen == comp[[0, 4]]).all(), "from memory, whatever set they are in"
