"""Plain twins of the kernels that vary pictures: one pixel at a time, through hue, saturation and value."""

from __future__ import annotations

import colorsys


def saturated_pixel(colour: tuple[float, float, float], factor: float) -> tuple[float, float, float]:
    """A colour in [0, 1] with its saturation times `factor`, at most 1."""
    hue, saturation, value = colorsys.rgb_to_hsv(*colour)
    return colorsys.hsv_to_rgb(hue, min(1.0, saturation * factor), value)


def brightened_pixel(colour: tuple[float, float, float], shift: float) -> tuple[float, float, float]:
    """A colour in [0, 1] with `shift` added to each channel, kept in [0, 1]."""
    r, g, b = (min(1.0, max(0.0, channel + shift)) for channel in colour)
    return r, g, b


def louder(samples: list[int], gain: float) -> list[int]:
    """Samples times `gain`, or times the largest factor of 1 or more that none of them clips at."""
    peak = max((abs(s) for s in samples), default=0)
    if peak and gain * peak > 32_767:
        gain = min(gain, max(1.0, 32_767 / peak))
    return [min(32_767, max(-32_768, round(s * gain))) for s in samples]
