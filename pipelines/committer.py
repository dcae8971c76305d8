"""The one place where a job's rows reach the database.

Rows gather here until there are enough of them, then go in one commit over all tables. A file's row, the rows
of its recording and the removal of what they replace are always in one commit, so every commit is whole.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from motifdb.ids import hash_text, set_hash
from motifdb.pipelines.analyses import Analysis, analysis_rows
from motifdb.pipelines.dropping import dropped
from motifdb.pipelines.known import Known, same_file
from motifdb.pipelines.predicates import in_list as in_list
from motifdb.pipelines.predicates import path_predicate
from motifdb.pipelines.predicates import quoted as quoted
from motifdb.pipelines.work import UnitResult
from motifdb.schemas import CORPORA, COVERAGE, FAILURES, FILES, TABLES

if TYPE_CHECKING:
    from motifdb.catalog.writer import Writer

COMMIT_BYTES = 32 << 20
COMMIT_RECORDINGS = 512
COMMIT_AFTER_S = 10.0
"""A commit is made when any of these is reached: rows in memory, recordings in it, time since the last one."""

OF_RECORDING = {
    "recordings": "recording_id",
    "pitch": "recording_id",
    "pitch_agreement": "recording_id",
    "contours": "recording_id",
    "occurrences": "recording_id",
    "families": "scope_key",
    "family_members": "recording_id",
    "pattern_counts": "recording_id",
    "motifs": "scope_key",
    "audio": "recording_id",
    "fingerprints": "recording_id",
    "clips": "recording_id",
    "embeddings": "recording_id",
    "coverage": "scope_key",
}
"""Tables with rows about one recording, and the column that names it."""


class Committer:
    """Gathers rows and commits them.

    Parameters
    ----------
    writer : holds the database's lease
    known : the view of the database that is kept in step with what is committed
    most_recordings : recordings in one commit
    """

    def __init__(self, writer: Writer, known: Known, most_recordings: int = COMMIT_RECORDINGS) -> None:
        self.known = known
        self.most_recordings = most_recordings
        self.n_commits = 0
        self._writer = writer
        self._kept_audio: set[str] | None = None
        self._last_commit_s = time.monotonic()
        self._clear()

    def _clear(self) -> None:
        self._rows: dict[str, list[pa.Table]] = {}
        self._bytes = 0
        self._recordings: set[str] = set()
        self._files: dict[tuple[str, str], dict[str, Any]] = {}
        self._failures: dict[tuple[str, str], dict[str, Any]] = {}
        self._deleted: dict[str, set[tuple[str, str]]] = {"files": set(), "failures": set()}
        self._left: dict[tuple[str, str], str] = {}
        self._stale: list[tuple[str, str]] = []
        self._dropped_motifs: set[str] = set()
        self._corpora: dict[str, dict[str, Any]] = {}
        self._released: set[str] = getattr(self, "_released", set())

    @property
    def kept_audio(self) -> set[str]:
        """Recordings whose sound is kept, or is about to be; read when it is first asked for."""
        if self._kept_audio is None:
            first = self._writer.snapshot.table("audio", ["recording_id"], "block = 0")
            self._kept_audio = set(first.column(0).to_pylist())
        return self._kept_audio

    def corpus(self, row: dict[str, Any]) -> None:
        """Add or replace a row of `corpora`."""
        self._corpora[row["corpus_id"]] = row
        self.known.corpora[row["corpus_id"]] = row

    def analyses(self, analyses: Iterable[Analysis]) -> None:
        """Add analyses that are not there yet."""
        new = [a for a in analyses if a.id not in self.known.analyses]
        if new:
            self.rows("analyses", analysis_rows(new))
            self.known.analyses.update(a.id for a in new)

    def replace_analysis(self, analysis: Analysis) -> None:
        """Write the row of an analysis anew: what is not part of its id, such as its inputs, has changed."""
        self.replace_rows("analyses", in_list("analysis_id", [analysis.id]))
        self.rows("analyses", analysis_rows([analysis]))

    def rows(self, table: str, rows: pa.Table) -> None:
        """Add rows to a table."""
        if rows.num_rows:
            self._rows.setdefault(table, []).append(rows)
            self._bytes += rows.nbytes

    def result(self, result: UnitResult) -> None:
        """Add what a unit of work made; a recording that is already described keeps its row."""
        for table, parts in result.rows.items():
            for part in parts:
                if table == "recordings":
                    part = self._new_recordings(part)
                elif table == "coverage":
                    for row in part.select(["analysis_id", "scope_key", "input_hash"]).to_pylist():
                        self.known.covered.setdefault(row["analysis_id"], {})[row["scope_key"]] = row[
                            "input_hash"
                        ]
                elif table == "audio":
                    self.kept_audio.update(part.column("recording_id").to_pylist())
                self.rows(table, part)
        self._recordings.update(result.outcomes)

    def _new_recordings(self, part: pa.Table) -> pa.Table:
        ids = part.column("recording_id").to_pylist()
        new = [i not in self.known.recordings for i in ids]
        for row in part.filter(pa.array(new)).to_pylist():
            self.known.recordings[row["recording_id"]] = row
        return part.filter(pa.array(new))

    def replace_rows(self, table: str, predicate: str) -> None:
        """Delete rows of a table in the next commit, before anything is added to it."""
        self._stale.append((table, predicate))

    def file(self, row: dict[str, Any], failure: dict[str, Any] | None = None) -> None:
        """Set a path's row, and its failure where it has one; nothing is written where nothing changes."""
        key = (row["corpus_id"], row["path"])
        old = self.known.files.get(key)
        if old is None or not same_file(old, row):
            self._forget_file(key, old)
            self._files[key] = row
            self.known.files[key] = row
            if row["recording_id"] is not None:
                self.known.references[row["recording_id"]] += 1
                self._released.discard(row["recording_id"])
        if key in self.known.failures and self.known.failures[key] != failure:
            self._deleted["failures"].add(key)
            self._failures.pop(key, None)
            del self.known.failures[key]
        if failure is not None and key not in self.known.failures:
            self._failures[key] = failure
            self.known.failures[key] = failure

    def failure_without_file(self, row: dict[str, Any]) -> None:
        """Set the failure of something that is no file, such as a folder that cannot be listed."""
        key = (row["corpus_id"], row["path"])
        if self.known.failures.get(key) != row:
            if key in self.known.failures:
                self._deleted["failures"].add(key)
            self._failures[key] = row
            self.known.failures[key] = row

    def forget(self, key: tuple[str, str]) -> None:
        """Remove a path, and its recording where no other path holds it."""
        self.forget_file(key)
        if self.known.failures.pop(key, None) is not None:
            self._deleted["failures"].add(key)
            self._failures.pop(key, None)

    def forget_file(self, key: tuple[str, str]) -> None:
        """Remove a path, and its recording where no other path holds it, but keep its failure."""
        self._forget_file(key, self.known.files.pop(key, None))
        self._files.pop(key, None)

    def _forget_file(self, key: tuple[str, str], old: dict[str, Any] | None) -> None:
        if old is None:
            return
        self._deleted["files"].add(key)
        recording_id = old["recording_id"]
        if recording_id is not None:
            self._left.setdefault(key, recording_id)
            self.known.references[recording_id] -= 1
            if not self.known.references[recording_id]:
                self._released.add(recording_id)

    def is_full(self) -> bool:
        """Whether the rows in memory are as many as one commit should hold."""
        return self._bytes >= COMMIT_BYTES

    def is_due(self) -> bool:
        """Whether enough has gathered for a commit."""
        return (
            self._bytes >= COMMIT_BYTES
            or len(self._recordings) >= self.most_recordings
            or len(self._files) >= 8 * self.most_recordings
            or (self._has_rows() and time.monotonic() - self._last_commit_s >= COMMIT_AFTER_S)
        )

    def _has_rows(self) -> bool:
        return bool(
            self._rows
            or self._files
            or self._failures
            or self._corpora
            or self._stale
            or any(self._deleted.values())
        )

    def flush(self, message: str, *, in_flight: Iterable[str] = ()) -> int | None:
        """Commit what has gathered; None where there was nothing.

        `in_flight` are recordings under work: what was released because its last path went is kept while
        the same content is on its way in under another path.
        """
        from motifdb.catalog.store import Changes

        gone = self._released - set(in_flight)
        self._released -= gone
        if not (self._has_rows() or gone):
            return None
        append: dict[str, pa.Table] = {}
        delete: dict[str, str] = {}
        replaced = self._replaced_motifs()
        self._drop_recordings(gone)
        self._drop_learning(gone, replaced)
        for table, key in (("files", self._files), ("failures", self._failures)):
            if key:
                self.rows(table, _keyed_table(table, list(key.values())))
        for table, keys in self._deleted.items():
            if keys:
                self._stale.append((table, path_predicate(keys)))
        if self._corpora:
            self.rows("corpora", CORPORA.table(list(self._corpora.values())))
            self._stale.append(("corpora", in_list("corpus_id", self._corpora)))
        for table, predicate in self._stale:
            delete[table] = f"({delete[table]}) or ({predicate})" if table in delete else predicate
        for table, parts in self._rows.items():
            append[table] = pa.concat_tables([_without(p, OF_RECORDING.get(table), gone) for p in parts])
        number = self._writer.snapshot.commit + 1
        if "coverage" in append:
            append["coverage"] = _stamped(append["coverage"], number)
        token = hash_text(
            str(number),
            set_hash(self._recordings),
            *(f"{t}:{append[t].num_rows}" for t in sorted(append)),
            *(f"{t}:{delete[t]}" for t in sorted(delete)),
        )
        commit = self._writer.commit(Changes(append=append, delete=delete), token=token, message=message)
        self.n_commits += 1
        self._clear()
        self._last_commit_s = time.monotonic()
        return int(commit)

    def _drop_recordings(self, gone: set[str]) -> None:
        """Everything that is known of recordings that no path holds any more."""
        if not gone:
            return
        self._drop_wide(gone)
        for table, column in OF_RECORDING.items():
            self._stale.append((table, in_list(column, gone)))
        for recording_id in gone:
            self.known.recordings.pop(recording_id, None)
            self.known.references.pop(recording_id, None)
            if self._kept_audio is not None:
                self._kept_audio.discard(recording_id)
            for done in self.known.covered.values():
                done.pop(recording_id, None)

    def _replaced_motifs(self) -> set[str]:
        """Motifs whose places a job has found anew, as its deletions tell."""
        found: set[str] = set()
        for table, predicate in self._stale:
            if table == "occurrences":
                snapshot = self._writer.snapshot
                found.update(snapshot.table("occurrences", ["motif_id"], predicate).column(0).to_pylist())
        return found

    def _drop_learning(self, gone: set[str], replaced: set[str]) -> None:
        """What was cut, audited, split, predicted or embedded of recordings, motifs and files that go."""
        files = {
            key
            for key, recording_id in self._left.items()
            if self._files.get(key, {}).get("recording_id") != recording_id
        }
        if not (gone or files or replaced):
            return
        found = dropped(self._writer.snapshot, gone, self._dropped_motifs, files, replaced)
        self._stale += found.stale
        if found.coverage:
            self.rows("coverage", COVERAGE.table(found.coverage))
        for analysis_id, keys in found.uncovered.items():
            for key in keys:
                self.known.covered.get(analysis_id, {}).pop(key, None)

    def _drop_wide(self, gone: set[str]) -> None:
        """What was mined over several recordings of which one goes: its counts are no longer those of its places."""
        snapshot, here = self._writer.snapshot, in_list("recording_id", gone)
        sounds = pc.unique(snapshot.table("occurrences", ["motif_id"], here).column(0))
        columns = ["motif_id", "analysis_id", "scope_key"]
        wide = snapshot.table("motifs", columns, "scope <> 'recording'") if len(sounds) else None
        if wide is not None and wide.num_rows:
            touched = wide.filter(pc.is_in(wide.column("motif_id"), sounds))
            keys: dict[str, set[str]] = {}
            for analysis, key in set(zip(*(touched.column(i).to_pylist() for i in (1, 2)), strict=True)):
                keys.setdefault(analysis, set()).add(key)
            for analysis, names in keys.items():
                own = wide.filter(pc.equal(wide.column("analysis_id"), analysis))
                own = own.filter(pc.is_in(own.column("scope_key"), pa.array(sorted(names), pa.string())))
                motifs = own.column("motif_id").to_pylist()
                self._stale.append(("occurrences", in_list("motif_id", motifs)))
                self._dropped_motifs.update(motifs)
                where = f"analysis_id = {quoted(analysis)} and {in_list('scope_key', names)}"
                self._stale += [("motifs", where), ("coverage", where)]
                for name in names:
                    self.known.covered.get(analysis, {}).pop(name, None)
        self._drop_counts(here)

    def _drop_counts(self, here: str) -> None:
        """Say no more that counts are whole where some of their rows go; a job that brings them up to date counts anew."""
        snapshot = self._writer.snapshot
        counted = pc.unique(snapshot.table("pattern_counts", ["analysis_id"], here).column(0)).to_pylist()
        if not counted:
            return
        where = f"kind = 'counts' and {in_list('parent_id', counted)}"
        counts = snapshot.table("analyses", ["analysis_id"], where).column(0).to_pylist()
        if counts:
            self._stale.append(("coverage", in_list("analysis_id", counts)))
            for name in counts:
                self.known.covered.pop(name, None)


def _stamped(coverage: pa.Table, commit: int) -> pa.Table:
    """Coverage with the commit that it is stored by."""
    at = coverage.schema.get_field_index("commit")
    return coverage.set_column(
        at, coverage.schema.field(at), pa.array([commit] * coverage.num_rows, pa.int64())
    )


def _keyed_table(table: str, rows: list[dict[str, Any]]) -> pa.Table:
    if table == "files":
        rows = [row | {"labels": sorted(row["labels"].items())} for row in rows]
        return FILES.table(rows)
    return FAILURES.table(rows)


def _without(rows: pa.Table, column: str | None, gone: set[str]) -> pa.Table:
    """Rows but those of recordings that went before they were ever committed."""
    if column is None or not gone:
        return rows
    is_gone = pc.is_in(rows.column(column), pa.array(sorted(gone), pa.string()))
    return (
        rows.filter(pc.invert(is_gone)) if pc.any(is_gone).as_py() else rows
    )  # sound is not copied for nothing


assert OF_RECORDING.keys() <= TABLES.keys() | {"pitch_agreement"}
