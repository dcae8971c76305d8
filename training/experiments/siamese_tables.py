"""siamese-2018 as text: a row for each vector, the long form for programs, and what the figures say in sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from motifdb.training.experiments.performances import PAIRS, SINGER, WORK

if TYPE_CHECKING:
    from motifdb.training.experiments.siamese import SiameseReport
    from motifdb.training.scores.figures import Figure

BASELINE = "hand-crafted"

PUBLISHED_LOSS = {"mel/attention": 0.3315, "mel/none": 0.3351, "cqt/attention": 0.3932, "cqt/none": 0.3916}
"""siamese-2018, Table 1; its kNN figures are bars without numbers."""

_SHOWN_KS = (1, 3)


def summary_rows(report: SiameseReport) -> list[dict[str, Any]]:
    """A row for each model, and chance: neighbours by singer and by song, verification, loss beside the collapse loss."""
    rows = []
    for model in report.models:
        found = report.pooled(model)
        row: dict[str, Any] = {"vector": model, "parameters": _count(report.parameters.get(model))}
        for protocol, called in ((SINGER, "singer"), (WORK, "song")):
            for k in _SHOWN_KS:
                figure = found.get((protocol, f"knn_{k}"))
                row[f"{called} {k}-NN"] = "-" if figure is None else str(figure)
        eer = found.get((PAIRS, "eer"))
        row["EER"] = "-" if eer is None else str(eer)
        row |= loss_columns(report, model)
        rows.append(row)
    if report.models:
        rows.append(_chance_row(report))
    return rows


def loss_columns(report: SiameseReport, model: str) -> dict[str, Any]:
    """The mean loss of a model's encoders on test, what one point costs, what was printed."""
    own = report.losses.get(model, [])
    published = PUBLISHED_LOSS.get(model)
    mean = np.mean([figure.value for figure in own]) if own else None
    collapse = np.mean([figure.trivial for figure in own]) if own else None
    return {
        "test loss": "-" if mean is None else f"{mean:.3f}",
        "one point": "-" if collapse is None else f"{collapse:.3f}",
        "published loss": "-" if published is None else f"{published:.4f}",
    }


def _chance_row(report: SiameseReport) -> dict[str, Any]:
    found = report.pooled(report.models[0])
    row: dict[str, Any] = {"vector": "chance", "parameters": "-"}
    for protocol, called in ((SINGER, "singer"), (WORK, "song")):
        for k in _SHOWN_KS:
            figure = found.get((protocol, f"knn_{k}"))
            chance = None if figure is None else figure.chance
            row[f"{called} {k}-NN"] = "-" if chance is None else f"{chance:.3f}".removeprefix("0")
    return row | {
        "EER": ".500" if (PAIRS, "eer") in found else "-",
        "test loss": "-",
        "one point": "-",
        "published loss": "-",
    }


def long_rows(report: SiameseReport) -> list[dict[str, Any]]:
    """A row for each figure of each model over its folds, and each loss."""
    rows: list[dict[str, Any]] = []
    for model in report.models:
        for (protocol, metric), figure in report.pooled(model).items():
            rows.append(
                {
                    "vector": model,
                    "protocol": protocol,
                    "metric": metric,
                    "value": figure.value,
                    "low": figure.low,
                    "high": figure.high,
                    "chance": figure.chance,
                    "n": figure.n,
                    "folds": len(report.figures[model]),
                    "parameters": report.parameters.get(model),
                    "published": None,
                }
            )
        for at, loss in enumerate(report.losses.get(model, [])):
            rows.append(
                {
                    "vector": model,
                    "protocol": f"pairs of clips, encoder {at}",
                    "metric": "loss",
                    "value": loss.value,
                    "low": loss.low,
                    "high": loss.high,
                    "chance": loss.trivial,
                    "n": None,
                    "folds": 1,
                    "parameters": report.parameters.get(model),
                    "published": PUBLISHED_LOSS.get(model),
                }
            )
    return rows


def verdicts(report: SiameseReport) -> list[str]:
    """What the figures say, in sentences: the relation that the paper found, or not."""
    if BASELINE not in report.figures:
        return []
    lines: list[str] = []
    base = report.pooled(BASELINE)
    for model in report.models:
        if "/" not in model:
            continue
        own = report.pooled(model)
        said = [
            _relation(called, own.get((protocol, metric)), base.get((protocol, metric)), wanted)
            for protocol, metric, called, wanted in (
                (SINGER, "knn_1", "singer 1-NN", "up"),
                (WORK, "knn_1", "song 1-NN", "down"),
                (PAIRS, "eer", "EER", "down"),
            )
        ]
        found = (
            "; ".join(s for s in said if s)
            or "nothing can be asked, as no singer who tests has two performances"
        )
        lines.append(f"{model} against the hand-crafted vector: {found}.")
    if report.without_works is not None:
        lines.append(
            f"Song columns cannot be had here: {report.without_works}. Whether singers are told apart, and not songs, needs singers who"
            " share several works."
        )
    lines.append(
        "Neighbours among the performances of singers (and, where divided so, works) that no encoder was trained on, each left out once;"
        " intervals draw singers. One point for everything costs what 'one point' says; a loss above it is worse than no network, as every"
        " published one (.25) is."
    )
    if report.scale != "paper":
        lines.append("Networks are smaller than printed (scale small), so losses are not the paper's.")
    return lines


def _relation(called: str, own: Figure | None, base: Figure | None, wanted: str) -> str:
    if own is None or base is None or own.value is None or base.value is None:
        return ""
    moved = own.value - base.value
    way = "the same" if abs(moved) < 1e-9 else "up" if moved > 0 else "down"
    fits = "as the paper has it" if way == wanted else f"where the paper has it {wanted}"
    bounds = (own.low, own.high, base.low, base.high)
    sure = ""
    if None not in bounds:
        low, high, other_low, other_high = (float(b) for b in bounds if b is not None)
        sure = ", intervals apart" if low > other_high or high < other_low else ", intervals overlap"
    if own.chance is not None and own.low is not None and own.high is not None:
        sure += f", not told from chance {own.chance:.3f}" * (own.low <= own.chance <= own.high)
    return f"{called} {way} ({own.value:.3f} from {base.value:.3f}{sure}), {fits}"


def _count(n: int | None) -> str:
    return "-" if n is None else f"{n:,}"
