"""`motifdb train` and `motifdb predict` as people meet them: runs stored once, taken up, told apart."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from motifdb.catalog.store import open_snapshot
from motifdb.cli import main
from motifdb.errors import NotFoundError, UsageError
from motifdb.pipelines.progress import Quiet
from motifdb.query.check import check
from motifdb.training.fitting import train_job
from motifdb.training.fitting.predict import Predictor, decoded, windows
from motifdb.training.fitting.train_job import TrainOptions, train_database
from motifdb.training.scores.runs import find_run
from tests.training.small import Small, make_small, tone
from tests.training.tones import TINY

Run = Callable[..., tuple[str, str, int]]


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Sums in one order."""
    n = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(n)


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`TINY` as people write a recipe down."""
    path = tmp_path_factory.mktemp("recipe") / "tiny.toml"
    path.write_text(TINY.assign({"name": "tiny", "max_epochs": 4}).to_toml())
    return path


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Small:
    """Clips, a split of four folds; nothing trained."""
    return make_small(tmp_path_factory.mktemp("small"), n_each=8)


@pytest.fixture(scope="module")
def trained(small: Small, recipe: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same database with a run and its baselines on fold 1."""
    path = tmp_path_factory.mktemp("trained") / "t.motifdb"
    shutil.copytree(small.path, path)
    from motifdb.training.fitting.recipes import find_recipe

    train_database(TrainOptions(find_recipe(str(recipe)), folds=(1,)), path, Quiet(), lambda line: None)
    return path


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    def call(*words: object) -> tuple[str, str, int]:
        monkeypatch.setattr(sys, "argv", ["motifdb", *map(str, words)])
        code = 0
        try:
            main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 0
        out, err = capsys.readouterr()
        return out, err, code

    return call


def test_a_run_is_stored_with_its_baselines_curve_and_leaks(trained: Path) -> None:
    snapshot = open_snapshot(trained)
    runs = {row["recipe"]: row for row in snapshot.table("runs").to_pylist()}
    assert runs.keys() == {"tiny", "majority", "look-up", "logistic", "1-nn"}
    row = runs["tiny"]
    assert (row["fold"], row["seed"], row["label"], row["state"], row["epochs"]) == (
        1,
        0,
        "singer",
        "done",
        4,
    )
    assert json.loads(row["config"])["recipe"]["learning_rate"] == 5e-3
    assert json.loads(row["leak"])["fold"] == 1
    folder = trained / row["checkpoint"]
    assert {"config.json", "weights.safetensors", "state.safetensors"} <= {p.name for p in folder.iterdir()}
    assert list(folder.glob("events.out.tfevents.*"))  # TensorBoard's
    assert snapshot.table("epochs", None, f"run_id = '{row['run_id']}'").num_rows == 4
    parts = snapshot.table("metrics", ["part"], f"run_id = '{row['run_id']}'").column(0).to_pylist()
    assert {"train", "test"} <= set(parts)
    assert not list(check(snapshot))


def test_a_run_that_is_there_is_not_trained_again(trained: Path, recipe: Path, run: Run) -> None:
    before = open_snapshot(trained).commit
    out, _, code = run("train", recipe, "--db", trained, "--fold", "1")
    assert code == 0 and "is there already; --again trains it anew" in out
    assert out.index("Leaks of split") < out.index("is there already") < out.index("logistic")
    assert "the best baseline: macro F1" in out and "\nleaks" in out
    said, what_next = out.split("\nnext: ")  # which names a folder as long as it is
    assert what_next.startswith("motifdb evaluate") and max(map(len, said.splitlines())) <= 100
    assert open_snapshot(trained).commit == before
    out, err, _ = run("train", recipe, "--db", trained, "--fold", "1", "--format", "json")
    rows = [json.loads(line) for line in out.splitlines()] if out[0] == "{" else json.loads(out)
    assert {row["recipe"] for row in rows} >= {"tiny", "majority"} and "Leaks of split" in err
    assert all(0 <= row["f1"] <= 1 for row in rows)


def test_ctrl_c_and_the_same_command_end_as_if_undisturbed(
    small: Small, trained: Path, recipe: Path, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "t.motifdb"
    shutil.copytree(small.path, path)
    step = train_job._Shown.step

    def interrupt(self: train_job._Shown, epoch: int, n_done: int, n_steps: int) -> None:
        step(self, epoch, n_done, n_steps)
        if (epoch, n_done) == (3, 1):
            os.kill(os.getpid(), signal.SIGINT)

    words = ("train", recipe, "--db", path, "--fold", "1", "--no-baselines")
    with monkeypatch.context() as patch:
        patch.setattr(train_job._Shown, "step", interrupt)
        _, err, code = run(*words)
    assert code == 130 and "the same command goes on" in err
    assert open_snapshot(path).table("runs").num_rows == 0
    out, _, code = run(*words)
    assert code == 0 and "\n  epoch 3: loss" in out and "epoch 2:" not in out
    one, other = (find_run(open_snapshot(p), "tiny") for p in (path, trained))
    assert one["run_id"] == other["run_id"]
    here, there = (
        open_snapshot(p).table("predictions", None, f"run_id = '{one['run_id']}'").sort_by("clip_id")
        for p in (path, trained)
    )
    assert here.num_rows and here.equals(there)


def test_a_loss_that_is_no_number_is_a_failed_run(
    small: Small, recipe: Path, run: Run, tmp_path: Path
) -> None:
    path = tmp_path / "t.motifdb"
    shutil.copytree(small.path, path)
    words = ("train", recipe, "--db", path, "--no-baselines", "--set", "learning_rate=1e30")
    out, _, code = run(*words)
    assert code == 1 and "is no number in epoch 1, batch" in out
    row = open_snapshot(path).table("runs").to_pylist()[0]
    assert row["state"] == "failed" and "(clips " in row["reason"]
    assert not list(check(open_snapshot(path)))
    _, err, code = run("predict", row["run_id"], "x.wav", "--db", path)
    assert code == 2 and "failed, so it cannot predict" in err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("sid-2020-smal",), "did you mean 'sid-2020-small'"),
        (("sid-2020", "--fold", "9"), "has no fold 9"),
        (("sid-2020", "--fold", "x"), "--fold takes a number"),
        (("sid-2020", "--set", "model=crn"), "no model is called 'crn'"),
        (("sid-2020", "--set", "model_options.hiden=3"), "did you mean 'hidden'"),
        (("sid-2020", "--split", "zzz"), "zzz"),
        (("sid-2020", "--seeds", "0"), "--seeds must be 1 or more"),
        (("sid-2020", "--workers", "0"), "--workers must be 1 or more"),
        (("sid-2020", "--device", "tpu"), "cannot be used here"),
    ],
)
def test_what_cannot_be_is_one_sentence(small: Small, run: Run, words: tuple[str, ...], said: str) -> None:
    out, err, code = run("train", *words, "--db", small.path)
    assert code == 2 and said in err and err.count("\n") == 1 and not out


def test_predict_names_the_singer_of_files(trained: Path, run: Run, tmp_path: Path) -> None:
    for name, hz in (("asa", 220.0), ("cem", 220.0 * 1.26**2)):
        soundfile.write(tmp_path / f"{name}.wav", tone(hz, 0.5, 77), 16_000, subtype="PCM_16")
    long = np.concatenate([tone(220.0 * 1.26, 3.0, 5), np.zeros(16_000, np.int16)])
    soundfile.write(tmp_path / "bel.wav", np.repeat(long, 2), 32_000, subtype="PCM_16")
    (tmp_path / "no.wav").write_text("not audio")
    soundfile.write(tmp_path / "still.wav", np.zeros(16_000, np.int16), 16_000, subtype="PCM_16")
    files = [tmp_path / f"{name}.wav" for name in ("asa", "bel", "cem", "no", "still")]
    out, err, code = run("predict", "tiny", *files, "--db", trained, "--format", "json")
    assert code == 1 and "no.wav" in err and "still.wav is silent" in err  # the others went on
    answer = json.loads(out)
    assert [Path(f["file"]).stem for f in answer["files"]] == ["asa", "bel", "cem"]
    assert [f["windows"] > 1 for f in answer["files"]] == [False, True, False]
    for file in answer["files"]:
        assert sum(file["probabilities"].values()) == pytest.approx(1, abs=1e-5)
    assert "knows 3 values of singer: asa, bel, cem" in answer["known"][0]
    assert "accuracy" in answer["known"][1]
    out, _, _ = run("predict", "tiny", files[0], "--db", trained, "--top", "1")
    assert len([line for line in out.splitlines() if "asa.wav" in line]) == 1
    _, err, code = run("predict", "majority", files[0], "--db", trained)
    assert code == 2 and "is a baseline" in err


def test_a_stored_clip_is_heard_alike_from_its_file(small: Small, trained: Path, tmp_path: Path) -> None:
    snapshot = open_snapshot(trained)
    row = find_run(snapshot, "tiny")
    predictor = Predictor(snapshot, row, trained, device="cpu")
    stored = snapshot.table("predictions", None, f"run_id = '{row['run_id']}'").to_pylist()[0]
    recording = snapshot.table("clips", ["recording_id"], f"clip_id = '{stored['clip_id']}'").to_pylist()[0]
    pcm = small.pcm[recording["recording_id"]]
    soundfile.write(tmp_path / "clip.wav", pcm, 16_000, subtype="PCM_16")
    assert (decoded(tmp_path / "clip.wav") == pcm).all()
    said = predictor.hear(tmp_path / "clip.wav")
    assert list(said.probabilities.values()) == pytest.approx(stored["probabilities"], abs=1e-5)


def test_another_run_s_weights_are_refused(trained: Path) -> None:
    snapshot = open_snapshot(trained)
    row = find_run(snapshot, "tiny")
    with pytest.raises(UsageError, match=r"is of run .*, not of run 00000000"):
        Predictor(snapshot, row | {"run_id": "0" * 20}, trained, device="cpu")
    with pytest.raises(UsageError, match=r"outside its database \(models/\.\./\.\./elsewhere\)"):
        Predictor(snapshot, row | {"checkpoint": "models/../../elsewhere"}, trained, device="cpu")


@pytest.mark.parametrize(("n_s", "window_s", "whole_s"), [(1.0, 0.3, 0.3), (3.21, 0.5, 1.0), (0.2, 0.5, 0.5)])
def test_windows_cover_a_file_to_its_end(n_s: float, window_s: float, whole_s: float) -> None:
    n = round(n_s * 16_000)
    start, length = windows(n, window_s, whole_s)
    assert start[0] == 0 and start[-1] + length[-1] == n
    assert (np.diff(start) <= length[:-1] / 2 + 1).all()


def test_a_recipe_without_a_split_names_the_command(tmp_path: Path) -> None:
    bare = make_small(tmp_path, n_each=2, split=None)
    with pytest.raises(NotFoundError, match="motifdb split"):
        train_database(TrainOptions(TINY), bare.path, Quiet(), lambda line: None)
