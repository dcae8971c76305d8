"""Count every kept pattern in every recording, also where it is below support, so that singers can be compared.

The counts of a mining analysis are brought up to date at the end of a job, in one commit: new recordings are
counted for all kept patterns, older ones for new patterns only, and patterns that no recording keeps go.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from motifdb.ids import hash_text, set_hash
from motifdb.pipelines.analyses import Plan
from motifdb.pipelines.committer import Committer, in_list
from motifdb.pipelines.stages import PhraseColumns
from motifdb.schemas import COVERAGE, PATTERN_COUNTS

if TYPE_CHECKING:
    from motifdb.catalog.store import Snapshot
    from motifdb.catalog.writer import Writer

ALL = "all"
"""scope_key of the coverage row that says which recordings and patterns the counts are of."""


def refresh_counts(committer: Committer, writer: Writer, plan: Plan) -> None:
    """Bring `pattern_counts` of a plan's mining analysis up to date with its motifs."""
    counts = plan.counts
    assert counts is not None and plan.mining is not None and plan.contour is not None
    recordings = committer.known.covered.get(plan.mining.id, {}).keys()
    snapshot = writer.snapshot
    stamp = _stamp(snapshot, plan.mining.id, recordings)
    if committer.known.covered.get(counts.id, {}).get(ALL) == stamp:
        return
    kept = _kept_patterns(snapshot, plan.mining.id)
    counted_patterns, counted_recordings, n_before = _counted(snapshot, plan.mining.id)
    gone = sorted(counted_patterns - kept.keys())
    new_patterns = sorted(kept.keys() - counted_patterns)
    old_patterns = sorted(kept.keys() & counted_patterns)
    if gone:
        committer.replace_rows(
            "pattern_counts", f"analysis_id = '{plan.mining.id}' and {in_list('pattern_id', gone)}"
        )
        n_before = snapshot.count(
            "pattern_counts", f"analysis_id = '{plan.mining.id}' and not {in_list('pattern_id', gone)}"
        )
    n_rows = n_before
    everything = new_patterns + old_patterns
    for phrases in recordings_of(
        snapshot.batches("contours", None, f"analysis_id = '{plan.contour.id}'", 1024)
    ):
        if phrases.recording_id not in recordings:
            continue
        names = new_patterns if phrases.recording_id in counted_recordings else everything
        rows = _count_one(phrases, names, kept, plan)
        committer.rows("pattern_counts", rows)
        n_rows += rows.num_rows
    committer.analyses([counts])
    committer.replace_rows("coverage", f"analysis_id = '{counts.id}'")
    done = {
        "analysis_id": counts.id,
        "scope_key": ALL,
        "input_hash": stamp,
        "state": "done" if n_rows else "empty",
        "n_rows": n_rows,
        "commit": committer.next_commit,
    }
    committer.rows("coverage", COVERAGE.table([done]))
    committer.known.covered.setdefault(counts.id, {})[ALL] = stamp
    committer.flush("kept patterns counted in every recording")
