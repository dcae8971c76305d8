"""Names of exported files: readable, portable, and one for each recording."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping
from pathlib import PurePosixPath

MOST_BYTES = 180
"""File systems take 255 bytes; endings and a temporary name need some of them."""

_ODD = re.compile(r'[\x00-\x1f\x7f-\x9f\u2028\u2029/\\:*?"<>|]+')
_RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)$")


def safe_stem(path: str) -> str:
    r"""A path's name without its ending, as a name that every common file system takes.

    >>> safe_stem("Zeki/Ārabhi: 100%25.wav"), safe_stem("con.wav"), safe_stem("..."), safe_stem("a/-b")
    ('Ārabhi_ 100%25', 'con_', 'recording', '_b')
    """
    name = PurePosixPath(path).name
    stem = name if name.startswith(".") else PurePosixPath(path).stem
    stem = _ODD.sub("_", unicodedata.normalize("NFC", stem)).strip(" ")
    stem = re.sub(r"^[.-]+", "_", stem.rstrip("."))  # hidden; an option of every command
    raw = stem.encode("utf-8", "replace")[:MOST_BYTES]
    stem = raw.decode("utf-8", "ignore").rstrip(" .")
    if not stem.strip("_. "):
        return "recording"
    return f"{stem}_" if _RESERVED.match(stem) else stem


def stems(paths: Mapping[str, str]) -> dict[str, str]:
    """By recording id a stem that no other has, also where upper and lower case are one.

    A name that several have gets the beginning of the recording's id, for each of them, so that a name
    never depends on which others are exported with it but for that.

    >>> stems({"aa00": "x/Song.wav", "bb11": "y/song.flac", "cc22": "z.wav"})
    {'aa00': 'Song-aa00', 'bb11': 'song-bb11', 'cc22': 'z'}
    """
    plain = {id_: safe_stem(path) for id_, path in paths.items()}
    times = Counter(unicodedata.normalize("NFKC", stem).casefold() for stem in plain.values())
    found: dict[str, str] = {}
    for id_, stem in plain.items():
        is_shared = times[unicodedata.normalize("NFKC", stem).casefold()] > 1
        found[id_] = f"{stem}-{id_[:8]}" if is_shared else stem
    return found
