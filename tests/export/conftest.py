"""One database for all tests of exports, and what is in it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from motifdb.export.gather import Source, Wanted
from motifdb.export.rows import Recording
from motifdb.query.database import Database
from tests.export.corpus import corpus_rows, corpus_tables
from tests.query.conftest import make_database
from tests.query.example import RECORDING


@pytest.fixture(scope="session")
def rows() -> dict[str, list[dict[str, Any]]]:
    return corpus_rows()


@pytest.fixture(scope="session")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    path = make_database(tmp_path_factory.mktemp("export") / "songs.motifdb", corpus_tables())
    with Database(path) as opened:
        yield opened


@pytest.fixture(scope="session")
def amina(database: Database) -> Recording:
    """A recording with overlapping places, read with everything."""
    (recording,) = Source(database, Wanted(recording=RECORDING["amina"], analysis="gap 0")).recordings()
    return recording


@pytest.fixture(scope="session")
def silence(database: Database) -> Recording:
    """A recording with pitch and nothing else."""
    (recording,) = Source(database, Wanted(recording="silence", analysis="gap 0")).recordings()
    return recording
