"""A generated audio-visual corpus: real video files in which what is heard and what is seen belong together by a known law.

Two kinds, so that a network trained on one can be tried on the other, as l3-2019 does with music and environmental sound:

- ``tones``: a tone that glides and trembles. The colour is its pitch (red lowest, violet highest) and a disc moves up and down with it; a
  tone rich in harmonics has stripes.
- ``noises``: bursts of noise in a band. The colour is the band's centre by the same law, and bars wander across; a wide band has stripes.

Each video has a pitch of its own (evenly spread over the corpus; neighbours differ in stripes) and glides about it, so that a second of sound tells
which picture goes with it. What even a perfect listener would miss are pairs of two videos that happen to be close in pitch and alike in stripes.
"""

from __future__ import annotations

import csv
from colorsys import hsv_to_rgb
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from motifdb.errors import UsageError

VERSION = 3
"""Of what is generated: whoever keeps a corpus for later asks whether it is of this one."""

DOMAINS = ("tones", "noises")
LOWEST_HZ, OCTAVES = 200.0, 4.0
"""Pitch 0 and the distance to pitch 1."""

HUES = 0.8
"""Share of the colour circle that pitch 0 to 1 goes over: red to violet, so that the ends differ."""

GLIDE = 0.03
"""A video's pitch wanders so far up and down."""

TRUTH = "videos.csv"


@dataclass(frozen=True)
class AvCorpus:
    """What `make_av_corpus` wrote.

    Attributes
    ----------
    paths : of the videos, relative to the folder
    pitch : float64 [n], 0 to 1, the middle of each video's
    is_rich : bool [n], whether it has harmonics, or a wide band, and stripes
    """

    folder: Path
    paths: tuple[str, ...]
    pitch: NDArray[np.float64]
    is_rich: NDArray[np.bool_]
    duration_s: float


def make_av_corpus(
    folder: str | Path,
    *,
    n_videos: int = 120,
    domain: str = "tones",
    duration_s: float = 4.0,
    side: int = 64,
    rate_fps: int = 15,
    sample_rate_hz: int = 48_000,
    seed: int = 1,
) -> AvCorpus:
    """Write videos (mp4: MPEG-4 pictures, AAC sound) whose sound and pictures belong together, and ``videos.csv`` with the law.

    Parameters
    ----------
    folder : made where it is missing; must be empty or hold an earlier such corpus
    domain : one of `DOMAINS`
    duration_s : of each video, >= 1.5
    side : pixels of the shorter side; pictures are 4:3
    seed : another one gives other videos

    Raises
    ------
    UsageError
        for a number that cannot be, or a folder that holds other things.
    """
    folder = Path(folder)
    if domain not in DOMAINS:
        raise UsageError(f"an audio-visual corpus is of {' or '.join(DOMAINS)}, not {domain!r}")
    if n_videos < 1 or duration_s < 1.5 or side < 32 or rate_fps < 2 or sample_rate_hz < 8_000:
        raise UsageError(
            "an audio-visual corpus needs at least 1 video, 1.5 s, 32 pixels, 2 pictures a second and 8,000 Hz"
        )
    if folder.exists() and (
        not folder.is_dir() or (any(folder.iterdir()) and not (folder / TRUTH).is_file())
    ):
        raise UsageError(f"{folder} is there and is no audio-visual corpus; name a new or an empty folder")
    folder.mkdir(parents=True, exist_ok=True)
    # one pitch in each of n steps, in no order: evenly spread, however the videos are divided
    rank = np.random.default_rng(seed).permutation(n_videos)
    pitch, is_rich = (rank + 0.5) / n_videos, rank % 2 == 1
    paths = [f"{domain}-{i + 1:04}.mp4" for i in range(n_videos)]
    for i, path in enumerate(paths):
        rng = np.random.default_rng((seed, DOMAINS.index(domain), i))
        scene = _Scene(float(pitch[i]), bool(is_rich[i]), duration_s, rng)
        sound = _SOUNDS[domain](scene, sample_rate_hz, rng)
        _write(folder / path, sound, sample_rate_hz, scene, domain, side, rate_fps)
    with (folder / TRUTH).open("w", newline="", encoding="utf-8") as file:
        lines = csv.writer(file)
        lines.writerow(["path", "domain", "pitch", "pitch_hz", "hue", "is_rich"])
        for path, p, rich in zip(paths, pitch.tolist(), is_rich.tolist(), strict=True):
            lines.writerow(
                [path, domain, f"{p:.4f}", f"{float(pitch_hz(p)):.1f}", f"{HUES * p:.4f}", int(rich)]
            )
    return AvCorpus(folder, tuple(paths), pitch, is_rich, n_videos * duration_s)


def pitch_hz(pitch: Any) -> Any:
    """Frequency of a pitch between 0 and 1: even steps are even intervals."""
    return LOWEST_HZ * 2 ** (OCTAVES * np.asarray(pitch))


class _Scene:
    """How a video goes on: pitch and loudness at each moment."""

    def __init__(self, pitch: float, is_rich: bool, duration_s: float, rng: np.random.Generator) -> None:
        self.middle, self.is_rich, self.duration_s = pitch, is_rich, duration_s
        self.glide_hz, self.tremble_hz = rng.uniform(0.2, 0.6), rng.uniform(1.5, 4.0)
        self.phase, self.brightness = rng.uniform(0, 2 * np.pi), rng.uniform(0.75, 1.0)
        self.across, self.size = rng.uniform(0.25, 0.75), rng.uniform(0.08, 0.16)
        self.loudness = rng.uniform(0.15, 0.5)

    def pitch(self, time_s: Any) -> Any:
        """0 to 1, about."""
        return self.middle + GLIDE * np.sin(2 * np.pi * self.glide_hz * np.asarray(time_s) + self.phase)

    def level(self, time_s: Any) -> Any:
        """Loudness, 0 to 1."""
        return self.loudness * (0.7 + 0.3 * np.sin(2 * np.pi * self.tremble_hz * np.asarray(time_s)))


def _tone(scene: _Scene, rate_hz: int, rng: np.random.Generator) -> NDArray[np.float64]:
    time_s = np.arange(round(scene.duration_s * rate_hz)) / rate_hz
    phase = 2 * np.pi * np.cumsum(pitch_hz(scene.pitch(time_s))) / rate_hz
    harmonics = range(1, 9) if scene.is_rich else range(1, 2)
    sound = sum(np.sin(k * phase) / np.sqrt(k) for k in harmonics) / np.sqrt(len(harmonics))
    wave: NDArray[np.float64] = scene.level(time_s) * sound + 1e-3 * rng.standard_normal(len(time_s))
    return wave


def _noise(scene: _Scene, rate_hz: int, rng: np.random.Generator) -> NDArray[np.float64]:
    time_s = np.arange(round(scene.duration_s * rate_hz)) / rate_hz
    # noise of a few hundred hertz on a carrier that glides: a band about it
    slow = np.fft.irfft(
        np.fft.rfft(rng.standard_normal(len(time_s)))
        * (
            np.fft.rfftfreq(len(time_s), 1 / rate_hz)
            < (0.15 if scene.is_rich else 0.03) * pitch_hz(scene.middle)
        ),
        len(time_s),
    )
    slow /= np.abs(slow).max()
    phase = 2 * np.pi * np.cumsum(pitch_hz(scene.pitch(time_s))) / rate_hz
    bursts = np.clip(np.sin(2 * np.pi * scene.tremble_hz * time_s), 0.1, 1)
    wave: NDArray[np.float64] = scene.loudness * bursts * slow * np.sin(phase) * 1.8
    return np.clip(wave + 1e-3 * rng.standard_normal(len(time_s)), -1, 1)


_SOUNDS = {"tones": _tone, "noises": _noise}


def _picture(scene: _Scene, time_s: float, domain: str, side: int) -> NDArray[np.uint8]:
    """uint8 [side, 4/3 side, 3]."""
    width = round(side * 4 / 3 / 2) * 2
    pitch = float(scene.pitch(time_s))
    colour = np.array(hsv_to_rgb(min(max(HUES * pitch, 0), 1), 0.9, scene.brightness))
    picture = np.ones((side, width, 3)) * colour
    y, x = np.mgrid[0:side, 0:width] / side
    if domain == "tones":
        is_shape = (y - (0.9 - 0.8 * pitch)) ** 2 + (x - scene.across * 4 / 3) ** 2 < scene.size**2
    else:
        is_shape = ((x + 0.2 * scene.tremble_hz * time_s) * scene.tremble_hz) % 1.0 < scene.size
    if scene.is_rich:
        picture[((y * 8) % 1.0 < 0.35)] *= 0.3
    picture[is_shape] = 0.95
    coloured: NDArray[np.uint8] = np.round(picture * 255).astype(np.uint8)
    return coloured


def _write(
    path: Path,
    sound: NDArray[np.float64],
    rate_hz: int,
    scene: _Scene,
    domain: str,
    side: int,
    rate_fps: int,
) -> None:
    import av

    with av.open(str(path), "w", options={"fflags": "+bitexact"}) as container:
        video: Any = container.add_stream("mpeg4", rate=rate_fps)
        video.width, video.height, video.pix_fmt = round(side * 4 / 3 / 2) * 2, side, "yuv420p"
        video.bit_rate = 400_000
        audio: Any = container.add_stream("aac", rate=rate_hz, layout="mono")
        audio.bit_rate = 96_000
        for stream in (video, audio):
            stream.codec_context.thread_count = 1
            stream.codec_context.flags |= av.codec.context.Flags.bitexact
        for i in range(round(scene.duration_s * rate_fps)):
            frame: Any = av.VideoFrame.from_ndarray(
                _picture(scene, i / rate_fps, domain, side), format="rgb24"
            )
            frame.pts, frame.time_base = i, Fraction(1, rate_fps)
            container.mux(video.encode(frame.reformat(format="yuv420p")))
        container.mux(video.encode(None))
        pcm = np.round(np.clip(sound, -1, 1) * 32_767).astype(np.int16)
        for begin in range(0, len(pcm), 1024):
            block: Any = av.AudioFrame.from_ndarray(
                pcm[None, begin : begin + 1024], format="s16", layout="mono"
            )
            block.sample_rate, block.pts, block.time_base = rate_hz, begin, Fraction(1, rate_hz)
            container.mux(audio.encode(block))
        container.mux(audio.encode(None))
