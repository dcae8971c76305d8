"""Views over motifs: across recordings, and by singer, style, work or any other label."""

from __future__ import annotations

import pyarrow as pa

from motifdb.query.views.spec import LABEL, VALUE, ViewSpec
from motifdb.schemas import MOTIFS, Column

MOTIF_STATS = ViewSpec(
    "motif_stats",
    "a pattern across all recordings, in one mining analysis",
    (
        MOTIFS.column("analysis_id"),
        MOTIFS.column("pattern_id"),
        MOTIFS.column("contour"),
        MOTIFS.column("length"),
        MOTIFS.column("max_gap"),
        MOTIFS.column("scope"),
        Column(
            "motifs",
            pa.int64(),
            "-",
            "recordings (or singers, ..., by scope) in which it is a motif, that is, frequent enough",
        ),
        Column("recordings", pa.int64(), "-", "recordings that the analysis mines in which it occurs at all"),
        Column("phrases", pa.int64(), "-", "phrases it occurs in"),
        Column(
            "occurrences",
            pa.int64(),
            "-",
            "occurrences in all recordings that the analysis mines, overlapping ones included",
        ),
        Column("singers", pa.int64(), "-", "different singers of those recordings"),
        Column("styles", pa.int64(), "-", "different styles of those recordings"),
        Column("works", pa.int64(), "-", "different works of those recordings"),
        Column("artists", pa.int64(), "-", "different artists of those recordings"),
        Column("duration_median_s", pa.float64(), "s", "median over its motifs of their median duration"),
        Column("duration_min_s", pa.float64(), "s", "shortest occurrence of its motifs"),
        Column("duration_max_s", pa.float64(), "s", "longest occurrence of its motifs"),
        Column("best_log10_p", pa.float64(), "-", "smallest log10_p of its motifs", nullable=True),
        Column("best_q_value", pa.float64(), "-", "smallest q_value of its motifs", nullable=True),
        Column("best_surprise_bits", pa.float64(), "bit", "largest surprise of its motifs", nullable=True),
        Column(
            "surprise_median_bits",
            pa.float64(),
            "bit",
            "median over its motifs of their surprise",
            nullable=True,
        ),
    ),
    ("motifs", "pattern_counts", "recording_facts"),
    """
    with counted as (
        select analysis_id, pattern_id, count(distinct recording_id) as recordings, sum(phrases)::bigint as phrases,
               sum(occurrences)::bigint as occurrences, count(distinct singer) as singers,
               count(distinct style) as styles, count(distinct work) as works, count(distinct artist) as artists
        from pattern_counts left join recording_facts using (recording_id)
        where occurrences > 0 group by analysis_id, pattern_id
    ), found as (
        select analysis_id, pattern_id, any_value(contour) as contour, any_value(length) as length,
               any_value(max_gap) as max_gap, any_value(scope) as scope, count(*) as motifs,
               median(duration_median_s) as duration_median_s, min(duration_min_s) as duration_min_s,
               max(duration_max_s) as duration_max_s, min(log10_p) as best_log10_p, min(q_value) as best_q_value,
               max(surprise_bits) as best_surprise_bits, median(surprise_bits) as surprise_median_bits
        from motifs group by analysis_id, pattern_id
    )
    select analysis_id, pattern_id, contour, length, max_gap, scope, motifs, coalesce(recordings, 0) as recordings,
           coalesce(phrases, 0) as phrases, coalesce(occurrences, 0) as occurrences, coalesce(singers, 0) as singers,
           coalesce(styles, 0) as styles, coalesce(works, 0) as works, coalesce(artists, 0) as artists,
           duration_median_s, duration_min_s, duration_max_s, best_log10_p, best_q_value, best_surprise_bits,
           surprise_median_bits
    from found left join counted using (analysis_id, pattern_id)
    """,
)

MINED_RECORDINGS = ViewSpec(
    "mined_recordings",
    "a recording in which a mining analysis counts its patterns: what shares of recordings are shares of",
    (
        Column("analysis_id", pa.string(), "-", "the mining analysis"),
        Column(
            "recording_id",
            pa.string(),
            "-",
            "a recording whose contours it could mine, also one without a phrase; where it mined by a label, one that has"
            " the label, and no contradiction about it unless the analysis counts each",
        ),
    ),
    ("analyses", "coverage", "recording_labels"),
    """
    with mining as (
        select analysis_id, parent_id, coalesce(json_extract_string(parameters, '$.scope'), 'recording') as scope,
               coalesce(json_extract_string(parameters, '$.conflicts') = 'each', false) as is_each
        from analyses where kind = 'mining'
    ), labelled as (
        select recording_id, label, bool_or(is_conflict) as is_conflict from recording_labels group by recording_id, label
    )
    select m.analysis_id, c.scope_key as recording_id
    from mining m join coverage c on c.analysis_id = m.parent_id and c.state in ('done', 'empty')
         left join labelled l on l.label = m.scope and l.recording_id = c.scope_key
    where m.scope in ('recording', 'corpus') or not l.is_conflict or (m.is_each and l.is_conflict)
    """,
)

# Recordings are the unit, not occurrences: the occurrences of one recording depend on each other, and one long
# recording would decide for its whole group.
MOTIF_BY_LABEL = ViewSpec(
    "motif_by_label",
    "a pattern in the recordings of one value of a label (one singer, one style, ...), in one mining analysis",
    (
        MOTIFS.column("analysis_id"),
        MOTIFS.column("pattern_id"),
        MOTIFS.column("contour"),
        MOTIFS.column("length"),
        MOTIFS.column("max_gap"),
        LABEL,
        VALUE,
        Column(
            "motifs",
            pa.int64(),
            "-",
            "recordings of that value in which it is a motif, that is, frequent enough; in an analysis by this label, 1 where"
            " it is a motif of that value; of another scope 0",
        ),
        Column("recordings", pa.int64(), "-", "recordings of that value in which it occurs at all"),
        Column(
            "label_recordings",
            pa.int64(),
            "-",
            "recordings of that value that the analysis could mine (mined_recordings), whether or not it occurs there",
        ),
        Column("recording_share", pa.float64(), "-", "recordings / label_recordings"),
        Column(
            "rest_recordings",
            pa.int64(),
            "-",
            "recordings of every other value of the label in which it occurs",
        ),
        Column(
            "rest_label_recordings",
            pa.int64(),
            "-",
            "recordings of every other value of the label that the analysis could mine",
        ),
        Column(
            "log_odds",
            pa.float64(),
            "-",
            "natural logarithm of the odds that a recording of that value holds it over the odds that a recording of"
            " another value does: ln((k + 1/2) / (n - k + 1/2)) - ln((j + 1/2) / (m - j + 1/2)), with k of n recordings"
            " (recordings, label_recordings) and j of m (rest_recordings, rest_label_recordings); the halves (Haldane and"
            " Anscombe's, which are Jeffreys's prior) keep it finite; null where the label has no other value",
            nullable=True,
        ),
        Column("phrases", pa.int64(), "-", "phrases it occurs in"),
        Column("occurrences", pa.int64(), "-", "occurrences, overlapping ones included"),
        Column(
            "occurrence_share",
            pa.float64(),
            "-",
            "occurrences / its occurrences under every value of the label",
        ),
        Column("best_log10_p", pa.float64(), "-", "smallest log10_p of its motifs there", nullable=True),
        Column("best_q_value", pa.float64(), "-", "smallest q_value of its motifs there", nullable=True),
        Column(
            "best_surprise_bits", pa.float64(), "bit", "largest surprise of its motifs there", nullable=True
        ),
    ),
    ("motifs", "pattern_counts", "recording_labels", "mined_recordings"),
    """
    with kept as (
        select analysis_id, pattern_id, any_value(contour) as contour, any_value(length) as length,
               any_value(max_gap) as max_gap
        from motifs group by analysis_id, pattern_id
    ), agreed as (
        select recording_id, label, value from recording_labels where not is_conflict
    ), valued as (
        select analysis_id, label, value, count(*) as label_recordings
        from mined_recordings join agreed using (recording_id) group by analysis_id, label, value
    ), total as (
        select *, sum(label_recordings) over (partition by analysis_id, label) - label_recordings as rest_label_recordings
        from valued
    ), counted as (
        select analysis_id, pattern_id, label, value, count(*) as recordings, sum(phrases)::bigint as phrases,
               sum(occurrences)::bigint as occurrences
        from pattern_counts join agreed using (recording_id)
        where occurrences > 0 group by analysis_id, pattern_id, label, value
    ), compared as (
        select *, sum(recordings) over pattern - recordings as rest_recordings,
               occurrences / sum(occurrences) over pattern as occurrence_share
        from counted window pattern as (partition by analysis_id, pattern_id, label)
    ), found as (
        select analysis_id, pattern_id, label, value, count(*) as motifs, min(log10_p) as best_log10_p,
               min(q_value) as best_q_value, max(surprise_bits) as best_surprise_bits
        from motifs join agreed on motifs.scope_key = agreed.recording_id
        where scope = 'recording' group by analysis_id, pattern_id, label, value
        union all
        select analysis_id, pattern_id, scope, scope_key, 1, log10_p, q_value, surprise_bits
        from motifs where scope not in ('recording', 'corpus')
    )
    select analysis_id, pattern_id, contour, length, max_gap, label, value, coalesce(motifs, 0) as motifs,
           recordings, label_recordings, recordings / label_recordings as recording_share,
           rest_recordings::bigint as rest_recordings, rest_label_recordings::bigint as rest_label_recordings,
           case when rest_label_recordings > 0 then
               ln((recordings + 0.5::double) / (label_recordings - recordings + 0.5::double))
               - ln((rest_recordings + 0.5::double) / (rest_label_recordings - rest_recordings + 0.5::double))
           end as log_odds,
           phrases, occurrences, occurrence_share, best_log10_p, best_q_value, best_surprise_bits
    from compared join total using (analysis_id, label, value) join kept using (analysis_id, pattern_id)
         left join found using (analysis_id, pattern_id, label, value)
    """,
)
