"""What is done with one video in another process: plain values in, plain values and arrays out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from motifdb.training.videos.decode import WINDOW_S, measure, read_pictures, read_sound
from motifdb.training.videos.discover import Video
from motifdb.training.videos.jitter import cropped, gain_without_clipping, jittered

Answer = tuple[Any, list[NDArray[Any]]]


def measure_task(folder: str, video: Mapping[str, Any], is_thorough: bool) -> Answer:
    """`motifdb.training.videos.decode.measure`."""
    return asdict(measure(Path(folder), Video(**video), is_thorough=is_thorough)), []


def read_task(
    folder: str,
    path: str,
    sample_rate_hz: int,
    sounds: Sequence[Sequence[float]],
    shorter_side: int,
    crop: int,
    pictures: Sequence[Sequence[float]],
) -> Answer:
    """Seconds of sound and pictures of a video, varied as asked.

    Parameters
    ----------
    sounds : of each second of sound where it begins, on the file's clock, and its gain
    pictures : of each picture its time, across and down (in [0, 1): which part), whether it is turned round, saturation, brightness, and
        whether brightness goes first

    Returns
    -------
    None, and two arrays: int16 [n, samples] and uint8 [m, crop, crop, 3]
    """
    sound = np.zeros((0, round(WINDOW_S * sample_rate_hz)), np.int16)
    if sounds:
        heard = read_sound(Path(folder), path, [s[0] for s in sounds], sample_rate_hz)
        sound = np.stack([gain_without_clipping(h, s[1]) for h, s in zip(heard, sounds, strict=True)])
    picture = np.zeros((0, crop, crop, 3), np.uint8)
    if pictures:
        shown = read_pictures(Path(folder), path, [p[0] for p in pictures], shorter_side)
        picture = np.stack([_look(s, crop, *p[1:]) for s, p in zip(shown, pictures, strict=True)])
    return None, [sound, picture]


def _look(
    picture: NDArray[np.uint8],
    side: int,
    across: float,
    down: float,
    is_flipped: float,
    saturation: float,
    brightness: float,
    is_bright_first: float,
) -> NDArray[np.uint8]:
    part = cropped(picture, side, across, down)
    if not is_flipped and saturation == 1 and brightness == 0:
        return part
    return jittered(
        part,
        is_flipped=bool(is_flipped),
        saturation=saturation,
        brightness=brightness,
        is_bright_first=bool(is_bright_first),
    )


TASKS: dict[str, Callable[..., Answer]] = {"measure": measure_task, "read": read_task}
"""By the name that a request gives."""
