"""What a self-test says: a table with its legend, the weakest motif found, a picture; rows for programs."""

from __future__ import annotations

import textwrap
from pathlib import Path

from motifdb.config import MiningConfig
from motifdb.pipelines.selftest_cells import curves, weakest_cell, weakest_trial
from motifdb.pipelines.selftest_plan import Result

_LEGEND = (
    "symbols, times: length of the planted motif, and how often it is planted; bits: its information at one place;"
    " motifs: how many were planted, each alone; short: recordings without room for it;"
    " brief: motifs that the rule on duration leaves out."
    " In per cent, found: a motif of q < 0.05 (95 % interval); any q: a motif; all: one motif at every place;"
    " right: of the motifs of q < 0.05 that the unplanted recording has not, those at the planted places; "
)


def control_name(result: Result) -> str:
    """What the last two columns of the table are of."""
    return "null" if result.tracker is None else "unsung"


def heading(result: Result) -> str:
    """What was done, before the table."""
    analysis, many = result.analysis, len(result.trials)
    lines = [
        f"mining analysis {analysis.title}: {rules(analysis.mining)}",
        f"{_counted(many, 'motif')} planted, each alone in a copy of one of {_counted(result.n_recordings, 'recording')}"
        f" (drawn from {result.drawn.n_roomy:,} with room, of {result.drawn.n_all:,}; seed {result.options.seed})",
    ]
    if result.tracker is None:
        without = f"{result.n_surrogate:,} in a Markov surrogate of each"
        if result.n_called:
            without += f" (of {_counted(result.n_called, 'recording')})"
    else:
        lines[1] += f", sung and tracked again by {result.tracker}"
        without = f"{result.n_surrogate:,} when sung and tracked again"
    lines.append(f"motifs of q < 0.05 without planting: {result.n_real:,} in these recordings, {without}")
    if result.n_failed:
        lines.append(f"{_counted(result.n_failed, 'recording')} left out, too repetitive to be mined")
    return _wrapped(lines)


def legend(result: Result) -> str:
    """What the columns are, after the table."""
    last = (
        "null: the same in Markov surrogates, where every motif that is not planted is a false one."
        if result.tracker is None
        else "unsung: the same pitch, mined without being sung and tracked: what the quantiser alone loses."
    )
    return textwrap.fill(" ".join([_LEGEND + last, *_no_room(result)]), 100)


def _no_room(result: Result) -> list[str]:
    parts = []
    for length in sorted({c.length for c in result.cells}):
        times = [str(c.planted) for c in result.cells if c.length == length and c.n == 0]
        if times:
            parts.append(f"{length} symbols {', '.join(times)} times")
    return [f"No recording has room for {'; '.join(parts)}."] if parts else []


def verdict(result: Result) -> str:
    """The weakest strength and the weakest single motif that were found."""
    if all(c.recall != c.recall for c in result.cells):
        return "no motif has a q-value under these parameters, so none can be found at q < 0.05"
    cell, trial = weakest_cell(result.cells), weakest_trial(result.trials)
    if trial is None:
        said = "no planted motif was found at q < 0.05: they are too weak for recordings this short, or the rules are too strict"
        return _wrapped([said])
    lines = [
        "no strength had half of its motifs found"
        if cell is None
        else f"weakest strength with half of its motifs found: {cell.length} symbols ({cell.bits:.1f} bits), {cell.planted} times"
    ]
    where = result.paths.get(trial.recording_id, trial.recording_id)
    lines.append(
        f"weakest motif found: {trial.contour} ({trial.bits:.1f} bits), {trial.planted} times in {where}"
    )
    return _wrapped(lines)


def _counted(n: int, what: str) -> str:
    """A number of things.

    >>> _counted(1, "motif"), _counted(2000, "motif")
    ('1 motif', '2,000 motifs')
    """
    return f"{n:,} {what}" + ("" if n == 1 else "s")


def _wrapped(lines: list[str]) -> str:
    """Lines of at most 100 columns, paths never broken."""
    return "\n".join(
        textwrap.fill(line, 100, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)
        for line in lines
    )


def rules(config: MiningConfig) -> str:
    """What the parameters keep, in a few words.

    >>> rules(MiningConfig(min_length=4, min_duration_s=2.0))
    'at least 3 occurrences, 4 symbols, 2 s; no gap'
    """
    parts = [f"{config.min_support} {config.support}", f"{config.min_length} symbols"]
    if config.min_duration_s:
        parts.append(f"{config.min_duration_s:g} s")
    gap = "no gap" if config.max_gap == 0 else "gaps" + (f" of {config.max_gap}" if config.max_gap else "")
    return f"at least {', '.join(parts)}; {gap}"


def check_picture(path: Path | None) -> None:
    """Refuse a picture that could not be written, before any work.

    Raises
    ------
    UsageError
        for a suffix that is no picture's.
    """
    from motifdb.plots.canvas import check_suffix

    if path is not None:
        check_suffix(path)


def draw(result: Result, path: Path) -> None:
    """Recall over strength, a line for each length.

    Raises
    ------
    UsageError
        where nothing can be drawn, or the picture cannot be written.
    """
    from motifdb.plots.shares import plot_recall

    how = "" if result.tracker is None else ", sung and tracked again"
    title = f"Motifs planted in {result.n_recordings} recordings{how}: {result.analysis.title}"
    plot_recall(curves(result.cells), path, title=title)
