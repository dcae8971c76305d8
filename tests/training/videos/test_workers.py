"""Where videos are decoded: children that crash or hang cost one video, and Ray gives the same."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

import numpy as np
import pytest

from motifdb.errors import InputError, UsageError
from motifdb.training.videos import workers
from motifdb.training.videos.discover import discover
from motifdb.training.videos.sample import PairStream, SamplingConfig, survey
from motifdb.training.videos.workers import Children, Here, RayDecoders, decoders
from tests.training.videos.written import RATE_HZ, write_video


def test_a_child_that_crashes_names_the_video() -> None:
    with contextlib.closing(
        Children(1, command=[sys.executable, "-c", "input(); raise SystemExit(3)"])
    ) as crashing:
        with pytest.raises(
            InputError, match=r"decoding a.mp4 crashed the decoder; convert or remove it"
        ) as caught:
            crashing.submit("read", "a.mp4")()
        assert caught.value.kind == "decoder-crashed"


def test_a_child_that_hangs_is_ended() -> None:
    with contextlib.closing(Children(1, timeout_s=0.3, command=["sleep", "60"])) as hanging:
        with pytest.raises(InputError, match=r"decoding a.mp4 stood still for 0.3 s and was ended") as caught:
            hanging.submit("read", "a.mp4")()
        assert caught.value.kind == "decoder-hung"


def test_another_child_takes_the_place_of_one_that_died(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mkv", sound_s=1.5, pictures_s=1.5)
    request = (str(tmp_path), "a.mkv", RATE_HZ, [[0.25, 1.0]], 20, 16, [[0.5, 0.5, 0.5, 0, 1, 0, 0]])
    with contextlib.closing(Children(1)) as children:
        _, first = children.submit("read", "a.mkv", *request)()
        for child in children._children:
            child.kill()
            child.wait()
        _, second = children.submit("read", "a.mkv", *request)()
        with pytest.raises(InputError, match=r"missing.mkv cannot be read"):
            children.submit("read", "missing.mkv", str(tmp_path), "missing.mkv", *request[2:])()
    _, here = Here().submit("read", "a.mkv", *request)()
    for a, b, c in zip(first, second, here, strict=True):
        assert np.array_equal(a, c)
        assert np.array_equal(b, c)


def test_a_handful_needs_no_ray_and_workers_are_counted() -> None:
    with decoders(5, 0) as pool:
        assert isinstance(pool, Here)
    with decoders(5) as pool:
        assert isinstance(pool, Children)
    with pytest.raises(UsageError, match="--workers must be 0 or more"), decoders(5, -1):
        pass


def test_ray_tasks_answer_like_this_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a.mkv", "b.mkv"):
        write_video(tmp_path / name, sound_s=1.5, pictures_s=1.5)
    (tmp_path / "b.mkv").write_bytes((tmp_path / "b.mkv").read_bytes() + b"\0")  # no copy of a.mkv
    (tmp_path / "x.mkv").write_bytes(b"no video")
    config = SamplingConfig(RATE_HZ, 20, 16, n_sources=2, lifetime=2.0)
    monkeypatch.setattr(workers, "HANDFUL", 2)
    files = discover(tmp_path)
    with decoders(len(files), 1) as pool:
        assert isinstance(pool, RayDecoders)
        there = survey(tmp_path, files, pool)
        pairs = next(PairStream(tmp_path, there.videos, config, 3, pool).batches(6))
    here = survey(tmp_path, files, Here())
    assert here == there
    assert [(f.path, f.kind) for f in there.failures] == [("x.mkv", "undecodable")]
    own = next(PairStream(tmp_path, here.videos, config, 3, Here()).batches(6))
    assert np.array_equal(pairs.sound, own.sound)
    assert np.array_equal(pairs.picture, own.picture)
    assert pairs.is_same.tolist() == own.is_same.tolist()
