"""The generated corpus: what is heard and what is seen follow the law that its table gives."""

from __future__ import annotations

import colorsys
import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from motifdb.errors import UsageError
from motifdb.training.videos.decode import measure, read_pictures, read_sound
from motifdb.training.videos.discover import Video
from motifdb.training.videos.generated import GLIDE, HUES, OCTAVES, make_av_corpus, pitch_hz

SMALL: dict[str, Any] = {"n_videos": 4, "duration_s": 1.6, "side": 32, "rate_fps": 5}


@pytest.mark.parametrize("domain", ["tones", "noises"])
def test_the_colour_is_the_pitch(tmp_path: Path, domain: str) -> None:
    made = make_av_corpus(tmp_path / "made", domain=domain, **SMALL)
    with (tmp_path / "made" / "videos.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["path"] for row in rows] == list(made.paths)
    for row in rows:
        video = measure(made.folder, Video(row["path"], "", 1))
        assert video.duration_s == pytest.approx(1.6, abs=0.1)
        sound = read_sound(made.folder, row["path"], [0.3], 48_000)[0].astype(float)
        spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound)))) ** 2
        if domain == "tones":
            heard_hz = float(np.argmax(spectrum))  # the fundamental is the strongest harmonic
        else:
            heard_hz = float((spectrum * np.arange(len(spectrum))).sum() / spectrum.sum())
        octaves = np.log2(heard_hz / pitch_hz(float(row["pitch"])))
        assert abs(octaves) < OCTAVES * GLIDE * 1.5 + 0.1
        picture = read_pictures(made.folder, row["path"], [0.8], 32)[0]
        plain = np.median(picture[1:3].reshape(-1, 3) / 255, axis=0)  # between stripes, above most shapes
        hue = colorsys.rgb_to_hsv(*plain)[0]
        assert hue == pytest.approx(float(row["hue"]), abs=HUES * GLIDE + 0.05)


def test_the_same_arguments_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        make_av_corpus(tmp_path / name, **SMALL | {"n_videos": 1})
    assert (tmp_path / "a" / "tones-0001.mp4").read_bytes() == (
        tmp_path / "b" / "tones-0001.mp4"
    ).read_bytes()


def test_pitches_are_spread_and_neighbours_differ_in_stripes(tmp_path: Path) -> None:
    made = make_av_corpus(tmp_path / "made", **SMALL)
    assert sorted(made.pitch.tolist()) == [0.125, 0.375, 0.625, 0.875]
    order = made.is_rich[np.argsort(made.pitch)]
    assert (order[1:] != order[:-1]).all()


def test_folders_and_numbers_that_cannot_be_are_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match="is no audio-visual corpus"):
        make_av_corpus(tmp_path)
    with pytest.raises(UsageError, match="tones or noises, not 'songs'"):
        make_av_corpus(tmp_path / "new", domain="songs")
    with pytest.raises(UsageError, match=r"at least 1 video, 1.5 s"):
        make_av_corpus(tmp_path / "new", duration_s=1.0)
