"""Experiments as text: a published table with ours beside it, for people (table, Markdown) and for programs (csv, json)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from motifdb.training.experiments import protocols as pr
from motifdb.training.experiments.measured import Measured, leak_share, spread

if TYPE_CHECKING:
    from motifdb.training.experiments.grid import GridReport

Row = Mapping[str, Any]

LEAKY = " (leaky)"
"""Set beside the name of every column whose test shares sound with train by design."""


def arrow(rows: Sequence[Row]) -> pa.Table:
    """Rows as an Arrow table; a column that is None in some rows is null there.

    >>> arrow([{"a": 1, "b": None}, {"a": 2, "b": "x"}]).column("b").to_pylist()
    [None, 'x']
    """
    names = list(dict.fromkeys(name for row in rows for name in row))
    return pa.table({name: pa.array([row.get(name) for row in rows]) for name in names})


def markdown(rows: Sequence[Row]) -> str:
    """Rows as a Markdown table; numbers are right-aligned.

    >>> print(markdown([{"model": "crnn", "runs": 3}]))
    | model | runs |
    |---|---:|
    | crnn | 3 |
    """
    names = list(dict.fromkeys(name for row in rows for name in row))
    right = [all(isinstance(row.get(n), int | float | None) for row in rows) for n in names]
    lines = [
        "| " + " | ".join(names) + " |",
        "|" + "|".join("---:" if r else "---" for r in right) + "|",
    ]
    for row in rows:
        cells = ["" if row.get(n) is None else str(row[n]).replace("|", "\\|") for n in names]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def grid_rows(report: GridReport) -> list[dict[str, Any]]:
    """The published table, ours beside: each figure is accuracy / AUC, ours the mean over folds and seeds.

    The last column is the mean F1 of the last protocol, the figure that a network is judged by here. Cells without any run of ours keep
    their published figures.
    """
    last = report.columns[-1]
    rows: list[dict[str, Any]] = []
    for cell in report.table.cells:
        row: dict[str, Any] = {
            "model": report.models.get(cell.model, cell.model),
            "clips": cell.clips,
            "hears" if report.table.name.startswith("sid") else "mask": (
                cell.front_end if report.table.name.startswith("sid") else cell.policy
            ),
            "published": _pair(cell.figure("accuracy"), cell.figure("auc")),
        }
        for column in report.columns:
            own = report.measured.get((cell.name, column), [])
            row[_head(column)] = _pair(spread(own, "accuracy").mean, spread(own, "auc").mean)
        row[f"F1 {_SHORT[last]}"] = spread(report.measured.get((cell.name, last), []), "f1").text()
        rows.append(row)
    kinds = list(dict.fromkeys(kind for kind, _ in report.baselines))
    for kind in kinds:
        for model in ("majority", "logistic"):
            row = dict.fromkeys(rows[0], "")
            row |= {"model": model, "clips": kind, "published": "-"}
            for column in report.columns:
                own = _of(report, kind, column, model)
                row[_head(column)] = _pair(spread(own, "accuracy").mean, spread(own, "auc").mean)
            row[f"F1 {_SHORT[last]}"] = spread(_of(report, kind, last, model), "f1").text()
            rows.append(row)
    return rows


_SHORT = {
    pr.RANDOM: "random",
    pr.CONTENTS: "contents",
    pr.ISLAND: "island",
    pr.SOURCE: "source",
    pr.NAMES: "name",
}


def _head(column: str) -> str:
    return _SHORT[column] + (LEAKY if column in (pr.RANDOM, pr.CONTENTS, pr.NAMES) else "")


def _of(report: GridReport, kind: str, column: str, model: str) -> list[Measured]:
    return [m for m in report.baselines.get((kind, column), []) if m.model == model]


def _pair(a: float | None, b: float | None) -> str:
    return "-" if a is None else f"{_number(a)}/{_number(b)}"


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    text = f"{value:.3f}"
    return text[1:] if text.startswith("0.") else text


def grid_long(report: GridReport) -> list[dict[str, Any]]:
    """A row for each figure: of a cell under a protocol (`published` is one), with its interval, spread and leak."""
    rows: list[dict[str, Any]] = []
    for cell in report.table.cells:
        about: dict[str, Any] = {
            "cell": cell.name,
            "model": cell.model,
            "clips": cell.clips,
            "front_end": cell.front_end,
            "policy": cell.policy,
        }
        for metric, value in cell.figures:
            rows.append(about | _figure("published", None, metric, value, "as printed"))
        for column in report.columns:
            own = report.measured.get((cell.name, column), [])
            rows += _long_of(own, about | {"network": report.models.get(cell.model)}, column)
        if cell.name in report.not_run and not any((cell.name, c) in report.measured for c in report.columns):
            rows.append(about | _figure("not run", None, None, None, report.not_run[cell.name]))
    for (kind, column), found in report.baselines.items():
        for model in dict.fromkeys(m.model for m in found):
            about = {
                "cell": f"{model}/{kind}",
                "model": model,
                "clips": kind,
                "front_end": None,
                "policy": None,
            }
            rows += _long_of([m for m in found if m.model == model], about, column)
    return rows


def _long_of(own: Sequence[Measured], about: dict[str, Any], column: str) -> list[dict[str, Any]]:
    rows = []
    for metric in ("accuracy", "balanced_accuracy", "auc", "precision", "recall", "f1"):
        found = spread(own, metric)
        if found.mean is None:
            continue
        halves = [s for m in own if (s := leak_share(m.leak, "half")) is not None]
        row = about | _figure(column, found.n, metric, found.mean, None)
        row["deviation_over_folds"] = found.deviation
        row["n_runs"] = len(own)
        row["is_leaky"] = _head(column).endswith(LEAKY)
        row["test_with_half_in_train"] = sum(halves) / len(halves) if halves else None
        row["parameters"] = own[0].parameters
        row["cpu_s"] = sum(m.cpu_s for m in own)
        rows.append(row)
    return rows


def _figure(
    protocol: str, n_folds: int | None, metric: str | None, value: float | None, note: str | None
) -> dict[str, Any]:
    return {"protocol": protocol, "metric": metric, "value": value, "n_folds": n_folds, "note": note}
