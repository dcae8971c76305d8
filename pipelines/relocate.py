"""Follow a corpus whose folder moved."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from motifdb.catalog.store import Changes
from motifdb.errors import NotFoundError, UsageError, nearest
from motifdb.ids import hash_text
from motifdb.pipelines.committer import quoted
from motifdb.pipelines.inputs.discover import unescape_path
from motifdb.pipelines.survey import folder_uri
from motifdb.schemas import CORPORA

if TYPE_CHECKING:
    from motifdb.catalog.writer import Writer


def relocate(writer: Writer, corpus: str, folder: Path) -> tuple[int, int]:
    """Say that a corpus stands in another folder now.

    Returns
    -------
    How many of its files are there with the size they had, and how many it has.

    Raises
    ------
    NotFoundError
        for a corpus that is not in the database.
    UsageError
        where the folder is none, or holds none of the corpus's files.
    """
    rows = {row["name"]: row for row in writer.snapshot.table("corpora").to_pylist()}
    if corpus not in rows:
        raise NotFoundError(f"there is no corpus {corpus!r} in {writer.path}; {nearest(corpus, rows)}")
    root = Path(os.path.abspath(folder))
    if not root.is_dir():
        raise UsageError(f"{folder} is no folder; name the one that holds the corpus now")
    row = rows[corpus]
    where = f"corpus_id = {quoted(row['corpus_id'])}"
    files = writer.snapshot.table("files", ["path", "size_bytes"], where).to_pylist()
    n_there = sum(_is_there(root, f["path"], f["size_bytes"]) for f in files)
    if files and not n_there:
        raise UsageError(
            f"{folder} holds none of the {len(files)} files of corpus {corpus}; name the folder that replaces "
            f"{row['root_uri']}"
        )
    changed = row | {"root_uri": folder_uri(root)}
    if changed != row:
        token = hash_text("relocate", str(writer.snapshot.commit), changed["corpus_id"], changed["root_uri"])
        changes = Changes(append={"corpora": CORPORA.table([changed])}, delete={"corpora": where})
        writer.commit(changes, token=token, message=f"relocate {corpus}")
    return n_there, len(files)


def _is_there(root: Path, path: str, size_bytes: int) -> bool:
    try:
        return os.stat(root / os.fsdecode(unescape_path(path))).st_size == size_bytes
    except OSError:
        return False
