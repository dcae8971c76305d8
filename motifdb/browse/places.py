"""One motif: what is known of it, and every place where it sounds, a page at a time or spread for a picture."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from motifdb.browse.reading import Reading
from motifdb.errors import NotFoundError
from motifdb.plots import Segments
from motifdb.query.views import STANDARD_LABELS

MOST_DRAWN = 300
"""Occurrences laid over each other at most; more could not be told apart."""

_FACTS = (
    "m.motif_id, m.pattern_id, m.analysis_id, m.contour, m.length, m.max_gap, m.scope, m.scope_key, m.occurrences,"
    " m.occurrences_nonoverlapping, m.support_sequences, m.support_recordings, m.duration_median_s, m.duration_min_s,"
    " m.duration_max_s, m.expected_occurrences, m.log10_p, m.q_value, m.surprise_bits, m.p_method, m.stability"
)

_ORDER = "n.path, o.recording_id, o.start_s, o.end_s, o.motif_id, o.phrase_id, o.first_symbol, o.last_symbol"


@dataclass(frozen=True)
class Motif:
    """A motif's row and what stands behind it.

    Attributes
    ----------
    facts : columns of `motifs`, and `analysis`, the name of its analysis
    pitch_id : the pitch analysis that it was mined from
    n_alike : motifs of the same pattern in the same analysis, this one included
    n_places_alike : occurrences of all of them
    """

    facts: dict[str, Any]
    pitch_id: str
    n_alike: int
    n_places_alike: int

    def n_places(self, is_everywhere: bool) -> int:
        """How many places there are: of it, or of all motifs of its pattern and analysis."""
        return self.n_places_alike if is_everywhere else int(self.facts["occurrences"])

    @property
    def id(self) -> str:
        """Its motif_id."""
        return str(self.facts["motif_id"])


def find(reading: Reading, motif_id: str) -> Motif:
    """The motif of an id, or of the beginning of one that only it has.

    Raises
    ------
    NotFoundError
        where there is none, or several.
    """
    hint = "go back to the list and search for its contour, or give more of the id; `motifdb top` prints ids"
    text = motif_id.lower()
    if not re.fullmatch(r"[0-9a-f]{1,64}", text):
        raise NotFoundError(f"{motif_id[:40]!r} is no motif's id; {hint}")
    rows = reading.rows(
        f"select {_FACTS}, a.name as analysis, c.parent_id as pitch_id from motifs m"
        " join analyses a on a.analysis_id = m.analysis_id left join analyses c on c.analysis_id = a.parent_id"
        " where m.motif_id = $motif",
        {"motif": text},
    ) or reading.rows(
        f"select {_FACTS}, a.name as analysis, c.parent_id as pitch_id from motifs m"
        " join analyses a on a.analysis_id = m.analysis_id left join analyses c on c.analysis_id = a.parent_id"
        " where starts_with(m.motif_id, $motif) limit 2",
        {"motif": text},
    )
    if len(rows) != 1:
        raise NotFoundError(
            f"{'several motifs have' if rows else 'no motif has'} an id that begins with {motif_id[:40]!r}; {hint}"
        )
    facts = rows[0]
    alike = reading.row(
        "select count(*) as n, sum(occurrences)::bigint as places from motifs"
        " where analysis_id = $analysis and pattern_id = $pattern",
        {"analysis": facts["analysis_id"], "pattern": facts["pattern_id"]},
    )
    assert alike is not None
    return Motif(facts, str(facts.pop("pitch_id")), int(alike["n"]), int(alike["places"]))


def _which(motif: Motif, is_everywhere: bool) -> tuple[str, dict[str, Any]]:
    """The occurrences that a page shows: of the motif, or of every motif of its pattern and analysis."""
    if not is_everywhere:
        return "o.motif_id = $motif", {"motif": motif.id}
    return (
        "o.motif_id in (select motif_id from motifs where analysis_id = $analysis and pattern_id = $pattern)",
        {"analysis": motif.facts["analysis_id"], "pattern": motif.facts["pattern_id"]},
    )


def page(reading: Reading, motif: Motif, is_everywhere: bool, first: int, n: int) -> list[dict[str, Any]]:
    """Places `first` to `first + n`, by path and time: recording, labels, start, end, and `place`, their number from 0."""
    where, values = _which(motif, is_everywhere)
    rows = reading.rows(
        "select o.recording_id, o.start_s, o.end_s, o.phrase_id, o.first_symbol, o.last_symbol, n.path, "
        + ", ".join(f"n.{name}" for name in STANDARD_LABELS)
        + f" from occurrences o left join recording_facts n using (recording_id) where {where} order by {_ORDER}"
        f" limit {int(n)} offset {int(first)}",
        values,
    )
    for i, row in enumerate(rows):
        row["place"] = first + i
    return rows


def spread(
    reading: Reading, motif: Motif, is_everywhere: bool, n: int, most: int = MOST_DRAWN
) -> list[dict[str, Any]]:
    """At most `most` of `n` places, evenly spread over all of them, with their numbers as `place`."""
    where, values = _which(motif, is_everywhere)
    return reading.rows(
        "with numbered as (select o.recording_id, o.start_s, o.end_s, o.phrase_id, o.first_symbol, o.last_symbol, n.path,"
        f" row_number() over (order by {_ORDER}) - 1 as place"
        f" from occurrences o left join recording_facts n using (recording_id) where {where})"
        f" select * from numbered where $n <= {most} or (place + 1) * {most} // $n > place * {most} // $n order by place",
        {**values, "n": n},
    )


def segments(reading: Reading, rows: Sequence[Mapping[str, Any]], length: int) -> list[Segments | None]:
    """The segments of each place; None for all where one skips symbols, and so holds others' segments too."""
    nothing: list[Segments | None] = [None] * len(rows)
    if any(row["last_symbol"] - row["first_symbol"] + 1 != length for row in rows):
        return nothing
    phrases = reading.rows(
        "select phrase_id, symbols, segment_start_s, segment_end_s, segment_cents from contours"
        " where phrase_id in (select unnest($ids))",
        {"ids": sorted({row["phrase_id"] for row in rows})},
    )
    of = {phrase["phrase_id"]: phrase for phrase in phrases}
    if any(row["phrase_id"] not in of for row in rows):
        return nothing
    found: list[Segments | None] = []
    for row in rows:
        phrase, first, last = of[row["phrase_id"]], row["first_symbol"], row["last_symbol"]
        start_s, end_s, cents = (
            np.asarray(phrase[name][first : last + 2], np.float64)
            for name in ("segment_start_s", "segment_end_s", "segment_cents")
        )
        found.append(
            Segments(start_s, end_s, cents, np.asarray(phrase["symbols"][first : last + 1], np.int64))
        )
    return found


def shown_labels(rows: list[dict[str, Any]], most: int = 3) -> list[str]:
    """The labels worth a column: those that some row has, at most a few."""
    return [name for name in STANDARD_LABELS if any(row[name] for row in rows)][:most]


def by_label(reading: Reading, motif: Motif, label: str) -> list[dict[str, Any]]:
    """The pattern in the recordings of each value of a label, most of them first."""
    return reading.rows(
        "select value, recordings, label_recordings, recording_share, phrases, occurrences from motif_by_label"
        " where analysis_id = $analysis and pattern_id = $pattern and label = $label"
        " order by recording_share desc, occurrences desc, value limit 200",
        {"analysis": motif.facts["analysis_id"], "pattern": motif.facts["pattern_id"], "label": label},
    )
