"""Where exported files go: whole or not at all, and never over somebody's file unless that is asked for."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from motifdb.catalog.files import clear_leftovers
from motifdb.errors import UsageError


def require_free(paths: list[Path], *, is_forced: bool) -> None:
    """Refuse to write over what is there, before anything is written.

    Raises
    ------
    UsageError
        naming the first of them.
    """
    for path in paths:
        if path.is_dir():
            raise UsageError(f"{path} is a folder; name a file")
    there = [path for path in paths if path.exists()] if not is_forced else []
    if there:
        more = f" and {len(there) - 1:,} more of these files" if len(there) > 1 else ""
        raise UsageError(
            f"{there[0]}{more} is there already; --force writes over it, or choose another place with -o"
        )


def make_folder(path: Path) -> None:
    """Make a folder and those above it; what a killed export left there a day ago is removed.

    Raises
    ------
    UsageError
        where that cannot be.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        clear_leftovers(path, ".motifdb-export.*.tmp")
    except OSError as error:
        raise UsageError(f"the folder {path} cannot be made: {error.strerror or error}") from None


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary name beside `path`, which takes its place when the block ends well and is removed otherwise.

    Raises
    ------
    UsageError
        where the disk refuses.
    """
    temporary = path.with_name(f".motifdb-export.{os.getpid()}.{secrets.token_hex(4)}.tmp")
    try:
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror or error}") from None
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def put(path: Path, content: bytes) -> None:
    """Write a file whole."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def put_text(path: Path, write: Callable[[IO[str]], None]) -> None:
    """Write a text file whole, as it is made."""
    with replacing(path) as temporary, open(temporary, "w", encoding="utf-8", newline="") as out:
        write(out)
