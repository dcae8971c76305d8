"""Pitch beside pitch: how far two analyses of a recording agree."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

from motifdb.pipelines.committer import in_list
from motifdb.pipelines.records import PitchTrack
from motifdb.pipelines.stages import pitch_tracks
from motifdb.schemas import PITCH_AGREEMENT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from motifdb.catalog.writer import Writer
    from motifdb.pipelines.committer import Committer

RECORDINGS_AT_ONCE = 64


def compare_pitch(committer: Committer, writer: Writer, scope: set[str]) -> None:
    """Fill `pitch_agreement` for every recording in `scope` that has several pitch analyses."""
    snapshot = writer.snapshot
    kinds = snapshot.table("analyses", columns=["analysis_id", "kind"]).to_pylist()
    pitch_ids = sorted(row["analysis_id"] for row in kinds if row["kind"] == "pitch")
    if len(pitch_ids) < 2:
        return
    done = {
        tuple(row.values())
        for row in snapshot.table(
            "pitch_agreement", columns=["recording_id", "analysis_a", "analysis_b"]
        ).to_pylist()
    }
    missing: dict[str, list[tuple[str, str]]] = {}
    for recording_id in sorted(scope):
        tracked = [a for a in pitch_ids if committer.known.is_covered(a, recording_id)]
        pairs = [p for p in combinations(tracked, 2) if (recording_id, *p) not in done]
        if pairs:
            missing[recording_id] = pairs
    names = sorted(missing)
    for first in range(0, len(names), RECORDINGS_AT_ONCE):
        some = names[first : first + RECORDINGS_AT_ONCE]
        stored = snapshot.table("pitch", None, in_list("recording_id", some))
        tracks = {(recording, analysis): track for recording, analysis, track in pitch_tracks(stored)}
        rows = [row for name in some for row in _agreements(name, missing[name], tracks)]
        committer.rows("pitch_agreement", PITCH_AGREEMENT.table(rows))


def _agreements(
    recording_id: str, pairs: list[tuple[str, str]], tracks: dict[tuple[str, str], PitchTrack]
) -> Iterator[dict[str, object]]:
    from motifdb.pipelines.trackers.agreement import agreement

    for a, b in pairs:
        found = agreement(tracks[recording_id, a], tracks[recording_id, b])
        yield {
            "recording_id": recording_id,
            "analysis_a": a,
            "analysis_b": b,
            "n_frames": found.n_frames,
            "agreement": found.agreement,
            "voicing_agreement": found.voicing_agreement,
        }
