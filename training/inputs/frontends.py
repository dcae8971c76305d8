"""Front ends: from waveforms to what a network sees, batched, on the device, as torch modules.

Three of them (sid-2020, 2.3; style-2021): `log-mel`, `mfcc` and `spectrogram`. The papers leave much open; see docs/front_ends.md for
what was chosen and why. In short:

- Columns are centred: column t is the window around sample t x hop, with zeros before the clip and after it. So a clip of n
  samples has 1 + n // hop columns, also one that is shorter than the window, and it has the same features alone and in a
  padded batch. (sid-2020's 426 columns come out of the same formula.)
- The power of each column goes through 128 triangular bands (HTK's mel scale, no normalisation), or as it is, or through
  128 bands and a cosine transform; always after log10 with a floor of 1e-10.
- `remove_mean` subtracts each clip's own mean over its columns, which takes a fixed channel (room, disc, microphone) away
  with whatever of the voice is as steady. `remove_cosines` takes only the broad shape of that mean: 1 its level, 2 its level
  and tilt, 3 its bend too.
- Standardised: the mean and deviation of each row over the valid columns of the training clips; kept as buffers.
- Columns beyond a clip's own are what silence would be (the floor), and `n_columns` says how many are valid.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

from motifdb.errors import UsageError, nearest
from motifdb.query.audio import SAMPLE_RATE_HZ
from motifdb.training.extras import load_torchaudio
from motifdb.training.inputs.batches import Batch

KINDS = ("log-mel", "mfcc", "spectrogram")
MIN_DEVIATION = 1e-5
"""A row that never changes (an empty band) is not blown up."""


@dataclass(frozen=True)
class FrontEndConfig:
    """Parameters of a front end.

    Attributes
    ----------
    window_samples : length of the Hann window; 400 are 25 ms
    n_fft : None takes 1024 for bands and `window_samples` (so 201 bins) for a spectrogram. At 400, 4 of 128 bands are
        empty; 798 gives the "400 bins" that sid-2020 speaks of
    hop_samples : 160 (10 ms) or 200, which torchaudio takes and the papers' 426 columns come from
    n_bands : of log-mel, and under MFCC
    floor : least power before the logarithm
    standardise : rows by mean and deviation of the training clips (`FrontEnd.fit`)
    standardise_by : "band": each row by its own; "set": all by one mean and one deviation
    pad_to : a fixed number of columns: shorter clips are padded, longer ones cut. 426 is what the papers have; None pads to
        the longest clip of the batch
    remove_mean : subtract each clip's mean over its valid columns
    remove_cosines : subtract the first so many cosine components of that mean (of MFCC: the means of its first
        coefficients); as many as there are rows are all of it
    """

    kind: Literal["log-mel", "mfcc", "spectrogram"] = "log-mel"
    sample_rate_hz: int = SAMPLE_RATE_HZ
    window_samples: int = 400
    n_fft: int | None = None
    hop_samples: int = 160
    n_bands: int = 128
    n_mfcc: int = 40
    floor: float = 1e-10
    standardise: bool = True
    standardise_by: Literal["band", "set"] = "band"
    pad_to: int | None = None
    remove_mean: bool = False
    remove_cosines: int = 0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise UsageError(f"there is no front end {self.kind!r}; {nearest(self.kind, KINDS)}")
        if self.fft_samples < self.window_samples:
            raise UsageError(
                f"n_fft {self.n_fft} is shorter than the window of {self.window_samples} samples"
            )
        if self.sample_rate_hz != SAMPLE_RATE_HZ:
            raise UsageError(
                f"sound is kept at {SAMPLE_RATE_HZ:,} Hz; a front end cannot take it for {self.sample_rate_hz:,}"
            )
        if self.hop_samples < 1 or self.window_samples < 1:
            raise UsageError("window_samples and hop_samples must be at least 1")
        if self.n_bands < 1 or self.n_mfcc < 1:
            raise UsageError(f"n_bands and n_mfcc must be at least 1, got {self.n_bands} and {self.n_mfcc}")
        if self.kind == "mfcc" and self.n_mfcc > self.n_bands:
            raise UsageError(f"n_mfcc {self.n_mfcc} is more than the {self.n_bands} bands it is made from")
        if self.pad_to is not None and self.pad_to < 1:
            raise UsageError(f"pad_to must be at least 1 column, got {self.pad_to}")
        if not 0 <= self.remove_cosines <= self.n_rows:
            raise UsageError(
                f"remove_cosines lies between 0 and the {self.n_rows} rows there are, got {self.remove_cosines}"
            )
        if self.floor <= 0:
            raise UsageError(f"the floor must be above 0, got {self.floor}")

    @property
    def fft_samples(self) -> int:
        """Length of the transform."""
        if self.n_fft is not None:
            return self.n_fft
        return self.window_samples if self.kind == "spectrogram" else max(1024, self.window_samples)

    @property
    def n_rows(self) -> int:
        """Rows of the features: bands, coefficients or bins."""
        if self.kind == "spectrogram":
            return self.fft_samples // 2 + 1
        return self.n_mfcc if self.kind == "mfcc" else self.n_bands

    def n_columns(self, n_samples: int) -> int:
        """Columns of a clip of `n_samples`.

        >>> FrontEndConfig(hop_samples=200).n_columns(85_000)
        426
        >>> FrontEndConfig(pad_to=426).n_columns(608)  # of 426, so many are valid
        4
        """
        n = 1 + n_samples // self.hop_samples
        return n if self.pad_to is None else min(n, self.pad_to)


class FrontEnd(nn.Module):  # type: ignore[misc]  # torch is untyped to us
    """A front end on a device; it has no trained parameters, but buffers that `fit` sets."""

    mean: torch.Tensor
    deviation: torch.Tensor
    window: torch.Tensor
    bands: torch.Tensor
    cosines: torch.Tensor
    silence: torch.Tensor
    shapes: torch.Tensor

    def __init__(self, config: FrontEndConfig) -> None:
        super().__init__()
        self.config = config
        self.n_rows = config.n_rows
        self.register_buffer("window", torch.hann_window(config.window_samples), persistent=False)
        floor = torch.log10(torch.tensor(config.floor))
        silence = floor.expand(config.n_rows, 1).clone()
        if config.kind != "spectrogram":
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
                    norm=None,
                    mel_scale="htk",
                )
            self.register_buffer("bands", bands.T.contiguous(), persistent=False)  # [bands, bins]
            if config.kind == "mfcc":
                cosines = functional.create_dct(config.n_mfcc, config.n_bands, norm="ortho").T.contiguous()
                self.register_buffer("cosines", cosines, persistent=False)  # [coefficients, bands]
                silence = cosines @ floor.expand(config.n_bands, 1)
        self.register_buffer("silence", silence, persistent=False)
        self.register_buffer("shapes", _shapes(config), persistent=False)
        self.register_buffer("mean", torch.zeros(self.n_rows, 1))
        self.register_buffer("deviation", torch.ones(self.n_rows, 1))

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
            features = self._log_power(samples.float())
            n_columns = 1 + lengths // config.hop_samples
            features, n_columns = self._fitted_in(features, n_columns)
            valid = (torch.arange(features.shape[-1], device=features.device) < n_columns[:, None])[:, None]
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
        device = self.window.device
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

    def _log_power(self, samples: torch.Tensor) -> torch.Tensor:
        """Rows before masks and means: float32 [B, n_rows, 1 + L // hop]."""
        config = self.config
        spectrum = torch.stft(
            samples,
            config.fft_samples,
            hop_length=config.hop_samples,
            win_length=config.window_samples,
            window=self.window,
            center=True,
            pad_mode="constant",
            return_complex=True,
        )
        power = torch.view_as_real(spectrum).square().sum(-1)
        if config.kind != "spectrogram":
            power = torch.matmul(self.bands, power)
        rows = torch.log10(power.clamp(min=config.floor))
        return torch.matmul(self.cosines, rows) if config.kind == "mfcc" else rows

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
