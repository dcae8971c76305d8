"""The command `motifdb demo-corpus`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def demo_corpus(
    folder: Annotated[Path, typer.Argument(help="A new or empty folder.", metavar="DIR")],
    singers: Annotated[
        int | None, typer.Option(help="How many singers: 4; crossed 8.", show_default=False)
    ] = None,
    songs: Annotated[
        int | None, typer.Option(help="Songs of each singer: 3; crossed 6.", show_default=False)
    ] = None,
    seed: Annotated[int, typer.Option(help="Another seed sings another corpus.")] = 1,
    noise: Annotated[float, typer.Option(help="Breath and room noise, 1 is a close microphone.")] = 1.0,
    crossed: Annotated[
        bool,
        typer.Option("--crossed", help="Every voice sings every song, so that singer and song are apart."),
    ] = False,
    videos: Annotated[
        int,
        typer.Option(
            "--videos",
            help="Instead, so many videos whose sound and colours belong together.",
            show_default=False,
        ),
    ] = 0,
    domain: Annotated[str, typer.Option(help="Of the videos: tones or noises.")] = "tones",
) -> None:
    """Sing a small corpus whose motifs are known: audio, manifest.csv, truth.csv and true f0.

    Examples:

    \b
        motifdb demo-corpus songs/
        motifdb demo-corpus hard/ --noise 4 --singers 8
        motifdb demo-corpus table/ --crossed
        motifdb demo-corpus large/ --crossed --singers 24 --songs 14
        motifdb demo-corpus films/ --videos 120
    """
    if videos:
        if crossed or singers is not None or songs is not None:
            from motifdb.errors import UsageError

            raise UsageError("--videos makes videos and no songs; leave out --crossed, --singers and --songs")
        from motifdb.training.videos.generated import make_av_corpus

        made = make_av_corpus(folder, n_videos=videos, domain=domain, seed=seed)
        typer.echo(f"{len(made.paths)} videos of {domain}, {made.duration_s / 60:.1f} minutes -> {folder}")
        return
    if crossed:
        from motifdb.pipelines.crossed_corpus import make_crossed_corpus

        n_singers, n_songs = 8 if singers is None else singers, 6 if songs is None else songs
        truth = make_crossed_corpus(folder, n_singers, n_songs, seed, noise)
        typer.echo(
            f"{n_singers} voices × {n_songs} songs, {truth.duration_s / 60:.1f} minutes,"
            f" {len(truth.renditions)} planted renditions -> {folder}"
        )
        return
    from motifdb.pipelines.demo_corpus import make_demo_corpus

    n_singers, n_songs = 4 if singers is None else singers, 3 if songs is None else songs
    truth = make_demo_corpus(folder, seed=seed, n_singers=n_singers, n_songs=n_songs, noise=noise)
    typer.echo(f"{n_singers * n_songs} songs, {len(truth.renditions)} planted renditions -> {folder}")
