"""Sound at other rates: from files, from what is kept where a file is gone, and what is said of it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from numpy.typing import NDArray

from motifdb.catalog.store import Snapshot, open_snapshot
from motifdb.errors import NotFoundError, UsageError
from motifdb.training.inputs.packed import Packed, pack_spans
from tests.pipelines.small import rows, run

FILE_HZ = 48_000
SPANS = (
    ("long", 0.5, 0.9),
    ("long", 0.7, 1.3),
    ("long", 2.0, 9.0),
    ("short", 0.0, 0.25),
    ("short", 0.1, 0.2),
)


def sound(duration_s: float, seed: int) -> NDArray[np.int16]:
    """Tones up to 2 kHz, which 16 kHz keeps whole, and one at 14 kHz, which it cannot; silence before and after."""
    t = np.arange(round(duration_s * FILE_HZ)) / FILE_HZ
    low = sum(np.sin(2 * np.pi * hz * t + seed) for hz in (211.0, 997.0, 1999.0))
    wave = (2500 * low + 1500 * np.sin(2 * np.pi * 14_000 * t)) * np.minimum(1, 40 * np.minimum(t, t[::-1]))
    pcm: NDArray[np.int16] = np.round(wave).astype(np.int16)
    return pcm


PCM = {"long": sound(2.5, 1), "short": sound(0.25, 2)}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a corpus of two files at 48 kHz and a database that keeps their sound at 16 kHz."""
    folder = tmp_path_factory.mktemp("rates")
    (folder / "corpus").mkdir()
    for name, pcm in PCM.items():
        soundfile.write(folder / "corpus" / f"{name}.wav", pcm, FILE_HZ, subtype="PCM_16")
    run(folder / "db.motifdb", folder / "corpus", until="files", keep_audio=True)
    return folder


def ids(folder: Path) -> dict[str, str]:
    return {Path(f["path"]).stem: f["recording_id"] for f in rows(folder / "db.motifdb", "files")}


def packed_at(folder: Path, rate_hz: int, cache: Path | None = None, name: str = "") -> Packed:
    of = ids(folder)
    chosen = [s for s in SPANS if not name or s[0] == name]
    start, end = (np.array([s[i] for s in chosen], np.float64) for i in (1, 2))
    names = [of[s[0]] for s in chosen]
    return pack_spans(snapshot(folder), names, start, end, cache, sample_rate_hz=rate_hz)


def snapshot(folder: Path) -> Snapshot:
    return open_snapshot(folder / "db.motifdb")


def without(folder: Path, tmp_path: Path, *gone: str) -> Path:
    """The database and its corpus elsewhere, the corpus's old place being gone."""
    shutil.copytree(folder / "db.motifdb", tmp_path / "db.motifdb")
    for name in gone:
        (folder / "corpus" / f"{name}.wav").rename(tmp_path / f"{name}.wav")
    return tmp_path


@pytest.fixture
def put_back(made: Path, tmp_path: Path) -> Iterator[Path]:
    """Files that a test moved to `tmp_path` lie in the corpus again afterwards."""
    yield made
    for name in PCM:
        if (tmp_path / f"{name}.wav").exists():
            (tmp_path / f"{name}.wav").rename(made / "corpus" / f"{name}.wav")


def test_at_the_files_own_rate_its_samples_come_back_bit_for_bit(made: Path) -> None:
    packed = packed_at(made, FILE_HZ)
    assert packed.sample_rate_hz == FILE_HZ
    for i, (name, start_s, end_s) in enumerate(SPANS):
        expected = PCM[name][round(start_s * FILE_HZ) : round(end_s * FILE_HZ)]
        assert np.array_equal(packed.clip(i), expected), i
    assert packed.note == "sound at 48,000 Hz: 2 recordings from their own files"
    assert packed_at(made, 16_000).note == ""


def test_another_rate_is_the_whole_file_resampled(made: Path) -> None:
    packed = packed_at(made, 22_050)
    for i, (name, start_s, end_s) in enumerate(SPANS):
        whole = soxr.resample(PCM[name].astype(np.float32), FILE_HZ, 22_050, "HQ")
        expected = whole[round(start_s * 22_050) : round(end_s * 22_050)]
        assert len(packed.clip(i)) == pytest.approx(len(expected), abs=1)
        n = min(len(expected), len(packed.clip(i)))
        np.testing.assert_allclose(packed.clip(i)[:n], expected[:n], atol=1.01)


@pytest.mark.parametrize("rate_hz", [22_050, 48_000])
def test_where_a_file_is_gone_kept_sound_is_resampled_in_place(
    put_back: Path, tmp_path: Path, rate_hz: int
) -> None:
    from_files = packed_at(put_back, rate_hz)
    here = without(put_back, tmp_path, "long")
    packed = packed_at(here, rate_hz)
    assert packed.note.startswith(
        f"sound at {rate_hz:,} Hz: 1 recording from their own files; 1 recording from"
    )
    assert "nothing above 8,000 Hz" in packed.note and "long.wav is not in" in packed.note
    assert packed.length.tolist() == from_files.length.tolist()
    for i, (name, _, _) in enumerate(SPANS):
        ours, theirs = packed.clip(i).astype(np.float32), from_files.clip(i).astype(np.float32)
        if name == "short":
            assert np.array_equal(ours, theirs)
            continue
        # below 8 kHz both are the same sound at the same place
        low = [soxr.resample(x, rate_hz, 8_000, "VHQ")[100:-100] for x in (ours, theirs)]
        np.testing.assert_allclose(low[0], low[1], atol=25)
        assert (
            np.abs(ours - theirs).max() > 1000 if rate_hz == FILE_HZ else True
        )  # the tone at 14 kHz is not there


def test_with_neither_file_nor_kept_sound_it_says_what_to_do(put_back: Path, tmp_path: Path) -> None:
    run(tmp_path / "bare.motifdb", put_back / "corpus", until="files")
    names = ids(put_back)
    start, end = np.array([0.0]), np.array([0.1])
    bare = open_snapshot(tmp_path / "bare.motifdb")
    found = pack_spans(bare, [names["long"]], start, end, None, sample_rate_hz=FILE_HZ)
    assert np.array_equal(found.clip(0), PCM["long"][:4800]), "the file is enough"
    (put_back / "corpus" / "long.wav").rename(tmp_path / "long.wav")
    with pytest.raises(
        NotFoundError, match=r"cannot be heard at 48,000 Hz: long.wav is not in .*--keep-audio"
    ):
        pack_spans(bare, [names["long"]], start, end, None, sample_rate_hz=FILE_HZ)


def test_a_file_that_became_another_is_not_taken_for_the_recording(put_back: Path, tmp_path: Path) -> None:
    here = without(put_back, tmp_path, "short")
    soundfile.write(put_back / "corpus" / "short.wav", PCM["long"], FILE_HZ, subtype="PCM_16")
    packed = packed_at(here, FILE_HZ, name="short")
    assert "short.wav has changed since it was ingested" in packed.note
    assert len(packed.clip(0)) == len(PCM["short"])


def test_a_packed_file_is_of_one_rate_and_one_source(put_back: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    at = {rate: packed_at(put_back, rate, cache) for rate in (16_000, 22_050, 48_000)}
    assert len(list(cache.iterdir())) == 3
    assert [len(p.clip(0)) for p in at.values()] == [6400, 8820, 19_200]
    again = packed_at(put_back, 48_000, cache)
    assert isinstance(again.pcm, np.memmap) and again.note == at[48_000].note != ""
    assert len(list(cache.iterdir())) == 3
    shutil.rmtree(cache)
    here = without(put_back, tmp_path, "long")
    for _ in range(2):
        assert "kept at 16,000 Hz" in packed_at(here, 48_000, cache).note
    (tmp_path / "long.wav").rename(put_back / "corpus" / "long.wav")
    found = packed_at(here, 48_000, cache)
    assert "kept" not in found.note and np.array_equal(found.clip(0), at[48_000].clip(0))
    assert len(list(cache.iterdir())) == 2


def test_what_cannot_be_is_a_sentence(made: Path) -> None:
    with pytest.raises(UsageError, match=r"16,000, 22,050, 48,000 Hz, not at 44,100"):
        packed_at(made, 44_100)
    of = ids(made)
    for rate_hz in (22_050, 48_000):
        with pytest.raises(UsageError, match="begins beyond the end of recording"):
            pack_spans(
                snapshot(made), [of["short"]], np.array([3.0]), np.array([4.0]), None, sample_rate_hz=rate_hz
            )
