"""A file of packed sound, so that the next run starts at once and workers of one machine share memory.

Disposable: it holds nothing that the database does not, is made again where it is missing, and where it cannot be written (no room,
no folder) sound is read into memory instead. A file is found by the hash of all that its content follows from, and believed only if
its header and its checksum agree, so neither a cut one nor a stranger's is used. It holds samples and numbers; nothing
in it is ever executed or unpickled.

Layout: 8 bytes magic, 4 bytes length of the header (little endian), the header (JSON: key, stretches, samples, crc32, note), filled up with
blanks to 4,096 bytes, with a sentence on where the sound comes from; then the samples of each stretch (int64: how many there were), then the sound (int16).
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from motifdb.catalog.lancetables import manifest_name
from motifdb.ids import hash_bytes
from motifdb.query.cache.folder import cache_folder
from motifdb.training.inputs.packed import Packed, Stretches
from motifdb.training.inputs.sound_at_rate import SoundReader

if TYPE_CHECKING:
    from motifdb.catalog.store import Snapshot

LEAST_BYTES = 64 << 20
"""Smaller sets are read into memory faster than anybody notices."""
MAX_AGE_S = 30 * 24 * 3600.0
"""A file that nobody opened for so long is removed when another one is written."""
MAGIC = b"motifpk1"
_PAGE = 4096
_CHUNK = 16 << 20
_NOTE = 500  # characters that are kept of a note: at most 6 bytes each, so that the header fits its page
SUFFIX = ".packed"


def default_folder() -> Path | None:
    """The user's cache folder, `packed` in it; None where `MOTIFDB_CACHE` is ``off``."""
    return cache_folder("packed")


def fetch(snapshot: Snapshot, wanted: Stretches, folder: Path, reader: SoundReader) -> Packed | None:
    """The clips over a memory map of the file, which `reader` makes where it is not there; None where that cannot be."""
    key = cache_key(snapshot, wanted, reader.origin)
    path = folder / f"{key}{SUFFIX}"
    found = _opened(path, key, wanted)
    if found is None:
        try:
            _write(path, key, wanted, reader)
        except OSError:
            return None
        found = _opened(path, key, wanted)
    return found


def cache_key(snapshot: Snapshot, wanted: Stretches, origin: str = "") -> str:
    """Hash of the stretches, their rate, the version of `audio` they are read from, and what else the sound comes from.

    The version's manifest names its files, whose names are drawn anew whenever they are written. So another database, or the same
    one after a change of its sound, has another key.
    """
    version = snapshot.versions.get("audio")
    manifest = b""
    if version is not None:
        with contextlib.suppress(OSError):
            manifest = (snapshot.path / manifest_name("audio", version)).read_bytes()
    return hash_bytes(
        MAGIC,
        str(snapshot.path).encode(),
        str(version).encode(),
        manifest,
        "\n".join(wanted.recording_id).encode(),
        wanted.first.astype("<i8").tobytes(),
        wanted.last.astype("<i8").tobytes(),
        str(wanted.sample_rate_hz).encode(),
        origin.encode(),
    )


def _opened(path: Path, key: str, wanted: Stretches) -> Packed | None:
    """The clips over the file; None where it is not there, cut, damaged or not ours."""
    try:
        with open(path, "rb") as file:
            header, skip = _header(file.read(_PAGE))
            n_stretches, n_samples = len(wanted.recording_id), wanted.n_samples
            size = skip + 8 * n_stretches + 2 * n_samples
            if (
                header.get("key") != key
                or header.get("stretches") != n_stretches
                or header.get("samples") != n_samples
                or os.fstat(file.fileno()).st_size != size
            ):
                return None
            file.seek(skip)
            crc = 0
            while block := file.read(_CHUNK):
                crc = zlib.crc32(block, crc)
            if crc != header.get("crc32"):
                return None
        if not n_samples:
            return None
        got = np.fromfile(path, "<i8", n_stretches, offset=skip).astype(np.int64)
        pcm = np.memmap(path, "<i2", "r", offset=skip + 8 * n_stretches, shape=(n_samples,))
        with contextlib.suppress(OSError):
            os.utime(path)  # so that it is known to be in use
    except (OSError, ValueError):
        return None
    return wanted.packed(pcm, got, str(header.get("note", "")))


def _header(head: bytes) -> tuple[dict[str, object], int]:
    """The header and where the content begins; ValueError where it is none."""
    n = int.from_bytes(head[8:12], "little")
    if head[:8] != MAGIC or not 0 < n <= len(head) - 12:
        raise ValueError("not a packed file")
    header = json.loads(head[12 : 12 + n])
    if not isinstance(header, dict):
        raise ValueError("not a packed file")
    return header, _PAGE


def _write(path: Path, key: str, wanted: Stretches, reader: SoundReader) -> None:
    """Make the file beside its name, then give it the name, so that nobody sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_old(path.parent)
    n_stretches, n_samples = len(wanted.recording_id), wanted.n_samples
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{key}-", suffix=".part")
    try:
        with os.fdopen(descriptor, "r+b") as file:
            size = _PAGE + 8 * n_stretches + 2 * n_samples
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(
                    file.fileno(), 0, size
                )  # a full disk is told now, not by a crash at a page
            else:
                file.truncate(size)
        pcm: NDArray[np.int16] = np.memmap(
            name, "<i2", "r+", offset=_PAGE + 8 * n_stretches, shape=(n_samples,)
        )
        got = wanted.read(reader, pcm)
        counts = got.astype("<i8").tobytes()
        crc = zlib.crc32(counts)
        for block in _blocks(pcm):
            crc = zlib.crc32(block, crc)
        del pcm
        about = {"key": key, "stretches": n_stretches, "samples": n_samples, "crc32": crc}
        header = json.dumps(about | {"note": reader.note[:_NOTE]}).encode()
        with open(name, "r+b") as file:
            file.write((MAGIC + len(header).to_bytes(4, "little") + header).ljust(_PAGE))
            file.write(counts)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise


def _blocks(pcm: NDArray[np.int16]) -> Iterator[bytes]:
    for begin in range(0, len(pcm), _CHUNK):
        yield pcm[begin : begin + _CHUNK].tobytes()


def _remove_old(folder: Path) -> None:
    """Remove packed files that nobody opened for a month, and parts that a killed process left."""
    now = time.time()
    for path in [*folder.glob(f"*{SUFFIX}"), *folder.glob(".*.part")]:
        with contextlib.suppress(OSError):
            if now - path.stat().st_mtime > MAX_AGE_S:
                path.unlink()
