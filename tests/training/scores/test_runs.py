"""Runs: stored, found by what people call them, evaluated again to the same figures, compared in pairs, drawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from motifdb.catalog.store import Changes, Snapshot, open_writer
from motifdb.cli import app
from motifdb.errors import NotFoundError, UsageError
from motifdb.pipelines.committer import Committer
from motifdb.pipelines.known import Known
from motifdb.query.check import check
from motifdb.query.database import Database
from motifdb.training.scores.baselines import baseline_runs, baselines
from motifdb.training.scores.compare_runs import _difference, compare_runs, differences_table
from motifdb.training.scores.draw_run import learning_curves
from motifdb.training.scores.evaluate import (
    classes_table,
    confusion_table,
    evaluate_run,
    figures_table,
    heading,
    mean_table,
)
from motifdb.training.scores.runs import (
    Predictions,
    RunResult,
    find_run,
    leak_of,
    run_id,
    runs_meant,
    store_run,
    stored_predictions,
    stored_run,
    stored_scores,
)
from motifdb.training.splits.examples import load_examples
from motifdb.training.splits.leaks import leak_report
from tests.training.small import Small, make_small

CONFIG = {"recipe": {"name": "tiny", "epochs": 4}, "label": "singer"}


def guess(small: Small, fold: int, seed: int, weight: float, **changes: Any) -> RunResult:
    """A run whose probabilities lean to the truth by `weight`."""
    snapshot = small.snapshot
    examples = load_examples(snapshot, small.split_id, fold)
    rows = np.r_[examples.rows("valid"), examples.rows("test")]
    rng = np.random.default_rng(100 * fold + seed)
    probabilities = rng.dirichlet(np.ones(len(examples.classes)), rows.size)
    probabilities[np.arange(rows.size), examples.label[rows]] += weight
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    epochs = [
        {
            "epoch": i,
            "train_loss": 1.0 / i,
            "train_accuracy": 1 - 0.5 / i,
            "valid_loss": 1.2 / i,
            "valid_accuracy": 1 - 0.6 / i,
            "learning_rate": 1e-3,
            "clips": 16,
            "wall_s": 1.0,
            "wait_s": 0.1,
        }
        for i in (1, 2, 3)
    ]
    settings: dict[str, Any] = {
        "recipe": "tiny",
        "model": "crnn",
        "config": CONFIG,
        "predictions": Predictions.of(examples, rows, probabilities),
        "epochs": epochs,
        "best_epoch": 3,
    }
    return RunResult(
        split_id=small.split_id,
        fold=fold,
        seed=seed,
        label="singer",
        classes=examples.classes,
        leak=leak_report(snapshot, small.split_id, fold).to_json(),
        front_end="log-mel",
        **(settings | changes),
    )


def failed(result: RunResult, seed: int) -> RunResult:
    reason = "the loss is no number in epoch 2"
    return replace(result, seed=seed, state="failed", reason=reason, predictions=None, epochs=())


def store(path: Path, *results: RunResult) -> None:
    with open_writer(path) as writer:
        committer = Committer(writer, Known.of(writer.snapshot))
        store_run(committer, *results)
        committer.flush("runs")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Small:
    """Two seeds of a recipe that guesses well and one of a poor one on two folds, baselines, and a run that failed."""
    made = make_small(tmp_path_factory.mktemp("runs"))
    results = [guess(made, fold, seed, 2.0) for fold in (0, 1) for seed in (0, 1)]
    poor = {"recipe": "poor", "config": {"recipe": {"name": "poor"}, "label": "singer"}, "cell": "poor cell"}
    results += [guess(made, fold, 7, 0.1, **poor) for fold in (0, 1)]
    results.append(failed(results[0], 5))
    for fold in (0, 1):
        examples = load_examples(made.snapshot, made.split_id, fold)
        found = baselines(examples, None, names=("majority", "look-up"))
        leak = leak_report(made.snapshot, made.split_id, fold).to_json()
        results += baseline_runs(
            found, examples, split_id=made.split_id, fold=fold, label="singer", leak=leak
        )
    store(made.path, *results)
    return made


@pytest.fixture(scope="module")
def snapshot(small: Small) -> Snapshot:
    return small.snapshot


def ids(rows: list[dict[str, Any]]) -> list[str]:
    return [row["run_id"] for row in rows]


def test_an_id_follows_from_configuration_split_fold_and_seed() -> None:
    first = run_id({"a": 1, "b": 2}, "split", 0, 0)
    assert first == run_id({"b": 2, "a": 1}, "split", 0, 0)
    others = [run_id({"a": 1}, "split", 0, 0), run_id({"a": 1, "b": 2}, "other", 0, 0)]
    others += [run_id({"a": 1, "b": 2}, "split", 1, 0), run_id({"a": 1, "b": 2}, "split", 0, 1)]
    assert len({first, *others}) == 5


def test_what_is_stored_comes_back_and_a_second_time_takes_its_place(small: Small, tmp_path: Path) -> None:
    own = make_small(tmp_path)
    result = guess(own, 0, 0, 2.0)
    store(own.path, result, guess(own, 0, 1, 2.0))
    better = replace(result, predictions=guess(own, 0, 0, 5.0).predictions, epochs=result.epochs[:2])
    store(own.path, better)
    after = own.snapshot
    assert [after.count(t) for t in ("runs", "epochs")] == [2, 5]
    assert after.count("predictions") == 2 * len(better.predictions or ())
    row = find_run(after, result.run_id)
    assert row["epochs"] == 2 and leak_of(row)["split_id"] == own.split_id
    assert stored_scores(after, [result.run_id]) == {result.run_id: better.metrics}
    back, there = stored_predictions(after, row), better.predictions
    assert there is not None and (back.probabilities == there.probabilities).all()
    assert (back.clip_id, back.part, back.group, back.classes) == (
        there.clip_id,
        there.part,
        there.group,
        there.classes,
    )
    assert (back.label == there.label).all()
    assert list(check(after)) == [], "the rules of `motifdb check` hold"
    assert stored_run(after, "0" * 20) is None


def test_runs_are_found_by_id_recipe_and_cell(small: Small, snapshot: Snapshot) -> None:
    first = guess(small, 0, 0, 2.0).run_id
    assert ids(runs_meant(snapshot, first[:10])) == [first]
    tiny = runs_meant(snapshot, "tiny")
    assert [(row["fold"], row["seed"]) for row in tiny] == [(0, 0), (0, 1), (1, 0), (1, 1)], (
        "not the failed one"
    )
    assert ids(runs_meant(snapshot, "poor cell")) == ids(runs_meant(snapshot, "poor"))
    assert ids(runs_meant(snapshot, "tiny", small.split_id[:6])) == ids(tiny)


MISTAKES: Mapping[str, tuple[type[Exception], str]] = {
    "majorty": (NotFoundError, "there is no run 'majorty'; did you mean 'majority'"),
    "zzzzzzzz": (NotFoundError, "there are runs of look-up, majority, poor, tiny"),
    "": (NotFoundError, "there is no run ''"),
    "tiny": (UsageError, "'tiny' has 4 runs here; name one by its id"),
}


@pytest.mark.parametrize("text", MISTAKES)
def test_mistaken_names_are_answered(snapshot: Snapshot, text: str) -> None:
    kind, words = MISTAKES[text]
    with pytest.raises(kind, match=words):
        find_run(snapshot, text)


def test_other_mistakes(small: Small, snapshot: Snapshot, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="there is no run of split 'ffff' here"):
        runs_meant(snapshot, "tiny", "ffff")
    lost = find_run(snapshot, failed(guess(small, 0, 0, 2.0), 5).run_id)
    with pytest.raises(UsageError, match="failed, so there is nothing to evaluate: the loss is no number"):
        evaluate_run(snapshot, lost)
    own = make_small(tmp_path)
    with pytest.raises(NotFoundError, match="there is no run here; `motifdb train`"):
        find_run(own.snapshot, "tiny")
    result = guess(own, 0, 0, 2.0)
    two = {"recipe": {"name": "tiny", "epochs": 9}, "label": "singer"}
    store(own.path, result, replace(result, config=two, seed=3))
    with pytest.raises(UsageError, match="are of 2 configurations; name one run"):
        runs_meant(own.snapshot, "tiny")
    with open_writer(own.path) as writer:
        writer.commit(Changes(delete={"predictions": "true"}), token="gone", message="")
    with pytest.raises(UsageError, match="has no predictions; train it again"):
        evaluate_run(own.snapshot, find_run(own.snapshot, result.run_id))
    examples = load_examples(own.snapshot, own.split_id, 0)
    with pytest.raises(UsageError, match="not for clips trained on"):
        Predictions.of(examples, examples.rows("train"), np.ones((len(examples.rows("train")), 3)) / 3)
    with pytest.raises(UsageError, match="need probabilities of that shape"):
        Predictions.of(examples, examples.rows("test"), np.ones((1, 3)) / 3)


def test_evaluation_finds_every_stored_figure_again(small: Small, snapshot: Snapshot) -> None:
    runs = runs_meant(snapshot, "tiny")
    found = [evaluate_run(snapshot, run) for run in runs]
    assert [e.differing for e in found] == [[]] * 4
    table = figures_table(found)
    assert table.num_rows == sum(len(e.figures) for e in found) and all(table.column("is_equal").to_pylist())
    accuracy = [e.value("accuracy") for e in found]
    mean = {row["metric"]: row for row in mean_table(found).to_pylist()}
    assert mean["accuracy"]["mean"] == pytest.approx(np.mean([a or 0.0 for a in accuracy]))
    assert mean["accuracy"]["runs"] == 4
    of_class = classes_table(found).to_pylist()
    counts = confusion_table(found)
    assert sum(row["clips"] for row in of_class) == sum(len(e.predictions.rows("test")) for e in found)
    assert [row["clips"] for row in of_class] == np.sum(
        [c.to_numpy() for c in counts.columns[1:]], axis=0
    ).tolist()
    assert "no clip of test shares content" in heading(found)[2]


def test_evaluation_tells_what_is_not_as_stored(small: Small, tmp_path: Path) -> None:
    own = make_small(tmp_path)
    result = guess(own, 0, 0, 2.0)
    store(own.path, result)
    rows = own.snapshot.table("metrics").to_pylist()
    wrong = [
        row | {"value": 0.123} if (row["part"], row["metric"]) == ("test", "f1") else row for row in rows
    ]
    from motifdb.schemas import METRICS

    with open_writer(own.path) as writer:
        changes = Changes(append={"metrics": METRICS.table(wrong)}, delete={"metrics": "true"})
        writer.commit(changes, token="wrong", message="")
    (only,) = evaluate_run(own.snapshot, find_run(own.snapshot, result.run_id)).differing
    assert (only.part, only.metric) == ("test", "f1")
    answer = CliRunner().invoke(app, ["evaluate", result.run_id[:8], "--db", str(own.path)])
    assert answer.exit_code == 1 and "1 figures are not those stored (f1 of test)" in answer.output


def test_a_part_of_one_class_has_figures_only_where_they_mean_something(small: Small) -> None:
    result = guess(small, 0, 0, 2.0)
    whole = result.predictions
    assert whole is not None
    at = [i for i in range(len(whole)) if whole.part[i] == "valid" or whole.label[i] == 1]
    fewer = whole.take(np.array(at))
    test = replace(result, predictions=fewer).metrics["test"]
    assert [name for name, s in test.items() if s.value is None] == ["auc", "precision", "f1", "f1_of_means"]


def test_comparison_of_recipes_over_folds_and_seeds(small: Small, snapshot: Snapshot) -> None:
    found = compare_runs(snapshot, "tiny", "poor", n_draws=400)
    of = {d.metric: d for d in found.differences}
    mean = [
        np.mean([evaluate_run(snapshot, run).value("f1") or 0.0 for run in runs_meant(snapshot, name)])
        for name in ("tiny", "poor")
    ]
    f1 = of["f1"]
    assert f1.a == pytest.approx(mean[0]) and f1.b == pytest.approx(mean[1])
    assert f1.difference == pytest.approx(mean[0] - mean[1])
    assert f1.low is not None and f1.high is not None and f1.p_value is not None
    assert 0 < f1.low < mean[0] - mean[1] < f1.high and f1.p_value < 0.05
    assert f1.a_deviation is not None and f1.b_deviation is None, "two seeds, and one"
    assert set(found.by_fold) == {0, 1} and found.n_clips == found.n_groups == 12
    assert found.only_a is not None and found.only_b is not None and found.only_a > found.only_b
    accuracy = of["accuracy"].difference
    assert accuracy == pytest.approx((found.only_a - found.only_b) / 12), "folds of equal size"
    table = differences_table(found, by_fold=True)
    assert set(table.column("fold").to_pylist()) == {"all", "0", "1"}
    back = {d.metric: d for d in compare_runs(snapshot, "poor", "tiny", n_draws=400).differences}
    low, high = back["f1"].low, back["f1"].high
    assert low is not None and high is not None and (-low, -high) == pytest.approx((f1.high, f1.low))


def test_one_group_has_no_interval_of_the_difference() -> None:
    draws = {"accuracy": np.full((1, 50), 0.8)}, {"accuracy": np.full((1, 50), 1.0)}
    point = {"accuracy": np.full((1, 1), 0.8)}, {"accuracy": np.full((1, 1), 1.0)}
    one = _difference("accuracy", [point], [draws], 1)
    assert one.difference == pytest.approx(-0.2) and one.low is one.high is one.p_value is None
    assert _difference("accuracy", [point], [draws], 2).p_value is not None


def test_a_run_beside_itself_differs_by_nothing(small: Small, snapshot: Snapshot) -> None:
    first = guess(small, 0, 0, 2.0).run_id
    for d in compare_runs(snapshot, first, first, n_draws=100).differences:
        assert (d.difference, d.low, d.high, d.p_value) == (0.0, 0.0, 0.0, 1.0), d.metric


def test_a_recipe_beside_one_run_is_taken_on_its_fold(small: Small, snapshot: Snapshot) -> None:
    found = compare_runs(snapshot, guess(small, 1, 0, 2.0).run_id, "majority", n_draws=100)
    assert set(found.by_fold) == {1} and len(found.b) == 1


def test_runs_that_were_tested_on_other_clips_are_refused(small: Small, snapshot: Snapshot) -> None:
    one, other = (guess(small, fold, 0, 2.0).run_id for fold in (0, 1))
    with pytest.raises(UsageError, match="A has runs on the folds 0, B on 1"):
        compare_runs(snapshot, one, other)
    with pytest.raises(UsageError, match="failed, so there is nothing"):
        compare_runs(snapshot, one, failed(guess(small, 0, 0, 2.0), 5).run_id)


def test_other_splits_with_the_same_clips_or_groups_can_be_compared(tmp_path: Path) -> None:
    from motifdb.training.splits.dividing import SplitConfig, make_split
    from motifdb.training.splits.split_job import SplitOptions

    own = make_small(tmp_path)
    same = SplitConfig("kfold", "singer", ("recording",), folds=4, valid_share=0.3)
    with open_writer(own.path) as writer:
        second = Small(own.path, own.clips_id, make_split(SplitOptions(same), writer), own.pcm)
    mine, theirs = guess(own, 0, 0, 2.0), guess(second, 0, 0, 0.1)
    store(own.path, mine, theirs, guess(second, 1, 0, 0.1))
    found = compare_runs(own.snapshot, mine.run_id, theirs.run_id, n_draws=100)
    assert found.differences[0].difference is not None and found.n_clips == 6
    with pytest.raises(UsageError, match="fold 0 of A was not tested on the same clips"):
        compare_runs(own.snapshot, mine.run_id, guess(second, 1, 0, 0.1).run_id)
    by_groups = compare_runs(own.snapshot, mine.run_id, theirs.run_id, by_groups=True, n_draws=100)
    assert by_groups.differences[0].difference == found.differences[0].difference
    assert by_groups.only_a is None


def test_scores_can_be_asked_for_in_sql(small: Small) -> None:
    with Database(small.path) as database:
        rows = database.sql(
            "select recipe, count(*) as n, avg(f1) as f1, max(leak_content) as leak, max(leak_island) as island,"
            " max(n_test) as n_test from run_scores where state = 'done' group by recipe order by f1 desc"
        ).rows()
        lost = database.sql("select * from run_scores where state = 'failed'").rows()
    assert [row["recipe"] for row in rows][:1] == ["tiny"]
    assert {row["recipe"]: row["n"] for row in rows} == {"tiny": 4, "poor": 2, "majority": 2, "look-up": 2}
    assert all(row["leak"] == 0.0 and row["island"] is None and row["n_test"] == 6 for row in rows)
    assert len(lost) == 1 and lost[0]["accuracy"] is None and lost[0]["n_test"] == 0


def test_commands(small: Small, tmp_path: Path) -> None:
    db = ["--db", str(small.path)]
    one = CliRunner().invoke(app, ["evaluate", "tiny", *db])
    assert one.exit_code == 0, one.output
    assert (
        "4 runs: tiny (crnn on log-mel) learns singer" in one.output
        and "figures are equal to those stored" in one.output
    )
    counts = CliRunner().invoke(app, ["evaluate", "poor", "--show", "confusion", "--format", "csv", *db])
    assert counts.output.splitlines()[0] == "class,as asa,as bel,as cem"
    two = CliRunner().invoke(app, ["compare-runs", "tiny", "poor", "--draws", "100", *db])
    assert two.exit_code == 0 and "difference is A - B" in two.output
    picture = tmp_path / "run.svg"
    drawn = CliRunner().invoke(app, ["plot", "tiny", "-o", str(picture), *db])
    assert drawn.exit_code == 0, drawn.output
    assert "mean accuracy" in drawn.output and picture.stat().st_size > 10_000
    nothing = CliRunner().invoke(app, ["plot", "majorty", "-o", str(picture), *db])
    assert isinstance(nothing.exception, NotFoundError) and "did you mean 'majority'" in str(
        nothing.exception
    )


def test_learning_curves_are_the_stored_epochs(small: Small, snapshot: Snapshot) -> None:
    curves = learning_curves(snapshot, runs_meant(snapshot, "tiny"))
    assert [c.label for c in curves] == ["fold 0 seed 0", "fold 0 seed 1", "fold 1 seed 0", "fold 1 seed 1"]
    assert curves[0].train_loss.tolist() == [1.0, 0.5, 1 / 3] and curves[0].best_epoch == 3
    assert learning_curves(snapshot, runs_meant(snapshot, "majority")) == []
