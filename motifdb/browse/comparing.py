"""Two values of a label side by side: in what share of the recordings of each a pattern sounds.

The figures are those of the view motif_by_label: counts as they were found, and log-odds that keep small numbers
from shouting. They are no test; `motifdb compare` permutes labels over recordings and says what is more than chance.
"""

from __future__ import annotations

from typing import Any

from motifdb.browse.listing import Analysis
from motifdb.browse.reading import Reading

MOST_ROWS = 60
TESTED_ROWS = 25


def sides(reading: Reading, analysis: Analysis, label: str) -> list[dict[str, Any]]:
    """The values of a label, with the recordings of each that the analysis could mine; most first."""
    return reading.rows(
        "select value, count(*) as recordings from mined_recordings join recording_labels using (recording_id)"
        " where analysis_id = $analysis and label = $label and not is_conflict"
        " group by value order by recordings desc, value",
        {"analysis": analysis.analysis_id, "label": label},
    )


def side_by_side(
    reading: Reading, analysis: Analysis, label: str, a: dict[str, Any], b: dict[str, Any]
) -> list[dict[str, Any]]:
    """The patterns that differ most between two values: by log-odds of the recordings that hold them.

    Returns
    -------
    rows with contour, length, motif_id (of its strongest motif), recordings_a and _b, occurrences_a and _b, and
    log_odds: ln((k + 1/2) / (n - k + 1/2)) - ln((j + 1/2) / (m - j + 1/2)), positive where `a` has more
    """
    return reading.rows(
        "with counted as (select p.pattern_id, l.value, count(*) as recordings, sum(p.occurrences)::bigint as occurrences"
        " from pattern_counts p join recording_labels l on l.recording_id = p.recording_id and not l.is_conflict"
        " where p.analysis_id = $analysis and p.occurrences > 0 and l.label = $label and l.value in ($a, $b)"
        " group by p.pattern_id, l.value), paired as (select pattern_id,"
        " coalesce(max(recordings) filter (value = $a), 0) as recordings_a,"
        " coalesce(max(recordings) filter (value = $b), 0) as recordings_b,"
        " coalesce(max(occurrences) filter (value = $a), 0) as occurrences_a,"
        " coalesce(max(occurrences) filter (value = $b), 0) as occurrences_b from counted group by pattern_id),"
        " known as (select pattern_id, any_value(contour) as contour, any_value(length) as length,"
        " arg_min(motif_id, (coalesce(log10_p, 0), motif_id)) as motif_id"
        " from motifs where analysis_id = $analysis group by pattern_id)"
        " select contour, length, motif_id, recordings_a, recordings_b, occurrences_a, occurrences_b,"
        " ln((recordings_a + 0.5::double) / ($n - recordings_a + 0.5::double))"
        " - ln((recordings_b + 0.5::double) / ($m - recordings_b + 0.5::double)) as log_odds"
        f" from paired join known using (pattern_id) order by abs(log_odds) desc, abs(occurrences_a - occurrences_b) desc, contour, motif_id limit {MOST_ROWS}",
        {
            "analysis": analysis.analysis_id,
            "label": label,
            "a": a["value"],
            "b": b["value"],
            "n": a["recordings"],
            "m": b["recordings"],
        },
    )


def tested(
    reading: Reading, analysis_id: str, label: str, a: str, b: str
) -> tuple[list[str], list[dict[str, Any]], list[str]]:
    """Two values put to the test by `motifdb.query.compare`: what was done in words, the surest rows, their columns.

    What is tested is what the page shows, the share of recordings (or singers) that hold a pattern.

    Raises
    ------
    UsageError, NotFoundError
        as `motifdb.query.compare.compare`: among others, for groups too small to tell anything from chance.
    """
    from motifdb.query.compare import compare

    found = compare(reading.database, label, a, b, analysis=analysis_id, statistic="share", n=TESTED_ROWS)
    rows = found.shown(found.table.slice(0, TESTED_ROWS))
    return found.lines(), rows.to_pylist(), [name for name in rows.schema.names if name != "contour"]
