"""Rules for f0: blocks that follow each other on one grid, frames that can be."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from motifdb.query.check.report import Context, Violation

MAX_FRAMES = 65_536
_TIME_TOLERANCE_S = 1e-6
"""Starts are multiples of the hop, computed in floats; a frame is a thousand times longer."""

_BATCH_ROWS = 64


def check_pitch(context: Context) -> Iterator[Violation]:
    """Every block by itself while it is read, then how the blocks of a track fit together."""
    n_frames: dict[tuple[str, str], int] = {}
    kept: list[pa.RecordBatch] = []
    for batch in context.snapshot.batches("pitch", batch_rows=_BATCH_ROWS):
        yield from _frames(batch)
        lengths = pc.list_value_length(batch.column("f0_hz")).fill_null(0).cast(pa.int64())
        names = ["recording_id", "analysis_id", "block", "hop_s", "start_s"]
        columns = [*(batch.column(n) for n in names), lengths]
        kept.append(pa.RecordBatch.from_arrays(columns, names=[*names, "n_frames"]))
    if kept:
        table = pa.Table.from_batches(kept).sort_by(
            [("recording_id", "ascending"), ("analysis_id", "ascending"), ("block", "ascending")]
        )
        yield from _blocks(table, n_frames)
    yield from _agreements(context, n_frames)


def _frames(batch: pa.RecordBatch) -> Iterator[Violation]:
    f0_lengths, f0 = _lists(batch.column("f0_hz"))
    confidence_lengths, confidence = _lists(batch.column("confidence"))
    bad_f0 = ~(np.isfinite(f0) & (f0 >= 0))
    bad_confidence = ~(np.isfinite(confidence) & (confidence >= 0) & (confidence <= 1))
    n_bad_f0, n_bad_confidence = _per_row(bad_f0, f0_lengths), _per_row(bad_confidence, confidence_lengths)
    is_odd = (confidence_lengths != 0) & (confidence_lengths != f0_lengths)
    for i in np.flatnonzero(
        (n_bad_f0 > 0) | (n_bad_confidence > 0) | is_odd | (f0_lengths > MAX_FRAMES)
    ).tolist():
        where = _where(*(batch.column(n)[i].as_py() for n in ("recording_id", "analysis_id", "block")))
        if n_bad_f0[i]:
            yield Violation(
                "pitch", "frames", where, f"{n_bad_f0[i]} frames with a negative, infinite or no frequency"
            )
        if n_bad_confidence[i]:
            yield Violation(
                "pitch", "frames", where, f"{n_bad_confidence[i]} confidences that are not between 0 and 1"
            )
        if is_odd[i]:
            text = f"{confidence_lengths[i]} confidences for {f0_lengths[i]} frames"
            yield Violation("pitch", "frames", where, text)
        if f0_lengths[i] > MAX_FRAMES:
            yield Violation(
                "pitch", "frames", where, f"{f0_lengths[i]} frames in one block, more than {MAX_FRAMES}"
            )


def _blocks(table: pa.Table, n_frames: dict[tuple[str, str], int]) -> Iterator[Violation]:
    before: tuple[str, str] | None = None
    block, hop_s, end_s = 0, 0.0, 0.0
    for batch in table.to_batches():
        for row in batch.to_pylist():
            track = (row["recording_id"], row["analysis_id"])
            where = _where(*track, row["block"])
            is_first = track != before
            expected = 0 if is_first else block + 1
            if row["block"] != expected:
                yield Violation("pitch", "blocks", where, f"expected block {expected} here")
            elif not (np.isfinite(row["hop_s"]) and row["hop_s"] > 0 and np.isfinite(row["start_s"])):
                yield Violation(
                    "pitch", "blocks", where, f"hop {row['hop_s']} s, start {row['start_s']} s cannot be"
                )
            elif not is_first and row["hop_s"] != hop_s:
                yield Violation(
                    "pitch", "blocks", where, f"the hop is {row['hop_s']} s, in the block before {hop_s} s"
                )
            elif not is_first and abs(row["start_s"] - end_s) > _TIME_TOLERANCE_S:
                text = f"starts at {row['start_s']} s, the block before ends at {end_s} s"
                yield Violation("pitch", "blocks", where, text)
            before, block, hop_s = track, row["block"], row["hop_s"]
            end_s = row["start_s"] + row["n_frames"] * hop_s
            n_frames[track] = n_frames.get(track, 0) + row["n_frames"]


def _agreements(context: Context, n_frames: dict[tuple[str, str], int]) -> Iterator[Violation]:
    for batch in context.snapshot.batches("pitch_agreement"):
        for row in batch.to_pylist():
            a, b = row["analysis_a"], row["analysis_b"]
            where = f"recording_id {row['recording_id']}, analyses {a} and {b}"
            shares = [row[n] for n in ("agreement", "voicing_agreement") if row[n] is not None]
            expected = n_frames.get((row["recording_id"], a))
            if a >= b:
                yield Violation("pitch_agreement", "agreement", where, "the smaller id comes first")
            if not all(0 <= share <= 1 for share in shares):
                yield Violation(
                    "pitch_agreement", "agreement", where, f"shares must lie between 0 and 1, got {shares}"
                )
            if expected is not None and row["n_frames"] != expected:
                text = f"{row['n_frames']} frames compared, analysis_a has {expected}"
                yield Violation("pitch_agreement", "agreement", where, text)


def _lists(column: pa.ListArray) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Lengths and values of a list column; a null element becomes NaN."""
    lengths = pc.list_value_length(column).fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
    values = column.flatten()
    if values.null_count:
        values = values.fill_null(float("nan"))
    return lengths, values.to_numpy(zero_copy_only=False)


def _per_row(flags: NDArray[np.bool_], lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many flags are set in each row's part."""
    sums = np.concatenate([[0], np.cumsum(flags)]).astype(np.int64)
    ends = np.cumsum(lengths)
    result: NDArray[np.int64] = sums[ends] - sums[ends - lengths]
    return result


def _where(recording_id: str, analysis_id: str, block: int) -> str:
    return f"recording_id {recording_id}, analysis_id {analysis_id}, block {block}"
