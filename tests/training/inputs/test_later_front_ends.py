"""The front ends of damp-2018 and l3-2019 against their plain twins, alone and in padded batches."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

pytest.importorskip("torch", reason="torch is not installed; pip install 'motifdb[train]'")

import torch

from motifdb.errors import UsageError
from motifdb.training.inputs.batches import Batch, Batches
from motifdb.training.inputs.front_end_config import FRONT_ENDS, KINDS, FrontEndConfig, Kind
from motifdb.training.inputs.frontends import FrontEnd
from motifdb.training.inputs.packed import Packed
from tests.reference import frontends as reference

CONFIGS = {
    **FRONT_ENDS,
    "damp-mel, five columns, mean removed": FrontEndConfig("mel-db", pad_to=5, remove_mean=True),
    "damp-mel at 16 kHz": FrontEndConfig("mel-db", 16_000, window_samples=1024, hop_samples=256),
    "damp-cqt, two octaves": FrontEndConfig("cqt-db", n_bands=48),
    "log-mel at 22,050 Hz": FrontEndConfig("log-mel", 22_050),
}
LENGTHS = (1, 511, 512, 2300, 4608)


def sung(n: int, rate_hz: int, seed: int = 0) -> NDArray[np.int16]:
    """A gliding tone in noise."""
    random = np.random.default_rng(seed)
    t = np.arange(n) / rate_hz
    tone = np.sin(2 * np.pi * (220 + 90 * t) * t) * 0.3 + random.normal(0, 0.02, n)
    return (tone * 32_767).astype(np.int16)


def batch_of(lengths: tuple[int, ...], rate_hz: int) -> Batch:
    packed = Packed.of([sung(n, rate_hz, i) for i, n in enumerate(lengths)], rate_hz)
    label, rows = np.zeros(len(lengths), np.int64), np.arange(len(lengths))
    return Batches(packed, label, rows, batch_size=len(lengths), shuffle=False).gather(rows)


@pytest.mark.parametrize("name", CONFIGS)
def test_a_padded_batch_agrees_with_the_plain_twin(name: str) -> None:
    config = CONFIGS[name]
    batch = batch_of(LENGTHS, config.sample_rate_hz)
    front_end = FrontEnd(config)
    features, n_columns = front_end(batch.samples, batch.lengths)
    assert features.shape == (len(LENGTHS), config.n_rows, config.pad_to or n_columns.max())
    for i, n in enumerate(LENGTHS):
        expected = reference.features(sung(n, config.sample_rate_hz, i) / 32_768.0, config)
        assert int(n_columns[i]) == expected.shape[1] == config.n_columns(n)
        np.testing.assert_allclose(features[i, :, : expected.shape[1]].numpy(), expected, atol=5e-3)
        if not config.remove_mean:
            assert (features[i, :, expected.shape[1] :] == front_end.silence).all()


@settings(deadline=None, max_examples=8)
@given(
    st.sampled_from(["mel-db", "l3-linear", "l3-mel128"]),
    st.lists(st.integers(1, 3000), min_size=1, max_size=3),
)
def test_any_lengths_together_agree_with_the_plain_twin(kind: Kind, lengths: list[int]) -> None:
    config = FrontEndConfig(kind)
    batch = batch_of(tuple(lengths), config.sample_rate_hz)
    features, n_columns = FrontEnd(config)(batch.samples, batch.lengths)
    assert features.shape[2] == n_columns.max()
    for i, n in enumerate(lengths):
        expected = reference.features(sung(n, config.sample_rate_hz, i) / 32_768.0, config)
        assert int(n_columns[i]) == expected.shape[1]
        found = features[i, :, : expected.shape[1]].numpy()
        # single precision holds magnitudes to a millionth of the loudest, which is -60 in l3-2019's decibels
        is_held = expected > -55 if kind.startswith("l3-") else np.ones(expected.shape, bool)
        np.testing.assert_allclose(found[is_held], expected[is_held], atol=5e-3)
        assert (found[~is_held] < -50).all()


def test_a_second_has_the_shapes_of_the_papers() -> None:
    shapes = {}
    for name, config in FRONT_ENDS.items():
        batch = batch_of((config.sample_rate_hz,), config.sample_rate_hz)
        features, n_columns = FrontEnd(config)(batch.samples, batch.lengths)
        assert int(n_columns[0]) == features.shape[2]
        shapes[name] = tuple(features.shape[1:])
    assert shapes == {
        "damp-mel": (96, 44),
        "damp-cqt": (96, 44),
        "l3-linear": (257, 197),
        "l3-mel128": (128, 199),
        "l3-mel256": (256, 199),
    }
    # 256 columns of 512 samples are damp-2018's 5.94 s
    assert FRONT_ENDS["damp-mel"].n_columns(round(5.94 * 22_050)) == 256


@pytest.mark.parametrize("bin_", [0, 30, 95])
def test_a_full_scale_tone_is_0_db_in_its_own_constant_q_bin(bin_: int) -> None:
    hz = 65.4064 * 2 ** (bin_ / 24)
    samples = torch.sin(2 * torch.pi * hz * torch.arange(30_000) / 22_050)[None]
    features, _ = FrontEnd(FRONT_ENDS["damp-cqt"])(samples, torch.tensor([30_000]))
    middle = features[0, :, 29]
    assert float(middle[bin_]) == pytest.approx(60, abs=0.05)
    assert int(middle.argmax()) == bin_
    assert float(torch.cat([middle[: max(bin_ - 3, 0)], middle[bin_ + 4 :]]).max()) < 20


def test_empty_bands_and_silence() -> None:
    # a bin is 23.4 Hz wide at 48 kHz, and some of 256 bands are narrower
    empty = {n: int((FrontEnd(FRONT_ENDS[n]).rows.bands.sum(1) == 0).sum()) for n in FRONT_ENDS if "mel" in n}
    assert empty == {"damp-mel": 0, "l3-mel128": 0, "l3-mel256": 2}
    silent = torch.zeros(1, 48_000)
    for name, value in (("damp-mel", 0), ("damp-cqt", 0), ("l3-linear", 0), ("l3-mel256", 0)):
        features, _ = FrontEnd(FRONT_ENDS[name])(silent, torch.tensor([48_000]))
        assert (features == value).all(), name


def test_l3_hears_no_gain_and_damp_hears_it_as_decibels() -> None:
    batch = batch_of((48_000,), 48_000)
    for name in ("l3-linear", "l3-mel128"):
        front_end = FrontEnd(FRONT_ENDS[name])
        loud, _ = front_end(batch.samples, batch.lengths)
        soft, _ = front_end(batch.samples * 0.25, batch.lengths)
        torch.testing.assert_close(loud, soft, atol=5e-3, rtol=0)
        assert float(loud.max()) == 0 and float(loud.min()) >= -80
    front_end = FrontEnd(FRONT_ENDS["damp-mel"])
    loud, _ = front_end(batch.samples, batch.lengths)
    soft, _ = front_end(batch.samples * 0.5, batch.lengths)
    heard = soft > 0
    assert heard.float().mean() > 0.3
    torch.testing.assert_close((loud - soft)[heard], torch.full_like(loud[heard], 6.0206), atol=2e-3, rtol=0)


def test_another_kind_takes_its_own_defaults_and_keeps_what_was_set() -> None:
    assert FrontEndConfig(n_bands=40, pad_to=9).of_kind("mel-db") == FrontEndConfig(
        "mel-db", n_bands=40, pad_to=9
    )
    for kind in KINDS:
        assert FrontEndConfig().of_kind(kind) == FrontEndConfig(kind)  # type: ignore[arg-type]
        assert FrontEndConfig(kind).of_kind("log-mel") == FrontEndConfig()  # type: ignore[arg-type]


def test_parameters_of_earlier_recipes_are_what_they_were() -> None:
    # a run's id is a hash of them: one that is done must not be trained again
    assert asdict(FrontEndConfig()) == {
        "kind": "log-mel", "sample_rate_hz": 16_000, "window_samples": 400, "n_fft": None, "hop_samples": 160,
        "n_bands": 128, "n_mfcc": 40, "floor": 1e-10, "standardise": True, "standardise_by": "band",
        "pad_to": None, "remove_mean": False, "remove_cosines": 0,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"kind": "mel-bd"}, "did you mean 'mel-db'"),
        ({"kind": "mel-db", "sample_rate_hz": 44_100}, "16,000, 22,050, 48,000 Hz"),
        ({"kind": "l3-linear", "sample_rate_hz": 22_050}, "sample_rate_hz 22,050 instead of 48,000"),
        ({"kind": "l3-mel128", "n_bands": 64}, "n_bands 64 instead of 128"),
        ({"kind": "l3-mel128", "n_fft": 4096}, "cannot have n_fft 4096"),
        ({"kind": "cqt-db", "n_bands": 200}, "beyond half the sample rate"),
    ],
)
def test_what_cannot_be_is_a_sentence(values: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        FrontEndConfig(**values)  # type: ignore[arg-type]
