"""Find the files below the paths of a command line, without opening one.

What is left out, and why:

- names that begin with a dot, and folders named ``*.motifdb`` or given in `skip`: housekeeping and the database itself;
- FIFOs, sockets and devices: reading one could wait for ever;
- a folder that a symbolic link leads to and that was already walked or lies above the root: so loops end, and
  every folder is listed once. Real folders are walked before linked ones, so a file keeps its real path where
  it has one.

Nothing here fails on one bad entry: what cannot be listed comes out as a `Found` with an `error`.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from motifdb.errors import InputError, UsageError

READ_LIMIT_BYTES = 1 << 40
"""Larger files are refused: nothing that sings is a terabyte."""

_ESCAPED = re.compile(r"%([0-9A-Fa-f]{2})")
_CONTROL = re.compile(r"[%\x00-\x1f\x7f-\x9f\u2028\u2029\udc80-\udcff]")


@dataclass(frozen=True)
class Found:
    """One file below a root, or something there that could not be listed.

    Attributes
    ----------
    root : the folder it was found under; for a path that is a file, the folder it lies in
    relative : path below the root as the file system has it
    size_bytes, mtime_ns : of the file a link leads to; 0 where it cannot be told
    error : one sentence, else None
    """

    root: Path
    relative: bytes
    size_bytes: int
    mtime_ns: int
    error: str | None = None

    @property
    def path(self) -> Path:
        """Where it lies, to be opened."""
        return self.root / os.fsdecode(self.relative)

    @property
    def name(self) -> bytes:
        """Last part of the path."""
        return self.relative.rpartition(b"/")[2]

    @property
    def escaped(self) -> str:
        """`relative` as the column ``files.path`` has it (see `escape_path`)."""
        return escape_path(self.relative)


def escape_path(path: bytes) -> str:
    r"""A path as text that is readable, printable, and can be turned back into the same bytes.

    Control characters, line separators, ``%`` and bytes that are no UTF-8 become ``%XX``; all else stays.

    >>> escape_path("Ārabhi 100%\n.wav".encode())
    'Ārabhi 100%25%0A.wav'
    >>> escape_path(b"caf\xe9.wav")
    'caf%E9.wav'
    """
    return _CONTROL.sub(_escape_one, path.decode("utf-8", "surrogateescape"))


def _escape_one(match: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in match[0].encode("utf-8", "surrogateescape"))


def unescape_path(text: str) -> bytes:
    r"""The bytes that `escape_path` made `text` from; a ``%`` without two hex digits is taken as it stands.

    >>> unescape_path("caf%E9.wav")
    b'caf\xe9.wav'
    """
    out = bytearray()
    at = 0
    for match in _ESCAPED.finditer(text):
        out += text[at : match.start()].encode("utf-8", "surrogateescape")
        out.append(int(match[1], 16))
        at = match.end()
    return bytes(out + text[at:].encode("utf-8", "surrogateescape"))


def discover(paths: Iterable[str | Path], *, skip: Iterable[str | Path] = ()) -> Iterator[Found]:
    """Every file below the paths, folder by folder, sorted by the bytes of their names.

    Parameters
    ----------
    paths : folders and files; one that is named twice counts once
    skip : folders that are left out, such as the database that is written to

    Raises
    ------
    UsageError
        at once, where a path does not exist, is neither file nor folder, or is a database.
    """
    roots: dict[str, Path] = {}
    for path in paths:
        absolute = Path(os.path.abspath(path))
        try:
            mode = absolute.stat().st_mode
        except FileNotFoundError:
            raise UsageError(f"there is no file or folder {_shown(path)}; check the spelling") from None
        except OSError as error:
            raise UsageError(f"{_shown(path)} cannot be read: {_why(error)}") from None
        if not (stat.S_ISDIR(mode) or stat.S_ISREG(mode)):
            raise UsageError(f"{_shown(path)} is neither a file nor a folder")
        if stat.S_ISDIR(mode) and absolute.name.endswith(".motifdb"):
            raise UsageError(f"{_shown(path)} is a database; name the folder of the recordings")
        roots.setdefault(os.path.realpath(absolute), absolute)
    skipped = {os.path.realpath(s) for s in skip}
    return _all(list(roots.values()), skipped)


def _shown(path: str | Path) -> str:
    return escape_path(os.fsencode(path))


def _why(error: OSError) -> str:
    return (error.strerror or str(error)).lower()


def _all(roots: list[Path], skipped: set[str]) -> Iterator[Found]:
    for root in roots:
        if root.is_dir():
            yield from _walk(root, skipped)
        else:
            yield _file(root.parent, os.fsencode(root.name), os.fsencode(root))


def _file(root: Path, relative: bytes, full: bytes) -> Found:
    try:
        status = os.stat(full)
    except OSError as error:
        return Found(root, relative, 0, 0, f"{escape_path(relative)} cannot be read: {_why(error)}")
    return Found(root, relative, status.st_size, status.st_mtime_ns)


def _walk(root: Path, skipped: set[str]) -> Iterator[Found]:
    """Depth first; real folders from one stack, linked ones only when no real one is left."""
    top = os.fsencode(root)
    skipped_ids = {_identity(os.fsencode(path)) for path in skipped} - {None}
    visited = {_identity(os.fsencode(parent)) for parent in Path(os.path.realpath(root)).parents} - {None}
    real: list[bytes] = [b""]
    linked: list[bytes] = []
    while real or linked:
        folder = real.pop() if real else linked.pop(0)
        identity = _identity(os.path.join(top, folder))
        if identity in visited or (identity in skipped_ids and folder):
            continue
        if identity is not None:
            visited.add(identity)
        try:
            with os.scandir(os.path.join(top, folder)) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
        except OSError as error:
            name = escape_path(folder) or _shown(root)
            yield Found(root, folder, 0, 0, f"the folder {name} cannot be listed: {_why(error)}")
            continue
        below: list[bytes] = []
        for entry in entries:
            if entry.name.startswith(b"."):
                continue
            relative = os.path.join(folder, entry.name)
            try:
                status = entry.stat()
            except OSError as error:
                yield Found(root, relative, 0, 0, f"{escape_path(relative)} cannot be read: {_why(error)}")
                continue
            if stat.S_ISDIR(status.st_mode):
                if not entry.name.endswith(b".motifdb"):
                    (linked if entry.is_symlink() else below).append(relative)
            elif stat.S_ISREG(status.st_mode):
                yield Found(root, relative, status.st_size, status.st_mtime_ns)
        real.extend(reversed(below))


def _identity(path: bytes) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def read_head(found: Found, n_bytes: int = 65_536) -> bytes:
    """The first bytes of a file, for `sniff`.

    Raises
    ------
    InputError
        ``unreadable``: permission, a vanished file, a failing disk; or what `discover` already noted.
    """
    return _read(found, n_bytes)


def read_content(found: Found) -> bytes:
    """All bytes of a file.

    Raises
    ------
    InputError
        as `read_head`.
    """
    return _read(found, -1)


def _read(found: Found, n_bytes: int) -> bytes:
    if found.error is not None:
        raise InputError("unreadable", found.error, "discover")
    if found.size_bytes > READ_LIMIT_BYTES:
        raise InputError("too-large", f"{found.escaped} is larger than a terabyte; cut it", "discover")
    try:
        with open(found.path, "rb") as file:
            return file.read(n_bytes)
    except OSError as error:
        raise InputError("unreadable", f"{found.escaped} cannot be read: {_why(error)}", "discover") from None
