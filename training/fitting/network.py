"""What is trained, in one module: front end, augmentation and network, from samples to logits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from motifdb.errors import UsageError
from motifdb.training.fitting.recipes import Recipe
from motifdb.training.inputs.augment import Copy, SpecAugment
from motifdb.training.inputs.batches import Batches
from motifdb.training.inputs.frontends import FrontEnd
from motifdb.training.inputs.packed import Packed
from motifdb.training.inputs.waveform import WaveformAugment
from motifdb.training.models import build_model

EVALUATION_BATCH = 256
"""Clips heard together where nothing is learnt."""


class Network(nn.Module):  # type: ignore[misc]  # torch is untyped to us
    """From samples to logits, as a recipe says.

    Augmentation happens where a generator is given and the module is in training mode; its draws come from that generator
    alone, so that they do not depend on what else draws random numbers.
    """

    def __init__(self, recipe: Recipe, n_classes: int) -> None:
        super().__init__()
        self.recipe = recipe
        self.n_classes = n_classes
        self.waveform = WaveformAugment(recipe.waveform)
        self.front_end = FrontEnd(recipe.front_end)
        self.augment = SpecAugment(recipe.augment)
        self.model = build_model(
            recipe.model, n_rows=self.front_end.n_rows, n_classes=n_classes, **recipe.model_options
        )
        if recipe.channels_last:
            self.model.to(memory_format=torch.channels_last)
        if recipe.compile:
            self.model.compile(dynamic=True)  # in place: names of weights stay

    def forward(
        self,
        samples: Tensor,
        lengths: Tensor,
        generator: torch.Generator | None = None,
        copies: Sequence[Copy] | None = None,
    ) -> Tensor:
        """Samples [B, L] float32 and lengths [B] int64 to logits [B, C] float32.

        `copies` says how each clip is masked, where the recipe has an enlarged set.
        """
        is_varied = self.training and generator is not None
        with torch.no_grad():  # nothing is learnt before the model
            if is_varied:
                samples = self.waveform(samples, lengths, generator)
            features, n_columns = self.front_end(samples, lengths)
            if is_varied and copies is not None:
                features = self.augment.static(features, n_columns, copies)
            elif is_varied:
                features = self.augment(features, n_columns, generator)
        return self.model(features, n_columns).float()


def choose_device(name: str) -> torch.device:
    """A device by name; `auto` is a GPU where there is one.

    Raises
    ------
    UsageError
        for a device that is not here.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        first = str(error).splitlines()[0]
        raise UsageError(
            f"the device {name!r} cannot be used here ({first}); use auto, cpu or cuda"
        ) from None
    return device


def autocast(recipe: Recipe, device: torch.device) -> Any:
    """The precision of a recipe on a device, as a context: bfloat16 where it is asked for or a GPU has it."""
    wanted = recipe.precision
    if wanted == "auto":
        has = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
        wanted = "bfloat16" if has else "float32"
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=wanted == "bfloat16")


def probabilities(
    network: Network,
    packed: Packed,
    rows: NDArray[np.int64] | None = None,
    *,
    device: torch.device | None = None,
) -> NDArray[np.float32]:
    """What a network says about clips: float32 [n, C], each row summing to 1, in the order of `rows` (all by default).

    In eval mode: nothing is dropped or varied, and batch normalisation uses what training gathered.
    """
    rows = np.arange(len(packed)) if rows is None else np.asarray(rows, np.int64)
    out = np.zeros((len(rows), network.n_classes), np.float32)
    if not len(rows):
        return out
    place = {row: i for i, row in enumerate(rows.tolist())}
    device = next(network.parameters()).device if device is None else device
    batches = evaluation_batches(network.recipe, packed, np.zeros(len(packed), np.int64), rows)
    was_training = network.training
    network.eval()
    try:
        with torch.inference_mode(), autocast(network.recipe, device):
            for batch in batches.epoch(0):
                logits = network(batch.samples.to(device), batch.lengths.to(device))
                found = torch.softmax(logits, 1).cpu().numpy()
                out[[place[row] for row in batch.row.tolist()]] = found
    finally:
        network.train(was_training)
    return out


def evaluation_batches(
    recipe: Recipe,
    packed: Packed,
    label: NDArray[np.int64],
    rows: NDArray[np.int64],
    rank: int = 0,
    world: int = 1,
) -> Batches:
    """Clips in a fixed order, by length, for where nothing is learnt."""
    size = max(1, EVALUATION_BATCH // world)
    return Batches(
        packed, label, rows, batch_size=size, shuffle=False, max_s=recipe.max_s, rank=rank, world=world
    )
