"""Is every byte that a snapshot reads still the byte that was committed?

The records of the log hold size and BLAKE2b of every file that was new in their commit; a snapshot's files must
each be found there and agree. Lance's transaction files are history, not data: no snapshot reads them, and they
are not covered.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from motifdb.catalog import commits, files, lancetables, layout
from motifdb.catalog.snapshot import Snapshot, open_snapshot
from motifdb.errors import MotifdbError


def recorded(root: Path, up_to: int) -> dict[str, tuple[int, str]]:
    """Size and digest of every file that commits 0 to `up_to` made, by path relative to the database."""
    known: dict[str, tuple[int, str]] = {}
    for number in commits.numbers(root):
        if number <= up_to:
            known.update(commits.read(root, number).files)
    return known


def verify_files(snapshot: Snapshot) -> Iterator[str]:
    """One sentence for each file of a snapshot that is missing, changed, or covered by no checksum."""
    yield from _verify([snapshot], recorded(snapshot.path, snapshot.commit))


def verify_all(path: str | Path) -> Iterator[str]:
    """As `verify_files`, for every commit that gc has kept; a file that several commits read is read once."""
    newest = open_snapshot(path)
    root = newest.path
    kept = (
        Snapshot(root, commits.read(root, n)) for n in range(newest.commit, newest.record.oldest_kept - 1, -1)
    )
    yield from _verify(kept, recorded(root, newest.commit))


def _verify(snapshots: Iterable[Snapshot], known: Mapping[str, tuple[int, str]]) -> Iterator[str]:
    seen_versions: set[tuple[str, int]] = set()
    seen_files: set[str] = set()
    for snapshot in snapshots:
        for table, version in snapshot.versions.items():
            if (table, version) in seen_versions:
                continue
            seen_versions.add((table, version))
            # The manifest first: one that is damaged cannot be trusted to name the other files.
            manifest = lancetables.manifest_name(table, version)
            sentence = _verify_one(snapshot.path, manifest, known)
            seen_files.add(manifest)
            if sentence is not None:
                yield sentence
                continue
            try:
                needed = set(lancetables.referenced_files(snapshot.dataset(table), table))
            except (MotifdbError, OSError, ValueError) as e:
                yield f"tables/{table}.lance: version {version} of commit {snapshot.commit} cannot be opened: {e}"
                continue
            for name in sorted(needed - seen_files):
                seen_files.add(name)
                sentence = _verify_one(snapshot.path, name, known)
                if sentence is not None:
                    yield sentence


def _verify_one(root: Path, name: str, known: Mapping[str, tuple[int, str]]) -> str | None:
    if name not in known:
        return f"{name}: no commit holds a checksum of this file"
    size, expected = known[name]
    try:
        found_size, found = files.digest(root / name)
    except OSError as e:
        return f"{name}: the file is missing or cannot be read ({e.strerror})"
    if found_size != size:
        return f"{name}: the file has {found_size} bytes where {size} were committed"
    if found != expected:
        return f"{name}: the file's bytes differ from those that were committed"
    return None


def verify_log(path: str | Path) -> Iterator[str]:
    """One sentence for each commit record that is missing, damaged, out of order or not its parent's child."""
    root = layout.local_path(path)
    layout.check_database(root)
    parent: commits.CommitRecord | None = None
    found = commits.numbers(root)
    for number in range(found[-1] + 1 if found else 0):
        try:
            record = commits.read(root, number)
        except MotifdbError as e:
            yield str(e)
            parent = None
            continue
        if parent is not None and record.parent != parent.hash:
            yield f"commits/{number:010d}.json: the record is not the child of commit {number - 1} as it stands there"
        if parent is not None and record.created_at <= parent.created_at:
            yield f"commits/{number:010d}.json: the record is not later than commit {number - 1}"
        parent = record
