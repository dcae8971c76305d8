"""Motifs by name: the strongest ones, the one somebody means, and the pitch of every place where it sounds."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from motifdb.errors import NotFoundError, UsageError, nearest
from motifdb.plots import PitchCurve
from motifdb.query.views import STANDARD_LABELS

if TYPE_CHECKING:
    from pathlib import Path

    from motifdb.query.database import Database, Result

MOST_DRAWN = 300
"""Occurrences that a picture lays over each other at most; more could not be told apart."""


def top_motifs(database: Database, n: int, *, by: str | None = None) -> Result:
    """The motifs least expected under the null model, in all or for each value of a label.

    Equal strengths are ordered by length, then id. With `by`, recordings whose files contradict each other about the
    label are left out (`label_conflicts` lists them). Where the database holds several mining analyses, whose motifs
    stand on different symbols, a column names each row's.

    Raises
    ------
    UsageError
        for a label that there is none of, or `n` below 1.
    """
    if n < 1:
        raise UsageError(f"--n must be at least 1, got {n}")
    (mined,) = database.sql("select count(*) as n from analyses where kind = 'mining'")
    analysis = ", (select a.analysis_id[1:8] || ' ' || name from analyses a where a.analysis_id = m.analysis_id) as analysis"
    columns = (
        "m.motif_id[1:8] as motif, m.contour, m.occurrences as times, m.duration_median_s as median_s,"
        " m.log10_p, m.q_value, (select min(path) from files f where f.recording_id = m.scope_key) as path"
    ) + (analysis if mined["n"] > 1 else "")
    order = "m.log10_p nulls last, m.length desc, m.motif_id"
    if by is None:
        return database.sql(f"select {columns} from motifs m order by {order} limit {n}")
    known = {row["label"] for row in database.sql("select distinct label from recording_labels")}
    if by not in known:
        valid = sorted(known | set(STANDARD_LABELS)) if known else list(STANDARD_LABELS)
        hint = "no file has labels; ingest with --metadata or --pattern" if not known else nearest(by, valid)
        raise NotFoundError(f"there is no label {by!r} here; {hint}")
    return database.sql(
        f"select l.value as label, {columns} from motifs m"
        " join recording_labels l on l.recording_id = m.scope_key and l.label = $label and not l.is_conflict"
        f" qualify row_number() over (partition by l.value order by {order}) <= {n} order by l.value, {order}",
        {"label": by},
    )


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
    columns = "motif_id, pattern_id, contour, occurrences, duration_median_s, log10_p, scope_key"
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
    """A recording's stored pitch under one pitch analysis."""
    where = f"recording_id = '{recording_id}' and analysis_id = '{analysis_id}'"
    rows = database.snapshot.table("pitch", ["block", "hop_s", "start_s", "f0_hz"], where).sort_by("block")
    f0_hz = np.concatenate([np.asarray(block, np.float32) for block in rows.column("f0_hz").to_pylist()])
    times_s = float(rows.column("start_s")[0].as_py()) + np.arange(f0_hz.size) * float(
        rows.column("hop_s")[0].as_py()
    )
    return PitchCurve(times_s.astype(np.float64), f0_hz)


def draw_motif(database: Database, text: str, path: Path) -> str:
    """Draw a motif's occurrences over each other and where they sound; give one line about it.

    Raises
    ------
    NotFoundError, UsageError
        as `find_motif`; UsageError also where the picture cannot be written.
    """
    from motifdb.plots import plot_motif

    motif = find_motif(database, text)
    (chain,) = database.sql(
        "select p.analysis_id as pitch_id from motifs m join analyses a on a.analysis_id = m.analysis_id"
        " join analyses c on c.analysis_id = a.parent_id join analyses p on p.analysis_id = c.parent_id"
        " where m.motif_id = $motif",
        {"motif": motif["motif_id"]},
    )
    spans: NDArray[np.float64] = np.array(
        [
            (row["start_s"], row["end_s"])
            for row in database.sql(
                "select start_s, end_s from occurrences where motif_id = $motif order by start_s, end_s",
                {"motif": motif["motif_id"]},
            )
        ]
    )
    recording = pitch_of(database, motif["scope_key"], chain["pitch_id"])
    where = [
        row["path"]
        for row in database.sql(
            "select min(path) as path from files where recording_id = $key", {"key": motif["scope_key"]}
        )
    ]
    curves = []
    for start_s, end_s in spans[np.linspace(0, len(spans) - 1, min(len(spans), MOST_DRAWN)).astype(int)]:
        first, last = np.searchsorted(recording.times_s, (start_s, end_s))
        curve = PitchCurve(recording.times_s[first:last], recording.f0_hz[first:last], f"at {start_s:.1f} s")
        if (curve.f0_hz > 0).any():
            curves.append(curve)
    title = f"{motif['contour']}   {motif['occurrences']} times in {where[0]}"
    plot_motif(curves, path, title=title, recording=recording, spans=[(float(s), float(e)) for s, e in spans])
    return title
