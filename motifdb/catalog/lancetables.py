"""One table in Lance: create it, change it, reset it, and say which files a version stands on.

Lance itself never refuses a stale append (it is rebased onto whatever is newest), so `change` reports the version it
made and the caller compares: base + 1 means nothing came between.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from motifdb.catalog.layout import TABLES_FOLDER, table_path
from motifdb.schemas import TABLES, TableSpec

if TYPE_CHECKING:
    import lance

# Lance warns on standard error of what is no fault of a user's, such as empty partitions of an index; it looks when it is imported.
os.environ.setdefault("LANCE_LOG", "error")

STORAGE_VERSION = "2.2"
FIRST_VERSION = 1
_LAST_U64 = (1 << 64) - 1
_OFFSET_BITS = 32  # a Lance row address is fragment id << 32 | offset in the fragment


@dataclass(frozen=True)
class Change:
    """What one operation did to a table.

    `version` is the version it made, `n_versions` how many versions after its base are surely its own, `files` what
    it wrote (relative to the database).
    """

    version: int
    files: tuple[str, ...]
    n_appended: int = 0
    n_deleted: int = 0
    n_versions: int = 1


def bare_schema(spec: TableSpec) -> pa.Schema:
    """The schema as stored: meanings may be reworded between releases, so they stay out of the files."""
    return pa.schema([pa.field(c.name, c.type, c.nullable) for c in spec.columns])


def relative(table: str, name: str) -> str:
    """Path of a file of `table`, relative to the database."""
    return f"{TABLES_FOLDER}/{table}.lance/{name}"


def manifest_name(table: str, version: int) -> str:
    """The manifest of a version, relative to the database (Lance's V2 naming: newest sorts first)."""
    return relative(table, f"_versions/{_LAST_U64 - version:020d}.manifest")


def create_at(path: Path, spec: TableSpec, properties: dict[str, str]) -> lance.LanceDataset:
    """An empty table in a new folder."""
    import lance

    return lance.write_dataset(
        bare_schema(spec).empty_table(),
        str(path),
        mode="create",
        data_storage_version=STORAGE_VERSION,
        transaction_properties=properties,
    )


def open_version(root: Path, table: str, version: int | None = None) -> lance.LanceDataset:
    """A table at one version; the newest where none is named."""
    import lance

    return lance.dataset(str(table_path(root, table)), version=version)


def restore(dataset: lance.LanceDataset, version: int, properties: dict[str, str]) -> lance.LanceDataset:
    """Make a new version with exactly the content of `version`, whatever was added since."""
    import lance

    return lance.LanceDataset.commit(
        dataset,
        lance.Transaction(
            dataset.version, lance.LanceOperation.Restore(version), transaction_properties=properties
        ),
    )


def change(
    dataset: lance.LanceDataset,
    table: str,
    delete: str | None,
    append: pa.Table | None,
    properties: dict[str, str],
) -> Change | None:
    """Delete the rows that match, then append rows, as one new version; None where there is nothing to do.

    Appended rows are never matched by `delete`. The fragments' files are on disk before the commit names them.
    """
    import lance

    removed, updated, n_deleted = _deletions(dataset, delete) if delete is not None else ([], [], 0)
    new: list[Any] = []
    if append is not None and append.num_rows:
        bare = pa.Table.from_arrays(append.columns, schema=bare_schema(TABLES[table]))
        new = lance.fragment.write_fragments(
            bare, dataset.uri, mode="append", data_storage_version=STORAGE_VERSION
        )
    if not (removed or updated or new):
        return None
    operation: Any
    if removed or updated:
        operation = lance.LanceOperation.Update(
            removed_fragment_ids=removed,
            updated_fragments=updated,
            new_fragments=new,
            update_mode="rewrite_rows",
        )
    else:
        operation = lance.LanceOperation.Append(new)
    made = lance.LanceDataset.commit(
        dataset, lance.Transaction(dataset.version, operation, transaction_properties=properties)
    )
    names = [f"data/{file.path}" for fragment in new for file in fragment.files]
    names += [made.get_fragment(fragment.id).deletion_file() for fragment in updated]
    return Change(
        version=made.version,
        n_appended=0 if append is None else append.num_rows,
        n_deleted=n_deleted,
        files=(manifest_name(table, made.version), *(relative(table, n) for n in names)),
    )


def _deletions(dataset: lance.LanceDataset, predicate: str) -> tuple[list[int], list[Any], int]:
    """Fragments that lose all their rows, fragments that lose some, rows lost.

    One filtered scan finds the rows; only fragments that hold some are then rewritten, so the cost does not
    grow with a call per fragment.
    """
    import numpy as np

    scanner = dataset.scanner(columns=[], filter=predicate, with_row_address=True)
    addresses = np.sort(scanner.to_table().column("_rowaddr").to_numpy())
    fragment_ids = (addresses >> _OFFSET_BITS).astype(np.int64)
    offsets = (addresses & ((1 << _OFFSET_BITS) - 1)).astype(np.int64)
    removed, updated = [], []
    starts = np.flatnonzero(np.diff(fragment_ids, prepend=-1))
    for start, stop in pairwise([*starts.tolist(), len(addresses)]):
        fragment = dataset.get_fragment(int(fragment_ids[start]))
        if stop - start == fragment.count_rows():  # the scan shows no row that was deleted before
            removed.append(fragment.fragment_id)
        else:
            updated.append(fragment.delete_rows(offsets[start:stop].tolist()))
    return removed, updated, len(addresses)


def referenced_files(dataset: lance.LanceDataset, table: str) -> Iterable[str]:
    """Every file one version reads: its manifest, its data files, its deletion files; relative to the database."""
    yield manifest_name(table, dataset.version)
    for fragment in dataset.get_fragments():
        for file in fragment.data_files():
            yield relative(table, f"data/{file.path}")
        deletion = fragment.deletion_file()
        if deletion is not None:
            yield relative(table, deletion)
