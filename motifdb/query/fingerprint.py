"""Hash what a database says, not how it came to say it.

Two databases have one fingerprint where every table holds the same rows, floats equal to the bit, whatever engine,
number of workers, order of files, number of commits or compaction led there. Columns that may differ between two
runs over the same input (clocks, commit numbers, roots: `TableSpec.volatile`) are left out; a map counts as a set.
Of rows the order does not count, their number does.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from motifdb.ids import canonical_json, hash_text
from motifdb.schemas import TABLES, Column

if TYPE_CHECKING:
    from motifdb.catalog.store import Snapshot

_BATCH_ROWS = 16_384
_BATCH_ROWS_OF_BYTES = 16
_MASK = (1 << 128) - 1


@dataclass(frozen=True)
class Fingerprint:
    """A hash of every table by its name, and one of all."""

    tables: dict[str, str]
    overall: str

    def __str__(self) -> str:
        width = max(map(len, self.tables), default=0)
        lines = [f"{name:<{width}}  {digest}" for name, digest in self.tables.items()]
        return "\n".join([*lines, f"{'all':<{width}}  {self.overall}"])


def fingerprint(snapshot: Snapshot, tables: Iterable[str] = tuple(TABLES)) -> Fingerprint:
    """Hash the tables of a snapshot; memory holds one batch of rows.

    Raises
    ------
    DatabaseError
        where a table cannot be read.
    """
    digests = {name: _table(snapshot, name) for name in tables}
    return Fingerprint(digests, hash_text(*(f"{name} {digest}" for name, digest in digests.items())))


def _table(snapshot: Snapshot, name: str) -> str:
    spec = TABLES[name]
    columns = [c for c in spec.columns if c.name not in spec.volatile]
    # sound comes in rows of a megabyte
    n_at_once = _BATCH_ROWS if all(c.sql for c in columns) else _BATCH_ROWS_OF_BYTES
    total, n_rows = 0, 0
    for batch in snapshot.batches(name, [c.name for c in columns], batch_rows=n_at_once):
        total = (total + _sum_of_rows(batch, columns)) & _MASK
        n_rows += batch.num_rows
    digest = hashlib.blake2b(digest_size=16)
    digest.update(f"{n_rows} {total:032x}".encode())
    return digest.hexdigest()


def _sum_of_rows(batch: pa.RecordBatch, columns: list[Column]) -> int:
    from motifdb.kernels.row_hash import mix_column

    state = np.zeros((batch.num_rows, 2), np.uint64)
    for column in columns:
        seed = int.from_bytes(hashlib.blake2b(column.name.encode(), digest_size=8).digest(), "little")
        mix_column(state, *_as_bytes(batch.column(column.name)), seed)
    # The two lanes are summed as one number of 128 bits; numpy's sums wrap at 64, so halves of 32 are summed.
    low, high = state & np.uint64(0xFFFFFFFF), state >> np.uint64(32)
    lanes = low.sum(axis=0).astype(object) + (high.sum(axis=0).astype(object) << 32)
    return int(lanes[0]) + (int(lanes[1]) << 64)


def _as_bytes(array: pa.Array) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.bool_]]:
    """A column's bytes, where each row's begin, and which rows are null."""
    n = len(array)
    is_null = array.is_null().to_numpy(zero_copy_only=False)
    kind = array.type
    if pa.types.is_map(kind):
        texts = [None if v is None else canonical_json(sorted(v, key=repr)) for v in array.to_pylist()]
        array, kind = pa.array(texts, pa.string()), pa.string()
    if pa.types.is_boolean(kind):
        array, kind = array.cast(pa.int8()), pa.int8()
    if pa.types.is_string(kind) or pa.types.is_binary(kind):
        _, offsets, data = array.buffers()
        starts = _offsets(offsets, array.offset, n)
        return _bytes(data), starts, is_null
    if pa.types.is_list(kind):
        values = array.values
        width = values.type.bit_width // 8
        starts = _offsets(array.buffers()[1], array.offset, n)
        return _fixed(values, width), starts * width, is_null
    width = kind.bit_width // 8
    return _fixed(array, width), np.arange(n + 1, dtype=np.int64) * width, is_null


def _offsets(buffer: pa.Buffer | None, offset: int, n: int) -> NDArray[np.int64]:
    if buffer is None:
        return np.zeros(n + 1, np.int64)
    return np.frombuffer(buffer, np.int32)[offset : offset + n + 1].astype(np.int64)


def _bytes(buffer: pa.Buffer | None) -> NDArray[np.uint8]:
    return np.empty(0, np.uint8) if buffer is None else np.frombuffer(buffer, np.uint8)


def _fixed(array: pa.Array, width: int) -> NDArray[np.uint8]:
    """The bytes of an array of numbers, from its own first value on."""
    return _bytes(array.buffers()[1])[array.offset * width : (array.offset + len(array)) * width]
