"""`motifdb neighbours`: figures that a loop over all pairs gives too, kept once, and what cannot be asked."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from typer.testing import CliRunner

import motifdb
from motifdb.cli import app
from motifdb.errors import MotifdbError
from motifdb.query.check import check
from motifdb.training.scores.judged import Question, judge

run = CliRunner()


def test_figures_are_those_of_a_plain_loop(vectors_db: Path) -> None:
    with motifdb.open(str(vectors_db)) as db:
        judged = judge(db, "made clips", Question(("style",), other="none", ks=(1,), n_pairs=0))
        found = db.embeddings("made clips")
    style = found.rows.column("style").to_pylist()
    assert judged.values["style"] == style and judged.distance == "cosine"
    unit = found.matrix / np.linalg.norm(found.matrix, axis=1, keepdims=True)
    right = 0
    for i in range(len(unit)):
        others = [
            (1 - float(unit[i].astype(float) @ unit[j].astype(float)), j) for j in range(len(unit)) if j != i
        ]
        right += style[min(others)[1]] == style[i]
    [knn] = [f for f in judged.figures if f.metric == "knn_1"]
    assert knn.value == right / len(unit) and knn.n == len(unit)
    assert knn.chance is not None and knn.chance < 0.6 < right / len(unit)
    assert knn.about["label"] == "style" and knn.about["other"] is None


def test_figures_are_kept_once_and_hold(copied: Callable[[], Path], tmp_path: Path) -> None:
    path = copied()
    asked = [
        "neighbours",
        "made clips",
        "--label",
        "style",
        "--other",
        "none",
        "--k",
        "3",
        "--pairs",
        "40",
        "--db",
        str(path),
    ]
    first = run.invoke(app, [*asked, "--format", "json", "--picture", str(tmp_path / "voices.svg")])
    assert first.exit_code == 0, first.output
    assert {row["metric"] for row in json.loads(first.stdout)} >= {"knn_3", "map", "eer"}
    assert "figures are stored" in first.stderr and (tmp_path / "voices.svg").read_text().startswith("<?xml")
    assert "are stored" not in run.invoke(app, asked).stdout
    with motifdb.open(str(path)) as db:
        stored = db.sql("select metric, value from vector_scores where metric = 'knn_3'").arrow().to_pylist()
        assert stored == [{"metric": "knn_3", "value": 1.0}]
        assert not [v for v in check(db.snapshot) if v.table == "embedding_metrics"]


def test_what_cannot_be_asked_is_a_sentence(vectors_db: Path) -> None:
    def said(*arguments: str) -> str:
        done = run.invoke(app, ["neighbours", *arguments, "--db", str(vectors_db), "--no-store"])
        assert isinstance(done.exception, MotifdbError) and not done.stdout
        return str(done.exception)

    assert "did you mean 'style'" in said("made clips", "--label", "styl")
    assert "made clips" in said("maid clips")
    assert "need two at least" in said("made", "--label", "decade")  # one recording has one
