"""What the decoder child and its parent say to each other: framed messages over a Unix socket.

A message is a letter, a length and a payload. The parent sends requests (JSON, with an open file beside them);
the child answers ``hello`` once, then for each request ``opened``, any number of ``samples`` (mono float32,
little-endian) and ``facts``; or ``failed`` at any place. Nothing is pickled: a child that a damaged file has
taken over can at worst send wrong numbers.
"""

from __future__ import annotations

import json
import socket
import struct
import time
from typing import Any

HELLO, OPENED, SAMPLES, FACTS, FAILED, REQUEST = b"H", b"O", b"D", b"F", b"E", b"R"
MAX_PAYLOAD_BYTES = 1 << 24
_HEADER = struct.Struct("<cI")


class Hung(Exception):  # noqa: N818 - an event, turned into an error by who knows the file
    """No message came in time."""


def send(sock: socket.socket, kind: bytes, payload: bytes | memoryview = b"") -> None:
    """Send one message."""
    sock.sendall(_HEADER.pack(kind, len(payload)))
    if len(payload):
        sock.sendall(payload)


def send_json(sock: socket.socket, kind: bytes, value: dict[str, Any]) -> None:
    """Send one message whose payload is JSON."""
    send(sock, kind, json.dumps(value).encode())


def receive(sock: socket.socket, timeout_s: float | None = None) -> tuple[bytes, bytearray] | None:
    """The next message, None where the other side is gone.

    Raises
    ------
    Hung
        where it is not whole after `timeout_s`.
    """
    deadline = None if timeout_s is None else time.monotonic() + timeout_s
    header = _exactly(sock, _HEADER.size, deadline)
    if header is None:
        return None
    kind, length = _HEADER.unpack(header)
    if length > MAX_PAYLOAD_BYTES:
        return None
    payload = _exactly(sock, length, deadline)
    return None if payload is None else (kind, payload)


def _exactly(sock: socket.socket, n_bytes: int, deadline: float | None) -> bytearray | None:
    data = bytearray(n_bytes)
    view = memoryview(data)
    while view:
        if deadline is not None:
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                raise Hung
            sock.settimeout(left_s)
        try:
            n = sock.recv_into(view)
        except TimeoutError:
            raise Hung from None
        except ConnectionError:
            return None
        if n == 0:
            return None
        view = view[n:]
    return data


def send_request(sock: socket.socket, request: dict[str, Any], fd: int) -> None:
    """Hand over an open file and what to do with it."""
    payload = json.dumps(request).encode()
    socket.send_fds(sock, [_HEADER.pack(REQUEST, len(payload))], [fd])
    sock.sendall(payload)


def receive_request(sock: socket.socket) -> tuple[dict[str, Any], int] | None:
    """The next request and its open file, None where the parent is gone."""
    try:
        header, fds, _, _ = socket.recv_fds(sock, _HEADER.size, 1)
    except ConnectionError:
        return None
    if len(header) < _HEADER.size or not fds:
        return None
    payload = _exactly(sock, _HEADER.unpack(header)[1], None)
    return None if payload is None else (json.loads(payload), fds[0])
