"""What is varied in training: loudness of the sound; part, side, saturation and brightness of the picture (l3-2019)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FULL_SCALE = 32_767


def gain_without_clipping(samples: NDArray[np.int16], gain: float) -> NDArray[np.int16]:
    """Samples times `gain`, or times as much as does not clip where that is less: int16, as long."""
    peak = int(np.abs(samples.astype(np.int32)).max(initial=0))
    limited = min(gain, max(1.0, FULL_SCALE / peak)) if peak else gain
    return np.clip(np.round(samples * limited), -FULL_SCALE - 1, FULL_SCALE).astype(np.int16)


def cropped(picture: NDArray[np.uint8], side: int, across: float, down: float) -> NDArray[np.uint8]:
    """A square of a picture [height, width, 3]; `across` and `down`, in [0, 1), say which of all possible ones; 0.5: the middle."""
    height, width = picture.shape[:2]
    y, x = int(down * (height - side + 1)), int(across * (width - side + 1))
    return picture[y : y + side, x : x + side]


def saturated(picture: NDArray[np.float32], factor: float) -> NDArray[np.float32]:
    """Colours in [0, 1], [..., 3], with the saturation of HSV times `factor`, at most 1; hue and value stay.

    With value V and least channel m the saturation is (V - m) / V, and each channel lies at V - S V k for a k that the hue gives:
    so only the distance of each channel from V changes, and no hue need be computed.
    """
    red, green, blue = (
        picture[..., 0],
        picture[..., 1],
        picture[..., 2],
    )  # a maximum over an axis of three is slow
    value = np.maximum(np.maximum(red, green), blue)
    spread = value - np.minimum(np.minimum(red, green), blue)
    # what makes the saturation 1 is value / spread
    most = np.divide(value, spread, out=np.full_like(value, factor), where=spread > 0)
    share = np.minimum(np.float32(factor), most)[..., None]
    changed: NDArray[np.float32] = value[..., None] * (1 - share) + picture * share
    return changed


def brightened(picture: NDArray[np.float32], shift: float) -> NDArray[np.float32]:
    """Colours in [0, 1] with `shift` added, kept in [0, 1]."""
    clipped: NDArray[np.float32] = np.clip(picture + np.float32(shift), 0, 1)
    return clipped


def jittered(
    picture: NDArray[np.uint8],
    *,
    is_flipped: bool,
    saturation: float,
    brightness: float,
    is_bright_first: bool,
) -> NDArray[np.uint8]:
    """A picture [height, width, 3] turned round, its saturation multiplied and its brightness shifted, in one order or the other."""
    colours: NDArray[np.float32] = (picture[:, ::-1] if is_flipped else picture).astype(np.float32)
    colours /= 255
    if is_bright_first:
        colours = saturated(brightened(colours, brightness), saturation)
    else:
        colours = brightened(saturated(colours, saturation), brightness)
    return np.round(colours * 255).astype(np.uint8)
