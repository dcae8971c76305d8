"""Views over what files share: bytes, sound, stretches of sound."""

from __future__ import annotations

import pyarrow as pa

from motifdb.query.views.spec import CORPUS, INPUT, STANDARD_LABELS, ViewSpec
from motifdb.schemas import AUDIO_LINKS, FILES, ISLANDS, Column

_NEWEST_AUDIT = "(select analysis_id from analyses where kind = 'audit' order by created_at desc, analysis_id desc limit 1)"

DUPLICATE_FILES = ViewSpec(
    "duplicate_files",
    "a file whose very content other files have too",
    (
        FILES.column("recording_id"),
        Column("copies", pa.int64(), "-", "files with this content"),
        CORPUS,
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
    with named as (select recording_id, min(path) as path from files where {INPUT} group by recording_id)
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
    held as (select recording_id, count(*) as n from files where {INPUT} group by recording_id),
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
