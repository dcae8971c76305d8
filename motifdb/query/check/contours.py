"""Rules for phrases: ids, segments that follow each other, symbols that are those of the levels."""

from __future__ import annotations

from collections.abc import Generator, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from motifdb import ids
from motifdb.query.check.report import Context, Violation

_TIME_TOLERANCE_S = 1e-9
_HALF_MILLICENTS = 2000
"""Levels are midpoints of whole thousandths of a cent: whole numbers of half a thousandth."""


def check_contours(context: Context) -> Iterator[Violation]:
    """Every phrase while it is read, then the order of a recording's phrases."""
    for batch in context.snapshot.batches("contours", batch_rows=8192):
        yield from _ids(batch)
        is_whole = yield from _segments(batch)
        yield from _symbols(context, batch, is_whole)
    query = """
        select recording_id, analysis_id, phrase, phrase_id, start_s, before_s, expected from (
            select *, lag(end_s) over w as before_s, row_number() over w - 1 as expected
            from contours window w as (partition by recording_id, analysis_id order by phrase))
        where phrase <> expected or start_s < before_s - 1e-9 order by 1, 2, 3"""
    columns = "recording_id, analysis_id, phrase, phrase_id, start_s, end_s"
    for row in context.rows(query.replace("from contours", f"from (select {columns} from contours)")):
        if row["phrase"] != row["expected"]:
            text = f"phrase number {row['phrase']}, expected {row['expected']}"
        else:
            text = f"starts at {row['start_s']} s, before the phrase before it ends ({row['before_s']} s)"
        yield Violation("contours", "phrases", f"phrase_id {row['phrase_id']}", text)


def _ids(batch: pa.RecordBatch) -> Iterator[Violation]:
    names = ("phrase_id", "analysis_id", "recording_id", "phrase")
    for phrase_id, analysis, recording, phrase in zip(
        *(batch.column(n).to_pylist() for n in names), strict=True
    ):
        if (
            analysis is not None
            and recording is not None
            and phrase_id != ids.phrase_id(analysis, recording, phrase)
        ):
            text = f"this is not the id of phrase {phrase} of recording {recording} in analysis {analysis}"
            yield Violation("contours", "id", f"phrase_id {phrase_id}", text)


def _segments(batch: pa.RecordBatch) -> Generator[Violation, None, NDArray[np.bool_]]:
    """Report phrases whose lists do not fit; return which ones do."""
    n_symbols = _lengths(batch, "symbols")
    lengths = {n: _lengths(batch, n) for n in ("segment_start_s", "segment_end_s", "segment_cents")}
    fits = n_symbols >= 1
    for n in lengths.values():
        fits &= n == n_symbols + 1
    for i in np.flatnonzero(~fits).tolist():
        counts = ", ".join(f"{n[i]} {name}" for name, n in lengths.items())
        yield _violation(
            batch, i, "segments", f"{n_symbols[i]} symbols with {counts}; expected one more of each"
        )
    part = batch.filter(pa.array(fits))
    if part.num_rows:
        rows = np.flatnonzero(fits)
        bad = _badly_placed(part)
        for i in np.flatnonzero(bad).tolist():
            text = "times must ascend, and start_s, end_s be those of the first and last segment"
            yield _violation(part, i, "segments", text)
        fits[rows[bad]] = False
    return fits


def _badly_placed(part: pa.RecordBatch) -> NDArray[np.bool_]:
    start, end, cents = (_values(part, n) for n in ("segment_start_s", "segment_end_s", "segment_cents"))
    n = _lengths(part, "segment_start_s")
    last = np.cumsum(n) - 1
    first = last - n + 1
    follows = np.ones(len(start), bool)
    follows[1:] = start[1:] >= end[:-1] - _TIME_TOLERANCE_S
    follows[first] = True
    good = np.isfinite(start) & np.isfinite(end) & np.isfinite(cents) & (start < end) & follows
    n_bad = np.add.reduceat(~good, first)
    starts = part.column("start_s").to_numpy(zero_copy_only=False)
    ends = part.column("end_s").to_numpy(zero_copy_only=False)
    bad: NDArray[np.bool_] = (n_bad > 0) | (starts != start[first]) | (ends != end[last])
    return bad


def _symbols(context: Context, batch: pa.RecordBatch, is_whole: NDArray[np.bool_]) -> Iterator[Violation]:
    from motifdb.kernels.segments import class_limits

    analyses = context.load_analyses()
    part = batch.filter(pa.array(is_whole))
    for analysis_id in pc.unique(part.column("analysis_id")).to_pylist():
        config = analyses[analysis_id].contour if analysis_id in analyses else None
        if config is None:
            continue
        rows = part.filter(pc.equal(part.column("analysis_id"), analysis_id))
        level = np.rint(_values(rows, "segment_cents") * _HALF_MILLICENTS).astype(np.int64)
        n = _lengths(rows, "segment_cents")
        step = np.delete(np.diff(level), np.cumsum(n)[:-1] - 1)
        limits = class_limits(config.bounds_cents, config.bounds_closed)
        size = 1 + np.searchsorted(limits, np.abs(step), side="left")
        is_wrong = np.where(step >= 0, size, -size) != _values(rows, "symbols")
        n_wrong = np.add.reduceat(is_wrong, np.concatenate([[0], np.cumsum(n - 1)[:-1]]).astype(np.int64))
        for i in np.flatnonzero(n_wrong).tolist():
            yield _violation(
                rows, i, "symbols", f"{n_wrong[i]} symbols are not those of the segments' levels"
            )


def _violation(batch: pa.RecordBatch, i: int, rule: str, text: str) -> Violation:
    return Violation("contours", rule, f"phrase_id {batch.column('phrase_id')[i].as_py()}", text)


def _lengths(batch: pa.RecordBatch, name: str) -> NDArray[np.int64]:
    lengths: NDArray[np.int64] = (
        pc.list_value_length(batch.column(name)).fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
    )
    return lengths


def _values(batch: pa.RecordBatch, name: str) -> NDArray[np.float64]:
    """A list column's values one after the other; a null element becomes NaN, or 0 among symbols."""
    values = batch.column(name).flatten()
    if values.null_count:
        values = values.fill_null(0 if pa.types.is_integer(values.type) else float("nan"))
    array: NDArray[np.float64] = values.to_numpy(zero_copy_only=False)
    return array
