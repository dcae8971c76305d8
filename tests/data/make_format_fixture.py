"""Freeze a tiny database of today's format: ``python -m tests.data.make_format_fixture``.

Run it once, before FORMAT_VERSION is raised, and commit ``tests/data/format-<version>.zip``: later releases must
open it and migrate it. The zip holds the database and ``expected.json``, each table's rows as read when it was made.
"""

from __future__ import annotations

import json
import tempfile
import zipfile
from pathlib import Path

from motifdb.catalog.store import Changes, create, open_snapshot, open_writer
from motifdb.schemas import FORMAT_VERSION, TABLES
from tests.catalog.rows import rows

EPOCH_OF_ZIP = (2026, 1, 1, 0, 0, 0)


def make(folder: Path) -> Path:
    """Write the zip into `folder`; return its path."""
    target = folder / f"format-{FORMAT_VERSION}.zip"
    with tempfile.TemporaryDirectory() as scratch:
        database = Path(scratch) / f"format-{FORMAT_VERSION}.motifdb"
        create(database)
        with open_writer(database) as writer:
            writer.commit(
                Changes(append={t: rows(t, range(3)) for t in TABLES}),
                token="three",
                message="three rows each",
            )
            writer.commit(Changes(delete={"files": "path = 'v1'"}), token="delete", message="delete a file")
        snapshot = open_snapshot(database)
        expected = {t: snapshot.table(t).to_pylist() for t in snapshot.versions}
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(
                zipfile.ZipInfo("expected.json", EPOCH_OF_ZIP), json.dumps(expected, default=str, indent=1)
            )
            for file in sorted(database.rglob("*")):
                if file.is_file() and file.parent.name != "leases":  # they name the machine that wrote
                    archive.write(file, file.relative_to(scratch).as_posix())
    return target


if __name__ == "__main__":
    print(make(Path(__file__).parent))
