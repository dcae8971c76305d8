"""The example database, on disk, once per test session."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from motifdb.catalog.store import Changes, Snapshot, create, open_snapshot, open_writer
from motifdb.query.sql import Session
from tests.query.example import example_tables
from tests.query.songbook import make_songbook


def make_database(path: Path, tables: dict[str, pa.Table]) -> Path:
    """A database that holds these tables as commit 1."""
    create(path)
    with open_writer(path) as writer:
        writer.commit(Changes(append=tables), token="example", message="add the example")
    return path


@pytest.fixture(scope="session")
def example_db(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_database(tmp_path_factory.mktemp("example") / "songs.motifdb", example_tables())


@pytest.fixture(scope="session")
def example(example_db: Path) -> Snapshot:
    return open_snapshot(example_db)


@pytest.fixture(scope="session")
def session(example: Snapshot) -> Iterator[Session]:
    made = Session(example)
    yield made
    made.close()


@pytest.fixture(scope="session")
def songbook_db(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_songbook(tmp_path_factory.mktemp("songbook"))
