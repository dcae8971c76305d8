"""Reading videos with PyAV, as a stream: how long a video is, and single seconds of its sound with a picture out of each.

Nothing is held but what was asked for: sound is cut while it is decoded, and of pictures only those asked for are scaled. Of a
long video a stretch of `STRETCH_S` is read at a time (`motifdb.training.videos.sample`), so memory and time do not grow with it.

Files are hostile ground: these functions run in other processes (`motifdb.training.videos.workers`), and what a broken file makes
FFmpeg say becomes an `InputError`.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from motifdb.errors import InputError
from motifdb.training.videos.discover import Video

WINDOW_S = 1.0
"""Sound is heard, and pictures are taken, in windows of so long."""

STRETCH_S = 60.0
"""Of a longer video so much is read for one source."""

GAP_S = 0.1
"""Where sound jumps by more than this on the file's clock, it is laid where the clock says; less is a resampler's delay."""

MAX_PIXELS = 8192 * 4320
MAX_DAMAGED = 0.5
"""With a larger share of damaged packets in the stretch that is read, a video cannot be decoded."""


def measure(folder: Path, video: Video, *, is_thorough: bool = True) -> Video:
    """Where in the file both sound and pictures are, by its packets.

    Parameters
    ----------
    is_thorough : decode all of it; else the first frame of each track alone, and damage further on is met when it is read

    Raises
    ------
    InputError
        ``no-audio``, ``no-pictures``, ``too-short``, ``undecodable``, ``unreadable``.
    """
    with _opened(folder, video.path) as container:
        tracks = {kind: _Track() for kind in ("audio", "video")}
        for packet in container.demux(*_streams(container, video.path).values()):
            tracks[packet.stream.type].take(packet, is_thorough=is_thorough)
    for kind, track in tracks.items():
        what = "sound" if kind == "audio" else "pictures"
        if not track.n_decoded:
            raise InputError(
                "undecodable", f"{video.path}: nothing of its {what} can be decoded; copy it again"
            )
        if track.n_damaged > MAX_DAMAGED * track.n_packets:
            raise InputError("undecodable", f"{video.path}: most of its {what} is damaged; copy it again")
    start_s = max(track.first_s for track in tracks.values())
    end_s = min(track.last_s for track in tracks.values())
    if end_s - start_s < WINDOW_S:
        raise InputError(
            "too-short",
            f"{video.path} has {max(0.0, end_s - start_s):.2f} s with both sound and pictures, and {WINDOW_S:g} s is needed",
        )
    return replace(video, start_s=start_s, duration_s=end_s - start_s)


@dataclass
class _Track:
    """What was seen of a track: packets, and the time they cover."""

    first_s: float = math.inf
    last_s: float = -math.inf
    n_packets: int = 0
    n_damaged: int = 0
    n_decoded: int = 0

    def take(self, packet: Any, *, is_thorough: bool) -> None:
        self.n_packets += packet.size > 0
        if is_thorough or not self.n_decoded:
            try:
                self.n_decoded += len(packet.decode())
            except _errors():
                self.n_damaged += 1
        if packet.pts is not None:
            at_s = float(packet.pts * packet.time_base)
            self.first_s = min(self.first_s, at_s)
            self.last_s = max(self.last_s, at_s + float((packet.duration or 0) * packet.time_base))


def read_sound(folder: Path, path: str, start_s: Sequence[float], sample_rate_hz: int) -> NDArray[np.int16]:
    """One second of sound at each of some times, mixed to mono and resampled: int16 [n, sample_rate_hz].

    Parameters
    ----------
    start_s : on the file's clock, in any order; all within `STRETCH_S`

    Raises
    ------
    InputError
        ``undecodable`` and the others of `measure`.
    """
    import av

    n = round(WINDOW_S * sample_rate_hz)
    first = np.round(np.asarray(start_s) * sample_rate_hz).astype(np.int64)
    out = np.zeros((len(first), n), np.int16)
    reached = np.zeros(len(first), np.int64)
    with _opened(folder, path) as container:
        stream = _streams(container, path)["audio"]
        resampler = av.AudioResampler(format="s16", layout="mono", rate=sample_rate_hz)
        at: int | None = None
        for frame in _frames(container, stream, float(min(start_s)), path):
            if frame.pts is not None:
                said = round(float(frame.pts * frame.time_base) * sample_rate_hz)
                if (
                    at is None or abs(said - at) > GAP_S * sample_rate_hz
                ):  # packets are missing: the clock goes on
                    at = said
            for piece in resampler.resample(frame):
                block = piece.to_ndarray()[0]
                at = 0 if at is None else at
                _copy_overlaps(block, at, first, out, reached)
                at += len(block)
            if at is not None and at >= int(first.max()) + n:
                break
        else:
            for piece in resampler.resample(None):
                block = piece.to_ndarray()[0]
                _copy_overlaps(block, at or 0, first, out, reached)
                at = (at or 0) + len(block)
    # codecs trim some milliseconds at either end; less than half a window is no window
    if len(reached) and reached.min() < n // 2:
        raise InputError("undecodable", f"{path}: its sound breaks off before its end; copy it again")
    return out


def _copy_overlaps(
    block: NDArray[np.int16],
    at: int,
    first: NDArray[np.int64],
    out: NDArray[np.int16],
    reached: NDArray[np.int64],
) -> None:
    """Lay a block of samples that begins at sample `at` into the windows it overlaps; count what each got."""
    n = out.shape[1]
    for i in np.flatnonzero((first < at + len(block)) & (first + n > at)).tolist():
        low, high = max(at, int(first[i])), min(at + len(block), int(first[i]) + n)
        out[i, low - first[i] : high - first[i]] = block[low - at : high - at]
        reached[i] += high - low


def read_pictures(
    folder: Path, path: str, at_s: Sequence[float], shorter_side: int
) -> list[NDArray[np.uint8]]:
    """The picture that is shown at each of some times, scaled so that its shorter side has so many pixels.

    Parameters
    ----------
    at_s : on the file's clock, in any order; all within `STRETCH_S`

    Returns
    -------
    n arrays, uint8 [height, width, 3], red, green, blue; times that fall on one picture share it.

    Raises
    ------
    InputError
        as `read_sound`.
    """
    order = np.argsort(np.asarray(at_s), kind="stable").tolist()
    found: dict[int, NDArray[np.uint8]] = {}
    with _opened(folder, path) as container:
        stream = _streams(container, path)["video"]
        shown: Any = None  # the picture before: it is shown until the next one begins
        for frame in _frames(container, stream, float(min(at_s)), path):
            if frame.pts is None:
                continue
            time_s = float(frame.pts * frame.time_base)
            _take(order, found, at_s, shown if shown is not None else frame, time_s, shorter_side)
            shown = frame
            if not order:
                break
        if order and shown is not None:
            _take(order, found, at_s, shown, float("inf"), shorter_side)
    if order:
        raise InputError("undecodable", f"{path}: its pictures break off before its end; copy it again")
    return [found[i] for i in range(len(at_s))]


def _take(
    order: list[int],
    found: dict[int, NDArray[np.uint8]],
    at_s: Sequence[float],
    frame: Any,
    until_s: float,
    shorter_side: int,
) -> None:
    """Keep the picture for the times before `until_s`, which are taken off `order`."""
    picture: NDArray[np.uint8] | None = None
    while order and at_s[order[0]] < until_s:
        if picture is None:
            picture = _scaled(frame, shorter_side)
        found[order.pop(0)] = picture


def _scaled(frame: Any, shorter_side: int) -> NDArray[np.uint8]:
    scale = shorter_side / min(frame.width, frame.height)
    width, height = (max(shorter_side, round(side * scale)) for side in (frame.width, frame.height))
    picture: NDArray[np.uint8] = frame.reformat(width=width, height=height, format="rgb24").to_ndarray()
    return picture


# -- what FFmpeg does ---------------------------------------------------------------------------------------


def _errors() -> tuple[type[Exception], ...]:
    import av

    return (av.error.FFmpegError, EOFError, ValueError, IndexError)


@contextmanager
def _opened(folder: Path, path: str) -> Iterator[Any]:
    """A file as a container; what goes wrong inside is an `InputError`."""
    import av

    av.logging.set_level(av.logging.PANIC)  # decoders grumble about damaged files at length
    try:
        file = open(folder / path, "rb", buffering=1 << 20)  # noqa: SIM115 - closed below
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise InputError("unreadable", f"{path} cannot be read: {why}") from None
    failures: tuple[type[Exception], ...] = (*_errors(), MemoryError)
    with file:
        if os.fstat(file.fileno()).st_size == 0:
            raise InputError("undecodable", f"{path} is empty; copy it again or remove it")
        try:
            with av.open(file, mode="r", metadata_errors="replace") as container:
                yield container
        except InputError:
            raise
        except failures as error:
            why = getattr(error, "strerror", None) or str(error).split("\n")[0] or type(error).__name__
            raise InputError("undecodable", f"{path} cannot be decoded ({why}); copy it again") from None


def _streams(container: Any, path: str) -> dict[str, Any]:
    """The first track of sound and of pictures."""
    if not container.streams.audio:
        raise InputError(
            "no-audio", f"{path} holds no audio track, so there is nothing to hear beside its pictures"
        )
    pictures = [s for s in container.streams.video if not s.disposition & _ATTACHED]
    if not pictures:
        raise InputError(
            "no-pictures", f"{path} holds no video track, so there is nothing to see beside its sound"
        )
    audio, video = container.streams.audio[0], pictures[0]
    if (video.width or 0) * (video.height or 0) > MAX_PIXELS:
        raise InputError(
            "undecodable", f"{path} says its pictures have {video.width} x {video.height} pixels"
        )
    for stream in (audio, video):
        stream.codec_context.thread_count = 1
    return {"audio": audio, "video": video}


_ATTACHED = 0x400
"""FFmpeg's mark of a cover picture, which is no video."""


def _frames(container: Any, stream: Any, start_s: float, path: str) -> Iterator[Any]:
    """Decoded frames of a track from just before a time on; damaged packets are left out, if they are few."""
    margin_s = 0.1
    if start_s > STRETCH_S / 2:  # near the beginning reading on is cheaper than seeking, and exact
        container.seek(int(max(0.0, start_s - margin_s) / stream.time_base), stream=stream)
    n_damaged = 0
    for n_packets, packet in enumerate(container.demux(stream), 1):
        try:
            yield from packet.decode()
        except _errors():
            n_damaged += 1
            if n_damaged > 20 and n_damaged > MAX_DAMAGED * n_packets:
                raise InputError("undecodable", f"{path} is damaged; copy it again") from None
