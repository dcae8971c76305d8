"""A stored run as a model that gives vectors: its network up to the layer that its paper names, without the classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from motifdb.errors import UsageError
from motifdb.ids import content_id
from motifdb.training.fitting.checkpoint import WEIGHTS
from motifdb.training.fitting.network import Network, autocast, evaluation_batches
from motifdb.training.fitting.predict import clip_durations, network_of
from motifdb.training.inputs.heard import is_relative, recording_gain
from motifdb.training.inputs.packed import Packed

if TYPE_CHECKING:
    from motifdb.catalog.snapshot import Snapshot

USUAL_SHARE = 0.95
"""A window is as long as this quantile of the clips that the run was trained on, as `motifdb predict` has it."""


class RunEmbedder:
    """The network of a stored run, up to its vector.

    Parameters
    ----------
    run : its row of `runs`
    root : the database's folder
    window_s : what is longer is heard in windows so long; None: as much as its recipe reads, else as long as the run's clips
        mostly are
    hop_s : from one to the next; None: half a window

    Raises
    ------
    UsageError
        for a baseline, a failed run, a checkpoint that is gone or not this run's.
    """

    is_voiced_only = False

    def __init__(
        self,
        snapshot: Snapshot,
        run: Mapping[str, Any],
        root: Path,
        *,
        device: str = "auto",
        window_s: float | None = None,
        hop_s: float | None = None,
    ) -> None:
        self.run = run
        self.network: Network = network_of(run, root, device).network
        self.name = f"{run['recipe']} {run['run_id'][:8]}"
        recipe = self.network.recipe
        self.sample_rate_hz = int(recipe.front_end.sample_rate_hz)
        self.is_relative = is_relative(recipe.front_end)
        if window_s is None:
            durations = clip_durations(snapshot, run)
            usual_s = float(np.quantile(durations, USUAL_SHARE)) if durations.size else 3.0
            # in tenths, so that a clip that goes does not make another analysis of what is asked for again
            window_s = recipe.max_s or max(0.1, round(usual_s, 1))
        elif recipe.max_s is not None and window_s > recipe.max_s:
            raise UsageError(
                f"{self.name} reads the first {recipe.max_s:g} s of what it hears; window_s must be no more, got {window_s:g}"
            )
        self.window_s: float | None = _positive("window_s", window_s)
        self.hop_s: float | None = _positive("hop_s", window_s / 2 if hop_s is None else hop_s)
        self._weights = content_id((root / run["checkpoint"] / WEIGHTS).read_bytes())
        self.n_dims = int(self._vectors(_silence(self.sample_rate_hz, self.window_s)).shape[1])

    def gain(self, packed: Packed, recording_ids: Sequence[str]) -> NDArray[np.float32]:
        """What damp-2018's decibels ask for: the loudest moment of each recording is 0 dB; 1 for other front ends."""
        if not self.is_relative:
            return np.ones(len(packed), np.float32)
        return recording_gain(packed, list(recording_ids), self.network.recipe.front_end)

    def config(self) -> dict[str, Any]:
        """The run, and its weights by their hash: a run that was trained again may have others under its id."""
        return {
            "model": "run",
            "run_id": self.run["run_id"],
            "recipe": self.run["recipe"],
            "weights": self._weights,
            "window_s": self.window_s,
            "hop_s": self.hop_s,
        }

    def embed(self, packed: Packed, rows: NDArray[np.int64] | None = None) -> NDArray[np.float32]:
        """See `motifdb.training.embedding.base.Embedder.embed`."""
        return self._vectors(packed if rows is None else packed.take(np.asarray(rows, np.int64)))

    def _vectors(self, packed: Packed) -> NDArray[np.float32]:
        return network_vectors(self.network, packed)


def network_vectors(network: Network, packed: Packed) -> NDArray[np.float32]:
    """The vectors of every clip at the layer before the classes: float32 [n, D], in eval mode.

    Whatever precision the network computes in, what lies in the padding of a batch does not count.
    """
    device = next(network.parameters()).device
    if not len(packed):
        raise UsageError("there are no clips to embed")
    found: dict[int, NDArray[np.float32]] = {}
    batches = evaluation_batches(
        network.recipe, packed, np.zeros(len(packed), np.int64), np.arange(len(packed))
    )
    was_training = network.training
    network.eval()
    try:
        with torch.inference_mode(), autocast(network.recipe, device):
            for batch in batches.epoch(0):
                features, n_columns = network.front_end(batch.samples.to(device), batch.lengths.to(device))
                vectors = network.model.embed(features, n_columns).float().cpu().numpy()
                found.update(zip(batch.row.tolist(), vectors, strict=True))
    finally:
        network.train(was_training)
    return np.stack([found[row] for row in range(len(packed))])


def _silence(sample_rate_hz: int, duration_s: float) -> Packed:
    return Packed.of([np.zeros(max(1, round(duration_s * sample_rate_hz)), np.int16)], sample_rate_hz)


def _positive(name: str, value: float) -> float:
    if not value > 0:
        raise UsageError(f"{name} must be more than 0 seconds, got {value}")
    return float(value)
