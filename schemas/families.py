"""Tables of melodic variants: families and their members."""

from __future__ import annotations

import pyarrow as pa

from motifdb.schemas.spec import Column, TableSpec

_SINCE = 5

FAMILIES = TableSpec(
    "families",
    "a group of stretches of singing that are variants of one melody",
    ("family_id",),
    (
        Column(
            "family_id", pa.string(), "-", "hash of analysis_id, scope, scope_key and the exemplar's span"
        ),
        Column("analysis_id", pa.string(), "-", "the families analysis"),
        Column(
            "scope", pa.string(), "-", "recording, corpus, or the name of a label: where variants were sought"
        ),
        Column("scope_key", pa.string(), "-", "recording_id, the label's value, or all for scope corpus"),
        Column("size", pa.int64(), "-", "members"),
        Column("recordings", pa.int64(), "-", "different recordings of its members"),
        Column(
            "exemplar",
            pa.int32(),
            "-",
            "the member (family_members.member) that is nearest to all others: the family's face",
        ),
        Column("duration_median_s", pa.float64(), "s", "median duration of its members"),
        Column("distance_median_cents", pa.float64(), "cents", "median of the other members' distances"),
        Column("threshold_cents", pa.float64(), "cents", "largest distance that was let in"),
    ),
    since=_SINCE,
)

FAMILY_MEMBERS = TableSpec(
    "family_members",
    "a place where a family's melody is sung",
    ("family_id", "member"),
    (
        Column("family_id", pa.string(), "-", "the family"),
        Column("member", pa.int32(), "-", "0, 1, ... by recording and start"),
        Column("recording_id", pa.string(), "-", "the recording"),
        Column("start_s", pa.float64(), "s", "from the start of the recording"),
        Column("end_s", pa.float64(), "s", "likewise"),
        Column(
            "distance_cents",
            pa.float64(),
            "cents",
            "mean distance to the exemplar along the best alignment, after transposition; 0 for the exemplar itself",
        ),
        Column(
            "transposition_cents",
            pa.float64(),
            "cents",
            "how much higher it is sung than the exemplar; 0 where transposition was not asked for",
        ),
        Column("tempo_ratio", pa.float64(), "-", "its duration over the exemplar's"),
    ),
    since=_SINCE,
)

FAMILY_TABLES = (FAMILIES, FAMILY_MEMBERS)
"""In the order of the database's tables: after occurrences."""
