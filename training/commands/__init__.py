"""The commands of learning, one module each: parse, call, print. `motifdb.cli` registers them.

A module here imports nothing heavy when it is imported, so that `motifdb --help` stays quick.
"""

from __future__ import annotations

import typer

from motifdb.training.commands import (
    audit,
    clips,
    compare_runs,
    embed,
    evaluate,
    experiment,
    neighbours,
    predict,
    split,
    train,
)

PANEL = "Learn"


def register(app: typer.Typer) -> None:
    """Add every command of learning to the command line."""
    app.command("audit", rich_help_panel=PANEL)(audit.audit)
    app.command("clips", rich_help_panel=PANEL)(clips.clips)
    app.command("split", rich_help_panel=PANEL)(split.split)
    app.command("train", rich_help_panel=PANEL)(train.train)
    app.command("evaluate", rich_help_panel=PANEL)(evaluate.evaluate)
    app.command("compare-runs", rich_help_panel=PANEL)(compare_runs.compare_runs)
    app.command("predict", rich_help_panel=PANEL)(predict.predict)
    app.command("embed", rich_help_panel=PANEL)(embed.embed)
    app.command("neighbours", rich_help_panel=PANEL)(neighbours.neighbours)
    app.command("experiment", rich_help_panel=PANEL)(experiment.experiment)
