"""What the steps of a check share: the violation, the rules by name, the way to the data."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from motifdb.config import ContourConfig, MiningConfig, part_from_parameters
from motifdb.errors import UsageError
from motifdb.ids import set_hash
from motifdb.query.scopes import Partition, Scoped, current_partition
from motifdb.query.sql import Session

if TYPE_CHECKING:
    from motifdb.catalog.store import Snapshot

MEMORY = "600MB"
"""What one statement may hold before it spills to disk."""

RULES: dict[str, str] = {
    "checksum": "every file has the bytes that were committed",
    "log": "every commit record is whole and the child of the one before",
    "readable": "every table can be read",
    "rows": "a table has as many rows as its commit says",
    "schema": "a table has its declared columns and types",
    "null": "no null where none may be",
    "key": "no two rows have one key",
    "reference": "what a row refers to is there, and of the right kind",
    "value": "a value is one of those it may be",
    "id": "an id is the hash of what it stands for",
    "state": "a file's state, recording and failure agree",
    "orphan": "every recording is that of a file",
    "coverage": "coverage says what is there: its rows, their number, its parent's coverage",
    "blocks": "blocks of pitch follow each other without a gap, on one grid",
    "frames": "f0 is finite and not negative, confidence is empty or as long",
    "agreement": "shares lie between 0 and 1, and n_frames are those of the first analysis",
    "segments": "a phrase's segments fit together and follow each other",
    "symbols": "a phrase's symbols are those of its segments' levels",
    "phrases": "phrases are numbered 0, 1, ... and follow each other",
    "pattern": "a motif's length, contour and pattern agree, and its symbols are the quantiser's",
    "limits": "a motif keeps what its analysis asks for",
    "statistics": "probabilities, q values and surprise agree",
    "place": "an occurrence lies inside a phrase of its recording and analysis",
    "match": "the symbols at an occurrence are its motif's pattern, under its gap rule",
    "time": "an occurrence's times and level are those of its phrase's segments",
    "counts": "a motif's counts and durations are those of its occurrences",
    "recount": "a motif occurs as often as it does when its recording's phrases are searched again",
    "pattern_counts": "a kept pattern's counts are those found when a recording's phrases are searched again",
    "family": "a family's members are numbered and lie in recordings of its scope, and its size, exemplar and medians are theirs",
    "sound": "blocks of sound follow each other, are 16 kHz int16 samples and as long as the recording",
    "fingerprint": "anchors ascend in time, and each has a code",
    "links": "links lie inside two recordings, and islands are what they hold together",
    "clip": "a clip is a span of its recording, and of its file where it is a file's",
    "split": "what travels together is on one side, unless leaks were allowed, and clips are those that were split",
    "run": "a run's predictions, figures and checkpoint agree",
    "index": "an index over vectors is of vectors that are there, and has the bytes that were written",
    "encoder": "an encoder's state, curve, figures and checkpoint agree",
    "vector": "vectors are finite and of one size in an analysis, each of what its analysis embeds, figures of vectors there are",
}
"""Every rule by its name."""


@dataclass(frozen=True)
class Violation:
    """One thing that is wrong: in which table, by which rule, in which row or file, and what."""

    table: str
    rule: str
    where: str
    text: str

    def __str__(self) -> str:
        return f"{self.table}: {self.where}: {self.text} [{self.rule}]"


@dataclass(frozen=True)
class Analysis:
    """A row of `analyses` whose parameters could be read."""

    analysis_id: str
    kind: str
    parent_id: str | None
    parameters: dict[str, Any]
    stage_version: int

    @cached_property
    def contour(self) -> ContourConfig | None:
        """Its parameters as a contour configuration; None where they are none."""
        return _config(ContourConfig, self.parameters) if self.kind == "contour" else None

    @cached_property
    def mining(self) -> MiningConfig | None:
        """Its parameters as a mining configuration; None where they are none."""
        return _config(MiningConfig, self.parameters) if self.kind == "mining" else None

    @cached_property
    def scoped(self) -> Scoped | None:
        """Who is searched together; None where the analysis is neither one of mining nor of families."""
        return Scoped.of(self.kind, self.parameters)

    @property
    def is_dictionary(self) -> bool:
        """Whether it is a union of other motifs, found again: of a label's scope, but not mined in it."""
        return "dictionary" in self.parameters

    @property
    def lists_every_place(self) -> bool:
        """Whether occurrences are all there are; a dictionary may take the first of a phrase, or long ones, only."""
        said = self.parameters.get("dictionary")
        return not isinstance(said, dict) or (said.get("matches") == "all" and not said.get("min_clip_s"))


def _config(cls: Any, parameters: dict[str, Any]) -> Any:
    try:
        return part_from_parameters(cls, parameters)
    except (UsageError, TypeError, ValueError):
        return None


@dataclass
class Context:
    """A snapshot under check, and SQL over it.

    `damaged` are tables with a file that is not what was committed: they are read no further.
    """

    snapshot: Snapshot
    session: Session
    gapped_recordings: int | None
    damaged: set[str] = field(default_factory=set)
    analyses: dict[str, Analysis] = field(default_factory=dict)
    scopes: dict[str, Partition | None] | None = None
    phrases: dict[str, dict[str, int]] = field(default_factory=dict)
    counts: dict[str, bool] = field(default_factory=dict)

    @classmethod
    @contextmanager
    def open(cls, snapshot: Snapshot, gapped_recordings: int | None) -> Iterator[Context]:
        """Make the session, read the analyses, close the session at the end."""
        session = Session(snapshot, memory_limit=MEMORY)
        try:
            yield cls(snapshot, session, gapped_recordings)
        finally:
            session.close()

    def can_read(self, *tables: str) -> bool:
        """Whether none of these tables is damaged."""
        return not self.damaged.intersection(tables)

    def holds(self, table: str) -> bool:
        """Whether a table has rows that can be read: most databases have few of the tables, and questions cost time."""
        if table not in self.counts:
            self.counts[table] = table not in self.damaged and self.snapshot.count(table) > 0
        return self.counts[table]

    def load_analyses(self) -> dict[str, Analysis]:
        """Every analysis whose parameters are JSON, by id; read once."""
        if not self.analyses:
            for row in self.snapshot.table("analyses").to_pylist():
                try:
                    parameters = json.loads(row["parameters"])
                except (TypeError, ValueError):
                    continue
                if isinstance(parameters, dict):
                    names = ("analysis_id", "kind", "parent_id", "stage_version")
                    self.analyses[row["analysis_id"]] = Analysis(
                        **{n: row[n] for n in names}, parameters=parameters
                    )
        return self.analyses

    def wide_scopes(self) -> dict[str, Partition | None]:
        """By analysis of mining or families over several recordings: who is where; None where that is not known.

        It is not for one whose inputs have changed since, nor for dictionaries, which keep no list of members.
        """
        if self.scopes is None:
            self.scopes = {}
            frozen = self.snapshot.table("analyses", ["analysis_id", "inputs_hash"])
            hashes = dict(zip(*(c.to_pylist() for c in frozen.columns), strict=True))
            for analysis in self.load_analyses().values():
                if analysis.scoped is not None and analysis.scoped.is_wide:
                    found = current_partition(self.snapshot, analysis.parent_id or "", analysis.scoped)
                    is_same = not analysis.is_dictionary and found.inputs_hash == hashes[analysis.analysis_id]
                    self.scopes[analysis.analysis_id] = found if is_same else None
        return self.scopes

    def counted_by_dictionary(self, analysis_id: str) -> set[str]:
        """The recordings that a dictionary's patterns are counted in: all with contours, unless these have changed."""
        row = self.session.table(
            "select parent_id, inputs_hash from analyses where analysis_id = ?", [analysis_id]
        ).to_pylist()[0]
        there = set(self.n_phrases(row["parent_id"]))
        return there if set_hash(there) == row["inputs_hash"] else set()

    def n_phrases(self, contour_id: str) -> dict[str, int]:
        """Phrases of every recording in an analysis of contours."""
        if contour_id not in self.phrases:
            where = "select scope_key, n_rows from coverage where analysis_id = ?"
            rows = self.session.table(where, [contour_id])
            self.phrases[contour_id] = dict(zip(*(c.to_pylist() for c in rows.columns), strict=True))
        return self.phrases[contour_id]

    def rows(self, query: str) -> Iterator[dict[str, Any]]:
        """The rows of a query, one by one."""
        for batch in self.session.reader(query):
            yield from batch.to_pylist()


def by_recording(session: Session, query: str) -> Iterator[tuple[str, pa.Table]]:
    """(recording_id, its rows) of a query that is ordered by `recording_id`; null ids are left out."""
    held: list[pa.RecordBatch] = []
    current: str | None = None
    for batch in session.reader(query):
        ids = batch.column("recording_id")
        start = 0
        for run in _runs(ids):
            name = ids[start].as_py()
            if name != current:
                if current is not None:
                    yield current, pa.Table.from_batches(held)
                held, current = [], name
            if name is not None:
                held.append(batch.slice(start, run))
            start += run
    if current is not None:
        yield current, pa.Table.from_batches(held)


def _runs(ids: pa.Array) -> list[int]:
    """Lengths of the runs of equal values in an array."""
    import pyarrow.compute as pc

    if not len(ids):
        return []
    lengths: list[int] = pc.run_end_encode(ids).run_ends.to_pylist()
    return [b - a for a, b in zip([0, *lengths[:-1]], lengths, strict=True)]
