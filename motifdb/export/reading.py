"""The rows of some recordings as typed values: phrases, and the places of their patterns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from motifdb.export.rows import Curve, Note, Pattern, Phrase, Place, median_cents

if TYPE_CHECKING:
    from motifdb.export.gather import Source

_Row = dict[str, Any]


class Read:
    """The rows of some recordings, each table read once for all of them."""

    def __init__(self, source: Source, ids: Sequence[str], with_notes: bool) -> None:
        self.with_notes = with_notes
        self.recordings = {r["recording_id"]: r for r in source.rows_of("recordings", ids)}
        self._patterns = source.pattern_rows(ids)
        self.phrases: dict[tuple[str, str | None], list[Phrase]] = {}
        self._by_id: dict[str, Phrase] = {}
        if with_notes:
            self._read_phrases(source, ids)
        self._places: dict[str, dict[str, list[Place]]] = {id_: {} for id_ in ids}
        """By recording and pattern."""
        if source.of == "motifs":
            self._read_occurrences(source, ids)
        else:
            self._read_members(source, ids)

    def _read_phrases(self, source: Source, ids: Sequence[str]) -> None:
        for row in sorted(source.rows_of("contours", ids), key=lambda r: (r["recording_id"], r["phrase"])):
            spans = zip(row["segment_start_s"], row["segment_end_s"], row["segment_cents"], strict=True)
            notes = tuple(Note(*span) for span in spans)
            phrase = Phrase(row["phrase_id"], row["start_s"], row["end_s"], tuple(row["symbols"]), notes)
            self.phrases.setdefault((row["recording_id"], row["analysis_id"]), []).append(phrase)
            self._by_id[phrase.id] = phrase

    def _read_occurrences(self, source: Source, ids: Sequence[str]) -> None:
        for motif, phrase_id, recording, first, last, start_s, end_s, start_cents in source.places_of(ids):
            phrase = self._by_id.get(phrase_id)
            notes = phrase.notes[first : last + 2] if phrase else ()
            facts = {
                "phrase_id": phrase_id,
                "first_symbol": first,
                "last_symbol": last,
                "start_cents": start_cents,
            }
            self._places[recording].setdefault(motif, []).append(Place(start_s, end_s, notes, facts))

    def _read_members(self, source: Source, ids: Sequence[str]) -> None:
        names = ("distance_cents", "transposition_cents", "tempo_ratio")
        for family, member, recording, start_s, end_s, *own in source.places_of(ids):
            facts = {"member": member, **dict(zip(names, own, strict=True))}
            self._places[recording].setdefault(family, []).append(Place(start_s, end_s, (), facts))

    def motifs(self, recording_id: str, analysis_id: str | None) -> list[Pattern]:
        """Motifs of an analysis in a recording, those least expected first."""
        found = [
            Pattern("motif", id_, row["contour"], row, _in_time(places))
            for id_, places, row in self._sounding(recording_id, analysis_id)
        ]
        return sorted(found, key=lambda p: (strength(p.facts["log10_p"]), -p.facts["length"], p.id))

    def families(self, recording_id: str, analysis_id: str | None) -> list[Pattern]:
        """Families of an analysis in a recording, the largest first."""
        found = [
            Pattern("family", id_, f"family {id_[:8]}", row, _in_time(places))
            for id_, places, row in self._sounding(recording_id, analysis_id)
        ]
        return sorted(found, key=lambda p: (-p.facts["size"], p.id))

    def _sounding(
        self, recording_id: str, analysis_id: str | None
    ) -> Iterator[tuple[str, list[Place], _Row]]:
        for id_, places in self._places[recording_id].items():
            row = self._patterns.get(id_)
            if row is not None and row["analysis_id"] == analysis_id:
                yield id_, places, row


def strength(log10_p: float | None) -> float:
    """What motifs are ordered by, the least expected first."""
    return 0.0 if log10_p is None else log10_p  # p is at most 1, so that what has none comes last


def _in_time(places: list[Place]) -> tuple[Place, ...]:
    return tuple(sorted(places, key=lambda p: (p.start_s, p.end_s)))


def noted(patterns: Sequence[Pattern], phrases: Sequence[Phrase], curve: Curve | None) -> list[Pattern]:
    """Families with the contour segments whose middle lies in a member; without any, the median pitch as one note."""
    notes = sorted((note for phrase in phrases for note in phrase.notes), key=lambda note: note.start_s)
    middle_s = np.array([(note.start_s + note.end_s) / 2 for note in notes])

    def with_notes(place: Place) -> Place:
        first, last = np.searchsorted(middle_s, (place.start_s, place.end_s))
        inside = tuple(notes[first:last])
        if not inside and curve is not None:
            at = (curve.times_s >= place.start_s) & (curve.times_s < place.end_s)
            cents = median_cents(curve.f0_hz[at])
            inside = () if cents is None else (Note(place.start_s, place.end_s, cents),)
        return place._replace(notes=inside)

    return [replace(p, places=tuple(with_notes(place) for place in p.places)) for p in patterns]
