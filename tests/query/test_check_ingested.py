"""What an ingest made is right at every commit, and what is then broken in it is seen."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from motifdb.catalog.store import Changes, open_snapshot, open_writer
from motifdb.config import MiningConfig
from motifdb.query.check import check
from motifdb.schemas import TABLES
from tests.pipelines.small import FINE, make_f0_corpus, run, violations


@pytest.fixture(scope="module")
def ingested(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four tracks in commits of two, mined without and with gaps, one of them forgotten in the end."""
    folder = tmp_path_factory.mktemp("ingested")
    corpus, db = make_f0_corpus(folder / "corpus", n=4), folder / "x.motifdb"
    run(db, corpus, metadata=corpus / "manifest.csv", commit_every=2)
    run(
        db,
        corpus,
        config=replace(FINE, mining=MiningConfig(max_gap=1, support="sequences", min_length=4, max_length=5)),
    )
    (corpus / "b" / "01.csv").unlink()
    run(db, corpus, prune=True)
    return db


def test_every_commit_is_right(ingested: Path) -> None:
    head = open_snapshot(ingested).commit
    assert head >= 5
    for at in range(head + 1):
        assert [str(v) for v in check(open_snapshot(ingested, at=at))] == [], f"commit {at}"


def test_missing_counts_are_seen(ingested: Path, tmp_path: Path) -> None:
    """The stamp that ingest leaves says that its counts are complete, so a row that is gone is missed."""
    db = tmp_path / "x.motifdb"
    shutil.copytree(ingested, db)
    row = open_snapshot(db).table("pattern_counts").slice(0, 1).to_pylist()[0]
    where = " and ".join(f"{name} = '{row[name]}'" for name in TABLES["pattern_counts"].key)
    with open_writer(db) as writer:
        writer.commit(Changes(delete={"pattern_counts": where}), token="x", message="forget one")
    found = violations(db)
    assert len(found) == 2
    assert any("but there is no row [pattern_counts]" in v and row["pattern_id"] in v for v in found)
    assert any(v.startswith("coverage: ") for v in found)
