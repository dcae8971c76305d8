"""l3-2019 from end to end on a handful of videos and clips, and what it says of what cannot be."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from motifdb.catalog.snapshot import open_snapshot
from motifdb.errors import NotFoundError, UsageError
from motifdb.training.encoders.avc_recipes import AVC_RECIPES
from motifdb.training.encoders.store import EncoderFigure, EncoderResult
from motifdb.training.experiments.answer import Answer, Asked
from motifdb.training.experiments.comparisons import Judged
from motifdb.training.experiments.door import run_experiment
from motifdb.training.experiments.downstream_job import Wanted
from motifdb.training.experiments.l3 import openl3_files, options_of
from motifdb.training.experiments.l3_tables import (
    Row,
    comparison_rows,
    domain_rows,
    published_rows,
    seen_rows,
    shown_rows,
)
from motifdb.training.experiments.l3_towers import (
    TowerOptions,
    _tried,
    choose_recipe,
    recipes_of,
    shared_videos,
    towers_of,
    video_domains,
)
from motifdb.training.experiments.published_l3 import CORPORA, DOMAIN_MATRIX, recognise
from tests.training.experiments.official import make_corpus

FEW = (
    "batch_size=4",
    "n_judged=8",
    "sampling.n_sources=4",
    "sampling.lifetime=4",
    "search.learning_rates=0.01",
)


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from motifdb.training.videos.generated import make_av_corpus

    root = tmp_path_factory.mktemp("videos")
    for domain in ("tones", "noises"):
        make_av_corpus(
            root / domain,
            n_videos=8,
            domain=domain,
            duration_s=1.6,
            side=36,
            rate_fps=5,
            sample_rate_hz=16_000,
        )
    return root


@pytest.fixture(scope="module")
def answered(videos: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Asked, Answer, list[str]]:
    db = make_corpus(tmp_path_factory.mktemp("l3"), "esc50")
    asked = Asked(videos=videos, steps=2, epochs=1, set=FEW, device="cpu", workers=0)
    said: list[str] = []
    return db, asked, run_experiment("l3-2019", db, asked, said.append), said


def test_one_command_trains_tries_and_judges(
    answered: tuple[Path, Asked, Answer, list[str]], tmp_path: Path
) -> None:
    db, _, answer, said = answered
    rows = [r for r in answer.long if r["table"] == "AVC" and r["value"] is not None]
    names = {"tiny log-mel/tones", "tiny log-mel/noises"}
    assert {(r["what"], r["on"]) for r in rows} == {(n, d) for n in names for d in ("tones", "noises")}
    assert all(
        0 <= r["value"] <= 1 and r["low"] <= r["value"] <= r["high"] and r["chance"] == 0.5 for r in rows
    )
    seen = [r for r in answer.long if r["table"] == "seen"]
    assert {r["n"] for r in seen} == {4, 8}
    folds = {r["what"] for r in answer.long if r["table"] == "folds" and r["value"] is not None}
    assert {"log-mel-stats", "majority", "logistic"} <= folds and len(folds) == 3 + 4
    n_channels = AVC_RECIPES["l3-2019-tiny"].towers.channels[-1]
    sizes = sorted(int(name.rsplit(" ", 1)[1]) for name in folds if name.startswith("tiny"))
    assert sizes == [n_channels, n_channels, 12 * n_channels, 12 * n_channels]
    assert any("Leaks of split" in line for line in said) and any("leak check" in line for line in said)
    assert any("never below 0.5" in note for note in answer.notes)
    snapshot = open_snapshot(db)
    stored = snapshot.table("encoder_metrics", None, "metric = 'accuracy on tones'").to_pylist()
    assert len(stored) == 1 and stored[0]["part"] == "test"
    assert snapshot.table("runs", None, "model = 'mlp'").num_rows == 5 * 2
    answer.draw(tmp_path / "curve.png")
    assert (tmp_path / "curve.png").stat().st_size > 5_000


def test_what_is_done_is_not_done_again(answered: tuple[Path, Asked, Answer, list[str]]) -> None:
    db, asked, answer, _ = answered
    before = open_snapshot(db).table("runs", ["run_id", "created_at"]).sort_by("run_id")
    again = run_experiment("l3-2019", db, asked, lambda line: None)
    assert open_snapshot(db).table("runs", ["run_id", "created_at"]).sort_by("run_id").equals(before)
    assert again.long == answer.long


def test_another_folder_of_the_same_name_is_tried_anew(
    answered: tuple[Path, Asked, Answer, list[str]],
    videos: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from motifdb.training.encoders import avc

    db = answered[0]
    shutil.copytree(videos / "noises", tmp_path / "noises")
    (row,) = open_snapshot(db).table("encoders", None, "name = 'tiny log-mel/tones'").to_pylist()
    config, data = json.loads(row["config"]), json.loads(row["data"])
    result = EncoderResult(row["name"], "avc", row["recipe"], config, data, row["seed"])
    assert result.encoder_id == row["encoder_id"]
    monkeypatch.setattr(avc, "evaluate_avc", lambda *_, **__: [EncoderFigure("test", "accuracy", 0.125)])
    domains = {"tones": videos / "tones", "noises": tmp_path / "noises"}
    options = TowerOptions(device="cpu", workers=0)
    same = _tried(options, db, result, "tones", domains).figures
    assert [(f.metric, f.value == 0.125) for f in same] == [("accuracy on noises", False)]
    (tmp_path / "noises" / "noises-0001.mp4").unlink()
    (other,) = _tried(options, db, result, "tones", domains).figures
    assert (other.metric, other.value) == ("accuracy on noises", 0.125)
    (db / "models" / row["encoder_id"] / "tried.json").unlink()  # others go on with this database


def test_an_encoder_is_judged_by_name_with_the_pairs_it_has_seen(
    answered: tuple[Path, Asked, Answer, list[str]],
) -> None:
    db = answered[0]
    asked = Asked(models=("tiny log-mel/tones",), epochs=1, set=("search.learning_rates=0.01",), device="cpu")
    found = run_experiment("l3-2019", db, asked, lambda line: None)
    (row,) = [r for r in found.long if r["what"].startswith("tiny")]
    assert row["note"] in ("after 4 pairs", "after 8 pairs") and not [
        r for r in found.long if r["table"] == "AVC"
    ]
    assert any("no row of OpenL3" in note for note in found.notes)
    with pytest.raises(UsageError, match="no towers were trained"):
        found.draw(Path("x.png"))


def test_what_cannot_be_is_a_sentence(videos: Path, tmp_path: Path) -> None:
    db = make_corpus(tmp_path, "esc50", without=("fold",))

    def asked(**values: Any) -> Any:
        return run_experiment("l3-2019", db, Asked(device="cpu", **values), lambda line: None)

    with pytest.raises(NotFoundError, match="no file has a label 'fold'"):
        asked(models=("log-mel-stats",))
    with pytest.raises(NotFoundError, match="no embedding model 'openl4'"):
        asked(models=("openl4",))
    with pytest.raises(UsageError, match="openl3 needs --weights"):
        asked(models=("openl3",))
    with pytest.raises(NotFoundError, match="no weights in"):
        asked(weights=videos)
    with pytest.raises(UsageError, match="is no folder; --videos"):
        asked(videos=tmp_path / "nowhere")
    with pytest.raises(UsageError, match="there is no video in"):
        asked(videos=tmp_path)
    with pytest.raises(UsageError, match=r"the search has no setting 'patent'.*patience"):
        asked(set=("search.patent=3",))
    with pytest.raises(UsageError, match="no scale 'tiny'"):
        asked(videos=videos, scale="tiny")


def test_folders_of_videos_are_domains_and_shared_ones_are_told(videos: Path, tmp_path: Path) -> None:
    import shutil

    assert list(video_domains(videos)) == ["noises", "tones"]
    assert list(video_domains(videos / "tones")) == ["tones"]
    assert "no video lies in several" in shared_videos(video_domains(videos))
    for domain in ("a", "b"):
        (tmp_path / domain).mkdir()
        shutil.copy(next((videos / "tones").glob("*.mp4")), tmp_path / domain / "x.mp4")
    assert "1 videos lie in several domains" in shared_videos(video_domains(tmp_path))


def test_the_printed_towers_need_a_gpu_or_hours_that_were_allowed() -> None:
    notes: list[str] = []
    assert choose_recipe(TowerOptions(device="cpu"), notes).name == "l3-2019-tiny" and "--long" in notes[0]
    paper = choose_recipe(TowerOptions(device="cpu", is_long_fine=True, steps=64), [])
    assert paper.front_end.kind == "l3-mel256" and paper.steps()[:2] == (64, 8)
    cells = recipes_of(paper, ("*/music",), ("music", "env"))
    assert [(a, b, r.front_end.n_rows) for a, b, r in cells] == [
        ("mel256", "music", 256), ("mel128", "music", 128), ("linear", "music", 257),
    ]  # fmt: skip
    assert [(a, b) for a, b, _ in recipes_of(paper, (), ("music", "env"))] == [
        ("mel256", "music"),
        ("mel256", "env"),
    ]
    with pytest.raises(UsageError, match="cells have names such as mel256/music"):
        recipes_of(paper, ("mel64/*",), ("music",))


def test_the_domain_matrix_has_the_printed_figures_where_folders_are_named_so() -> None:
    def towers(domain: str, other: str) -> Any:
        figures = [
            EncoderFigure("test", "accuracy", 0.9, 0.8, 1.0, 0.5),
            EncoderFigure("test", f"accuracy on {other}", 0.6, 0.5, 0.7, 0.5),
        ]
        rows = [
            {"step": 1, "pairs": 64, "valid_accuracy": 0.6},
            {"step": 2, "pairs": 128, "valid_accuracy": 0.5},
        ]
        result = EncoderResult(
            f"l3 mel256/{domain}",
            "avc",
            "l3-2019",
            {},
            {},
            0,
            rows=rows,
            best_step=1,
            steps=2,
            figures=figures,
        )
        return towers_of(result, domain, "mel256")

    music = towers("music", "env_sounds")
    assert music.n_pairs == 64 and music.curve == ((64, 0.6), (128, 0.5))
    rows = domain_rows([music, towers("env_sounds", "music")], ["music", "env_sounds"])
    assert [(r.what, r.on, r.value, r.published) for r in rows[:4]] == [
        ("l3 mel256/music", "music", 0.9, 0.7704), ("l3 mel256/music", "env_sounds", 0.6, 0.6482),
        ("l3 mel256/env_sounds", "music", 0.6, 0.6293), ("l3 mel256/env_sounds", "env_sounds", 0.9, 0.7808),
    ]  # fmt: skip
    assert sorted(r.published for r in rows[4:] if r.published) == sorted(DOMAIN_MATRIX.values())


def test_corpora_are_known_by_their_classes_and_no_others() -> None:
    assert {name: len(c.classes) for name, c in CORPORA.items()} == {
        "urbansound8k": 10,
        "esc50": 50,
        "dcase2013": 10,
    }
    found = recognise(["bus", "park"])
    assert found is not None and [r.published for r in published_rows(found)] == [0.97, 0.93, 0.76]
    assert recognise(["bus", "soprano"]) is None and recognise([]) is None and published_rows(None) == []
    # the text's margins over the figures printed beside it
    urban, esc = (dict(CORPORA[name].accuracy) for name in ("urbansound8k", "esc50"))
    assert urban["L3 mel256, music"] - urban["VGGish"] == pytest.approx(0.0480)
    assert esc["L3 mel256, music"] - esc["SoundNet"] == pytest.approx(0.3216)


def test_tables_show_the_best_against_each_and_programs_get_every_two() -> None:
    judged = [Judged(name, {0: value, 1: value}) for name, value in (("a", 0.5), ("b", 0.9), ("c", 0.7))]
    rows = comparison_rows(judged)
    assert [(r.what, r.is_further) for r in rows] == [
        ("b less c", False), ("b less a", False), ("c less a", True),
    ]  # fmt: skip
    shown = shown_rows(rows)
    assert len(shown) == 2 and (shown[0]["accuracy"], shown[0]["interval"]) == ("+20.0 points", "p = 0.5")


def test_accuracy_on_folds_is_shown_against_the_pairs_that_embeddings_have_seen() -> None:
    wanted = [Wanted(name, {}, lambda: None, {}, n) for name, n in (("a", 800), ("b", 200), ("c", None))]  # type: ignore[arg-type,return-value]
    rows = [Row("folds", name, "3 folds", value) for name, value in (("a", 0.9), ("b", 0.7), ("c", 0.8))]
    assert [(r.table, r.what, r.on, r.value) for r in seen_rows(wanted, rows)] == [
        ("seen", "b", "folds, 200 pairs", 0.7), ("seen", "a", "folds, 800 pairs", 0.9),
    ]  # fmt: skip
    assert seen_rows(wanted[1:], rows) == []


def test_weights_may_be_a_folder_and_settings_go_where_they_belong(tmp_path: Path) -> None:
    for name in ("openl3_audio_mel128_env.h5", "openl3_image_mel128_env.h5", "notes.txt"):
        (tmp_path / name).write_bytes(b"")
    assert [p.name for p in openl3_files(tmp_path)] == ["openl3_audio_mel128_env.h5"]
    assert openl3_files(None) == [] and openl3_files(tmp_path / "notes.txt") == [tmp_path / "notes.txt"]
    asked = Asked(
        set=("search.l2s=0.1", "n_judged=9", "openl3.padding=package"), epochs=3, steps=7, seeds=(0, 1)
    )
    options = options_of(asked)
    assert options.openl3 == {"padding": "package"}
    assert options.downstream.config.l2s == (0.1,) and options.downstream.config.max_epochs == 3
    assert dict(options.towers.changes) == {"n_judged": 9} and options.towers.steps == 7
    budgets = options_of(Asked(set=("budgets=[200, 800]",), island="half"))
    assert budgets.towers.budgets == (200, 800) and budgets.fold == "half"
    with pytest.raises(UsageError, match="budgets are numbers of steps"):
        options_of(Asked(set=("budgets=few",)))
    with pytest.raises(UsageError, match="one set of clips at a time"):
        options_of(Asked(clips=("a", "b")))
