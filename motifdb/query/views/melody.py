"""Views over what is sung: f0 frame by frame, phrases with the labels of their recording."""

from __future__ import annotations

import pyarrow as pa

from motifdb.query.views.labels import RECORDING_FACTS
from motifdb.query.views.spec import STANDARD_LABELS, ViewSpec
from motifdb.schemas import CONTOURS, PITCH, Column

# The list is unnested by its index alone: so a filter on the recording or the analysis, and the choice between
# f0 and confidence, reach the stored blocks. Every block but a track's last holds 65,536 frames.
PITCH_FRAMES = ViewSpec(
    "pitch_frames",
    "a frame of fundamental frequency",
    (
        PITCH.column("recording_id"),
        PITCH.column("analysis_id"),
        Column(
            "frame", pa.int64(), "-", "0, 1, ... within recording and analysis: 65,536 block + place in it"
        ),
        Column("time_s", pa.float64(), "s", "time of the frame"),
        Column("f0_hz", pa.float32(), "Hz", "fundamental frequency; 0 where the frame is unvoiced"),
        Column("cents", pa.float64(), "cents", "pitch over 440 Hz; null where unvoiced", nullable=True),
        Column(
            "confidence",
            pa.float32(),
            "-",
            "the tracker's own, 0 to 1; null where it gives none",
            nullable=True,
        ),
    ),
    ("pitch",),
    """
    select recording_id, analysis_id, block::bigint * 65536 + i as frame, start_s + i * hop_s as time_s,
           f0_hz[i + 1] as f0_hz,
           case when f0_hz[i + 1] > 0 then 1200 * log2(f0_hz[i + 1]::double / 440) end as cents,
           confidence[i + 1] as confidence
    from (
        select recording_id, analysis_id, block, hop_s, start_s, f0_hz, confidence, unnest(range(len(f0_hz))) as i
        from pitch
    )
    """,
)

PHRASES = ViewSpec(
    "phrases",
    "a phrase, with its size, its compass and the labels of its recording",
    (
        *(
            CONTOURS.column(n)
            for n in ("phrase_id", "recording_id", "analysis_id", "phrase", "start_s", "end_s")
        ),
        Column("duration_s", pa.float64(), "s", "end_s - start_s"),
        Column("n_symbols", pa.int64(), "-", "symbols in it"),
        CONTOURS.column("symbols"),
        Column("first_cents", pa.float64(), "cents", "level of its first segment, over 440 Hz"),
        Column("last_cents", pa.float64(), "cents", "level of its last segment, over 440 Hz"),
        Column("lowest_cents", pa.float64(), "cents", "lowest level of its segments, over 440 Hz"),
        Column("highest_cents", pa.float64(), "cents", "highest level of its segments, over 440 Hz"),
        *(RECORDING_FACTS.column(n) for n in ("path", *STANDARD_LABELS)),
    ),
    ("contours", "recording_facts"),
    """
    select c.phrase_id, c.recording_id, c.analysis_id, c.phrase, c.start_s, c.end_s,
           c.end_s - c.start_s as duration_s, len(c.symbols) as n_symbols, c.symbols,
           c.segment_cents[1] as first_cents, c.segment_cents[-1] as last_cents,
           list_min(c.segment_cents) as lowest_cents, list_max(c.segment_cents) as highest_cents,
           r.path, """
    + ", ".join(f"r.{n}" for n in STANDARD_LABELS)
    + """
    from contours c join recording_facts r using (recording_id)
    """,
)
