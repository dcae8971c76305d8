"""One scope key's pitch, and its families as rows of the database: what the engines map."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from motifdb.errors import UsageError
from motifdb.families import Candidate, FamiliesConfig, FoundFamily, Track, find_families
from motifdb.ids import family_id
from motifdb.pipelines.stages import coverage_row, pitch_tracks
from motifdb.pipelines.work import Failure, Item, Unit, UnitResult
from motifdb.schemas import COVERAGE, FAMILIES, FAMILY_MEMBERS

FAMILIES_VERSION = 1
"""Raised when the same parameters give other families, so that ids of analyses differ."""


@dataclass(frozen=True)
class FamilyItem(Item):
    """A scope key to look for families in: `pitch` holds the rows of all its recordings.

    Attributes
    ----------
    places : recording_id, start_s and end_s of the motifs that families grow from; None: from what is between rests
    """

    places: pa.Table | None = None


@dataclass(frozen=True)
class FamilyTask:
    """What is done with each unit of such items; it travels to workers as it is.

    `tell` is called with stretches compared and all there are, where the work is done in this thread.
    """

    config: FamiliesConfig
    analysis_id: str
    scope: str
    tell: Callable[[int, int], None] | None = None

    def __call__(self, unit: Unit) -> UnitResult:
        """Families of every item; one that fails does not touch the others."""
        result = UnitResult()
        for item in unit.items:
            key = item.recording_id
            result.outcomes[key] = None
            try:
                families, members = self._rows(item)
            except UsageError as error:  # the configuration was checked before: this is about these tracks
                result.outcomes[key] = Failure("families", "unusable", str(error))
                continue
            except Exception as error:
                text = " ".join(str(error).split())[:200]
                reason = f"stopped with {type(error).__name__}: {text}"
                result.outcomes[key] = Failure("families", "internal", reason)
                continue
            result.add("families", families)
            result.add("family_members", members)
            row = coverage_row(self.analysis_id, key, families.num_rows)
            result.add("coverage", COVERAGE.table([row | {"input_hash": item.input_hash or key}]))
        return result

    def _rows(self, item: Item) -> tuple[pa.Table, pa.Table]:
        assert isinstance(item, FamilyItem) and item.pitch is not None
        tracks = [
            Track(recording, track.hop_s, track.start_s, track.f0_hz)
            for recording, _, track in pitch_tracks(item.pitch)
            if len(track.f0_hz)
        ]
        candidates = None if item.places is None else _candidates(item.places, tracks)
        if not tracks or candidates == []:
            return FAMILIES.empty(), FAMILY_MEMBERS.empty()
        found = find_families(tracks, self.config, candidates=candidates, progress=self.tell)
        return family_rows(found, tracks, self.analysis_id, self.scope, item.recording_id)


def _candidates(places: pa.Table, tracks: list[Track]) -> list[Candidate]:
    """Places of motifs as stretches of tracks, each once, in order."""
    index = {track.recording_id: i for i, track in enumerate(tracks)}
    columns = (places.column(name).to_pylist() for name in ("recording_id", "start_s", "end_s"))
    return sorted({Candidate(index[r], s, e) for r, s, e in zip(*columns, strict=True) if r in index})


def family_rows(
    found: list[FoundFamily], tracks: list[Track], analysis_id: str, scope: str, scope_key: str
) -> tuple[pa.Table, pa.Table]:
    """Families as rows of `families` and `family_members`, members numbered by recording and start."""
    families: list[dict[str, object]] = []
    members: list[dict[str, object]] = []
    ends_s = [t.start_s + len(t.f0_hz) * t.hop_s for t in tracks]
    for family in found:
        # a stretch is whole frames, of which the last may go on after the track's end
        spans = [
            (tracks[m.recording].recording_id, m.start_s, min(m.end_s, ends_s[m.recording]), m)
            for m in family.members
        ]
        face = spans[family.exemplar]
        spans.sort(key=lambda s: s[:3])
        name = family_id(analysis_id, scope, scope_key, *face[:3])
        exemplar = next(i for i, span in enumerate(spans) if span[3] is face[3])
        face_s = face[2] - face[1]
        for i, (recording, start_s, end_s, member) in enumerate(spans):
            is_face = i == exemplar
            members.append(
                {
                    "family_id": name,
                    "member": i,
                    "recording_id": recording,
                    "start_s": start_s,
                    "end_s": end_s,
                    "distance_cents": 0.0 if is_face else float(member.distance_cents),
                    "transposition_cents": 0.0 if is_face else float(member.transposition_cents),
                    "tempo_ratio": (end_s - start_s) / face_s,
                }
            )
        others = [float(s[3].distance_cents) for i, s in enumerate(spans) if i != exemplar]
        families.append(
            {
                "family_id": name,
                "analysis_id": analysis_id,
                "scope": scope,
                "scope_key": scope_key,
                "size": len(spans),
                "recordings": len({s[0] for s in spans}),
                "exemplar": exemplar,
                "duration_median_s": float(np.median([s[2] - s[1] for s in spans])),
                "distance_median_cents": float(np.median(others)),
                "threshold_cents": float(family.threshold_cents),
            }
        )
    return FAMILIES.table(families), FAMILY_MEMBERS.table(members)
