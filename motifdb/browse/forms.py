"""What a page is asked for: the words after the ? of its address, read strictly and said back in a sentence."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from motifdb.errors import UsageError

_SYMBOL = re.compile(r"[+-]?\d{1,3}")
_DASHES = str.maketrans({"−": "-", "–": "-", "‐": "-", "＋": "+", ",": " "})


def whole(
    given: Mapping[str, str], name: str, default: int, *, at_least: int = 1, at_most: int = 2**31 - 1
) -> int:
    """A whole number; the default where the field is empty.

    Raises
    ------
    UsageError
        where it is none, or outside its range.
    """
    text = given.get(name, "").strip()
    if not text:
        return default
    if not (re.fullmatch(r"\d{1,10}", text) and at_least <= int(text) <= at_most):
        raise UsageError(f"{name} must be a whole number from {at_least:,} to {at_most:,}, got {text[:40]!r}")
    return int(text)


def number(given: Mapping[str, str], name: str, *, at_least: float = 0.0) -> float | None:
    """A number; None where the field is empty.

    Raises
    ------
    UsageError
        where it is none, not finite, or too small.
    """
    text = given.get(name, "").strip()
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value >= at_least):
        raise UsageError(f"{name} must be a number of at least {at_least:g}, got {text[:40]!r}")
    return value


def chosen(given: Mapping[str, str], name: str, choices: Mapping[str, object]) -> str:
    """One of some words; the first where the field is empty.

    Raises
    ------
    UsageError
        for another word.
    """
    text = given.get(name, "").strip() or next(iter(choices))
    if text not in choices:
        raise UsageError(f"{name} must be one of {', '.join(choices)}, got {text[:40]!r}")
    return text


def contour(text: str) -> str | None:
    """A contour as the tables write it; None where the text is no contour.

    >>> contour(" 1, −2  +1 "), contour("3f2a"), contour("")
    ('+1 -2 +1', None, None)
    """
    symbols = text.translate(_DASHES).split()
    if not symbols or not all(_SYMBOL.fullmatch(s) for s in symbols):
        return None
    return " ".join(f"{int(s):+d}" for s in symbols)
