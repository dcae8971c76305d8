"""The job behind `motifdb embed`: a model hears what is there and new, and its vectors are stored as an analysis.

Like mining, an analysis of vectors grows with the corpus: run again, the job takes what is new, and what has changed (clips that were
cut anew). Which recordings are done is in `coverage`, and a recording's vectors are committed together, so that a run that was
stopped is finished by running it again. Each recording is heard on its own, so its vectors do not depend on which others came along.
Sound is read for some recordings at a time, and the lease is taken only to store what is whole.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from motifdb.errors import NotFoundError, UsageError
from motifdb.ids import embedding_id
from motifdb.pipelines.analyses import Analysis
from motifdb.pipelines.predicates import in_lists, quoted
from motifdb.schemas import COVERAGE, EMBEDDINGS
from motifdb.training.embedding.base import Embedder
from motifdb.training.embedding.registry import find_embedder
from motifdb.training.embedding.sound import NO_SOUND, Hearing
from motifdb.training.embedding.targets import Spans, Target, find_target, spans_of

if TYPE_CHECKING:
    from motifdb.catalog.snapshot import Snapshot
    from motifdb.catalog.writer import Writer
    from motifdb.pipelines.progress import Progress

__all__ = ["EmbedOptions", "Embedded", "embed_database"]

EMBEDDINGS_VERSION = 1
STORE_EVERY_S = 60.0
STORE_BYTES = 64 << 20
"""Vectors are stored when so much time has passed, or so many of them wait."""
LEASE_WAIT_S = 600.0
"""How long vectors that are whole wait for another writer to end."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class EmbedOptions:
    """What to embed, with what; see `motifdb embed --help`.

    Attributes
    ----------
    model : see `motifdb.training.embedding.registry.find_embedder`
    target, clips, analysis : see `motifdb.training.embedding.targets.find_target`
    weights : file of weights, for a model that needs one
    settings : options of the model
    name : of the analysis; None: the model and what it heard
    where : condition in SQL on the columns of view tracks: of which recordings
    limit : at most so many recordings that are not done yet
    again : also what is done
    """

    model: str
    target: str | None = None
    clips: str | None = None
    analysis: str | None = None
    weights: Path | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    name: str | None = None
    where: str | None = None
    limit: int | None = None
    again: bool = False
    device: str = "auto"

    def check(self) -> None:
        """Refuse numbers that cannot be.

        Raises
        ------
        UsageError
        """
        if self.limit is not None and self.limit < 1:
            raise UsageError(f"--limit must be 1 or more, got {self.limit}")


@dataclass
class Embedded:
    """What a run did.

    Attributes
    ----------
    n : vectors of the analysis that are there now
    n_new, n_recordings : vectors that were made, and of how many recordings
    n_unvoiced : clips (or others) without a vector, as no window of them is voiced
    unheard : recordings that could not be heard, with the reason
    n_left : recordings that `limit` left for another run
    """

    analysis_id: str
    name: str
    target: str
    n_dims: int
    n: int = 0
    n_new: int = 0
    n_recordings: int = 0
    n_unvoiced: int = 0
    n_left: int = 0
    n_changed: int = 0
    unheard: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    wall_s: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "analysis_id": self.analysis_id,
            "name": self.name,
            "target": self.target,
            "n_dims": self.n_dims,
            "vectors": self.n,
            "new": self.n_new,
            "recordings": self.n_recordings,
            "unvoiced": self.n_unvoiced,
            "left": self.n_left,
            "changed": self.n_changed,
            "unheard": dict(sorted(self.unheard.items())),
            "notes": self.notes,
            "wall_s": round(self.wall_s, 3),
        }

    def lines(self) -> list[str]:
        """For people."""
        first = f"{self.name} ({self.analysis_id[:8]}): {self.n:,} vectors of {self.n_dims:,} numbers, of {self.target}s"
        if self.n_new or self.n_recordings:
            first += f"; {self.n_new:,} of them new, of {self.n_recordings:,} recording{'s' * (self.n_recordings != 1)}, in {self.wall_s:.1f} s"
        else:
            first += "; nothing was new"
        said = [first]
        if self.n_unvoiced:
            said.append(f"{self.n_unvoiced:,} have no vector: no window of them is voiced")
        silent = [name for name, reason in self.unheard.items() if reason == NO_SOUND]
        if silent:
            n = len(silent)
            said.append(f"{n:,} recording{'s are f0 tracks' if n > 1 else ' is an f0 track'}, without sound")
        others = sorted(self.unheard.keys() - set(silent))
        if others:
            more = f" and {len(others) - 1:,} more" if len(others) > 1 else ""
            said.append(f"recording {others[0][:8]}{more} could not be heard: {self.unheard[others[0]]}")
        if self.n_changed:
            said.append(f"{self.n_changed:,} recordings changed meanwhile; the same command hears them again")
        if self.n_left:
            said.append(f"{self.n_left:,} recordings are left for another run (--limit)")
        return said + self.notes


def embed_database(options: EmbedOptions, path: Path, progress: Progress, say: Say) -> Embedded:
    """Store the vectors that a model gives what is there and has none yet.

    Parameters
    ----------
    path : the database
    say : is told lines for people while it works

    Raises
    ------
    UsageError, NotFoundError, MissingExtraError
        for what cannot be: see `find_embedder`, `find_target`; where nothing can be heard.
    KeyboardInterrupt
        on Ctrl-C, after what was whole has been stored; the same call goes on.
    """
    from motifdb.catalog.snapshot import open_snapshot

    options.check()
    began_s = time.monotonic()
    snapshot = open_snapshot(path)
    target = find_target(snapshot, options.target, options.clips, options.analysis)
    embedder = find_embedder(
        options.model,
        snapshot,
        root=path,
        weights=options.weights,
        device=options.device,
        options=options.settings,
    )
    analysis = _analysis(options, snapshot, embedder, target)
    made = Embedded(analysis.id, analysis.name, target.kind, embedder.n_dims)
    if options.name not in (None, analysis.name):
        made.notes.append(f"these vectors are there already, under the name {analysis.name!r}")
    todo = _todo(options, snapshot, path, target, analysis, made)
    store = _Store(path, analysis, target, made)
    if todo:
        hearing = Hearing(snapshot, embedder)
        say(
            f"embedding {len(todo):,} recording{'s' * (len(todo) != 1)} with {embedder.name}, {embedder.n_dims:,} numbers each"
        )
        progress.begin(f"embedding with {embedder.name}", len(todo), 0, unit="recordings")
        heard_s = 0.0
        try:
            for n_done, (spans, vectors) in enumerate(hearing.each(todo), 1):
                if vectors is not None:
                    store.add(spans, vectors)
                    heard_s += float((spans.end_s - spans.start_s).sum())
                progress.done(n_done, 0, heard_s)
        except KeyboardInterrupt:
            store.flush()
            raise
        finally:
            progress.close()
        made.unheard = hearing.unheard
        made.notes += hearing.notes
        if len(made.unheard) == len(todo):
            some = min(made.unheard)
            raise NotFoundError(
                f"{path}: none of {len(todo):,} recordings can be heard, such as {some[:8]}: {made.unheard[some]}"
            )
    store.flush()
    made.n = open_snapshot(path).count("embeddings", f"analysis_id = {quoted(analysis.id)}")
    made.wall_s = time.monotonic() - began_s
    return made


def _analysis(options: EmbedOptions, snapshot: Snapshot, embedder: Embedder, target: Target) -> Analysis:
    """The analysis that these vectors are of, under the name that it has where it is there already."""
    values = {**embedder.config(), "target": target.kind, "n_dims": embedder.n_dims}
    name = options.name or f"{embedder.name}, {target.title}"
    analysis = Analysis(name, "embeddings", target.parent_id, values, EMBEDDINGS_VERSION)
    for row in snapshot.table("analyses", ["analysis_id", "name"], "kind = 'embeddings'").to_pylist():
        if row["analysis_id"] == analysis.id:
            return Analysis(row["name"], "embeddings", target.parent_id, values, EMBEDDINGS_VERSION)
        if row["name"] == options.name:
            raise UsageError(
                f"the name {name!r} is taken by the vectors {row['analysis_id'][:8]}, which are of another model or of other"
                " sound; choose another one with --name"
            )
    return analysis


def _todo(
    options: EmbedOptions, snapshot: Snapshot, path: Path, target: Target, analysis: Analysis, made: Embedded
) -> list[Spans]:
    """What is not done yet, or was done of something else than is there now."""
    wanted = _recordings_where(options, snapshot, path)
    there = list(spans_of(snapshot, target, wanted))
    if not there:
        raise _nothing(options, snapshot, target, wanted)
    done: dict[str, str] = {}
    if not options.again:
        where = f"analysis_id = {quoted(analysis.id)}"
        rows = snapshot.table("coverage", ["scope_key", "input_hash"], where)
        done = dict(zip(*(column.to_pylist() for column in rows.columns), strict=True))
    todo = [spans for spans in there if done.get(spans.recording_id) != spans.input_hash]
    if options.limit is not None:
        made.n_left = max(0, len(todo) - options.limit)
        todo = todo[: options.limit]
    return todo


def _recordings_where(options: EmbedOptions, snapshot: Snapshot, path: Path) -> set[str] | None:
    """The recordings that `--where` takes; None where it is not given."""
    if options.where is None:
        return None
    from motifdb.query.database import Database

    with Database(path, at=snapshot.commit) as database:
        found = database.sql(f"select distinct recording_id from tracks where ({options.where}\n)").arrow()
    return set(found.column(0).drop_null().to_pylist())


def _nothing(
    options: EmbedOptions, snapshot: Snapshot, target: Target, wanted: set[str] | None
) -> NotFoundError:
    """Why there is nothing to embed."""
    if wanted is not None:
        what = "sound" if target.kind == "recording" else target.title
        return NotFoundError(f"no recording with {what} fulfils --where {options.where!r}")
    if target.kind == "recording":
        return NotFoundError(
            f"{snapshot.path}: there are no recordings with sound here; `motifdb ingest FOLDER --keep-audio` takes some in"
        )
    return NotFoundError(f"{snapshot.path}: there are no {target.title} here (any more)")


class _Store:
    """Vectors that wait to be stored, and how they are.

    What was read at one commit is stored at a later one. Of a recording that is gone by then, or whose clips are others, nothing
    is stored.
    """

    def __init__(self, path: Path, analysis: Analysis, target: Target, made: Embedded) -> None:
        self.path, self.analysis, self.target, self.made = path, analysis, target, made
        self._waiting: dict[str, tuple[str, pa.Table, int]] = {}
        self._n_bytes = 0
        self._last_s = time.monotonic()

    def add(self, spans: Spans, vectors: NDArray[np.float32]) -> None:
        """The vectors of a recording's targets; rows of NaN are none."""
        is_there = ~np.isnan(vectors[:, 0])
        rows = _rows(self.analysis.id, self.target.kind, spans, vectors, is_there)
        self._waiting[spans.recording_id] = spans.input_hash, rows, int((~is_there).sum())
        self._n_bytes += rows.nbytes
        if self._n_bytes >= STORE_BYTES or time.monotonic() - self._last_s >= STORE_EVERY_S:
            self.flush()

    def flush(self) -> None:
        """Commit what waits."""
        from motifdb.catalog.store import open_writer

        if self._waiting:
            with open_writer(self.path, wait_s=LEASE_WAIT_S) as writer:
                self._commit(writer)
            self._waiting, self._n_bytes = {}, 0
        self._last_s = time.monotonic()

    def _commit(self, writer: Writer) -> None:
        from motifdb.pipelines.committer import Committer
        from motifdb.pipelines.known import Known
        from motifdb.pipelines.stages import coverage_row

        own, made = f"analysis_id = {quoted(self.analysis.id)}", self.made
        known = Known.of(writer.snapshot)
        committer = Committer(writer, known)
        now = {s.recording_id: s.input_hash for s in spans_of(writer.snapshot, self.target, self._waiting)}
        stored = {name: w for name, w in self._waiting.items() if now.get(name) == w[0]}
        made.n_changed += len(self._waiting) - len(stored)
        if not stored:
            return
        committer.analyses([self.analysis])
        before = known.covered.get(self.analysis.id, {})
        for keys in in_lists("recording_id", stored.keys() & before.keys()):
            committer.replace_rows("embeddings", f"{own} and {keys}")
        for keys in in_lists("scope_key", stored.keys() & before.keys()):
            committer.replace_rows("coverage", f"{own} and {keys}")
        if writer.snapshot.count("embedding_metrics", own):  # they were of other vectors
            committer.replace_rows("embedding_metrics", own)
            made.notes.append("its figures were of fewer vectors, and are gone; compute them again")
        for name, (input_hash, rows, n_unvoiced) in sorted(stored.items()):
            committer.rows("embeddings", rows)
            row = coverage_row(self.analysis.id, name, rows.num_rows) | {"input_hash": input_hash}
            committer.rows("coverage", COVERAGE.table([row]))
            made.n_new += rows.num_rows
            made.n_unvoiced += n_unvoiced
            made.n_recordings += 1
        committer.flush(f"vectors {self.analysis.name}")


def _rows(
    analysis_id: str, target: str, spans: Spans, vectors: NDArray[np.float32], is_there: NDArray[np.bool_]
) -> pa.Table:
    """Rows of `embeddings` of one recording."""
    at = np.flatnonzero(is_there).tolist()
    start_s, end_s = spans.start_s[at], spans.end_s[at]
    of = [spans.of[i] for i in at]
    ids = [
        embedding_id(analysis_id, target, spans.recording_id, a, b, name)
        for a, b, name in zip(start_s.tolist(), end_s.tolist(), of, strict=True)
    ]
    n, none = len(at), pa.nulls(len(at), pa.string())
    flat = pa.array(np.ascontiguousarray(vectors[at], np.float32).reshape(-1))
    offsets = pa.array(np.arange(n + 1, dtype=np.int32) * vectors.shape[1])
    columns = [
        pa.array(ids, pa.string()),
        pa.array([analysis_id] * n, pa.string()),
        pa.array([target] * n, pa.string()),
        pa.array([spans.recording_id] * n, pa.string()),
        pa.array(start_s, pa.float64()),
        pa.array(end_s, pa.float64()),
        pa.array(of, pa.string()) if target == "clip" else none,
        pa.array(of, pa.string()) if target == "occurrence" else none,
        pa.ListArray.from_arrays(offsets, flat),
    ]
    return pa.Table.from_arrays(columns, schema=EMBEDDINGS.schema)
