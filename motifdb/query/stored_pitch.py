"""A recording's stored pitch, as one curve.

**Conventions**: 0 Hz is unvoiced; times are seconds from the start of the recording.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from motifdb.errors import NotFoundError
from motifdb.plots import PitchCurve

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    from motifdb.catalog.store import Snapshot

_REFERENCE = "reference"
"""Name of the pitch that a manifest gives beside a recording: asked for by its id only, as no motif stands on it."""


def usual_pitch(snapshot: Snapshot, recording_id: str) -> str | None:
    """Id of the pitch analysis that a recording is shown by: the newest one that contours were made of, else the newest.

    None where nothing of the recording was ever tracked.
    """
    analyses = snapshot.table(
        "analyses", ["analysis_id", "kind", "name", "parent_id", "created_at"]
    ).to_pylist()
    has_contours = {a["parent_id"] for a in analyses if a["kind"] == "contour"}
    of_kind = {a["analysis_id"]: a for a in analyses if a["kind"] == "pitch"}
    # a recording without a voiced frame is covered as empty, and its frames are stored all the same
    where = f"scope_key = {_quoted(recording_id)} and state != 'failed'"
    done = snapshot.table("coverage", ["analysis_id"], where)
    there = [of_kind[id_] for id_ in set(done.column("analysis_id").to_pylist()) if id_ in of_kind]
    if not there:
        return None
    best = max(
        there,
        key=lambda a: (
            a["analysis_id"] in has_contours,
            a["name"] != _REFERENCE,
            a["created_at"],
            a["analysis_id"],
        ),
    )
    return str(best["analysis_id"])


def stored_pitch(snapshot: Snapshot, recording_id: str, analysis_id: str | None = None) -> PitchCurve:
    """A recording's pitch under one pitch analysis; under the usual one where None.

    Parameters
    ----------
    recording_id, analysis_id : whole ids, as the tables have them

    Raises
    ------
    NotFoundError
        where no such pitch is stored.
    """
    pitch_id = analysis_id if analysis_id is not None else usual_pitch(snapshot, recording_id)
    where = f"recording_id = {_quoted(recording_id)} and analysis_id = {_quoted(str(pitch_id))}"
    rows = (
        snapshot.table("pitch", ["block", "hop_s", "start_s", "f0_hz"], where)
        if pitch_id is not None
        else None
    )
    if rows is None or not rows.num_rows:
        raise NotFoundError(
            f"{snapshot.path}: no pitch of recording {recording_id[:8]} is stored; `motifdb ingest` tracks it"
        )
    rows = rows.sort_by("block")
    f0_hz = frames(rows, "f0_hz")
    hop_s, start_s = float(rows.column("hop_s")[0].as_py()), float(rows.column("start_s")[0].as_py())
    return PitchCurve(start_s + np.arange(f0_hz.size, dtype=np.float64) * hop_s, f0_hz)


def frames(blocks: pa.Table, column: str) -> NDArray[np.float32]:
    """The frames of blocks of the table pitch, in the order of the rows, as one float32 array of shape (n_frames,)."""
    values = blocks.column(column).combine_chunks().flatten()
    return np.asarray(values.to_numpy(zero_copy_only=False), dtype=np.float32)


def _quoted(text: str) -> str:
    """A text as a literal of a Lance predicate: ids may come from an address that somebody typed."""
    return "'" + text.replace("'", "''") + "'"
