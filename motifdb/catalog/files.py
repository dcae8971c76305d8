"""Writing small files so that they are whole or absent, also after a power failure.

Conventions: a file that `put_if_absent` made is never changed; a name that exists is taken. Both promises rest on
`link(2)`, which fails where the name exists, so the catalog needs a file system with hard links.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import secrets
import shutil
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from motifdb.errors import DatabaseError

BLOCK_BYTES = 1 << 20
DIGEST_BYTES = 16
LEFTOVER_AGE_S = 86_400.0


def reached(point: str, /) -> None:
    """Do nothing; tests replace this to die, stop or intrude at a named point of a commit."""


def sync_folder(folder: Path) -> None:
    """Make the names in `folder` durable."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _write_temporary(path: Path, content: bytes) -> Path:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}.tmp")
    with open(temporary, "xb") as f:
        f.write(content)
        f.flush()
        os.fsync(f.fileno())
    return temporary


def put_if_absent(path: Path, content: bytes) -> None:
    """Create `path` with `content`, whole and durable, or leave what is there.

    Raises
    ------
    FileExistsError
        where the name is taken.
    DatabaseError
        where the file system has no hard links.
    """
    temporary = _write_temporary(path, content)
    try:
        reached(f"before put {path.parent.name}")
        os.link(temporary, path)
        reached(f"after put {path.parent.name}")
    except FileExistsError:
        raise
    except OSError as e:
        if e.errno in (errno.EPERM, errno.ENOTSUP, errno.EMLINK):
            raise DatabaseError(
                f"{path.parent}: this file system cannot make hard links, which a motifdb database needs to"
                " commit safely; put the database on a local disk"
            ) from e
        raise
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()
    sync_folder(path.parent)


def replace(path: Path, content: bytes) -> None:
    """Put `content` in the place of whatever `path` held; a reader sees the old file or the new one."""
    temporary = _write_temporary(path, content)
    os.replace(temporary, path)
    sync_folder(path.parent)


def clear_leftovers(folder: Path, pattern: str = ".*.tmp") -> None:
    """Remove what killed processes left half-made; only what is a day old, as a living one may be at it."""
    for path in folder.glob(pattern):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > LEFTOVER_AGE_S:
                if path.is_dir():
                    shutil.rmtree(path)
                else:
                    path.unlink()


def digest(path: Path) -> tuple[int, str]:
    """Size in bytes and BLAKE2b of a file, read in blocks."""
    h = hashlib.blake2b(digest_size=DIGEST_BYTES)
    size = 0
    with open(path, "rb", buffering=0) as f:
        while block := f.read(BLOCK_BYTES):
            h.update(block)
            size += len(block)
    return size, h.hexdigest()


def _settle_one(path: Path) -> tuple[int, str]:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
    return digest(path)


def settle(root: Path, relative: Iterable[str]) -> dict[str, tuple[int, str]]:
    """Make files and the folders that hold them durable; return size and digest of each.

    The disk's waiting is shared: a few threads call fsync at once.
    """
    names = sorted(relative)
    if not names:
        return {}
    folders = sorted({(root / n).parent for n in names})
    with ThreadPoolExecutor(max_workers=8) as pool:
        digests = list(pool.map(lambda n: _settle_one(root / n), names))
        list(pool.map(sync_folder, folders))
    return dict(zip(names, digests, strict=True))
