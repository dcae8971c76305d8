"""The copies that one session reads: looked for when a statement needs them, made in the background where they are not."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from motifdb.query.cache import keys, shelf
from motifdb.query.cache.build import start
from motifdb.query.cache.folder import cache_folder

if TYPE_CHECKING:
    import duckdb

    from motifdb.catalog.store import Snapshot
    from motifdb.query.wall import Statement


class Copies:
    """Copies of one snapshot's tables and views, as far as statements needed them.

    Attributes
    ----------
    found : by table or view, the file of its copy
    attached : by table or view, the copy's full name in the connection
    are_new : whether what is found is not what is attached
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._keys: dict[str, str] = {}
        self._asked: set[str] = set()
        self._bad: set[str] = set()
        self.found: dict[str, Path] = {}
        self.attached: dict[str, str] = {}
        self.are_new = False

    @classmethod
    def here(cls) -> Copies | None:
        """Those in the user's cache folder; None where there is none, or it is turned off."""
        folder = cache_folder("sql")
        return None if folder is None else cls(folder)

    def look(self, snapshot: Snapshot, statement: Statement) -> None:
        """Look for the copies that a statement could read; have those made that are not there."""
        if statement.is_catalog:
            # Copies are nothing that a statement should see: DuckDB's catalog lists what is attached.
            self.are_new = bool(self.found)
            self.found = {}
            return
        stored = frozenset[str]().union(*(keys.stored_under(n) for n in statement.names))
        if sum(snapshot.record.rows.get(table, 0) for table in stored) < keys.LEAST_ROWS:
            return
        missing = self._find(snapshot, _all_wanted(statement.names))
        views = [name for name in missing if name in keys.KEPT_VIEWS]
        missing += self._find(snapshot, _all_wanted(n for v in views for n in keys.needs(v)))
        new = sorted(set(missing) - self._asked)
        if new:
            self._asked.update(new)
            start(snapshot, new)

    def _find(self, snapshot: Snapshot, names: Iterable[str]) -> list[str]:
        """Find what is not found yet; the names of those that are not there."""
        missing = []
        for name in sorted(set(names) - self.found.keys() - self._bad):
            if name not in self._keys:
                self._keys[name] = keys.key_of(snapshot, name)
            path = shelf.find(self._folder, self._keys[name])
            if path is None:
                missing.append(name)
            else:
                self.found[name] = path
                self.are_new = True
        return missing

    def attach(self, connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
        """Attach what was found; what cannot be believed is removed and not looked for again."""
        self.attached = {}
        for name, path in list(self.found.items()):
            full_name = shelf.attach(connection, path, name)
            if full_name is None:
                del self.found[name]
                self._bad.add(name)
            else:
                self.attached[name] = full_name
        self.are_new = False
        return self.attached

    def forget(self) -> None:
        """Remove the files of all that is attached: one of them is damaged."""
        shelf.forget(self.found.values())


def _all_wanted(names: Iterable[str]) -> frozenset[str]:
    return frozenset[str]().union(*(keys.wanted(n) for n in names))
