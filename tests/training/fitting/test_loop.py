"""The loop: the same numbers every time, also after a stop, and a clear word when they are none."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from motifdb.errors import UsageError
from motifdb.training.fitting import checkpoint, loop
from motifdb.training.fitting.loop import DivergedError, Trained, load_trained, train
from motifdb.training.fitting.network import Network
from motifdb.training.fitting.recipes import Recipe
from motifdb.training.inputs.augment import AugmentConfig
from motifdb.training.inputs.waveform import WaveformConfig
from tests.training.tones import TINY, tones

VARIED = Recipe.from_dict(
    TINY.to_dict()
    | {
        "model_options": {**TINY.model_options, "dropout": 0.2},
        "augment": {"policy": "both", "max_bands": 6},
        "waveform": {"gain_db": 6.0, "colour_db": 6.0, "noise_db": [20.0, 30.0]},
    }
)
"""Every source of randomness at work."""


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Sums in one order."""
    n = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(n)


@pytest.fixture(scope="module")
def undisturbed() -> Trained:
    """`VARIED`, from beginning to end."""
    n = torch.get_num_threads()
    torch.set_num_threads(1)
    trained = train(VARIED, *tones(), seed=1)
    torch.set_num_threads(n)
    return trained


def numbers(trained: Trained) -> list[tuple[Any, ...]]:
    """A learning curve without times."""
    return [tuple(v for k, v in row.items() if k not in ("wall_s", "wait_s")) for row in trained.epochs]


def same_weights(a: Trained, b: Trained) -> bool:
    one, other = a.network.state_dict(), b.network.state_dict()
    return one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)


def test_first_losses_of_a_tiny_network() -> None:
    trained = train(TINY, *tones(), seed=0)
    assert [row["train_loss"] for row in trained.epochs[:2]] == pytest.approx([1.12689, 1.08727], abs=1e-4)
    assert [row["clips"] for row in trained.epochs] == [36, 36, 36]


def test_the_seed_decides_everything_and_nothing_else_does(undisturbed: Trained) -> None:
    torch.manual_seed(99)  # another state of the caller's generator
    before = torch.get_rng_state()
    again = train(VARIED, *tones(), seed=1)
    assert same_weights(undisturbed, again) and numbers(undisturbed) == numbers(again)
    assert torch.equal(before, torch.get_rng_state())
    assert not same_weights(undisturbed, train(VARIED.assign({"max_epochs": 1}), *tones(), seed=2))


@pytest.mark.parametrize(("epoch", "step"), [(1, 2), (2, 5), (3, 5)])
def test_ctrl_c_and_the_same_call_end_with_the_same_bits(
    tmp_path: Path, undisturbed: Trained, epoch: int, step: int
) -> None:
    def interrupt(e: int, n_done: int, n_steps: int) -> None:
        if (e, n_done) == (epoch, step):
            os.kill(os.getpid(), signal.SIGINT)

    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        train(VARIED, *tones(), seed=1, folder=tmp_path, on_step=interrupt)
    assert signal.getsignal(signal.SIGINT) is handler
    at = checkpoint.read_header(tmp_path / checkpoint.STATE)
    assert (at["epoch"], at["batch"]) >= (epoch, step) and at["is_done"] == (epoch == 3)
    resumed = train(VARIED, *tones(), seed=1, folder=tmp_path, resume=True)
    assert same_weights(undisturbed, resumed) and numbers(undisturbed) == numbers(resumed)
    assert resumed.best_epoch == undisturbed.best_epoch
    assert same_weights(undisturbed, load_trained(tmp_path)[0])


def test_a_run_killed_between_epochs_goes_on(tmp_path: Path, undisturbed: Trained) -> None:
    class KilledError(Exception):
        pass

    def kill(row: dict[str, Any]) -> None:
        if row["epoch"] == 2:
            raise KilledError

    with pytest.raises(KilledError):
        train(VARIED, *tones(), seed=1, folder=tmp_path, on_epoch=kill)
    rows: list[dict[str, Any]] = []
    resumed = train(VARIED, *tones(), seed=1, folder=tmp_path, resume=True, on_epoch=rows.append)
    assert [row["epoch"] for row in rows] == [3]
    assert same_weights(undisturbed, resumed) and numbers(undisturbed) == numbers(resumed)
    done = train(VARIED, *tones(), seed=1, folder=tmp_path, resume=True, on_epoch=rows.append)
    assert len(rows) == 1 and same_weights(done, resumed)  # nothing is left to train


def test_the_best_weights_on_valid_are_kept_and_patience_ends_it(tmp_path: Path) -> None:
    recipe = TINY.assign({"learning_rate": 0.1, "max_epochs": 30, "patience": 2})  # too fast to stay good
    examples, packed = tones()
    trained = train(recipe, examples, packed, seed=0, folder=tmp_path)
    losses = [row["valid_loss"] for row in trained.epochs]
    assert trained.best_epoch == 1 + int(np.argmin(losses))
    assert len(losses) == trained.best_epoch + 2 < 30
    rows = examples.rows("valid")
    said = trained.probabilities(packed, rows)
    loss = -np.log(said[np.arange(len(rows)), examples.label[rows]].astype(np.float64)).mean()
    assert loss == pytest.approx(min(losses), abs=1e-5)


def test_looks_every_few_epochs_with_patience_in_epochs(tmp_path: Path) -> None:
    changes = {"learning_rate": 0.1, "max_epochs": 31, "patience": 4, "look_every": 2, "improvement": 0.9}
    recipe = TINY.assign(changes)
    trained = train(recipe, *tones(), seed=0, folder=tmp_path)
    losses = [row["valid_loss"] for row in trained.epochs]
    looked = {row["epoch"]: row["valid_loss"] for row in trained.epochs if row["valid_loss"] is not None}
    assert list(looked) == list(range(2, len(losses) + 1, 2)), "nothing between looks, and the end is one"
    assert trained.best_epoch == min(looked, key=looked.__getitem__)
    best, improved = float("inf"), 0
    for epoch, loss in looked.items():
        improved = epoch if loss < 0.9 * best else improved
        best = min(best, loss)
    assert len(losses) == improved + 4 < 31

    # stopped between looks and taken up again: the same
    def kill(row: dict[str, Any]) -> None:
        if row["epoch"] == 3:
            raise OSError

    with pytest.raises(OSError):
        train(recipe, *tones(), seed=0, folder=tmp_path / "b", on_epoch=kill)
    again = train(recipe, *tones(), seed=0, folder=tmp_path / "b", resume=True)
    assert same_weights(trained, again) and numbers(trained) == numbers(again)


def test_l2_is_the_gradient_of_the_penalty_and_spares_biases() -> None:
    network = Network(TINY, 3)
    recipe = TINY.assign({"l2": 0.5, "learning_rate": 0.01})
    optimiser = loop._optimiser(recipe, network)
    before = {name: p.detach().clone() for name, p in network.named_parameters()}
    plain = torch.optim.Adam(twin := [p.detach().clone().requires_grad_() for p in before.values()], lr=0.01)
    for p in network.parameters():
        p.grad = torch.full_like(p, 0.1)
    for p in twin:
        p.grad = 0.1 + (2 * 0.5 * p.detach() if p.dim() > 1 else 0 * p.detach())
    optimiser.step()
    plain.step()
    for name, own, other in zip(before, network.parameters(), twin, strict=True):
        torch.testing.assert_close(own, other, msg=name)


def test_without_a_part_valid_every_epoch_is_trained_and_the_last_kept() -> None:
    examples, packed = tones()
    examples.part[examples.part == "valid"] = "train"
    trained = train(TINY.assign({"patience": 1}), examples, packed)
    assert trained.best_epoch == 3 and [row["valid_loss"] for row in trained.epochs] == [None] * 3


def test_a_tiny_network_learns_tones() -> None:
    examples, packed = tones()
    trained = train(TINY.assign({"max_epochs": 8}), examples, packed, seed=0)
    rows = examples.rows("test")
    said = trained.probabilities(packed, rows)
    assert said.shape == (12, 3) and said.dtype == np.float32
    assert said.sum(1) == pytest.approx(np.ones(12), abs=1e-5)
    assert (said.argmax(1) == examples.label[rows]).mean() > 0.9
    turned = trained.probabilities(packed, rows[::-1])
    assert turned[::-1] == pytest.approx(said, abs=1e-6)


def test_a_loss_that_is_no_number_stops_and_says_where(tmp_path: Path) -> None:
    examples, packed = tones()
    n_steps = 5

    def poison(e: int, n_done: int, n: int) -> None:
        assert n == n_steps
        if (e, n_done) == (2, 2):
            run_weights.copy_(torch.full_like(run_weights, float("nan")))

    # the weight that is spoilt is reached through the optimiser's own tensor
    run_weights = torch.empty(0)

    def built(*args: Any, **options: Any) -> Any:
        nonlocal run_weights
        network = Network(*args, **options)
        run_weights = next(network.model.parameters()).data
        return network

    with pytest.MonkeyPatch.context() as patch, pytest.raises(DivergedError) as error:
        patch.setattr("motifdb.training.fitting.loop.Network", built)
        train(TINY, examples, packed, seed=0, folder=tmp_path, on_step=poison)
    said = str(error.value)
    assert "the loss is no number in epoch 2, batch 3 of 5 (clips clip-" in said and "and 4 more" in said
    assert f"the weights of epoch 1 are kept in {tmp_path}" in said and "learning_rate=0.0017" in said
    at = checkpoint.read_header(tmp_path / checkpoint.STATE)
    assert at["epoch"] == 2 and at["batch"] == 0
    assert all(
        torch.isfinite(t).all() for t in checkpoint.read_tensors(tmp_path / checkpoint.STATE)[0].values()
    )
    assert np.isfinite(load_trained(tmp_path)[0].probabilities(packed)).all()


def test_what_cannot_be_learnt_is_refused() -> None:
    examples, packed = tones()
    examples.part[:] = "test"
    with pytest.raises(UsageError, match="no clips to train on"):
        train(TINY, examples, packed)
    examples, packed = tones()
    examples.label[:] = 1
    with pytest.raises(UsageError, match="every clip to train on is of the class 'b'"):
        train(TINY, examples, packed)
    with pytest.raises(UsageError, match="device 'tpu' cannot be used here"):
        train(TINY, *tones(), device="tpu")


@pytest.mark.parametrize(
    "changed",
    [
        {"channels_last": True},
        {"precision": "bfloat16"},
        {"class_weights": "balanced", "label_smoothing": 0.1, "weight_decay": 0.01},
        {"bucketed": False, "max_s": 0.2},
    ],
)
def test_switches_train(changed: dict[str, Any]) -> None:
    trained = train(TINY.assign({"max_epochs": 2, **changed}), *tones(), seed=0)
    losses = [row["train_loss"] for row in trained.epochs]
    assert losses[1] < losses[0] < 1.5


def test_an_enlarged_set_has_the_paper_s_multiplicities() -> None:
    rows: list[dict[str, Any]] = []
    recipe = TINY.assign({"max_epochs": 2, "enlarged": "mixed"})
    one = train(recipe, *tones(), seed=0, on_epoch=rows.append)
    assert [row["clips"] for row in rows] == [72, 72]  # 36 originals, as many copies
    assert same_weights(one, train(recipe, *tones(), seed=0))
    assert not same_weights(one, train(recipe.assign({"augment.max_bands": 0}), *tones(), seed=0))


def test_augmentation_is_off_where_nothing_is_learnt() -> None:
    loud = Recipe.from_dict(VARIED.to_dict() | {"max_epochs": 1})
    assert loud.augment != AugmentConfig() and loud.waveform != WaveformConfig()
    trained = train(loud, *tones(), seed=0)
    _, packed = tones()
    assert (trained.probabilities(packed) == trained.probabilities(packed)).all()
