"""The training loop: Adam on cross-entropy, the best weights on the part `valid` kept, read from top to bottom.

Trade-offs
----------
- Every random draw follows from the seed, the epoch, the batch and the rank: weights from the seed; the order of clips from seed and
  epoch (`Batches`); dropout and augmentation from a seed that is set anew at every step. So there is no state of a generator to
  save, and a run that was stopped, also in the middle of an epoch, ends with the same bits as one that was not: on a CPU
  with the same number of threads. GPUs add in an order of their own, and agree to rounding.
- Early stopping watches the mean cross-entropy of `valid`. Without that part there is nothing honest to watch: every epoch is
  trained and the last weights are kept.
- Several processes share each batch: each takes a part, gradients are averaged over clips, as if one had seen them
  all. Batch normalisation uses each process's own part, and the running statistics of the first.
- A loss or gradient that is not finite ends the run (`DivergedError`), which names the epoch, the batch and the clips. On a GPU
  losses are looked at every few steps only, so that it need not wait for us; weights are never saved unlooked at.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from motifdb.errors import MotifdbError, UsageError
from motifdb.training.fitting import checkpoint
from motifdb.training.fitting.network import (
    Network,
    autocast,
    choose_device,
    evaluation_batches,
    probabilities,
)
from motifdb.training.fitting.recipes import Recipe
from motifdb.training.fitting.steadiness import (
    device_name,
    interruptible,
    load_optimiser,
    own_randomness,
    seed_of,
)
from motifdb.training.inputs.ahead import ahead
from motifdb.training.inputs.augment import Copy, static_plan
from motifdb.training.inputs.batches import Batches
from motifdb.training.inputs.packed import Packed
from motifdb.training.models import count_parameters
from motifdb.training.splits.examples import Examples

SAVE_EVERY_S = 300.0
"""Inside an epoch, where training is is saved this often."""

LOOK_EVERY = 16
"""Steps after which losses are fetched from a GPU."""

OnEpoch = Callable[[dict[str, Any]], None]
OnStep = Callable[[int, int, int], None]


class DivergedError(MotifdbError):
    """The loss is no number any more; the message says where, and what to try."""

    exit_code = 1


@dataclass(frozen=True)
class Gang:
    """The processes that train one network together, and which of them this is.

    With more than one, `torch.distributed` has been set up by whoever made them.
    """

    rank: int = 0
    world: int = 1

    def total(self, values: Tensor) -> Tensor:
        """Sums over all processes."""
        if self.world > 1:
            torch.distributed.all_reduce(values)
        return values

    def wait(self) -> None:
        """Until all are here."""
        if self.world > 1:
            torch.distributed.barrier()


@dataclass
class Progress:
    """Where training is: what a checkpoint holds beside tensors.

    `epoch` counts from 1 and `batch` from 0: the next step to take. `sums` are of the epoch under way: loss, right answers,
    clips, seconds, seconds waited for data.
    """

    epoch: int = 1
    batch: int = 0
    sums: list[float] = field(default_factory=lambda: [0.0] * 5)
    rows: list[dict[str, Any]] = field(default_factory=list)
    best_epoch: int = 0
    best_loss: float | None = None
    n_worse: int = 0
    is_done: bool = False
    wall_s: float = 0.0
    cpu_s: float = 0.0


@dataclass(frozen=True, eq=False)
class Trained:
    """A network with its best weights, and how it came about.

    Attributes
    ----------
    epochs : rows of the table `epochs`, without run_id
    best_epoch : the epoch whose weights these are, from 1
    wall_s, cpu_s : since the run began, however often it was taken up; of this process
    """

    network: Network
    epochs: list[dict[str, Any]]
    best_epoch: int
    wall_s: float
    cpu_s: float
    device: str
    n_parameters: int
    classes: tuple[str, ...] = ()

    def probabilities(self, packed: Packed, rows: NDArray[np.int64] | None = None) -> NDArray[np.float32]:
        """What it says about clips: float32 [n, C] in the order of `rows` (all by default)."""
        return probabilities(self.network, packed, rows)


def train(
    recipe: Recipe,
    examples: Examples,
    packed: Packed,
    *,
    seed: int = 0,
    folder: Path | None = None,
    device: str = "auto",
    resume: bool = False,
    on_epoch: OnEpoch | None = None,
    on_step: OnStep | None = None,
    about: Mapping[str, Any] | None = None,
    gang: Gang | None = None,
) -> Trained:
    """Train a network on the part train of `examples`; row i of `packed` is the sound of example i.

    Parameters
    ----------
    folder : where checkpoints go (`motifdb.training.fitting.checkpoint`); None keeps none
    resume : go on from the checkpoint in `folder`, where there is one
    on_epoch : is told each epoch's row when it ends
    on_step : is told epoch, steps done and steps in an epoch
    about : what else `config.json` is to hold, such as the split and the label; part of what a resumed run must agree in

    Raises
    ------
    UsageError
        for a class that cannot be learnt (`check_examples`), a device that is not here, another run's checkpoint.
    DivergedError
        where the loss or the gradients are no numbers any more.
    KeyboardInterrupt
        on Ctrl-C, after a checkpoint has been written.
    """
    check_examples(examples)
    gang = Gang() if gang is None else gang
    with own_randomness(), interruptible() as stop:
        run = _Run(recipe, examples, packed, seed, folder, choose_device(device), gang, stop, on_step)
        run.prepare(dict(about or {}), resume=resume)
        at = run.at
        while not at.is_done:
            run.train_epoch()
            row = run.close_epoch()
            if on_epoch is not None:
                on_epoch(row)
            if stop.is_set() and gang.world == 1:
                raise KeyboardInterrupt
        return run.trained()


def load_trained(folder: Path, device: str = "cpu") -> tuple[Trained, dict[str, Any]]:
    """The network that a run's folder holds, with its best weights, and `config.json`.

    Raises
    ------
    CheckpointError
        where the folder holds none that can be used.
    """
    config = checkpoint.read_config(folder)
    try:
        recipe, classes = Recipe.from_dict(config["recipe"]), tuple(config["classes"])
    except (KeyError, MotifdbError) as error:
        raise checkpoint.CheckpointError(
            f"{folder / checkpoint.CONFIG} does not describe a network of this motifdb: {error}"
        ) from None
    with own_randomness():
        network = Network(recipe, len(classes))
    path = folder / checkpoint.WEIGHTS
    tensors, header = checkpoint.read_tensors(path, checkpoint.run_of(config))
    checkpoint.load_into(network, tensors, path)
    target = choose_device(device)
    network.to(target).eval()
    state = folder / checkpoint.STATE
    at = Progress(**checkpoint.read_header(state)) if state.exists() else Progress()
    trained = Trained(
        network,
        at.rows,
        int(header["epoch"]),
        at.wall_s,
        at.cpu_s,
        device_name(target),
        count_parameters(network),
        classes,
    )
    return trained, config


def check_examples(examples: Examples) -> None:
    """Refuse what cannot be learnt.

    Raises
    ------
    UsageError
        for no clips to train on, or fewer than two classes there.
    """
    rows = examples.rows("train")
    if not len(rows):
        raise UsageError("this fold has no clips to train on; `motifdb split` makes another split")
    seen = set(examples.label[rows].tolist())
    if len(seen) < 2:
        only = examples.classes[next(iter(seen))]
        raise UsageError(
            f"every clip to train on is of the class {only!r}; a network needs two classes at least"
        )


class _Run:
    """One run under way: its parts, and the steps that `train` takes in order."""

    def __init__(
        self,
        recipe: Recipe,
        examples: Examples,
        packed: Packed,
        seed: int,
        folder: Path | None,
        device: torch.device,
        gang: Gang,
        stop: threading.Event,
        on_step: OnStep | None,
    ) -> None:
        self.recipe, self.examples, self.packed, self.seed = recipe, examples, packed, seed
        self.folder, self.device, self.gang, self.stop, self.on_step = folder, device, gang, stop, on_step
        self.at = Progress()
        self.best: dict[str, Tensor] | None = None
        self.started_s, self.started_cpu_s = time.monotonic(), time.process_time()
        size = max(1, -(-recipe.batch_size // gang.world))  # the batch is shared out
        rows = examples.rows("train")
        self.copies: list[Copy] | None = None
        if recipe.enlarged != "none":
            names = [examples.classes[i] for i in examples.label.tolist()]
            self.copies = static_plan(names, rows, policy=recipe.enlarged, seed=seed)
            rows = np.array([copy.row for copy in self.copies], np.int64)
        self.taken = rows
        """Which example each entry of the set that is trained on is."""
        self.batches = Batches(
            packed.take(rows),
            examples.label[rows],
            np.arange(len(rows)),
            batch_size=size,
            seed=seed,
            bucketed=recipe.bucketed,
            max_s=recipe.max_s,
            rank=gang.rank,
            world=gang.world,
        )
        self.class_weights = _class_weights(recipe, examples).to(device)

    # -- before the first step ----------------------------------------------------------------------------

    def prepare(self, about: Mapping[str, Any], *, resume: bool) -> None:
        """Network, optimiser, and where to begin."""
        recipe, gang = self.recipe, self.gang
        torch.manual_seed(seed_of(self.seed, "weights"))
        self.network = Network(recipe, len(self.examples.classes)).to(self.device)
        self.optimiser = _optimiser(recipe, self.network)
        config = {
            "recipe": recipe.to_dict(),
            "classes": list(self.examples.classes),
            "seed": self.seed,
            "workers": gang.world,
            "examples": _digest(self.examples),
            **about,
        }
        self.run = checkpoint.run_of(config)
        if not (resume and self._resumed(config)):
            rows = self.examples.rows("train")
            label = self.examples.label
            self.network.front_end.fit(evaluation_batches(recipe, self.packed, label, rows).epoch(0))
            if self.folder is not None and gang.rank == 0:
                for name in (checkpoint.STATE, checkpoint.WEIGHTS):
                    (self.folder / name).unlink(missing_ok=True)
                checkpoint.write_config(self.folder, config)
        gang.wait()  # nobody writes a checkpoint that another still reads
        self.shared: Any = self.network
        if gang.world > 1:
            self.shared = torch.nn.parallel.DistributedDataParallel(
                self.network, device_ids=[self.device] if self.device.type == "cuda" else None
            )

    def _resumed(self, config: Mapping[str, Any]) -> bool:
        """Take up the checkpoint in the folder; False where there is none."""
        if self.folder is None:
            return False
        found = checkpoint.read_state(self.folder, config, self.run)
        if found is None:
            return False
        (parts, counters), path = found, self.folder / checkpoint.STATE
        checkpoint.load_into(self.network, parts["last"], path)
        load_optimiser(self.optimiser, parts["optimiser"], path)
        try:
            self.at = Progress(**counters)
        except TypeError:
            raise checkpoint.CheckpointError(
                f"{path} was written by another version; train the run anew with --again"
            ) from None
        self.best = parts["best"] or (parts["last"] if self.at.best_epoch else None)
        return True

    # -- an epoch -----------------------------------------------------------------------------------------

    def train_epoch(self) -> None:
        """Take the steps of an epoch that are still to be taken."""
        at, recipe, gang, device = self.at, self.recipe, self.gang, self.device
        order = self.batches.order(at.epoch)
        self.network.train()
        pending: list[tuple[int, Tensor]] = []
        look_every = LOOK_EVERY if device.type == "cuda" else 1
        began_s = waiting_s = saved_s = time.monotonic()
        for batch in ahead(self.batches.epoch(at.epoch, at.batch), device):
            at.sums[4] += time.monotonic() - waiting_s
            step = seed_of(self.seed, "step", at.epoch, at.batch, gang.rank)
            torch.manual_seed(step)  # dropout
            generator = torch.Generator().manual_seed(step ^ 1)  # augmentation
            with autocast(recipe, device):
                copies = [self.copies[i] for i in batch.row.tolist()] if self.copies is not None else None
                logits = self.shared(batch.samples, batch.lengths, generator, copies)
                loss = functional.cross_entropy(
                    logits,
                    batch.label,
                    self.class_weights,
                    reduction="sum",
                    label_smoothing=recipe.label_smoothing,
                )
            n_right = (logits.detach().argmax(1) == batch.label).sum()
            n_clips: float | Tensor = float(len(batch))
            if gang.world > 1:
                n_clips = gang.total(torch.tensor(n_clips, device=device))
            self.optimiser.zero_grad(set_to_none=True)
            (
                loss * gang.world / n_clips
            ).backward()  # processes average gradients; we want the mean over clips
            norm = torch.nn.utils.clip_grad_norm_(self.network.parameters(), recipe.clip_norm or float("inf"))
            self.optimiser.step()
            pending.append((at.batch, torch.stack([loss.detach(), n_right.float(), norm])))
            at.sums[2] += len(batch)
            at.batch += 1
            if len(pending) >= look_every or at.batch == len(order):
                self._look(pending, order)
                pending = []
                if self.stop.is_set() and gang.world == 1:
                    at.sums[3] += time.monotonic() - began_s
                    self.save()
                    raise KeyboardInterrupt
                if gang.world == 1 and time.monotonic() - saved_s > SAVE_EVERY_S:
                    at.sums[3] += time.monotonic() - began_s
                    self.save()
                    began_s = saved_s = time.monotonic()
                if self.on_step is not None:
                    self.on_step(at.epoch, at.batch, len(order))
            waiting_s = time.monotonic()
        at.sums[3] += time.monotonic() - began_s

    def _look(self, pending: list[tuple[int, Tensor]], order: list[NDArray[np.int64]]) -> None:
        """Add up what steps gave, unless something is no number."""
        for (batch, _), values in zip(pending, torch.stack([v for _, v in pending]).tolist(), strict=True):
            loss, n_right, norm = values
            if not (np.isfinite(loss) and np.isfinite(norm)):
                raise self._diverged(batch, order[batch], "loss" if not np.isfinite(loss) else "gradient")
            self.at.sums[0] += loss
            self.at.sums[1] += n_right

    def _diverged(self, batch: int, rows: NDArray[np.int64], what: str) -> DivergedError:
        clips = ", ".join(self.examples.clip_id[i] for i in self.taken[rows[:3]].tolist())
        more = f" and {len(rows) - 3} more" if len(rows) > 3 else ""
        kept = (
            f"the weights of epoch {self.at.best_epoch} are kept in {self.folder}"
            if self.folder is not None and self.at.best_epoch
            else "there is no earlier epoch to keep"
        )
        return DivergedError(
            f"the {what} is no number in epoch {self.at.epoch}, batch {batch + 1} of {len(self.batches)} (clips {clips}{more});"
            f" {kept}; try --set learning_rate={self.recipe.learning_rate / 3:.2g}"
        )

    def close_epoch(self) -> dict[str, Any]:
        """Measure on valid, keep the weights where they are the best so far, save; gives the epoch's row."""
        at, recipe, gang = self.at, self.recipe, self.gang
        sums = gang.total(torch.tensor(at.sums, dtype=torch.float64, device=self.device)).tolist()
        loss, n_right, n_clips, _, wait_s = sums
        is_last = at.epoch >= recipe.max_epochs
        looks = is_last or at.epoch % recipe.look_every == 0
        valid_loss, valid_accuracy = self._valid() if looks else (None, None)
        row = {
            "epoch": at.epoch,
            "train_loss": loss / n_clips,
            "train_accuracy": n_right / n_clips,
            "valid_loss": valid_loss,
            "valid_accuracy": valid_accuracy,
            "learning_rate": recipe.learning_rate,
            "clips": int(n_clips),
            "wall_s": at.sums[3],
            "wait_s": wait_s / gang.world,
        }
        at.rows.append(row)
        is_blind = not len(self.examples.rows("valid"))  # nothing to watch: the newest weights are kept
        is_new = valid_loss is not None and (at.best_loss is None or valid_loss < at.best_loss)
        is_better = valid_loss is not None and (
            at.best_loss is None or valid_loss < recipe.improvement * at.best_loss
        )
        at.n_worse = 0 if is_blind or is_better else at.n_worse + 1
        is_best = is_blind or is_new
        if is_best:
            at.best_epoch, at.best_loss = at.epoch, valid_loss
            self.best = {name: t.detach().cpu().clone() for name, t in self.network.state_dict().items()}
        at.is_done = is_last or (looks and 0 < recipe.patience <= at.n_worse)
        at.epoch, at.batch, at.sums = at.epoch + 1, 0, [0.0] * 5
        self.save(is_best=is_best)
        return row

    def _valid(self) -> tuple[float | None, float | None]:
        """Mean cross-entropy and accuracy on the part valid; None without one."""
        rows, gang = self.examples.rows("valid"), self.gang
        if not len(rows):
            return None, None
        sums = torch.zeros(2, dtype=torch.float64)
        if gang.rank < len(rows):
            world = min(gang.world, len(rows))
            batches = evaluation_batches(
                self.recipe, self.packed, self.examples.label, rows, gang.rank, world
            )
            self.network.eval()
            with torch.inference_mode(), autocast(self.recipe, self.device):
                for batch in ahead(batches.epoch(0), self.device):
                    logits = self.network(batch.samples, batch.lengths)
                    sums[0] += functional.cross_entropy(logits, batch.label, reduction="sum").double().cpu()
                    sums[1] += (logits.argmax(1) == batch.label).sum().cpu()
        loss, n_right = gang.total(sums.to(self.device)).tolist()
        if not np.isfinite(loss):
            raise DivergedError(
                f"the loss on valid is no number after epoch {self.at.epoch}; try"
                f" --set learning_rate={self.recipe.learning_rate / 3:.2g}"
            )
        return loss / len(rows), n_right / len(rows)

    # -- keeping ------------------------------------------------------------------------------------------

    def save(self, *, is_best: bool = False) -> None:
        """Write where training is; the first process does, for all."""
        if self.folder is None or self.gang.rank:
            return
        tensors = {f"last/{name}": t for name, t in self.network.state_dict().items()}
        for i, of_parameter in self.optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser/{i}/{name}": t for name, t in of_parameter.items()}
        if is_best:
            header = {"epoch": self.at.best_epoch, "valid_loss": self.at.best_loss}
            checkpoint.write_tensors(self.folder / checkpoint.WEIGHTS, self.best or {}, header, self.run)
        elif self.best is not None:
            tensors |= {f"best/{name}": t for name, t in self.best.items()}
        counters = asdict(self.at) | self._spent()
        checkpoint.write_tensors(self.folder / checkpoint.STATE, tensors, counters, self.run)

    def _spent(self) -> dict[str, float]:
        """Seconds since the run began, however often it was taken up."""
        return {
            "wall_s": self.at.wall_s + time.monotonic() - self.started_s,
            "cpu_s": self.at.cpu_s + time.process_time() - self.started_cpu_s,
        }

    def trained(self) -> Trained:
        """The network with its best weights."""
        if self.best is not None:
            self.network.load_state_dict(self.best)
        self.network.eval()
        spent = self._spent()
        return Trained(
            self.network,
            self.at.rows,
            self.at.best_epoch,
            spent["wall_s"],
            spent["cpu_s"],
            device_name(self.device),
            count_parameters(self.network),
            self.examples.classes,
        )


# -- small things ------------------------------------------------------------------------------------------


def _digest(examples: Examples) -> str:
    """A hash of which clips are learnt and judged, under which class."""
    h = hashlib.blake2b(digest_size=10)
    for part in ("train", "valid"):
        for i in examples.rows(part).tolist():
            h.update(f"{part} {examples.clip_id[i]} {examples.classes[examples.label[i]]}\n".encode())
    return h.hexdigest()


def _optimiser(recipe: Recipe, network: Network) -> torch.optim.Optimizer:
    """Adam; with `weight_decay` that of AdamW, with `l2` the gradient of l2 times the sum of squared weights of kernels."""
    if not recipe.l2:
        # with no decay AdamW is Adam
        return torch.optim.AdamW(
            network.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay
        )
    own = list(network.parameters())
    groups = [
        {"params": [p for p in own if p.dim() > 1], "weight_decay": 2 * recipe.l2},
        {"params": [p for p in own if p.dim() <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.Adam(groups, lr=recipe.learning_rate)


def _class_weights(recipe: Recipe, examples: Examples) -> Tensor:
    """What a clip of each class counts; the mean over the part train is 1."""
    n_classes = len(examples.classes)
    if recipe.class_weights == "none":
        return torch.ones(n_classes)
    counts = np.bincount(examples.label[examples.rows("train")], minlength=n_classes)
    return torch.tensor(counts.sum() / (n_classes * np.maximum(counts, 1)), dtype=torch.float32)
