"""The command line: parse, call, print. Everything heavy is imported by the command that needs it."""

from __future__ import annotations

import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from motifdb.commands import register as register_asking
from motifdb.commands.demo_corpus import demo_corpus
from motifdb.pipelines.terminal import (
    At,
    Db,
    EngineName,
    Format,
    OnlyTable,
    Out,
    OutFormat,
    Picture,
    write,
    writing,
)
from motifdb.training.commands import register as register_learning

app = typer.Typer(
    name="motifdb",
    no_args_is_help=True,
    add_completion=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="""From a folder of singing to melodic motifs one can query, hear, test and learn from.

Start with [bold]motifdb demo[/bold], or with your own folder:

\b
    motifdb ingest corpus/ --metadata corpus/manifest.csv
    motifdb status
    motifdb top --by singer
    motifdb sql "select contour, occurrences, log10_p from motifs order by log10_p limit 10"
""",
)


class Until(StrEnum):
    """How far an ingest goes."""

    files = "files"
    pitch = "pitch"
    contours = "contours"
    motifs = "motifs"


MaxGap = Annotated[
    str | None,
    typer.Option(
        help="Symbols that may be skipped inside a motif, or none for any number.", show_default=False
    ),
]
OfRecordings = Annotated[
    str | None,
    typer.Option(
        "--analysis",
        help="Mining analysis of single recordings, by name or beginning of its id; default: the only one.",
        show_default=False,
    ),
]
# -- making motifs ---------------------------------------------------------------------------------------


@app.command(rich_help_panel="Make motifs")
def ingest(
    paths: Annotated[list[Path], typer.Argument(help="Folders and files: audio, f0 tracks.", metavar="PATH")],
    db: Db = None,
    preset: Annotated[str, typer.Option(help="Parameter set: default, style-2021, sid-2020.")] = "default",
    config: Annotated[
        Path | None,
        typer.Option(help="Parameters from a TOML file (see `motifdb presets`).", show_default=False),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="One parameter, such as contour.epsilon_cents=80.",
            show_default=False,
        ),
    ] = None,
    tracker: Annotated[
        str | None, typer.Option(help="Pitch tracker: yin, swift-f0, melodia.", show_default=False)
    ] = None,
    quantiser: Annotated[str | None, typer.Option(help="epsilon or kmeans.", show_default=False)] = None,
    k: Annotated[
        int | None, typer.Option("--k", help="Number of pitch clusters (kmeans).", show_default=False)
    ] = None,
    max_gap: MaxGap = None,
    channel: Annotated[
        str | None, typer.Option(help="mix, left, right or a channel's number.", show_default=False)
    ] = None,
    hop: Annotated[
        str | None,
        typer.Option(
            help="Time between frequencies of f0 tracks without times: 0.01, 10ms, 128/44100.",
            show_default=False,
        ),
    ] = None,
    metadata: Annotated[
        list[Path] | None,
        typer.Option(
            help="Labels by path: a csv, JSON-lines or Parquet file with a column path. Several: later ones add and override.",
            show_default=False,
        ),
    ] = None,
    pattern: Annotated[
        str | None,
        typer.Option(help="Labels from paths, such as '{singer}/{style}/{title}'.", show_default=False),
    ] = None,
    layout: Annotated[
        str | None,
        typer.Option(help="The folder is a known corpus; see `motifdb corpora`.", show_default=False),
    ] = None,
    until: Annotated[
        Until | None,
        typer.Option(
            help="Stop after this stage; default: motifs, with --as-clips files.", show_default=False
        ),
    ] = None,
    keep_audio: Annotated[
        bool,
        typer.Option("--keep-audio", help="Keep the sound at 16 kHz, to train and listen without the files."),
    ] = False,
    as_clips: Annotated[
        bool,
        typer.Option("--as-clips", help="Every file is a ready-cut training clip; keeps the sound."),
    ] = False,
    workers: Annotated[
        int | None, typer.Option(help="Tasks at a time; default: one per core.", show_default=False)
    ] = None,
    engine: Annotated[
        EngineName, typer.Option(help="In this process, or as Ray tasks; auto: by the amount of work.")
    ] = EngineName.auto,
    ray_address: Annotated[
        str | None,
        typer.Option(help="A running Ray cluster; default: one on this machine alone.", show_default=False),
    ] = None,
    prune: Annotated[bool, typer.Option("--prune", help="Forget files that are gone.")] = False,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Try files again that failed unchanged.")
    ] = False,
    refresh: Annotated[
        bool, typer.Option("--refresh", help="Fit corpus-wide pitch clusters anew, as a new analysis.")
    ] = False,
    commit_every: Annotated[
        int, typer.Option(help="Recordings in one commit at most; a kill loses no more.")
    ] = 512,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no summary.")] = False,
) -> None:
    """Turn folders of singing into motifs.

    Decodes, tracks pitch, quantises, mines, tests, stores. Works only on what
    is new or changed; run it again after a stop and it goes on. Bad files
    become rows of the table failures and never stop the run.

    Examples:

    \b
        motifdb ingest corpus/ --metadata corpus/manifest.csv
        motifdb ingest tracks/ --hop 128/44100 --db makam.motifdb
        motifdb ingest corpus/ --preset style-2021 --pattern '{singer}/{title}'
        motifdb ingest corpus/ --until files
        motifdb ingest clips/ --as-clips --pattern '{singer}/{_}'
        motifdb ingest ESC-50/ --as-clips --layout esc50
    """
    from motifdb.catalog.locate import default_database
    from motifdb.catalog.store import create
    from motifdb.pipelines.ingest import Options
    from motifdb.pipelines.ingest import ingest as run
    from motifdb.pipelines.inputs.f0 import parse_hop
    from motifdb.pipelines.progress import Lines, Quiet
    from motifdb.pipelines.settings import chosen_config
    from motifdb.pipelines.summary import summary

    options = Options(
        tuple(paths),
        chosen_config(
            preset,
            config,
            set_ or [],
            {
                "pitch.tracker": tracker,
                "pitch.channel": channel,
                "contour.quantiser": quantiser,
                "contour.k": k,
                "mining.max_gap": max_gap,
            },
        ),
        until=(until or (Until.files if as_clips else Until.motifs)).value,
        workers=workers,
        engine=engine.value,
        ray_address=ray_address,
        metadata=tuple(metadata or ()),
        pattern=pattern,
        layout=layout,
        keep_audio=keep_audio,
        as_clips=as_clips,
        hop=parse_hop(hop) if hop is not None else None,
        prune=prune,
        retry_failed=retry_failed,
        refresh=refresh,
        commit_every=commit_every,
    )
    labelling = options.check()
    path, is_new = default_database(db, paths)
    if is_new:
        create(path)
    with writing(path) as writer:
        report = run(options, writer, Quiet() if quiet else Lines(), labelling)
    if not quiet:
        typer.echo(summary(path, options, report))
    if report.failures:
        raise typer.Exit(1)


class ScopeConflicts(StrEnum):
    """What becomes of a recording whose files contradict each other about the scope's label."""

    leave_out = "leave-out"
    each = "each"


class SupportUnit(StrEnum):
    """What support counts."""

    occurrences = "occurrences"
    sequences = "sequences"
    recordings = "recordings"


@app.command(rich_help_panel="Make motifs")
def mine(
    db: Db = None,
    scope: Annotated[
        str,
        typer.Option(help="Mined together: recording, singer, style, work, artist, another label, corpus."),
    ] = "recording",
    max_gap: MaxGap = None,
    min_support: Annotated[
        str | None, typer.Option(help="Least support: a count, or a share (0.05, 5%).", show_default=False)
    ] = None,
    support: Annotated[
        SupportUnit | None,
        typer.Option(help="What support counts; sequences are phrases.", show_default=False),
    ] = None,
    min_length: Annotated[int | None, typer.Option(help="Symbols.", show_default=False)] = None,
    max_length: Annotated[int | None, typer.Option(help="Symbols.", show_default=False)] = None,
    min_duration: Annotated[
        float | None, typer.Option(help="Seconds of a motif's median occurrence.", show_default=False)
    ] = None,
    max_duration: Annotated[float | None, typer.Option(help="Likewise.", show_default=False)] = None,
    preset: Annotated[str, typer.Option(help="Where what is not said comes from.")] = "default",
    config: Annotated[
        Path | None, typer.Option(help="Or from a TOML file (see `motifdb presets`).", show_default=False)
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="One parameter, such as mining.max_order=2.",
            show_default=False,
        ),
    ] = None,
    contours: Annotated[
        str | None,
        typer.Option(help="Contours to mine: name or beginning of an id.", show_default=False),
    ] = None,
    conflicts: Annotated[
        ScopeConflicts | None,
        typer.Option(help="Recordings with contradicting labels.", show_default=False),
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name of the new analysis.", show_default=False)] = None,
    refresh: Annotated[
        bool, typer.Option("--refresh", help="Where inputs have changed, make a successor.")
    ] = False,
    max_patterns: Annotated[
        int | None, typer.Option(help="Bound on patterns of any length, in each scope.", show_default=False)
    ] = None,
    time_limit: Annotated[
        float | None,
        typer.Option(
            help="Bound on seconds of search, in each scope; judging comes on top.", show_default=False
        ),
    ] = None,
    memory_limit: Annotated[
        str | None, typer.Option(help="Bound on memory, such as 2GB.", show_default=False)
    ] = None,
    retry_bounded: Annotated[
        bool, typer.Option("--retry-bounded", help="Mine again what a bound cut short.")
    ] = False,
    workers: Annotated[
        int | None,
        typer.Option(
            help="Threads or Ray tasks; default: one per core, with --spmf one.", show_default=False
        ),
    ] = None,
    engine: Annotated[
        EngineName, typer.Option(help="Threads of this process (auto, inline), or Ray tasks.")
    ] = EngineName.auto,
    ray_address: Annotated[
        str | None, typer.Option(help="A running Ray cluster.", show_default=False)
    ] = None,
    spmf: Annotated[
        Path | None,
        typer.Option(help="Mine a file in SPMF's format instead, without a database.", show_default=False),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="With --spmf: file to write.", show_default=False)
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no summary.")] = False,
) -> None:
    """Mine the contours that are there once more, as a new analysis.

    Each recording on its own, all of a singer (style, work, ...) together,
    or the whole corpus. Run again, it takes what is new or unfinished; an
    analysis over several recordings keeps the inputs it was made from until
    --refresh makes a successor.

    Examples:

    \b
        motifdb mine --max-gap 1 --min-support 3
        motifdb mine --scope singer --support recordings --min-support 3
        motifdb mine --scope corpus --max-gap 1 --min-support 2% --name shared
        motifdb mine --spmf sequences.txt --min-support 62 --max-gap none -o out.txt
    """
    from motifdb.errors import UsageError

    if spmf is not None:
        from motifdb.mining.spmf import mine_file

        of_databases = {
            "--db": db,
            "--scope": None if scope == "recording" else scope,
            "--min-duration": min_duration,
            "--max-duration": max_duration,
            "--preset": None if preset == "default" else preset,
            "--config": config,
            "--set": set_,
            "--contours": contours,
            "--conflicts": conflicts,
            "--name": name,
            "--refresh": refresh or None,
            "--retry-bounded": retry_bounded or None,
            "--ray-address": ray_address,
            "--engine": "ray" if engine is EngineName.ray else None,
        }
        for option, value in of_databases.items():
            if value is not None:
                raise UsageError(
                    f"{option} is for contours in a database; --spmf mines a file of plain sequences"
                )
        if min_support is None:
            raise UsageError(
                "--spmf needs --min-support: a count of sequences, or a share such as 0.05 or 5%"
            )
        done = mine_file(
            spmf,
            output,
            min_support=min_support,
            max_gap=max_gap if max_gap is not None else 0,
            support=support.value if support else "sequences",
            min_length=1 if min_length is None else min_length,
            max_length=max_length,
            workers=1 if workers is None else workers,
            max_patterns=20_000_000 if max_patterns is None else max_patterns,
            memory_limit=memory_limit,
            time_limit_s=time_limit,
        )
        if not quiet:
            typer.echo(str(done), err=output is None)
        return
    from motifdb.catalog.locate import find_database
    from motifdb.pipelines.mined_summary import mined_summary
    from motifdb.pipelines.mining import MineOptions, make_limits, mine_database
    from motifdb.pipelines.progress import Lines, Quiet
    from motifdb.pipelines.settings import chosen_mining

    limits = make_limits(max_patterns, memory_limit, time_limit)
    if output is not None:
        raise UsageError(
            "--output is for --spmf; motifs go to the database, and motifdb sql writes them to files"
        )
    mining, own_name = chosen_mining(
        preset,
        config,
        set_ or [],
        {
            "mining.scope": scope,
            "mining.max_gap": max_gap,
            "mining.min_support": min_support,
            "mining.support": support.value if support else None,
            "mining.min_length": min_length,
            "mining.max_length": max_length,
            "mining.min_duration_s": min_duration,
            "mining.max_duration_s": max_duration,
            "mining.conflicts": conflicts.value if conflicts else None,
        },
    )
    options = MineOptions(
        mining,
        name or own_name,
        is_named=name is not None,
        contours=contours,
        workers=workers,
        engine=engine.value,
        ray_address=ray_address,
        limits=limits,
        refresh=refresh,
        retry_bounded=retry_bounded,
    )
    path = find_database(db)
    with writing(path) as writer:
        report = mine_database(options, writer, Quiet() if quiet else Lines())
    if not quiet:
        typer.echo(mined_summary(path, options, report))
    if any(mined.failed for mined in report.mined):
        raise typer.Exit(1)


@app.command(rich_help_panel="Make motifs")
def presets(
    name: Annotated[
        str | None, typer.Argument(help="Which one; default: their names.", show_default=False)
    ] = None,
    k: Annotated[
        int | None, typer.Option("--k", help="Number of pitch clusters, for sid-2020.", show_default=False)
    ] = None,
) -> None:
    """List the presets, or print one as TOML, ready for `motifdb ingest --config`.

    Examples:

    \b
        motifdb presets
        motifdb presets style-2021 > mine.toml
    """
    from motifdb.config import preset, preset_names

    typer.echo("\n".join(preset_names()) if name is None else preset(name, k=k).to_toml(), nl=name is None)


@app.command(rich_help_panel="Make motifs")
def dictionary(
    by: Annotated[str, typer.Option(help="The label whose values get a dictionary each: singer, style, ...")],
    analysis: OfRecordings = None,
    matches: Annotated[
        str,
        typer.Option(help="all places, or the first in each phrase (as sid-2020's released code cuts them)."),
    ] = "all",
    min_clip: Annotated[
        float,
        typer.Option(
            "--min-clip", help="Leave out places shorter than this, in seconds (released code: 0.15)."
        ),
    ] = 0.0,
    name: Annotated[
        str | None, typer.Option(help="Name of the new analysis; default: says how.", show_default=False)
    ] = None,
    db: Db = None,
    format_: OutFormat = Format.table,
    output: Out = None,
    quiet: OnlyTable = False,
) -> None:
    """Unite each singer's motifs and find them again in all of the singer's recordings (sid-2020's M(S)).

    The dictionaries are stored as an analysis: motifs of scope SINGER (or another label) with places, p-values, and counts in
    every recording. Running it again does only what is new. Prints the paper's Table 1.

    Examples:

    \b
        motifdb dictionary --by singer
        motifdb dictionary --by singer --matches first --min-clip 0.15
        motifdb dictionary --by style --format csv -o table1.csv
    """
    from typing import cast

    from motifdb.catalog.locate import find_database
    from motifdb.pipelines.dictionary import Options, make_dictionaries, notes
    from motifdb.pipelines.progress import Lines, Quiet

    options = Options(by, cast(Any, matches), analysis, name, min_clip)
    options.check()
    with writing(find_database(db)) as writer:
        report = make_dictionaries(options, writer, Quiet() if quiet else Lines())
    write(report.table, format_, output)
    if not quiet:
        typer.echo("\n".join(notes(report)), err=format_ is not Format.table or output is not None)


@app.command(rich_help_panel="Make motifs")
def selftest(
    db: Db = None,
    audio: Annotated[
        bool,
        typer.Option(
            "--audio", help="Plant pitch, sing it, track it again: tests the whole chain, on few recordings."
        ),
    ] = False,
    strengths: Annotated[
        str | None,
        typer.Option(
            help="How often a motif is planted in a recording; default: 3,4,6,8,12 (audio: 3,4,8).",
            show_default=False,
        ),
    ] = None,
    lengths: Annotated[
        str | None,
        typer.Option(help="Symbols of a motif; default: 4,6,8,12 (audio: 6,8).", show_default=False),
    ] = None,
    n_motifs: Annotated[
        int | None,
        typer.Option(help="Motifs for each length and strength; default: 20 (audio: 4).", show_default=False),
    ] = None,
    recordings: Annotated[
        int | None,
        typer.Option(
            help="Recordings to plant in, drawn at random; default: 20 (audio: 3).", show_default=False
        ),
    ] = None,
    analysis: OfRecordings = None,
    seed: Annotated[int, typer.Option(help="Another seed plants other motifs.")] = 1,
    workers: Annotated[
        int | None,
        typer.Option(help="Threads; default: one per core. Results are the same.", show_default=False),
    ] = None,
    format_: OutFormat = Format.table,
    output: Picture = None,
    at: At = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no legend.")] = False,
) -> None:
    """Would motifs be found? Plants known ones in copies of your recordings, and mines these.

    Motifs are drawn from each recording's own null model. Says which share is found at which strength, how many
    of the motifs found are right, and the weakest one found. The database is only read.

    Examples:

    \b
        motifdb selftest
        motifdb selftest --strengths 3,6,12 --lengths 4,8 -o power.png
        motifdb selftest --audio --recordings 2
        motifdb selftest --analysis style-2021 --format csv > power.csv
    """
    from motifdb.pipelines.progress import Lines, Quiet
    from motifdb.pipelines.selftest import selftest as run
    from motifdb.pipelines.selftest_cells import rows, shown
    from motifdb.pipelines.selftest_plan import Options, numbers
    from motifdb.pipelines.selftest_words import check_picture, control_name, draw, heading, legend, verdict
    from motifdb.query.database import Database

    options = Options(
        analysis,
        numbers("strengths", strengths),
        numbers("lengths", lengths),
        n_motifs,
        recordings,
        seed,
        workers,
        audio,
    )
    options.check()
    check_picture(output)
    with Database(db, at=at) as database:
        result = run(database.snapshot, options, Quiet() if quiet else Lines())
    is_text = format_ is Format.table
    if not quiet:
        typer.echo(heading(result), err=not is_text)
    write(shown(result.cells, control_name(result)) if is_text else rows(result.cells), format_, None)
    if not quiet:
        typer.echo(f"{legend(result)}\n\n{verdict(result)}" if is_text else verdict(result), err=not is_text)
    if output is not None:
        draw(result, output)
        if not quiet:
            typer.echo(f"-> {output}", err=not is_text)


@app.command(rich_help_panel="Make motifs")
def stability(
    analysis: OfRecordings = None,
    scope_key: Annotated[
        list[str] | None,
        typer.Option(
            "--scope-key",
            help="Only this recording: its path or the beginning of its recording_id; may be repeated.",
            show_default=False,
        ),
    ] = None,
    reruns: Annotated[
        str,
        typer.Option(help="all, or some of coarser,finer,tracker,shift,noise with commas between."),
    ] = "all",
    tracker: Annotated[
        str | None,
        typer.Option(
            help="The second tracker, or a stored pitch analysis; default: a stored one, else one that is installed.",
            show_default=False,
        ),
    ] = None,
    noise: Annotated[float, typer.Option(help="Standard deviation of the noise, in cents.")] = 5.0,
    seed: Annotated[int, typer.Option(help="Another seed draws other noise.")] = 0,
    retry_failed: Annotated[
        bool,
        typer.Option("--retry-failed", help="Measure recordings anew of which a rerun could not be made."),
    ] = False,
    output: Picture = None,
    db: Db = None,
    format_: OutFormat = Format.table,
    quiet: OnlyTable = False,
) -> None:
    """Rerun mining with small changes and store the share of reruns that find each motif again.

    Reruns: the quantiser a tenth coarser and finer, another tracker, a grid half a frame later, noise on the pitch. The
    share goes into motifs.stability. A stopped run goes on where it was.

    Examples:

    \b
        motifdb stability -o stability.png
        motifdb stability --reruns coarser,finer,noise --noise 10
        motifdb sql "select contour, stability, q_value from motifs order by stability desc limit 10"
    """
    from motifdb.catalog.locate import find_database
    from motifdb.pipelines.progress import Lines, Quiet
    from motifdb.pipelines.stability import RERUNS, Options, measure_stability
    from motifdb.pipelines.stability_report import draw, notes, table

    chosen = RERUNS if reruns == "all" else tuple(r.strip() for r in reruns.split(",") if r.strip())
    options = Options(analysis, tuple(scope_key or ()), chosen, tracker, seed, noise, retry_failed)
    options.check()
    with writing(find_database(db)) as writer:
        report = measure_stability(options, writer, Quiet() if quiet else Lines())
    write(table(report), format_, None)
    if not quiet:
        typer.echo("\n".join(notes(report)), err=format_ is not Format.table)
    if output is not None:
        draw(report, output)
        if not quiet:
            typer.echo(f"-> {output}", err=format_ is not Format.table)
    if report.failures:
        raise typer.Exit(1)


app.command("demo-corpus", rich_help_panel="Make motifs")(demo_corpus)


@app.command(rich_help_panel="Make motifs")
def demo(
    folder: Annotated[Path, typer.Argument(help="Where to put corpus, database and plot.")] = Path(
        "motifdb-demo"
    ),
) -> None:
    """Show the whole way in a minute: sing a corpus, ingest it, list motifs, ask SQL, draw one.

    Example:

    \b
        motifdb demo
    """
    from motifdb.pipelines.demo import run_demo

    run_demo(folder, say=typer.echo)


# -- asking ----------------------------------------------------------------------------------------------

register_asking(app)


# -- the database's own care -----------------------------------------------------------------------------


@app.command(rich_help_panel="Care for the database")
def status(db: Db = None, at: At = None) -> None:
    """Say what is in the database: counts, hours, size, last commit, failures, analyses.

    Example:

    \b
        motifdb status
    """
    from motifdb.query.database import Database

    with Database(db, at=at) as database:
        typer.echo(str(database.status()))


@app.command(rich_help_panel="Care for the database")
def log(
    db: Db = None,
    n: Annotated[int, typer.Option("--n", "-n", help="How many, newest first.")] = 20,
    format_: OutFormat = Format.table,
) -> None:
    """List the commits, newest first.

    Example:

    \b
        motifdb log -n 5
    """
    from motifdb.catalog.locate import find_database
    from motifdb.query.log import log_table

    write(log_table(find_database(db), n), format_, None, is_wrapped=True)


@app.command(rich_help_panel="Care for the database")
def check(
    db: Db = None,
    at: At = None,
    fingerprint: Annotated[
        bool, typer.Option("--fingerprint", help="Print a hash of every table's content instead.")
    ] = False,
) -> None:
    """Verify every invariant across the tables and every byte's checksum; exit 3 where one is broken.

    Examples:

    \b
        motifdb check
        motifdb check --fingerprint
    """
    from motifdb.catalog.locate import find_database
    from motifdb.catalog.store import open_snapshot
    from motifdb.query.check import check as violations
    from motifdb.query.fingerprint import fingerprint as hashes

    snapshot = open_snapshot(find_database(db), at)
    if fingerprint:
        typer.echo(str(hashes(snapshot)))
        return
    n_broken = 0
    for violation in violations(snapshot):
        n_broken += 1
        typer.echo(str(violation))
    if n_broken:
        are = "invariant is" if n_broken == 1 else "invariants are"
        typer.echo(f"motifdb: {n_broken} {are} broken in commit {snapshot.commit}", err=True)
        raise typer.Exit(3)
    typer.echo(f"commit {snapshot.commit}: every invariant holds, every byte has its checksum")


@app.command(rich_help_panel="Care for the database")
def compact(db: Db = None) -> None:
    """Merge the small files of many small commits. Content and history stay; `gc` frees the space.

    Example:

    \b
        motifdb compact
    """
    from motifdb.catalog.locate import find_database
    from motifdb.catalog.store import compact as run
    from motifdb.catalog.store import open_writer

    with open_writer(find_database(db)) as writer:
        made = run(writer)
    typer.echo(
        "nothing to merge" if made is None else f"merged, as commit {made}; `motifdb gc` frees the space"
    )


@app.command(rich_help_panel="Care for the database")
def gc(
    db: Db = None,
    keep_last: Annotated[int, typer.Option("--keep-last", help="Commits that stay open to --at.")] = 10,
    older_than_days: Annotated[
        float | None,
        typer.Option("--older-than-days", help="Collect only commits older than this.", show_default=False),
    ] = None,
) -> None:
    """Free what only old commits need, and what interrupted runs left.

    Examples:

    \b
        motifdb gc
        motifdb gc --keep-last 1
    """
    from datetime import timedelta

    from motifdb.catalog.locate import find_database
    from motifdb.catalog.store import gc as run
    from motifdb.catalog.store import open_writer

    age = timedelta(days=older_than_days) if older_than_days is not None else None
    with open_writer(find_database(db)) as writer:
        freed = run(writer, keep_last=keep_last, older_than=age)
    typer.echo(
        f"{freed.n_files:,} files, {freed.n_bytes / 1e6:,.1f} MB freed; commits from {freed.oldest_kept} on are kept"
    )


@app.command(rich_help_panel="Care for the database")
def migrate(db: Db = None) -> None:
    """Bring a database of an older format up to this version's; ingest does so on its own.

    Example:

    \b
        motifdb migrate
    """
    from motifdb.catalog.locate import find_database
    from motifdb.catalog.store import open_snapshot, open_writer

    path = find_database(db)
    before = open_snapshot(path).format_version
    with open_writer(path) as writer:
        after = writer.snapshot.format_version
    typer.echo(f"{path}: format {after}" + ("" if before == after else f", was {before}"))


@app.command(rich_help_panel="Care for the database")
def relocate(
    corpus: Annotated[str, typer.Argument(help="Name of the corpus, as `motifdb status` shows it.")],
    folder: Annotated[Path, typer.Argument(help="Where it stands now.", metavar="DIR")],
    db: Db = None,
) -> None:
    """Follow a folder of recordings that moved; nothing is read again.

    Example:

    \b
        motifdb relocate songs /data/songs
    """
    from motifdb.catalog.locate import find_database
    from motifdb.catalog.store import open_writer
    from motifdb.pipelines.relocate import relocate as run

    with open_writer(find_database(db)) as writer:
        n_there, n_all = run(writer, corpus, folder)
    typer.echo(f"{corpus} -> {folder}: {n_there} of {n_all} files are there")


# -- learning --------------------------------------------------------------------------------------------

register_learning(app)


def _version(value: bool) -> None:
    if value:
        import motifdb

        typer.echo(f"motifdb {motifdb.__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Entry point: errors of ours are one sentence on standard error and a meaningful exit status."""
    from motifdb.errors import MotifdbError
    from motifdb.pipelines.terminal import keep_interrupts, write_utf8

    keep_interrupts()
    write_utf8()
    try:
        app()
    except MotifdbError as error:
        print(f"motifdb: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        # the reader of our output left; there is nobody to tell
        sys.stderr.close()
        sys.exit(141)
    except Exception as error:
        if isinstance(error.__cause__, KeyboardInterrupt):
            # Ctrl-C while a compiled function handed back its result: Python makes a SystemError of it
            sys.exit(130)
        if os.environ.get("MOTIFDB_TRACEBACK"):
            raise
        said = " ".join(str(error).split())[:300]
        print(
            f"motifdb: a defect of motifdb, not of your data: {type(error).__name__}: {said};"
            " MOTIFDB_TRACEBACK=1 shows where, please report it",
            file=sys.stderr,
        )
        sys.exit(70)


if __name__ == "__main__":
    main()
