"""An experiment on a database without its labels says which corpus has them, and what to put where."""

from __future__ import annotations

from pathlib import Path

import pytest

from motifdb.catalog.store import create
from motifdb.errors import MotifdbError
from motifdb.pipelines.layouts import LAYOUTS
from motifdb.training.experiments.answer import Asked
from motifdb.training.experiments.corpora import NEEDS, corpus_missing
from motifdb.training.experiments.door import _ELSEWHERE, _OTHERS, run_experiment
from motifdb.training.experiments.published import TABLES
from tests.query.vectors.made import make_vectors


def test_every_experiment_has_corpora_that_are_known() -> None:
    assert set(NEEDS) == {*_OTHERS, *_ELSEWHERE, *TABLES}
    assert {name for needs in NEEDS.values() for name in needs.layouts} <= set(LAYOUTS)


@pytest.mark.parametrize("name", ["damp-2018-table1", "siamese-2018", "same-pattern", "makam"])
def test_an_empty_database_is_told_what_to_put_where(name: str, tmp_path: Path) -> None:
    path = tmp_path / "empty.motifdb"
    create(path)
    with pytest.raises(MotifdbError, match=f"motifdb ingest DIR --layout {NEEDS[name].layouts[0]}"):
        run_experiment(name, path, Asked(), lambda line: None)


def test_where_labels_are_nothing_is_added(tmp_path: Path) -> None:
    path = make_vectors(tmp_path / "v.motifdb")
    assert corpus_missing("siamese-2018", path) is None
    assert corpus_missing("siamese-2018", path, "city") is None
    assert "UrbanSound8K" in (corpus_missing("l3-2019", path) or "")
