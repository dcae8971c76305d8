"""Mel and constant-Q decibels of damp-2018 (section on input) and siamese-2018: 0 to 60, and 60 is the loudest of a recording.

0 dB is a full-scale sine at the centre of a bin. What the papers relate decibels to, the recording's own maximum, is made that by
`motifdb.training.inputs.heard`, which scales its samples.

Mel bands are of magnitude, then squared. Constant-Q bins are inner products with Hann-windowed complex tones, whose windows are
as long as 1 / (2^(1/24) - 1) = 34.1 periods (Brown, "Calculation of a constant Q spectral transform", JASA 89(1), 1991),
computed octave by octave, each with its own window length.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from motifdb.training.inputs.front_end_config import BINS_PER_OCTAVE, LOWEST_HZ, FrontEndConfig
from motifdb.training.inputs.rows import Rows, mel_bands, power_of, spectrum

RANGE_DB = 60.0
_LEAST = 1e-12


class DecibelRows(Rows):
    """Power in decibels, none below -60, plus 60."""

    def __init__(self, config: FrontEndConfig) -> None:
        super().__init__(config)
        self.register_buffer("silence", torch.zeros(config.n_rows, 1), persistent=False)

    def values(self, power: Tensor, valid: Tensor) -> Tensor:
        return (10 * torch.log10(power.clamp(min=_LEAST))).clamp(min=-RANGE_DB) + RANGE_DB


class MelRows(DecibelRows):
    """Magnitude in mel bands, squared."""

    window: Tensor
    bands: Tensor

    def __init__(self, config: FrontEndConfig) -> None:
        super().__init__(config)
        window = torch.hann_window(config.window_samples)
        self.register_buffer("window", window * (2 / window.sum()), persistent=False)
        self.register_buffer("bands", mel_bands(config), persistent=False)

    def power(self, samples: Tensor, lengths: Tensor) -> Tensor:
        magnitude = power_of(spectrum(self.config, self.window, samples)).sqrt()
        return torch.matmul(self.bands, magnitude).square()


class ConstantQRows(DecibelRows):
    """Power of constant-Q bins, 24 to the octave from C2."""

    kernels_0: Tensor

    def __init__(self, config: FrontEndConfig) -> None:
        super().__init__(config)
        self.n_octaves = -(-config.n_bands // BINS_PER_OCTAVE)
        for octave in range(self.n_octaves):
            first = octave * BINS_PER_OCTAVE
            bins = range(first, min(first + BINS_PER_OCTAVE, config.n_bands))
            self.register_buffer(f"kernels_{octave}", _kernels(config, bins), persistent=False)

    def reach_samples(self) -> int:
        """Half of the longest window."""
        return int(self.kernels_0.shape[-1]) // 2

    def power(self, samples: Tensor, lengths: Tensor) -> Tensor:
        n_columns = 1 + samples.shape[-1] // self.config.hop_samples
        found = []
        for octave in range(self.n_octaves):
            kernels = getattr(self, f"kernels_{octave}")
            width = kernels.shape[-1]
            padded = nn.functional.pad(samples, (width // 2, width // 2 + self.config.hop_samples))
            products = nn.functional.conv1d(padded[:, None], kernels, stride=self.config.hop_samples)
            found.append(products[..., :n_columns].square().unflatten(1, (2, -1)).sum(1))
        return torch.cat(found, 1)


def quality() -> float:
    """Periods in the window of a bin: neighbouring bins are as far apart as a bin is wide."""
    return 1 / (2 ** (1 / BINS_PER_OCTAVE) - 1)


def _kernels(config: FrontEndConfig, bins: range) -> Tensor:
    """Cosines, then sines, of some bins, each centred in an odd width: float32 [2 x bins, 1, width].

    A window of n samples is the periodic Hann window; each is scaled so that its own tone at full scale has magnitude 1.
    """
    frequencies = [LOWEST_HZ * 2 ** (k / BINS_PER_OCTAVE) for k in bins]
    lengths = [round(quality() * config.sample_rate_hz / hz) for hz in frequencies]
    half = lengths[0] // 2 + 1
    kernels = torch.zeros(2, len(frequencies), 1, 2 * half + 1, dtype=torch.float64)
    for i, (hz, n) in enumerate(zip(frequencies, lengths, strict=True)):
        window = torch.hann_window(n, dtype=torch.float64)
        window *= 2 / window.sum()
        at = torch.arange(n, dtype=torch.float64) - n // 2  # in samples from the column's centre
        phase = 2 * math.pi * hz / config.sample_rate_hz * at
        place = slice(half - n // 2, half - n // 2 + n)
        kernels[0, i, 0, place] = window * torch.cos(phase)
        kernels[1, i, 0, place] = window * torch.sin(phase)
    return kernels.flatten(0, 1).float()
