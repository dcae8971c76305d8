"""Motifs by name: the strongest ones, the one somebody means, and the pitch of every place where it sounds."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from motifdb.errors import NotFoundError, UsageError, nearest
from motifdb.plots import PitchCurve
from motifdb.query.stored_pitch import stored_pitch
from motifdb.query.views import STANDARD_LABELS

if TYPE_CHECKING:
    from pathlib import Path

    from motifdb.query.database import Database, Result

BY_SURPRISE = "surprise"
"""The order of `top_motifs` over all motifs at once."""


def top_motifs(database: Database, n: int, *, by: str | None = None, analysis: str | None = None) -> Result:
    """The motifs least expected under the null model, in all or for each value of a label.

    Equal strengths are ordered by length, then id. With `by`, motifs of single recordings count for the value of their
    recording, but for recordings whose files contradict each other about the label (`label_conflicts` lists
    them); motifs mined by that very label count for their value; those of another scope are left out. Where several
    mining analyses are shown, whose motifs stand on different symbols or scopes, a column names each row's.

    Parameters
    ----------
    by : name of a label; ``"surprise"`` is None, the plain order
    analysis : name of a mining analysis, or the beginning of its id; None shows all

    Raises
    ------
    UsageError
        for `n` below 1, or an analysis that was not mined by recording or by the label.
    NotFoundError
        for a label or an analysis that there is none of.
    """
    if n < 1:
        raise UsageError(f"--n must be at least 1, got {n}")
    by = None if by == BY_SURPRISE else by
    if by is not None:
        _require_label(database, by)
    mined = mining_analyses(database, analysis)
    if by is not None and analysis is not None:
        mined = {id_: scope for id_, scope in mined.items() if scope in ("recording", by)}
        if not mined:
            raise UsageError(f"analysis {analysis!r} mined neither recordings nor each {by}; leave out --by")
    scopes = {scope for scope in mined.values() if by is None or scope in ("recording", by)}
    columns = ["m.motif_id[1:8] as motif", "m.contour", "m.occurrences as times"]
    if scopes - {"recording"}:
        columns.append("m.support_recordings as recordings")
    columns += ["m.duration_median_s as median_s", "m.log10_p", "m.q_value"]
    if scopes - {"recording"} and not (by is not None and scopes == {by}):
        key = "case when m.scope in ('recording', 'corpus') then '' else ' ' || m.scope_key end"
        columns.append("m.scope as scope" if by is not None else f"m.scope || {key} as scope")
    if "recording" in scopes or not scopes:
        columns.append(
            "case when m.scope = 'recording' then"
            " (select min(path) from files f where f.recording_id = m.scope_key) end as path"
        )
    if len(mined) > 1:
        columns.append(
            "(select a.analysis_id[1:8] || ' ' || name from analyses a where a.analysis_id = m.analysis_id) as analysis"
        )
    order = "m.log10_p nulls last, m.length desc, m.motif_id"
    chosen = ", ".join(f"'{id_}'" for id_ in mined) or "''"
    if by is None:
        return database.sql(
            f"select {', '.join(columns)} from motifs m where m.analysis_id in ({chosen}) order by {order} limit {n}"
        )
    return database.sql(
        f"with labelled as (select recording_id, value from recording_labels where label = $label and not is_conflict),"
        " of_value as (select m.*, l.value as label from motifs m join labelled l on l.recording_id = m.scope_key"
        " where m.scope = 'recording' union all select m.*, m.scope_key as label from motifs m where m.scope = $label)"
        f" select m.label, {', '.join(columns)} from of_value m where m.analysis_id in ({chosen})"
        f" qualify row_number() over (partition by m.label order by {order}) <= {n} order by m.label, {order}",
        {"label": by},
    )


def _require_label(database: Database, label: str) -> None:
    known = {row["label"] for row in database.sql("select distinct label from recording_labels")}
    if label not in known:
        valid = sorted(known | set(STANDARD_LABELS)) if known else list(STANDARD_LABELS)
        hint = (
            "no file has labels; ingest with --metadata or --pattern"
            if not known
            else nearest(label, [BY_SURPRISE, *valid])
        )
        raise NotFoundError(f"there is no label {label!r} here; {hint}")


def mining_analyses(database: Database, wanted: str | None = None) -> dict[str, str]:
    """Scope by id of the mining analyses that a text means: a name, or the beginning of an id; None means all.

    A name that several have, because inputs were refreshed, means the newest of them over each analysis of contours.

    Raises
    ------
    NotFoundError
        where there is none.
    """
    rows = database.sql(
        "select analysis_id, name, parent_id, parameters from analyses where kind = 'mining'"
        " order by created_at, analysis_id"
    ).rows()
    if wanted is not None:
        named = {row["parent_id"]: row for row in rows if row["name"] == wanted}
        found = [r for r in rows if wanted and r["analysis_id"].startswith(wanted.lower())]
        if not named and not found:
            names = sorted({row["name"] for row in rows})
            hint = nearest(wanted, names) if names else "nothing has been mined yet"
            raise NotFoundError(f"there is no mining analysis {wanted!r}; {hint}")
        rows = list(named.values()) or found
    return {row["analysis_id"]: str(json.loads(row["parameters"]).get("scope", "recording")) for row in rows}


def find_motif(database: Database, text: str) -> dict[str, Any]:
    """The motif that a text means: an id, the beginning of one, or a contour; of several with that contour the strongest.

    Raises
    ------
    NotFoundError
        where there is none.
    UsageError
        where the beginning fits several ids.
    """
    wanted = text.strip()
    columns = "motif_id, pattern_id, contour, occurrences, duration_median_s, log10_p, scope, scope_key"
    if re.fullmatch(r"([+-]\d+)(\s+[+-]\d+)*", wanted):
        contour = " ".join(wanted.split())
        query = f"select {columns} from motifs where contour = $text order by log10_p nulls last, motif_id limit 1"
        found = list(database.sql(query, {"text": contour}))
        if not found:
            raise NotFoundError(f"no motif has the contour {contour!r}; `motifdb top` lists the strongest")
        return found[0]
    query = f"select {columns} from motifs where starts_with(motif_id, $text) order by motif_id limit 2"
    found = list(database.sql(query, {"text": wanted.lower()})) if wanted else []
    if not found:
        raise NotFoundError(
            f"there is no motif {wanted!r}; give an id from `motifdb top`, or a contour such as '+1 -2 +1 -1'"
        )
    if len(found) > 1:
        raise UsageError(f"several motifs begin with {wanted!r}; give more of the id")
    return found[0]


def pitch_of(database: Database, recording_id: str, analysis_id: str) -> PitchCurve:
    """A recording's stored pitch under one pitch analysis; NotFoundError where none is stored."""
    return stored_pitch(database.snapshot, recording_id, analysis_id)


def draw_motif(database: Database, text: str, path: Path) -> str:
    """Draw a motif's occurrences over each other and where they sound; give one line about it.

    Raises
    ------
    NotFoundError, UsageError
        as `find_motif`; UsageError also where the picture cannot be written.
    """
    from motifdb.query.drawing import draw

    return draw(database, "motif", str(find_motif(database, text)["motif_id"]), path)
