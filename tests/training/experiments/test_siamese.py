"""siamese-2018 and damp-2018's Table 2 on tones: who tests, what is asked, what cannot be, and that nothing is trained twice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed; pip install 'motifdb[train]'")

from motifdb.errors import NotFoundError, UsageError  # noqa: E402
from motifdb.training.encoders import recipes  # noqa: E402
from motifdb.training.encoders.recipes import SIAMESE_RECIPES  # noqa: E402
from motifdb.training.encoders.store import EncoderFigure  # noqa: E402
from motifdb.training.experiments import damp_table2 as table2  # noqa: E402
from motifdb.training.experiments import siamese, siamese_tables  # noqa: E402
from motifdb.training.experiments.answer import Asked  # noqa: E402
from motifdb.training.experiments.encoder_cells import chosen_cells, expected_cpu_s  # noqa: E402
from motifdb.training.experiments.encoder_splits import divide, window_clips  # noqa: E402
from motifdb.training.experiments.performances import Performances, figures_of, pooled  # noqa: E402
from motifdb.training.scores.figures import Figure  # noqa: E402
from tests.training.small import Small, make_small  # noqa: E402

ASKED = Asked(
    clips=("files",),
    cells=("mel/attention",),
    scale="small",
    steps=4,
    set=(
        "model_options.first=2",
        "model_options.channels=8",
        "model_options.fc=8",
        "model_options.columns=12",
        "front_end.n_bands=16",
        "front_end.pad_to=12",
        "learning_rate=0.01",
        "batch_size=8",
        "n_judged=20",
        "voiced_only=false",
        "precision=float32",
    ),
    device="cpu",
)


def ignore(line: str) -> None:
    """Nobody listens."""


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    n = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(n)


@pytest.fixture(scope="module")
def crossed(tmp_path_factory: pytest.TempPathFactory) -> Small:
    """Four singers, four works, each singer every work."""
    folder = tmp_path_factory.mktemp("crossed")
    return make_small(folder, n_each=4, n_works=4, classes=("ana", "bea", "cid", "dov"), split=None)


@pytest.fixture(scope="module")
def one_work(tmp_path_factory: pytest.TempPathFactory) -> Small:
    """Seven singers, one work, two takes."""
    return make_small(
        tmp_path_factory.mktemp("one"), n_each=2, n_works=1, classes=tuple("abcdefg"), split=None
    )


@pytest.fixture(scope="module")
def on_crossed(crossed: Small) -> siamese.SiameseReport:
    return siamese.run_siamese(crossed.path, ASKED, ignore)


def test_a_complete_table_of_new_singers_and_works_tests(on_crossed: siamese.SiameseReport) -> None:
    assert on_crossed.divided.is_crossed and on_crossed.divided.folds == (0,)
    assert on_crossed.models == ["mel/attention", "hand-crafted"]
    assert "fold 0: 4 performances of 2 singers test, of 2 works" in on_crossed.notes
    for model in on_crossed.models:
        found = on_crossed.pooled(model)
        # of three others one has the singer, one the work, one neither
        assert found["singer", "knn_1"].chance == found["work", "knn_1"].chance == pytest.approx(1 / 3)
        assert found["singer", "knn_1"].n == found["work", "knn_1"].n == 4
    # the pitch of a tone is its singer's, and hand-crafted chroma hears it
    assert on_crossed.pooled("hand-crafted")["singer", "knn_1"].value == 1.0


def test_what_is_shown_on_a_crossed_corpus(on_crossed: siamese.SiameseReport, tmp_path: Path) -> None:
    rows = siamese_tables.summary_rows(on_crossed)
    assert [row["vector"] for row in rows] == ["mel/attention", "hand-crafted", "chance"]
    assert rows[0]["one point"] == "0.250" and rows[0]["published loss"] == "0.3315"
    assert rows[2]["singer 1-NN"] == ".333" and rows[2]["EER"] == ".500"
    long = siamese_tables.long_rows(on_crossed)
    assert {"protocol", "metric", "value", "low", "high", "chance", "n"} <= set(long[0])
    assert any(row["metric"] == "loss" and row["chance"] == 0.25 for row in long)
    said = " ".join(siamese_tables.verdicts(on_crossed))
    assert "mel/attention against the hand-crafted vector: singer 1-NN" in said
    assert "Song columns cannot be had" not in said
    assert on_crossed.points is not None and set(on_crossed.points[1]) == {"singer", "song"}
    siamese._draw(on_crossed, tmp_path / "points.png")
    assert (tmp_path / "points.png").read_bytes()[:4] == b"\x89PNG"


def test_nothing_is_trained_twice(crossed: Small, on_crossed: siamese.SiameseReport) -> None:
    again = siamese.run_siamese(crossed.path, ASKED, ignore)
    assert on_crossed.cells.n_run == 1
    assert (again.cells.n_run, again.cells.n_done_before) == (0, 1)
    assert siamese_tables.summary_rows(again) == siamese_tables.summary_rows(on_crossed)


def test_one_work_folds_singers_and_says_what_cannot_be_had(one_work: Small) -> None:
    asked = replace(ASKED, steps=1, only_folds=(1,), models=("log-mel-stats",))
    answer = siamese.answer(one_work.path, asked, ignore)
    rows = {row["vector"]: row for row in answer.rows}
    assert rows["mel/attention"]["song 1-NN"] == rows["chance"]["song 3-NN"] == "-"
    assert list(rows) == ["mel/attention", "hand-crafted", "log-mel-stats", "chance"]
    assert rows["log-mel-stats"]["singer 1-NN"] != "-"  # at a rate of its own
    assert rows["mel/attention"]["singer 1-NN"] != "-" and rows["hand-crafted"]["EER"] != "-"
    said = " ".join(answer.notes)
    assert "Song columns cannot be had here: every performance of test is of one work (work 0)" in said
    assert "no table of singers and works can be had" in said
    assert "fold 1: 6 performances of 3 singers test, of 1 work" in said
    # four singers who do not test are too few to keep some apart
    assert "valid has no clips; every step is taken and the last weights are kept" in said


def test_what_cannot_be_is_refused(crossed: Small, one_work: Small, tmp_path: Path) -> None:
    def refused(asked: Asked, said: str, path: Path = one_work.path) -> None:
        with pytest.raises((UsageError, NotFoundError), match=said):
            siamese.run_siamese(path, asked, ignore)

    refused(replace(ASKED, cells=("mel/average",)), r"no cell fits 'mel/average'; .*mel/")
    refused(replace(ASKED, scale="tiny"), "no scale 'tiny'")
    refused(replace(ASKED, engine="ray"), "leave out --engine ray")
    refused(replace(ASKED, clips=("a", "b")), "takes one set of clips")
    refused(replace(ASKED, label="singr"), r"no file has a label 'singr'; .*singer")
    refused(replace(ASKED, only_folds=(5,)), "the folds 0 to 1, not 5")
    refused(replace(ASKED, models=("hand-crafte",)), r"no embedding model 'hand-crafte'; .*hand-crafted")
    few = make_small(tmp_path, n_each=2, n_works=1, classes=("a", "b", "c"), split=None)
    refused(ASKED, "3 values of singer are too few", few.path)
    alone = make_small(tmp_path, n_each=1, n_works=1, classes=tuple("abcdefgh"), split=None, name="b.motifdb")
    refused(ASKED, "no singer has two recordings", alone.path)


def test_a_paper_scale_on_a_processor_says_how_long_it_takes(one_work: Small) -> None:
    asked = Asked(clips=("files",), cells=("mel/attention",), device="cpu", set=("voiced_only=false",))
    with pytest.raises(
        UsageError, match=r"encoders of [\d,]+ min .* within an hour fits: --scale small, or --steps \d+"
    ):
        siamese.run_siamese(one_work.path, asked, ignore)
    printed = SIAMESE_RECIPES["siamese-2018"].assign({"max_steps": 100})
    assert expected_cpu_s(printed, 1000) == pytest.approx(3 * 64 * 1.156e9 * 100 / 8e9, rel=0.01)


def test_clips_and_notes(crossed: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    found, notes = window_clips(crossed.snapshot, "files")
    assert found == crossed.clips_id and "the clips are not windows of 256 columns" in notes[0]
    assert window_clips(crossed.snapshot, None) == (None, [])
    with pytest.raises(NotFoundError, match=r"no recording lasts 5.933 s"):
        divide(crossed.path, None)
    monkeypatch.setattr(recipes, "WINDOW_S", 0.3)
    monkeypatch.setattr(recipes, "HOP_S", 0.1)
    windows = divide(crossed.path, None)  # cut where there are none
    assert windows.clips != crossed.clips_id and divide(crossed.path, None).clips == windows.clips
    assert window_clips(crossed.snapshot, windows.clips) == (windows.clips, [])
    divided = divide(crossed.path, "files")
    assert divided.is_crossed and "Leaks of split" in divided.notes[-1]
    assert divide(crossed.path, "files").split_id == divided.split_id


def test_performances_are_means_and_folds_are_pooled() -> None:
    performances = Performances(
        np.array([3, 4, 7, 9]), np.array([0, 1, 0, 1]), ("r", "s"), ("a", "b"), ("w", "w")
    )
    vectors = np.array([[1.0, 0.0], [0.0, 1.0], [3.0, 0.0], [0.0, 3.0]])
    assert performances.mean(vectors).tolist() == [[2.0, 0.0], [0.0, 2.0]]
    assert figures_of(performances.mean(vectors), performances) == []  # nobody sings twice, one work
    one = Figure("singer", "knn_1", 0.5, 0.3, 0.7, 0.1, 30)
    other = Figure("singer", "knn_1", 0.9, 0.8, 1.0, 0.2, 10)
    (both,) = pooled([[one], [other]])
    assert both.value == pytest.approx(0.6) and both.chance == pytest.approx(0.125) and both.n == 40
    assert both.low == pytest.approx(0.6 - np.hypot(0.75 * 0.2, 0.25 * 0.1))
    assert both.high == pytest.approx(0.6 + np.hypot(0.75 * 0.2, 0.25 * 0.1))
    assert pooled([[one], []]) == [one]


def test_cells_are_chosen_by_pattern() -> None:
    names = ["a/none", "a/max", "b/max"]
    assert chosen_cells(names, ()) == names
    assert chosen_cells(names, ("*/max",)) == ["a/max", "b/max"]


# -- damp-2018, Table 2 --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("network", "sizes"),
    [
        ("damp-cnn", (204_064_976, 5_884_112, 5_884_112, 5_887_185)),
        ("damp-cnn-deep", (27_989_824, 3_610_432, 3_610_432, 3_611_201)),
        ("damp-resnext", (203_499_152, 5_318_288, 5_318_288, 5_321_361)),
        ("damp-resnext-deep", (52_617_776, 3_858_992, 3_858_992, 3_860_529)),
    ],
)
def test_every_printed_size(network: str, sizes: tuple[int, ...]) -> None:
    """damp-2018, Table 2 prints 5884k, 3611k, 5318k and 3861k for aggregated networks with 16 outputs, 200000k and 28000k for none."""
    assert tuple(table2.printed_parameters(f"{network}/{a}") for a in table2.AGGREGATIONS) == sizes


def test_every_published_loss_is_above_that_of_one_point() -> None:
    losses = [loss for row in table2.PUBLISHED_LOSS.values() for loss in row]
    assert len(losses) == 16 and min(losses) == 0.3207 > 0.25
    assert table2.published_loss("damp-cnn-deep/max") == 0.3461
    assert set(table2.PUBLISHED_LOSS) == set(table2.NETWORKS)


def test_table_2_shows_sizes_and_one_point_beside_losses(one_work: Small) -> None:
    asked = replace(ASKED, cells=("damp-cnn/max", "damp-resnext/none"), steps=1, only_folds=(0,))
    answer = table2.answer(one_work.path, asked, ignore)
    rows = {f"{row['network']}/{row['aggregation']}": row for row in answer.rows}
    assert set(rows) == {"damp-cnn/max", "damp-resnext/none"}
    assert (
        rows["damp-cnn/max"]["printed size"] == "5,884,112" and rows["damp-cnn/max"]["published"] == "0.3207"
    )
    assert all(row["one point"] == "0.250" and row["EER"] != "-" for row in rows.values())
    sizes: dict[str, Any] = {row["network"]: row["parameters"] for row in answer.long}
    assert sizes["damp-cnn"] != sizes["damp-resnext"]
    again = table2.answer(one_work.path, asked, ignore)
    assert list(again.rows) == list(answer.rows)
    assert any("one point" in note for note in answer.notes)


def test_figures_say_what_a_trivial_answer_scores() -> None:
    found = siamese_tables.loss_columns(
        siamese.SiameseReport(
            divided=None,  # type: ignore[arg-type]  # not looked at
            scale="small",
            losses={"mel/none": [EncoderFigure("test", "loss", 0.3, trivial=0.25)]},
        ),
        "mel/none",
    )
    assert found == {"test loss": "0.300", "one point": "0.250", "published loss": "0.3351"}


def test_a_relation_is_said_with_its_doubt() -> None:
    base = Figure("singer", "knn_1", 0.2, 0.1, 0.3, 0.1, 20)
    better = Figure("singer", "knn_1", 0.6, 0.4, 0.8, 0.1, 20)
    doubtful = Figure("singer", "knn_1", 0.25, 0.05, 0.4, 0.1, 20)
    say = siamese_tables._relation
    assert say("singer 1-NN", better, base, "up") == (
        "singer 1-NN up (0.600 from 0.200, intervals apart), as the paper has it"
    )
    assert say("singer 1-NN", doubtful, base, "up") == (
        "singer 1-NN up (0.250 from 0.200, intervals overlap, not told from chance 0.100), as the paper has it"
    )
    assert say("song 1-NN", better, base, "down").endswith("where the paper has it down")
    assert say("song 1-NN", None, base, "down") == ""


def test_where_nothing_can_be_asked_that_is_said() -> None:
    report = siamese.SiameseReport(
        divided=None,  # type: ignore[arg-type]  # not looked at
        scale="paper",
        figures={"mel/attention": [[]], "hand-crafted": [[]]},
    )
    assert siamese_tables.verdicts(report)[0] == (
        "mel/attention against the hand-crafted vector: nothing can be asked, as no singer who tests has two performances."
    )
