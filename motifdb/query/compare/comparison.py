"""Which motifs set a group apart: labels permuted over recordings or singers, every pattern counted as a test.

For each pattern that an analysis kept somewhere, and each group: the mean rate (occurrences a minute of phrases) of the
group's units against that of all others, or the share of units that hold it. p is the share of relabellings of the units
that give a difference as large, in the rarer direction, doubled. Benjamini-Hochberg goes over all tests that are made.
See docs/compare.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from motifdb.errors import UsageError
from motifdb.query.compare.counted import (
    Counted,
    Mined,
    count_in_units,
    counted_recordings,
    find_mined,
    phrase_minutes,
)
from motifdb.query.compare.intervals import mean_differences, share_differences
from motifdb.query.compare.permuted import Tests, permuted_p
from motifdb.query.compare.units import Units, make_units
from motifdb.query.scopes import label_values
from motifdb.query.views import STANDARD_LABELS

if TYPE_CHECKING:
    from pathlib import Path

    from motifdb.query.database import Database

STATISTICS = ("rate", "share")
CALLED = 0.05
"""q at or below which a difference is called, and p that some labelling must be able to give for a test to be made."""

FEW_UNITS = 6
N_DRAWS = 2000

_FILES = ["recording_id", "state", *STANDARD_LABELS, "labels"]


@dataclass(frozen=True)
class Comparison:
    """What `compare` found.

    Attributes
    ----------
    units : who was compared
    mined : the analysis whose patterns were
    statistic : ``"rate"`` or ``"share"``
    table : one row a test, the surest first: `group`, `contour`, the statistic in the group and `elsewhere`, `effect`
        (their difference) with its 95 % interval `low` to `high` (null beyond the first `n` rows), `p`, `q`, how many units
        `held` it `of` how many, likewise `held_elsewhere` and `of_elsewhere`, `pattern_id`
    n_patterns, n_tests : kept patterns, and tests that were made
    at_least : units a pattern had to be in to be tested; None: as many as some labelling needs to give p of 0.05
    n_permutations : most relabellings that a test was given; 0 where p is exact
    notes : sentences on who was left out, and what cannot be seen
    """

    units: Units
    mined: Mined
    statistic: str
    table: pa.Table
    n_patterns: int
    n_tests: int
    at_least: int | None
    n_permutations: int
    notes: list[str]

    @property
    def n_called(self) -> int:
        """Tests with q of at most 0.05."""
        return int((self.table.column("q").to_numpy() <= CALLED).sum())

    def arrow(self) -> pa.Table:
        """The table."""
        return self.table

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return self.table.__arrow_c_stream__(requested_schema)

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def lines(self) -> list[str]:
        """What was compared, for people."""
        units, sizes = self.units, self.units.sizes
        what = (
            "occurrences a minute of phrases"
            if self.statistic == "rate"
            else f"share of {units.unit}s that hold it"
        )
        if len(units.tested) > 6:
            who = f"{len(units.tested)} values of {units.by}, each against the rest"
        else:
            who = (
                ", ".join(f"{units.groups[i]} ({sizes[i]} {units.unit}s)" for i in units.tested)
                + " against the rest"
            )
            if len(units.groups) == 2:
                who = " against ".join(
                    f"{g} ({n} {units.unit}s)" for g, n in zip(units.groups, sizes, strict=True)
                )
        how = f"labels permuted over {units.unit}s up to {self.n_permutations:,} times"
        if self.statistic == "share":
            how = f"labels permuted over {units.unit}s in every way (exact)"
        return [
            f"{units.by}: {who}",
            f"{what}; {how}; patterns of {self.mined.title}",
            f"{self.n_called:,} of {self.n_tests:,} tests at q <= {CALLED:g} ({self.n_patterns:,} kept patterns)",
            *self.notes,
        ]

    def shown(self, table: pa.Table) -> pa.Table:
        """Rows of the table for people: intervals and counts as text."""
        rows = table.to_pylist()

        def text(row: dict[str, Any]) -> str:
            return "" if row["low"] is None else f"{row['low']:+.2f} to {row['high']:+.2f}"

        columns = {
            "group": table.column("group"),
            "contour": table.column("contour"),
            self.statistic: pa.array([f"{row[self.statistic]:.3f}" for row in rows], pa.string()),
            "elsewhere": pa.array([f"{row['elsewhere']:.3f}" for row in rows], pa.string()),
            "effect": pa.array([f"{row['effect']:+.3f}" for row in rows], pa.string()),
            "95 %": pa.array([text(row) for row in rows], pa.string()),
            "p": pa.array([f"{row['p']:.2g}" for row in rows], pa.string()),
            "q": pa.array([f"{row['q']:.2g}" for row in rows], pa.string()),
            f"{self.units.unit}s": pa.array([f"{r['held']} of {r['of']}" for r in rows], pa.string()),
            "others": pa.array([f"{r['held_elsewhere']} of {r['of_elsewhere']}" for r in rows], pa.string()),
        }
        if len(self.units.tested) == 1:
            del columns["group"]
        return pa.table(columns)

    def plot(self, path: str | Path, n: int = 30) -> None:
        """Draw the first `n` rows that have an interval: effects, intervals, and which are called (filled).

        Raises
        ------
        UsageError
            for a suffix that no picture has, a file that cannot be written, or where nothing was tested.
        """
        from motifdb.plots.forest import Effect, plot_effects

        rows = [row for row in self.table.slice(0, n).to_pylist() if row["low"] is not None]
        if not rows:
            raise UsageError("nothing was tested, so there is nothing to draw")
        is_rate = self.statistic == "rate"
        what = "occurrences a minute of phrases" if is_rate else f"share of {self.units.unit}s that hold it"
        against = "the rest"
        if len(self.units.groups) == 2:
            against = self.units.groups[1 - self.units.tested[0]]
        effects = [
            Effect(r["contour"], r["group"], r["effect"], r["low"], r["high"], r["q"] <= CALLED) for r in rows
        ]
        plot_effects(
            effects,
            path,
            title=f"{self.units.by}: against {against}; filled marks have q <= {CALLED:g}",
            unit=f"{what}, less that of {against} (95 % interval)",
        )

    def __repr__(self) -> str:
        from motifdb.query.database import Result

        return "\n".join([*self.lines(), "", repr(Result(self.shown(self.table.slice(0, 20))))])


def compare(
    database: Database,
    by: str,
    a: str | None = None,
    b: str | None = None,
    *,
    unit: str | None = None,
    statistic: str = "rate",
    analysis: str | None = None,
    at_least: int | None = None,
    permutations: int | None = None,
    seed: int = 0,
    n: int | None = 100,
) -> Comparison:
    """Find the motifs that set groups of recordings apart.

    Parameters
    ----------
    by : name of the label whose values are compared
    a, b : two values; one: against all others; none: each against all others
    unit : what labels are permuted over: ``"recording"``, or the name of a label such as ``"singer"``; None: singers where each
        has one value of `by`, else recordings
    statistic : ``"rate"`` or ``"share"``
    analysis : a mining analysis, by name or beginning of its id; None: the only one
    at_least : units a pattern must be in to be tested; None: so many that some labelling gives p of 0.05
    permutations : most relabellings of a test; None: enough for one single pattern to be called
    seed : of relabellings and of the bootstrap
    n : rows that are given an interval, the surest first; None: all

    Raises
    ------
    NotFoundError
        for a label, a value or an analysis that is not there.
    UsageError
        for groups that are too small, units that have several values, or options that cannot be.
    """
    if statistic not in STATISTICS:
        raise UsageError(f"--statistic must be rate or share, got {statistic!r}")
    if permutations is not None and permutations < 100:
        raise UsageError(f"--permutations must be at least 100, got {permutations}")
    if at_least is not None and at_least < 1:
        raise UsageError(f"--at-least must be 1 unit or more, got {at_least}")
    snapshot = database.snapshot
    mined = find_mined(snapshot, analysis, by)
    labels = label_values(snapshot.table("files", _FILES).to_pylist())
    minutes = phrase_minutes(snapshot, mined.contour_id)
    there = [r for r in counted_recordings(snapshot, mined) if r in minutes]
    units = make_units(labels, there, by, a, b, unit)
    counted = count_in_units(snapshot, mined, units.unit_of, minutes, len(units.names))
    return compare_counts(
        units,
        mined,
        counted,
        statistic=statistic,
        at_least=at_least,
        permutations=permutations,
        seed=seed,
        n=n,
    )


def compare_counts(
    units: Units,
    mined: Mined,
    counted: Counted,
    *,
    statistic: str = "rate",
    at_least: int | None = None,
    permutations: int | None = None,
    seed: int = 0,
    n: int | None = 100,
) -> Comparison:
    """As `compare`, of counts that are at hand."""
    is_share = statistic == "share"
    tests = Tests.make(units, counted, is_share, at_least, CALLED)
    found = permuted_p(tests, units, is_share, seed, permutations, CALLED)
    values = tests.values
    inside, outside = tests.means(units, values)
    effect = inside - outside
    # equal p and q are told apart by the size of the effect, then by the pattern
    order = np.lexsort((tests.pattern, -np.abs(effect), found.p, found.q))
    shown = order if n is None else order[:n]
    low, high = np.full(len(order), np.nan), np.full(len(order), np.nan)
    if is_share:
        low[shown], high[shown] = share_differences(tests.of(shown), units)
    else:
        low[shown], high[shown] = mean_differences(tests.of(shown), units, N_DRAWS, seed)
    table = _table(tests, units, counted, order, inside, outside, low, high, found.p, found.q, statistic)
    notes = [
        *units.notes,
        *_limits(tests, units, found.q, found.p, found.n_permutations, at_least, len(counted.pattern_id)),
    ]
    return Comparison(
        units,
        mined,
        statistic,
        table,
        len(counted.pattern_id),
        len(order),
        at_least,
        found.n_permutations,
        notes,
    )


def _table(
    tests: Tests,
    units: Units,
    counted: Counted,
    order: NDArray[np.int64],
    inside: NDArray[np.float64],
    outside: NDArray[np.float64],
    low: NDArray[np.float64],
    high: NDArray[np.float64],
    p: NDArray[np.float64],
    q: NDArray[np.float64],
    statistic: str,
) -> pa.Table:
    sizes = units.sizes
    group, pattern = tests.group[order], tests.pattern[order]
    held, held_all = tests.held[order], tests.held_all[order]

    def known(x: NDArray[np.float64]) -> pa.Array:
        return pa.array(x[order], pa.float64(), mask=np.isnan(x[order]))

    return pa.table(
        {
            "group": pa.array([units.groups[g] for g in group.tolist()], pa.string()),
            "contour": pa.array([counted.contour[i] for i in pattern.tolist()], pa.string()),
            statistic: inside[order],
            "elsewhere": outside[order],
            "effect": (inside - outside)[order],
            "low": known(low),
            "high": known(high),
            "p": p[order],
            "q": q[order],
            "held": held,
            "of": sizes[group],
            "held_elsewhere": held_all - held,
            "of_elsewhere": len(units.names) - sizes[group],
            "pattern_id": pa.array([counted.pattern_id[i] for i in pattern.tolist()], pa.string()),
        }
    )


def _limits(
    tests: Tests,
    units: Units,
    q: NDArray[np.float64],
    p: NDArray[np.float64],
    n_permutations: int,
    at_least: int | None,
    n_patterns: int,
) -> list[str]:
    """What could not be seen, whatever is there."""
    notes = []
    n_pairs = n_patterns * len(units.tested)
    if len(tests) < n_pairs:
        why = (
            f"in fewer than {at_least} {units.unit}s"
            if at_least is not None
            else f"in too few {units.unit}s for any labelling to give p <= {CALLED:g}"
        )
        notes.append(
            f"{n_pairs - len(tests):,} of {n_pairs:,} pairs of pattern and group are not tested: {why}"
        )
    if len(tests) and (tests.least_p.min() * len(tests) / _ties(tests) > CALLED):
        notes.append(
            f"with so few {units.unit}s no labelling of them can give any test q <= {CALLED:g}: the smallest p there can be is"
            f" {tests.least_p.min():.2g}"
        )
    smallest = min(units.sizes[i] for i in units.tested)
    if smallest < FEW_UNITS:
        notes.append(f"groups of fewer than {FEW_UNITS} {units.unit}s: their intervals are too narrow")
    floor = 2 / (n_permutations + 1) if n_permutations else 0.0
    n_floor = int(((p <= floor * (1 + 1e-9)) & (q > CALLED)).sum())
    if n_floor:
        notes.append(
            f"{n_floor:,} tests have the smallest p that {n_permutations:,} permutations can give, and q above {CALLED:g};"
            " more --permutations would tell"
        )
    return notes


def _ties(tests: Tests) -> float:
    """Tests that can share the smallest p there can be."""
    return float(max(1, np.isclose(tests.least_p, tests.least_p.min(), rtol=1e-9).sum()))
