"""Tables of vectors: networks trained without classes, what they make of recordings, clips and occurrences, what that is worth."""

from __future__ import annotations

import pyarrow as pa

from motifdb.schemas.spec import Column, TableSpec

_SINCE = 6
_TIME = pa.timestamp("us")

ENCODERS = TableSpec(
    "encoders",
    "a network trained without classes, to give vectors: on pairs of clips, or on sound and pictures of videos",
    ("encoder_id",),
    (
        Column("encoder_id", pa.string(), "-", "hash of config, data and seed"),
        Column("name", pa.string(), "-", "what it is called: its recipe, unless another name was given"),
        Column("kind", pa.string(), "-", "siamese (pairs of clips) or avc (audio-visual correspondence)"),
        Column("recipe", pa.string(), "-", "name of the recipe"),
        Column("config", pa.string(), "-", "every parameter, as JSON"),
        Column(
            "split_id", pa.string(), "-", "the split whose clips it learnt from; null: videos", nullable=True
        ),
        Column("fold", pa.int32(), "-", "the fold of the split", nullable=True),
        Column("data", pa.string(), "-", "what it learnt from and how much of it, as JSON"),
        Column("seed", pa.int64(), "-", "seed of weights, pairs and augmentation"),
        Column("state", pa.string(), "-", "done, or failed"),
        Column("reason", pa.string(), "-", "why it failed", nullable=True),
        Column("parameters", pa.int64(), "-", "trained numbers in the network", nullable=True),
        Column("n_dims", pa.int32(), "-", "numbers in a vector", nullable=True),
        Column("steps", pa.int64(), "-", "steps trained", nullable=True),
        Column("best_step", pa.int64(), "-", "the step whose weights were kept", nullable=True),
        Column(
            "checkpoint",
            pa.string(),
            "-",
            "folder of weights and configuration, inside the database's folder",
            nullable=True,
        ),
        Column("device", pa.string(), "-", "what it ran on"),
        Column("wall_s", pa.float64(), "s", "time it took"),
        Column("cpu_s", pa.float64(), "s", "processor time it took"),
        Column("code_version", pa.string(), "-", "of motifdb"),
        Column("created_at", _TIME, "UTC", "when it ended"),
    ),
    volatile=("device", "wall_s", "cpu_s", "code_version", "created_at"),
    since=_SINCE,
)

ENCODER_STEPS = TableSpec(
    "encoder_steps",
    "where an encoder's training stood when it was looked at: its learning curve",
    ("encoder_id", "step"),
    (
        Column("encoder_id", pa.string(), "-", "the encoder"),
        Column("step", pa.int64(), "-", "steps taken, from 1"),
        Column("pairs", pa.int64(), "-", "pairs seen"),
        Column("train_loss", pa.float64(), "-", "mean since the last look"),
        Column("valid_loss", pa.float64(), "-", "on the fixed pairs of valid", nullable=True),
        Column("valid_accuracy", pa.float64(), "-", "likewise, where pairs are classified", nullable=True),
        Column("wall_s", pa.float64(), "s", "time since the last look"),
        Column("wait_s", pa.float64(), "s", "of that, waiting for data"),
    ),
    volatile=("wall_s", "wait_s"),
    since=_SINCE,
)

ENCODER_METRICS = TableSpec(
    "encoder_metrics",
    "a figure of an encoder on pairs that it was not trained on, beside what a trivial answer would score",
    ("encoder_id", "part", "metric"),
    (
        Column("encoder_id", pa.string(), "-", "the encoder"),
        Column("part", pa.string(), "-", "valid or test"),
        Column("metric", pa.string(), "-", "loss, accuracy, eer, ..."),
        Column("value", pa.float64(), "-", "the figure; null where it is not defined", nullable=True),
        Column("low", pa.float64(), "-", "2.5 % of a bootstrap", nullable=True),
        Column("high", pa.float64(), "-", "97.5 % of it", nullable=True),
        Column(
            "trivial",
            pa.float64(),
            "-",
            "what one point for everything (loss) or a guess (accuracy, eer) scores on the same pairs",
            nullable=True,
        ),
    ),
    since=_SINCE,
)

EMBEDDINGS = TableSpec(
    "embeddings",
    "the vector that a model gives a recording, a clip, or a place where a motif sounds",
    ("embedding_id",),
    (
        Column(
            "embedding_id",
            pa.string(),
            "-",
            "hash of the analysis, the target, its span and its clip or motif",
        ),
        Column("analysis_id", pa.string(), "-", "the embeddings analysis: model, what it was given, layer"),
        Column("target", pa.string(), "-", "recording, clip or occurrence"),
        Column("recording_id", pa.string(), "-", "the recording"),
        Column("start_s", pa.float64(), "s", "of the sound that was heard, from the start of the recording"),
        Column("end_s", pa.float64(), "s", "likewise"),
        Column("clip_id", pa.string(), "-", "the clip, where clips were embedded", nullable=True),
        Column("motif_id", pa.string(), "-", "the motif, where occurrences were embedded", nullable=True),
        Column("vector", pa.list_(pa.float32()), "-", "as many numbers for every row of an analysis"),
    ),
    since=_SINCE,
)

EMBEDDING_METRICS = TableSpec(
    "embedding_metrics",
    "what vectors are worth: how well neighbours share a label, how well pairs are told, beside chance",
    ("analysis_id", "protocol", "metric"),
    (
        Column("analysis_id", pa.string(), "-", "the embeddings analysis"),
        Column(
            "protocol",
            pa.string(),
            "-",
            "what was asked of which vectors, such as 'singer, leave one out, other works only'",
        ),
        Column("metric", pa.string(), "-", "knn_1, knn_3, ..., eer, map, ..."),
        Column("value", pa.float64(), "-", "the figure; null where it is not defined", nullable=True),
        Column("low", pa.float64(), "-", "2.5 % of a bootstrap over groups", nullable=True),
        Column("high", pa.float64(), "-", "97.5 % of it", nullable=True),
        Column("chance", pa.float64(), "-", "what a guess scores", nullable=True),
        Column("n", pa.int64(), "-", "questions it is a mean of"),
        Column("about", pa.string(), "-", "labels, groups, pairs and seed it was computed with, as JSON"),
    ),
    since=_SINCE,
)

VECTOR_TABLES = (ENCODERS, ENCODER_STEPS, ENCODER_METRICS, EMBEDDINGS, EMBEDDING_METRICS)
"""In the order of the database's tables: at the end."""
