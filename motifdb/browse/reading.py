"""The database behind the page: one snapshot at a time, asked by many threads.

Pages are made in threads, and DuckDB holds one open answer per connection: so statements wait for each other here. What
reads Arrow from the snapshot itself (pitch, sound) does not.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from motifdb.catalog import commits, layout
from motifdb.errors import DatabaseError, MotifdbError
from motifdb.plots import PitchCurve
from motifdb.query.database import Database
from motifdb.query.sql import MEMORY_LIMIT
from motifdb.query.stored_pitch import stored_pitch

_KEPT_FRAMES = 4_000_000
"""Pitch that is kept for the next picture: 11 hours at 10 ms, 48 MB."""


class Reading:
    """One database, opened at a commit or kept at its newest one.

    Parameters
    ----------
    path : the database's folder
    at : a commit's number or a time; None follows the newest commit, page by page
    threads : DuckDB's threads
    """

    def __init__(self, path: Path, at: str | int | None = None, *, threads: int | None = None) -> None:
        self.path = path
        self._at = at
        self._threads = threads
        self._lock = threading.Lock()
        self._curves: OrderedDict[tuple[str, str | None], PitchCurve] = OrderedDict()
        self._database = Database(path, at=at, memory_limit=MEMORY_LIMIT, threads=threads)

    @property
    def database(self) -> Database:
        """The database as it is read now."""
        return self._database

    @property
    def commit(self) -> int:
        """Number of the commit that is read."""
        return self._database.commit

    @property
    def is_fixed(self) -> bool:
        """Whether an old commit was asked for, so that newer ones are not followed."""
        return self._at is not None

    def newest(self) -> int:
        """Number of the newest commit there is.

        Raises
        ------
        DatabaseError
            where the database is no longer there.
        """
        try:
            layout.check_database(self.path)
            return commits.head(self.path).number
        except (OSError, MotifdbError) as error:
            raise DatabaseError(
                f"{self.path}: the database that this page showed is gone or cannot be read: put it back, or end"
                f" `motifdb browse` and start it with another --db ({error})"
            ) from None

    def follow(self) -> None:
        """Read the newest commit from now on, unless an old one was asked for."""
        newest = self.newest()
        if self.is_fixed or newest == self.commit:
            return
        with self._lock:
            if newest == self._database.commit:
                return
            opened = Database(self.path, memory_limit=MEMORY_LIMIT, threads=self._threads)
            self._database.close()
            self._database = opened
            self._curves.clear()

    def rows(self, query: str, parameters: Mapping[str, object] | None = None) -> list[dict[str, Any]]:
        """Every row of the answer of one statement."""
        with self._lock:
            return self._database.sql(query, dict(parameters) if parameters else None).rows()

    def row(self, query: str, parameters: Mapping[str, object] | None = None) -> dict[str, Any] | None:
        """The first row of an answer; None where there is none."""
        return next(iter(self.rows(query, parameters)), None)

    def pitch(self, recording_id: str, analysis_id: str | None) -> PitchCurve:
        """A recording's pitch under one pitch analysis, None the usual one; both ids must come from this database."""
        key = (recording_id, analysis_id)
        with self._lock:
            if key in self._curves:
                self._curves.move_to_end(key)
                return self._curves[key]
        curve = stored_pitch(self._database.snapshot, recording_id, analysis_id)
        with self._lock:
            self._curves[key] = curve
            while len(self._curves) > 1 and sum(c.times_s.size for c in self._curves.values()) > _KEPT_FRAMES:
                self._curves.popitem(last=False)
        return curve

    def close(self) -> None:
        """Free what statements hold."""
        with self._lock:
            self._database.close()
