"""Which files are videos, which are the same, and how they are divided."""

from __future__ import annotations

from pathlib import Path

import pytest

from motifdb.errors import UsageError
from motifdb.training.videos.discover import (
    Video,
    VideoFailure,
    discover,
    divide,
    summary,
    without_copies,
)


def test_videos_are_found_by_their_endings(tmp_path: Path) -> None:
    (tmp_path / "in" / "side").mkdir(parents=True)
    for i, name in enumerate(("b.MP4", "in/a.mkv", "in/side/c.webm", "notes.txt", ".hidden.mp4", "song.wav")):
        (tmp_path / name).write_bytes(bytes([i]))
    assert [v.path for v in discover(tmp_path)] == ["b.MP4", "in/a.mkv", "in/side/c.webm"]


def test_a_folder_without_videos_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no video"):
        discover(tmp_path)
    with pytest.raises(UsageError, match="is no folder"):
        discover(tmp_path / "missing")


def test_the_same_video_under_two_names_is_used_once(tmp_path: Path) -> None:
    big = bytes(range(256)) * 2000
    for name, content in (("a.mp4", big), ("b.mp4", big), ("c.mp4", big[:-1] + b"x")):
        (tmp_path / name).write_bytes(content)
    kept, copies = without_copies(discover(tmp_path))
    assert [v.path for v in kept] == ["a.mp4", "c.mp4"]
    assert [(f.path, f.kind) for f in copies] == [("b.mp4", "copy")]
    assert "b.mp4 is a copy of a.mp4" in copies[0].reason


def some(n: int) -> list[Video]:
    return [Video(f"{i}.mp4", f"id{i}", 1, 0.0, 36.0) for i in range(n)]


def test_videos_are_divided_80_10_10() -> None:
    parts = divide(some(100))
    assert {part: len(videos) for part, videos in parts.items()} == {"train": 80, "valid": 10, "test": 10}
    assert {v.path for videos in parts.values() for v in videos} == {v.path for v in some(100)}
    assert divide(some(100)[::-1]) == parts  # by content, in whatever order they are found
    assert divide(some(100), seed=1) != parts
    assert [len(v) for v in divide(some(6)).values()] == [2, 2, 2]
    with pytest.raises(UsageError, match="5 usable videos are too few"):
        divide(some(5))


def test_what_was_learnt_from_is_summed_up() -> None:
    failures = [VideoFailure("x.mp4", "no-audio", "x"), VideoFailure("y.mp4", "no-audio", "y")]
    told = summary(divide(some(100)), failures, named=1)
    assert told["videos"] == {"train": 80, "valid": 10, "test": 10}
    assert told["hours"]["train"] == 0.8
    assert told["failed"] == {"no-audio": 2}
    assert told["failures"] == [{"path": "x.mp4", "kind": "no-audio", "reason": "x"}]
    assert told["content"] == summary(divide(some(100)[::-1]), [])["content"]
