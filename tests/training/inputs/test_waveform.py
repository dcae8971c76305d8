"""Random gain, colour and noise of samples."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from motifdb.errors import UsageError
from motifdb.training.inputs.waveform import WaveformAugment, WaveformConfig, _coloured


def batch() -> tuple[torch.Tensor, torch.Tensor]:
    """Two clips of noise, one of them padded."""
    samples = 0.1 * torch.randn(2, 8000, generator=torch.Generator().manual_seed(5))
    lengths = torch.tensor([8000, 3000])
    samples[1, 3000:] = 0
    return samples, lengths


def varied(config: WaveformConfig, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    samples, lengths = batch()
    torch.manual_seed(seed)
    return samples, WaveformAugment(config)(samples, lengths, torch.Generator().manual_seed(seed))


def test_off_by_default() -> None:
    samples, same = varied(WaveformConfig())
    assert same is samples


def test_gain_is_one_factor_a_clip() -> None:
    samples, louder = varied(WaveformConfig(gain_db=6.0))
    gain_db = 20 * torch.log10((louder.square().sum(1) / samples.square().sum(1)).sqrt())
    assert (gain_db.abs() <= 6).all() and gain_db[0] != gain_db[1]
    ratio = louder[0] / samples[0]
    assert ratio.std() < 1e-4


def test_noise_has_the_ratio_that_was_asked_for() -> None:
    samples, noisy = varied(WaveformConfig(noise_db=(20.0, 20.0)))
    noise = (noisy - samples)[0]
    ratio_db = 10 * torch.log10(samples[0].square().mean() / noise.square().mean())
    assert float(ratio_db) == pytest.approx(20, abs=0.3)


def test_colour_is_the_response_that_was_drawn() -> None:
    samples, lengths = batch()
    nodes_db = 9 * (2 * np.random.default_rng(0).random((2, 8)) - 1)
    coloured = _coloured(samples, torch.tensor(nodes_db, dtype=torch.float32))
    n_fft = 16_384
    place = 7 * np.sqrt(np.arange(n_fft // 2 + 1) / (n_fft // 2))
    for i in range(2):
        gain = 10 ** (np.interp(place, np.arange(8), nodes_db[i]) / 20)
        expected = np.fft.irfft(np.fft.rfft(samples[i].double().numpy(), n_fft) * gain, n_fft)[:8000]
        assert coloured[i].numpy() == pytest.approx(expected, abs=1e-5)
    _, varied_ = varied(WaveformConfig(colour_db=9.0))
    ratio_db = 10 * torch.log10(varied_.square().sum(1) / samples.square().sum(1))
    assert (ratio_db.abs() <= 9).all() and lengths[1] == 3000


@pytest.mark.parametrize("config", [WaveformConfig(3.0, 6.0, (10.0, 20.0)), WaveformConfig(colour_db=9.0)])
def test_padding_stays_silent_and_a_seed_gives_the_same(config: WaveformConfig) -> None:
    _, one = varied(config, 7)
    _, again = varied(config, 7)
    _, other = varied(config, 8)
    assert torch.equal(one, again) and not torch.equal(one, other)
    assert (one[1, 3000:] == 0).all() and torch.isfinite(one).all()


def test_a_share_of_the_clips_is_left_alone() -> None:
    samples = torch.ones(400, 10)
    augment = WaveformAugment(WaveformConfig(gain_db=6.0, share=0.25))
    out = augment(samples, torch.full((400,), 10), torch.Generator().manual_seed(0))
    share = float((out != samples).any(1).float().mean())
    assert 0.18 < share < 0.32


def test_what_cannot_be() -> None:
    for options in ({"gain_db": -1.0}, {"colour_db": -1.0}, {"noise_db": (3.0, 2.0)}, {"share": 2.0}):
        with pytest.raises(UsageError):
            WaveformConfig(**options)
