"""Views over files and what they say about their recordings."""

from __future__ import annotations

import pyarrow as pa

from motifdb.query.views.spec import CORPUS, INPUT, LABEL, STANDARD_LABELS, VALUE, ViewSpec, nullable
from motifdb.schemas import FILES, RECORDINGS, Column

TRACKS = ViewSpec(
    "tracks",
    "a file that is an input, with its labels and the facts of its recording",
    (
        CORPUS,
        FILES.column("path"),
        FILES.column("recording_id"),
        *(FILES.column(label) for label in STANDARD_LABELS),
        FILES.column("labels"),
        nullable(RECORDINGS.column("kind")),
        nullable(RECORDINGS.column("duration_s")),
        RECORDINGS.column("sample_rate_hz"),
        RECORDINGS.column("channels"),
        FILES.column("container"),
        nullable(RECORDINGS.column("codec")),
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

RECORDING_FACTS = ViewSpec(
    "recording_facts",
    "a recording that a file holds, with the labels on which all its files agree",
    (
        Column("recording_id", pa.string(), "-", "the recording"),
        RECORDINGS.column("kind"),
        RECORDINGS.column("duration_s"),
        Column("files", pa.int64(), "-", "files that hold it"),
        Column("path", pa.string(), "-", "the first of them by name"),
        *(
            Column(
                n,
                pa.string(),
                "-",
                f"{FILES.column(n).meaning}; null where its files disagree or say nothing",
                True,
            )
            for n in STANDARD_LABELS
        ),
    ),
    ("files", "recordings"),
    "with labelled as (select recording_id, count(*) as files, min(path) as path, "
    + ", ".join(f"case when count(distinct {n}) = 1 then min({n}) end as {n}" for n in STANDARD_LABELS)
    + f" from files where {INPUT} group by recording_id)"
    " select l.recording_id, r.kind, r.duration_s, l.files, l.path, "
    + ", ".join(STANDARD_LABELS)
    + " from labelled l join recordings r using (recording_id)",
)

RECORDING_LABELS = ViewSpec(
    "recording_labels",
    "a value that a recording's files give to a label",
    (
        Column("recording_id", pa.string(), "-", "the recording"),
        LABEL,
        VALUE,
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
        f"select recording_id, '{name}' as label, {name} as value from files where {INPUT} and {name} is not null"
        for name in STANDARD_LABELS
    )
    + " union all select recording_id, entry.key, entry.value from"
    f" (select recording_id, unnest(map_entries(labels)) as entry from files where {INPUT})"
    " where entry.value is not null) group by recording_id, label, value",
)

LABEL_CONFLICTS = ViewSpec(
    "label_conflicts",
    "a label about which the files of one recording contradict each other",
    (
        Column("recording_id", pa.string(), "-", "the recording"),
        LABEL,
        Column("label_values", pa.list_(pa.string()), "-", "the values given, sorted"),
        Column("files", pa.int64(), "-", "files that give one"),
    ),
    ("recording_labels",),
    """
    select recording_id, label, list_sort(list(value)) as label_values, sum(files)::bigint as files
    from recording_labels where is_conflict group by recording_id, label
    """,
)

RARE_LABELS = ViewSpec(
    "rare_labels",
    "a value of a label that fewer than three recordings have",
    (
        LABEL,
        VALUE,
        Column("recordings", pa.int64(), "-", "recordings that have it"),
        Column("files", pa.int64(), "-", "files that say so"),
    ),
    ("recording_labels",),
    """
    select label, value, count(*) as recordings, sum(files)::bigint as files
    from recording_labels group by label, value having count(*) < 3
    """,
)
