"""Evidence of boundaries: by hand, and clashes against the plain version."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from motifdb.kernels.boundaries import (
    border_profile,
    clashes,
    metre_frames,
    metrical_evidence,
    rest_evidence,
    running_extreme,
)
from motifdb.kernels.dtw_banded import REST
from motifdb.kernels.melody import frame_medians, rests_between
from tests.reference import families as plain


def test_longer_rests_are_surer_and_fade_with_distance() -> None:
    evidence = rest_evidence(np.array([[20.0, 21.0], [60.0, 64.0]]), 100, 0.05)
    assert evidence[20] == evidence[21] == 0.5
    assert evidence[62] == 1.0
    assert evidence[66] == np.exp(-0.5)
    assert evidence[40] == 0.0


def test_a_melody_that_comes_back_has_its_period() -> None:
    rng = np.random.default_rng(1)
    cycle = np.repeat(rng.integers(-900, 900, 25), 5).astype(np.int32)  # 6.25 s
    period, clearness = metre_frames(np.tile(cycle, 12), 0.05)
    assert period == cycle.size / 2
    assert clearness > 0.9
    noise = rng.integers(-900, 900, 1500).astype(np.int32)
    assert metre_frames(noise, 0.05)[1] < 0.05
    assert metre_frames(np.full(1500, REST), 0.05) == (0.0, 0.0)
    assert metre_frames(cycle[:100], 0.05) == (0.0, 0.0)


def test_rests_on_the_metre_outweigh_a_longer_one_beside_it() -> None:
    evidence = np.zeros(401)
    evidence[20::40] = 0.5
    evidence[110] = 1.0
    metrical = metrical_evidence(evidence, 40.0, 6, 0.85, 0)
    assert metrical[100] == 1.0
    assert metrical[110] < 0.5


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.integers(0, 80), min_size=1, max_size=6),
    st.integers(5, 30),
    st.lists(st.tuples(st.integers(0, 80), st.integers(5, 40)), max_size=6),
    st.floats(0, 1),
    st.floats(0, 10),
)
def test_clashes_agree_with_the_plain_version(
    first: list[int], n: int, taken: list[tuple[int, int]], share: float, slack: float
) -> None:
    spans = sorted((a, a + length) for a, length in taken)
    ours = clashes(
        np.array(first), n, np.array([a for a, _ in spans], dtype=np.int64),
        np.array([b for _, b in spans], dtype=np.int64), 40, share, slack,
    )  # fmt: skip
    assert ours.tolist() == plain.clashes(first, n, spans, share, slack)


def test_profiles_and_extremes() -> None:
    values = np.array([0.0, 1.0, 0.0, 0.0, 3.0])
    assert running_extreme(values, 1, True).tolist() == [1, 1, 1, 3, 3]
    assert running_extreme(values, 1, False).tolist() == [0, 0, 0, 0, 0]
    assert border_profile(values, np.array([0, 2]), 2).tolist() == [0.0, 0.5, 1.5]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.one_of(st.none(), st.integers(-1000, 1000)), min_size=5, max_size=40))
def test_frames_are_the_medians_of_their_values(cents: list[int | None]) -> None:
    f0_hz = np.array([0 if c is None else 440 * 2 ** (c / 1200) for c in cents], dtype=np.float32)
    ours = frame_medians(f0_hz, 0.01, 0.05, 0.0)
    expected = plain.frame_medians([None if c is None else float(c) for c in cents], 5)
    assert [None if v == REST else int(v) for v in ours] == expected


def test_short_gaps_are_bridged_and_rests_found() -> None:
    f0_hz = np.repeat(np.array([440, 0, 466.1638, 0, 440], dtype=np.float32), [5, 5, 5, 10, 5])
    assert frame_medians(f0_hz, 0.01, 0.05, 0.05).tolist() == [0, 50, 100, REST, REST, 0]
    assert np.round(rests_between(f0_hz, 0.01, 0.08), 6).tolist() == [[0.0, 0.0], [0.15, 0.25], [0.3, 0.3]]
