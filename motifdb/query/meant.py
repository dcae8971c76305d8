"""What a text on a command line means: a motif, family, recording, clip, run, encoder, vector or analysis of this database.

A name wins over an id: a file's path, its name, or its name without the ending. Else the text is the beginning of an id,
which must fit one row; a contour such as ``+1 -2 +1`` means the strongest motif that has it.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from motifdb.errors import NotFoundError, UsageError

if TYPE_CHECKING:
    from motifdb.catalog.store import Snapshot
    from motifdb.query.database import Database

KINDS: dict[str, tuple[str, str]] = {
    "motif": ("motifs", "motif_id"),
    "family": ("families", "family_id"),
    "recording": ("recordings", "recording_id"),
    "clip": ("clips", "clip_id"),
    "run": ("runs", "run_id"),
    "encoder": ("encoders", "encoder_id"),
    "vector": ("embeddings", "embedding_id"),
    "analysis": ("analyses", "analysis_id"),
}
"""By kind of thing: its table and the table's key."""

_ID = re.compile(r"[0-9a-f]{1,20}")
_CONTOUR = re.compile(r"([+-]\d+)(\s+[+-]\d+)*")
_ID_LENGTH = 20


@dataclass(frozen=True)
class Meant:
    """A thing in the database: its kind (a key of `KINDS`), its id, and its row."""

    kind: str
    id: str
    row: dict[str, Any]


def what_is_meant(database: Database, text: str, kinds: Sequence[str] = tuple(KINDS)) -> Meant:
    """The one thing of these kinds that a text means.

    Raises
    ------
    NotFoundError
        where there is none, with the nearest name.
    UsageError
        where it fits several.
    """
    wanted = text.strip()
    if _CONTOUR.fullmatch(wanted) and "motif" in kinds:
        from motifdb.query.motifs import find_motif

        return _one(database, "motif", str(find_motif(database, wanted)["motif_id"]))
    named = _named(database, wanted, kinds)
    if not named and _ID.fullmatch(wanted.lower()):
        named = _beginning(database, wanted.lower(), kinds)
    if len(named) > 1:
        several = "; ".join(f"{kind} {id_[:8]}" for kind, id_ in named[:6])
        raise UsageError(f"{wanted!r} fits several things here: {several}; give more of the id")
    if not named:
        raise NotFoundError(_not_there(database, wanted, kinds))
    return _one(database, *named[0])


def recording_name(database: Database, recording_id: str) -> str:
    """The path of a recording's first file by name."""
    rows = database.snapshot.table("files", ["path"], f"recording_id = '{recording_id}' and state = 'input'")
    return min(rows.column("path").to_pylist(), default=recording_id[:8])


def _one(database: Database, kind: str, id_: str) -> Meant:
    table, key = KINDS[kind]
    (row,) = database.snapshot.table(table, None, f"{key} = '{id_}'").to_pylist()
    return Meant(kind, id_, row)


def _named(database: Database, wanted: str, kinds: Sequence[str]) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    if "recording" in kinds and wanted:
        found = [("recording", id_) for id_ in _files_named(database, wanted)]
    snapshot = database.snapshot
    if "run" in kinds:
        runs = snapshot.table("runs", ["run_id", "recipe", "cell"]).to_pylist()
        found += [("run", r["run_id"]) for r in runs if wanted in (r["recipe"], r["cell"])]
    if "encoder" in kinds:
        encoders = snapshot.table("encoders", ["encoder_id", "name"]).to_pylist()
        found += [("encoder", r["encoder_id"]) for r in encoders if r["name"] == wanted]
    if "analysis" in kinds:
        rows = snapshot.table("analyses", ["analysis_id", "name"]).to_pylist()
        found += [("analysis", r["analysis_id"]) for r in rows if r["name"] == wanted]
    return found


def _files_named(database: Database, wanted: str) -> list[str]:
    """Recordings by the path of a file, else by its last part, else by that without its ending."""
    rows = database.snapshot.table("files", ["path", "recording_id"], "state = 'input'")
    pairs = [(PurePosixPath(p), str(r)) for p, r in zip(*(c.to_pylist() for c in rows.columns), strict=True)]
    for called in (lambda p: str(p), lambda p: p.name, lambda p: p.stem):
        found = sorted({recording for path, recording in pairs if called(path) == wanted})
        if found:
            return found
    return []


def _beginning(database: Database, wanted: str, kinds: Sequence[str]) -> list[tuple[str, str]]:
    """Things whose id begins so; a range of ids, which an index can answer."""
    found = []
    for kind in kinds:
        table, key = KINDS[kind]
        low, high = wanted.ljust(_ID_LENGTH, "0"), wanted.ljust(_ID_LENGTH, "f")
        ids = database.snapshot.table(table, [key], f"{key} >= '{low}' and {key} <= '{high}'").column(0)
        found += [(kind, str(id_)) for id_ in sorted(ids.to_pylist())[:2]]
    return found


def _not_there(database: Database, wanted: str, kinds: Sequence[str]) -> str:
    listed = " or ".join([", ".join(kinds[:-1]), kinds[-1]]) if len(kinds) > 1 else kinds[0]
    sentence = f"there is no {listed} {wanted!r} here"
    snapshot = database.snapshot
    if "recording" in kinds and (unusable := _unusable(snapshot, wanted)):
        return unusable
    names: set[str] = set()
    if "recording" in kinds:
        paths = snapshot.table("files", ["path"], "state = 'input'").column(0).to_pylist()
        names |= set(paths) | {PurePosixPath(p).name for p in paths}
    if "run" in kinds:
        names |= set(snapshot.table("runs", ["recipe"]).column(0).to_pylist())
    if "encoder" in kinds:
        names |= set(snapshot.table("encoders", ["name"]).column(0).to_pylist())
    if "analysis" in kinds:
        names |= set(snapshot.table("analyses", ["name"]).column(0).to_pylist())
    close = difflib.get_close_matches(wanted, sorted(names), n=1, cutoff=0.6)
    if close:
        return f"{sentence}; did you mean {close[0]!r}?"
    ways = ["the beginning of an id"]
    ways += ["a contour such as '+1 -2 +1'"] if "motif" in kinds else []
    ways += ["the path of a file"] if "recording" in kinds else []
    return f"{sentence}; give {' or '.join(ways)}"


def _unusable(snapshot: Snapshot, wanted: str) -> str:
    """What happened to the file of this name that is no recording; empty where there is none."""
    for row in snapshot.table("failures", ["path", "reason"]).to_pylist():
        if wanted in (row["path"], PurePosixPath(row["path"]).name):
            return f"{row['path']} is no recording here, it could not be used: {row['reason']}"
    for path in snapshot.table("files", ["path"], "state = 'skipped'").column(0).to_pylist():
        if wanted in (path, PurePosixPath(path).name):
            return f"{path} is no recording here, it was skipped: it holds neither audio nor an f0 track"
    return ""
