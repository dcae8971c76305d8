"""Videos of a folder: which files there are, which of them can be used, and how they are divided.

A video's id follows from its content (size and three blocks of it), so that a file that lies in the folder under two names is found out and
used once: otherwise it could be trained on and tested on. Encoded anew, the same video has another id; that is not noticed.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from motifdb.errors import UsageError

SUFFIXES = (
    ".3gp",
    ".avi",
    ".flv",
    ".m4v",
    ".mkv",
    ".mov",
    ".mp4",
    ".mpeg",
    ".mpg",
    ".ogv",
    ".ts",
    ".webm",
    ".wmv",
)
"""Files with other endings are no videos."""

PARTS = ("train", "valid", "test")
LEAST_VIDEOS = 6
"""A pair needs two videos, and there are three parts."""

_BLOCK_BYTES = 65_536


@dataclass(frozen=True)
class Video:
    """A file that may be a video.

    Attributes
    ----------
    path : relative to the folder, with slashes
    video_id : of its content
    size_bytes : of the file
    start_s, duration_s : the stretch that has both sound and pictures, on the file's clock; 0 before `survey`
    """

    path: str
    video_id: str
    size_bytes: int
    start_s: float = 0.0
    duration_s: float = 0.0


@dataclass(frozen=True)
class VideoFailure:
    """A file that cannot be used, and why.

    Attributes
    ----------
    kind : ``no-audio``, ``no-pictures``, ``too-short``, ``undecodable``, ``decoder-crashed``, ``decoder-hung``, ``unreadable`` or
        ``copy``
    reason : one plain sentence
    """

    path: str
    kind: str
    reason: str

    def to_dict(self) -> dict[str, str]:
        """As plain values."""
        return asdict(self)


def discover(folder: str | Path) -> list[Video]:
    """The videos of a folder and the folders in it, by path; hidden files and links to folders are passed over.

    Raises
    ------
    UsageError
        for a folder that is not there or holds no video.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise UsageError(f"{folder} is no folder; name one that holds videos ({', '.join(SUFFIXES)})")
    found: list[Video] = []
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in names:
            path = Path(place, name)
            if not name.startswith(".") and path.suffix.lower() in SUFFIXES and path.is_file():
                found.append(_video(folder, path))
    if not found:
        raise UsageError(f"{folder} holds no video ({', '.join(SUFFIXES)}); name another folder")
    return sorted(found, key=lambda v: v.path)


def without_copies(videos: Sequence[Video]) -> tuple[list[Video], list[VideoFailure]]:
    """The first of those with the same content, and a failure for each of the others."""
    first: dict[str, Video] = {}
    copies = []
    for video in videos:
        kept = first.setdefault(video.video_id, video)
        if kept is not video:
            copies.append(
                VideoFailure(video.path, "copy", f"{video.path} is a copy of {kept.path}, which is used once")
            )
    return list(first.values()), copies


def divide(videos: Sequence[Video], seed: int = 0) -> dict[str, list[Video]]:
    """Train, valid and test: 80, 10 and 10 % of the videos (l3-2019), two at least, in an order that follows from seed and content.

    Raises
    ------
    UsageError
        for fewer than `LEAST_VIDEOS`.
    """
    if len(videos) < LEAST_VIDEOS:
        raise UsageError(
            f"{len(videos)} usable videos are too few: train, valid and test need two different ones each,"
            f" {LEAST_VIDEOS} in all"
        )
    order = sorted(videos, key=lambda v: hashlib.blake2b(f"{seed}/{v.video_id}".encode()).digest())
    n_held = max(2, round(0.1 * len(order)))
    return {"valid": order[:n_held], "test": order[n_held : 2 * n_held], "train": order[2 * n_held :]}


def summary(
    parts: Mapping[str, Sequence[Video]], failures: Sequence[VideoFailure], named: int = 1000
) -> dict[str, Any]:
    """What was learnt from, as an encoder's `data` stores it: videos and hours of each part, and what could not be used.

    The files of a part are a hash; of failures the first `named` are listed, and all are counted by kind.
    """
    kinds: dict[str, int] = {}
    for failure in failures:
        kinds[failure.kind] = kinds.get(failure.kind, 0) + 1
    return {
        "videos": {part: len(parts[part]) for part in PARTS},
        "hours": {part: round(sum(v.duration_s for v in parts[part]) / 3600, 4) for part in PARTS},
        "content": {part: content_hash(parts[part]) for part in PARTS},
        "failed": kinds,
        "failures": [failure.to_dict() for failure in failures[:named]],
    }


def content_hash(videos: Sequence[Video]) -> str:
    """Of the content of several videos, whatever their order and names."""
    return hashlib.blake2b("".join(sorted(v.video_id for v in videos)).encode(), digest_size=8).hexdigest()


def _video(folder: Path, path: Path) -> Video:
    size = 0
    digest = hashlib.blake2b(digest_size=16)
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            for at in sorted({0, max(0, size // 2 - _BLOCK_BYTES // 2), max(0, size - _BLOCK_BYTES)}):
                file.seek(at)
                digest.update(file.read(_BLOCK_BYTES))
    except OSError:
        digest.update(os.fsencode(path))  # decoding will say that it cannot be read
    digest.update(str(size).encode())
    return Video(path.relative_to(folder).as_posix(), digest.hexdigest(), size)
