"""Sequences in SPMF's text format in, patterns in its output format out: the way to compare with other miners.

See `motifdb.kernels.spmf_text` for the two formats.
"""

from __future__ import annotations

import gzip
import os
import sys
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from motifdb.errors import UsageError
from motifdb.kernels import spmf_text
from motifdb.mining.api import mine
from motifdb.mining.arrays import Closure, Support
from motifdb.mining.question import Threshold
from motifdb.mining.result import MiningResult

_CHUNK = 1 << 24
MOST_TEXT = 2**31
"""Bytes of text, unpacked, that are read: a small .gz can hold any number."""

_WRONG = {
    spmf_text.NO_NUMBER: "{token} is no whole number",
    spmf_text.TOO_LARGE: "{token} has more than 18 digits",
    spmf_text.NEGATIVE: "{token} is no symbol; below 0 there are only -1 after a symbol and -2 at the end",
    spmf_text.TWO_ITEMS: "{token} is a second item of one itemset; sequences of single symbols have -1 after each",
    spmf_text.NO_ITEM: "-1 ends an itemset that has no item",
    spmf_text.NO_MINUS_ONE: "-2 ends the sequence inside an itemset; put -1 after its last symbol",
    spmf_text.AFTER_END: "{token} stands after the -2 that ends the sequence; write one sequence a line",
    spmf_text.NO_END: "it does not end with -2",
}
_LABELS = np.stack([np.frombuffer(label, np.uint8) for label in (b" #SUP: ", b" #OCC: ")])


@dataclass(frozen=True)
class SpmfSummary:
    """What `mine_file` did.

    Attributes
    ----------
    n_sequences, n_symbols : of the database
    n_patterns : written
    complete_from, stopped_by : as in `MiningResult`
    """

    n_sequences: int
    n_symbols: int
    n_patterns: int
    complete_from: int
    stopped_by: str | None

    def __str__(self) -> str:
        stopped = (
            "" if self.stopped_by is None else f"; {self.stopped_by} was reached, rarer ones are missing"
        )
        patterns, sequences, symbols = (
            f"{n} {what}{'s' * (n != 1)}"
            for n, what in (
                (self.n_patterns, "pattern"),
                (self.n_sequences, "sequence"),
                (self.n_symbols, "symbol"),
            )
        )
        if self.stopped_by is not None and self.complete_from > self.n_sequences:
            return f"no pattern: {self.stopped_by} was reached before anything was complete in {sequences} of {symbols}"
        return f"{patterns} of support {self.complete_from} or more in {sequences} of {symbols}{stopped}"


def mine_file(
    path_in: str | os.PathLike[str],
    path_out: str | os.PathLike[str] | None,
    *,
    min_support: Threshold,
    max_gap: int | str | None,
    support: Support = "sequences",
    closed: Closure | None = None,
    maximal: bool = False,
    min_length: int = 1,
    max_length: int | None = None,
    workers: int = 1,
    max_patterns: int = 20_000_000,
    memory_limit: int | str | None = None,
    time_limit_s: float | None = None,
) -> SpmfSummary:
    """Mine a database in SPMF's text format and write the patterns, one a line, sorted by their numbers (a prefix first).

    Parameters
    ----------
    path_in : text, or text packed by gzip
    path_out : replaced once everything is written, packed where it ends with .gz; None: standard output
    min_support : as `motifdb.mine` takes it: 3, 0.2, ``"3"``, ``"20%"``
    max_gap : number >= 0, as text too; None or ``"none"`` is unlimited
    support : the number after ``#SUP:``, in sequences or occurrences; there are no recordings. At max_gap 0 the occurrences
        follow as ``#OCC:``
    closed, maximal, min_length, max_length, workers, max_patterns, memory_limit, time_limit_s : as `motifdb.mine` takes them

    Raises
    ------
    UsageError
        where the text is none of sequences (with the line), a file cannot be read or written, or an argument cannot be.
    """
    if support == "recordings":
        raise UsageError("this format has no recordings; count support in sequences or occurrences")
    symbols, offsets = read(path_in)
    found = mine(
        symbols,
        offsets,
        min_support=min_support,
        support=support,
        max_gap=parse_gap(max_gap),
        min_length=min_length,
        max_length=max_length,
        closed=closed,
        maximal=maximal,
        counts=False,
        workers=workers,
        max_patterns=max_patterns,
        memory_limit=memory_limit,
        time_limit_s=time_limit_s,
    )
    write(found, path_out, support=support)
    return SpmfSummary(len(offsets) - 1, len(symbols), len(found), found.complete_from, found.stopped_by)


def parse_gap(given: int | str | None) -> int | None:
    """A gap from a number or text; ``"none"`` is unlimited.

    Raises
    ------
    UsageError
        where it is neither.
    """
    if not isinstance(given, str):
        return given
    if given.strip().lower() in ("none", "inf"):
        return None
    if not given.strip().isdecimal():
        raise UsageError(f"max_gap must be 0 or more symbols, or none for unlimited, got {given!r}")
    return int(given)


def read(path: str | os.PathLike[str]) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Symbols (in the narrowest type) and offsets of a database in SPMF's text format, plain or packed by gzip.

    Raises
    ------
    UsageError
        where it cannot be read, a line is no sequence of single symbols, or it is longer than `MOST_TEXT`.
    """
    symbols: list[NDArray[Any]] = [np.empty(0, np.int8)]
    ends: list[NDArray[np.int64]] = [np.zeros(1, np.int64)]
    n_symbols = n_lines = 0
    for text in _whole_lines(path):
        room = np.empty(len(text) // 2 + 1, np.int64)
        room_of_ends = np.empty(len(text) // 2 + 1, np.int64)
        data = np.frombuffer(text, np.uint8)
        state, n_new, n_ends, n_read, begin, end = spmf_text.parse(data, room, room_of_ends)
        n_lines += n_read
        if state != spmf_text.WHOLE:
            token = text[begin : min(end, begin + 30)].decode("latin-1")
            raise UsageError(
                f"{os.fspath(path)} line {n_lines} is no sequence: {_WRONG[state].format(token=repr(token))}"
            )
        symbols.append(_narrowed(room[:n_new]))
        ends.append(room_of_ends[:n_ends] + n_symbols)
        n_symbols += n_new
    return np.concatenate(symbols), np.concatenate(ends)


def write(
    found: MiningResult, path: str | os.PathLike[str] | None, *, support: Support = "sequences"
) -> None:
    """Write patterns as lines ``1 5 2 #SUP: 3``, with ``#OCC: 4`` where all occurrences were counted contiguously.

    Raises
    ------
    UsageError
        where the file cannot be written.
    """
    lists = found.patterns.column("pattern").combine_chunks()
    symbols = pc.list_flatten(lists).to_numpy(zero_copy_only=False).astype(np.int64)
    offsets = lists.offsets.to_numpy().astype(np.int64)
    names = found.patterns.column_names
    weight = found.patterns.column(
        "occurrences" if support == "occurrences" else "support_sequences"
    ).to_numpy()
    occurrences = found.patterns.column("occurrences").to_numpy() if "occurrences" in names else weight[:0]
    with _replacing(path) as file:
        first = 0
        while first < len(found):
            last = int(np.searchsorted(offsets, offsets[first] + (1 << 20), "right")) - 1
            last = min(max(last, first + 1), first + (1 << 18), len(found))
            room = np.empty(21 * int(offsets[last] - offsets[first]) + 64 * (last - first), np.uint8)
            n = spmf_text.write(room, symbols, offsets, first, last, weight, occurrences, _LABELS)
            file.write(room[:n].data)
            first = last


def _whole_lines(path: str | os.PathLike[str]) -> Iterator[bytes]:
    """The text of a file in pieces of whole lines."""
    try:
        with open(path, "rb") as file:
            is_packed = file.read(2) == b"\x1f\x8b"
            file.seek(0)
            text: IO[bytes] = gzip.GzipFile(fileobj=file) if is_packed else file  # type: ignore[assignment]
            yield from _cut_at_lines(text, path)
    except (gzip.BadGzipFile, EOFError, zlib.error):
        raise UsageError(f"{os.fspath(path)} is damaged: gzip cannot unpack it to its end") from None
    except OSError as error:
        raise UsageError(f"{os.fspath(path)} cannot be read: {error.strerror or error}") from None


def _cut_at_lines(text: IO[bytes], path: str | os.PathLike[str]) -> Iterator[bytes]:
    begun: list[bytes] = []
    n_read = 0
    while piece := text.read(_CHUNK):
        if n_read == 0:
            piece = piece.removeprefix(b"\xef\xbb\xbf")
        n_read += len(piece)
        if n_read > MOST_TEXT:
            raise UsageError(
                f"{os.fspath(path)} has more than {MOST_TEXT} bytes of text; cut it into several"
            )
        cut = piece.rfind(b"\n") + 1
        if cut:
            yield b"".join([*begun, piece[:cut]])
            begun = []
        begun.append(piece[cut:])
    if rest := b"".join(begun):
        yield rest


def _narrowed(numbers: NDArray[np.int64]) -> NDArray[Any]:
    most = numbers.max(initial=0)
    return numbers.astype(np.int8 if most < 2**7 else np.int32 if most < 2**31 else np.int64)


@contextmanager
def _replacing(path: str | os.PathLike[str] | None) -> Iterator[IO[bytes]]:
    """A file to write that takes its name when it is whole."""
    if path is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    target = Path(path)
    try:
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    except OSError as error:
        raise UsageError(f"{target} cannot be written: {error.strerror or error}") from None
    part = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            if target.suffix == ".gz":
                with gzip.GzipFile(fileobj=file, mode="wb", filename="", mtime=0) as packed:
                    yield packed  # type: ignore[misc]
            else:
                yield file
        umask = os.umask(0)
        os.umask(umask)
        part.chmod(0o666 & ~umask)
        part.replace(target)
    except OSError as error:
        raise UsageError(f"{target} cannot be written: {error.strerror or error}") from None
    finally:
        part.unlink(missing_ok=True)
