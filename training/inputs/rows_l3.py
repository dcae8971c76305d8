"""The three front ends of l3-2019 (section on the audio subnetwork): decibels of magnitude below the clip's own maximum, 0 to -80.

As the layers behind the released embeddings compute them, so that their weights fit:

- linear: windows of 512 that lie in the clip whole, 257 bins, so 197 columns of a second;
- mel128, mel256: windows of 2,048 with as many zeros before as after, so that there is a column for each begun hop: 199
  of a second; power in triangles evenly spaced on HTK's mel scale, of area 1, and its root;
- 10 log10 of magnitude (not 20), less the clip's maximum, and nothing below -80.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from motifdb.training.inputs.front_end_config import FrontEndConfig
from motifdb.training.inputs.rows import Rows, mel_bands, power_of, spectrum

RANGE_DB = 80.0
_LEAST_POWER = 1e-20  # of magnitude 1e-10


class L3Rows(Rows):
    """Decibels of a clip below its loudest bin; of digital silence all are 0, as there."""

    window: Tensor
    bands: Tensor

    def __init__(self, config: FrontEndConfig) -> None:
        super().__init__(config)
        self.register_buffer("window", torch.hann_window(config.window_samples), persistent=False)
        if config.kind != "l3-linear":
            self.register_buffer("bands", mel_bands(config, is_area_one=True), persistent=False)
        self.register_buffer("silence", torch.full((config.n_rows, 1), -RANGE_DB), persistent=False)

    def power(self, samples: Tensor, lengths: Tensor) -> Tensor:
        config = self.config
        if config.kind == "l3-linear":
            lacking = max(0, config.fft_samples - samples.shape[-1])
            padded = nn.functional.pad(samples, (0, lacking))
            return power_of(spectrum(config, self.window, padded, is_centred=False))
        padded = self._padded(samples, lengths)
        return torch.matmul(self.bands, power_of(spectrum(config, self.window, padded, is_centred=False)))

    def values(self, power: Tensor, valid: Tensor) -> Tensor:
        decibels = 5 * torch.log10(power.clamp(min=_LEAST_POWER))
        own = torch.where(valid, decibels, torch.full_like(decibels, -torch.inf))
        return (decibels - own.amax((1, 2), keepdim=True)).clamp(min=-RANGE_DB)

    def _padded(self, samples: Tensor, lengths: Tensor) -> Tensor:
        """Samples with zeros around: half of what a clip's columns reach beyond it comes before it, by its own length."""
        config = self.config
        n_columns = config.columns(lengths)
        beyond = ((n_columns - 1) * config.hop_samples + config.fft_samples - lengths).clamp(min=0)
        before = beyond // 2
        width = int((n_columns.max() - 1) * config.hop_samples) + config.fft_samples
        if bool((before == before[0]).all()):  # clips of one length, the usual case
            left = int(before[0])
            return nn.functional.pad(samples, (left, max(0, width - left - samples.shape[-1])))[:, :width]
        at = torch.arange(width, device=samples.device) - before[:, None]
        is_in = (at >= 0) & (at < lengths[:, None])
        found = samples.gather(1, at.clamp(0, samples.shape[-1] - 1))
        return torch.where(is_in, found, torch.zeros_like(found))
