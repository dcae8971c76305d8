"""The vectors of an analysis as a matrix, with what each row stands for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from motifdb.errors import DatabaseError, NotFoundError, UsageError, nearest

if TYPE_CHECKING:
    from motifdb.catalog.snapshot import Snapshot

ROW_COLUMNS = ("embedding_id", "target", "recording_id", "start_s", "end_s", "clip_id", "motif_id")
"""What is said of a vector beside its numbers."""


@dataclass(frozen=True, eq=False)
class Vectors:
    """Vectors of one analysis; row i of everything is one vector, in the order of embedding_id.

    Attributes
    ----------
    analysis : its row of `analyses`
    matrix : float32 [n, d]
    rows : table of n rows, the columns of `embeddings` but `vector` and `analysis_id`; from `Database.embeddings` path, labels and
        contour too
    """

    analysis: Mapping[str, Any]
    matrix: NDArray[np.float32]
    rows: pa.Table

    @property
    def analysis_id(self) -> str:
        """Id of the analysis."""
        return str(self.analysis["analysis_id"])

    @property
    def name(self) -> str:
        """What the analysis is called."""
        return str(self.analysis["name"])

    @cached_property
    def parameters(self) -> dict[str, Any]:
        """What decided the vectors: the model and what it was given."""
        return dict(json.loads(self.analysis["parameters"]))

    @property
    def target(self) -> str:
        """recording, clip or occurrence."""
        return str(self.parameters["target"])

    @property
    def n_dims(self) -> int:
        """Numbers in a vector."""
        return int(self.matrix.shape[1])

    @property
    def embedding_ids(self) -> list[str]:
        """Id of each vector."""
        ids: list[str] = self.rows.column("embedding_id").to_pylist()
        return ids

    def with_columns(self, columns: pa.Table) -> Vectors:
        """The same with more said of each row."""
        rows = self.rows
        for name in columns.schema.names:
            rows = rows.append_column(name, columns.column(name))
        return replace(self, rows=rows)

    def __len__(self) -> int:
        return len(self.matrix)

    def __repr__(self) -> str:
        return f"<{len(self):,} vectors of {self.n_dims} numbers: {self.name}, of {self.target}s>"


def find_embeddings(snapshot: Snapshot, text: str | None) -> dict[str, Any]:
    """The embeddings analysis that a text means; None: the only one. Its row of `analyses`.

    Parameters
    ----------
    text : its name, else the model that its parameters (or the beginning of its name) say, else the beginning of its id

    Raises
    ------
    NotFoundError
        where there is none, with the nearest name.
    UsageError
        where several are meant.
    """
    there = snapshot.table("analyses", None, "kind = 'embeddings'").to_pylist()
    if not there:
        raise NotFoundError(
            f"{snapshot.path}: there are no vectors here yet; `motifdb embed MODEL` makes some"
        )
    meant = [row for row in there if text is None or row["name"] == text]
    if not meant and text:
        meant = [row for row in there if _is_of_model(row, text)]
    if not meant and text:
        meant = [row for row in there if row["analysis_id"].startswith(text.lower())]
    if not meant:
        names = {str(row["name"]) for row in there}
        raise NotFoundError(f"{snapshot.path}: there are no vectors {text!r}; {nearest(str(text), names)}")
    if len(meant) > 1:
        listed = ", ".join(sorted(f"{row['name']} ({row['analysis_id'][:8]})" for row in meant))
        raise UsageError(
            f"several analyses of vectors are meant: {listed}; name one by its name or the beginning of its id"
        )
    return dict(meant[0])


def _is_of_model(row: Mapping[str, Any], text: str) -> bool:
    said = json.loads(row["parameters"])
    return text in (said.get("model"), said.get("recipe")) or str(row["name"]).startswith(f"{text},")


def vectors_of(snapshot: Snapshot, analysis: str | None = None) -> Vectors:
    """Every vector of an analysis.

    Parameters
    ----------
    analysis : its name, or the beginning of its id; None: the only one

    Raises
    ------
    NotFoundError, UsageError
        as `find_embeddings`; NotFoundError also where it has no vectors yet.
    DatabaseError
        where its vectors are of several sizes.
    """
    row = find_embeddings(snapshot, analysis)
    where = f"analysis_id = '{row['analysis_id']}'"
    table = snapshot.table("embeddings", [*ROW_COLUMNS, "vector"], where).sort_by("embedding_id")
    if not table.num_rows:
        raise NotFoundError(
            f"{snapshot.path}: the analysis {row['name']!r} has no vectors (yet); `motifdb embed` goes on with it"
        )
    return Vectors(row, matrix_of(table.column("vector"), str(row["name"])), table.select(ROW_COLUMNS))


def matrix_of(column: pa.ChunkedArray, name: str) -> NDArray[np.float32]:
    """A column of lists as float32 [n, d].

    Raises
    ------
    DatabaseError
        where the lists are of several lengths.
    """
    parts = [chunk.flatten().to_numpy(zero_copy_only=False) for chunk in column.chunks]
    flat = np.concatenate([np.zeros(0, np.float32), *parts]).astype(np.float32, copy=False)
    n = len(column)
    sizes = {len(value) for value in column.slice(0, 1).to_pylist()} if n else set()
    n_dims = sizes.pop() if sizes else 0
    lengths = np.concatenate(
        [np.zeros(0, np.int64), *(chunk.value_lengths().fill_null(0).to_numpy() for chunk in column.chunks)]
    )
    if (lengths != n_dims).any():
        raise DatabaseError(
            f"the vectors of {name!r} are of several sizes ({sorted(set(lengths.tolist()))[:3]} ...); `motifdb check` says"
            " which"
        )
    return flat.reshape(n, n_dims)
