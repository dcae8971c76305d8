"""Videos for tests, written without loss: sample i of the sound is known, and so is the shade of picture j."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

RATE_HZ, FPS = 16_000, 10


def ramp(n: int) -> NDArray[np.int16]:
    """Sound in which every sample tells where it is: a saw of 20,000 steps."""
    return (np.arange(n) % 20_000 - 10_000).astype(np.int16)


def shade(j: int) -> int:
    """Grey of picture `j`."""
    return 40 + 3 * j % 180


def write_video(
    path: Path,
    *,
    sound_s: float = 3.0,
    pictures_s: float = 3.0,
    width: int = 48,
    height: int = 32,
    rate_hz: int = RATE_HZ,
) -> Path:
    """A Matroska file with PCM and FFV1; 0 seconds leave the track out."""
    with av.open(str(path), "w") as container:
        audio: Any = container.add_stream("pcm_s16le", rate=rate_hz, layout="mono") if sound_s else None
        video: Any = container.add_stream("ffv1", rate=FPS) if pictures_s else None
        if video is not None:
            video.width, video.height, video.pix_fmt = width, height, "gray"
            for j in range(round(pictures_s * FPS)):
                frame: Any = av.VideoFrame.from_ndarray(np.full((height, width), shade(j), np.uint8), "gray")
                frame.pts, frame.time_base = j, Fraction(1, FPS)
                container.mux(video.encode(frame))
            container.mux(video.encode(None))
        if audio is not None:
            pcm = ramp(round(sound_s * rate_hz))
            for begin in range(0, len(pcm), 1000):
                block: Any = av.AudioFrame.from_ndarray(pcm[None, begin : begin + 1000], "s16", "mono")
                block.sample_rate, block.pts, block.time_base = rate_hz, begin, Fraction(1, rate_hz)
                container.mux(audio.encode(block))
            container.mux(audio.encode(None))
    return path


def write_song_with_cover(path: Path) -> Path:
    """An mp4 with sound and a still picture that is marked as a cover."""
    with av.open(str(path), "w") as container:
        audio: Any = container.add_stream("aac", rate=RATE_HZ, layout="mono")
        cover: Any = container.add_stream("mjpeg", rate=1)
        cover.width = cover.height = 32
        cover.pix_fmt = "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        frame = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), "rgb24").reformat(
            format="yuvj420p"
        )
        frame.pts = 0
        container.mux([*cover.encode(frame), *cover.encode(None)])
        for begin in range(0, 2 * RATE_HZ, 1000):
            block: Any = av.AudioFrame.from_ndarray(np.zeros((1, 1000), np.int16), "s16", "mono")
            block.sample_rate, block.pts = RATE_HZ, begin
            container.mux(audio.encode(block))
        container.mux(audio.encode(None))
    return path
