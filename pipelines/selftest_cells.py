"""What a self-test found, summed up: one row for each strength and length, the weakest motif found, in words and as rows."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from motifdb.pipelines.planting import Score
from motifdb.plots.shares import RecallCurve

ENOUGH = 0.5
"""A strength is found where at least this share of its motifs is."""


@dataclass(frozen=True)
class Trial:
    """One motif planted in one recording.

    Attributes
    ----------
    length, planted : symbols of the motif, and how often it was planted
    recording_id : where
    contour : the motif, as people write it
    bits : information of the motif at one place, under the recording's null model
    is_brief : whether the rule on duration leaves the motif out: its median place is too short (or too long)
    real : in the recording's own contours, or in its resynthesised pitch
    control : in a Markov surrogate of the contours, or in the same pitch without singing and tracking it
    """

    length: int
    planted: int
    recording_id: str
    contour: str
    bits: float
    is_brief: bool
    real: Score
    control: Score


@dataclass(frozen=True)
class Cell:
    """All trials of one length and strength; shares are NaN where there is nothing to share.

    `recall_low` and `recall_high` bound `recall` with 95 % confidence. Precision is the share of the significant motifs
    that are right, among those that are right or false.
    """

    length: int
    planted: int
    bits: float
    n: int
    n_skipped: int
    n_brief: int
    recall: float
    recall_low: float
    recall_high: float
    recall_any_q: float
    recall_everywhere: float
    precision: float
    recall_control: float
    precision_control: float


SCHEMA = pa.schema(
    [
        ("length", pa.int32()),
        ("planted", pa.int32()),
        ("bits", pa.float64()),
        ("n", pa.int32()),
        ("n_skipped", pa.int32()),
        ("n_brief", pa.int32()),
        *(
            (name, pa.float64())
            for name in (
                "recall",
                "recall_low",
                "recall_high",
                "recall_any_q",
                "recall_everywhere",
                "precision",
            )
        ),
        ("recall_control", pa.float64()),
        ("precision_control", pa.float64()),
    ]
)
"""Columns of the rows for programs."""


def interval(n_yes: int, n: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share (E. B. Wilson 1927, J. American Statistical Association 22(158)).

    >>> [round(x, 3) for x in interval(18, 20)]
    [0.699, 0.972]
    """
    if n == 0:
        return math.nan, math.nan
    z = 1.959964
    share = n_yes / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    reach = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return max(0.0, centre - reach), min(1.0, centre + reach)


def cell(length: int, planted: int, trials: Sequence[Trial], n_skipped: int, *, has_q: bool) -> Cell:
    """Sum up the trials of one length and strength.

    Parameters
    ----------
    n_skipped : recordings that are too short for it
    has_q : whether the miner gives q-values; without, what asks for them is NaN
    """
    n_called = sum(t.real.is_significant for t in trials)
    low, high = interval(n_called, len(trials)) if has_q else (math.nan, math.nan)
    return Cell(
        length,
        planted,
        float(np.median([t.bits for t in trials])) if trials else math.nan,
        len(trials),
        n_skipped,
        sum(t.is_brief for t in trials),
        _share(t.real.is_significant for t in trials) if has_q else math.nan,
        low,
        high,
        _share(t.real.is_found for t in trials),
        _share(t.real.is_found_everywhere for t in trials),
        _precision(t.real for t in trials),
        _share(t.control.is_significant for t in trials) if has_q else math.nan,
        _precision(t.control for t in trials),
    )


def _share(flags: Iterable[bool]) -> float:
    seen = list(flags)
    return sum(seen) / len(seen) if seen else math.nan


def _precision(scores: Iterable[Score]) -> float:
    n_right = n_false = 0
    for score in scores:
        n_right += score.n_right
        n_false += score.n_false
    return n_right / (n_right + n_false) if n_right + n_false else math.nan


def rows(cells: Sequence[Cell]) -> pa.Table:
    """For programs: numbers, null where a share has no whole."""
    return pa.table(
        {
            f.name: pa.array([None if v != v else v for v in (getattr(c, f.name) for c in cells)], f.type)
            for f in SCHEMA
        },
        schema=SCHEMA,
    )


def shown(cells: Sequence[Cell], control: str) -> pa.Table:
    """For people: shares in per cent, with their intervals, in columns that fit a terminal; what had no room is left out.

    Parameters
    ----------
    control : what the last two columns are of
    """
    cells = [c for c in cells if c.n]
    columns: dict[str, list[object]] = {
        "symbols": [c.length for c in cells],
        "times": [c.planted for c in cells],
        "bits": [_number(c.bits, 1) for c in cells],
        "motifs": [c.n for c in cells],
        "short": [c.n_skipped for c in cells],
        "brief": [c.n_brief for c in cells],
        "found": [
            _percent(c.recall)
            + (f" ({_percent(c.recall_low)}-{_percent(c.recall_high)})" if c.recall == c.recall else "")
            for c in cells
        ],
        "any q": [_percent(c.recall_any_q) for c in cells],
        "all": [_percent(c.recall_everywhere) for c in cells],
        "right": [_percent(c.precision) for c in cells],
        control: [_percent(c.recall_control) for c in cells],
        f"{control} right": [_percent(c.precision_control) for c in cells],
    }
    return pa.table(columns)


def _number(value: float, digits: int) -> str:
    return "-" if value != value else f"{value:.{digits}f}"


def _percent(share: float) -> str:
    return _number(100 * share, 0)


def weakest_cell(cells: Iterable[Cell]) -> Cell | None:
    """The fewest occurrences, then the fewest bits, at which at least half of the motifs are found; None of none."""
    enough = [c for c in cells if c.n and c.recall >= ENOUGH]
    return min(enough, key=lambda c: (c.planted, c.bits, c.length), default=None)


def weakest_trial(trials: Iterable[Trial]) -> Trial | None:
    """The single motif found at q < 0.05 that was planted the fewest times, then had the fewest bits; None of none."""
    found = [t for t in trials if t.real.is_significant]
    return min(found, key=lambda t: (t.planted, t.bits, t.length, t.recording_id), default=None)


def curves(cells: Sequence[Cell]) -> list[RecallCurve]:
    """One curve of recall over strength for each length."""
    out = []
    for length in sorted({c.length for c in cells}):
        own = sorted(
            (c for c in cells if c.length == length and c.n and c.recall == c.recall), key=lambda c: c.planted
        )
        if own:
            bits = float(np.median([c.bits for c in own]))
            planted, recall, low, high = (
                np.array([getattr(c, name) for c in own])
                for name in ("planted", "recall", "recall_low", "recall_high")
            )
            out.append(RecallCurve(planted, recall, low, high, f"{length} symbols, {bits:.0f} bits"))
    return out
