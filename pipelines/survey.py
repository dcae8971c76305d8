"""Compare folders with what a database knows of them: what is new, changed, gone, or still to be worked on."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from motifdb.ids import hash_text
from motifdb.pipelines.inputs.discover import Found, discover, escape_path, unescape_path

if TYPE_CHECKING:
    from motifdb.pipelines.known import Known


@dataclass(frozen=True)
class Seen:
    """A file of a corpus as it stands on disk now."""

    corpus_id: str
    path: str
    found: Found

    @property
    def key(self) -> tuple[str, str]:
        return self.corpus_id, self.path

    def is_as_in(self, row: dict[str, Any] | None) -> bool:
        """Whether size and time of change are those of a row of `files` or `failures`."""
        return (
            row is not None
            and row["size_bytes"] == self.found.size_bytes
            and row["mtime_ns"] == self.found.mtime_ns
        )


@dataclass
class Survey:
    """What a walk over the paths found.

    `new` and `changed` are to be read, `unchanged` are as they were, `gone` are keys of files the database
    knows below the paths that are not there now.
    """

    corpora: dict[str, dict[str, Any]] = field(default_factory=dict)
    new: list[Seen] = field(default_factory=list)
    changed: list[Seen] = field(default_factory=list)
    unchanged: list[Seen] = field(default_factory=list)
    unreadable: list[Seen] = field(default_factory=list)
    gone: list[tuple[str, str]] = field(default_factory=list)

    @property
    def all(self) -> list[Seen]:
        """Every file that was seen and can be read, in order of its key."""
        return sorted([*self.new, *self.changed, *self.unchanged], key=lambda seen: seen.key)

    @property
    def n_seen(self) -> int:
        return len(self.new) + len(self.changed) + len(self.unchanged) + len(self.unreadable)


def survey(
    paths: Iterable[str | Path], known: Known, *, skip: Iterable[Path], tick: Callable[[int], None]
) -> Survey:
    """Walk the paths and compare every file's size and time of change with the database.

    A path inside the folder of a corpus belongs to that corpus; any other folder is a corpus of its own, and
    a single file belongs to the corpus of its folder.

    Parameters
    ----------
    skip : folders to leave out, such as the database itself
    tick : called with the number of files seen so far
    """
    result = Survey()
    asked = [Path(os.path.abspath(p)) for p in paths]
    places = _Places(known)
    seen_keys: set[tuple[str, str]] = set()
    for found in discover(asked, skip=skip):
        seen = places.seen(found)
        result.corpora.setdefault(seen.corpus_id, places.rows[seen.corpus_id])
        if seen.key in seen_keys:
            continue
        seen_keys.add(seen.key)
        if len(seen_keys) % 1000 == 0:
            tick(len(seen_keys))
        old = known.files.get(seen.key)
        if found.error is not None:
            result.unreadable.append(seen)
        elif old is None:
            result.new.append(seen)
        elif seen.is_as_in(old):
            result.unchanged.append(seen)
        else:
            result.changed.append(seen)
    result.gone = sorted(_gone(asked, places, known, seen_keys))
    return result


class _Places:
    """Which corpus a file belongs to; corpora that are new get a name that is not taken."""

    def __init__(self, known: Known) -> None:
        self.rows = dict(known.corpora)
        self._roots = {row["root_uri"]: corpus_id for corpus_id, row in self.rows.items()}
        self._of_root: dict[Path, tuple[str, bytes]] = {}

    def seen(self, found: Found) -> Seen:
        corpus_id, prefix = self.place(found.root)
        relative = os.path.join(prefix, found.relative) if prefix else found.relative
        return Seen(corpus_id, escape_path(relative), found)

    def place(self, root: Path) -> tuple[str, bytes]:
        """Corpus of a folder, and the folder's path inside it."""
        if root not in self._of_root:
            self._of_root[root] = self._find(root)
        return self._of_root[root]

    def _find(self, root: Path) -> tuple[str, bytes]:
        for folder in (root, *root.parents):
            uri = folder_uri(folder)
            if uri in self._roots:
                inside = os.fsencode(root)[len(os.fsencode(folder)) :].lstrip(b"/")
                return self._roots[uri], inside
        taken = {row["name"] for row in self.rows.values()}
        base = escape_path(os.fsencode(root.name)) or "root"
        name, n = base, 1
        while name in taken:
            n += 1
            name = f"{base}-{n}"
        corpus_id = hash_text("corpus", name)
        self.rows[corpus_id] = {"corpus_id": corpus_id, "name": name, "root_uri": folder_uri(root)}
        self._roots[folder_uri(root)] = corpus_id
        return corpus_id, b""


def folder_uri(folder: Path) -> str:
    """A folder as `corpora.root_uri` has it: its absolute path, percent-escaped where it is no plain text."""
    return escape_path(os.fsencode(folder))


def folder_of(root_uri: str) -> Path:
    """The folder that a `root_uri` names."""
    return Path(os.fsdecode(unescape_path(root_uri)))


def _gone(
    asked: list[Path], places: _Places, known: Known, seen: set[tuple[str, str]]
) -> Iterator[tuple[str, str]]:
    """Files the database knows below the folders that were walked, and that were not there."""
    prefixes: list[tuple[str, str]] = []
    for path in asked:
        if path.is_dir():
            corpus_id, inside = places.place(path)
            prefixes.append((corpus_id, escape_path(inside) + "/" if inside else ""))
    for key in known.files.keys() | known.failures.keys():
        if key not in seen and any(key[0] == c and key[1].startswith(p) for c, p in prefixes):
            yield key
