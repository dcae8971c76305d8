"""The ladder, grids and claims on a handful of tones: every cell is a stored run, and done once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from motifdb.errors import NotFoundError, UsageError
from motifdb.pipelines.progress import Quiet
from motifdb.training.experiments import protocols as pr
from motifdb.training.experiments import tables
from motifdb.training.experiments.answer import Answer, Asked
from motifdb.training.experiments.cells import expected_cpu_s, subset_of
from motifdb.training.experiments.door import run_experiment
from motifdb.training.experiments.grid import GridOptions, recipe_of, run_grid
from motifdb.training.experiments.ladder import (
    LadderOptions,
    LadderReport,
    fold_rows,
    ladder_rows,
    run_ladder,
    verdicts,
)
from motifdb.training.experiments.measured import spread
from motifdb.training.experiments.published import SID_2020, TABLES
from motifdb.training.fitting.recipes import RECIPES
from tests.training.small import Small, make_small

SHORT = LadderOptions(draws=1, folds=2, rungs=(pr.RANDOM, pr.ISLAND, pr.SOURCE))


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Small:
    return make_small(tmp_path_factory.mktemp("ladder"), n_each=4, n_copies=6, duration_s=0.1, split=None)


@pytest.fixture(scope="module")
def ladder(small: Small) -> Iterator[LadderReport]:
    yield run_ladder(SHORT, small.path, Quiet(), lambda line: None)


def test_every_rung_has_every_baseline_on_every_fold(ladder: LadderReport) -> None:
    assert [rung.name for rung in ladder.rungs] == list(SHORT.rungs)
    for rung, n in zip(SHORT.rungs, (1, 2, 4), strict=True):
        for model in ("majority", "look-up", "logistic", "1-nn"):
            assert sorted(m.fold for m in ladder.of(rung, model)) == list(range(n))
    assert len(fold_rows(ladder)) == 4 * (1 + 2 + 4)


def test_a_second_call_finds_all_done(small: Small, ladder: LadderReport) -> None:
    assert ladder.cells.n_run == 7 and ladder.cells.n_done_before == 0
    again = run_ladder(SHORT, small.path, Quiet(), lambda line: None)
    assert again.cells.n_run == 0 and again.cells.n_done_before == 7
    assert ladder_rows(again) == ladder_rows(ladder)


def test_the_table_is_of_the_stored_figures(ladder: LadderReport) -> None:
    own = ladder.of(pr.SOURCE, "logistic")
    values = [m.value("accuracy") or 0.0 for m in own]
    found = spread(own, "accuracy")
    assert found.n == 4 and found.mean == pytest.approx(np.mean(values))
    assert found.deviation == pytest.approx(np.std(values))
    row = next(r for r in ladder_rows(ladder) if r["rung"] == "source")
    assert row["accuracy"].startswith(".333") and row["copy %"] == "0.0"
    assert any("points of the first figure" in line for line in verdicts(ladder))


def test_a_network_on_the_ladder_is_judged_beside_the_linear_model(
    small: Small, ladder: LadderReport
) -> None:
    recipe = replace(RECIPES["sid-2020-small"], max_epochs=1, model_options={"channels": 2, "hidden": 4})
    asked = replace(SHORT, rungs=(pr.SOURCE,), recipes=(recipe,), only_folds=(1,), subset=4)
    report = run_ladder(asked, small.path, Quiet(), lambda line: None)
    (run,) = report.of(pr.SOURCE, f"{recipe.name} on 4 clips")
    assert run.fold == 1 and run.epochs == 1 and run.parameters is not None
    assert "accuracy" in run.train_scores
    unasked = run_ladder(replace(SHORT, rungs=(pr.SOURCE,)), small.path, Quiet(), lambda line: None)
    assert unasked.cells.n_run == 0 and unasked.of(pr.SOURCE, run.model)[0].run_id == run.run_id
    said = " ".join(verdicts(report))
    assert "logistic regression on held-out source" in said and "1 of 4 folds" in said


def test_a_smaller_part_train_keeps_every_class_and_all_of_the_rest(small: Small) -> None:
    from motifdb.training.splits.examples import load_examples

    snapshot = small.snapshot
    split_id = snapshot.table("splits", ["split_id"]).column(0)[0].as_py()
    examples = load_examples(snapshot, split_id, 0)
    rows = subset_of(examples, 3)
    part, label = examples.part[rows], examples.label[rows]
    assert set(label[part == "train"]) == {0, 1, 2}
    assert (part != "train").sum() == (examples.part != "train").sum()
    assert len(subset_of(examples, None)) == len(examples)
    assert np.array_equal(subset_of(examples, 3, seed=1), subset_of(examples, 3, seed=1))


def test_unknown_rungs_and_experiments_are_named(small: Small) -> None:
    with pytest.raises(NotFoundError, match="leak-ladder"):
        run_experiment("leak-lader", small.path, Asked(), lambda line: None)
    with pytest.raises(NotFoundError, match="no rung 'attic'"):
        run_experiment("leak-ladder", small.path, Asked(rungs=("attic",)), lambda line: None)
    with pytest.raises(NotFoundError, match="label 'nobody' to be the source"):
        run_experiment("leak-ladder", small.path, Asked(source="nobody"), lambda line: None)


def test_a_grid_that_takes_hours_says_so_and_what_fits(small: Small) -> None:
    options = GridOptions("sid-2020-table2", draws=1, folds=2, columns=(pr.ISLAND,), device="cpu")
    with pytest.raises(UsageError, match=r"within an hour fits: --scale small.*--long"):
        run_grid(replace(options, epochs=40_000), small.path, Quiet(), lambda line: None)


def test_a_small_grid_stands_beside_the_published_table(small: Small) -> None:
    tiny = (("model_options.channels", 2), ("model_options.hidden", 4))
    options = GridOptions(
        "sid-2020-table2", draws=1, folds=2, columns=(pr.ISLAND,), scale="small", epochs=1, only_folds=(0,),
        cells=("residual-blstm/motif/*mel", "residual-blstm/random/*mel"), set=tiny, device="cpu",
    )  # fmt: skip
    report = run_grid(options, small.path, Quiet(), lambda line: None)
    (run,) = report.measured["residual-blstm/motif/log-mel", pr.ISLAND]
    assert "no clips of kind random" in report.not_run["residual-blstm/random/log-mel"]
    rows = tables.grid_rows(report)
    assert len(rows) == 27 + 2 and rows[8]["published"] == ".963/.944"
    assert rows[8]["island"] != "-" and rows[0]["island"] == "-"
    long = tables.grid_long(report)
    mine = [r for r in long if r["protocol"] == pr.ISLAND and r["cell"] == "residual-blstm/motif/log-mel"]
    assert {r["metric"] for r in mine} >= {"accuracy", "auc", "f1"} and not mine[0]["is_leaky"]
    assert next(r["value"] for r in mine if r["metric"] == "accuracy") == run.value("accuracy")
    assert sum(r["protocol"] == "published" for r in long) == 54


def test_recipes_of_cells_are_the_papers() -> None:
    style = TABLES["style-2021-table2"]
    mask = recipe_of(style.cells[-1], style, GridOptions(style.name))
    assert mask is not None and (mask.model, mask.augment.policy, mask.batch_size) == ("res-lstm", "time", 20)
    mfcc = recipe_of(SID_2020.cells[0], SID_2020, GridOptions(SID_2020.name))
    assert mfcc is not None and (mfcc.model, mfcc.front_end.kind, mfcc.batch_size) == ("crnn", "mfcc", 64)
    assert expected_cpu_s(mfcc, 1000, 0.4) > 0
    resnet = next(c for c in SID_2020.cells if c.model == "resnet-50")
    assert recipe_of(resnet, SID_2020, GridOptions(SID_2020.name, scale="small")) is None


def test_claims_have_rows_and_say_what_was_not_run(small: Small) -> None:
    from motifdb.training.experiments.prose import run_prose

    report = run_prose(replace(SHORT, rungs=(pr.ISLAND,)), small.path, Quiet(), lambda line: None)
    claims = [row["claim"] for row in report.rows]
    assert set(claims) == {
        "corpus size", "fused features", "short clips", "epochs to best", "train-test gap", "parameters", "ImageNet weights",
    }  # fmt: skip
    assert any("no weights given" in row["what"] for row in report.rows)
    size = [row[pr.ISLAND] for row in report.rows if row["claim"] == "corpus size"]
    assert len(size) == 3 and all("F1" in text for text in size)


def test_markdown_escapes_and_aligns() -> None:
    text = tables.markdown([{"a|b": "x|y", "n": 1}, {"a|b": None, "n": 2}])
    assert text.splitlines()[1] == "|---|---:|" and "x\\|y" in text


def test_an_experiment_is_written_and_drawn(
    small: Small, ladder: LadderReport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from typer.testing import CliRunner

    from motifdb.cli import app

    drawn: list[tuple[object, ...]] = []
    monkeypatch.setattr("motifdb.plots.runs.plot_ladder", lambda *args, **rest: drawn.append(args))
    asked = ["experiment", "leak-ladder", "--db", str(small.path), "--rungs", "by island"]
    result = CliRunner().invoke(app, [*asked, "-o", str(tmp_path / "ladder.png")])
    assert result.exit_code == 0 and "logistic" in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 100
    ((steps, series, _),) = drawn
    assert steps == ["by island"] and "logistic" in [s.label for s in series]  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ["markdown", "csv", "json"])
def test_every_format_has_every_run(ladder: LadderReport, name: str, tmp_path: Path) -> None:
    from motifdb.training.commands.experiment import TextFormat, _write

    target = tmp_path / "ladder.txt"
    _write(Answer(ladder_rows(ladder), fold_rows(ladder), ["a note"]), TextFormat(name), target)
    text = target.read_text(encoding="utf-8")
    assert text.count("1-nn") == (len(ladder.rungs) if name == "markdown" else 7)
