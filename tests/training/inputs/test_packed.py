"""Packed sound: shared where clips overlap, the same from memory and from the file, and no file is believed blindly."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from motifdb.catalog.store import Changes, Snapshot, create, open_snapshot, open_writer
from motifdb.errors import NotFoundError, UsageError
from motifdb.schemas import AUDIO
from motifdb.training.inputs import packed_cache
from motifdb.training.inputs.packed import Packed, Stretches, pack_spans

PCM = {name: np.random.default_rng(i).integers(-9000, 9000, 16_000 + 999 * i) for i, name in enumerate("abc")}
IDS = ["b", "a", "c", "a", "b", "a"]
START_S = np.array([0.1, 0.5, 0.0, 0.25, 0.7, 0.25])
END_S = np.array([0.3, 0.9, 5.0, 0.5, 0.75, 0.3])


def store(path: Path, pcm: dict[str, NDArray[np.int64]]) -> Snapshot:
    create(path)
    rows = [
        {
            "recording_id": name,
            "block": 0,
            "start_sample": 0,
            "sample_rate_hz": 16_000,
            "pcm": samples.astype("<i2").tobytes(),
        }
        for name, samples in pcm.items()
    ]
    with open_writer(path) as writer:
        writer.commit(Changes(append={"audio": AUDIO.table(rows)}), token="1", message="add sound")
    return open_snapshot(path)


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    return store(tmp_path_factory.mktemp("packed") / "x.motifdb", PCM)


def assert_right(packed: Packed) -> None:
    assert len(packed) == len(IDS)
    for i, name in enumerate(IDS):
        wanted = PCM[name][round(START_S[i] * 16_000) : round(END_S[i] * 16_000)]
        assert np.array_equal(packed.clip(i), wanted)


def test_clips_that_overlap_share_their_samples(snapshot: Snapshot, tmp_path: Path) -> None:
    for cache in (None, tmp_path, tmp_path, "default"):
        packed = pack_spans(snapshot, IDS, START_S, END_S, cache)
        assert_right(packed)
        # a from 0.25 s to 0.9 s, b's two clips, c as it was asked (it ends before 5 s)
        assert len(packed.pcm) == 0.65 * 16_000 + 0.2 * 16_000 + 0.05 * 16_000 + 5 * 16_000
        assert packed.length[2] == len(PCM["c"])
    assert len(list(tmp_path.iterdir())) == 1  # made once, and nothing is left beside it


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 40), st.integers(1, 20)), max_size=12))
def test_stretches_agree_with_sets_of_samples(spans: list[tuple[str, int, int]]) -> None:
    ids = [name for name, _, _ in spans]
    first = np.array([a for _, a, _ in spans], np.int64)
    last = np.array([a + n for _, a, n in spans], np.int64)
    found = Stretches.of_spans(ids, first / 16_000, last / 16_000)
    heard = {(name, t) for name, a, n in spans for t in range(a, a + n)}
    laid = [
        (name, t)
        for name, a, b in zip(found.recording_id, found.first.tolist(), found.last.tolist(), strict=True)
        for t in range(a, b)
    ]
    assert len(laid) == found.n_samples and set(laid) == heard and len(laid) == len(heard)
    for i, (name, a, n) in enumerate(spans):
        begin, size = int(found.start[i]), int(found.length[i])
        assert laid[begin : begin + size] == [(name, t) for t in range(a, a + n)]


def test_a_file_that_is_cut_changed_or_foreign_is_made_again(snapshot: Snapshot, tmp_path: Path) -> None:
    pack_spans(snapshot, IDS, START_S, END_S, tmp_path)
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    damages = {
        "cut": whole[:-100],
        "longer": whole + b"xx",
        "a sample": whole[:-7] + bytes([whole[-7] ^ 1]) + whole[-6:],
        "a count": whole[:4096] + bytes([whole[4096] ^ 1]) + whole[4097:],
        "header": whole[:20] + b"\xff" + whole[21:],
        "magic": b"numpy" + whole[5:],
        "a list": whole[:8] + (2).to_bytes(4, "little") + b"[]" + whole[14:],
        "empty": b"",
        "another key": whole.replace(path.stem.encode(), b"0" * len(path.stem)),
    }
    for name, content in damages.items():
        assert content != whole, name
        path.write_bytes(content)
        assert_right(pack_spans(snapshot, IDS, START_S, END_S, tmp_path))
        assert path.read_bytes() == whole, name


def test_other_sound_under_the_same_ids_has_another_file(snapshot: Snapshot, tmp_path: Path) -> None:
    pack_spans(snapshot, IDS, START_S, END_S, tmp_path / "cache")
    louder = store(tmp_path / "y.motifdb", {name: pcm * 2 for name, pcm in PCM.items()})
    packed = pack_spans(louder, IDS, START_S, END_S, tmp_path / "cache")
    assert np.array_equal(packed.clip(0), 2 * pack_spans(snapshot, IDS, START_S, END_S, None).clip(0))
    # and the same database after its sound was stored anew
    with open_writer(tmp_path / "y.motifdb") as writer:
        one = {"recording_id": "b", "block": 0, "start_sample": 0, "sample_rate_hz": 16_000}
        row = AUDIO.table([{**one, "pcm": (PCM["b"] // 3).astype("<i2").tobytes()}])
        changes = Changes(append={"audio": row}, delete={"audio": "recording_id = 'b'"})
        writer.commit(changes, token="2", message="again")
    packed = pack_spans(open_snapshot(tmp_path / "y.motifdb"), IDS, START_S, END_S, tmp_path / "cache")
    assert np.array_equal(packed.clip(0), (PCM["b"] // 3)[1600:4800])


def test_without_a_place_to_write_sound_is_read_into_memory(snapshot: Snapshot, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    packed = pack_spans(snapshot, IDS, START_S, END_S, tmp_path / "file" / "cache")
    assert_right(packed)
    assert not isinstance(packed.pcm, np.memmap)


def test_what_nobody_opened_for_a_month_goes(snapshot: Snapshot, tmp_path: Path) -> None:
    pack_spans(snapshot, IDS[:2], START_S[:2], END_S[:2], tmp_path)
    (old,) = tmp_path.iterdir()
    (tmp_path / ".killed.part").write_bytes(b"")
    for path in tmp_path.iterdir():
        os.utime(path, (0, time.time() - 40 * 24 * 3600))
    (tmp_path / "notes.txt").write_text("not ours")
    os.utime(tmp_path / "notes.txt", (0, 0))
    pack_spans(snapshot, IDS, START_S, END_S, tmp_path)
    assert not old.exists() and len(list(tmp_path.iterdir())) == 2 and (tmp_path / "notes.txt").exists()


def test_the_users_cache_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, snapshot: Snapshot) -> None:
    monkeypatch.setenv("MOTIFDB_CACHE", str(tmp_path / "mine"))
    monkeypatch.setattr(packed_cache, "LEAST_BYTES", 1000)
    assert_right(pack_spans(snapshot, IDS, START_S, END_S))
    assert len(list((tmp_path / "mine" / "packed").iterdir())) == 1
    monkeypatch.setenv("MOTIFDB_CACHE", "off")
    assert packed_cache.default_folder() is None
    assert_right(pack_spans(snapshot, IDS, START_S, END_S))
    monkeypatch.delenv("MOTIFDB_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setattr("sys.platform", "linux")
    assert packed_cache.default_folder() == tmp_path / "xdg" / "motifdb" / "packed"


def test_what_is_not_there_is_a_sentence(snapshot: Snapshot, tmp_path: Path) -> None:
    for cache in (None, tmp_path):
        with pytest.raises(NotFoundError, match="--keep-audio"):
            pack_spans(snapshot, ["zed"], START_S[:1], END_S[:1], cache)
        with pytest.raises(UsageError, match="begins beyond the end of recording a"):
            pack_spans(snapshot, ["a", "a"], np.array([0.0, 1.5]), np.array([1.2, 2.0]), cache)
        with pytest.raises(UsageError, match="begins beyond the end of recording a"):
            pack_spans(snapshot, ["a", "a"], np.array([0.0, 1.5]), np.array([2.0, 2.5]), cache)
    assert not list(tmp_path.glob(".*"))


def test_taking_clips_shares_their_sound() -> None:
    packed = Packed.of([np.arange(n, dtype=np.int16) for n in (3, 5, 2)])
    twice = packed.take(np.array([1, 1, 0]))
    assert twice.pcm is packed.pcm
    assert [twice.clip(i).tolist() for i in range(3)] == [[0, 1, 2, 3, 4], [0, 1, 2, 3, 4], [0, 1, 2]]
    assert len(Packed.of([])) == 0
