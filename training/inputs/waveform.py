"""Random gain, colour and noise of samples, so that a network cannot lean on the channel a clip was recorded through.

No paper of the two prescribes this; it is ours, for tests on sources that were not trained on.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from motifdb.errors import UsageError

_NODES = 8
"""Points of a random frequency response; between them it is linear in dB over a mel-like axis."""


@dataclass(frozen=True)
class WaveformConfig:
    """How samples are varied in training; everything is off by default.

    Attributes
    ----------
    gain_db : a clip is made louder or softer by up to so many decibels, uniformly
    colour_db : its spectrum is bent by a smooth random response of up to so many decibels either way
    noise_db : white noise is added at a signal-to-noise ratio drawn from this range; None: none
    share : share of clips that are varied, 0 to 1
    """

    gain_db: float = 0.0
    colour_db: float = 0.0
    noise_db: tuple[float, ...] | None = None
    share: float = 1.0

    def __post_init__(self) -> None:
        if self.gain_db < 0 or self.colour_db < 0:
            raise UsageError(
                f"waveform.gain_db and waveform.colour_db must be 0 or more, got {self.gain_db} and {self.colour_db}"
            )
        if self.noise_db is not None and (len(self.noise_db) != 2 or self.noise_db[0] > self.noise_db[1]):
            raise UsageError(
                f"waveform.noise_db must be two ascending ratios in dB, got {list(self.noise_db)}"
            )
        if not 0 <= self.share <= 1:
            raise UsageError(f"waveform.share must be 0 to 1, got {self.share}")

    @property
    def is_on(self) -> bool:
        """Whether anything is varied."""
        return self.share > 0 and (self.gain_db > 0 or self.colour_db > 0 or self.noise_db is not None)


class WaveformAugment(nn.Module):  # type: ignore[misc]  # torch is untyped to us
    """Vary each clip of a batch on its own; padding stays silent."""

    def __init__(self, config: WaveformConfig) -> None:
        super().__init__()
        self.config = config

    def forward(self, samples: Tensor, lengths: Tensor, generator: torch.Generator) -> Tensor:
        """Samples [B, L] float32, varied; `lengths` [B] says how many of each row are not padding.

        What is drawn per clip comes from `generator`, on the CPU, so that it is the same on every device; noise itself is
        drawn on the device, from torch's own generator.
        """
        config = self.config
        if not config.is_on:
            return samples
        B, L = samples.shape
        within = torch.arange(L, device=samples.device) < lengths[:, None]

        def uniform(*shape: int) -> Tensor:  # in [-1, 1)
            return (2 * torch.rand(shape, generator=generator) - 1).to(samples.device)

        varied = samples
        if config.colour_db > 0:
            varied = _coloured(varied, config.colour_db * uniform(B, _NODES))
        if config.noise_db is not None:
            low, high = config.noise_db
            ratio_db = low + (high - low) * (uniform(B, 1) + 1) / 2
            power = (varied * within).square().sum(1, keepdim=True) / lengths[:, None].clamp(min=1)
            noise = torch.randn_like(varied)
            varied = varied + noise * (power * 10 ** (-ratio_db / 10)).sqrt()
        if config.gain_db > 0:
            varied = varied * 10 ** (config.gain_db * uniform(B, 1) / 20)
        is_varied = uniform(B, 1) < 2 * config.share - 1
        return torch.where(is_varied, varied, samples) * within


def _coloured(samples: Tensor, response_db: Tensor) -> Tensor:
    """Samples [B, L] through responses given at nodes [B, N], from 0 Hz to half the sample rate.

    The nodes lie at quadratically growing frequencies: a channel's colour changes fastest where they are low.
    """
    L = samples.shape[1]
    n_fft = 1 << (2 * L - 1).bit_length()  # room for the response's tail, which must not wrap around
    place = torch.linspace(0, 1, n_fft // 2 + 1, device=samples.device).sqrt() * (response_db.shape[1] - 1)
    left = place.floor().long().clamp(max=response_db.shape[1] - 2)
    weight = place - left
    gain_db = response_db[:, left] * (1 - weight) + response_db[:, left + 1] * weight
    spectrum = torch.fft.rfft(samples, n_fft) * 10 ** (gain_db / 20)
    return torch.fft.irfft(spectrum, n_fft)[:, :L]
