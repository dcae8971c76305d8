"""Manifests: a table of labels, one row a file, joined on the column ``path`` (or, where there is none, ``file``).

CSV (comma, semicolon or tab), JSON lines and Parquet are read. A path is relative to the corpus root, or to the
manifest's own folder, or absolute. It need not be spelt as the disk has it: composed and decomposed accents,
percent escapes, backslashes and a leading ``./`` are all understood, an exact spelling going first. A row whose file
is not there means the one audio file that differs from it in its suffix alone, such as the flac of a wav.

A column ``f0`` names the file with the reference pitch of the row's recording; such a file is no recording.
"""

from __future__ import annotations

import csv
import json
import os
import posixpath
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from motifdb.errors import UsageError, nearest
from motifdb.pipelines.inputs.discover import Found, escape_path, unescape_path
from motifdb.pipelines.inputs.sniff import AUDIO_SUFFIXES

_PATH_HINTS = ("path", "file", "filename", "file_name", "filepath", "file_path", "audio", "audio_path")


@dataclass(frozen=True)
class ManifestRow:
    """One row: its number in the file, the path it names, its labels, and the path of its reference pitch."""

    number: int
    path: str
    labels: dict[str, str]
    f0: str | None = None


@dataclass(frozen=True)
class Joined:
    """Manifest and files, matched.

    Attributes
    ----------
    rows : the manifest row of a file, by (root, path) as in `Found`
    references : the file whose pitch a file is the reference of, by (root, path) of the reference file
    n_unmatched_rows : rows that name no file that was found
    unmatched_rows : the first few of their paths, for a sentence
    n_other_suffix : rows that name a file by another suffix than it has
    """

    rows: dict[tuple[Path, bytes], ManifestRow]
    references: dict[tuple[Path, bytes], tuple[Path, bytes]]
    n_unmatched_rows: int
    unmatched_rows: tuple[str, ...] = ()
    n_other_suffix: int = 0

    def row_of(self, found: Found) -> ManifestRow | None:
        """The manifest row that names a file."""
        return self.rows.get((found.root, found.relative))

    def is_reference(self, found: Found) -> bool:
        """Whether a file is the reference pitch of another one, and so no recording."""
        return (found.root, found.relative) in self.references

    def describes(self, found: Found) -> bool:
        """Whether a row names a file, as a recording or as a reference."""
        return self.row_of(found) is not None or self.is_reference(found)


@dataclass(frozen=True)
class Manifest:
    """Rows of a manifest, in order, and the folder it lies in."""

    file: Path
    rows: tuple[ManifestRow, ...]

    def join(self, files: Iterable[Found]) -> Joined:
        """Match rows with files.

        Parameters
        ----------
        files : all files of the run, read or not: neither recordings nor references are told by their names
        """
        spellings = _Spellings()
        folder = os.path.realpath(self.file.parent)
        real: dict[
            Path, str
        ] = {}  # of the few roots; asking the file system for each file is what would cost
        for found in files:
            root = real.get(found.root) or real.setdefault(found.root, os.path.realpath(found.root))
            for name in self._names(found, root, folder):
                spellings.add(name, found)
        rows: dict[tuple[Path, bytes], ManifestRow] = {}
        references: dict[tuple[Path, bytes], tuple[Path, bytes]] = {}
        missing: list[ManifestRow] = []
        for row in self.rows:
            named = spellings.look_up(row.path)
            if named is None:
                missing.append(row)
            else:
                self._match(row, named, spellings, rows, references)
        unmatched: list[str] = []
        for row in missing:  # last, so that no file is taken from a row that has its whole name
            named = spellings.look_up_stem(row.path)
            if named is None or (named.root, named.relative) in rows.keys() | references.keys():
                unmatched.append(row.path)
            else:
                self._match(row, named, spellings, rows, references)
        n_other_suffix = len(missing) - len(unmatched)
        return Joined(rows, references, len(unmatched), tuple(unmatched[:5]), n_other_suffix)

    def _match(
        self,
        row: ManifestRow,
        named: Found,
        spellings: _Spellings,
        rows: dict[tuple[Path, bytes], ManifestRow],
        references: dict[tuple[Path, bytes], tuple[Path, bytes]],
    ) -> None:
        at = (named.root, named.relative)
        if at in rows and rows[at].labels != row.labels:
            raise UsageError(
                f"rows {rows[at].number} and {row.number} of {self.file} name the same file {named.escaped} "
                "with different labels; keep one"
            )
        rows.setdefault(at, row)
        reference = spellings.look_up(row.f0) if row.f0 else None
        if reference is not None and reference is not named:
            references[reference.root, reference.relative] = at

    @staticmethod
    def _names(found: Found, root: str, folder: str) -> Iterator[str]:
        """What a manifest may call a file, the likeliest first."""
        relative = os.fsdecode(found.relative)
        absolute = os.path.join(root, relative)
        yield relative
        yield found.escaped
        if folder != root and absolute.startswith(folder.rstrip("/") + "/"):
            yield absolute[len(folder.rstrip("/")) + 1 :]
        yield absolute
        yield os.path.join(os.fspath(found.root), relative)


class _Spellings:
    """Files by what a manifest may call them."""

    def __init__(self) -> None:
        self._exact: dict[str, Found] = {}
        self._tolerant: dict[str, Found | None] = {}
        self._stems: dict[str, Found | None] | None = None

    def add(self, name: str, found: Found) -> None:
        self._exact.setdefault(name, found)
        _set_unless_two(self._tolerant, _tolerant(name), found)

    def look_up(self, path: str) -> Found | None:
        plain = posixpath.normpath(path.replace("\\", "/") if "/" not in path else path)
        return self._exact.get(path) or self._exact.get(plain) or self._tolerant.get(_tolerant(path))

    def look_up_stem(self, path: str) -> Found | None:
        """The one audio file that differs from a path in its suffix alone."""
        if self._stems is None:
            self._stems = {}
            for name, found in self._tolerant.items():
                stem, suffix = posixpath.splitext(name)
                if found is not None and suffix.lower() in AUDIO_SUFFIXES:
                    _set_unless_two(self._stems, stem, found)
        name = _tolerant(path)
        stem, suffix = posixpath.splitext(name)
        return self._stems.get(stem if suffix.lower() in AUDIO_SUFFIXES else name)


def _set_unless_two(by_name: dict[str, Found | None], name: str, found: Found) -> None:
    """Two files of one name are none: a name that tells them apart is asked for."""
    other = by_name.setdefault(name, found)
    if other is not None and other is not found:
        by_name[name] = None


def _tolerant(path: str) -> str:
    """One spelling for all that mean the same path."""
    decoded = unescape_path(path.replace("\\", "/")).decode("utf-8", "surrogateescape")
    return posixpath.normpath(unicodedata.normalize("NFC", decoded.strip()))


def load_manifest(path: str | Path) -> Manifest:
    """Read a manifest; its kind is told by its content and name.

    Raises
    ------
    UsageError
        where it cannot be read, has no column ``path`` or ``file``, or a row without one.
    """
    file = Path(path)
    try:
        with open(file, "rb") as opened:
            head = opened.read(4)
        if head == b"PAR1":
            records = _parquet(file)
        elif file.suffix.lower() in (".jsonl", ".ndjson", ".json") or head[:1] == b"{":
            records = _json_lines(file)
        else:
            records = _csv(file)
        rows = tuple(_rows(records, file))
    except (OSError, UnicodeDecodeError) as error:
        why = (
            error.strerror.lower() if isinstance(error, OSError) and error.strerror else "it is no UTF-8 text"
        )
        raise UsageError(f"the manifest {escape_path(os.fsencode(file))} cannot be read: {why}") from None
    if not rows:
        raise UsageError(f"the manifest {file} has no rows; give one row a file, with a column path")
    return Manifest(file, rows)


def _rows(records: Iterable[tuple[int, dict[str, Any]]], file: Path) -> Iterator[ManifestRow]:
    for number, record in records:
        key = "path" if "path" in record else "file"
        if key not in record:
            hint = next((name for name in record if name.lower() in _PATH_HINTS), None)
            advice = f"rename its column {hint!r} to 'path'" if hint else nearest("path", record)
            raise UsageError(f"row {number} of the manifest {file} has no column 'path'; {advice}")
        values = {name: text for name, value in record.items() if (text := _text(value))}
        named = values.pop(key, None)
        if named is None:
            raise UsageError(
                f"row {number} of the manifest {file} names no {key}; fill it in or remove the row"
            )
        yield ManifestRow(number, named, {n: v for n, v in values.items() if n != "f0"}, values.get("f0"))


def _text(value: Any) -> str:
    """A cell as a label; nothing becomes the empty text."""
    if value is None or (isinstance(value, float) and value != value):
        return ""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False, sort_keys=True, default=str) if value else ""
    return str(value)


def _csv(file: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    with open(file, encoding="utf-8-sig", newline="") as opened:
        first = opened.readline()
        opened.seek(0)
        delimiter = max((",", ";", "\t"), key=first.count)
        reader = csv.reader(opened, delimiter=delimiter)
        try:
            header = [name.strip() for name in next(reader, [])]
            twice = sorted({name for name in header if name and header.count(name) > 1})
            if twice:
                raise UsageError(f"the manifest {file} has two columns named {twice[0]!r}; rename one")
            for cells in reader:
                if not any(cell.strip() for cell in cells):
                    continue
                if len(cells) > len(header) and any(cell.strip() for cell in cells[len(header) :]):
                    raise UsageError(
                        f"line {reader.line_num} of the manifest {file} has {len(cells)} cells for {len(header)} columns; "
                        "quote cells that hold the delimiter"
                    )
                yield reader.line_num, {name: cell for name, cell in zip(header, cells, strict=False) if name}
        except csv.Error as error:
            raise UsageError(f"line {reader.line_num} of the manifest {file} is no csv: {error}") from None


def _json_lines(file: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    text = file.read_text(encoding="utf-8-sig")
    if text.lstrip().startswith("["):
        lines: list[tuple[int, str]] = [(1, text)]
    else:
        lines = [(n, line) for n, line in enumerate(text.split("\n"), start=1) if line.strip()]
    for number, line in lines:
        try:
            value = json.loads(line)
        except json.JSONDecodeError as error:
            raise UsageError(f"line {number} of the manifest {file} is no JSON: {error.msg}") from None
        for offset, record in enumerate(value if isinstance(value, list) else [value]):
            if not isinstance(record, dict):
                raise UsageError(
                    f"line {number} of the manifest {file} is no JSON object; write one object a line"
                )
            yield number + offset, record


def _parquet(file: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        table = parquet.read_table(file)
    except pa.ArrowException as error:
        raise UsageError(f"the manifest {file} is damaged Parquet: {str(error).splitlines()[0]}") from None
    number = 0
    for batch in table.to_batches():
        for record in batch.to_pylist():
            number += 1
            yield number, record
