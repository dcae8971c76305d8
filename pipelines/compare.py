"""Pitch beside pitch: reference tracks that a manifest names, and how far two analyses of a recording agree."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations
from typing import TYPE_CHECKING

import pyarrow as pa

from motifdb.errors import InputError
from motifdb.ids import content_id
from motifdb.pipelines.analyses import REFERENCE
from motifdb.pipelines.committer import in_list
from motifdb.pipelines.inputs.discover import read_content
from motifdb.pipelines.inputs.f0 import f0_text, read_f0
from motifdb.pipelines.records import PitchTrack
from motifdb.pipelines.stages import pitch_rows, pitch_tracks
from motifdb.pipelines.work import UnitResult, pitch_coverage
from motifdb.schemas import PITCH_AGREEMENT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from motifdb.catalog.writer import Writer
    from motifdb.pipelines.committer import Committer
    from motifdb.pipelines.inputs.sniff import Sniffed
    from motifdb.pipelines.survey import Seen

RECORDINGS_AT_ONCE = 64


def read_reference(seen: Seen, sniffed: Sniffed, hop: Fraction | None) -> tuple[str, PitchTrack]:
    """Hash of a reference file's text, and its track.

    Raises
    ------
    InputError
        where it is no f0 track.
    """
    text = f0_text(read_content(seen.found), seen.found.name)
    if not sniffed.is_f0:
        raise InputError(
            "not-f0",
            f"{seen.path} is named as reference pitch by the manifest but is no f0 track; correct the manifest",
            "pitch",
        )
    return content_id(text), read_f0(text, sniffed, hop if sniffed.needs_hop else None, seen.found.name)


def store_reference(committer: Committer, recording_id: str, digest: str, track: PitchTrack) -> None:
    """Store a recording's reference pitch in place of an older one; nothing where it is the same."""
    stored = committer.known.covered.get(REFERENCE.id, {}).get(recording_id)
    if stored == digest:
        return
    if stored is not None:
        where = f"analysis_id = '{REFERENCE.id}'"
        committer.replace_rows("pitch", f"recording_id = '{recording_id}' and {where}")
        committer.replace_rows("coverage", f"scope_key = '{recording_id}' and {where}")
        committer.replace_rows(
            "pitch_agreement",
            f"recording_id = '{recording_id}' and (analysis_a = '{REFERENCE.id}' or analysis_b = '{REFERENCE.id}')",
        )
    committer.analyses([REFERENCE])
    rows = pitch_rows(recording_id, REFERENCE.id, track)
    done = pitch_coverage(REFERENCE.id, recording_id, track, rows.num_rows)
    at = done.schema.get_field_index("input_hash")
    done = done.set_column(at, done.schema.field(at), pa.array([digest]))
    committer.result(UnitResult({"pitch": [rows], "coverage": [done]}))


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
