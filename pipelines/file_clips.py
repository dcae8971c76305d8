"""Ready-cut clips: every file of a folder is a training example, under the labels of that file.

A content that two files hold is two clips, one of each file, so that a contradiction between their labels stays to be
seen. A clip hangs on its file by corpus_id and path: other labels need no other clip.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from motifdb.ids import hash_text
from motifdb.pipelines.analyses import FILE_CLIPS
from motifdb.pipelines.predicates import in_lists, quoted
from motifdb.pipelines.stages import coverage_row
from motifdb.schemas import CLIPS, COVERAGE

if TYPE_CHECKING:
    from motifdb.catalog.writer import Writer
    from motifdb.pipelines.committer import Committer


def add_file_clips(committer: Committer, writer: Writer, keys: Iterable[tuple[str, str]]) -> int:
    """Make those files clips that are inputs with sound and are none yet; how many of the files are clips now.

    Everything gathered before must have been committed. A recording of no length is no clip: there is nothing in it.

    Parameters
    ----------
    keys : (corpus_id, path) of files
    """
    known = committer.known
    analysis_id = FILE_CLIPS.id
    own = f"analysis_id = {quoted(analysis_id)}"
    stored = writer.snapshot.table("clips", ["corpus_id", "path", "recording_id"], own)
    there = set(zip(*(stored.column(i).to_pylist() for i in range(2)), strict=True))
    n_clips = 0
    rows: list[dict[str, Any]] = []
    for key in keys:
        file = known.files.get(key)
        recording = known.recordings.get(file["recording_id"] or "") if file is not None else None
        if recording is None or recording["kind"] != "audio" or not recording["duration_s"]:
            continue
        n_clips += 1
        if key not in there:
            rows.append(clip_row(recording["recording_id"], recording["duration_s"], *key))
    if rows:
        new = Counter(row["recording_id"] for row in rows)
        old = Counter(stored.column("recording_id").to_pylist())
        again = [recording_id for recording_id in new if old[recording_id]]
        for keys_again in in_lists("scope_key", again):
            committer.replace_rows("coverage", f"{own} and {keys_again}")
        done = [coverage_row(analysis_id, r, old[r] + n) for r, n in new.items()]
        committer.analyses([FILE_CLIPS])
        committer.rows("clips", CLIPS.table(rows))
        committer.rows("coverage", COVERAGE.table(done))
        known.covered.setdefault(analysis_id, {}).update({r: r for r in new})
    return n_clips


def clip_row(recording_id: str, duration_s: float, corpus_id: str, path: str) -> dict[str, Any]:
    """The row of `clips` of a file."""
    start_s, kind = 0.0, "file"
    origin = (FILE_CLIPS.id, recording_id, kind, repr(start_s), repr(duration_s), "", corpus_id, path)
    return {
        "clip_id": hash_text(*origin),
        "analysis_id": FILE_CLIPS.id,
        "recording_id": recording_id,
        "kind": kind,
        "start_s": start_s,
        "end_s": duration_s,
        "motif_id": None,
        "overlaps_motif": None,
        "corpus_id": corpus_id,
        "path": path,
    }
