"""The tables of learning: sound that is kept, its fingerprints, links between recordings, clips, splits, runs.

audio + fingerprints -> audio_links + islands -> clips -> splits -> runs, epochs, metrics, predictions
"""

from __future__ import annotations

import pyarrow as pa

from motifdb.schemas.spec import Column, TableSpec

_SINCE = 4
_TIME = pa.timestamp("us")

AUDIO = TableSpec(
    "audio",
    "at most 30 s of a recording's sound, kept once however many clips lie in it",
    ("recording_id", "block"),
    (
        Column("recording_id", pa.string(), "-", "the recording", since=_SINCE),
        Column("block", pa.int32(), "-", "0, 1, ...; every block but the last is of 30 s", since=_SINCE),
        Column("start_sample", pa.int64(), "samples", "first sample, from the start", since=_SINCE),
        Column("sample_rate_hz", pa.int32(), "Hz", "16,000", since=_SINCE),
        Column("pcm", pa.binary(), "-", "mono samples, int16, little endian", since=_SINCE, sql=False),
    ),
    since=_SINCE,
)

FINGERPRINTS = TableSpec(
    "fingerprints",
    "anchors in at most 30 s of a recording: moments in its sound that another copy of the sound has too",
    ("recording_id", "analysis_id", "block"),
    (
        Column("recording_id", pa.string(), "-", "the recording", since=_SINCE),
        Column("analysis_id", pa.string(), "-", "the fingerprint analysis", since=_SINCE),
        Column("block", pa.int32(), "-", "0, 1, ... in time", since=_SINCE),
        Column(
            "position_samples",
            pa.list_(pa.float64()),
            "samples",
            "where each anchor lies, at 16 kHz, from the start of the recording",
            since=_SINCE,
        ),
        Column(
            "code",
            pa.list_(pa.int64()),
            "-",
            "what the sound around each anchor is like; as long as position_samples",
            since=_SINCE,
        ),
    ),
    since=_SINCE,
)

AUDIO_LINKS = TableSpec(
    "audio_links",
    "two recordings that share sound: one is a copy of the other, or stretches of them are the same",
    ("analysis_id", "recording_a", "recording_b", "start_a_s"),
    (
        Column("analysis_id", pa.string(), "-", "the audit that found it", since=_SINCE),
        Column("recording_a", pa.string(), "-", "the one whose id comes first", since=_SINCE),
        Column("recording_b", pa.string(), "-", "the other one", since=_SINCE),
        Column(
            "kind",
            pa.string(),
            "-",
            "same-audio (equal decoded samples), near (a copy, re-encoded, trimmed, shifted or louder), overlap (a stretch)",
            since=_SINCE,
        ),
        Column("start_a_s", pa.float64(), "s", "where the shared sound starts in recording_a", since=_SINCE),
        Column("start_b_s", pa.float64(), "s", "where it starts in recording_b", since=_SINCE),
        Column("shared_s", pa.float64(), "s", "how long it is", since=_SINCE),
        Column("agreement", pa.float64(), "-", "how alike the stretches are, 1 where equal", since=_SINCE),
    ),
    since=_SINCE,
)

ISLANDS = TableSpec(
    "islands",
    "a recording's island: recordings that share sound, directly or through others",
    ("analysis_id", "recording_id"),
    (
        Column("analysis_id", pa.string(), "-", "the audit", since=_SINCE),
        Column("recording_id", pa.string(), "-", "the recording", since=_SINCE),
        Column(
            "island",
            pa.string(),
            "-",
            "the least recording_id of the island; the recording's own where it shares nothing",
            since=_SINCE,
        ),
    ),
    since=_SINCE,
)

CLIPS = TableSpec(
    "clips",
    "a training example: a span of a recording",
    ("clip_id",),
    (
        Column(
            "clip_id",
            pa.string(),
            "-",
            "hash of the analysis, the span and what it was cut for",
            since=_SINCE,
        ),
        Column("analysis_id", pa.string(), "-", "the clips analysis", since=_SINCE),
        Column("recording_id", pa.string(), "-", "the recording", since=_SINCE),
        Column(
            "kind",
            pa.string(),
            "-",
            "motif, motif_segment, random, random_disjoint, window or file",
            since=_SINCE,
        ),
        Column("start_s", pa.float64(), "s", "from the start of the recording", since=_SINCE),
        Column("end_s", pa.float64(), "s", "likewise", since=_SINCE),
        Column(
            "motif_id",
            pa.string(),
            "-",
            "the motif that sounds there, or that a random clip is matched to; null for windows and files",
            nullable=True,
            since=_SINCE,
        ),
        Column(
            "overlaps_motif",
            pa.bool_(),
            "-",
            "whether any occurrence of its mining analysis overlaps it; null where there is none",
            nullable=True,
            since=_SINCE,
        ),
        Column(
            "corpus_id",
            pa.string(),
            "-",
            "with path, the file whose labels it has; null: the labels of its recording",
            nullable=True,
            since=_SINCE,
        ),
        Column("path", pa.string(), "-", "see corpus_id", nullable=True, since=_SINCE),
    ),
    since=_SINCE,
)

SPLITS = TableSpec(
    "splits",
    "a clip's side in one fold of a split",
    ("split_id", "fold", "clip_id"),
    (
        Column("split_id", pa.string(), "-", "the split: an analysis of kind split", since=_SINCE),
        Column("fold", pa.int32(), "-", "0, 1, ...", since=_SINCE),
        Column("clip_id", pa.string(), "-", "the clip", since=_SINCE),
        Column("part", pa.string(), "-", "train, valid or test", since=_SINCE),
        Column("label", pa.string(), "-", "its class: the value of the split's label", since=_SINCE),
        Column(
            "group_key",
            pa.string(),
            "-",
            "what it travels with: an island, a recording, a label's value, ...; its own clip_id in a random split",
            since=_SINCE,
        ),
    ),
    since=_SINCE,
)

RUNS = TableSpec(
    "runs",
    "a model trained and tested on one fold of a split; baselines are runs too",
    ("run_id",),
    (
        Column("run_id", pa.string(), "-", "hash of recipe, split, fold and seed", since=_SINCE),
        Column(
            "experiment",
            pa.string(),
            "-",
            "the experiment it is a cell of, if any",
            nullable=True,
            since=_SINCE,
        ),
        Column("cell", pa.string(), "-", "which cell", nullable=True, since=_SINCE),
        Column("recipe", pa.string(), "-", "name of the recipe", since=_SINCE),
        Column(
            "model", pa.string(), "-", "network, or baseline: majority, look-up, logistic, 1-nn", since=_SINCE
        ),
        Column(
            "front_end",
            pa.string(),
            "-",
            "what it hears: log-mel, mfcc, spectrogram, ...; null where nothing",
            nullable=True,
            since=_SINCE,
        ),
        Column("split_id", pa.string(), "-", "the split", since=_SINCE),
        Column("fold", pa.int32(), "-", "the fold", since=_SINCE),
        Column("seed", pa.int64(), "-", "seed of weights, order and augmentation", since=_SINCE),
        Column("label", pa.string(), "-", "name of the label that is learnt", since=_SINCE),
        Column(
            "classes", pa.list_(pa.string()), "-", "its values, in the order of probabilities", since=_SINCE
        ),
        Column("config", pa.string(), "-", "every parameter, as JSON", since=_SINCE),
        Column("state", pa.string(), "-", "done, or failed", since=_SINCE),
        Column("reason", pa.string(), "-", "why it failed", nullable=True, since=_SINCE),
        Column("leak", pa.string(), "-", "leak report of the fold, as JSON", since=_SINCE),
        Column("parameters", pa.int64(), "-", "trained numbers in the model", nullable=True, since=_SINCE),
        Column("epochs", pa.int32(), "-", "epochs trained", nullable=True, since=_SINCE),
        Column(
            "best_epoch", pa.int32(), "-", "the epoch whose weights were kept", nullable=True, since=_SINCE
        ),
        Column(
            "checkpoint",
            pa.string(),
            "-",
            "folder of weights and configuration, inside the database's folder",
            nullable=True,
            since=_SINCE,
        ),
        Column("device", pa.string(), "-", "what it ran on", since=_SINCE),
        Column("wall_s", pa.float64(), "s", "time it took", since=_SINCE),
        Column("cpu_s", pa.float64(), "s", "processor time it took", since=_SINCE),
        Column("code_version", pa.string(), "-", "of motifdb", since=_SINCE),
        Column("created_at", _TIME, "UTC", "when it ended", since=_SINCE),
    ),
    volatile=("device", "wall_s", "cpu_s", "code_version", "created_at"),
    since=_SINCE,
)

EPOCHS = TableSpec(
    "epochs",
    "an epoch of a run: its learning curve",
    ("run_id", "epoch"),
    (
        Column("run_id", pa.string(), "-", "the run", since=_SINCE),
        Column("epoch", pa.int32(), "-", "1, 2, ...", since=_SINCE),
        Column("train_loss", pa.float64(), "nat", "mean cross-entropy while training", since=_SINCE),
        Column("train_accuracy", pa.float64(), "-", "while training", since=_SINCE),
        Column(
            "valid_loss",
            pa.float64(),
            "nat",
            "after the epoch; null without a part valid",
            nullable=True,
            since=_SINCE,
        ),
        Column("valid_accuracy", pa.float64(), "-", "likewise", nullable=True, since=_SINCE),
        Column("learning_rate", pa.float64(), "-", "of the epoch", since=_SINCE),
        Column("clips", pa.int64(), "-", "clips seen", since=_SINCE),
        Column("wall_s", pa.float64(), "s", "time of training in it", since=_SINCE),
        Column("wait_s", pa.float64(), "s", "of that, waiting for data", since=_SINCE),
    ),
    volatile=("wall_s", "wait_s"),
    since=_SINCE,
)

METRICS = TableSpec(
    "metrics",
    "a figure of a run on one part, with an interval",
    ("run_id", "part", "metric"),
    (
        Column("run_id", pa.string(), "-", "the run", since=_SINCE),
        Column("part", pa.string(), "-", "train, valid or test", since=_SINCE),
        Column(
            "metric",
            pa.string(),
            "-",
            "accuracy, balanced_accuracy, auc, precision, recall, f1 (macro), loss, ...",
            since=_SINCE,
        ),
        Column(
            "value",
            pa.float64(),
            "-",
            "the figure; null where it is not defined",
            nullable=True,
            since=_SINCE,
        ),
        Column("low", pa.float64(), "-", "2.5 % of a bootstrap over groups", nullable=True, since=_SINCE),
        Column("high", pa.float64(), "-", "97.5 % of it", nullable=True, since=_SINCE),
    ),
    since=_SINCE,
)

PREDICTIONS = TableSpec(
    "predictions",
    "what a run says about a clip it was not trained on",
    ("run_id", "clip_id"),
    (
        Column("run_id", pa.string(), "-", "the run", since=_SINCE),
        Column("clip_id", pa.string(), "-", "the clip", since=_SINCE),
        Column("part", pa.string(), "-", "valid or test", since=_SINCE),
        Column("label", pa.string(), "-", "its class", since=_SINCE),
        Column("predicted", pa.string(), "-", "the class with the highest probability", since=_SINCE),
        Column("probabilities", pa.list_(pa.float32()), "-", "in the order of runs.classes", since=_SINCE),
    ),
    since=_SINCE,
)

LEARNING_TABLES = (
    AUDIO,
    FINGERPRINTS,
    AUDIO_LINKS,
    ISLANDS,
    CLIPS,
    SPLITS,
    RUNS,
    EPOCHS,
    METRICS,
    PREDICTIONS,
)
