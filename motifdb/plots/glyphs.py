"""A curve as a few lines of text: braille where the terminal can show it, else plain ASCII.

A braille character has two columns and four rows of dots; in ASCII a character has one column of two rows
(``'`` above, ``.`` below, ``:`` both).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

_BRAILLE = 0x2800
_DOTS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]], np.int64)
"""Bit of each dot of a braille character, by row and column."""

_ASCII_DOTS = np.array([[1], [2]], np.int64)
_ASCII = " '.:"


def curve_lines(
    values: NDArray[np.float64], low: float, high: float, width: int, height: int, *, is_unicode: bool = True
) -> list[str]:
    """A curve as `height` lines of `width` characters.

    Parameters
    ----------
    values : shape (n,), evenly spaced over the width; NaN leaves a gap, what is outside of `low` and `high` is at the rim

    >>> curve_lines(np.array([0.0, 1.0, 1.0, 0.0]), 0.0, 1.0, 4, 2, is_unicode=False)
    [' :: ', ":'':"]
    """
    dots = _DOTS if is_unicode else _ASCII_DOTS
    n_rows, n_columns = height * dots.shape[0], width * dots.shape[1]
    canvas = np.zeros((n_rows, n_columns), bool)
    at = resampled(values, n_columns)
    rows = (1.0 - np.clip((at - low) / max(high - low, 1e-9), 0.0, 1.0)) * (n_rows - 1)
    before = np.nan
    for column, row in enumerate(rows):
        if not np.isnan(row):
            canvas[round(row), column] = True
            if not np.isnan(before):
                # a leap is a line: half of it in either column
                middle = (row + before) / 2
                for a, b, where in ((before, middle, column - 1), (middle, row, column)):
                    canvas[round(min(a, b)) : round(max(a, b)) + 1, where] = True
        before = row
    cells = canvas.reshape(height, dots.shape[0], width, dots.shape[1])
    codes = np.einsum("hrwc,rc->hw", cells.astype(np.int64), dots)
    if is_unicode:
        return ["".join(" " if c == 0 else chr(_BRAILLE + int(c)) for c in row) for row in codes]
    return ["".join(_ASCII[int(c)] for c in row) for row in codes]


def lane_line(
    spans: Sequence[tuple[float, float]], start: float, end: float, width: int, *, is_unicode: bool = True
) -> str:
    """Where spans lie between two times, as one line; a span is one character wide at least.

    >>> lane_line([(1.0, 2.0), (8.0, 8.1)], 0.0, 10.0, 10, is_unicode=False)
    ' =      = '
    """
    line = [" "] * width
    scale = width / max(end - start, 1e-9)
    for a, b in spans:
        first = int((a - start) * scale)
        last = max(int(np.ceil((b - start) * scale)), first + 1)
        for column in range(max(first, 0), min(last, width)):
            line[column] = "▄" if is_unicode else "="
    return "".join(line)


def placed(texts: Sequence[tuple[float, str]], width: int) -> str:
    """Texts on one line, each around its share of the width; one that would touch the one before is left out.

    >>> placed([(0.0, "0 s"), (0.5, "+1"), (0.55, "-2"), (1.0, "3 s")], 20)
    '0 s      +1      3 s'
    """
    line = ""
    for share, text in texts:
        first = min(max(round(share * (width - 1) - (len(text) - 1) / 2), 0), width - len(text))
        if first >= 0 and (not line or first > len(line)):
            line = line.ljust(first) + text
    return line


def resampled(values: NDArray[np.float64], n: int) -> NDArray[np.float64]:
    """The median of each of n even parts; of fewer values than parts the nearest ones."""
    if not values.size:
        return np.full(n, np.nan)
    if values.size <= n:
        return np.asarray(values[np.arange(n) * values.size // n], np.float64)
    edges = np.linspace(0, values.size, n + 1).astype(int)
    out = np.full(n, np.nan)
    for i, (a, b) in enumerate(pairwise(edges.tolist())):
        part = values[a:b]
        part = part[~np.isnan(part)]
        if part.size * 2 >= b - a:
            out[i] = np.median(part)
    return out
