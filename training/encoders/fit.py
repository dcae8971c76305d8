"""The loop over steps for networks that learn without classes: pairs of clips, sound and pictures of videos.

The loop over epochs (`motifdb.training.fitting.loop`) knows its set of clips; here batches come from a stream that has no end, so
progress is counted in steps, and every `look_every` steps the network is looked at on fixed pairs it does not learn from.

Trade-offs
----------
- Every random draw follows from the seed and the step: weights from the seed, batches from the step (``batches(first_step)``), dropout
  and augmentation from a seed set anew at each step. A run that was stopped anywhere ends with the same bits as one that was not, on
  a CPU with the same number of threads.
- ``l2`` is the papers' penalty: l2 times the sum of squared weights of kernels (tensors of two dimensions or more) is added to the loss; through
  its gradient, 2 l2 w, in Adam, so that the losses that are reported are without it.
- The best weights are those with the least loss on valid. Patience counts looks without an *improvement*, which may be asked to be
  larger than nothing (damp-2018: new below 0.995 of the best). Without valid pairs every step is taken and the last weights are kept.
- A loss or gradient that is not finite ends the run (`DivergedError`) and names the step.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from motifdb.errors import UsageError
from motifdb.training.fitting import checkpoint
from motifdb.training.fitting.loop import DivergedError
from motifdb.training.fitting.network import choose_device
from motifdb.training.fitting.steadiness import (
    device_name,
    interruptible,
    load_optimiser,
    own_randomness,
    seed_of,
)
from motifdb.training.models import count_parameters

SAVE_EVERY_S = 300.0
"""Between looks, where training is is saved this often."""

FETCH_EVERY = 16
"""Steps after which losses are fetched from a GPU."""


@dataclass(frozen=True)
class FitConfig:
    """How a network is trained over steps.

    Attributes
    ----------
    learning_rate : of Adam, > 0
    batch_size : pairs in a batch; only counts them, batches come as they are
    max_steps : at most so many
    look_every : steps between looks at the valid pairs
    patience : stop after so many looks in a row without an improvement; 0: never
    improvement : a look improves where its loss is below this share of the best one; 1: any smaller loss
    l2 : penalty on squared weights of kernels (see above); 0: none
    clip_norm : gradients longer than this are shortened to it; 0: never
    precision : ``"auto"`` (bfloat16 where a GPU has it), ``"float32"`` or ``"bfloat16"``
    """

    learning_rate: float = 1e-4
    batch_size: int = 32
    max_steps: int = 10_000
    look_every: int = 500
    patience: int = 0
    improvement: float = 1.0
    l2: float = 0.0
    clip_norm: float = 0.0
    precision: str = "auto"

    def __post_init__(self) -> None:
        for name in ("learning_rate", "batch_size", "max_steps", "look_every"):
            if not getattr(self, name) > 0:
                raise UsageError(f"{name} must be more than 0, got {getattr(self, name)}")
        for name in ("patience", "l2", "clip_norm"):
            if not getattr(self, name) >= 0:
                raise UsageError(f"{name} must be 0 or more, got {getattr(self, name)}")
        if not 0 < self.improvement <= 1:
            raise UsageError(f"improvement must be more than 0 and at most 1, got {self.improvement}")
        if self.precision not in ("auto", "float32", "bfloat16"):
            raise UsageError(f"precision must be auto, float32 or bfloat16, got {self.precision!r}")


@dataclass(frozen=True)
class Look:
    """What the valid pairs say: mean loss, and the share told right where pairs are classified."""

    loss: float
    accuracy: float | None = None


@dataclass
class Place:
    """Where training is: what a checkpoint holds beside tensors.

    `step` is how many steps were taken; `sums` are since the last look: loss, steps, seconds, seconds waited for data.
    """

    step: int = 0
    sums: list[float] = field(default_factory=lambda: [0.0] * 4)
    rows: list[dict[str, Any]] = field(default_factory=list)
    best_step: int = 0
    best_loss: float | None = None
    improved_loss: float | None = None
    n_worse: int = 0
    is_done: bool = False
    wall_s: float = 0.0
    cpu_s: float = 0.0


@dataclass(frozen=True, eq=False)
class Fitted:
    """A module with its best weights, in eval mode, and how it came about.

    Attributes
    ----------
    rows : rows of the table `encoder_steps`, without encoder_id
    steps, best_step : steps taken, and the one whose weights these are
    wall_s, cpu_s : since the run began, however often it was taken up; of this process
    """

    module: nn.Module
    rows: list[dict[str, Any]]
    steps: int
    best_step: int
    n_parameters: int
    device: str
    wall_s: float
    cpu_s: float


Batches = Callable[[int], Iterator[Any]]
"""From the number of the first step (from 0) to the batches of that step and those after it."""

Loss = Callable[[Any, Any, torch.Generator], Tensor]
"""From module, batch (on the device) and generator to the mean loss, a scalar."""

Valid = Callable[[Any], Look | None]
"""From the module, in eval mode and without gradients, to what the valid pairs say; None where there are none."""

OnLook = Callable[[dict[str, Any]], None]
OnStep = Callable[[int, int], None]


def fit(
    module: nn.Module,
    loss: Loss,
    batches: Batches,
    valid: Valid,
    config: FitConfig,
    folder: Path | None,
    *,
    device: str = "auto",
    seed: int = 0,
    about: Mapping[str, Any] | None = None,
    on_look: OnLook | None = None,
    on_step: OnStep | None = None,
    resume: bool = True,
) -> Fitted:
    """Train a module; see the module's text.

    Parameters
    ----------
    module : as it begins (`seeded_weights`); it is moved to the device and trained in place
    batches : a stream that ends early ends training. A batch with ``to(device)`` is moved, tuples of such too
    folder : where checkpoints go (`motifdb.training.fitting.checkpoint`); None keeps none
    about : what else `config.json` is to hold; with config and seed what a resumed run must agree in
    on_look : is told each look's row
    on_step : is told steps taken, and at most how many there will be

    Raises
    ------
    UsageError
        for a device that is not here, no batches, another run's checkpoint.
    DivergedError
        where loss or gradients are no numbers any more.
    KeyboardInterrupt
        on Ctrl-C, after a checkpoint has been written; the same call goes on.
    """
    with own_randomness(), interruptible() as stop:
        run = _Fit(module, loss, valid, config, folder, choose_device(device), seed, stop)
        run.prepare(dict(about or {}), resume=resume)
        stream = batches(run.at.step) if not run.at.is_done else iter(())
        try:
            while not run.at.is_done:
                run.take_steps(stream, on_step)
                row = run.look()
                if row is not None and on_look is not None:
                    on_look(row)
                if stop.is_set():
                    raise KeyboardInterrupt
        finally:
            close = getattr(stream, "close", None)
            if close is not None:  # a generator may hold threads or tasks
                close()
        return run.fitted()


@contextmanager
def seeded_weights(seed: int) -> Iterator[None]:
    """Modules made inside have weights that follow from the seed; the caller's generators stay as they were."""
    with own_randomness():
        torch.manual_seed(seed_of(seed, "weights"))
        yield


def precision(name: str, device: torch.device) -> Any:
    """A precision on a device, as a context: bfloat16 where it is asked for, or ``auto`` and a GPU has it."""
    if name == "auto":
        has = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
        name = "bfloat16" if has else "float32"
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=name == "bfloat16")


class _Fit:
    """One run under way."""

    def __init__(
        self,
        module: nn.Module,
        loss: Loss,
        valid: Valid,
        config: FitConfig,
        folder: Path | None,
        device: torch.device,
        seed: int,
        stop: threading.Event,
    ) -> None:
        self.module, self.loss, self.valid, self.config = module.to(device), loss, valid, config
        self.folder, self.device, self.seed, self.stop = folder, device, seed, stop
        self.at = Place()
        self.best: dict[str, Tensor] | None = None
        self.run = ""
        self.started_s, self.started_cpu_s = time.monotonic(), time.process_time()
        own = [p for p in module.parameters() if p.requires_grad]
        groups = [
            {"params": [p for p in own if p.dim() > 1], "weight_decay": 2 * config.l2},
            {"params": [p for p in own if p.dim() <= 1], "weight_decay": 0.0},
        ]
        self.optimiser = torch.optim.Adam([g for g in groups if g["params"]], lr=config.learning_rate)

    def prepare(self, about: Mapping[str, Any], *, resume: bool) -> None:
        """Where to begin."""
        if self.folder is None:
            return
        config = {"fit": asdict(self.config), "seed": self.seed, **about}
        self.run = checkpoint.run_of(config)
        if not (resume and self._resumed(config)):
            for name in (checkpoint.STATE, checkpoint.WEIGHTS):
                (self.folder / name).unlink(missing_ok=True)
            checkpoint.write_config(self.folder, config)

    def _resumed(self, config: Mapping[str, Any]) -> bool:
        """Take up the checkpoint in the folder; False where there is none."""
        assert self.folder is not None
        found = checkpoint.read_state(self.folder, config, self.run)
        if found is None:
            return False
        (parts, counters), path = found, self.folder / checkpoint.STATE
        checkpoint.load_into(self.module, parts["last"], path)
        load_optimiser(self.optimiser, parts["optimiser"], path)
        try:
            self.at = Place(**counters)
        except TypeError:
            raise checkpoint.CheckpointError(
                f"{path} was written by another version; delete the folder {self.folder} and train anew"
            ) from None
        self.best = parts["best"] or (parts["last"] if self.at.best_step else None)
        return True

    # -- steps ------------------------------------------------------------------------------------------------

    def take_steps(self, stream: Iterator[Any], on_step: OnStep | None) -> None:
        """Steps up to the next look, or the end of the stream."""
        at, config = self.at, self.config
        until = min(config.max_steps, (at.step // config.look_every + 1) * config.look_every)
        fetch_every = FETCH_EVERY if self.device.type == "cuda" else 1
        pending: list[tuple[int, Tensor]] = []
        self.module.train()
        began_s = saved_s = time.monotonic()
        while at.step < until:
            waiting_s = time.monotonic()
            batch = next(stream, None)
            at.sums[3] += time.monotonic() - waiting_s
            if batch is None:
                self._fetch(pending)
                if not at.step:
                    raise UsageError("there are no pairs to train on")
                at.is_done = True
                break
            pending.append((at.step, self._step(batch)))
            at.step += 1
            if len(pending) >= fetch_every or at.step == until:
                self._fetch(pending)
                pending = []
                if on_step is not None:
                    on_step(at.step, config.max_steps)
                if at.step < until and (self.stop.is_set() or time.monotonic() - saved_s > SAVE_EVERY_S):
                    at.sums[2] += time.monotonic() - began_s
                    self.save()
                    if self.stop.is_set():
                        raise KeyboardInterrupt
                    began_s = saved_s = time.monotonic()
        at.sums[2] += time.monotonic() - began_s

    def _step(self, batch: Any) -> Tensor:
        """One step; gives loss and length of the gradient, on the device."""
        number = seed_of(self.seed, "step", self.at.step)
        torch.manual_seed(number)  # dropout
        generator = torch.Generator().manual_seed(number ^ 1)  # augmentation
        with precision(self.config.precision, self.device):
            loss = self.loss(self.module, _moved(batch, self.device), generator)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.module.parameters(), self.config.clip_norm or float("inf"))
        self.optimiser.step()
        return torch.stack([loss.detach().float(), norm.float()])

    def _fetch(self, pending: list[tuple[int, Tensor]]) -> None:
        """Add up what steps gave, unless something is no number."""
        if not pending:
            return
        for (step, _), (loss, norm) in zip(
            pending, torch.stack([v for _, v in pending]).tolist(), strict=True
        ):
            if not (np.isfinite(loss) and np.isfinite(norm)):
                raise self._diverged("loss" if not np.isfinite(loss) else "gradient", step + 1)
            self.at.sums[0] += loss
            self.at.sums[1] += 1

    def _diverged(self, what: str, step: int) -> DivergedError:
        kept = (
            f"the weights of step {self.at.best_step} are kept in {self.folder}"
            if self.folder is not None and self.at.best_step
            else "there are no earlier weights to keep"
        )
        return DivergedError(
            f"the {what} is no number at step {step:,}; {kept}; try --set learning_rate={self.config.learning_rate / 3:.2g}"
        )

    # -- looks ------------------------------------------------------------------------------------------------

    def look(self) -> dict[str, Any] | None:
        """Measure on valid, keep the weights where they are the best so far, save; gives the look's row.

        None where the stream ended just after a look, and there is nothing new to look at.
        """
        at, config = self.at, self.config
        if at.rows and at.rows[-1]["step"] == at.step:
            self.save()
            return None
        self.module.eval()
        with torch.inference_mode(), precision(config.precision, self.device):
            seen = self.valid(self.module)
        if seen is not None and not np.isfinite(seen.loss):
            raise self._diverged("loss on valid", at.step)
        total, n_steps, wall_s, wait_s = at.sums
        row = {
            "step": at.step,
            "pairs": at.step * config.batch_size,
            "train_loss": total / n_steps,
            "valid_loss": None if seen is None else seen.loss,
            "valid_accuracy": None if seen is None else seen.accuracy,
            "wall_s": wall_s,
            "wait_s": wait_s,
        }
        at.rows.append(row)
        is_best = seen is None or at.best_loss is None or seen.loss < at.best_loss
        if is_best:
            at.best_step, at.best_loss = at.step, None if seen is None else seen.loss
            self.best = {name: t.detach().cpu().clone() for name, t in self.module.state_dict().items()}
        if seen is not None:
            if at.improved_loss is None or seen.loss < config.improvement * at.improved_loss:
                at.improved_loss, at.n_worse = seen.loss, 0
            else:
                at.n_worse += 1
        at.is_done |= at.step >= config.max_steps or 0 < config.patience <= at.n_worse
        at.sums = [0.0] * 4
        self.save(is_best=is_best)
        return row

    def save(self, *, is_best: bool = False) -> None:
        """Write where training is."""
        if self.folder is None:
            return
        tensors = {f"last/{name}": t for name, t in self.module.state_dict().items()}
        for i, of_parameter in self.optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser/{i}/{name}": t for name, t in of_parameter.items()}
        if is_best:
            header = {"step": self.at.best_step, "valid_loss": self.at.best_loss}
            checkpoint.write_tensors(self.folder / checkpoint.WEIGHTS, self.best or {}, header, self.run)
        elif self.best is not None:
            tensors |= {f"best/{name}": t for name, t in self.best.items()}
        checkpoint.write_tensors(
            self.folder / checkpoint.STATE, tensors, asdict(self.at) | self._spent(), self.run
        )

    def _spent(self) -> dict[str, float]:
        """Seconds since the run began, however often it was taken up."""
        return {
            "wall_s": self.at.wall_s + time.monotonic() - self.started_s,
            "cpu_s": self.at.cpu_s + time.process_time() - self.started_cpu_s,
        }

    def fitted(self) -> Fitted:
        """The module with its best weights."""
        if self.best is not None:
            self.module.load_state_dict(self.best)
        self.module.eval()
        at, spent = self.at, self._spent()
        return Fitted(
            self.module,
            at.rows,
            at.step,
            at.best_step,
            count_parameters(self.module),
            device_name(self.device),
            spent["wall_s"],
            spent["cpu_s"],
        )


def _moved(batch: Any, device: torch.device) -> Any:
    """A batch on the device, as far as it can be moved."""
    if isinstance(batch, Tensor):
        return batch.to(device, non_blocking=True)
    if isinstance(batch, tuple):
        parts = [_moved(part, device) for part in batch]
        return type(batch)(*parts) if hasattr(batch, "_fields") else tuple(parts)
    return batch.to(device) if hasattr(batch, "to") else batch
