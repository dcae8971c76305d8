"""What is varied, against plain twins."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from motifdb.training.videos.jitter import brightened, cropped, gain_without_clipping, jittered, saturated
from tests.reference.jitter import brightened_pixel, louder, saturated_pixel

shares = st.floats(0, 1, width=32)
colours = st.lists(st.tuples(shares, shares, shares), min_size=1, max_size=8)


@settings(max_examples=40)
@given(colours, st.floats(0.5, 1.5, width=32), st.floats(-0.125, 0.125, width=32))
def test_colours_change_as_through_hue_saturation_and_value(
    pixels: list[tuple[float, float, float]], factor: float, shift: float
) -> None:
    picture = np.array(pixels, np.float32)[None]
    expected = [saturated_pixel(p, factor) for p in pixels]
    assert saturated(picture, factor)[0] == pytest.approx(np.array(expected), abs=1e-4)
    expected = [brightened_pixel(p, shift) for p in pixels]
    assert brightened(picture, shift)[0] == pytest.approx(np.array(expected), abs=1e-6)


@given(st.lists(st.integers(-32_768, 32_767), max_size=6), st.floats(0.9, 1.1))
def test_sound_gets_louder_as_far_as_it_does_not_clip(samples: list[int], gain: float) -> None:
    pcm = np.array(samples, np.int16)
    found = gain_without_clipping(pcm, gain)
    assert found.dtype == np.int16
    assert found.tolist() == pytest.approx(louder(samples, gain), abs=1)
    assert (np.sign(found.astype(int)) * np.sign(pcm.astype(int)) >= 0).all()  # nothing wrapped round


def test_every_square_can_be_taken_and_the_middle_is_the_middle() -> None:
    picture = np.arange(6 * 5, dtype=np.uint8).reshape(6, 5)[..., None].repeat(3, 2)
    corners = {
        int(cropped(picture, 4, across, down)[0, 0, 0])
        for across in np.linspace(0, 0.999, 20)
        for down in np.linspace(0, 0.999, 20)
    }
    assert corners == {0, 1, 5, 6, 10, 11}
    assert cropped(picture, 4, 0.5, 0.5).shape == (4, 4, 3)
    assert int(cropped(picture, 3, 0.5, 0.5)[0, 0, 0]) == 2 * 5 + 1


def test_order_of_saturation_and_brightness_matters_and_flipping_turns_round() -> None:
    picture = np.array([[[200, 100, 50], [10, 240, 90]]], np.uint8)
    plain: dict[str, Any] = {"is_flipped": False, "saturation": 1.0, "brightness": 0.0}
    assert np.array_equal(jittered(picture, **plain, is_bright_first=True), picture)
    turned = jittered(picture, **(plain | {"is_flipped": True}), is_bright_first=False)
    assert np.array_equal(turned, picture[:, ::-1])
    both: dict[str, Any] = {"is_flipped": False, "saturation": 1.5, "brightness": 0.1}
    first, second = (jittered(picture, **both, is_bright_first=order) for order in (True, False))
    assert not np.array_equal(first, second)
