"""Voicing by two clusters: the measures against the plain twin, and what comes out voiced."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("sklearn", reason="scikit-learn is not installed; pip install 'motifdb[train]'")

from motifdb.training.inputs.packed import Packed
from motifdb.training.inputs.voicing import frame_lengths, frame_measures, voiced_frames, voiced_share
from tests.reference import voicing as reference

RATE_HZ = 16_000


@settings(deadline=None, max_examples=10)
@given(st.integers(0, 400), st.integers(0, 99), st.integers(0, 200))
def test_measures_agree_with_the_plain_twin(n: int, seed: int, n_silent: int) -> None:
    rate_hz = 2000  # small frames, the same lags in Hz
    random = np.random.default_rng(seed)
    samples = np.sin(np.arange(n) * random.uniform(0.1, 1.5)) + random.normal(0, 0.3, n)
    samples[:n_silent] = 0
    found = frame_measures(samples.astype(np.float32), rate_hz)
    expected = reference.measures(samples.astype(np.float32).tolist(), rate_hz, *frame_lengths(rate_hz))
    np.testing.assert_allclose(found, expected, atol=1e-6)


def half_sung(seed: int = 0) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """A second of breath, a second of a gliding voice, a second of breath."""
    random = np.random.default_rng(seed)
    t = np.arange(RATE_HZ) / RATE_HZ
    voice = sum(np.sin(2 * np.pi * k * (180 + 40 * t) * t) / k for k in range(1, 6)) * 0.2
    breath = random.normal(0, 0.01, 3 * RATE_HZ)
    breath[RATE_HZ : 2 * RATE_HZ] += voice
    return breath.astype(np.float32)


def test_the_sung_second_is_voiced_and_breath_is_not() -> None:
    voiced = voiced_frames(half_sung(), RATE_HZ)
    _, hop = frame_lengths(RATE_HZ)
    centre_s = np.arange(len(voiced)) * hop / RATE_HZ
    assert len(voiced) == 1 + 3 * RATE_HZ // hop
    assert voiced[(centre_s > 1.06) & (centre_s < 1.94)].all()
    assert not voiced[(centre_s < 0.94) | (centre_s > 2.06)].any()


def test_silence_is_not_voiced_and_a_steady_tone_is() -> None:
    assert not voiced_frames(np.zeros(RATE_HZ, np.float32), RATE_HZ).any()
    assert not voiced_frames(np.zeros(0, np.float32), RATE_HZ).any()
    silent_then_sung = half_sung()
    silent_then_sung[:RATE_HZ] = 0
    assert not voiced_frames(silent_then_sung, RATE_HZ)[:30].any()


def test_shares_of_clips_are_those_of_their_recordings_frames() -> None:
    pcm = np.round(half_sung() * 32_767).astype(np.int16)
    other = np.round(half_sung(1)[::-1] * 3000).astype(np.int16)  # ten times as soft: a matter of its own
    start = np.array([0, RATE_HZ, RATE_HZ // 2, 3 * RATE_HZ, 4 * RATE_HZ, 0])
    length = np.array([RATE_HZ, RATE_HZ, RATE_HZ, RATE_HZ, RATE_HZ, 3 * RATE_HZ])
    packed = Packed(np.concatenate([pcm, other]), start, length, RATE_HZ)
    names = ["a", "a", "a", "b", "b", "a"]
    share = voiced_share(packed, names)
    assert share[0] < 0.1 and share[1] > 0.9 and share[2] == pytest.approx(0.5, abs=0.08)
    assert share[3] < 0.1 and share[4] > 0.9
    assert share[5] == pytest.approx(voiced_frames(half_sung(), RATE_HZ).mean(), abs=0.01)
    assert voiced_share(packed, names, np.array([4, 1])).shape == (2,)
