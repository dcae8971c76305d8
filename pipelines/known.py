"""What a database already holds, as far as a job has to know it: files, contents, and what was done."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from motifdb.schemas import FILES

if TYPE_CHECKING:
    from motifdb.catalog.store import Snapshot


@dataclass
class Known:
    """In-memory view of a snapshot, kept up to date as a job commits.

    It holds one small record per file and per recording (about 1 kB together), never audio, pitch or motifs.
    """

    corpora: dict[str, dict[str, Any]] = field(default_factory=dict)
    files: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    failures: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    recordings: dict[str, dict[str, Any]] = field(default_factory=dict)
    references: Counter[str] = field(default_factory=Counter)
    covered: dict[str, dict[str, str]] = field(default_factory=dict)
    analyses: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, snapshot: Snapshot) -> Known:
        """Read what a job needs from a snapshot."""
        known = cls()
        known.corpora = {row["corpus_id"]: row for row in snapshot.table("corpora").to_pylist()}
        for row in snapshot.table("files").to_pylist():
            row["labels"] = dict(row["labels"])
            known.files[row["corpus_id"], row["path"]] = row
            if row["recording_id"] is not None:
                known.references[row["recording_id"]] += 1
        for row in snapshot.table("failures").to_pylist():
            known.failures[row["corpus_id"], row["path"]] = row
        for row in snapshot.table(
            "recordings", columns=["recording_id", "kind", "codec", "duration_s", "tags"]
        ).to_pylist():
            known.recordings[row["recording_id"]] = row
        coverage = snapshot.table("coverage", columns=["analysis_id", "scope_key", "input_hash"])
        for analysis, key, digest in zip(*(coverage.column(i).to_pylist() for i in range(3)), strict=True):
            known.covered.setdefault(analysis, {})[key] = digest
        known.analyses = set(snapshot.table("analyses", columns=["analysis_id"]).column(0).to_pylist())
        return known

    def is_covered(self, analysis_id: str, recording_id: str) -> bool:
        """Whether an analysis has been applied to a recording."""
        return recording_id in self.covered.get(analysis_id, ())


def same_file(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two rows of `files` say the same."""
    return all(one.get(name) == other.get(name) for name in FILES.names)
