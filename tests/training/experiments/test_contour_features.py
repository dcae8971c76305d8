"""Histograms, bags and statistics of contours against what one can say by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from motifdb.config import ContourConfig
from motifdb.errors import UsageError
from motifdb.kernels.contour import PhraseArrays, contours
from motifdb.training.experiments import contour_features as cf

NOTES = ContourConfig(bounds_cents=(150.0, 250.0), epsilon_cents=50.0, min_piece_s=0.0)


def sung(steps: list[int], tonic_hz: float = 220.0) -> NDArray[np.float64]:
    """Each degree, in semitones over the tonic, held for 0.2 s at 10 ms."""
    return np.repeat(tonic_hz * 2.0 ** (np.array(steps) / 12.0), 20)


def phrases(steps: list[int]) -> PhraseArrays:
    return contours(sung(steps), None, 0.01, 0.0, NOTES)


def test_a_histogram_over_the_tonic_does_not_care_how_high_one_sings() -> None:
    low, high = (cf.pitch_class_histogram(sung([0, 1, 4, 1], hz), hz) for hz in (110.0, 293.0))
    assert np.allclose(low, high, atol=1e-6) and low.sum() == pytest.approx(1.0)
    peaks = np.flatnonzero((low > 0.01) & (low > np.roll(low, 1)) & (low > np.roll(low, -1)))
    assert np.allclose(peaks * 12 / cf.BINS_PER_OCTAVE, [0, 1, 4], atol=0.05)


def test_silence_has_an_empty_histogram_and_a_tonic_of_nothing_is_refused() -> None:
    assert not cf.pitch_class_histogram(np.zeros(50)).any()
    with pytest.raises(UsageError, match="more than 0 Hz"):
        cf.pitch_class_histogram(sung([0]), 0.0)


@given(st.integers(0, 158))
def test_at_the_best_turn_a_turned_histogram_is_the_same(turn: int) -> None:
    rows = np.stack([cf.pitch_class_histogram(sung(s)) for s in ([0, 0, 2, 4], [0, 1, 1, 4, 7])])
    turned = np.roll(rows, turn, axis=1)
    assert np.allclose(np.diag(cf.bhattacharyya_at_best_turn(rows, turned)), 0.0, atol=1e-9)
    assert np.all(cf.bhattacharyya_at_best_turn(rows, turned) <= cf.bhattacharyya(rows, turned) + 1e-9)
    assert np.allclose(cf.turned_to_peak(turned), cf.turned_to_peak(rows))


def test_a_bag_counts_what_train_has_and_nothing_that_only_test_has() -> None:
    up, down = [0, 1, 3, 4, 6] * 3, [6, 4, 3, 1, 0] * 3
    train = [phrases(up) for _ in range(3)]
    bag = cf.MotifBag.mined(train, min_recordings=3, max_length=None)
    known = {pattern[:2] for pattern in bag.patterns}
    rates = bag.rates([*train, phrases(down)])
    assert rates.shape == (4, len(bag)) and np.all(rates[:3].sum(axis=1) > 0)
    own = {tuple(t.symbols[i : i + 2].tolist()) for t in train for i in range(len(t.symbols) - 1)}
    assert known <= own
    assert np.allclose(rates[0], rates[1])


def test_a_bag_of_nothing_is_empty() -> None:
    bag = cf.MotifBag.mined([phrases([0, 2, 4])], min_recordings=3)
    assert len(bag) == 0 and bag.rates([phrases([0, 2])]).shape == (1, 0)


def test_weighted_rows_have_length_one() -> None:
    rates = np.array([[0.2, 0.0, 0.1], [0.0, 0.3, 0.1], [0.0, 0.0, 0.0]])
    lengths = np.linalg.norm(cf.weighted(rates, np.array([0, 1])), axis=1)
    assert np.allclose(lengths, [1, 1, 0])


def test_motifs_at_their_degree_follow_the_tonic() -> None:
    same = [phrases([0, 2, 4, 2, 0]), contours(sung([0, 2, 4, 2, 0], 330.0), None, 0.01, 0.0, NOTES)]
    rates = cf.DegreeBag(same, [220.0, 330.0], max_length=1).rates(np.array([0, 1]), min_recordings=2)
    assert rates.shape[1] > 3 and np.allclose(rates[0], rates[1])
    other = cf.DegreeBag(same, [220.0, 220.0], max_length=1).rates(np.array([0, 1]), min_recordings=1)
    assert not np.allclose(other[0], other[1])


def test_statistics_of_a_steady_tone_and_of_silence() -> None:
    found = dict(zip(cf.STATISTICS, cf.contour_statistics(np.full(60, 220.0), 0.01), strict=True))
    assert found["level_median"] == pytest.approx(-1200.0) and found["voiced_share"] == 1.0
    assert all(
        abs(v) < 1e-6 for n, v in found.items() if n not in ("voiced_share", *cf.STATISTICS[: cf.N_LEVELS])
    )
    assert not cf.contour_statistics(np.zeros(30), 0.01).any()
    assert cf.contour_statistics(np.zeros(0), 0.01).shape == (len(cf.STATISTICS),)


def test_only_the_first_three_statistics_know_how_high_the_voice_is() -> None:
    rng = np.random.default_rng(0)
    wave = 220.0 * 2 ** (np.cumsum(rng.normal(0, 0.02, 80)) / 12)
    low, high = cf.contour_statistics(wave, 0.01), cf.contour_statistics(wave * 1.5, 0.01)
    assert np.allclose(low[cf.N_LEVELS :], high[cf.N_LEVELS :], atol=1e-6)
    assert np.allclose(high[: cf.N_LEVELS] - low[: cf.N_LEVELS], 1200 * np.log2(1.5))
