"""`motifdb search`: where a motif, a contour or a hummed melody sounds, and what sounds alike."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from motifdb.pipelines.terminal import At, Db, Format, Out, OutFormat, write


class By(StrEnum):
    """What is compared with what --like names."""

    sound = "sound"
    melody = "melody"


def search(
    motif: Annotated[
        str | None,
        typer.Option(help="A motif: its most typical occurrence is looked for.", show_default=False),
    ] = None,
    contour: Annotated[
        str | None,
        typer.Option(help="Symbols, such as '+1 -2 +1': exact places first.", show_default=False),
    ] = None,
    audio: Annotated[
        Path | None, typer.Option(help="A sung or hummed recording of a melody.", show_default=False)
    ] = None,
    f0: Annotated[
        Path | None, typer.Option("--f0", help="A melody as times and Hz.", show_default=False)
    ] = None,
    like: Annotated[
        str | None,
        typer.Option(help="A motif, clip, recording or file: what sounds like it.", show_default=False),
    ] = None,
    by: Annotated[By, typer.Option(help="What --like compares: vectors of sound, or melodies.")] = By.sound,
    model: Annotated[
        str | None,
        typer.Option(
            help="With --like: the vectors, by name, model or beginning of an id.", show_default=False
        ),
    ] = None,
    where: Annotated[
        str | None,
        typer.Option(help="With --like: among what meets this condition in SQL.", show_default=False),
    ] = None,
    exact: Annotated[
        bool, typer.Option("--exact", help="With --like: compare all, without an index.")
    ] = False,
    own: Annotated[
        bool, typer.Option("--own", help="With --like: keep what the query itself is made of.")
    ] = False,
    weights: Annotated[
        Path | None,
        typer.Option(help="With --like FILE: weights of a model that needs them.", show_default=False),
    ] = None,
    n: Annotated[int, typer.Option("--n", "-n", help="How many places.")] = 10,
    tempo: Annotated[
        str,
        typer.Option(help="free (0.7 to 1.4 times as long), same, or a range of ratios such as 0.5-2."),
    ] = "free",
    max_distance: Annotated[
        float | None,
        typer.Option(
            help="Leave out what is further: cents, edits with --contour, distances of vectors with --like.",
            show_default=False,
        ),
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="One place of each recording.")] = False,
    recording: Annotated[
        list[str] | None,
        typer.Option(
            help="Search this recording only: a path or an id; may be repeated.", show_default=False
        ),
    ] = None,
    analysis: Annotated[
        str | None,
        typer.Option(
            help="Contours (with --contour) or pitch to search, by name or beginning of an id.",
            show_default=False,
        ),
    ] = None,
    tracker: Annotated[
        str | None, typer.Option(help="Pitch tracker for --audio.", show_default=False)
    ] = None,
    hop: Annotated[
        str | None,
        typer.Option(help="Time between frames of --f0 without times: 0.01, 128/44100.", show_default=False),
    ] = None,
    db: Db = None,
    at: At = None,
    format_: OutFormat = Format.table,
    output: Out = None,
) -> None:
    """Find where a melody sounds, in any transposition, or what sounds alike: ranked places with their distance.

    Examples:

    \b
        motifdb search --contour "+1 -2 +1"
        motifdb search --motif 3f2a81 -n 20
        motifdb search --audio hum.wav --once
        motifdb search --f0 phrase.csv --tempo same --format csv
        motifdb search --like 3f2a81 --by sound --where "singer = 'El Chocolate'"
        motifdb search --like phrase.wav --by sound --model log-mel-stats
    """
    from motifdb.errors import UsageError
    from motifdb.query.database import Database
    from motifdb.query.search import Melody
    from motifdb.query.search import search as search_in
    from motifdb.query.search.melody import tempo_of

    given = [q for q in (motif, contour, audio, f0, like) if q is not None]
    if len(given) != 1:
        raise UsageError("give one query: --motif, --contour, --audio, --f0 or --like")
    if like is not None and by is By.sound:
        from motifdb.commands.sounding import find_alike, refuse

        melodic = {
            "--tempo": tempo != "free", "--once": once, "--analysis": analysis, "--tracker": tracker, "--hop": hop,
        }  # fmt: skip
        refuse(melodic, "is of melodies; leave it out, or search --by melody")
        with Database(db, at=at) as database:
            find_alike(
                database,
                like,
                format_,
                output,
                n=n,
                model=model,
                where=where,
                recordings=_recordings(database, recording),
                max_distance=max_distance,
                exact=exact,
                own=own,
                weights=weights,
            )
        return
    from motifdb.commands.sounding import refuse

    refuse(
        {"--model": model, "--where": where, "--exact": exact, "--own": own, "--weights": weights},
        "is of searches by sound; leave it out, or search --like ... --by sound",
    )
    if like is not None:
        if Path(like).is_file():
            audio = Path(like)
        else:
            motif = like
    if contour is not None:
        _require_contour(contour)
    with Database(db, at=at) as database:
        query: str | Melody
        if audio is not None or f0 is not None:
            query = _hum(audio, f0, tracker, hop, is_any=like is not None)
        else:
            query = str(motif or contour)
        if motif is not None:
            query = _motif_id(database, motif)
        found = search_in(
            database.snapshot,
            query,
            n=n,
            tempo=tempo_of(tempo),
            max_distance=max_distance,
            recordings=_recordings(database, recording),
            analysis=analysis,
            once=once,
        )
        shown = [
            name
            for name in found.column_names
            if format_ is not Format.table
            or (name != "recording_id" and found.column(name).null_count < max(len(found), 1))
        ]
        write(found.select(shown), format_, output)


def _require_contour(text: str) -> None:
    from motifdb.errors import UsageError
    from motifdb.query.search.contour import is_contour

    if not is_contour(text):
        raise UsageError(f"{text!r} is no contour; write symbols with their signs, such as '+1 -2 +1'")


def _hum(  # type: ignore[no-untyped-def]
    audio: Path | None, f0: Path | None, tracker: str | None, hop: str | None, *, is_any: bool
):
    from motifdb.errors import UsageError
    from motifdb.pipelines.humming import read_hum
    from motifdb.pipelines.inputs.f0 import parse_hop

    file = audio if audio is not None else f0
    assert file is not None
    hum = read_hum(file, tracker, hop=None if hop is None else parse_hop(hop))
    if not is_any and (f0 is not None) != hum.is_f0:
        told = "--f0" if hum.is_f0 else "--audio"
        raise UsageError(f"{file} is {'a pitch track' if hum.is_f0 else 'sound'}; give it with {told}")
    return hum


def _motif_id(database, text: str) -> str:  # type: ignore[no-untyped-def]
    from motifdb.query.motifs import find_motif

    return str(find_motif(database, text)["motif_id"])


def _recordings(database, texts: list[str] | None) -> list[str] | None:  # type: ignore[no-untyped-def]
    from motifdb.query.meant import what_is_meant

    return [what_is_meant(database, t, ["recording"]).id for t in texts] if texts else None
