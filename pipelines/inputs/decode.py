"""Decode audio in a child process, as a stream of mono blocks.

One child serves one file after another; it is started with the first and replaced when it crashes or hangs. The
samples arrive while the file is still being decoded, so memory is flat however long it is.

A file that decodes short of the length its header declares is a recording with a warning, or, below nine tenths
of that length, an `InputError` that comes *after* the blocks there are: keep nothing of a stream until its end.
"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from motifdb.errors import InputError, MotifdbError, UsageError
from motifdb.pipelines.inputs import wire
from motifdb.pipelines.inputs.sniff import shown
from motifdb.pipelines.records import AudioFacts

COMMAND_VARIABLE = "MOTIFDB_DECODER"
"""Environment variable with another decoder program; it is given the number of a socket and speaks `wire`."""

TIMEOUT_S = 120.0
_SOCKET_BYTES = 1 << 20


def parse_channel(text: str) -> int:
    """What ``--channel`` means: 0 for the mix, else a channel's number from 1.

    >>> [parse_channel(c) for c in ("mix", "left", "right", "3")]
    [0, 1, 2, 3]

    Raises
    ------
    UsageError
        for anything else.
    """
    named = {"mix": 0, "left": 1, "right": 2}.get(text.strip().lower())
    if named is not None:
        return named
    if text.strip().isascii() and text.strip().isdigit() and 1 <= int(text) <= 64:
        return int(text)
    raise UsageError(f"--channel {text!r} is none; use mix, left, right or a number from 1")


class AudioStream:
    """An audio file being decoded; iterate once over its blocks, then ask for `facts`.

    Attributes
    ----------
    sample_rate_hz, channels, container, codec : of the file
    """

    def __init__(self, decoder: Decoder, opened: dict[str, Any], name: bytes) -> None:
        self.sample_rate_hz: int = opened["sample_rate_hz"]
        self.channels: int = opened["channels"]
        self.container: str = opened["container"]
        self.codec: str = opened["codec"]
        self._decoder = decoder
        self._name = name
        self._facts: AudioFacts | None = None

    def __iter__(self) -> Iterator[NDArray[np.float32]]:
        """Blocks of at most 65,536 frames, mono, float32, full scale 1, writable.

        Raises
        ------
        InputError
            ``truncated``, ``undecodable``, ``decoder-crashed``, ``decoder-hung``: what came before is void.
        """
        while self._facts is None:
            if self._decoder.current is not self:
                raise MotifdbError(f"{shown(self._name)} was left before its end; open it again")
            kind, payload = self._decoder.receive(self._name)
            if kind == wire.SAMPLES:
                yield np.frombuffer(payload, dtype="<f4")
            elif kind == wire.FACTS:
                self._facts = AudioFacts(**json.loads(payload))
                self._decoder.current = None

    @property
    def facts(self) -> AudioFacts:
        """What decoding found out; there only once every block was taken."""
        if self._facts is None:
            raise MotifdbError(
                "the facts of an audio stream are known at its end only; take every block first"
            )
        return self._facts


class Decoder:
    """A decoder child and the way to talk to it; not to be shared by threads (see `shared_decoder`).

    Parameters
    ----------
    timeout_s : a child that is silent for longer while it is waited for is hung, and is killed
    command : another program than ours, as for `COMMAND_VARIABLE`

    >>> import io, soundfile
    >>> wav = io.BytesIO()
    >>> soundfile.write(wav, np.zeros((800, 2)), 8000, format="WAV")
    >>> with Decoder() as decoder:
    ...     stream = decoder.open(wav.getvalue(), channel="mix")
    ...     n_samples = sum(block.size for block in stream)
    >>> n_samples, stream.facts.duration_s, stream.facts.codec
    (800, 0.1, 'pcm_s16le')
    """

    def __init__(self, *, timeout_s: float = TIMEOUT_S, command: Sequence[str] | None = None) -> None:
        self._timeout_s = timeout_s
        given = os.environ.get(COMMAND_VARIABLE)
        ours = [sys.executable, "-m", "motifdb.pipelines.inputs.decoder_child"]
        self._command = list(command) if command else shlex.split(given) if given else ours
        self._process: subprocess.Popen[bytes] | None = None
        self._sock: socket.socket | None = None
        self.current: AudioStream | None = None

    def open(
        self, content: bytes | memoryview | Path, *, channel: str = "mix", name: bytes | None = None
    ) -> AudioStream:
        """Begin to decode a file; a stream still open is given up.

        Parameters
        ----------
        content : the file's bytes (copied once, into memory the child reads), or its path
        channel : ``mix`` (mean of the channels), ``left``, ``right`` or a number from 1
        name : for error sentences

        Raises
        ------
        InputError
            ``empty``, ``unreadable``, ``not-audio``, ``no-audio``, ``undecodable``, ``no-such-channel``,
            ``too-large``, ``decoder-crashed``, ``decoder-hung``.
        UsageError
            for a `channel` that is none.
        """
        number = parse_channel(channel)
        if name is None:
            name = os.fsencode(content.name) if isinstance(content, Path) else b"the file"
        if self.current is not None:
            self._stop()
        with _opened(content, name) as file:
            if os.fstat(file.fileno()).st_size == 0:
                raise InputError("empty", f"{shown(name)} is empty; copy it again or remove it")
            sock = self._sock or self._start()
            try:
                sock.settimeout(self._timeout_s)
                wire.send_request(sock, {"channel": number}, file.fileno())
            except OSError:
                # The child ended between two files: that is no file's fault, so start another once.
                self._stop()
                sock = self._start()
                wire.send_request(sock, {"channel": number}, file.fileno())
        kind, payload = self.receive(name)
        if kind != wire.OPENED:
            self._stop()
            raise InputError(
                "decoder-crashed", f"decoding {shown(name)} ended in nonsense; convert or remove it"
            )
        self.current = AudioStream(self, json.loads(payload), name)
        return self.current

    def receive(self, name: bytes) -> tuple[bytes, bytearray]:
        """The child's next message about the file `name`; its failures become `InputError`."""
        assert self._sock is not None
        try:
            message = wire.receive(self._sock, self._timeout_s)
        except wire.Hung:
            self._stop()
            raise InputError(
                "decoder-hung",
                f"decoding {shown(name)} stood still for {self._timeout_s:g} s and was ended; convert or remove it",
            ) from None
        if message is None:
            raise InputError(
                "decoder-crashed",
                f"decoding {shown(name)} crashed the decoder{self._end()}; convert or remove it",
            )
        kind, payload = message
        if kind == wire.FAILED:
            self.current = None
            failure = json.loads(payload)
            raise InputError(failure["kind"], f"{shown(name)} cannot be used: {failure['reason']}")
        return kind, payload

    def _start(self) -> socket.socket:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        for end in (ours, theirs):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SOCKET_BYTES)
        with theirs, tempfile.TemporaryFile() as complaints:
            self._process = subprocess.Popen(
                [*self._command, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=complaints,
                env=_environment(),
                cwd="/",
            )
            theirs.close()
            self._sock = ours
            try:
                message = wire.receive(ours, max(self._timeout_s, TIMEOUT_S))
            except wire.Hung:
                message = None
            if message is None or message[0] != wire.HELLO:
                self._stop()
                complaints.seek(0)
                last = complaints.read().decode("utf-8", "replace").strip().splitlines()[-1:]
                raise MotifdbError(
                    f"the decoder process does not start ({last[0] if last else 'it says nothing'}); "
                    f"check the installation of motifdb{f' and {COMMAND_VARIABLE}' if COMMAND_VARIABLE in os.environ else ''}"
                )
        return ours

    def _end(self) -> str:
        """Reap a child that is gone and say how it went."""
        process = self._process
        code = None
        if process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                code = process.wait(timeout=5)
        self._stop()
        if code is None or code >= 0:
            return ""
        return f" (signal {-code})"

    def _stop(self) -> None:
        if self._sock is not None:
            self._sock.close()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._sock = self._process = self.current = None

    def close(self) -> None:
        """End the child; the next `open` starts another."""
        self._stop()

    def __enter__(self) -> Decoder:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        with contextlib.suppress(Exception):
            self._stop()


def _opened(content: bytes | memoryview | Path, name: bytes) -> IO[bytes]:
    """An open file with the content, for its descriptor to be handed over."""
    if isinstance(content, Path):
        try:
            return open(content, "rb", buffering=0)
        except OSError as error:
            why = (error.strerror or str(error)).lower()
            raise InputError("unreadable", f"{shown(name)} cannot be read: {why}", "discover") from None
    file: IO[bytes]
    if hasattr(os, "memfd_create"):
        file = os.fdopen(os.memfd_create("motifdb-audio"), "r+b", buffering=0)
    else:
        file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - closed by the caller
    view = memoryview(content).cast("B") if len(content) else memoryview(b"")
    while view:
        view = view[file.write(view) :]
    return file


def _environment() -> dict[str, str]:
    """Ours, with the paths modules come from here (Ray adds some that no variable holds), and one thread each."""
    paths = [os.path.abspath(p or ".") for p in sys.path]
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(dict.fromkeys(paths)),
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
    }


_local = threading.local()


def shared_decoder() -> Decoder:
    """This thread's decoder, started when first used and kept; a fork gets one of its own."""
    if getattr(_local, "pid", None) != os.getpid():
        _local.pid, _local.decoder = os.getpid(), Decoder()
    decoder: Decoder = _local.decoder
    return decoder
