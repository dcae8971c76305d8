"""log-mel, MFCC and spectrogram, as sid-2020 (2.3) and style-2021 (II-C) have them: log10 of power with a floor."""

from __future__ import annotations

import torch
from torch import Tensor

from motifdb.training.extras import load_torchaudio
from motifdb.training.inputs.front_end_config import FrontEndConfig
from motifdb.training.inputs.rows import Rows, mel_bands, power_of, spectrum


class SpeechRows(Rows):
    """Power in bands or bins, its logarithm, and for MFCC the cosine transform of that."""

    window: Tensor
    bands: Tensor
    cosines: Tensor

    def __init__(self, config: FrontEndConfig) -> None:
        super().__init__(config)
        self.register_buffer("window", torch.hann_window(config.window_samples), persistent=False)
        floor = torch.log10(torch.tensor(config.floor))
        silence = floor.expand(config.n_rows, 1).clone()
        if config.kind != "spectrogram":
            self.register_buffer("bands", mel_bands(config), persistent=False)
        if config.kind == "mfcc":
            create_dct = load_torchaudio().functional.create_dct
            cosines = create_dct(config.n_mfcc, config.n_bands, norm="ortho").T.contiguous()
            self.register_buffer("cosines", cosines, persistent=False)  # [coefficients, bands]
            silence = cosines @ floor.expand(config.n_bands, 1)
        self.register_buffer("silence", silence, persistent=False)

    def power(self, samples: Tensor, lengths: Tensor) -> Tensor:
        power = power_of(spectrum(self.config, self.window, samples))
        return power if self.config.kind == "spectrogram" else torch.matmul(self.bands, power)

    def values(self, power: Tensor, valid: Tensor) -> Tensor:
        rows = torch.log10(power.clamp(min=self.config.floor))
        return torch.matmul(self.cosines, rows) if self.config.kind == "mfcc" else rows
