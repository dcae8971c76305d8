"""Gathering a batch agrees with its plain twin."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from motifdb.kernels.gather import gather
from tests.reference import gather as reference

CLIPS = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 10)), min_size=1, max_size=6)


@settings(deadline=None)  # the first call compiles
@given(st.lists(st.integers(-32_768, 32_767), min_size=40, max_size=40), CLIPS, st.integers(0, 3))
def test_gather_agrees_with_reference(values: list[int], clips: list[tuple[int, int]], wider: int) -> None:
    pcm = np.array(values, np.int16)
    start, length = [a for a, _ in clips], [n for _, n in clips]
    out = np.full((len(clips), max(length) + wider), np.nan, np.float32)
    scale = [2.0 ** (-15 + i) for i in range(len(clips))]
    gather(pcm, np.array(start), np.array(length), np.array(scale, np.float32), out)
    assert out.tolist() == reference.gather(pcm, start, length, out.shape[1], scale)
