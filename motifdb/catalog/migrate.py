"""Bring a database of an older format up to today's: make the tables and the columns it lacks, as one commit.

Old commits stay as they are and stay readable. New columns hold null in old rows, so a column that came after its
table must be nullable.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Callable
from typing import TYPE_CHECKING

import pyarrow as pa

from motifdb.catalog import files, lancetables, layout
from motifdb.catalog.lancetables import Change
from motifdb.schemas import FORMAT_VERSION, TABLES, TableSpec

if TYPE_CHECKING:
    import lance

    from motifdb.catalog.writer import Writer


def migrate(writer: Writer) -> int | None:
    """Commit the migration under the writer's lease.

    Returns
    -------
    Number of the commit, None where there was nothing to do.
    """
    old = writer.snapshot.record.format_version
    number = None
    if old < FORMAT_VERSION:
        created = {
            name: _created(writer, spec) for name, spec in TABLES.items() if not writer.snapshot.has(name)
        }
        operations = {
            name: _adds(spec, columns)
            for name, spec in TABLES.items()
            if writer.snapshot.has(name) and (columns := writer.snapshot.missing_columns(name))
        }
        number = writer.rewrite(
            operations,
            token=f"migrate {old} to {FORMAT_VERSION}",
            message=f"migrate from format {old} to {FORMAT_VERSION}",
            created=created,
            format_version=FORMAT_VERSION,
        )
    if layout.check_database(writer.path) < FORMAT_VERSION:
        # After the commit: a kill in between leaves an old marker, which the next writer corrects here.
        layout.write_marker(writer.path, FORMAT_VERSION)
    return number


def _created(writer: Writer, spec: TableSpec) -> Change:
    """A new empty table, or the one that an interrupted migration has left.

    It is built aside and renamed, so it is whole where it exists, and nothing is ever removed: a migrator that
    wakes up late must not clear away a table that is in use by now.
    """
    path = layout.table_path(writer.path, spec.name)
    if not path.exists():
        aside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
        lancetables.create_at(aside, spec, {"motifdb.epoch": str(writer.epoch), "motifdb.token": "migrate"})
        try:
            os.rename(aside, path)
        except OSError:
            shutil.rmtree(aside, ignore_errors=True)
            if not path.exists():
                raise
        files.sync_folder(path.parent)
    return Change(
        version=lancetables.FIRST_VERSION,
        files=(lancetables.manifest_name(spec.name, lancetables.FIRST_VERSION),),
    )


def _adds(spec: TableSpec, columns: tuple[str, ...]) -> Callable[[lance.LanceDataset], Change]:
    def add(dataset: lance.LanceDataset) -> Change:
        dataset.add_columns([pa.field(c.name, c.type, True) for c in spec.columns if c.name in columns])
        return Change(
            version=dataset.version,
            files=(lancetables.manifest_name(spec.name, dataset.version),),
        )

    return add
