"""What a known corpus is: who has it, what goes where, and how its folder becomes rows of files with labels.

A layout reads names and tables, never sound. Its rows say of each recording its path, its labels (the fold of the published division
and the keys of what must not be divided among them), and the file of its reference pitch. `motifdb ingest DIR --layout NAME` takes
these files in with these labels, and no others.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path, PurePosixPath

from motifdb.errors import UsageError
from motifdb.pipelines.inputs.manifest import Manifest, ManifestRow
from motifdb.pipelines.inputs.sniff import AUDIO_SUFFIXES

SHOWN = 3
"""Names in a sentence about what is missing."""


@dataclass(frozen=True)
class Row:
    """One recording of a corpus.

    Attributes
    ----------
    path : relative to the corpus's folder, with ``/``
    labels : by name; `fold` and the keys of what belongs together are labels too
    f0 : path of its reference pitch, likewise
    is_there : False for a recording that a table names and the folder lacks
    """

    path: str
    labels: Mapping[str, str] = field(default_factory=dict)
    f0: str | None = None
    is_there: bool = True


@dataclass(frozen=True)
class Layout:
    """A corpus whose folder is known.

    Attributes
    ----------
    title, about : what it is
    access : who gives it, in words; there is no download
    licence : as its source states it
    put : lines that show what stands where in the folder
    labels : what each label means
    groups : labels of what belongs together: none of their values may be on two sides of a split
    read : gives the rows of a folder
    unsure : what its documentation leaves open, and what is assumed
    hop : seconds between frequencies of pitch tracks without times
    is_clips : whether every file is a ready-cut training example
    """

    name: str
    title: str
    about: str
    access: str
    licence: str
    put: tuple[str, ...]
    labels: Mapping[str, str]
    groups: tuple[str, ...]
    read: Callable[[Path], list[Row]]
    unsure: str = ""
    hop: Fraction | None = None
    is_clips: bool = False

    def rows(self, folder: str | Path) -> list[Row]:
        """The recordings of a folder, by path.

        Raises
        ------
        UsageError
            where the folder is not there or does not look like this corpus, with what to put where.
        """
        return [row for row in self._all_rows(folder) if row.is_there]

    def _all_rows(self, folder: str | Path) -> list[Row]:
        """With those that tables name and the folder lacks."""
        root = Path(folder)
        if not root.is_dir():
            raise UsageError(f"{folder} is no folder; {self.missing()}")
        try:
            rows = sorted(self.read(root), key=lambda row: row.path)
        except LayoutError as error:
            raise UsageError(f"{folder}: {error}; {self.missing()}") from None
        if not rows:
            raise UsageError(f"{folder} holds no file as {self.title} names them; {self.missing()}")
        twice = [row.path for row, after in pairwise(rows) if row.path == after.path]
        if twice:
            raise UsageError(f"{folder}: the tables of {self.title} name {twice[0]} twice; keep one row")
        return rows

    def manifest(self, folder: str | Path) -> Manifest:
        """The rows as a manifest that ingest joins with the files; those that are not there too, so that it can say how many."""
        rows = self._all_rows(folder)
        made = tuple(ManifestRow(i, row.path, dict(row.labels), row.f0) for i, row in enumerate(rows, 1))
        return Manifest(Path(folder) / f"(the layout {self.name})", made)

    def missing(self) -> str:
        """A sentence for where the corpus is not there: what to get and what to put where."""
        tree = ", ".join(line.strip() for line in self.put)
        return f"{self.title} ({self.access}) goes into a folder as: {tree}; `motifdb corpora {self.name}` says more"


class LayoutError(Exception):
    """A folder does not look like its corpus; a clause that follows the folder's name."""


def sound_files(folder: Path, under: str = "") -> list[str]:
    """Paths of files that are named like audio, relative to the corpus's folder, sorted; hidden ones are left out."""
    return files_of(folder, AUDIO_SUFFIXES, under)


def files_of(folder: Path, suffixes: Iterable[str], under: str = "") -> list[str]:
    """Paths of files with one of some suffixes (of any case), relative to the corpus's folder."""
    wanted = tuple(suffixes)
    found = []
    for here, folders, names in os.walk(folder / under):
        folders[:] = sorted(name for name in folders if not name.startswith((".", "__MACOSX")))
        for name in names:
            if not name.startswith(".") and name.lower().endswith(wanted):
                found.append((Path(here) / name).relative_to(folder).as_posix())
    return sorted(found)


def require_folder(folder: Path, *names: str) -> str:
    """The first of some subfolders that is there.

    Raises
    ------
    LayoutError
        where none is.
    """
    for name in names:
        if (folder / name).is_dir():
            return name
    raise LayoutError(f"there is no folder {' or '.join(names)} in it")


def require_file(folder: Path, *names: str) -> Path:
    """The first of some files that is there; LayoutError where none is."""
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise LayoutError(f"there is no file {' or '.join(names)} in it")


def read_table(file: Path, needed: Sequence[str], encoding: str = "utf-8-sig") -> list[dict[str, str]]:
    """The rows of a table with a header, separated by comma, semicolon or tab, as stripped texts.

    Raises
    ------
    LayoutError
        where it cannot be read, or lacks one of the columns that are needed.
    """
    try:
        text = file.read_text(encoding=encoding)
    except UnicodeDecodeError:
        text = file.read_text(encoding="latin-1")
    except OSError as error:
        raise LayoutError(f"{file.name} cannot be read: {(error.strerror or str(error)).lower()}") from None
    lines = text.replace("\0", "").splitlines()
    if not lines:
        raise LayoutError(f"{file.name} is empty")
    delimiter = max((",", ";", "\t"), key=lines[0].count)
    try:
        header, *cells = csv.reader(lines, delimiter=delimiter)
    except csv.Error as error:
        raise LayoutError(f"{file.name} is no table: {error}") from None
    names = [name.strip() for name in header]
    for name in needed:
        if name not in names:
            raise LayoutError(f"{file.name} has no column {name} (it has {', '.join(names[:12])})")
    # a row may be cut short: what it lacks is empty
    return [
        {name: cell.strip() for name, cell in zip(names, [*row, *[""] * len(names)], strict=False)}
        for row in cells
        if any(cell.strip() for cell in row)
    ]


def marked_there(rows: Iterable[Row], there: Iterable[str], what: str) -> list[Row]:
    """The rows, marked by whether their file is there, by its path or by one that differs in case, in separators or in a leading ``./``.

    Raises
    ------
    LayoutError
        where none is.
    """
    known = set(there)
    alike: dict[str, set[str]] = {}
    for path in known:
        alike.setdefault(_spelt(path), set()).add(path)
    marked = []
    for row in rows:
        meant = {row.path} if row.path in known else alike.get(_spelt(row.path), set())
        is_there = len(meant) == 1
        marked.append(replace(row, path=min(meant) if is_there else row.path, is_there=is_there))
    if marked and not any(row.is_there for row in marked):
        named = ", ".join(row.path for row in marked[:SHOWN])
        raise LayoutError(f"none of the {len(marked):,} files that {what} names is there, such as {named}")
    return marked


def _spelt(path: str) -> str:
    """A path as tables and disks may agree on it."""
    return path.replace("\\", "/").removeprefix("./").casefold()


def stem(path: str) -> str:
    """The last part of a path, without its suffix."""
    return PurePosixPath(path).stem


def parts(path: str) -> tuple[str, ...]:
    """The parts of a path."""
    return PurePosixPath(path).parts


def said(**labels: str | None) -> dict[str, str]:
    """Labels that say something."""
    return {name: value.strip() for name, value in labels.items() if value is not None and value.strip()}
