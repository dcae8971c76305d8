"""The nearest by comparing all, against the definition."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from motifdb.errors import DatabaseError
from motifdb.query.vectors.exact import METRICS, Metric, nearest_of
from motifdb.query.vectors.read import ROW_COLUMNS
from tests.reference import nearest as plain

NUMBERS = st.floats(-50, 50, width=32).map(lambda v: 0.0 if abs(v) < 1e-6 else v)


def batches(vectors: dict[str, list[float]], n_rows: int) -> list[pa.RecordBatch]:
    """Rows as they are stored, some at a time."""
    names = list(vectors)
    made = []
    for begin in range(0, len(names), n_rows):
        some = names[begin : begin + n_rows]
        columns = {
            c: pa.array([0.0] * len(some)) if c in ("start_s", "end_s") else pa.array(some)
            for c in ROW_COLUMNS
        }
        columns["vector"] = pa.array([vectors[name] for name in some], pa.list_(pa.float32()))
        made.append(pa.RecordBatch.from_pydict(columns))
    return made


@settings(max_examples=60)
@given(
    rows=st.lists(st.lists(NUMBERS, min_size=3, max_size=3), min_size=1, max_size=30),
    queries=st.lists(st.lists(NUMBERS, min_size=3, max_size=3), min_size=1, max_size=3),
    n=st.integers(1, 12),
    n_rows=st.integers(1, 12),
    metric=st.sampled_from(METRICS),
)
def test_nearest_are_those_of_the_definition(
    rows: list[list[float]], queries: list[list[float]], n: int, n_rows: int, metric: Metric
) -> None:
    vectors = {f"v{i:02}": row for i, row in enumerate(rows)}
    found = nearest_of(batches(vectors, n_rows), np.array(queries, np.float32), n, metric=metric)
    for i, query in enumerate(queries):
        mine = found.filter(pa.array(found.column("query").to_numpy() == i))
        wanted = plain.nearest(query, dict(vectors), n, metric)
        distances = mine.column("distance").to_pylist()
        assert distances == pytest.approx([d for d, _ in wanted], abs=1e-9)
        assert distances == sorted(distances)
        for name, distance in zip(mine.column("embedding_id").to_pylist(), distances, strict=True):
            assert distance == pytest.approx(plain.distance(query, vectors[name], metric), abs=1e-9)


def test_ties_go_to_the_smaller_id_whatever_the_order() -> None:
    vectors = {name: [1.0, 1.0] for name in ("d", "a", "c", "b")} | {"z": [1.0, 0.0]}
    found = nearest_of(batches(vectors, 2), np.array([[2.0, 2.0]], np.float32), 3)
    assert found.column("embedding_id").to_pylist() == ["a", "b", "c"]


def test_only_what_is_allowed_counts() -> None:
    vectors = {f"v{i}": [float(i), 1.0] for i in range(9)}
    allowed = pa.array(["v7", "v2", "nowhere"])
    found = nearest_of(
        batches(vectors, 4), np.array([[0.0, 1.0]], np.float32), 5, metric="euclidean", allowed=allowed
    )
    assert found.column("embedding_id").to_pylist() == ["v2", "v7"]


def test_sizes_that_differ_are_damage() -> None:
    with pytest.raises(DatabaseError, match="several sizes"):
        nearest_of(
            batches({"a": [1.0, 2.0], "b": [1.0]}, 5), np.array([[1.0, 2.0]], np.float32), 1, name="odd"
        )


def test_a_vector_of_zeros_is_at_distance_one() -> None:
    found = nearest_of(
        batches({"zero": [0.0, 0.0], "off": [0.0, -1.0]}, 5), np.array([[0.0, 3.0]], np.float32), 2
    )
    assert found.column("distance").to_pylist() == [1.0, 2.0]


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_angles_do_not_depend_on_lengths(scale: float) -> None:
    vectors = {"along": [scale, scale], "across": [scale, -scale]}
    found = nearest_of(batches(vectors, 5), np.array([[1.0, 1.0]], np.float32), 2)
    assert found.column("embedding_id").to_pylist() == ["along", "across"]
    assert found.column("distance").to_pylist() == pytest.approx([0.0, 1.0], abs=1e-6)
