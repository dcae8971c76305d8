"""Front ends against their plain twins, alone and in padded batches."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("torch", reason="torch is not installed; pip install 'motifdb[train]'")

import torch

from motifdb.errors import UsageError
from motifdb.training.inputs.batches import Batches
from motifdb.training.inputs.frontends import FrontEnd, FrontEndConfig
from motifdb.training.inputs.packed import Packed
from tests.reference import frontends as reference

CONFIGS = {
    "log-mel": FrontEndConfig(),
    "log-mel, as torchaudio": FrontEndConfig(n_fft=400, hop_samples=200),
    "log-mel, mean removed": FrontEndConfig(remove_mean=True, n_bands=40),
    "log-mel, five columns": FrontEndConfig(pad_to=5, remove_mean=True),
    "log-mel, tilt removed": FrontEndConfig(remove_cosines=2),
    "mfcc": FrontEndConfig(kind="mfcc"),
    "mfcc, bend removed": FrontEndConfig(kind="mfcc", n_mfcc=24, remove_cosines=3),
    "spectrogram": FrontEndConfig(kind="spectrogram"),
    "spectrogram, 400 bins": FrontEndConfig(kind="spectrogram", n_fft=798),
}
LENGTHS = (1, 159, 160, 399, 608, 1700)


def sung(n: int, seed: int = 0) -> NDArray[np.int16]:
    """A gliding tone in noise."""
    random = np.random.default_rng(seed)
    t = np.arange(n) / 16_000
    tone = np.sin(2 * np.pi * (220 + 90 * t) * t) * 0.3 + random.normal(0, 0.02, n)
    return (tone * 32_767).astype(np.int16)


def batches_of(lengths: tuple[int, ...], batch_size: int) -> Batches:
    packed = Packed.of([sung(n, i) for i, n in enumerate(lengths)])
    rows = np.arange(len(lengths))
    return Batches(packed, np.zeros(len(lengths), np.int64), rows, batch_size=batch_size, shuffle=False)


@pytest.mark.parametrize("name", CONFIGS)
def test_a_padded_batch_agrees_with_the_plain_twin(name: str) -> None:
    config = CONFIGS[name]
    (batch,) = batches_of(LENGTHS, len(LENGTHS)).epoch(0)
    front_end = FrontEnd(config)
    features, n_columns = front_end(batch.samples, batch.lengths)
    assert features.dtype == torch.float32 and features.shape[1] == front_end.n_rows == config.n_rows
    assert features.shape[2] == (config.pad_to or n_columns.max())
    for i, n in enumerate(LENGTHS):
        expected = reference.features(sung(n, i) / 32_768.0, config)
        assert int(n_columns[i]) == expected.shape[1] == config.n_columns(n)
        found = features[i, :, : expected.shape[1]].numpy()
        np.testing.assert_allclose(found, expected, atol=2e-3)
        if not (config.remove_mean or config.remove_cosines):
            assert (features[i, :, expected.shape[1] :] == front_end.silence).all()


def test_silence_is_the_floor_and_its_cosine_transform() -> None:
    one_band = FrontEnd(FrontEndConfig(floor=1e-4))
    assert one_band.silence.shape == (128, 1) and (one_band.silence == -4).all()
    coefficients = FrontEnd(FrontEndConfig(kind="mfcc")).silence[:, 0]
    assert float(coefficients[0]) == pytest.approx(-10 * np.sqrt(128), rel=1e-6)
    assert float(coefficients[1:].abs().max()) < 1e-4


@pytest.mark.parametrize("name", CONFIGS)
def test_a_clip_is_heard_alike_alone_and_beside_a_longer_one(name: str) -> None:
    config = CONFIGS[name]
    front_end = FrontEnd(config).fit(batches_of(LENGTHS, 3).epoch(0))
    (padded,) = batches_of((608, 9000), 2).epoch(0)
    (alone,) = batches_of((608,), 1).epoch(0)
    together, n_columns = front_end(padded.samples, padded.lengths)
    by_itself, n_alone = front_end(alone.samples, alone.lengths)
    n = int(n_columns[0])
    assert n == int(n_alone[0])
    torch.testing.assert_close(together[0, :, :n], by_itself[0, :, :n], atol=1e-4, rtol=1e-5)


def test_all_cosines_are_the_whole_mean_and_the_level_is_gain() -> None:
    (batch,) = batches_of(LENGTHS, len(LENGTHS)).epoch(0)
    whole, _ = FrontEnd(FrontEndConfig(remove_mean=True))(batch.samples, batch.lengths)
    cosines, _ = FrontEnd(FrontEndConfig(remove_cosines=128))(batch.samples, batch.lengths)
    torch.testing.assert_close(whole, cosines, atol=2e-4, rtol=0)
    level = FrontEnd(FrontEndConfig(remove_cosines=1))
    loud, n_columns = level(batch.samples, batch.lengths)
    soft, _ = level(batch.samples * 0.3, batch.lengths)
    for i, n in enumerate(n_columns.tolist()):
        torch.testing.assert_close(loud[i, :, :n], soft[i, :, :n], atol=2e-3, rtol=0)


def test_the_papers_426_columns_and_their_mask() -> None:
    config = FrontEndConfig(hop_samples=200, n_fft=400, pad_to=426)
    (batch,) = batches_of((85_199, 608), 2).epoch(0)
    features, n_columns = FrontEnd(config)(batch.samples, batch.lengths)
    assert features.shape == (2, 128, 426) and sorted(n_columns.tolist()) == [4, 426]


def test_empty_mel_bands_at_n_fft_400_512_and_1024() -> None:
    # HTK, 128 bands, 16 kHz: 4 empty at 400, 1 at 512, none at 1024
    empty = {}
    for n_fft in (400, 512, 1024):
        bands = FrontEnd(FrontEndConfig(n_fft=n_fft)).rows.bands
        empty[n_fft] = int((bands.sum(dim=1) == 0).sum())
        np.testing.assert_allclose(
            bands.numpy(), reference.band_weights(FrontEndConfig(n_fft=n_fft)), atol=1e-4
        )
    assert empty == {400: 4, 512: 1, 1024: 0}


@pytest.mark.parametrize("by", ["band", "set"])
def test_standardised_over_the_valid_columns_of_the_training_clips(by: str) -> None:
    config = FrontEndConfig(n_bands=16, standardise_by="band" if by == "band" else "set")
    front_end = FrontEnd(config).fit(batches_of(LENGTHS, 2).epoch(0))
    columns = np.concatenate(
        [reference.features(sung(n, i) / 32_768.0, config) for i, n in enumerate(LENGTHS)], axis=1
    )
    mean, deviation = (columns.mean(1), columns.std(1)) if by == "band" else (columns.mean(), columns.std())
    np.testing.assert_allclose(front_end.mean[:, 0].numpy(), np.broadcast_to(mean, 16), atol=1e-3)
    np.testing.assert_allclose(front_end.deviation[:, 0].numpy(), np.broadcast_to(deviation, 16), atol=1e-3)
    assert {"mean", "deviation"} == set(front_end.state_dict())
    # how clips are batched does not enter
    other = FrontEnd(config).fit(batches_of(LENGTHS, 5).epoch(0))
    torch.testing.assert_close(front_end.mean, other.mean, atol=1e-5, rtol=1e-5)


def test_not_standardised_where_not_asked() -> None:
    front_end = FrontEnd(FrontEndConfig(standardise=False)).fit(batches_of(LENGTHS, 2).epoch(0))
    assert (front_end.mean == 0).all() and (front_end.deviation == 1).all()
    with pytest.raises(UsageError, match="no training clips"):
        FrontEnd(FrontEndConfig()).fit([])


def test_half_precision_around_it_changes_nothing() -> None:
    (batch,) = batches_of((4000,), 1).epoch(0)
    front_end = FrontEnd(FrontEndConfig())
    plain, _ = front_end(batch.samples, batch.lengths)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed, _ = front_end(batch.samples, batch.lengths)
    assert mixed.dtype == torch.float32 and (mixed == plain).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "log-mell"}, "there is no front end 'log-mell'; did you mean 'log-mel'"),
        ({"n_fft": 256}, "n_fft 256 is shorter than the window of 400"),
        ({"hop_samples": 0}, "hop_samples must be at least 1"),
        ({"kind": "mfcc", "n_mfcc": 200}, "n_mfcc 200 is more than the 128 bands"),
        ({"pad_to": 0}, "pad_to must be at least 1"),
        ({"remove_cosines": 129}, "between 0 and the 128 rows"),
        ({"floor": 0.0}, "the floor must be above 0"),
    ],
)
def test_what_cannot_be_is_a_sentence(change: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        replace(FrontEndConfig(), **change)
