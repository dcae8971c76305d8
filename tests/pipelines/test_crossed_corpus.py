"""The crossed corpus: a complete table of voices and songs, and nothing of one in the other."""

from __future__ import annotations

import csv
import dataclasses
from pathlib import Path

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from motifdb.cli import app
from motifdb.errors import UsageError
from motifdb.pipelines.crossed_corpus import (
    MIN_SONG_S,
    SAMPLE_RATE_HZ,
    make_crossed_corpus,
    make_singer,
    make_works,
    perform,
    sung_tonic_cents,
)
from motifdb.pipelines.demo_corpus import DemoTruth, read_truth


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> DemoTruth:
    return make_crossed_corpus(tmp_path_factory.mktemp("crossed"), n_singers=2, n_songs=2)


def manifest(corpus: DemoTruth) -> list[dict[str, str]]:
    with corpus.manifest.open(newline="", encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def test_every_voice_sings_every_song(corpus: DemoTruth) -> None:
    rows = manifest(corpus)
    assert {(r["singer"], r["work"]) for r in rows} == {
        (s, w) for s in ("soprano-1", "alto-1") for w in ("song-1", "song-2")
    }
    assert len(rows) == 4 and len({r["title"] for r in rows}) == 4
    for row in rows:
        info = soundfile.info(corpus.folder / row["path"])
        assert info.samplerate == SAMPLE_RATE_HZ and info.channels == 1
        assert info.duration >= MIN_SONG_S
        assert (corpus.folder / row["f0"]).is_file()


def test_the_motifs_of_a_song_are_the_same_in_every_voice_and_stand_in_its_pitch(corpus: DemoTruth) -> None:
    truth = read_truth(corpus.folder)
    assert truth == corpus.renditions
    of = {(r["singer"], r["work"]): r["path"] for r in manifest(corpus)}
    notes = {key: [(r.motif, r.notes) for r in truth if r.path == path] for key, path in of.items()}
    assert notes["soprano-1", "song-1"] == notes["alto-1", "song-1"]
    assert {m for m, _ in notes["soprano-1", "song-1"]}.isdisjoint(m for m, _ in notes["soprano-1", "song-2"])
    works = {w.name: w for w in make_works(2, 1)}
    for s, name in enumerate(("soprano-1", "alto-1")):
        singer = make_singer(s, 1)
        for work in works.values():
            path = of[name, work.name]
            f0 = np.loadtxt(corpus.folder / "f0" / f"{name}-{work.name}.f0.csv", delimiter=",", skiprows=1)
            for r in (r for r in truth if r.path == path and r.variation != "ornamented"):
                inside = f0[(f0[:, 0] >= r.start_s) & (f0[:, 0] < r.end_s) & (f0[:, 1] > 0), 1]
                heard = 12 * np.log2(np.median(inside) / 440) - sung_tonic_cents(singer, work) / 100
                assert min(r.notes) - 1 <= heard <= max(r.notes) + 1


def test_the_same_arguments_give_the_same_sound_and_another_singer_changes_nobody(corpus: DemoTruth) -> None:
    sound, _ = soundfile.read(corpus.folder / "alto-1" / "alto-1-song-2.flac")
    # of a larger table, one performance alone
    work = make_works(5, 1)[1]
    _, _, again = perform(make_singer(1, 1), work, 1.0, np.random.default_rng((1, 3, 1, 1)))
    np.testing.assert_allclose(sound, again, atol=2 / 32768)
    assert make_singer(1, 2) != make_singer(1, 1)


def test_voices_differ_in_every_trait() -> None:
    voices = [dataclasses.asdict(make_singer(s, 1).voice) for s in range(24)]
    assert len({make_singer(s, 1).name for s in range(24)}) == 24
    for trait in ("tonic_hz", "formant_scale", "vibrato_hz", "vibrato_cents", "drift_cents", "tilt"):
        values = sorted(v[trait] for v in voices)
        assert min(np.diff(values)) > 0, trait
    # six of a kind fill their range of tonics instead of falling together
    tonics = sorted(12 * np.log2(v["tonic_hz"] / voices[0]["tonic_hz"]) for v in voices[::4])
    assert 1.0 < tonics[-1] - tonics[0] <= 3.0


def test_a_song_has_one_key_in_the_octave_nearest_to_each_voice() -> None:
    singers, works = [make_singer(s, 1) for s in range(8)], make_works(6, 1)
    keys = sorted(w.key_cents for w in make_works(12, 1))
    assert len(set(keys)) == 12 and all(0 <= k < 1200 for k in keys)
    for work in works:
        tonics = [sung_tonic_cents(singer, work) for singer in singers]
        np.testing.assert_allclose(np.mod(tonics, 1200), work.key_cents, atol=1e-6)
        for singer, tonic in zip(singers, tonics, strict=True):
            assert abs(1200 * np.log2(singer.voice.tonic_hz / 440) - tonic) <= 600


def test_without_noise_a_singer_is_perfect() -> None:
    singer = make_singer(0, 1, noise=0.0)
    assert (singer.voice.drift_cents, singer.voice.jitter_cents, singer.voice.breath) == (0, 0, 0)


@pytest.mark.parametrize(
    ("options", "n_singers", "n_songs"), [((), 8, 6), (("--singers", "24", "--songs", "14"), 24, 14)]
)
def test_the_command_sings_eight_voices_by_six_songs_unless_told(
    options: tuple[str, ...],
    n_singers: int,
    n_songs: int,
    corpus: DemoTruth,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[tuple[object, ...]] = []

    def make(*arguments: object) -> DemoTruth:
        asked.append(arguments)
        return corpus

    monkeypatch.setattr("motifdb.pipelines.crossed_corpus.make_crossed_corpus", make)
    ran = CliRunner().invoke(app, ["demo-corpus", str(tmp_path / "c"), "--crossed", "--seed", "5", *options])
    assert ran.exit_code == 0 and f"{n_singers} voices × {n_songs} songs" in ran.output
    assert asked == [(tmp_path / "c", n_singers, n_songs, 5, 1.0)]


def test_what_cannot_be_crossed_is_refused(tmp_path: Path) -> None:
    for n_singers, n_songs, word in ((1, 3, "singers"), (3, 1, "songs")):
        with pytest.raises(UsageError, match=f"at least 2 {word}, got 1"):
            make_crossed_corpus(tmp_path / "c", n_singers, n_songs)
    with pytest.raises(UsageError, match="noise must be 0 or more"):
        make_crossed_corpus(tmp_path / "c", 2, 2, noise=-1)
    (tmp_path / "mine.txt").write_text("mine")
    ran = CliRunner().invoke(app, ["demo-corpus", str(tmp_path / "v"), "--crossed", "--videos", "3"])
    assert isinstance(ran.exception, UsageError) and "leave out --crossed" in str(ran.exception)
    assert not (tmp_path / "v").exists()
    ran = CliRunner().invoke(app, ["demo-corpus", str(tmp_path), "--crossed"])
    assert isinstance(ran.exception, UsageError) and "is no demo corpus" in str(ran.exception)
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]
