"""Rules for sound that is kept, links between recordings, clips, splits and runs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from motifdb import ids
from motifdb.query.check.report import Context, Violation

SAMPLE_RATE_HZ = 16_000
BLOCK_SAMPLES = 30 * SAMPLE_RATE_HZ
_DURATION_TOLERANCE_S = 0.1
"""Decoders of lossy formats count their padding differently from one run of blocks to another."""

_BATCH_ROWS = 16


def check_audio(context: Context) -> Iterator[Violation]:
    """Blocks of sound follow each other from 0, are whole samples, and are as long as the recording."""
    parts = []
    for batch in context.snapshot.batches("audio", batch_rows=_BATCH_ROWS):
        n_bytes = pc.binary_length(batch.column("pcm")).fill_null(0).cast(pa.int64())
        names = ["recording_id", "block", "start_sample", "sample_rate_hz"]
        parts.append(
            pa.RecordBatch.from_arrays([*(batch.column(n) for n in names), n_bytes], [*names, "n_bytes"])
        )
    if not parts:
        return
    durations = context.snapshot.table("recordings", ["recording_id", "duration_s"])
    duration_s = dict(zip(*(c.to_pylist() for c in durations.columns), strict=True))
    blocks: dict[str, list[dict[str, Any]]] = {}
    for row in pa.Table.from_batches(parts).to_pylist():
        blocks.setdefault(row["recording_id"], []).append(row)
    for recording, rows in sorted(blocks.items()):
        rows.sort(key=lambda r: r["block"])
        yield from _blocks_of(recording, rows, duration_s.get(recording))


def _blocks_of(recording: str, rows: list[dict[str, Any]], duration_s: float | None) -> Iterator[Violation]:
    for i, row in enumerate(rows):
        n_samples, rest = divmod(row["n_bytes"], 2)
        where = f"recording_id {recording}, block {row['block']}"
        if row["block"] != i or row["start_sample"] != i * BLOCK_SAMPLES:
            yield Violation(
                "audio", "sound", where, f"starts at sample {row['start_sample']}, block {i} belongs here"
            )
            return
        if row["sample_rate_hz"] != SAMPLE_RATE_HZ or rest or n_samples > BLOCK_SAMPLES:
            text = (
                f"{row['n_bytes']} bytes at {row['sample_rate_hz']} Hz are no block of 16 kHz int16 samples"
            )
            yield Violation("audio", "sound", where, text)
            return
        if n_samples < BLOCK_SAMPLES and i + 1 < len(rows):
            yield Violation("audio", "sound", where, f"{n_samples} samples, but it is not the last block")
            return
    kept_s = (rows[-1]["start_sample"] + rows[-1]["n_bytes"] // 2) / SAMPLE_RATE_HZ
    if duration_s is not None and abs(kept_s - duration_s) > _DURATION_TOLERANCE_S:
        text = f"{kept_s:.3f} s of sound are kept, the recording lasts {duration_s:.3f} s"
        yield Violation("audio", "sound", f"recording_id {recording}", text)


def check_fingerprints(context: Context) -> Iterator[Violation]:
    """Anchors ascend in time, and each has a code."""
    for batch in context.snapshot.batches("fingerprints", batch_rows=_BATCH_ROWS):
        for row in zip(
            *(batch.column(n) for n in ("recording_id", "block", "position_samples", "code")), strict=True
        ):
            position = np.asarray(row[2].values, np.float64)
            where = f"recording_id {row[0]}, block {row[1]}"
            if len(position) != len(row[3].values):
                text = f"{len(position)} positions, {len(row[3].values)} codes"
                yield Violation("fingerprints", "fingerprint", where, text)
            elif len(position) and not (np.isfinite(position).all() and (np.diff(position) >= 0).all()):
                yield Violation("fingerprints", "fingerprint", where, "the positions do not ascend")


def check_links(context: Context) -> Iterator[Violation]:
    """Links are between two recordings and lie inside them; an island is what links hold together."""
    if not (context.holds("audio_links") or context.holds("islands")):
        return
    for row in context.rows(
        "select l.*, a.duration_s as a_s, b.duration_s as b_s from audio_links l"
        " left join recordings a on a.recording_id = l.recording_a left join recordings b on b.recording_id = l.recording_b"
        f" where recording_a >= recording_b or agreement not between 0 and 1 or not shared_s >= 0"
        f" or start_a_s < 0 or start_b_s < 0 or start_a_s + shared_s > a.duration_s + {_DURATION_TOLERANCE_S}"
        f" or start_b_s + shared_s > b.duration_s + {_DURATION_TOLERANCE_S} order by 1, 2, 3"
    ):
        where = f"{row['recording_a']} and {row['recording_b']}"
        text = (
            f"{row['shared_s']} s from {row['start_a_s']} s and {row['start_b_s']} s, agreement {row['agreement']},"
            f" cannot be of recordings of {row['a_s']} s and {row['b_s']} s"
        )
        yield Violation("audio_links", "links", where, text)
    for row in context.rows(
        "select l.analysis_id, l.recording_a, l.recording_b, a.island as one, b.island as other from audio_links l"
        " left join islands a on a.analysis_id = l.analysis_id and a.recording_id = l.recording_a"
        " left join islands b on b.analysis_id = l.analysis_id and b.recording_id = l.recording_b"
        " where a.island is distinct from b.island order by 1, 2, 3"
    ):
        text = f"linked, but on the islands {row['one']} and {row['other']}"
        yield Violation("islands", "links", f"{row['recording_a']} and {row['recording_b']}", text)
    for row in context.rows(
        "select analysis_id, island, min(recording_id) as least from islands group by all"
        " having island <> least order by 1, 2"
    ):
        text = f"its least recording is {row['least']}"
        yield Violation("islands", "links", f"island {row['island']}", text)


def check_clips(context: Context) -> Iterator[Violation]:
    """A clip is a span of its recording, its id follows from it, and a clip of a file names the file."""
    if not context.holds("clips"):
        return
    for row in context.rows(
        "select c.*, r.duration_s from clips c left join recordings r using (recording_id)"
        " where not (start_s >= 0 and start_s < end_s)"
        f" or end_s > r.duration_s + {_DURATION_TOLERANCE_S} order by clip_id"
    ):
        text = f"{row['start_s']} to {row['end_s']} s is no span of a recording of {row['duration_s']} s"
        yield Violation("clips", "clip", row["clip_id"], text)
    for row in context.rows(
        "select c.clip_id, c.kind, c.path, f.path as found from clips c left join files f"
        " on f.corpus_id = c.corpus_id and f.path = c.path and f.recording_id = c.recording_id"
        " where (c.kind = 'file') <> (c.path is not null) or (c.path is not null and f.path is null)"
        " or (c.path is null) <> (c.corpus_id is null) order by 1"
    ):
        text = f"a clip of kind {row['kind']} of the file {row['path']}, which is no file of its recording"
        yield Violation("clips", "clip", row["clip_id"], text)
    for batch in context.snapshot.batches("clips", batch_rows=65_536):
        for row in batch.to_pylist():
            text_of = (
                row["analysis_id"],
                row["recording_id"],
                row["kind"],
                repr(row["start_s"]),
                repr(row["end_s"]),
            )
            made = ids.hash_text(*text_of, row["motif_id"] or "", row["corpus_id"] or "", row["path"] or "")
            if made != row["clip_id"]:
                yield Violation("clips", "id", row["clip_id"], f"its span and origin make the id {made}")


def check_splits(context: Context) -> Iterator[Violation]:
    """Nothing that travels together is in test and out of it, unless the split was allowed to leak.

    Between train and valid clips may travel by a finer key, where whole groups would take a class out of train.
    """
    if not context.holds("splits"):
        return
    known = context.load_analyses()
    for row in context.rows(
        "select split_id, fold, group_key, list_sort(list(distinct part)) as parts from splits"
        " group by all having bool_or(part = 'test') and bool_or(part <> 'test') order by 1, 2, 3"
    ):
        split = known.get(row["split_id"])
        if split is not None and any(split.parameters.get(name) for name in ("allow_leak", "as_published")):
            continue
        text = f"the group {row['group_key']} is in {' and in '.join(row['parts'])}"
        yield Violation("splits", "split", f"split {row['split_id']}, fold {row['fold']}", text)
    for row in context.rows(
        "select s.split_id, s.fold, s.clip_id, c.analysis_id, a.parent_id from splits s join clips c using (clip_id)"
        " join analyses a on a.analysis_id = s.split_id where c.analysis_id is distinct from a.parent_id order by all limit 20"
    ):
        text = f"clip {row['clip_id']} is not of the clips {row['parent_id']} that were split"
        yield Violation("splits", "split", f"split {row['split_id']}, fold {row['fold']}", text)


def check_runs(context: Context) -> Iterator[Violation]:
    """What a run says follows from what is stored of it: classes, predictions, accuracy, checkpoint."""
    if not (context.holds("runs") or context.holds("predictions") or context.holds("metrics")):
        return
    for row in context.snapshot.table("runs").to_pylist():
        yield from _run(context, row)
    for row in context.rows(
        "with best as (select p.run_id, p.clip_id, p.predicted, p.probabilities, r.classes, p.label,"
        "   list_max(p.probabilities) as top, list_sum(p.probabilities) as total"
        "   from predictions p join runs r using (run_id))"
        " select run_id, count(*) as n, min(clip_id) as clip_id from best"
        " where len(probabilities) <> len(classes) or not list_contains(classes, predicted) or abs(total - 1) > 1e-3"
        " or list_min(probabilities) < 0 or probabilities[list_position(classes, predicted)] < top"
        " group by run_id order by run_id"
    ):
        text = f"{row['n']} predictions are not the likeliest class of probabilities that add up to 1 (clip {row['clip_id']})"
        yield Violation("predictions", "run", row["run_id"], text)
    for row in context.rows(
        "with counted as (select run_id, part, avg((label = predicted)::int) as accuracy from predictions group by all)"
        " select m.run_id, m.part, m.value, c.accuracy from metrics m join counted c using (run_id, part)"
        " where m.metric = 'accuracy' and not abs(m.value - c.accuracy) < 1e-9 order by all"
    ):
        text = f"accuracy of part {row['part']} is {row['value']}, its predictions make {row['accuracy']}"
        yield Violation("metrics", "run", row["run_id"], text)
    for row in context.rows(
        "select run_id, part, metric, value, low, high from metrics"
        " where low > high or (value is null and low is not null) order by all"
    ):
        text = (
            f"{row['metric']} {row['value']} of {row['part']} with the interval {row['low']} to {row['high']}"
        )
        yield Violation("metrics", "run", row["run_id"], text)


def _run(context: Context, row: dict[str, Any]) -> Iterator[Violation]:
    for name in ("config", "leak"):
        try:
            json.loads(row[name])
        except ValueError:
            yield Violation("runs", "run", row["run_id"], f"{name} is no JSON")
    folder = row["checkpoint"]
    if folder is None:
        return
    path = Path(folder)
    if path.is_absolute() or ".." in path.parts:
        yield Violation("runs", "run", row["run_id"], f"its checkpoint {folder} is not inside the database")
    elif not (context.snapshot.path / path).is_dir():
        yield Violation("runs", "run", row["run_id"], f"its checkpoint {folder} is not there")
