"""Makam from contours: groups hold, a scale is recognised, and the words under the table follow from it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from motifdb.catalog.store import open_snapshot
from motifdb.errors import NotFoundError, UsageError
from motifdb.pipelines.progress import Quiet
from motifdb.training.experiments.contour_network import N_CHANNELS, contour_channels
from motifdb.training.experiments.makam import (
    MakamOptions,
    linked_groups,
    makam_long,
    makam_rows,
    read_corpus,
    run_makam,
)
from tests.pipelines.small import FINE, run, write_f0

SCALES = {"hicaz": [0, 1, 4, 5, 7], "rast": [0, 2, 4, 5, 7]}


def make_songs(folder: Path) -> Path:
    """Twelve songs of two scales by six singers, two of whom sing a duet; tonics differ."""
    rows = ["path,singer,style,work,tonic_hz"]
    for i in range(12):
        style = sorted(SCALES)[i % 2]
        rng = np.random.default_rng(i)
        tonic = 150.0 + 11 * i
        degrees = rng.choice(SCALES[style], 90)
        name = f"{i:02d}.csv"
        write_f0(folder / name, np.repeat(tonic * 2 ** (degrees / 12), 15))
        singer = "s1; s2" if i == 0 else f"s{1 + i % 6}"
        rows.append(f"{name},{singer},{style},,{tonic}")
    (folder / "manifest.csv").write_text("\n".join(rows) + "\n")
    return folder


@pytest.fixture(scope="module")
def songs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("makam")
    path = folder / "songs.motifdb"
    songs = make_songs(folder / "songs")
    run(path, songs, config=FINE, metadata=(songs / "manifest.csv",))
    return path


def test_who_sings_together_is_one_group(songs: Path) -> None:
    corpus = read_corpus(open_snapshot(songs), MakamOptions())
    assert corpus.classes == ("hicaz", "rast") and len(corpus.recording_id) == 12
    assert len(set(corpus.group)) == 5  # six singers, two of them joined by the duet
    assert (corpus.tonic_hz >= 150).all()


def test_groups_are_linked_through_others() -> None:
    shared = [{"x"}, {"y"}, set(), {"x", "y"}, {"z"}]
    assert linked_groups(list("abcde"), shared) == ("a", "a", "c", "a", "e")


def test_the_scale_is_heard_and_the_majority_knows_nothing(songs: Path) -> None:
    report = run_makam(open_snapshot(songs), MakamOptions(folds=3, draws=1), Quiet())
    accuracy = {(r.model, r.hears): r.scores["accuracy"].value for r in report.rows}
    assert accuracy["1-nn", "pitch classes over the tonic"] == 1.0
    assert (accuracy["majority", "nothing"] or 0) <= 0.6
    assert len(makam_rows(report)) == len(report.rows) and len(makam_long(report)) > 50
    assert "12 recordings, 2 values of style, 5 groups" in report.notes[0]


def test_what_cannot_be_is_said(songs: Path) -> None:
    with pytest.raises(NotFoundError, match="label 'moon'"):
        run_makam(open_snapshot(songs), MakamOptions(label="moon"), Quiet())
    with pytest.raises(UsageError, match="5 groups cannot fill 9 folds"):
        run_makam(open_snapshot(songs), MakamOptions(folds=9), Quiet())


def test_channels_of_a_contour_do_not_care_how_high_one_sings() -> None:
    wave = 220.0 * 2 ** (np.array([0, 2, 0, 5] * 40) / 12)
    wave[10:20] = 0
    low, high = contour_channels(wave, 0.04, None), contour_channels(wave * 1.3, 0.04, None)
    assert low.shape == (N_CHANNELS, 160) and np.allclose(low, high, atol=1e-5)
    assert not low[:, 10:20].any()
    assert not contour_channels(np.zeros(20), 0.04, 220.0).any()
