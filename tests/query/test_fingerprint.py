"""One fingerprint for one content, another for any other."""

from __future__ import annotations

import math
import random
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from motifdb.catalog.store import Changes, Snapshot, compact, create, open_snapshot, open_writer
from motifdb.kernels.row_hash import mix_column
from motifdb.query.fingerprint import _as_bytes, fingerprint
from motifdb.schemas import TABLES
from tests.query.conftest import make_database
from tests.query.example import example_rows, example_tables
from tests.reference.row_hash import ref_mix


@settings(deadline=None)  # the first call compiles
@given(
    st.lists(st.tuples(st.one_of(st.none(), st.binary(max_size=40)), st.integers(0, 2**64 - 1)), max_size=20),
    st.integers(0, 2**64 - 1),
)
def test_kernel_agrees_with_its_twin(rows: list[tuple[bytes | None, int]], seed: int) -> None:
    state = np.array([[s, s ^ 5] for _, s in rows], np.uint64).reshape(len(rows), 2)
    expected = [ref_mix((s, s ^ 5), value, seed) for value, s in rows]
    values = [b"" if value is None else value for value, _ in rows]
    offsets = np.cumsum([0, *map(len, values)]).astype(np.int64)
    data = np.frombuffer(b"".join(values), np.uint8)
    mix_column(state, data, offsets, np.array([v is None for v, _ in rows], bool), seed)
    assert [tuple(map(int, row)) for row in state] == expected


def test_kernel_refuses_what_does_not_fit() -> None:
    state, data, null = np.zeros((2, 2), np.uint64), np.zeros(4, np.uint8), np.zeros(2, bool)
    with pytest.raises(ValueError, match="must have shapes"):
        mix_column(state, data, np.array([0, 4]), null, 1)
    with pytest.raises(ValueError, match="ascend"):
        mix_column(state, data, np.array([0, 3, 5]), null, 1)


@pytest.mark.parametrize(
    "array",
    [
        pa.array(["a", None, "", "déjà"]),
        pa.array([1, None, -3], pa.int32()),
        pa.array([[1.5], None, [], [2.0, math.nan]], pa.list_(pa.float32())),
        pa.array([True, None, False]),
        pa.array([[("b", "1"), ("a", None)], None, []], pa.map_(pa.string(), pa.string())),
    ],
)
def test_slices_give_the_bytes_of_their_own_rows(array: pa.Array) -> None:
    def rows(part: pa.Array) -> list[bytes | None]:
        data, offsets, is_null = _as_bytes(part)
        return [None if is_null[i] else bytes(data[offsets[i] : offsets[i + 1]]) for i in range(len(part))]

    whole = rows(array)
    assert [v is None for v in whole] == [v is None for v in array.to_pylist()]
    for first in range(len(array)):
        assert rows(array.slice(first)) == whole[first:]
        assert rows(pa.concat_arrays([array.slice(first)])) == whole[first:]


def test_order_fragments_and_history_do_not_count(example: Snapshot, tmp_path: Path) -> None:
    expected = fingerprint(example)
    path = tmp_path / "other.motifdb"
    create(path)
    rng = random.Random(1)
    with open_writer(path) as writer:
        for half in (0, 1):
            rows = {n: [r for i, r in enumerate(rs) if i % 2 == half] for n, rs in example_rows().items()}
            for part in rows.values():
                rng.shuffle(part)
            tables = {name: TABLES[name].table(part) for name, part in rows.items()}
            writer.commit(Changes(append=tables), token=f"half {half}", message="half")
        doubled = {"recordings": TABLES["recordings"].table(example_rows()["recordings"][:1])}
        writer.commit(Changes(append=doubled), token="more", message="more")
        one = example_rows()["recordings"][0]["recording_id"]
        writer.commit(
            Changes(delete={"recordings": f"recording_id = '{one}'"}, append=doubled),
            token="less",
            message="less",
        )
        assert fingerprint(writer.snapshot) == expected
        compact(writer)
    assert fingerprint(open_snapshot(path)) == expected


def test_clocks_commits_and_roots_do_not_count(example: Snapshot, tmp_path: Path) -> None:
    rows = example_rows()
    for name, spec in TABLES.items():
        for row in rows[name]:
            for column in spec.volatile:
                row[column] = (
                    row[column] * 2 if isinstance(row[column], int | str) else row[column].replace(year=1999)
                )
    for row in rows["files"]:
        row["labels"].reverse()
    tables = {name: TABLES[name].table(part) for name, part in rows.items()}
    made = open_snapshot(make_database(tmp_path / "later.motifdb", tables))
    assert fingerprint(made) == fingerprint(example)


def changed(value: Any, column: pa.DataType) -> Any:
    if pa.types.is_list(column):
        return [*value, 0]
    if pa.types.is_map(column):
        return [*value, ("k", "v")]
    if value is None:
        return {"string": "x"}.get(str(column), 1)
    if isinstance(value, float):
        return float(np.nextafter(value, math.inf))
    return value + 1 if isinstance(value, int) else f"{value}x"


def test_any_other_value_is_seen(example: Snapshot, tmp_path: Path) -> None:
    """One value of every column of every table is changed, floats by their last bit."""
    expected = fingerprint(example)
    for name, spec in TABLES.items():
        if not example_rows()[name]:
            continue
        for column in spec.columns:
            rows = example_rows()[name]
            rows[-1][column.name] = (
                rows[-1][column.name].replace(year=1999)
                if pa.types.is_timestamp(column.type)
                else changed(rows[-1][column.name], column.type)
            )
            found = fingerprint(InMemory({name: spec.table(rows)}), [name])  # type: ignore[arg-type]
            is_same = found.tables[name] == expected.tables[name]
            assert is_same == (column.name in spec.volatile), f"{name}.{column.name}"


class InMemory:
    """As much of a snapshot as the fingerprint reads."""

    def __init__(self, tables: dict[str, pa.Table]) -> None:
        self._tables = tables

    def batches(self, name: str, columns: list[str], batch_rows: int) -> list[pa.RecordBatch]:
        return list(self._tables[name].select(columns).to_batches(max_chunksize=batch_rows))


def test_number_of_rows_counts_and_minus_zero_is_not_zero() -> None:
    def of(values: list[float]) -> str:
        rows = [{**example_rows()["occurrences"][0], "start_s": v} for v in values]
        table = {"occurrences": TABLES["occurrences"].table(rows)}
        return fingerprint(InMemory(table), ["occurrences"]).overall  # type: ignore[arg-type]

    assert len({of([]), of([0.0]), of([-0.0]), of([0.0, 0.0]), of([math.nan])}) == 5


def test_text(example: Snapshot) -> None:
    lines = str(fingerprint(example)).splitlines()
    assert len(lines) == len(TABLES) + 1
    assert lines[-1].split()[0] == "all"
    assert all(len(line.split()[1]) in (20, 32) for line in lines)
    assert fingerprint(example).tables.keys() == example_tables().keys()
