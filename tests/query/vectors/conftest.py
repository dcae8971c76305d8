"""The database of vectors, once per test session, and copies of it that a test may change."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from motifdb.catalog.store import Snapshot, open_snapshot
from motifdb.query.sql import Session
from motifdb.query.vectors.index import build_index
from tests.query.vectors.made import make_vectors


@pytest.fixture(scope="session")
def vectors_db(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = make_vectors(tmp_path_factory.mktemp("vectors") / "v.motifdb")
    build_index(open_snapshot(path), "made clips")
    return path


@pytest.fixture(scope="session")
def vectors(vectors_db: Path) -> Snapshot:
    return open_snapshot(vectors_db)


@pytest.fixture(scope="session")
def asking(vectors: Snapshot) -> Iterator[Session]:
    made = Session(vectors)
    yield made
    made.close()


@pytest.fixture
def copied(vectors_db: Path, tmp_path: Path) -> Callable[[], Path]:
    """A copy of the database, with its index."""

    def copy() -> Path:
        return Path(shutil.copytree(vectors_db, tmp_path / "copy.motifdb"))

    return copy
