"""Recognise an input by its first bytes, not by its name.

The name is asked twice only: a file that claims to be audio (or a pitch track) and is not is a failure a
user wants to hear of, while an unrelated one (a README, a cover picture, a manifest) is passed over; and a
text that is nothing but numbers is a pitch track only under a name that a table of numbers could have.
"""

from __future__ import annotations

import os
import zlib
from dataclasses import dataclass
from typing import Literal

from motifdb.errors import InputError
from motifdb.pipelines.inputs.f0_text import Layout, find_layout

HEAD_BYTES = 65_536
"""As much of a file as `sniff` wants to see; with less it decides on less."""

AUDIO_SUFFIXES = frozenset(
    [
        ".wav",
        ".wave",
        ".w64",
        ".rf64",
        ".bwf",
        ".flac",
        ".mp3",
        ".mp2",
        ".ogg",
        ".oga",
        ".opus",
        ".spx",
        ".m4a",
        ".mp4",
        ".m4b",
        ".aac",
        ".aif",
        ".aiff",
        ".aifc",
        ".caf",
        ".au",
        ".snd",
    ]
)
"""Names that claim audio."""

F0_SUFFIXES = frozenset((".pitch", ".f0"))
"""Names that claim a pitch track."""

_CORRECTED = b".f0.corrected"
"""How TONAS names pitch that was corrected by hand."""

_TEXT_SUFFIXES = frozenset((".txt", ".csv", ".tsv", ".dat"))
BARE_SUFFIXES = F0_SUFFIXES | _TEXT_SUFFIXES
"""Names under which numbers alone, without times, are a pitch track."""

_NOT_AUDIO_BRANDS = (b"heic", b"heix", b"mif1", b"msf1", b"avif", b"avis", b"crx ")
_OTHER_MAGIC = (
    b"PK\x03\x04", b"PK\x05\x06", b"\x89PNG", b"%PDF", b"\xff\xd8\xff", b"GIF8", b"\x7fELF", b"BZh", b"\xfd7zXZ",
    b"7z\xbc\xaf", b"Rar!", b"SQLite format 3", b"PAR1", b"II*\x00", b"MM\x00*", b"\x28\xb5\x2f\xfd",
)  # fmt: skip

_CONTROLS = bytes(c for c in range(32) if c not in b"\t\n\f\r\x1b")
_LAYOUT_BYTES = 8_192

Kind = Literal["audio", "f0-text", "f0-csv", "other", "bad"]


@dataclass(frozen=True)
class Sniffed:
    """What a file is.

    Attributes
    ----------
    kind : ``audio``; ``f0-text`` (one frequency a line) and ``f0-csv`` (times and frequencies) are pitch tracks;
        ``other`` is no input and is skipped; ``bad`` claims to be an input and cannot be (see `problem`)
    container : for the column ``files.container``, such as ``wav``, ``mp4``, ``f0-csv``, ``text``, ``empty``
    is_gzipped : the content is gzip around what `kind` says
    layout : of an f0 track, how its lines are to be read
    problem : of a ``bad`` file, what to raise
    """

    kind: Kind
    container: str
    is_gzipped: bool = False
    layout: Layout | None = None
    problem: InputError | None = None

    @property
    def is_f0(self) -> bool:
        """Whether it is a pitch track."""
        return self.layout is not None

    @property
    def needs_hop(self) -> bool:
        """Whether the file says no times, so that ``--hop`` must."""
        return self.layout is not None and self.layout.time is None


def sniff(head: bytes, name: bytes) -> Sniffed:
    """Say what a file is from its first `HEAD_BYTES` bytes and its name.

    A damaged file of a known kind is still of that kind: reading it will fail with a better sentence.

    >>> sniff(b"RIFF....WAVEfmt ", b"a.wav").container
    'wav'
    >>> sniff(b"time_s,f0_hz" + bytes([10]) + b"0.0,220.5", b"a.csv").kind
    'f0-csv'
    >>> sniff(b"# songs", b"README.md").kind
    'other'
    >>> str(sniff(b"hello", b"a.wav").problem)
    'a.wav is named like audio but holds text; rename or remove it'
    """
    suffix = suffix_of(name)
    claims = suffix in AUDIO_SUFFIXES or suffix in F0_SUFFIXES
    if not head:
        if claims:
            return _bad("empty", "empty", f"{shown(name)} is empty; copy it again or remove it")
        return Sniffed("other", "empty")
    if head[:2] == b"\x1f\x8b":
        return _gzip(head, name)
    container = audio_container(head)
    if container:
        return Sniffed("audio", container)
    if is_text(head):
        return _text(head, name, suffix, is_gzipped=False)
    if suffix in F0_SUFFIXES:
        return _bad(
            "not-f0",
            "binary",
            f"{shown(name)} is named like a pitch track but is no text; rename or remove it",
        )
    if suffix in AUDIO_SUFFIXES:
        if head.startswith(_OTHER_MAGIC) or head[4:8] == b"ftyp":
            return _bad(
                "not-audio",
                "other",
                f"{shown(name)} is named like audio but is another kind of file; rename or remove it",
            )
        return Sniffed("audio", "unknown")  # leading junk is no reason not to try the decoders
    return Sniffed("other", "binary")


def suffix_of(name: bytes) -> str:
    """Lower-case suffix, that of ``x.pitch.gz`` being ``.pitch``."""
    stem = os.fsdecode(name).lower()
    return os.path.splitext(stem.removesuffix(".gz"))[1]


def shown(name: bytes) -> str:
    """A file name as a sentence can hold it."""
    from motifdb.pipelines.inputs.discover import escape_path

    return escape_path(name)


def audio_container(head: bytes) -> str | None:
    """The audio container whose signature the bytes begin with, else None."""
    if _is_utf16(head):
        return None  # its byte order mark is also an MPEG frame sync
    four, form = head[:4], head[8:12]
    if four in (b"RIFF", b"RIFX", b"RF64", b"BW64") and form == b"WAVE":
        return "wav"
    if four == b"FORM" and form in (b"AIFF", b"AIFC"):
        return "aiff"
    if head[4:8] == b"ftyp":
        return None if head[8:12] in _NOT_AUDIO_BRANDS else "mp4"
    simple = {b"fLaC": "flac", b"OggS": "ogg", b"caff": "caf", b".snd": "au"}
    if four in simple:
        return simple[four]
    if head.startswith(b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb"):
        return "w64"
    if head[:3] == b"ID3" and len(head) >= 10 and max(head[6:10]) < 0x80:
        return _after_id3(head)
    if _mpeg_frames(head, 0):
        return "mp3"
    if _adts_frames(head, 0):
        return "aac"
    return None


def _after_id3(head: bytes) -> str:
    """What an ID3v2 tag stands before; mp3 where the tag (with its picture) is longer than what we see."""
    start = 10 + (head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9])
    if head[start : start + 4] == b"fLaC":
        return "flac"
    return "aac" if _adts_frames(head, start) else "mp3"


_BITRATES_KBIT = {  # (MPEG-1?, layer) -> kbit/s by index 1..14; ISO 11172-3 and 13818-3, table of bit rates
    (True, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_RATES_HZ = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}


@dataclass(frozen=True)
class MpegFrame:
    """Header of one MPEG audio frame: its length, what it decodes to, and what the decoder must keep equal."""

    n_bytes: int
    n_samples: int
    sample_rate_hz: int
    is_mpeg1: bool
    is_mono: bool
    layer: int


def mpeg_frame(data: bytes, at: int) -> MpegFrame | None:
    """The MPEG audio frame header at a position, None where there is none."""
    if len(data) < at + 4 or data[at] != 0xFF or data[at + 1] & 0xE0 != 0xE0:
        return None
    version, layer = data[at + 1] >> 3 & 3, 4 - (data[at + 1] >> 1 & 3)
    bitrate_index, rate_index = data[at + 2] >> 4, data[at + 2] >> 2 & 3
    if version == 1 or layer == 4 or bitrate_index in (0, 15) or rate_index == 3:
        return None
    rate_hz = _RATES_HZ[version][rate_index]
    bits = _BITRATES_KBIT[version == 3, layer][bitrate_index - 1] * 1000
    padding = data[at + 2] >> 1 & 1
    n_samples = 384 if layer == 1 else 1152 if layer == 2 or version == 3 else 576
    n_bytes = (
        (12 * bits // rate_hz + padding) * 4 if layer == 1 else n_samples // 8 * bits // rate_hz + padding
    )
    return MpegFrame(n_bytes, n_samples, rate_hz, version == 3, data[at + 3] >> 6 == 3, layer)


def _mpeg_frames(data: bytes, at: int) -> bool:
    """Two frames of one kind in a row, or the only one of a file that is cut in it."""
    first = mpeg_frame(data, at)
    if first is None:
        return False
    after = at + first.n_bytes
    if after + 4 > len(data):
        return True
    second = mpeg_frame(data, after)
    return second is not None and (second.layer, second.sample_rate_hz) == (first.layer, first.sample_rate_hz)


def _adts_frames(data: bytes, at: int) -> bool:
    """Two ADTS AAC headers in a row."""
    for _ in range(2):
        if (
            at + 7 > len(data)
            or data[at] != 0xFF
            or data[at + 1] & 0xF6 != 0xF0
            or data[at + 2] >> 2 & 15 > 12
        ):
            return False
        length = (data[at + 3] & 3) << 11 | data[at + 4] << 3 | data[at + 5] >> 5
        if length < 7:
            return False
        at += length
        if at + 7 > len(data):
            return True
    return True


def is_text(head: bytes) -> bool:
    """Whether bytes are text: UTF-8 or an 8-bit encoding without control characters."""
    if _is_utf16(head):
        return True
    if b"\x00" in head:
        return False
    if len(head.translate(None, _CONTROLS)) != len(head):
        return False
    try:
        head[: len(head) - 3].decode("utf-8") if len(head) > 3 else head.decode("utf-8")
    except UnicodeDecodeError as error:
        n_high = sum(byte >= 0x80 for byte in head)
        return error.start >= len(head) - 6 or n_high < 0.1 * len(head)
    return True


def _is_utf16(head: bytes) -> bool:
    """A byte order mark, then text whose ASCII characters alternate with zero bytes."""
    if not head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return False
    high = head[3 if head[0] == 0xFF else 2 :: 2]
    return len(head) >= 4 and high.count(0) > 0.5 * len(high)


def _gzip(head: bytes, name: bytes) -> Sniffed:
    """Look into a gzip file no further than a head's worth, however much it would become."""
    inner_suffix = suffix_of(name)
    claims = inner_suffix in F0_SUFFIXES
    try:
        inner = zlib.decompressobj(31).decompress(head, HEAD_BYTES)
    except zlib.error:
        if claims:
            return _bad("damaged-gzip", "gzip", f"{shown(name)} is damaged gzip; copy it again")
        return Sniffed("other", "gzip")
    if not inner:
        if claims:
            return _bad(
                "empty", "gzip", f"{shown(name)} holds nothing inside its gzip; copy it again or remove it"
            )
        return Sniffed("other", "gzip")
    if is_text(inner) and not audio_container(inner):
        return _text(inner, name, inner_suffix, is_gzipped=True)
    if claims:
        return _bad(
            "not-f0", "gzip", f"{shown(name)} is named like a pitch track but is no text; rename or remove it"
        )
    return Sniffed("other", "gzip")


def _text(head: bytes, name: bytes, suffix: str, *, is_gzipped: bool) -> Sniffed:
    if suffix in AUDIO_SUFFIXES and not is_gzipped:
        return _bad(
            "not-audio", "text", f"{shown(name)} is named like audio but holds text; rename or remove it"
        )
    is_corrected = name.lower().endswith(_CORRECTED)
    claims = suffix in F0_SUFFIXES or is_corrected
    layout = None
    if claims or suffix in _TEXT_SUFFIXES or not suffix:
        first = head[:_LAYOUT_BYTES]
        layout = find_layout(
            first,
            is_whole=len(head) <= _LAYOUT_BYTES,
            is_certain=claims,
            may_be_bare=bool(suffix),
            is_corrected=is_corrected,
        )
    if layout is not None:
        kind: Kind = "f0-text" if layout.time is None and not layout.has_header else "f0-csv"
        return Sniffed(kind, kind, is_gzipped, layout)
    if claims:
        return _bad(
            "not-f0",
            "text",
            f"{shown(name)} is named like a pitch track but holds no numbers; rename or remove it",
        )
    return Sniffed("other", "gzip" if is_gzipped else "text")


def _bad(kind: str, container: str, reason: str) -> Sniffed:
    return Sniffed("bad", container, problem=InputError(kind, reason))
