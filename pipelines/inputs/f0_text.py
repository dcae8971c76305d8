"""How the lines of a text hold a pitch track: delimiter, header, which column is what; or that it is none.

Recognised are one frequency a line, and tables with a time and a frequency column, separated by comma,
semicolon, tab or blanks, with a header or without. A table with a header counts only by its column names; one
without must look like a track: times that rise in small steps beside frequencies that can be sung. So
manifests, notes, onsets and phrase annotations are told apart and passed over.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

TIME_NAMES = frozenset(
    [
        "time",
        "time_s",
        "times",
        "t",
        "t_s",
        "timestamp",
        "timestamps",
        "seconds",
        "sec",
        "secs",
        "time_sec",
        "time_seconds",
        "time_ms",
        "timestamp_s",
    ]
)
F0_NAMES = frozenset(
    [
        "f0",
        "f0_hz",
        "hz",
        "frequency",
        "frequency_hz",
        "freq",
        "freq_hz",
        "pitch",
        "pitch_hz",
        "pitch_frequency",
        "frequencies",
        "f0_value",
    ]
)
CONFIDENCE_NAMES = frozenset(
    [
        "confidence",
        "conf",
        "voiced_prob",
        "voiced_probability",
        "probability",
        "prob",
        "voicing_confidence",
        "periodicity",
    ]
)
VOICED_NAMES = frozenset(["voiced", "is_voiced", "voiced_flag", "voicing"])
_NOTE_NAMES = frozenset(
    [
        "offset",
        "offset_s",
        "end",
        "end_s",
        "end_time",
        "duration",
        "duration_s",
        "label",
        "note",
        "midi",
        "midi_pitch",
        "velocity",
        "onset",
        "onset_s",
        "start_s",
        "path",
    ]
)
_N_LINES = 200
_LONGEST_STEP_S = 0.2
_LOWEST_HZ, _HIGHEST_HZ = 20.0, 20_000.0


@dataclass(frozen=True)
class Layout:
    """How to read a pitch track.

    Attributes
    ----------
    delimiter : between cells; ``" "`` stands for any run of blanks
    n_columns : cells of a line
    n_skipped : lines before the first frame: comments, blank lines, the header
    has_header : whether one of them names the columns
    time, f0, confidence, voiced : column numbers from 0; None where there is none
    time_unit_s : seconds in one unit of the time column
    decimal_point : ``"."`` or ``","``
    """

    delimiter: str
    n_columns: int
    n_skipped: int
    has_header: bool
    time: int | None
    f0: int
    confidence: int | None = None
    voiced: int | None = None
    time_unit_s: float = 1.0
    decimal_point: str = "."


def to_utf8(text: bytes) -> bytes:
    """Without a byte order mark, UTF-16 turned into UTF-8."""
    if text.startswith((b"\xff\xfe", b"\xfe\xff")):
        return text.decode("utf-16", "replace").encode()
    return text.removeprefix(b"\xef\xbb\xbf")


def find_layout(
    head: bytes, *, is_whole: bool, is_certain: bool, may_be_bare: bool, is_corrected: bool = False
) -> Layout | None:
    r"""The layout of a pitch track from its first lines, or None where the text is none.

    Parameters
    ----------
    head : beginning of the text
    is_whole : False where the last line may be cut
    is_certain : the name already says that it is a track, so that a bad line is an error of the track
    may_be_bare : the name allows a track of one number a line
    is_corrected : the name says that it is of TONAS: time, energy, estimated and corrected frequency, without a header

    >>> find_layout(b"0.0\n220.5\n221.0\n", is_whole=True, is_certain=False, may_be_bare=True).time is None
    True
    >>> find_layout(b"onset_s,offset_s,midi_pitch\n0.1,0.2,60\n", is_whole=True, is_certain=False, may_be_bare=True)
    """
    lines = to_utf8(head).decode("utf-8", "replace").splitlines()
    if not is_whole and len(lines) > 1:
        lines = lines[:-1]
    n_skipped = 0
    comment = ""
    while n_skipped < len(lines) and (
        not lines[n_skipped].strip() or lines[n_skipped].lstrip()[:1] in ("#", "%")
    ):
        comment = lines[n_skipped].strip() or comment
        n_skipped += 1
    rows = [line for line in lines[n_skipped : n_skipped + _N_LINES] if line.strip()]
    if comment:
        named = _from_header(comment.lstrip("#% "), rows, n_skipped)
        if named is not None:
            return named
    if not rows:
        return None
    if not is_number(_cells(rows[0], _delimiter(rows[0]))[0]):
        named = _from_header(rows[0], rows[1:], n_skipped + 1)
        if named is not None or not is_certain:
            return named
    found = _without_header(rows, n_skipped, is_certain, may_be_bare)
    if found is None and is_corrected and len(_cells(rows[0], _delimiter(rows[0]))) == 4:
        return Layout(_delimiter(rows[0]), 4, n_skipped, False, 0, 3)
    return found


def is_number(cell: str, decimal_point: str = ".") -> bool:
    """Whether a cell is a finite or non-finite number as `float` reads it."""
    if decimal_point == ",":
        cell = cell.replace(",", ".")
    try:
        float(cell)
    except ValueError:
        return False
    return "_" not in cell


def _delimiter(line: str) -> str:
    for delimiter in ("\t", ";", ","):
        if delimiter in line:
            return delimiter
    return " "


def _cells(line: str, delimiter: str) -> list[str]:
    cells = line.split() if delimiter == " " else line.split(delimiter)
    return [cell.strip().strip('"').strip() for cell in cells] or [""]


def _from_header(header: str, rows: list[str], n_skipped: int) -> Layout | None:
    delimiter = _delimiter(header)
    names = [re.sub(r"[^a-z0-9]+", "_", cell.lower()).strip("_") for cell in _cells(header, delimiter)]
    if set(names) & _NOTE_NAMES:
        return None
    time, f0, confidence, voiced = (
        next((i for i, name in enumerate(names) if name in known), None)
        for known in (TIME_NAMES, F0_NAMES, CONFIDENCE_NAMES, VOICED_NAMES)
    )
    if f0 is None:
        return None
    if time is None and not set(names) <= F0_NAMES | CONFIDENCE_NAMES | VOICED_NAMES:
        return None  # a table with a column called pitch is not yet a pitch track
    point = _decimal_point(rows[0], delimiter) if rows else "."
    unit_s = 0.001 if time is not None and names[time].endswith("_ms") else 1.0
    return Layout(delimiter, len(names), n_skipped, True, time, f0, confidence, voiced, unit_s, point)


def _decimal_point(row: str, delimiter: str) -> str:
    return "," if delimiter != "," and "," in row and "." not in row else "."


def _without_header(rows: list[str], n_skipped: int, is_certain: bool, may_be_bare: bool) -> Layout | None:
    delimiter = _delimiter(rows[-1])
    point = _decimal_point(rows[-1], delimiter)
    cells = [_cells(row, delimiter) for row in rows]
    n_columns = len(cells[-1])
    good = [
        [float(c.replace(",", ".")) for c in row]
        for row in cells
        if len(row) == n_columns and all(is_number(c, point) for c in row)
    ]
    if len(good) < (0.5 if is_certain else 0.9) * len(rows) or not good:
        return None
    if n_columns == 1:
        if not is_certain and not (may_be_bare and len(rows) >= 2 and _can_be_sung([row[0] for row in good])):
            return None
        return Layout(",", 1, n_skipped, False, None, 0)
    if n_columns > 3:
        return None
    layout = Layout(
        delimiter, n_columns, n_skipped, False, 0, 1, 2 if n_columns == 3 else None, None, 1.0, point
    )
    if is_certain:
        return layout
    steps = [b[0] - a[0] for a, b in pairwise(good)]
    if (
        not steps
        or min(steps) <= 0
        or median(steps) > _LONGEST_STEP_S
        or not _can_be_sung([row[1] for row in good])
    ):
        return None
    if n_columns == 3 and not all(0 <= row[2] <= 1 for row in good):
        return None
    return layout


def _can_be_sung(values_hz: list[float]) -> bool:
    """Whether numbers can be frequencies: none too high, and if any is positive, one that can be heard."""
    finite = [v for v in values_hz if v == v and abs(v) != float("inf")]
    top = max(finite, default=0.0)
    return top <= _HIGHEST_HZ and (top <= 0 or top >= _LOWEST_HZ)
