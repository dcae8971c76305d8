"""What `motifdb mine` says at its end: what was mined, what was left out or cut short, the strongest motifs."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

from motifdb.pipelines.summary import WIDTH, p_text

if TYPE_CHECKING:
    from motifdb.pipelines.mining import MinedAnalysis, MineOptions, MineReport
    from motifdb.query.database import Database

_NAMED = 3
"""Recordings or keys that a line names; the others are counted."""


def mined_summary(path: Path, options: MineOptions, report: MineReport) -> str:
    """A few lines for people about each analysis, of at most 100 columns but for the first and the last."""
    from motifdb.query.database import Database

    lines: list[str] = []
    with Database(path) as database:
        for mined in report.mined:
            told = _told(database, options, report, mined)
            lines += [told[0], *(line[: WIDTH - 1] + "…" if len(line) > WIDTH else line for line in told[1:])]
    last = report.mined[-1]
    by = "" if last.scope.scope in ("recording", "corpus") else f" --by {last.scope.scope}"
    name = f" --analysis {last.analysis.id[:8]}"
    return "\n".join([*lines, f"next: motifdb top{by}{name} --db {quote(str(path))}"])


def _told(database: Database, options: MineOptions, report: MineReport, mined: MinedAnalysis) -> list[str]:
    scope, config = mined.scope, options.config
    analysis = mined.analysis
    lines = [
        f"{database.path}: analysis {analysis.id[:8]}, {analysis.name}, of contours {mined.contours_name}"
    ]
    if mined.stale is not None:
        return [*lines, mined.stale]
    there = f"{len(scope.recordings):,} {_scopes(scope.scope, len(scope.recordings))}"
    if config.is_wide:
        n = len(scope.inputs)
        there += f" of {n:,} recording{'s' * (n != 1)}"
    if mined.n_mined:
        workers = f"{report.workers} worker{'s' * (report.workers != 1)}"
        lines.append(
            f"{there}; {mined.n_mined:,} mined now, in {report.wall_s:.1f} s ({report.engine}, {workers})"
        )
    else:
        lines.append(f"{there}; all were mined before")
    lines += _left_out(database, mined)
    lines += _motifs(database, options, mined)
    lines += _cut_short(database, mined)
    return lines


def _scopes(scope: str, n: int) -> str:
    return "corpus" if scope == "corpus" else f"{scope}{'s' * (n != 1)}"


def _left_out(database: Database, mined: MinedAnalysis) -> list[str]:
    scope = mined.scope
    lines = []
    if scope.contradicting:
        n = len(scope.contradicting)
        lines.append(
            f"left out: {n:,} recording{'s' * (n != 1)} whose files contradict each other about {scope.scope}"
            " (--conflicts each takes them):"
        )
        for recording, values in islice(scope.contradicting.items(), _NAMED):
            lines.append(f"  {_path(database, recording)}: {' / '.join(values)}")
        if n > _NAMED:
            lines.append(
                f"  ... all of them: motifdb sql \"from label_conflicts where label = '{scope.scope}'\""
            )
    if scope.n_unlabelled:
        n = scope.n_unlabelled
        lines.append(f"left out: {n:,} recording{'s' * (n != 1)} without a {scope.scope}")
    return lines


def _motifs(database: Database, options: MineOptions, mined: MinedAnalysis) -> list[str]:
    config, own = options.config, {"id": mined.analysis.id}
    (found,) = database.sql(
        "select count(*) as n, coalesce(sum(occurrences), 0)::bigint as o, count(distinct pattern_id) as p,"
        " count(q_value) as judged, coalesce(sum((q_value < 0.05)::int), 0)::bigint as strong"
        " from motifs where analysis_id = $id",
        own,
    )
    (before,) = database.sql(
        "select coalesce(sum(n_motifs_any_duration), 0)::bigint as n,"
        " coalesce(sum(n_occurrences_any_duration), 0)::bigint as o from coverage where analysis_id = $id",
        own,
    )
    lines = [f"{found['n']:,} motifs ({found['p']:,} patterns) at {found['o']:,} places"]
    if found["judged"]:
        lines[0] += f"; {found['strong']:,} of them at q < 0.05"
    if (config.min_duration_s or config.max_duration_s is not None) and before["n"] != found["n"]:
        lines.append(f"before the rule on duration: {before['n']:,} motifs at {before['o']:,} places")
    strongest = database.sql(
        "select motif_id, contour, scope_key, occurrences, support_recordings, duration_median_s, log10_p from motifs"
        " where analysis_id = $id order by log10_p nulls last, length desc, motif_id limit 3",
        own,
    ).rows()
    if strongest:
        lines.append("strongest:")
    for motif in strongest:
        lines += _one(database, mined.scope.scope, motif)
    return lines


def _one(database: Database, scope: str, motif: dict[str, Any]) -> list[str]:
    p = "" if motif["log10_p"] is None else f", p = {p_text(motif['log10_p'])}"
    contour = motif["contour"] if len(motif["contour"]) <= 40 else motif["contour"][:39] + "…"
    line = f"  {motif['motif_id'][:8]}  {contour}   {motif['occurrences']:,} times, {motif['duration_median_s']:.1f} s{p}"
    if scope == "recording":
        return [line, f"            in {_path(database, motif['scope_key'])}"]
    where = "" if scope == "corpus" else f"{scope} {motif['scope_key']}, "
    n = motif["support_recordings"]
    return [line, f"            {where}{n:,} recording{'s' * (n != 1)}"]


def _cut_short(database: Database, mined: MinedAnalysis) -> list[str]:
    lines = []
    if mined.bounded:
        n = len(mined.bounded)
        lines.append(
            f"a bound was reached in {n:,} {_scopes(mined.scope.scope, n)}; every motif is here down to this support only:"
        )
        for key, support in islice(mined.bounded.items(), _NAMED):
            lines.append(f"  {_key(database, mined, key)}: {support:,}")
        lines.append("  --retry-bounded mines them again, with other bounds")
    if mined.failed:
        n = len(mined.failed)
        lines.append(f"{n:,} {_scopes(mined.scope.scope, n)} could not be mined:")
        for key, reason in islice(mined.failed.items(), _NAMED):
            lines.append(f"  {_key(database, mined, key)}: {reason}")
    return lines


def _key(database: Database, mined: MinedAnalysis, key: str) -> str:
    return _path(database, key) if mined.scope.scope == "recording" else key


def _path(database: Database, recording: str) -> str:
    found = database.sql(
        "select path from files where recording_id = $key and state = 'input' order by path limit 1",
        {"key": recording},
    ).rows()
    return str(found[0]["path"]) if found else recording
