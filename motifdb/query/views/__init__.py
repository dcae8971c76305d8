"""Views that stand on the tables, one module per theme; declared like tables (see `spec`).

**Conventions.** A label is a fact about a file, not about a content. Views over labels therefore count distinct
recordings, and a recording whose files contradict each other about a label (two singers, say) is left out of
every value of that label; `label_conflicts` lists those. Every row is of one mining analysis, and an analysis has one
scope: a recording's motifs and a singer's are never counted together.
"""

from __future__ import annotations

from motifdb.query.views.audit import DUPLICATE_FILES, NEAR_DUPLICATES, OVERLAP_ISLANDS
from motifdb.query.views.labels import LABEL_CONFLICTS, RARE_LABELS, RECORDING_FACTS, RECORDING_LABELS, TRACKS
from motifdb.query.views.melody import PHRASES, PITCH_FRAMES
from motifdb.query.views.motifs import MINED_RECORDINGS, MOTIF_BY_LABEL, MOTIF_STATS
from motifdb.query.views.runs import RUN_SCORES
from motifdb.query.views.spec import STANDARD_LABELS, ViewSpec
from motifdb.query.views.vectors import VECTOR_SCORES, VECTORS

__all__ = ["STANDARD_LABELS", "VIEWS", "ViewSpec"]

VIEWS: dict[str, ViewSpec] = {
    v.name: v
    for v in (
        TRACKS,
        RECORDING_FACTS,
        RECORDING_LABELS,
        LABEL_CONFLICTS,
        RARE_LABELS,
        PITCH_FRAMES,
        PHRASES,
        MOTIF_STATS,
        MINED_RECORDINGS,
        MOTIF_BY_LABEL,
        DUPLICATE_FILES,
        NEAR_DUPLICATES,
        OVERLAP_ISLANDS,
        RUN_SCORES,
        VECTORS,
        VECTOR_SCORES,
    )
}
