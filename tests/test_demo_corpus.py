"""The demo corpus is what it says it is, and the score by which it is used is what it says it is."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import pytest
import soundfile

from motifdb.errors import UsageError
from motifdb.pipelines.demo_corpus import (
    DemoTruth,
    PlantedRendition,
    Span,
    make_demo_corpus,
    read_truth,
    score_planted,
)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> DemoTruth:
    return make_demo_corpus(tmp_path_factory.mktemp("demo"), n_singers=2, n_songs=2)


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def read_f0(path: Path) -> tuple[np.ndarray, np.ndarray]:
    rows = np.loadtxt(path, delimiter=",", skiprows=1)
    return rows[:, 0], rows[:, 1]


def test_every_file_of_the_manifest_is_there_and_sounds(corpus: DemoTruth) -> None:
    rows = read_csv(corpus.manifest)
    assert [r["path"] for r in rows] == list(corpus.paths)
    assert {r["singer"] for r in rows} == {"soprano", "alto"}
    assert len({(r["singer"], r["title"]) for r in rows}) == 4
    total_s = 0.0
    for row in rows:
        sound, rate_hz = soundfile.read(corpus.folder / row["path"])
        assert 0.7 < np.abs(sound).max() <= 0.81
        times_s, _ = read_f0(corpus.folder / row["f0"])
        assert times_s[-1] == pytest.approx(len(sound) / rate_hz, abs=0.02)
        total_s += len(sound) / rate_hz
    assert corpus.duration_s == pytest.approx(total_s)


def test_formats_are_mixed(corpus: DemoTruth) -> None:
    infos = [soundfile.info(corpus.folder / p) for p in corpus.paths]
    assert {i.format for i in infos} == {"WAV", "FLAC"}
    assert {i.samplerate for i in infos} == {22050, 44100}
    assert {i.channels for i in infos} == {1, 2}


def test_every_motif_is_sung_as_often_as_asked(corpus: DemoTruth) -> None:
    assert read_truth(corpus.folder) == corpus.renditions
    planted: dict[tuple[str, str], list[PlantedRendition]] = {}
    for r in corpus.renditions:
        planted.setdefault((r.path, r.motif), []).append(r)
    assert len(planted) == 2 * 2 * 2
    for renditions in planted.values():
        assert sorted(r.variation for r in renditions) == ["ornamented", "plain", "tempo", "transposed"]
        intervals = {tuple(np.diff(r.notes)) for r in renditions if r.variation != "ornamented"}
        assert len(intervals) == 1, "transposition and tempo must not change the intervals"
        assert all(4 <= abs(step) <= 7 for step in intervals.pop())
        assert all(2.1 <= r.end_s - r.start_s <= 4.8 for r in renditions)


def test_pitch_truth_holds_the_notes_of_the_truth(corpus: DemoTruth) -> None:
    f0_of = {r["path"]: r["f0"] for r in read_csv(corpus.manifest)}
    for r in corpus.renditions:
        if r.variation == "ornamented":
            continue
        times_s, f0_hz = read_f0(corpus.folder / f0_of[r.path])
        inside = (times_s >= r.start_s - 1e-6) & (times_s < r.end_s - 1e-6)
        notes = np.split(f0_hz[inside], np.flatnonzero(f0_hz[inside] == 0))
        levels = [float(np.median(1200 * np.log2(n[n > 0] / 440))) for n in notes if np.any(n > 0)]
        # Vibrato and drift stay well below half a semitone from note to note.
        np.testing.assert_allclose(np.diff(levels), 100.0 * np.diff(r.notes), atol=30.0)


def test_same_seed_same_bytes_and_one_singer_more_changes_nothing(corpus: DemoTruth, tmp_path: Path) -> None:
    again = make_demo_corpus(tmp_path / "again", n_singers=1, n_songs=2)
    other = make_demo_corpus(tmp_path / "other", n_singers=1, n_songs=1, seed=2)
    for path in again.paths:
        assert (again.folder / path).read_bytes() == (corpus.folder / path).read_bytes()
    assert (other.folder / other.paths[0]).read_bytes() != (again.folder / again.paths[0]).read_bytes()


def test_more_singers_than_kinds_of_voice_have_names_of_their_own(tmp_path: Path) -> None:
    corpus = make_demo_corpus(tmp_path, n_singers=5, n_songs=1, n_motifs=1, n_renditions=3)
    assert len({r["singer"] for r in read_csv(corpus.manifest)}) == 5


def test_bad_arguments_and_folders_with_other_things_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="at least 1 of singers, got 0"):
        make_demo_corpus(tmp_path, n_singers=0)
    with pytest.raises(UsageError, match="noise must be 0 or more"):
        make_demo_corpus(tmp_path, noise=-1.0)
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(UsageError, match="is no demo corpus"):
        make_demo_corpus(tmp_path)
    with pytest.raises(UsageError, match=r"holds no truth\.csv"):
        read_truth(tmp_path)


def rendition(motif: str, start_s: float, path: str = "a.wav") -> PlantedRendition:
    return PlantedRendition(path, motif, "plain", start_s, start_s + 2.0, (0, 3))


TRUTH = [rendition("m", t) for t in (0.0, 10.0, 20.0)] + [rendition("n", t) for t in (30.0, 40.0, 50.0)]


def test_a_motif_is_found_when_one_group_covers_half_of_three_renditions() -> None:
    found = {"x": [Span("a.wav", t + 1.0, t + 2.5) for t in (0.0, 10.0, 20.0)]}
    assert score_planted(TRUTH, found) == (0.5, 1.0)


def test_two_groups_do_not_find_a_motif_together() -> None:
    found = {"x": [Span("a.wav", 0.0, 2.0), Span("a.wav", 10.0, 12.0)], "y": [Span("a.wav", 20.0, 22.0)]}
    assert score_planted(TRUTH, found) == (0.0, 1.0)


def test_overlapping_spans_cover_once_and_other_songs_do_not_count() -> None:
    twice = [Span("a.wav", t, t + 0.9) for t in (0.0, 10.0, 20.0) for _ in range(2)]
    elsewhere = [Span("b.wav", t, t + 2.0) for t in (30.0, 40.0, 50.0)]
    assert score_planted(TRUTH, {"x": twice, "y": elsewhere}) == (0.0, 0.5)


def test_spans_beside_the_renditions_cost_precision() -> None:
    beside = [Span("a.wav", 3.0, 5.0), Span("a.wav", 13.0, 15.0), Span("a.wav", 0.0, 2.0)]
    good = [Span("a.wav", t, t + 2.0) for t in (30.0, 40.0, 50.0)]
    assert score_planted(TRUTH, {"x": beside, "y": good}) == (0.5, 0.5)


def test_nothing_found_has_recall_zero_and_no_precision() -> None:
    score = score_planted(TRUTH, {})
    assert score.recall == 0.0 and math.isnan(score.precision)
