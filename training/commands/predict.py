"""The command `motifdb predict`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from motifdb.pipelines.terminal import At, Db, Format, Out, write
from motifdb.training.commands.shared import tell


class ReportFormat(StrEnum):
    """How the answer is written."""

    table = Format.table.value
    csv = Format.csv.value
    json = Format.json.value


def predict(
    run: Annotated[
        str,
        typer.Argument(help="Beginning of a run's id, or its recipe where it has one run.", metavar="RUN"),
    ],
    files: Annotated[list[Path], typer.Argument(help="Audio files.", metavar="FILE")],
    db: Db = None,
    at: At = None,
    top: Annotated[
        int, typer.Option(help="Classes to show of each file, the likeliest first; 0 is all.")
    ] = 5,
    window: Annotated[
        float | None,
        typer.Option(
            help="Seconds that a long file is heard at a time; default: as the run's clips are.",
            show_default=False,
        ),
    ] = None,
    channel: Annotated[str, typer.Option(help="mix, left, right or a channel's number.")] = "mix",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda.")] = "auto",
    format_: Annotated[
        ReportFormat, typer.Option("--format", help="How to write the answer.")
    ] = ReportFormat.table,
    output: Out = None,
) -> None:
    """Say what a trained run makes of audio files, with probabilities, and how far to believe it.

    A file no longer than the run's clips is heard whole; a longer one in windows that overlap by half, whose
    probabilities are averaged.

    Examples:

    \b
        motifdb predict sid-2020-small song.wav
        motifdb predict 84940208 takes/*.flac --top 1 --format csv
        motifdb predict 84940208 song.wav --format json
    """
    import json

    import pyarrow as pa

    from motifdb.catalog.locate import find_database
    from motifdb.catalog.snapshot import open_snapshot
    from motifdb.errors import UsageError
    from motifdb.training.extras import need

    need()
    from motifdb.training.fitting.predict import Predictor, predict_files, worth
    from motifdb.training.scores.runs import find_run

    if top < 0:
        raise UsageError(f"--top must be 0 or more, got {top}")
    root = find_database(db)
    snapshot = open_snapshot(root, at)
    row = find_run(snapshot, run)
    predictor = Predictor(snapshot, row, root, device=device, window_s=window, channel=channel)
    failures: list[str] = []
    found = predict_files(predictor, files, failures.append)
    known = worth(snapshot, row)
    if format_ is ReportFormat.json:
        answer = [
            {
                "file": p.file,
                "duration_s": round(p.duration_s, 3),
                "windows": p.n_windows,
                "quiet_windows": p.n_quiet,
                "predicted": p.predicted,
                "probabilities": {name: round(value, 6) for name, value in p.ranked()},
            }
            for p in found
        ]
        text = json.dumps(
            {"run_id": row["run_id"], "known": known, "files": answer}, indent=1, ensure_ascii=False
        )
        if output is None:
            typer.echo(text)
        else:
            output.write_text(text + "\n", encoding="utf-8")
    else:
        rows = [
            {
                "file": _named(p.file, format_),
                row["label"]: name,
                "probability": round(value, 4),
                "windows": p.n_windows,
            }
            for p in found
            for name, value in p.ranked()[: top or None]
        ]
        if rows:
            write(pa.Table.from_pylist(rows), Format(format_.value), output)
        tell(known, err=format_ is not ReportFormat.table)
    for sentence in failures:
        typer.echo(f"motifdb: {sentence}", err=True)
    if failures:
        raise typer.Exit(1)


def _named(file: str, format_: ReportFormat) -> str:
    """A file as it is shown: in a table for people by the end of a long path, where its name is."""
    return file if format_ is not ReportFormat.table or len(file) <= 40 else "…" + file[-39:]
