"""Sound kept once: what comes back, how it lies in blocks, how it is filled in, and that it goes with its recording."""

from __future__ import annotations

import os
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from numpy.typing import NDArray

from motifdb.catalog.store import create, open_snapshot, open_writer
from motifdb.config import PitchConfig
from motifdb.kernels import fingerprint as kernel
from motifdb.pipelines import keep_audio, keeper, work
from motifdb.pipelines.analyses import fingerprint_analysis
from motifdb.pipelines.keep_audio import Filled, ensure_audio, ensure_fingerprints
from motifdb.pipelines.keeper import Keeper, Keeps, KeptRows, to_pcm, to_samples
from motifdb.pipelines.progress import Quiet
from tests.pipelines.inputs.audio_files import encoded, tone
from tests.pipelines.small import FINE, prints, rows, run, violations

RATE_HZ = 16_000


def noise(n: int, seed: int = 0) -> NDArray[np.int16]:
    """int16 over the whole range, both ends in it."""
    values = np.random.default_rng(seed).integers(-32_768, 32_768, n).astype("<i2")
    values[:2] = -32_768, 32_767
    return values


def voice(duration_s: float, seed: int = 0) -> NDArray[np.int16]:
    """A gliding tone with harmonics: something that has anchors."""
    t = np.arange(round(duration_s * RATE_HZ)) / RATE_HZ
    f0_hz = 200 + 30 * np.sin(2 * np.pi * (1.3 + 0.1 * seed) * t)
    phase = 2 * np.pi * np.cumsum(f0_hz) / RATE_HZ
    sound = sum(np.sin(k * phase) / k for k in (1, 2, 3, 4))
    pcm: NDArray[np.int16] = np.rint(8000 * np.asarray(sound)).astype("<i2")
    return pcm


def write(path: Path, pcm: NDArray[np.int16], kind: str = "FLAC") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, pcm, RATE_HZ, subtype="PCM_16", format=kind)
    return path


def kept(db: Path, recording_id: str) -> NDArray[np.int16]:
    """A recording's kept samples, blocks joined."""
    found = sorted(
        (r for r in rows(db, "audio") if r["recording_id"] == recording_id), key=lambda r: r["block"]
    )
    return np.concatenate([np.frombuffer(row["pcm"], "<i2") for row in found])


def ids(db: Path) -> dict[str, str]:
    """Recording by path."""
    return {f["path"]: f["recording_id"] for f in rows(db, "files") if f["recording_id"]}


def pushed(samples: NDArray[np.float32], cut: int, *, from_hz: float = RATE_HZ) -> KeptRows:
    """What a keeper makes of samples that come in blocks of `cut`."""
    one, into = Keeper("r", Keeps(True, "f"), from_hz), KeptRows()
    for start in range(0, len(samples), cut):
        one.push(samples[start : start + cut])
    one.finish(into)
    return into


def joined(into: KeptRows) -> NDArray[np.int16]:
    tables = [table for name, table in into.tables() if name == "audio"]
    return np.concatenate([np.frombuffer(pcm.as_buffer(), "<i2") for t in tables for pcm in t.column("pcm")])


def test_every_int16_comes_back() -> None:
    every = np.arange(-32_768, 32_768).astype("<i2")
    assert np.array_equal(to_pcm(to_samples(every)), every)
    assert np.array_equal(to_pcm(to_samples(every.tobytes())), every)
    assert to_pcm(np.array([1.5, -1.5, 0.4 / 32_768, 0.6 / 32_768], np.float32)).tolist() == [
        32_767,
        -32_768,
        0,
        1,
    ]


@pytest.mark.parametrize(("kind", "until"), [("FLAC", "files"), ("WAV", "pitch")])
def test_sound_of_16_khz_comes_back_bit_for_bit(tmp_path: Path, kind: str, until: str) -> None:
    pcm = noise(20_001)
    write(tmp_path / "corpus" / "a", pcm, kind)
    db = tmp_path / "a.motifdb"
    run(db, tmp_path / "corpus", until=until, keep_audio=True)
    (row,) = rows(db, "audio")
    assert np.array_equal(np.frombuffer(row["pcm"], "<i2"), pcm)
    assert (row["block"], row["start_sample"], row["sample_rate_hz"]) == (0, 0, RATE_HZ)


@pytest.mark.parametrize("rate_hz", [44_100, 22_050, 8_000])
def test_resampled_sound_is_that_of_the_whole(rate_hz: int) -> None:
    samples = tone(2.0, rate_hz)[:, 0].astype(np.float32)
    whole = soxr.resample(samples, rate_hz, RATE_HZ, quality="HQ")
    for cut in (1_000, 65_536):
        found = joined(pushed(samples, cut, from_hz=rate_hz))
        assert len(found) == len(whole) and np.max(np.abs(to_samples(found) - whole)) <= 0.5 / 32_768 + 1e-7


def test_the_tracker_and_the_keeper_hear_one_decoding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tracker at 16 kHz shares the resampling, one at its own rate does not: sound and pitch are the same."""
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "a.wav").write_bytes(encoded(tone(1.5, 44_100, 2), 44_100, "wav"))
    run(tmp_path / "files.motifdb", tmp_path / "corpus", until="files", keep_audio=True)
    run(tmp_path / "shared.motifdb", tmp_path / "corpus", until="pitch", keep_audio=True)
    monkeypatch.setattr(work, "SAMPLE_RATE_HZ", 1)  # that of no tracker
    run(tmp_path / "apart.motifdb", tmp_path / "corpus", until="pitch", keep_audio=True)
    files, shared, apart = (prints(tmp_path / f"{name}.motifdb") for name in ("files", "shared", "apart"))
    assert shared == apart and len(rows(tmp_path / "shared.motifdb", "pitch")) == 1
    assert [files[t] for t in ("audio", "fingerprints")] == [shared[t] for t in ("audio", "fingerprints")]


def test_blocks_are_of_30_s_and_fingerprints_do_not_notice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper, "BLOCK_SAMPLES", 4_800)
    monkeypatch.setattr(keeper, "HELD_BLOCKS", 3)  # so that most go to a file
    pcm = voice(2.05)
    into = pushed(to_samples(pcm), 1_234)
    assert np.array_equal(joined(into), pcm) and not (into.audio or into.fingerprints)
    spilled = dict(pickle.loads(pickle.dumps(into.spilled)))  # as a worker's result travels
    audio, table = spilled["audio"], spilled["fingerprints"]
    assert audio.column("block").to_pylist() == list(range(7))
    assert audio.column("start_sample").to_pylist() == [4_800 * i for i in range(7)]
    assert [len(p.as_buffer()) // 2 for p in audio.column("pcm")] == [4_800] * 6 + [4_000]
    position_samples, code = kernel.anchors(to_samples(pcm))
    assert table.column("block").to_pylist() == list(range(7)) and len(position_samples) > 100
    assert np.array_equal(table.column("position_samples").combine_chunks().flatten(), position_samples)
    assert np.array_equal(table.column("code").combine_chunks().flatten(), code)


def test_nothing_is_kept_as_nothing_and_silence_has_no_anchors() -> None:
    for n in (0, 20_000):
        into = pushed(np.zeros(n, np.float32), 1_000)
        assert joined(into).size == n and len(into.audio) == 1 and not into.fingerprints
        (done,) = into.coverage
        assert (done["state"], done["n_rows"]) == ("empty", 0)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three sounds, one of them under two names, one at another rate, and silence."""
    folder = tmp_path_factory.mktemp("keep") / "corpus"
    for i, name in enumerate(("x/a.flac", "x/b.flac", "y/c.flac")):
        write(folder / name, voice(1.0 + i / 10, seed=i))
    write(folder / "y" / "silent.flac", np.zeros(8_000, "<i2"))
    (folder / "y" / "twin.flac").write_bytes((folder / "x" / "a.flac").read_bytes())
    (folder / "y" / "d.wav").write_bytes(encoded(tone(0.7, 44_100, 2), 44_100, "wav"))
    return folder


@pytest.fixture(scope="module")
def expected(corpus: Path) -> dict[str, str]:
    """Fingerprint of a database that kept everything at once."""
    run(corpus.parent / "whole.motifdb", corpus, until="files", keep_audio=True)
    assert violations(corpus.parent / "whole.motifdb") == []
    return dict(prints(corpus.parent / "whole.motifdb"))


def test_sound_is_kept_once_for_each_content(corpus: Path, expected: dict[str, str]) -> None:
    db = corpus.parent / "whole.motifdb"
    assert len(rows(db, "files")) == 6 and len(rows(db, "audio")) == 5
    assert len(rows(db, "fingerprints")) == 4 and len(rows(db, "coverage")) == 5
    assert run(db, corpus, until="files", keep_audio=True).n_commits == 0
    assert {r["analysis_id"] for r in rows(db, "fingerprints")} == {fingerprint_analysis("mix").id}


def test_without_being_asked_nothing_is_kept_and_it_can_be_filled_in(
    corpus: Path, expected: dict[str, str], tmp_path: Path
) -> None:
    db = tmp_path / "a.motifdb"
    run(db, corpus, until="files")
    assert rows(db, "audio") == [] and rows(db, "fingerprints") == []
    with open_writer(db) as writer:
        analysis_id, filled = ensure_fingerprints(writer, engine="inline")
        assert (filled.n_wanted, filled.n_done, filled.sentences) == (5, 5, [])
        assert analysis_id == fingerprint_analysis("mix").id
    assert prints(db)["fingerprints"] == expected["fingerprints"] and rows(db, "audio") == []
    with open_writer(db) as writer:
        one = ids(db)["y/d.wav"]
        assert ensure_audio(writer, [one], engine="inline").n_done == 1
        assert {r["recording_id"] for r in rows(db, "audio")} == {one}
        assert ensure_audio(writer, engine="inline").n_done == 4
        assert ensure_audio(writer) == Filled() and ensure_fingerprints(writer)[1] == Filled()
    assert prints(db) == expected


def test_ingest_again_fills_in_too(corpus: Path, expected: dict[str, str], tmp_path: Path) -> None:
    db = tmp_path / "a.motifdb"
    run(db, corpus, until="files")
    report = run(db, corpus, until="files", keep_audio=True)
    assert (report.n_unchanged, report.n_worked, report.filled.n_done) == (6, 0, 5)
    assert prints(db) == expected


def test_fingerprints_come_from_kept_sound_where_files_are_gone(
    corpus: Path, expected: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    db, folder = tmp_path / "a.motifdb", tmp_path / "corpus"
    write(folder / "a.flac", voice(1.0))
    run(db, folder, until="files", keep_audio=True)
    (folder / "a.flac").unlink()
    monkeypatch.setattr(kernel, "VERSION", kernel.VERSION + 1)  # as if anchors were others now
    with open_writer(db) as writer:
        analysis_id, filled = ensure_fingerprints(writer)
    assert (filled.n_wanted, filled.n_done, filled.gone) == (1, 1, [])
    first, second = sorted(rows(db, "fingerprints"), key=lambda r: r["analysis_id"] == analysis_id)
    assert first["analysis_id"] != analysis_id and first["code"] == second["code"]


def test_a_file_that_is_gone_or_changed_is_told_in_a_sentence(tmp_path: Path) -> None:
    folder, db = tmp_path / "corpus", tmp_path / "a.motifdb"
    for i, name in enumerate(("gone.flac", "other.flac", "here.flac", "broken.flac")):
        write(folder / name, voice(0.5, seed=i))
    (folder / "copy.flac").write_bytes((folder / "here.flac").read_bytes())
    run(db, folder, until="files")
    by_path = ids(db)
    (folder / "gone.flac").unlink()
    (folder / "here.flac").unlink()
    write(folder / "other.flac", voice(0.5, seed=9))
    with open_writer(db) as writer:
        filled = ensure_audio(writer, engine="inline")
    assert (filled.n_wanted, filled.n_done) == (4, 2)
    assert filled.gone == ["gone.flac"] and filled.changed == ["other.flac"]
    gone, changed = filled.sentences
    assert "gone.flac" in gone and "motifdb relocate" in gone and "\n" not in gone
    assert "other.flac" in changed and "motifdb ingest" in changed
    assert set(by_path.values()) - {r["recording_id"] for r in rows(db, "audio")} == {
        by_path["gone.flac"],
        by_path["other.flac"],
    }


def test_a_stop_keeps_what_was_whole_and_the_rest_follows(
    corpus: Path, expected: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    db = tmp_path / "a.motifdb"
    run(db, corpus, until="files")
    monkeypatch.setattr(keep_audio, "UNIT_S", 0.1)  # one recording a unit

    class Stops(Quiet):
        def done(self, n_done: int, n_bytes: int, duration_s: float) -> None:
            if n_done == 2:
                raise KeyboardInterrupt

    with open_writer(db) as writer, pytest.raises(KeyboardInterrupt):
        ensure_audio(writer, progress=Stops(), engine="inline")
    assert len(rows(db, "audio")) == 2
    with open_writer(db) as writer:
        assert ensure_audio(writer, engine="inline").n_done == 3
    assert prints(db) == expected


def test_sound_goes_with_its_recording(corpus: Path, tmp_path: Path) -> None:
    folder, db = tmp_path / "corpus", tmp_path / "a.motifdb"
    write(folder / "a.flac", voice(0.5))
    write(folder / "b.flac", voice(0.6))
    run(db, folder, until="files", keep_audio=True)
    write(folder / "a.flac", voice(0.7))
    os.utime(folder / "a.flac", ns=(1, 1))
    (folder / "b.flac").unlink()
    run(db, folder, until="files", keep_audio=True, prune=True)
    (left,) = rows(db, "audio")
    assert np.array_equal(np.frombuffer(left["pcm"], "<i2"), voice(0.7))
    assert len(rows(db, "fingerprints")) == 1


def test_the_channel_is_that_of_the_ingest(tmp_path: Path) -> None:
    left, right = voice(0.5, seed=1), voice(0.5, seed=2)
    (tmp_path / "corpus").mkdir()
    soundfile.write(tmp_path / "corpus" / "a.wav", np.stack([left, right], axis=1), RATE_HZ)
    config = replace(FINE, pitch=PitchConfig(tracker="yin", channel="right"))
    for name, options in (("a", {"keep_audio": True}), ("b", {})):
        db = tmp_path / f"{name}.motifdb"
        run(db, tmp_path / "corpus", until="pitch", config=config, **options)
    with open_writer(tmp_path / "b.motifdb") as writer:
        ensure_audio(writer, engine="inline")
    for name in "ab":
        (row,) = rows(tmp_path / f"{name}.motifdb", "audio")
        assert np.array_equal(np.frombuffer(row["pcm"], "<i2"), right)
    assert prints(tmp_path / "a.motifdb") == prints(tmp_path / "b.motifdb")


def test_a_database_without_recordings_lacks_nothing(tmp_path: Path) -> None:
    create(tmp_path / "a.motifdb")
    with open_writer(tmp_path / "a.motifdb") as writer:
        assert ensure_audio(writer) == Filled()
    assert open_snapshot(tmp_path / "a.motifdb").count("audio") == 0
