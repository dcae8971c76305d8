"""How long an audio file says it is, read from its header without decoding.

Decoders return what is there and call it the whole: a cut wav, mp3 or ogg decodes short without an error. So
the length in the header is compared with what was decoded. An ogg file ends with the position of its last page,
which tells damage in the middle, not a missing end. ADTS, and an mp3 without a Xing frame, cannot be checked.

Sources: Multimedia Programming Interface and Data Specifications 1.0 (RIFF/WAVE); EBU Tech 3306 (RF64);
Audio Interchange File Format 1.3; RFC 9639 section 8.2 (FLAC streaminfo);
RFC 3533 section 6 (Ogg pages); RFC 7845 section 4 (Opus positions).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from motifdb.pipelines.inputs.sniff import mpeg_frame

ReadAt = Callable[[int, int], bytes]
"""``read_at(offset, n_bytes)``: fewer bytes at the end of the file."""

_STREAMED = (0, 0xFFFFFFFF)
_PLACEHOLDER = 0x7FFFF000
"""Writers that cannot seek back leave a data size from here on; it promises nothing."""
_MAX_CHUNKS = 1000
_MAX_PAGE_BYTES = 65_307


@dataclass(frozen=True)
class Declared:
    """Frames (samples per channel) a header claims, and whether a shorter file is then surely a cut one.

    `rate_hz` is the rate these frames are counted at, where it is not the file's own.
    """

    n_frames: int
    is_trusted: bool = True
    rate_hz: int | None = None


def declared_length(read_at: ReadAt, n_bytes: int, container: str) -> Declared | None:
    """The length in the header of a file of `n_bytes`, None where there is none."""
    if container == "wav":
        return _wav(read_at)
    if container == "aiff":
        return _aiff(read_at)
    if container == "flac":
        return _flac(read_at)
    if container == "mp3":
        return _xing(read_at)
    if container == "ogg":
        return _ogg(read_at, n_bytes)
    return None


def id3_bytes(head: bytes) -> int:
    """Length of the ID3v2 tag at the beginning, 0 without one."""
    if head[:3] != b"ID3" or len(head) < 10:
        return 0
    return 10 + (head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9])


def _wav(read_at: ReadAt) -> Declared | None:
    order = "big" if read_at(0, 4) == b"RIFX" else "little"
    at, frame_bytes, long_size = 12, 0, None
    for _ in range(_MAX_CHUNKS):
        chunk = read_at(at, 8)
        if len(chunk) < 8:
            return None
        size = int.from_bytes(chunk[4:], order)  # type: ignore[arg-type]
        if chunk[:4] == b"fmt ":
            body = read_at(at + 8, 16)
            if int.from_bytes(body[:2], order) not in (1, 3, 0xFFFE):  # type: ignore[arg-type]
                return None  # compressed: bytes do not count frames
            frame_bytes = int.from_bytes(body[12:14], order)  # type: ignore[arg-type]
        elif chunk[:4] == b"ds64":
            long_size = int.from_bytes(read_at(at + 16, 8), "little")
        elif chunk[:4] == b"data":
            if not frame_bytes:
                return None
            if long_size is not None and size == 0xFFFFFFFF:
                return Declared(long_size // frame_bytes)
            if size in _STREAMED:
                return None
            return Declared(size // frame_bytes, is_trusted=size < _PLACEHOLDER)
        at += 8 + size + size % 2
    return None


def _aiff(read_at: ReadAt) -> Declared | None:
    at = 12
    for _ in range(_MAX_CHUNKS):
        chunk = read_at(at, 8)
        if len(chunk) < 8:
            return None
        size = int.from_bytes(chunk[4:], "big")
        if chunk[:4] == b"COMM":
            n_frames = int.from_bytes(read_at(at + 10, 4), "big")
            return Declared(n_frames, is_trusted=n_frames < _PLACEHOLDER) if n_frames else None
        at += 8 + size + size % 2
    return None


def _flac(read_at: ReadAt) -> Declared | None:
    at = id3_bytes(read_at(0, 10))
    head = read_at(at, 26)
    if len(head) < 26 or head[:4] != b"fLaC" or head[4] & 0x7F != 0:
        return None
    n_frames = int.from_bytes(head[21:26], "big") & ((1 << 36) - 1)
    return Declared(n_frames) if n_frames else None


def _xing(read_at: ReadAt) -> Declared | None:
    """The frame count that encoders leave in the first frame of an mp3."""
    start = id3_bytes(read_at(0, 10))
    data = read_at(start, 4096)
    for at in range(min(len(data), 2048)):
        frame = mpeg_frame(data, at)
        if frame is None or frame.layer != 3:
            continue
        side_bytes = (17 if frame.is_mono else 32) if frame.is_mpeg1 else (9 if frame.is_mono else 17)
        tag = data[at + 4 + side_bytes : at + 4 + side_bytes + 12]
        if tag[:4] not in (b"Xing", b"Info") or not tag[7:8] or not tag[7] & 1:
            return None
        n_mpeg_frames = int.from_bytes(tag[8:12], "big")
        return Declared(n_mpeg_frames * frame.n_samples) if n_mpeg_frames else None
    return None


def _ogg(read_at: ReadAt, n_bytes: int) -> Declared | None:
    """The position in the last page; none for a recording cut out of a longer stream, which starts late."""
    head = read_at(0, _MAX_PAGE_BYTES)
    at = head.find(b"OpusHead")
    if at >= 0:
        rate_hz, skip = 48_000, int.from_bytes(head[at + 10 : at + 12], "little")
    elif (at := head.find(b"\x01vorbis")) >= 0:
        rate_hz, skip = int.from_bytes(head[at + 12 : at + 16], "little"), 0
    else:
        return None
    positions = [p for p in _positions(head) if p > 0]
    last = [p for p in _positions(read_at(max(0, n_bytes - _MAX_PAGE_BYTES), _MAX_PAGE_BYTES)) if p > 0]
    if not rate_hz or not last or (positions and positions[0] > 10 * rate_hz):
        return None
    return Declared(last[-1] - skip, is_trusted=False, rate_hz=rate_hz)


def _positions(data: bytes) -> list[int]:
    """Granule positions of the pages that begin in some bytes; -1 where no packet ends on a page."""
    out = []
    at = data.find(b"OggS\x00")
    while 0 <= at <= len(data) - 27:
        out.append(int.from_bytes(data[at + 6 : at + 14], "little", signed=True))
        at = data.find(b"OggS\x00", at + 27)
    return out
