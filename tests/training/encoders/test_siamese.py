"""The encoder of pairs on tones whose pitch tells the singer: it learns, it is found again bit for bit, and what it lacks is said."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from motifdb.catalog.snapshot import open_snapshot
from motifdb.errors import UsageError
from motifdb.pipelines.progress import Quiet
from motifdb.training.embedding.registry import find_embedder
from motifdb.training.encoders import siamese
from motifdb.training.encoders.losses import collapse_loss
from motifdb.training.encoders.pair_data import PairData, read_pair_data, stretches, with_valid_singers
from motifdb.training.encoders.recipes import SIAMESE_RECIPES, SiameseRecipe, find_siamese_recipe
from motifdb.training.encoders.siamese import loss_interval, make_network, train_siamese, vectors_of
from motifdb.training.encoders.store import (
    EncoderResult,
    load_encoder,
    store_encoder,
    stored_encoder,
    stored_figures,
)
from motifdb.training.encoders.train_job import train_encoders
from motifdb.training.fitting.checkpoint import CheckpointError
from motifdb.training.inputs.packed import Packed
from motifdb.training.splits.examples import Examples
from motifdb.training.splits.split_config import SplitConfig
from tests.training.small import Small, make_small

TINY = SIAMESE_RECIPES["siamese-2018-small"].assign(
    {
        "name": "tiny",
        "model_options.first": 2,
        "model_options.channels": 8,
        "model_options.fc": 8,
        "front_end.n_bands": 16,
        "front_end.pad_to": 12,
        "voiced_only": False,
        "learning_rate": 1e-2,
        "batch_size": 8,
        "max_steps": 12,
        "max_epochs": 99,
        "look_every": 2,
        "n_judged": 40,
        "precision": "float32",
    }
)
NEW_SINGERS = SplitConfig(
    "kfold", "singer", ("singer",), folds=2, valid_share=0.0, stratified=False, allow_unseen=True
)
SINGERS = tuple("abcdefghijklmn")


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Sums in one order."""
    n = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(n)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Small:
    folder = tmp_path_factory.mktemp("siamese")
    return make_small(folder, n_each=2, classes=SINGERS, split=NEW_SINGERS)


@pytest.fixture(scope="module")
def data(small: Small) -> PairData:
    return read_pair_data(small.snapshot, small.split_id, 0, 22_050, voicing=False)


@pytest.fixture(scope="module")
def trained(small: Small, data: PairData) -> EncoderResult:
    result = train_siamese(TINY, data, small.path, device="cpu")
    store_encoder(small.path, result)
    return result


def test_it_learns_voices_that_tell_new_ones_apart(trained: EncoderResult) -> None:
    figures = {(f.part, f.metric): f for f in trained.figures}
    loss, eer = figures["test", "loss"], figures["test", "eer"]
    assert loss.trivial == 0.25 and eer.trivial == 0.5
    assert loss.value is not None and loss.low is not None and loss.high is not None
    assert loss.low <= loss.value <= loss.high
    assert eer.value is not None and eer.value < 0.4
    assert trained.rows[-1]["train_loss"] < 0.2  # one point for everything costs 0.25
    assert [row["step"] for row in trained.rows] == [2, 4, 6, 8, 10, 12]
    assert trained.n_dims == 16 and trained.data["train"]["singers"] == 5
    assert trained.data["valid"] == {"clips": 4, "singers": 2, "recordings": 4}


def test_what_is_stored_gives_the_same_vectors(small: Small, data: PairData, trained: EncoderResult) -> None:
    snapshot = open_snapshot(small.path)
    row = stored_encoder(snapshot, trained.encoder_id)
    assert row is not None and stored_figures(snapshot, [trained.encoder_id])[trained.encoder_id]
    embedder = find_embedder("tiny", snapshot, device="cpu")
    ours = load_encoder(row, small.path, "cpu")
    assert embedder.name == ours.name == f"tiny {trained.encoder_id[:8]}" and embedder.n_dims == 16
    gain = ours.gain(data.packed, data.examples.recording_id)  # type: ignore[attr-defined]
    sound = replace(data.packed, gain=gain)
    every = embedder.embed(sound)
    assert every.shape == (len(data.examples), 16) and np.isfinite(every).all()
    # a vector does not depend on what is asked for beside it
    np.testing.assert_allclose(embedder.embed(sound, np.array([5, 2])), every[[5, 2]], atol=1e-5)
    assert set(ours.config()) == {"model", "encoder_id", "recipe", "weights", "window_s", "hop_s", "metric"}
    assert ours.window_s is not None
    n_samples = round(ours.window_s * 22_050)
    assert TINY.front_end.n_columns(n_samples) == 12 == 1 + n_samples // 1024  # as much as it reads


def test_the_same_call_trains_nothing_and_others_are_other_encoders(
    small: Small, data: PairData, trained: EncoderResult
) -> None:
    steps: list[int] = []
    again = train_siamese(TINY, data, small.path, device="cpu", on_step=lambda n, most: steps.append(n))
    assert not steps and again.encoder_id == trained.encoder_id
    assert [f.value for f in again.figures] == [f.value for f in trained.figures]
    ids = {
        siamese.siamese_id(TINY, data, 0),
        siamese.siamese_id(TINY, data, 1),
        siamese.siamese_id(TINY.assign({"margin": 2.0}), data, 0),
        siamese.siamese_id(TINY, replace(data, fold=1), 0),
        siamese.siamese_id(TINY, replace(data, examples=with_valid_singers(_bare(data.examples), 1)), 0),
    }
    assert len(ids) == 5 and trained.encoder_id in ids


def test_a_folder_that_holds_another_network_is_refused(
    small: Small, trained: EncoderResult, tmp_path: Path
) -> None:
    row = {"encoder_id": "0" * 20, "kind": "siamese", "name": "x"}
    with pytest.raises(CheckpointError, match="there is no checkpoint at"):
        load_encoder(row, tmp_path)
    source = small.path / "models" / trained.encoder_id
    target = tmp_path / "models" / ("0" * 20)
    target.mkdir(parents=True)
    text = (source / "config.json").read_text().replace('"margin": 1.0', '"margin": 3.0')
    (target / "config.json").write_text(text)
    (target / "weights.safetensors").write_bytes((source / "weights.safetensors").read_bytes())
    with pytest.raises(CheckpointError, match="is of another run than the config"):
        load_encoder(row, tmp_path)
    (target / "config.json").write_text(text.replace('"margin"', '"margins"'))
    with pytest.raises(
        CheckpointError, match="does not describe an encoder of this motifdb: recipe has no parameter"
    ):
        load_encoder(row, tmp_path)


def test_the_command_line_says_what_is_there_and_what_is_not(small: Small, tmp_path: Path) -> None:
    lines: list[str] = []
    report = train_encoders(
        TINY.assign({"max_steps": 1}), small.path, Quiet(), lines.append, folds=(1,), device="cpu"
    )
    assert report.table().column("loss_one_point").to_pylist() == [0.25]
    assert any("singers who do not test validate" in line for line in lines)
    again = train_encoders(
        TINY.assign({"max_steps": 1}), small.path, Quiet(), lines.append, folds=(1,), device="cpu"
    )
    assert "is there already; --again trains it anew" in lines[-1]
    keys = ("encoder_id", "steps", "loss", "eer")
    assert [again.rows[0][k] for k in keys] == [report.rows[0][k] for k in keys]
    from motifdb.errors import NotFoundError

    with pytest.raises(NotFoundError, match="has no fold 7; its folds are 0 to 1"):
        train_encoders(TINY, small.path, Quiet(), lines.append, folds=(7,))


def test_nobody_is_told_to_embed_with_an_encoder_that_failed(
    small: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    from typer.testing import CliRunner

    from motifdb.cli import app

    monkeypatch.setitem(SIAMESE_RECIPES, "tiny", TINY.assign({"learning_rate": 1e30, "max_steps": 6}))
    answer = CliRunner().invoke(app, ["train", "tiny", "--device", "cpu", "--db", str(small.path)])
    assert answer.exit_code == 1 and "is no number" in answer.output and "next:" not in answer.output
    monkeypatch.setitem(SIAMESE_RECIPES, "tiny", TINY.assign({"max_steps": 1}))
    answer = CliRunner().invoke(app, ["train", "tiny", "--device", "cpu", "--db", str(small.path)])
    assert answer.exit_code == 0 and "next: motifdb embed " in answer.output


def test_a_loss_that_is_no_number_is_a_failed_encoder(data: PairData, tmp_path: Path) -> None:
    wild = TINY.assign({"learning_rate": 1e30, "max_steps": 6})
    result = train_siamese(wild, data, tmp_path, device="cpu")
    assert result.state == "failed" and result.reason is not None
    assert "is no number" in result.reason and "--set learning_rate=" in result.reason


# -- the data ------------------------------------------------------------------------------------------------


def _bare(examples: Examples) -> Examples:
    """Examples without a valid part."""
    part = np.where(examples.part == "valid", "train", examples.part)
    return replace(examples, part=part.astype(np.str_))


def test_whole_singers_validate_where_whole_singers_test(data: PairData) -> None:
    examples = data.examples
    by = {part: set(examples.label[examples.rows(part)].tolist()) for part in ("train", "valid", "test")}
    assert [len(by[part]) for part in ("train", "valid", "test")] == [5, 2, 7]
    assert not by["train"] & by["valid"] and not (by["train"] | by["valid"]) & by["test"]
    bare = _bare(examples)
    assert with_valid_singers(examples) is examples  # some validate already
    leaky = replace(bare, part=np.array(["train", "test"] * (len(bare) // 2), np.str_))
    assert with_valid_singers(leaky) is leaky  # singers of test are learnt, so recordings are what is divided


def test_clips_that_are_not_voiced_are_left_out(data: PairData) -> None:
    share = np.linspace(0, 1, len(data.examples))
    voiced = replace(data, voiced_share=share)
    rows = voiced.rows("train", voiced_only=True)
    assert (share[rows] > 0.5).all() and 0 < len(rows) < len(voiced.rows("train", voiced_only=False))
    silent = replace(data, voiced_share=share * 0)
    with pytest.raises(UsageError, match=r"no clip to train on in which more than half .*voiced_only=false"):
        silent.sampler(TINY.assign({"voiced_only": True}), 0)
    assert silent.judged_by("test", TINY.assign({"voiced_only": True})) == (None, "test has no clips")
    one = replace(data, examples=replace(data.examples, label=data.examples.label * 0))
    pairs, why = one.judged_by("test", TINY)
    assert pairs is None and why is not None and "two singers at least" in why


def test_clips_that_overlap_lie_in_one_stretch() -> None:
    packed = Packed(
        np.arange(40, dtype=np.int16), np.array([20, 0, 5, 9, 30]), np.array([5, 10, 10, 3, 10]), 22_050
    )
    whole, of = stretches(packed)
    assert whole.start.tolist() == [0, 20, 30] and whole.length.tolist() == [15, 5, 10]
    assert of.tolist() == [1, 0, 0, 0, 2]


def test_gain_is_that_of_each_recording(data: PairData) -> None:
    from motifdb.training.inputs.heard import recording_gain

    packed = data.heard(TINY.front_end, relative=True)
    plain = recording_gain(data.packed, data.examples.recording_id, TINY.front_end)
    assert packed.gain is not None
    np.testing.assert_allclose(packed.gain, plain, rtol=1e-5)
    assert data.heard(TINY.front_end, relative=False).gain is None


def test_the_interval_draws_singers() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 6, 200), rng.integers(0, 6, 200)
    same = a == b
    b[~same & (a == b)] += 1
    distance = rng.random(200) * 2
    low, high = loss_interval(distance, same, a, b, 1.0, n_draws=200)
    cost = 0.5 * np.where(same, distance, np.maximum(1 - distance, 0))
    assert low is not None and high is not None and low < cost.mean() < high
    # by hand: a pair counts as often as its singers are drawn together
    from motifdb.training.scores.metrics import group_draws

    means = []
    for drawn in np.concatenate(list(group_draws(6, 200, 0, 64))).tolist():
        sums: dict[bool, list[float]] = {True: [0.0, 0.0], False: [0.0, 0.0]}
        for x, y, is_same, c in zip(a.tolist(), b.tolist(), same.tolist(), cost.tolist(), strict=True):
            weight = drawn[x] if x == y else drawn[x] * drawn[y]
            sums[is_same][0] += weight * c
            sums[is_same][1] += weight
        if sums[True][1] and sums[False][1]:
            mean = {k: total / n for k, (total, n) in sums.items()}
            means.append((mean[True] * same.sum() + mean[False] * (~same).sum()) / 200)
    assert (low, high) == pytest.approx(tuple(np.quantile(means, (0.025, 0.975))))
    assert loss_interval(distance, same, a * 0, b * 0, 1.0) == (None, None)
    assert loss_interval(distance, same, a % 2, b % 2, 1.0) == (None, None)  # every draw would be the same


# -- the recipes ---------------------------------------------------------------------------------------------


def test_the_printed_recipe_has_the_printed_size() -> None:
    """siamese-2018: 5.318 M with attention read as one layer of numbers, 203.5 M without; Adam, margin, looks as printed."""
    from motifdb.training.experiments.encoder_cells import n_parameters

    printed = SIAMESE_RECIPES["siamese-2018"]
    sizes = {
        kind: n_parameters(printed.assign({"model_options.aggregation": kind}))
        for kind in ("max", "attention", "none")
    }
    assert sizes == {"max": 5_318_288, "attention": 5_321_361, "none": 203_499_152}
    assert (printed.learning_rate, printed.batch_size, printed.l2, printed.margin) == (1e-4, 32, 1e-6, 1.0)
    # 25,000 clips: 391 steps to hear as many, a look every 50 such epochs, patience of 1000
    assert printed.steps(25_000) == (5000 * 391, 50 * 391, 20)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"n_dims": 0}, "n_dims must be more than 0"),
        ({"max_steps": 0}, "max_steps must be 1 or more"),
        ({"label_smoothing": 0.1}, "label_smoothing says nothing of pairs"),
        ({"weight_decay": 0.1}, "weight_decay"),
    ],
    ids=["dims", "steps", "smoothing", "decay"],
)
def test_what_a_recipe_for_pairs_cannot_be(values: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        TINY.assign(values)


def test_recipes_are_found_and_written_down(tmp_path: Path) -> None:
    from motifdb.errors import NotFoundError

    assert SiameseRecipe.from_dict(TINY.to_dict()) == TINY
    (tmp_path / "mine.toml").write_text(TINY.to_toml())
    assert find_siamese_recipe(str(tmp_path / "mine.toml")) == TINY
    with pytest.raises(NotFoundError, match=r"no recipe 'siamese-2081' for pairs; .*siamese-2018"):
        find_siamese_recipe("siamese-2081")
    with pytest.raises(UsageError, match="cannot be read as a recipe"):
        find_siamese_recipe(str(tmp_path / "none.toml"))


def test_a_network_that_says_one_thing_costs_the_collapse_loss(data: PairData) -> None:
    network = make_network(TINY, 0)
    with torch.no_grad():
        for parameter in network.model.classes.parameters():
            parameter.zero_()
    rows = np.arange(6)
    assert not vectors_of(network, data.packed, rows).any()
    pairs, _ = data.judged_by("test", TINY)
    assert pairs is not None
    (loss, *_rest) = siamese.pair_figures("test", network, data.packed, pairs, data, 1.0)
    assert loss.value == loss.trivial == collapse_loss(pairs.same) == 0.25
