"""Generated statements give the same rows as native DuckDB tables, from stored tables and from copies of them.

benchmarks/filters.py asks 20,000 of the same kind.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from motifdb.catalog.store import Snapshot, open_snapshot
from motifdb.query.cache import build, keys
from motifdb.query.sql import Session
from tests.query.filters import NAMES, Question, compared, difference, random_database, random_question

N_QUESTIONS = 80
Sides = tuple[Snapshot, duckdb.DuckDBPyConnection]


@pytest.fixture(scope="module")
def sides(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sides]:
    path = tmp_path_factory.mktemp("filters") / "random.motifdb"
    native = random_database(path, random.Random(10))
    yield open_snapshot(path), native
    native.close()


def test_stored_tables_answer_like_native_ones(sides: Sides) -> None:
    snapshot, native = sides
    session = Session(snapshot, threads=1)
    rng = random.Random(20)
    n_rows = 0
    for _ in range(N_QUESTIONS):
        question = random_question(rng)
        assert compared(session, native, question)[0] == "", question.text
        n_rows += len(native.sql(question.text).fetchall())
    session.close()
    assert n_rows > 10 * N_QUESTIONS, "the questions are about something"


def test_copies_answer_like_native_tables(
    sides: Sides, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot, native = sides
    monkeypatch.setenv("MOTIFDB_CACHE", str(tmp_path))
    monkeypatch.setattr(keys, "LEAST_ROWS", 0)
    assert sorted(build.build(snapshot, NAMES)) == sorted(NAMES)
    session = Session(snapshot, threads=1, copies=True)
    rng = random.Random(30)
    for _ in range(N_QUESTIONS):
        question = random_question(rng)
        assert compared(session, native, question)[0] == "", question.text
    assert session._copies is not None and set(session._copies.attached) == set(NAMES)
    session.close()


def test_a_difference_would_be_seen() -> None:
    """What the two tests above rest on."""

    def of(*values: float | None) -> pa.Table:
        return pa.table({"x": pa.array(values, pa.float64())})

    question, ordered = Question("q"), Question("q", is_ordered=True)
    limited = Question("q limit 1", whole="q")
    nan, whole = float("nan"), of(1, 2)
    assert difference(question, of(nan, None, 0.0), of(-0.0, nan, None), None) == ""
    assert difference(question, of(1, 2), of(1, 3), None) != ""
    assert difference(question, of(1), of(1, 1), None) != ""
    assert difference(question, of(None), of(nan), None) != ""
    assert difference(ordered, of(1, 2), of(2, 1), None) != ""
    assert difference(limited, of(2), of(1), whole) == ""
    assert difference(limited, of(3), of(1), whole) != ""
    assert difference(limited, of(1, 1), of(1, 2), whole) != ""
