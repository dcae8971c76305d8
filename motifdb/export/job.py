"""One export: find what is meant, see that nothing is in the way, write file after file."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING

from motifdb.errors import UsageError
from motifdb.export import croissant, csv_table, tables
from motifdb.export.files import make_folder, put, put_text, require_free
from motifdb.export.formats import FORMATS, Format, format_named
from motifdb.export.gather import Source, Wanted
from motifdb.export.rows import Recording
from motifdb.schemas import TABLES

if TYPE_CHECKING:
    from motifdb.query.database import Database


@dataclass
class Exported:
    """What an export wrote: files, and how much was in them; `out` is a file, a folder, or None for a stream."""

    out: Path | None
    paths: list[Path] = field(default_factory=list)
    n_recordings: int = 0
    n_patterns: int = 0
    n_places: int = 0
    n_rows: int | None = None
    notes: list[str] = field(default_factory=list)

    def summary(self) -> str:
        """One line about it."""
        n_files = f"{len(self.paths):,} files, " if len(self.paths) > 1 else ""
        if self.n_rows is not None:
            return f"{n_files}{_n(self.n_rows, 'row')} -> {self.out}"
        return (
            f"{n_files}{_n(self.n_recordings, 'recording')}, {_n(self.n_patterns, 'pattern')} at"
            f" {_n(self.n_places, 'place')} -> {self.out}"
        )

    def count(self, recording: Recording) -> None:
        """A recording is written."""
        self.n_recordings += 1
        self.n_patterns += len(recording.patterns)
        self.n_places += recording.n_places


def _n(number: int, what: str) -> str:
    return f"{number:,} {what}{'s' * (number != 1)}"


def export(
    database: Database,
    format: str,
    wanted: Wanted | None = None,
    out: str | Path | None = None,
    *,
    is_forced: bool = False,
    is_rounded: bool = False,
    stream: IO[str] | None = None,
    told: Callable[[int, int], None] | None = None,
) -> Exported:
    """Write what a database holds in the format of other programs.

    Parameters
    ----------
    format : a name in `FORMATS`
    wanted : which recordings and patterns; None is everything
    out : a file for csv, or for the one recording that is wanted; else a folder. None: a name in the working folder,
        for csv the stream
    is_forced : write over files that are there
    is_rounded : pitch of notes to the semitone; formats of notes only
    stream : where csv goes without `out`; None is standard output
    told : called with the number of recordings that are done and of all

    Raises
    ------
    UsageError, NotFoundError
        for an unknown format, what is not there, what is not clear, or files that are in the way.
    """
    kind = format_named(format)
    wanted = wanted or Wanted()
    path = None if out is None else Path(out)
    source = Source(database, wanted)
    if not kind.suffixes:
        return _tables(source, kind, path, is_forced, told)
    source.require_clear()
    n_total = len(source.recording_ids)

    def each(done: Exported) -> Iterator[Recording]:
        for recording in source.recordings(with_pitch=kind.has_pitch, with_notes=kind.has_notes):
            yield recording
            done.count(recording)
            if told is not None:
                told(done.n_recordings, n_total)

    if kind.name == "csv":
        return _one_table(source, path, each, is_forced, stream)
    return _files(source, kind, path, each, is_forced, is_rounded)


def _one_table(
    source: Source,
    path: Path | None,
    each: Callable[[Exported], Iterator[Recording]],
    is_forced: bool,
    stream: IO[str] | None,
) -> Exported:
    done = Exported(path)
    if path is None:
        out = stream or sys.stdout
        try:
            csv_table.write(each(done), source.of, out)
            out.flush()
        except BrokenPipeError:  # the reader has seen enough (`| head`); Python shall not complain at exit
            if out is sys.stdout:
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return done
    require_free([path], is_forced=is_forced)
    make_folder(path.parent)
    put_text(path, lambda out: csv_table.write(each(done), source.of, out))
    done.paths.append(path)
    return done


def _files(
    source: Source,
    kind: Format,
    path: Path | None,
    each: Callable[[Exported], Iterator[Recording]],
    is_forced: bool,
    is_rounded: bool,
) -> Exported:
    named = source.names
    is_file = _is_file(source, kind, path)
    if path is None:
        single = len(named) == 1 and len(kind.suffixes) == 1
        path = Path() if single else Path(f"{source.database.path.stem}-{kind.name}")
    folder = path.parent if is_file else path
    targets = {
        id_: {s: path if is_file else folder / (stem + s) for s in kind.suffixes}
        for id_, stem in named.items()
    }
    require_free([p for of_one in targets.values() for p in of_one.values()], is_forced=is_forced)
    make_folder(folder)
    done = Exported(path)
    for recording in each(done):
        for suffix, content in kind.render(recording, is_rounded, done.notes).items():
            target = targets[recording.id][suffix]
            put(target, content)
            done.paths.append(target)
    if len(done.paths) == 1:
        done.out = done.paths[0]
    return done


def _tables(
    source: Source,
    kind: Format,
    path: Path | None,
    is_forced: bool,
    told: Callable[[int, int], None] | None,
) -> Exported:
    wanted, snapshot = source.wanted, source.database.snapshot
    if wanted.analysis is not None or wanted.strongest is not None or wanted.of != "motifs":
        raise UsageError(f"{kind.name} takes tables as they are; leave out --analysis, --strongest and --of")
    folder = path or Path(f"{source.database.path.stem}-{kind.name}")
    if folder.is_file():
        raise UsageError(f"{folder} is a file, and {kind.name} makes several; name a folder with -o")
    described = folder / croissant.NAME
    targets = [folder / (name + tables.ENDING) for name in TABLES]
    require_free(targets + ([described] if kind.name == "croissant" else []), is_forced=is_forced)
    make_folder(folder)
    rows = tables.Subset()
    if not source.is_whole:
        rows = tables.subset(snapshot, source.recording_ids, source.pattern)
    written = list(tables.write(snapshot, folder, rows, has_maps=kind.name == "parquet", told=told))
    done = Exported(folder, [file.path for file in written], n_rows=sum(file.n_rows for file in written))
    if kind.name == "croissant":
        name = source.database.path.stem
        put(described, croissant.render(name, snapshot.commit, snapshot.created_at, written))
        done.paths.append(described)
    return done


def _is_file(source: Source, kind: Format, path: Path | None) -> bool:
    """Whether -o names the one file that is written, not a folder for several.

    Raises
    ------
    UsageError
        where it names a file and there are several.
    """
    if path is None or path.is_dir():
        return False
    n_files = len(source.recording_ids) * len(kind.suffixes)
    has_ending = path.suffix.lower() in {"." + s.rsplit(".", 1)[-1].lower() for s in kind.suffixes}
    if n_files > 1 and (has_ending or path.is_file()):
        raise UsageError(
            f"{path} is the name of one file, and {kind.name} makes {n_files:,} here; name a folder with -o"
        )
    return n_files == 1 and (has_ending or source.wanted.recording is not None)


__all__ = ["FORMATS", "Exported", "Wanted", "export"]
