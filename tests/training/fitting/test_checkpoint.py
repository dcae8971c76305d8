"""Checkpoints: what was written comes back, and nothing else is taken for one."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest
import torch

from motifdb.training.fitting import checkpoint
from motifdb.training.fitting.checkpoint import (
    CheckpointError,
    load_into,
    read_header,
    read_tensors,
    run_of,
    write_tensors,
)
from motifdb.training.fitting.loop import load_trained, train
from motifdb.training.fitting.recipes import Recipe
from tests.training.tones import TINY, tones


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of one epoch."""
    folder = tmp_path_factory.mktemp("run")
    train(TINY.assign({"max_epochs": 1}), *tones(), seed=3, folder=folder)
    return folder


def test_tensors_and_counters_come_back_to_the_bit(tmp_path: Path) -> None:
    tensors = {"a": torch.randn(3, 4), "b": torch.tensor(7), "c": torch.randn(4, 3).T}
    header = {"sum": 0.1 + 0.2, "rows": [{"epoch": 1, "valid": None}]}
    path = tmp_path / "deep" / "x.safetensors"
    write_tensors(path, tensors, header)
    back, found = read_tensors(path)
    assert found == header == read_header(path)
    assert back.keys() == tensors.keys() and all(torch.equal(back[k], tensors[k]) for k in tensors)
    assert [p.name for p in path.parent.iterdir()] == ["x.safetensors"]


def test_a_write_that_fails_leaves_the_file_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.safetensors"
    write_tensors(path, {"a": torch.ones(2)}, {"n": 1})

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_tensors(path, {"a": torch.zeros(2)}, {"n": 2})
    assert read_tensors(path)[1] == {"n": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["x.safetensors"]


class Bomb:
    """What must never happen."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.touch, (Path("/nonexistent/unpickled"),)  # type: ignore[return-value]


def test_a_pickled_file_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    path.write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(CheckpointError, match="pickled"):
        read_tensors(path)
    torch.save({"a": torch.ones(2)}, path)  # a zip archive with a pickle in it
    with pytest.raises(CheckpointError, match="pickled"):
        read_tensors(path)


def test_a_header_as_long_as_a_pickle_s_first_byte_is_none(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    firsts = set()
    for n in range(0, 320, 8):  # the header's length is a multiple of 8, so one of them ends in 0x80
        write_tensors(path, {"a": torch.ones(2)}, {"text": "x" * n})
        firsts.add(path.read_bytes()[0])
        assert read_header(path) == {"text": "x" * n}
    assert 0x80 in firsts


@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.999])
def test_a_file_cut_short_is_refused(trained: Path, tmp_path: Path, share: float) -> None:
    content = (trained / checkpoint.WEIGHTS).read_bytes()
    path = tmp_path / checkpoint.WEIGHTS
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(CheckpointError, match="damaged or cut short"):
        read_tensors(path)


def test_a_stranger_s_file_is_refused(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    path = tmp_path / "x.safetensors"
    save_file({"a": torch.ones(2)}, str(path))
    with pytest.raises(CheckpointError, match="not written by motifdb"):
        read_tensors(path)
    with pytest.raises(CheckpointError, match="cannot be read"):
        read_tensors(tmp_path / "none.safetensors")


def test_wrong_names_and_shapes_are_refused() -> None:
    module, where = torch.nn.Linear(2, 3), Path("x")
    with pytest.raises(CheckpointError, match="has no weight"):
        load_into(module, {}, where)
    with pytest.raises(CheckpointError, match=r"weight has shape \[3, 3\], not \[3, 2\]"):
        load_into(module, {"weight": torch.ones(3, 3), "bias": torch.ones(3)}, where)
    with pytest.raises(CheckpointError, match="more is not one"):
        load_into(module, {"weight": torch.ones(3, 2), "bias": torch.ones(3), "more": torch.ones(1)}, where)


def test_another_recipe_cannot_go_on(trained: Path) -> None:
    other = TINY.assign({"max_epochs": 1, "learning_rate": 0.5})
    with pytest.raises(
        CheckpointError, match=r"of another run \(recipe.learning_rate: 0.005 there, 0.5 asked"
    ):
        train(other, *tones(), seed=3, folder=trained, resume=True)
    with pytest.raises(CheckpointError, match=r"seed: 3 there, 4 asked"):
        train(TINY.assign({"max_epochs": 1}), *tones(), seed=4, folder=trained, resume=True)
    with pytest.raises(CheckpointError, match="examples:"):
        train(TINY.assign({"max_epochs": 1}), *tones(57), seed=3, folder=trained, resume=True)


def test_a_configuration_that_is_none(trained: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no checkpoint at"):
        load_trained(tmp_path)
    path = tmp_path / checkpoint.CONFIG
    for text, said in (
        ("{", "no configuration"),
        ("[]", "no configuration"),
        (json.dumps({"format": 99}), "newer motifdb"),
        (json.dumps({"format": 1}), "does not describe a network"),
    ):
        path.write_text(text)
        with pytest.raises(CheckpointError, match=said):
            load_trained(tmp_path)
    config = json.loads((trained / checkpoint.CONFIG).read_text())
    config["classes"].append("d")  # a head of another size
    path.write_text(json.dumps(config))
    (tmp_path / checkpoint.WEIGHTS).write_bytes((trained / checkpoint.WEIGHTS).read_bytes())
    with pytest.raises(CheckpointError, match="of another run than the config"):
        load_trained(tmp_path)


def test_a_run_is_read_back_whole(trained: Path) -> None:
    back, config = load_trained(trained)
    assert Recipe.from_dict(config["recipe"]).model == TINY.model
    assert back.classes == ("a", "b", "c") and back.best_epoch == 1 and len(back.epochs) == 1
    examples, packed = tones()
    again = train(TINY.assign({"max_epochs": 1}), examples, packed, seed=3)
    assert (back.probabilities(packed) == again.probabilities(packed)).all()


def test_tensors_of_another_run_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    own, other = run_of({"seed": 0, "format": 1}), run_of({"seed": 1})
    assert own == run_of({"seed": 0})
    write_tensors(path, {"a": torch.ones(2)}, {}, own)
    assert read_tensors(path, own)[1] == {}
    with pytest.raises(CheckpointError, match=r"is of another run than the config\.json beside it"):
        read_tensors(path, other)
