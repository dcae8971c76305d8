"""From sound to motifs, against what was planted.

Recall and precision are those of `score_planted`: a planted motif is found when one mined motif's occurrences cover
at least half of each of at least three of its renditions in a song.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import soundfile

from motifdb.config import Config, preset
from motifdb.pipelines.demo_corpus import (
    DemoTruth,
    PlantedRendition,
    PlantedScore,
    Span,
    make_demo_corpus,
    score_planted,
)
from motifdb.pipelines.inputs.resample import resampled
from motifdb.pipelines.records import PitchTrack
from motifdb.pipelines.stages import mine_recordings, pitch_rows, quantise
from motifdb.pipelines.trackers import get_tracker

LEAST_PRECISION = {"default": 0.8, "style-2021": 0.5}  # short patterns of fine steps recur by chance
TRACKERS = ("swift-f0", "yin", "truth")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> DemoTruth:
    return make_demo_corpus(tmp_path_factory.mktemp("planted"), n_singers=4, n_songs=1)


@pytest.fixture(scope="module")
def pitch(corpus: DemoTruth) -> dict[str, pa.Table]:
    """Rows of `pitch` by tracker; a song's path stands for its recording's id."""
    return {name: _pitch(corpus, name) for name in TRACKERS}


@pytest.fixture(scope="module")
def noisy(tmp_path_factory: pytest.TempPathFactory) -> tuple[DemoTruth, pa.Table]:
    """Songs with two and a half times the breath, drift and jitter, and their pitch."""
    corpus = make_demo_corpus(tmp_path_factory.mktemp("noisy"), n_singers=4, n_songs=1, noise=2.5)
    return corpus, _pitch(corpus, "swift-f0")


def _pitch(corpus: DemoTruth, tracker: str) -> pa.Table:
    return pa.concat_tables(
        [pitch_rows(path, tracker, _track(corpus.folder, path, tracker)) for path in corpus.paths]
    )


def _track(folder: Path, path: str, name: str) -> PitchTrack:
    if name == "truth":
        rows = np.loadtxt(folder / "f0" / f"{Path(path).stem}.f0.csv", delimiter=",", skiprows=1)
        return PitchTrack(rows[:, 1].astype(np.float32), np.zeros(0, np.float32), 0.01)
    tracker = get_tracker(name)
    sound, rate_hz = soundfile.read(folder / path, dtype="float32", always_2d=True)
    blocks = resampled(iter([sound.mean(axis=1)]), rate_hz, tracker.sample_rate_hz)
    (track,) = tracker.track([blocks])
    return track


def _contours(pitch: pa.Table, config: Config) -> pa.Table:
    return quantise(pitch, config=config.contour, analysis_id="contours")[0]


def _score(contours: pa.Table, config: Config, corpus: DemoTruth) -> PlantedScore:
    _, occurrences, _ = mine_recordings(
        contours, config=config.mining, vocabulary=config.contour.vocabulary, analysis_id="mining"
    )
    found: dict[str, list[Span]] = {}
    for row in occurrences.to_pylist():
        found.setdefault(row["motif_id"], []).append(Span(row["recording_id"], row["start_s"], row["end_s"]))
    return score_planted(corpus.renditions, found)


@pytest.mark.parametrize("name", LEAST_PRECISION)
@pytest.mark.parametrize("tracker", TRACKERS)
def test_planted_motifs_are_found(
    corpus: DemoTruth, pitch: dict[str, pa.Table], tracker: str, name: str
) -> None:
    config = preset(name)
    score = _score(_contours(pitch[tracker], config), config, corpus)
    assert score.recall == 1.0, score
    assert score.precision >= LEAST_PRECISION[name], score


@pytest.mark.parametrize("name", LEAST_PRECISION)
def test_every_contour_that_survives_noise_is_found(noisy: tuple[DemoTruth, pa.Table], name: str) -> None:
    """Noise breaks some contours; the miner finds every one that it does not."""
    config = preset(name)
    corpus, pitch = noisy
    contours = _contours(pitch, config)
    survivors = [r for group in _planted(corpus) for r in _surviving(group, contours)]
    assert len(survivors) >= 9, "or this test says little"
    score = _score(contours, config, replace(corpus, renditions=tuple(survivors)))
    assert score.recall == 1.0


def _planted(corpus: DemoTruth) -> Iterator[list[PlantedRendition]]:
    groups: dict[tuple[str, str], list[PlantedRendition]] = {}
    for r in corpus.renditions:
        groups.setdefault((r.path, r.motif), []).append(r)
    yield from groups.values()


def _surviving(renditions: list[PlantedRendition], contours: pa.Table) -> list[PlantedRendition]:
    """Renditions with the most common contour, where at least three have it and it spans half of each."""
    written = {r: _inside(r, contours) for r in renditions}
    (symbols, n), *_ = Counter(written.values()).most_common(1)
    return [r for r in renditions if written[r] == symbols] if n >= 3 and symbols else []


def _inside(rendition: PlantedRendition, contours: pa.Table) -> tuple[int, ...]:
    """Symbols between the segments that have most of themselves inside a rendition; () where they span too little."""
    for row in contours.to_pylist():
        if row["recording_id"] != rendition.path:
            continue
        starts, ends = np.array(row["segment_start_s"]), np.array(row["segment_end_s"])
        middle = (starts + ends) / 2
        inside = np.flatnonzero((middle > rendition.start_s) & (middle < rendition.end_s))
        if inside.size >= 2:
            first, last = int(inside[0]), int(inside[-1])
            is_long = ends[last] - starts[first] >= 0.5 * (rendition.end_s - rendition.start_s)
            return tuple(row["symbols"][first:last]) if is_long else ()
    return ()
