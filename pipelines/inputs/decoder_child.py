"""The process that decodes, so that a decoder that crashes, hangs or eats memory takes down nothing else.

Started as ``python -m motifdb.pipelines.inputs.decoder_child SOCKET_FD``; it serves one request after another and
ends when its parent does. libsndfile goes first, FFmpeg (PyAV) second. libsndfile stops at the length it expects,
which for an mp3 without a frame count is a guess from the bit rate: such files go to FFmpeg at once. Whatever a
header claims, samples are read in blocks of at most `BLOCK_FRAMES`, and memory is bounded by a resource limit.
"""

from __future__ import annotations

import os
import resource
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from motifdb.errors import InputError
from motifdb.pipelines.inputs import wire
from motifdb.pipelines.inputs.declared import Declared, declared_length
from motifdb.pipelines.inputs.pcm_facts import PcmFacts
from motifdb.pipelines.inputs.sniff import HEAD_BYTES, audio_container

BLOCK_FRAMES = 65_536
_CAREFUL_FRAMES = 1_024
MAX_CHANNELS = 64
MIN_RATE_HZ, MAX_RATE_HZ = 1_000, 768_000
MEMORY_BYTES = 4 << 30
CPU_S_PER_BLOCK = 300
ENOUGH = 0.9
"""With at least this share of its declared length a cut file is a recording with a warning, else a failure."""


class Damaged(Exception):  # noqa: N818 - how a stream ended, not yet what to do about it
    """The decoder can go no further."""


class Source(Protocol):
    """An open audio file."""

    sample_rate_hz: int
    channels: int
    codec: str
    tags: dict[str, str]
    declared: Declared | None
    n_skipped: int

    def read(self) -> NDArray[np.float32] | None:
        """The next frames, shape (at most `BLOCK_FRAMES`, channels); None at the end; `Damaged` where it breaks."""


class SndfileSource:
    """Through libsndfile."""

    _CODECS: ClassVar = {
        "PCM_S8": "pcm_s8", "PCM_U8": "pcm_u8", "PCM_16": "pcm_s16", "PCM_24": "pcm_s24", "PCM_32": "pcm_s32",
        "FLOAT": "pcm_f32", "DOUBLE": "pcm_f64", "MPEG_LAYER_I": "mp1", "MPEG_LAYER_II": "mp2", "MPEG_LAYER_III": "mp3",
    }  # fmt: skip

    def __init__(self, fd: int, declared: Declared | None) -> None:
        import soundfile

        self._errors = (soundfile.SoundFileError, RuntimeError, TypeError)
        self._fd = fd
        self._at = 0
        self._step = BLOCK_FRAMES
        self._open()
        self.sample_rate_hz = int(self._file.samplerate)
        self.channels = int(self._file.channels)
        codec = self._CODECS.get(self._file.subtype, self._file.subtype.lower())
        if codec in ("pcm_s16", "pcm_s24", "pcm_s32", "pcm_f32", "pcm_f64"):
            codec += "be" if self._file.format in ("AIFF", "AU") or self._file.endian == "BIG" else "le"
        self.codec = "flac" if self._file.format == "FLAC" else codec
        self.tags = {k: str(v) for k, v in self._file.copy_metadata().items()}
        self.declared = declared
        self.n_skipped = 0

    def _open(self) -> None:
        import soundfile

        os.lseek(self._fd, 0, os.SEEK_SET)
        try:
            self._file = soundfile.SoundFile(self._fd, closefd=False)
        except self._errors as error:
            raise Damaged(_first_line(error)) from None

    def read(self) -> NDArray[np.float32] | None:
        try:
            block: NDArray[np.float32] = self._file.read(self._step, dtype="float32", always_2d=True)
        except self._errors as error:
            if self._step < BLOCK_FRAMES:
                raise Damaged(_first_line(error)) from None
            return self._reread(error)
        self._at += len(block)
        return block if len(block) else None

    def _reread(self, error: Exception) -> NDArray[np.float32] | None:
        """A failed read throws away the good frames before the damage: take them in small steps."""
        self._step = _CAREFUL_FRAMES
        try:
            self._open()
            self._file.seek(self._at)
        except (*self._errors, Damaged):
            raise Damaged(_first_line(error)) from None
        return self.read()


class AvSource:
    """Through FFmpeg; samples keep the scale libsndfile has, so that both give one hash for lossless audio."""

    _SCALES: ClassVar = {"u8": 128.0, "s16": 2.0**15, "s32": 2.0**31, "flt": 1.0, "dbl": 1.0, "s64": 2.0**63}

    def __init__(self, fd: int, declared: Declared | None) -> None:
        import av

        self._invalid: Any = av.error.InvalidDataError
        self._failures: Any = (av.error.FFmpegError, EOFError, ValueError)
        os.lseek(fd, 0, os.SEEK_SET)
        try:
            self._input = av.open(os.fdopen(os.dup(fd), "rb"), mode="r", metadata_errors="replace")
        except self._failures as error:
            raise Damaged(_first_line(error)) from None
        if not self._input.streams.audio:
            raise InputError("no-audio", "it holds no audio track")
        stream = self._input.streams.audio[0]
        stream.codec_context.thread_count = 1
        self.codec = stream.codec_context.codec.canonical_name
        self.tags = {**self._input.metadata, **stream.metadata}
        self.n_skipped = 0
        self._frames = self._decoded(stream)
        self._pending: list[NDArray[np.float32]] = []
        try:
            first = next(self._frames, None)
        except self._failures as error:
            raise Damaged(_first_line(error)) from None
        if first is None and self.n_skipped:
            raise Damaged("no packet of it is valid")
        # The first frame knows better than the header: HE-AAC doubles the rate, for one.
        self.sample_rate_hz = first.sample_rate if first else stream.codec_context.sample_rate
        self.channels = first.layout.nb_channels if first else stream.codec_context.layout.nb_channels
        if first:
            self._pending.append(self._samples(first))
        self.declared = declared
        if declared is None and stream.duration and "mp4" in self._input.format.name:
            self.declared = Declared(int(stream.duration * stream.time_base * self.sample_rate_hz))

    def _decoded(self, stream: Any) -> Iterator[Any]:
        for packet in self._input.demux(stream):
            try:
                yield from packet.decode()
            except self._invalid:
                self.n_skipped += 1

    def _samples(self, frame: Any) -> NDArray[np.float32]:
        if frame.sample_rate != self.sample_rate_hz or frame.layout.nb_channels != self.channels:
            raise Damaged("its sample rate or channel count changes in the middle")
        name = frame.format.name
        kind = name.removesuffix("p")
        data = frame.to_ndarray()
        samples = data.T if frame.format.is_planar else data.reshape(-1, self.channels)
        if kind == "u8":
            samples = samples.astype(np.float32) - 128.0
        scale = self._SCALES[kind]
        return np.ascontiguousarray(samples / scale if scale != 1.0 else samples, dtype=np.float32)

    def read(self) -> NDArray[np.float32] | None:
        n_frames = sum(map(len, self._pending))
        try:
            while n_frames < BLOCK_FRAMES and (frame := next(self._frames, None)) is not None:
                self._pending.append(self._samples(frame))
                n_frames += len(self._pending[-1])
        except self._failures as error:
            if not self._pending:
                raise Damaged(_first_line(error)) from None
            self._frames = _raising(Damaged(_first_line(error)))  # first what is there, then the news
        if not self._pending:
            return None
        block = np.concatenate(self._pending)
        self._pending = [block[BLOCK_FRAMES:]] if len(block) > BLOCK_FRAMES else []
        return block[:BLOCK_FRAMES]


def _raising(error: Exception) -> Iterator[Any]:
    raise error
    yield


def _first_line(error: BaseException) -> str:
    text = str(error).strip().splitlines()
    return text[0].rstrip(".") if text else type(error).__name__


def open_source(fd: int, container: str) -> tuple[Source, NDArray[np.float32] | None]:
    """The first decoder that opens a file and yields a block of it, with that block (None of a file of no frames).

    Raises
    ------
    InputError
        where none does.
    """
    declared = declared_length(lambda at, n: os.pread(fd, n, at), os.fstat(fd).st_size, container)
    openers: list[Callable[[int, Declared | None], Source]] = [SndfileSource, AvSource]
    if (container == "mp3" and declared is None) or container in ("mp4", "aac"):
        openers.reverse()
    reason = ""
    for opener in openers:
        try:
            source = opener(fd, declared)
            _check_shape(source)
            return source, source.read()
        except Damaged as error:
            reason = reason or str(error)
    if container == "unknown":
        raise InputError(
            "not-audio", "it holds no audio that libsndfile or FFmpeg knows; rename or remove it"
        )
    raise InputError(
        "undecodable", f"it begins like {container} but cannot be decoded ({reason}); copy it again"
    )


def _check_shape(source: Source) -> None:
    if not 1 <= source.channels <= MAX_CHANNELS:
        raise InputError(
            "undecodable", f"it has {source.channels} channels, and 1 to {MAX_CHANNELS} can be read"
        )
    if not MIN_RATE_HZ <= source.sample_rate_hz <= MAX_RATE_HZ:
        raise InputError(
            "undecodable",
            f"its sample rate is {source.sample_rate_hz} Hz, and {MIN_RATE_HZ} to {MAX_RATE_HZ} Hz can be read",
        )


def decode(sock: socket.socket, fd: int, channel: int) -> None:
    """Answer one request: `channel` is 0 for the mix, else its number from 1."""
    container = audio_container(os.pread(fd, HEAD_BYTES, 0)) or "unknown"
    source, block = open_source(fd, container)
    if channel > source.channels:
        some = "1 channel" if source.channels == 1 else f"{source.channels} channels"
        raise InputError(
            "no-such-channel", f"it has {some} and no number {channel}; choose another with --channel"
        )
    facts = PcmFacts(source.sample_rate_hz, source.channels, channel)
    opened = {
        "sample_rate_hz": source.sample_rate_hz,
        "channels": source.channels,
        "container": container,
        "codec": source.codec,
    }
    wire.send_json(sock, wire.OPENED, opened)
    damage = None
    try:
        while block is not None:
            wire.send(sock, wire.SAMPLES, facts.add(block).data.cast("B"))
            _renew_cpu_limit()
            block = source.read()
    except Damaged as error:
        damage = str(error)
    warnings = facts.warnings() + _check_length(facts, source, damage)
    wire.send_json(
        sock,
        wire.FACTS,
        {
            **opened,
            "audio_hash": facts.audio_hash(),
            "duration_s": facts.duration_s,
            "peak": facts.peak,
            "clipped_share": facts.clipped_share,
            "warning": "; ".join(warnings) or None,
            "tags": {k: v for k, v in source.tags.items() if v},
        },
    )


def _check_length(facts: PcmFacts, source: Source, damage: str | None) -> list[str]:
    """Warnings about what is missing; an `InputError` where that is too much to call the rest the recording."""
    out: list[str] = []
    if source.n_skipped:
        plural = "packet is" if source.n_skipped == 1 else "packets are"
        out.append(f"{source.n_skipped:,} {plural} damaged and left out")
    declared = source.declared
    declared_s = declared.n_frames / (declared.rate_hz or source.sample_rate_hz) if declared else None
    # A tenth of a second is encoder delay and padding, which some decoders trim.
    if declared_s is not None and facts.duration_s < declared_s - 0.1:
        lengths = f"its header declares {_length(declared_s)} and {_length(facts.duration_s)} can be decoded"
        if declared and declared.is_trusted and facts.duration_s < ENOUGH * declared_s:
            raise InputError("truncated", f"{lengths}: it is cut short or damaged; copy it again")
        out.append(lengths)
    elif damage is not None:
        if facts.n_frames == 0:
            raise InputError("undecodable", f"nothing of it can be decoded ({damage}); copy it again")
        out.append(f"it cannot be decoded beyond {_length(facts.duration_s)} ({damage})")
    return out


def _length(seconds: float) -> str:
    return (
        f"{seconds:.1f} s"
        if seconds < 600
        else f"{seconds / 60:.0f} min"
        if seconds < 36_000
        else f"{seconds / 3600:.0f} h"
    )


def serve(sock: socket.socket) -> None:
    """Answer requests until the parent is gone."""
    while (received := wire.receive_request(sock)) is not None:
        request, fd = received
        try:
            _renew_cpu_limit()
            decode(sock, fd, int(request["channel"]))
        except InputError as error:
            wire.send_json(sock, wire.FAILED, {"kind": error.kind, "reason": error.reason})
        except ConnectionError:
            return
        except MemoryError:
            reason = f"decoding it takes more than {MEMORY_BYTES >> 30} GiB of memory; convert it"
            wire.send_json(sock, wire.FAILED, {"kind": "too-large", "reason": reason})
        except Exception as error:
            reason = f"it cannot be decoded ({type(error).__name__}: {_first_line(error)}); convert it"
            wire.send_json(sock, wire.FAILED, {"kind": "undecodable", "reason": reason})
        finally:
            os.close(fd)


def _renew_cpu_limit() -> None:
    """An orphan in an endless loop, which no parent watches any more, is ended by the kernel."""
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    soft = int(time.process_time()) + CPU_S_PER_BLOCK
    resource.setrlimit(
        resource.RLIMIT_CPU, (soft if hard == resource.RLIM_INFINITY else min(soft, hard), hard)
    )


def _end_with_parent() -> None:
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(2.0)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def main() -> None:
    """Serve on the socket whose number is the first argument."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    memory_bytes = MEMORY_BYTES if hard == resource.RLIM_INFINITY else min(MEMORY_BYTES, hard)
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, hard))
    _end_with_parent()
    with socket.socket(fileno=int(sys.argv[1])) as sock:
        wire.send(sock, wire.HELLO)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # decoders grumble about damaged files at length
        serve(sock)


if __name__ == "__main__":
    main()
