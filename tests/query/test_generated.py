"""The database that speed is measured on is a real one: `benchmarks/occurrences.py` at a small size."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from motifdb.catalog.store import open_snapshot
from motifdb.query.check import check
from motifdb.query.fingerprint import fingerprint


def generator() -> ModuleType:
    path = Path(__file__).resolve().parents[2] / "benchmarks" / "occurrences.py"
    spec = importlib.util.spec_from_file_location("occurrences", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_generated_database_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = generator()
    monkeypatch.setattr(made, "NOTES", 100)
    prints = []
    for number in (1, 2):
        path = tmp_path / f"{number}.motifdb"
        n_songs = made.make(path, 250, seed=3)
        snapshot = open_snapshot(path)
        assert snapshot.count("occurrences") >= 250 and snapshot.count("recordings") == n_songs > 1
        assert snapshot.count("pattern_counts") > snapshot.count("motifs") > 0
        prints.append(fingerprint(snapshot))
    assert [str(v) for v in check(snapshot)] == []
    assert prints[0] == prints[1], "the same arguments give the same rows"
