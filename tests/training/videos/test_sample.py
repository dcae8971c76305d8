"""Pairs: drawn as l3-2019 says, the same for the same seed wherever they are decoded, and from step n at once."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from motifdb.errors import UsageError
from motifdb.training.videos.discover import Video, discover
from motifdb.training.videos.sample import Pairs, PairStream, SamplingConfig, plan_source, survey
from motifdb.training.videos.workers import Children, Here
from tests.training.videos.written import FPS, RATE_HZ, ramp, shade, write_video

CONFIG = SamplingConfig(
    sample_rate_hz=RATE_HZ,
    shorter_side=20,
    crop=16,
    n_sources=3,
    lifetime=4.0,
    gain=0.0,
    saturation=0.0,
    brightness=0.0,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four videos of 2.0 to 2.6 s; their lengths tell them apart."""
    folder = tmp_path_factory.mktemp("videos")
    for i in range(4):
        write_video(folder / f"{i}.mkv", sound_s=2 + 0.2 * i, pictures_s=2 + 0.2 * i)
    return folder


@pytest.fixture(scope="module")
def stream(folder: Path) -> PairStream:
    found = survey(folder, discover(folder), Here())
    assert not found.failures
    return PairStream(found.folder, found.videos, CONFIG, 7, Here())


def videos(n: int = 5, duration_s: float = 10.0) -> list[Video]:
    return [Video(f"{i}.mp4", f"id{i}", 1, 0.0, duration_s) for i in range(n)]


def equal(a: Pairs, b: Pairs) -> bool:
    return (
        np.array_equal(a.sound, b.sound)
        and np.array_equal(a.picture, b.picture)
        and np.array_equal(a.is_same, b.is_same)
    )


def test_two_fair_coins_say_where_sound_and_picture_are_from() -> None:
    plan = plan_source(videos(), SamplingConfig(), 0, 0, 20_000)
    assert plan.videos[0] != plan.videos[1]
    for coin in (plan.heard, plan.seen, plan.heard == plan.seen):
        assert coin.mean() == pytest.approx(0.5, abs=0.02)
    assert plan.offset_s.min() >= 0
    assert plan.offset_s.max() <= 9
    assert np.histogram(plan.offset_s, 9, (0, 9))[0].std() < 100  # uniform
    assert plan.gain.min() == pytest.approx(0.9, abs=1e-3)
    assert plan.gain.max() == pytest.approx(1.1, abs=1e-3)
    across, down, is_flipped, saturation, brightness, is_bright_first = plan.looks.T
    assert (saturation.min(), saturation.max()) == pytest.approx((0.5, 1.5), abs=1e-3)
    assert (brightness.min(), brightness.max()) == pytest.approx((-32 / 255, 32 / 255), abs=1e-3)
    for coin in (is_flipped, is_bright_first, across < 0.5, down < 0.5):
        assert coin.mean() == pytest.approx(0.5, abs=0.02)


def test_picture_and_sound_of_a_pair_lie_in_one_second() -> None:
    both = [videos()[0], replace(videos()[1], duration_s=3.0, start_s=100.0)]
    plan = plan_source(both, SamplingConfig(), 3, 1, 500)
    asked = [plan.request(which, Path(), SamplingConfig()) for which in (0, 1)]
    start_s, begin_s = np.zeros(500), np.zeros(500)
    for which in (0, 1):
        start_s[plan.seen == which] = [p[0] for p in asked[which][6]]
        begin_s[plan.heard == which] = [s[0] for s in asked[which][3]]
    same = plan.heard == plan.seen
    assert ((start_s - begin_s)[same] >= 0).all()
    assert ((start_s - begin_s)[same] < 1).all()
    for which, video in enumerate(plan.videos):  # and nothing is asked for that is not there
        times = np.array([p[0] for p in asked[which][6]])
        assert (times >= video.start_s).all()
        assert (times < video.start_s + video.duration_s).all()


def test_of_a_long_video_a_minute_is_read() -> None:
    plan = plan_source(videos(2, 3600.0), SamplingConfig(), 0, 5, 200)
    times = [p[0] for p in plan.request(0, Path(), SamplingConfig())[6]]
    assert max(times) - min(times) < 60
    assert len({plan_source(videos(2, 3600.0), SamplingConfig(), 0, i, 1).stretch_s for i in range(9)}) == 9


def test_all_videos_are_taken_before_one_is_taken_again() -> None:
    firsts = [plan_source(videos(6), SamplingConfig(), 0, i, 1).videos[0].path for i in range(12)]
    assert len(set(firsts[:6])) == len(set(firsts[6:])) == 6
    assert firsts[:6] != firsts[6:]


def test_pairs_hold_what_the_videos_hold(stream: PairStream) -> None:
    known = ramp(3 * RATE_HZ)
    pairs = next(stream.batches(64))
    assert pairs.sound.shape == (64, RATE_HZ)
    assert pairs.picture.shape == (64, 16, 16, 3)
    assert 0.3 < pairs.is_same.mean() < 0.7
    shades = {shade(j): j for j in range(26)}
    for sound, picture, is_same in zip(*pairs, strict=True):
        first = (int(sound[0]) + 10_000) % 20_000  # the saw tells where it is
        offsets = [o for o in (first, first + 20_000) if np.array_equal(known[o : o + RATE_HZ], sound)]
        assert offsets
        grey = int(np.median(picture))
        at_s = shades[min(shades, key=lambda s: abs(s - grey))] / FPS
        if is_same:
            assert any(o / RATE_HZ - 1.5 / FPS <= at_s <= o / RATE_HZ + 1 + 1e-6 for o in offsets)


def test_a_batch_follows_from_seed_and_step_alone(stream: PairStream) -> None:
    whole = list(islice(stream.batches(8), 6))
    later = next(stream.batches(8, 4))
    assert equal(later, whole[4])
    assert not equal(whole[0], whole[1])
    other = PairStream(stream.folder, stream.videos, CONFIG, 8, Here())
    assert not equal(next(other.batches(8)), whole[0])


@pytest.fixture(scope="module")
def children() -> Iterator[Children]:
    children = Children(1)
    yield children
    children.close()


def test_it_does_not_matter_where_videos_are_decoded(stream: PairStream, children: Children) -> None:
    elsewhere = PairStream(stream.folder, stream.videos, CONFIG, 7, children)
    for here, there in zip(islice(stream.batches(8), 3), islice(elsewhere.batches(8), 3), strict=True):
        assert equal(here, there)
    assert equal(elsewhere.fixed(10, 4)[0], stream.fixed(10, 4)[0])


def test_sources_live_for_a_poisson_number_of_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    config = replace(CONFIG, n_sources=4, lifetime=6.0)
    stream = PairStream(Path(), videos(5), config, 0, Here())
    taken: dict[int, int] = {}

    def one_source(begun: object) -> tuple[Pairs, None]:
        i, n = begun.i, begun.n  # type: ignore[attr-defined]
        taken[i] = n
        return Pairs(
            np.full((n, 1), i, np.int16), np.zeros((n, 1, 1, 3), np.uint8), np.zeros(n, np.int64)
        ), None

    monkeypatch.setattr(stream, "_end", one_source)
    seen = np.concatenate([batch.sound[:, 0] for batch in islice(stream.batches(10), 300)])
    counts = np.bincount(seen)
    ended = [i for i in range(len(counts) - 8) if i in taken]
    assert all(counts[i] == taken[i] for i in ended)  # each source gives all its pairs
    assert counts[ended].mean() == pytest.approx(6, abs=0.5)
    assert counts[ended].var() == pytest.approx(6, abs=1.5)
    last = {int(i): int(np.flatnonzero(seen == i)[-1]) for i in np.unique(seen)}
    first = {int(i): int(np.flatnonzero(seen == i)[0]) for i in np.unique(seen)}
    alive = [sum(first[i] <= at <= last[i] for i in first) for at in range(100, 2900, 50)]
    assert max(alive) <= 4


def test_fixed_pairs_are_of_all_videos_and_not_varied(folder: Path, stream: PairStream) -> None:
    varied = replace(CONFIG, gain=0.1, saturation=0.5, brightness=0.1)
    pairs, group = PairStream(stream.folder, stream.videos, varied, 7, Here()).fixed(16, 4)
    assert equal(pairs, stream.fixed(16, 4)[0])
    assert sorted(set(group.tolist())) == [0, 1, 2, 3]
    assert len(pairs.is_same) == len(group) == 16


def test_a_video_that_breaks_later_is_named_and_replaced(folder: Path, tmp_path: Path) -> None:
    place = shutil.copytree(folder, tmp_path / "videos")
    found = survey(place, discover(place), Here())
    (place / "1.mkv").write_bytes(b"gone")
    stream = PairStream(found.folder, found.videos, CONFIG, 7, Here())
    assert len(list(islice(stream.batches(8), 4))) == 4
    assert [(f.path, f.kind) for f in stream.failures] == [("1.mkv", "undecodable")]
    for name in ("0.mkv", "2.mkv"):
        (place / name).unlink()
    with pytest.raises(UsageError, match="20 videos in a row could not be decoded"):
        list(islice(stream.batches(8), 4))


def test_a_survey_names_what_cannot_be_used(folder: Path, tmp_path: Path, children: Children) -> None:
    place = shutil.copytree(folder, tmp_path / "videos")
    shutil.copy(place / "0.mkv", place / "copy.mkv")
    write_video(place / "silent.mkv", sound_s=0)
    write_video(place / "short.mkv", pictures_s=0.5)
    (place / "text.mp4").write_text("nothing")
    found = survey(place, discover(place), children)
    assert [v.path for v in found.videos] == ["0.mkv", "1.mkv", "2.mkv", "3.mkv"]
    assert {f.path: f.kind for f in found.failures} == {
        "copy.mkv": "copy",
        "short.mkv": "too-short",
        "silent.mkv": "no-audio",
        "text.mp4": "undecodable",
    }


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"crop": 40}, "does not fit"),
        ({"gain": 2.0}, "gain must be 0 to 1"),
        ({"lifetime": 0.0}, "more than 0"),
    ],
    ids=["crop", "gain", "lifetime"],
)
def test_sampling_that_cannot_be_is_refused(values: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        replace(CONFIG, **values)
    with pytest.raises(UsageError, match="two different videos"):
        PairStream(Path(), videos(1), CONFIG, 0, Here())
