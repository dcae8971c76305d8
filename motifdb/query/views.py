"""Views that stand on the tables: declared like tables, so that `describe`, comments and docs are made from them.

**Conventions.** A label is a fact about a file, not about a content. Views over labels therefore count distinct
recordings, and a recording whose files contradict each other about a label (two singers, say) is left out of
every value of that label; `label_conflicts` lists those. Every row is of one mining analysis, and an analysis has one
scope: a recording's motifs and a singer's are never counted together.
"""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from motifdb.schemas import AUDIO_LINKS, FILES, ISLANDS, MOTIFS, RECORDINGS, RUNS, Column

STANDARD_LABELS = ("singer", "style", "title", "work", "artist")
"""Labels that are columns of `files`; every other one is in the map `labels`."""


@dataclass(frozen=True)
class ViewSpec:
    """One view: what a row is, its columns with unit and meaning, the tables and views it reads, its SQL."""

    name: str
    row: str
    columns: tuple[Column, ...]
    needs: tuple[str, ...]
    sql: str

    @property
    def names(self) -> tuple[str, ...]:
        """Column names in order."""
        return tuple(c.name for c in self.columns)


def _nullable(column: Column) -> Column:
    return Column(column.name, column.type, column.unit, column.meaning, nullable=True)


_INPUT = "state = 'input' and recording_id is not null"

TRACKS = ViewSpec(
    "tracks",
    "a file that is an input, with its labels and the facts of its recording",
    (
        Column("corpus", pa.string(), "-", "name of the corpus"),
        FILES.column("path"),
        FILES.column("recording_id"),
        *(FILES.column(label) for label in STANDARD_LABELS),
        FILES.column("labels"),
        _nullable(RECORDINGS.column("kind")),
        _nullable(RECORDINGS.column("duration_s")),
        RECORDINGS.column("sample_rate_hz"),
        RECORDINGS.column("channels"),
        FILES.column("container"),
        _nullable(RECORDINGS.column("codec")),
        RECORDINGS.column("warning"),
        FILES.column("size_bytes"),
    ),
    ("files", "recordings", "corpora"),
    """
    select c.name as corpus, f.path, f.recording_id, f.singer, f.style, f.title, f.work, f.artist, f.labels,
           r.kind, r.duration_s, r.sample_rate_hz, r.channels, f.container, r.codec, r.warning, f.size_bytes
    from files f left join recordings r using (recording_id) left join corpora c using (corpus_id)
    where f.state = 'input'
    """,
)

RECORDING_LABELS = ViewSpec(
    "recording_labels",
    "a value that a recording's files give to a label",
    (
        Column("recording_id", pa.string(), "-", "the recording"),
        Column(
            "label",
            pa.string(),
            "-",
            "name of the label: singer, style, title, work, artist or a key of files.labels",
        ),
        Column("value", pa.string(), "-", "its value"),
        Column("files", pa.int64(), "-", "files of the recording that say so"),
        Column(
            "is_conflict",
            pa.bool_(),
            "-",
            "whether another file of the recording gives the label another value",
        ),
    ),
    ("files",),
    "select recording_id, label, value, count(*) as files,"
    " count(*) over (partition by recording_id, label) > 1 as is_conflict from ("
    + " union all ".join(
        f"select recording_id, '{name}' as label, {name} as value from files where {_INPUT} and {name} is not null"
        for name in STANDARD_LABELS
    )
    + " union all select recording_id, entry.key, entry.value from"
    f" (select recording_id, unnest(map_entries(labels)) as entry from files where {_INPUT})"
    " where entry.value is not null) group by recording_id, label, value",
)

LABEL_CONFLICTS = ViewSpec(
    "label_conflicts",
    "a label about which the files of one recording contradict each other",
    (
        Column("recording_id", pa.string(), "-", "the recording"),
        Column("label", pa.string(), "-", "name of the label"),
        Column("label_values", pa.list_(pa.string()), "-", "the values given, sorted"),
        Column("files", pa.int64(), "-", "files that give one"),
    ),
    ("recording_labels",),
    """
    select recording_id, label, list_sort(list(value)) as label_values, sum(files)::bigint as files
    from recording_labels where is_conflict group by recording_id, label
    """,
)

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
        Column("recordings", pa.int64(), "-", "recordings in which it occurs at all"),
        Column("phrases", pa.int64(), "-", "phrases it occurs in"),
        Column("occurrences", pa.int64(), "-", "occurrences in all recordings, overlapping ones included"),
        Column("singers", pa.int64(), "-", "different singers of those recordings"),
        Column("styles", pa.int64(), "-", "different styles of those recordings"),
        Column("works", pa.int64(), "-", "different works of those recordings"),
        Column("artists", pa.int64(), "-", "different artists of those recordings"),
        Column("duration_median_s", pa.float64(), "s", "median over its motifs of their median duration"),
        Column("best_log10_p", pa.float64(), "-", "smallest log10_p of its motifs", nullable=True),
        Column("best_q_value", pa.float64(), "-", "smallest q_value of its motifs", nullable=True),
        Column("best_surprise_bits", pa.float64(), "bit", "largest surprise of its motifs", nullable=True),
    ),
    ("motifs", "pattern_counts", "files"),
    """
    with labelled as (
        select recording_id, """
    + ", ".join(f"case when count(distinct {n}) = 1 then min({n}) end as {n}" for n in STANDARD_LABELS)
    + f"""
        from files where {_INPUT} group by recording_id
    ), counted as (
        select analysis_id, pattern_id, count(distinct recording_id) as recordings, sum(phrases)::bigint as phrases,
               sum(occurrences)::bigint as occurrences, count(distinct singer) as singers,
               count(distinct style) as styles, count(distinct work) as works, count(distinct artist) as artists
        from pattern_counts left join labelled using (recording_id)
        where occurrences > 0 group by analysis_id, pattern_id
    ), found as (
        select analysis_id, pattern_id, any_value(contour) as contour, any_value(length) as length,
               any_value(max_gap) as max_gap, any_value(scope) as scope, count(*) as motifs,
               median(duration_median_s) as duration_median_s, min(log10_p) as best_log10_p,
               min(q_value) as best_q_value, max(surprise_bits) as best_surprise_bits
        from motifs group by analysis_id, pattern_id
    )
    select analysis_id, pattern_id, contour, length, max_gap, scope, motifs, coalesce(recordings, 0) as recordings,
           coalesce(phrases, 0) as phrases, coalesce(occurrences, 0) as occurrences, coalesce(singers, 0) as singers,
           coalesce(styles, 0) as styles, coalesce(works, 0) as works, coalesce(artists, 0) as artists,
           duration_median_s, best_log10_p, best_q_value, best_surprise_bits
    from found left join counted using (analysis_id, pattern_id)
    """,
)

MOTIF_BY_LABEL = ViewSpec(
    "motif_by_label",
    "a pattern in the recordings of one value of a label (one singer, one style, ...), in one mining analysis",
    (
        MOTIFS.column("analysis_id"),
        MOTIFS.column("pattern_id"),
        MOTIFS.column("contour"),
        MOTIFS.column("length"),
        MOTIFS.column("max_gap"),
        Column(
            "label",
            pa.string(),
            "-",
            "name of the label: singer, style, title, work, artist or a key of files.labels",
        ),
        Column("value", pa.string(), "-", "its value"),
        Column(
            "motifs",
            pa.int64(),
            "-",
            "recordings of that value in which it is a motif, that is, frequent enough; in an analysis by this label, 1 where"
            " it is a motif of that value; of another scope 0",
        ),
        Column("recordings", pa.int64(), "-", "recordings of that value in which it occurs at all"),
        Column(
            "label_recordings", pa.int64(), "-", "recordings of that value, whether or not it occurs there"
        ),
        Column("recording_share", pa.float64(), "-", "recordings / label_recordings"),
        Column("phrases", pa.int64(), "-", "phrases it occurs in"),
        Column("occurrences", pa.int64(), "-", "occurrences, overlapping ones included"),
        Column("best_log10_p", pa.float64(), "-", "smallest log10_p of its motifs there", nullable=True),
        Column("best_q_value", pa.float64(), "-", "smallest q_value of its motifs there", nullable=True),
    ),
    ("motifs", "pattern_counts", "recording_labels"),
    """
    with kept as (
        select analysis_id, pattern_id, any_value(contour) as contour, any_value(length) as length,
               any_value(max_gap) as max_gap
        from motifs group by analysis_id, pattern_id
    ), total as (
        select label, value, count(*) as label_recordings
        from recording_labels where not is_conflict group by label, value
    ), counted as (
        select analysis_id, pattern_id, label, value, count(*) as recordings, sum(phrases)::bigint as phrases,
               sum(occurrences)::bigint as occurrences
        from pattern_counts join recording_labels using (recording_id)
        where occurrences > 0 and not is_conflict group by analysis_id, pattern_id, label, value
    ), found as (
        select analysis_id, pattern_id, label, value, count(*) as motifs, min(log10_p) as best_log10_p,
               min(q_value) as best_q_value
        from motifs join recording_labels on motifs.scope_key = recording_labels.recording_id
        where scope = 'recording' and not is_conflict group by analysis_id, pattern_id, label, value
        union all
        select analysis_id, pattern_id, scope, scope_key, 1, log10_p, q_value
        from motifs where scope not in ('recording', 'corpus')
    )
    select analysis_id, pattern_id, contour, length, max_gap, label, value, coalesce(motifs, 0) as motifs,
           recordings, label_recordings, recordings / label_recordings as recording_share, phrases, occurrences,
           best_log10_p, best_q_value
    from counted join total using (label, value) join kept using (analysis_id, pattern_id)
         left join found using (analysis_id, pattern_id, label, value)
    """,
)

_LEAKS = {
    "leak_content": ("same-content", "whose very bytes are in train"),
    "leak_near": ("near", "a copy of which is in train: re-encoded, louder, shifted or trimmed a little"),
    "leak_half": ("half", "of which one clip of train holds at least half"),
    "leak_island": ("same-island", "whose recording shares sound with one of train; null without an audit"),
    "leak_recording": ("same-recording", "whose recording is in train"),
}
_SCORES = ("accuracy", "balanced_accuracy", "auc", "precision", "recall", "f1")

RUN_SCORES = ViewSpec(
    "run_scores",
    "a run with its figures on the part test, and what test shares with train; null where not defined or unknown",
    (
        *(
            RUNS.column(n)
            for n in ("run_id", "experiment", "cell", "recipe", "model", "front_end", "split_id")
        ),
        Column("split", pa.string(), "-", "name of the split", nullable=True),
        *(RUNS.column(n) for n in ("fold", "seed", "label", "state")),
        Column("n_classes", pa.int64(), "-", "values of the label"),
        Column("n_test", pa.int64(), "-", "clips of test that it predicted"),
        *(Column(n, pa.float64(), "-", f"{n} on test", nullable=True) for n in _SCORES),
        Column("accuracy_low", pa.float64(), "-", "2.5 % of a bootstrap over groups", nullable=True),
        Column("accuracy_high", pa.float64(), "-", "97.5 % of it", nullable=True),
        Column("f1_low", pa.float64(), "-", "2.5 % of a bootstrap over groups", nullable=True),
        Column("f1_high", pa.float64(), "-", "97.5 % of it", nullable=True),
        *(
            Column(name, pa.float64(), "-", f"share of clips of test {meaning}", nullable=True)
            for name, (_, meaning) in _LEAKS.items()
        ),
        *(RUNS.column(n) for n in ("parameters", "epochs", "best_epoch", "wall_s", "cpu_s", "created_at")),
    ),
    ("runs", "metrics", "predictions", "analyses"),
    "with figures as (select run_id, "
    + ", ".join(f"max(value) filter (metric = '{n}') as {n}" for n in _SCORES)
    + ", "
    + ", ".join(
        f"max({e}) filter (metric = '{n}') as {n}_{e}" for n in ("accuracy", "f1") for e in ("low", "high")
    )
    + " from metrics where part = 'test' group by run_id), tested as (select run_id, count(*) as n_test"
    " from predictions where part = 'test' group by run_id)"
    " select r.run_id, experiment, cell, recipe, model, front_end, split_id, a.name as split, fold, seed, label, state,"
    " len(classes) as n_classes, coalesce(n_test, 0) as n_test, "
    + ", ".join(_SCORES)
    + ", accuracy_low, accuracy_high, f1_low, f1_high, "
    + ", ".join(
        f"""(json_extract_string(leak, '$.leaks."{kind}".share'))::double as {name}"""
        for name, (kind, _) in _LEAKS.items()
    )
    + ", r.parameters, epochs, best_epoch, wall_s, cpu_s, r.created_at from runs r left join figures using (run_id)"
    " left join tested using (run_id) left join analyses a on a.analysis_id = r.split_id",
)

_CORPUS = Column("corpus", pa.string(), "-", "name of the corpus")
_NEWEST_AUDIT = "(select analysis_id from analyses where kind = 'audit' order by created_at desc, analysis_id desc limit 1)"

DUPLICATE_FILES = ViewSpec(
    "duplicate_files",
    "a file whose very content other files have too",
    (
        FILES.column("recording_id"),
        Column("copies", pa.int64(), "-", "files with this content"),
        _CORPUS,
        FILES.column("path"),
        *(FILES.column(label) for label in STANDARD_LABELS),
        FILES.column("labels"),
    ),
    ("tracks",),
    "select recording_id, count(*) over (partition by recording_id) as copies, corpus, path, "
    + ", ".join(STANDARD_LABELS)
    + ", labels from tracks where recording_id is not null qualify copies > 1",
)

NEAR_DUPLICATES = ViewSpec(
    "near_duplicates",
    "two recordings of which one is a copy of the other, as the newest audit found them",
    (
        *(AUDIO_LINKS.column(n) for n in ("recording_a", "recording_b", "kind")),
        Column("path_a", pa.string(), "-", "a file of recording_a, the first by name"),
        Column("path_b", pa.string(), "-", "a file of recording_b, likewise"),
        *(AUDIO_LINKS.column(n) for n in ("start_a_s", "start_b_s", "shared_s", "agreement")),
    ),
    ("audio_links", "analyses", "files"),
    f"""
    with named as (select recording_id, min(path) as path from files where {_INPUT} group by recording_id)
    select recording_a, recording_b, kind, a.path as path_a, b.path as path_b, start_a_s, start_b_s, shared_s, agreement
    from audio_links l join named a on l.recording_a = a.recording_id join named b on l.recording_b = b.recording_id
    where kind in ('same-audio', 'near') and analysis_id = {_NEWEST_AUDIT}
    """,
)

OVERLAP_ISLANDS = ViewSpec(
    "overlap_islands",
    "an island of several recordings that share sound, directly or through others, as the newest audit found them",
    (
        ISLANDS.column("island"),
        Column("recordings", pa.int64(), "-", "recordings in it"),
        Column("files", pa.int64(), "-", "files that hold them"),
        Column("links", pa.int64(), "-", "stretches that two of them share"),
        Column(
            "duration_s", pa.float64(), "s", "duration of all its recordings, shared sound counted each time"
        ),
        Column("recording_ids", pa.list_(pa.string()), "-", "its recordings, sorted"),
    ),
    ("islands", "audio_links", "analyses", "files", "recordings"),
    f"""
    with mine as (select recording_id, island from islands where analysis_id = {_NEWEST_AUDIT}),
    held as (select recording_id, count(*) as n from files where {_INPUT} group by recording_id),
    linked as (
        select island, count(*) as n from audio_links join mine on recording_a = recording_id
        where analysis_id = {_NEWEST_AUDIT} group by island
    )
    select m.island, count(*) as recordings, coalesce(sum(h.n), 0)::bigint as files, coalesce(any_value(k.n), 0)::bigint as links,
           sum(r.duration_s) as duration_s, list_sort(list(m.recording_id)) as recording_ids
    from mine m join recordings r using (recording_id) left join held h using (recording_id) left join linked k using (island)
    group by m.island having count(*) > 1
    """,
)

RARE_LABELS = ViewSpec(
    "rare_labels",
    "a value of a label that fewer than three recordings have",
    (
        Column("label", pa.string(), "-", "name of the label"),
        Column("value", pa.string(), "-", "its value"),
        Column("recordings", pa.int64(), "-", "recordings that have it"),
        Column("files", pa.int64(), "-", "files that say so"),
    ),
    ("recording_labels",),
    """
    select label, value, count(*) as recordings, sum(files)::bigint as files
    from recording_labels group by label, value having count(*) < 3
    """,
)

VIEWS: dict[str, ViewSpec] = {
    v.name: v
    for v in (
        TRACKS,
        RECORDING_LABELS,
        LABEL_CONFLICTS,
        RARE_LABELS,
        MOTIF_STATS,
        MOTIF_BY_LABEL,
        DUPLICATE_FILES,
        NEAR_DUPLICATES,
        OVERLAP_ISLANDS,
        RUN_SCORES,
    )
}
