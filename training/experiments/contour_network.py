"""A small network on a recording's pitch contour: no sound, no motifs, a few thousand frames in, one label out.

It is told where the pitch lies over a tonic, or over the recording's own median: in octaves, and on the circle of the octave at several
rates (so that a scale degree is a direction, with no jump between B and C); its slope; whether it is voiced. The network is
`contour-cnn` of `motifdb.training.models`. Training draws stretches, testing takes the whole recording.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from motifdb.pipelines.records import PitchTrack

FRAME_S = 0.04
STRETCH_S = 40.0
CIRCLE_RATES = (1, 2, 3, 5, 7, 12)
N_CHANNELS = 3 + 2 * len(CIRCLE_RATES)


def contour_channels(
    f0_hz: NDArray[np.floating[Any]], hop_s: float, reference_hz: float | None
) -> NDArray[np.float32]:
    """A pitch track as channels on a grid of 40 ms: float32, shape (15, n_frames), all 0 where unvoiced.

    Parameters
    ----------
    f0_hz : Hz, 0 where unvoiced
    reference_hz : the tonic; None takes the median of the voiced frames
    """
    at = np.arange(0, len(f0_hz), FRAME_S / hop_s).astype(np.int64)
    pitch = np.asarray(f0_hz, np.float64)[at]
    voiced = pitch > 0
    out = np.zeros((N_CHANNELS, len(pitch)), np.float32)
    if not voiced.any():
        return out
    octaves = np.log2(np.where(voiced, pitch, 1.0) / (reference_hz or float(np.median(pitch[voiced]))))
    steps = np.diff(octaves, prepend=octaves[:1])
    is_step = voiced & np.roll(voiced, 1)
    is_step[0] = False
    rows = [octaves, np.where(is_step, np.clip(steps * 12.0, -2.0, 2.0), 0.0), np.ones(len(pitch))]
    for rate in CIRCLE_RATES:
        rows += [np.sin(2 * np.pi * rate * octaves), np.cos(2 * np.pi * rate * octaves)]
    out[:] = np.where(voiced, np.stack(rows), 0.0)
    return out


class ContourNetwork:
    """Fits anew for every (train, test) it is called with, and gives the probabilities of test, float64 (n_test, n_classes).

    Parameters
    ----------
    tracks, label : one recording each
    epochs : passes over the training recordings, one stretch of each a pass
    tonic_hz : where given, pitch is over it
    """

    def __init__(
        self,
        tracks: Sequence[PitchTrack],
        label: NDArray[np.int64],
        n_classes: int,
        *,
        epochs: int,
        seed: int = 0,
        tonic_hz: NDArray[np.float64] | None = None,
        learning_rate: float = 2e-3,
        batch_size: int = 16,
    ) -> None:
        tonics = [None] * len(tracks) if tonic_hz is None else tonic_hz.tolist()
        self.channels = [
            contour_channels(t.f0_hz, t.hop_s, tonic) for t, tonic in zip(tracks, tonics, strict=True)
        ]
        self.label = label
        self.n_classes = n_classes
        self.epochs = epochs
        self.seed = seed
        self.learning_rate = learning_rate
        self.batch_size = batch_size

    def __call__(self, train: NDArray[np.int64], test: NDArray[np.int64]) -> NDArray[np.float64]:
        import torch
        from torch.nn import functional

        from motifdb.training.models import build_model

        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            network = build_model(
                "contour-cnn", n_rows=N_CHANNELS, n_classes=self.n_classes, channels=48, dropout=0.3
            )
            optimiser = torch.optim.AdamW(network.parameters(), self.learning_rate, weight_decay=1e-2)
            n_steps = self.epochs * -(-len(train) // self.batch_size)
            schedule = torch.optim.lr_scheduler.OneCycleLR(
                optimiser, self.learning_rate, total_steps=max(n_steps, 2)
            )
            rng = np.random.default_rng(self.seed)
            network.train()
            for _ in range(self.epochs):
                order = rng.permutation(train)
                for first in range(0, len(order), self.batch_size):
                    rows = order[first : first + self.batch_size]
                    logits = network(*self._stretches(rows, rng))
                    loss = functional.cross_entropy(
                        logits, torch.from_numpy(self.label[rows]), label_smoothing=0.1
                    )
                    optimiser.zero_grad()
                    loss.backward()
                    optimiser.step()
                    schedule.step()
            network.eval()
            with torch.no_grad():
                whole = [network(*self._whole(row)).softmax(1)[0] for row in test]
        return np.asarray(torch.stack(whole).double().numpy())

    def _stretches(self, rows: NDArray[np.int64], rng: np.random.Generator) -> tuple[Any, Any]:
        """One stretch of each recording, and how long it is: [B, channels, frames] and int64 [B]."""
        import torch

        n = int(STRETCH_S / FRAME_S)
        out = np.zeros((len(rows), N_CHANNELS, n), np.float32)
        lengths = np.zeros(len(rows), np.int64)
        for at, row in enumerate(rows):
            own = self.channels[row]
            start = int(rng.integers(0, max(1, own.shape[1] - n + 1)))
            piece = own[:, start : start + n]
            out[at, :, : piece.shape[1]], lengths[at] = piece, piece.shape[1]
        return torch.from_numpy(out), torch.from_numpy(lengths)

    def _whole(self, row: int) -> tuple[Any, Any]:
        import torch

        own = self.channels[row]
        return torch.from_numpy(own)[None], torch.tensor([own.shape[1]])
