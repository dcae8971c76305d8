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
    knows below the paths that are not there now. What lies in a folder that could not be listed is not gone:
    nobody can tell. `resolved` are keys of failures that were about no file, such as a folder that could not
    be listed, and that are over.
    """

    corpora: dict[str, dict[str, Any]] = field(default_factory=dict)
    new: list[Seen] = field(default_factory=list)
    changed: list[Seen] = field(default_factory=list)
    unchanged: list[Seen] = field(default_factory=list)
    unreadable: list[Seen] = field(default_factory=list)
    gone: list[tuple[str, str]] = field(default_factory=list)
    resolved: list[tuple[str, str]] = field(default_factory=list)

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

    A path inside the folder of a corpus belongs to that corpus, the innermost where corpora are nested; any
    other folder is a corpus of its own, and a single file belongs to the corpus of its folder. So no file is
    in two corpora, whatever was named first, and through whichever link.

    Parameters
    ----------
    skip : folders to leave out, such as the database itself
    tick : called with the number of files seen so far
    """
    result = Survey()
    asked = [Path(os.path.abspath(p)) for p in paths]
    places = _Places(known)
    folders = [path if path.is_dir() else path.parent for path in asked]
    for folder in sorted(folders, key=lambda folder: len(folder.parts)):
        places.place(folder)  # outer ones first, so that `a/b a` is what `a a/b` is: one corpus
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
    unlisted = {seen.key for seen in result.unreadable}
    for key in sorted(_not_seen(asked, places, known, seen_keys)):
        if key not in known.files:
            result.resolved.append(key)
        elif not _lies_in(key, unlisted):
            result.gone.append(key)
    return result


def _lies_in(key: tuple[str, str], folders: set[tuple[str, str]]) -> bool:
    """Whether a path, or one of the folders above it, is among keys; the root of a corpus is its empty path."""
    corpus_id, path = key
    while path:
        path = path.rpartition("/")[0]
        if (corpus_id, path) in folders:
            return True
    return False


class _Places:
    """Which corpus a file belongs to; corpora that are new get a name that is not taken."""

    def __init__(self, known: Known) -> None:
        self.rows = dict(known.corpora)
        self._roots = {row["root_uri"]: corpus_id for corpus_id, row in self.rows.items()}
        self._real = {
            os.path.realpath(folder_of(row["root_uri"])): corpus_id for corpus_id, row in self.rows.items()
        }
        self._of_root: dict[Path, tuple[str, bytes]] = {}
        self._inner: dict[Path, list[tuple[bytes, str]]] = {}

    def seen(self, found: Found) -> Seen:
        for inside, corpus_id in self.inner(found.root):
            if found.relative.startswith(inside):
                return Seen(corpus_id, escape_path(found.relative[len(inside) :]), found)
        corpus_id, prefix = self.place(found.root)
        relative = os.path.join(prefix, found.relative) if prefix else found.relative
        return Seen(corpus_id, escape_path(relative), found)

    def inner(self, root: Path) -> list[tuple[bytes, str]]:
        """Corpora whose folders lie below a folder: their paths in it, ending in a slash, the innermost first."""
        if root not in self._inner:
            top = os.path.join(os.fsencode(root), b"")
            folders = {os.fsencode(folder_of(uri)): corpus_id for uri, corpus_id in self._roots.items()}
            below = [(f[len(top) :] + b"/", c) for f, c in folders.items() if f.startswith(top) and f != top]
            self._inner[root] = sorted(below, key=lambda one: -len(one[0]))
        return self._inner[root]

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
        real = Path(os.path.realpath(root))
        for folder in (real, *real.parents):
            if os.fspath(folder) in self._real:
                inside = os.fsencode(real)[len(os.fsencode(folder)) :].lstrip(b"/")
                return self._real[os.fspath(folder)], inside
        taken = {row["name"] for row in self.rows.values()}
        base = escape_path(os.fsencode(root.name)) or "root"
        name, n = base, 1
        while name in taken:
            n += 1
            name = f"{base}-{n}"
        corpus_id = hash_text("corpus", name)
        self.rows[corpus_id] = {"corpus_id": corpus_id, "name": name, "root_uri": folder_uri(root)}
        self._roots[folder_uri(root)] = corpus_id
        self._real[os.fspath(real)] = corpus_id
        return corpus_id, b""


def folder_uri(folder: Path) -> str:
    """A folder as `corpora.root_uri` has it: its absolute path, percent-escaped where it is no plain text."""
    return escape_path(os.fsencode(folder))


def folder_of(root_uri: str) -> Path:
    """The folder that a `root_uri` names."""
    return Path(os.fsdecode(unescape_path(root_uri)))


def _not_seen(
    asked: list[Path], places: _Places, known: Known, seen: set[tuple[str, str]]
) -> Iterator[tuple[str, str]]:
    """What the database knows below the folders that were walked, and that was not there."""
    prefixes: list[tuple[str, str]] = []
    for path in asked:
        if path.is_dir():
            corpus_id, inside = places.place(path)
            prefixes.append((corpus_id, escape_path(inside) + "/" if inside else ""))
            prefixes += [(inner_id, "") for _, inner_id in places.inner(path)]
    for key in known.files.keys() | known.failures.keys():
        if key not in seen and any(key[0] == c and key[1].startswith(p) for c, p in prefixes):
            yield key
