"""`motifdb families`: melodic variants, grouped."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from motifdb.pipelines.terminal import Db, EngineName, Format, Out, OutFormat, write, writing


class Source(StrEnum):
    """What families grow from."""

    pitch = "pitch"
    motifs = "motifs"


class Conflicts(StrEnum):
    """Recordings whose files contradict each other about the scope's label."""

    leave_out = "leave-out"
    each = "each"


def families(
    db: Db = None,
    recording: Annotated[
        str | None,
        typer.Option(help="One recording: a path, a file's name, or a recording_id.", show_default=False),
    ] = None,
    scope: Annotated[
        str,
        typer.Option(help="Compared together: recording, singer, style, work, another label, corpus."),
    ] = "recording",
    source: Annotated[
        Source, typer.Option(help="Grow families from all pitch between rests, or from exact motifs.")
    ] = Source.pitch,
    of: Annotated[
        str | None,
        typer.Option(
            help="The pitch analysis, or with --source motifs the mining analysis: name or beginning of an id.",
            show_default=False,
        ),
    ] = None,
    min_duration: Annotated[
        float | None, typer.Option(help="Seconds of a variant.", show_default=False)
    ] = None,
    max_duration: Annotated[float | None, typer.Option(help="Likewise.", show_default=False)] = None,
    threshold: Annotated[
        float | None,
        typer.Option(help="Largest distance, as a share of the recording's own noise.", show_default=False),
    ] = None,
    threshold_cents: Annotated[
        float | None, typer.Option(help="Or outright, in cents.", show_default=False)
    ] = None,
    transpose: Annotated[
        float | None,
        typer.Option(
            help="Variants may be sung higher or lower, by up to so many cents.", show_default=False
        ),
    ] = None,
    min_members: Annotated[
        int | None, typer.Option(help="Leave out smaller families.", show_default=False)
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="Parameters from a TOML file.", show_default=False)
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="One parameter, such as band=0.2.", show_default=False
        ),
    ] = None,
    conflicts: Annotated[
        Conflicts, typer.Option(help="Recordings with contradicting labels.")
    ] = Conflicts.leave_out,
    name: Annotated[str | None, typer.Option(help="Name of the new analysis.", show_default=False)] = None,
    refresh: Annotated[
        bool, typer.Option("--refresh", help="Where inputs have changed, make a successor.")
    ] = False,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Try recordings again that failed.")
    ] = False,
    n: Annotated[int, typer.Option("--n", "-n", min=1, help="Families to show, the largest first.")] = 10,
    workers: Annotated[
        int | None, typer.Option(help="Threads or Ray tasks; default: one per core.", show_default=False)
    ] = None,
    engine: Annotated[
        EngineName, typer.Option(help="Threads of this process (auto, inline), or Ray tasks.")
    ] = EngineName.auto,
    ray_address: Annotated[
        str | None, typer.Option(help="A running Ray cluster.", show_default=False)
    ] = None,
    format_: OutFormat = Format.table,
    output: Out = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no summary.")] = False,
) -> None:
    """Group melodic variants: stretches of singing that are one melody, whatever the ornament and the tempo.

    In each recording, among all of a singer (style, work, ...), or in the
    whole corpus. Run again, it takes what is new or unfinished; families
    over several recordings keep the inputs they were made from until
    --refresh makes a successor. With --recording and a --format other than
    table, that recording's members are written as group, start_s, end_s.

    Examples:

    \b
        motifdb families
        motifdb families --recording song.wav --format csv -o groups.csv
        motifdb families --scope singer --transpose 700
        motifdb families --source motifs --threshold 1.0 --set band=0.2
    """
    from motifdb.catalog.locate import find_database
    from motifdb.catalog.store import open_snapshot
    from motifdb.pipelines import families_summary as told
    from motifdb.pipelines.families import make_families
    from motifdb.pipelines.families_options import FamiliesOptions
    from motifdb.pipelines.progress import Lines, Quiet
    from motifdb.query.database import Database

    path = find_database(db)
    snapshot = open_snapshot(path)
    own = None if recording is None else told.recording_meant(snapshot, recording)
    given = {
        "min_duration_s": min_duration,
        "max_duration_s": max_duration,
        "threshold": threshold,
        "threshold_cents": threshold_cents,
        "max_transposition_cents": transpose,
        "min_members": min_members,
    }
    options = FamiliesOptions(
        config=told.chosen_families(config, set_ or [], given),
        scope=scope,
        source=source.value,
        conflicts=conflicts.value,
        of=of,
        name=name,
        recordings=(own,) if own is not None and scope == "recording" else (),
        refresh=refresh,
        retry_failed=retry_failed,
        workers=workers,
        engine=engine.value,
        ray_address=ray_address,
    )
    options.check()
    found = told.stored_families(snapshot, options) if own is not None else None
    analyses = set(found or ())
    if found is None:
        with writing(path) as writer:
            report = make_families(options, writer, Quiet() if quiet else Lines())
        snapshot = open_snapshot(path)
        analyses = {made.analysis.id for made in report.made}
        if not quiet:
            typer.echo(
                "\n".join(told.families_lines(snapshot, options, report)), err=format_ is not Format.table
            )
    if own is not None and format_ is not Format.table:
        write(told.groups_of_recording(snapshot, analyses, own), format_, output)
        return
    with Database(path) as database:
        rows = told.largest_families(database, analyses, n if format_ is Format.table else None, own)
    if format_ is not Format.table or output is not None or not quiet:
        write(rows, format_, output)
