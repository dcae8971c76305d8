"""A Lance vector index over the vectors of one analysis, in the database's folder ``indexes/<analysis_id>/``.

It is derived: nothing is lost with it, and it is used only where it is whole and of exactly the vectors that are asked.
``header.json`` says what it was made from, with the size and digest of every file; ``vectors.lance`` holds the rows of the
analysis, their vectors as lists of one fixed size, and over them an inverted file (IVF: vectors in partitions around
centroids, of which a search looks into the nearest) of numbers in one byte each (scalar quantisation); what is nearest
by those is compared again in full. Built beside its place and renamed, so that it is whole or not there.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from motifdb.catalog import files
from motifdb.catalog.layout import INDEXES_FOLDER
from motifdb.errors import DatabaseError, UsageError
from motifdb.ids import hash_text
from motifdb.query.vectors.read import ROW_COLUMNS, find_embeddings, matrix_of
from motifdb.query.vectors.scale import DISTANCES, STANDARDISED, deviations, scaled_batches

if TYPE_CHECKING:
    import lance

    from motifdb.catalog.snapshot import Snapshot

HEADER = "header.json"
DATA = "vectors.lance"
LAYOUT = 1
"""Raised where the folder's content means something else."""

KIND = "IVF_SQ"
"""Lance's name for partitions of numbers in one byte each."""

LEAST = 256
"""Vectors that an index can be trained on; fewer are compared in no time."""

PROBES = 24
"""Partitions that a search looks into."""

REFINE = 20
"""For each row wanted, so many are compared in full."""

NUMBERS_AT_ONCE = 1 << 22
"""Numbers of vectors that are held while they are read."""


@dataclass(frozen=True)
class Index:
    """An index that was found, with what its header says.

    Attributes
    ----------
    folder : where it stands
    header : what it was made from
    """

    folder: Path
    header: Mapping[str, Any]

    @property
    def n_vectors(self) -> int:
        """Vectors in it."""
        return int(self.header["n_vectors"])

    @property
    def n_dims(self) -> int:
        """Numbers in a vector."""
        return int(self.header["n_dims"])

    @property
    def metric(self) -> str:
        """What its distances are."""
        return str(self.header["metric"])

    @property
    def n_bytes(self) -> int:
        """Its size on disk."""
        return sum(int(size) for size, _ in self.header["files"].values())

    @cached_property
    def dataset(self) -> lance.LanceDataset:
        """The rows with their index."""
        import lance

        return lance.dataset(str(self.folder / DATA))

    def search(self, query: NDArray[np.float32], n: int, *, probes: int = PROBES) -> pa.Table:
        """At most n rows near a query, with their vectors; near, not surely the nearest.

        Raises
        ------
        OSError, ValueError
            where it is damaged.
        """
        with _panics_raised():
            found: pa.Table = self.dataset.to_table(
                columns=[*ROW_COLUMNS, "vector", "_distance"],
                nearest={"column": "vector", "q": query, "k": n, "nprobes": probes, "refine_factor": REFINE},
            )
        return found

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Every row with its vector."""
        with _panics_raised():
            yield from self.dataset.scanner(batch_size=rows_at_once(self.n_dims)).to_batches()


@dataclass(frozen=True)
class Found:
    """What was found of an index: one that can be used, or why none can.

    Attributes
    ----------
    index : to be searched; None: there is none, or it must not be used
    trouble : what is wrong with the one that is there; None: nothing, or there is none
    """

    index: Index | None
    trouble: str | None = None


def index_folder(root: Path, analysis_id: str) -> Path:
    """Where the index of an analysis stands."""
    return root / INDEXES_FOLDER / analysis_id


def rows_at_once(n_dims: int) -> int:
    """How many vectors of a size are held while they are read."""
    return max(64, NUMBERS_AT_ONCE // max(n_dims, 1))


def sizes_of(snapshot: Snapshot, analysis_id: str) -> int:
    """Numbers in a vector of an analysis; 0 where it has none."""
    where = f"analysis_id = '{analysis_id}'"
    for batch in snapshot.batches("embeddings", ["vector"], where, batch_rows=1):
        if batch.num_rows:
            return len(batch.column(0)[0])
    return 0


def vector_batches(snapshot: Snapshot, analysis_id: str, n_dims: int) -> Iterator[pa.RecordBatch]:
    """The stored rows of an analysis, with their vectors, some at a time."""
    where = f"analysis_id = '{analysis_id}'"
    yield from snapshot.batches(
        "embeddings", [*ROW_COLUMNS, "vector"], where, batch_rows=rows_at_once(n_dims)
    )


def default_metric(analysis: Mapping[str, Any]) -> str:
    """The distance that an analysis names in its parameters; else the cosine distance."""
    named = json.loads(analysis["parameters"]).get("metric")
    return str(named) if named in DISTANCES else "cosine"


def build_index(
    snapshot: Snapshot,
    analysis: str | None = None,
    *,
    metric: str | None = None,
    on_step: Callable[[str], None] | None = None,
) -> Index:
    """Make the index of an analysis, in place of one that is there.

    Parameters
    ----------
    analysis : of embeddings, by name or the beginning of its id; None: the only one
    metric : None: what the analysis says, else cosine
    on_step : called with a few words before each step

    Raises
    ------
    NotFoundError, UsageError
        where there is no such analysis; UsageError also where it has fewer than `LEAST` vectors.
    DatabaseError
        where its vectors are of several sizes, or the index cannot be written.
    """
    row = find_embeddings(snapshot, analysis)
    name, analysis_id = str(row["name"]), str(row["analysis_id"])
    n, n_dims = (
        snapshot.count("embeddings", f"analysis_id = '{analysis_id}'"),
        sizes_of(snapshot, analysis_id),
    )
    if n < LEAST:
        raise UsageError(
            f"{name} has {n:,} vectors; an index needs {LEAST} or more, and so few are compared in no time: search without"
        )
    place = index_folder(snapshot.path, analysis_id)
    beside = place.with_name(f".{analysis_id}.{os.getpid()}.{secrets.token_hex(4)}.tmp")
    chosen = metric or default_metric(row)
    began_s = time.monotonic()
    try:
        beside.mkdir(parents=True)
        deviation = None
        if chosen == STANDARDISED:
            deviation = deviations(vector_batches(snapshot, analysis_id, n_dims), n_dims, name)
        say = on_step or (lambda words: None)
        n_partitions = _write(snapshot, row, beside, n, n_dims, chosen, deviation, say)
        header = {
            "layout": LAYOUT, "analysis_id": analysis_id, "name": name, "kind": KIND, "metric": chosen,
            "n_vectors": n, "n_dims": n_dims, "n_partitions": n_partitions, "commit": snapshot.commit,
            "table_version": snapshot.versions["embeddings"], "coverage": coverage_hash(snapshot, analysis_id),
            "built_s": round(time.monotonic() - began_s, 3), "files": _settled(beside),
        }  # fmt: skip
        if deviation is not None:
            header["deviation"] = deviation.tolist()
        files.put_if_absent(beside / HEADER, (json.dumps(header, indent=1) + "\n").encode())
        _put(beside, place)
    except OSError as error:
        raise DatabaseError(
            f"{place}: the index cannot be written: {error}; look at the disk's space and rights"
        ) from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return Index(place, header)


def _write(
    snapshot: Snapshot,
    row: Mapping[str, Any],
    folder: Path,
    n: int,
    n_dims: int,
    metric: str,
    deviation: NDArray[np.float64] | None,
    on_step: Callable[[str], None],
) -> int:
    """The rows and their index; gives the number of partitions."""
    import lance

    on_step(f"copying {n:,} vectors of {n_dims:,} numbers")
    schema = pa.schema([*_row_types(), ("vector", pa.list_(pa.float32(), n_dims))])

    def rows() -> Iterator[pa.RecordBatch]:
        stored = vector_batches(snapshot, str(row["analysis_id"]), n_dims)
        if deviation is not None:
            stored = scaled_batches(stored, deviation, str(row["name"]))
        for batch in stored:
            matrix = matrix_of(pa.chunked_array([batch.column("vector")]), str(row["name"]))
            vector = pa.FixedSizeListArray.from_arrays(pa.array(matrix.reshape(-1)), n_dims)
            yield pa.RecordBatch.from_arrays([*(batch.column(c) for c in ROW_COLUMNS), vector], schema=schema)

    dataset = lance.write_dataset(pa.RecordBatchReader.from_batches(schema, rows()), str(folder / DATA))
    n_partitions = max(1, round(math.sqrt(n)))
    on_step(f"training {n_partitions:,} partitions")
    dataset.create_index(
        "vector",
        KIND,
        metric="cosine" if metric == "cosine" else "l2",
        num_partitions=n_partitions,
    )
    return n_partitions


def _row_types() -> list[tuple[str, pa.DataType]]:
    from motifdb.schemas import EMBEDDINGS

    return [(c, EMBEDDINGS.column(c).type) for c in ROW_COLUMNS]


def _settled(folder: Path) -> dict[str, tuple[int, str]]:
    """Size and digest of every file of an index, which are durable now."""
    names = [p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file() and p.name != HEADER]
    return files.settle(folder, names)


def _put(beside: Path, place: Path) -> None:
    """Rename a whole index to its place; a reader sees the old one, the new one, or for a moment none."""
    if place.exists():
        old = beside.with_name(beside.name.replace(".tmp", ".old.tmp"))
        os.rename(place, old)
        os.rename(beside, place)
        shutil.rmtree(old, ignore_errors=True)
    else:
        os.rename(beside, place)
    files.sync_folder(place.parent)


def coverage_hash(snapshot: Snapshot, analysis_id: str) -> str:
    """Hash of what an analysis has done, which changes with its vectors."""
    columns = ["scope_key", "input_hash", "state", "n_rows"]
    rows = snapshot.table("coverage", columns, f"analysis_id = '{analysis_id}'").sort_by("scope_key")
    return hash_text(*("/".join(str(row[c]) for c in columns) for row in rows.to_pylist()))


def _are_deviations(values: object, n_dims: int) -> bool:
    return (
        isinstance(values, list)
        and len(values) == n_dims
        and all(isinstance(v, float) and v > 0 for v in values)
    )


def read_header(folder: Path) -> dict[str, Any]:
    """The header of an index.

    Raises
    ------
    ValueError
        where it is damaged, or of another layout.
    """
    try:
        header = json.loads((folder / HEADER).read_bytes())
        numbers = [header[k] for k in ("n_vectors", "n_dims", "table_version", "commit")]
        texts = [header[k] for k in ("analysis_id", "metric", "coverage")]
        sizes = [(str(name), int(size), str(digest)) for name, (size, digest) in header["files"].items()]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"its header cannot be read ({error})") from error
    if header.get("layout") != LAYOUT:
        raise ValueError("another version of motifdb made it")
    is_typed = all(isinstance(v, int) for v in numbers) and all(isinstance(v, str) for v in texts)
    if not (is_typed and sizes) or header["metric"] not in DISTANCES:
        raise ValueError("its header is damaged")
    if header["metric"] == STANDARDISED and not _are_deviations(header.get("deviation"), header["n_dims"]):
        raise ValueError("its header is damaged")
    if any(".." in Path(name).parts or Path(name).is_absolute() for name, *_ in sizes):
        raise ValueError("its header names files outside")
    return dict(header)


_OPENED: WeakKeyDictionary[Snapshot, dict[str, tuple[tuple[int, int], Found]]] = WeakKeyDictionary()
"""Good indexes by snapshot and analysis, with what tells the header's file from one that took its place: what is open answers sooner."""


def find_index(snapshot: Snapshot, analysis: Mapping[str, Any]) -> Found:
    """The index of an analysis, where it is whole and of the very vectors that the snapshot holds.

    Parameters
    ----------
    analysis : its row of `analyses`
    """
    analysis_id = str(analysis["analysis_id"])
    folder = index_folder(snapshot.path, analysis_id)
    if not folder.is_dir():
        return Found(None)
    try:
        status = os.stat(folder / HEADER)
    except OSError:
        return _looked_at(snapshot, analysis_id, folder)
    stamp = (status.st_ino, status.st_mtime_ns)
    opened = _OPENED.setdefault(snapshot, {})
    if analysis_id in opened and opened[analysis_id][0] == stamp:
        return opened[analysis_id][1]
    found = _looked_at(snapshot, analysis_id, folder)
    if found.index is not None:
        opened[analysis_id] = stamp, found
    return found


def _looked_at(snapshot: Snapshot, analysis_id: str, folder: Path) -> Found:
    """What is in an index's folder."""
    try:
        header = read_header(folder)
        damage = damaged_file(folder, header, with_digests=False)
        if damage:
            raise ValueError(damage)
        index = Index(folder, header)
        stored = _stored_size(index)
    except (OSError, ValueError) as error:
        return Found(None, f"is damaged: {_first_line(error)}")
    if header["analysis_id"] != analysis_id:
        return Found(None, "is of other vectors")
    if stored != (index.n_vectors, index.n_dims):
        said = f"{index.n_vectors:,} vectors of {index.n_dims:,} numbers"
        return Found(None, f"is damaged: its header says {said}, it holds {stored[0]:,} of {stored[1]:,}")
    if header["table_version"] != snapshot.versions["embeddings"]:
        trouble = _staleness(snapshot, index)
        if trouble:
            return Found(None, trouble)
    return Found(index)


def _staleness(snapshot: Snapshot, index: Index) -> str | None:
    """Why an index is not of the vectors that a snapshot holds, whose table has changed otherwise."""
    analysis_id = str(index.header["analysis_id"])
    n, n_dims = (
        snapshot.count("embeddings", f"analysis_id = '{analysis_id}'"),
        sizes_of(snapshot, analysis_id),
    )
    if n_dims != index.n_dims:
        return f"holds vectors of {index.n_dims:,} numbers, and the table's have {n_dims:,}"
    if n == index.n_vectors and coverage_hash(snapshot, analysis_id) == index.header["coverage"]:
        return None
    made, now = int(index.header["commit"]), snapshot.commit
    which = "older than its table" if made < now else "newer than the commit that is read"
    return f"is {which}: it holds the {index.n_vectors:,} vectors of commit {made}, commit {now} has {n:,}"


def damaged_file(folder: Path, header: Mapping[str, Any], *, with_digests: bool) -> str | None:
    """What is wrong with the files of an index; None: nothing that sizes (and digests, where asked) show."""
    for name, (size, digest) in header["files"].items():
        path = folder / name
        if not path.is_file():
            return f"its file {name} is missing"
        if path.stat().st_size != size:
            return f"its file {name} has {path.stat().st_size:,} bytes, not {size:,}"
        if with_digests and files.digest(path)[1] != digest:
            return f"its file {name} has other bytes than were written"
    return None


def _stored_size(index: Index) -> tuple[int, int]:
    with _panics_raised():
        kind = index.dataset.schema.field("vector").type
        return int(index.dataset.count_rows()), int(kind.list_size)


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0].partition(", /")[0][:200].rstrip(". ") or "it cannot be read"


@contextlib.contextmanager
def _panics_raised() -> Iterator[None]:
    """What Lance throws at damaged files, as OSError or ValueError."""
    try:
        yield
    except (OSError, ValueError):
        raise
    except (KeyError, AttributeError, pa.ArrowException, RuntimeError) as error:
        raise ValueError(f"it cannot be read ({error})") from error
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        raise ValueError("it cannot be read") from None
