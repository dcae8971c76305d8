"""Rules for encoders, for vectors and for the figures of both."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from motifdb import ids
from motifdb.query.check.arrays import flat, lengths, starts
from motifdb.query.check.report import Analysis, Context, Violation

_DURATION_TOLERANCE_S = 0.1
"""Decoders of lossy formats count their padding differently from one run of blocks to another."""
_BATCH_ROWS = 8_192
PARENT_KIND = {"recording": None, "clip": "clips", "occurrence": "mining"}
"""By target, what the analysis of vectors stands on."""


def check_encoders(context: Context) -> Iterator[Violation]:
    """An encoder's id follows from what it was made of; curve, figures and checkpoint are those of one that is done."""
    if not context.holds("encoders"):
        return
    for row in context.snapshot.table("encoders").to_pylist():
        yield from _encoder(context, row)
    for row in context.rows(
        "select s.encoder_id, s.step, s.pairs, e.steps, e.best_step,"
        " s.pairs < lag(s.pairs) over (partition by s.encoder_id order by s.step) as is_back"
        " from encoder_steps s join encoders e using (encoder_id)"
        " qualify s.step < 1 or s.pairs < 0 or is_back or s.step > e.steps order by 1, 2"
    ):
        text = f"step {row['step']} after {row['pairs']} pairs cannot be one of {row['steps']} steps of its curve"
        yield Violation("encoder_steps", "encoder", row["encoder_id"], text)
    for row in context.rows(
        "select encoder_id, part, metric, value, low, high from encoder_metrics"
        " where low > high or (value is null and low is not null) order by all"
    ):
        text = (
            f"{row['metric']} {row['value']} of {row['part']} with the interval {row['low']} to {row['high']}"
        )
        yield Violation("encoder_metrics", "encoder", row["encoder_id"], text)


def _encoder(context: Context, row: dict[str, Any]) -> Iterator[Violation]:
    name = row["encoder_id"]
    for column in ("config", "data"):
        if not _is_object(row[column]):
            yield Violation("encoders", "encoder", name, f"{column} is no JSON object")
            return
    of = f"{row['split_id']}/{row['fold']}"
    made = ids.hash_text(row["kind"], row["config"], row["data"], of, str(row["seed"]))
    if made != name:
        yield Violation("encoders", "id", name, f"its configuration, data and seed make the id {made}")
    is_done = row["state"] == "done"
    if is_done == (row["reason"] is not None):
        yield Violation(
            "encoders", "encoder", name, f"the state is {row['state']}, the reason {row['reason']!r}"
        )
    if not is_done:
        return
    if not (row["n_dims"] or 0) >= 1 or row["checkpoint"] is None:
        text = f"done, with vectors of {row['n_dims']} numbers and the checkpoint {row['checkpoint']}"
        yield Violation("encoders", "encoder", name, text)
    if None not in (row["steps"], row["best_step"]) and not 0 <= row["best_step"] <= row["steps"]:
        text = f"its best step is {row['best_step']} of {row['steps']}"
        yield Violation("encoders", "encoder", name, text)
    folder = row["checkpoint"]
    if folder is not None:
        path = Path(folder)
        if path.is_absolute() or ".." in path.parts:
            yield Violation(
                "encoders", "encoder", name, f"its checkpoint {folder} is not inside the database"
            )
        elif not (context.snapshot.path / path).is_dir():
            yield Violation("encoders", "encoder", name, f"its checkpoint {folder} is not there")


def check_vectors(context: Context) -> Iterator[Violation]:
    """Vectors of one analysis are finite and of one size, and each is of what its analysis embeds."""
    known = {a.analysis_id: a for a in context.load_analyses().values() if a.kind == "embeddings"}
    for analysis in known.values():
        yield from _analysis(context, analysis)
    if not context.holds("embeddings"):
        return
    yield from _numbers(context, known)
    yield from _targets(context)


def _analysis(context: Context, analysis: Analysis) -> Iterator[Violation]:
    """An analysis of vectors says what it embeds, and stands on the analysis of it."""
    target, name = analysis.parameters.get("target"), analysis.analysis_id
    if target not in PARENT_KIND:
        text = f"the parameters name no target of vectors, but {target!r}"
        yield Violation("analyses", "value", name, text)
        return
    n_dims = analysis.parameters.get("n_dims")
    if not isinstance(n_dims, int) or n_dims < 1:
        yield Violation("analyses", "value", name, f"n_dims is {n_dims!r}; vectors have 1 number or more")
    parent = context.load_analyses().get(analysis.parent_id or "")
    wanted = PARENT_KIND[target]
    found = None if analysis.parent_id is None else (parent.kind if parent is not None else wanted)
    if found != wanted:
        text = f"vectors of {target}s need {wanted or 'no'} analysis as parent, not {found or 'none'}"
        yield Violation("analyses", "reference", name, text)


def _numbers(context: Context, known: dict[str, Analysis]) -> Iterator[Violation]:
    """Ids, sizes and numbers, read batch by batch."""
    n_told: dict[tuple[str, str], int] = {}
    for batch in context.snapshot.batches("embeddings", batch_rows=_BATCH_ROWS):
        column = pa.chunked_array([batch.column("vector")])
        sizes, values = lengths(column), flat(column, np.float32)
        at = starts(sizes)
        is_bad = np.concatenate([[0], np.cumsum(~np.isfinite(values))])
        n_bad = is_bad[at[1:]] - is_bad[at[:-1]]
        names = [n for n in batch.schema.names if n != "vector"]
        for row, size, n in zip(batch.select(names).to_pylist(), sizes.tolist(), n_bad.tolist(), strict=True):
            analysis = known.get(row["analysis_id"])
            for rule, text in _of_row(row, size, n, analysis):
                key = (row["analysis_id"], rule)
                n_told[key] = n_told.get(key, 0) + 1
                if n_told[key] <= 20:  # a table of vectors may be wrong a million times
                    yield Violation("embeddings", rule, row["embedding_id"], text)


def _of_row(
    row: dict[str, Any], size: int, n_bad: int, analysis: Analysis | None
) -> Iterator[tuple[str, str]]:
    of = row["clip_id"] if row["target"] == "clip" else row["motif_id"]
    made = ids.embedding_id(
        row["analysis_id"], row["target"], row["recording_id"], row["start_s"], row["end_s"], of
    )
    if made != row["embedding_id"]:
        yield "id", f"its analysis, target and span make the id {made}"
    if (row["clip_id"] is not None) != (row["target"] == "clip") or (row["motif_id"] is not None) != (
        row["target"] == "occurrence"
    ):
        yield "vector", f"a {row['target']} with the clip {row['clip_id']} and the motif {row['motif_id']}"
    if n_bad:
        yield "vector", f"{n_bad} of its {size} numbers are none (infinite, or not a number)"
    if analysis is None:
        return  # reported by the rule reference
    if size != analysis.parameters.get("n_dims"):
        yield "vector", f"{size} numbers, its analysis has vectors of {analysis.parameters.get('n_dims')}"
    if row["target"] != analysis.parameters.get("target"):
        yield "vector", f"a {row['target']}, its analysis embeds {analysis.parameters.get('target')}s"


def _targets(context: Context) -> Iterator[Violation]:
    """What was heard is what there is: the whole recording, the clip, a place where the motif sounds."""
    near = f"{_DURATION_TOLERANCE_S}"
    queries = {
        "recording": (
            ("recordings",),
            "select e.embedding_id, e.start_s, e.end_s, 'its recording lasts ' || r.duration_s || ' s' as instead"
            " from embeddings e join recordings r using (recording_id) where e.target = 'recording'"
            f" and (e.start_s <> 0 or not abs(e.end_s - r.duration_s) <= {near})",
        ),
        "clip": (
            ("clips", "analyses"),
            "select e.embedding_id, e.start_s, e.end_s, 'its clip is ' || c.start_s || ' to ' || c.end_s || ' s of'"
            " || ' recording ' || c.recording_id || ' in the clips ' || c.analysis_id as instead"
            " from embeddings e join clips c using (clip_id) join analyses a on a.analysis_id = e.analysis_id"
            " where e.target = 'clip' and (c.recording_id <> e.recording_id or c.start_s <> e.start_s"
            " or c.end_s <> e.end_s or c.analysis_id is distinct from a.parent_id)",
        ),
        "occurrence": (
            ("occurrences", "motifs", "analyses"),
            "select e.embedding_id, e.start_s, e.end_s, 'its motif does not sound there' as instead from embeddings e"
            " where e.target = 'occurrence' and not exists (select 1 from occurrences o join motifs m using (motif_id)"
            " join analyses a on a.parent_id = m.analysis_id where a.analysis_id = e.analysis_id"
            " and o.motif_id = e.motif_id and o.recording_id = e.recording_id and o.start_s = e.start_s"
            " and o.end_s = e.end_s)",
        ),
    }
    for target, (needed, query) in queries.items():
        if not context.can_read(*needed):
            continue
        for row in context.rows(f"{query} order by 1 limit 20"):
            text = f"a {target} from {row['start_s']} to {row['end_s']} s; {row['instead']}"
            yield Violation("embeddings", "vector", row["embedding_id"], text)


def check_vector_figures(context: Context) -> Iterator[Violation]:
    """A figure of vectors has vectors that it is of, an interval in order, and says what it was computed with."""
    if not context.holds("embedding_metrics"):
        return
    for row in context.rows(
        "select m.analysis_id, m.protocol, m.metric, m.value, m.low, m.high, m.n, m.about,"
        " not exists (select 1 from embeddings e where e.analysis_id = m.analysis_id) as is_bare"
        " from embedding_metrics m order by 1, 2, 3"
    ):
        where = f"{row['analysis_id']}, {row['protocol']}, {row['metric']}"
        low, high = row["low"], row["high"]
        if (low is not None and high is not None and low > high) or (
            row["value"] is None and low is not None
        ):
            text = f"{row['metric']} {row['value']} with the interval {low} to {high}"
            yield Violation("embedding_metrics", "vector", where, text)
        if row["n"] < 0 or not _is_object(row["about"]):
            text = f"a mean of {row['n']} questions, computed with {row['about']!r}"
            yield Violation("embedding_metrics", "vector", where, text)
        if row["is_bare"]:
            yield Violation("embedding_metrics", "vector", where, "its analysis has no vectors")


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (TypeError, ValueError):
        return False
