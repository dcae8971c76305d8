"""Audio-visual correspondence: recipes, a short training on generated videos, what is stored of it, and the way back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch: Any = pytest.importorskip("torch", reason="torch is not installed; pip install 'motifdb[train]'")

from motifdb.catalog.snapshot import open_snapshot  # noqa: E402
from motifdb.catalog.store import create  # noqa: E402
from motifdb.errors import NotFoundError, UsageError  # noqa: E402
from motifdb.training.encoders.avc import (  # noqa: E402
    BASELINE,
    AvcNetwork,
    answers,
    as_batch,
    avc_figures,
    evaluate_avc,
    load_network,
    make_network,
    train_avc,
)
from motifdb.training.encoders.avc_recipes import (  # noqa: E402
    AVC_RECIPES,
    AvcRecipe,
    TowerConfig,
    find_avc_recipe,
)
from motifdb.training.encoders.store import (  # noqa: E402
    EncoderResult,
    checkpoint_of,
    find_encoder,
    load_encoder,
    store_encoder,
)
from motifdb.training.inputs.packed import Packed  # noqa: E402
from motifdb.training.models import count_parameters  # noqa: E402
from motifdb.training.videos.generated import make_av_corpus  # noqa: E402
from motifdb.training.videos.sample import Pairs, PairStream  # noqa: E402

FULL, TINY = AVC_RECIPES["l3-2019"], AVC_RECIPES["l3-2019-tiny"]
SHORT = replace(
    TINY,
    sampling=replace(TINY.sampling, n_sources=2, lifetime=8.0),
    towers=replace(TINY.towers, channels=(4, 4, 8, 8), hidden=8),
    batch_size=8,
    steps_per_epoch=4,
    max_steps=8,
    n_judged=16,
)


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus") / "films"
    make_av_corpus(folder, n_videos=7, duration_s=1.5, side=36, rate_fps=5)
    (folder / "broken.mp4").write_bytes(b"no video")
    return folder


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("db") / "films.motifdb"
    create(path)
    return path


@pytest.fixture(scope="module")
def said() -> list[str]:
    return []


@pytest.fixture(scope="module")
def trained(videos: Path, root: Path, said: list[str]) -> EncoderResult:
    return train_avc(SHORT, videos, root, workers=0, device="cpu", say=said.append)


def test_the_full_recipe_is_the_papers() -> None:
    assert count_parameters(AvcNetwork(FULL)) == 4_688_066 + 4_689_222 + 131_458
    assert (FULL.learning_rate, FULL.batch_size, FULL.l2) == (1e-5, 64, 1e-5)
    assert FULL.steps() == (300 * 4096, 4096, 0)
    assert replace(FULL, max_steps=20_000).steps() == (20_000, 4096, 0)
    assert FULL.sampling.sample_rate_hz == FULL.front_end.sample_rate_hz == 48_000


@pytest.mark.parametrize("name", sorted(AVC_RECIPES))
def test_recipes_go_to_text_and_back(name: str) -> None:
    recipe = AVC_RECIPES[name]
    assert AvcRecipe.from_dict(json.loads(json.dumps(recipe.to_dict()))) == recipe
    assert AvcRecipe.from_toml(recipe.to_toml()) == recipe
    assert recipe.assign({"sampling.lifetime": 8.0}).sampling.lifetime == 8.0
    assert find_avc_recipe(name) is recipe


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"sampling.sample_rate_hz": 16_000}, "the front end hears 48,000 Hz"),
        ({"model": "crnn"}, "the model l3, not 'crnn'"),
        ({"front_end.standardise": True}, "the tower normalises"),
        ({"label_smoothing": 0.1}, "label_smoothing says nothing of videos"),
        ({"max_steps": 0}, "max_steps must be 1 or more"),
        ({"grid": [4]}, "grid must be two numbers"),
    ],
    ids=["rate", "model", "standardise", "labels", "steps", "grid"],
)
def test_recipes_that_cannot_be_are_refused(values: dict[str, object], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        FULL.assign(values)
    with pytest.raises(NotFoundError, match=r"did you mean l3-2019-tiny|l3-2019-tiny"):
        find_avc_recipe("l3-2019-tinny")


def test_training_says_what_it_learnt_from_and_what_it_could_not_use(
    trained: EncoderResult, said: list[str]
) -> None:
    assert trained.state == "done"
    assert (trained.kind, trained.recipe, trained.split_id) == ("avc", "l3-2019-tiny", None)
    assert trained.data["videos"] == {"train": 3, "valid": 2, "test": 2}
    assert trained.data["failed"] == {"undecodable": 1}
    assert [f["path"] for f in trained.data["failures"]] == ["broken.mp4"]
    text = "\n".join(said)
    assert "7 of 8 videos can be used" in text
    assert "1 video cannot be used; the others are:\n  broken.mp4 cannot be decoded" in text
    assert "leak check: no video is in two parts, by content; train, valid and test have 3, 2, 2" in text


def test_figures_stand_beside_chance_with_intervals(trained: EncoderResult) -> None:
    figures = {(f.part, f.metric): f for f in trained.figures}
    own = {(part, metric) for part in ("valid", "test") for metric in ("accuracy", "loss")}
    assert set(figures) == {*own, ("test", BASELINE)}
    assert figures["test", BASELINE].trivial == 0.5
    for part in ("valid", "test"):
        accuracy, loss = figures[part, "accuracy"], figures[part, "loss"]
        assert accuracy.trivial == 0.5
        assert loss.trivial is not None
        assert 0.5 < loss.trivial <= np.log(2) + 1e-9
        assert accuracy.low is not None
        assert accuracy.value is not None
        assert accuracy.low <= accuracy.value
    assert [row["step"] for row in trained.rows] == [4, 8]
    assert [row["pairs"] for row in trained.rows] == [32, 64]
    assert trained.steps == 8
    assert trained.n_dims == 8 * 12


def test_figures_are_of_the_answers() -> None:
    class Knows(torch.nn.Module):  # type: ignore[misc]
        recipe = SHORT

        def __init__(self) -> None:
            super().__init__()
            self.scale = torch.nn.Parameter(torch.ones(1))

        def forward(self, sound: Any, picture: Any) -> Any:
            return torch.stack([torch.zeros(len(sound)), sound[:, 0].float()], 1) * self.scale

    pairs = Pairs(
        np.array([[3], [-3], [3], [-3]] * 25, np.int16),
        np.zeros((100, 2, 2, 3), np.uint8),
        np.array([1, 0, 1, 1] * 25),
    )
    accuracy, loss = avc_figures("test", Knows(), pairs, np.arange(100) % 10)
    assert accuracy.value == 0.75
    assert loss.value == pytest.approx(0.75 * np.log1p(np.exp(-3)) + 0.25 * np.log1p(np.exp(3)))
    assert loss.trivial == pytest.approx(-0.75 * np.log(0.75) - 0.25 * np.log(0.25))


def test_training_that_was_stopped_ends_with_the_same_bits(
    trained: EncoderResult, videos: Path, root: Path, tmp_path: Path
) -> None:
    def stop_at_a_look(row: dict[str, object]) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_avc(SHORT, videos, tmp_path, workers=0, device="cpu", on_look=stop_at_a_look)
    resumed = train_avc(SHORT, videos, tmp_path, workers=0, device="cpu")
    assert resumed.encoder_id == trained.encoder_id
    first, _ = load_network(root / checkpoint_of(trained.encoder_id), "cpu")
    second, _ = load_network(tmp_path / checkpoint_of(trained.encoder_id), "cpu")
    for (name, a), b in zip(first.state_dict().items(), second.state_dict().values(), strict=True):
        assert torch.equal(a, b), name


def test_a_stored_encoder_gives_vectors(trained: EncoderResult, root: Path) -> None:
    store_encoder(root, trained)
    snapshot = open_snapshot(root)
    row = find_encoder(snapshot, "l3-2019-tiny")
    assert row["data"] is not None
    assert "broken.mp4 cannot be decoded" in row["data"]
    model = load_encoder(row, root, "cpu")
    assert (model.n_dims, model.sample_rate_hz) == (96, 16_000)
    rng = np.random.default_rng(0)
    packed = Packed.of([(rng.standard_normal(n) * 3000).astype(np.int16) for n in (16_000, 24_000)])
    vectors = model.embed(packed)
    assert vectors.shape == (2, 96)
    assert np.isfinite(vectors).all()
    assert model.embed(packed, np.array([1])) == pytest.approx(vectors[1:], abs=1e-4)
    assert model.config()["encoder_id"] == trained.encoder_id


def test_other_videos_can_be_judged_and_only_their_test_part(
    trained: EncoderResult, videos: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, _ = load_network(root / checkpoint_of(trained.encoder_id), "cpu")
    found = {f.metric: f.value for f in evaluate_avc(network, videos, workers=0)}
    own = {f.metric: f.value for f in trained.figures if f.part == "test" and f.metric != BASELINE}
    assert found == pytest.approx(own, abs=1e-6)


def test_videos_that_break_while_training_are_written_down(
    videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import shutil

    place = shutil.copytree(videos, tmp_path / "films")
    real = PairStream.batches

    def breaking(self: PairStream, size: int, first_step: int = 0) -> Iterator[Pairs]:
        (place / self.videos[0].path).write_bytes(b"gone")
        return islice(real(self, size, first_step), 12)

    monkeypatch.setattr(PairStream, "batches", breaking)
    lines: list[str] = []
    result = train_avc(SHORT, place, tmp_path, workers=0, device="cpu", say=lines.append)
    assert result.state == "done"
    written = json.loads((tmp_path / checkpoint_of(result.encoder_id) / "failures.json").read_text())
    assert [f["kind"] for f in written] == ["undecodable"]
    assert "1 video turned out not to be decodable while training; others took their place:" in lines


def test_a_network_that_diverges_is_a_failed_result(videos: Path, tmp_path: Path) -> None:
    wild = replace(SHORT, learning_rate=1e30, clip_norm=0.0)
    result = train_avc(wild, videos, tmp_path, workers=0, device="cpu")
    assert result.state == "failed"
    assert result.reason is not None
    assert "no number" in result.reason


def test_sound_and_pictures_are_scaled_and_answers_do_not_depend_on_the_batch() -> None:
    network = make_network(SHORT, 3).eval()
    rng = np.random.default_rng(1)
    pairs = Pairs(
        (rng.standard_normal((5, 16_000)) * 2000).astype(np.int16),
        rng.integers(0, 256, (5, 32, 32, 3)).astype(np.uint8),
        np.ones(5, np.int64),
    )
    seen = []
    network.vision.register_forward_pre_hook(lambda module, given: seen.append(given[0]))
    together = answers(network, pairs)
    assert seen[0].shape == (5, 3, 32, 32)
    assert -1 <= float(seen[0].min()) < -0.9 < 0.9 < float(seen[0].max()) <= 1
    one = network(*(column[2:3] for column in as_batch(pairs)[:2])).detach().numpy()
    assert together[2:3] == pytest.approx(one, abs=1e-4)
    assert make_network(SHORT, 3).fusion.answer.weight.equal(network.fusion.answer.weight)
    assert not make_network(SHORT, 4).fusion.answer.weight.equal(network.fusion.answer.weight)


def test_variants_of_the_released_code_are_options() -> None:
    towers = TowerConfig(
        channels=(2, 2), n_convolutions=2, is_input_normalised=False, is_released_vision=True
    )
    network = make_network(replace(SHORT, towers=towers), 0)
    assert not network.audio.is_relu_first
    assert network.vision.is_relu_first
    assert isinstance(network.audio.input_norm, torch.nn.Identity)
