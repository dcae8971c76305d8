"""Shared stretches: planted ones are found where they are, others are not, in one part of work or in many."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from motifdb.kernels.alignment import (
    PARTNER_LEVELS,
    PARTNER_SAMPLES,
    AnchorSets,
    cell_keys,
    find_stretches,
    overlap_agreement,
    partners_needed,
)
from motifdb.kernels.fingerprint import anchors
from tests.kernels.voices import voice
from tests.reference import fingerprint as plain


def sets_of(sounds: list[NDArray[np.float32]]) -> AnchorSets:
    found = [anchors(s) for s in sounds]
    start = np.concatenate([[0], np.cumsum([p.size for p, _ in found])]).astype(np.int64)
    n_samples = np.array([float(s.size) for s in sounds])
    return AnchorSets(
        np.concatenate([p for p, _ in found]), np.concatenate([c for _, c in found]), start, n_samples
    )


@pytest.mark.parametrize(
    ("n", "before_a", "before_b"),
    [(900, 0, 0), (900, 1345, 1108), (1200, 0, 2000), (4000, 3000, 0), (2500, 11, 640)],
)
def test_a_planted_stretch_is_found_where_it_is(n: int, before_a: int, before_b: int) -> None:
    shared = voice(n / 16000, n)

    def around(before: int, seed: int) -> NDArray[np.float32]:
        lead = voice(before / 16000, seed) if before else shared[:0]
        return np.concatenate([lead, shared, voice(0.05, seed + 1)])

    sounds = [around(before_a, 1), voice(0.4, 3), np.float32(0.3) * around(before_b, 5)]
    found = find_stretches(sets_of(sounds))
    assert list(zip(found.a.tolist(), found.b.tolist(), strict=True)) == [(0, 2)]
    assert found.start_b[0] - found.start_a[0] == pytest.approx(before_b - before_a, abs=0.05)
    # to the next lone anchor: about a period away on each side, and what a code reaches over
    assert abs(found.start_a[0] - before_a) < 250
    assert abs(found.length[0] - n) < 400
    assert found.distance[0] < 0.02 and found.difference[0] < 1.5


def test_voices_of_one_pitch_share_nothing() -> None:
    found = find_stretches(sets_of([voice(0.5, seed, f0_hz=150) for seed in range(12)]))
    assert len(found) == 0


def test_parts_and_samples_of_the_work_find_the_same() -> None:
    song = voice(3.0, 1)
    sounds = [song[a : a + 8000] for a in range(0, 40000, 3000)] + [voice(0.5, s) for s in (2, 3)]
    sets = sets_of(sounds)
    told: list[tuple[int, int]] = []
    whole = find_stretches(sets)
    parts = find_stretches(sets, most_hits=500, on_part=lambda done, of: told.append((done, of)))
    assert len(told) > 2 and told[-1][0] == told[-1][1]
    for name in ("a", "b", "start_a", "length", "partners"):
        assert np.array_equal(getattr(whole, name), getattr(parts, name))
    pairs = {(i, j) for i in range(14) for j in range(i + 1, 14) if 3000 * (j - i) <= 6000}
    assert set(zip(whole.a.tolist(), whole.b.tolist(), strict=True)) == pairs


def test_agreement_counts_partners_as_the_plain_one() -> None:
    song = voice(0.4, 7)
    rng = np.random.default_rng(0)
    sounds = [song[:5600], song[1000:] + 0.02 * rng.standard_normal(5400).astype(np.float32)]
    sets = sets_of(sounds)
    found = overlap_agreement(sets, np.array([0], np.int32), np.array([1], np.int32), np.array([-1000.0]))
    one, other = (plain.anchors(s) for s in sounds)
    low = max(one[0][0], other[0][0] + 1000) - PARTNER_SAMPLES
    high = min(one[-1][0], other[-1][0] + 1000) + PARTNER_SAMPLES
    one = [x for x in one if low <= x[0] <= high]
    other = [x for x in other if low <= x[0] + 1000 <= high]
    n = plain.partners(one, other, -1000.0, PARTNER_SAMPLES, PARTNER_LEVELS)
    assert 0.3 < found[0] < 1
    assert found[0] == pytest.approx(2 * n / (len(one) + len(other)), abs=0.02)


def test_no_recordings_and_no_anchors() -> None:
    nothing = AnchorSets(np.zeros(0), np.zeros(0, np.int64), np.zeros(3, np.int64), np.array([10.0, 20.0]))
    assert len(find_stretches(nothing)) == 0


def test_evidence_asked_for_grows_as_partners_differ() -> None:
    needed = partners_needed(np.array([0.0, 0.02, 0.3, 0.3]), np.array([0.0, 1.0, 1.0, 5.0]), 4)
    assert needed.tolist() == [4.0, 4.0, 88.0, 128.0]


@given(st.lists(st.lists(st.integers(-128, 127), min_size=8, max_size=8), min_size=1, max_size=20))
def test_keys_are_the_bits_of_a_code_one_of_each_number_in_turn(codes: list[list[int]]) -> None:
    packed = np.array(codes, dtype=np.int8).view(np.int64).reshape(-1)
    expected = [
        int("".join(str((v + 128) >> bit & 1) for bit in range(7, -1, -1) for v in code), 2) for code in codes
    ]
    assert cell_keys(packed, 0).tolist() == expected
