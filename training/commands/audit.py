"""The command `motifdb audit`."""

from __future__ import annotations

from typing import Annotated

import typer

from motifdb.pipelines.terminal import Db, EngineName, writing
from motifdb.training.commands.shared import ReportFormat


def audit(
    db: Db = None,
    label: Annotated[
        list[str] | None,
        typer.Option(
            help="Labels to look at; default: all but those that name or measure files.", show_default=False
        ),
    ] = None,
    rare: Annotated[int, typer.Option(help="A value with fewer recordings is rare.", min=1)] = 3,
    least_ms: Annotated[float, typer.Option(help="Shortest stretch that counts as shared, in ms.")] = 20.0,
    source_rate: Annotated[
        int | None,
        typer.Option(
            help="Only stretches a whole number of samples apart at this rate, as of clips cut at it.",
            show_default=False,
        ),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(help="List every leak of this split (name or id) instead.", show_default=False),
    ] = None,
    format_: Annotated[
        ReportFormat, typer.Option("--format", help="How to write the report.")
    ] = ReportFormat.table,
    workers: Annotated[
        int | None, typer.Option(help="Processes that make missing fingerprints.", show_default=False)
    ] = None,
    engine: Annotated[
        EngineName, typer.Option("--engine", help="Where missing fingerprints are made.")
    ] = EngineName.auto,
    ray_address: Annotated[
        str | None, typer.Option(help="A running Ray cluster.", show_default=False)
    ] = None,
) -> None:
    """Find copies, shared sound, contradicting and rare labels.

    Equal contents, equal sound in other containers, re-encoded or trimmed copies, clips that share stretches, and the
    islands these make. Fingerprints that are missing are made first, from the files. Where nothing changed, nothing
    is done again; where recordings came or went, the audit is made anew and the old one stays.

    \b
    Examples:
      motifdb audit
      motifdb audit --label singer --format json
      motifdb audit --split "kfold by island"              every leak of a split
      motifdb sql "from near_duplicates limit 20"          what it found, in SQL
    """
    import json

    from motifdb.catalog.store import find_database, open_snapshot
    from motifdb.pipelines.audit import AuditConfig, AuditOptions, audit_database
    from motifdb.pipelines.audit_report import audit_report, next_step, report_text
    from motifdb.pipelines.progress import Lines

    path = find_database(db)
    is_json = format_ is ReportFormat.json
    if split is not None:
        from motifdb.training.splits.examples import find_split
        from motifdb.training.splits.leaks import leak_reports, leak_text

        snapshot = open_snapshot(path)
        reports = leak_reports(snapshot, find_split(snapshot, split))
        text = json.dumps([r.to_json() for r in reports], indent=1) if is_json else leak_text(reports)
        typer.echo(text)
        return
    options = AuditOptions(
        AuditConfig(least_s=least_ms / 1000, source_rate_hz=source_rate),
        engine=engine.value,
        workers=workers,
        ray_address=ray_address,
    )
    with writing(path) as writer:
        run = audit_database(options, writer, Lines())
        report = audit_report(writer.snapshot, run.analysis.id, label or (), rare)
        has_clips = writer.snapshot.count("clips") > 0
    report.notes += run.notes
    if is_json:
        typer.echo(json.dumps(report.to_json(), indent=1, ensure_ascii=False))
        for note in run.notes:
            typer.echo(f"motifdb: {note}", err=True)
        return
    typer.echo(report_text(report, str(path), rare))
    typer.echo(next_step(str(path), has_clips=has_clips))
