"""What a stability measurement says: a table of the reruns, notes under it, a picture."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

if TYPE_CHECKING:
    from pathlib import Path

    from motifdb.config import ContourConfig


@dataclass
class RerunShare:
    """How a rerun went: recordings, motifs put to the test there, those confirmed, and those that chance confirms.

    `by_chance` is of the `n_now` motifs tested in this run alone, as chance is not stored; -1 where none was.
    """

    name: str
    title: str
    n_recordings: int = 0
    n_failed: int = 0
    n_motifs: int = 0
    n_confirmed: int = 0
    n_now: int = 0
    by_chance: int = 0

    @property
    def share(self) -> float:
        return self.n_confirmed / self.n_motifs if self.n_motifs else math.nan

    @property
    def chance(self) -> float:
        return self.by_chance / self.n_now if self.n_now else math.nan


@dataclass
class Report:
    """What `motifdb stability` has to tell."""

    title: str
    shares: list[RerunShare]
    notes: list[str]
    stability: NDArray[np.float64]
    q_value: NDArray[np.float64]
    n_now: int
    n_before: int
    n_commits: int
    failures: dict[str, str] = field(default_factory=dict)


def quantiser_title(old: ContourConfig, new: ContourConfig) -> str:
    """What a rerun with another quantiser is called."""
    if old.quantiser == "epsilon":
        sign = "+" if new.epsilon_cents > old.epsilon_cents else "-"
        return f"epsilon {sign}10 %: {new.epsilon_cents:g} cents"
    assert old.k is not None and new.k is not None
    return f"{new.k} clusters instead of {old.k}"


def table(report: Report) -> pa.Table:
    """The summary, one row a rerun."""
    shares = report.shares

    def known(values: list[float]) -> pa.Array:
        return pa.array([None if math.isnan(v) else round(v, 4) for v in values], pa.float64())

    return pa.table(
        {
            "rerun": [s.title for s in shares],
            "recordings": [s.n_recordings for s in shares],
            "motifs": [s.n_motifs for s in shares],
            "confirmed": [s.n_confirmed for s in shares],
            "share": known([s.share for s in shares]),
            "by_chance": known([s.chance for s in shares]),
        }
    )


def notes(report: Report) -> list[str]:
    """What stands under the table."""
    lines = [f"stability of {report.title}: a motif's is the share of these reruns that confirm it"]
    lines += report.notes
    n_failed = len(report.failures)
    if n_failed:
        lines.append(f"{n_failed:,} rerun{'s' * (n_failed != 1)} of single recordings could not be made:")
        lines += [f"  {what}: {why}" for what, why in list(report.failures.items())[:3]]
    elif any(s.n_failed for s in report.shares):
        n_failed = sum(s.n_failed for s in report.shares)
        lines.append(
            f"{n_failed:,} reruns of single recordings could not be made; --retry-failed tries again"
        )
    values = report.stability
    if len(values):
        n_all, n_none = int((values == 1).sum()), int((values == 0).sum())
        lines.append(
            f"{len(values):,} motifs: {n_all:,} confirmed by every rerun, {n_none:,} by none, mean {values.mean():.2f}"
        )
    if not report.n_now:
        lines.append("nothing has changed since it was measured (what chance confirms is not stored)")
    elif report.n_before:
        lines.append(f"{report.n_before:,} recordings had been measured before; by_chance is of the others")
    return lines


def draw(report: Report, path: Path) -> None:
    """The report as a picture.

    Raises
    ------
    UsageError
        where it cannot be written, or there is nothing to draw.
    """
    from motifdb.plots.shares import plot_stability

    shares = report.shares
    plot_stability(
        [s.title for s in shares],
        [s.share for s in shares],
        [s.chance for s in shares],
        report.stability,
        report.q_value,
        path,
        title=f"stability of {report.title}",
    )
