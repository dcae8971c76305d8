"""A small network over vectors that learnt nothing of its classes: l3-2019's measure of an embedding.

Each window of sound (a *frame*) is an example with its clip's class. Frames are standardised by the mean and deviation of train; a
perceptron with two hidden layers learns them; nine of them, one for each pair of learning rate and L2, share every batch, and
the one that is right most often about the clips of valid is kept. A clip's class is that with the greatest mean likelihood over its frames.

Cramer, Wu, Salamon and Bello 2019, section 4.3; what the text leaves open is as in the released code, or said in docs/l3_downstream.md.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from motifdb.errors import UsageError
from motifdb.training.experiments.vector_frames import CHUNK, Frames, Scaling

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

HIDDEN = (512, 128)
GRID = (1e-5, 1e-4, 1e-3)
_ON_DEVICE_SHARE = 0.4  # of the device's free memory, that all vectors may take


@dataclass(frozen=True)
class DownstreamConfig:
    """How a perceptron learns.

    Attributes
    ----------
    hidden : units of the hidden layers
    learning_rates, l2s : the search has a point for each pair. L2 is what the squared weights (not the biases) are multiplied by in
        the loss
    batch_size : frames in a step (released jobs: 32 or 64)
    max_epochs, patience : epochs at most, and without a lower loss on valid
    """

    hidden: tuple[int, ...] = HIDDEN
    learning_rates: tuple[float, ...] = GRID
    l2s: tuple[float, ...] = GRID
    batch_size: int = 64
    max_epochs: int = 50
    patience: int = 20

    def check(self) -> None:
        """Refuse what cannot be.

        Raises
        ------
        UsageError
        """
        counts = self.batch_size, self.max_epochs, self.patience, *self.hidden
        if not all(isinstance(n, int) for n in counts):
            raise UsageError("batch_size, max_epochs, patience and hidden units must be whole numbers")
        if not self.learning_rates or not self.l2s or min(self.learning_rates) <= 0 or min(self.l2s) < 0:
            raise UsageError("the search needs learning rates above 0 and values of L2 that are 0 or more")
        if min(counts) < 1:
            raise UsageError("batch_size, max_epochs, patience and hidden units must be 1 or more")

    def to_json(self) -> dict[str, Any]:
        """Every value, as a run's configuration keeps it."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}


def build_mlp(n_dims: int, n_classes: int, hidden: tuple[int, ...] = HIDDEN) -> nn.Module:
    """Linear layers with ReLU between them: vectors [B, n_dims] to logits [B, n_classes].

    6,144 numbers to 10 classes are 3,213,194 parameters (published: 3.21 M).
    """
    from torch import nn

    sizes = [n_dims, *hidden]
    layers: list[nn.Module] = []
    for n_in, n_out in pairwise(sizes):
        layers += [nn.Linear(n_in, n_out), nn.ReLU()]
    mlp = nn.Sequential(*layers, nn.Linear(sizes[-1], n_classes))
    for layer in mlp:
        if isinstance(layer, nn.Linear) and not layer.weight.is_meta:
            nn.init.xavier_uniform_(layer.weight)  # what dense layers of the released code begin with
            nn.init.zeros_(layer.bias)
    return mlp


def n_mlp_parameters(n_dims: int, n_classes: int, hidden: tuple[int, ...] = HIDDEN) -> int:
    """Numbers that are trained.

    >>> n_mlp_parameters(6144, 10)
    3213194
    """
    sizes = [n_dims, *hidden, n_classes]
    return sum((n_in + 1) * n_out for n_in, n_out in pairwise(sizes))


@dataclass
class Point:
    """One pair of learning rate and L2, and how its perceptron did.

    Attributes
    ----------
    epochs : rows of the table `epochs` without run_id
    best_epoch : the one with the least loss on valid, whose weights are kept
    valid_loss : mean over frames of valid, in nat; valid_accuracy : share of its clips that are right
    """

    learning_rate: float
    l2: float
    epochs: list[dict[str, Any]] = field(default_factory=list)
    best_epoch: int = 0
    valid_loss: float = float("inf")
    valid_accuracy: float = 0.0


@dataclass(frozen=True, eq=False)
class Searched:
    """The points of a search, the one that was chosen, and its perceptron."""

    points: tuple[Point, ...]
    chosen: int
    _learner: _Learner

    @property
    def point(self) -> Point:
        """The chosen one."""
        return self.points[self.chosen]

    def probabilities(self, clips: NDArray[np.int64]) -> NDArray[np.float32]:
        """Mean likelihoods over the frames of clips: float32 [n, n_classes], rows summing to 1."""
        return self._learner.likelihoods(self._learner.models[self.chosen], clips)[0]


def search(
    frames: Frames,
    label: NDArray[np.int64],
    n_classes: int,
    train: NDArray[np.int64],
    valid: NDArray[np.int64],
    config: DownstreamConfig | None = None,
    *,
    seed: int = 0,
    device: str = "cpu",
    on_epoch: Callable[[int, int], None] | None = None,
) -> Searched:
    """Fit a perceptron for each pair of learning rate and L2, and choose by the clips of valid.

    Ties go to the lower loss on valid, then to the first point. Test is never looked at.

    Parameters
    ----------
    label : int64 [n], class of each clip of `frames`
    train, valid : int64, rows of clips
    on_epoch : is told (epochs done, points that still learn)

    Raises
    ------
    UsageError
        where train or valid is empty, or the loss of every point is no number.
    MissingExtraError
        where torch is not installed.
    """
    from motifdb.training.extras import need

    need("torch")
    config = config or DownstreamConfig()
    config.check()
    for name, rows in (("train", train), ("valid", valid)):
        if not len(rows):
            raise UsageError(
                f"the part {name} has no clip, and the search chooses by clips that neither train nor test;"
                " divide with a share of valid"
            )
    learner = _Learner(frames, label, n_classes, config, train, seed, device)
    points = [Point(rate, l2) for rate in config.learning_rates for l2 in config.l2s]
    learner.begin(points)
    rows, owner = frames.rows_of(train)
    alive = list(range(len(points)))
    for epoch in range(1, config.max_epochs + 1):
        began_s = time.monotonic()
        order = np.random.default_rng([seed, epoch]).permutation(len(rows))
        fitted = learner.epoch(alive, rows[order], label[train][owner[order]])
        wall_s = time.monotonic() - began_s
        for at in list(alive):
            loss, accuracy = fitted[at]
            if not np.isfinite(loss):
                alive.remove(at)  # its earlier weights stand, if it had any
                continue
            learner.look(at, points[at], valid, epoch, loss, accuracy, wall_s / len(fitted))
            if epoch - points[at].best_epoch >= config.patience:
                alive.remove(at)
        if on_epoch is not None:
            on_epoch(epoch, len(alive))
        if not alive:
            break
    if all(point.best_epoch == 0 for point in points):
        raise UsageError("no perceptron could learn these vectors: every loss became infinite or no number")
    chosen = min(range(len(points)), key=lambda i: (-points[i].valid_accuracy, points[i].valid_loss, i))
    learner.keep_best()
    return Searched(tuple(points), chosen, learner)


class _Learner:
    """Perceptrons of one size over the same frames, each with its optimiser; a batch is gathered once for all of them."""

    def __init__(
        self,
        frames: Frames,
        label: NDArray[np.int64],
        n_classes: int,
        config: DownstreamConfig,
        train: NDArray[np.int64],
        seed: int,
        device: str,
    ) -> None:
        import torch

        from motifdb.training.fitting.network import choose_device

        self.frames, self.label, self.n_classes = frames, label, n_classes
        self.config, self.seed, self.n_train = config, seed, len(train)
        self.device: torch.device = choose_device(device)
        scaling = Scaling.of(frames.vectors, frames.rows_of(train)[0])
        self.mean = torch.from_numpy(scaling.mean).to(self.device)
        self.deviation = torch.from_numpy(scaling.deviation).to(self.device)
        self.held: Tensor | None = None
        if self.device.type == "cuda":
            free, _ = torch.cuda.mem_get_info(self.device)
            if frames.vectors.nbytes < _ON_DEVICE_SHARE * free:
                self.held = torch.from_numpy(np.ascontiguousarray(frames.vectors)).to(self.device)
        self.models: list[nn.Module] = []
        self.optimisers: list[torch.optim.Optimizer] = []
        self.best: list[dict[str, Tensor]] = []

    def begin(self, points: list[Point]) -> None:
        """A perceptron for each point, all from the same weights, so that only the point makes the difference."""
        import torch

        is_cuda = self.device.type == "cuda"
        for point in points:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(self.seed)
                model = build_mlp(self.frames.n_dims, self.n_classes, self.config.hidden).to(self.device)
            weights = [p for p in model.parameters() if p.ndim > 1]
            biases = [p for p in model.parameters() if p.ndim == 1]
            # the derivative of l2 * w^2 is 2 * l2 * w, and torch's decay adds decay * w to the gradient before Adam's moments
            groups = [{"params": weights, "weight_decay": 2 * point.l2}, {"params": biases}]
            self.models.append(model)
            self.optimisers.append(torch.optim.Adam(groups, lr=point.learning_rate, eps=1e-7, fused=is_cuda))
            self.best.append({})

    def gathered(self, rows: NDArray[np.int64]) -> Tensor:
        """Standardised vectors of some frames, on the device."""
        import torch

        if self.held is not None:
            found = self.held[torch.from_numpy(rows).to(self.device)]
        else:
            found = torch.from_numpy(np.asarray(self.frames.vectors[rows], np.float32)).to(self.device)
        return (found - self.mean) / self.deviation

    def epoch(
        self, alive: list[int], rows: NDArray[np.int64], label: NDArray[np.int64]
    ) -> dict[int, tuple[float, float]]:
        """One pass over frames; by point, mean cross-entropy and share right while training."""
        import torch
        from torch.nn.functional import cross_entropy

        size = self.config.batch_size
        # sums stay on the device: asking for a number after each step would make a GPU wait
        loss_sum = torch.zeros(len(self.models), device=self.device)
        right = torch.zeros(len(self.models), device=self.device)
        truth = torch.from_numpy(label).to(self.device)
        for begin in range(0, len(rows), size):
            x = self.gathered(rows[begin : begin + size])
            y = truth[begin : begin + size]
            for at in alive:
                logits = self.models[at](x)
                loss = cross_entropy(logits, y)
                self.optimisers[at].zero_grad(set_to_none=True)
                loss.backward()
                self.optimisers[at].step()
                with torch.no_grad():
                    loss_sum[at] += loss * len(y)
                    right[at] += (logits.argmax(1) == y).sum()
        means = (torch.stack([loss_sum, right]) / len(rows)).tolist()
        return {at: (means[0][at], means[1][at]) for at in alive}

    def look(
        self,
        at: int,
        point: Point,
        valid: NDArray[np.int64],
        epoch: int,
        loss: float,
        accuracy: float,
        wall_s: float,
    ) -> None:
        """Judge a point on valid, and keep its weights if the loss is the least so far."""
        probabilities, valid_loss = self.likelihoods(self.models[at], valid, self.label[valid])
        valid_accuracy = float((probabilities.argmax(1) == self.label[valid]).mean())
        point.epochs.append({
            "epoch": epoch, "train_loss": loss, "train_accuracy": accuracy, "valid_loss": valid_loss,
            "valid_accuracy": valid_accuracy, "learning_rate": point.learning_rate, "clips": self.n_train,
            "wall_s": wall_s, "wait_s": 0.0,
        })  # fmt: skip
        if valid_loss < point.valid_loss:
            point.best_epoch, point.valid_loss, point.valid_accuracy = epoch, valid_loss, valid_accuracy
            self.best[at] = {k: v.detach().clone() for k, v in self.models[at].state_dict().items()}

    def keep_best(self) -> None:
        """Every perceptron with the weights of its best epoch."""
        for model, best in zip(self.models, self.best, strict=True):
            if best:
                model.load_state_dict(best)

    def likelihoods(
        self, model: nn.Module, clips: NDArray[np.int64], label: NDArray[np.int64] | None = None
    ) -> tuple[NDArray[np.float32], float]:
        """Mean over the frames of each clip, float32 [n, n_classes], and where labels are given the mean cross-entropy of frames."""
        import torch
        from torch.nn.functional import cross_entropy

        rows, owner = self.frames.rows_of(clips)
        total = np.zeros((len(clips), self.n_classes))
        loss = 0.0
        with torch.inference_mode():
            for begin in range(0, len(rows), CHUNK):
                own = owner[begin : begin + CHUNK]
                logits = model(self.gathered(rows[begin : begin + CHUNK]))
                if label is not None:
                    truth = torch.from_numpy(label[own]).to(self.device)
                    loss += float(cross_entropy(logits, truth, reduction="sum"))
                np.add.at(total, own, torch.softmax(logits, 1).cpu().numpy())
        n = np.bincount(owner, minlength=len(clips))[:, None]
        return (total / n).astype(np.float32), loss / len(rows)
