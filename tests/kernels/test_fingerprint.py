"""Anchors: against a plain twin, wherever a recording starts, however it is cut into blocks, at any gain."""

from __future__ import annotations

import numpy as np
import pytest
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st

from motifdb.kernels.fingerprint import MARGIN_SAMPLES, Fingerprinter, anchors
from tests.kernels.voices import voice
from tests.reference import fingerprint as plain


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(100, 700), st.sampled_from(["voice", "noise", "silence"]))
def test_anchors_agree_with_the_plain_ones(seed: int, n: int, kind: str) -> None:
    rng = np.random.default_rng(seed)
    samples = np.zeros(n, dtype=np.float32)
    if kind == "voice":
        samples = voice(n / 16000, seed, f0_hz=float(rng.uniform(90, 500)))
    elif kind == "noise":
        samples = rng.uniform(-1, 1, n).astype(np.float32)
    position, code = anchors(samples)
    expected = plain.anchors(samples)
    assert position == pytest.approx([p for p, _ in expected], abs=1e-3)
    levels = code.view(np.int8).reshape(-1, 8)
    assert np.abs(levels - np.array([c for _, c in expected], dtype=int).reshape(-1, 8)).max(initial=0) <= 1


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 3000), max_size=6), st.integers(0, 5))
def test_blocks_of_a_stream_give_what_the_whole_gives(cuts: list[int], seed: int) -> None:
    samples = voice(0.25, seed)
    stream = Fingerprinter()
    parts = [stream.push(block) for block in np.split(samples, sorted(min(c, samples.size) for c in cuts))]
    parts.append(stream.finish())
    position, code = anchors(samples)
    assert np.array_equal(np.concatenate([p for p, _ in parts]), position)
    assert np.array_equal(np.concatenate([c for _, c in parts]), code)


def test_a_cut_has_the_anchors_of_the_whole() -> None:
    samples = voice(0.5, 3)
    position, code = anchors(samples)
    cut_position, cut_code = anchors(samples[1234:7000])
    inside = (position >= 1234 + MARGIN_SAMPLES) & (position <= 7000 - 1 - MARGIN_SAMPLES)
    assert inside.sum() > 50
    assert np.array_equal(cut_position + 1234, position[inside])
    assert np.array_equal(cut_code, code[inside])


def test_gain_and_another_rate_move_nothing_that_matters() -> None:
    samples = voice(0.5, 4)
    position, code = anchors(samples)
    louder, same = anchors(samples * np.float32(0.25))
    assert np.array_equal(louder, position) and np.array_equal(same, code)
    again = soxr.resample(soxr.resample(samples, 16000, 22050), 22050, 16000).astype(np.float32)
    other, other_code = anchors(again)
    assert other.size == position.size
    assert np.abs(other - position).mean() < 0.02
    assert np.abs(other_code.view(np.int8).astype(int) - code.view(np.int8)).mean() < 1


def test_too_short_or_of_another_shape() -> None:
    position, code = anchors(np.ones(2 * MARGIN_SAMPLES, dtype=np.float32))
    assert position.size == code.size == 0 and code.dtype == np.int64
    with pytest.raises(ValueError, match="shape"):
        anchors(np.zeros((2, 500), dtype=np.float32))
