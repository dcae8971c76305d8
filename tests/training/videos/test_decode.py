"""Reading videos: to the sample and to the picture, and a sentence for each way in which a file can be bad."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from motifdb.errors import InputError
from motifdb.training.videos.decode import measure, read_pictures, read_sound
from motifdb.training.videos.discover import Video
from tests.training.videos.written import FPS, RATE_HZ, ramp, shade, write_song_with_cover, write_video


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("videos")
    write_video(folder / "good.mkv")
    write_video(folder / "long.mkv", sound_s=34.0, pictures_s=36.0, width=16, height=16)
    write_video(folder / "silent.mkv", sound_s=0)
    write_video(folder / "blind.mkv", pictures_s=0)
    write_video(folder / "short.mkv", sound_s=0.8)
    write_song_with_cover(folder / "song.mp4")
    (folder / "empty.mp4").touch()
    (folder / "text.mp4").write_text("no video at all\n" * 100)
    content = (folder / "good.mkv").read_bytes()
    (folder / "cut.mkv").write_bytes(content[: len(content) // 2])
    broken = bytearray(content)
    broken[600:] = np.random.default_rng(0).bytes(len(content) - 600)
    (folder / "broken.mkv").write_bytes(broken)
    return folder


def video(name: str) -> Video:
    return Video(name, "id", 1)


@pytest.mark.parametrize("is_thorough", [True, False], ids=["whole", "packets"])
def test_a_video_is_as_long_as_both_tracks_are_there(folder: Path, is_thorough: bool) -> None:
    found = measure(folder, video("good.mkv"), is_thorough=is_thorough)
    assert found.start_s == pytest.approx(0, abs=0.01)
    assert found.duration_s == pytest.approx(3.0, abs=0.1)
    assert measure(folder, video("long.mkv"), is_thorough=is_thorough).duration_s == pytest.approx(
        34, abs=0.1
    )


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("silent.mkv", "no-audio", "silent.mkv holds no audio track"),
        ("blind.mkv", "no-pictures", "blind.mkv holds no video track"),
        ("song.mp4", "no-pictures", "song.mp4 holds no video track"),
        ("short.mkv", "too-short", "short.mkv has 0.8"),
        ("empty.mp4", "undecodable", "empty.mp4 is empty"),
        ("text.mp4", "undecodable", "text.mp4 cannot be decoded"),
        ("broken.mkv", "undecodable", "broken.mkv"),
        ("missing.mkv", "unreadable", "missing.mkv cannot be read: no such file"),
    ],
)
def test_bad_videos_get_a_sentence(folder: Path, name: str, kind: str, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        measure(folder, video(name))
    assert caught.value.kind == kind
    assert "Errno" not in caught.value.reason


def test_of_a_video_that_was_cut_off_the_rest_is_used(folder: Path) -> None:
    try:
        found = measure(folder, video("cut.mkv"))
    except InputError as error:
        assert error.kind in ("too-short", "undecodable")  # as much as the muxer had interleaved
    else:
        assert found.duration_s < 3


def test_sound_is_cut_to_the_sample(folder: Path) -> None:
    known = ramp(3 * RATE_HZ)
    starts = [1.25, 0.0, 2.0, 1.3]
    found = read_sound(folder, "good.mkv", starts, RATE_HZ)
    for row, start_s in zip(found, starts, strict=True):
        first = round(start_s * RATE_HZ)
        assert np.array_equal(row, known[first : first + RATE_HZ])


def test_sound_far_into_a_video_is_found_by_seeking(folder: Path) -> None:
    known = ramp(34 * RATE_HZ)
    found = read_sound(folder, "long.mkv", [32.5, 31.0], RATE_HZ)
    # the file's clock counts milliseconds, so a place that is sought is right to half of one
    for row, start_s in zip(found, (32.5, 31.0), strict=True):
        at = [first for first in range(-8, 9) if _is_at(row, known, round(start_s * RATE_HZ) + first)]
        assert at, start_s
    pictures = read_pictures(folder, "long.mkv", [33.05], 16)
    assert int(pictures[0].mean()) == pytest.approx(shade(330), abs=2)


def _is_at(row: np.ndarray, known: np.ndarray, first: int) -> bool:
    return np.array_equal(row, known[first : first + RATE_HZ])


def test_sound_is_resampled(folder: Path) -> None:
    found = read_sound(folder, "good.mkv", [1.0], 48_000)
    assert found.shape == (1, 48_000)
    known = ramp(3 * RATE_HZ)[RATE_HZ : 2 * RATE_HZ]
    inside = slice(200, 3800)  # away from the saw's jump
    assert np.abs(found[0, ::3][inside].astype(int) - known[inside]).max() < 40


def test_the_picture_that_is_shown_at_a_time_is_taken(folder: Path) -> None:
    times = [2.95, 0.0, 1.21, 1.29, 0.1]
    found = read_pictures(folder, "good.mkv", times, 20)
    assert all(picture.shape == (20, 30, 3) for picture in found)  # the shorter side is scaled to 20
    expected = [shade(int(time_s * FPS + 1e-6)) for time_s in times]
    assert [int(np.median(picture)) for picture in found] == pytest.approx(expected, abs=2)


def test_what_ends_too_early_is_no_video(folder: Path) -> None:
    with pytest.raises(InputError, match="its sound breaks off"):
        read_sound(folder, "good.mkv", [5.0], RATE_HZ)
    with pytest.raises(InputError, match="no audio track"):
        read_pictures(folder, "silent.mkv", [0.5], 20)
