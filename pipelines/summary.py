"""What an ingest says at its end: what was found, what went wrong, the strongest motifs, what to ask next."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from motifdb.pipelines.ingest import Options, Report
    from motifdb.query.database import Database

WIDTH = 100


def summary(path: Path, options: Options, report: Report) -> str:
    """A few lines for people, none wider than 100 columns."""
    from motifdb.query.database import Database

    lines = [_files(path, report)]
    if report.n_worked:
        rate = report.duration_s / 3600 / max(report.wall_s / 60, 1e-9)
        lines.append(
            f"{report.n_worked:,} recordings, {report.duration_s / 3600:.2f} h, in {report.wall_s:.1f} s"
            f" ({rate:.2f} h a minute; {report.engine}, {report.workers} worker{'s' * (report.workers != 1)})"
        )
    if report.has_metadata:
        lines.append(_labels(report))
    with Database(path) as database:
        if options.until == "motifs" and report.mining_ids:
            lines += _motifs(database, options, report)
        n_motifs = database.snapshot.count("motifs")
    lines += _failures(report)
    lines.append(_next(path, options, report, n_motifs))
    return "\n".join(line[: WIDTH - 1] + "…" if len(line) > WIDTH else line for line in lines)


def _labels(report: Report) -> str:
    if not (report.n_unmatched_rows or report.n_unmatched_files):
        return "labels: every row of the manifest names a file, every input has a row"
    return (
        f"labels: {report.n_unmatched_rows:,} manifest rows name no file here,"
        f" {report.n_unmatched_files:,} inputs are in no row"
    )


def _files(path: Path, report: Report) -> str:
    counts = {
        "new": report.n_new,
        "changed": report.n_changed,
        "unchanged": report.n_unchanged,
        "skipped": report.n_skipped,
        "reference tracks": report.n_references,
        "failed": report.n_failed,
        "gone (--prune forgets them)": report.n_gone,
        "forgotten": report.n_pruned,
    }
    said = ", ".join(f"{n:,} {what}" for what, n in counts.items() if n)
    return f"{path}: {report.n_seen:,} files seen" + (f": {said}" if said else "")


def _motifs(database: Database, options: Options, report: Report) -> list[str]:
    ids = ", ".join(f"'{i}'" for i in report.mining_ids)
    (row,) = (
        database.sql(
            "select coalesce(sum(n_rows), 0) as n, coalesce(sum(n_motifs_any_duration), 0) as n_any,"
            f" coalesce(sum(n_occurrences_any_duration), 0) as o_any from coverage where analysis_id in ({ids})"
        )
        .arrow()
        .to_pylist()
    )
    (kept,) = (
        database.sql(
            "select count(*) as n, coalesce(sum(occurrences), 0) as o, count(distinct pattern_id) as p,"
            f" coalesce(sum((q_value < 0.05)::int), 0) as strong from motifs where analysis_id in ({ids})"
        )
        .arrow()
        .to_pylist()
    )
    lines = [
        f"{kept['n']:,} motifs ({kept['p']:,} patterns) at {kept['o']:,} places;"
        f" {kept['strong']:,} of them at q < 0.05"
    ]
    shortest_s = options.config.mining.min_duration_s
    if shortest_s:
        lines.append(
            f"before the rule of at least {shortest_s:g} s: {int(row['n_any']):,} motifs at {int(row['o_any']):,} places"
        )
    strongest = (
        database.sql(
            "select motif_id, contour, length, occurrences, duration_median_s, log10_p, scope_key from motifs"
            f" where analysis_id in ({ids}) order by log10_p nulls last, length desc, motif_id limit 3"
        )
        .arrow()
        .to_pylist()
    )
    if strongest:
        lines.append("strongest:")
    for motif in strongest:
        lines += _one(database, motif)
    return lines


def _one(database: Database, motif: dict[str, object]) -> list[str]:
    where = (
        database.sql(
            "select path from files where recording_id = $key and state = 'input' order by path limit 1",
            {"key": motif["scope_key"]},
        )
        .arrow()
        .to_pylist()
    )
    times = (
        database.sql(
            "select start_s from occurrences where motif_id = $motif order by start_s",
            {"motif": motif["motif_id"]},
        )
        .arrow()
        .column(0)
        .to_pylist()
    )
    shown = " ".join(f"{t:.1f}" for t in times[:6]) + (" ..." if len(times) > 6 else "")
    p = "" if motif["log10_p"] is None else f"p = {_p_text(float(str(motif['log10_p'])))}, "
    contour = str(motif["contour"])
    contour = contour if len(contour) <= 40 else contour[:39] + "…"
    path = where[0]["path"] if where else "?"
    return [
        f"  {str(motif['motif_id'])[:8]}  {contour}  {motif['occurrences']} times,"
        f" {float(str(motif['duration_median_s'])):.1f} s, {p}in {path}",
        f"            at {shown} s",
    ]


def _p_text(log10_p: float) -> str:
    return f"{10**log10_p:.2g}" if log10_p > -2 else f"1e{log10_p:.0f}"


def _failures(report: Report) -> list[str]:
    if not report.failures:
        return []
    kinds = Counter(str(f["kind"]) for f in report.failures)
    said = ", ".join(f"{n:,} {kind}" for kind, n in kinds.most_common())
    lines = [f"{len(report.failures):,} inputs cannot be used ({said}):"]
    lines += [f"  {f['path']}: {f['reason']}" for f in report.failures[:3]]
    if len(report.failures) > 3:
        lines.append('  ... all of them: motifdb sql "select path, reason from failures"')
    return lines


def _next(path: Path, options: Options, report: Report, n_motifs: int) -> str:
    if options.until == "motifs" and not n_motifs and options.config.mining.min_duration_s:
        return "next: the same with --set mining.min_duration_s=0, to keep motifs of any duration"
    if options.until != "motifs":
        return f"next: motifdb ingest {' '.join(str(p) for p in options.paths)} --db {path}"
    return (
        f"next: motifdb top --by singer --db {path}"
        if report.mining_ids
        else f"next: motifdb status --db {path}"
    )
