"""The papers' tables as data: what is printed, and what their own text says about it."""

from __future__ import annotations

import numpy as np
import pytest

from motifdb.training.experiments.published import (
    CLAIMS,
    SID_2020,
    SID_2020_TABLE_1,
    STYLE_2021_1,
    STYLE_2021_2,
    TABLES,
)


def figures(table: object, **about: str) -> list[float]:
    cells = [c for c in table.cells if all(getattr(c, k) == v for k, v in about.items())]  # type: ignore[attr-defined]
    return [value for cell in cells for _, value in cell.figures]


def test_tables_have_every_printed_figure_once() -> None:
    assert {name: len(t.cells) for name, t in TABLES.items()} == {
        "sid-2020-table2": 27,
        "style-2021-table1": 8,
        "style-2021-table2": 8,
    }
    for table in TABLES.values():
        assert len({c.name for c in table.cells}) == len(table.cells)
        assert all(0.5 < value < 1 for value in figures(table))


def test_known_figures_stand_where_they_are_printed() -> None:
    assert figures(SID_2020, model="residual-blstm", clips="motif", front_end="log-mel") == [0.9629, 0.9442]
    assert figures(SID_2020, model="crnn", clips="random", front_end="spectrogram") == [0.7833, 0.7695]
    assert figures(STYLE_2021_1, model="res-lstm", clips="motif") == [0.911, 0.910, 0.848, 0.813, 0.830]
    assert figures(STYLE_2021_2, model="crnn", policy="time") == [0.842, 0.879, 0.782, 0.772, 0.780]


def test_table_1_counts_five_more_than_were_published() -> None:
    assert sum(SID_2020_TABLE_1.values()) == 11_163
    assert sum(n - 1 for n in SID_2020_TABLE_1.values()) == 11_158


def test_printed_f1_of_style_2021_is_that_of_the_printed_means() -> None:
    for cell in STYLE_2021_1.cells:
        p, r, f1 = (cell.figure(m) or 0.0 for m in ("precision", "recall", "f1"))
        assert f1 == pytest.approx(2 * p * r / (p + r), abs=0.0016)


def test_the_average_improvement_is_9_7_points_and_not_what_the_text_says() -> None:
    accuracy = {(c.model, c.clips): c.figure("accuracy") or 0.0 for c in STYLE_2021_1.cells}
    gains = [100 * (accuracy[m, "motif"] - accuracy[m, "random"]) for m, k in accuracy if k == "motif"]
    assert np.allclose(sorted(gains), [2.5, 8.7, 13.4, 14.1]) and np.mean(gains) == pytest.approx(9.675)


def test_every_auc_of_sid_2020_but_one_lies_below_its_accuracy() -> None:
    above = [c.name for c in SID_2020.cells if (c.figure("auc") or 0) > (c.figure("accuracy") or 1)]
    assert above == ["residual-blstm/random/mfcc"]


def test_claims_say_what_stands_beside_them() -> None:
    assert len({c.name for c in CLAIMS}) == len(CLAIMS) == 8
    assert all(c.says and c.row and c.source for c in CLAIMS)
