"""Hand-crafted vectors: against the plain twin, and what they hear."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from motifdb.training.inputs import handcrafted as hc
from motifdb.training.inputs.packed import Packed
from tests.reference import handcrafted as reference


def noise_and_tone(n: int, rate_hz: int, seed: int, hz: float = 440.0) -> NDArray[np.int16]:
    random = np.random.default_rng(seed)
    tone = np.sin(2 * np.pi * hz * np.arange(n) / rate_hz) * random.uniform(0, 0.5)
    return np.round(20_000 * (tone + random.normal(0, 0.05, n))).astype(np.int16)


@settings(deadline=None, max_examples=8)
@given(st.integers(1, 4500), st.integers(0, 999), st.sampled_from([16_000, 22_050]), st.integers(0, 3000))
def test_a_vector_agrees_with_the_plain_twin(n: int, seed: int, rate_hz: int, n_silent: int) -> None:
    clip = noise_and_tone(n, rate_hz, seed)
    clip[:n_silent] = 0
    (found,) = hc.handcrafted(Packed.of([clip], rate_hz))
    expected = reference.vector((clip / 32_768.0).tolist(), rate_hz, hc.frame_samples(rate_hz))
    assert found.shape == (hc.N_NUMBERS,) and found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_long_clips_are_cut_into_pieces_without_a_seam(monkeypatch: pytest.MonkeyPatch) -> None:
    packed = Packed.of([noise_and_tone(16_000, 16_000, 1)])
    whole = hc.handcrafted(packed)
    monkeypatch.setattr(hc, "_FRAMES_AT_ONCE", 3)
    np.testing.assert_allclose(hc.handcrafted(packed), whole, rtol=1e-6)


def test_it_hears_pitch_class_and_brightness_and_hardly_loudness() -> None:
    rate = 22_050
    t = np.arange(rate) / rate
    noise = np.random.default_rng(0).normal(0, 20, rate)
    a, c = (np.round(4000 * np.sin(2 * np.pi * hz * t) + noise).astype(np.int16) for hz in (440.0, 1046.5))
    found = hc.handcrafted(Packed.of([a, c, a * 4], rate), np.array([1, 0, 2]))
    assert found[0, :12].argmax() == 0 and found[1, :12].argmax() == 9  # C, then A
    centroid = found[:, hc.N_CHROMA + hc.N_MFCC]
    assert centroid[0] > 1.2 * centroid[1]
    same = np.r_[:12, 13:56]  # all but the mean of MFCC 0, which is the level
    np.testing.assert_allclose(found[1, same], found[2, same], rtol=1e-3, atol=1e-3)
    assert found[2, 12] - found[1, 12] == pytest.approx(np.sqrt(40) * 20 * np.log10(4), rel=1e-3)


def test_silence_and_nothing_are_numbers() -> None:
    found = hc.handcrafted(Packed.of([np.zeros(5000, np.int16), np.zeros(1, np.int16)]))
    assert np.isfinite(found).all() and (found[:, :12] == 0).all()
    assert hc.handcrafted(Packed.of([])).shape == (0, hc.N_NUMBERS)
