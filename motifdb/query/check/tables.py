"""Rules that need no look into lists: columns, keys, references, values, ids, states, coverage."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from motifdb import ids
from motifdb.query.check.report import Context, Violation
from motifdb.schemas import TABLES

VALUES: dict[tuple[str, str], tuple[str, ...]] = {
    ("files", "state"): ("input", "skipped", "reference", "failed"),
    ("recordings", "kind"): ("audio", "f0"),
    ("analyses", "kind"): (
        "pitch",
        "contour",
        "mining",
        "counts",
        "families",
        "stability",
        "fingerprint",
        "audit",
        "clips",
        "split",
        "embeddings",
    ),
    ("coverage", "state"): ("done", "empty", "failed"),
    ("audio_links", "kind"): ("same-audio", "near", "overlap"),
    ("clips", "kind"): ("motif", "motif_segment", "random", "random_disjoint", "window", "file"),
    ("splits", "part"): ("train", "valid", "test"),
    ("runs", "state"): ("done", "failed"),
    ("metrics", "part"): ("train", "valid", "test"),
    ("predictions", "part"): ("valid", "test"),
    ("encoders", "kind"): ("siamese", "avc"),
    ("encoders", "state"): ("done", "failed"),
    ("encoder_metrics", "part"): ("valid", "test"),
    ("embeddings", "target"): ("recording", "clip", "occurrence"),
}
"""Columns that hold one of a few words."""

PARENT_KIND = {
    "pitch": None,
    "contour": "pitch",
    "mining": "contour",
    "counts": "mining",
    "stability": "mining",
    "fingerprint": None,
    "audit": "fingerprint",
    "split": "clips",
}
"""What kind of analysis another one reads."""

REFERENCES: tuple[tuple[str, str, str, str, str], ...] = (
    ("files", "corpus_id", "corpora", "corpus_id", "true"),
    ("files", "recording_id", "recordings", "recording_id", "true"),
    ("failures", "corpus_id", "corpora", "corpus_id", "true"),
    ("failures", "analysis_id", "analyses", "analysis_id", "true"),
    ("analyses", "parent_id", "analyses", "analysis_id", "true"),
    ("coverage", "analysis_id", "analyses", "analysis_id", "true"),
    ("pitch", "recording_id", "recordings", "recording_id", "true"),
    ("pitch_agreement", "recording_id", "recordings", "recording_id", "true"),
    ("contours", "recording_id", "recordings", "recording_id", "true"),
    ("motifs", "scope_key", "recordings", "recording_id", "x.scope = 'recording'"),
    ("pattern_counts", "recording_id", "recordings", "recording_id", "true"),
    ("families", "scope_key", "recordings", "recording_id", "x.scope = 'recording'"),
    ("family_members", "family_id", "families", "family_id", "true"),
    ("family_members", "recording_id", "recordings", "recording_id", "true"),
    ("occurrences", "recording_id", "recordings", "recording_id", "true"),
    ("occurrences", "motif_id", "motifs", "motif_id", "true"),
    ("occurrences", "phrase_id", "contours", "phrase_id", "true"),
    ("audio", "recording_id", "recordings", "recording_id", "true"),
    ("fingerprints", "recording_id", "recordings", "recording_id", "true"),
    ("audio_links", "recording_a", "recordings", "recording_id", "true"),
    ("audio_links", "recording_b", "recordings", "recording_id", "true"),
    ("islands", "recording_id", "recordings", "recording_id", "true"),
    ("clips", "recording_id", "recordings", "recording_id", "true"),
    ("clips", "motif_id", "motifs", "motif_id", "true"),
    ("splits", "clip_id", "clips", "clip_id", "true"),
    ("epochs", "run_id", "runs", "run_id", "true"),
    ("metrics", "run_id", "runs", "run_id", "true"),
    ("predictions", "run_id", "runs", "run_id", "true"),
    ("predictions", "clip_id", "clips", "clip_id", "true"),
    ("encoder_steps", "encoder_id", "encoders", "encoder_id", "true"),
    ("encoder_metrics", "encoder_id", "encoders", "encoder_id", "true"),
    ("embeddings", "recording_id", "recordings", "recording_id", "true"),
    ("embeddings", "clip_id", "clips", "clip_id", "true"),
    ("embeddings", "motif_id", "motifs", "motif_id", "true"),
)
"""(table, column, table it points into, its column, rows that must): nulls point nowhere."""

OF_KIND = {
    ("pitch", "analysis_id"): "pitch",
    ("pitch_agreement", "analysis_a"): "pitch",
    ("pitch_agreement", "analysis_b"): "pitch",
    ("contours", "analysis_id"): "contour",
    ("motifs", "analysis_id"): "mining",
    ("pattern_counts", "analysis_id"): "mining",
    ("families", "analysis_id"): "families",
    ("fingerprints", "analysis_id"): "fingerprint",
    ("audio_links", "analysis_id"): "audit",
    ("islands", "analysis_id"): "audit",
    ("clips", "analysis_id"): "clips",
    ("splits", "split_id"): "split",
    ("runs", "split_id"): "split",
    ("encoders", "split_id"): "split",
    ("embeddings", "analysis_id"): "embeddings",
    ("embedding_metrics", "analysis_id"): "embeddings",
}
"""Columns that name an analysis, and of which kind it must be."""


def check_columns(context: Context) -> Iterator[Violation]:
    """Types as declared, and no null where none may be, inside lists included."""
    for name, spec in TABLES.items():
        if name not in context.snapshot.versions or name in context.damaged:
            continue
        stored = {f.name: f.type for f in context.snapshot.dataset(name).schema}
        nullable = set()
        for column in spec.columns:
            found = stored.get(column.name)
            if found is None:
                nullable.add(column.name)
                if column.since <= context.snapshot.format_version:
                    yield Violation(name, "schema", column.name, f"expected {column.type}, got nothing")
            elif found != column.type:
                yield Violation(name, "schema", column.name, f"expected {column.type}, got {found}")
        if not context.holds(name):
            continue
        must = [c.name for c in spec.columns if c.sql and not c.nullable and c.name not in nullable]
        counts = ", ".join(f'count(*) filter ("{c}" is null) as "{c}"' for c in must)
        for column_name, n in next(context.rows(f"select {counts} from {name}")).items():
            if n:
                yield Violation(
                    name, "null", column_name, f"{n} null{'s' if n > 1 else ''} where none may be"
                )


def check_keys(context: Context) -> Iterator[Violation]:
    """No two rows of a table have one key."""
    for name, spec in TABLES.items():
        if not context.holds(name):
            continue
        keys = ", ".join(spec.key)
        query = f"select {keys}, count(*) as n_rows from {name} group by {keys} having count(*) > 1 order by {keys}"
        for row in context.rows(query):
            n = row.pop("n_rows")
            yield Violation(name, "key", _where(row), f"{n} rows have this key")


def check_references(context: Context) -> Iterator[Violation]:
    """What a row refers to is there."""
    for table, column, target, target_column, condition in REFERENCES:
        if not context.can_read(table, target) or not context.holds(table):
            continue
        query = (
            f"select x.{column} as value, count(*) as n_rows from {table} x where x.{column} is not null and {condition}"
            f" and not exists (select 1 from {target} y where y.{target_column} = x.{column})"
            " group by 1 order by 1"
        )
        for row in context.rows(query):
            text = f"{row['n_rows']} row{'s' * (row['n_rows'] > 1)} with a {column} that is not in {target}"
            yield Violation(table, "reference", f"{column} {row['value']}", text)
    for (table, column), kind in OF_KIND.items():
        if not context.can_read(table, "analyses") or not context.holds(table):
            continue
        query = (
            f"select x.{column} as value, any_value(a.kind) as kind, count(*) as n_rows from {table} x"
            f" left join analyses a on a.analysis_id = x.{column}"
            f" where x.{column} is not null and a.kind is distinct from '{kind}' group by 1 order by 1"
        )
        for row in context.rows(query):
            found = f"is a {row['kind']} analysis" if row["kind"] else "is not in analyses"
            text = (
                f"expected a {kind} analysis, this {found} ({row['n_rows']} row{'s' * (row['n_rows'] > 1)})"
            )
            yield Violation(table, "reference", f"{column} {row['value']}", text)


def check_values(context: Context) -> Iterator[Violation]:
    """Words that are one of a few, and ids that follow from what they stand for."""
    for (table, column), valid in VALUES.items():
        if not context.holds(table):
            continue
        words = ", ".join(f"'{v}'" for v in valid)
        query = f"select {column} as value, count(*) as n_rows from {table} where {column} not in ({words}) group by 1 order by 1"
        for row in context.rows(query):
            text = f"{row['value']!r} in {row['n_rows']} row{'s' * (row['n_rows'] > 1)}; expected {', '.join(valid)}"
            yield Violation(table, "value", column, text)
    for table, rule in (("corpora", _corpora), ("analyses", _analyses), ("recordings", _recordings)):
        if table not in context.damaged:
            yield from rule(context)


def _corpora(context: Context) -> Iterator[Violation]:
    for row in context.rows("select corpus_id, name from corpora"):
        if row["corpus_id"] != ids.hash_text("corpus", row["name"]):
            yield Violation(
                "corpora", "id", row["corpus_id"], f"this is not the id of corpus {row['name']!r}"
            )


def _recordings(context: Context) -> Iterator[Violation]:
    for row in context.rows(
        "select recording_id, duration_s, peak, clipped_share from recordings where not isfinite(duration_s)"
        " or duration_s < 0 or clipped_share not between 0 and 1 or peak < 0"
    ):
        text = f"duration {row['duration_s']} s, peak {row['peak']}, clipped share {row['clipped_share']} cannot be"
        yield Violation("recordings", "value", row["recording_id"], text)


def _analyses(context: Context) -> Iterator[Violation]:
    known = context.load_analyses()
    for row in context.snapshot.table("analyses").to_pylist():
        name = row["analysis_id"]
        if name not in known:
            yield Violation("analyses", "value", name, "the parameters are no JSON object")
            continue
        analysis = known[name]
        expected = ids.analysis_id(row["kind"], row["stage_version"], analysis.parameters, row["parent_id"])
        if ids.canonical_json(json.loads(row["parameters"])) != row["parameters"]:
            yield Violation("analyses", "value", name, "the parameters are not in canonical form")
        elif name != expected:
            yield Violation(
                "analyses", "id", name, f"its stage, parameters and parent make the id {expected}"
            )
        if (analysis.kind == "contour" and analysis.contour is None) or (
            analysis.kind == "mining" and analysis.mining is None
        ):
            yield Violation(
                "analyses", "value", name, f"the parameters cannot be those of a {analysis.kind} analysis"
            )
        parent = known.get(row["parent_id"] or "")
        wanted = PARENT_KIND.get(analysis.kind)
        if analysis.kind == "families":
            wanted = "mining" if analysis.parameters.get("source") == "motifs" else "pitch"
        if wanted is None and row["parent_id"] is not None and analysis.kind in PARENT_KIND:
            yield Violation("analyses", "reference", name, f"a {analysis.kind} analysis has no parent")
        if wanted is not None and row["parent_id"] is None:
            yield Violation(
                "analyses",
                "reference",
                name,
                f"a {analysis.kind} analysis needs a {wanted} analysis as parent",
            )
        if wanted is not None and parent is not None and parent.kind != wanted:
            text = f"a {analysis.kind} analysis needs a {wanted} analysis as parent, not a {parent.kind} analysis"
            yield Violation("analyses", "reference", name, text)
        is_frozen = analysis.scoped is not None and not analysis.is_dictionary
        if is_frozen and analysis.parameters.get("inputs_hash") != row["inputs_hash"]:
            yield Violation(
                "analyses",
                "value",
                name,
                f"inputs_hash is not the one among the parameters of this {analysis.kind} analysis",
            )
        if analysis.scoped is not None and analysis.scoped.is_wide != (row["inputs_hash"] is not None):
            needs = "needs" if analysis.scoped.is_wide else "has no"
            text = f"{analysis.kind} by {analysis.scoped.scope} {needs} inputs_hash"
            yield Violation("analyses", "value", name, text)
        if (row["inputs_hash"] is None) != (row["n_inputs"] is None):
            yield Violation(
                "analyses", "value", name, "inputs_hash and n_inputs must both be null or neither"
            )


def check_files(context: Context) -> Iterator[Violation]:
    """State, recording and failure of a path agree; every recording has a path."""
    for row in context.rows(
        "select f.corpus_id, f.path, f.state, f.recording_id, x.path is not null as has_failure"
        " from files f left join failures x using (corpus_id, path)"
        " where (f.state = 'input' and f.recording_id is null)"
        " or (f.state in ('skipped', 'reference') and f.recording_id is not null)"
        " or (f.state = 'failed') <> (x.path is not null) order by 1, 2"
    ):
        where = _where({"corpus_id": row["corpus_id"], "path": row["path"]})
        if row["state"] == "input" and row["recording_id"] is None:
            yield Violation("files", "state", where, "an input needs a recording_id")
        if row["state"] in ("skipped", "reference") and row["recording_id"] is not None:
            yield Violation(
                "files", "state", where, f"a {row['state']} file is no recording, but has a recording_id"
            )
        if row["state"] == "failed" and not row["has_failure"]:
            yield Violation("files", "state", where, "the file failed, but failures does not say why")
        if row["state"] != "failed" and row["has_failure"]:
            yield Violation(
                "files", "state", where, f"failures holds this path, but its state is {row['state']}"
            )
    for row in context.rows(
        "select recording_id from recordings where recording_id not in"
        " (select recording_id from files where recording_id is not null) order by 1"
    ):
        yield Violation("recordings", "orphan", row["recording_id"], "no file holds this recording")


MADE_BY = {
    "pitch": ("select analysis_id, recording_id as scope_key from pitch"),
    "contour": ("select analysis_id, recording_id as scope_key from contours"),
    "mining": ("select analysis_id, scope_key from motifs"),
    "families": ("select analysis_id, scope_key from families"),
    "fingerprint": ("select analysis_id, recording_id as scope_key from fingerprints"),
    "clips": ("select analysis_id, recording_id as scope_key from clips"),
    "split": ("select split_id as analysis_id, 'all' as scope_key from splits"),
    "embeddings": ("select analysis_id, recording_id as scope_key from embeddings"),
}
"""By kind of analysis: what its coverage counts."""


def check_coverage(context: Context) -> Iterator[Violation]:
    """Every row an analysis made is covered, and every coverage counts its rows and stands on its parent's."""
    for kind, made in MADE_BY.items():
        query = f"""
            with made as (select analysis_id, scope_key, count(*) as n_rows from ({made}) group by all),
            said as (select c.* from coverage c join analyses a using (analysis_id) where a.kind = '{kind}')
            select coalesce(s.analysis_id, m.analysis_id) as analysis_id,
                   coalesce(s.scope_key, m.scope_key) as scope_key, s.state, s.n_rows as said,
                   coalesce(m.n_rows, 0) as made
            from said s full join made m on s.analysis_id = m.analysis_id and s.scope_key = m.scope_key
            where s.n_rows is distinct from coalesce(m.n_rows, 0)
               or (s.state <> 'done' and s.n_rows > 0 and '{kind}' <> 'pitch')
               or (s.state = 'done' and s.n_rows = 0)
            order by 1, 2"""
        for row in context.rows(query):
            where = _where({"analysis_id": row["analysis_id"], "scope_key": row["scope_key"]})
            if row["state"] is None:
                text = f"{row['made']} row{'s' * (row['made'] > 1)} of this analysis, but no coverage"
            elif row["said"] != row["made"]:
                text = f"coverage says {row['said']} rows, there are {row['made']}"
            else:
                text = f"the state is {row['state']} with {row['said']} rows"
            yield Violation("coverage", "coverage", where, text)
    yield from _coverage_stands(context)


def _coverage_stands(context: Context) -> Iterator[Violation]:
    query = """
        select c.analysis_id, c.scope_key, c.input_hash, a.kind,
               not exists (select 1 from recordings r where r.recording_id = c.scope_key) as is_unknown,
               a.parent_id is not null and a.kind <> 'embeddings' and not exists (
                   select 1 from coverage p where p.analysis_id = a.parent_id and p.scope_key = c.scope_key)
               as is_early
        from coverage c join analyses a using (analysis_id)
        where a.kind in ('pitch', 'contour', 'mining', 'families', 'embeddings') order by 1, 2"""
    wide = context.wide_scopes()
    for row in context.rows(f"select * from ({query}) where is_unknown or is_early"):
        where = _where({"analysis_id": row["analysis_id"], "scope_key": row["scope_key"]})
        if row["analysis_id"] in wide:
            scope = wide[row["analysis_id"]]
            if scope is not None and row["scope_key"] not in scope.recordings:
                yield Violation("coverage", "reference", where, f"no recording is in this {scope.scope}")
            elif scope is not None and row["input_hash"] != scope.input_hash(row["scope_key"]):
                text = f"input_hash {row['input_hash']} is not that of its {len(scope.recordings[row['scope_key']])} recordings"
                yield Violation("coverage", "coverage", where, text)
        elif row["is_unknown"]:
            yield Violation("coverage", "reference", where, "the scope_key is no recording")
        else:
            yield Violation(
                "coverage", "coverage", where, f"this {row['kind']} analysis went before its parent"
            )
    query = """
        select c.analysis_id, c.scope_key, c.n_tested, c.n_rows, c.n_motifs_any_duration, c.n_occurrences_any_duration,
               coalesce(m.n, 0) as n_occurrences
        from coverage c join analyses a using (analysis_id) left join (
            select analysis_id, scope_key, sum(occurrences)::bigint as n from motifs group by all) m
            on m.analysis_id = c.analysis_id and m.scope_key = c.scope_key
        where a.kind = 'mining' and (c.n_tested < c.n_rows or c.n_motifs_any_duration < c.n_rows
            or c.n_occurrences_any_duration < coalesce(m.n, 0) or c.null_order not between 0 and 3) order by 1, 2"""
    for row in context.rows(query):
        where = _where({"analysis_id": row["analysis_id"], "scope_key": row["scope_key"]})
        text = (
            f"{row['n_rows']} motifs with {row['n_occurrences']} occurrences cannot be part of {row['n_tested']} tested"
            f" patterns, {row['n_motifs_any_duration']} motifs and {row['n_occurrences_any_duration']} occurrences"
        )
        yield Violation("coverage", "coverage", where, text)


def _where(key: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in key.items())
