"""The Python door to a database: ``motifdb.open("songs.motifdb").sql("select ...")``.

A `Database` reads one snapshot, whatever writers do meanwhile; open it again (or `Database.refreshed`) to see newer
commits. Answers come as Arrow, and from there as pandas or polars.
"""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from html import escape
from io import StringIO
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from motifdb.errors import MissingExtraError, UsageError
from motifdb.query import reference as _reference
from motifdb.query import relations as _relations
from motifdb.query.asking import Asking
from motifdb.query.output import cell_text, write_result
from motifdb.query.sql import MEMORY_LIMIT, Parameters, Session
from motifdb.query.views import STANDARD_LABELS

if TYPE_CHECKING:
    import pandas
    import polars

    from motifdb.catalog.store import Snapshot
    from motifdb.query.check import Violation
    from motifdb.query.clips import Clips
    from motifdb.query.compare import Comparison
    from motifdb.query.fingerprint import Fingerprint
    from motifdb.query.lineage import Lineage
    from motifdb.query.search import Melody
    from motifdb.query.status import Status
    from motifdb.query.vectors.read import Vectors

_REPR_ROWS = 20
LABEL_COLUMNS = ("path", *STANDARD_LABELS, "contour")
"""What `Database.embeddings` says of a vector beside what it is of."""


class Result:
    """The answer of a statement: an Arrow table that shows itself as text or HTML.

    Iterating gives one dict per row. `pyarrow.table(result)`, `polars.DataFrame(result)` and every other reader
    of the Arrow C stream take it as it is. It shows its first 20 rows, and cuts long texts; with `is_whole`, as
    `Database.describe` gives it, every row and every word.

    >>> result = Result(pa.table({"contour": ["+1 -2", "+1"], "occurrences": [3, 7]}))
    >>> print(result)
    contour  occurrences
    ───────  ───────────
    +1 -2              3
    +1                 7
    >>> [row["occurrences"] for row in result]
    [3, 7]
    """

    def __init__(self, table: pa.Table, *, is_whole: bool = False) -> None:
        self._table = table
        self._is_whole = is_whole

    def arrow(self) -> pa.Table:
        """As a `pyarrow.Table`."""
        return self._table

    def to_pandas(self) -> pandas.DataFrame:
        """As a pandas data frame.

        Raises
        ------
        MissingExtraError
            where pandas is not installed.
        """
        try:
            import pandas as _pandas  # noqa: F401
        except ImportError:
            raise MissingExtraError("pandas is not installed; pip install pandas, or use .arrow()") from None
        frame: pandas.DataFrame = self._table.to_pandas()
        return frame

    df = to_pandas

    def pl(self) -> polars.DataFrame:
        """As a polars data frame.

        Raises
        ------
        MissingExtraError
            where polars is not installed.
        """
        try:
            import polars as _polars
        except ImportError:
            raise MissingExtraError("polars is not installed; pip install polars, or use .arrow()") from None
        frame = _polars.from_arrow(self._table)
        assert isinstance(frame, _polars.DataFrame)
        return frame

    def rows(self) -> list[dict[str, Any]]:
        """Every row as a dict."""
        rows: list[dict[str, Any]] = self._table.to_pylist()
        return rows

    @property
    def columns(self) -> list[str]:
        """Column names."""
        return list(self._table.schema.names)

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return self._table.__arrow_c_stream__(requested_schema)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for batch in self._table.to_batches(max_chunksize=10_000):
            yield from batch.to_pylist()

    def __len__(self) -> int:
        return int(self._table.num_rows)

    def __repr__(self) -> str:
        text = StringIO()
        write_result(
            self._table,
            "table",
            text,
            max_rows=self._n_shown,
            is_color=False,
            is_wrapped=self._is_whole,
            rest=".arrow() has all",
        )
        return text.getvalue().rstrip("\n")

    @property
    def _n_shown(self) -> int:
        return len(self) if self._is_whole else _REPR_ROWS

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{escape(name)}</th>" for name in self.columns)
        shown = self._table.slice(0, self._n_shown)
        columns = [
            [cell_text(v, f.type) for v in shown.column(i).to_pylist()] for i, f in enumerate(shown.schema)
        ]
        body = "".join(
            "<tr>" + "".join(f"<td>{escape(text)}</td>" for text in row) + "</tr>"
            for row in zip(*columns, strict=True)
        )
        foot = f"<p>{len(self):,} rows, the first {_REPR_ROWS} shown</p>" if len(self) > self._n_shown else ""
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{foot}"


class Database(Asking):
    """A motif database, opened for reading at one commit.

    Parameters
    ----------
    path : folder ``NAME.motifdb``; None is ``$MOTIFDB``, else the only ``*.motifdb`` in the working folder
    at : a commit number or an ISO time; None is the newest commit
    memory_limit : what a statement may hold before it spills to disk, such as ``"2GB"``
    threads : threads of a statement; None is one per CPU

    Examples
    --------
    >>> import motifdb
    >>> with motifdb.open("songs.motifdb") as db:  # doctest: +SKIP
    ...     db.sql("select contour, occurrences from motifs where length >= ?", [3]).to_pandas()
    """

    def __init__(
        self,
        path: str | Path | None = None,
        *,
        at: str | int | None = None,
        memory_limit: str = MEMORY_LIMIT,
        threads: int | None = None,
    ) -> None:
        from motifdb.catalog.locate import find_database
        from motifdb.catalog.store import open_snapshot

        self._snapshot: Snapshot = open_snapshot(find_database(None if path is None else str(path)), at)
        self._memory_limit = memory_limit
        self._threads = threads
        self._session: Session | None = None
        self._is_closed = False

    @property
    def path(self) -> Path:
        """The database's folder."""
        return self._snapshot.path

    @property
    def commit(self) -> int:
        """Number of the commit that is read."""
        return self._snapshot.commit

    @property
    def created_at(self) -> datetime:
        """When that commit was made."""
        return self._snapshot.created_at

    @property
    def snapshot(self) -> Snapshot:
        """The snapshot underneath, for reading tables as Arrow batches."""
        return self._snapshot

    @property
    def session(self) -> Session:
        """The walled DuckDB session, made on first use."""
        if self._is_closed:
            raise UsageError(f"the database {self.path} is closed; open it again")
        if self._session is None:
            self._session = Session(
                self._snapshot, memory_limit=self._memory_limit, threads=self._threads, copies=True
            )
        return self._session

    def sql(self, query: str, parameters: Parameters = None) -> Result:
        """Answer one SELECT, DESCRIBE, SHOW TABLES or EXPLAIN.

        Parameters
        ----------
        query : DuckDB SQL over the tables and views of `tables`
        parameters : values for ``?`` (a sequence) or for ``$name`` (a mapping); a melody from `motifdb.hum` is one

        Raises
        ------
        UsageError
            for anything but a single question, or a mistake in it, with its position.
        NotFoundError
            for a table or column that is not there, with the nearest one that is.
        """
        return Result(self.session.table(query, _as_values(parameters)))

    def search(
        self,
        query: str | Melody,
        *,
        n: int = 10,
        tempo: bool | tuple[float, float] = True,
        max_distance: float | None = None,
        recordings: Collection[str] | None = None,
        analysis: str | None = None,
        once: bool = False,
    ) -> Result:
        """Where a contour, a motif or a melody sounds, the nearest first; see `motifdb.query.search.search`.

        Parameters
        ----------
        query : a contour (``"+1 -2 +1"``), the beginning of a motif's id, or `motifdb.hum` of a file
        """
        from motifdb.query.search import search

        found = search(
            self._snapshot,
            query,
            n=n,
            tempo=tempo,
            max_distance=max_distance,
            recordings=recordings,
            analysis=analysis,
            once=once,
        )
        return Result(found)

    def search_sound(
        self,
        query: str | Sequence[float],
        *,
        n: int = 10,
        analysis: str | None = None,
        where: str | None = None,
        exact: bool = False,
        own: bool = False,
    ) -> Result:
        """What sounds like something, the nearest first; see `motifdb.query.vectors.search.search_sound`.

        Parameters
        ----------
        query : a motif, a clip or a recording of this database (the beginning of its id, a contour, a path), or a vector
        analysis : of embeddings, by name, model or the beginning of its id; None: the only one
        where : a condition in SQL, which is applied before the nearest are taken
        """
        import numpy as np

        from motifdb.query.vectors.search import search_sound

        wanted = query if isinstance(query, str) else np.asarray(query, np.float32)
        found = search_sound(
            self.session, wanted, n=n, analysis=analysis, condition=where, exact=exact, own=own
        )
        if found.note is not None:
            warnings.warn(found.note, stacklevel=2)
        return Result(found.table)

    def table(self, name: str) -> Result:
        """A whole table or view."""
        return self.sql(f"select * from {_relations.relation(name).name}")

    def tables(self) -> Result:
        """Every table, view and function: name, what one row is or what it gives, key."""
        return Result(_reference.tables(), is_whole=True)

    def describe(self, name: str) -> Result:
        """A table's columns (name, type, unit, meaning), or a function's arguments, answer and example."""
        return Result(_reference.describe(name), is_whole=True)

    def clips(self, kind: str | None = None, analysis: str | None = None) -> Clips:
        """Training examples: spans of recordings, and from there a torch dataset (`Clips.to_torch`).

        Parameters
        ----------
        kind : motif, motif_segment, random, random_disjoint, window or file; None means all
        analysis : name of an analysis of clips, or the beginning of its id; None means all

        Raises
        ------
        UsageError, NotFoundError
            for a kind that there is not, or where there are no such clips.
        """
        from motifdb.query.clips import Clips

        return Clips(self._snapshot, kind, analysis)

    def embeddings(self, analysis: str | None = None) -> Vectors:
        """The vectors of an analysis: a matrix, and a table of what each of its rows is of, with path and labels.

        Parameters
        ----------
        analysis : of `motifdb embed`, by name, model or the beginning of its id; None: the only one

        Raises
        ------
        NotFoundError, UsageError
            where there is none, or several are meant.
        """
        from motifdb.query.vectors.read import vectors_of

        found = vectors_of(self._snapshot, analysis)
        labelled = self.sql(
            f"select {', '.join(LABEL_COLUMNS)} from vectors where analysis_id = $id order by embedding_id",
            {"id": found.analysis_id},
        ).arrow()
        return found.with_columns(labelled)

    def why(self, text: str) -> Lineage:
        """Where a motif, family, recording, clip, run, encoder, vector or analysis comes from, down to parameters and bytes.

        Parameters
        ----------
        text : the beginning of its id, a contour, the path of a file, the name of an analysis or of a run's recipe

        Raises
        ------
        UsageError, NotFoundError
            where it fits several things, or none.
        """
        from motifdb.query.lineage import lineage

        return lineage(self, text)

    def compare(
        self,
        by: str,
        a: str | None = None,
        b: str | None = None,
        *,
        unit: str | None = None,
        statistic: str = "rate",
        analysis: str | None = None,
        at_least: int | None = None,
        permutations: int | None = None,
        seed: int = 0,
        n: int | None = 100,
    ) -> Comparison:
        """Which motifs set a group of recordings apart: see `motifdb.query.compare.compare`, which says all parameters.

        Raises
        ------
        NotFoundError, UsageError
            for a label, value or analysis that is not there, or groups that are too small.
        """
        from motifdb.query.compare import compare

        return compare(
            self,
            by,
            a,
            b,
            unit=unit,
            statistic=statistic,
            analysis=analysis,
            at_least=at_least,
            permutations=permutations,
            seed=seed,
            n=n,
        )

    def status(self) -> Status:
        """Counts, hours, size, last commit, failures."""
        from motifdb.query.status import status

        return status(self._snapshot)

    def check(self) -> Iterator[Violation]:
        """Every violation of an invariant, as it is found."""
        from motifdb.query.check import check

        return check(self._snapshot)

    def fingerprint(self) -> Fingerprint:
        """Hash of every table, the same for every way that led to the same content."""
        from motifdb.query.fingerprint import fingerprint

        return fingerprint(self._snapshot)

    def refreshed(self) -> Database:
        """The same database at its newest commit."""
        return Database(self.path, memory_limit=self._memory_limit, threads=self._threads)

    def close(self) -> None:
        """Free what statements hold; closing twice is fine."""
        if self._session is not None:
            self._session.close()
            self._session = None
        self._is_closed = True

    def __enter__(self) -> Database:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<motifdb {self.path} at commit {self.commit} of {self.created_at:%Y-%m-%d %H:%M:%S}>"


def _as_values(parameters: Parameters) -> Parameters:
    """Parameters with melodies as values that SQL takes."""
    if parameters is None or isinstance(parameters, str):
        return parameters
    if isinstance(parameters, Mapping):
        return {name: _as_value(value) for name, value in parameters.items()}
    return [_as_value(value) for value in parameters]


def _as_value(value: object) -> object:
    as_parameter = getattr(value, "as_parameter", None)
    return value if as_parameter is None else as_parameter()
