"""The synthetic voice sings exactly what it was asked to sing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from motifdb.kernels.synth import CONTROL_HOP_S, Voice, _harmonics, melody_f0, sing
from tests.reference import synth as plain

CLEAN = Voice(vibrato_cents=0.0, portamento_s=0.0, drift_cents=0.0, jitter_cents=0.0, breath=0.0)
NOTES = np.array([np.nan, -1200.0, -800.0, np.nan])
DURATIONS_S = np.array([0.2, 0.5, 0.4, 0.3])


def cents(f0_hz: np.ndarray) -> np.ndarray:
    return 1200.0 * np.log2(f0_hz / 440.0)


@given(st.lists(st.floats(0, 1000), max_size=20), st.integers(1, 40), st.floats(0, 3))
def test_harmonics_equal_a_sum_of_sines(phase: list[float], n_harmonics: int, tilt: float) -> None:
    fast = _harmonics(np.array(phase, dtype=np.float64), n_harmonics, tilt)
    np.testing.assert_allclose(fast, plain.harmonics(phase, n_harmonics, tilt), atol=2e-3)


def test_a_voice_without_ornament_holds_its_notes() -> None:
    f0_hz = melody_f0(NOTES, DURATIONS_S, CLEAN, np.random.default_rng(1))
    assert f0_hz.size == 280
    assert np.all(f0_hz[:40] == 0) and np.all(f0_hz[220:] == 0)
    np.testing.assert_allclose(cents(f0_hz[40:140]), -1200.0)
    np.testing.assert_allclose(cents(f0_hz[140:220]), -800.0)


def test_a_glide_is_monotone_and_as_long_as_the_portamento() -> None:
    voice = Voice(vibrato_cents=0.0, portamento_s=0.1, drift_cents=0.0, jitter_cents=0.0)
    f0_hz = melody_f0(NOTES, DURATIONS_S, voice, np.random.default_rng(1))
    sung = cents(f0_hz[f0_hz > 0])
    moving = np.flatnonzero((sung > -1199.9) & (sung < -800.1))
    assert np.all(np.diff(sung) >= -1e-9)
    assert 0.08 <= moving.size * CONTROL_HOP_S <= 0.11


def test_vibrato_has_the_rate_and_extent_that_were_asked_for() -> None:
    voice = Voice(vibrato_hz=5.0, vibrato_cents=30.0, portamento_s=0.0, drift_cents=0.0, jitter_cents=0.0)
    f0_hz = melody_f0(np.array([-1200.0]), np.array([4.0]), voice, np.random.default_rng(1))
    steady = cents(f0_hz[100:]) + 1200.0
    assert np.abs(steady).max() == pytest.approx(30.0, abs=1.0)
    spectrum = np.abs(np.fft.rfft(steady))
    assert np.argmax(spectrum) / (steady.size * CONTROL_HOP_S) == pytest.approx(5.0, abs=0.3)


def test_drift_and_jitter_are_as_large_as_asked() -> None:
    voice = Voice(vibrato_cents=0.0, portamento_s=0.0, drift_cents=20.0, jitter_cents=0.0)
    f0_hz = melody_f0(np.array([0.0]), np.array([60.0]), voice, np.random.default_rng(2))
    assert 10.0 < np.abs(cents(f0_hz)).max() <= 20.0
    voice = Voice(vibrato_cents=0.0, portamento_s=0.0, drift_cents=0.0, jitter_cents=3.0)
    assert cents(
        melody_f0(np.array([0.0]), np.array([9.0]), voice, np.random.default_rng(2))
    ).std() == pytest.approx(3.0)


@pytest.mark.parametrize("sample_rate_hz", [8000, 22050, 44100])
def test_sound_has_the_pitch_of_f0_and_is_silent_in_rests(sample_rate_hz: int) -> None:
    f0_hz = melody_f0(NOTES, DURATIONS_S, CLEAN, np.random.default_rng(1))
    sound = sing(f0_hz, "a", sample_rate_hz, CLEAN, np.random.default_rng(1))
    assert sound.dtype == np.float32 and sound.size == round(1.4 * sample_rate_hz)
    assert np.abs(sound).max() == pytest.approx(0.8)
    assert np.abs(sound[: int(0.1 * sample_rate_hz)]).max() < 1e-3
    for start_s, hz in ((0.3, 220.0), (0.8, 440.0 * 2 ** (-800 / 1200))):
        piece = sound[int(start_s * sample_rate_hz) :][: int(0.25 * sample_rate_hz)].astype(np.float64)
        spectrum = np.fft.rfft(piece * np.hanning(piece.size), 8 * piece.size)
        correlation = np.fft.irfft(np.abs(spectrum) ** 2)
        lags = np.arange(int(sample_rate_hz / 600), int(sample_rate_hz / 100))
        period = lags[np.argmax(correlation[lags])] / sample_rate_hz
        assert 1.0 / period == pytest.approx(hz, rel=0.02)


def test_same_seed_same_sound() -> None:
    f0_hz = melody_f0(NOTES, DURATIONS_S, Voice(), np.random.default_rng(1))
    first, second, other = (sing(f0_hz, "ae", 22050, Voice(), np.random.default_rng(s)) for s in (5, 5, 6))
    assert np.array_equal(first, second) and not np.array_equal(first, other)


def test_nothing_voiced_gives_silence() -> None:
    assert melody_f0(np.array([]), np.array([]), Voice(), np.random.default_rng(1)).size == 0
    f0_hz = melody_f0(np.array([np.nan]), np.array([0.5]), Voice(), np.random.default_rng(1))
    assert not np.any(f0_hz)
    assert not np.any(sing(f0_hz, "a", 22050, Voice(), np.random.default_rng(1)))


def test_bad_arguments_are_named() -> None:
    rng = np.random.default_rng(1)
    with pytest.raises(ValueError, match="one length"):
        melody_f0(np.zeros(2), np.ones(3), Voice(), rng)
    with pytest.raises(ValueError, match="must be positive"):
        melody_f0(np.zeros(2), np.array([1.0, 0.0]), Voice(), rng)
    with pytest.raises(ValueError, match="sample_rate_hz=4000"):
        sing(np.ones(10), "a", 4000, Voice(), rng)
    with pytest.raises(ValueError, match="'x'"):
        sing(np.ones(10), "x", 22050, Voice(), rng)
