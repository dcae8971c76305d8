"""The command `motifdb clips`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from motifdb.pipelines.terminal import Db, EngineName, writing


def clips(
    db: Db = None,
    kind: Annotated[
        str,
        typer.Option(
            help="motif, motif_segment, random, random_disjoint or window; file: see ingest --as-clips."
        ),
    ] = "motif",
    analysis: Annotated[
        str | None,
        typer.Option(
            help="Motifs to cut: name of a mining analysis, or beginning of its id.", show_default=False
        ),
    ] = None,
    max_per_motif: Annotated[
        int | None, typer.Option(help="At most so many occurrences of each motif.", show_default=False)
    ] = None,
    limit: Annotated[
        int | None, typer.Option(help="At most so many clips in all.", show_default=False)
    ] = None,
    min_duration: Annotated[float, typer.Option(help="Seconds of an occurrence.")] = 0.0,
    max_duration: Annotated[float | None, typer.Option(help="Likewise.", show_default=False)] = None,
    segment_s: Annotated[float, typer.Option(help="Seconds of a motif_segment.")] = 3.0,
    window_s: Annotated[float, typer.Option(help="Seconds of a window.")] = 3.0,
    hop_s: Annotated[
        float | None, typer.Option(help="Seconds between windows; default: no overlap.", show_default=False)
    ] = None,
    seed: Annotated[int, typer.Option(help="Of every draw.")] = 0,
    no_audio: Annotated[
        bool, typer.Option("--no-audio", help="Do not keep the sound: for models of contours.")
    ] = False,
    name: Annotated[str | None, typer.Option(help="Name of the clips.", show_default=False)] = None,
    workers: Annotated[
        int | None,
        typer.Option(help="Processes that read sound again; default: by the work.", show_default=False),
    ] = None,
    engine: Annotated[EngineName, typer.Option(help="Where sound is read again.")] = EngineName.auto,
    ray_address: Annotated[
        str | None, typer.Option(help="A running Ray cluster.", show_default=False)
    ] = None,
) -> None:
    """Cut training examples: spans where motifs sound, or windows to compare them with.

    Clips are spans; the sound they lie in is kept once per recording, and read from the files where it is not there yet.
    random has a window for every motif clip, of its duration and from its recording's voiced stretches;
    random_disjoint also avoids every occurrence. Same options and seed, same clips.

    Examples:

    \b
    motifdb clips --kind motif --max-per-motif 20
    motifdb clips --kind motif_segment              3 s from each onset
    motifdb clips --kind random_disjoint            as many, without motifs
    motifdb clips --analysis "dictionary by singer" --min-duration 0.15
    motifdb clips --kind window --window-s 3 --hop-s 1.5
    """
    import shlex

    from motifdb.catalog.store import find_database
    from motifdb.pipelines.progress import Lines
    from motifdb.training.clips.clip_job import ClipOptions, cut_clips

    options = ClipOptions(
        kind,
        analysis,
        max_per_motif,
        limit,
        min_duration,
        max_duration,
        segment_s,
        window_s,
        hop_s,
        seed,
        name,
        not no_audio,
        engine.value,
        workers,
        ray_address,
    )
    options.check()

    def tell(size: Any) -> None:
        typer.echo("\n".join(size.lines()))

    path = find_database(db)
    with writing(path) as writer:
        cut = cut_clips(options, writer, Lines(), tell)
    new = f"{cut.n_new:,} of them new" if cut.n_new else "all of them were there already"
    typer.echo(f"clips {cut.name!r} ({cut.analysis_id[:8]}): {new}")
    for note in cut.notes:
        typer.echo(note)
    typer.echo(f"next: motifdb split --clips {cut.analysis_id[:8]} --db {shlex.quote(str(path))}")
