"""A corpus's own folds: never drawn anew, with or without what they need, and embeddings judged on them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from motifdb.catalog.snapshot import open_snapshot
from motifdb.errors import NotFoundError, UsageError
from motifdb.pipelines.progress import Quiet
from motifdb.training.experiments.downstream import DownstreamConfig
from motifdb.training.experiments.downstream_job import (
    DownstreamOptions,
    Wanted,
    accuracy_by_fold,
    frames_of,
    pooled_accuracy,
    run_downstream,
)
from motifdb.training.experiments.official_folds import official_config, official_split
from motifdb.training.inputs.packed import Packed
from motifdb.training.scores.runs import stored_predictions
from tests.training.experiments.official import LAYOUTS, Octaves, make_corpus

CONFIG = DownstreamConfig((8,), (1e-5, 3e-2), (1e-5,), batch_size=8, max_epochs=8, patience=8)
OCTAVES = Wanted("octaves", Octaves().config(), Octaves)


@pytest.fixture(scope="module")
def corpora(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("official")
    return {layout: make_corpus(folder, layout) for layout in LAYOUTS}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_each_value_of_the_fold_column_tests_once_whatever_the_seed(
    layout: str, corpora: dict[str, Path]
) -> None:
    wanted: dict[str, set[str]] = {}
    for path, _, fold, _ in LAYOUTS[layout]():
        wanted.setdefault(fold, set()).add(path)
    for seed in (0, 5):
        folds = official_split(corpora[layout], seed=seed)
        assert (folds.label, folds.fold, folds.source) == ("class", "fold", "source_file")
        assert set(folds.names) == set(wanted)
        snapshot = open_snapshot(corpora[layout])
        path_of = dict(
            zip(*(c.to_pylist() for c in snapshot.table("clips", ["clip_id", "path"]).columns), strict=True)
        )
        rows = snapshot.table("splits", None, f"split_id = '{folds.split_id}'").to_pylist()
        for number, name in enumerate(folds.names):
            own = [r for r in rows if r["fold"] == number]
            assert {path_of[r["clip_id"]] for r in own if r["part"] == "test"} == wanted[name]
            # valid is carved from the rest: whole source files, and the other folds' clips alone
            source = {path: s for path, _, _, s in LAYOUTS[layout]()}
            side: dict[str, set[str]] = {}
            for r in own:
                side.setdefault(source[path_of[r["clip_id"]]], set()).add(r["part"])
            assert all(len(parts) == 1 for parts in side.values())
            assert {"train", "valid", "test"} == {r["part"] for r in own}


def test_equal_contents_in_two_folds_stay_where_the_corpus_has_them() -> None:
    config = official_config("class", source="source_file")
    assert (config.by, config.folds, config.as_published) == (("label.fold",), 0, True)
    assert config.valid_share == 0.1 and config.valid_by == ("label.source_file",)


def test_a_missing_fold_column_is_a_sentence_and_a_missing_source_a_note(tmp_path: Path) -> None:
    db = make_corpus(tmp_path, "esc50", without=("fold",))
    with pytest.raises(
        NotFoundError,
        match=r"no file has a label 'fold'.*motifdb corpora.*columns path, fold, class and source_file",
    ):
        official_split(db)
    other = make_corpus(tmp_path / "b", "esc50", without=("source_file",))
    assert any("recordings validate together" in note for note in official_split(other).notes)
    with pytest.raises(NotFoundError, match="no file has a label 'klass'; did you mean 'class'"):
        official_split(other, label="klass")
    with pytest.raises(NotFoundError, match="no file has a label 'split'"):
        official_split(other, fold="split")
    with pytest.raises(UsageError, match="every clip has corpus 'esc50'"):
        official_split(other, fold="corpus")


def test_frames_are_windows_of_clips_in_their_order() -> None:
    packed = Packed.of([np.arange(n, dtype=np.int16) for n in (3200, 8000, 100)])
    frames = frames_of(Octaves(), packed, ["a", "b", "c"])
    assert np.diff(frames.first).tolist() == [1, 4, 1] and frames.vectors.shape == (6, 8)
    alone = frames_of(Octaves(), packed.take(np.array([1])), ["b"])
    assert np.array_equal(alone.vectors, frames.vectors[1:5])


def test_embeddings_are_judged_as_stored_runs_once_beside_their_baselines(corpora: dict[str, Path]) -> None:
    path, said = corpora["urbansound8k"], list[str]()
    folds = official_split(path)
    options = DownstreamOptions(CONFIG, device="cpu")
    report = run_downstream(path, folds, [OCTAVES], options, Quiet(), said.append)
    assert (report.n_run, report.n_done_before) == (3, 0) and "Leaks of split" in said[0]
    snapshot = open_snapshot(path)
    by_fold = accuracy_by_fold(snapshot, report.run_ids["octaves"])
    assert sorted(by_fold) == [0, 1, 2] and np.mean(list(by_fold.values())) > 0.8
    recipes = set(snapshot.table("runs", ["recipe"]).column(0).to_pylist())
    assert {"mlp on octaves", "majority", "logistic"} <= recipes
    run = snapshot.table("runs", None, "model = 'mlp' and fold = 0").to_pylist()[0]
    predictions = stored_predictions(snapshot, run)
    assert len(predictions.rows("test")) == 12 and run["parameters"] == 9 * 8 + 9 * 3
    assert run["epochs"] and run["best_epoch"] and run["experiment"] == "l3-2019"
    stored = {
        r["metric"]: r["value"]
        for r in snapshot.table("metrics", None, f"run_id = '{run['run_id']}'").to_pylist()
    }
    assert stored["chosen_learning_rate"] in (1e-5, 3e-2) and stored["chosen_l2"] == 1e-5
    value, low, high = pooled_accuracy(snapshot, list(report.run_ids["octaves"].values()), {})
    assert value == pytest.approx(np.mean(list(by_fold.values()))) and low is not None and high is not None
    assert low <= value <= high
    with pytest.raises(UsageError, match="there is no fold 7; folds count from 0 to"):
        run_downstream(path, folds, [OCTAVES], replace(options, only_folds=(7,)), Quiet(), said.append)
    again = run_downstream(path, folds, [OCTAVES], options, Quiet(), said.append)
    assert (again.n_run, again.n_done_before, again.cells.n_run) == (0, 3, 0)
