"""Contours as arguments: one that begins with a step down looks like an option, and is none."""

from __future__ import annotations

import re
from typing import Any

from typer.core import TyperCommand

_FALLING = re.compile(r"-\d+(\s+[+-]\d+)*")


def shielded(words: list[str]) -> list[str]:
    """Words of a command line in which no contour begins with a dash; numbers mean the same with the blank before them.

    >>> shielded(["-2 +1", "--limit", "-3", "-n", "+1 -2"])
    [' -2 +1', '--limit', ' -3', '-n', '+1 -2']
    """
    return [f" {word}" if _FALLING.fullmatch(word) else word for word in words]


class ContourCommand(TyperCommand):
    """A command whose argument may be a contour such as ``-2 +1``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """As any command, after `shielded`."""
        return super().parse_args(ctx, shielded(args))
