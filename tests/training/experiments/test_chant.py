"""Chant: pitch of spans from the tables, and what the table makes of stored runs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from motifdb.catalog.store import open_snapshot
from motifdb.errors import NotFoundError
from motifdb.training.experiments.chant import (
    CONTOUR,
    FORMAT,
    KINDS,
    ChantReport,
    chant_long,
    chant_rows,
    clip_contours,
)
from motifdb.training.experiments.contour_features import STATISTICS, contour_statistics
from motifdb.training.experiments.measured import Measured
from motifdb.training.scores.metrics import Score
from tests.pipelines.small import HOP_S, run, write_f0


def measured(model: str, fold: int, accuracy: float, front_end: str | None = None) -> Measured:
    scores = {"accuracy": Score(accuracy), "f1": Score(accuracy / 2)}
    return Measured(
        "voice, by work", "cell", model, front_end, fold, 0, scores, {}, {"train": 9, "test": 3}, None, None, None, 0.0, "r"
    )  # fmt: skip


def test_pitch_of_a_span_is_that_of_the_stored_track(tmp_path: Path) -> None:
    wave = 220.0 * 2 ** (np.sin(np.arange(300) / 9) / 12)
    write_f0(tmp_path / "songs" / "a.csv", wave)
    run(tmp_path / "a.motifdb", tmp_path / "songs", until="pitch")
    snapshot = open_snapshot(tmp_path / "a.motifdb")
    recording = snapshot.table("recordings", ["recording_id"]).column(0)[0].as_py()
    found = clip_contours(snapshot, [recording] * 2, np.array([0.5, 1.0]), np.array([1.5, 2.0]))
    assert found.shape == (2, len(STATISTICS))
    stored = np.round(wave, 3)[50:150]
    assert np.allclose(found[0], contour_statistics(stored, HOP_S), rtol=1e-3, atol=0.05)
    with pytest.raises(NotFoundError, match="1 recordings have no pitch"):
        clip_contours(snapshot, ["nobody"], np.array([0.0]), np.array([1.0]))


def test_the_gain_of_motif_clips_is_taken_fold_by_fold() -> None:
    question = "voice, by work"
    report = ChantReport([question], {(question, kind): [] for kind in KINDS})
    for fold, (motif, random) in enumerate([(0.5, 0.4), (0.9, 0.6)]):
        report.measured[question, "motif"].append(measured("logistic", fold, motif, "log-mel"))
        report.measured[question, "random"].append(measured("logistic", fold, random, "log-mel"))
    report.measured[question, "motif"].append(measured(FORMAT, 0, 0.25))
    report.measured[question, "motif"].append(measured("my-network", 0, 0.75, "log-mel"))
    rows = {(row["model"], row["hears"]): row for row in chant_rows(report)}
    row = rows["logistic", "log-mel"]
    assert row["gain"] == "+20.0 ±10.0" and row["motif"] == ".700 ±.200" and row["disjoint"] == "-"
    assert rows["file format", "-"]["motif"] == ".250" and rows["my-network", "log-mel"]["gain"] == "-"
    assert rows["logistic", "f0"]["motif"] == "-" and CONTOUR != "f0"
    assert len(chant_long(report)) == 2 * 6
