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
    yield from _verify(snapshot, recorded(snapshot.path, snapshot.commit), set())


def verify_all(path: str | Path) -> Iterator[str]:
    """As `verify_files`, for every commit that gc has kept; a file that several commits read is read once.

    A file that a kept commit reads was new in a kept commit or is read by the oldest kept one: what a commit has
    dropped never comes back. So two snapshots and the records between them name every file, and the cost
    grows with the files, not with files times commits.
    """
    newest = open_snapshot(path)
    root = newest.path
    known = recorded(root, newest.commit)
    oldest = Snapshot(root, commits.read(root, newest.record.oldest_kept))
    seen: set[str] = set()
    yield from _verify(oldest, known, seen)
    for number in range(oldest.commit + 1, newest.commit + 1):
        yield from _verify_names(root, commits.read(root, number).files, known, seen)
    yield from _verify(newest, known, seen)


def _verify(snapshot: Snapshot, known: Mapping[str, tuple[int, str]], seen: set[str]) -> Iterator[str]:
    for table, version in snapshot.versions.items():
        # The manifest first: one that is damaged cannot be trusted to name the other files.
        manifest = lancetables.manifest_name(table, version)
        is_seen = manifest in seen
        damage = list(_verify_names(snapshot.path, [manifest], known, seen))
        yield from damage
        if damage or (is_seen and not (snapshot.path / manifest).is_file()):
            continue
        try:
            needed = set(lancetables.referenced_files(snapshot.dataset(table), table))
        except (MotifdbError, OSError, ValueError) as e:
            if not is_seen:
                yield f"tables/{table}.lance: version {version} of commit {snapshot.commit} cannot be opened: {e}"
            continue
        yield from _verify_names(snapshot.path, needed, known, seen)


def _verify_names(
    root: Path, names: Iterable[str], known: Mapping[str, tuple[int, str]], seen: set[str]
) -> Iterator[str]:
    """Verify files that are not in `seen`, and put them there."""
    for name in sorted(set(names) - seen):
        seen.add(name)
        sentence = _verify_one(root, name, known)
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
