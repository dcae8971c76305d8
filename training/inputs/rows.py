"""From samples to rows of power, and from power to what is seen: what every family of front ends has."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from motifdb.training.extras import load_torchaudio
from motifdb.training.inputs.front_end_config import FrontEndConfig


class Rows(nn.Module, ABC):  # type: ignore[misc]  # torch is untyped to us
    """Rows of a batch of clips on a device, before masks, means and standardisation.

    Attributes
    ----------
    silence : float32 [n_rows, 1], what stands in columns beyond a clip's own
    """

    silence: Tensor

    def __init__(self, config: FrontEndConfig) -> None:
        super().__init__()
        self.config = config

    @abstractmethod
    def power(self, samples: Tensor, lengths: Tensor) -> Tensor:
        """Power of each row and column: float32 [B, rows, T], T at least the columns of the longest clip.

        Parameters
        ----------
        samples : float32 [B, L], zero beyond each clip's length
        lengths : int64 [B]
        """

    @abstractmethod
    def values(self, power: Tensor, valid: Tensor) -> Tensor:
        """What is seen: float32 [B, n_rows, T]; `valid` bool [B, 1, T] says which columns are a clip's own."""

    def forward(self, samples: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Values [B, n_rows, T] and how many columns of each clip are valid, int64 [B]."""
        power = self.power(samples, lengths)
        n_columns = self.config.columns(lengths)
        return self.values(power, valid_columns(power, n_columns)), n_columns

    def loudest(self, samples: Tensor, lengths: Tensor, skip: Tensor, keep: Tensor) -> Tensor:
        """The greatest power of each clip, float32 [B], over `keep` columns after the first `skip`, int64 [B]."""
        power = self.power(samples, lengths).amax(1)
        at = torch.arange(power.shape[-1], device=power.device)
        n_columns = torch.minimum(self.config.columns(lengths), skip + keep)
        counts = (at >= skip[:, None]) & (at < n_columns[:, None])
        return torch.where(counts, power, torch.zeros_like(power)).amax(1)

    def reach_samples(self) -> int:
        """How far from a column's centre its window reaches."""
        return self.config.fft_samples // 2

    def device(self) -> torch.device:
        """Where it computes."""
        return self.silence.device


def valid_columns(features: Tensor, n_columns: Tensor) -> Tensor:
    """Which columns of [B, rows, T] are a clip's own: bool [B, 1, T]."""
    return (torch.arange(features.shape[-1], device=features.device) < n_columns[:, None])[:, None]


def mel_bands(config: FrontEndConfig, *, is_area_one: bool = False) -> Tensor:
    """Triangles evenly spaced on HTK's mel scale from 0 to half the sample rate: float32 [bands, bins].

    Each has height 1, or area 1 (in Hz, times 2).
    """
    functional = load_torchaudio().functional
    with warnings.catch_warnings():
        # torchaudio warns of empty bands, which n_fft 400 has on purpose: it is what the papers took
        warnings.simplefilter("ignore", UserWarning)
        bands = functional.melscale_fbanks(
            config.fft_samples // 2 + 1,
            0.0,
            config.sample_rate_hz / 2,
            config.n_bands,
            config.sample_rate_hz,
            norm="slaney" if is_area_one else None,
            mel_scale="htk",
        )
    return bands.T.contiguous()


def spectrum(config: FrontEndConfig, window: Tensor, samples: Tensor, *, is_centred: bool = True) -> Tensor:
    """The short-time transform, complex [B, bins, T]: centred columns with zeros around, or windows that lie in the samples."""
    return torch.stft(
        samples,
        config.fft_samples,
        hop_length=config.hop_samples,
        win_length=config.window_samples,
        window=window,
        center=is_centred,
        pad_mode="constant",
        return_complex=True,
    )


def power_of(spectrum: Tensor) -> Tensor:
    """Squared magnitude of a complex tensor."""
    return torch.view_as_real(spectrum).square().sum(-1)
