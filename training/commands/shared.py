"""What several commands of learning share: the form of a report, folds as they are typed, lines for people."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from enum import StrEnum

import typer

from motifdb.pipelines.terminal import Format

WIDTH = 100
"""Columns that lines for people fit in."""


class ReportFormat(StrEnum):
    """How a report is written."""

    table = Format.table.value
    json = Format.json.value


def fold_numbers(text: str) -> tuple[int, ...] | None:
    """The folds that ``--fold`` names; None is all of them.

    >>> fold_numbers("2,0,2"), fold_numbers("all")
    ((2, 0), None)

    Raises
    ------
    UsageError
        for what is neither numbers nor ``all``.
    """
    from motifdb.errors import UsageError

    if text.strip() == "all":
        return None
    try:
        return tuple(dict.fromkeys(int(part) for part in text.split(",")))
    except ValueError:
        raise UsageError(f"--fold takes a number, several as 0,2, or all; got {text!r}") from None


def tell(lines: Iterable[str], *, err: bool = False) -> None:
    """Print lines, folded where they are long."""
    for line in lines:
        typer.echo(textwrap.fill(line, WIDTH, subsequent_indent="  ", break_on_hyphens=False), err=err)
