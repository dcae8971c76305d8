"""Recordings: the list of them, one of them with its labels, and what sounds in a stretch of it."""

from __future__ import annotations

import math
from typing import Any

from motifdb.browse.listing import Analysis
from motifdb.browse.reading import Reading
from motifdb.browse.strip import MOST_BARS, Lane
from motifdb.query.views import STANDARD_LABELS

_MOST_LANES = 7
_MOST_FAMILIES = 5
MOST_MEMBERS = 200
"""Members of families that a recording's page lists."""


def page(reading: Reading, text: str, first: int, n: int) -> tuple[list[dict[str, Any]], int]:
    """One page of the recordings whose path or a label contains a text, by path; and how many there are."""
    holds = " or ".join(f"contains(lower({name}), $text)" for name in ("path", *STANDARD_LABELS))
    body = (
        "from recording_facts where $text = '' or recording_id in"
        f" (select recording_id from files where state = 'input' and recording_id is not null and ({holds}))"
    )
    values = {"text": text.lower()}
    counted = reading.row(f"select count(*) as n {body}", values)
    rows = reading.rows(
        f"select recording_id, path, duration_s, kind, {', '.join(STANDARD_LABELS)}"
        f" {body} order by path, recording_id limit {int(n)} offset {int(first)}",
        values,
    )
    assert counted is not None
    return rows, int(counted["n"])


def facts(reading: Reading, recording_id: str) -> dict[str, Any]:
    """What is known of one recording: its row, its files' paths, its labels with every value."""
    row = reading.row("select * from recordings where recording_id = $id", {"id": recording_id})
    assert row is not None
    files = reading.rows(
        "select corpus, path from tracks where recording_id = $id order by path limit 20",
        {"id": recording_id},
    )
    labels = reading.rows(
        "select label, value, is_conflict from recording_labels where recording_id = $id order by label, value",
        {"id": recording_id},
    )
    return {**row, "files": files, "labels": labels}


def pitch_id(reading: Reading, recording_id: str, analysis: Analysis | None) -> str | None:
    """The pitch analysis that a mining analysis stands on, where it has that recording; None means the usual one."""
    if analysis is None:
        return None
    row = reading.row(
        "select c.parent_id as id from analyses a join analyses c on c.analysis_id = a.parent_id"
        " join coverage d on d.analysis_id = c.parent_id and d.scope_key = $recording and d.state = 'done'"
        " where a.analysis_id = $analysis",
        {"analysis": analysis.analysis_id, "recording": recording_id},
    )
    return str(row["id"]) if row else None


def strongest(reading: Reading, recording_id: str, analysis: Analysis, n: int = 15) -> list[dict[str, Any]]:
    """The motifs of an analysis that sound in a recording, least expected first, with how often."""
    return reading.rows(
        "with here as (select motif_id, count(*) as times from occurrences where recording_id = $recording group by motif_id)"
        " select m.motif_id, m.contour, m.surprise_bits, m.q_value, h.times from here h join motifs m using (motif_id)"
        f" where m.analysis_id = $analysis order by m.log10_p nulls last, m.length desc, m.motif_id limit {int(n)}",
        {"recording": recording_id, "analysis": analysis.analysis_id},
    )


def lanes(
    reading: Reading,
    recording_id: str,
    analysis: Analysis | None,
    start_s: float,
    end_s: float,
    motif_id: str,
) -> list[Lane]:
    """Lanes of what sounds in a stretch: the motif asked for, the strongest others, all others, then families."""
    found = _motifs(reading, recording_id, analysis, start_s, end_s, motif_id) if analysis else []
    return found + _families(reading, recording_id, start_s, end_s)


def _motifs(
    reading: Reading, recording_id: str, analysis: Analysis, start_s: float, end_s: float, motif_id: str
) -> list[Lane]:
    rows = reading.rows(
        "select m.motif_id, m.contour, o.start_s, o.end_s from occurrences o join motifs m using (motif_id)"
        " where o.recording_id = $recording and m.analysis_id = $analysis and o.end_s > $start and o.start_s < $end"
        f" order by m.motif_id <> $motif, m.log10_p nulls last, m.length desc, m.motif_id, o.start_s limit {MOST_BARS}",
        {
            "recording": recording_id,
            "analysis": analysis.analysis_id,
            "start": start_s,
            "end": end_s,
            "motif": motif_id,
        },
    )
    of_motif: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        of_motif.setdefault(row["motif_id"], []).append(row)
    own = list(of_motif.items())
    made = [
        Lane(places[0]["contour"], f"/motif/{id_}", [(p["start_s"], p["end_s"]) for p in places], i)
        for i, (id_, places) in enumerate(own[:_MOST_LANES])
    ]
    rest = own[_MOST_LANES:]
    if rest:
        spans = [(p["start_s"], p["end_s"]) for _, places in rest for p in places]
        words = f"{len(rest)} further motif{'s' * (len(rest) > 1)}"
        made.append(Lane(words, f"/?recording={recording_id}&analysis={analysis.analysis_id}", spans, None))
    return made


def families(
    reading: Reading,
    recording_id: str,
    start_s: float = 0.0,
    end_s: float = math.inf,
    most: int = MOST_MEMBERS,
) -> list[dict[str, Any]]:
    """Members of families in a stretch of one recording, family by family, the largest first; `most` at most."""
    return reading.rows(
        "select f.family_id, f.size, f.scope, f.analysis_id, m.member, m.start_s, m.end_s, m.distance_cents, m.transposition_cents"
        " from family_members m join families f using (family_id)"
        " where m.recording_id = $id and m.end_s > $start and m.start_s < $end"
        f" order by f.size desc, f.family_id, m.start_s limit {int(most)}",
        {"id": recording_id, "start": start_s, "end": end_s},
    )


def _families(reading: Reading, recording_id: str, start_s: float, end_s: float) -> list[Lane]:
    of_family: dict[str, list[dict[str, Any]]] = {}
    for row in families(reading, recording_id, start_s, end_s, MOST_BARS):
        of_family.setdefault(row["family_id"], []).append(row)
    return [
        Lane(
            f"family {id_[:8]} of {rows[0]['size']}",
            "#families-title",
            [(r["start_s"], r["end_s"]) for r in rows],
            (_MOST_LANES - 1 - i) % _MOST_LANES,
        )
        for i, (id_, rows) in enumerate(list(of_family.items())[:_MOST_FAMILIES])
    ]
