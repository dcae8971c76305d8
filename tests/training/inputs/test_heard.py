"""Sound as a front end hears it: gains of recordings, and training and prediction at the recipe's rate."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("torch", reason="torch is not installed; pip install 'motifdb[train]'")

import soundfile

import motifdb
from motifdb.catalog.store import open_snapshot
from motifdb.errors import UsageError
from motifdb.pipelines.progress import Quiet
from motifdb.training.experiments.cells import CellPlan, read_fold, run_cells
from motifdb.training.fitting.predict import Predictor
from motifdb.training.fitting.recipes import Recipe, find_recipe
from motifdb.training.fitting.train_job import TrainOptions, train_database
from motifdb.training.inputs import heard
from motifdb.training.inputs.batches import Batches
from motifdb.training.inputs.front_end_config import FRONT_ENDS, FrontEndConfig
from motifdb.training.inputs.heard import recording_gain, sound_key, with_gain
from motifdb.training.inputs.packed import Packed
from motifdb.training.scores.runs import find_run
from tests.reference import frontends as reference
from tests.training.small import Small, make_small
from tests.training.tones import TINY

RATE_HZ = 22_050
MEL = FrontEndConfig("mel-db")


def sung(n: int, loudness: float, seed: int) -> NDArray[np.int16]:
    random = np.random.default_rng(seed)
    tone = np.sin(2 * np.pi * random.uniform(150, 600) * np.arange(n) / RATE_HZ) + random.normal(0, 0.05, n)
    return np.round(30_000 * loudness * tone * np.hanning(n)).astype(np.int16)


CLIPS = [
    sung(9000, 0.4, 1),
    sung(5000, 0.01, 2),
    sung(7000, 0.05, 3),
    np.zeros(400, np.int16),
    sung(300, 0.02, 4),
]
NAMES = ["a", "a", "b", "silent", "b"]


@pytest.mark.parametrize("front_end", [MEL, FrontEndConfig("cqt-db", n_bands=30)], ids=["mel", "cqt"])
def test_the_loudest_moment_of_each_recording_is_0_db(front_end: FrontEndConfig) -> None:
    packed = Packed.of(CLIPS, RATE_HZ)
    gain = recording_gain(packed, NAMES, front_end)
    assert gain.dtype == np.float32 and gain[0] == gain[1] and gain[2] == gain[4] and gain[3] == 1
    greatest = [
        reference.features(clip / 32_768.0 * g, front_end).max() for clip, g in zip(CLIPS, gain, strict=True)
    ]
    assert max(greatest[:2]) == pytest.approx(60, abs=1e-3)
    assert max(greatest[2], greatest[4]) == pytest.approx(60, abs=1e-3)
    assert greatest[1] < 35, "a soft clip stays soft beside the loud one of its recording"


def test_clips_that_overlap_are_heard_once_and_alike() -> None:
    pcm = np.concatenate([sung(9000, 0.4, 1), sung(5000, 0.01, 2)])
    start = np.array([0, 512, 4000, 9000, 10_000])
    packed = Packed(pcm, start, np.array([6000, 6000, 5000, 3000, 4000]), RATE_HZ)
    whole = Packed(pcm, np.array([0, 9000]), np.array([9000, 5000]), RATE_HZ)
    expected = recording_gain(whole, ["x", "y"], MEL)
    assert recording_gain(packed, list("xxxyy"), MEL).tolist() == expected[[0, 0, 0, 1, 1]].tolist()


def test_long_sound_is_measured_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    packed = Packed.of([sung(40_000, 0.3, 5), sung(33_280, 0.02, 6), sung(700, 0.1, 7)], RATE_HZ)
    for front_end in (MEL, FrontEndConfig("cqt-db", n_bands=8)):
        monkeypatch.setattr(heard, "PIECE_COLUMNS", 1000)
        whole = recording_gain(packed, list("abc"), front_end)
        monkeypatch.setattr(heard, "PIECE_COLUMNS", 7)
        np.testing.assert_allclose(recording_gain(packed, list("abc"), front_end), whole, rtol=1e-4)


def test_gain_goes_with_its_clips_into_batches() -> None:
    packed = with_gain(Packed.of(CLIPS, RATE_HZ), NAMES, MEL)
    assert packed.gain is not None
    taken = packed.take(np.array([2, 0]))
    assert taken.gain is not None and taken.gain.tolist() == packed.gain[[2, 0]].tolist()
    batch = Batches(taken, np.zeros(2, np.int64), np.arange(2), batch_size=2, shuffle=False).gather(
        np.arange(2)
    )
    expected = CLIPS[2] / np.float32(32_768) * packed.gain[2]
    np.testing.assert_allclose(batch.samples[0, : len(CLIPS[2])].numpy(), expected, rtol=1e-5)
    plain = Packed.of(CLIPS)
    assert with_gain(plain, NAMES, FrontEndConfig()) is plain


def test_gain_that_means_nothing_is_refused() -> None:
    with pytest.raises(UsageError, match="hears sound at 22,050 Hz; this is at 16,000"):
        recording_gain(Packed.of(CLIPS), NAMES, MEL)
    with pytest.raises(UsageError, match="relates each clip to its own maximum"):
        recording_gain(Packed.of(CLIPS, 48_000), NAMES, FRONT_ENDS["l3-linear"])
    assert sound_key(MEL) != sound_key(FRONT_ENDS["damp-cqt"]) != sound_key(FRONT_ENDS["l3-linear"])
    assert sound_key(FRONT_ENDS["l3-linear"]) == sound_key(FRONT_ENDS["l3-mel256"])


# -- training and prediction ---------------------------------------------------------------------------------

DAMP = replace(
    TINY, name="tiny-damp", front_end=FrontEndConfig("mel-db", n_bands=16, standardise=True), max_epochs=4
)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Small, str]:
    """Tones whose files are gone, with one run on decibels at 22,050 Hz, and what was said meanwhile."""
    small = make_small(tmp_path_factory.mktemp("heard"), n_each=4)
    said: list[str] = []
    train_database(TrainOptions(DAMP, folds=(1,), baselines=True), small.path, Quiet(), said.append)
    return small, "\n".join(said)


def test_a_recipe_trains_at_its_rate_and_says_where_sound_came_from(trained: tuple[Small, str]) -> None:
    small, said = trained
    assert "sound at 22,050 Hz: 12 recordings from the sound kept at 16,000 Hz" in said
    run = find_run(open_snapshot(small.path), "tiny-damp")
    assert run["state"] == "done" and run["front_end"] == "mel-db"


def test_baselines_hear_what_is_kept_whatever_the_recipe_hears(
    trained: tuple[Small, str], tmp_path: Path
) -> None:
    small, _ = trained
    shutil.copytree(small.path, tmp_path / "c.motifdb")
    cell = CellPlan("e", "baselines", "p", small.split_id, 1)
    assert cell.sound == (16_000, "") != replace(cell, recipe=DAMP).sound
    made = {r["run_id"] for r in open_snapshot(small.path).table("runs", ["run_id"]).to_pylist()}
    cells = [cell, replace(cell, name="tiny", recipe=replace(DAMP, max_epochs=1))]
    lines: list[str] = []
    report = run_cells(tmp_path / "c.motifdb", cells, "singer", Quiet(), lines.append)
    assert not report.failed and any(line.startswith("sound at 22,050 Hz") for line in lines)
    after = {r["run_id"] for r in open_snapshot(tmp_path / "c.motifdb").table("runs", ["run_id"]).to_pylist()}
    assert len(after - made) == 1, "the network's; the baselines are those that were there, to the id"


def test_a_fold_is_read_with_rate_and_gain(trained: tuple[Small, str]) -> None:
    small, _ = trained
    fold = read_fold(small.path, small.split_id, 1, front_end=DAMP.front_end)
    assert fold.packed.sample_rate_hz == RATE_HZ and fold.packed.gain is not None
    plain = read_fold(small.path, small.split_id, 1)
    assert plain.packed.sample_rate_hz == 16_000 and plain.packed.gain is None


def test_prediction_hears_a_file_as_training_did_however_loud(
    trained: tuple[Small, str], tmp_path: Path
) -> None:
    small, _ = trained
    snapshot = open_snapshot(small.path)
    predictor = Predictor(snapshot, find_run(snapshot, "tiny-damp"), small.path, device="cpu")
    recording, pcm = next(iter(small.pcm.items()))
    heard_as: list[dict[str, float]] = []
    for name, factor in (("loud", 2.0), ("soft", 0.5)):
        soundfile.write(tmp_path / f"{name}.wav", pcm * factor / 32_768, 16_000, subtype="FLOAT")
        found = predictor.hear(tmp_path / f"{name}.wav")
        assert found.duration_s == pytest.approx(len(pcm) / 16_000, abs=1e-3)
        heard_as.append(dict(found.probabilities))
    assert heard_as[0] == pytest.approx(heard_as[1], abs=0.02)
    fold = read_fold(small.path, small.split_id, 1, front_end=DAMP.front_end)
    (row,) = [i for i, r in enumerate(fold.examples.recording_id) if r == recording]
    in_training = predictor.trained.probabilities(fold.packed, np.array([row]))[0]
    names = predictor.trained.classes
    assert heard_as[0] == pytest.approx(dict(zip(names, in_training.tolist(), strict=True)), abs=0.02)


def test_a_dataset_gives_clips_at_another_rate_and_resumes_at_it_only(trained: tuple[Small, str]) -> None:
    clips = motifdb.open(str(trained[0].path)).clips("file")
    at = {
        rate: clips.to_torch(part="train", fold=1, shuffle=False, sample_rate_hz=rate, cache=None)
        for rate in (16_000, 48_000)
    }
    lengths = {rate: [len(item.samples) for item in dataset] for rate, dataset in at.items()}
    assert lengths[48_000] == [3 * n for n in lengths[16_000]]
    state = at[48_000].state_dict()
    at[48_000].load_state_dict(state)
    with pytest.raises(UsageError, match="its sample_rate_hz is 48000, here it is 16000"):
        at[16_000].load_state_dict(state)
    older = {k: v for k, v in at[16_000].state_dict().items() if k != "sample_rate_hz"}
    at[16_000].load_state_dict(older)


def test_setting_another_kind_takes_its_rate_and_hop_along() -> None:
    recipe = find_recipe("sid-2020-small").assign({"front_end.kind": "mel-db", "front_end.pad_to": 256})
    assert recipe.front_end == FrontEndConfig("mel-db", hop_samples=320, pad_to=256)
    plain = Recipe("r", "crnn").assign({"front_end.kind": "l3-mel128"})
    assert plain.front_end == FRONT_ENDS["l3-mel128"] and plain.name == "r+front_end.kind=l3-mel128"
    assert Recipe("r", "crnn").assign({"front_end.kind": "mfcc"}).front_end == FrontEndConfig("mfcc")
