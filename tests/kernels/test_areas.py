"""Areas under weights of groups against all pairs of clips, each as often as its group is drawn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from motifdb.kernels.areas import weighted_areas
from tests.reference.metrics import area

CLIPS = st.lists(st.tuples(st.integers(0, 4), st.booleans(), st.integers(0, 3)), min_size=1, max_size=15)
WEIGHTS = st.lists(st.lists(st.integers(0, 3), min_size=4, max_size=4), min_size=1, max_size=4)


@given(CLIPS, WEIGHTS)
@settings(max_examples=100, deadline=None)
def test_areas_agree_with_reference(clips: list[tuple[int, bool, int]], weights: list[list[int]]) -> None:
    ordered = sorted(clips, key=lambda clip: clip[0])
    value = np.array([v for v, _, _ in ordered])
    comp = weighted_areas(
        np.array(weights, dtype=np.int64),
        np.array([g for _, _, g in ordered], dtype=np.int64),
        np.array([c for _, c, _ in ordered], dtype=np.bool_),
        np.r_[True, value[1:] > value[:-1]],
    )
    for draw, of_group in enumerate(weights):
        drawn = [(v, c) for v, c, g in ordered for _ in range(of_group[g])]
        ref = area([float(v) for v, _ in drawn], [c for _, c in drawn])
        assert comp[draw] == pytest.approx(np.nan if ref is None else ref, nan_ok=True)
