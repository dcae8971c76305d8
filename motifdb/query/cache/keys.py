"""Which file belongs to what: a hash of all that the content of a copy follows from."""

from __future__ import annotations

import contextlib
from functools import cache
from typing import TYPE_CHECKING

from motifdb.catalog.lancetables import manifest_name
from motifdb.ids import hash_text
from motifdb.query.relations import duckdb_type, relations
from motifdb.query.views import ViewSpec

if TYPE_CHECKING:
    from motifdb.catalog.store import Snapshot

LEAST_ROWS = 100_000
"""A statement that reads fewer stored rows is quick without a copy."""

KEPT_VIEWS = frozenset({"motif_stats", "motif_by_label"})
"""Views whose answer is copied: they gather millions of rows each time they are asked."""

_MARK = "motifdb sql copy 1"


def needs(name: str) -> tuple[str, ...]:
    """What a view reads directly; nothing for a table."""
    spec = relations()[name]
    return spec.needs if isinstance(spec, ViewSpec) else ()


def stored_under(name: str) -> frozenset[str]:
    """The stored tables that a table or view reads in the end."""
    return frozenset[str]().union(*map(stored_under, needs(name))) or frozenset({name})


def wanted(name: str) -> frozenset[str]:
    """What a copy would serve of a table or view: itself, or what a view that is computed each time stands on."""
    if name in KEPT_VIEWS:
        return frozenset({name})
    return frozenset[str]().union(*map(wanted, needs(name))) or frozenset({name})


def key_of(snapshot: Snapshot, name: str) -> str:
    """The key of a table's or view's copy.

    A table's version names its manifest, the manifest its files, whose names are drawn anew whenever they are written; so another
    database, or the same one after a change of this table, has another key, and a database that was moved or copied keeps
    its own. What this release makes of it (columns, SQL of views) and the program that wrote the copy are part of it too.
    """
    import duckdb

    parts = [_MARK, str(duckdb.__version__), name, *_definition(name)]
    for table in sorted(stored_under(name)):
        version = snapshot.versions.get(table)
        manifest = b""
        if version is not None:
            with contextlib.suppress(OSError):
                manifest = (snapshot.path / manifest_name(table, version)).read_bytes()
        parts += [table, str(version), manifest.hex()]
    return hash_text(*parts)


@cache
def _definition(name: str) -> tuple[str, ...]:
    spec = relations()[name]
    columns = tuple(f"{c.name} {duckdb_type(c.type)}" for c in spec.columns)
    if not isinstance(spec, ViewSpec):
        return columns
    return (*columns, spec.sql, *(part for n in spec.needs for part in _definition(n)))
