"""The database's own care: merge small files (`compact`), free what only old commits need (`gc`)."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from motifdb.catalog import commits, files, lancetables, layout, lease
from motifdb.catalog.lancetables import Change
from motifdb.errors import DatabaseError, UsageError

if TYPE_CHECKING:
    import lance

    from motifdb.catalog.writer import Writer

KEEP_LAST = 10
CHECKPOINT_AGE_S = 7 * 86_400.0
"""A checkpoint that no run names may be of one that trains or was stopped: it goes when untouched for so long."""


def compact(writer: Writer) -> int | None:
    """Merge the small files that many small commits leave; rows and their order stay.

    The space of the old files is freed when gc collects the commits that need them.

    Returns
    -------
    Number of the commit, None where there was nothing to merge.
    """
    parent = writer.snapshot.record
    operations = {t: _compaction(t) for t in parent.tables}
    token = f"compact {parent.hash}"
    return writer.rewrite(operations, token=token, message="compact", skip_empty=True)


def _compaction(table: str) -> Callable[[lance.LanceDataset], Change | None]:
    def run(dataset: lance.LanceDataset) -> Change | None:
        before = set(lancetables.referenced_files(dataset, table))
        base = dataset.version
        dataset.optimize.compact_files()
        if dataset.version == base:
            return None
        between = range(base + 1, dataset.version + 1)
        is_ours = all(_preserves_content(dataset, v) for v in between)
        return Change(
            version=dataset.version,
            files=tuple(sorted(set(lancetables.referenced_files(dataset, table)) - before)),
            n_versions=len(between) if is_ours else 0,
        )

    return run


def _preserves_content(dataset: lance.LanceDataset, version: int) -> bool:
    """Whether a version was made by one of the two steps of a compaction.

    The first step reserves fragment numbers; Lance shows it as an operation without a kind of its own. Whoever did
    them, neither changes a row; a stranger's append, update, delete or restore has a kind.
    """
    import lance

    kind = type(dataset.read_transaction(version).operation)
    return kind in (lance.LanceOperation.Rewrite, lance.LanceOperation.BaseOperation)


@dataclass(frozen=True)
class Freed:
    """What gc did: the newest commit, the oldest commit that can still be opened, files removed and their size."""

    commit: int
    oldest_kept: int
    n_files: int
    n_bytes: int


def gc(writer: Writer, *, keep_last: int = KEEP_LAST, older_than: timedelta | None = None) -> Freed:
    """Collect old commits and remove every file that no kept commit needs.

    The commit log keeps all its records; collected commits can no longer be opened. What interrupted writers left
    behind is removed too, and so are checkpoints that no run or encoder of a kept commit names, after a week, and
    indexes over vectors that no kept commit has.

    Parameters
    ----------
    keep_last : how many of the newest commits stay whatever their age; at least 1
    older_than : collect only commits made longer ago than this; no further condition where None

    Raises
    ------
    UsageError
        where `keep_last` is below 1.
    BusyError
        where the lease was lost.
    """
    if keep_last < 1:
        raise UsageError(f"keep_last={keep_last}: at least one commit must be kept; choose 1 or more")
    head = writer.snapshot.record
    oldest_kept = max(head.oldest_kept, head.number - keep_last + 1)
    if older_than is not None:
        young = commits.at_time(writer.path, datetime.now(UTC) - older_than)
        oldest_kept = max(head.oldest_kept, min(oldest_kept, 0 if young is None else young + 1))
    number: int | None = head.number
    if oldest_kept > head.oldest_kept:
        # The record goes first: from here on a collected commit is refused in a sentence, whatever is removed when.
        number = writer.rewrite(
            {},
            token=f"gc {head.hash} {oldest_kept}",
            message=f"gc: collect the commits before {oldest_kept}",
            oldest_kept=oldest_kept,
        )
    assert number is not None
    n_files, n_bytes = writer.exclusively(lambda: _sweep(writer))
    return Freed(number, oldest_kept, n_files, n_bytes)


def _sweep(writer: Writer) -> tuple[int, int]:
    head = writer.snapshot.record
    for folder in (commits.FOLDER, lease.FOLDER, layout.TABLES_FOLDER):
        files.clear_leftovers(writer.path / folder)
    kept: dict[str, set[int]] = {}
    for number in range(head.oldest_kept, head.number + 1):
        for table, version in commits.read(writer.path, number).tables.items():
            kept.setdefault(table, set()).add(version)
    removed = [_sweep_table(writer, table, versions) for table, versions in kept.items()]
    removed += _sweep_checkpoints(writer, kept)
    removed += _sweep_indexes(writer, kept.get("analyses", set()))
    return sum(n for n, _ in removed), sum(b for _, b in removed)


def _sweep_table(writer: Writer, table: str, kept: set[int]) -> tuple[int, int]:
    """Remove a table's versions that are not in `kept`, and files that no version left uses.

    What is there is listed before what is needed is read, so a file that another writer makes meanwhile is on no
    list; and no kept version is ever rebuilt from removed files. So even a gc that is paused past its lease
    in the middle removes nothing that counts.
    """
    path = layout.table_path(writer.path, table)
    before = _sizes(path)
    dataset = lancetables.open_version(writer.path, table)
    kept = kept | {dataset.version}
    stored = {int(v["version"]) for v in dataset.versions()}
    if not kept <= stored:
        raise DatabaseError(
            f"{path}: versions {sorted(kept - stored)} that kept commits name are missing; run `motifdb check` before gc"
        )
    _tag(dataset, kept)
    needed: set[str] = set()
    for version in kept:
        needed.update(
            lancetables.referenced_files(lancetables.open_version(writer.path, table, version), table)
        )
    writer.verify_lease()
    if stored - kept:
        dataset.cleanup_old_versions(versions=sorted(stored - kept), error_if_tagged_old_versions=False)
    for name in before:
        if (
            Path(name).parent.name in ("data", "_deletions")
            and lancetables.relative(table, name) not in needed
        ):
            (path / name).unlink(missing_ok=True)
    after = _sizes(path)
    gone = set(before) - set(after)
    return len(gone), sum(before[n] for n in gone)


def _sweep_checkpoints(writer: Writer, kept: Mapping[str, set[int]]) -> list[tuple[int, int]]:
    """Remove folders of checkpoints that no run or encoder of a kept commit names and nobody has touched for a week.

    A run is stored when it has ended, and nobody holds the lease while it trains: until then nothing but the time of
    its files tells a run that goes on from one that was given up.
    """
    folder = writer.path / layout.MODELS_FOLDER
    if not folder.is_dir():
        return []
    named: set[str] = set()
    for table in ("runs", "encoders"):
        for version in sorted(kept.get(table, ())):
            rows = lancetables.open_version(writer.path, table, version).to_table(["checkpoint"])
            named.update(name for name in rows.column(0).to_pylist() if name)
    inside = {Path(name).parts[1] for name in named if len(Path(name).parts) > 1}
    removed = []
    for path in sorted(folder.iterdir()):
        if path.name in inside or time.time() - _last_touched(path) < CHECKPOINT_AGE_S:
            continue
        removed.append(_removed(writer, path))
    return removed


def _sweep_indexes(writer: Writer, kept: set[int]) -> list[tuple[int, int]]:
    """Remove indexes over vectors of analyses that no kept commit has, and what killed builds left a day ago.

    An index that is older than its table stays: it is not used, and building it anew replaces it.
    """
    folder = writer.path / layout.INDEXES_FOLDER
    if not folder.is_dir():
        return []
    known: set[str] = set()
    for version in sorted(kept):
        rows = lancetables.open_version(writer.path, "analyses", version).to_table(["analysis_id"])
        known.update(rows.column(0).to_pylist())
    removed = []
    for path in sorted(folder.iterdir()):
        is_half_made = path.name.startswith(".") and path.name.endswith(".tmp")
        if is_half_made and time.time() - _last_touched(path) < files.LEFTOVER_AGE_S:
            continue
        if path.name not in known:
            removed.append(_removed(writer, path))
    return removed


def _removed(writer: Writer, path: Path) -> tuple[int, int]:
    """Remove a file or a folder; how many files it was, and their size."""
    is_folder = path.is_dir() and not path.is_symlink()
    sizes = list(_sizes(path).values()) if is_folder else [path.lstat().st_size]
    writer.verify_lease()
    if is_folder:
        shutil.rmtree(path)
    else:
        path.unlink()
    return len(sizes), sum(sizes)


def _last_touched(path: Path) -> float:
    """When a file, or anything in a folder, was last written, in seconds of the system's clock."""
    return max(p.lstat().st_mtime for p in (path, *path.rglob("*")))


def _sizes(path: Path) -> dict[str, int]:
    """Size of every file of a table but its tags, by path relative to the table."""
    sizes = {}
    for folder, _, names in os.walk(path):
        relative = Path(folder).relative_to(path)
        if relative.parts[:1] == ("_refs",):
            continue
        for name in names:
            file = relative / name
            sizes[file.as_posix()] = (path / file).stat().st_size
    return sizes


def _tag(dataset: lance.LanceDataset, kept: set[int]) -> None:
    """Tag exactly the kept versions, so that a cleanup by other Lance tools spares them."""
    tags = {name: int(tag["version"]) for name, tag in dataset.tags.list().items()}
    for version in sorted(kept - set(tags.values())):
        dataset.tags.create(f"kept-{version}", version)
    for name, version in tags.items():
        if version not in kept:
            dataset.tags.delete(name)
