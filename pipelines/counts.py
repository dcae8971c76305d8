"""Count every kept pattern in every recording, also where it is below support, so that singers can be compared.

The counts of a mining analysis are brought up to date at the end of a job: new recordings are counted for all kept
patterns, older ones for new patterns only, and patterns that no recording keeps go. Where there are more rows than one
commit should hold, the first of several marks the counts as partial; a job that finds that mark counts all anew.
"""

from __future__ import annotations

from collections.abc import Container
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from motifdb.ids import hash_text, set_hash
from motifdb.pipelines.analyses import counts_analysis
from motifdb.pipelines.committer import Committer, in_list
from motifdb.pipelines.motif_rows import PhraseColumns
from motifdb.pipelines.stages import coverage_row, recordings_of
from motifdb.schemas import COVERAGE, PATTERN_COUNTS

if TYPE_CHECKING:
    from motifdb.catalog.store import Snapshot
    from motifdb.catalog.writer import Writer
    from motifdb.mining.counting import PatternCounter

PARTIAL = "partial"
"""input_hash of counts that a stopped job left half done."""

ALL = "all"
"""scope_key of the coverage row that says which recordings and motifs the counts are of."""


def refresh_counts(
    committer: Committer,
    writer: Writer,
    mining_id: str,
    contour_id: str,
    max_gap: int | None,
    counted: Container[str],
) -> None:
    """Bring `pattern_counts` of a mining analysis up to date with its motifs.

    Parameters
    ----------
    contour_id : of the phrases it was mined from
    max_gap : of its patterns
    counted : the recordings to count in: those that were mined, in whatever scope
    """
    counts = counts_analysis(mining_id)
    snapshot = writer.snapshot
    stamp = _stamp(snapshot, mining_id)
    if committer.known.covered.get(counts.id, {}).get(ALL) == stamp:
        return
    where = f"analysis_id = '{mining_id}'"
    kept = _kept_patterns(snapshot, mining_id)
    old_patterns, old_recordings = _counted(snapshot, mining_id)
    n_rows = snapshot.count("pattern_counts", where)
    if committer.known.covered.get(counts.id, {}).get(ALL) == PARTIAL:
        committer.replace_rows("pattern_counts", where)
        old_patterns, old_recordings, n_rows = set(), set(), 0
    gone = old_patterns - kept.keys()
    if gone:
        forgotten = f"{where} and {in_list('pattern_id', gone)}"
        committer.replace_rows("pattern_counts", forgotten)
        n_rows -= snapshot.count("pattern_counts", forgotten)
    new = {k: v for k, v in kept.items() if k not in old_patterns}
    everything = _Kept(kept, mining_id, max_gap)
    added = _Kept(new, mining_id, max_gap)
    committer.analyses([counts])
    for phrases in recordings_of(snapshot.batches("contours", None, f"analysis_id = '{contour_id}'", 1024)):
        recording_id = phrases.recording_id
        if recording_id in counted:
            rows = (added if recording_id in old_recordings else everything).count(recording_id, phrases)
            committer.rows("pattern_counts", rows)
            n_rows += rows.num_rows
            if committer.is_full():
                _say(committer, counts.id, PARTIAL, n_rows)
                committer.flush("kept patterns counted in some recordings")
    _say(committer, counts.id, stamp, n_rows)
    committer.flush("kept patterns counted in every recording")


def _say(committer: Committer, counts_id: str, input_hash: str, n_rows: int) -> None:
    """Replace the row of `coverage` that says what the counts are of."""
    committer.replace_rows("coverage", f"analysis_id = '{counts_id}'")
    row = coverage_row(counts_id, ALL, n_rows) | {"input_hash": input_hash}
    committer.rows("coverage", COVERAGE.table([row]))
    committer.known.covered[counts_id] = {ALL: input_hash}


def _counted(snapshot: Snapshot, mining_id: str) -> tuple[set[str], set[str]]:
    """Patterns and recordings that have counts."""
    patterns: set[str] = set()
    recordings: set[str] = set()
    where = f"analysis_id = '{mining_id}'"
    for batch in snapshot.batches("pattern_counts", ["pattern_id", "recording_id"], where):
        patterns.update(pc.unique(batch.column(0)).to_pylist())
        recordings.update(pc.unique(batch.column(1)).to_pylist())
    return patterns, recordings


class _Kept:
    """Some kept patterns, ready to be counted."""

    def __init__(self, patterns: dict[str, bytes], mining_id: str, max_gap: int | None) -> None:
        self._ids = pa.array(patterns.keys(), pa.string())
        self._mining_id = mining_id
        self._max_gap = max_gap
        self._patterns = list(patterns.values())
        self._counter: PatternCounter | None = None

    def count(self, recording_id: str, phrases: PhraseColumns) -> pa.Table:
        """Rows of `pattern_counts` for one recording: those patterns that occur in it."""
        from motifdb.mining.counting import PatternCounter

        if not self._patterns:
            return PATTERN_COUNTS.empty()
        if self._counter is None:
            offsets = np.concatenate([[0], np.cumsum([len(p) for p in self._patterns])]).astype(np.int64)
            symbols = np.frombuffer(b"".join(self._patterns), np.int8)
            self._counter = PatternCounter(symbols, offsets, max_gap=self._max_gap)
        found = self._counter.count(phrases.symbols, phrases.offsets)
        n = len(found.pattern)
        return pa.table(
            [
                pa.array([self._mining_id] * n, pa.string()),
                self._ids.take(pa.array(found.pattern)),
                pa.array([recording_id] * n, pa.string()),
                pa.array(found.occurrences),
                pa.array(found.phrases),
            ],
            schema=PATTERN_COUNTS.schema,
        )


def _stamp(snapshot: Snapshot, mining_id: str) -> str:
    """What the counts would be of: every recording mined, with the number of motifs it has."""
    done = snapshot.table("coverage", ["scope_key", "n_rows"], f"analysis_id = '{mining_id}'")
    keys, n_rows = done.column(0).to_pylist(), done.column(1).to_pylist()
    return hash_text(set_hash(f"{k} {n}" for k, n in zip(keys, n_rows, strict=True)))


def _kept_patterns(snapshot: Snapshot, mining_id: str) -> dict[str, bytes]:
    """Symbols of every pattern that some recording keeps, by id, in order of the ids."""
    kept: dict[str, bytes] = {}
    for batch in snapshot.batches("motifs", ["pattern_id", "pattern"], f"analysis_id = '{mining_id}'"):
        patterns = batch.column("pattern")
        symbols = patterns.flatten().to_numpy().astype(np.int8).tobytes()
        ends = np.cumsum(pc.list_value_length(patterns).to_numpy())
        start = 0
        for name, end in zip(batch.column("pattern_id").to_pylist(), ends.tolist(), strict=True):
            kept[name] = symbols[start:end]
            start = end
    return dict(sorted(kept.items()))
