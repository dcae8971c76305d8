"""The YIN kernel equals its plain twin, and knows the period of what has one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from motifdb.kernels.yin import margin_samples, yin
from tests.reference.yin import yin as plain_yin

HOP, MIN_LAG, MAX_LAG = 12, 3, 25


def _signal(kind: str, n: int, seed: int, period: float, scale: float) -> NDArray[np.float32]:
    rng = np.random.default_rng(seed)
    t = np.arange(n)
    shapes = {
        "noise": rng.normal(size=n),
        "sine": np.sin(2 * np.pi * t / period + rng.uniform(0, 6)),
        "harmonics": np.sum([np.sin(2 * np.pi * h * t / period + h) / h for h in range(1, 6)], axis=0)
        + 0.01 * rng.normal(size=n),
        "constant": np.full(n, rng.normal()),
        "silence": np.zeros(n),
        "steps": rng.integers(-2, 3, n),
        "click": (t == n // 2),
    }
    return (np.asarray(shapes[kind], dtype=np.float64) * scale).astype(np.float32)


@settings(max_examples=60, deadline=None)
@given(
    kind=st.sampled_from(["noise", "sine", "harmonics", "constant", "silence", "steps", "click"]),
    n_frames=st.integers(0, 4),
    n_hops=st.integers(1, 4),
    seed=st.integers(0, 2**32 - 1),
    period=st.floats(3, 30),
    scale=st.sampled_from([1e-6, 0.1, 1.0, 1e4]),
    octave_cost=st.sampled_from([0.0, 0.1, 0.5]),
)
def test_equals_the_plain_twin(
    kind: str, n_frames: int, n_hops: int, seed: int, period: float, scale: float, octave_cost: float
) -> None:
    n = max(0, (n_frames - 1 + n_hops) * HOP + 2 * margin_samples(MAX_LAG))
    signal = _signal(kind, n, seed, period, scale)
    fast = yin(
        signal,
        n_frames=n_frames,
        hop=HOP,
        n_hops=n_hops,
        min_lag=MIN_LAG,
        max_lag=MAX_LAG,
        octave_cost=octave_cost,
    )
    plain = plain_yin(
        signal,
        n_frames=n_frames,
        hop=HOP,
        n_hops=n_hops,
        min_lag=MIN_LAG,
        max_lag=MAX_LAG,
        octave_cost=octave_cost,
    )
    # single-precision sums are taken in the same order, so a dip is never chosen differently
    np.testing.assert_allclose(fast[0], plain[0], rtol=1e-12)
    np.testing.assert_allclose(fast[1], plain[1], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(fast[2], plain[2], rtol=1e-5)


@pytest.mark.parametrize("period", [14.3, 40.0, 99.7, 181.2])
def test_a_sine_has_its_period(period: float) -> None:
    n_frames, n_hops, max_lag = 20, 3, 267
    n = (n_frames - 1 + n_hops) * 160 + 2 * margin_samples(max_lag)
    signal = np.sin(2 * np.pi * np.arange(n) / period).astype(np.float32)
    found, aperiodicity, power = yin(
        signal, n_frames=n_frames, hop=160, n_hops=n_hops, min_lag=12, max_lag=max_lag, octave_cost=0.1
    )
    assert np.abs(1200 * np.log2(found / period)).max() < 1.0
    assert aperiodicity.max() < 0.01
    np.testing.assert_allclose(power, 0.5, atol=0.06)


def test_frames_do_not_hang_on_what_comes_before() -> None:
    rng = np.random.default_rng(0)
    n_hops, max_lag, margin = 3, 200, margin_samples(200)
    signal = rng.normal(size=(50 - 1 + n_hops) * 160 + 2 * margin).astype(np.float32)

    def run(
        first: int, n_frames: int
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float32]]:
        part = signal[first * 160 : (first + n_frames - 1 + n_hops) * 160 + 2 * margin]
        return yin(
            part, n_frames=n_frames, hop=160, n_hops=n_hops, min_lag=10, max_lag=max_lag, octave_cost=0.1
        )

    whole, late = run(0, 50), run(17, 20)
    np.testing.assert_array_equal(whole[0][17:37], late[0])
    np.testing.assert_array_equal(whole[1][17:37], late[1])
    np.testing.assert_array_equal(whole[2][17:37], late[2])


def test_wrong_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="expected a signal of shape"):
        yin(np.zeros(3, np.float32), n_frames=1, hop=10, n_hops=1, min_lag=2, max_lag=8, octave_cost=0.1)
    with pytest.raises(ValueError, match="min_lag < max_lag"):
        yin(np.zeros(3, np.float32), n_frames=1, hop=10, n_hops=1, min_lag=9, max_lag=8, octave_cost=0.1)
