"""Every table of a motifdb database, in the order the data goes through them.

Types open to SQL are signed integers, floats, string, bool, timestamp in microseconds, and lists and maps of
these: DuckDB cannot push a filter on the others through Lance.
"""

from __future__ import annotations

import pyarrow as pa

from motifdb.schemas.families import FAMILY_TABLES
from motifdb.schemas.learning import LEARNING_TABLES
from motifdb.schemas.spec import Column, TableSpec
from motifdb.schemas.vectors import VECTOR_TABLES

FORMAT_VERSION = 6
"""Version of the on-disk format this code writes; it reads every older one."""

_TIME = pa.timestamp("us")
_LABELS = pa.map_(pa.string(), pa.string())

CORPORA = TableSpec(
    "corpora",
    "a folder that was ingested",
    ("corpus_id",),
    (
        Column("corpus_id", pa.string(), "-", "hash of name"),
        Column("name", pa.string(), "-", "name of the folder, made unique in this database"),
        Column("root_uri", pa.string(), "-", "where the folder stands; `motifdb relocate` changes it"),
    ),
    volatile=("root_uri",),
)

FILES = TableSpec(
    "files",
    "a path that was seen, with what is known about it",
    ("corpus_id", "path"),
    (
        Column("corpus_id", pa.string(), "-", "the corpus the path lies in"),
        Column(
            "path",
            pa.string(),
            "-",
            "relative to the corpus root; bytes that are no UTF-8, control characters and % are percent-escaped",
        ),
        Column(
            "recording_id",
            pa.string(),
            "-",
            "its content; null where the file is no input (skipped) or failed",
            nullable=True,
        ),
        Column(
            "state",
            pa.string(),
            "-",
            "input, skipped (no audio and no f0 track), reference (f0 of another row's recording) or failed",
        ),
        Column("size_bytes", pa.int64(), "bytes", "size on disk"),
        Column("mtime_ns", pa.int64(), "ns", "time of last change on disk, since 1970"),
        Column(
            "container",
            pa.string(),
            "-",
            "what the content was recognised as: wav, flac, mp3, ogg, mp4, aiff, f0-text, f0-csv, text, ...",
        ),
        Column("singer", pa.string(), "-", "label", nullable=True),
        Column("style", pa.string(), "-", "label: genre, makam, raga, palo", nullable=True),
        Column("title", pa.string(), "-", "label", nullable=True),
        Column("work", pa.string(), "-", "label: the composition or text sung", nullable=True),
        Column("artist", pa.string(), "-", "label: everyone who performs", nullable=True),
        Column("labels", _LABELS, "-", "every other label by name"),
    ),
    volatile=("mtime_ns",),
)

RECORDINGS = TableSpec(
    "recordings",
    "a distinct content, however many files hold it",
    ("recording_id",),
    (
        Column(
            "recording_id",
            pa.string(),
            "-",
            "hash of the file's bytes; of the decompressed text for an f0 track",
        ),
        Column("kind", pa.string(), "-", "audio or f0"),
        Column(
            "audio_hash",
            pa.string(),
            "-",
            "hash of the decoded samples, rate and channel count; null for f0",
            nullable=True,
        ),
        Column(
            "duration_s",
            pa.float64(),
            "s",
            "decoded length; of an f0 track, the time from its first frame to the end of its last",
        ),
        Column("sample_rate_hz", pa.int32(), "Hz", "of the decoded audio; null for f0", nullable=True),
        Column("channels", pa.int32(), "-", "of the decoded audio; null for f0", nullable=True),
        Column("codec", pa.string(), "-", "codec or text format, such as pcm_s16le, mp3, f0-csv"),
        Column(
            "peak", pa.float64(), "-", "largest absolute sample, full scale = 1; null for f0", nullable=True
        ),
        Column(
            "clipped_share",
            pa.float64(),
            "-",
            "share of samples at or beyond full scale; null for f0",
            nullable=True,
        ),
        Column(
            "warning",
            pa.string(),
            "-",
            "one sentence about the content that a reader should know",
            nullable=True,
        ),
        Column("tags", _LABELS, "-", "tags embedded in the content, by their names there, in lower case"),
    ),
)

FAILURES = TableSpec(
    "failures",
    "an input that cannot be used now",
    ("corpus_id", "path"),
    (
        Column("corpus_id", pa.string(), "-", "the corpus the path lies in"),
        Column("path", pa.string(), "-", "as in files"),
        Column("stage", pa.string(), "-", "where it failed: discover, decode, pitch, contours, motifs"),
        Column(
            "kind",
            pa.string(),
            "-",
            "short word for grouping: empty, not-audio, truncated, decoder-crashed, ...",
        ),
        Column("reason", pa.string(), "-", "one plain sentence"),
        Column("recording_id", pa.string(), "-", "content, where it could be read", nullable=True),
        Column(
            "analysis_id", pa.string(), "-", "the analysis that failed; null before the first", nullable=True
        ),
        Column("size_bytes", pa.int64(), "bytes", "size when it failed"),
        Column("mtime_ns", pa.int64(), "ns", "time of last change when it failed"),
    ),
    volatile=("mtime_ns",),
)

ANALYSES = TableSpec(
    "analyses",
    "one parameter set applied to what its parent made",
    ("analysis_id",),
    (
        Column("analysis_id", pa.string(), "-", "hash of stage, stage version, parameters and parent"),
        Column("name", pa.string(), "-", "for people: the tracker, or the preset and what differs from it"),
        Column(
            "kind",
            pa.string(),
            "-",
            "pitch, contour, mining, counts, families, stability, fingerprint, audit, clips or split",
        ),
        Column("parent_id", pa.string(), "-", "the analysis it reads; null for pitch", nullable=True),
        Column("parameters", pa.string(), "-", "JSON with every parameter"),
        Column("stage_version", pa.int32(), "-", "raised when the same parameters give other results"),
        Column(
            "inputs_hash",
            pa.string(),
            "-",
            "hash of the frozen input list of an analysis over several recordings; else null",
            nullable=True,
        ),
        Column("n_inputs", pa.int64(), "-", "length of that list", nullable=True),
        Column("code_version", pa.string(), "-", "version of motifdb that first ran it"),
        Column("created_at", _TIME, "UTC", "when it was first run"),
    ),
    volatile=("name", "created_at", "code_version"),
)

COVERAGE = TableSpec(
    "coverage",
    "what an analysis has done",
    ("analysis_id", "scope_key"),
    (
        Column("analysis_id", pa.string(), "-", "the analysis"),
        Column("scope_key", pa.string(), "-", "recording_id, or the key of a wider scope"),
        Column("input_hash", pa.string(), "-", "hash of what it read"),
        Column("state", pa.string(), "-", "done, empty (nothing to find) or failed"),
        Column("n_rows", pa.int64(), "-", "rows made: pitch blocks, phrases or motifs"),
        Column(
            "n_tested",
            pa.int64(),
            "-",
            "mining: distinct patterns of admissible length that occur, the m of Benjamini-Hochberg; stability: motifs put to the test",
            nullable=True,
        ),
        Column(
            "null_order",
            pa.int32(),
            "-",
            "mining: order of the Markov null model chosen by BIC",
            nullable=True,
        ),
        Column(
            "n_motifs_any_duration",
            pa.int64(),
            "-",
            "mining: motifs before the rule on duration",
            nullable=True,
        ),
        Column(
            "n_occurrences_any_duration",
            pa.int64(),
            "-",
            "mining: their occurrences before that rule",
            nullable=True,
        ),
        Column(
            "n_occurrences_long_enough",
            pa.int64(),
            "-",
            "mining: of those, the ones that last min_duration_s themselves (style-2021 counts clips this way)",
            nullable=True,
            since=2,
        ),
        Column(
            "complete_from",
            pa.int64(),
            "-",
            "mining: a bound was reached, and every motif is here down to this support only; null: all that were asked for",
            nullable=True,
            since=3,
        ),
        Column("commit", pa.int64(), "-", "the commit that recorded it"),
    ),
    volatile=("commit",),
)

PITCH = TableSpec(
    "pitch",
    "a block of at most 65,536 frames of fundamental frequency",
    ("recording_id", "analysis_id", "block"),
    (
        Column("recording_id", pa.string(), "-", "the recording"),
        Column(
            "analysis_id",
            pa.string(),
            "-",
            "the pitch analysis: a tracker, a reader of f0 files, or a reference",
        ),
        Column("block", pa.int32(), "-", "0, 1, ... within recording and analysis"),
        Column("hop_s", pa.float64(), "s", "time between frames"),
        Column("start_s", pa.float64(), "s", "time of this block's first frame"),
        Column("f0_hz", pa.list_(pa.float32()), "Hz", "fundamental frequency; 0 where the frame is unvoiced"),
        Column(
            "confidence", pa.list_(pa.float32()), "-", "the tracker's own, 0 to 1; empty where it gives none"
        ),
    ),
)

PITCH_AGREEMENT = TableSpec(
    "pitch_agreement",
    "two pitch analyses of one recording, compared frame by frame",
    ("recording_id", "analysis_a", "analysis_b"),
    (
        Column("recording_id", pa.string(), "-", "the recording"),
        Column("analysis_a", pa.string(), "-", "a pitch analysis; the smaller id"),
        Column("analysis_b", pa.string(), "-", "another pitch analysis"),
        Column("n_frames", pa.int64(), "-", "frames compared: those of analysis_a"),
        Column(
            "agreement",
            pa.float64(),
            "-",
            "share of the frames voiced in both that differ by at most 50 cents; null where there are none",
            nullable=True,
        ),
        Column(
            "voicing_agreement",
            pa.float64(),
            "-",
            "share of all frames with the same voicing; null where there are none",
            nullable=True,
        ),
    ),
    since=2,
)

CONTOURS = TableSpec(
    "contours",
    "a phrase: voiced singing between two rests, as a sequence of contour symbols",
    ("phrase_id",),
    (
        Column("phrase_id", pa.string(), "-", "hash of analysis, recording and phrase number"),
        Column("recording_id", pa.string(), "-", "the recording"),
        Column("analysis_id", pa.string(), "-", "the contour analysis"),
        Column("phrase", pa.int32(), "-", "0, 1, ... within recording and analysis"),
        Column("start_s", pa.float64(), "s", "start of the first segment"),
        Column("end_s", pa.float64(), "s", "end of the last segment"),
        Column(
            "symbols",
            pa.list_(pa.int8()),
            "-",
            "signed step class between neighbouring segments, + up, - down",
        ),
        Column(
            "segment_start_s",
            pa.list_(pa.float64()),
            "s",
            "time of each segment's first frame; one longer than symbols",
        ),
        Column(
            "segment_end_s", pa.list_(pa.float64()), "s", "time of each segment's last frame plus one hop"
        ),
        Column("segment_cents", pa.list_(pa.float64()), "cents", "level of each segment over 440 Hz"),
    ),
)

MOTIFS = TableSpec(
    "motifs",
    "a pattern found in one scope",
    ("motif_id",),
    (
        Column("motif_id", pa.string(), "-", "hash of analysis_id, scope, scope_key and pattern_id"),
        Column(
            "pattern_id",
            pa.string(),
            "-",
            "hash of quantiser vocabulary, pattern and max_gap: the same motif in other scopes and recordings",
        ),
        Column("analysis_id", pa.string(), "-", "the mining analysis"),
        Column("scope", pa.string(), "-", "recording, corpus, or the name of a label: singer, style, ..."),
        Column("scope_key", pa.string(), "-", "recording_id, the label's value, or all for scope corpus"),
        Column("contour", pa.string(), "-", "the pattern as text, such as '+1 -2 +1'"),
        Column("pattern", pa.list_(pa.int8()), "-", "the symbols"),
        Column("length", pa.int32(), "symbols", "number of symbols"),
        Column(
            "max_gap",
            pa.int32(),
            "symbols",
            "symbols that may be skipped between two matched ones; null is unlimited",
            nullable=True,
        ),
        Column("support_sequences", pa.int64(), "-", "phrases it occurs in"),
        Column("support_recordings", pa.int64(), "-", "recordings it occurs in"),
        Column(
            "occurrences",
            pa.int64(),
            "-",
            "occurrences, overlapping ones included; minimal windows where max_gap > 0",
        ),
        Column(
            "occurrences_nonoverlapping",
            pa.int64(),
            "-",
            "greatest number of occurrences that share no symbol, from the left",
        ),
        Column(
            "duration_median_s",
            pa.float64(),
            "s",
            "median duration of its occurrences; of an even number, the lower of the middle two",
        ),
        Column("duration_min_s", pa.float64(), "s", "shortest of its occurrences"),
        Column("duration_max_s", pa.float64(), "s", "longest of its occurrences"),
        Column(
            "expected_support",
            pa.float64(),
            "-",
            "phrases expected to hold it under the Markov null model",
            nullable=True,
        ),
        Column(
            "expected_occurrences",
            pa.float64(),
            "-",
            "occurrences expected under the Markov null model",
            nullable=True,
        ),
        Column(
            "log10_p",
            pa.float64(),
            "-",
            "log10 of the probability of as many under the null model",
            nullable=True,
        ),
        Column(
            "q_value",
            pa.float64(),
            "-",
            "Benjamini-Hochberg over every distinct pattern that occurs (coverage.n_tested); with a gap, where they cannot be"
            " counted, weighted by length",
            nullable=True,
        ),
        Column("surprise_bits", pa.float64(), "bit", "-log2 of that probability", nullable=True),
        Column(
            "p_method",
            pa.string(),
            "-",
            "exact, compound-poisson, bound (p is at most this) or simulation; null where p is",
            nullable=True,
        ),
        Column(
            "stability",
            pa.float64(),
            "-",
            "share of perturbed reruns that find it again; null until measured",
            nullable=True,
        ),
    ),
)

PATTERN_COUNTS = TableSpec(
    "pattern_counts",
    "a kept pattern in a recording, counted in every recording of its analysis, also where it is below support",
    ("analysis_id", "pattern_id", "recording_id"),
    (
        Column("analysis_id", pa.string(), "-", "the mining analysis that kept the pattern"),
        Column("pattern_id", pa.string(), "-", "as in motifs"),
        Column("recording_id", pa.string(), "-", "the recording"),
        Column("occurrences", pa.int64(), "-", "occurrences in the recording, overlapping ones included"),
        Column("phrases", pa.int64(), "-", "phrases of the recording that hold it"),
    ),
)

OCCURRENCES = TableSpec(
    "occurrences",
    "a place where a motif sounds",
    ("motif_id", "phrase_id", "first_symbol", "last_symbol"),
    (
        Column("motif_id", pa.string(), "-", "the motif"),
        Column("phrase_id", pa.string(), "-", "the phrase"),
        Column("recording_id", pa.string(), "-", "the recording"),
        Column("first_symbol", pa.int32(), "-", "index of its first symbol in the phrase"),
        Column("last_symbol", pa.int32(), "-", "index of its last symbol in the phrase"),
        Column("start_s", pa.float64(), "s", "start of the first symbol's first segment"),
        Column("end_s", pa.float64(), "s", "end of the last symbol's last segment"),
        Column("start_cents", pa.float64(), "cents", "level of the first segment, over 440 Hz"),
    ),
)

TABLES: dict[str, TableSpec] = {
    t.name: t
    for t in (
        CORPORA,
        FILES,
        RECORDINGS,
        FAILURES,
        ANALYSES,
        COVERAGE,
        PITCH,
        PITCH_AGREEMENT,
        CONTOURS,
        MOTIFS,
        PATTERN_COUNTS,
        OCCURRENCES,
        *FAMILY_TABLES,
        *LEARNING_TABLES,
        *VECTOR_TABLES,
    )
}
