"""Audio files for tests, made on the spot: every container, channel count and sample rate."""

from __future__ import annotations

import io
from fractions import Fraction

import av
import numpy as np
import soundfile
from numpy.typing import NDArray

SNDFILE = {
    "wav": ("WAV", "PCM_16"),
    "wav24": ("WAV", "PCM_24"),
    "wavfloat": ("WAV", "FLOAT"),
    "w64": ("W64", "PCM_16"),
    "rf64": ("RF64", "PCM_16"),
    "flac": ("FLAC", "PCM_16"),
    "aiff": ("AIFF", "PCM_16"),
    "mp3": ("MP3", "MPEG_LAYER_III"),
    "ogg": ("OGG", "VORBIS"),
    "opus": ("OGG", "OPUS"),
}
FFMPEG = {"m4a": ("mp4", "aac"), "aac": ("adts", "aac"), "alac": ("mp4", "alac")}


def tone(
    duration_s: float = 1.0, rate_hz: int = 44_100, channels: int = 1, hz: float = 220.0
) -> NDArray[np.float64]:
    """A tone with an octave above it, another pitch in each channel; shape (n_frames, channels), peak 0.4."""
    t = np.arange(round(duration_s * rate_hz)) / rate_hz
    waves = [
        0.3 * np.sin(2 * np.pi * hz * (1 + c / 8) * t) + 0.1 * np.sin(4 * np.pi * hz * (1 + c / 8) * t)
        for c in range(channels)
    ]
    return np.stack(waves, axis=1)


def encoded(samples: NDArray[np.float64], rate_hz: int, kind: str) -> bytes:
    """The samples as a file of one of the kinds of `SNDFILE` and `FFMPEG`."""
    if kind in FFMPEG:
        return _through_ffmpeg(samples, rate_hz, *FFMPEG[kind])
    container, subtype = SNDFILE[kind]
    out = io.BytesIO()
    with soundfile.SoundFile(
        out, "w", samplerate=rate_hz, channels=samples.shape[1], format=container, subtype=subtype
    ) as file:
        for start in range(0, len(samples), 65_536):  # libsndfile crashes on long Vorbis in one piece
            file.write(samples[start : start + 65_536])
    return out.getvalue()


def _through_ffmpeg(samples: NDArray[np.float64], rate_hz: int, container: str, codec: str) -> bytes:
    out = io.BytesIO()
    layout = {1: "mono", 2: "stereo"}[samples.shape[1]]
    with av.open(out, "w", format=container) as file:
        stream = file.add_stream(codec, rate=rate_hz, layout=layout)
        kind = "s16p" if codec == "alac" else "fltp"
        data = np.ascontiguousarray(samples.T)
        values = np.rint(data * 32767).astype(np.int16) if kind == "s16p" else data.astype(np.float32)
        frame_size = 4096 if codec == "alac" else 1024
        for start in range(0, values.shape[1], frame_size):
            frame = av.AudioFrame.from_ndarray(
                np.ascontiguousarray(values[:, start : start + frame_size]), format=kind, layout=layout
            )
            frame.sample_rate, frame.pts, frame.time_base = rate_hz, start, Fraction(1, rate_hz)
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    return out.getvalue()
