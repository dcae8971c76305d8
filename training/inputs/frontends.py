"""Front ends: from waveforms to what a network sees, batched, on the device, as torch modules.

What is computed comes from one of three families (`rows_speech`, `rows_damp`, `rows_l3`); its parameters are a
`FrontEndConfig`. The papers leave much open; see docs/front_ends.md for what was chosen and why. What all have in common:

- A clip has the same features alone and in a padded batch, also one that is shorter than the window. Columns are centred with
  zeros around the clip (those of l3-2019 lie as its paper has them).
- `remove_mean` subtracts each clip's own mean over its columns, which takes a fixed channel (room, disc, microphone) away
  with whatever of the voice is as steady. `remove_cosines` takes only the broad shape of that mean: 1 its level, 2 its level
  and tilt, 3 its bend too.
- Standardised where asked: the mean and deviation of each row over the valid columns of the training clips; kept as buffers.
- Columns beyond a clip's own are what silence would be (the floor), and `n_columns` says how many are valid.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn

from motifdb.errors import UsageError
from motifdb.training.inputs.batches import Batch
from motifdb.training.inputs.front_end_config import (
    DAMP_KINDS,
    FRONT_ENDS,
    KINDS,
    L3_KINDS,
    FrontEndConfig,
)
from motifdb.training.inputs.rows import Rows, valid_columns

__all__ = ["FRONT_ENDS", "KINDS", "MIN_DEVIATION", "FrontEnd", "FrontEndConfig", "make_rows"]

MIN_DEVIATION = 1e-5
"""A row that never changes (an empty band) is not blown up."""


def make_rows(config: FrontEndConfig) -> Rows:
    """What computes the rows of a front end."""
    if config.kind in DAMP_KINDS:
        from motifdb.training.inputs.rows_damp import ConstantQRows, MelRows

        return MelRows(config) if config.kind == "mel-db" else ConstantQRows(config)
    if config.kind in L3_KINDS:
        from motifdb.training.inputs.rows_l3 import L3Rows

        return L3Rows(config)
    from motifdb.training.inputs.rows_speech import SpeechRows

    return SpeechRows(config)


class FrontEnd(nn.Module):  # type: ignore[misc]  # torch is untyped to us
    """A front end on a device; it has no trained parameters, but buffers that `fit` sets."""

    mean: torch.Tensor
    deviation: torch.Tensor
    shapes: torch.Tensor

    def __init__(self, config: FrontEndConfig) -> None:
        super().__init__()
        self.config = config
        self.n_rows = config.n_rows
        self.rows = make_rows(config)
        self.register_buffer("shapes", _shapes(config), persistent=False)
        self.register_buffer("mean", torch.zeros(self.n_rows, 1))
        self.register_buffer("deviation", torch.ones(self.n_rows, 1))

    @property
    def silence(self) -> torch.Tensor:
        """What stands in columns beyond a clip's own: float32 [n_rows, 1]."""
        return self.rows.silence

    def forward(self, samples: torch.Tensor, lengths: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Features of a batch.

        Parameters
        ----------
        samples : float32 [B, L]; what lies beyond a clip's length must be zero
        lengths : int64 [B], samples, each at least 1

        Returns
        -------
        features : float32 [B, n_rows, T]
        n_columns : int64 [B], of T how many are valid
        """
        features, n_columns = self.raw(samples, lengths)
        return (features - self.mean) / self.deviation, n_columns

    def raw(self, samples: torch.Tensor, lengths: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """As `forward`, before standardisation."""
        config = self.config
        with torch.autocast(samples.device.type, enabled=False):  # a half-precision power spectrum overflows
            features, n_columns = self.rows(samples.float(), lengths)
            features, n_columns = self._fitted_in(features, n_columns)
            valid = valid_columns(features, n_columns)
            features = torch.where(valid, features, self.silence)
            if config.remove_mean or config.remove_cosines:
                mean = (features * valid).sum(-1, keepdim=True) / n_columns[:, None, None]
                if not config.remove_mean:
                    mean = torch.matmul(self.shapes.T, torch.matmul(self.shapes, mean))
                features = features - mean
        return features, n_columns

    def fit(self, batches: Iterable[Batch]) -> FrontEnd:
        """Set mean and deviation from the valid columns of these batches (the training clips, nothing else).

        Sums are in double precision; the deviation is that of the population. Does nothing where `standardise` is off.
        """
        if not self.config.standardise:
            return self
        device = self.mean.device
        total = torch.zeros(self.n_rows, dtype=torch.float64)
        squares = torch.zeros(self.n_rows, dtype=torch.float64)
        count = 0
        with torch.no_grad():
            for batch in batches:
                features, n_columns = self.raw(batch.samples.to(device), batch.lengths.to(device))
                valid = torch.arange(features.shape[-1], device=device) < n_columns[:, None]
                columns = features.transpose(1, 2)[valid].cpu().double()  # [columns, rows]
                total += columns.sum(0)
                squares += columns.square().sum(0)
                count += len(columns)
        if count == 0:
            raise UsageError("there are no training clips to fit the front end on")
        if self.config.standardise_by == "set":
            total, squares = total.mean().expand(self.n_rows), squares.mean().expand(self.n_rows)
        mean = total / count
        variance = squares / count - mean.square()
        deviation = variance.clamp(min=0).sqrt().clamp(min=MIN_DEVIATION)
        self.mean.copy_(mean[:, None])
        self.deviation.copy_(deviation[:, None])
        return self

    def _fitted_in(
        self, features: torch.Tensor, n_columns: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Cut or widened to `pad_to` columns."""
        wanted = self.config.pad_to
        if wanted is None:
            return features, n_columns
        features = features[..., :wanted]
        features = nn.functional.pad(features, (0, wanted - features.shape[-1]))
        return features, n_columns.clamp(max=wanted)


def _shapes(config: FrontEndConfig) -> torch.Tensor:
    """What `remove_cosines` takes away, orthonormal: [components, rows]."""
    n, rows = config.remove_cosines, config.n_rows
    if config.kind == "mfcc":  # its rows are cosine components already
        return torch.eye(rows)[:n]
    k, i = torch.arange(n, dtype=torch.float64)[:, None], torch.arange(rows, dtype=torch.float64)
    cosines = torch.cos(torch.pi / rows * (i + 0.5) * k) * (2 / rows) ** 0.5
    cosines[:1] *= 0.5**0.5
    return cosines.float()
