"""Figures of vectors are kept beside them: once, replaced where they change."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from motifdb.catalog.store import Changes, create, open_snapshot, open_writer
from motifdb.errors import NotFoundError, UsageError
from motifdb.pipelines.analyses import Analysis
from motifdb.schemas import TABLES
from motifdb.training.scores.figures import Figure, store_figures, stored_figures

VECTORS = Analysis("loudness", "embeddings", None, {"model": "loudness", "target": "clip"}, 1)
FIGURES = [
    Figure("singer, leave one out", "knn_1", 0.5, 0.25, 0.75, 0.1, 40, {"seed": 0}),
    Figure("singer, leave one out", "knn_7", None, about={"seed": 0}),
    Figure("singer's pairs", "eer", 0.3, None, None, 0.5, 100, {"seed": 0}),
]


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "f.motifdb"
    create(path)
    with open_writer(path) as writer:
        rows = TABLES["analyses"].table([VECTORS.row()])
        writer.commit(Changes(append={"analyses": rows}), token="analysis", message="vectors")
    return path


def test_figures_come_back_and_are_stored_once(database: Path) -> None:
    assert store_figures(database, VECTORS.id, FIGURES) == 3
    found = stored_figures(open_snapshot(database), VECTORS.id)
    assert found == sorted(FIGURES, key=lambda f: (f.protocol, f.metric))
    assert found[-1].about == {"seed": 0}
    before = open_snapshot(database).commit
    assert store_figures(database, VECTORS.id, FIGURES) == 0
    assert open_snapshot(database).commit == before


def test_a_figure_computed_anew_replaces_its_own_row_alone(database: Path) -> None:
    store_figures(database, VECTORS.id, FIGURES)
    better = replace(FIGURES[2], value=0.2)
    assert store_figures(database, VECTORS.id, [FIGURES[0], better]) == 1
    found = {(f.protocol, f.metric): f.value for f in stored_figures(open_snapshot(database), VECTORS.id)}
    assert found[better.protocol, "eer"] == 0.2 and found[FIGURES[0].protocol, "knn_1"] == 0.5
    assert len(found) == 3
    # and back again: the same rows at another commit are another change
    assert store_figures(database, VECTORS.id, FIGURES) == 1


def test_figures_of_no_vectors_and_of_one_name_are_refused(database: Path) -> None:
    with pytest.raises(NotFoundError, match=r"no vectors 'nothing'.*motifdb embed"):
        store_figures(database, "nothing", FIGURES)
    with pytest.raises(UsageError, match="same protocol and metric"):
        store_figures(database, VECTORS.id, [FIGURES[0], FIGURES[0]])
