"""The loop over steps: the same numbers however often it is stopped, the best weights, and a clear word where there are none."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from motifdb.errors import UsageError
from motifdb.training.encoders.fit import FitConfig, Fitted, Look, fit, seeded_weights
from motifdb.training.fitting import checkpoint
from motifdb.training.fitting.loop import DivergedError

CONFIG = FitConfig(learning_rate=1e-2, batch_size=8, max_steps=14, look_every=4, l2=1e-3, precision="float32")


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Sums in one order."""
    n = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(n)


def network(seed: int = 3) -> nn.Module:
    """With dropout and batch normalisation: all that a checkpoint could forget."""
    with seeded_weights(seed):
        return nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, 1))


def batches(first_step: int) -> Iterator[tuple[Tensor, Tensor]]:
    step = first_step
    while True:
        x = np.random.default_rng([5, step]).normal(size=(8, 4)).astype(np.float32)
        yield torch.from_numpy(x), torch.from_numpy(x.sum(1, keepdims=True))
        step += 1


def loss(module: Any, batch: tuple[Tensor, Tensor], generator: torch.Generator) -> Tensor:
    x, y = batch
    return functional.mse_loss(module(x + 0.1 * torch.randn(x.shape, generator=generator)), y)


def valid(module: Any) -> Look:
    x, y = next(batches(1_000))
    return Look(float(functional.mse_loss(module(x), y).detach()))


def run(
    folder: Path | None = None, config: FitConfig = CONFIG, seed: int = 3, valid: Any = valid, **options: Any
) -> Fitted:
    return fit(network(seed), loss, batches, valid, config, folder, device="cpu", seed=seed, **options)


@pytest.fixture(scope="module")
def undisturbed() -> Fitted:
    return run()


def numbers(fitted: Fitted) -> list[tuple[Any, ...]]:
    return [tuple(v for k, v in row.items() if k not in ("wall_s", "wait_s")) for row in fitted.rows]


def same(a: Fitted, b: Fitted) -> bool:
    one, other = a.module.state_dict(), b.module.state_dict()
    return numbers(a) == numbers(b) and all(torch.equal(one[k], other[k]) for k in one)


def test_it_learns_and_looks_when_it_said(undisturbed: Fitted) -> None:
    assert [row["step"] for row in undisturbed.rows] == [4, 8, 12, 14]
    assert [row["pairs"] for row in undisturbed.rows] == [32, 64, 96, 112]
    assert undisturbed.rows[-1]["valid_loss"] < undisturbed.rows[0]["valid_loss"]
    least = min(undisturbed.rows, key=lambda row: float(row["valid_loss"]))
    assert undisturbed.best_step == least["step"] and undisturbed.n_parameters == 4 * 8 + 8 + 16 + 8 + 1
    assert valid(undisturbed.module).loss == least["valid_loss"]  # the weights that are given are those


def test_the_seed_decides_and_the_callers_generator_stays(undisturbed: Fitted) -> None:
    torch.manual_seed(99)
    before = torch.get_rng_state()
    assert same(undisturbed, run())
    assert torch.equal(before, torch.get_rng_state())
    assert not same(undisturbed, run(seed=4))


@pytest.mark.parametrize("at", [1, 4, 7, 14])
def test_ctrl_c_and_the_same_call_end_with_the_same_bits(
    tmp_path: Path, undisturbed: Fitted, at: int
) -> None:
    def interrupt(step: int, most: int) -> None:
        assert most == 14
        if step == at:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, on_step=interrupt)
    assert checkpoint.read_header(tmp_path / checkpoint.STATE)["step"] == at
    assert same(undisturbed, run(tmp_path))
    assert same(undisturbed, run(tmp_path))  # nothing is left to do


def test_patience_counts_looks_without_an_improvement_that_is_large_enough() -> None:
    losses = iter([1.0, 0.999, 0.99, 0.98, 0.97, 0.5])

    def said(module: Any) -> Look:
        return Look(next(losses))

    fitted = run(
        config=FitConfig(max_steps=12, look_every=2, patience=2, improvement=0.995, precision="float32"),
        valid=said,
    )
    # 0.999 is no improvement on 1, 0.99 is, 0.98 is; 0.97 is; so it goes on to the end
    assert fitted.steps == 12 and fitted.best_step == 12
    losses = iter([1.0, 0.999, 0.998, 0.1])
    fitted = run(
        config=FitConfig(max_steps=12, look_every=2, patience=2, improvement=0.995, precision="float32"),
        valid=said,
    )
    assert fitted.steps == 6 and fitted.best_step == 6  # 0.998 is the least, though no improvement


def test_l2_pulls_kernels_and_nothing_else() -> None:
    def nothing(module: Any, batch: Any, generator: torch.Generator) -> Tensor:
        total: Tensor = sum(p.sum() for p in module.parameters()) * 0.0
        return total

    def moved(l2: float) -> dict[str, bool]:
        before = {name: p.detach().clone() for name, p in network().named_parameters()}
        made = fit(
            network(), nothing, batches, lambda m: None, FitConfig(max_steps=2, look_every=2, l2=l2), None
        )
        return {name: not torch.equal(p, before[name]) for name, p in made.module.named_parameters()}

    assert not any(moved(0.0).values())
    assert moved(0.1) == {name: p.dim() > 1 for name, p in network().named_parameters()}


def test_without_valid_pairs_the_last_weights_are_kept() -> None:
    fitted = run(valid=lambda module: None)
    assert fitted.best_step == fitted.steps == 14
    assert all(row["valid_loss"] is None for row in fitted.rows)


def test_a_stream_that_ends_ends_training(tmp_path: Path) -> None:
    def few(first_step: int) -> Iterator[tuple[Tensor, Tensor]]:
        for step, batch in zip(range(first_step, 6), batches(first_step), strict=False):
            assert step < 6
            yield batch

    fitted = fit(network(), loss, few, valid, CONFIG, tmp_path, device="cpu", seed=3)
    assert fitted.steps == 6 and [row["step"] for row in fitted.rows] == [4, 6]
    with pytest.raises(UsageError, match="no pairs to train on"):
        fit(network(), loss, lambda first: iter(()), valid, CONFIG, None, device="cpu")


def broken_loss(module: Any, batch: Any, generator: torch.Generator) -> Tensor:
    return module(batch[0]).sum() * float("nan")


def broken_gradient(module: Any, batch: Any, generator: torch.Generator) -> Tensor:
    return torch.sqrt(module(batch[0]).sum() * 0.0)


@pytest.mark.parametrize(("bad", "word"), [(broken_loss, "loss"), (broken_gradient, "gradient")])
def test_what_is_no_number_ends_it_with_a_sentence(bad: Callable[..., Tensor], word: str) -> None:
    with pytest.raises(
        DivergedError, match=rf"the {word} is no number at step 1; .*--set learning_rate=0.0033"
    ):
        fit(network(), bad, batches, valid, CONFIG, None, device="cpu")


def test_another_runs_folder_is_refused(tmp_path: Path) -> None:
    run(tmp_path, about={"split": "a"})
    with pytest.raises(checkpoint.CheckpointError, match="split: 'a' there, 'b' asked for"):
        run(tmp_path, about={"split": "b"})
    (tmp_path / checkpoint.STATE).write_bytes(b"PK\x03\x04 not ours")
    with pytest.raises(checkpoint.CheckpointError, match="pickled"):
        run(tmp_path, about={"split": "a"})


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"max_steps": 0}, "max_steps must be more than 0"),
        ({"learning_rate": float("nan")}, "learning_rate must be more than 0"),
        ({"l2": -1.0}, "l2 must be 0 or more"),
        ({"improvement": 1.5}, "improvement must be more than 0 and at most 1"),
        ({"precision": "float16"}, "precision must be auto"),
    ],
    ids=["steps", "rate", "l2", "improvement", "precision"],
)
def test_numbers_that_cannot_be(values: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        FitConfig(**values)
