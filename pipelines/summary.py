"""What an ingest says at its end: what was found, what went wrong, the strongest motifs, what to ask next."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from motifdb.pipelines.ingest import Options, Report
    from motifdb.query.database import Database

WIDTH = 100
_TIMES = 6


def summary(path: Path, options: Options, report: Report) -> str:
    """A few lines for people, of at most 100 columns but for the first and the last: paths to copy stay whole."""
    from motifdb.query.database import Database

    lines = [_files(path, report)]
    if report.n_worked:
        rate = report.duration_s / 3600 / max(report.wall_s / 60, 1e-9)
        lines.append(
            f"{report.n_worked:,} recording{'s' * (report.n_worked != 1)}, {report.duration_s / 3600:.2f} h, in {report.wall_s:.1f} s"
            f" ({rate:.2f} h a minute; {report.engine}, {report.workers} worker{'s' * (report.workers != 1)})"
        )
    if report.has_metadata:
        lines.append(_labels(report))
    if report.n_other_suffix:
        lines.append(f"{report.n_other_suffix:,} manifest rows name a file by another suffix than it has")
    lines += _kept(options, report)
    next_step = f"motifdb status --db {quote(str(path))}"
    with Database(path) as database:
        if options.until == "motifs" and report.mining_ids:
            found = _found(database, report)
            lines += _motifs(database, options, report, found)
            next_step = _after_motifs(database, found) or next_step
    if options.as_clips:
        next_step = f"motifdb audit --db {quote(str(path))}"
    elif options.until != "motifs":
        next_step = "the same command without --until, to go on to motifs"
    lines += _failures(report)
    shown = [line[: WIDTH - 1] + "…" if len(line) > WIDTH else line for line in lines[1:]]
    return "\n".join([lines[0], *shown, f"next: {next_step}"])


def _labels(report: Report) -> str:
    said = "labels: every row of the manifest names a file, every input has a row"
    if report.n_unmatched_rows or report.n_unmatched_files:
        said = (
            f"labels: {report.n_unmatched_rows:,} manifest rows name no file here,"
            f" {report.n_unmatched_files:,} inputs are in no row"
        )
    return said


def _kept(options: Options, report: Report) -> list[str]:
    lines = []
    if report.filled.n_wanted:
        lines.append(f"sound of {report.filled.n_done:,} of {report.filled.n_wanted:,} recordings read again")
    lines += report.filled.sentences
    if options.as_clips:
        lines.append(f"{report.n_clips:,} files are clips now")
    return lines


def _files(path: Path, report: Report) -> str:
    walked = {
        "files seen": report.n_seen,
        "new": report.n_new,
        "changed": report.n_changed,
        "unchanged": report.n_unchanged,
        "gone (--prune forgets them)": report.n_gone,
        "forgotten": report.n_pruned,
    }
    read = {
        "inputs": report.n_inputs,
        "skipped": report.n_skipped,
        "reference tracks": report.n_references,
        "failed": report.n_failed,
    }
    said, of_read = (", ".join(f"{n:,} {what}" for what, n in d.items() if n) for d in (walked, read))
    return f"{path}: {said or 'no files'}" + (f"; read: {of_read}" if of_read else "")


def _found(database: Database, report: Report) -> dict[str, int]:
    """Motifs, patterns, places and calls of this run's analyses, and what there was before the rule of duration."""
    ids = _ids(report)
    (row,) = database.sql(
        "select coalesce(sum(n_motifs_any_duration), 0)::bigint as n_any,"
        " coalesce(sum(n_occurrences_any_duration), 0)::bigint as o_any,"
        f" coalesce(sum(n_occurrences_long_enough), 0)::bigint as o_long from coverage where analysis_id in ({ids})"
    )
    (kept,) = database.sql(
        "select count(*) as n, coalesce(sum(occurrences), 0)::bigint as o, count(distinct pattern_id) as p,"
        " coalesce(sum((q_value < 0.05)::int), 0)::bigint as strong"
        f" from motifs where analysis_id in ({ids})"
    )
    return row | kept


def _ids(report: Report) -> str:
    return ", ".join(f"'{i}'" for i in report.mining_ids)


def _motifs(database: Database, options: Options, report: Report, found: dict[str, int]) -> list[str]:
    mining = options.config.mining
    if found["n"]:
        lines = [
            f"{found['n']:,} motifs ({found['p']:,} patterns) at {found['o']:,} places;"
            f" {found['strong']:,} of them at q < 0.05"
        ]
    else:
        lines = ["no motifs: no contour comes back often and long enough inside one recording"]
    if mining.min_duration_s:
        lines.append(
            f"before the rule of at least {mining.min_duration_s:g} s:"
            f" {found['n_any']:,} motifs at {found['o_any']:,} places, {found['o_long']:,} of which last that long"
        )
    strongest = database.sql(
        "select motif_id, contour, length, occurrences, duration_median_s, log10_p, scope_key from motifs"
        f" where analysis_id in ({_ids(report)}) order by log10_p nulls last, length desc, motif_id limit 3"
    ).rows()
    if strongest:
        lines.append("strongest:")
    for motif in strongest:
        lines += _one(database, motif)
    return lines


def _one(database: Database, motif: dict[str, Any]) -> list[str]:
    where = database.sql(
        "select path from files where recording_id = $key and state = 'input' order by path limit 1",
        {"key": motif["scope_key"]},
    ).rows()
    times = [
        row["start_s"]
        for row in database.sql(
            "select start_s from occurrences where motif_id = $motif order by start_s",
            {"motif": motif["motif_id"]},
        )
    ]
    shown = " ".join(f"{t:.1f}" for t in times[:_TIMES]) + (" ..." if len(times) > _TIMES else "")
    p = "" if motif["log10_p"] is None else f", p = {p_text(motif['log10_p'])}"
    contour = motif["contour"]
    contour = contour if len(contour) <= 40 else contour[:39] + "…"
    return [
        f"  {motif['motif_id'][:8]}  {contour}   {motif['occurrences']} times, {motif['duration_median_s']:.1f} s{p}",
        f"            at {shown} s in {where[0]['path'] if where else '?'}",
    ]


def p_text(log10_p: float) -> str:
    """A probability, also where it is below what a float holds.

    >>> p_text(-8.804), p_text(-0.5), p_text(-400.3)
    ('1.6e-09', '0.32', '5.0e-401')
    """
    if log10_p > -300:
        return f"{10**log10_p:.2g}"
    exponent = math.floor(log10_p)
    return f"{10 ** (log10_p - exponent):.1f}e{exponent}"


def _failures(report: Report) -> list[str]:
    if not report.failures:
        return []
    kinds = Counter(str(f["kind"]) for f in report.failures)
    said = ", ".join(f"{n:,} {kind}" for kind, n in kinds.most_common())
    n = len(report.failures)
    lines = [f"{n:,} input{'s' * (n != 1)} cannot be used ({said}):"]
    lines += [f"  {f['path']}: {f['reason']}" for f in report.failures[:3]]
    if len(report.failures) > 3:
        lines.append('  ... all of them: motifdb sql "select path, reason from failures"')
    return lines


def _after_motifs(database: Database, found: dict[str, int]) -> str | None:
    """What to try once mining is done; None where there is nothing to look at."""
    if not found["n"]:
        if not found["n_any"]:
            return None
        return "the same with --set mining.min_duration_s=0, to keep motifs of any duration"
    (labelled,) = database.sql("select count(singer) as n from files where state = 'input'")
    by = " --by singer" if labelled["n"] else ""
    return f"motifdb top{by} --db {quote(str(database.path))}"
