"""Rules for families: each against its members, its members against their recordings and scope."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from motifdb import ids
from motifdb.query.check.report import Context, Violation

BEYOND_S = 0.1
"""How far past its recording's end a member may last: pitch is in frames, the last of which may."""

_FAMILIES = """
    with placed as (
        select *, row_number() over (partition by family_id order by recording_id, start_s, end_s) - 1 as place
        from family_members),
    summed as (
        select p.family_id, count(*) as n, count(distinct p.recording_id) as n_recordings,
               count(*) filter (p.member <> p.place) as n_misplaced, median(p.end_s - p.start_s) as duration_s,
               median(p.distance_cents) filter (p.member <> f.exemplar) as distance_cents
        from placed p join families f using (family_id) group by 1)
    select f.*, coalesce(s.n, 0) as n, coalesce(s.n_recordings, 0) as n_recordings,
           coalesce(s.n_misplaced, 0) as n_misplaced, s.duration_s, s.distance_cents,
           e.member is not null as has_face, e.recording_id as face_recording, e.start_s as face_start_s,
           e.end_s as face_end_s, e.distance_cents as face_cents, e.transposition_cents as face_shift_cents
    from families f left join summed s using (family_id)
    left join family_members e on e.family_id = f.family_id and e.member = f.exemplar
    order by f.family_id"""

_MEMBERS = f"""
    select m.family_id, m.member, m.recording_id, m.start_s, m.end_s, m.distance_cents, m.transposition_cents,
           m.tempo_ratio, r.duration_s, f.scope, f.scope_key, f.analysis_id,
           (m.end_s - m.start_s) / (e.end_s - e.start_s) as ratio
    from family_members m join families f using (family_id) join recordings r using (recording_id)
    left join family_members e on e.family_id = f.family_id and e.member = f.exemplar
    where f.scope <> 'recording' or m.recording_id <> f.scope_key
       or not (m.start_s >= 0 and m.end_s > m.start_s and m.end_s <= r.duration_s + {BEYOND_S})
       or not (m.distance_cents >= 0 and isfinite(m.distance_cents) and isfinite(m.transposition_cents))
       or not coalesce(abs(m.tempo_ratio - ratio) <= 1e-6, true)
    order by 1, 2"""


def check_families(context: Context) -> Iterator[Violation]:
    """Families, then members."""
    if not (context.holds("families") or context.holds("family_members")):
        return
    analyses = context.load_analyses()
    for row in context.rows(_FAMILIES):
        where = f"family_id {row['family_id']}"
        yield from _family(row, where)
        analysis = analyses.get(row["analysis_id"])
        if analysis is None or analysis.kind != "families":
            continue  # reported by the rule reference
        if row["scope"] != analysis.parameters.get("scope"):
            text = f"scope is {row['scope']}, its analysis has {analysis.parameters.get('scope')}"
            yield Violation("families", "limits", where, text)
        least = analysis.parameters.get("min_members")
        if isinstance(least, int) and row["size"] < least:
            yield Violation("families", "limits", where, f"size {row['size']} is below min_members {least}")
    for row in context.rows(_MEMBERS):
        yield from _member(context, row)


def _family(row: dict[str, Any], where: str) -> Iterator[Violation]:
    """A family against its members; nothing more is said of one that lacks some."""
    for name, n in (("size", row["n"]), ("recordings", row["n_recordings"])):
        if row[name] != n:
            yield Violation("families", "family", where, f"{name} is {row[name]}, its members make {n}")
            return
    if row["n_misplaced"]:
        yield Violation(
            "family_members", "family", where, "members are not numbered 0, 1, ... by recording and start"
        )
        return
    if not row["has_face"]:
        yield Violation("families", "family", where, f"its exemplar, {row['exemplar']}, is no member")
        return
    face = (row["face_recording"], row["face_start_s"], row["face_end_s"])
    if row["family_id"] != ids.family_id(row["analysis_id"], row["scope"], row["scope_key"], *face):
        yield Violation("families", "id", where, "its analysis, scope and exemplar make another id")
    if row["face_cents"] != 0 or row["face_shift_cents"] != 0:
        text = (
            f"its exemplar is {row['face_cents']} cents from itself, {row['face_shift_cents']} cents higher"
        )
        yield Violation("family_members", "family", where, text)
    medians = (
        ("duration_median_s", row["duration_s"]),
        ("distance_median_cents", row["distance_cents"] if row["n"] > 1 else row["distance_median_cents"]),
    )
    for name, value in medians:
        if not math.isclose(row[name], value, rel_tol=1e-9, abs_tol=1e-9):
            yield Violation("families", "family", where, f"{name} is {row[name]}, its members make {value}")
    if not row["threshold_cents"] >= 0:
        yield Violation(
            "families", "family", where, f"a threshold of {row['threshold_cents']} cents cannot be"
        )


def _member(context: Context, row: dict[str, Any]) -> Iterator[Violation]:
    where = f"family_id {row['family_id']}, member {row['member']}"
    duration_s = row["duration_s"]
    if not (row["start_s"] >= 0 and row["start_s"] < row["end_s"] <= duration_s + BEYOND_S):
        text = f"{row['start_s']} s to {row['end_s']} s is no span of a recording of {duration_s} s"
        yield Violation("family_members", "family", where, text)
    elif not (row["ratio"] is None or abs(row["tempo_ratio"] - row["ratio"]) <= 1e-6):
        text = f"tempo_ratio is {row['tempo_ratio']}, its duration over the exemplar's is {row['ratio']}"
        yield Violation("family_members", "family", where, text)
    cents = (row["distance_cents"], row["transposition_cents"])
    if not (all(map(math.isfinite, cents)) and cents[0] >= 0):
        text = f"a distance of {cents[0]} cents after {cents[1]} cents up cannot be"
        yield Violation("family_members", "family", where, text)
    scope = context.wide_scopes().get(row["analysis_id"])
    if row["scope"] == "recording":
        is_outside = row["recording_id"] != row["scope_key"]
    else:
        is_outside = scope is not None and row["scope_key"] not in scope.keys_of(row["recording_id"])
    if is_outside:
        text = f"recording {row['recording_id']} is not in {row['scope']} {row['scope_key']}"
        yield Violation("family_members", "family", where, text)
