"""Pictures of runs are written whatever is missing in them, and refused where nothing is there."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from motifdb.errors import UsageError
from motifdb.plots import runs
from motifdb.plots.runs import LearningCurve, Series, plot_ladder, plot_run, plot_table


def curve(n: int, *, has_valid: bool = True, label: str = "") -> LearningCurve:
    falling = 1.0 / np.arange(1, n + 1)
    unknown = np.full(n, np.nan)
    return LearningCurve(
        np.arange(1, n + 1),
        falling,
        1.1 * falling if has_valid else unknown,
        1 - falling,
        0.9 - falling if has_valid else unknown,
        best_epoch=n,
        label=label,
    )


def words(path: Path) -> str:
    """Everything that an svg says: matplotlib draws letters as shapes and leaves the text in comments."""
    return " ".join(re.findall(r"<!-- (.*?) -->", path.read_text()))


def test_a_run_shows_curves_and_confusion(tmp_path: Path) -> None:
    path = tmp_path / "run.svg"
    counts = np.array([[3, 1, 0], [0, 4, 0], [0, 0, 0]])
    plot_run(
        [curve(5)], counts, ["asa", "bel", "a class of a very long name"], path, title="tiny learns singer"
    )
    said = words(path)
    for word in (
        "cross-entropy (nat)",
        "epoch (number)",
        "valid",
        "epoch that was kept",
        "asa (4)",
        "predicted class",
    ):
        assert word in said, word
    assert "tiny learns singer" in said and "a class of a very" in said


def test_curves_of_one_epoch_without_valid_of_many_runs(tmp_path: Path) -> None:
    plot_run([curve(1, has_valid=False)], None, [], tmp_path / "one.png")
    plot_run([curve(4, label=f"seed {i}") for i in range(9)], None, [], tmp_path / "many.png")
    plot_run([], np.eye(60, dtype=np.int64), [f"class {i}" for i in range(60)], tmp_path / "wide.png")
    assert all((tmp_path / f"{n}.png").stat().st_size > 5000 for n in ("one", "many", "wide"))


def test_looks_every_few_epochs_are_joined() -> None:
    from matplotlib.figure import Figure

    whole = curve(6)
    looks = np.where(np.arange(6) % 2, whole.valid_loss, np.nan)  # epochs 2, 4 and 6
    axis = Figure().add_subplot()
    runs._curves(axis, [replace(whole, valid_loss=looks)], "loss", "nat")
    (valid,) = [line for line in axis.get_lines() if line.get_label() == "valid"]
    x, y = (np.asarray(values, np.float64) for values in (valid.get_xdata(), valid.get_ydata()))
    assert x.tolist() == [2, 4, 6] and not np.isnan(y).any()


def test_a_table_shows_every_series(tmp_path: Path) -> None:
    path = tmp_path / "table.svg"
    series = [
        Series.of("published", [0.91, 0.93, None]),
        Series.of("ours, by island", [0.8, None, None], [0.75, None, None], [0.85, None, None]),
    ]
    plot_table(
        ["CRNN, mel", "ResNet-50, mel", "not run"], series, path, chance=0.3, title="sid-2020, Table 2"
    )
    said = words(path)
    for word in ("published", "ours, by island", "majority class", "ResNet-50, mel", "not run"):
        assert word in said, word


def test_a_ladder_shows_what_leaks_and_what_is_unknown(tmp_path: Path) -> None:
    path = tmp_path / "ladder.svg"
    steps = ["random files", "held-out source"]
    models = [Series.of("logistic", [0.98, 0.53], [0.97, 0.4], [0.99, 0.66])]
    leaks = [Series.of("identical copy in train", [0.702, 0.0]), Series.of("same island", [0.977, None])]
    plot_ladder(steps, models, path, leaks=leaks, published=0.9629)
    said = words(path)
    for word in ("published 0.963", "logistic", "identical copy in train", "70 %", "?", "held-out source"):
        assert word in said, word
    plot_ladder(steps, models, tmp_path / "bare.png")


def test_nothing_to_draw_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    with pytest.raises(UsageError, match="the run has no epochs and no predictions"):
        plot_run([], None, [], path)
    with pytest.raises(UsageError, match="no cell of the table has a figure"):
        plot_table(["a"], [Series.of("published", [None])], path)
    with pytest.raises(UsageError, match="no step of the ladder"):
        plot_ladder([], [], path)
    with pytest.raises(UsageError, match="cannot be written as an image"):
        plot_run([curve(2)], None, [], tmp_path / "x.txt")
    with pytest.raises(ValueError, match="five lists of one length"):
        LearningCurve(np.arange(2), np.zeros(3), np.zeros(2), np.zeros(2), np.zeros(2))
    assert not path.exists()
