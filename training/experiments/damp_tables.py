"""damp-2018's Table 1 as text: as printed, with ours beside it, and what global aggregation is worth in sentences."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from motifdb.training.experiments import damp_published as pub
from motifdb.training.experiments.cells import CellReport
from motifdb.training.experiments.measured import Measured, leak_share, spread
from motifdb.training.scores.by_recording import PREFIX

RECORDING = f"{PREFIX}accuracy"
BASELINE_ROWS = ("svm", "speaker", "logistic", "1-nn", "majority")


@dataclass
class Table:
    """What was found.

    Attributes
    ----------
    cells : those asked for
    measured : runs by cell (or baseline) and column
    n_classes : of each column's division
    """

    cells: tuple[pub.Cell, ...]
    columns: tuple[str, ...]
    scale: str
    label: str
    measured: dict[tuple[str, str], list[Measured]] = field(default_factory=dict)
    n_classes: dict[str, int] = field(default_factory=dict)
    report: CellReport = field(default_factory=CellReport)
    notes: list[str] = field(default_factory=list)

    def of(self, name: str, column: str) -> list[Measured]:
        """Runs of a cell or baseline under a division."""
        return self.measured.get((name, column), [])


def table_rows(table: Table) -> list[dict[str, Any]]:
    """A row for each cell and baseline: as printed, then of each division train / test accuracy of clips, and accuracy of recordings."""
    rows = [_row(table, cell.name, cell) for cell in table.cells]
    for name in _baselines(table):
        rows.append(_row(table, name, None))
    # a column of numbers stays one
    chance: dict[str, Any] = {name: "" if isinstance(value, str) else None for name, value in rows[0].items()}
    chance |= {"network": "chance", "published": f"- / {_short(1 / pub.N_SINGERS)}"}
    for column in table.columns:
        for what in ("clips", "recordings"):
            chance[f"{what} {column}"] = _short(1 / table.n_classes[column])
    return [*rows, chance]


def _row(table: Table, name: str, cell: pub.Cell | None) -> dict[str, Any]:
    published = cell.published if cell is not None else pub.SVM if name == "svm" else None
    row: dict[str, Any] = {
        "network": name if cell is None else cell.written,
        "input": "" if cell is None else cell.input,
        "aggregation": "" if cell is None else cell.aggregation,
        "printed k": None if cell is None or cell.published is None else cell.thousands,
        "ours k": None if cell is None else counted(cell) // 1000,
        "published": "-" if published is None else " / ".join(_short(v, 4) for v in published),
    }
    for column in table.columns:
        own = table.of(name, column)
        train = _short(_mean([m.train_scores["accuracy"].value for m in own if "accuracy" in m.train_scores]))
        row[f"clips {column}"] = "-" if not own else f"{train} / {figure(own, 'accuracy')}"
        row[f"recordings {column}"] = figure(own, RECORDING)
    if table.scale != "paper" and cell is not None:
        ran = next((m for c in table.columns for m in table.of(name, c)), None)
        row["ran k"] = None if ran is None or ran.parameters is None else ran.parameters // 1000
    elif table.scale != "paper":
        row["ran k"] = None
    return row


def _baselines(table: Table) -> list[str]:
    return [b for b in BASELINE_ROWS if any(table.of(b, c) for c in table.columns)]


def counted(cell: pub.Cell) -> int:
    """Numbers of the printed network without its output layer, counted on one without memory."""
    import torch

    from motifdb.training.models import build_model, count_parameters

    with torch.device("meta"):
        network = build_model(
            pub.NETWORKS[cell.network][0], n_rows=96, n_classes=pub.N_SINGERS, **cell.options
        )
    return count_parameters(network) - count_parameters(network.classes)


def figure(own: list[Measured], metric: str) -> str:
    """Mean and deviation over folds; of a single fold, its interval over groups."""
    found = spread(own, metric)
    score = own[0].scores.get(metric) if len(own) == 1 else None
    if score is None or score.low is None or score.high is None:
        return found.text()
    return f"{_short(score.value)} ({_short(score.low)}–{_short(score.high)})"


def _mean(values: list[float | None]) -> float | None:
    known = [v for v in values if v is not None]
    return float(np.mean(known)) if known else None


def _short(value: float | None, digits: int = 3) -> str:
    if value is None:
        return "-"
    text = f"{value:.{digits}f}"
    return text[1:] if text.startswith("0.") else text


def fold_rows(table: Table) -> list[dict[str, Any]]:
    """A row for each run, with the accuracies that the table has the means of."""
    rows = []
    for name in [*(c.name for c in table.cells), *_baselines(table)]:
        for column in table.columns:
            for m in table.of(name, column):
                train = m.train_scores.get("accuracy")
                values = (None if train is None else train.value, m.value("accuracy"), m.value(RECORDING))
                named = zip(("train", "clips", "recordings"), values, strict=True)
                row: dict[str, Any] = {"cell": name, "division": column, "fold": m.fold, "seed": m.seed}
                row |= {what: None if value is None else round(value, 3) for what, value in named}
                rows.append(row | {"best epoch": m.best_epoch})
    return rows


def long_rows(table: Table) -> list[dict[str, Any]]:
    """A row for each figure: printed ones, and ours fold by fold with their intervals."""
    rows: list[dict[str, Any]] = []
    for cell in table.cells:
        about = {"cell": cell.name, "network": cell.written}
        for part, value in zip(("train", "test"), cell.published or (), strict=False):
            rows.append(about | _long("published", None, None, part, "accuracy", value, None, None))
        rows.append(
            about | _long("published", None, None, None, "parameters", cell.thousands * 1000, None, None)
        )
        rows.append(
            about | _long("ours, as printed", None, None, None, "parameters", counted(cell), None, None)
        )
        rows += _measured(table, cell.name, about)
    for part, value in zip(("train", "test"), pub.SVM, strict=True):
        about = {"cell": "svm", "network": "svm"}
        rows.append(about | _long("published", None, None, part, "accuracy", value, None, None))
    for name in _baselines(table):
        rows += _measured(table, name, {"cell": name, "network": name})
    return rows


def _measured(table: Table, name: str, about: dict[str, Any]) -> list[dict[str, Any]]:
    rows = []
    for column in table.columns:
        for m in table.of(name, column):
            more = {
                "parameters": m.parameters,
                "best_epoch": m.best_epoch,
                "cpu_s": m.cpu_s,
                "half_in_train": leak_share(m.leak, "half"),
                "run_id": m.run_id,
            }
            for part, scores in (("train", m.train_scores), ("test", m.scores)):
                for metric in ("accuracy", RECORDING, "balanced_accuracy", "f1", f"{PREFIX}f1"):
                    if (s := scores.get(metric)) is not None:
                        row = _long(column, m.fold, m.seed, part, metric, s.value, s.low, s.high)
                        rows.append(about | row | more)
    return rows


def _long(
    division: str,
    fold: int | None,
    seed: int | None,
    part: str | None,
    metric: str,
    value: float | None,
    low: float | None,
    high: float | None,
) -> dict[str, Any]:
    return {
        "division": division,
        "fold": fold,
        "seed": seed,
        "part": part,
        "metric": metric,
        "value": value,
        "low": low,
        "high": high,
    }


# -- sentences -----------------------------------------------------------------------------------------------


def notes_of(table: Table) -> list[str]:
    """What must be known to read the table: what it says of aggregation and baselines, what leaks, what was left out."""
    notes = [
        f"published: {pub.SOURCE}, train / test accuracy of {pub.N_SINGERS} singers. Ours: clips are train / test accuracy, recordings are"
        " test accuracy of the mean posterior; mean ± deviation over folds, of a single fold the interval over recordings. k: thousands of"
        " numbers without the output layer"
    ]
    if table.scale != "paper":
        notes.append(
            f"scale {table.scale}: networks of the same kind with fewer channels ran (ran k, all of their numbers), windows moved by 205"
            " columns, rows standardised"
        )
    notes += gains(table)
    notes += _leaks(table)
    if table.report.n_run:
        notes.append(
            f"{table.report.n_run} cells run ({table.report.cpu_s:.0f} s of processor time), {table.report.n_done_before} were done before"
        )
    return [
        *notes,
        *dict.fromkeys(table.notes),
        *pub.NOTES,
        *(f"failed: {line}" for line in table.report.failed),
    ]


def gains(table: Table) -> list[str]:
    """What aggregation is worth, paired by fold and seed, and whether networks beat the machine."""
    said = []
    for column in table.columns:
        for measure, what in (("accuracy", "clips"), (RECORDING, "recordings")):
            found = paired_gains(table, column, measure)
            if found.size:
                spread_text = f" ±{np.std(found):.3f}" if found.size > 1 else ""
                said.append(
                    f"{column}, {what}: aggregation against none, the same network, fold and seed: {np.mean(found):+.3f}{spread_text} of"
                    f" accuracy over {found.size} pair{'s' * (found.size != 1)}, {int((found > 0).sum())} better, {int((found < 0).sum())} worse"
                )
        networks = [(c.name, spread(table.of(c.name, column), "accuracy").mean) for c in table.cells]
        known = [(name, value) for name, value in networks if value is not None]
        machine = spread(table.of("svm", column), "accuracy").mean
        if known and machine is not None:
            n = sum(value > machine for _, value in known)
            best = max(known, key=lambda pair: pair[1])
            said.append(
                f"{column}: {n} of {len(known)} networks are right about more clips than the support vector machine on hand-crafted"
                f" vectors ({_short(machine)}); the best is {best[0]} ({_short(best[1])})"
            )
    return said


def paired_gains(table: Table, column: str, metric: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Accuracy of each aggregated run less that of the run without, of the same network, input, fold and seed."""
    found: list[float] = []
    plain = {
        (c.network, c.input, m.fold, m.seed): m.value(metric)
        for c in table.cells
        if c.aggregation == "none"
        for m in table.of(c.name, column)
    }
    for cell in table.cells:
        if cell.aggregation == "none":
            continue
        for m in table.of(cell.name, column):
            own, other = m.value(metric), plain.get((cell.network, cell.input, m.fold, m.seed))
            if own is not None and other is not None:
                found.append(own - other)
    return np.array(found, np.float64)


def _leaks(table: Table) -> list[str]:
    """What test shares with train in each division, in percent of the clips of test."""
    kinds = {
        "same-content": "an identical clip",
        "half": "half of their sound",
        "same-island": "their island of shared sound",
    }
    said = []
    for column in table.columns:
        one = table.of("majority", column) or table.of("svm", column)
        shares = {}
        for kind, words in kinds.items():
            known = [s for m in one if (s := leak_share(m.leak, kind)) is not None]
            if known:
                shares[words] = 100 * float(np.mean(known))
        if shares:
            text = ", ".join(f"{words} {share:.1f} %" for words, share in shares.items())
            said.append(f"{column}: clips of test that have in train: {text}")
    return said


def draw(table: Table, target: Path) -> None:
    """Published and ours as points: clips and recordings of each division."""
    from motifdb.plots.runs import Series, plot_table

    names = [c.name for c in table.cells] + [b for b in _baselines(table) if b != "majority"]
    printed: dict[str, float | None] = {c.name: c.published[1] for c in table.cells if c.published}
    printed["svm"] = pub.SVM[1]
    series = [Series.of(f"published ({pub.SOURCE})", [printed.get(n) for n in names])]
    for column in table.columns:
        for metric, what in (("accuracy", "clips"), (RECORDING, "recordings")):
            found = [spread(table.of(n, column), metric) for n in names]
            low = [None if s.mean is None or s.deviation is None else s.mean - s.deviation for s in found]
            high = [None if s.mean is None or s.deviation is None else s.mean + s.deviation for s in found]
            series.append(Series.of(f"{what}, {column}", [s.mean for s in found], low, high))
    shown = [s for s in series if not all(v != v for v in s.value.tolist())]
    chance = 1 / max(table.n_classes.values())
    plot_table(names, shown, target, chance=chance, title=pub.SOURCE)
